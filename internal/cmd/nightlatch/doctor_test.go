package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"

	"nightlatch/internal/checks"
	"nightlatch/internal/checks/checkstest"
	"nightlatch/internal/doctor"
	"nightlatch/internal/incident/dynamo"
)

// The answer comes first, and the exit code says it too.
func TestDoctorSaysTheAnswerFirst(t *testing.T) {
	a := checkstest.New(t)
	for name, value := range map[string]string{"AWS_CONFIG_FILE": "/none", "AWS_SHARED_CREDENTIALS_FILE": "/none", "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": *a.Config.BaseEndpoint,
		"AWS_ACCESS_KEY_ID": theHuman, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": "token", "AWS_REGION": "eu-west-1"} {
		t.Setenv(name, value)
	}
	examine := func(want int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(t.Context(), append([]string{"doctor"}, args...), streams{strings.NewReader(""), &out, &errs, &scratch{}}); code != want {
			t.Errorf("%q: exit code %d, want %d: %s%s", args, code, want, out.String(), errs.String())
		}
		return out.String()
	}
	first := func(text string) string { line, _, _ := strings.Cut(text, "\n"); return line }
	// What only the functions may ask is what they have said, and they have said nothing yet.
	if got := examine(1); first(got) != "19 of 20 hold; 1 could not be read: questions" || !strings.Contains(got, "COULD NOT BE READ: questions. The doctor's function has not said anything of it yet\n") {
		t.Error(got)
	}
	table, err := dynamo.New(a.Config, checkstest.Table)
	if err != nil {
		t.Fatal(err)
	}
	said := doctor.Report{Name: doctor.QuestionsName, At: time.Now(), Answer: doctor.Answer{State: doctor.Holds, Says: "athena takes 7 questions"}}
	if err := checks.Memory(table).Save(t.Context(), doctor.Kept{Reports: map[string]doctor.Report{said.Name: said}}); err != nil {
		t.Fatal(err)
	}
	if got := examine(0); first(got) != "20 of 20 hold" {
		t.Error(got)
	}
	a.Alarm["Threshold"] = cbor.Float64(100 << 30)
	if got := examine(1); first(got) != "19 of 20 hold; 1 broken: alarms" || !strings.Contains(got, "\nBROKEN: alarms\n  Alarm nightlatch-exports-1m: its Threshold is 107374182400, and was deployed as 1073741824\n    ") {
		t.Error(got)
	}
	var in struct {
		Schema                string
		Holds, Broken, Unread int
		Checks                []struct{ Name, State string }
	}
	if err := json.Unmarshal([]byte(examine(1, "--json")), &in); err != nil || in.Schema != "nightlatch.doctor/1" || in.Holds != 19 || in.Broken != 1 || in.Unread != 0 || len(in.Checks) != 20 {
		t.Errorf("got %+v, %v", in, err)
	}
	examine(2, "--stack", "no stack")
	examine(2, "--what")
	examine(1, "--stack", "Other")
}
