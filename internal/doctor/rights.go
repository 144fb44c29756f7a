package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/grant"
	"nightlatch/internal/prose"
	"nightlatch/internal/settings"
)

const (
	// RightsName is what the check of what the functions may do is called.
	RightsName = "rights"
	// rightsLimit bounds it: IAM is asked some forty times, one after the other.
	rightsLimit = 5 * time.Minute
	// nobody is the name of what the functions are asked about: it need not exist.
	nobody = "nightlatch-doctor"
	// The logical ids of the roles that act at night.
	responderRole, keeperRole, cutterRole = "ResponderRole", "KeeperRole", "CutterRole"
)

// Right is what a role is asked about: these actions on this resource, an ARN or "*", with these values of the request's context.
type Right struct {
	Actions  []string
	Resource string
	Context  map[string]string
}

// Verdict is what IAM says of one action.
type Verdict struct {
	Action string
	// Allowed says that it may be done, and Unknown that IAM does not know the action.
	Allowed, Unknown bool
	// Organization says that the organization's service control policies do not allow it.
	Organization bool
}

// RightsRead asks IAM whether a role, by its ARN, may do something. It changes nothing. Errors are one sentence; errors.Is finds ErrGone in it.
type RightsRead func(ctx context.Context, arn string, r Right) ([]Verdict, error)

// Rights checks that the organization lets the functions do what their own policies let them, and that the responder and the keeper may do nothing
// of what they must never. Whether their policies are as deployed is the check of the roles'.
//
// IAM's simulator takes service control policies with their conditions, and no resource control policies:
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
func Rights(stack Stack, read RightsRead, account, region string, grants ...grant.Grant) Check {
	c := onStack(RightsName, stack, grants, func(ctx context.Context, d Deployed) Answer {
		var all []Finding
		var sum tally
		for _, role := range d.Roles {
			if !slices.Contains([]string{responderRole, keeperRole, cutterRole}, role.ID) {
				continue
			}
			sum.roles++
			must, err := role.must()
			if err != nil {
				return unread(err)
			}
			findings, err := sum.ask(ctx, read, role, must, d.never(role, account), common(role, account, region))
			if err != nil && !errors.Is(err, ErrGone) { // which is the check of the roles' to say
				return unread(err)
			}
			all = append(all, findings...)
		}
		if sum.roles == 0 {
			return unread(errors.New("the stack has no role of the responder's; see whether it is Nightlatch's"))
		}
		return found(all, "%s", sum.says())
	})
	c.Limit = rightsLimit
	return c
}

// tally counts what was asked.
type tally struct{ roles, may, never, unknown int }

func (t tally) says() string {
	says := fmt.Sprintf("no service control policy stands in the way of %s of %s, and none of %s is allowed that must never be, as IAM's simulator has it; it takes no resource control policies, nor what stands on a resource",
		prose.Plural(int64(t.may), "right"), prose.Plural(int64(t.roles), "role"), prose.Plural(int64(t.never), "right"))
	if t.unknown > 0 {
		says += fmt.Sprintf("; %s it does not know", prose.Plural(int64(t.unknown), "action"))
	}
	return says
}

// ask asks about one role what it must be let to do and what never.
func (t *tally) ask(ctx context.Context, read RightsRead, role Role, must, never []Right, always map[string]string) ([]Finding, error) {
	var stopped, let []string
	for i, r := range slices.Concat(must, never) {
		with := maps.Clone(always)
		maps.Copy(with, r.Context)
		r.Context = with
		verdicts, err := read(ctx, role.ARN, r)
		if err != nil {
			return nil, err
		}
		for _, v := range verdicts {
			switch {
			case v.Unknown:
				t.unknown++
			case i < len(must):
				if t.may++; v.Organization && !v.Allowed {
					stopped = append(stopped, v.Action)
				}
			default:
				if t.never++; v.Allowed {
					let = append(let, v.Action+" on "+r.Resource)
				}
			}
		}
	}
	var all []Finding
	if len(stopped) > 0 {
		all = append(all, Finding{Says: fmt.Sprintf("role %s may not do what it must: the organization's service control policies do not allow %s, by what IAM's simulator knows of the call", prose.Safe(role.Name), named(stopped)),
			Mend: "ask whoever looks after the organization to except this role from the policy that denies it, or to say by which condition it does not apply"})
	}
	if len(let) > 0 {
		all = append(all, Finding{Says: fmt.Sprintf("role %s may do what it must never: %s", prose.Safe(role.Name), named(let)), Mend: asItWas + "; see in CloudTrail, in us-east-1, who let it"})
	}
	return all, nil
}

// named are actions, each once and in order.
func named(actions []string) string {
	slices.Sort(actions)
	return prose.List(slices.Compact(actions))
}

