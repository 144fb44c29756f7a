package settings

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheDoctorsSettings(t *testing.T) {
	all := Doctor{Responder: full, Stack: "arn:aws:cloudformation:eu-west-1:111122223333:stack/Nightlatch/8d6f2a40-0000-11f1-9c1c-0a1b2c3d4e5f",
		Heartbeat: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:nightlatch/heartbeat-a1b2c3"}
	all.Mode, all.Generation, all.Protected, all.ProtectTag, all.FilterID, all.Records, all.ScheduleGroup, all.ScheduleRole, all.DeadLetters = "", "", nil, "", "", "", "", "", ""
	all.Steps, all.Cutter, all.Hub = nil, "", ""
	got, err := ParseDoctor(environ(all.Environ()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, all); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	for name, value := range map[string]string{"STACK": "Nightlatch", "HEARTBEAT": "https://beats.example.com/", "MODE": "act", "RECORDS": "reads", "TABLE": "", "EVENT_DATA_STORE": "x"} {
		env := all.Environ()
		env[prefix+name] = value
		if got, err := ParseDoctor(environ(env)); err == nil || !strings.Contains(err.Error(), prefix+name) || cmp.Diff(got, Doctor{}) != "" {
			t.Errorf("%s=%q: got %+v, %v, want nothing but an error that names it", name, value, got, err)
		}
	}
	for _, required := range []string{"TOPIC", "ACCOUNTS", "STACK", "TABLE"} {
		env := all.Environ()
		delete(env, prefix+required)
		if _, err := ParseDoctor(environ(env)); err == nil || !strings.Contains(err.Error(), prefix+required+" is missing") {
			t.Errorf("without %s: got %v", required, err)
		}
	}
}
