package posture

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEachSuspectOfARole(t *testing.T) {
	now := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	calm := Role{Name: "etl", Account: us, ARN: "arn:aws:iam::111122223333:role/jobs/etl", Trust: Read[string]{Is: `{"Statement":{"Effect":"Allow","Principal":{"Service":"glue.amazonaws.com"},"Action":"sts:AssumeRole"}}`},
		LastUsed: Read[Use]{Is: Use{now.AddDate(0, 0, -2), "eu-west-1"}}, Boundary: Read[string]{Is: "arn:aws:iam::111122223333:policy/b"}, Services: Read[[]Service]{Is: []Service{{"s3", now}}}}
	for _, s := range calm.Suspects(now) {
		if s.Answer != RuledOut || s.Of != "role etl" {
			t.Errorf("of a calm role: %+v", s)
		}
	}
	bad := Role{Name: "etl", Account: us, Trust: Read[string]{Is: `{"Statement":{"Effect":"Allow","Principal":{"AWS":"*","Federated":"accounts.google.com"},"Action":"sts:*"}}`},
		Policies: Read[[]Policy]{Is: []Policy{{"admin", "attached", `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`}}}, Services: Read[[]Service]{Is: []Service{{Name: "ec2"}}}}
	for _, s := range bad.Suspects(now) {
		if s.Answer != Stands || s.Next == "" || len(s.Commands) == 0 || strings.Contains(strings.Join(s.Commands, " "), "user") {
			t.Errorf("of a bad role: %+v", s)
		}
	}
	none := Role{Trust: Read[string]{Err: "x"}, LastUsed: Read[Use]{Err: "x"}, Policies: Read[[]Policy]{Err: "x"}, Boundary: Read[string]{Err: "x"}, Services: Read[[]Service]{Err: "x"}}
	for name, answer := range answers(none.Suspects(now)) {
		if answer != Unread {
			t.Errorf("of an unreadable role, %q %s", name, answer)
		}
	}
	if n := len(answers(none.Suspects(now))); n != 7 {
		t.Errorf("there are %d suspects", n)
	}
	idle := calm
	idle.LastUsed.Is.At = now.AddDate(0, 0, -91)
	if got := answers(idle.Suspects(now))["nobody works with it any more"]; got != Stands {
		t.Errorf("a role that nobody used for 91 days %s", got)
	}
}

// Who may assume a role: of the account and the services are as they should be, others are not, and of a provider it matters whether it says who.
func TestWhoMayAssumeARole(t *testing.T) {
	const gitHub, saml = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com", "arn:aws:iam::111122223333:saml-provider/idp"
	allow := func(rest string) string { return `{"Effect":"Allow",` + rest + `}` }
	for statement, want := range map[string]trust{
		allow(`"Principal":{"Service":"ec2.amazonaws.com","AWS":["111122223333","arn:aws:iam::111122223333:root"]}`): {ours: []string{"111122223333", "arn:aws:iam::111122223333:root", "Service ec2.amazonaws.com"}},
		allow(`"Principal":"*"`): {others: []string{"everybody"}},
		allow(`"Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Condition":{"StringEquals":{"sts:ExternalId":"x"}}`):                                                           {others: []string{"arn:aws:iam::444455556666:root under a condition"}},
		allow(`"Principal":{"AWS":"AROAEXAMPLEGONE"}`):                                                                                                                              {others: []string{"AROAEXAMPLEGONE"}},
		allow(`"Principal":{"Federated":"` + gitHub + `"}`):                                                                                                                         {open: []string{"Federated " + gitHub}},
		allow(`"Principal":{"Federated":"` + gitHub + `"},"Condition":{"StringEquals":{"token.actions.githubusercontent.com:aud":"sts.amazonaws.com"}}`):                            {open: []string{"Federated " + gitHub + " under a condition"}},
		allow(`"Principal":{"Federated":"` + gitHub + `"},"Condition":{"StringLike":{"token.actions.githubusercontent.com:sub":"repo:us/it:*"}}`):                                   {ours: []string{"Federated " + gitHub + " under a condition"}},
		allow(`"Principal":{"Federated":"` + gitHub + `"},"Condition":{"StringLike":{"token.actions.githubusercontent.com:sub":"repo:*"}}`):                                         {open: []string{"Federated " + gitHub + " under a condition"}},
		allow(`"Principal":{"Federated":"` + gitHub + `"},"Condition":{"StringLike":{"token.actions.githubusercontent.com:sub":["repo:us/it:*","*"]}}`):                             {open: []string{"Federated " + gitHub + " under a condition"}},
		allow(`"Principal":{"Federated":"` + gitHub + `"},"Condition":{"StringNotEquals":{"token.actions.githubusercontent.com:sub":"repo:us/it:ref"}}`):                            {open: []string{"Federated " + gitHub + " under a condition"}},
		allow(`"Principal":{"Federated":"` + gitHub + `"},"Condition":{"StringLikeIfExists":{"token.actions.githubusercontent.com:sub":"repo:us/it:*"}}`):                           {open: []string{"Federated " + gitHub + " under a condition"}},
		allow(`"Principal":{"Federated":"` + gitHub + `"},"Condition":{"ForAllValues:StringLike":{"token.actions.githubusercontent.com:sub":"repo:us/it:*"}}`):                      {open: []string{"Federated " + gitHub + " under a condition"}},
		allow(`"Principal":{"Federated":"` + gitHub + `"},"Condition":{"Bool":{"aws:SecureTransport":"true"}}`):                                                                     {open: []string{"Federated " + gitHub + " under a condition"}},
		allow(`"Principal":{"Federated":"` + gitHub + `"},"Condition":{"ForAnyValue:StringEquals":{"token.actions.githubusercontent.com:sub":["repo:us/it:ref:refs/heads/main"]}}`): {ours: []string{"Federated " + gitHub + " under a condition"}},
		allow(`"Principal":{"Federated":"` + saml + `"},"Condition":{"StringEquals":{"SAML:aud":"https://signin.aws.amazon.com/saml"}}`):                                            {ours: []string{"Federated " + saml + " under a condition"}},
		allow(`"Principal":{"Federated":"` + saml + `"}`):                                                                                                                           {open: []string{"Federated " + saml}},
		allow(`"Principal":{"Federated":"cognito-identity.amazonaws.com"}`):                                                                                                         {open: []string{"Federated cognito-identity.amazonaws.com"}},
		`{"Effect":"Deny","Principal":"*"}`: {},
	} {
		got, err := trusts(`{"Statement":`+statement+`}`, us)
		if err != nil || !slices.Equal(got.ours, want.ours) || !slices.Equal(got.open, want.open) || !slices.Equal(got.others, want.others) {
			t.Errorf("%s: %+v, %v", statement, got, err)
		}
	}
	for _, text := range []string{"", "{", `{"Statement":{"Effect":"Allow"}}`, `{"Statement":{"Effect":"Allow","Principal":"*","Condition":7}}`} {
		all := answers(Role{Trust: Read[string]{Is: text}}.Suspects(time.Now()))
		if all["others than this account may assume it"] != Unread || all["a federated provider lets everybody assume it"] != Unread {
			t.Errorf("%q, which nobody understands, is not unread", text)
		}
	}
}
