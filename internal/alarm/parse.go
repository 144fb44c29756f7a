package alarm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"nightlatch/internal/actor"
)

// MaxEvent is the largest event that is read. Lambda's asynchronous invocations end at 1 MB; alarms are a few KB.
const MaxEvent = 1 << 20

// maxBuckets is how many buckets one alarm can name: a metric math alarm has at most ten metrics. A query ends at 10,000 characters.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create-alarm-on-metric-math-expression.html
const maxBuckets = 10

// maxRingWindow bounds what a ring may claim: an alarm evaluates at most seven days.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
const maxRingWindow = 7 * 24 * time.Hour

// maxError cuts an error's text: it may quote what arrived.
const maxError = 400

// maxManualWindow bounds the window of a manual event: a query is billed by what it scans.
const maxManualWindow = 24 * time.Hour

// Event is what an event asks for: exactly one of the three is set.
type Event struct {
	Alarm *Alarm
	// Advance is the incident that a follow-up continues.
	Advance string
	// Ignored says why the event starts nothing: "state is OK, not ALARM".
	Ignored string
}

// BucketName is what S3 accepts as the name of a general purpose bucket.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
var BucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

var incidentID = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)

// Parse reads any event that starts or continues an incident. Its errors are one sentence about what arrived.
func Parse(event []byte) (Event, error) {
	e, err := parse(event)
	if err == nil {
		return e, nil
	}
	if text := err.Error(); len(text) > maxError {
		err = errors.New(strings.ToValidUTF8(text[:maxError], "") + "…")
	}
	return Event{}, err
}

