package investigation

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/clock"
	"nightlatch/internal/evidence"
	"nightlatch/internal/workers"
)

// asked is a trail that keeps which buckets it is asked about for what is usual.
type asked struct{ buckets [][]string }

func (a *asked) Ask(_ context.Context, q evidence.Question) (evidence.Answer, error) {
	if u, ok := q.(evidence.Usage); ok {
		a.buckets = append(a.buckets, u.Buckets)
	}
	return evidence.Answer{}, evidence.ErrBusy
}

// Two incidents shared a question for what is usual, and one of them was judged on it. Asked about alone, it is asked about both buckets again:
// what its thief's owner did at the other one would be gone, and the verdict be taken back (simulation, seed 6889).
func TestWhatIsUsualIsAskedAnewOfNoLessBuckets(t *testing.T) {
	trail := &asked{}
	i := New(nil, trail, nil, nil, actor.Accounts("111122223333"), clock.System{}, workers.Pool{}, slog.New(slog.DiscardHandler))
	at := time.Date(2026, 3, 4, 0, 7, 0, 0, time.UTC)
	one := func(id, bucket string, of ...string) Case {
		return Case{ID: id, Alarm: alarm.Alarm{Buckets: []string{bucket}, From: at, To: at.Add(time.Minute)}, UsageDue: true, HistoryOf: of}
	}
	got := i.Round(t.Context(), []Case{one("a", "exports"), one("b", "ledger")})
	both := []string{"exports", "ledger"}
	if !slices.Equal(got["a"].Usage.Of, both) || !slices.Equal(got["b"].Usage.Of, both) {
		t.Errorf("got %q and %q", got["a"].Usage.Of, got["b"].Usage.Of)
	}
	i.Round(t.Context(), []Case{one("a", "exports", both...)})
	if !slices.Equal(trail.buckets[len(trail.buckets)-1], both) {
		t.Errorf("asked anew is %q", trail.buckets)
	}
	// What does not fit into one statement any more is asked about its own alone.
	var many []string
	for n := range 600 {
		many = append(many, strings.Repeat("b", 40)+string(rune('a'+n%26))+strings.Repeat("c", n%20))
	}
	i.Round(t.Context(), []Case{one("a", "exports", many...)})
	if last := trail.buckets[len(trail.buckets)-1]; !slices.Equal(last, []string{"exports"}) {
		t.Errorf("asked is of %d buckets", len(last))
	}
}
