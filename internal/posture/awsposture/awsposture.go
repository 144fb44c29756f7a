// Package awsposture reads for the usual suspects. It changes nothing.
package awsposture

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	control "github.com/aws/aws-sdk-go-v2/service/s3control/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"nightlatch/internal/awserr"
	"nightlatch/internal/patience"
	"nightlatch/internal/posture"
	"nightlatch/internal/prose"
	"nightlatch/internal/workers"
)

// Reader reads with the credentials that it is given.
type Reader struct {
	account string
	iam     *iam.Client
	s3      *s3.Client
	control *s3control.Client
}

// New makes the reader of an account, by its twelve digits. An s3control endpoint has the account in its host's name, which a fake may not have.
func New(cfg aws.Config, account string) *Reader {
	cfg = cfg.Copy()
	cfg.APIOptions = append(slices.Clone(cfg.APIOptions), noPages, bounded)
	return &Reader{account, iam.NewFromConfig(cfg), s3.NewFromConfig(cfg), s3control.NewFromConfig(cfg)}
}

const (
	// timeout is how long all readings of one bucket, user or role take at most, callTime how long one call does, with what is tried again.
	timeout, callTime = 30 * time.Second, 5 * time.Second
	// advice is how long IAM may take to write a report on the services of a user or a role. Mostly it takes seconds.
	advice = 8 * time.Second
	// atOnce is how many buckets, users and roles are read at once, and how many policies of one: a slow one holds up no other.
	atOnce = 10
)

// Suspects are those of some buckets, users and roles, as they are now and in this order. Where ctx ends first, what was not read by then is unread.
func (r *Reader) Suspects(ctx context.Context, buckets, users, roles []string) []posture.Suspect {
	lists := make([][]posture.Suspect, len(buckets)+len(users)+len(roles))
	workers.Pool{Size: atOnce}.Each(len(lists), func(i int) {
		of, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		switch user, role := i-len(buckets), i-len(buckets)-len(users); {
		case user < 0:
			lists[i] = r.Bucket(of, buckets[i]).Suspects()
		case role < 0:
			lists[i] = r.User(of, users[user]).Suspects(time.Now())
		default:
			lists[i] = r.Role(of, roles[role]).Suspects(time.Now())
		}
	})
	return slices.Concat(lists...)
}

// bounded ends each call after callTime.
func bounded(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Bounded", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		ctx, cancel := context.WithTimeout(ctx, callTime)
		defer cancel()
		return next.HandleInitialize(ctx, in)
	}), middleware.Before)
}

// absences are the codes that say that there is no such configuration, which is an answer.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var absences = []string{"NoSuchPublicAccessBlockConfiguration", "NoSuchBucketPolicy", "OwnershipControlsNotFoundError", "ReplicationConfigurationNotFoundError",
	"ObjectLockConfigurationNotFoundError", "ServerSideEncryptionConfigurationNotFoundError"}

// read is what a call says. That something is not configured is the zero value.
func read[T any](call string, ask func() (T, error), absent ...string) posture.Read[T] {
	is, err := ask()
	if err == nil {
		return posture.Read[T]{Is: is}
	}
	var zero T
	if refusal, status := awserr.Refusal(err); refusal != nil {
		code := refusal.ErrorCode()
		if slices.Contains(absences, code) || slices.Contains(absent, code) {
			return posture.Read[T]{}
		}
		return posture.Read[T]{Is: zero, Err: fmt.Sprintf("%s was refused: %s (%d)", call, code, status)}
	}
	return posture.Read[T]{Is: zero, Err: fmt.Sprintf("%s had no answer: %v", call, awserr.Unsent(err))}
}

var (
	// errEmpty is a success that says nothing.
	errEmpty = errors.New("the answer is empty, and perhaps not AWS's own")
	errPage  = errors.New("a page for people came instead of AWS's own answer; see what stands between here and AWS")
)

// noPages refuses a success that is a page for people, be it a proxy's: the clients of S3 take any for an answer in which nothing is set.
func noPages(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("NoPages", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		if resp, is := out.RawResponse.(*smithyhttp.Response); is && err == nil && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
			err = errPage
		}
		return out, metadata, err
	}), middleware.Before)
}

