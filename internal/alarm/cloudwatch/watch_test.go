package cloudwatch

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/alarm"
)

func TestReadDoubts(t *testing.T) {
	changed := func(a types.MetricAlarm, change func(*types.MetricAlarm)) types.MetricAlarm { change(&a); return a }
	claim := func(a alarm.Alarm, change func(*alarm.Alarm)) alarm.Alarm { change(&a); return a }
	config := one("customer-exports")
	for name, tc := range map[string]struct {
		config types.MetricAlarm
		in     alarm.Alarm
		want   string
	}{
		"no such alarm":          {every(everyQuery), fired, "no alarm of the name"},
		"another account":        {config, claim(fired, func(a *alarm.Alarm) { a.ARN = strings.Replace(a.ARN, "1111", "9999", 1) }), "as the event claims"},
		"another region":         {config, claim(fired, func(a *alarm.Alarm) { a.ARN = strings.Replace(a.ARN, "eu-west-1", "us-east-1", 1) }), `stands in "us-east-1"`},
		"no ARN":                 {config, claim(fired, func(a *alarm.Alarm) { a.ARN = "" }), "names no alarm"},
		"another name":           {config, claim(fired, func(a *alarm.Alarm) { a.Name = "x" }), "not the one in its ARN"},
		"another bucket":         {config, claim(fired, func(a *alarm.Alarm) { a.Buckets = []string{"victim"} }), `watches ["customer-exports"], not ["victim"]`},
		"one bucket too many":    {config, claim(fired, func(a *alarm.Alarm) { a.Buckets = append(a.Buckets, "victim") }), "watches"},
		"another metric":         {changed(config, func(a *types.MetricAlarm) { a.MetricName = aws.String("BytesUploaded") }), fired, "not AWS/S3 BytesDownloaded"},
		"somebody's own metric":  {changed(config, func(a *types.MetricAlarm) { a.Namespace = aws.String("Custom") }), fired, "not AWS/S3 BytesDownloaded"},
		"no bucket":              {changed(config, func(a *types.MetricAlarm) { a.Dimensions = a.Dimensions[1:] }), fired, "dimensions"},
		"fires below":            {changed(config, func(a *types.MetricAlarm) { a.ComparisonOperator = types.ComparisonOperatorLessThanThreshold }), fired, "fixed threshold"},
		"an anomaly":             {changed(config, func(a *types.MetricAlarm) { a.Threshold = nil }), fired, "fixed threshold"},
		"no metric at all":       {changed(config, func(a *types.MetricAlarm) { a.MetricName = nil }), fired, "no metric"},
		"the same bucket twice":  {several("m1 + m2", "customer-exports", "customer-exports"), fired, "twice"},
		"a metric by another":    {changed(several("m1", "customer-exports"), func(a *types.MetricAlarm) { a.Metrics[0].AccountId = aws.String("999988887777") }), fired, "another account"},
		"returns only a part":    {changed(several("m1+m2", "customer-exports", "logs"), func(a *types.MetricAlarm) { a.Metrics[0].ReturnData, a.Metrics[2].ReturnData = nil, aws.Bool(false) }), fired, "plain sum"},
		"uneven periods":         {changed(several("m1+m2", "customer-exports", "logs"), func(a *types.MetricAlarm) { a.Metrics[0].MetricStat.Period = aws.Int32(300) }), fired, "different periods"},
		"a search":               {every(`SUM(SEARCH('{AWS/S3,BucketName,FilterId} BytesDownloaded', 'Sum', 60))`), everyFired, "of all buckets or of each"},
		"a query with more":      {every(everyQuery + " ) OR (1"), everyFired, "whose buckets cannot be told"},
		"a query by tag":         {every(strings.Replace(everyQuery, "WHERE", "WHERE tag.env = 'prod' AND", 1)), everyFired, "cannot be told"},
		"all filters but one":    {every(strings.Replace(everyQuery, "FilterId =", "FilterId !=", 1)), everyFired, "cannot be told"},
		"a query with a choice":  {every(strings.Replace(everyQuery, "WHERE", "WHERE BucketName = 'x' OR", 1)), everyFired, "cannot be told"},
		"a bucket it leaves out": {every(strings.Replace(everyQuery, "WHERE", "WHERE BucketName != 'customer-exports' AND", 1)), everyFired, "leaves out"},
		"a bucket it never asks": {every(strings.Replace(everyQuery, "WHERE", "WHERE BucketName = 'logs' AND", 1)), everyFired, "leaves out"},
		"no contributor":         {every(everyQuery), claim(everyFired, func(a *alarm.Alarm) { a.Contributor = "" }), "does not name the one contributor"},
		"two buckets of it":      {every(everyQuery), claim(everyFired, func(a *alarm.Alarm) { a.Buckets = []string{"a", "b"} }), "does not name the one contributor"},
		"not in ALARM any more":  {every(everyQuery), claim(everyFired, func(a *alarm.Alarm) { a.Buckets, a.Contributor = nil, "gone" }), "no contributor"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.alarms, f.contributors = []types.MetricAlarm{tc.config}, contributors("customer-exports")
			f.put("customer-exports", at(1), 2*gib)
			got, err := f.meter(now, Settings{}).Read(t.Context(), tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(got.Doubt, tc.want) || strings.Contains(got.Doubt, "\n") {
				t.Errorf("doubt: got %q, want %q in it", got.Doubt, tc.want)
			}
			got.Doubt = ""
			if diff := cmp.Diff(alarm.Reading{}, got); diff != "" {
				t.Errorf("beside the doubt (-want +got):\n%s", diff)
			}
		})
	}
}

