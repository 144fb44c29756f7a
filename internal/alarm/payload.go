package alarm

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// maxBuckets is how many buckets one alarm can name: a metric math alarm has at most ten metrics. A query ends at 10,000 characters.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create-alarm-on-metric-math-expression.html
const maxBuckets = 10

// maxClaimedWindow bounds what an event may claim: an alarm evaluates at most seven days.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
const maxClaimedWindow = 7 * 24 * time.Hour

// event turns a payload into an alarm, or into the reason why it is none.
func (p payload) event(a Alarm) (Event, error) {
	switch p.State.Value {
	case "ALARM":
	case "OK", "INSUFFICIENT_DATA":
		return Event{Ignored: "the state is " + p.State.Value + ", not ALARM"}, nil
	default:
		return Event{}, fmt.Errorf("alarm event: state %s is none that CloudWatch has", quote(p.State.Value))
	}
	if p.Configuration.AlarmRule != "" {
		return Event{Ignored: "a composite alarm names no bucket; the alarms below it fire for themselves"}, nil
	}
	if p.AlarmName == "" {
		return Event{}, errors.New("alarm event: it has no alarm name")
	}
	if p.State.Timestamp.IsZero() {
		return Event{}, errors.New("alarm event: it has no state timestamp")
	}
	a.Source, a.Name, a.Since = Fired, p.AlarmName, p.State.Timestamp.Time
	if p.Contributor != nil {
		a.Contributor = p.Contributor.ID
	}
	if why := p.buckets(&a); why != "" {
		return Event{Ignored: why}, nil
	}
	if len(a.Buckets) > maxBuckets {
		return Event{}, fmt.Errorf("alarm event: it names %d buckets, more than the %d that one alarm can watch", len(a.Buckets), maxBuckets)
	}
	for _, b := range a.Buckets {
		if !BucketName.MatchString(b) {
			return Event{}, fmt.Errorf("alarm event: %s is not the name of a bucket", quote(b))
		}
	}
	if err := p.window(&a); err != nil {
		return Event{}, fmt.Errorf("alarm event: %v", err)
	}
	return Event{Alarm: &a}, nil
}

// insights recognises a Metrics Insights query over S3's BytesDownloaded.
var insights = regexp.MustCompile(`(?i)^\s*SELECT\s+SUM\(\s*"?BytesDownloaded"?\s*\)\s+FROM\s+(?:SCHEMA\(\s*)?"AWS/S3"`)

// buckets fills in the buckets and the period, or says why this alarm is not about downloaded bytes.
func (p payload) buckets(a *Alarm) string {
	ours := false
	for _, m := range p.Configuration.Metrics {
		period := m.Period
		switch {
		case m.MetricStat != nil:
			if m.MetricStat.Metric.Namespace != "AWS/S3" || m.MetricStat.Metric.Name != "BytesDownloaded" {
				continue
			}
			ours = true
			if b := m.MetricStat.Metric.Dimensions["BucketName"]; b != "" && !slices.Contains(a.Buckets, b) {
				a.Buckets = append(a.Buckets, b)
			}
			period = max(period, m.MetricStat.Period)
		case insights.MatchString(m.Expression):
			ours = true
		}
		if period >= 1 && period <= 7*24*3600 {
			a.Period = max(a.Period, time.Duration(period)*time.Second)
		}
	}
	if p.Contributor != nil {
		if b := p.Contributor.Attributes["BucketName"]; b != "" {
			ours, a.Buckets = true, []string{b}
		}
	}
	if !ours {
		return "the alarm does not watch S3 BytesDownloaded"
	}
	slices.Sort(a.Buckets)
	if a.Period == 0 {
		a.Period = time.Minute // the period of S3's request metrics
	}
	return ""
}

// reasonPoint finds the datapoints that a reason lists: [3.113851289E9 (04/03/26 00:02:00)], day first, UTC.
var reasonPoint = regexp.MustCompile(`([0-9][0-9.]*(?:E[0-9]+)?) \(([0-9]{2}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})\)`)

