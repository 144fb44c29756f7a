package dynamo

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nightlatch/internal/awstest"
)

func TestTurnsAreAnIntervalApart(t *testing.T) {
	_, cfg := newFront(t, awstest.Moto(t))
	s := newTable(t, cfg, "turns")
	start := time.Date(2026, 3, 4, 0, 3, 41, 0, time.UTC)
	var mu sync.Mutex
	var got []time.Time
	var all sync.WaitGroup
	for range 6 { // processes
		all.Go(func() {
			turns := another(s).Turns(time.Second)
			for range 3 {
				at, err := turns.Turn(t.Context(), "sns:a", start)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				got = append(got, at)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	slices.SortFunc(got, time.Time.Compare)
	for i, at := range got {
		if want := start.Add(time.Duration(i) * time.Second); !at.Equal(want) {
			t.Errorf("turn %d is at %s, want %s", i, at, want)
		}
	}
	turns := s.Turns(time.Second)
	for _, c := range []struct {
		channel   string
		now, want time.Duration
	}{
		{"sns:b", 0, 0}, // each channel for itself
		{"sns:a", 17 * time.Second, 18 * time.Second},
		{"sns:a", time.Minute, time.Minute}, // nobody waits for turns that nobody took
		{"sns:a", time.Minute + time.Millisecond, time.Minute + time.Second},
	} {
		if at, err := turns.Turn(t.Context(), c.channel, start.Add(c.now)); err != nil || !at.Equal(start.Add(c.want)) {
			t.Errorf("%s at %s: got %s, %v, want %s", c.channel, c.now, at.Sub(start), err, c.want)
		}
	}
}

func TestATurnThatCannotBeHadIsAnError(t *testing.T) {
	f, cfg := newFront(t, "")
	s, err := New(cfg, "turns")
	if err != nil {
		t.Fatal(err)
	}
	f.fail("PutItem", deny)
	if at, err := s.Turns(time.Second).Turn(t.Context(), "sns:\u202ea", time.Now()); err == nil || !at.IsZero() ||
		!strings.Contains(err.Error(), `the turn to notify "sns:\u202ea": `) || !strings.Contains(err.Error(), "may not call dynamodb:PutItem") {
		t.Errorf("got %s, %v", at, err)
	}
}
