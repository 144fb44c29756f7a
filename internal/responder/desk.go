package responder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
)

// desk is where the open incidents are worked on, by one invocation at a time: the trail takes ten queries at once, and one question
// can serve every incident. Who sits there is a lease; that two do, because one was thought dead, harms nothing: each put of a
// record is conditional, and comes before the effect.
type desk struct {
	*Responder
	name  string
	watch func(incident.Record)

	mu     sync.Mutex // guards open, broken and brakes, while several incidents are worked on
	until  time.Time  // of the lease
	listed time.Time  // when the open incidents were listed last
	open   map[string]*incident.Record
	broken map[string]error // what this invocation leaves to the next
	// intended are the versions of the incidents whose intended steps this invocation has put itself, and not begun.
	intended map[string]int64
	// unfolded are the incidents of a batch that are judged, and not put yet: nothing folds into them.
	unfolded map[string]bool
	known    lookups
	brakes   *incident.Brakes // as they were read last; nil where somebody has changed them since
}

const (
	// leaseTime is longer than any single move, the longest of which is a look.
	leaseTime = 4 * time.Minute
	// listEvery is how often the one at the desk looks for what others have opened or changed.
	listEvery = 15 * time.Second
	// handOver is what an invocation keeps back of its time: a move that was begun must come to its end.
	handOver = lookTime + 30*time.Second
	// leastTime is what an invocation must have, so that a move is begun in it.
	leastTime = handOver + 10*time.Second
)

// work sits down at the desk, if it is free, until nothing is due. id is the incident that this invocation was called for.
func (d *desk) work(ctx context.Context, id string) error {
	for {
		var held incident.Held
		switch err := d.take(ctx); {
		case errors.As(err, &held):
			done, err := d.leaveTo(ctx, held, id)
			if done || err != nil {
				return cmp.Or(err, d.result(id))
			}
			continue
		case err != nil:
			return fmt.Errorf("taking the desk: %w", err)
		}
		wake, err := d.run(ctx)
		if errors.As(err, &held) {
			continue // somebody has thought this one dead, and sits here now; or has been, and gone
		}
		if err == nil && !wake.IsZero() {
			err = d.wake(ctx, wake)
		}
		if err != nil {
			return err // the lease runs out by itself, and the wake that was set before finds it so
		}
		if err := d.give(ctx); err != nil {
			return err
		}
		// Somebody may have opened an incident while the desk was taken, and gone away.
		if err := d.list(ctx); err != nil {
			return err
		}
		if batch, _ := d.next(d.Clock.Now()); len(batch) == 0 || !d.timeLeft(ctx) {
			return d.result(id)
		}
	}
}

// result is what this invocation leaves undone, or what it has closed and could not tell: its own incident, or, where it was called for
// all of them, any.
func (d *desk) result(id string) error {
	for _, id := range slices.Sorted(maps.Keys(d.broken)) {
		return fmt.Errorf("incident %q: %w", id, d.broken[id])
	}
	for _, rec := range d.open {
		if (rec.ID != id && id != Desk) || rec.Closed.IsZero() || !rec.Unheard() {
			continue
		}
		return fmt.Errorf("incident %q: %w", rec.ID, unheard(*rec))
	}
	return nil
}

// unheard is ErrUnheard with what a channel said last.
func unheard(rec incident.Record) error {
	return fmt.Errorf("%w: %s", ErrUnheard, rec.Notified[len(rec.Notified)-1].Error)
}

// leaveTo leaves what rang to the one who sits at the desk, and sees to it that somebody looks after him. A human who waits for
// the answer to a question of his own waits until it is there.
func (d *desk) leaveTo(ctx context.Context, held incident.Held, id string) (done bool, err error) {
	now := d.Clock.Now()
	if id != Desk {
		rec, err := d.Store.Load(ctx, id)
		if err != nil {
			return true, err
		}
		if !rec.Closed.IsZero() {
			return true, nil
		}
		if rec.Once {
			wait := now.Add(5 * time.Second)
			if until, ok := ctx.Deadline(); ok && wait.After(until.Add(-time.Second)) {
				return true, fmt.Errorf("incident %q: %w, and this one is not answered yet; look at it later", id, held)
			}
			return false, d.Clock.Wait(ctx, wait)
		}
	}
	d.Log.InfoContext(ctx, "left to the one at the desk", "incident", id, "until", held.Until)
	return true, d.wake(ctx, held.Until.Add(time.Second))
}

