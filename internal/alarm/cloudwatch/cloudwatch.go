// Package cloudwatch reads an alarm and its metric again, from CloudWatch itself: an alarm's payload is a claim.
//
// What is asked is the alarm's configuration and state, the series that made it fire, the datapoints of S3's request metric BytesDownloaded,
// those of its storage metric BucketSizeBytes, which buckets have the metric, and what a filter of the request metrics selects:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html,
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmContributors.html,
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html,
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html,
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-dimensions.html,
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketMetricsConfiguration.html.
// Threshold, period and buckets come from the configuration as it is now; the payload only says what to read. A transition that is not new,
// or that the alarm's own state does not show, is doubted.
package cloudwatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"nightlatch/internal/alarm"
	"nightlatch/internal/awserr"
	"nightlatch/internal/grant"
	"nightlatch/internal/settings"
)

const (
	// describeTimeout bounds one reading of an alarm's configuration, or of a filter, with its retries; it answers in tens of milliseconds.
	describeTimeout = 10 * time.Second
	// dataTimeout bounds one page of datapoints with its retries. Hours of one-minute points come in under a second.
	dataTimeout = 15 * time.Second
	// backoff bounds the wait between two attempts: bytes are flowing while we wait.
	backoff = time.Second
	// lookback is how much of the time before the window is read, so that a run of breaching datapoints shows where it began.
	lookback = time.Hour
)

// Settings are what a deployment decides.
type Settings struct {
	// FilterID is the request-metrics configuration that counts a bucket's bytes where no alarm names one; "" is EntireBucket, which
	// S3's console makes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/configure-request-metrics-bucket.html
	FilterID string
}

// Meter reads CloudWatch in one region. It is safe for use by several goroutines.
type Meter struct {
	region   string
	filterID string
	now      func() time.Time
	client   *cloudwatch.Client
	buckets  *s3.Client
}

var _ alarm.Meter = (*Meter)(nil)

// New makes a meter for cfg's region. The metric is read up to now().
func New(cfg aws.Config, now func() time.Time, s Settings) (*Meter, error) {
	switch {
	case cfg.Region == "":
		return nil, errors.New("the meter needs a region, and the AWS configuration has none; set AWS_REGION")
	case cfg.Credentials == nil:
		return nil, errors.New("the meter needs credentials, and the AWS configuration has none; sign in or set a profile")
	case now == nil:
		return nil, errors.New("the meter needs a clock")
	}
	return &Meter{
		region: cfg.Region, filterID: cmp.Or(s.FilterID, settings.DefaultFilterID), now: now,
		client: cloudwatch.NewFromConfig(cfg, func(o *cloudwatch.Options) {
			o.Retryer = awserr.Retries(3, backoff, backoff)
		}),
		buckets: s3.NewFromConfig(cfg, func(o *s3.Options) {
			o.Retryer = awserr.Retries(3, backoff, backoff)
		}),
	}, nil
}

// Grants are the permissions that the package needs.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html
func Grants() []grant.Grant {
	return []grant.Grant{
		{
			Sid:     "ReadAlarms",
			Actions: []string{"cloudwatch:DescribeAlarms", "cloudwatch:DescribeAlarmContributors"},
			On:      []string{"arn:${Partition}:cloudwatch:${Region}:${Account}:alarm:*"},
			Why:     "An alarm's name is known only when it fires, and alarms of the team's own making are answered too; they are read, not changed.",
		},
		{
			Sid: "ReadMetrics", Actions: []string{"cloudwatch:GetMetricData", "cloudwatch:ListMetrics"}, On: []string{"*"},
			Why: "The calls' only resource is a dataset of OTLP metrics; S3's metrics are classic ones, and none " +
				"(https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html).",
		},
		{
			Sid: "ReadFilters", Actions: []string{"s3:GetMetricsConfiguration"}, On: []string{"arn:${Partition}:s3:::*"},
			When: map[string]map[string]string{"StringEquals": {"aws:ResourceAccount": "${Account}"}},
			Why:  "An alarm of the team's own making may be on a filter of any bucket of the account, and a role's policy has no room for the names of all.",
		},
	}
}

// Read returns the alarm's own configuration and the datapoints around its window.
func (m *Meter) Read(ctx context.Context, a alarm.Alarm) (alarm.Reading, error) {
	if a.Source == alarm.Manual {
		return m.readManual(ctx, a)
	}
	if doubt := cmp.Or(m.foreign(a), m.stale(a)); doubt != "" {
		return alarm.Reading{Doubt: doubt}, nil
	}
	config, doubt, err := m.describe(ctx, a.Name)
	switch {
	case err != nil || doubt != "":
		return alarm.Reading{Doubt: doubt}, err
	case config == nil:
		return alarm.Reading{Doubt: fmt.Sprintf("no alarm of the name %q exists in %s", a.Name, m.region)}, nil
	case aws.ToString(config.AlarmArn) != a.ARN:
		return alarm.Reading{Doubt: fmt.Sprintf("the alarm of the name %q is %s, not %+q as the event claims", a.Name, *config.AlarmArn, a.ARN)}, nil
	}
	w, doubt := watchOf(*config, m.filterID)
	if doubt == "" {
		doubt, err = m.settle(ctx, a, *config, &w)
	}
	var r alarm.Reading
	if from, to, ok := firedFor(*config, a, w.period); ok && doubt == "" {
		a.From, a.To, r.From, r.To = from, to, from, to
	}
	if doubt == "" && err == nil {
		doubt = m.longAgo(*config, w.period, a)
	}
	if err != nil || doubt != "" {
		return alarm.Reading{Doubt: doubt}, err
	}
	if w.query != nil && w.query.all {
		return m.total(ctx, a, w, r)
	}
	stored, counts := m.measuring(ctx, a, w.series), m.counting(ctx, w.series)
	points, err := m.points(ctx, w.series, m.around(a, w.period), w.period)
	r.Stored, r.Counts = <-stored, <-counts
	if err != nil {
		return alarm.Reading{}, err
	}
	r.Buckets, r.Points = w.buckets(), points
	return w.configured(r), nil
}

