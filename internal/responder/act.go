package responder

import (
	"cmp"
	"context"
	"fmt"

	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/judgement"
	"nightlatch/internal/prose"
)

// act does one intended step. The intention was put before, with the attempt counted. Where another invocation put it, the attempt is counted
// and put anew.
func (w *worker) act(ctx context.Context, t task) {
	rec, i := t.rec, t.move.Outcome
	o := &rec.Outcomes[i]
	fresh := o.Attempts == 1 && w.intended[rec.ID] == rec.Version // put by this very invocation, and not begun
	attempts := o.Attempts                                        // that an earlier invocation has made, perhaps
	if fresh {
		attempts = 0
	}
	anyOther := func(*incident.Record) bool { return true }
	other, theirs := judgement.Elsewhere(*rec, *o, w.sorted(), anyOther)
	if other != nil && !theirs.Open() && (o.Approved == nil || theirs.State == containment.Intended) {
		if attempts > 0 && w.perhapsDone(ctx, rec, o) {
			return // it was us, perhaps: then the undo line is ours to give
		}
		w.leave(ctx, rec, o, containment.Skipped, "incident "+other.ID+" has this step: "+string(theirs.State)+tried(*o, attempts))
		return
	}
	if !fresh {
		o.Attempts++
		o.At = w.Clock.Now()
		if !w.put(ctx, rec) {
			return
		}
		o = &rec.Outcomes[i]
	}
	if why := w.heldBack(ctx, rec, *o); why != "" {
		if attempts > 0 && w.perhapsDone(ctx, rec, o) {
			return
		}
		o.Runbook, o.Approved = o.Step.Runbook, nil // an approval of what is not done now is none of what may be done later
		w.leave(ctx, rec, o, containment.Asked, why+tried(*o, attempts))
		return
	}
	mode := rec.Mode
	if o.Approved != nil {
		mode = containment.ModeAct
	}
	if attempts == 0 && (o.Approved != nil || o.Step.Ref.Open()) {
		// It was read when a human approved it, or when it was judged. Somebody else, or another incident, may have changed it since.
		doc, err := w.Account.Read(ctx, o.Step.Ref)
		switch {
		case err == nil && doc == o.Step.After:
			o.Undo = o.Step.Undo
			w.leave(ctx, rec, o, containment.Already, "it reads as "+o.Step.Reads(doc)+": somebody has done it meanwhile")
			return
		case err != nil && other != nil && !theirs.Open(): // done once, and not seen undone
			w.leave(ctx, rec, o, containment.Skipped, "incident "+other.ID+" has this step: "+string(theirs.State)+"; it could not be read: "+prose.Safe(err.Error()))
			return
		case err == nil && doc != o.Step.Before && o.Step.Ref.Open():
			// Its undo brings back what stands now.
			if s, err := o.Step.Order.Step(o.Step.Target, doc); err == nil {
				o.Step.Before, o.Step.Undo = s.Before, s.Undo
				if !w.put(ctx, rec) {
					return
				}
				o = &rec.Outcomes[i]
			}
		}
	}
	// Whoever holds the lease by the time does it: an invocation that stood still, also between its reading and its writing, writes nothing.
	late := func() bool { return !w.Clock.Now().Before(w.until) }
	x := containment.Executor{Account: w.Account, Cutter: w.Cutter, Mode: mode, Late: late}
	state, detail := x.Do(ctx, o.Step, attempts)
	if state == "" {
		return
	}
	o.State, o.Detail = state, detail
	if o.State == containment.Intended { // surely not written
		o.Attempts, o.Throttled = 0, o.Throttled+1
		if o.Throttled >= incident.MaxThrottled {
			o.State = containment.Failed
		}
	}
	w.reached(ctx, rec, o)
	w.put(ctx, rec)
}

