package responder_test

import (
	"syscall"
	"testing"
	"time"
)

// BenchmarkIncident prints what one incident costs in CPU of our own, from the event to the close, where every service answers
// at once: parsing, reconciling, deciding, the report, and each put of the record.
func BenchmarkIncident(b *testing.B) {
	begin, runs := cpu(b), 0
	for b.Loop() {
		w := newWorld()
		handled, err := w.Handle(b.Context(), event(1_000_000), nil)
		if err != nil || len(handled.Record.Outcomes) != 1 {
			b.Fatalf("got %d outcomes, %v", len(handled.Record.Outcomes), err)
		}
		runs++
	}
	b.ReportMetric(float64((cpu(b)-begin).Microseconds())/1000/float64(runs), "cpu-ms/incident")
}

func cpu(b *testing.B) time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
