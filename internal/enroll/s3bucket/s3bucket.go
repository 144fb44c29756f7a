// Package s3bucket switches the request metrics of Amazon S3 buckets on and off.
//
// The calls are GetBucketMetricsConfiguration, PutBucketMetricsConfiguration, DeleteBucketMetricsConfiguration and ListBuckets:
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketMetricsConfiguration.html. A put replaces whatever has the same id,
// and there is no condition to prevent that: enroll reads first.
package s3bucket

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"nightlatch/internal/awserr"
	"nightlatch/internal/enroll"
	"nightlatch/internal/grant"
)

const (
	// callTimeout bounds one call with its retries. S3 answers these in a tenth of a second, and one bucket that hangs must not use
	// up the time of the others.
	callTimeout = 15 * time.Second
	// backoff bounds the wait between two attempts.
	backoff = time.Second
	// pageSize is the most buckets that one answer of ListBuckets is asked for.
	pageSize = 1000
)

// Buckets are the buckets of an account. It is safe for use by several goroutines.
type Buckets struct{ client *s3.Client }

var _ enroll.Metrics = (*Buckets)(nil)

// New reaches the buckets of cfg's region with cfg's credentials.
func New(cfg aws.Config) (*Buckets, error) {
	switch {
	case cfg.Credentials == nil:
		return nil, errors.New("the buckets need credentials, and the AWS configuration has none; sign in or set a profile")
	case cfg.Region == "":
		return nil, errors.New("the buckets need a region, and the AWS configuration has none; set AWS_REGION")
	}
	return &Buckets{s3.NewFromConfig(cfg, func(o *s3.Options) {
		// Every one of the calls can be repeated: to put the same configuration twice, or to delete it twice, is to do it once.
		o.Retryer = awserr.Retries(3, backoff, backoff, func(o *retry.StandardOptions) {
			o.Retryables = append(o.Retryables, retry.RetryableErrorCode{Codes: map[string]struct{}{aborted: {}}})
		})
	})}, nil
}

// Grants are the permissions that the package needs. Deleting needs the permission to put
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketMetricsConfiguration.html). IAM knows no condition on a
// configuration's id.
func Grants() []grant.Grant {
	return []grant.Grant{
		{
			Sid: "EnrolBuckets", Actions: []string{"s3:GetMetricsConfiguration", "s3:PutMetricsConfiguration"},
			On:   []string{"arn:${Partition}:s3:::*"},
			When: map[string]map[string]string{"StringEquals": {"aws:ResourceAccount": "${Account}"}},
			Why: "An update takes a bucket's name out of the role's policy before the configuration is taken off the bucket, so that it is every bucket " +
				"of this account, and not those of the setting.",
		},
		{
			Sid: "FindBuckets", Actions: []string{"s3:ListAllMyBuckets"}, On: []string{"*"},
			Why: "The call takes no resource (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html).",
		},
	}
}

// TagGrants are the permission that Tags needs beside the others.
func TagGrants() []grant.Grant {
	return []grant.Grant{{Sid: "ReadBucketTags", Actions: []string{"s3:GetBucketTagging"}, On: []string{"arn:${Partition}:s3:::*"},
		When: map[string]map[string]string{"StringEquals": {"aws:ResourceAccount": "${Account}"}},
		Why:  "Which buckets have the tag is not known before they are asked."}}
}

// ReadGrants are the permissions that Buckets and Read need.
func ReadGrants() []grant.Grant {
	return []grant.Grant{
		{Sid: "ReadRequestMetrics", Actions: []string{"s3:GetMetricsConfiguration"}, On: []string{"arn:${Partition}:s3:::*"},
			When: map[string]map[string]string{"StringEquals": {"aws:ResourceAccount": "${Account}"}},
			Why:  "Every bucket of the account may be watched, and those made later too."},
		{Sid: "FindBuckets", Actions: []string{"s3:ListAllMyBuckets"}, On: []string{"*"},
			Why: "The call takes no resource (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html)."},
	}
}

// Buckets lists all buckets of the account. An answer to a call with a parameter, such as the page's size, names each bucket's region.
func (b *Buckets) Buckets(ctx context.Context) ([]enroll.Bucket, error) {
	var all []enroll.Bucket
	pages := s3.NewListBucketsPaginator(b.client, &s3.ListBucketsInput{MaxBuckets: aws.Int32(pageSize)})
	for pages.HasMorePages() {
		page, err := b.page(ctx, pages)
		if err != nil {
			return nil, failed("s3:ListAllMyBuckets", "", err)
		}
		for _, found := range page.Buckets {
			all = append(all, enroll.Bucket{Name: aws.ToString(found.Name), Region: aws.ToString(found.BucketRegion)})
		}
	}
	return all, nil
}

func (b *Buckets) page(ctx context.Context, pages *s3.ListBucketsPaginator) (*s3.ListBucketsOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return pages.NextPage(ctx)
}

// Read reads the configuration with an id.
func (b *Buckets) Read(ctx context.Context, bucket, id string) (enroll.State, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := b.client.GetBucketMetricsConfiguration(ctx, &s3.GetBucketMetricsConfigurationInput{Bucket: &bucket, Id: &id})
	switch {
	case absent(err):
		return enroll.Absent, nil
	case err != nil:
		return enroll.Unknown, failed("s3:GetMetricsConfiguration", bucket, err)
	case out.MetricsConfiguration == nil || aws.ToString(out.MetricsConfiguration.Id) != id:
		return enroll.Unknown, strange("s3:GetMetricsConfiguration", bucket)
	case out.MetricsConfiguration.Filter != nil:
		return enroll.Part, nil
	}
	return enroll.Whole, nil
}

// Tags reads a bucket's tags. https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketTagging.html
func (b *Buckets) Tags(ctx context.Context, bucket string) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := b.client.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: &bucket})
	if untagged(err) {
		return nil, nil
	}
	if err != nil {
		return nil, failed("s3:GetBucketTagging", bucket, err)
	}
	tags := map[string]string{}
	for _, t := range out.TagSet {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return tags, nil
}

// Enrol puts a configuration without a filter.
func (b *Buckets) Enrol(ctx context.Context, bucket, id string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := b.client.PutBucketMetricsConfiguration(ctx, &s3.PutBucketMetricsConfigurationInput{
		Bucket: &bucket, Id: &id, MetricsConfiguration: &types.MetricsConfiguration{Id: &id},
	})
	if err != nil {
		return failed("s3:PutMetricsConfiguration", bucket, err)
	}
	return nil
}

// Withdraw deletes a configuration.
func (b *Buckets) Withdraw(ctx context.Context, bucket, id string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := b.client.DeleteBucketMetricsConfiguration(ctx, &s3.DeleteBucketMetricsConfigurationInput{Bucket: &bucket, Id: &id})
	if err != nil && !absent(err) {
		return failed("s3:PutMetricsConfiguration", bucket, err)
	}
	return nil
}
