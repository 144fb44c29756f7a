package awsaccount

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"nightlatch/internal/containment"
)

// newestQuarantine is the version of AWS's quarantine policy from which Quarantine looks downward. AWS has made four so far.
const newestQuarantine = 9

// Quarantine is which of AWS's quarantine policies a user has, by its name, whoever has attached it; the newest of them where there are several.
// Where none is attached, it is the newest that this account can see; "" where it sees none, or there is no such user.
// https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSCompromisedKeyQuarantineV3.html
func (a *Account) Quarantine(ctx context.Context, user, partition string) (name string, attached bool, err error) {
	all, exists, err := a.attached(ctx, user)
	if err != nil || !exists {
		return "", false, err
	}
	newest := 0
	for _, p := range all {
		if n, version := containment.Quarantine(aws.ToString(p.PolicyArn)); version > newest {
			name, newest = n, version
		}
	}
	if newest > 0 {
		return name, true, nil
	}
	for version := newestQuarantine; version > 0; version-- {
		name := "AWSCompromisedKeyQuarantine"
		if version > 1 {
			name += fmt.Sprint("V", version)
		}
		arn := containment.QuarantineARN(partition, name)
		out, err := ask(ctx, call{"iam:GetPolicy", fmt.Sprintf("policy %q", arn)}, func(ctx context.Context) (*iam.GetPolicyOutput, error) {
			return a.reads.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &arn})
		})
		if err != nil {
			return "", false, err
		}
		if out != nil {
			return name, false, nil
		}
	}
	return "", false, nil
}

// isQuarantine reports whether a Ref is an attachment that this package makes.
func isQuarantine(r containment.Ref) bool {
	name, _ := containment.Quarantine(r.Name)
	return r.Owner != "" && name != ""
}

// attached lists the managed policies of a user.
func (a *Account) attached(ctx context.Context, user string) (all []types.AttachedPolicy, exists bool, err error) {
	pages := iam.NewListAttachedUserPoliciesPaginator(a.reads, &iam.ListAttachedUserPoliciesInput{UserName: &user},
		func(o *iam.ListAttachedUserPoliciesPaginatorOptions) { o.StopOnDuplicateToken = true })
	for pages.HasMorePages() {
		page, err := ask(ctx, call{"iam:ListAttachedUserPolicies", fmt.Sprintf("user %q", user)}, func(ctx context.Context) (*iam.ListAttachedUserPoliciesOutput, error) {
			return pages.NextPage(ctx)
		})
		if err != nil || page == nil {
			return nil, false, err
		}
		all = append(all, page.AttachedPolicies...)
	}
	return all, true, nil
}

func (a *Account) readAttachment(ctx context.Context, r containment.Ref) (containment.Doc, error) {
	all, _, err := a.attached(ctx, r.Owner)
	if err != nil {
		return containment.Doc{}, err
	}
	for _, p := range all {
		if aws.ToString(p.PolicyArn) == r.Name {
			return containment.Doc{Text: containment.Attached}, nil
		}
	}
	return containment.Doc{Absent: true}, nil
}

func (a *Account) writeAttachment(ctx context.Context, r containment.Ref, d containment.Doc) error {
	on := fmt.Sprintf("policy %q of user %q", r.Name, r.Owner)
	switch {
	case d.Absent:
		return attempt(ctx, call{"iam:DetachUserPolicy", on}, "it is attached", func(ctx context.Context) error {
			_, err := a.writes.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: &r.Owner, PolicyArn: &r.Name})
			return gone(err)
		})
	case d.Text != containment.Attached:
		return fmt.Errorf("%s can be attached or detached only, not %q: %w", on, d.Text, containment.ErrNotDone)
	}
	// To attach what is attached changes nothing.
	return attempt(ctx, call{"iam:AttachUserPolicy", on}, "it is attached", func(ctx context.Context) error {
		_, err := a.writes.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: &r.Owner, PolicyArn: &r.Name})
		return err
	})
}
