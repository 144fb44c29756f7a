// Package sandbox is the world in memory: an account with users, keys and roles, the metric, the time, a channel, and a trail of
// weeks that ends with a theft at midnight. The demo and the tests play in it, and the laptop command answers from it where
// there is no AWS.
//
// It may import the leaves, the stages, the rooms and the responder. It must not import an adapter, and no Lambda may link it.
package sandbox

import (
	"context"
	"sync"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/report"
)

// Clock is virtual time: waiting moves it.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock is a clock that stands at t.
func NewClock(t time.Time) *Clock { return &Clock{now: t} }

// Now implements clock.Clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Wait implements clock.Clock: it moves the time to until, and never back.
func (c *Clock) Wait(ctx context.Context, until time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now.Before(until) {
		c.now = until
	}
	return ctx.Err()
}

// Meter is a metric in memory: bytes downloaded a minute, by bucket.
type Meter struct {
	Threshold float64
	// Buckets holds each bucket's datapoints, oldest first.
	Buckets map[string][]alarm.Point
	// Stored is how many bytes the buckets hold; nil is unknown.
	Stored *int64
	// Errors holds each bucket's datapoints of requests that were refused (4xx); a bucket without any has no such metric.
	Errors map[string][]alarm.Point
	// Err is returned instead, where it is set.
	Err error
}

// Refused implements alarm.Meter.
func (m *Meter) Refused(_ context.Context, a alarm.Alarm, from, to time.Time) (alarm.Refusals, error) {
	if m.Err != nil {
		return alarm.Refusals{}, m.Err
	}
	var points []alarm.Point
	var missing []string
	for _, b := range a.Buckets {
		if len(m.Errors[b]) == 0 {
			missing = append(missing, b)
		}
		points = append(points, m.Errors[b]...)
	}
	r := alarm.CountRefusals(points, from, to)
	if r.Missing = missing; len(missing) == len(a.Buckets) {
		r.Doubt = "no bucket has the metric"
	}
	return r, nil
}

// Read implements alarm.Meter.
func (m *Meter) Read(_ context.Context, a alarm.Alarm) (alarm.Reading, error) {
	if m.Err != nil {
		return alarm.Reading{}, m.Err
	}
	r := alarm.Reading{Buckets: a.Buckets, Period: a.Period, Threshold: m.Threshold, Stored: m.Stored, Computed: a.Computed, Counts: a.Counts}
	sums := map[time.Time]int64{}
	var order []time.Time
	for _, b := range a.Buckets {
		for _, p := range m.Buckets[b] {
			if _, seen := sums[p.Start]; !seen {
				order = append(order, p.Start)
			}
			sums[p.Start] += p.Bytes
		}
	}
	for _, t := range order {
		r.Points = append(r.Points, alarm.Point{Start: t, Bytes: sums[t]})
	}
	sortPoints(r.Points)
	return r, nil
}

// Echo is the meter of a laptop that has no CloudWatch: it takes the alarm at its word.
type Echo struct{}

// Read implements alarm.Meter.
func (Echo) Read(_ context.Context, a alarm.Alarm) (alarm.Reading, error) {
	r := alarm.Reading{Buckets: a.Buckets, Period: a.Period, Points: a.Points, AtLeast: a.AtLeast, Computed: a.Computed, Counts: a.Counts}
	if a.Threshold != nil {
		r.Threshold = *a.Threshold
	}
	if len(r.Points) == 0 && a.Bytes != nil {
		r.Points = []alarm.Point{{Start: a.From, Bytes: *a.Bytes}}
	}
	r.Given = "the alarm claims"
	if a.Source == alarm.Manual {
		r.Given = "the question claims"
	}
	r.Doubt = nameless(a)
	return r, nil
}

// noRefusals is the doubt of who has asked no CloudWatch.
const noRefusals = "no CloudWatch was asked"

// Refused implements alarm.Meter.
func (Echo) Refused(context.Context, alarm.Alarm, time.Time, time.Time) (alarm.Refusals, error) {
	return alarm.Refusals{Doubt: noRefusals}, nil
}

// given is a metric that stands in a file: no CloudWatch was asked.
type given struct{ *Meter }

// Read implements alarm.Meter.
func (m given) Read(ctx context.Context, a alarm.Alarm) (alarm.Reading, error) {
	r, err := m.Meter.Read(ctx, a)
	r.Given, r.Doubt = "the account's file shows", nameless(a)
	return r, err
}

// Refused implements alarm.Meter: an account's file has no such metric.
func (given) Refused(context.Context, alarm.Alarm, time.Time, time.Time) (alarm.Refusals, error) {
	return alarm.Refusals{Doubt: noRefusals}, nil
}

// nameless says why an alarm that came without the rest of its event could not be confirmed anywhere; "" where it has it.
func nameless(a alarm.Alarm) string {
	if a.Source == alarm.Fired && a.AccountID == "" && a.ARN == "" {
		return "the event is an alarm's detail alone: it names neither the account nor the alarm's ARN, so nothing could confirm it"
	}
	return ""
}

// Channel keeps the messages that it is given.
type Channel struct {
	mu   sync.Mutex
	sent []report.Message
	// Err is returned instead, where it is set.
	Err error
}

// Name implements notify.Channel.
func (*Channel) Name() string { return "sandbox" }

// Send implements notify.Channel.
func (c *Channel) Send(_ context.Context, m report.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Err != nil {
		return c.Err
	}
	c.sent = append(c.sent, m)
	return nil
}

// Sent are the messages so far.
func (c *Channel) Sent() []report.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]report.Message(nil), c.sent...)
}

// Scheduler keeps when the responder is to be called again. Nobody calls: in one process it waits by itself.
type Scheduler struct {
	mu sync.Mutex
	at []time.Time
}

// Schedule implements incident.Scheduler.
func (w *Scheduler) Schedule(_ context.Context, _ string, at time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = append(w.at, at)
	return nil
}

// At are the times asked for so far.
func (w *Scheduler) At() []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]time.Time(nil), w.at...)
}
