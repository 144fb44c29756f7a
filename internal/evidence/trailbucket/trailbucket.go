// Package trailbucket reads whether others than CloudTrail can write into the bucket that holds a trail's files, or delete from it: its policy
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicy.html) and its lifecycle
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLifecycleConfiguration.html).
//
// Evidence that others can write may be forged, against whom they like. A policy that denies is judged, and no policy that allows: who may
// write by his own rights changes from hour to hour. Whoever may change the bucket's policy can open it, write, and close it again: that call is
// heard by the deployment's rules, and not seen here.
package trailbucket

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"nightlatch/internal/awserr"
	"nightlatch/internal/evidence"
	"nightlatch/internal/grant"
	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/settings"
)

const (
	// callTimeout bounds one call with its retries: S3 answers these in a tenth of a second, and beside them a query runs for seconds.
	callTimeout = 10 * time.Second
	// attempts and backoff are how often a call is made that is throttled or cut off, and the longest wait between two.
	attempts, backoff = 3, time.Second
)

// Settings say which bucket it is.
type Settings struct {
	// Location is where the trail's files lie, s3://BUCKET/[PREFIX/]AWSLogs/[ORGANIZATION/].
	Location string
	// Accounts are those whose folders there are read, 12 digits each.
	Accounts []string
	// Stated: the deployer says that nobody else can write there, whatever is read.
	Stated bool
}

// Bucket is the bucket of a trail's files. Several goroutines may ask it at once.
type Bucket struct {
	client *s3.Client
	name   string
	// folders are the accounts', by what the keys in them begin with.
	folders []string
	stated  bool
}

var location = lazyregexp.New(`\As3://(` + settings.BucketName + `)/((?:[^\x00-\x20\x7f$]+/)?AWSLogs/(?:o-[a-z0-9]{10,32}/)?)\z`)

// New prepares to read the bucket. It makes no call. The bucket may be in another region than cfg's.
func New(cfg aws.Config, s Settings) (*Bucket, error) {
	found := location.FindStringSubmatch(s.Location)
	if found == nil {
		return nil, fmt.Errorf("%q is not where a trail's files lie: it looks like s3://BUCKET/[PREFIX/]AWSLogs/[ORGANIZATION/]", s.Location)
	}
	if len(s.Accounts) == 0 {
		return nil, errors.New("no account is given whose files are read: give at least the deployment's own")
	}
	var folders []string
	for _, id := range s.Accounts {
		folders = append(folders, found[2]+id+"/")
	}
	return &Bucket{name: found[1], folders: folders, stated: s.Stated, client: s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.Retryer = awserr.Retries(attempts, backoff, backoff)
	})}, nil
}

// Grants are the permissions for the calls that a Bucket makes. ${TrailBucket} is the bucket's ARN.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
func Grants() []grant.Grant {
	return []grant.Grant{{
		Sid:     "ReadTheTrailBucketsSeal",
		Actions: []string{policyRead, lifecycleRead},
		On:      []string{"${TrailBucket}"},
	}}
}

const policyRead, lifecycleRead = "s3:GetBucketPolicy", "s3:GetLifecycleConfiguration"

// Seal reads the bucket now, with two calls at once. What cannot be read is open, or stated where the deployer says so; it gives no error.
// Doctor's check is the same call.
func (b *Bucket) Seal(ctx context.Context) evidence.Seal {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	lifetime := make(chan []string, 1)
	go func() { lifetime <- b.lifetime(ctx) }()
	why := append(b.writers(ctx), <-lifetime...)
	switch {
	case len(why) == 0:
		return evidence.Seal{Sealed: evidence.Proved}
	case b.stated:
		return evidence.Seal{Sealed: evidence.Stated, Why: why}
	}
	return evidence.Seal{Sealed: evidence.Open, Why: why}
}

// writers are what the bucket's policy does not deny to all but CloudTrail, or why it could not be read.
func (b *Bucket) writers(ctx context.Context) []string {
	var text string
	err := b.call(func(region func(*s3.Options)) error {
		out, err := b.client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &b.name}, region)
		if err == nil {
			text = aws.ToString(out.Policy)
		}
		return err
	})
	if coded(err, "NoSuchBucketPolicy") {
		return []string{fmt.Sprintf("the bucket %q has no policy: whoever may write to any bucket of its account can write there", b.name)}
	}
	if err != nil {
		return []string{b.failed(policyRead, err)}
	}
	return judge(text, b.name, b.folders)
}

// lifetime are the rules by which files go away within the history, or why they could not be read.
func (b *Bucket) lifetime(ctx context.Context) []string {
	var out *s3.GetBucketLifecycleConfigurationOutput
	err := b.call(func(region func(*s3.Options)) (err error) {
		out, err = b.client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &b.name}, region)
		return err
	})
	switch {
	case coded(err, "NoSuchLifecycleConfiguration"):
		return nil
	case err != nil:
		return []string{b.failed(lifecycleRead, err)}
	}
	return shortLived(out.Rules, b.folders)
}

// call makes a call, and once more in the bucket's own region, which S3 names where it is another.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html
func (b *Bucket) call(make func(region func(*s3.Options)) error) error {
	err := make(func(*s3.Options) {})
	var resp *smithyhttp.ResponseError
	if errors.As(err, &resp) && resp.Response != nil && (coded(err, "PermanentRedirect") || coded(err, "AuthorizationHeaderMalformed")) {
		if region := resp.Response.Header.Get("X-Amz-Bucket-Region"); regions.MatchString(region) {
			return make(func(o *s3.Options) { o.Region = region })
		}
	}
	return err
}

var regions = lazyregexp.New(`\A[a-z]{2}(-[a-z]+)+-[0-9]{1,2}\z`)

// coded reports whether S3 itself refused with a code: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func coded(err error, code string) bool {
	refused, _ := awserr.Refusal(err)
	return refused != nil && refused.ErrorCode() == code
}

// failed is the clause about a call that failed: what was asked of what, and what to do about it.
func (b *Bucket) failed(action string, err error) string {
	on := fmt.Sprintf("bucket %q", b.name)
	refused, status := awserr.Refusal(err)
	if refused == nil {
		return awserr.Silence{Doing: "calling " + action + " on " + on, Service: "S3", Ended: "; ask again", Late: "; ask again", Reach: "the function reaches S3"}.Sentence(status, err).Error()
	}
	switch code := refused.ErrorCode(); {
	case code == "AccessDenied" || code == "MethodNotAllowed": // the latter is the answer to whoever is not of the bucket's account
		return grant.Denied(action, on, refused.ErrorMessage()).Error() + "; a bucket of another account cannot be read from here: deploy with sealed=stated once you know that nobody else can write into it"
	case awserr.Throttled(code):
		return fmt.Sprintf("calling %s on %s: S3 is throttling the account's calls; ask again", action, on)
	default:
		return fmt.Sprintf("calling %s on %s: S3 refused with %q (%s)", action, on, refused.ErrorMessage(), code)
	}
}