// whole is why there is no answer, where a client has an error or an empty one.
func whole(err error) error {
	if err == nil {
		return errEmpty
	}
	return err
}

// block is a public access block of S3 or of S3 Control, which have a type each for the same four.
func block(ignoreACLs, restrictBuckets, blockACLs, blockPolicies *bool) posture.Block {
	return posture.Block{IgnoreACLs: aws.ToBool(ignoreACLs), RestrictBuckets: aws.ToBool(restrictBuckets), BlockACLs: aws.ToBool(blockACLs), BlockPolicies: aws.ToBool(blockPolicies)}
}

// Bucket reads a bucket of the account. Each reading stands for itself: one that is refused leaves the others.
func (r *Reader) Bucket(ctx context.Context, name string) posture.Bucket {
	b := posture.Bucket{Name: name, Account: r.account}
	of, us := &name, &r.account
	b.AccountBlock = read("s3:GetAccountPublicAccessBlock", func() (posture.Block, error) {
		out, err := r.control.GetPublicAccessBlock(ctx, &s3control.GetPublicAccessBlockInput{AccountId: us})
		if err != nil || out.PublicAccessBlockConfiguration == nil {
			return posture.Block{}, whole(err)
		}
		c := out.PublicAccessBlockConfiguration
		return block(c.IgnorePublicAcls, c.RestrictPublicBuckets, c.BlockPublicAcls, c.BlockPublicPolicy), nil
	})
	b.Block = read("s3:GetBucketPublicAccessBlock", func() (posture.Block, error) {
		out, err := r.s3.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: of, ExpectedBucketOwner: us})
		if err != nil || out.PublicAccessBlockConfiguration == nil {
			return posture.Block{}, whole(err)
		}
		c := out.PublicAccessBlockConfiguration
		return block(c.IgnorePublicAcls, c.RestrictPublicBuckets, c.BlockPublicAcls, c.BlockPublicPolicy), nil
	})
	b.Public = read("s3:GetBucketPolicyStatus", func() (bool, error) {
		out, err := r.s3.GetBucketPolicyStatus(ctx, &s3.GetBucketPolicyStatusInput{Bucket: of, ExpectedBucketOwner: us})
		if err != nil {
			return false, err
		}
		if out.PolicyStatus == nil || out.PolicyStatus.IsPublic == nil {
			return false, errEmpty
		}
		return *out.PolicyStatus.IsPublic, nil
	})
	b.Policy = read("s3:GetBucketPolicy", func() (string, error) {
		out, err := r.s3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: of, ExpectedBucketOwner: us})
		if err != nil {
			return "", err
		}
		return aws.ToString(out.Policy), nil
	})
	b.Grantees = read("s3:GetBucketAcl", func() ([]string, error) {
		out, err := r.s3.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: of, ExpectedBucketOwner: us})
		if err != nil {
			return nil, err
		}
		if out.Owner == nil {
			return nil, errEmpty
		}
		var names []string
		for _, g := range out.Grants {
			if g.Grantee == nil || g.Grantee.ID != nil && aws.ToString(g.Grantee.ID) == aws.ToString(out.Owner.ID) {
				continue
			}
			name := aws.ToString(g.Grantee.URI)
			for _, other := range []*string{g.Grantee.ID, g.Grantee.EmailAddress, g.Grantee.DisplayName} {
				if name == "" {
					name = aws.ToString(other)
				}
			}
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		return names, nil
	})
	b.NoACLs = read("s3:GetBucketOwnershipControls", func() (bool, error) {
		out, err := r.s3.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: of, ExpectedBucketOwner: us})
		if err != nil || out.OwnershipControls == nil {
			return false, whole(err)
		}
		return slices.ContainsFunc(out.OwnershipControls.Rules, func(rule types.OwnershipControlsRule) bool {
			return rule.ObjectOwnership == types.ObjectOwnershipBucketOwnerEnforced
		}), nil
	})
	b.AccessPoints = read("s3:ListAccessPoints", func() (points []posture.AccessPoint, err error) {
		for pages := s3control.NewListAccessPointsPaginator(r.control, &s3control.ListAccessPointsInput{AccountId: us, Bucket: of}); pages.HasMorePages(); {
			out, err := pages.NextPage(ctx)
			if err != nil || out.AccessPointList == nil {
				return nil, whole(err)
			}
			for _, p := range out.AccessPointList {
				points = append(points, posture.AccessPoint{Name: aws.ToString(p.Name), Internet: p.NetworkOrigin != control.NetworkOriginVpc})
			}
		}
		return points, nil
	})
	b.Encryption = read("s3:GetEncryptionConfiguration", func() (posture.Encryption, error) {
		out, err := r.s3.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: of, ExpectedBucketOwner: us})
		if err != nil || out.ServerSideEncryptionConfiguration == nil {
			return posture.Encryption{}, whole(err)
		}
		for _, rule := range out.ServerSideEncryptionConfiguration.Rules {
			if by := rule.ApplyServerSideEncryptionByDefault; by != nil {
				return posture.Encryption{Algorithm: string(by.SSEAlgorithm), Key: aws.ToString(by.KMSMasterKeyID)}, nil
			}
		}
		return posture.Encryption{}, nil
	})
	b.Versioned = read("s3:GetBucketVersioning", func() (bool, error) {
		out, err := r.s3.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: of, ExpectedBucketOwner: us})
		return err == nil && out.Status == types.BucketVersioningStatusEnabled, err
	})
	b.Locked = read("s3:GetBucketObjectLockConfiguration", func() (bool, error) {
		out, err := r.s3.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: of, ExpectedBucketOwner: us})
		if err != nil || out.ObjectLockConfiguration == nil {
			return false, whole(err)
		}
		return out.ObjectLockConfiguration.ObjectLockEnabled == types.ObjectLockEnabledEnabled, nil
	})
	b.Replicates = read("s3:GetReplicationConfiguration", func() (to []string, err error) {
		out, err := r.s3.GetBucketReplication(ctx, &s3.GetBucketReplicationInput{Bucket: of, ExpectedBucketOwner: us})
		if err != nil || out.ReplicationConfiguration == nil {
			return nil, whole(err)
		}
		for _, rule := range out.ReplicationConfiguration.Rules {
			if rule.Status == types.ReplicationRuleStatusEnabled && rule.Destination != nil {
				to = append(to, aws.ToString(rule.Destination.Bucket))
			}
		}
		return to, nil
	})
	b.LogsTo = read("s3:GetBucketLogging", func() (string, error) {
		out, err := r.s3.GetBucketLogging(ctx, &s3.GetBucketLoggingInput{Bucket: of, ExpectedBucketOwner: us})
		if err != nil || out.LoggingEnabled == nil {
			return "", err
		}
		return aws.ToString(out.LoggingEnabled.TargetBucket), nil
	})
	return b
}