// What an alarm computes is no claim about bytes, and its threshold is in no bytes. The bytes are read from the metric below it.
func TestReadBelowWhatIsComputed(t *testing.T) {
	changed := func(a types.MetricAlarm, change func(*types.MetricAlarm)) types.MetricAlarm { change(&a); return a }
	stat := func(s types.Statistic) types.MetricAlarm {
		return changed(one("customer-exports"), func(a *types.MetricAlarm) { a.Statistic = s })
	}
	sizes := several("m1/m2", "customer-exports", "customer-exports")
	sizes.Metrics[1].MetricStat.Stat = aws.String("SampleCount")
	largest := several("m1", "customer-exports")
	largest.Metrics[0].MetricStat.Stat = aws.String("Maximum")
	for name, tc := range map[string]struct {
		config types.MetricAlarm
		in     alarm.Alarm
		want   string
	}{
		"an average":   {stat(types.StatisticAverage), fired, `the statistic "Average"`},
		"a count":      {stat(types.StatisticSampleCount), fired, `the statistic "SampleCount"`},
		"a percentile": {changed(stat(""), func(a *types.MetricAlarm) { a.ExtendedStatistic = aws.String("p99") }), fired, `the statistic "p99"`},
		"in gibibytes": {several("m1/1024/1024/1024", "customer-exports"), fired, `"m1/1024/1024/1024"`},
		"a second":     {several("m1/PERIOD(m1)", "customer-exports"), fired, `"m1/PERIOD(m1)"`},
		"twice":        {several("m1 + m1", "customer-exports"), fired, `"m1 + m1"`},
		"per call":     {sizes, fired, `"m1/m2"`},
		"the largest":  {largest, fired, `the statistic "Maximum"`},
		"a query":      {every(strings.ReplaceAll(everyQuery, "SUM(", "AVG(")), everyFired, "AVG of BytesDownloaded"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.alarms, f.contributors = []types.MetricAlarm{tc.config}, contributors("customer-exports")
			f.put("customer-exports", at(1), 2*gib, 3*gib)
			got, err := f.meter(now, Settings{}).Read(t.Context(), tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if want := "the alarm's value is computed by " + tc.want; !strings.HasPrefix(got.Computed, want) {
				t.Errorf("computed: got %q, want %q", got.Computed, want)
			}
			got.Computed = ""
			if diff := cmp.Diff(alarm.Reading{Buckets: []string{"customer-exports"}, Points: points(1, 2*gib, 3*gib), Period: time.Minute}, got); diff != "" {
				t.Errorf("reading (-want +got):\n%s", diff)
			}
		})
	}
}

// A composite alarm below another one is named for what it is, with what fired below it.
func TestReadOfANestedComposite(t *testing.T) {
	f := newFake(t)
	f.composites = []types.CompositeAlarm{{AlarmName: &fired.Name, AlarmArn: aws.String(exportsARN), StateValue: types.StateValueAlarm,
		StateReasonData: aws.String(`{"triggeringAlarms":[{"arn":"arn:aws:cloudwatch:eu-west-1:111122223333:alarm:inner","state":{"value":"ALARM","timestamp":"2026-03-04T00:03:40.000+0000"}}]}`)}}
	got, err := f.meter(now, Settings{}).Read(t.Context(), fired)
	if want := `it is a composite alarm itself, and below it fired "inner"`; err != nil || !strings.HasPrefix(got.Doubt, want) || got.Points != nil {
		t.Errorf("got %+v, %v, want the doubt %s", got, err, want)
	}
}