// configured fills in what the alarm's configuration says.
func (w watch) configured(r alarm.Reading) alarm.Reading {
	r.Period, r.Computed = w.period, w.computed
	if w.computed == "" {
		r.Threshold, r.AtLeast = w.threshold, w.atLeast
	}
	return r
}

// firedFor is the window that the alarm fired for, by its own reason, where the event has none: a composite alarm's event does not say what the
// alarm below it saw. The reason is that of the transition only while the alarm is in ALARM.
func firedFor(config types.MetricAlarm, a alarm.Alarm, period time.Duration) (from, to time.Time, ok bool) {
	if !a.MetricUnread() || config.StateValue != types.StateValueAlarm {
		return from, to, false
	}
	return alarm.Window(aws.ToString(config.StateReason), aws.ToString(config.StateReasonData), a.Since, max(period, time.Minute))
}

// foreign says why an alarm cannot be one that this meter can see; "" if it can. The account needs no check of its own:
// what is found here by name must have the very ARN that the event claims.
func (m *Meter) foreign(a alarm.Alarm) string {
	parts := strings.SplitN(a.ARN, ":", 7)
	switch {
	case len(parts) != 7 || parts[0] != "arn" || parts[2] != "cloudwatch" || parts[5] != "alarm":
		return fmt.Sprintf("the event names no alarm by its ARN, but %+q", a.ARN)
	case parts[3] != m.region:
		return fmt.Sprintf("the alarm stands in %+q, and only %s is read here", parts[3], m.region)
	case parts[6] != a.Name || a.Name == "" || len(a.Name) > 255: // no name is longer, and asking for one is an error
		return fmt.Sprintf("the event's alarm name %+q is not the one in its ARN %+q", a.Name, a.ARN)
	}
	return ""
}

// settle finds the series of a watch over many buckets, and compares buckets and time of the transition with what the event claims. What
// comes after a window that was confirmed so is ours to ask, whether or not the alarm has gone back, or fired anew, since.
func (m *Meter) settle(ctx context.Context, a alarm.Alarm, config types.MetricAlarm, w *watch) (doubt string, err error) {
	if w.query == nil || w.query.all {
		if w.query != nil {
			if i := slices.IndexFunc(a.Buckets, func(b string) bool { return !w.query.covers(b) }); i >= 0 {
				return fmt.Sprintf("the alarm's query leaves out bucket %q, which the event claims", a.Buckets[i]), nil
			}
		} else if len(a.Buckets) > 0 && !sameSet(a.Buckets, w.buckets()) {
			return fmt.Sprintf("the alarm watches %q, not %q as the event claims", w.buckets(), a.Buckets), nil
		}
		if a.Part > 0 {
			return "", nil
		}
		return neverFired(config, a.Since), nil
	}
	if a.Contributor == "" || len(a.Buckets) > 1 {
		return "the alarm watches many buckets, and the event does not name the one contributor that fired", nil
	}
	if a.Part > 0 && len(a.Buckets) == 1 && w.query.covers(a.Buckets[0]) {
		w.series = []series{{a.Buckets[0], w.query.filterID}}
		return "", nil
	}
	c, err := m.contributor(ctx, a.Name, a.Contributor)
	if err != nil {
		return "", err
	}
	if c == nil {
		return fmt.Sprintf("the alarm has no contributor %+q in ALARM (any more), and CloudWatch lists no others", a.Contributor), nil
	}
	bucket := c.ContributorAttributes["BucketName"]
	switch {
	case bucket == "":
		return fmt.Sprintf("contributor %+q of the alarm names no bucket", a.Contributor), nil
	case len(a.Buckets) == 1 && a.Buckets[0] != bucket:
		return fmt.Sprintf("contributor %+q of the alarm is bucket %q, not %q as the event claims", a.Contributor, bucket, a.Buckets[0]), nil
	case !w.query.covers(bucket):
		return fmt.Sprintf("the alarm's query leaves out bucket %q, which the event claims", bucket), nil
	}
	if doubt := contributorNeverFired(*c, a.Since); doubt != "" {
		return doubt, nil
	}
	w.series = []series{{bucket, w.query.filterID}}
	return "", nil
}

// readManual reads the window that a human named, and nothing around it: there is no alarm whose run could reach beyond.
func (m *Meter) readManual(ctx context.Context, a alarm.Alarm) (alarm.Reading, error) {
	var all []series
	for _, b := range a.Buckets {
		all = append(all, series{b, m.filterID})
	}
	stored := m.measuring(ctx, a, all)
	points, err := m.points(ctx, all, span{a.From.Truncate(time.Minute), ceil(a.To, time.Minute)}, time.Minute)
	r := alarm.Reading{Buckets: slices.Clone(a.Buckets), Points: points, Stored: <-stored}
	if err != nil {
		return alarm.Reading{}, err
	}
	return r, nil
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Compact(slices.Sorted(slices.Values(a))), slices.Compact(slices.Sorted(slices.Values(b))))
}
