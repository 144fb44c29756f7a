// Package responder is the sequence: from an event to a closed incident. What comes next is decided by incident.Record.Next;
// this package has the effects, one at a time, and puts the record after each, so that it can be stopped and taken up anywhere.
package responder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/policy"
)

// Clock is the time, and waiting.
type Clock interface {
	Now() time.Time
	// Wait returns nil at or after the time given, or earlier with ctx's error.
	Wait(ctx context.Context, until time.Time) error
}

// Responder is everything that the sequence works with. All fields but Policy and PolicyError are needed.
type Responder struct {
	Meter    alarm.Meter
	Trail    evidence.Trail
	Account  containment.Account
	Store    incident.Store
	Channels []notify.Channel
	Clock    Clock
	Log      *slog.Logger
	Mode     containment.Mode
	// Ours are the accounts that are ours.
	Ours actor.Ours
	// Policy is nil where it could not be loaded, for the reason PolicyError; everything is asked then.
	Policy      *policy.Policy
	PolicyError string
}

// ErrUnheard says that no channel took the message: a retry of the whole event can help, because what was done is seen done.
var ErrUnheard = errors.New("the team could not be told")

// Handled is what became of one event.
type Handled struct {
	// Ignored says why the event started nothing; "" otherwise.
	Ignored string
	Record  incident.Record
}

// Handle takes one event to its end. watch, where it is not nil, sees the record after every move.
func (r *Responder) Handle(ctx context.Context, event []byte, watch func(incident.Record)) (Handled, error) {
	parsed, err := alarm.Parse(event)
	if err != nil {
		return Handled{}, err
	}
	id := parsed.Advance
	switch {
	case parsed.Ignored != "":
		r.Log.InfoContext(ctx, "event ignored", "reason", parsed.Ignored)
		return Handled{Ignored: parsed.Ignored}, nil
	case parsed.Alarm != nil:
		rec, err := r.Open(ctx, *parsed.Alarm)
		if err == nil && !rec.Closed.IsZero() && rec.Unheard() {
			rec, err = r.Store.Put(ctx, rec.TellAgain(r.Clock.Now()))
		}
		if err != nil {
			return Handled{}, err
		}
		id = rec.ID
	}
	rec, err := r.Run(ctx, id, watch)
	return Handled{Record: rec}, err
}

// Open opens the incident of an alarm, or joins the one that is open for it.
func (r *Responder) Open(ctx context.Context, a alarm.Alarm) (incident.Record, error) {
	now := r.Clock.Now()
	deadline := now.Add(incident.Patience)
	if until, ok := ctx.Deadline(); ok && until.Add(-reserve).Before(deadline) && r.Clock.Now().Before(until) {
		deadline = until.Add(-reserve)
	}
	rec := incident.Record{
		Schema: incident.Schema, ID: a.ID(), Mode: r.Mode, Opened: now, Deadline: deadline, Alarm: a, PolicyError: r.PolicyError,
		Evidence: evidence.Reconcile(a, evidence.Tally{}, nil),
		Looks:    []incident.Look{}, Verdicts: []incident.Verdict{}, Outcomes: []containment.Outcome{}, Notified: []incident.Notice{},
	}
	rec.Evidence.Explained, rec.Evidence.Unexplained = nil, nil // nothing was looked at yet
	rec.Note(now, opening(a))
	rec, err := r.Store.Open(ctx, rec)
	if err != nil {
		return incident.Record{}, fmt.Errorf("opening the incident: %w", err)
	}
	return rec, nil
}

// reserve is kept back, of the time an invocation has, for what comes after the deadline: the last look, judging, a write and its
// reading back for a minute, what the report would like to say, and the telling itself.
const reserve = lastLookTime + judgeTime + 80*time.Second + enrichTime + 30*time.Second

// Run advances an incident to its end, waiting where there is nothing to do.
func (r *Responder) Run(ctx context.Context, id string, watch func(incident.Record)) (incident.Record, error) {
	for {
		rec, move, err := r.Advance(ctx, id)
		if err != nil {
			return rec, err
		}
		if watch != nil {
			watch(rec)
		}
		switch move.Do {
		case incident.Nothing:
			if rec.Unheard() {
				return rec, fmt.Errorf("incident %q: %w: %s", id, ErrUnheard, rec.Notified[0].Error)
			}
			return rec, nil
		case incident.Wait:
			if err := r.Clock.Wait(ctx, move.At); err != nil {
				return rec, fmt.Errorf("incident %q: waiting for %s: %w", id, move.At.Format(time.TimeOnly), err)
			}
		}
	}
}

// Advance loads an incident, makes its next move, and puts it. It never sleeps: for Wait it has no effect and returns at once.
func (r *Responder) Advance(ctx context.Context, id string) (incident.Record, incident.Move, error) {
	rec, err := r.Store.Load(ctx, id)
	if err != nil {
		return rec, incident.Move{}, err
	}
	now := r.Clock.Now()
	move := rec.Next(now)
	log := r.Log.With("incident", id)
	switch move.Do {
	case incident.Wait, incident.Nothing:
		return rec, move, nil
	case incident.ReadMetric:
		r.readMetric(ctx, &rec)
	case incident.LookUp:
		r.look(ctx, &rec)
	case incident.Judge:
		r.judge(ctx, &rec)
	case incident.Act:
		if rec, err = r.act(ctx, rec, move.Outcome); err != nil {
			return rec, move, err
		}
	case incident.Verify:
		r.verify(ctx, &rec.Outcomes[move.Outcome], &rec)
	case incident.Enrich:
		r.enrich(ctx, &rec)
	case incident.Tell:
		r.tell(ctx, &rec, move.Notice)
	case incident.Close:
		rec.Closed = now
		rec.Note(now, "closed")
	}
	log.InfoContext(ctx, "advanced", "move", string(move.Do), "version", rec.Version, "elapsed", r.Clock.Now().Sub(now))
	put, err := r.Store.Put(ctx, rec)
	if err != nil {
		return rec, move, fmt.Errorf("storing the incident after %s: %w", move.Do, err)
	}
	return put, move, nil
}
