package awsaccount

import (
	"context"
	"fmt"

	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/policy"
)

// caller is who the responder itself is. At most one of role and user is set; the root user and a federated user
// (who may not call IAM at all) leave both empty.
type caller struct{ account, role, user string }

var (
	assumedRole = lazyregexp.New(`^arn:aws[a-z-]*:sts::[0-9]{12}:assumed-role/([\w+=,.@-]+)/[\w+=,.@-]+$`)
	iamUser     = lazyregexp.New(`^arn:aws[a-z-]*:iam::[0-9]{12}:user/(?:[\x21-\x7e]+/)?([\w+=,.@-]+)$`)
)

// callerOf reads the answer of GetCallerIdentity. An assumed role is known by name: its ARN carries no path.
func callerOf(arn, account string) (caller, error) {
	if arn == "" || account == "" {
		// Without them nobody could be recognised as ourselves.
		return caller{}, fmt.Errorf("sts:GetCallerIdentity named no principal (%q in account %q); see whether its endpoint is AWS's", arn, account)
	}
	me := caller{account: account}
	if m := assumedRole.FindStringSubmatch(arn); m != nil {
		me.role = m[1]
	}
	if m := iamUser.FindStringSubmatch(arn); m != nil {
		me.user = m[1]
	}
	return me, nil
}

// isSelf reports whether turning the target off would turn off the responder: its access key, its user or its role.
func (a *Account) isSelf(ctx context.Context, me caller, t policy.Target) (bool, error) {
	switch t.Type {
	case policy.Role:
		return t.Owner == me.role, nil
	case policy.AccessKey:
		// Credentials that an agent or a profile supplies may change while we run, so they are asked each time.
		own, err := a.credentials.Retrieve(ctx)
		if err != nil {
			return false, fmt.Errorf("reading the responder's own credentials, to leave them alone: %v; renew them", err)
		}
		if own.AccessKeyID == t.ID {
			return true, nil
		}
	}
	return t.Owner == me.user, nil
}
