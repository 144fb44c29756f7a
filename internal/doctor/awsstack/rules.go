package awsstack

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"nightlatch/internal/doctor"
	"nightlatch/internal/grant"
)

// RuleGrants are the permissions that Rule needs.
func RuleGrants() []grant.Grant {
	return []grant.Grant{{Sid: "ReadItsRules", Actions: []string{"events:DescribeRule", "events:ListTargetsByRule"}, On: []string{"arn:${Partition}:events:${Region}:${Account}:rule/${Stack}-*"},
		Why: "It reads the rules of its own stack, whose names CloudFormation ends as it likes."}}
}

// Rule reads a rule as it is. Ours have no more targets than a page of them holds.
func (r *Reader) Rule(ctx context.Context, name string) (doctor.Rule, error) {
	on := fmt.Sprintf("rule %q", name)
	fail := func(action string, err error) (doctor.Rule, error) {
		return doctor.Rule{}, missing(action, on, err)
	}
	got, err := r.events.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: &name})
	if err != nil {
		return fail("events:DescribeRule", err)
	}
	out := doctor.Rule{Name: name, When: aws.ToString(got.ScheduleExpression), State: string(got.State), Targets: map[string]string{}}
	if text := aws.ToString(got.EventPattern); text != "" {
		var pattern any
		if err := json.Unmarshal([]byte(text), &pattern); err != nil {
			return fail("events:DescribeRule", errStrange)
		}
		out.When = canonical(pattern)
	}
	targets, err := r.events.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: &name})
	if err != nil {
		return fail("events:ListTargetsByRule", err)
	}
	for _, t := range targets.Targets {
		template := ""
		if t.InputTransformer != nil {
			template = aws.ToString(t.InputTransformer.InputTemplate)
		}
		out.Targets[aws.ToString(t.Id)] = target(aws.ToString(t.Arn), aws.ToString(t.Input), aws.ToString(t.InputPath), template)
	}
	return out, nil
}

// target is what a rule calls, and with what, in one form.
func target(arn, input, path, template string) string {
	return canonical(map[string]any{"Arn": arn, "Input": input, "InputPath": path, "InputTemplate": template})
}

// rules are those of the template.
func (f filler) rules() (all []doctor.Rule) {
	for _, id := range f.of("AWS::Events::Rule") {
		p := f.properties(id)
		r := doctor.Rule{Name: f.world.Names[id], When: text(p["ScheduleExpression"]), State: cmp.Or(text(p["State"]), "ENABLED"), Targets: map[string]string{}}
		if p["EventPattern"] != nil {
			r.When = canonical(p["EventPattern"])
		}
		targets, _ := p["Targets"].([]any)
		for _, one := range targets {
			t, _ := one.(map[string]any)
			transformer, _ := t["InputTransformer"].(map[string]any)
			r.Targets[text(t["Id"])] = target(text(t["Arn"]), text(t["Input"]), text(t["InputPath"]), text(transformer["InputTemplate"]))
		}
		if r.Name != "" {
			all = append(all, r)
		}
	}
	return all
}
