package backtest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/prose"
	"nightlatch/internal/sandbox"
	"nightlatch/internal/settings"
)

// History are alarms that have fired, as CloudWatch remembers them.
type History struct {
	fired []past
	// Skipped says, one sentence each, what of it could not be used.
	Skipped []string
}

// past is one transition to ALARM, and when the alarm was OK again; zero where the history does not say.
type past struct {
	name, bucket, reason, data string
	since, until               time.Time
}

// item is an entry of a history: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_AlarmHistoryItem.html
type item struct {
	AlarmName                  string
	AlarmContributorAttributes map[string]string
	Timestamp                  time.Time
	HistoryItemType            string
	HistoryData                string
}

// change is what an item's data hold, of a state or of a configuration.
type change struct {
	NewState struct {
		StateValue      string          `json:"stateValue"`
		StateReason     string          `json:"stateReason"`
		StateReasonData json.RawMessage `json:"stateReasonData"`
	} `json:"newState"`
	CreatedAlarm, UpdatedAlarm struct {
		MetricName string `json:"metricName"`
		Dimensions []struct {
			Name  string `json:"name"`
			Value string `json:"value"`
		} `json:"dimensions"`
	}
}

// state is an item that is a change of state.
type state struct {
	item
	change
}

// ours is how the deployment names an alarm, with the number of a nested stack.
var ours = regexp.MustCompile(`^nightlatch-(.+)-(?:1m|24h)(?:-[0-9]+)?$`)

// ReadHistory reads what "aws cloudwatch describe-alarm-history" prints; several of its outputs may follow each other. A text that is none of it is an
// error.
func ReadHistory(text []byte) (*History, error) {
	var items []item
	for dec := json.NewDecoder(bytes.NewReader(text)); ; {
		var page struct{ AlarmHistoryItems []item }
		if err := dec.Decode(&page); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("at byte %d: %v", dec.InputOffset(), err)
		}
		if page.AlarmHistoryItems == nil {
			return nil, errors.New(`it has no "AlarmHistoryItems": give what aws cloudwatch describe-alarm-history prints`)
		}
		items = append(items, page.AlarmHistoryItems...)
	}
	slices.SortStableFunc(items, func(x, y item) int { return x.Timestamp.Compare(y.Timestamp) })
	h := &History{}
	buckets := map[string]string{} // by alarm
	var states []state
	for _, i := range items {
		var c change
		switch {
		case json.Unmarshal([]byte(i.HistoryData), &c) != nil:
			h.skip("alarm %s at %s: its history data cannot be read", i.AlarmName, i.Timestamp.Format(time.RFC3339))
		case i.HistoryItemType == "ConfigurationUpdate":
			for _, d := range append(c.CreatedAlarm.Dimensions, c.UpdatedAlarm.Dimensions...) {
				if d.Name == "BucketName" && cmp.Or(c.UpdatedAlarm.MetricName, c.CreatedAlarm.MetricName) == "BytesDownloaded" {
					buckets[i.AlarmName] = d.Value
				}
			}
		case i.HistoryItemType == "StateUpdate":
			states = append(states, state{i, c})
		}
	}
	h.read(states, buckets)
	return h, nil
}

// read takes the changes of state, which are in time order.
func (h *History) read(states []state, buckets map[string]string) {
	open := map[[2]string]int{} // the place of an alarm's last transition, by its name and bucket
	unknown := map[string]bool{}
	for _, i := range states {
		bucket := cmp.Or(i.AlarmContributorAttributes["BucketName"], buckets[i.AlarmName])
		if m := ours.FindStringSubmatch(i.AlarmName); bucket == "" && m != nil {
			bucket = m[1]
		}
		if settings.CheckBucket(bucket) != nil {
			if !unknown[i.AlarmName] {
				h.skip("alarm %s: the history does not say which bucket it watches. With --history-item-type ConfigurationUpdate it may", i.AlarmName)
			}
			unknown[i.AlarmName] = true
			continue
		}
		at := [2]string{i.AlarmName, bucket}
		if n, ok := open[at]; ok && i.NewState.StateValue != "ALARM" {
			h.fired[n].until = i.Timestamp
			delete(open, at)
		}
		if i.NewState.StateValue == "ALARM" {
			open[at] = len(h.fired)
			h.fired = append(h.fired, past{name: i.AlarmName, bucket: bucket, reason: i.NewState.StateReason, data: string(i.NewState.StateReasonData), since: i.Timestamp.UTC()})
		}
	}
}

