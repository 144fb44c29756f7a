package alarm

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/settings"
)

// maxBuckets is how many buckets one alarm can name: a metric math alarm has at most ten metrics. A query ends at 10,000 characters.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create-alarm-on-metric-math-expression.html
const maxBuckets = 10

// MaxLargest is how many buckets are asked about where an alarm adds up all of them: those that gave most.
const MaxLargest = 40

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
	if p.AlarmName == "" {
		return Event{}, errors.New("alarm event: it has no alarm name")
	}
	if p.State.Timestamp.IsZero() {
		return Event{}, errors.New("alarm event: it has no state timestamp")
	}
	a.Source, a.Name, a.Since = Fired, p.AlarmName, p.State.Timestamp.Time
	if p.Configuration.AlarmRule != "" {
		return p.below(a)
	}
	if p.Contributor != nil {
		a.Contributor = p.Contributor.ID
	}
	if !p.buckets(&a) {
		if why := p.elsewhere(); why != "" {
			return refuse(a, why)
		}
		return Event{Ignored: "the alarm does not watch S3 BytesDownloaded"}, nil
	}
	a.Computed, a.Counts = p.computed(), p.counts()
	if len(a.Buckets) > maxBuckets {
		return Event{}, fmt.Errorf("alarm event: it names %d buckets, more than the %d that one alarm can watch", len(a.Buckets), maxBuckets)
	}
	for _, b := range a.Buckets {
		if why := settings.Unwatched(b); why != "" {
			return refuse(a, why)
		}
		if err := settings.CheckBucket(b); err != nil {
			return Event{}, fmt.Errorf("alarm event: %v", err)
		}
	}
	if err := p.window(&a); err != nil {
		return Event{}, fmt.Errorf("alarm event: %v", err)
	}
	return Event{Alarm: &a}, nil
}

// buckets fills in the buckets and the period. It reports whether the alarm is about the bytes downloaded from S3.
func (p payload) buckets(a *Alarm) (ours bool) {
	for _, m := range p.Configuration.Metrics {
		period := m.Period
		switch {
		case m.MetricStat != nil:
			if !m.ours() {
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
	slices.Sort(a.Buckets)
	if a.Period == 0 {
		a.Period = time.Minute // the period of S3's request metrics
	}
	return ours
}

// reasonPoint finds the datapoints that a reason lists: [3.113851289E9 (04/03/26 00:02:00)], day first, UTC.
var reasonPoint = lazyregexp.New(`([0-9][0-9.]*(?:E[0-9]+)?) \(([0-9]{2}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})\)`)

// reasonThreshold finds "the threshold (1073741824.0)".
var reasonThreshold = lazyregexp.New(`threshold \(([0-9][0-9.]*(?:E[0-9]+)?)\)`)

// reasonAtLeast finds the operator, which a reason spells out and no configuration in an event has.
var reasonAtLeast = lazyregexp.New(`greater than or equal to the`)

// datum is one value that the alarm was evaluated on. It is a number of bytes where the alarm is on a sum of bytes.
type datum struct {
	at    time.Time
	value float64
}

// evaluated are the values that the alarm was evaluated on, oldest first, and their threshold, from the reason's data or else from its text.
func (p payload) evaluated(a *Alarm) (all []datum, err error) {
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
			return nil, fmt.Errorf("reasonData: %v", err)
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
		if _, err := bytesOf(*d.Value); err != nil && a.Computed == "" || !validTime(d.Timestamp.Time) {
			return nil, errors.New("reasonData: a datapoint is not a number of bytes at a time")
		}
		all = append(all, datum{d.Timestamp.Time, *d.Value})
	}
	if len(all) == 0 {
		for _, m := range reasonPoint.FindAllStringSubmatch(p.State.Reason, -1) {
			v, err := strconv.ParseFloat(m[1], 64)
			t, terr := time.ParseInLocation("02/01/06 15:04:05", m[2], time.UTC)
			if _, berr := bytesOf(v); err == nil && terr == nil && berr == nil && validTime(t) {
				all = append(all, datum{t, v})
			}
		}
	}
	if m := reasonThreshold.FindStringSubmatch(p.State.Reason); a.Threshold == nil && m != nil {
		if v, err := strconv.ParseFloat(m[1], 64); err == nil {
			a.Threshold = &v
		}
	}
	a.AtLeast = a.AtLeast || reasonAtLeast.MatchString(p.State.Reason)
	slices.SortFunc(all, func(x, y datum) int { return x.at.Compare(y.at) })
	return slices.CompactFunc(all, func(x, y datum) bool { return x.at.Equal(y.at) }), nil
}

// window fills in the window, and from an alarm on a sum of bytes the points, the bytes and the threshold.
func (p payload) window(a *Alarm) error {
	if !validTime(a.Since) {
		return fmt.Errorf("its state timestamp %s is no time of ours", quote(a.Since.String()))
	}
	all, err := p.evaluated(a)
	if err != nil {
		return err
	}
	first := slices.IndexFunc(all, func(d datum) bool { return a.Threshold == nil || above(d.value, *a.Threshold, a.AtLeast) })
	if a.Computed != "" {
		a.Threshold = nil // in no bytes
	}
	if first < 0 {
		// Nothing to go by but the transition itself: the Meter finds the datapoints around it.
		a.aroundTransition()
		return nil
	}
	all = all[first:]
	last := all[len(all)-1].at
	if a.From = all[0].at; last.Sub(a.From) > maxClaimedWindow {
		return fmt.Errorf("its datapoints are %v apart, more than the %v that an alarm evaluates", last.Sub(a.From), maxClaimedWindow)
	}
	a.To = last.Add(a.Period)
	if now := a.Since.Truncate(time.Minute); a.To.After(now) && now.After(a.From) {
		a.To = now // an alarm on a day's sum fires before its day is over, and what is still to come can be no evidence
	}
	if a.Computed != "" {
		return nil
	}
	var sum int64
	for _, d := range all {
		b, err := bytesOf(d.value)
		if err != nil || sum > 1<<62-b {
			return errors.New("its datapoints add up to more than can be counted")
		}
		sum += b
		a.Points = append(a.Points, Point{Start: d.at, Bytes: b})
	}
	a.Bytes, a.Claimed = &sum, &sum
	return nil
}

// aroundTransition is the window of an alarm that says nothing but when it fired.
func (a *Alarm) aroundTransition() {
	a.To = a.Since.Truncate(a.Period)
	a.From = a.To.Add(-min(5*a.Period, maxClaimedWindow))
}

// Window is the window that an alarm fired for, by the reason that CloudWatch keeps with its state; false where that has no datapoints.
func Window(reason, reasonData string, since time.Time, period time.Duration) (from, to time.Time, ok bool) {
	var p payload
	p.State.Reason, p.State.ReasonData = reason, reasonData
	a := Alarm{Since: since, Period: period}
	if err := p.window(&a); err != nil || a.Bytes == nil {
		return from, to, false
	}
	return a.From, a.To, true
}