// User reads an IAM user of the account.
func (r *Reader) User(ctx context.Context, name string) posture.User {
	u := posture.User{Name: name}
	user := read("iam:GetUser", func() (posture.User, error) {
		out, err := r.iam.GetUser(ctx, &iam.GetUserInput{UserName: &name})
		if err != nil || out.User == nil {
			return posture.User{}, whole(err)
		}
		is := posture.User{ARN: aws.ToString(out.User.Arn)}
		if held := out.User.PermissionsBoundary; held != nil {
			is.Boundary.Is = aws.ToString(held.PermissionsBoundaryArn)
		}
		return is, nil
	})
	u.ARN, u.Boundary = user.Is.ARN, posture.Read[string]{Is: user.Is.Boundary.Is, Err: user.Err}
	advised := r.advised(ctx, posture.Read[string]{Is: user.Is.ARN, Err: user.Err}) // which IAM writes while the rest is read
	var all sync.WaitGroup
	all.Go(func() {
		u.Keys = read("iam:ListAccessKeys", func() ([]posture.Key, error) { return r.keys(ctx, name) })
	})
	all.Go(func() { u.Devices = read("iam:ListMFADevices", func() (int, error) { return r.devices(ctx, name) }) })
	all.Go(func() {
		u.Console = read("iam:GetLoginProfile", func() (bool, error) {
			_, err := r.iam.GetLoginProfile(ctx, &iam.GetLoginProfileInput{UserName: &name})
			return err == nil, err
		}, "NoSuchEntity")
		// That there is no login profile means something only of a user who exists.
		if user.Err != "" && !u.Console.Is && u.Console.Err == "" {
			u.Console.Err = user.Err
		}
	})
	all.Go(func() {
		u.Policies = read("the policies of the user", func() ([]posture.Policy, error) { return r.policies(ctx, name) })
	})
	all.Wait()
	u.Services = advised()
	return u
}

