package responder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
)

// task is one incident and its move.
type task struct {
	rec  *incident.Record
	move incident.Move
}

// next lists the incidents whose moves are the most urgent, the oldest first. Where none is due, it returns when the first will be.
// What CloudWatch confirms comes before what it does not: whoever may invoke the function can send any number of alarms.
func (w *worker) next(now time.Time) (batch []task, at time.Time) {
	due := map[incident.Do][]task{}
	for _, rec := range w.open {
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
			switch do { // what is found is acted on before the next are judged, and the lease does not end before the batch
			case incident.Query:
			case incident.Enrich, incident.Follow: // each asks the trail, and a step that is approved meanwhile waits no longer than for one
				batch = batch[:min(len(batch), max(w.Workers.Size, 1))]
			default:
				batch = batch[:min(len(batch), max(w.Workers.Size, 8))]
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
func (w *worker) do(ctx context.Context, batch []task) {
	switch batch[0].move.Do {
	case incident.Act: // one after the other: two incidents may be about one key
		w.each(ctx, batch[:1], func(t task) {
			w.act(ctx, t)
			delete(w.intended, t.rec.ID)
		})
	case incident.Query:
		w.round(ctx, batch)
	case incident.Judge:
		w.each(ctx, batch, func(t task) { w.judge(ctx, t.rec) })
		w.mergeAll(ctx, batch)
	case incident.Notify, incident.TellHub:
		w.notifyAll(ctx, batch)
	default:
		page := w.nextPage()
		w.each(ctx, batch, func(t task) {
			switch t.move.Do {
			case incident.Verify:
				w.verify(ctx, &t.rec.Outcomes[t.move.Outcome], t.rec)
			case incident.ReadMetric:
				w.readMetric(ctx, t.rec)
				if t.rec.Paged() {
					t.rec.Notify(incident.Page, page, notify.Names(w.Channels)...)
				}
			case incident.Enrich:
				w.enrich(ctx, t.rec)
			case incident.Follow:
				w.follow(ctx, t.rec)
			case incident.Remind:
				w.remind(ctx, t.rec)
			case incident.Close:
				if w.Scheduler != nil && t.rec.NotifyLater(w.Clock.Now()) {
					if w.put(ctx, t.rec) {
						w.mu.Lock()
						w.giveUp(ctx, t.rec.ID, undelivered(*t.rec))
						w.waits[t.rec.ID] = t.rec.Version
						w.mu.Unlock()
					}
					return
				}
				t.rec.Closed = w.Clock.Now()
				t.rec.Note(t.rec.Closed, "closed")
			}
			w.put(ctx, t.rec)
		})
	}
}

// each does something for every task, as many at a time as there are workers. Where the lease has run out in between, as in an invocation that was
// frozen, others may have changed them: they are listed anew first.
func (w *worker) each(ctx context.Context, batch []task, do func(task)) {
	ranOut := !w.Clock.Now().Before(w.until)
	if w.take(ctx) != nil || ranOut {
		return
	}
	w.Workers.Each(len(batch), func(i int) {
		defer w.survive(ctx, batch[i].rec.ID)
		do(batch[i])
	})
}

// survive leaves an incident on which the code panics to the next invocation, and to the alarm on failing ones. One that somebody has
// made up to break it must not hold up the others.
func (w *worker) survive(ctx context.Context, id string) {
	if p := recover(); p != nil {
		w.Log.ErrorContext(ctx, "the code broke on an incident", "incident", id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		w.mu.Lock()
		defer w.mu.Unlock()
		w.giveUp(ctx, id, errors.New("the code broke on it; see the log"))
	}
}