// wake has the responder called again. Without it an incident could be forgotten, so that an error is one of the invocation.
func (r *Responder) wake(ctx context.Context, at time.Time) error {
	if r.Wakes == nil {
		return nil
	}
	var err error
	for range 3 {
		if err = r.Wakes.Wake(ctx, Desk, at); err == nil {
			return nil
		}
	}
	return fmt.Errorf("having the responder called again at %s: %w", at.Format(time.TimeOnly), err)
}

// take takes the desk, or takes it again.
func (d *desk) take(ctx context.Context) error {
	now := d.Clock.Now()
	if d.until.Sub(now) > leaseTime*3/4 {
		return nil
	}
	if !now.Before(d.until) { // others may have been here in between
		clear(d.intended)
		d.listed = time.Time{}
	}
	err := d.Store.Lease(ctx, incident.Lease{Name: Desk, Holder: d.name, Now: now, Until: now.Add(leaseTime)})
	if err == nil {
		d.until = now.Add(leaseTime)
	}
	return err
}

// give gives the desk back.
func (d *desk) give(ctx context.Context) error {
	now := d.Clock.Now()
	d.until = time.Time{}
	if err := d.Store.Lease(ctx, incident.Lease{Name: Desk, Holder: d.name, Now: now, Until: now}); err != nil && !errors.As(err, new(incident.Held)) {
		return fmt.Errorf("giving the desk back: %w", err)
	}
	return nil
}

// run works until nothing is due, or the invocation's time is over. It returns when to go on; zero where nothing is open.
func (d *desk) run(ctx context.Context) (time.Time, error) {
	for {
		if err := d.take(ctx); err != nil {
			return time.Time{}, fmt.Errorf("keeping the desk: %w", err)
		}
		if d.Clock.Now().Sub(d.listed) >= listEvery {
			if err := d.list(ctx); err != nil {
				return time.Time{}, err
			}
		}
		now := d.Clock.Now()
		batch, at := d.next(now)
		switch {
		case len(batch) == 0 && (at.IsZero() || !d.stays(ctx, at)):
			if len(d.broken) > 0 && (at.IsZero() || at.After(now.Add(time.Minute))) {
				at = now.Add(time.Minute)
			}
			return at, nil
		case len(batch) == 0:
			if soon := now.Add(listEvery); d.Wakes != nil && at.After(soon) {
				at = soon
			}
			if err := d.Clock.Wait(ctx, at); err != nil {
				return time.Time{}, fmt.Errorf("waiting for %s: %w", at.Format(time.TimeOnly), err)
			}
		case !d.timeLeft(ctx):
			return now, nil
		default:
			d.do(ctx, batch)
		}
	}
}

// stays reports whether this invocation has the time to wait until then, and for what is due then.
func (d *desk) stays(ctx context.Context, at time.Time) bool {
	until, ok := ctx.Deadline()
	return d.Wakes == nil || !ok || at.Add(handOver).Before(until)
}

// timeLeft reports whether a move that is begun now can come to its end.
func (d *desk) timeLeft(ctx context.Context) bool { return d.stays(ctx, d.Clock.Now()) }

// list takes in what is open and was changed by somebody else, or is not known yet.
func (d *desk) list(ctx context.Context) error {
	briefs, err := d.Store.Unclosed(ctx)
	if err != nil {
		return fmt.Errorf("listing the open incidents: %w", err)
	}
	d.listed = d.Clock.Now()
	for _, b := range briefs {
		if known := d.open[b.ID]; known != nil && known.Version >= b.Version || d.broken[b.ID] != nil {
			continue
		}
		rec, err := d.Store.Load(ctx, b.ID)
		if err != nil {
			d.giveUp(ctx, b.ID, err)
			continue
		}
		if known := d.open[b.ID]; known != nil {
			rec.History = known.History
		}
		d.open[b.ID] = &rec
	}
	return nil
}

// giveUp leaves an incident to the next invocation: what is wrong with one must not hold up the others.
func (d *desk) giveUp(ctx context.Context, id string, err error) {
	d.Log.ErrorContext(ctx, "an incident could not be advanced", "incident", id, "err", err)
	d.broken[id] = err
	delete(d.open, id)
}

