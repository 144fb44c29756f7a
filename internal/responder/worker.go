package responder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"nightlatch/internal/incident"
	"nightlatch/internal/investigation"
)

// worker is one invocation, and the open incidents that it advances while it holds the worker lease.
type worker struct {
	*Responder
	name  string
	began time.Time
	watch Watch

	mu     sync.Mutex // guards open, broken and brakes, while several incidents are worked on
	until  time.Time  // of the lease
	listed time.Time  // when the open incidents were listed last
	open   map[string]*incident.Record
	broken map[string]error // what this invocation leaves to the next
	waits  map[string]int64 // the versions of those of them that only wait for a channel: one that a human has changed since is taken up
	// intended are the versions of the incidents whose intended steps this invocation has put itself, and not begun.
	intended map[string]int64
	ask      *investigation.Investigation
	brakes   *incident.Brakes // as they were read last; nil where somebody has changed them since
}

const (
	// leaseTime is longer than any single move, the longest of which is a query round.
	leaseTime = 4 * time.Minute
	// listEvery is how often the worker lists what others have opened or changed.
	listEvery = 15 * time.Second
	// handOver is what an invocation keeps back of its time: a move that was begun must come to its end.
	handOver = roundTime + 30*time.Second
	// actTime is what it keeps back of it for a containment: a few calls. One that is cut all the same is read back by the next invocation.
	actTime = time.Minute
	// leastTime is what an invocation must have, so that a move is begun in it.
	leastTime = handOver + 10*time.Second
)

// work takes the worker lease, if it is free, and works until nothing is due. id is the incident that this invocation was called for.
func (w *worker) work(ctx context.Context, id string) error {
	for {
		var held incident.Held
		switch err := w.take(ctx); {
		case errors.As(err, &held):
			done, err := w.leaveTo(ctx, held, id)
			if done || err != nil {
				return cmp.Or(err, w.result(id))
			}
			continue
		case err != nil:
			return fmt.Errorf("taking the worker lease: %w", err)
		}
		next, err := w.run(ctx)
		if errors.As(err, &held) {
			continue // another worker has thought this one dead, and took the lease; it may have given it back since
		}
		if err == nil && !next.IsZero() {
			err = incident.ScheduleForAll(ctx, w.Scheduler, next)
		}
		if err != nil {
			return err // the lease runs out by itself, and the follow-up that was scheduled before finds it so
		}
		if err := w.give(ctx); err != nil {
			return err
		}
		// Somebody may have opened an incident while the lease was held, and left it.
		if err := w.list(ctx); err != nil {
			return err
		}
		if batch, _ := w.next(w.Clock.Now()); len(batch) == 0 || !w.timeLeft(ctx) {
			return w.result(id)
		}
	}
}

// result is the error for what this invocation leaves undone, or has closed and could not deliver. It is about its own incident, or about
// any where it was called for all of them.
func (w *worker) result(id string) error {
	for _, id := range slices.Sorted(maps.Keys(w.broken)) {
		return fmt.Errorf("incident %q: %w", id, w.broken[id])
	}
	for _, rec := range w.open {
		if (rec.ID != id && id != incident.EveryIncident) || rec.Closed.IsZero() || !rec.Undelivered() {
			continue
		}
		return fmt.Errorf("incident %q: %w", rec.ID, undelivered(*rec))
	}
	return nil
}

// undelivered is ErrNotDelivered with what a channel said last.
func undelivered(rec incident.Record) error {
	said := ""
	for _, n := range rec.Notified {
		if incident.ForPeople(n.Channel) {
			said = cmp.Or(n.Error, said)
		}
	}
	return fmt.Errorf("%w: %s", ErrNotDelivered, said)
}

// leaveTo leaves an incident to the worker that holds the lease, and schedules a follow-up for when the lease ends. A human who waits for
// the answer to his own question waits until it is there.
func (w *worker) leaveTo(ctx context.Context, held incident.Held, id string) (done bool, err error) {
	now := w.Clock.Now()
	if id != incident.EveryIncident {
		rec, err := w.Store.Load(ctx, id)
		if err != nil {
			return true, err
		}
		if !rec.Closed.IsZero() && w.Scheduler == nil {
			return true, nil
		}
		if rec.Once && rec.Closed.IsZero() {
			wait := now.Add(5 * time.Second)
			if until, ok := ctx.Deadline(); ok && wait.After(until.Add(-time.Second)) {
				return true, fmt.Errorf("incident %q: %w, and this one is not answered yet; look at it later", id, held)
			}
			return false, w.Clock.Wait(ctx, wait)
		}
	}
	w.Log.InfoContext(ctx, "left to the worker that holds the lease", "incident", id, "until", held.Until)
	return true, incident.ScheduleForAll(ctx, w.Scheduler, held.Until.Add(time.Second))
}

