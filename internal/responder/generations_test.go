package responder_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/responder"
	"nightlatch/internal/sandbox"
)

// generation is a responder of another deployment in the same world: its code is new, and what is stored is not.
func (w *world) generation(name string, mode containment.Mode) *responder.Responder {
	r := w.Responder
	r.Generation, r.Mode = name, mode
	r.Name = func() string { return "generation " + name }
	return &r
}

// leased is a store that sees who works without the lease.
type leased struct {
	incident.Store
	clock *sandbox.Clock
	held  incident.Lease
	names map[string]bool
	wrong []string
}

func (s *leased) Lease(ctx context.Context, l incident.Lease) error {
	err := s.Store.Lease(ctx, l)
	if s.names[l.Name] = true; err == nil {
		s.held = l
	}
	return err
}

func (s *leased) Put(ctx context.Context, r incident.Record) (incident.Record, error) {
	if now := s.clock.Now(); r.Writer != s.held.Holder || !now.Before(s.held.Until) {
		s.wrong = append(s.wrong, fmt.Sprintf("%s puts version %d at %s, and %s has the lease until %s", r.Writer, r.Version+1, now.Format(time.TimeOnly), s.held.Holder, s.held.Until.Format(time.TimeOnly)))
	}
	return s.Store.Put(ctx, r)
}

// called is who calls the responder later, and about what.
type called struct {
	*sandbox.Scheduler
	about map[string]bool
}

func (c called) Schedule(ctx context.Context, id string, at time.Time) error {
	c.about[id] = true
	return c.Scheduler.Schedule(ctx, id, at)
}

// A deployment comes while an invocation of the one before is at work, which goes on for up to fifteen minutes. After each move, the new
// one is called and leaves the work to the old one; or the old one dies there, and the new one takes up what it has left.
func TestOneOfTwoGenerationsWorksAtATime(t *testing.T) {
	moves, left := 0, 0
	for dies := 0; dies == 0 || dies <= moves; dies++ {
		w := watched()
		schedules := w.Scheduler.(*sandbox.Scheduler)
		store, calls := &leased{Store: w.Store, clock: w.clock, names: map[string]bool{}}, called{schedules, map[string]bool{}}
		w.Store, w.Scheduler = store, calls
		before, after := w.generation("1", containment.ModeAct), w.generation("2", containment.ModeAct)
		ctx, die := context.WithCancel(context.Background())
		move := 0
		before.Handle(ctx, event(1_000_000), func(r incident.Record) {
			move++
			if _, err := after.Handle(context.Background(), []byte(advanceAll), nil); err != nil {
				t.Errorf("the new one is called after move %d: %v", move, err)
			}
			if move == dies {
				die()
			}
		})
		if dies == 0 {
			moves = move
		}
		open, err := w.Store.Unclosed(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		left += len(open)
		w.Scheduler = schedules
		end := w.takeUp(t, after)
		if w.keys(t, "Inactive"); end.Writes != 1 || len(store.wrong) > 0 {
			t.Errorf("it dies after move %d: %d writes, %q", dies, end.Writes, store.wrong)
		}
		for id, last := range end.Incidents {
			if !last.Closed || len(last.Told) < 3 {
				t.Errorf("it dies after move %d: %s is closed %t, and notified with %q", dies, id, last.Closed, last.Told)
			}
		}
		// What is stored and sent is called as it always was: an invocation of 1bf196e takes the same lease, and understands the same call.
		if fmt.Sprint(store.names, calls.about) != "map[desk:true] map[desk:true]" {
			t.Errorf("the leases are called %v, and calls are about %v", store.names, calls.about)
		}
	}
	if moves < 10 || left < moves-3 {
		t.Errorf("of %d moves %d were the last with something left to do; want nearly all", moves, left)
	}
}

// A mode that was lowered in one generation is lowered there alone. But what is lowered in the next one holds the invocation back too that the
// deployment before has still running: its own lowered mode is not on the record any more (simulation, seed 19645).
func TestAModeIsLoweredInOneGeneration(t *testing.T) {
	const before, since = 0, time.Second
	for _, c := range []struct {
		lowered, works string
		at             time.Duration // after the invocation has begun
		want           containment.State
	}{{"1", "1", before, containment.Asked}, {"1", "2", before, containment.Done}, {"2", "1", before, containment.Done}, {"2", "1", since, containment.Asked},
		{"2", "2", since, containment.Asked}, {"", "1", before, containment.Done}} {
		w := watched()
		if _, err := w.Store.SetBrakes(t.Context(), incident.Brakes{Mode: containment.ModeAsk, Generation: c.lowered, By: "somebody", At: w.clock.Now().Add(c.at)}); err != nil {
			t.Fatal(err)
		}
		handled, err := w.generation(c.works, containment.ModeAct).Handle(t.Context(), event(1_000_000), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := state(t, handled.Record); got != c.want || handled.Record.Mode == containment.ModeAct != (c.want == containment.Done) {
			t.Errorf("lowered in %q after %s, at work in %q: %s in mode %s, want %s", c.lowered, c.at, c.works, got, handled.Record.Mode, c.want)
		}
	}
}
