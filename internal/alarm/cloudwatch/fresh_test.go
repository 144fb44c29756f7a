package cloudwatch

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/alarm"
)

// moment is one transition, and when it is read: what the event says, and what CloudWatch shows.
type moment struct {
	now         time.Time
	in          alarm.Alarm
	config      types.MetricAlarm
	contributor types.AlarmContributor
}

func transitionOfOne() moment {
	return moment{now, fired, one("customer-exports"), contributors("customer-exports")[0]}
}

func transitionOfEvery() moment {
	return moment{now, everyFired, every(everyQuery), contributors("customer-exports")[0]}
}

// read reads the transition, and returns the calls that it took too.
func (m moment) read(t *testing.T) (alarm.Reading, map[string]int) {
	t.Helper()
	f := newFake(t)
	f.alarms, f.contributors = []types.MetricAlarm{m.config}, []types.AlarmContributor{m.contributor}
	f.put("customer-exports", at(-10), 1)
	f.put("customer-exports", at(1), 2*gib)
	got, err := f.meter(m.now, Settings{}).Read(t.Context(), m.in)
	if err != nil {
		t.Fatal(err)
	}
	return got, f.calls
}

func TestReadOnlyWhatFiredJustNow(t *testing.T) {
	const notNew = "is not within the last hour"
	both := []func() moment{transitionOfOne, transitionOfEvery}
	for name, tc := range map[string]struct {
		transitions []func() moment
		change      func(*moment)
		want        string // in the doubt; "" is none
	}{
		"just now":        {both, func(*moment) {}, ""},
		"an hour old":     {both, func(m *moment) { m.now = firedAt.Add(time.Hour) }, ""},
		"61 minutes old":  {both, func(m *moment) { m.now = firedAt.Add(61 * time.Minute) }, notNew},
		"years old":       {both, func(m *moment) { m.now = firedAt.AddDate(9, 0, 0) }, notNew},
		"of no time":      {both, func(m *moment) { m.in.Since = time.Time{} }, notNew},
		"5 minutes ahead": {both, func(m *moment) { m.now = firedAt.Add(-5 * time.Minute) }, ""},
		"6 minutes ahead": {both, func(m *moment) { m.now = firedAt.Add(-6 * time.Minute) }, notNew},

		// The alarm fired once. The same event comes again, dated as if it had fired another time.
		"the replay, moved on":     {both, func(m *moment) { m.now, m.in.Since = at(30), at(29) }, "fired at 2026-03-04T00:03:"},
		"the replay, moved back":   {both, func(m *moment) { m.in.Since = at(-20) }, "not at 2026-03-03T23:40:00Z as the event claims"},
		"moved by 3 minutes":       {both, func(m *moment) { m.in.Since = firedAt.Add(-3 * time.Minute) }, "as the event claims"},
		"rounded to the minute":    {both, func(m *moment) { m.in.Since = firedAt.Truncate(time.Minute) }, ""},
		"in another zone":          {both, func(m *moment) { m.in.Since = firedAt.In(time.FixedZone("", 3600)) }, ""},
		"61 minutes old, moved on": {both, func(m *moment) { m.now = firedAt.Add(61 * time.Minute); m.in.Since = m.now }, "as the event claims"},

		"OK since after the transition":  {[]func() moment{transitionOfOne}, state(types.StateValueOk, at(4)), ""},
		"OK since before the transition": {[]func() moment{transitionOfOne}, state(types.StateValueOk, at(1)), `is in "OK" since 2026-03-04T00:01:00Z, so it did not fire`},
		"no data since the transition":   {[]func() moment{transitionOfOne}, state(types.StateValueInsufficientData, at(4)), ""},
		"never any data":                 {[]func() moment{transitionOfOne}, state(types.StateValueInsufficientData, at(-600)), "did not fire"},
		"no state":                       {[]func() moment{transitionOfOne}, state("", at(-600)), "did not fire"},

		"with yesterday's datapoints": {both, func(m *moment) { m.in.From, m.in.To = m.in.From.AddDate(0, 0, -1), m.in.To.AddDate(0, 0, -1) }, "is not what the alarm evaluated"},
		"with tomorrow's datapoints":  {both, func(m *moment) { m.in.To = m.in.To.AddDate(0, 0, 1) }, "is not what the alarm evaluated"},
		"with two hours of them":      {both, func(m *moment) { m.in.From = m.in.From.Add(-2 * time.Hour) }, ""},

		"no time of the transition": {[]func() moment{transitionOfOne}, func(m *moment) {
			m.config.StateUpdatedTimestamp, m.config.StateTransitionedTimestamp = m.config.StateTransitionedTimestamp, nil
		}, ""},
		"no time of the transition, updated later": {[]func() moment{transitionOfOne}, func(m *moment) {
			m.now, m.config.StateUpdatedTimestamp, m.config.StateTransitionedTimestamp = at(30), aws.Time(at(29)), nil
		}, "fired at 2026-03-04T00:29:00Z"},
		"updated since, in ALARM all the while": {[]func() moment{transitionOfOne}, func(m *moment) {
			m.now, m.config.StateUpdatedTimestamp = at(30), aws.Time(at(29))
		}, ""},
		"missing timestamps": {both, func(m *moment) {
			m.config.StateTransitionedTimestamp, m.contributor.StateTransitionedTimestamp = nil, nil
		}, "CloudWatch does not say when"},
		"missing timestamps, OK": {[]func() moment{transitionOfOne}, func(m *moment) {
			m.config.StateValue, m.config.StateTransitionedTimestamp = types.StateValueOk, nil
		}, "CloudWatch does not say when"},

		"the contributor is another bucket": {[]func() moment{transitionOfEvery}, func(m *moment) { m.contributor.ContributorAttributes["BucketName"] = "logs" },
			`is bucket "logs", not "customer-exports" as the event claims`},
		"the contributor is no bucket": {[]func() moment{transitionOfEvery}, func(m *moment) { m.contributor.ContributorAttributes = nil }, "names no bucket"},
		"the contributor is gone": {[]func() moment{transitionOfEvery}, func(m *moment) { m.contributor.ContributorId = aws.String("other") },
			`no contributor "6d442278dba546f6" in ALARM (any more)`},
		"the contributor is gone, after the window that fired": {[]func() moment{transitionOfEvery}, func(m *moment) {
			m.now, m.in.Part, m.contributor.ContributorId = at(90), 1, aws.String("other")
		}, ""},
		"it went back and fired anew, after the window that fired": {both, func(m *moment) {
			m.now, m.in.Part = at(90), 1
			m.config.StateTransitionedTimestamp, m.contributor.StateTransitionedTimestamp = aws.Time(at(60)), aws.Time(at(60))
		}, ""},
		"another contributor made the alarm fire": {[]func() moment{transitionOfEvery}, state(types.StateValueAlarm, at(-600)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			for i, transition := range tc.transitions {
				m := transition()
				tc.change(&m)
				got, calls := m.read(t)
				switch {
				case tc.want == "" && (got.Doubt != "" || len(got.Points) == 0):
					t.Errorf("transition %d: got the doubt %q and %d points, want no doubt", i, got.Doubt, len(got.Points))
				case tc.want != "" && (!strings.Contains(got.Doubt, tc.want) || strings.Contains(got.Doubt, "\n")):
					t.Errorf("transition %d: got the doubt %q, want %q in it", i, got.Doubt, tc.want)
				case tc.want == notNew && len(calls) > 0:
					t.Errorf("transition %d: asked CloudWatch about a transition that is not new: %v", i, calls)
				}
				if tc.want != "" {
					if diff := cmp.Diff(alarm.Reading{Doubt: got.Doubt}, got); diff != "" || calls["GetMetricData"] > 0 {
						t.Errorf("transition %d: calls %v; beside the doubt (-want +got):\n%s", i, calls, diff)
					}
				}
			}
		})
	}
}

func state(value types.StateValue, since time.Time) func(*moment) {
	return func(m *moment) { m.config.StateValue, m.config.StateTransitionedTimestamp = value, &since }
}

// A human's question has no transition: it may be about any time.
func TestReadManualOfLongAgo(t *testing.T) {
	f := newFake(t)
	f.put("customer-exports", at(1), 7)
	in := alarm.Alarm{Source: alarm.Manual, Buckets: []string{"customer-exports"}, From: at(1), To: at(2), Since: at(2)}
	got, err := f.meter(now.AddDate(0, 0, 9), Settings{}).Read(t.Context(), in)
	if err != nil || got.Doubt != "" || len(got.Points) != 1 {
		t.Errorf("got %+v, %v, want the one point", got, err)
	}
}
