package cloudwatch

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"nightlatch/internal/alarm"
	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/settings"
)

// series is one metric: the bytes downloaded from a bucket, as one of its request-metrics configurations counts them.
type series struct{ bucket, filterID string }

// watch is what an alarm evaluates.
type watch struct {
	series    []series
	query     *query // instead of series, for an alarm over many buckets
	threshold float64
	atLeast   bool // it fires at the threshold already
	period    time.Duration
	computed  string // alarm.Reading.Computed: the threshold is in no bytes then
}

func (w watch) buckets() []string {
	var names []string
	for _, s := range w.series {
		names = append(names, s.bucket)
	}
	return slices.Sorted(slices.Values(names))
}

// watchOf understands an alarm's configuration, or says in one sentence why its firing does not mean that more than so
// many bytes were downloaded. A query that names no filter is read by defaultFilter.
func watchOf(a types.MetricAlarm, defaultFilter string) (w watch, doubt string) {
	op := a.ComparisonOperator
	if a.Threshold == nil || op != types.ComparisonOperatorGreaterThanThreshold && op != types.ComparisonOperatorGreaterThanOrEqualToThreshold {
		return watch{}, "the alarm does not fire above a fixed threshold"
	}
	w.threshold, w.atLeast = *a.Threshold, op == types.ComparisonOperatorGreaterThanOrEqualToThreshold
	switch {
	case a.MetricName != nil && len(a.Metrics) == 0:
		w.period = seconds(a.Period)
		var s series
		s, doubt = seriesOf(aws.ToString(a.Namespace), *a.MetricName, a.Dimensions)
		w.series, w.computed = []series{s}, notSummed(cmp.Or(aws.ToString(a.ExtendedStatistic), string(a.Statistic)))
	case len(a.Metrics) == 1 && a.Metrics[0].MetricStat == nil:
		w.period = seconds(a.Metrics[0].Period)
		w.query, w.computed, doubt = queryOf(aws.ToString(a.Metrics[0].Expression), defaultFilter)
	case len(a.Metrics) > 0:
		doubt = w.sumOf(a.Metrics, accountOf(aws.ToString(a.AlarmArn)))
	default:
		doubt = "the alarm watches no metric"
	}
	if doubt == "" && w.period <= 0 {
		doubt = "the alarm has no period"
	}
	return w, doubt
}

// notSummed says that a statistic is no sum of bytes; "" where it is one.
func notSummed(statistic string) string {
	if statistic == string(types.StatisticSum) {
		return ""
	}
	return alarm.ComputedBy(fmt.Sprintf("the statistic %+q of BytesDownloaded", statistic))
}

// seriesOf accepts BytesDownloaded of one bucket and filter, and nothing else.
func seriesOf(namespace, metric string, dims []types.Dimension) (series, string) {
	if namespace != "AWS/S3" || metric != "BytesDownloaded" {
		return series{}, fmt.Sprintf("the alarm watches %s %s, not AWS/S3 BytesDownloaded", namespace, metric)
	}
	by := map[string]string{}
	for _, d := range dims {
		by[aws.ToString(d.Name)] = aws.ToString(d.Value)
	}
	s := series{by["BucketName"], by["FilterId"]}
	if len(dims) != 2 || s.bucket == "" || s.filterID == "" {
		return series{}, fmt.Sprintf("the alarm's metric has the dimensions %q, not BucketName and FilterId", slices.Sorted(maps.Keys(by)))
	}
	return s, ""
}

