package responder

import (
	"log/slog"
	"testing"
	"time"

	"nightlatch/internal/clock"
	"nightlatch/internal/incident"
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
