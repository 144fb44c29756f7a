package awsstack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"nightlatch/internal/doctor"
	"nightlatch/internal/grant"
)

// RoleGrants are the permissions that Role needs. The roles are named as the stack is, and more.
func RoleGrants() []grant.Grant {
	return []grant.Grant{{Sid: "ReadItsRoles", Actions: []string{"iam:GetRole", "iam:ListRolePolicies", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies"},
		On: []string{"arn:${Partition}:iam::${Account}:role/${Stack}-*"}, Why: "It reads the roles of its own stack, whose names CloudFormation ends as it likes."}}
}

// Role reads a role as it is.
func (r *Reader) Role(ctx context.Context, name string) (doctor.Role, error) {
	on := fmt.Sprintf("role %q", name)
	fail := func(action string, err error) (doctor.Role, error) {
		return doctor.Role{}, missing(action, on, err)
	}
	got, err := r.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	if err == nil && got.Role == nil {
		err = errStrange
	}
	if err != nil {
		return fail("iam:GetRole", err)
	}
	out := doctor.Role{Name: name, Policies: map[string]string{}}
	if out.Trust, err = decoded(got.Role.AssumeRolePolicyDocument); err != nil {
		return fail("iam:GetRole", err)
	}
	if got.Role.PermissionsBoundary != nil {
		out.Boundary = aws.ToString(got.Role.PermissionsBoundary.PermissionsBoundaryArn)
	}
	inline := iam.NewListRolePoliciesPaginator(r.iam, &iam.ListRolePoliciesInput{RoleName: &name})
	for inline.HasMorePages() {
		page, err := inline.NextPage(ctx)
		if err != nil {
			return fail("iam:ListRolePolicies", err)
		}
		for _, p := range page.PolicyNames {
			document, err := r.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &name, PolicyName: &p})
			if err == nil {
				out.Policies[p], err = decoded(document.PolicyDocument)
			}
			if err != nil {
				return fail("iam:GetRolePolicy", err)
			}
		}
	}
	attached := iam.NewListAttachedRolePoliciesPaginator(r.iam, &iam.ListAttachedRolePoliciesInput{RoleName: &name})
	for attached.HasMorePages() {
		page, err := attached.NextPage(ctx)
		if err != nil {
			return fail("iam:ListAttachedRolePolicies", err)
		}
		for _, p := range page.AttachedPolicies {
			out.Attached = append(out.Attached, aws.ToString(p.PolicyArn))
		}
	}
	return out, nil
}

// decoded reads a document as IAM returns it, percent-encoded.
func decoded(document *string) (string, error) {
	text, err := url.PathUnescape(aws.ToString(document))
	var v any
	if err != nil || json.Unmarshal([]byte(text), &v) != nil {
		return "", errStrange
	}
	return canonical(v), nil
}