// sumOf reads one metric, or several and the expressions over them. What they return is bytes where it is one sum, or the expression that adds
// several up; anything else is computed from them.
func (w *watch) sumOf(metrics []types.MetricDataQuery, account string) (doubt string) {
	var ids, twice []string
	var returned *types.MetricDataQuery
	for i, q := range metrics {
		if q.ReturnData == nil || *q.ReturnData {
			returned = &metrics[i]
		}
		if id := aws.ToString(q.AccountId); id != "" && id != account {
			return fmt.Sprintf("the alarm watches a metric of another account, %s", id)
		}
		if q.MetricStat == nil {
			continue
		}
		stat, metric := q.MetricStat, q.MetricStat.Metric
		if metric == nil {
			return "the alarm watches a metric without a name"
		}
		s, doubt := seriesOf(aws.ToString(metric.Namespace), aws.ToString(metric.MetricName), metric.Dimensions)
		switch {
		case doubt != "":
			return doubt
		case w.period != 0 && seconds(stat.Period) != w.period:
			return "the alarm adds up metrics of different periods"
		case slices.ContainsFunc(w.series, func(o series) bool { return o.bucket == s.bucket }):
			twice = append(twice, s.bucket)
		default:
			w.series = append(w.series, s)
		}
		w.computed = cmp.Or(w.computed, notSummed(aws.ToString(stat.Stat)))
		w.period, ids = seconds(stat.Period), append(ids, aws.ToString(q.Id))
	}
	switch {
	case len(w.series) == 0 || returned == nil:
		return "the alarm watches no metric of S3's, but an expression"
	case returned.MetricStat != nil && len(ids) > 1:
		return "the alarm returns one of its metrics, and not the plain sum of them"
	case returned.MetricStat == nil && !alarm.PlainSum(aws.ToString(returned.Expression), ids):
		w.computed = alarm.Computes(aws.ToString(returned.Expression))
	case len(twice) > 0 && w.computed == "":
		return fmt.Sprintf("the alarm counts bucket %q twice", twice[0])
	}
	return ""
}

// query is a Metrics Insights query that gives one series a bucket, or one of all buckets together.
type query struct {
	all      bool // together
	filterID string
	only     []string
	not      []string
}

func (q query) covers(bucket string) bool {
	for _, b := range q.only {
		if b != bucket {
			return false
		}
	}
	return !slices.Contains(q.not, bucket) && settings.CheckBucket(bucket) == nil
}

// The query is matched as a whole: a part that is not understood could change what the alarm means.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-querylanguage.html
var (
	insights = lazyregexp.New(`(?is)^\s*SELECT\s+(SUM|AVG|MIN|MAX|COUNT)\(\s*"?BytesDownloaded"?\s*\)\s+FROM\s+SCHEMA\(\s*"AWS/S3"\s*,\s*"?(\w+)"?\s*,\s*"?(\w+)"?\s*\)` +
		`(?:\s+WHERE\s+(.+?))?(\s+GROUP\s+BY\s+"?BucketName"?)?(?:\s+ORDER\s+BY\s+(?:SUM|AVG|MIN|MAX|COUNT)\(\s*\)(?:\s+(?:ASC|DESC))?)?(?:\s+LIMIT\s+[0-9]+)?\s*$`)
	and       = lazyregexp.New(`(?i)\s+AND\s+`)
	condition = lazyregexp.New(`^"?(FilterId|BucketName)"?\s*(=|!=)\s*'([^']+)'$`)
)

func queryOf(text, defaultFilter string) (_ *query, computed, doubt string) {
	m := insights.FindStringSubmatch(text)
	if m == nil || !sameSet(m[2:4], []string{"BucketName", "FilterId"}) {
		return nil, "", "the alarm's expression is not the sum of S3 BytesDownloaded, of all buckets or of each"
	}
	if !strings.EqualFold(m[1], "SUM") {
		computed = alarm.ComputedBy(strings.ToUpper(m[1]) + " of BytesDownloaded")
	}
	q := &query{all: m[5] == "", filterID: defaultFilter}
	if m[4] == "" {
		return q, computed, ""
	}
	for _, part := range and.Split(m[4], -1) {
		c := condition.FindStringSubmatch(strings.TrimSpace(part))
		switch {
		case c == nil || c[1] == "FilterId" && c[2] == "!=":
			return nil, "", fmt.Sprintf("the alarm's query has the condition %+q, whose buckets cannot be told", part)
		case c[1] == "FilterId":
			q.filterID = c[3]
		case c[2] == "=":
			q.only = append(q.only, c[3])
		default:
			q.not = append(q.not, c[3])
		}
	}
	return q, computed, ""
}

func seconds(n *int32) time.Duration { return time.Duration(aws.ToInt32(n)) * time.Second }

func accountOf(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		return parts[4]
	}
	return ""
}
