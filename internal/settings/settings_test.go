package settings

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func environ(m map[string]string) []string {
	list := []string{"PATH=/bin", "AWS_REGION=eu-west-1"}
	for k, v := range m {
		list = append(list, k+"="+v)
	}
	return list
}

var full = Responder{
	Mode: "act", Generation: "2026-03", Evidence: "athena", TrailLocation: "s3://files/a/b/AWSLogs/o-exampleorg/", EventDataStore: "arn:aws:cloudtrail:eu-west-1:111122223333:eventdatastore/0b8a2a3e-1f0e-4b5a-9d0c-2f6a1c3b4d5e",
	Topic: "arn:aws:sns:eu-west-1:111122223333:team", Topics: []string{"arn:aws:sns:us-east-1:444455556666:soc"}, Watchers: []string{"arn:aws:sns:eu-west-1:111122223333:watch"}, Accounts: []string{"111122223333", "444455556666"},
	Protected: []string{"arn:aws:iam::111122223333:user/ops/break-glass"}, ProtectTag: "team:protect", ScanBudget: 1 << 30,
	Table: "Nightlatch-incidents", ScheduleGroup: "nightlatch", ScheduleRole: "arn:aws:iam::111122223333:role/Nightlatch-wakes",
	DeadLetters: "arn:aws:sqs:eu-west-1:111122223333:failed", FilterID: "nightlatch", Records: "reads", LogLevel: slog.LevelWarn,
	Hub:   "arn:aws:events:us-east-1:999988887777:event-bus/NightlatchHub",
	Steps: []string{"deny-user-sessions", "block-on-bucket"}, StepPaths: []string{"/team/"}, Cutter: "Nightlatch-Cutter-x1",
}

func TestWhatInfraWritesTheFunctionReads(t *testing.T) {
	got, err := Parse(environ(full.Environ()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, full); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}

func TestLeftOutIsTheHarmlessDefault(t *testing.T) {
	env := full.Environ()
	for _, optional := range []string{"MODE", "EPOCH", "EVIDENCE", "TRAIL_LOCATION", "TOPICS", "WATCHERS", "PROTECTED", "PROTECT_TAG", "SCAN_BUDGET", "FILTER_ID", "RECORDS", "STEP_PATHS", "LOG_LEVEL",
		"TABLE", "SCHEDULE_GROUP", "SCHEDULE_ROLE", "DEAD_LETTERS", "STEPS", "CUTTER", "HUB"} {
		delete(env, prefix+optional)
	}
	got, err := Parse(environ(env))
	if err != nil {
		t.Fatal(err)
	}
	want := Responder{Evidence: "lake", EventDataStore: full.EventDataStore, Topic: full.Topic, Accounts: full.Accounts,
		ProtectTag: DefaultProtectTag, FilterID: DefaultFilterID, ScanBudget: DefaultScanBudget}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}

// The day on which mode observe ends belongs to that mode.
func TestWhenObservingEnds(t *testing.T) {
	for _, c := range []struct{ mode, until, wrong string }{
		{"observe", "2026-12-31", ""},
		{"ask", "2026-12-31", "and NIGHTLATCH_MODE is not observe"},
		{"", "2026-12-31", "and NIGHTLATCH_MODE is not observe"},
		{"observe", "2026-02-29", "should be a day, like 2026-12-31"},
		{"observe", "2026-12-31T00:00Z", "should be a day, like 2026-12-31"},
	} {
		s := full
		s.Mode, s.ObserveUntil = c.mode, c.until
		got, err := Parse(environ(s.Environ()))
		if c.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%+v: got %v", c, err)
			}
		} else if err != nil || got.ObserveUntil != c.until {
			t.Errorf("%+v: got %q, %v", c, got.ObserveUntil, err)
		}
	}
}

func TestWrongSettingsAreNamed(t *testing.T) {
	for name, value := range map[string]string{
		"MODE": "kill", "EPOCH": "a b", "EVENT_DATA_STORE": "0b8a2a3e", "EVIDENCE": "duck", "TRAIL_LOCATION": "s3://files/AWSLogs", "TOPIC": "arn:aws:sqs:eu-west-1:111122223333:team", "TOPICS": "team", "ACCOUNTS": "1111",
		"PROTECTED": "bob", "PROTECT_TAG": "a\nb", "SCAN_BUDGET": "-1", "LOG_LEVEL": "loud", "FILTER_ID": "a b", "RECORDS": "everything", "MOOD": "act",
		"TABLE": "arn:aws:dynamodb:eu-west-1:111122223333:table/incidents", "SCHEDULE_GROUP": "a b", "SCHEDULE_ROLE": "arn:aws:iam::111122223333:user/bob",
		"DEAD_LETTERS": "https://sqs.eu-west-1.amazonaws.com/111122223333/failed", "STEPS": "deactivate-key", "CUTTER": "a b", "HUB": "NightlatchHub",
	} {
		env := full.Environ()
		env[prefix+name] = value
		got, err := Parse(environ(env))
		if err == nil || !strings.Contains(err.Error(), prefix+name) {
			t.Errorf("%s=%q: got %v, want an error that names it", name, value, err)
		}
		if diff := cmp.Diff(got, Responder{}); diff != "" {
			t.Errorf("%s=%q: got a value beside an error:\n%s", name, value, diff)
		}
	}
	for _, required := range []string{"TOPIC", "ACCOUNTS"} {
		env := full.Environ()
		delete(env, prefix+required)
		if _, err := Parse(environ(env)); err == nil || !strings.Contains(err.Error(), prefix+required+" is missing") {
			t.Errorf("without %s: got %v, want an error that says so", required, err)
		}
	}
}

