package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/containment"
	"nightlatch/internal/policy"
	"nightlatch/internal/settings"
)

const inTheTeam = "arn:aws:iam::111122223333:user/team/break-glass"

// cutting are the settings of a deployment in which all steps are enabled.
var cutting = []string{"mode", "act", "steps", strings.Join(orderable(), ","), "stepPaths", "/team/,/a/b/", "protected", inTheTeam + ",arn:aws:iam::111122223333:role/admin"}

func orderable() (names []string) {
	for _, step := range containment.Orderable() {
		names = append(names, string(step))
	}
	return names
}

// The settings know each step that can be ordered, and no other; and what is read for it, so is granted.
func TestEachStepCanBeEnabled(t *testing.T) {
	for _, step := range policy.Actions() {
		s, err := Read(given("steps", string(step), "stepPaths", "/team/"))
		known := slices.Contains(containment.Orderable(), step)
		if inIAM := slices.Contains(inIAM, step); known != (err == nil || !inIAM && strings.Contains(err.Error(), "no step is enabled that changes users")) {
			t.Errorf("%s: got %v", step, err)
		}
		if known == (len(cutReads[step]) == 0) || known && !strings.Contains(settings.AcceptedSteps, string(step)) || known != (slices.Contains(inIAM, step) != slices.Contains(onBuckets, step)) {
			t.Errorf("%s is not known everywhere: %+v", step, s.Steps)
		}
	}
}

func TestStepsThatCannotBeDoneAreRefused(t *testing.T) {
	gov := strings.NewReplacer("arn:aws:", "arn:aws-us-gov:", "eu-west-1", "us-gov-west-1").Replace(aStore)
	for _, c := range []struct {
		says    string
		changes []string
	}{
		{`steps is "deactivate-key", and should be fence-origin, deny-user-sessions,`, []string{"steps", "deactivate-key"}},
		{`"fence-origin" stands there twice`, []string{"steps", "fence-origin,fence-origin", "stepPaths", "/"}},
		{`steps is "fence-origin,deny-role-session", and stepPaths is missing: give -c stepPaths=…, the IAM paths in which users and roles may be changed, like /team/. The path / is all of them, and makes the cutter an administrator of the account`,
			[]string{"steps", "fence-origin,block-on-bucket,deny-role-session"}},
		{`stepPaths is "/team/", and no step is enabled that changes users or roles`, []string{"steps", "block-on-bucket", "stepPaths", "/team/"}},
		{`stepPaths is "/team/", and no step is enabled`, []string{"stepPaths", "/team/"}},
		{`stepPaths is "/team", and should be IAM paths like /team/, which begin and end with a slash`, []string{"steps", "fence-origin", "stepPaths", "/team"}},
		{`stepPaths is "/te*m/", and should be`, []string{"steps", "fence-origin", "stepPaths", "/te*m/"}},
		{`these are 301 characters`, []string{"steps", "fence-origin", "stepPaths", "/" + strings.Repeat("x", 299) + "/"}},
		{`steps is "block-on-bucket", and buckets names none`, []string{"steps", "block-on-bucket", "buckets", "*"}},
		{`steps is "block-public-access", and the ARNs of the buckets that are named have 7900 characters together, of which the cutter's role holds 3500`,
			[]string{"steps", "block-public-access", "buckets", many(100, "")}},
		{`steps is "block-on-bucket", and protected has "arn:aws:iam::*:user/ops-*": who is shut out of a bucket is known by his id alone`, []string{"steps", "block-on-bucket", "protected", "arn:aws:iam::*:user/ops-*"}},
		{`CloudFormation makes no policy of a function in us-gov-west-1`, []string{"steps", "block-on-bucket", "eventDataStore", gov}},
	} {
		s, err := Read(given(c.changes...))
		if err == nil {
			err = s.deployTo("", "")
		}
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: got %.400v, want %s", c.changes, err, c.says)
		}
	}
	for _, changes := range [][]string{{"steps", "block-on-bucket", "buckets", "*,a-bucket"}, {"steps", "fence-origin", "stepPaths", "/", "buckets", "*"},
		{"steps", "block-on-bucket", "mode", "observe", "eventDataStore", gov}} {
		if s, err := Read(given(changes...)); err != nil || s.deployTo("", "") != nil {
			t.Errorf("%v: got %v", changes, err)
		}
	}
	// A region that is known from the credentials alone.
	s := read(t, "eventDataStore", made, "steps", "block-on-bucket")
	if err := s.deployTo(account, "me-central-1"); err == nil || !strings.Contains(err.Error(), "no policy of a function in me-central-1") {
		t.Errorf("got %v", err)
	}
}

// Whoever enables a step that makes an administrator reads so.
func TestAnAdministratorIsCalledOne(t *testing.T) {
	for says, changes := range map[string][]string{
		"steps fence-origin,deny-role-session make the cutter an administrator: it may put policies on users and roles in /team/ and /a/b/, and whoever": {"steps",
			"fence-origin,quarantine-user,deny-role-session", "stepPaths", "/team/,/a/b/"},
		"it may put policies on every user and role of the account but those that are protected": {"steps", "deny-user-sessions", "stepPaths", "/a/,/"},
		"": {"steps", "quarantine-user,block-on-bucket,block-public-access", "stepPaths", "/"},
	} {
		if got := read(t, changes...).administrates(); !strings.Contains(got, says) || (got == "") != (says == "") {
			t.Errorf("%v: got %q, want %q", changes, got, says)
		}
	}
	if got := read(t, "steps", "fence-origin", "stepPaths", "/", "mode", "observe").administrates(); got != "" {
		t.Errorf("observe: got %q", got)
	}
}

