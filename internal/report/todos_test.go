package report_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/report"
)

// todo is the one of a list that begins with a text; zero where there is none.
func todo(all []report.Todo, begins string) report.Todo {
	if i := slices.IndexFunc(all, func(t report.Todo) bool { return strings.HasPrefix(t.Says, begins) }); i >= 0 {
		return all[i]
	}
	return report.Todo{}
}

// A key that is off is replaced; one whose owner was not known, that was turned on again, or that was turned off in error is not.
func TestAKeyThatIsOffIsReplaced(t *testing.T) {
	r := theft()
	if got := todo(report.Todos(r), "Replace"); got.Says != "" {
		t.Errorf("of nobody's key: %+v", got)
	}
	r.Outcomes[0].Step.Target.Owner = "mara"
	got := todo(report.Todos(r), "Replace AKIAEXAMPLESTOLEN001 of mara: ")
	if want := []string{"aws iam create-access-key --user-name mara", "aws iam delete-access-key --user-name mara --access-key-id AKIAEXAMPLESTOLEN001"}; !slices.Equal(got.Commands, want) {
		t.Errorf("got %+v", got)
	}
	for name, change := range map[string]func(*containment.Outcome){
		"undone":    func(o *containment.Outcome) { o.State = containment.Undone },
		"asked":     func(o *containment.Outcome) { o.State = containment.Asked },
		"regretted": func(o *containment.Outcome) { o.Regretted = true },
		"a session": func(o *containment.Outcome) { o.Action = policy.DenyRoleSession },
	} {
		r := theft()
		r.Outcomes[0].Step.Target.Owner = "mara"
		if change(&r.Outcomes[0]); todo(report.Todos(r), "Replace").Says != "" {
			t.Errorf("%s: it is to be replaced", name)
		}
	}
}

// Whom to talk to is what was read of the principal, each with where it stands, and nothing else.
func TestWhomToTalkTo(t *testing.T) {
	const begins = "Talk to whoever owns IAM user mara, "
	r := theft()
	if got := todo(report.Todos(r), begins); !strings.HasSuffix(got.Says, "Nothing that was read says who that is.") || !slices.Equal(got.Commands, []string{"aws iam list-user-tags --user-name mara"}) {
		t.Errorf("of nothing: %+v", got)
	}
	if got := todo(report.Todos(r), "Talk to whoever owns role"); got.Says != "" {
		t.Errorf("of a job that no step is about: %+v", got)
	}
	r.Outcomes[0].Step.Target.Tags = map[string]string{"Owner": "exports@example.com", "cost-center": "7", "Team": "data"}
	r.Lineage = &evidence.Tree{Nodes: []evidence.Node{
		{Kind: evidence.PersonNode, Parent: -1, UserName: "kim@example.com"},
		{Kind: evidence.UserNode, Parent: 0, UserName: "mara", Made: []evidence.Made{{Call: "CreateUser", Caller: "arn:aws:iam::111122223333:user/admin", EventID: "e-1", At: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}}},
		{Kind: evidence.KeyNode, Parent: 1, Took: true, Keys: []string{"AKIAEXAMPLESTOLEN001"}, UserName: "mara"},
		{Kind: evidence.PersonNode, Parent: -1, UserName: "a-stranger"},
	}}
	got := todo(report.Todos(r), begins).Says
	for _, wanted := range []string{"its tag Owner says exports@example.com; its tag Team says data; ", "IAM user mara was made by CreateUser at 2026-03-01 00:00:00 by arn:aws:iam::111122223333:user/admin, event e-1; ", "it begins with kim@example.com, signed in by IAM Identity Center. ",
		"Tags and names are the words of whoever may write them, a thief among them: look the person up first."} {
		_, after, found := strings.Cut(got, wanted)
		if got = after; !found {
			t.Errorf("it lacks %q: %s", wanted, todo(report.Todos(r), begins).Says)
		}
	}
	if text := todo(report.Todos(r), begins).Says; strings.Contains(text, "cost-center") || strings.Contains(text, "stranger") {
		t.Errorf("it names what says nothing of an owner: %s", text)
	}
	// The tags of a bucket, or of who minted the session, are not the principal's own.
	for name, change := range map[string]func(*containment.Outcome){
		"a bucket": func(o *containment.Outcome) { o.Step.Target.Type = policy.Bucket },
		"another":  func(o *containment.Outcome) { o.Target = "AKIAEXAMPLEMINTER001" },
	} {
		other := r
		other.Outcomes = slices.Clone(r.Outcomes)
		if change(&other.Outcomes[0]); strings.Contains(todo(report.Todos(other), begins).Says, "exports@example.com") {
			t.Errorf("the tags of %s are taken for the user's", name)
		}
	}
}

