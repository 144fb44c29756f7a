package settings

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheApproversSettings(t *testing.T) {
	all := Approver{Responder: full, Function: "Nightlatch-Responder-x1", Trusted: []string{"saml", "arn:aws:iam::111122223333:oidc-provider/accounts.example.com", "token.actions.githubusercontent.com"}}
	all.FilterID, all.Records, all.Steps, all.StepPaths, all.Cutter = "", "", nil, nil, ""
	got, err := ParseApprover(environ(all.Environ()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, all); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	for name, value := range map[string]string{"RESPONDER": "a b", "FILTER_ID": "EntireBucket", "RECORDS": "reads", "STEPS": "fence-origin", "STEP_PATHS": "/team/", "CUTTER": "x", "MODE": "kill", "TABLE": "", "EPOCH": "\x1b",
		"APPROVERS": "saml,everybody", "SEALED": "proved"} {
		env := all.Environ()
		env[prefix+name] = value
		if got, err := ParseApprover(environ(env)); err == nil || !strings.Contains(err.Error(), prefix+name) || cmp.Diff(got, Approver{}) != "" {
			t.Errorf("%s=%q: got %+v, %v, want nothing but an error that names it", name, value, got, err)
		}
	}
	env := all.Environ()
	delete(env, prefix+"APPROVERS")
	if got, err := ParseApprover(environ(env)); err != nil || strings.Join(got.Trusted, ",") != "identity-center,saml" {
		t.Errorf("without APPROVERS: got %q, %v", got.Trusted, err)
	}
	for _, required := range []string{"TOPIC", "ACCOUNTS", "RESPONDER"} {
		env := all.Environ()
		delete(env, prefix+required)
		if _, err := ParseApprover(environ(env)); err == nil || !strings.Contains(err.Error(), prefix+required+" is missing") {
			t.Errorf("without %s: got %v", required, err)
		}
	}
	env = all.Environ()
	for _, name := range []string{"TABLE", "SCHEDULE_GROUP", "SCHEDULE_ROLE", "DEAD_LETTERS"} {
		delete(env, prefix+name)
	}
	if _, err := ParseApprover(environ(env)); err == nil || !strings.Contains(err.Error(), "NIGHTLATCH_TABLE is missing") {
		t.Errorf("without a table: got %v", err)
	}
}
