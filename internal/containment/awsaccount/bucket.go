package awsaccount

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"nightlatch/internal/containment"
)

// A bucket is one of this account, or S3 refuses: whoever deletes a bucket leaves its name to everybody.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html

// bucketPolicy reads the policy of a bucket as a whole.
func (a *Account) bucketPolicy(ctx context.Context, bucket string) (containment.Doc, error) {
	me, err := a.whoami(ctx)
	if err != nil {
		return containment.Doc{}, err
	}
	c := call{"s3:GetBucketPolicy", fmt.Sprintf("bucket %q", bucket)}
	out, err := ask(ctx, c, func(ctx context.Context) (*s3.GetBucketPolicyOutput, error) {
		return a.bucketReads.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &bucket, ExpectedBucketOwner: &me.account})
	})
	switch {
	case err != nil:
		return containment.Doc{}, err
	case out == nil:
		return containment.Doc{Absent: true}, nil
	case aws.ToString(out.Policy) == "":
		return containment.Doc{}, c.empty()
	}
	return containment.Doc{Text: *out.Policy}, nil
}

func (a *Account) readStatement(ctx context.Context, r containment.Ref) (containment.Doc, error) {
	policy, err := a.bucketPolicy(ctx, r.Owner)
	if err != nil {
		return containment.Doc{}, err
	}
	statement, err := containment.StatementOf(policy, r.Name)
	if err != nil {
		return containment.Doc{}, fmt.Errorf("bucket %q: %w", r.Owner, err)
	}
	return statement, nil
}

// writeStatement adds one statement to a bucket's policy, or takes it out. A put replaces the whole policy, and S3 has no condition to prevent
// that: what somebody else puts between the reading and the put is lost, and nothing shows it. So the two follow each other at once, and
// whatever is read afterwards that is not what was put is an error: then others write too.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html
func (a *Account) writeStatement(ctx context.Context, r containment.Ref, d containment.Doc) error {
	a.puts.Lock()
	defer a.puts.Unlock()
	now, err := a.bucketPolicy(ctx, r.Owner)
	if err != nil {
		return unread(err)
	}
	next, err := containment.WithStatement(now, r.Owner, r.Name, d)
	switch {
	case err != nil:
		return fmt.Errorf("bucket %q: %v: %w", r.Owner, err, containment.ErrNotDone)
	case next == now:
		return nil
	case len(next.Text) > containment.MaxBucketPolicy:
		return fmt.Errorf("the policy of bucket %q has no room for it: it would have %d bytes, and S3 takes %d; make room, or take another step: %w",
			r.Owner, len(next.Text), containment.MaxBucketPolicy, containment.ErrNotDone)
	}
	if err := a.putPolicy(ctx, r.Owner, next); err != nil {
		return err
	}
	after, err := a.bucketPolicy(ctx, r.Owner)
	if err != nil {
		return fmt.Errorf("the policy of bucket %q was put, and could not be read back: %w", r.Owner, err)
	}
	return compared(r, d, now, next, after)
}

// compared says what became of a put: now was there before it, next was put, after was read afterwards.
func compared(r containment.Ref, d, now, next, after containment.Doc) error {
	if containment.SameBucketPolicy(after, next) {
		return nil
	}
	if containment.SameBucketPolicy(after, now) {
		return fmt.Errorf("the policy of bucket %q was put, and reads as before: S3 shows it late, or somebody else has put that one again; read it back", r.Owner)
	}
	if s, err := containment.StatementOf(after, r.Name); err != nil || s != d {
		return fmt.Errorf("the policy of bucket %q was put, and somebody else has put another one: statement %q is not as it was put; read it back", r.Owner, r.Name)
	}
	return fmt.Errorf("the policy of bucket %q was put, and somebody else has changed other statements of it at the same moment: see whether theirs are all there", r.Owner)
}

func (a *Account) putPolicy(ctx context.Context, bucket string, policy containment.Doc) error {
	me, err := a.whoami(ctx)
	if err != nil {
		return unread(err)
	}
	on := fmt.Sprintf("the policy of bucket %q", bucket)
	if policy.Absent {
		return attempt(ctx, call{"s3:DeleteBucketPolicy", on}, "it is there", func(ctx context.Context) error {
			_, err := a.bucketWrites.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: &bucket, ExpectedBucketOwner: &me.account})
			return gone(err)
		})
	}
	if gone := containment.Dangling(policy); len(gone) > 0 { // S3 will not say which
		on += ", which names " + strings.Join(gone, ", ") + " that may be deleted,"
	}
	return attempt(ctx, call{"s3:PutBucketPolicy", on}, "it was put", func(ctx context.Context) error {
		_, err := a.bucketWrites.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: &policy.Text, ExpectedBucketOwner: &me.account})
		return err
	})
}

func (a *Account) readAccessBlock(ctx context.Context, r containment.Ref) (containment.Doc, error) {
	me, err := a.whoami(ctx)
	if err != nil {
		return containment.Doc{}, err
	}
	c := call{"s3:GetBucketPublicAccessBlock", fmt.Sprintf("bucket %q", r.Name)}
	out, err := ask(ctx, c, func(ctx context.Context) (*s3.GetPublicAccessBlockOutput, error) {
		return a.bucketReads.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &r.Name, ExpectedBucketOwner: &me.account})
	})
	switch {
	case err != nil:
		return containment.Doc{}, err
	case out == nil:
		return containment.Doc{Absent: true}, nil
	case out.PublicAccessBlockConfiguration == nil:
		return containment.Doc{}, c.empty()
	}
	b := out.PublicAccessBlockConfiguration
	return containment.AccessBlock{
		BlockPublicAcls: aws.ToBool(b.BlockPublicAcls), BlockPublicPolicy: aws.ToBool(b.BlockPublicPolicy),
		IgnorePublicAcls: aws.ToBool(b.IgnorePublicAcls), RestrictPublicBuckets: aws.ToBool(b.RestrictPublicBuckets),
	}.Doc(), nil
}

// writeAccessBlock sets all four of a bucket's settings at once, or takes them away, for which the permission is the same.
func (a *Account) writeAccessBlock(ctx context.Context, r containment.Ref, d containment.Doc) error {
	me, err := a.whoami(ctx)
	if err != nil {
		return unread(err)
	}
	c := call{"s3:PutBucketPublicAccessBlock", fmt.Sprintf("bucket %q", r.Name)}
	if d.Absent {
		return attempt(ctx, c, "it has none", func(ctx context.Context) error {
			_, err := a.bucketWrites.DeletePublicAccessBlock(ctx, &s3.DeletePublicAccessBlockInput{Bucket: &r.Name, ExpectedBucketOwner: &me.account})
			return gone(err)
		})
	}
	b, err := containment.ReadAccessBlock(d.Text)
	if err != nil {
		return fmt.Errorf("bucket %q: %v: %w", r.Name, err, containment.ErrNotDone)
	}
	return attempt(ctx, c, "it was set", func(ctx context.Context) error {
		_, err := a.bucketWrites.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: &r.Name, ExpectedBucketOwner: &me.account,
			PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{BlockPublicAcls: &b.BlockPublicAcls, BlockPublicPolicy: &b.BlockPublicPolicy,
				IgnorePublicAcls: &b.IgnorePublicAcls, RestrictPublicBuckets: &b.RestrictPublicBuckets}})
		return err
	})
}
