package backtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/sandbox"
	"nightlatch/internal/settings"
)

// The metric is there some minutes late, and a day's datapoints begin on the minute on which the alarm's window does.
func TestTheMetricIsAsOfItsTime(t *testing.T) {
	var minutes []alarm.Point
	for n := range 3 * 24 * 60 {
		minutes = append(minutes, alarm.Point{Start: noon.Add(time.Duration(n-2*24*60) * time.Minute), Bytes: 1})
	}
	minute, day := settings.Threshold{Bytes: 5, Period: settings.Minute}, settings.Threshold{Bytes: 5, Period: settings.Day}
	for name, c := range map[string]struct {
		threshold  settings.Threshold
		from, now  time.Time
		remembered []alarm.Point
		want       string
	}{
		"a minute":             {minute, noon, noon.Add(time.Minute + Late), nil, "61 points, the last of 12:00 with 1"},
		"a minute, too early":  {minute, noon, noon.Add(time.Minute + Late - time.Second), nil, "60 points, the last of 11:59 with 1"},
		"minutes later":        {minute, noon, noon.Add(10*time.Minute + Late), nil, "70 points, the last of 12:09 with 1"},
		"a minute, remembered": {minute, noon, noon.Add(time.Minute + Late), []alarm.Point{{Start: noon, Bytes: 7}}, "61 points, the last of 12:00 with 7"},
		"a day":                {day, noon.Add(-24*time.Hour + 7*time.Minute), noon.Add(7*time.Minute + Late), nil, "3 points, the last of 12:07 with 1440"},
		"a day that goes on":   {day, noon.Add(-24*time.Hour + 7*time.Minute), noon.Add(17*time.Minute + Late), nil, "4 points, the last of 12:07 with 10"},
	} {
		m := meter{map[string][]alarm.Point{"exports": minutes}, sandbox.NewClock(c.now), c.threshold, c.remembered}
		r, err := m.Read(t.Context(), alarm.Alarm{Buckets: []string{"exports"}, From: c.from})
		if err != nil || len(r.Points) == 0 || r.Period != c.threshold.Period || r.Threshold != 5 {
			t.Errorf("%s: got %+v, %v", name, r, err)
			continue
		}
		last := r.Points[len(r.Points)-1]
		if got := fmt.Sprintf("%d points, the last of %s with %d", len(r.Points), last.Start.Format("15:04"), last.Bytes); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

// An alarm is what its strongest step is, over all its windows; one step in two windows is one, with the bytes of both.
func TestWhatBecameOfAnAlarm(t *testing.T) {
	record := func(id string, after time.Duration, bytes int64, decision policy.Decision, state containment.State) incident.Record {
		return incident.Record{ID: id, Opened: noon.Add(after), Alarm: alarm.Alarm{Buckets: []string{"exports"}},
			Evidence: evidence.Evidence{Actors: []evidence.Actor{{AccessKeyID: "AKIA", UserName: "mara", Bytes: bytes, Kind: "iam-user-key"}}},
			Verdicts: []incident.Verdict{{Action: policy.DeactivateKey, Target: "AKIA", Decision: decision, Reasons: []string{string(decision)}}},
			Outcomes: []containment.Outcome{{Action: policy.DeactivateKey, Target: "AKIA", AccessKeyID: "AKIA", State: state}}}
	}
	for name, c := range map[string]struct {
		records []incident.Record
		want    string
	}{
		"contained, and off by then": {[]incident.Record{record("b", time.Minute, 5, policy.Contain, containment.Already), record("a", 0, 3, policy.Contain, containment.Done)}, "contained: contained 8 of mara by contain"},
		"asked, then contained":      {[]incident.Record{record("a", 0, 3, policy.Ask, containment.Asked), record("b", time.Minute, 5, policy.Contain, containment.Done)}, "contained: contained 8 of mara by contain"},
		"contained, then asked":      {[]incident.Record{record("a", 0, 3, policy.Contain, containment.Done), record("b", time.Minute, 5, policy.Ask, containment.Asked)}, "contained: contained 8 of mara by contain"},
		"held back":                  {[]incident.Record{record("a", 0, 3, policy.Contain, containment.Asked)}, "asked: asked 3 of mara by contain"},
		"refused by IAM":             {[]incident.Record{record("a", 0, 3, policy.Contain, containment.Failed)}, "asked: asked 3 of mara by contain"},
		"left":                       {[]incident.Record{record("a", 0, 3, policy.Leave, containment.Skipped)}, "left: left 3 of mara by leave"},
	} {
		all := map[string]incident.Record{}
		for _, r := range c.records {
			all[r.ID] = r
		}
		j := judged(all)
		got := string(j.Decision) + ":"
		for _, s := range j.Steps {
			got += fmt.Sprintf(" %s %d of %s by %s", s.Decision, s.Bytes, s.Owner, strings.Join(s.Reasons, ", "))
		}
		if got != c.want || len(j.Answers) != len(c.records) {
			t.Errorf("%s: got %s with %q, want %s", name, got, j.Answers, c.want)
		}
	}
	if j := judged(nil); j.Decision != Left || len(j.Steps) != 0 {
		t.Errorf("nothing became %+v", j)
	}
}
