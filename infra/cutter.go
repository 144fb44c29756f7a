package main

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/containment/awsaccount"
	"nightlatch/internal/containment/cutter"
	"nightlatch/internal/grant"
	"nightlatch/internal/policy"
	"nightlatch/internal/settings"
)

// cuts reports whether there is a cutter: some step is enabled, and the mode has a right to change something.
func (s Settings) cuts() bool { return len(s.Steps) > 0 && s.Mode != "observe" }

// newCutter makes the function that alone holds the rights over policies. It notifies nobody, keeps nothing, and has no URL.
func newCutter(scope constructs.Construct, s Settings, code string, topic team, kept incidents) (*lambda, error) {
	if !s.cuts() {
		return nil, nil
	}
	f, err := newFunction(scope, s, recipe{
		id: "Cutter", about: "Nightlatch: writes the denials that the responder orders, and takes nothing away", code: code, timeout: int(cutter.FunctionTimeout / time.Second), grants: s.cutterGrants(),
		environment: settings.Cutter{Accounts: []string{s.Home.Account}, Stack: *awscdk.Aws_STACK_ID(), Steps: s.stepNames(), Paths: s.StepPaths, Protected: s.Protected, ProtectTag: s.ProtectTag,
			LogLevel: s.LogLevel}.Environ(),
		mute: true,
	}, topic, kept, nil)
	return &f, err
}

// onlyTheResponderInvokes denies everybody else to call the cutter, whoever lets him: its orders have no signature of their own. It is a policy of
// its own kind, beside which there must be no permission on the function:
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-resourcepolicy.html
func onlyTheResponderInvokes(scope constructs.Construct, c *lambda, r responder) {
	if c == nil {
		return
	}
	function := *c.function.AttrArn()
	awslambda.NewCfnResourcePolicy(scope, jsii.String("CutterPolicy"), &awslambda.CfnResourcePolicyProps{ResourceArn: c.function.AttrArn(), PolicyDocument: document(
		statement{"Sid": "NobodyElseInvokes", "Effect": "Deny", "Principal": "*", "Action": "lambda:InvokeFunction", "Resource": []string{function, function + ":*"},
			"Condition": map[string]any{"ArnNotEquals": map[string]any{"aws:PrincipalArn": r.role.AttrArn()}}})})
}

// cutReads are what is read of whoever a step changes, as it stands, before and after.
var cutReads = map[policy.Action][]string{
	policy.DenyUserSessions:  {"iam:GetUser", "iam:GetUserPolicy"},
	policy.DenyRoleSession:   {"iam:GetRole", "iam:GetRolePolicy"},
	policy.DenyRoleSessions:  {"iam:GetRole", "iam:GetRolePolicy"},
	policy.FenceOrigin:       {"iam:GetUser", "iam:GetUserPolicy", "iam:GetRole", "iam:GetRolePolicy"},
	policy.QuarantineUser:    {"iam:GetUser", "iam:ListAttachedUserPolicies"},
	policy.BlockOnBucket:     {"s3:GetBucketPolicy"},
	policy.BlockPublicAccess: {"s3:GetBucketPublicAccessBlock"},
}

// planGrants are for reading what stands where a step would be done, and whether there is a quarantine: of whoever plans steps, or approves them.
func (s Settings) planGrants() []grant.Grant {
	var actions []string
	for _, step := range s.Steps {
		actions = append(actions, cutReads[step]...)
	}
	if slices.Contains(s.Steps, policy.QuarantineUser) {
		actions = append(actions, "iam:GetPolicy")
	}
	return only(awsaccount.CutReadGrants(), actions)
}

