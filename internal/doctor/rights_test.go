package doctor

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a role must be let to do is what its policies let it, each on something that its pattern holds, where its conditions are met.
func TestWhatARoleMustBeLetToDo(t *testing.T) {
	role := Role{Name: "r", Policies: map[string]string{
		"a": `{"Statement":[{"Effect":"Allow","Action":["iam:GetUser","iam:UpdateAccessKey"],"Resource":"arn:aws:iam::1:user/*"},
			{"Effect":"Deny","Action":"iam:UpdateAccessKey","Resource":"*","Condition":{"Null":{"aws:ResourceTag/p":"false"}}},
			{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"arn:aws:secretsmanager:::secret:x-??"},
			{"Effect":"Allow","Action":"kms:Decrypt","Resource":["*","x"],"Condition":{"StringLike":{"kms:ViaService":"sns.eu-west-1.*"},"StringNotEquals":{"aws:SourceVpc":"v"},"Null":{"k":"false"}}}]}`,
		"b": `{"Statement":{"Effect":"Allow","Action":"sns:Publish","Resource":"t"}}`,
	}}
	got, err := role.must()
	want := []Right{{[]string{"iam:GetUser", "iam:UpdateAccessKey"}, "arn:aws:iam::1:user/nightlatch-doctor", map[string]string{}},
		{[]string{"secretsmanager:GetSecretValue"}, "arn:aws:secretsmanager:::secret:x-xx", map[string]string{}},
		{[]string{"kms:Decrypt"}, "*", map[string]string{"kms:ViaService": "sns.eu-west-1.nightlatch-doctor", "k": "nightlatch-doctor"}},
		{[]string{"sns:Publish"}, "t", map[string]string{}}}
	if diff := cmp.Diff(got, want); err != nil || diff != "" {
		t.Errorf("%v, got -, want +:\n%s", err, diff)
	}
	role.Policies["c"] = "no"
	if _, err := role.must(); err == nil || !strings.Contains(err.Error(), `the policy "c" of role "r" is no JSON`) {
		t.Errorf("got %v", err)
	}
}

// The simulator's answer decides, and what it does not know is said.
func TestWhatMayBeDone(t *testing.T) {
	stack := fixed{Buckets: []string{"*", "exports"}, Trail: "arn:aws:cloudtrail:eu-west-1:1:trail/main",
		Resources: []Resource{{Kind: Function, Settings: map[string]string{"variable NIGHTLATCH_PROTECT_TAG": "team:protect"}}},
		Roles: []Role{{ID: "ResponderRole", Name: "Nightlatch-ResponderRole-x1", ARN: "arn:aws:iam::1:role/Nightlatch-ResponderRole-x1", Policies: map[string]string{"r": `{"Statement":{"Effect":"Allow","Action":["sns:Publish","new:Thing"],"Resource":"t"}}`}},
			{ID: "DoctorRole", Name: "not asked about"}}}
	var asked []Right
	says := func(of func(action string) Verdict) RightsRead {
		return func(_ context.Context, arn string, r Right) (all []Verdict, err error) {
			if arn != stack.Roles[0].ARN || r.Context["aws:RequestedRegion"] != "eu-west-1" || r.Context["aws:PrincipalArn"] != arn {
				t.Errorf("%s is asked about %+v", arn, r)
			}
			asked = append(asked, r)
			for _, action := range r.Actions {
				v := of(action)
				v.Action = action
				all = append(all, v)
			}
			return all, nil
		}
	}
	own := func(action string) Verdict {
		return Verdict{Allowed: action == "sns:Publish", Unknown: action == "new:Thing"}
	}
	for name, c := range map[string]struct {
		read  RightsRead
		state State
		says  string
	}{
		"as it should be":     {says(own), Holds, "stands in the way of 1 right of 1 role, and none of 21 rights is allowed that must never be, as IAM's simulator has it; it takes no resource control policies, nor what stands on a resource; 1 action it does not know"},
		"by the organization": {says(func(action string) Verdict { return Verdict{Organization: true} }), Broken, "do not allow new:Thing and sns:Publish"},
		"too much": {says(func(action string) Verdict {
			return Verdict{Allowed: action == "sns:Publish" || action == "iam:UpdateAccessKey"}
		}), Broken, "may do what it must never: iam:UpdateAccessKey on arn:aws:iam::1:user/nightlatch-doctor"},
		// Its own policy lacks it: the check of the roles says so.
		"not by its own policy": {says(func(string) Verdict { return Verdict{} }), Holds, "stands in the way"},
		"the role is gone":      {func(context.Context, string, Right) ([]Verdict, error) { return nil, ErrGone }, Holds, "of 0 rights of 1 role"},
		"it may not be asked":   {func(context.Context, string, Right) ([]Verdict, error) { return nil, errors.New("may not ask") }, Unread, "may not ask"},
	} {
		got := Rights(stack, c.read, "1", "eu-west-1").Run(t.Context())
		text := got.Says
		for _, f := range got.Found {
			text += f.Says
		}
		if got.State != c.state && !(c.state == Broken && len(got.Found) == 1) || !strings.Contains(text, c.says) {
			t.Errorf("%s: %v: %s", name, got.State, text)
		}
	}
	if !slices.ContainsFunc(asked, func(r Right) bool {
		return r.Context["aws:ResourceTag/team:protect"] == "true" && r.Actions[0] == "iam:UpdateAccessKey"
	}) ||
		!slices.ContainsFunc(asked, func(r Right) bool { return r.Resource == "arn:aws:s3:::exports/nightlatch-doctor" }) || !slices.ContainsFunc(asked, func(r Right) bool { return r.Resource == stack.Trail }) {
		t.Errorf("asked was %+v", asked)
	}
	if got := Rights(fixed{}, says(own), "1", "eu-west-1").Run(t.Context()); got.State != Unread {
		t.Errorf("no role, and it %v", got.State)
	}
}
