package cloudwatch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"nightlatch/internal/alarm"
)

// describe returns the metric alarm of a name; nil if there is none. A composite alarm has no metric, and is a doubt.
func (m *Meter) describe(ctx context.Context, name string) (found *types.MetricAlarm, doubt string, err error) {
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	out, err := m.client.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{
		AlarmNames: []string{name}, AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm},
	})
	if err != nil {
		return nil, "", failed(call{"cloudwatch:DescribeAlarms", fmt.Sprintf("alarm %q", name)}, err)
	}
	for _, c := range out.CompositeAlarms {
		if aws.ToString(c.AlarmName) == name {
			return nil, alarm.Nested(aws.ToString(c.StateReason), aws.ToString(c.StateReasonData)), nil
		}
	}
	for _, a := range out.MetricAlarms {
		if aws.ToString(a.AlarmName) == name && a.AlarmArn != nil {
			return &a, "", nil
		}
	}
	return nil, "", nil
}

// contributor finds the series that fired; nil if no such series is in ALARM.
func (m *Meter) contributor(ctx context.Context, name, id string) (found *types.AlarmContributor, err error) {
	c := call{"cloudwatch:DescribeAlarmContributors", fmt.Sprintf("alarm %q", name)}
	err = pages(c, func(token *string) (*string, error) {
		ctx, cancel := context.WithTimeout(ctx, describeTimeout)
		defer cancel()
		out, err := m.client.DescribeAlarmContributors(ctx, &cloudwatch.DescribeAlarmContributorsInput{AlarmName: &name, NextToken: token})
		if missing(err) { // the alarm was deleted since it was described
			return nil, nil
		}
		if err != nil {
			return nil, failed(c, err)
		}
		for _, x := range out.AlarmContributors {
			if aws.ToString(x.ContributorId) == id {
				found = &x
				return nil, nil
			}
		}
		return out.NextToken, nil
	})
	return found, err
}

// span is [from, to).
type span struct{ from, to time.Time }

// around is what is read about an alarm: from an hour before its window, or two periods if those are long, until now.
// It keeps the phase of the window: an alarm's datapoints begin on any minute, not on multiples of the period, and the sums
// over other spans would be other sums.
func (m *Meter) around(a alarm.Alarm, period time.Duration) span {
	before := 2 * period
	if period <= time.Hour {
		before = (lookback + period - 1) / period * period
	}
	from := a.From.Truncate(time.Minute).Add(-before)
	return span{from, from.Add((m.now().Sub(from) + period - 1) / period * period)}
}

// downloaded and refused are S3's request metrics that are read.
const (
	downloaded = "BytesDownloaded"
	refused    = "4xxErrors"
)

// points adds up the datapoints of BytesDownloaded of all series, oldest first.
func (m *Meter) points(ctx context.Context, all []series, when span, period time.Duration) ([]alarm.Point, error) {
	got, err := m.columns(ctx, downloaded, all, when, period)
	if err != nil {
		return nil, err
	}
	return sum(got)
}

// columns are the datapoints of a metric of each series, by the ids of the queries.
func (m *Meter) columns(ctx context.Context, metric string, all []series, when span, period time.Duration) (map[string]*column, error) {
	if !when.from.Before(when.to) || len(all) == 0 {
		return nil, nil // a window in the future: nothing was measured there, and CloudWatch would refuse the question
	}
	var queries []types.MetricDataQuery
	got := map[string]*column{}
	for i, s := range all {
		id := fmt.Sprintf("q%d", i)
		got[id] = &column{metric: metric, series: s, values: map[time.Time]float64{}}
		queries = append(queries, queryFor(id, metric, types.StatisticSum, period, s.bucket, "FilterId", s.filterID))
	}
	if err := m.read(ctx, queries, when, got); err != nil {
		return nil, err
	}
	return got, nil
}

