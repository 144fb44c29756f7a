package s3bucket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/enroll"
	"nightlatch/internal/enroll/s3bucket/s3test"
)

const region, id = "eu-west-1", "nightlatch"

func fake(t *testing.T, names ...string) (*s3test.Server, *Buckets) {
	t.Helper()
	s := s3test.New(region)
	t.Cleanup(s.Close)
	s.Make(region, names...)
	b, err := New(aws.Config{Region: region, BaseEndpoint: &s.URL, Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "secret"}, nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	return s, b
}

func read(t *testing.T, b *Buckets, bucket, id string) enroll.State {
	t.Helper()
	state, err := b.Read(t.Context(), bucket, id)
	if err != nil {
		t.Errorf("reading %s: %v", bucket, err)
	}
	return state
}

func TestAConfigurationComesAndGoes(t *testing.T) {
	s, b := fake(t, "logs", "exports")
	for _, bucket := range []string{"logs", "exports"} {
		states := []enroll.State{read(t, b, bucket, id)}
		for range 2 { // twice is once
			if err := b.Enrol(t.Context(), bucket, id); err != nil {
				t.Error(err)
			}
			states = append(states, read(t, b, bucket, id))
		}
		for range 2 {
			if err := b.Withdraw(t.Context(), bucket, id); err != nil {
				t.Error(err)
			}
			states = append(states, read(t, b, bucket, id))
		}
		if want := []enroll.State{enroll.Absent, enroll.Whole, enroll.Whole, enroll.Absent, enroll.Absent}; !slices.Equal(states, want) {
			t.Errorf("%s: got states %v, want %v", bucket, states, want)
		}
	}
	if got := s.Configs(); len(got) > 0 {
		t.Errorf("left behind: %q", got)
	}
}

func TestAFilterIsSeenInEveryForm(t *testing.T) {
	s, b := fake(t, "logs")
	for i, filter := range []string{
		"<Prefix>documents/</Prefix>", "<Tag><Key>a</Key><Value>b</Value></Tag>", "<AccessPointArn>arn:aws:s3:eu-west-1:111122223333:accesspoint/x</AccessPointArn>",
		"<And><Prefix>a</Prefix><Tag><Key>a</Key><Value>b</Value></Tag></And>",
	} {
		name := fmt.Sprint("f", i)
		s.Put("logs", name, filter)
		if got := read(t, b, "logs", name); got != enroll.Part {
			t.Errorf("%s: got %v, want Part", filter, got)
		}
	}
	// A form that the SDK does not know is not taken for the whole bucket.
	s.Put("logs", "new", "<SomethingNew>x</SomethingNew>")
	if got, err := b.Read(t.Context(), "logs", "new"); got == enroll.Whole || got == enroll.Absent {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestEveryPageOfBucketsIsRead(t *testing.T) {
	s, b := fake(t)
	var want []enroll.Bucket
	for i := range 2500 {
		bucket := enroll.Bucket{Name: fmt.Sprintf("bucket-%04d", i), Region: region}
		if i%7 == 0 {
			bucket.Region = "us-east-1"
		}
		s.Make(bucket.Region, bucket.Name)
		want = append(want, bucket)
	}
	got, err := b.Buckets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if calls := s.Calls(); len(calls) != 3 {
		t.Errorf("%d calls, want 3", len(calls))
	}
	// A page that fails leaves no list that only looks whole.
	n := 0
	s.Fail(func(s3test.Call) s3test.Fault {
		if n++; n > 1 {
			return s3test.Fault{Code: "AccessDenied"}
		}
		return s3test.Fault{}
	})
	if got, err := b.Buckets(t.Context()); err == nil || got != nil || !strings.Contains(err.Error(), "may not call s3:ListAllMyBuckets") {
		t.Errorf("got %d buckets and %v, want none and the missing permission", len(got), err)
	}
}

func TestAThousandConfigurationsAreTheMost(t *testing.T) {
	s, b := fake(t, "logs")
	for i := range s3test.Most {
		s.Put("logs", fmt.Sprint("c", i), "")
	}
	err := b.Enrol(t.Context(), "logs", id)
	if err == nil || !strings.Contains(err.Error(), `bucket "logs": it has 1,000 request-metrics configurations`) {
		t.Errorf("got %v", err)
	}
}

func TestEachFailureIsOneSentence(t *testing.T) {
	calls := map[string]func(context.Context, *Buckets) error{
		"s3:GetMetricsConfiguration": func(ctx context.Context, b *Buckets) error { _, err := b.Read(ctx, "logs", id); return err },
		"s3:PutMetricsConfiguration": func(ctx context.Context, b *Buckets) error { return b.Enrol(ctx, "logs", id) },
		"s3:PutMetricsConfiguration, to delete": func(ctx context.Context, b *Buckets) error {
			return b.Withdraw(ctx, "logs", id)
		},
	}
	for _, c := range []struct {
		fault s3test.Fault
		want  string
		is    error
	}{
		{s3test.Fault{Code: "AccessDenied"}, "may not call ACTION", nil},
		{s3test.Fault{Code: "NoSuchBucket", Status: 404}, "there is no such bucket; correct its name", enroll.ErrGone},
		{s3test.Fault{Code: "AuthorizationHeaderMalformed", Status: 400}, "the bucket is in another region; deploy Nightlatch there too", enroll.ErrElsewhere},
		{s3test.Fault{Code: "ExpiredToken", Status: 400}, "does not accept the enroller's credentials", nil},
		{s3test.Fault{Code: "MalformedXML", Status: 400}, "S3 refused ACTION with MalformedXML", nil},
		{s3test.Fault{Code: "OperationAborted", Status: 409}, "somebody else changes it", nil},
		{s3test.Fault{Code: "SlowDown", Status: 503}, "throttling", nil},
		{s3test.Fault{Code: "InternalError", Status: 500}, "S3 failed on its side (HTTP 500)", nil},
		{s3test.Fault{Status: 407}, "ACTION: the answer is not S3's; see whether a proxy stands between", nil},
		{s3test.Fault{Hang: true}, "did not answer in time", nil},
	} {
		for action, do := range calls {
			t.Run(c.fault.Code+" "+action, func(t *testing.T) {
				t.Parallel() // some wait between their attempts
				s, b := fake(t, "logs")
				s.Fail(func(s3test.Call) s3test.Fault { return c.fault })
				ctx := t.Context()
				if c.fault.Hang {
					short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
					defer cancel()
					ctx = short
				}
				err := do(ctx, b)
				action, _, _ := strings.Cut(action, ",")
				want := strings.ReplaceAll(c.want, "ACTION", action)
				if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), `bucket "logs": `) || strings.Contains(err.Error(), "\n") {
					t.Errorf("got %v, want %q and the bucket", err, want)
				}
				if c.is != nil && !errors.Is(err, c.is) {
					t.Errorf("%v is not %v", err, c.is)
				}
			})
		}
	}
}

func TestAnotherRegionIsNamed(t *testing.T) {
	s, b := fake(t)
	s.Make("us-east-1", "logs")
	_, err := b.Read(t.Context(), "logs", id)
	if !errors.Is(err, enroll.ErrElsewhere) || !strings.Contains(err.Error(), `the bucket is in another region, "us-east-1"`) {
		t.Errorf("got %v, want the region", err)
	}
}

func TestATroubleThatPassesIsRiddenOut(t *testing.T) {
	for _, fault := range []s3test.Fault{{Code: "OperationAborted", Status: 409}, {Code: "SlowDown", Status: 503}, {Code: "InternalError", Status: 500, After: true}} {
		t.Run(fault.Code, func(t *testing.T) {
			t.Parallel() // they wait between their attempts
			s, b := fake(t, "logs")
			n := 0
			s.Fail(func(s3test.Call) s3test.Fault {
				if n++; n < 3 {
					return fault
				}
				return s3test.Fault{}
			})
			if err := b.Enrol(t.Context(), "logs", id); err != nil || !slices.Equal(s.Configs(), []string{"logs/nightlatch"}) {
				t.Errorf("got %v and %q", err, s.Configs())
			}
			n = 0
			if err := b.Withdraw(t.Context(), "logs", id); err != nil || len(s.Configs()) > 0 {
				t.Errorf("got %v and %q", err, s.Configs())
			}
		})
	}
}

// Every call needs a permission that is granted, and every permission granted is needed.
func TestTagsAreRead(t *testing.T) {
	s, b := fake(t, "logs")
	if tags, err := b.Tags(t.Context(), "logs"); err != nil || len(tags) > 0 {
		t.Errorf("got %q, %v", tags, err)
	}
	s.Tag("logs", map[string]string{"class": "secret", "<b>": "x=y"})
	if tags, err := b.Tags(t.Context(), "logs"); err != nil || len(tags) != 2 || tags["<b>"] != "x=y" || tags["class"] != "secret" {
		t.Errorf("got %q, %v", tags, err)
	}
	s.Fail(func(s3test.Call) s3test.Fault { return s3test.Fault{Code: "AccessDenied"} })
	if _, err := b.Tags(t.Context(), "logs"); err == nil || !strings.Contains(err.Error(), "s3:GetBucketTagging") || !slices.Equal(TagGrants()[0].Actions, []string{"s3:GetBucketTagging"}) {
		t.Errorf("denied: got %v", err)
	}
}

func TestGrantsAreWhatIsCalled(t *testing.T) {
	var got []string
	for _, g := range Grants() {
		if g.Deny || len(g.On) == 0 {
			t.Errorf("%+v", g)
		}
		got = append(got, g.Actions...)
	}
	if want := []string{"s3:GetMetricsConfiguration", "s3:PutMetricsConfiguration", "s3:ListAllMyBuckets"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNewNeedsWhatItSigns(t *testing.T) {
	for _, cfg := range []aws.Config{{Region: region}, {Credentials: aws.AnonymousCredentials{}}} {
		if b, err := New(cfg); err == nil || b != nil {
			t.Errorf("got %v, %v, want an error", b, err)
		}
	}
}