// Role reads an IAM role of the account.
func (r *Reader) Role(ctx context.Context, name string) posture.Role {
	is := posture.Role{Name: name, Account: r.account}
	role := read("iam:GetRole", func() (iamtypes.Role, error) {
		out, err := r.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
		if err != nil || out.Role == nil {
			return iamtypes.Role{}, whole(err)
		}
		return *out.Role, nil
	})
	is.ARN, is.Trust = aws.ToString(role.Is.Arn), posture.Read[string]{Is: decoded(role.Is.AssumeRolePolicyDocument), Err: role.Err}
	is.Boundary.Err, is.LastUsed.Err = role.Err, role.Err
	if held := role.Is.PermissionsBoundary; held != nil {
		is.Boundary.Is = aws.ToString(held.PermissionsBoundaryArn)
	}
	if used := role.Is.RoleLastUsed; used != nil {
		is.LastUsed.Is = posture.Use{At: aws.ToTime(used.LastUsedDate), Region: aws.ToString(used.Region)}
	}
	advised := r.advised(ctx, posture.Read[string]{Is: is.ARN, Err: role.Err})
	is.Policies = read("the policies of the role", func() ([]posture.Policy, error) {
		of, err := r.ofRole(ctx, name)
		if err != nil {
			return nil, err
		}
		return texts(of)
	})
	is.Services = advised()
	return is
}

// advised has IAM write a report on the services that a user or a role has tried, by its ARN, and returns what waits for it and reads it: it takes IAM some seconds. That
// nothing else is changed by the report is why AWS calls both of its actions reading ones.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GenerateServiceLastAccessedDetails.html
func (r *Reader) advised(ctx context.Context, arn posture.Read[string]) func() posture.Read[[]posture.Service] {
	job := posture.Read[string]{Err: arn.Err}
	if job.Err == "" {
		job = read("iam:GenerateServiceLastAccessedDetails", func() (string, error) {
			out, err := r.iam.GenerateServiceLastAccessedDetails(ctx, &iam.GenerateServiceLastAccessedDetailsInput{Arn: &arn.Is})
			if err != nil || aws.ToString(out.JobId) == "" {
				return "", whole(err)
			}
			return *out.JobId, nil
		})
	}
	if job.Err != "" {
		return func() posture.Read[[]posture.Service] { return posture.Read[[]posture.Service]{Err: job.Err} }
	}
	until := time.Now().Add(advice)
	return func() posture.Read[[]posture.Service] {
		return read("iam:GetServiceLastAccessedDetails", func() ([]posture.Service, error) { return r.services(ctx, job.Is, until) })
	}
}

// errUnwritten is that a report was not written in time.
var errUnwritten = fmt.Errorf("IAM had not written its report after %s; try again", advice)

// services reads the report of a job, once IAM has written it.
func (r *Reader) services(ctx context.Context, job string, until time.Time) (all []posture.Service, err error) {
	in := &iam.GetServiceLastAccessedDetailsInput{JobId: &job, MaxItems: aws.Int32(1000)}
	for pause := patience.Poll; ; {
		out, err := r.iam.GetServiceLastAccessedDetails(ctx, in)
		if err != nil {
			return nil, err
		}
		switch out.JobStatus {
		case iamtypes.JobStatusTypeCompleted:
			for _, s := range out.ServicesLastAccessed {
				all = append(all, posture.Service{Name: aws.ToString(s.ServiceNamespace), Tried: aws.ToTime(s.LastAuthenticated)})
			}
			if in.Marker = out.Marker; !out.IsTruncated {
				return all, nil
			}
			if aws.ToString(in.Marker) == "" {
				return nil, errEmpty
			}
		case iamtypes.JobStatusTypeInProgress:
			wait := pause.Next()
			if time.Now().Add(wait).After(until) {
				return nil, errUnwritten
			}
			if err := patience.Wait(ctx, wait); err != nil {
				return nil, err
			}
		case iamtypes.JobStatusTypeFailed:
			if out.Error == nil {
				return nil, errors.New("IAM failed to write its report, and does not say why")
			}
			return nil, fmt.Errorf("IAM failed to write its report: %s", prose.Safe(aws.ToString(out.Error.Code)))
		default:
			return nil, errEmpty
		}
	}
}