// queryFor asks for one metric of a bucket.
func queryFor(id, metric string, stat types.Statistic, period time.Duration, bucket, dimension, value string) types.MetricDataQuery {
	return types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{
		Metric: &types.Metric{
			Namespace: aws.String("AWS/S3"), MetricName: &metric,
			Dimensions: []types.Dimension{{Name: aws.String("BucketName"), Value: &bucket}, {Name: &dimension, Value: &value}},
		},
		Period: aws.Int32(int32(period / time.Second)), Stat: aws.String(string(stat)),
	}}
}

// read asks for datapoints, page by page, and adds them to the columns of the queries' ids.
func (m *Meter) read(ctx context.Context, queries []types.MetricDataQuery, when span, got map[string]*column) error {
	in := &cloudwatch.GetMetricDataInput{StartTime: &when.from, EndTime: &when.to, ScanBy: types.ScanByTimestampAscending, MetricDataQueries: queries}
	return pages(dataCall, func(token *string) (*string, error) {
		ctx, cancel := context.WithTimeout(ctx, dataTimeout)
		defer cancel()
		in.NextToken = token
		out, err := m.client.GetMetricData(ctx, in)
		if err != nil {
			return nil, failed(dataCall, err)
		}
		for _, r := range out.MetricDataResults {
			if c := got[aws.ToString(r.Id)]; c != nil {
				if err := c.add(r); err != nil {
					return nil, err
				}
			}
		}
		return out.NextToken, nil
	})
}

var dataCall = call{"cloudwatch:GetMetricData", "S3's metrics"}

// column is what is known of one series.
type column struct {
	metric string
	series series
	values map[time.Time]float64
	status types.StatusCode
}

// add takes one page's datapoints. PartialData is what every page but a series' last one says; it is judged at the end.
func (c *column) add(r types.MetricDataResult) error {
	if r.StatusCode == types.StatusCodeInternalError || r.StatusCode == types.StatusCodeForbidden || len(r.Values) != len(r.Timestamps) {
		return fmt.Errorf("reading %s of bucket %q: CloudWatch answered %s and %d values for %d times; try again",
			c.metric, c.series.bucket, r.StatusCode, len(r.Values), len(r.Timestamps))
	}
	c.status = r.StatusCode
	for i, t := range r.Timestamps {
		c.values[t.UTC()] = r.Values[i]
	}
	return nil
}

// sum adds up the columns, if all of them are whole: a sum that lacks a part would clear or blame somebody wrongly.
func sum(columns map[string]*column) ([]alarm.Point, error) {
	total := map[time.Time]float64{}
	for _, id := range slices.Sorted(maps.Keys(columns)) {
		c := columns[id]
		if c.status != types.StatusCodeComplete {
			return nil, fmt.Errorf("reading %s of bucket %q: CloudWatch gave only a part of the datapoints (%q); try again",
				c.metric, c.series.bucket, c.status)
		}
		for t, v := range c.values {
			total[t] += v
		}
	}
	var points []alarm.Point
	for _, t := range slices.SortedFunc(maps.Keys(total), time.Time.Compare) {
		v := total[t]
		if math.IsNaN(v) || v < 0 || v >= 1<<62 {
			return nil, fmt.Errorf("reading S3's request metrics: the datapoint of %s is %v, which no sum can be; try again", t.Format(time.RFC3339), v)
		}
		points = append(points, alarm.Point{Start: t, Bytes: int64(math.Round(v))})
	}
	return points, nil
}

// pages calls next with each page's token until there is no more.
func pages(c call, next func(token *string) (*string, error)) error {
	var token *string
	for {
		following, err := next(token)
		if err != nil || aws.ToString(following) == "" {
			return err
		}
		if token != nil && *token == *following {
			return errors.New("calling " + c.action + ": CloudWatch gives the same page again and again; try again")
		}
		token = following
	}
}

func ceil(t time.Time, d time.Duration) time.Time {
	if down := t.Truncate(d); !down.Equal(t) {
		return down.Add(d)
	}
	return t
}
