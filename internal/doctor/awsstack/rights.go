package awsstack

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"nightlatch/internal/doctor"
	"nightlatch/internal/grant"
)

// RightGrants are the permissions that Right needs.
func RightGrants() []grant.Grant {
	return []grant.Grant{{Sid: "SimulateItsRoles", Actions: []string{"iam:SimulatePrincipalPolicy"}, On: []string{"arn:${Partition}:iam::${Account}:role/${Stack}-*"},
		Why: "It asks what the roles of its own stack may do, whose names CloudFormation ends as it likes."}}
}

// Right asks IAM's simulator whether a role may do something. An action that the simulator does not know is asked by itself, and said to be unknown.
func (r *Reader) Right(ctx context.Context, arn string, right doctor.Right) ([]doctor.Verdict, error) {
	all, err := r.simulate(ctx, arn, right)
	if !code(err, "InvalidInput") {
		if err != nil {
			return nil, missing("iam:SimulatePrincipalPolicy", fmt.Sprintf("role %q", arn), err)
		}
		return all, nil
	}
	if len(right.Actions) == 1 {
		return []doctor.Verdict{{Action: right.Actions[0], Unknown: true}}, nil
	}
	for _, action := range right.Actions {
		one, err := r.Right(ctx, arn, doctor.Right{Actions: []string{action}, Resource: right.Resource, Context: right.Context})
		if err != nil {
			return nil, err
		}
		all = append(all, one...)
	}
	return all, nil
}

// kinds are the types of those keys of a request's context that are no single text.
var kinds = map[string]types.ContextKeyTypeEnum{"aws:SecureTransport": types.ContextKeyTypeEnumBoolean, "aws:CalledVia": types.ContextKeyTypeEnumStringList,
	"aws:TagKeys": types.ContextKeyTypeEnumStringList, "dynamodb:LeadingKeys": types.ContextKeyTypeEnumStringList}

// simulate asks about some actions on one resource, so that each result is about that.
func (r *Reader) simulate(ctx context.Context, arn string, right doctor.Right) (all []doctor.Verdict, err error) {
	in := &iam.SimulatePrincipalPolicyInput{PolicySourceArn: &arn, ActionNames: right.Actions, ResourceArns: []string{right.Resource}}
	for _, key := range slices.Sorted(maps.Keys(right.Context)) {
		in.ContextEntries = append(in.ContextEntries, types.ContextEntry{ContextKeyName: aws.String(key), ContextKeyType: cmp.Or(kinds[key], types.ContextKeyTypeEnumString), ContextKeyValues: []string{right.Context[key]}})
	}
	pages := iam.NewSimulatePrincipalPolicyPaginator(r.iam, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, got := range page.EvaluationResults {
			all = append(all, doctor.Verdict{Action: aws.ToString(got.EvalActionName), Allowed: got.EvalDecision == types.PolicyEvaluationDecisionTypeAllowed,
				Organization: got.OrganizationsDecisionDetail != nil && !got.OrganizationsDecisionDetail.AllowedByOrganizations})
		}
	}
	if len(all) < len(right.Actions) {
		return nil, errStrange
	}
	return all, nil
}