// take takes the worker lease, or renews it.
func (w *worker) take(ctx context.Context) error {
	now := w.Clock.Now()
	if w.until.Sub(now) > leaseTime*3/4 {
		return nil
	}
	if !now.Before(w.until) { // others may have held it in between
		clear(w.intended)
		w.listed = time.Time{}
	}
	err := w.Store.Lease(ctx, incident.Lease{Name: incident.EveryIncident, Holder: w.name, Now: now, Until: now.Add(leaseTime)})
	switch {
	case err == nil:
		w.until = now.Add(leaseTime)
	case w.until.Sub(now) > leaseTime/2 && !errors.As(err, new(incident.Held)): // it is held for a while, and the next move tries again
		w.Log.ErrorContext(ctx, "the worker lease could not be renewed", "until", w.until, "err", err)
		return nil
	}
	return err
}

// give gives the worker lease back.
func (w *worker) give(ctx context.Context) error {
	now := w.Clock.Now()
	w.until = time.Time{}
	if err := w.Store.Lease(ctx, incident.Lease{Name: incident.EveryIncident, Holder: w.name, Now: now, Until: now}); err != nil && !errors.As(err, new(incident.Held)) {
		return fmt.Errorf("giving the worker lease back: %w", err)
	}
	return nil
}

// run works until nothing is due, or the invocation's time is over. It returns when to go on; zero where nothing is open.
func (w *worker) run(ctx context.Context) (time.Time, error) {
	for {
		if err := w.take(ctx); err != nil {
			return time.Time{}, fmt.Errorf("keeping the worker lease: %w", err)
		}
		if w.Clock.Now().Sub(w.listed) >= listEvery {
			if err := w.list(ctx); err != nil {
				if len(w.open) == 0 {
					return time.Time{}, err
				}
				w.Log.ErrorContext(ctx, "going on with the incidents that are known", "err", err)
				w.listed = w.Clock.Now()
			}
		}
		now := w.Clock.Now()
		batch, at := w.next(now)
		switch {
		case len(batch) == 0 && (at.IsZero() || !w.stays(ctx, at)):
			if len(w.broken) > 0 && (at.IsZero() || at.After(now.Add(time.Minute))) {
				at = now.Add(time.Minute)
			}
			return at, nil
		case len(batch) == 0:
			if soon := now.Add(listEvery); w.Scheduler != nil && at.After(soon) {
				at = soon
			}
			if err := w.Clock.Wait(ctx, at); err != nil {
				return time.Time{}, fmt.Errorf("waiting for %s: %w", at.Format(time.TimeOnly), err)
			}
		case !w.timeFor(ctx, batch[0].move.Do):
			return now, nil
		default:
			w.do(ctx, batch)
		}
	}
}

// stays reports whether this invocation has the time to wait until then, and for what is due then.
func (w *worker) stays(ctx context.Context, at time.Time) bool { return w.lasts(ctx, at.Add(handOver)) }

// lasts reports whether this invocation goes on beyond a time.
func (w *worker) lasts(ctx context.Context, at time.Time) bool {
	until, ok := ctx.Deadline()
	return w.Scheduler == nil || !ok || at.Before(until)
}

// timeLeft reports whether any move that is begun now can come to its end.
func (w *worker) timeLeft(ctx context.Context) bool { return w.stays(ctx, w.Clock.Now()) }

// timeFor reports whether such a move can. A step that is due does not wait for the next invocation, which may be a minute and a half away, because
// this one has no time for a query round.
func (w *worker) timeFor(ctx context.Context, do incident.Do) bool {
	return w.timeLeft(ctx) || do == incident.Act && w.lasts(ctx, w.Clock.Now().Add(actTime))
}

// list takes in what is open and was changed by somebody else, or is not known yet.
func (w *worker) list(ctx context.Context) error {
	briefs, err := w.Store.Unclosed(ctx)
	if err != nil {
		return fmt.Errorf("listing the open incidents: %w", err)
	}
	w.listed = w.Clock.Now()
	for _, b := range briefs {
		version, waits := w.waits[b.ID]
		if known := w.open[b.ID]; known != nil && known.Version >= b.Version || w.broken[b.ID] != nil && (!waits || version >= b.Version) {
			continue
		}
		rec, err := w.Store.Load(ctx, b.ID)
		if err != nil {
			w.giveUp(ctx, b.ID, err)
			continue
		}
		w.keep(rec)
		delete(w.broken, b.ID)
		delete(w.waits, b.ID)
	}
	return nil
}

// giveUp leaves an incident to the next invocation: what is wrong with one must not hold up the others.
func (w *worker) giveUp(ctx context.Context, id string, err error) {
	w.Log.ErrorContext(ctx, "an incident could not be advanced", "incident", id, "err", err)
	w.broken[id] = err
	delete(w.open, id)
}
