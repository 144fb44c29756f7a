package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/rehearsal"
	"nightlatch/internal/rehearsal/awscanary"
	"nightlatch/internal/report"
)

// handle answers the schedule, and the command.
func (r *rehearser) handle(ctx context.Context, raw json.RawMessage) (rehearsal.Answer, error) {
	var event struct {
		Nightlatch struct {
			Rehearse string `json:"rehearse"`
		} `json:"nightlatch"`
	}
	if err := json.Unmarshal(raw, &event); err != nil {
		return rehearsal.Answer{}, fmt.Errorf("the event is not JSON of an event's shape: %v", err)
	}
	does, known := map[string]func(context.Context, *night) error{rehearsal.Tick: r.tick, rehearsal.Now: r.begin, rehearsal.Look: r.look}[event.Nightlatch.Rehearse]
	if !known {
		return rehearsal.Answer{}, errors.New(`the event is no schedule's and no command's: {"nightlatch": {"rehearse": "look"}}, or "tick" or "now"`)
	}
	n, err := r.open(ctx)
	if err != nil {
		return rehearsal.Answer{}, err
	}
	if err := does(ctx, n); err != nil {
		return rehearsal.Answer{}, err
	}
	return rehearsal.Answer{NotYet: n.why, Run: n.state.Last}, nil
}

// night is what one call knows.
type night struct {
	state rehearsal.State
	order awscanary.Order
	seen  rehearsal.Seen
	why   string // nothing was begun
}

// open reads all that a decision needs.
func (r *rehearser) open(ctx context.Context) (*night, error) {
	var n night
	body, version, err := r.table.Rehearsal(ctx)
	if err != nil {
		return nil, err
	}
	if n.state, err = rehearsal.Decode(body, version); err != nil {
		return nil, err
	}
	if n.order, err = r.canary.Key(ctx); err != nil {
		return nil, err
	}
	if n.seen, err = r.canary.Seen(ctx, n.order.AccessKeyID); err != nil {
		return nil, err
	}
	open, err := r.table.Unclosed(ctx)
	if err != nil {
		return nil, err
	}
	for _, b := range open {
		n.seen.Open = append(n.seen.Open, b.ID)
	}
	return &n, nil
}

// save stores a state before what it says is done: of two calls at once one goes on.
func (r *rehearser) save(ctx context.Context, n *night, next rehearsal.State) error {
	body, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("what the rehearsals remember: %v", err)
	}
	if err := r.table.SetRehearsal(ctx, string(body), n.state.Version); err != nil {
		return err
	}
	next.Version = n.state.Version + 1
	n.state = next
	return nil
}

// tick does what is due.
func (r *rehearser) tick(ctx context.Context, n *night) error {
	now := r.now()
	switch {
	case n.state.Going(now):
		return r.look(ctx, n)
	case n.state.Due(now, r.days) && n.state.NotYet(now, n.seen) == "":
		return r.take(ctx, n, true)
	case n.state.Lays(now, n.seen):
		return r.lay(ctx, n)
	}
	n.why = n.state.NotYet(now, n.seen)
	r.log.InfoContext(ctx, "nothing is due", "not_yet", n.why)
	if wrong := n.state.Wrong(now, n.seen); wrong != n.state.Trouble { // which the doctor tells
		next := n.state
		next.Trouble = wrong
		return r.save(ctx, n, next)
	}
	return nil
}

// begin has a rehearsal begin, if one can.
func (r *rehearser) begin(ctx context.Context, n *night) error {
	if n.why = n.state.NotYet(r.now(), n.seen); n.why != "" {
		return nil
	}
	return r.take(ctx, n, false)
}

// take begins a rehearsal. It is remembered first, so that of two calls one begins. Then the team is told, which must know that it is one, whoever
// had it begin; where nobody hears it, nothing is taken.
func (r *rehearser) take(ctx context.Context, n *night, scheduled bool) error {
	if err := r.save(ctx, n, n.state.Begin(r.now(), n.order.AccessKeyID, scheduled)); err != nil {
		return err
	}
	var took int64
	unheard := r.tell(ctx, rehearsal.Before(r.canary.Bucket()).In(r.place))
	err := unheard
	if unheard == nil {
		took, err = r.canary.Take(ctx, n.order)
	}
	r.log.InfoContext(ctx, "the canary has taken", "bytes", took, "err", err)
	next := n.state
	run := next.Last.Took(took, err)
	next.Last = &run
	// What failed otherwise stands in the run, and is told with it.
	return errors.Join(unheard, r.save(ctx, n, next))
}