// listed reads all pages of one of IAM's listings.
func listed[Out, T any](ctx context.Context, pages interface {
	HasMorePages() bool
	NextPage(context.Context, ...func(*iam.Options)) (Out, error)
}, on func(Out) []T) (all []T, err error) {
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, on(out)...)
	}
	return all, nil
}

func (r *Reader) keys(ctx context.Context, user string) (keys []posture.Key, err error) {
	all, err := listed(ctx, iam.NewListAccessKeysPaginator(r.iam, &iam.ListAccessKeysInput{UserName: &user}), func(out *iam.ListAccessKeysOutput) []iamtypes.AccessKeyMetadata { return out.AccessKeyMetadata })
	for _, k := range all {
		key := posture.Key{ID: aws.ToString(k.AccessKeyId), Active: k.Status == "Active", Created: aws.ToTime(k.CreateDate)}
		used, err := r.iam.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: k.AccessKeyId})
		if err != nil {
			return nil, err
		}
		if used.AccessKeyLastUsed != nil {
			key.LastUsed = aws.ToTime(used.AccessKeyLastUsed.LastUsedDate)
		}
		keys = append(keys, key)
	}
	return keys, err
}

func (r *Reader) devices(ctx context.Context, user string) (n int, err error) {
	all, err := listed(ctx, iam.NewListMFADevicesPaginator(r.iam, &iam.ListMFADevicesInput{UserName: &user}), func(out *iam.ListMFADevicesOutput) []iamtypes.MFADevice { return out.MFADevices })
	return len(all), err
}

// bound is a policy of a user or a role, and what reads its text.
type bound struct {
	name, by string
	text     func() (string, error)
}