// task is one incident and its move.
type task struct {
	rec  *incident.Record
	move incident.Move
}

// next lists the incidents whose moves are the most urgent, the oldest first; where none is due, it returns when the first will be.
// What CloudWatch confirms comes before what it does not: whoever may invoke the function can send any number of rings.
func (d *desk) next(now time.Time) (batch []task, at time.Time) {
	due := map[incident.Do][]task{}
	for _, rec := range d.open {
		m := rec.Next(now)
		switch {
		case m.Do == incident.Nothing:
		case m.Do != incident.Wait:
			due[m.Do] = append(due[m.Do], task{rec, m})
		case at.IsZero() || m.At.Before(at):
			at = m.At
		}
	}
	for _, do := range incident.Urgency() {
		if batch := due[do]; len(batch) > 0 {
			slices.SortFunc(batch, func(x, y task) int {
				return cmp.Or(confirmedFirst(x.rec, y.rec), x.rec.Opened.Compare(y.rec.Opened), cmp.Compare(x.rec.ID, y.rec.ID))
			})
			if n := slices.IndexFunc(batch, func(t task) bool { return !t.rec.Alarm.Confirmed }); n > 0 {
				batch = batch[:n]
			}
			if do != incident.LookUp { // what is found is acted on before the next are judged, and the lease does not end before the batch
				batch = batch[:min(len(batch), max(d.Workers, 8))]
			}
			return batch, now
		}
	}
	return nil, at
}

func confirmedFirst(x, y *incident.Record) int {
	switch {
	case x.Alarm.Confirmed == y.Alarm.Confirmed:
		return 0
	case x.Alarm.Confirmed:
		return -1
	}
	return 1
}

// do has the effects of one kind of move on the incidents that are due for it.
func (d *desk) do(ctx context.Context, batch []task) {
	switch batch[0].move.Do {
	case incident.Act: // one after the other: two incidents may be about one key
		d.each(ctx, batch[:1], func(t task) {
			d.act(ctx, t)
			delete(d.intended, t.rec.ID)
		})
	case incident.LookUp:
		d.lookAll(ctx, batch)
	case incident.Judge:
		d.each(ctx, batch, func(t task) { d.judge(ctx, t.rec) })
		batch = slices.DeleteFunc(batch, func(t task) bool { return t.rec.JudgedOn == "" || d.open[t.rec.ID] == nil })
		slices.SortStableFunc(batch, func(x, y task) int { return cmp.Compare(y.rec.Evidence.Bytes, x.rec.Evidence.Bytes) })
		d.unfolded = map[string]bool{}
		for _, t := range batch {
			d.unfolded[t.rec.ID] = true
		}
		for _, t := range batch { // one after the other: the first is the one that the others fold into
			d.fold(ctx, t.rec)
			d.holdAnswer(t.rec)
			delete(d.unfolded, t.rec.ID)
			if d.put(ctx, t.rec) {
				d.intended[t.rec.ID] = t.rec.Version
			}
		}
	case incident.Tell:
		d.tellAll(ctx, batch)
	default:
		page := d.nextPage()
		d.each(ctx, batch, func(t task) {
			switch t.move.Do {
			case incident.Verify:
				d.verify(ctx, &t.rec.Outcomes[t.move.Outcome], t.rec)
			case incident.ReadMetric:
				d.readMetric(ctx, t.rec)
				if !t.rec.Once {
					t.rec.Tell(incident.Page, page, d.channels()...)
				}
			case incident.Enrich:
				d.enrich(ctx, t.rec)
			case incident.Follow:
				d.follow(ctx, t.rec)
			case incident.Remind:
				d.remind(ctx, t.rec)
			case incident.Close:
				if t.rec.TellLater(d.Clock.Now()) {
					if d.put(ctx, t.rec) {
						d.mu.Lock()
						d.giveUp(ctx, t.rec.ID, unheard(*t.rec))
						d.mu.Unlock()
					}
					return
				}
				t.rec.Closed = d.Clock.Now()
				t.rec.Note(t.rec.Closed, "closed")
			}
			d.put(ctx, t.rec)
		})
	}
}