// Each session of a role may be another person's.
func TestWhomToTalkToOfARole(t *testing.T) {
	session := func(key, name, source string) evidence.Actor {
		return evidence.Actor{Kind: actor.RoleSession, AccessKeyID: key, RoleName: "web", Session: name, SourceIdentity: source, Bytes: 9}
	}
	r := incident.Record{Evidence: evidence.Evidence{Actors: []evidence.Actor{session("ASIA1", "x\u202e;$(id)", ""), session("ASIA2", "kim", "kim@example.com"), session("ASIA3", "kim", "kim@example.com"),
		{Kind: actor.OtherAccount, AccessKeyID: "ASIA4", PrincipalID: "AIDAEXAMPLE", AccountID: "444455556666", RoleName: "theirs", Bytes: 1}}}}
	for _, a := range r.Evidence.Actors {
		r.Outcomes = append(r.Outcomes, containment.Outcome{Action: policy.DenyRoleSession, Target: "arn:aws:iam::111122223333:role/web", AccessKeyID: a.AccessKeyID, State: containment.Done})
	}
	all := report.Todos(r)
	if len(all) != 3 {
		t.Fatalf("there are %d: %+v", len(all), all)
	}
	for i, wanted := range []string{`role web, by a way that the thief does not read. What was read of that: its session is called x\u202e;$(id).`,
		"its source identity, which was set when it was given out, is kim@example.com; its session is called kim.", "another account's principal"} {
		if !strings.Contains(all[i].Says, wanted) {
			t.Errorf("%d lacks %q: %s", i, wanted, all[i].Says)
		}
	}
	if !slices.Equal(all[0].Commands, []string{"aws iam list-role-tags --role-name web"}) || all[2].Commands != nil {
		t.Errorf("the commands are %q and %q", all[0].Commands, all[2].Commands)
	}
}

// A network that is not the principal's own is reported to its holder, whom the registry knows; what has no holder there is not.
func TestWhereAbuseIsReported(t *testing.T) {
	at := func(origins ...evidence.Origin) incident.Record {
		r := theft()
		r.Evidence.Actors[0].Origins = origins
		r.Evidence.Actors[1].Origins = []evidence.Origin{{Network: "192.0.2.0/24"}} // of whom no step is about
		return r
	}
	for name, c := range map[string]struct {
		r    incident.Record
		want []string
	}{
		"a network":          {at(evidence.Origin{Network: "198.51.100.0/24", Familiar: new(false)}), []string{"curl -sSL https://rdap.org/ip/198.51.100.0/24"}},
		"twice, one unknown": {at(evidence.Origin{Network: "198.51.100.0/24"}, evidence.Origin{Network: "198.51.100.0/24", Presigned: true}), []string{"curl -sSL https://rdap.org/ip/198.51.100.0/24"}},
		"of IPv6":            {at(evidence.Origin{Network: "2001:db8:7::/48"}), []string{"curl -sSL https://rdap.org/ip/2001:db8:7::/48"}},
		"its own":            {at(evidence.Origin{Network: "198.51.100.0/24", Familiar: new(true)}), nil},
		"a private one":      {at(evidence.Origin{Network: "10.1.2.0/24"}), nil},
		"a service":          {at(evidence.Origin{Network: "cloudfront.amazonaws.com"}), nil},
		"what is no network": {at(evidence.Origin{Network: "198.51.100.0/24;id"}), nil},
		"its own machine":    {at(evidence.Origin{Network: "127.0.0.0/24"}), nil},
		"no origin":          {at(), nil},
		"more than anybody reads": {at(func() (many []evidence.Origin) {
			for _, n := range []string{"1", "2", "3", "4", "5", "6", "7"} {
				many = append(many, evidence.Origin{Network: "198.51." + n + ".0/24"})
			}
			return many
		}()...), []string{"curl -sSL https://rdap.org/ip/198.51.1.0/24", "curl -sSL https://rdap.org/ip/198.51.2.0/24", "curl -sSL https://rdap.org/ip/198.51.3.0/24", "curl -sSL https://rdap.org/ip/198.51.4.0/24", "curl -sSL https://rdap.org/ip/198.51.5.0/24"}},
	} {
		got, any := report.Abuse(c.r)
		if !slices.Equal(got.Commands, c.want) || any != (c.want != nil) || any && !strings.Contains(got.Says, "https://support.aws.amazon.com/#/contacts/report-abuse") {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	got, any := report.Abuse(at(evidence.Origin{VPCEndpoint: "vpce-1\n", VPCEndpointAccount: "444455556666"}))
	if !any || got.Commands != nil || !strings.HasPrefix(got.Says, `VPC endpoint vpce-1\n of account 444455556666 is inside AWS: see whether the account is one of yours. If not, AWS takes reports at https://`) {
		t.Errorf("of an endpoint: %+v", got)
	}
}
