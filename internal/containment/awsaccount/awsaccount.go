// Package awsaccount is the AWS account in which steps are done. It asks and changes IAM with the responder's own role, or for a human who
// takes a step back with credentials of his own.
//
// The calls are described in https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html and
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html, and those of S3 in
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html. The one call of the responder that changes anything is
// UpdateAccessKey (https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccessKey.html): a key is turned off or on, and never
// deleted. What is put on users, roles and buckets is the cutter's, and what takes it away again a human's.
package awsaccount

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"nightlatch/internal/awserr"
	"nightlatch/internal/containment"
	"nightlatch/internal/grant"
	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/settings"
)

// ProtectTag is the tag that protects a user or role in a shipped deployment, and the tag that WriteGrants denies by.
const ProtectTag = settings.DefaultProtectTag

const (
	// identityTimeout bounds GetCallerIdentity, which answers in tens of milliseconds: a network that cannot reach STS
	// must not use up the incident's time.
	identityTimeout = 5 * time.Second
	// readTimeout bounds one reading call with its retries: IAM answers in well under a second, and three attempts with
	// at most readBackoff between them fit.
	readTimeout = 10 * time.Second
	// writeTimeout bounds the one attempt of a write. It is long, because giving up early on a write that IAM is still
	// working on buys nothing but an unknown state.
	writeTimeout = 15 * time.Second
	// readBackoff bounds the wait between two attempts: bytes are flowing while we wait.
	readBackoff = time.Second
)

// Settings are what a deployment decides.
type Settings struct {
	// Protected are the ARNs of users and roles that are not touched without a human, path included. A * stands for any text: settings.Covers.
	Protected []string
	// ProtectTag is the key of the tag that protects a user or role, whatever its value; "" switches tags off.
	ProtectTag string
}

// Account does steps in the account of its credentials. It is safe for use by several goroutines.
type Account struct {
	settings    Settings
	credentials aws.CredentialsProvider
	sts         *sts.Client
	reads       *iam.Client
	// writes never retries. Had a first attempt timed out after it took effect, the answer to a second one would say nothing about the
	// first. So it makes one attempt, and where its fate is unknown the executor reads back and decides.
	writes *iam.Client
	// bucketReads and bucketWrites are the same for S3.
	bucketReads, bucketWrites *s3.Client
	// puts is held from the reading of a bucket's policy until what was put is read: a put replaces all of it.
	puts sync.Mutex

	mu sync.Mutex
	me *caller // nil until STS has answered

	named sync.Once // guards alias
	alias string
}

var _ containment.Account = (*Account)(nil)

var principalARN = lazyregexp.New(`^arn:aws[a-z-]*:iam::(?:[0-9]{12}|\*):(?:user|role)/[\x21-\x7e]+$`)

// New makes the account that cfg's credentials belong to.
func New(cfg aws.Config, s Settings) (*Account, error) {
	switch {
	case cfg.Credentials == nil:
		return nil, errors.New("the account needs credentials, and the AWS configuration has none; sign in or set a profile")
	case cfg.Region == "":
		return nil, errors.New("the account needs a region, and the AWS configuration has none; set AWS_REGION")
	}
	for _, arn := range s.Protected {
		// A mistyped entry would protect nobody, in silence.
		if !principalARN.MatchString(arn) {
			return nil, fmt.Errorf("protected principal %q is not the ARN of an IAM user or role; write arn:aws:iam::ACCOUNT:user/NAME", arn)
		}
	}
	s.Protected = slices.Clone(s.Protected)
	retryer := func() aws.Retryer {
		return awserr.Retries(3, readBackoff, readBackoff)
	}
	return &Account{
		settings:    s,
		credentials: cfg.Credentials,
		sts:         sts.NewFromConfig(cfg, func(o *sts.Options) { o.Retryer = retryer() }),
		reads:       iam.NewFromConfig(cfg, func(o *iam.Options) { o.Retryer = retryer() }),
		writes:      iam.NewFromConfig(cfg, func(o *iam.Options) { o.Retryer = aws.NopRetryer{} }),

		bucketReads:  s3.NewFromConfig(cfg, func(o *s3.Options) { o.Retryer = retryer() }),
		bucketWrites: s3.NewFromConfig(cfg, func(o *s3.Options) { o.Retryer = aws.NopRetryer{} }),
	}, nil
}

// ReadGrants are the permissions that Identify, Read of a key's status, and Alias need: all that mode observe holds where no step is ordered.
func ReadGrants() []grant.Grant {
	return []grant.Grant{
		// STS answers this to everybody, even under a Deny; it stands here so that the list of calls is whole.
		{
			Sid: "KnowItself", Actions: []string{"sts:GetCallerIdentity"}, On: []string{"*"},
			Why: "The call takes no resource (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecuritytokenservice.html).",
		},
		{
			Sid:     "IdentifyUsers",
			Actions: []string{"iam:GetAccessKeyLastUsed", "iam:GetUser", "iam:ListAccessKeys"},
			On:      []string{"arn:${Partition}:iam::${Account}:user/*"},
			Why:     "Whose key moved the bytes is known only when CloudTrail shows the key; it is read, not changed.",
		},
		{
			Sid: "IdentifyRoles", Actions: []string{"iam:GetRole"}, On: []string{"arn:${Partition}:iam::${Account}:role/*"},
			Why: "Whose session moved the bytes is known only when CloudTrail shows it; it is read, not changed.",
		},
		AliasGrant(),
	}
}

// SignInGrants are the permissions that Identify needs beside ReadGrants where a key's user signed in to the console. No approval needs them.
func SignInGrants() []grant.Grant {
	return []grant.Grant{{
		Sid: "KnowHowUsersSignIn", Actions: []string{"iam:GetLoginProfile", "iam:ListMFADevices"}, On: []string{"arn:${Partition}:iam::${Account}:user/*"},
		Why: "Whose key moved the bytes is known only when CloudTrail shows the key; when a password and a second factor were set up is read, not changed.",
	}}
}

// WriteGrants are the permissions that Write of a key's status needs, and the Deny that keeps it away from whoever carries ProtectTag.
// The responder refuses those in code too; the Deny holds when the code is wrong.
func WriteGrants() []grant.Grant {
	users := []string{"arn:${Partition}:iam::${Account}:user/*"}
	return []grant.Grant{
		{
			Sid: "SwitchKeys", Actions: []string{"iam:UpdateAccessKey"}, On: users,
			Why: "Any user's key may be the stolen one. Statements of their own deny it on users with the protecting tag and on those that the deployment names.",
		},
		{
			Sid: "LeaveProtectedKeys", Actions: []string{"iam:UpdateAccessKey"}, On: users, Deny: true,
			// Null "false" is true when the tag exists, so that any value protects, the empty one too.
			When: map[string]map[string]string{"Null": {"aws:ResourceTag/" + ProtectTag: "false"}},
		},
	}
}

// Grants are the permissions of a responder that nothing is ordered by.
func Grants() []grant.Grant { return slices.Concat(ReadGrants(), SignInGrants(), WriteGrants()) }

// whoami asks STS once who we are, and again only if it did not answer.
func (a *Account) whoami(ctx context.Context) (caller, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.me != nil {
		return *a.me, nil
	}
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	out, err := a.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return caller{}, failed(call{"sts:GetCallerIdentity", "itself"}, err)
	}
	me, err := callerOf(aws.ToString(out.Arn), aws.ToString(out.Account))
	if err != nil {
		return caller{}, err
	}
	a.me = &me
	return me, nil
}