func parse(event []byte) (Event, error) {
	if len(event) > MaxEvent {
		return Event{}, fmt.Errorf("the event is %d bytes long, more than the %d that an event may have", len(event), MaxEvent)
	}
	if len(bytes.TrimSpace(event)) == 0 {
		return Event{}, errors.New("the event is empty")
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(event, &top); err != nil {
		return Event{}, fmt.Errorf("the event is not a JSON object: %v", err)
	}
	has := func(key string) bool { _, ok := top[key]; return ok }
	switch {
	case has("nightlatch"):
		return parseOurs(top)
	case has("Records"):
		return parseSNS(top["Records"])
	case has("alarmData"):
		return parseDirect(event)
	case has("detail-type"):
		return parseEventBridge(event)
	case has("AlarmName") && has("NewStateValue"):
		return parseSNSMessage(event)
	}
	keys := make([]string, 0, len(top))
	for k := range top {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return Event{}, fmt.Errorf("the event has none of the known shapes; its fields are %s", quoteSome(keys))
}

// quoteSome names at most eight keys, each cut and quoted: the event may come from anybody.
func quoteSome(keys []string) string {
	if len(keys) == 0 {
		return "none"
	}
	var out []string
	for i, k := range keys {
		if i == 8 {
			out = append(out, fmt.Sprintf("and %d more", len(keys)-i))
			break
		}
		out = append(out, quote(k))
	}
	return strings.Join(out, ", ")
}

func quote(s string) string {
	if len(s) > 64 {
		s = s[:64] + "…"
	}
	return strconv.QuoteToASCII(s)
}

// parseOurs reads {"nightlatch": {"investigate": …}} and {"nightlatch": {"advance": …}}, strictly: a human typed it.
func parseOurs(top map[string]json.RawMessage) (Event, error) {
	if len(top) != 1 {
		return Event{}, errors.New(`a manual event has the one field "nightlatch"`)
	}
	var ours struct {
		Investigate *struct {
			Bucket      string `json:"bucket"`
			From        string `json:"from"`
			To          string `json:"to"`
			AccessKeyID string `json:"access_key_id"`
			Bytes       *int64 `json:"bytes"`
		} `json:"investigate"`
		Advance *struct {
			Incident string `json:"incident"`
		} `json:"advance"`
	}
	dec := json.NewDecoder(bytes.NewReader(top["nightlatch"]))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&ours); err != nil {
		return Event{}, fmt.Errorf("nightlatch: %v", err)
	}
	switch {
	case (ours.Investigate == nil) == (ours.Advance == nil):
		return Event{}, errors.New(`nightlatch: give "investigate" or "advance", one of the two`)
	case ours.Advance != nil:
		if !incidentID.MatchString(ours.Advance.Incident) {
			return Event{}, fmt.Errorf("nightlatch.advance.incident: %s is not an incident's id", quote(ours.Advance.Incident))
		}
		return Event{Advance: ours.Advance.Incident}, nil
	}
	in := ours.Investigate
	if !BucketName.MatchString(in.Bucket) {
		return Event{}, fmt.Errorf("nightlatch.investigate.bucket: %s is not the name of a bucket", quote(in.Bucket))
	}
	from, err := time.Parse(time.RFC3339, in.From)
	if err != nil {
		return Event{}, fmt.Errorf("nightlatch.investigate.from: %s is not a time like 2026-03-04T00:01:00Z", quote(in.From))
	}
	to, err := time.Parse(time.RFC3339, in.To)
	if err != nil {
		return Event{}, fmt.Errorf("nightlatch.investigate.to: %s is not a time like 2026-03-04T00:03:00Z", quote(in.To))
	}
	switch {
	case !validTime(from) || !validTime(to):
		return Event{}, errors.New("nightlatch.investigate: from and to lie between the years 2006 and 9998")
	case !to.After(from):
		return Event{}, errors.New("nightlatch.investigate.to: the window ends before it begins")
	case to.Sub(from) > maxManualWindow:
		return Event{}, fmt.Errorf("nightlatch.investigate: the window is %v long, more than %v", to.Sub(from), maxManualWindow)
	case in.AccessKeyID != "" && !accessKey.MatchString(in.AccessKeyID):
		return Event{}, fmt.Errorf("nightlatch.investigate.access_key_id: %s is not an access key id", quote(in.AccessKeyID))
	case in.Bytes != nil && *in.Bytes < 0:
		return Event{}, fmt.Errorf("nightlatch.investigate.bytes: %d is negative", *in.Bytes)
	}
	return Event{Alarm: &Alarm{
		Source: Manual, Buckets: []string{in.Bucket}, From: from.UTC(), To: to.UTC(), Since: to.UTC(),
		Period: time.Minute, Bytes: in.Bytes, Claimed: in.Bytes, AccessKeyID: in.AccessKeyID,
	}}, nil
}

var accessKey = regexp.MustCompile(`^(AKIA|ASIA)[A-Z0-9]{12,124}$`)

// validTime keeps out what no CloudTrail record can have (S3 began in 2006) and what would overflow later: a year above 9999,
// which a window's end may reach, has no JSON form.
func validTime(t time.Time) bool { return t.UTC().Year() >= 2006 && t.UTC().Year() <= 9998 }

// payload is what the direct and the EventBridge form have in common.
type payload struct {
	AlarmName   string       `json:"alarmName"`
	Contributor *contributor `json:"alarmContributor"`
	State       struct {
		Value      string  `json:"value"`
		Reason     string  `json:"reason"`
		ReasonData string  `json:"reasonData"`
		Timestamp  awsTime `json:"timestamp"`
	} `json:"state"`
	Configuration struct {
		AlarmRule string   `json:"alarmRule"`
		Metrics   []metric `json:"metrics"`
	} `json:"configuration"`
}

type contributor struct {
	ID         string            `json:"id"`
	Attributes map[string]string `json:"attributes"`
}

type metric struct {
	Expression string  `json:"expression"`
	Period     float64 `json:"period"`
	MetricStat *struct {
		Metric struct {
			Namespace  string            `json:"namespace"`
			Name       string            `json:"name"`
			Dimensions map[string]string `json:"dimensions"`
		} `json:"metric"`
		Period float64 `json:"period"`
	} `json:"metricStat"`
}

func parseDirect(event []byte) (Event, error) {
	var in struct {
		AlarmARN  string  `json:"alarmArn"`
		AccountID string  `json:"accountId"`
		Region    string  `json:"region"`
		AlarmData payload `json:"alarmData"`
	}
	if err := json.Unmarshal(event, &in); err != nil {
		return Event{}, fmt.Errorf("alarm event: %v", err)
	}
	return in.AlarmData.event(Alarm{ARN: in.AlarmARN, AccountID: in.AccountID, Region: in.Region})
}

func parseEventBridge(event []byte) (Event, error) {
	var in struct {
		DetailType string          `json:"detail-type"`
		Source     string          `json:"source"`
		Account    string          `json:"account"`
		Region     string          `json:"region"`
		Resources  []string        `json:"resources"`
		Detail     json.RawMessage `json:"detail"`
	}
	if err := json.Unmarshal(event, &in); err != nil {
		return Event{}, fmt.Errorf("EventBridge event: %v", err)
	}
	if in.Source != "aws.cloudwatch" {
		return Event{}, fmt.Errorf("EventBridge event: its source is %s, not \"aws.cloudwatch\"", quote(in.Source))
	}
	switch in.DetailType {
	case "CloudWatch Alarm State Change", "CloudWatch Alarm Contributor State Change":
	case "CloudWatch Alarm Configuration Change":
		return Event{Ignored: "the alarm's configuration changed; its state did not"}, nil
	default:
		return Event{}, fmt.Errorf("EventBridge event: detail-type %s is not an alarm's change of state", quote(in.DetailType))
	}
	if len(in.Resources) != 1 {
		return Event{}, fmt.Errorf("EventBridge event: resources has %d entries, not the alarm's one", len(in.Resources))
	}
	var p payload
	if err := json.Unmarshal(in.Detail, &p); err != nil {
		return Event{}, fmt.Errorf("EventBridge event: detail: %v", err)
	}
	return p.event(Alarm{ARN: in.Resources[0], AccountID: in.Account, Region: in.Region})
}

func parseSNS(records json.RawMessage) (Event, error) {
	var in []struct {
		EventSource string `json:"EventSource"`
		SNS         *struct {
			Message string `json:"Message"`
		} `json:"Sns"`
	}
	if err := json.Unmarshal(records, &in); err != nil {
		return Event{}, fmt.Errorf("the event's Records: %v", err)
	}
	// SNS invokes a function with one record. https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
	if len(in) != 1 {
		return Event{}, fmt.Errorf("the event's Records has %d entries, not one", len(in))
	}
	if in[0].SNS == nil {
		return Event{}, fmt.Errorf("the event's Records[0] comes from %s, not from SNS", quote(in[0].EventSource))
	}
	return parseSNSMessage([]byte(in[0].SNS.Message))
}

// parseSNSMessage reads what CloudWatch publishes to a topic: the same facts under other names.
func parseSNSMessage(message []byte) (Event, error) {
	var in struct {
		AlarmName       string  `json:"AlarmName"`
		AlarmARN        string  `json:"AlarmArn"`
		AWSAccountID    string  `json:"AWSAccountId"`
		NewStateValue   string  `json:"NewStateValue"`
		NewStateReason  string  `json:"NewStateReason"`
		StateChangeTime awsTime `json:"StateChangeTime"`
		AlarmRule       string  `json:"AlarmRule"`
		Trigger         struct {
			MetricName string   `json:"MetricName"`
			Namespace  string   `json:"Namespace"`
			Dimensions snsDims  `json:"Dimensions"`
			Period     float64  `json:"Period"`
			Threshold  *float64 `json:"Threshold"`
			Metrics    []struct {
				Expression string  `json:"Expression"`
				Period     float64 `json:"Period"`
				MetricStat *struct {
					Metric struct {
						Namespace  string  `json:"Namespace"`
						MetricName string  `json:"MetricName"`
						Dimensions snsDims `json:"Dimensions"`
					} `json:"Metric"`
					Period float64 `json:"Period"`
				} `json:"MetricStat"`
			} `json:"Metrics"`
		} `json:"Trigger"`
		ContributorID         string            `json:"AlarmContributorId"`
		ContributorAttributes map[string]string `json:"AlarmContributorAttributes"`
	}
	if err := json.Unmarshal(message, &in); err != nil {
		return Event{}, fmt.Errorf("the SNS message is not a CloudWatch alarm: %v", err)
	}
	if in.AlarmName == "" || in.NewStateValue == "" {
		return Event{}, errors.New(`the SNS message is not a CloudWatch alarm: it has no "AlarmName" or no "NewStateValue"`)
	}
	p := payload{AlarmName: in.AlarmName}
	p.State.Value, p.State.Reason, p.State.Timestamp = in.NewStateValue, in.NewStateReason, in.StateChangeTime
	p.Configuration.AlarmRule = in.AlarmRule
	if in.ContributorID != "" {
		p.Contributor = &contributor{ID: in.ContributorID, Attributes: in.ContributorAttributes}
	}
	add := func(namespace, name, expression string, dims snsDims, period float64) {
		m := metric{Expression: expression, Period: period}
		if name != "" {
			m.MetricStat = new(struct {
				Metric struct {
					Namespace  string            `json:"namespace"`
					Name       string            `json:"name"`
					Dimensions map[string]string `json:"dimensions"`
				} `json:"metric"`
				Period float64 `json:"period"`
			})
			m.MetricStat.Metric.Namespace, m.MetricStat.Metric.Name = namespace, name
			m.MetricStat.Metric.Dimensions, m.MetricStat.Period = dims, period
		}
		p.Configuration.Metrics = append(p.Configuration.Metrics, m)
	}
	t := in.Trigger
	if t.MetricName != "" {
		add(t.Namespace, t.MetricName, "", t.Dimensions, t.Period)
	}
	for _, m := range t.Metrics {
		period := max(m.Period, t.Period)
		if m.MetricStat == nil {
			add("", "", m.Expression, nil, period)
			continue
		}
		add(m.MetricStat.Metric.Namespace, m.MetricStat.Metric.MetricName, m.Expression, m.MetricStat.Metric.Dimensions,
			max(m.MetricStat.Period, period))
	}
	return p.event(Alarm{ARN: in.AlarmARN, AccountID: in.AWSAccountID, Region: regionOf(in.AlarmARN), Threshold: t.Threshold})
}

// regionOf takes the region from an ARN: SNS's own "Region" is a name for people.
func regionOf(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		return parts[3]
	}
	return ""
}

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
		return Event{Ignored: "a composite alarm names no bucket; the alarms below it ring for themselves"}, nil
	}
	if p.AlarmName == "" {
		return Event{}, errors.New("alarm event: it has no alarm name")
	}
	if p.State.Timestamp.IsZero() {
		return Event{}, errors.New("alarm event: it has no state timestamp")
	}
	a.Source, a.Name, a.Since = Rang, p.AlarmName, p.State.Timestamp.Time
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
		// Nothing to go by but the ring itself: the Meter finds the datapoints around it.
		a.Points = nil
		a.To = a.Since.Truncate(a.Period)
		a.From = a.To.Add(-min(5*a.Period, maxRingWindow))
		return nil
	}
	a.Points = a.Points[first:]
	last := a.Points[len(a.Points)-1].Start
	if a.From = a.Points[0].Start; last.Sub(a.From) > maxRingWindow {
		return fmt.Errorf("its datapoints are %v apart, more than the %v that an alarm evaluates", last.Sub(a.From), maxRingWindow)
	}
	a.To = last.Add(a.Period)
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

// awsTime reads the times of alarm payloads, 2026-03-04T00:03:41.431+0000, which time.Time's own decoding refuses.
type awsTime struct{ time.Time }

func (t *awsTime) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("a time is text, not %s", quote(string(b)))
	}
	for _, layout := range []string{"2006-01-02T15:04:05.999999999-0700", time.RFC3339Nano} {
		if parsed, err := time.Parse(layout, s); err == nil {
			t.Time = parsed.UTC()
			return nil
		}
	}
	return fmt.Errorf("%s is not a time", quote(s))
}

// snsDims reads dimensions as SNS lists them, [{"name":…,"value":…}], into a map.
type snsDims map[string]string

func (d *snsDims) UnmarshalJSON(b []byte) error {
	var list []struct{ Name, Value string }
	if err := json.Unmarshal(b, &list); err != nil {
		return fmt.Errorf("the field Dimensions: %v", err)
	}
	*d = snsDims{}
	for _, e := range list {
		(*d)[e.Name] = e.Value
	}
	return nil
}

// Hint reports whether a credential is the one that a manual event asked about.
func (a Alarm) Hint(c actor.Credential) bool {
	return a.AccessKeyID != "" && a.AccessKeyID == c.AccessKeyID
}
