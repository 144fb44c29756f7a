package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/containment/awsaccount"
	"nightlatch/internal/grant"
)

func statementsOf(t *testing.T, tpl template) []any {
	t.Helper()
	role := tpl.named(t, "AWS::IAM::Role", "ResponderRole")
	if role["ManagedPolicyArns"] != nil {
		t.Errorf("the role has managed policies: %v", role["ManagedPolicyArns"])
	}
	if n := len(role["Policies"].([]any)); n != 1 {
		t.Errorf("the role has %d inline policies, want one", n)
	}
	return at(t, role, "Policies", 0, "PolicyDocument", "Statement").([]any)
}

// Every statement of the role, word by word, in each mode.
func TestTheRole(t *testing.T) {
	const breakGlass = "arn:aws:iam::111122223333:user/ops/break-glass,arn:aws:iam::111122223333:role/admin"
	golden(t, "role-approver.golden", indented(t, at(t, synth(t).named(t, "AWS::IAM::Role", "ApproverRole"), "Policies", 0, "PolicyDocument", "Statement")))
	golden(t, "role-wakes.golden", indented(t, synth(t).named(t, "AWS::IAM::Role", "WakesRole")))
	for name, changes := range map[string][]string{
		"observe": {"mode", "observe"},
		"ask":     {},
		"act":     {"mode", "act", "protected", breakGlass, "protectTag", "team:protect"},
		"athena":  onlyAthena(aTrail),
	} {
		tpl := synth(t, changes...)
		golden(t, "role-"+name+".golden", indented(t, statementsOf(t, tpl)))
		for _, kind := range []string{"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy", "AWS::IAM::User"} {
			if n := len(tpl.resources(kind)); n != 0 {
				t.Errorf("%s: there are %d of %s", name, n, kind)
			}
		}
	}
}

// The responder notifies exactly these topics; the enroller notifies the team only.
func TestTheRoleNotifiesTheTopics(t *testing.T) {
	const soc = "arn:aws:sns:us-east-1:444455556666:soc"
	tpl := synth(t, "topics", soc)
	for _, st := range statementsOf(t, tpl) {
		st := st.(map[string]any)
		if on := indented(t, st["Resource"]); strings.Contains(on, soc) != (st["Sid"] == "TellTheTeam") {
			t.Errorf("%s is on %s", st["Sid"], on)
		}
		if st["Sid"] == "TellTheTeam" && !cmp.Equal(st["Resource"], []any{aTopic, aWatch, soc}) {
			t.Errorf("%s is on %v", st["Sid"], st["Resource"])
		}
	}
	if text := indented(t, tpl.named(t, "AWS::IAM::Role", "EnrollerRole")); strings.Contains(text, soc) {
		t.Errorf("the enroller may notify %s: %s", soc, text)
	}
}

var reading = regexp.MustCompile(`^\w+:(Get|List|Describe|StartQuery|CancelQuery)`)

func TestObserveChangesNothing(t *testing.T) {
	// What it must write to reach the team at all: its log, the topic under its key, the queue of failed events;
	// and the incident, with its follow-ups.
	own := []string{"TellTheTeam", "EncryptForTheTeam", "EncryptForTheWatchers", "WriteItsLog", "KeepFailedEvents", "KeepIncidents", "ListIncidents", "WakeItself", "LetSchedulerWakeIt",
		"AskAthena", "KeepResults", "DecryptTheTrailsFiles"} // and Athena's answers
	for _, st := range statementsOf(t, synth(t, "mode", "observe", "trail", aTrail)) {
		st := st.(map[string]any)
		actions, many := st["Action"].([]any)
		if !many {
			actions = []any{st["Action"]}
		}
		for _, a := range actions {
			if !reading.MatchString(a.(string)) && !slices.Contains(own, st["Sid"].(string)) {
				t.Errorf("%v holds %v", st["Sid"], a)
			}
		}
	}
}

