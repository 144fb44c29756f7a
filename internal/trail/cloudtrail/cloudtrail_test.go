package cloudtrail

import (
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/awstest"
	"nightlatch/internal/trail"
	"nightlatch/internal/trail/cloudtrail/trailtest"
)

const aTrail = "arn:aws:cloudtrail:eu-west-1:111122223333:trail/main"

func newTrails(t *testing.T) (*Trails, *trailtest.Server) {
	t.Helper()
	fake := trailtest.New()
	fake.Make(aTrail, "files")
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	trails, err := New(awstest.Config(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	return trails, fake
}

func TestATrailIsRead(t *testing.T) {
	trails, fake := newTrails(t)
	management := trail.Basic{Management: true}.Selectors()
	objects := trail.Basic{Objects: []string{"arn:aws:s3"}}.Selectors()
	want := trail.Trail{ARN: aTrail, Bucket: "files", MultiRegion: true, Logging: true, Delivered: time.Unix(1.7e9, 0).UTC(), Selectors: append(management, objects...)}
	want.Selectors[0][1].NotEquals = []string{}
	got, err := trails.Read(t.Context(), aTrail)
	if diff := cmp.Diff(got, want); err != nil || diff != "" {
		t.Errorf("%v: got -, want +:\n%s", err, diff)
	}
	if calls := fake.Calls(); !slices.Equal(calls, []string{"GetTrail", "GetTrailStatus", "GetEventSelectors"}) {
		t.Errorf("the calls are %q", calls)
	}
	fake.Join("o-exampleorg")
	fake.Change(aTrail, func(tr *trailtest.Trail) {
		tr.Trail["IsOrganizationTrail"], tr.Trail["S3KeyPrefix"], tr.Trail["KmsKeyId"] = true, "a/b", "arn:aws:kms:eu-west-1:111122223333:key/1"
		tr.Trail["IsMultiRegionTrail"] = false
		tr.Status["IsLogging"], tr.Status["LatestDeliveryError"] = false, "AccessDenied"
		tr.Selectors = trailtest.Object{"AdvancedEventSelectors": []trailtest.Object{{"Name": "x", "FieldSelectors": []trailtest.Object{
			{"Field": "eventCategory", "Equals": []string{"Data"}}, {"Field": "resources.ARN", "StartsWith": []string{"a"}, "NotStartsWith": []string{"b"}, "EndsWith": []string{"c"},
				"NotEndsWith": []string{"d"}, "NotEquals": []string{"e"}}}}}}
	})
	want = trail.Trail{ARN: aTrail, Bucket: "files", Prefix: "a/b", Organization: "o-exampleorg", Key: "arn:aws:kms:eu-west-1:111122223333:key/1", DeliveryError: "AccessDenied", Delivered: time.Unix(1.7e9, 0).UTC(),
		Selectors: []trail.Selector{{{Field: "eventCategory", Equals: []string{"Data"}}, {Field: "resources.ARN", StartsWith: []string{"a"}, NotStartsWith: []string{"b"},
			EndsWith: []string{"c"}, NotEndsWith: []string{"d"}, NotEquals: []string{"e"}}}}}
	got, err = trails.Read(t.Context(), aTrail)
	if diff := cmp.Diff(got, want); err != nil || diff != "" {
		t.Errorf("%v: got -, want +:\n%s", err, diff)
	}
}

// Each failure is one sentence that names the trail, and what to do.
func TestEachFailureIsASentence(t *testing.T) {
	const denied = "User: arn:aws:sts::111122223333:assumed-role/x/y is not authorized to perform: cloudtrail:GetTrail because no identity-based policy allows it"
	for _, c := range []struct {
		operation, code, message, want string
	}{
		{"GetTrail", "TrailNotFoundException", "x", "there is no such trail; correct the setting trail, or let one be made: -c trail=create"},
		{"GetTrail", "CloudTrailARNInvalidException", "x", "there is no such trail; correct"},
		{"GetTrail", "AccessDeniedException", denied, "the function's role may not call cloudtrail:GetTrail on it"},
		{"GetTrailStatus", "AccessDeniedException", denied, "the function's role may not call cloudtrail:GetTrailStatus on it"},
		{"GetEventSelectors", "AccessDeniedException", denied, "the function's role may not call cloudtrail:GetEventSelectors on it"},
		{"DescribeOrganization", "AccessDeniedException", denied, "the function's role may not call organizations:DescribeOrganization on it"},
		{"DescribeOrganization", "AWSOrganizationsNotInUseException", "x", "its account is in none any more; make it a trail of the account"},
		{"GetTrail", "UnsupportedOperationException", "no\n\u202e", `AWS refused cloudtrail:GetTrail with UnsupportedOperationException ("no\n\u202e")`},
	} {
		trails, fake := newTrails(t)
		fake.Join("o-exampleorg")
		fake.Change(aTrail, func(tr *trailtest.Trail) { tr.Trail["IsOrganizationTrail"] = c.operation == "DescribeOrganization" })
		fake.Fail(func(operation string) awstest.Fault {
			if operation == c.operation {
				return awstest.Fault{Code: c.code, Message: c.message}
			}
			return awstest.Fault{}
		})
		got, err := trails.Read(t.Context(), aTrail)
		if err == nil || !strings.HasPrefix(err.Error(), `trail "`+aTrail+`"`) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") || cmp.Diff(got, trail.Trail{}) != "" {
			t.Errorf("%s %s: got %+v, %v, want %q", c.operation, c.code, got, err, c.want)
		}
		if gone := strings.Contains(c.want, "no such trail"); gone != errors.Is(err, trail.ErrGone) {
			t.Errorf("%s %s: ErrGone is %t", c.operation, c.code, !gone)
		}
	}
	trails, fake := newTrails(t)
	fake.Change(aTrail, func(tr *trailtest.Trail) { tr.Trail = nil })
	if _, err := trails.Read(t.Context(), aTrail); err == nil || !strings.Contains(err.Error(), "see whether a proxy stands between") {
		t.Errorf("an empty answer: got %v", err)
	}
	for _, operation := range []string{"GetTrail", "DescribeOrganization"} {
		trails, fake := newTrails(t)
		fake.Join("o-exampleorg")
		fake.Change(aTrail, func(tr *trailtest.Trail) { tr.Trail["IsOrganizationTrail"] = true })
		fake.Fail(func(asked string) awstest.Fault {
			if asked == operation {
				return awstest.Blocked
			}
			return awstest.Fault{}
		})
		if _, err := trails.Read(t.Context(), aTrail); err == nil || !strings.Contains(err.Error(), "the answer (HTTP 403) is not AWS's; see whether a proxy stands between") {
			t.Errorf("%s: a page: got %v", operation, err)
		}
	}
	for _, cfg := range []aws.Config{{Region: "eu-west-1"}, {Credentials: awstest.Config("").Credentials}} {
		if got, err := New(cfg); err == nil || got != nil {
			t.Errorf("%+v: got %v, %v", cfg, got, err)
		}
	}
}

// Each trail is read in the region in which it was made. Of an organization's, AWS may refuse a member how it is doing: the rest is known. What is
// out of reach is no such answer.
func TestATrailOfTheOrganizationIsRead(t *testing.T) {
	const theirs = "arn:aws:cloudtrail:us-east-1:444455556666:trail/organization"
	for _, operation := range []string{"", "GetTrailStatus", "GetEventSelectors"} {
		for _, code := range []string{"AccessDeniedException", "TrailNotFoundException", "UnsupportedOperationException", "ThrottlingException"} {
			trails, fake := newTrails(t)
			fake.Make(theirs, "archive")
			fake.Join("o-exampleorg")
			fake.Change(theirs, func(tr *trailtest.Trail) {
				tr.Trail["IsOrganizationTrail"], tr.Trail["S3KeyPrefix"] = true, "o-exampleorg"
			})
			fake.Fail(func(asked string) awstest.Fault {
				if asked == operation {
					return awstest.Fault{Code: code, Message: "no\x1b"}
				}
				return awstest.Fault{}
			})
			got, err := trails.Read(t.Context(), theirs)
			if operation != "" && code == "ThrottlingException" {
				if err == nil || cmp.Diff(got, trail.Trail{}) != "" {
					t.Errorf("%s: got %+v, %v", operation, got, err)
				}
				continue
			}
			hidden := strings.HasPrefix(got.Hidden, `trail "`+theirs+`": `) && !strings.ContainsAny(got.Hidden, "\n\x1b")
			if err != nil || got.Location() != "s3://archive/o-exampleorg/AWSLogs/o-exampleorg/" || hidden != (operation != "") || (len(got.Selectors) > 0) != (operation == "") {
				t.Errorf("%s %s: got %+v, %v", operation, code, got, err)
			}
		}
	}
}

// A trail as moto has it, which is not ours.
func TestATrailOfMoto(t *testing.T) {
	cfg := awstest.Config(awstest.Moto(t))
	buckets := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := buckets.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("files"),
		CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(cfg.Region)}}); err != nil {
		t.Fatal(err)
	}
	client := cloudtrail.NewFromConfig(cfg)
	made, err := client.CreateTrail(t.Context(), &cloudtrail.CreateTrailInput{Name: aws.String("main"), S3BucketName: aws.String("files"), S3KeyPrefix: aws.String("a"), IsMultiRegionTrail: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	trails, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	wish := trail.Wish{Account: "123456789012", Region: cfg.Region, Buckets: []string{"logs"}}
	check := func(says string) {
		t.Helper()
		got, err := trail.Look(t.Context(), trails, *made.TrailARN, wish)
		if says == "" && (err != nil || got.Location() != "s3://files/a/AWSLogs/") || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("got %+v, %v, want %q", got, err, says)
		}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check("is stopped")
	_, err = client.StartLogging(t.Context(), &cloudtrail.StartLoggingInput{Name: made.Name})
	do(err)
	check(`does not record every read of bucket "logs"`)
	_, err = client.PutEventSelectors(t.Context(), &cloudtrail.PutEventSelectorsInput{TrailName: made.Name, EventSelectors: []types.EventSelector{{
		ReadWriteType: types.ReadWriteTypeReadOnly, DataResources: []types.DataResource{{Type: aws.String("AWS::S3::Object"), Values: []string{"arn:aws:s3:::logs/"}}}}}})
	do(err)
	check("")
	_, err = client.PutEventSelectors(t.Context(), &cloudtrail.PutEventSelectorsInput{TrailName: made.Name, AdvancedEventSelectors: []types.AdvancedEventSelector{{FieldSelectors: []types.AdvancedFieldSelector{
		{Field: aws.String("eventCategory"), Equals: []string{"Data"}}, {Field: aws.String("resources.type"), Equals: []string{"AWS::S3::Object"}},
		{Field: aws.String("resources.ARN"), StartsWith: []string{"arn:aws:s3:::exports/"}}}}}})
	do(err)
	check(`does not record every read of bucket "logs"`)
	_, err = client.DeleteTrail(t.Context(), &cloudtrail.DeleteTrailInput{Name: made.Name})
	do(err)
	check("there is no such trail")
}

func TestAStoreIsRead(t *testing.T) {
	const arn = "arn:aws:cloudtrail:us-east-1:444455556666:eventdatastore/0b8a2a3e-1f0e-4b5a-9d0c-2f6a1c3b4d5e"
	trails, fake := newTrails(t)
	fake.MakeStore(arn, trailtest.Object{"FieldSelectors": []trailtest.Object{{"Field": "eventCategory", "Equals": []string{"Data"}}, {"Field": "resources.type", "Equals": []string{"AWS::S3::Object"}}}})
	want := trail.Trail{ARN: arn, MultiRegion: true, Logging: true, Selectors: []trail.Selector{{{Field: "eventCategory", Equals: []string{"Data"}}, {Field: "resources.type", Equals: []string{"AWS::S3::Object"}}}}}
	got, err := trails.ReadStore(t.Context(), arn)
	if diff := cmp.Diff(got, want); err != nil || diff != "" {
		t.Errorf("%v: got -, want +:\n%s", err, diff)
	}
	for other, says := range map[string]string{"main": "is not the ARN of an event data store", arn[:len(arn)-1] + "0": `event data store "arn:aws:cloudtrail:us-east-1:444455556666:eventdatastore/`} {
		if got, err := trails.ReadStore(t.Context(), other); err == nil || !strings.Contains(err.Error(), says) || cmp.Diff(got, trail.Trail{}) != "" {
			t.Errorf("%s: got %+v, %v", other, got, err)
		}
	}
}
