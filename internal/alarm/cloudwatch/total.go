package cloudwatch

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"nightlatch/internal/alarm"
)

const (
	// maxQueries is how many metrics one call of GetMetricData reads.
	maxQueries = 500
	// maxListed is how many buckets are added up at most. Beyond them the total is not known, and an alarm on it not confirmed.
	maxListed = 5000
)

// total reads an alarm that adds up all buckets: each of them that had the metric in the last three hours, the sums over all, and which gave
// most since the window began. A bucket whose metric is new is listed up to fifteen minutes late.
func (m *Meter) total(ctx context.Context, a alarm.Alarm, w watch, r alarm.Reading) (alarm.Reading, error) {
	all, err := m.listed(ctx, *w.query)
	if err != nil {
		return alarm.Reading{}, err
	}
	for _, b := range a.Buckets {
		all[series{b, w.query.filterID}] = true
	}
	when := m.around(a, w.period)
	gave := map[string]int64{}
	total := map[time.Time]int64{}
	for some := range slices.Chunk(slices.SortedFunc(maps.Keys(all), func(x, y series) int { return cmp.Compare(x.bucket, y.bucket) }), maxQueries) {
		columns, err := m.columns(ctx, downloaded, some, when, w.period)
		if err != nil {
			return alarm.Reading{}, err
		}
		for _, c := range columns {
			points, err := sum(map[string]*column{"": c})
			if err != nil {
				return alarm.Reading{}, err
			}
			for _, p := range points {
				if total[p.Start] += p.Bytes; !p.Start.Before(a.From) {
					gave[c.series.bucket] += p.Bytes
				}
			}
		}
	}
	for _, at := range slices.SortedFunc(maps.Keys(total), time.Time.Compare) {
		r.Points = append(r.Points, alarm.Point{Start: at, Bytes: total[at]})
	}
	maps.DeleteFunc(gave, func(_ string, bytes int64) bool { return bytes == 0 })
	r.Buckets = slices.SortedFunc(maps.Keys(gave), func(x, y string) int { return cmp.Or(cmp.Compare(gave[y], gave[x]), cmp.Compare(x, y)) })
	r.Buckets, r.All = r.Buckets[:min(len(r.Buckets), alarm.MaxLargest)], true
	var largest []series
	for _, b := range r.Buckets {
		largest = append(largest, series{b, w.query.filterID})
	}
	if len(largest)*len(storageTypes) <= maxQueries { // how much many buckets hold together makes no floor any lower
		r.Stored = <-m.measuring(ctx, a, largest)
	}
	if w.query.filterID != m.filterID {
		r.Counts = m.counts(ctx, largest)
	}
	return w.configured(r), nil
}

// listed are the buckets that the query adds up.
func (m *Meter) listed(ctx context.Context, q query) (map[series]bool, error) {
	all := map[series]bool{}
	in := &cloudwatch.ListMetricsInput{
		Namespace: aws.String("AWS/S3"), MetricName: aws.String("BytesDownloaded"), RecentlyActive: types.RecentlyActivePt3h,
		Dimensions: []types.DimensionFilter{{Name: aws.String("BucketName")}, {Name: aws.String("FilterId"), Value: &q.filterID}},
	}
	c := call{"cloudwatch:ListMetrics", "the metric BytesDownloaded"}
	err := pages(c, func(token *string) (*string, error) {
		ctx, cancel := context.WithTimeout(ctx, describeTimeout)
		defer cancel()
		in.NextToken = token
		out, err := m.client.ListMetrics(ctx, in)
		if err != nil {
			return nil, failed(c, err)
		}
		for _, found := range out.Metrics {
			s, doubt := seriesOf(aws.ToString(found.Namespace), aws.ToString(found.MetricName), found.Dimensions)
			if doubt == "" && s.filterID == q.filterID && q.covers(s.bucket) {
				all[s] = true
			}
		}
		if len(all) > maxListed {
			return nil, fmt.Errorf("calling %s on %s: more than %d buckets have it, and no more are added up", c.action, c.on, maxListed)
		}
		return out.NextToken, nil
	})
	return all, err
}
