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

// An incident that waits for a channel, and is approved meanwhile, is taken up by the worker that has left it: whoever approved it was told that it is
// done within two minutes (simulation, seed 400241). One that breaks the code is not.
func TestWhatWaitsForAChannelIsTakenUpOnceSomebodyHasChangedIt(t *testing.T) {
	store, ctx := &incident.Memory{}, t.Context()
	w := &worker{Responder: &Responder{Store: store, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler)}, open: map[string]*incident.Record{},
		broken: map[string]error{}, waits: map[string]int64{}}
	var waits, breaks incident.Record
	for id, rec := range map[string]*incident.Record{"waits": &waits, "breaks": &breaks} {
		var err error
		if *rec, err = store.Open(ctx, incident.Record{ID: id}); err != nil {
			t.Fatal(err)
		}
		w.giveUp(ctx, id, ErrNotDelivered)
	}
	w.waits["waits"] = waits.Version
	if err := w.list(ctx); err != nil || len(w.open) > 0 {
		t.Errorf("%v, taken up %v: want nothing that nobody has changed", err, w.open)
	}
	for _, rec := range []incident.Record{waits, breaks} {
		rec.Writer = "the approver"
		if _, err := store.Put(ctx, rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.list(ctx); err != nil || len(w.open) != 1 || w.open["waits"] == nil || len(w.broken) != 1 {
		t.Errorf("%v, taken up %v, left %v: want what waits for a channel alone", err, w.open, w.broken)
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