// cutterGrants are the permissions that the cutter's code needs for the steps that are enabled, on the paths and buckets that are named, and the
// Denies on who must never be changed. What is the same is one statement: a role has 10,240 characters for all.
func (s Settings) cutterGrants() []grant.Grant {
	actions := []string{"sts:GetCallerIdentity"}
	for _, step := range s.Steps {
		actions = append(actions, cutReads[step]...)
	}
	if slices.Contains(s.Steps, policy.BlockOnBucket) { // whoever is shut out may be one who is protected by name
		for _, arn := range s.Protected {
			actions = append(actions, map[string]string{"user": "iam:GetUser", "role": "iam:GetRole"}[principal.FindStringSubmatch(arn)[2]])
		}
	}
	writes := s.narrowed(awsaccount.CutGrants(s.Steps...))
	var reached []grant.Grant
	for _, kind := range []string{"User", "Role"} {
		all := grant.Grant{Sid: kind + "s"}
		for _, g := range writes {
			if !g.Deny && strings.HasSuffix(g.Actions[0], kind+"Policy") {
				all.Actions, all.On = append(all.Actions, g.Actions...), g.On
			}
		}
		reached = append(reached, all)
	}
	reads := s.narrowed(only(slices.Concat(awsaccount.ReadGrants(), awsaccount.CutReadGrants()), actions))
	return merged(slices.Concat(writes, reads, denyProtected(reached, s.Protected)))
}

// narrowed puts the paths and buckets that the deployment names in the place of the stars of what is written, and of buckets that are read. A Deny
// stays as wide as it is.
func (s Settings) narrowed(all []grant.Grant) []grant.Grant {
	for i, g := range all {
		if g.Deny {
			continue
		}
		var on []string
		for _, arn := range g.On {
			prefix, star := strings.CutSuffix(arn, "/*")
			switch {
			case strings.Contains(arn, ":s3:::"):
				for _, name := range s.named() {
					on = append(on, "arn:${Partition}:s3:::"+name)
				}
			case star && writesPolicies(g):
				for _, path := range s.StepPaths {
					on = append(on, prefix+path+"*")
				}
			default:
				on = append(on, arn)
			}
		}
		all[i].On = on
	}
	return all
}

// writesPolicies reports whether a grant is of a call that changes a user or a role.
func writesPolicies(g grant.Grant) bool {
	return slices.ContainsFunc(g.Actions, func(a string) bool { return strings.HasPrefix(a, "iam:Put") || strings.HasPrefix(a, "iam:Attach") })
}

// only are the grants of some actions, without the others.
func only(all []grant.Grant, actions []string) (some []grant.Grant) {
	for _, g := range all {
		g.Actions = slices.DeleteFunc(slices.Clone(g.Actions), func(a string) bool { return !slices.Contains(actions, a) })
		if len(g.Actions) > 0 {
			some = append(some, g)
		}
	}
	return some
}

// merged makes one of the grants that are on the same, under the same conditions.
func merged(all []grant.Grant) (fewer []grant.Grant) {
	for _, g := range all {
		i := slices.IndexFunc(fewer, func(f grant.Grant) bool {
			return f.Deny == g.Deny && slices.Equal(f.On, g.On) && reflect.DeepEqual(f.When, g.When)
		})
		if i < 0 {
			fewer = append(fewer, g)
			continue
		}
		fewer[i].Actions = append(slices.Clone(fewer[i].Actions), g.Actions...)
		fewer[i].Why = strings.TrimSpace(fewer[i].Why + " " + g.Why)
	}
	return fewer
}

// named are the buckets that are watched by their names.
func (s Settings) named() (names []string) {
	for _, b := range s.Buckets {
		if b.Name != settings.EveryBucket {
			names = append(names, b.Name)
		}
	}
	return names
}

func (s Settings) stepNames() (names []string) {
	for _, step := range s.Steps {
		names = append(names, string(step))
	}
	return names
}

// inIAM and onBuckets are the steps that change users and roles, and those that change buckets.
var (
	inIAM     = []policy.Action{policy.FenceOrigin, policy.DenyUserSessions, policy.QuarantineUser, policy.DenyRoleSession, policy.DenyRoleSessions}
	onBuckets = []policy.Action{policy.BlockOnBucket, policy.BlockPublicAccess}
)

// enabled are those of some steps that are enabled, as they are written.
func (s Settings) enabled(steps ...policy.Action) string {
	var names []string
	for _, step := range s.Steps {
		if slices.Contains(steps, step) {
			names = append(names, string(step))
		}
	}
	return strings.Join(names, ",")
}

