package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

const (
	events = "../../../events"
	// What the sample trail says of the minute that the alarms are about; internal/sandbox writes it.
	sampleThief  = "AKIAIOSFODNN7EXAMPLE"
	sampleBytes  = 2147483648
	sampleStolen = 2129779882
)

// sampleAnswer is what the tests read of an incident.
type sampleAnswer struct {
	Alarm    struct{ Confirmed bool }
	Evidence struct {
		Bytes     int64
		Explained *float64
		Complete  bool
		Lost      []string
		Actors    []struct {
			Kind        string
			AccessKeyID string `json:"access_key_id"`
			UserName    string `json:"user_name"`
			Bytes       int64
		}
	}
	Verdicts []struct {
		Action   string
		Target   string
		Decision string
	}
	Outcomes []struct {
		Action string
		State  string
	}
}

// ask runs the command as the README does: an event of events/ over the sample trail beside it.
func ask(t *testing.T, event string, args ...string) (out string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	args = append([]string{"respond", "--event", filepath.Join(events, event), "--trail", filepath.Join(events, "trail")}, args...)
	if code := run(t.Context(), args, streams{strings.NewReader(""), &stdout, &stderr, &scratch{}}); code != 0 {
		t.Fatalf("%s: exit code %d: %s", event, code, stderr.String())
	}
	return stdout.String()
}

// Every alarm in events/, by whatever way it came, gets the same answer from the trail beside it: by itself in mode act, and by default a question.
func TestTheSampleTrailAnswersTheAlarms(t *testing.T) {
	for _, event := range []string{"alarm-direct", "alarm-direct-contributor", "alarm-eventbridge", "alarm-eventbridge-contributor",
		"alarm-sns", "alarm-sns-contributor", "investigate-key"} {
		outcomes := map[string]string{"": "contain asked", "act": "contain done"}
		if event == "investigate-key" { // what a human asks is at most asked about
			outcomes = map[string]string{"": "ask asked", "act": "ask asked"}
		}
		for mode, want := range outcomes {
			t.Run(event+" "+mode, func(t *testing.T) {
				args := []string{"--json"}
				if mode != "" {
					args = append(args, "--mode", mode)
				}
				var got sampleAnswer
				if err := json.Unmarshal([]byte(ask(t, event+".json", args...)), &got); err != nil {
					t.Fatal(err)
				}
				sampleVerdict(t, got, want)
			})
		}
	}
}

// sampleVerdict checks that all of the bytes are explained, and what follows for the thief's key and for nobody else.
func sampleVerdict(t *testing.T, got sampleAnswer, want string) {
	t.Helper()
	sampleEvidence(t, got)
	if got.Evidence.Explained == nil || *got.Evidence.Explained != 1 || !got.Alarm.Confirmed {
		t.Errorf("got explained %v, confirmed %v, want all of a confirmed alarm", got.Evidence.Explained, got.Alarm.Confirmed)
	}
	if len(got.Verdicts) != 1 || len(got.Outcomes) != 1 {
		t.Fatalf("got verdicts %+v and outcomes %+v, want one of the thief's key", got.Verdicts, got.Outcomes)
	}
	v, o := got.Verdicts[0], got.Outcomes[0]
	if v.Action != "deactivate-key" || v.Target != sampleThief || o.Action != v.Action || v.Decision+" "+o.State != want {
		t.Errorf("got %+v and %+v, want %s", v, o, want)
	}
}

// sampleEvidence checks who took the bytes, and who else was there.
func sampleEvidence(t *testing.T, got sampleAnswer) {
	t.Helper()
	e := got.Evidence
	if e.Bytes != sampleBytes || !e.Complete || len(e.Lost) != 0 || len(e.Actors) != 4 {
		t.Fatalf("got %+v, want %d bytes by four actors, complete", e, sampleBytes)
	}
	if a := e.Actors[0]; a.AccessKeyID != sampleThief || a.UserName != "dana.okafor" || a.Bytes != sampleStolen {
		t.Errorf("got %+v, want %d bytes by dana.okafor's key", a, sampleStolen)
	}
	for i, kind := range []string{"iam-user-key", "role-session", "service-for-others", "iam-user-key"} {
		if e.Actors[i].Kind != kind {
			t.Errorf("actor %d: got %s, want %s", i, e.Actors[i].Kind, kind)
		}
	}
}

// A question without a number of bytes leaves open what part anybody took: each is a human's, replication too: somebody has ordered it.
func TestTheSampleTrailAnswersAQuestion(t *testing.T) {
	var got sampleAnswer
	if err := json.Unmarshal([]byte(ask(t, "investigate.json", "--json")), &got); err != nil {
		t.Fatal(err)
	}
	sampleEvidence(t, got)
	if got.Evidence.Explained != nil || got.Alarm.Confirmed {
		t.Errorf("got explained %v, confirmed %v of a question that claims nothing", got.Evidence.Explained, got.Alarm.Confirmed)
	}
	var decided []string
	for _, v := range got.Verdicts {
		decided = append(decided, v.Action+" "+v.Decision)
	}
	if want := "deactivate-key ask, deny-role-session ask, block-on-bucket ask, deactivate-key ask"; strings.Join(decided, ", ") != want {
		t.Errorf("got %s, want %s", strings.Join(decided, ", "), want)
	}
}

// What is no alarm on bytes is said to be none.
func TestTheSampleEventsThatAreIgnored(t *testing.T) {
	for _, event := range []string{"alarm-direct-ok.json", "alarm-direct-insufficient-data.json",
		"alarm-direct-other-metric.json", "alarm-eventbridge-configuration.json"} {
		if got := ask(t, event); !strings.HasPrefix(got, "Nothing to do: ") {
			t.Errorf("%s: got %s", event, got)
		}
	}
}

// What a person reads of it.
func TestTheSampleAsText(t *testing.T) {
	for mode, want := range map[string][]string{
		"ask": {"\nDECIDE\n", "YOU DECIDE     deactivate-key AKIAIOSFODNN7EXAMPLE of dana.okafor",
			"Run            aws iam update-access-key --user-name dana.okafor --access-key-id AKIAIOSFODNN7EXAMPLE --status Inactive"},
		"act": {"\nCONTAINED\n", "Done           deactivate-key AKIAIOSFODNN7EXAMPLE of dana.okafor at 02:19:00",
			"To undo        aws iam update-access-key --user-name dana.okafor --access-key-id AKIAIOSFODNN7EXAMPLE --status Active"},
	} {
		got := ask(t, "alarm-direct.json", "--mode", mode)
		for _, text := range append(want, "took 1.98 GiB\n(99.2 % of the alarmed bytes) in 292 objects from example-exports", "198.51.100.0/24: NEVER SEEN") {
			if !strings.Contains(got, text) {
				t.Errorf("mode %s does not say %q:\n%s", mode, text, got)
			}
		}
	}
}
