package awsaccount

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"nightlatch/internal/actor"
	"nightlatch/internal/policy"
	"nightlatch/internal/settings"
)

// Identify finds what a credential acts for.
//
// IAM is asked only about credentials of our own account and of kinds that an IAM user or role is behind; every other comes back not known,
// without a call. Where CloudTrail's record and IAM contradict each other, the target comes back not known too: one of the two is wrong,
// and nobody is locked out on a guess. They do where the record has another unique id than the user or role, which was deleted and made
// anew, or, where it has none, another name.
func (a *Account) Identify(ctx context.Context, c actor.Credential) (policy.Target, error) {
	t := policy.Target{ID: c.PrincipalARN, AccountID: c.AccountID}
	switch c.Kind {
	case actor.IAMUserKey:
		t.Type, t.ID = policy.AccessKey, c.AccessKeyID
	case actor.IAMUserSession, actor.IAMUser, actor.FederatedUser:
		t.Type = policy.User
	case actor.RoleSession, actor.Role, actor.IdentityCenter:
		t.Type = policy.Role
	default:
		return t, nil
	}
	me, err := a.whoami(ctx)
	if err != nil {
		return policy.Target{}, err
	}
	if c.AccountID != me.account {
		return t, nil
	}
	owner, err := a.ownerOf(ctx, c, t)
	if owner == nil || !owner.matches(c) {
		return t, err
	}
	t.Known, t.Owner, t.OwnerARN, t.Tags, t.LastUsed = true, owner.name, owner.arn, owner.tags, owner.lastUsed
	if t.Type != policy.AccessKey {
		t.ID = owner.arn
	}
	t.Protected, t.ProtectTag = a.protected(t)
	if c.SignedIn {
		var why error
		if t.SignIn, why = a.signIn(ctx, owner.name); err == nil {
			err = why
		}
	}
	self, unknown := a.isSelf(ctx, me, t)
	if unknown != nil {
		return policy.Target{}, unknown
	}
	t.Self = self
	return t, err
}

// owner is a user or role as IAM knows it.
type owner struct {
	name, arn, id string
	tags          map[string]string
	lastUsed      *policy.LastUse // of the key
}

// matches reports whether the record can be about this owner. The unique id decides where the record has one: a thief who may
// call iam:UpdateUser can rename the user, and must not shake us off by that. A federated user's principal id is account:name,
// so there only the name is left to compare.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
func (o owner) matches(c actor.Credential) bool {
	id, _, _ := strings.Cut(c.PrincipalID, ":")
	if strings.HasPrefix(id, "AIDA") || strings.HasPrefix(id, "AROA") {
		return id == o.id
	}
	return (c.UserName == "" || c.UserName == o.name) && (c.RoleName == "" || c.RoleName == o.name)
}

// ownerOf asks IAM for the user or role behind a credential; nil if there is none. An error beside an owner is keyOwner's.
func (a *Account) ownerOf(ctx context.Context, c actor.Credential, t policy.Target) (*owner, error) {
	switch {
	case t.Type == policy.Role && c.RoleName != "":
		return a.role(ctx, c.RoleName)
	case t.Type == policy.User && c.UserName != "":
		return a.user(ctx, c.UserName)
	case t.Type == policy.AccessKey && c.AccessKeyID != "":
		name, last, denied := a.keyOwner(ctx, c)
		if name == "" {
			return nil, denied
		}
		u, err := a.user(ctx, name)
		if u != nil {
			u.lastUsed = last
		}
		if err == nil {
			err = denied
		}
		return u, err
	}
	return nil, nil
}

// keyOwner asks IAM which user a key belongs to, and of its last use; "" if the account has no such key.
//
// IAM authorizes the call on the key's user. So for a key that was deleted, or that is another account's, it answers AccessDenied just as
// it does when the permission is missing. The keys of the user whom CloudTrail names tell the two apart. If the key is among them, that
// user is its owner, and the error beside it names the permission that is missing. If it is not, this account does not know it.
func (a *Account) keyOwner(ctx context.Context, c actor.Credential) (string, *policy.LastUse, error) {
	asked, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	out, err := a.reads.GetAccessKeyLastUsed(asked, &iam.GetAccessKeyLastUsedInput{AccessKeyId: &c.AccessKeyID})
	switch {
	case err == nil:
		return aws.ToString(out.UserName), lastUse(out.AccessKeyLastUsed), nil
	case missing(err):
		return "", nil, nil
	}
	failure := failed(call{"iam:GetAccessKeyLastUsed", fmt.Sprintf("the owner of access key %q", c.AccessKeyID)}, err)
	if !denied(err) || c.UserName == "" {
		return "", nil, failure
	}
	status, err := a.keyStatus(ctx, c.UserName, c.AccessKeyID)
	switch {
	case err != nil:
		return "", nil, failure
	case status == "":
		return "", nil, nil
	}
	return c.UserName, nil, failure
}