func TestTheTableAndTheSchedulesGoTogether(t *testing.T) {
	four := []string{"TABLE", "SCHEDULE_GROUP", "SCHEDULE_ROLE", "DEAD_LETTERS"}
	for some := 1; some < 1<<len(four)-1; some++ {
		env := full.Environ()
		for i, name := range four {
			if some>>i&1 == 1 {
				delete(env, prefix+name)
			}
		}
		got, err := Parse(environ(env))
		if err == nil || !strings.Contains(err.Error(), "NIGHTLATCH_TABLE, NIGHTLATCH_SCHEDULE_GROUP, NIGHTLATCH_SCHEDULE_ROLE and NIGHTLATCH_DEAD_LETTERS go together") {
			t.Errorf("without %04b of them: got %v", some, err)
		}
		if diff := cmp.Diff(got, Responder{}); diff != "" {
			t.Errorf("a value beside an error:\n%s", diff)
		}
	}
}

// One engine is enough, and the one that is asked first must be there.
func TestWhichEngineIsFirst(t *testing.T) {
	for _, c := range []struct {
		without  []string
		evidence string
		first    string
		says     string
	}{
		{nil, "", "lake", ""},
		{nil, "lake", "lake", ""},
		{nil, "athena", "athena", ""},
		{[]string{"TRAIL_LOCATION"}, "", "lake", ""},
		{[]string{"EVENT_DATA_STORE"}, "", "athena", ""},
		{[]string{"EVENT_DATA_STORE"}, "lake", "", `NIGHTLATCH_EVIDENCE is "lake", and NIGHTLATCH_EVENT_DATA_STORE is missing`},
		{[]string{"TRAIL_LOCATION"}, "athena", "", `NIGHTLATCH_EVIDENCE is "athena", and NIGHTLATCH_TRAIL_LOCATION is missing`},
		{[]string{"EVENT_DATA_STORE", "TRAIL_LOCATION"}, "", "", "NIGHTLATCH_EVENT_DATA_STORE and NIGHTLATCH_TRAIL_LOCATION are missing: give one of them, or both"},
	} {
		env := full.Environ()
		for _, name := range append(c.without, "EVIDENCE") {
			delete(env, prefix+name)
		}
		if c.evidence != "" {
			env[prefix+"EVIDENCE"] = c.evidence
		}
		got, err := Parse(environ(env))
		if got.Evidence != c.first || err == nil && c.says != "" || err != nil && err.Error() != c.says {
			t.Errorf("%q without %q: got %q, %v, want %q, %s", c.evidence, c.without, got.Evidence, err, c.first, c.says)
		}
	}
}

// A cutter without a step that it may do would be asked for nothing, in silence.
func TestTheCutterNeedsSteps(t *testing.T) {
	env := full.Environ()
	delete(env, prefix+"STEPS")
	const want = `NIGHTLATCH_CUTTER is "Nightlatch-Cutter-x1", and NIGHTLATCH_STEPS is missing: it does the steps that are enabled`
	if got, err := Parse(environ(env)); err == nil || err.Error() != want || cmp.Diff(got, Responder{}) != "" {
		t.Errorf("got %+v, %v", got, err)
	}
	env = full.Environ()
	delete(env, prefix+"CUTTER") // as in mode observe
	if got, err := Parse(environ(env)); err != nil || len(got.Steps) != 2 || got.Cutter != "" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Whoever corrects one setting after the other deploys as often: all that is wrong is said at once, one line each.
func TestAllThatIsWrongIsSaidAtOnce(t *testing.T) {
	got, err := Parse([]string{"NIGHTLATCH_MODE=kill", "NIGHTLATCH_TRAIL_LOCATION=files", "NIGHTLATCH_ACCOUNTS=111122223333", "NIGHTLATCH_TABLE=incidents", "NIGHTLATCH_MOOD=x", "NIGHTLATCH_HUE=y"})
	want := `NIGHTLATCH_MODE is "kill", and should be observe, ask or act
NIGHTLATCH_TRAIL_LOCATION is "files", and should be where a trail's files lie, s3://BUCKET/[PREFIX/]AWSLogs/[ORGANIZATION/]
NIGHTLATCH_TOPIC is missing: it is the ARN of an SNS topic
NIGHTLATCH_HUE is not a setting
NIGHTLATCH_MOOD is not a setting
NIGHTLATCH_TABLE, NIGHTLATCH_SCHEDULE_GROUP, NIGHTLATCH_SCHEDULE_ROLE and NIGHTLATCH_DEAD_LETTERS go together: give all of them, or none`
	if err == nil || err.Error() != want || cmp.Diff(got, Responder{}) != "" {
		t.Errorf("got %+v and\n%v\nwant\n%s", got, err, want)
	}
	_, err = ParseApprover([]string{"NIGHTLATCH_TOPIC=t"})
	want = `NIGHTLATCH_TOPIC is "t", and should be the ARN of an SNS topic
NIGHTLATCH_ACCOUNTS is missing: it is 12-digit account ids, with commas between them
NIGHTLATCH_RESPONDER is missing: it is the name of a Lambda function
NIGHTLATCH_EVENT_DATA_STORE and NIGHTLATCH_TRAIL_LOCATION are missing: give one of them, or both
NIGHTLATCH_TABLE is missing: it is the name of a DynamoDB table`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}