// perhapsDone puts what an earlier attempt has left, unless the setting is surely as it was before. Nobody is asked to do what is done.
func (w *worker) perhapsDone(ctx context.Context, rec *incident.Record, o *containment.Outcome) bool {
	if doc, err := w.Account.Read(ctx, o.Step.Ref); err == nil && doc == o.Step.Before {
		return false
	}
	o.State, o.Detail = containment.Executor{Account: w.Account}.Verify(ctx, o.Step)
	w.reached(ctx, rec, o)
	w.put(ctx, rec)
	return true
}

// tried says of a step that is left, and reads as before, that an earlier invocation may have done it: nobody has seen what became of that.
func tried(o containment.Outcome, attempts int) string {
	if attempts == 0 {
		return ""
	}
	return "; it was tried before, may have been done and taken back, and reads as " + o.Step.Reads(o.Step.Before) + " now"
}

// leave puts why an intended step is not done.
func (w *worker) leave(ctx context.Context, rec *incident.Record, o *containment.Outcome, state containment.State, why string) {
	o.State, o.At, o.Detail = state, w.Clock.Now(), why
	if state == containment.Asked {
		rec.Reminded = 0
	}
	rec.Note(o.At, fmt.Sprintf("%s %s: %s, %s", o.Action, prose.Safe(o.Target), state, why))
	w.put(ctx, rec)
}

// defaultCap is how many containments an hour Nightlatch makes by itself. More than that is no longer a stolen key.
const defaultCap = 10

// heldBack counts a containment, and says why it must not be made; "" if it may. The mode was lowered after it was judged, or there were too
// many, or neither could be seen, or somebody has restored the key meanwhile. One that a human has approved is not counted, and may be made in
// mode ask. One that was throttled is counted already.
func (w *worker) heldBack(ctx context.Context, rec *incident.Record, o containment.Outcome) string {
	most, now := cmp.Or(w.Cap, defaultCap), w.Clock.Now()
	what := "this containment could not be counted among those of the hour: "
	uncounted := o.Approved != nil || o.Throttled > 0
	if uncounted {
		w.brakes, what = nil, "whether the mode was lowered could not be read: "
	}
	var failed error
	for range 4 {
		if w.brakes == nil {
			b, err := w.Store.Brakes(ctx)
			if err != nil {
				failed = err
				continue
			}
			w.brakes = &b
		}
		b := *w.brakes
		w.brakes = nil
		switch mode := w.left(b, now); {
		case mode == containment.ModeObserve, mode != containment.ModeAct && o.Approved == nil:
			return "the mode is " + string(mode) + " by now"
		case o.Approved != nil:
			return ""
		}
		if h, held := b.HoldingAll(*rec, o, now); held {
			return h.Why()
		}
		if uncounted {
			return ""
		}
		counted, why, changed := b.Count(now, most)
		if why != "" || !changed {
			return why
		}
		counted, err := w.Store.SetBrakes(ctx, counted)
		if err == nil {
			w.brakes = &counted
			return ""
		}
		failed = err
	}
	return what + prose.Safe(failed.Error())
}

// verify reads one step of unknown outcome back.
func (w *worker) verify(ctx context.Context, o *containment.Outcome, rec *incident.Record) {
	o.Attempts++
	x := containment.Executor{Account: w.Account, Mode: rec.Mode}
	o.State, o.Detail = x.Verify(ctx, o.Step)
	w.reached(ctx, rec, o)
}

// reached notes the state that a step has come to.
func (w *worker) reached(ctx context.Context, rec *incident.Record, o *containment.Outcome) {
	o.At = w.Clock.Now()
	o.Detail = prose.Safe(o.Detail)
	if o.Contained() {
		o.Undo = o.Step.Undo
	}
	if o.State == containment.Done && o.DoneAt.IsZero() {
		o.DoneAt = o.At
	}
	if o.State == containment.Failed || o.State == containment.Unknown {
		o.Runbook = o.Step.Runbook
		w.Log.ErrorContext(ctx, "a step is not seen done", "incident", rec.ID, "action", string(o.Action), "target", o.Target,
			"state", string(o.State), "detail", o.Detail)
	}
	rec.Note(o.At, fmt.Sprintf("%s %s: %s, %s", o.Action, prose.Safe(o.Target), o.State, o.Detail))
}