// administrates says what the steps make of the cutter; "" where they make nothing of it. An administrator is whoever may put a policy of his own on a
// user or a role.
func (s Settings) administrates() string {
	steps := s.enabled(policy.FenceOrigin, policy.DenyUserSessions, policy.DenyRoleSession, policy.DenyRoleSessions)
	if !s.cuts() || steps == "" {
		return ""
	}
	where := "users and roles in " + strings.Join(s.StepPaths, " and ")
	if slices.Contains(s.StepPaths, "/") {
		where = "every user and role of the account but those that are protected"
	}
	return fmt.Sprintf("Nightlatch: steps %s make the cutter an administrator: it may put policies on %s, and whoever changes its code or takes its role gives himself any right by that", steps, where)
}

// maxStepPaths is how many characters the paths have, and maxStepNames the names of buckets on which steps are done: the cutter's role holds both.
const maxStepPaths, maxStepNames = 300, 3500

// checkSteps finds what is missing for the steps, or is too much.
func (s Settings) checkSteps() (wrong []error) {
	iam, buckets := s.enabled(inIAM...), s.enabled(onBuckets...)
	n := 0
	for _, name := range s.named() {
		n += len(name) + len(`"arn:aws:s3:::",`)
	}
	switch {
	case iam != "" && s.StepPaths == nil:
		wrong = append(wrong, fmt.Errorf("steps is %q, and stepPaths is missing: give -c stepPaths=…, the IAM paths in which users and roles may be changed, like /team/. "+
			"The path / is all of them, and makes the cutter an administrator of the account", iam))
	case iam == "" && s.StepPaths != nil:
		wrong = append(wrong, fmt.Errorf("stepPaths is %q, and no step is enabled that changes users or roles: leave it out, or give -c steps=…", strings.Join(s.StepPaths, ",")))
	}
	if i := slices.IndexFunc(s.Protected, func(arn string) bool { return strings.Contains(resourceOf(arn), "*") }); i >= 0 && slices.Contains(s.Steps, policy.BlockOnBucket) {
		wrong = append(wrong, fmt.Errorf("steps is %q, and protected has %q: who is shut out of a bucket is known by his id alone, which no pattern covers; name them, or leave the step out", policy.BlockOnBucket, s.Protected[i]))
	}
	switch {
	case buckets != "" && n == 0:
		wrong = append(wrong, fmt.Errorf("steps is %q, and buckets names none: such a step is done on buckets that are named, beside * or without it", buckets))
	case buckets != "" && n > maxStepNames:
		wrong = append(wrong, fmt.Errorf("steps is %q, and the ARNs of the buckets that are named have %d characters together, of which the cutter's role holds %d: name fewer, or leave the step out", buckets, n, maxStepNames))
	}
	return wrong
}

// checkRegion finds the region in which no step can be done.
func (s Settings) checkRegion() error {
	if s.cuts() && !settings.HasFunctionPolicies(s.Home.Region) {
		return fmt.Errorf("steps is %q, and CloudFormation makes no policy of a function in %s, which lets nobody but the responder call the cutter: leave it out", strings.Join(s.stepNames(), ","), s.Home.Region)
	}
	return nil
}

// setSteps reads the steps that are enabled.
func (s *Settings) setSteps(v string) error {
	var names []string
	if err := list(v, settings.Step, &names); err != nil {
		return err
	}
	for _, name := range names {
		s.Steps = append(s.Steps, policy.Action(name))
	}
	return nil
}

func (s *Settings) setStepPaths(v string) error {
	if len(v) > maxStepPaths {
		return fmt.Errorf("these are %d characters", len(v))
	}
	return list(v, settings.StepPath, &s.StepPaths)
}

// withCutter adds the cutter to the names that the responder's grants have placeholders for.
func withCutter(names map[string]string, c *lambda) map[string]string {
	if c == nil {
		return names
	}
	names = maps.Clone(names)
	names["Cutter"] = *c.function.AttrArn()
	return names
}
