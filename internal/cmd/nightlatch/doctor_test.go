package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"

	"nightlatch/internal/checks"
	"nightlatch/internal/checks/checkstest"
	"nightlatch/internal/doctor"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/policy"
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
	if got := examine(1); first(got) != "22 of 24 hold; 2 could not be read: access, questions" || !strings.Contains(got, "COULD NOT BE READ: questions. The doctor's function has not said anything of it yet\n") {
		t.Error(got)
	}
	table, err := dynamo.New(a.Config, checkstest.Table)
	if err != nil {
		t.Fatal(err)
	}
	said := doctor.Report{Name: doctor.QuestionsName, At: time.Now(), Answer: doctor.Answer{State: doctor.Holds, Says: "athena takes 7 questions"}}
	reads := doctor.Report{Name: doctor.AccessName, At: time.Now(), Answer: doctor.Answer{State: doctor.Holds, Says: "a file was read"}}
	if err := checks.Memory(table).Save(t.Context(), doctor.Kept{Reports: map[string]doctor.Report{said.Name: said, reads.Name: reads}}); err != nil {
		t.Fatal(err)
	}
	if got := examine(0); first(got) != "24 of 24 hold" {
		t.Error(got)
	}
	a.Alarm["Threshold"] = cbor.Float64(100 << 30)
	if got := examine(1); first(got) != "23 of 24 hold; 1 broken: alarms" || !strings.Contains(got, "\nBROKEN: alarms\n  Alarm nightlatch-exports-1m: its Threshold is 107374182400, and was deployed as 1073741824\n    ") {
		t.Error(got)
	}
	var in struct {
		Schema                string
		Holds, Broken, Unread int
		Checks                []struct{ Name, State string }
	}
	if err := json.Unmarshal([]byte(examine(1, "--json")), &in); err != nil || in.Schema != "nightlatch.doctor/1" || in.Holds != 23 || in.Broken != 1 || in.Unread != 0 || len(in.Checks) != 24 {
		t.Errorf("got %+v, %v", in, err)
	}
	a.Alarm["Threshold"] = cbor.Float64(1 << 30)
	// The users are the command's to go through; moto makes the report as AWS does, and knows no last use.
	if got := examine(0); !strings.Contains(got, "HOLDS: machines. No user works as a machine in S3\n") {
		t.Error(got)
	}
	// A policy of one's own is judged with its cases, and held against the one that was deployed.
	own := filepath.Join(t.TempDir(), "own.cedar")
	keep := func(file string, text []byte) {
		t.Helper()
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keep(own, policy.ShippedText())
	if got := examine(0, "--policy", own); !strings.Contains(got, "Own.cedar was deployed, fits the schema, and has 35 rules; it has no cases\n") {
		t.Error(got)
	}
	keep(strings.TrimSuffix(own, ".cedar")+".cases.json", []byte(`{"facts": {"kind": "root-key"}, "cases": [{"name": "n", "expect": "contain"}]}`))
	if got := examine(1, "--policy", own); !strings.Contains(got, `Own.cedar decides 1 of 1 case otherwise: own.cases.json:1: "n": it is ask by`) {
		t.Error(got)
	}
	if got := examine(0); !strings.Contains(got, "Shipped.cedar was deployed, fits the schema, and has 35 rules; 38 cases decided as expected\n") {
		t.Error(got)
	}
	// Without a file, one that is not the shipped one is the function's to judge.
	a.Policy = policy.Digest{SHA256: "another"}
	if got := examine(1); !strings.Contains(got, "COULD NOT BE READ: policy. The doctor's function has not said anything of it yet\n") {
		t.Error(got)
	}
	a.Policy = policy.Digest{}
	if got := examine(1, "--policy", filepath.Join("..", "..", "policy", "shipped.cedar")); !strings.Contains(got, "COULD NOT BE READ: policy. The stack does not say which policy was deployed") {
		t.Error(got)
	}
	examine(2, "--policy", "there-is-none.cedar")
	examine(2, "--stack", "no stack")
	examine(2, "--what")
	examine(1, "--stack", "Other")
}
