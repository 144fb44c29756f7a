package cloudwatch

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"nightlatch/internal/enroll/s3bucket/s3test"
)

// onFilter is the alarm on a part of the bucket.
func onFilter(id string) types.MetricAlarm {
	a := one("customer-exports")
	a.Dimensions[1].Value = &id
	return a
}

// What a metric counts is what its filter selects. One without a filter counts all of the bucket, whatever it is called.
func TestReadWhatAFilterSelects(t *testing.T) {
	const point = "arn:aws:s3:eu-west-1:111122223333:accesspoint/partner"
	for name, c := range map[string]struct{ filter, want string }{
		"none":         {"", ""},
		"a prefix":     {"<Prefix>exports/</Prefix>", `the objects under the prefix "exports/"`},
		"an empty one": {"<Prefix></Prefix>", ""},
		"a tag":        {"<Tag><Key>class</Key><Value>secret</Value></Tag>", `the objects with the tag "class" of the value "secret"`},
		"a point":      {"<AccessPointArn>" + point + "</AccessPointArn>", `the objects read through the access point "` + point + `"`},
		"several": {"<And><Prefix>exports/</Prefix><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value>2</Value></Tag><AccessPointArn>" + point + "</AccessPointArn></And>",
			`the objects under the prefix "exports/" and with the tag "a" of the value "1" and with the tag "b" of the value "2" and read through the access point "` + point + `"`},
		"hostile": {"<Prefix>" + strings.Repeat("x", 60) + "&#10;CONTAINED \u202e</Prefix>", `the objects under the prefix "` + strings.Repeat("x", 60) + `\nCON\u2026"`},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.alarms = []types.MetricAlarm{onFilter("exports")}
			f.data[series{"customer-exports", "exports"}] = map[time.Time]float64{at(1): 2 * gib}
			f.s3.Make("eu-west-1", "customer-exports")
			f.s3.Put("customer-exports", "exports", c.filter)
			got, err := f.meter(now, Settings{}).Read(t.Context(), fired)
			if err != nil || got.Doubt != "" || len(got.Points) != 1 {
				t.Fatalf("got %+v, %v", got, err)
			}
			if got.Counts != c.want {
				t.Errorf("it counts %q, want %q", got.Counts, c.want)
			}
			if calls := f.s3.Calls(); len(calls) != 1 || calls[0] != (s3test.Call{Op: "GetBucketMetricsConfiguration", Bucket: "customer-exports", ID: "exports"}) {
				t.Errorf("S3 was asked %v", calls)
			}
		})
	}
}

// The deployment's own filter is not asked about.
func TestReadNoFilter(t *testing.T) {
	f := newFake(t)
	f.alarms = []types.MetricAlarm{one("customer-exports")}
	if got, err := f.meter(now, Settings{}).Read(t.Context(), fired); err != nil || got.Counts != "" || len(f.s3.Calls()) != 0 {
		t.Errorf("got %+v, %v, and S3 was asked", got, err)
	}
}

// A filter that cannot be read may select any part, and the sentence says why.
func TestReadAFilterThatCannotBeRead(t *testing.T) {
	const notRead = `what its filter "exports" selects, which was not read and may be all of it (`
	for name, c := range map[string]struct {
		change func(*s3test.Server)
		want   string
	}{
		"denied": {func(s *s3test.Server) {
			s.Fail(func(s3test.Call) s3test.Fault { return s3test.Fault{Code: "AccessDenied"} })
		}, "may not call s3:GetMetricsConfiguration on bucket \"customer-exports\""},
		"taken away":       {func(*s3test.Server) {}, "(NoSuchConfiguration)"},
		"another region":   {func(s *s3test.Server) { s.Make("us-east-1", "customer-exports") }, "(PermanentRedirect)"},
		"failing":          {func(s *s3test.Server) { s.Fail(func(s3test.Call) s3test.Fault { return s3test.Fault{Status: 500} }) }, "S3 failed"},
		"another's answer": {func(s *s3test.Server) { s.Put("customer-exports", "exports", "<Prefix>a") }, "S3"},
		"a new kind":       {func(s *s3test.Server) { s.Put("customer-exports", "exports", "<Size>9</Size>") }, "S3"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.s3.Make("eu-west-1", "customer-exports")
			c.change(f.s3)
			got := f.meter(now, Settings{}).counts(t.Context(), []series{{"customer-exports", "exports"}})
			if !strings.HasPrefix(got, notRead) || !strings.Contains(got, c.want) || strings.Contains(got, "\n") {
				t.Errorf("got %q, want %q in it", got, c.want)
			}
		})
	}
}

// Of several buckets each is named.
func TestReadTheFiltersOfSeveralBuckets(t *testing.T) {
	f := newFake(t)
	f.s3.Make("eu-west-1", "customer-exports", "logs")
	f.s3.Put("customer-exports", "exports", "<Prefix>exports/</Prefix>")
	f.s3.Put("logs", "whole", "")
	all := []series{{"customer-exports", "exports"}, {"logs", "whole"}, {"third", "EntireBucket"}}
	if got, want := f.meter(now, Settings{}).counts(t.Context(), all), `the objects under the prefix "exports/" of customer-exports, all objects of logs, all objects of third`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := f.meter(now, Settings{}).counts(t.Context(), all[1:]); got != "" {
		t.Errorf("got %q of two whole buckets", got)
	}
	f.s3.Fail(func(c s3test.Call) s3test.Fault {
		return map[string]s3test.Fault{"logs": {Code: "AccessDenied"}}[c.Bucket]
	})
	if got := f.meter(now, Settings{}).counts(t.Context(), all); !strings.HasPrefix(got, `what its filter "exports", "whole" selects, which was not read`) {
		t.Errorf("got %q", got)
	}
}