// each does something for every task, Workers of them at a time.
func (d *desk) each(ctx context.Context, batch []task, do func(task)) {
	if d.take(ctx) != nil {
		return
	}
	d.atOnce(d.Workers, len(batch), func(i int) {
		defer d.survive(ctx, batch[i].rec.ID)
		do(batch[i])
	})
}

// survive leaves an incident on which the code breaks to the next invocation, and to the alarm on failing ones: one that somebody has
// made up to break it must not hold up the others.
func (d *desk) survive(ctx context.Context, id string) {
	if p := recover(); p != nil {
		d.Log.ErrorContext(ctx, "the code broke on an incident", "incident", id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		d.mu.Lock()
		defer d.mu.Unlock()
		d.giveUp(ctx, id, errors.New("the code broke on it; see the log"))
	}
}

// atOnce does n things, so many of them at a time; 0 is one.
func (r *Responder) atOnce(workers, n int, do func(i int)) {
	if workers <= 1 {
		for i := range n {
			do(i)
		}
		return
	}
	if r.Beside != nil {
		r.Beside(workers, n, do)
		return
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, workers)
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() { defer func() { <-slots }(); do(i) })
	}
	wg.Wait()
}

// put stores a record after a move. A record that somebody else has changed is taken in anew: what was done is seen done.
func (d *desk) put(ctx context.Context, rec *incident.Record) bool {
	history, id := rec.History, rec.ID
	rec.Writer = d.name
	stored, err := d.store(ctx, d.Store.Put, *rec)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case errors.Is(err, incident.ErrConflict):
		d.Log.InfoContext(ctx, "somebody else has changed the incident; taking it up anew", "incident", id)
		delete(d.open, id)
		d.listed = time.Time{}
		return false
	case err != nil:
		d.giveUp(ctx, id, fmt.Errorf("storing it: %w", err))
		return false
	}
	stored.History = history
	*rec = stored
	if d.watch != nil {
		d.watch(stored)
	}
	return true
}

// store calls the store until it is known whether the call took effect.
func (d *desk) store(ctx context.Context, call func(context.Context, incident.Record) (incident.Record, error), rec incident.Record) (incident.Record, error) {
	for try := 1; ; try++ {
		stored, err := call(ctx, rec)
		if err == nil || errors.Is(err, incident.ErrConflict) || errors.Is(err, incident.ErrNotFound) || try == 4 || ctx.Err() != nil {
			return stored, err
		}
		if d.Clock.Wait(ctx, d.Clock.Now().Add(time.Duration(try)*time.Second)) != nil {
			return stored, err
		}
	}
}

// elsewhere finds the outcome of the same step in another open incident, of those that will do: first one that does not wait for a human,
// because what one has done is not done again when an older one only asks, or could not do it.
func (d *desk) elsewhere(rec *incident.Record, o containment.Outcome, will func(*incident.Record) bool) (*incident.Record, *containment.Outcome) {
	var asking *incident.Record
	var asked *containment.Outcome
	for _, other := range d.sorted() {
		if other.ID == rec.ID || !will(other) {
			continue
		}
		for i, theirs := range other.Outcomes {
			switch {
			case !theirs.SameStep(o) || theirs.State == containment.Skipped || usedAgain(rec, o, theirs):
			case !theirs.Open():
				return other, &other.Outcomes[i]
			case asking == nil:
				asking, asked = other, &other.Outcomes[i]
			}
		}
	}
	return asking, asked
}

// usedAgain reports whether a key that another incident has contained was turned on again and has taken more since: that is a theft
// of its own, with a verdict of its own.
func usedAgain(rec *incident.Record, o, theirs containment.Outcome) bool {
	if !theirs.Contained() && theirs.State != containment.Already || !o.Step.Planned() || o.Step.Before == o.Step.After {
		return false
	}
	return slices.ContainsFunc(rec.Evidence.Actors, func(a evidence.Actor) bool {
		return a.AccessKeyID == o.AccessKeyID && a.LastSeen.After(theirs.At.Add(spreads))
	})
}

// sorted are the open incidents, the oldest first.
func (d *desk) sorted() []*incident.Record {
	var all []*incident.Record
	for _, rec := range d.open {
		if rec.Closed.IsZero() {
			all = append(all, rec)
		}
	}
	slices.SortFunc(all, func(x, y *incident.Record) int { return cmp.Or(x.Opened.Compare(y.Opened), cmp.Compare(x.ID, y.ID)) })
	return all
}