func (h *History) skip(format string, args ...any) {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = prose.Safe(s)
		}
	}
	h.Skipped = append(h.Skipped, fmt.Sprintf(format, args...)+".")
}

// event is the transition as CloudWatch had sent it.
func (p past) event(account, region string) ([]byte, error) {
	return sandbox.AlarmEvent(sandbox.Transition{Name: p.name, AccountID: account, Region: region, At: p.since, Reason: p.reason, ReasonData: p.data,
		Metrics: sandbox.BucketMetrics(settings.Minute, p.bucket)})
}

// firings are the alarms of the history in [from, to]. The series get the thresholds that the history has; a bucket that the trail does not know
// gets one.
func (h *History) firings(all []Series, from, to time.Time) ([]Series, []Firing, []string) {
	skipped := slices.Clone(h.Skipped)
	thresholds := map[string][]settings.Threshold{}
	var firings []Firing
	outside := 0
	for _, p := range h.fired {
		if p.since.Before(from) || p.since.After(to.Add(time.Hour)) {
			outside++
			continue
		}
		event, err := p.event("", "")
		var parsed alarm.Event
		if err == nil {
			parsed, err = alarm.Parse(event)
		}
		a := parsed.Alarm
		if err != nil || a == nil || a.Threshold == nil || len(a.Points) == 0 {
			skipped = append(skipped, fmt.Sprintf("Alarm %s at %s: the history does not say its datapoints and its threshold.", prose.Safe(p.name), p.since.Format(time.RFC3339)))
			continue
		}
		f := Firing{Bucket: p.bucket, Threshold: settings.Threshold{Bytes: int64(*a.Threshold), Period: a.Period}, At: a.From.Add(a.Period), Until: p.until, First: a.Points[0],
			Above: len(a.Points), past: &p, points: a.Points}
		if f.At.After(p.since) {
			f.At = p.since
		}
		if f.Until.IsZero() {
			f.Until = p.since
		}
		for _, point := range a.Points {
			f.Most = max(f.Most, point.Bytes)
		}
		known := slices.DeleteFunc(thresholds[p.bucket], func(t settings.Threshold) bool { return t.Period == a.Period })
		thresholds[p.bucket] = append(known, f.Threshold)
		firings = append(firings, f)
	}
	if outside > 0 {
		skipped = append(skipped, fmt.Sprintf("%s of the history lie outside the time that is looked at.", prose.Plural(int64(outside), "alarm")))
	}
	all = slices.Clone(all)
	for bucket, t := range thresholds {
		i := slices.IndexFunc(all, func(s Series) bool { return s.Bucket == bucket })
		if i < 0 {
			i, all = len(all), append(all, Series{Bucket: bucket})
		}
		slices.SortFunc(t, func(x, y settings.Threshold) int { return cmp.Compare(x.Period, y.Period) })
		all[i].Thresholds = t
	}
	slices.SortFunc(all, func(x, y Series) int { return cmp.Compare(x.Bucket, y.Bucket) })
	for n := range firings {
		i := slices.IndexFunc(all, func(s Series) bool { return s.Bucket == firings[n].Bucket })
		firings[n].series = &all[i]
	}
	return all, firings, skipped
}

// compare says how far the reckoning agrees with the history.
func compare(remembered, reckoned []Firing) []string {
	near := func(all []Firing, f Firing) bool {
		return slices.ContainsFunc(all, func(o Firing) bool {
			const apart = 10 * time.Minute
			return o.Bucket == f.Bucket && o.Threshold == f.Threshold && !o.At.After(f.Until.Add(apart)) && !f.At.After(o.Until.Add(apart))
		})
	}
	less, more := 0, 0
	for _, f := range remembered {
		if !near(reckoned, f) {
			less++
		}
	}
	for _, f := range reckoned {
		if !near(remembered, f) {
			more++
		}
	}
	all := []string{fmt.Sprintf("The alarms are those of the history. %d of %d had fired by the trail, too.", len(remembered)-less, len(remembered))}
	if less > 0 {
		all = append(all, "Where the trail shows less than the metric, it lacks records, or the metric counted what no record shows.")
	}
	if more > 0 {
		all = append(all, fmt.Sprintf("By the trail %s more had fired at these thresholds. Alarms may have been made or changed since, or the history may be cut.", prose.Plural(int64(more), "alarm")))
	}
	return all
}
