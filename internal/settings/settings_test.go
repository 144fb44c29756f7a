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
	Mode: "act", Epoch: "2026-03", EventDataStore: "arn:aws:cloudtrail:eu-west-1:111122223333:eventdatastore/0b8a2a3e-1f0e-4b5a-9d0c-2f6a1c3b4d5e",
	Topic: "arn:aws:sns:eu-west-1:111122223333:team", Topics: []string{"arn:aws:sns:us-east-1:444455556666:soc"}, Accounts: []string{"111122223333", "444455556666"},
	Protected: []string{"arn:aws:iam::111122223333:user/ops/break-glass"}, ProtectTag: "team:protect", ScanBudget: 1 << 30,
	Table: "Nightlatch-incidents", ScheduleGroup: "nightlatch", ScheduleRole: "arn:aws:iam::111122223333:role/Nightlatch-wakes",
	DeadLetters: "arn:aws:sqs:eu-west-1:111122223333:failed", FilterID: "nightlatch", LogLevel: slog.LevelWarn,
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
	for _, optional := range []string{"MODE", "EPOCH", "TOPICS", "PROTECTED", "PROTECT_TAG", "SCAN_BUDGET", "FILTER_ID", "LOG_LEVEL",
		"TABLE", "SCHEDULE_GROUP", "SCHEDULE_ROLE", "DEAD_LETTERS"} {
		delete(env, prefix+optional)
	}
	got, err := Parse(environ(env))
	if err != nil {
		t.Fatal(err)
	}
	want := Responder{EventDataStore: full.EventDataStore, Topic: full.Topic, Accounts: full.Accounts,
		ProtectTag: DefaultProtectTag, FilterID: DefaultFilterID, ScanBudget: DefaultScanBudget}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}

func TestWrongSettingsAreNamed(t *testing.T) {
	for name, value := range map[string]string{
		"MODE": "kill", "EPOCH": "a b", "EVENT_DATA_STORE": "0b8a2a3e", "TOPIC": "arn:aws:sqs:eu-west-1:111122223333:team", "TOPICS": "team", "ACCOUNTS": "1111",
		"PROTECTED": "bob", "PROTECT_TAG": "a\nb", "SCAN_BUDGET": "-1", "LOG_LEVEL": "loud", "FILTER_ID": "a b", "MOOD": "act",
		"TABLE": "arn:aws:dynamodb:eu-west-1:111122223333:table/incidents", "SCHEDULE_GROUP": "a b", "SCHEDULE_ROLE": "arn:aws:iam::111122223333:user/bob",
		"DEAD_LETTERS": "https://sqs.eu-west-1.amazonaws.com/111122223333/failed",
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
	for _, required := range []string{"EVENT_DATA_STORE", "TOPIC", "ACCOUNTS"} {
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