// reasonThreshold finds "the threshold (1073741824.0)".
var reasonThreshold = regexp.MustCompile(`threshold \(([0-9][0-9.]*(?:E[0-9]+)?)\)`)

// window fills in the window, the points, the bytes and the threshold, from the reason's data or else from its text.
func (p payload) window(a *Alarm) error {
	if !validTime(a.Since) {
		return fmt.Errorf("its state timestamp %s is no time of ours", quote(a.Since.String()))
	}
	var data struct {
		Period              float64  `json:"period"`
		Threshold           *float64 `json:"threshold"`
		EvaluatedDatapoints []struct {
			Timestamp awsTime  `json:"timestamp"`
			Value     *float64 `json:"value"`
		} `json:"evaluatedDatapoints"`
	}
	if p.State.ReasonData != "" {
		if err := json.Unmarshal([]byte(p.State.ReasonData), &data); err != nil {
			return fmt.Errorf("reasonData: %v", err)
		}
	}
	if data.Period >= 1 && data.Period <= 7*24*3600 {
		a.Period = time.Duration(data.Period) * time.Second
	}
	if data.Threshold != nil {
		a.Threshold = data.Threshold
	}
	for _, d := range data.EvaluatedDatapoints {
		if d.Value == nil { // a missing datapoint is listed without a value
			continue
		}
		b, err := bytesOf(*d.Value)
		if err != nil || !validTime(d.Timestamp.Time) {
			return errors.New("reasonData: a datapoint is not a number of bytes at a time")
		}
		a.Points = append(a.Points, Point{Start: d.Timestamp.Time, Bytes: b})
	}
	if len(a.Points) == 0 {
		for _, m := range reasonPoint.FindAllStringSubmatch(p.State.Reason, -1) {
			v, err := strconv.ParseFloat(m[1], 64)
			t, terr := time.ParseInLocation("02/01/06 15:04:05", m[2], time.UTC)
			if b, berr := bytesOf(v); err == nil && terr == nil && berr == nil && validTime(t) {
				a.Points = append(a.Points, Point{Start: t, Bytes: b})
			}
		}
	}
	if m := reasonThreshold.FindStringSubmatch(p.State.Reason); a.Threshold == nil && m != nil {
		if v, err := strconv.ParseFloat(m[1], 64); err == nil {
			a.Threshold = &v
		}
	}
	slices.SortFunc(a.Points, func(x, y Point) int { return x.Start.Compare(y.Start) })
	a.Points = slices.CompactFunc(a.Points, func(x, y Point) bool { return x.Start.Equal(y.Start) })
	first := slices.IndexFunc(a.Points, func(p Point) bool { return a.Threshold == nil || float64(p.Bytes) > *a.Threshold })
	if first < 0 {
		// Nothing to go by but the transition itself: the Meter finds the datapoints around it.
		a.Points = nil
		a.To = a.Since.Truncate(a.Period)
		a.From = a.To.Add(-min(5*a.Period, maxClaimedWindow))
		return nil
	}
	a.Points = a.Points[first:]
	last := a.Points[len(a.Points)-1].Start
	if a.From = a.Points[0].Start; last.Sub(a.From) > maxClaimedWindow {
		return fmt.Errorf("its datapoints are %v apart, more than the %v that an alarm evaluates", last.Sub(a.From), maxClaimedWindow)
	}
	a.To = last.Add(a.Period)
	if now := a.Since.Truncate(time.Minute); a.To.After(now) && now.After(a.From) {
		a.To = now // an alarm on a day's sum fires before its day is over, and what is still to come can be no evidence
	}
	var sum int64
	for _, pt := range a.Points {
		if sum > 1<<62-pt.Bytes {
			return errors.New("its datapoints add up to more than can be counted")
		}
		sum += pt.Bytes
	}
	a.Bytes, a.Claimed = &sum, &sum
	return nil
}