// policies are all of a user: its own, those attached to it, and those of its groups.
func (r *Reader) policies(ctx context.Context, user string) ([]posture.Policy, error) {
	groups, err := listed(ctx, iam.NewListGroupsForUserPaginator(r.iam, &iam.ListGroupsForUserInput{UserName: &user}), func(out *iam.ListGroupsForUserOutput) []iamtypes.Group { return out.Groups })
	if err != nil {
		return nil, err
	}
	lists := make([][]bound, 1+len(groups))
	err = each(len(lists), func(i int) (err error) {
		if i == 0 {
			lists[i], err = r.ofUser(ctx, user)
		} else {
			lists[i], err = r.ofGroup(ctx, aws.ToString(groups[i-1].GroupName))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return texts(slices.Concat(lists...))
}

// texts reads policies. There may be some hundred, so they are read beside each other.
func texts(of []bound) ([]posture.Policy, error) {
	all := make([]posture.Policy, len(of))
	err := each(len(of), func(i int) error {
		text, err := of[i].text()
		all[i] = posture.Policy{Name: of[i].name, By: of[i].by, Text: text}
		return err
	})
	return all, err
}

// each does n things, some at a time, and returns the first error of all, in their order.
func each(n int, do func(i int) error) error {
	failed := make([]error, n)
	workers.Pool{Size: atOnce}.Each(n, func(i int) { failed[i] = do(i) })
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Reader) ofUser(ctx context.Context, user string) ([]bound, error) {
	names, err := listed(ctx, iam.NewListUserPoliciesPaginator(r.iam, &iam.ListUserPoliciesInput{UserName: &user}), func(out *iam.ListUserPoliciesOutput) []string { return out.PolicyNames })
	if err != nil {
		return nil, err
	}
	attached, err := listed(ctx, iam.NewListAttachedUserPoliciesPaginator(r.iam, &iam.ListAttachedUserPoliciesInput{UserName: &user}), func(out *iam.ListAttachedUserPoliciesOutput) []iamtypes.AttachedPolicy { return out.AttachedPolicies })
	return r.bind(ctx, "inline", "attached", names, attached, func(name *string) (*string, error) {
		p, err := r.iam.GetUserPolicy(ctx, &iam.GetUserPolicyInput{UserName: &user, PolicyName: name})
		if err != nil {
			return nil, err
		}
		return p.PolicyDocument, nil
	}), err
}

func (r *Reader) ofGroup(ctx context.Context, group string) ([]bound, error) {
	names, err := listed(ctx, iam.NewListGroupPoliciesPaginator(r.iam, &iam.ListGroupPoliciesInput{GroupName: &group}), func(out *iam.ListGroupPoliciesOutput) []string { return out.PolicyNames })
	if err != nil {
		return nil, err
	}
	attached, err := listed(ctx, iam.NewListAttachedGroupPoliciesPaginator(r.iam, &iam.ListAttachedGroupPoliciesInput{GroupName: &group}), func(out *iam.ListAttachedGroupPoliciesOutput) []iamtypes.AttachedPolicy { return out.AttachedPolicies })
	return r.bind(ctx, "group "+group, "group "+group, names, attached, func(name *string) (*string, error) {
		p, err := r.iam.GetGroupPolicy(ctx, &iam.GetGroupPolicyInput{GroupName: &group, PolicyName: name})
		if err != nil {
			return nil, err
		}
		return p.PolicyDocument, nil
	}), err
}

func (r *Reader) ofRole(ctx context.Context, role string) ([]bound, error) {
	names, err := listed(ctx, iam.NewListRolePoliciesPaginator(r.iam, &iam.ListRolePoliciesInput{RoleName: &role}), func(out *iam.ListRolePoliciesOutput) []string { return out.PolicyNames })
	if err != nil {
		return nil, err
	}
	attached, err := listed(ctx, iam.NewListAttachedRolePoliciesPaginator(r.iam, &iam.ListAttachedRolePoliciesInput{RoleName: &role}), func(out *iam.ListAttachedRolePoliciesOutput) []iamtypes.AttachedPolicy { return out.AttachedPolicies })
	return r.bind(ctx, "inline", "attached", names, attached, func(name *string) (*string, error) {
		p, err := r.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &role, PolicyName: name})
		if err != nil {
			return nil, err
		}
		return p.PolicyDocument, nil
	}), err
}

// bind are the inline policies of somebody, by their names, whose text own reads, and those attached, each with by what it is somebody's.
func (r *Reader) bind(ctx context.Context, inline, attached string, names []string, managed []iamtypes.AttachedPolicy, own func(name *string) (*string, error)) (all []bound) {
	for _, name := range names {
		all = append(all, bound{name, inline, func() (string, error) {
			document, err := own(&name)
			return decoded(document), err
		}})
	}
	for _, p := range managed {
		all = append(all, bound{aws.ToString(p.PolicyName), attached, func() (string, error) { return r.managed(ctx, p.PolicyArn) }})
	}
	return all
}

// managed is the default version of a managed policy.
func (r *Reader) managed(ctx context.Context, arn *string) (string, error) {
	p, err := r.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: arn})
	if err != nil {
		return "", err
	}
	if p.Policy == nil {
		return "", errors.New("the answer has no policy")
	}
	v, err := r.iam.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: arn, VersionId: p.Policy.DefaultVersionId})
	if err != nil {
		return "", err
	}
	if v.PolicyVersion == nil {
		return "", errors.New("the answer has no policy version")
	}
	return decoded(v.PolicyVersion.Document), nil
}

// decoded is a policy as text: IAM escapes it as a URL does, after RFC 3986. https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUserPolicy.html
func decoded(document *string) string {
	if text, err := url.PathUnescape(aws.ToString(document)); err == nil {
		return text
	}
	return aws.ToString(document)
}
