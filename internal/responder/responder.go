// Package responder is the sequence: from an event to a closed incident. What comes next is decided by incident.Record.Next;
// this package has the effects, one at a time, and puts the record after each, so that it can be stopped and taken up anywhere.
package responder

import (
	"cmp"
	"context"
	"crypto/rand"
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

// Responder is everything that the sequence works with. What is not said to be optional is needed.
type Responder struct {
	Meter alarm.Meter
	Trail evidence.Trail
	// Second is asked where Trail fails, has no room, or stays behind; nil where there is none.
	Second   evidence.Trail
	Account  containment.Account
	Store    incident.Store
	Channels []notify.Channel
	Clock    Clock
	Log      *slog.Logger
	Mode     containment.Mode
	// Epoch tells deployments apart: the mode that was lowered in another one is not lowered any more.
	Epoch string
	// Ours are the accounts that are ours.
	Ours actor.Ours
	// Wakes calls the responder again. Where it is nil nothing does: an incident is seen through while it waits, and closed as soon
	// as it is told.
	Wakes incident.Wakes
	// Workers is how many incidents are worked on at the same time; 0 is one.
	Workers int
	// Beside does n things, so many of them at a time; nil starts goroutines. The simulation has threads of its own.
	Beside func(workers, n int, do func(i int))
	// Cap is how many containments an hour are made without a human; 0 is ten.
	Cap int
	// Name gives an invocation a name that no other has; nil is a random one.
	Name func() string
	// Policy is nil where it could not be loaded, for the reason PolicyError; everything is asked then.
	Policy      *policy.Policy
	PolicyError string
}

// ErrUnheard says that no channel took the message: a retry of the whole event can help, because what was done is seen done.
var ErrUnheard = errors.New("the team could not be told")

// Desk stands in an event, in the place of an incident, for all that are open.
const Desk = "desk"

// Handled is what became of one event.
type Handled struct {
	// Ignored says why the event started nothing; "" otherwise.
	Ignored string
	// Record is the incident of the event as it is when this invocation ends. Others may go on with it.
	Record incident.Record
}

// Handle takes one event as far as this invocation can. watch, where it is not nil, sees a record after every move.
//
// Whoever finds the desk free works on all incidents that are open, so that one question serves them all; whoever does not,
// leaves what rang to the one who sits there.
func (r *Responder) Handle(ctx context.Context, event []byte, watch func(incident.Record)) (Handled, error) {
	parsed, err := alarm.Parse(event)
	if err != nil {
		return Handled{}, err
	}
	// Without the time for one move it would do nothing but call itself again, for ever.
	if until, ok := ctx.Deadline(); ok && r.Wakes != nil && parsed.Ignored == "" && until.Sub(r.Clock.Now()) < leastTime {
		return Handled{}, fmt.Errorf("this invocation has %v, and needs %v: give the function a timeout of 3 minutes at least, 15 are best",
			until.Sub(r.Clock.Now()).Round(time.Second), leastTime)
	}
	d := &desk{Responder: r, name: r.name(), watch: watch, open: map[string]*incident.Record{}, broken: map[string]error{}, intended: map[string]int64{}}
	id := parsed.Advance
	switch {
	case parsed.Ignored != "":
		r.Log.InfoContext(ctx, "event ignored", "reason", parsed.Ignored)
		return Handled{Ignored: parsed.Ignored}, nil
	case parsed.Alarm != nil:
		rec, err := d.ring(ctx, *parsed.Alarm)
		if err != nil {
			return Handled{}, err
		}
		id = rec.ID
	case id != Desk:
		if _, err := r.Store.Load(ctx, id); err != nil {
			return Handled{}, err
		}
	}
	worked := d.work(ctx, id)
	if id == Desk {
		return Handled{Ignored: "nothing is left to do now"}, worked
	}
	rec, err := r.Store.Load(ctx, id)
	return Handled{Record: rec}, cmp.Or(worked, err)
}

func (r *Responder) name() string {
	if r.Name != nil {
		return r.Name()
	}
	return rand.Text()
}

// ring opens the incident of an alarm, or joins the one that is open for it.
func (d *desk) ring(ctx context.Context, a alarm.Alarm) (incident.Record, error) {
	rec, err := d.store(ctx, d.Store.Open, d.newRecord(ctx, a))
	if err == nil && !rec.Closed.IsZero() && rec.Unheard() {
		rec = rec.TellAgain(d.Clock.Now())
		rec.Writer = d.name
		rec, err = d.store(ctx, d.Store.Put, rec)
	}
	if err != nil {
		return incident.Record{}, fmt.Errorf("opening the incident: %w", err)
	}
	// Whatever becomes of this invocation, somebody comes and looks.
	if d.Wakes != nil && rec.Closed.IsZero() {
		if err := d.Wakes.Wake(ctx, Desk, d.Clock.Now().Add(2*time.Minute)); err != nil {
			d.Log.ErrorContext(ctx, "a wake could not be set; Lambda's own retries are left", "incident", rec.ID, "err", err)
		}
	}
	return rec, nil
}

// newRecord is the incident of an alarm as it begins.
func (d *desk) newRecord(ctx context.Context, a alarm.Alarm) incident.Record {
	now := d.Clock.Now()
	once := d.Wakes == nil || a.Source != alarm.Rang
	deadline := now.Add(incident.Patience)
	if until, ok := ctx.Deadline(); once && ok && until.Add(-reserve).Before(deadline) && now.Before(until) {
		deadline = until.Add(-reserve)
	}
	rec := incident.Record{
		Schema: incident.Schema, ID: a.ID(), Mode: d.Mode, Writer: d.name, Opened: now, Deadline: deadline, Alarm: a, Once: once, PolicyError: d.PolicyError,
		Evidence: evidence.Reconcile(a, evidence.Tally{}, nil),
		Looks:    []incident.Look{}, Verdicts: []incident.Verdict{}, Outcomes: []containment.Outcome{}, Notified: []incident.Notice{},
	}
	rec.Evidence.Explained, rec.Evidence.Unexplained = nil, nil // nothing was looked at yet
	rec.Note(now, opening(a))
	return rec
}

// channels are the names of the channels, for the notices of a record.
func (r *Responder) channels() []string {
	var names []string
	for _, c := range r.Channels {
		names = append(names, c.Name())
	}
	return names
}

// reserve is kept back, of the time an invocation has, for what comes after the deadline: the last look, judging, a write and its
// reading back for a minute, what the report would like to say, and the telling itself.
const reserve = lastLookTime + judgeTime + 80*time.Second + enrichTime + 30*time.Second
