package containment

import (
	"strings"
	"testing"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
)

func TestASignInIsRevokedAndDeniedByItsOwnName(t *testing.T) {
	const arn = "arn:aws:signin:us-east-1:111122223333:session/5b8c"
	a := who(actor.IAMUserSession)
	tree := func(signIn string) *evidence.Tree {
		return &evidence.Tree{Nodes: []evidence.Node{{Kind: evidence.SignInNode, Parent: -1, SignIn: signIn}, {Kind: evidence.SessionNode, Parent: 0, Keys: []string{a.AccessKeyID}},
			{Kind: evidence.SignInNode, Parent: -1, SignIn: arn + "other"}}}
	}
	got := strings.Join(SignIns(tree(arn), a), "\n")
	for _, want := range []string{
		"aws signin batch-revoke-sessions --session-arns " + arn + " --principal-arn arn:aws:iam::111122223333:user/alice\n",
		`put-user-policy --user-name alice --policy-name nightlatch-deny-sign-in`, `{"StringEquals":{"aws:SignInSessionArn":"` + arn + `"}}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwithout %s", got, want)
		}
	}
	if strings.Contains(got, arn+"other") {
		t.Error("another sign-in is revoked")
	}
	for what, of := range map[string]*evidence.Tree{"no lineage": nil, "no name": tree(""), "of another": {Nodes: tree(arn).Nodes[:1]},
		"a parent that is not there": {Nodes: []evidence.Node{{Kind: evidence.SignInNode, Parent: 7, SignIn: arn, Keys: []string{a.AccessKeyID}}}},
		"a circle":                   {Nodes: []evidence.Node{{Kind: evidence.SessionNode, Parent: 0, Keys: []string{a.AccessKeyID}}}}} {
		if got := SignIns(of, a); len(got) > 0 {
			t.Errorf("%s: %q", what, got)
		}
	}
	if got := strings.Join(SignIns(tree("x\n; rm -rf /"), a), "\n"); strings.Contains(got, "rm -rf") {
		t.Errorf("a hostile name is printed: %s", got)
	}
}