// A star is a surprise wherever AWS knows something narrower.
func TestWildcards(t *testing.T) {
	whole := []string{"ReadMetrics", "KnowItself", "KnowTheAlias"} // a metric of S3's, the caller itself and an account's alias are no resources
	for _, mode := range []string{"observe", "ask", "act"} {
		sids := map[string]bool{}
		for _, st := range statementsOf(t, synth(t, "mode", mode, "trail", aTrail)) {
			st := st.(map[string]any)
			sid := st["Sid"].(string)
			if sids[sid] {
				t.Errorf("%s: two statements are called %s", mode, sid)
			}
			sids[sid] = true
			if text := indented(t, st["Action"]); strings.Contains(text, "*") {
				t.Errorf("%s: %s has a star in its actions: %s", mode, sid, text)
			}
			if text := indented(t, st["Resource"]); strings.Contains(text, `"*"`) && !slices.Contains(whole, sid) {
				t.Errorf("%s: %s is on everything", mode, sid)
			}
			if text := indented(t, st); strings.Contains(text, "${") {
				t.Errorf("%s: %s has a placeholder left: %s", mode, sid, text)
			}
		}
	}
}

func TestAPlaceholderWithoutAValueIsAnError(t *testing.T) {
	_, err := render(grant.Grant{Sid: "X", Actions: []string{"s3:GetObject"}, On: []string{"arn:aws:s3:::${Bucket}"}}, map[string]string{"Account": "1"}, "t")
	if err == nil || !strings.Contains(err.Error(), "Bucket") {
		t.Errorf("got %v", err)
	}
}

// Whatever value the protecting tag has, and whatever its key is called, UpdateAccessKey is denied.
func TestTheProtectingTagDenies(t *testing.T) {
	for tag, changes := range map[string][]string{awsaccount.ProtectTag: {}, "team:protect": {"protectTag", "team:protect"}} {
		found := false
		for _, st := range statementsOf(t, synth(t, changes...)) {
			st := st.(map[string]any)
			when, _ := st["Condition"].(map[string]any)
			null, _ := when["Null"].(map[string]any)
			found = found || st["Effect"] == "Deny" && null["aws:ResourceTag/"+tag] == "false"
		}
		if !found {
			t.Errorf("no statement denies by the tag %s", tag)
		}
	}
}

// Who must never be changed is denied as far as a write reaches: what is granted one day on roles is denied on our own and the CDK's.
func TestDenyProtected(t *testing.T) {
	const user, role = "arn:aws:iam::111122223333:user/ops/break-glass", "arn:aws:iam::111122223333:role/admin"
	writes := []grant.Grant{
		{Sid: "Users", Actions: []string{"iam:UpdateAccessKey"}, On: []string{"arn:${Partition}:iam::${Account}:user/*"}},
		{Sid: "Roles", Actions: []string{"iam:PutRolePolicy"}, On: []string{"arn:${Partition}:iam::${Account}:role/*"}},
		{Sid: "Bob", Actions: []string{"iam:UpdateAccessKey"}, On: []string{"arn:${Partition}:iam::${Account}:user/bob"}},
		{Sid: "Denied", Actions: []string{"iam:UpdateAccessKey"}, On: []string{"arn:${Partition}:iam::${Account}:user/*"}, Deny: true},
	}
	want := []grant.Grant{
		{Sid: "UsersNotOfNamed", Actions: []string{"iam:UpdateAccessKey"}, On: []string{user}, Deny: true},
		{Sid: "RolesNotOfNamed", Actions: []string{"iam:PutRolePolicy"}, Deny: true,
			On: []string{role, "arn:${Partition}:iam::${Account}:role/Nightlatch-*", "arn:${Partition}:iam::${Account}:role/cdk-*"}},
	}
	if diff := cmp.Diff(denyProtected(writes, []string{user, role}), want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	// A pattern is denied where any that it stands for is reached.
	for pattern, want := range map[string]string{"user/*-ci": "Users Bob Team", "user/team/*": "Users Team", "user/te*/x": "Users Team", "user/ops/*": "Users", "role/*": "Roles", "user/b*": "Users Bob", "user/c*": "Users"} {
		var got []string
		for _, g := range denyProtected(append(writes, grant.Grant{Sid: "Team", On: []string{"arn:${Partition}:iam::${Account}:user/team/*"}}), []string{"arn:aws:iam::*:" + pattern}) {
			if slices.Contains(g.On, "arn:aws:iam::*:"+pattern) {
				got = append(got, strings.TrimSuffix(g.Sid, "NotOfNamed"))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s is denied to %q, want %s", pattern, got, want)
		}
	}
}
