package awsaccount

import (
	"context"
	"fmt"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"nightlatch/internal/containment"
)

// inline are the inline policies of users, or of roles. of is what IAM's actions and its sentences call them.
type inline struct {
	of, whose string
	get       func(a *Account, ctx context.Context, owner, name *string) (*string, error)
	put       func(a *Account, ctx context.Context, owner, name, text *string) error
	remove    func(a *Account, ctx context.Context, owner, name *string) error
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutUserPolicy.html
var userPolicies = inline{"User", "user",
	func(a *Account, ctx context.Context, owner, name *string) (*string, error) {
		out, err := a.reads.GetUserPolicy(ctx, &iam.GetUserPolicyInput{UserName: owner, PolicyName: name})
		if err != nil {
			return nil, err
		}
		return out.PolicyDocument, nil
	},
	func(a *Account, ctx context.Context, owner, name, text *string) error {
		_, err := a.writes.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: owner, PolicyName: name, PolicyDocument: text})
		return err
	},
	func(a *Account, ctx context.Context, owner, name *string) error {
		_, err := a.writes.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: owner, PolicyName: name})
		return err
	},
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html
var rolePolicies = inline{"Role", "role",
	func(a *Account, ctx context.Context, owner, name *string) (*string, error) {
		out, err := a.reads.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: owner, PolicyName: name})
		if err != nil {
			return nil, err
		}
		return out.PolicyDocument, nil
	},
	func(a *Account, ctx context.Context, owner, name, text *string) error {
		_, err := a.writes.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: owner, PolicyName: name, PolicyDocument: text})
		return err
	},
	func(a *Account, ctx context.Context, owner, name *string) error {
		_, err := a.writes.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: owner, PolicyName: name})
		return err
	},
}

func (p inline) on(r containment.Ref) string {
	return fmt.Sprintf("policy %q of %s %q", r.Name, p.whose, r.Owner)
}

// read returns a policy's text. IAM gives it URL-encoded.
func (p inline) read(a *Account, ctx context.Context, r containment.Ref) (containment.Doc, error) {
	c := call{"iam:Get" + p.of + "Policy", p.on(r)}
	found := true
	text, err := ask(ctx, c, func(ctx context.Context) (*string, error) {
		text, err := p.get(a, ctx, &r.Owner, &r.Name)
		found = !missing(err)
		return text, err
	})
	switch {
	case err != nil:
		return containment.Doc{}, err
	case !found:
		return containment.Doc{Absent: true}, nil
	case text == nil || *text == "":
		return containment.Doc{}, c.empty()
	}
	if plain, err := url.PathUnescape(*text); err == nil {
		text = &plain
	}
	return containment.Doc{Text: containment.Canonical(*text)}, nil
}

// write puts a denial, and only where no policy has its name: a put would replace that one.
func (p inline) write(a *Account, ctx context.Context, r containment.Ref, d containment.Doc) error {
	if d.Absent {
		return attempt(ctx, call{"iam:Delete" + p.of + "Policy", p.on(r)}, "it is there", func(ctx context.Context) error {
			return gone(p.remove(a, ctx, &r.Owner, &r.Name))
		})
	}
	if !containment.Denies(d.Text) {
		return fmt.Errorf("only a denial is put as %s: %w", p.on(r), containment.ErrNotDone)
	}
	now, err := p.read(a, ctx, r)
	switch {
	case err != nil:
		return unread(err)
	case now.Text == containment.Canonical(d.Text):
		return nil
	case !now.Absent:
		return fmt.Errorf("there is another text as %s; see who has put it there: %w", p.on(r), containment.ErrNotDone)
	}
	return attempt(ctx, call{"iam:Put" + p.of + "Policy", p.on(r)}, "it is there", func(ctx context.Context) error {
		return p.put(a, ctx, &r.Owner, &r.Name, &d.Text)
	})
}