// lay lays a day of history down. What could not be laid is not remembered as laid.
func (r *rehearser) lay(ctx context.Context, n *night) error {
	if err := r.canary.Put(ctx); err != nil {
		return err
	}
	next := n.state.Lay(r.now())
	next.Trouble = ""
	if err := r.save(ctx, n, next); err != nil {
		return err
	}
	if err := r.canary.Sip(ctx, n.order); err != nil {
		return errors.Join(err, r.save(ctx, n, n.state.NotLaid()))
	}
	r.log.InfoContext(ctx, "a day of history is laid", "days", len(n.state.Laid))
	return nil
}

// look sees how far a rehearsal is, tells its outcome, and turns the key on again when its incident is closed.
func (r *rehearser) look(ctx context.Context, n *night) error {
	if !n.state.Going(r.now()) {
		return nil
	}
	rec, err := r.find(ctx, *n.state.Last)
	if err != nil {
		return err
	}
	run := n.state.Last.See(r.now(), rec, r.canary.User())
	var failures []error
	if run.Outcome != "" && !run.Told {
		err := r.tell(ctx, run.Message().In(r.place))
		run.Told, failures = err == nil, append(failures, err)
	}
	next := n.state
	if !run.Closed.IsZero() && run.Restored.IsZero() {
		var on bool
		on, next.Trouble, err = r.restore(ctx, n, rec)
		if failures = append(failures, err); on {
			run.Restored, run.Left = r.now(), rehearsal.Leaves(rec, r.canary.User(), r.canary.Bucket(), run.Key)
		}
	}
	if next.Last = &run; !reflect.DeepEqual(next, n.state) { // another call may look at the same
		if err := r.save(ctx, n, next); err != nil && !errors.Is(err, incident.ErrConflict) {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// find is the incident of a run; the zero record where there is none yet.
func (r *rehearser) find(ctx context.Context, run rehearsal.Run) (incident.Record, error) {
	if run.Incident != "" {
		return r.table.Load(ctx, run.Incident)
	}
	const latest = 50
	briefs, err := r.table.Recent(ctx, latest)
	if err != nil {
		return incident.Record{}, err
	}
	briefs = slices.DeleteFunc(briefs, func(b incident.Brief) bool { return b.Opened.Before(run.Begun) })
	var records []incident.Record
	for _, b := range briefs {
		rec, err := r.table.Load(ctx, b.ID)
		if err != nil {
			return incident.Record{}, err
		}
		records = append(records, rec)
	}
	rec, _ := run.Opened(r.canary.Bucket(), records)
	return rec, nil
}

// restore turns the canary's key on again, and reports whether it is seen on. Where it must not, it says what is wrong.
func (r *rehearser) restore(ctx context.Context, n *night, rec incident.Record) (on bool, wrong string, err error) {
	key := n.state.Last.Key
	if n.seen.Active || key != n.order.AccessKeyID { // or the canary has another key since
		return true, "", nil
	}
	o, there := rehearsal.Step(rec, r.canary.User(), key)
	if !there {
		return false, fmt.Sprintf("the canary's key is off, and incident %s has no step on it; see who turned it off, and turn it on again: aws iam update-access-key", rec.ID), nil
	}
	switch state, err := r.canary.Restore(ctx, key, o); state {
	case containment.Undone, containment.Already:
		return true, "", nil
	case containment.Unknown: // IAM shows a change late: the next call sees it
		return false, "", nil
	default:
		return false, "", fmt.Errorf("the canary's key is not seen on again: %w", err)
	}
}

// tell notifies the team. An error is returned where nobody was.
func (r *rehearser) tell(ctx context.Context, m report.Message) error {
	return notify.All(ctx, r.channels, m, r.log)
}