// lastUse is what IAM says of a key's last use. A key that was never used has no date, and "N/A" as its service.
func lastUse(u *types.AccessKeyLastUsed) *policy.LastUse {
	switch {
	case u == nil:
		return nil
	case u.LastUsedDate == nil:
		return &policy.LastUse{}
	}
	return &policy.LastUse{At: u.LastUsedDate.UTC(), Service: aws.ToString(u.ServiceName)}
}

// user asks for a user: the ARN with its path, and the tags, which GetUser returns all.
func (a *Account) user(ctx context.Context, name string) (*owner, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	out, err := a.reads.GetUser(ctx, &iam.GetUserInput{UserName: &name})
	switch {
	case missing(err):
		return nil, nil
	case err != nil:
		return nil, failed(call{"iam:GetUser", fmt.Sprintf("user %q", name)}, err)
	case out.User == nil:
		return nil, errors.New("iam:GetUser answered without a user; see whether its endpoint is AWS's")
	}
	u := out.User
	return &owner{name: aws.ToString(u.UserName), arn: aws.ToString(u.Arn), id: aws.ToString(u.UserId), tags: tagMap(u.Tags)}, nil
}

// signIn asks how old a user's password for the console and his devices for the second factor are; nil where he has not both.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_LoginProfile.html, https://docs.aws.amazon.com/IAM/latest/APIReference/API_MFADevice.html
func (a *Account) signIn(ctx context.Context, name string) (*policy.SignIn, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	profile, err := a.reads.GetLoginProfile(ctx, &iam.GetLoginProfileInput{UserName: &name})
	switch {
	case missing(err):
		return nil, nil
	case err != nil:
		return nil, failed(call{"iam:GetLoginProfile", fmt.Sprintf("the password of user %q", name)}, err)
	case profile.LoginProfile == nil || profile.LoginProfile.CreateDate == nil:
		return nil, nil
	}
	// Nobody has more than eight: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_mfa.html
	devices, err := a.reads.ListMFADevices(ctx, &iam.ListMFADevicesInput{UserName: &name})
	switch {
	case missing(err):
		return nil, nil
	case err != nil:
		return nil, failed(call{"iam:ListMFADevices", fmt.Sprintf("the devices of user %q", name)}, err)
	case devices.IsTruncated:
		return nil, nil
	}
	s := policy.SignIn{Password: profile.LoginProfile.CreateDate.UTC()}
	for _, d := range devices.MFADevices {
		if d.EnableDate == nil {
			return nil, nil
		}
		if d.EnableDate.After(s.Device) {
			s.Device = d.EnableDate.UTC()
		}
	}
	if s.Device.IsZero() {
		return nil, nil
	}
	return &s, nil
}

func (a *Account) role(ctx context.Context, name string) (*owner, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	out, err := a.reads.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	switch {
	case missing(err):
		return nil, nil
	case err != nil:
		return nil, failed(call{"iam:GetRole", fmt.Sprintf("role %q", name)}, err)
	case out.Role == nil:
		return nil, errors.New("iam:GetRole answered without a role; see whether its endpoint is AWS's")
	}
	r := out.Role
	return &owner{name: aws.ToString(r.RoleName), arn: aws.ToString(r.Arn), id: aws.ToString(r.RoleId), tags: tagMap(r.Tags)}, nil
}

func tagMap(tags []types.Tag) map[string]string {
	m := make(map[string]string, len(tags))
	for _, t := range tags {
		m[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return m
}

// protected says why a target must not be touched without a human; "" if nothing protects it.
func (a *Account) protected(t policy.Target) (reason, tag string) {
	var why []string
	for _, pattern := range a.settings.Protected {
		switch {
		case pattern == t.OwnerARN:
			why = append(why, "named in the deployment's protected principals")
		case settings.Covers(pattern, t.OwnerARN):
			why = append(why, "covered by "+pattern+" of the deployment's protected principals")
		}
	}
	for key, value := range t.Tags {
		// IAM's tag keys are the same in any case, and a user has a key once.
		// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html#id_tags_rules
		if a.settings.ProtectTag != "" && strings.EqualFold(key, a.settings.ProtectTag) {
			tag = key
			why = append(why, fmt.Sprintf("tagged %s=%+q", key, value)) // a thief may have written the value
		}
	}
	return strings.Join(why, ", "), tag
}