// common is the context of every call of a role's. What it leaves out may decide in an organization's policy; what it has, such as the region, often
// does. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
func common(role Role, account, region string) map[string]string {
	return map[string]string{"aws:RequestedRegion": region, "aws:SecureTransport": "true", "aws:PrincipalAccount": account, "aws:ResourceAccount": account, "aws:PrincipalArn": role.ARN}
}

// must is what a role's policies, as deployed, let it do: a right for each statement, on its first resource and in its own context.
func (r Role) must() (all []Right, err error) {
	for _, name := range slices.Sorted(maps.Keys(r.Policies)) {
		var policy struct{ Statement json.RawMessage }
		if err := json.Unmarshal([]byte(r.Policies[name]), &policy); err != nil {
			return nil, fmt.Errorf("the policy %q of role %q is no JSON: %v", name, r.Name, err)
		}
		var statements []struct {
			Effect           string
			Action, Resource any
			Condition        map[string]map[string]any
		}
		text := policy.Statement
		if !strings.HasPrefix(string(text), "[") {
			text = json.RawMessage("[" + string(text) + "]")
		}
		if err := json.Unmarshal(text, &statements); err != nil {
			return nil, fmt.Errorf("the policy %q of role %q has no statements: %v", name, r.Name, err)
		}
		for _, st := range statements {
			actions, on := listed(st.Action), listed(st.Resource)
			if st.Effect != "Allow" || len(actions) == 0 || len(on) == 0 {
				continue
			}
			right := Right{Actions: actions, Resource: concrete(on[0]), Context: map[string]string{}}
			for operator, keys := range st.Condition {
				for key, values := range keys {
					if value, is := met(operator, listed(values)); is {
						right.Context[key] = value
					}
				}
			}
			all = append(all, right)
		}
	}
	return all, nil
}

// listed is a list of texts, or the one.
func listed(v any) (all []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, e := range v {
			all = append(all, fmt.Sprint(e))
		}
	}
	return all
}

// concrete is a resource that a pattern holds.
func concrete(pattern string) string {
	if pattern == "*" {
		return pattern
	}
	return strings.NewReplacer("*", nobody, "?", "x", Unknown, nobody).Replace(pattern)
}

// met is a value that meets a condition. One that asks for something else, or for nothing, is met without.
func met(operator string, values []string) (string, bool) {
	if strings.Contains(operator, "Not") || len(values) == 0 {
		return "", false
	}
	if operator == "Null" {
		return nobody, values[0] == "false"
	}
	return concrete(values[0]), true
}

// never is what the roles that act at night may not do, whoever lets them.
func (d Deployed) never(role Role, account string) []Right {
	if role.ID == cutterRole { // it writes denials, and what it may write its own tests say
		return nil
	}
	partition := strings.Split(role.ARN+":", ":")[1]
	iam := "arn:" + partition + ":iam::" + account + ":"
	bucket := "arn:" + partition + ":s3:::" + nobody
	if i := slices.IndexFunc(d.Buckets, func(b string) bool { return b != settings.EveryBucket }); i >= 0 {
		bucket = "arn:" + partition + ":s3:::" + d.Buckets[i]
	}
	all := []Right{
		{Actions: []string{"iam:CreateAccessKey", "iam:DeleteAccessKey", "iam:DeleteUser", "iam:AttachUserPolicy", "iam:PutUserPolicy", "iam:CreateLoginProfile"}, Resource: iam + "user/" + nobody},
		{Actions: []string{"iam:UpdateAccessKey"}, Resource: iam + "user/" + nobody, Context: map[string]string{"aws:ResourceTag/" + d.protectTag(): "true"}},
		{Actions: []string{"iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:PassRole", "sts:AssumeRole"}, Resource: iam + "role/" + nobody},
		{Actions: []string{"iam:PutRolePolicy", "iam:AttachRolePolicy"}, Resource: role.ARN},
		{Actions: []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject"}, Resource: bucket + "/" + nobody},
		{Actions: []string{"s3:PutBucketPolicy", "s3:PutMetricsConfiguration"}, Resource: bucket},
	}
	if d.Trail != "" {
		all = append(all, Right{Actions: []string{"cloudtrail:StopLogging", "cloudtrail:DeleteTrail", "cloudtrail:PutEventSelectors"}, Resource: d.Trail})
	}
	if d.Store != "" {
		all = append(all, Right{Actions: []string{"cloudtrail:DeleteEventDataStore", "cloudtrail:StopEventDataStoreIngestion"}, Resource: d.Store})
	}
	return all
}

// protectTag is the tag that keeps a principal from being changed, as the responder has it.
func (d Deployed) protectTag() string {
	return cmp.Or(d.variable("NIGHTLATCH_PROTECT_TAG"), settings.DefaultProtectTag)
}

// variable is a variable of the functions' environments; "" where none has it.
func (d Deployed) variable(name string) string {
	for _, r := range d.Resources {
		if v := r.Settings[Variable+name]; v != "" {
			return v
		}
	}
	return ""
}
