package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"nightlatch/internal/grant"
	"nightlatch/internal/prose"
)

// Rule is a rule of EventBridge's of the deployment's, as it was deployed or as it is. JSON is in one form, as Canonical writes it.
type Rule struct {
	Name string
	// When is the pattern that it matches, or the schedule on which it fires.
	When string
	// State is ENABLED, ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS or DISABLED.
	State string
	// Targets are what it calls and with what, by the targets' ids.
	Targets map[string]string
}

// RuleRead reads a rule as it is, by its name. Errors are one sentence; errors.Is finds ErrGone in it.
type RuleRead func(ctx context.Context, name string) (Rule, error)

// Rules checks that alarms and calls reach the functions. Whoever switches off the rule that hears of rules is heard here alone.
func Rules(stack Stack, read RuleRead, grants ...grant.Grant) Check {
	return onStack(RulesName, stack, grants, func(ctx context.Context, d Deployed) Answer {
		return asDeployed(ctx, "rule", d.Rules, read, "what it sent reaches nobody", restoreRule, "as deployed, with what they call")
	})
}

// restoreRule says how a rule comes back: CloudFormation makes nothing again of which the template has not changed.
const restoreRule = "CloudFormation does not see it by itself: put it back as the stack's template has it (aws cloudformation get-template), and see in CloudTrail who did it"

func (r Rule) names() (id, name string) { return r.Name, r.Name }

// differs is what of a rule is not as it was deployed.
func (r Rule) differs(is Rule) (all []Finding) {
	name := "rule " + prose.Safe(r.Name)
	if r.State != is.State {
		mend := restoreRule
		if r.State == "ENABLED" {
			mend = command("aws", "events", "enable-rule", "--name", r.Name) + "; see in CloudTrail who did it"
		}
		all = append(all, Finding{Says: fmt.Sprintf("%s is %s, and was deployed as %s", name, prose.Safe(is.State), r.State), Mend: mend})
	}
	if !same(r.When, is.When) {
		all = append(all, Finding{Says: name + " matches or fires at something else than was deployed", Mend: restoreRule})
	}
	for _, id := range slices.Sorted(maps.Keys(r.Targets)) {
		switch now, there := is.Targets[id]; {
		case !there:
			all = append(all, Finding{Says: fmt.Sprintf("%s has lost its target %s", name, prose.Safe(id)), Mend: restoreRule})
		case !same(r.Targets[id], now):
			all = append(all, Finding{Says: fmt.Sprintf("%s: its target %s is not as deployed", name, prose.Safe(id)), Mend: restoreRule})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(is.Targets)) {
		if _, deployed := r.Targets[id]; !deployed {
			all = append(all, Finding{Says: fmt.Sprintf("%s calls a target %s that was not deployed", name, prose.Safe(id)), Mend: restoreRule})
		}
	}
	return all
}
