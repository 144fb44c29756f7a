package cloudwatch

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"nightlatch/internal/alarm"
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
		s, doubt = seriesOf(aws.ToString(a.Namespace), *a.MetricName, string(a.Statistic), a.Dimensions)
		w.series = []series{s}
	case len(a.Metrics) == 1 && a.Metrics[0].MetricStat == nil:
		w.period = seconds(a.Metrics[0].Period)
		w.query, doubt = queryOf(aws.ToString(a.Metrics[0].Expression), defaultFilter)
	case len(a.Metrics) > 0:
		w.series, w.period, doubt = sumOf(a.Metrics, accountOf(aws.ToString(a.AlarmArn)))
	default:
		doubt = "the alarm watches no metric"
	}
	if doubt == "" && w.period <= 0 {
		doubt = "the alarm has no period"
	}
	return w, doubt
}

// seriesOf accepts the sum of BytesDownloaded of one bucket and filter, and nothing else.
func seriesOf(namespace, metric, statistic string, dims []types.Dimension) (series, string) {
	if namespace != "AWS/S3" || metric != "BytesDownloaded" || statistic != string(types.StatisticSum) {
		return series{}, fmt.Sprintf("the alarm watches %s %s (%s), not the Sum of AWS/S3 BytesDownloaded", namespace, metric, statistic)
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

// sumOf accepts one metric, or several and the expression that adds them up.
func sumOf(metrics []types.MetricDataQuery, account string) (all []series, period time.Duration, doubt string) {
	var ids []string
	var sum *types.MetricDataQuery
	returned := ""
	for _, q := range metrics {
		if q.ReturnData == nil || *q.ReturnData {
			returned = aws.ToString(q.Id)
		}
		if id := aws.ToString(q.AccountId); id != "" && id != account {
			return nil, 0, fmt.Sprintf("the alarm watches a metric of another account, %s", id)
		}
		if q.MetricStat == nil {
			if sum != nil {
				return nil, 0, "the alarm has more than one expression"
			}
			sum = &q
			continue
		}
		stat, metric := q.MetricStat, q.MetricStat.Metric
		if metric == nil {
			return nil, 0, "the alarm watches a metric without a name"
		}
		s, doubt := seriesOf(aws.ToString(metric.Namespace), aws.ToString(metric.MetricName), aws.ToString(stat.Stat), metric.Dimensions)
		switch {
		case doubt != "":
			return nil, 0, doubt
		case period != 0 && seconds(stat.Period) != period:
			return nil, 0, "the alarm adds up metrics of different periods"
		case slices.ContainsFunc(all, func(o series) bool { return o.bucket == s.bucket }):
			return nil, 0, fmt.Sprintf("the alarm counts bucket %q twice", s.bucket)
		}
		period = seconds(stat.Period)
		all, ids = append(all, s), append(ids, aws.ToString(q.Id))
	}
	switch {
	case sum == nil && len(all) == 1:
		return all, period, ""
	case sum == nil || returned != aws.ToString(sum.Id) || !plainSum(aws.ToString(sum.Expression), ids):
		return nil, 0, "the alarm's expression is not the plain sum of its metrics"
	}
	return all, period, ""
}

// filled is FILL(m1, 0): it lets a sum exist while one of its buckets is idle, and adds nothing to it.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
var filled = regexp.MustCompile(`FILL\(([a-z]\w*|METRICS\(\)),0\)`)

// plainSum reports whether an expression adds up each of ids exactly once.
func plainSum(expression string, ids []string) bool {
	e := filled.ReplaceAllString(strings.Join(strings.Fields(expression), ""), "$1")
	if e == "SUM(METRICS())" {
		return true
	}
	sep := "+"
	if inner, ok := strings.CutPrefix(e, "SUM(["); ok && strings.HasSuffix(inner, "])") {
		e, sep = strings.TrimSuffix(inner, "])"), ","
	}
	return slices.Equal(slices.Sorted(strings.SplitSeq(e, sep)), slices.Sorted(slices.Values(ids)))
}

// query is a Metrics Insights query that gives one series a bucket.
type query struct {
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
	return !slices.Contains(q.not, bucket) && alarm.BucketName.MatchString(bucket)
}

// The query is matched as a whole: a part that is not understood could change what the alarm means.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-querylanguage.html
var (
	insights = regexp.MustCompile(`(?is)^\s*SELECT\s+SUM\(\s*"?BytesDownloaded"?\s*\)\s+FROM\s+SCHEMA\(\s*"AWS/S3"\s*,\s*"?(\w+)"?\s*,\s*"?(\w+)"?\s*\)` +
		`(?:\s+WHERE\s+(.+?))?\s+GROUP\s+BY\s+"?BucketName"?(?:\s+ORDER\s+BY\s+SUM\(\s*\)(?:\s+(?:ASC|DESC))?)?(?:\s+LIMIT\s+[0-9]+)?\s*$`)
	and       = regexp.MustCompile(`(?i)\s+AND\s+`)
	condition = regexp.MustCompile(`^"?(FilterId|BucketName)"?\s*(=|!=)\s*'([^']+)'$`)
)

func queryOf(text, defaultFilter string) (*query, string) {
	m := insights.FindStringSubmatch(text)
	if m == nil || !sameSet(m[1:3], []string{"BucketName", "FilterId"}) {
		return nil, "the alarm's expression is not the sum of S3 BytesDownloaded grouped by bucket"
	}
	q := &query{filterID: defaultFilter}
	if m[3] == "" {
		return q, ""
	}
	for _, part := range and.Split(m[3], -1) {
		c := condition.FindStringSubmatch(strings.TrimSpace(part))
		switch {
		case c == nil || c[1] == "FilterId" && c[2] == "!=":
			return nil, fmt.Sprintf("the alarm's query has the condition %+q, whose buckets cannot be told", part)
		case c[1] == "FilterId":
			q.filterID = c[3]
		case c[2] == "=":
			q.only = append(q.only, c[3])
		default:
			q.not = append(q.not, c[3])
		}
	}
	return q, ""
}

func seconds(n *int32) time.Duration { return time.Duration(aws.ToInt32(n)) * time.Second }

func accountOf(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		return parts[4]
	}
	return ""
}
