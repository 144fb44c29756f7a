// Package cloudtrail reads CloudTrail's trails: GetTrail, GetTrailStatus and GetEventSelectors, and of a trail that records an organization
// the organization's id, which stands in the paths of its files; and CloudTrail Lake's event data stores.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetTrail.html
package cloudtrail

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"

	"nightlatch/internal/awserr"
	"nightlatch/internal/grant"
	"nightlatch/internal/trail"
)

// callTimeout bounds one call with its retries.
const callTimeout = 15 * time.Second

// backoff bounds the wait between two attempts.
const backoff = time.Second

// Trails are the trails that one account sees, of any region: its own, and those of its organization. It is safe for use by several goroutines.
type Trails struct {
	client        *cloudtrail.Client
	organizations *organizations.Client
}

var (
	_ trail.Reader      = (*Trails)(nil)
	_ trail.StoreReader = (*Trails)(nil)
)

// New reaches the trails with cfg's credentials, each in its own region.
func New(cfg aws.Config) (*Trails, error) {
	switch {
	case cfg.Credentials == nil:
		return nil, errors.New("the trails need credentials, and the AWS configuration has none; sign in or set a profile")
	case cfg.Region == "":
		return nil, errors.New("the trails need a region, and the AWS configuration has none; set AWS_REGION")
	}
	cfg = cfg.Copy()
	cfg.Retryer = func() aws.Retryer { return awserr.Retries(3, backoff, backoff) }
	return &Trails{cloudtrail.NewFromConfig(cfg), organizations.NewFromConfig(cfg)}, nil
}

// StoreGrants are the permissions that ReadStore needs.
func StoreGrants() []grant.Grant {
	return []grant.Grant{{Sid: "ReadTheStore", Actions: []string{"cloudtrail:GetEventDataStore"}, On: []string{"${EventDataStore}"}}}
}

// Grants are the permissions that Read needs.
func Grants() []grant.Grant {
	return []grant.Grant{
		{Sid: "ReadTheTrail", Actions: []string{"cloudtrail:GetTrail", "cloudtrail:GetTrailStatus", "cloudtrail:GetEventSelectors"}, On: []string{"${Trail}"}},
		{
			Sid: "KnowTheOrganization", Actions: []string{"organizations:DescribeOrganization"}, On: []string{"*"},
			Why: "The call takes no resource (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsorganizations.html).",
		},
	}
}

// Read reads a trail, as it is configured and as it is doing. The calls go to the region in which it was made: in others it is a shadow of itself
// (https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DescribeTrails.html). A member account sees its organization's trails by their
// ARNs (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-trail-organization.html); that AWS hides their selectors from it is
// known from others' code alone, and what it refuses of an organization's trail is Hidden.
func (t *Trails) Read(ctx context.Context, arn string) (trail.Trail, error) {
	out := trail.Trail{ARN: arn}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	home := func(o *cloudtrail.Options) { o.Region = strings.Split(arn+":::", ":")[3] }
	got, err := t.client.GetTrail(ctx, &cloudtrail.GetTrailInput{Name: &arn}, home)
	if err == nil && got.Trail == nil {
		err = errStrange
	}
	if err != nil {
		return trail.Trail{}, failed("cloudtrail:GetTrail", arn, err)
	}
	out.Bucket, out.Prefix, out.Key = aws.ToString(got.Trail.S3BucketName), aws.ToString(got.Trail.S3KeyPrefix), aws.ToString(got.Trail.KmsKeyId)
	out.MultiRegion = aws.ToBool(got.Trail.IsMultiRegionTrail)
	ofOrganization := aws.ToBool(got.Trail.IsOrganizationTrail)
	if err := t.working(ctx, &out, home); err != nil {
		if !ofOrganization || !hidden(err) {
			return trail.Trail{}, err
		}
		out.Hidden = err.Error()
	}
	if !ofOrganization {
		return out, nil
	}
	org, err := t.organizations.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})
	if err == nil && (org.Organization == nil || aws.ToString(org.Organization.Id) == "") {
		err = errStrange
	}
	if err != nil {
		return trail.Trail{}, failed("organizations:DescribeOrganization", arn, err)
	}
	out.Organization = *org.Organization.Id
	return out, nil
}

// working reads how a trail is doing, and what it selects.
func (t *Trails) working(ctx context.Context, out *trail.Trail, home func(*cloudtrail.Options)) error {
	status, err := t.client.GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: &out.ARN}, home)
	if err != nil {
		return failed("cloudtrail:GetTrailStatus", out.ARN, err)
	}
	out.Logging, out.DeliveryError = aws.ToBool(status.IsLogging), aws.ToString(status.LatestDeliveryError)
	out.Delivered, out.Started = aws.ToTime(status.LatestDeliveryTime), aws.ToTime(status.StartLoggingTime)
	selectors, err := t.client.GetEventSelectors(ctx, &cloudtrail.GetEventSelectorsInput{TrailName: &out.ARN}, home)
	if err != nil {
		return failed("cloudtrail:GetEventSelectors", out.ARN, err)
	}
	out.Selectors = selectorsOf(selectors)
	return nil
}

// ReadStore reads an event data store, which may be another region's or account's.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetEventDataStore.html
func (t *Trails) ReadStore(ctx context.Context, arn string) (trail.Trail, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	parts := strings.Split(arn, ":")
	if len(parts) < 6 {
		return trail.Trail{}, fmt.Errorf("%+q is not the ARN of an event data store", arn)
	}
	got, err := t.client.GetEventDataStore(ctx, &cloudtrail.GetEventDataStoreInput{EventDataStore: &arn}, func(o *cloudtrail.Options) { o.Region = parts[3] })
	if err == nil && got.EventDataStoreArn == nil {
		err = errStrange
	}
	if err != nil {
		return trail.Trail{}, failed("cloudtrail:GetEventDataStore", arn, err)
	}
	return trail.Trail{ARN: arn, MultiRegion: aws.ToBool(got.MultiRegionEnabled), Logging: got.Status == types.EventDataStoreStatusEnabled,
		Selectors: advanced(got.AdvancedEventSelectors)}, nil
}

// selectorsOf are a trail's selectors of either kind; it has only one of them.
func selectorsOf(got *cloudtrail.GetEventSelectorsOutput) []trail.Selector {
	all := advanced(got.AdvancedEventSelectors)
	for _, s := range got.EventSelectors {
		// AWS leaves out what is the default: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_EventSelector.html
		b := trail.Basic{ReadWrite: string(s.ReadWriteType), Management: s.IncludeManagementEvents == nil || *s.IncludeManagementEvents, Exclude: s.ExcludeManagementEventSources}
		for _, r := range s.DataResources {
			if aws.ToString(r.Type) == "AWS::S3::Object" {
				b.Objects = append(b.Objects, r.Values...)
			}
		}
		all = append(all, b.Selectors()...)
	}
	return all
}

func advanced(selectors []types.AdvancedEventSelector) []trail.Selector {
	var all []trail.Selector
	for _, s := range selectors {
		var one trail.Selector
		for _, f := range s.FieldSelectors {
			one = append(one, trail.Condition{Field: aws.ToString(f.Field), Equals: f.Equals, StartsWith: f.StartsWith, EndsWith: f.EndsWith,
				NotEquals: f.NotEquals, NotStartsWith: f.NotStartsWith, NotEndsWith: f.NotEndsWith})
		}
		all = append(all, one)
	}
	return all
}