func TestTheCutter(t *testing.T) {
	tpl := synth(t, cutting...)
	f := tpl.named(t, "AWS::Lambda::Function", "Cutter")
	for key, want := range map[string]any{"Timeout": 60.0, "Role": "{CutterRole.Arn}", "LoggingConfig": map[string]any{"LogGroup": "Nightlatch-CutterLog-x1"}, "ReservedConcurrentExecutions": nil} {
		if diff := cmp.Diff(f[key], want); diff != "" {
			t.Errorf("%s: got -, want +:\n%s", key, diff)
		}
	}
	want := settings.Cutter{Accounts: []string{account}, Stack: theStack, Steps: orderable(), Paths: []string{"/team/", "/a/b/"},
		Protected: []string{inTheTeam, "arn:aws:iam::111122223333:role/admin"}, ProtectTag: settings.DefaultProtectTag}
	if got, err := settings.ParseCutter(environOf(t, tpl, "Cutter")); err != nil || cmp.Diff(got, want) != "" {
		t.Errorf("%v: got -, want +:\n%s", err, cmp.Diff(got, want))
	}
	if got, err := settings.Parse(environOf(t, tpl, "Responder")); err != nil || got.Cutter != "Nightlatch-Cutter-x1" || !slices.Equal(got.Steps, orderable()) || !slices.Equal(got.StepPaths, want.Paths) {
		t.Errorf("the responder reads %+v, %v", got, err)
	}
	golden(t, "role-cutter.golden", indented(t, tpl.named(t, "AWS::IAM::Role", "CutterRole")["Policies"]))
	// Nothing beside the responder has a way in: no permission, no URL, no rule, no mapping, and no event that waits.
	for _, kind := range []string{"AWS::Lambda::Permission", "AWS::Lambda::Url", "AWS::Events::Rule", "AWS::Lambda::EventSourceMapping", "AWS::Lambda::EventInvokeConfig", "AWS::SNS::Subscription"} {
		for id, r := range tpl.resources(kind) {
			if text := indented(t, r); strings.Contains(text, "{Cutter.Arn}") || strings.Contains(text, "Nightlatch-Cutter-x1") {
				t.Errorf("%s leads to the cutter: %s", id, text)
			}
		}
	}
	for _, topic := range []string{"TopicPolicy", "WatchPolicy"} {
		if text := indented(t, tpl.named(t, "AWS::SNS::TopicPolicy", topic)); strings.Contains(text, "Cutter") {
			t.Errorf("the cutter may publish: %s", text)
		}
	}
	if alarm := tpl.named(t, "AWS::CloudWatch::Alarm", "Watchcuttererrors"); alarm["MetricName"] != "Errors" || at(t, alarm, "Dimensions", 0, "Value") != "Nightlatch-Cutter-x1" {
		t.Errorf("got %v", alarm)
	}
}

// Nothing of it is there where no step is enabled, and in mode observe nothing that could do one.
func TestWithoutStepsThereIsNoCutter(t *testing.T) {
	for name, changes := range map[string][]string{"no steps": nil, "observe": {"mode", "observe", "steps", "block-on-bucket,quarantine-user", "stepPaths", "/team/"}} {
		tpl := synth(t, changes...)
		if text := indented(t, map[string]any(tpl)); strings.Contains(text, "Cutter") || strings.Contains(text, "CUTTER") || strings.Contains(text, "OrderCuts") {
			t.Errorf("%s: the template names a cutter", name)
		}
		got, err := settings.Parse(environOf(t, tpl, "Responder"))
		reads := strings.Contains(indented(t, statementsOf(t, tpl)), "s3:GetBucketPublicAccessBlock") // which is of no step here
		if err != nil || (len(got.Steps) == 0) != (name == "no steps") || reads {
			t.Errorf("%s: the responder reads %q, %v", name, got.Steps, err)
		}
	}
}

// The fullest roles and environments are within what AWS takes.
func TestTheFullestCutterFits(t *testing.T) {
	full := func(begin string, n int) string { return begin + strings.Repeat("x", n-len(begin)) }
	var names, paths []string
	for n := 0; n+66+len(`"arn:aws:s3:::",`) <= maxStepNames; n += 63 + len(`"arn:aws:s3:::",`) {
		names = append(names, fmt.Sprintf("%02d-%s", len(names), strings.Repeat("x", 60)))
	}
	for i := range 10 {
		paths = append(paths, full(fmt.Sprintf("/%d", i), 28)+"/")
	}
	var users []string
	for i := range 13 {
		users = append(users, full(fmt.Sprintf("arn:aws:iam::111122223333:user%su%d", paths[i%10], i), 122))
	}
	changes := []string{"buckets", strings.Join(names, ","), "mode", "act", "steps", strings.Join(orderable(), ","), "stepPaths", strings.Join(paths, ","), "protected", strings.Join(users, ","),
		"trail", aTrail, "topics", full("arn:aws:sns:us-east-1:444455556666:", 290) + "," + full("arn:aws:sns:us-east-2:444455556666:", 290)}
	tpl := synth(t, changes...)
	policiesFit(t, tpl)
	changes[9] = strings.Join(users[:10], ",")
	policiesFit(t, synth(t, append(changes, "managementTrail", theirTrail)...)) // whose grants come beside
	for _, function := range []string{"Responder", "Cutter"} {
		n := 0
		for _, pair := range environOf(t, tpl, function) {
			n += len(pair) + len(`"":"",`) - 1
		}
		if t.Logf("%s: %d bytes", function, n); n > 4096 {
			t.Errorf("the %s's environment has %d bytes, want at most 4096", function, n)
		}
	}
}
