package responder

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"nightlatch/internal/clock"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/report"
)

// An invocation that was frozen while it listed the incidents finds its lease run out: others may have changed them, so it does nothing with what it
// has, and lists anew (simulation, seed 347 of its time).
func TestWhoseLeaseRanOutListsAnew(t *testing.T) {
	now := time.Now()
	w := &worker{Responder: &Responder{Store: &incident.Memory{}, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler)}, name: "thawed",
		intended: map[string]int64{}, until: now.Add(-time.Minute), listed: now}
	done := 0
	do := func(task) { done++ }
	batch := []task{{rec: &incident.Record{ID: "i1"}}}
	w.each(t.Context(), batch, do)
	if done != 0 || !w.listed.IsZero() || !w.until.After(now) {
		t.Errorf("%d done, listed at %s, the lease ends at %s", done, w.listed, w.until)
	}
	if w.each(t.Context(), batch, do); done != 1 {
		t.Errorf("with the lease %d are done", done)
	}
}

// A message is to be sent soon, and only while the lease is held.
func TestAMessageIsForAsLongAsTheLease(t *testing.T) {
	for _, c := range []struct{ lease, until time.Duration }{{leaseTime, fresh}, {time.Minute, time.Minute}, {-time.Minute, -time.Minute}} {
		to, now := &given{}, time.Date(2026, 3, 4, 0, 3, 41, 0, time.UTC)
		w := &worker{Responder: &Responder{Channels: []notify.Channel{to}, Clock: still(now)}, until: now.Add(c.lease)}
		if err := w.send(t.Context(), "given", report.Message{}); err != nil || to.Until.Sub(now) != c.until {
			t.Errorf("a lease of %s: it is to be sent within %s, want %s; %v", c.lease, to.Until.Sub(now), c.until, err)
		}
	}
}

// still is a clock that stands.
type still time.Time

func (s still) Now() time.Time { return time.Time(s) }

func (still) Wait(context.Context, time.Time) error { return nil }

// given keeps the last message.
type given struct{ report.Message }

func (*given) Name() string { return "given" }

func (g *given) Send(_ context.Context, m report.Message) error {
	g.Message = m
	return nil
}
