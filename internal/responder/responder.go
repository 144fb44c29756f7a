// Package responder is the sequence from an event to a closed incident.
//
// The way of an alarm:
//
//	parse        alarm.Parse reads the event: an alarm, a human's question, or a follow-up
//	open         the incident is opened, or joined where it is open already
//	investigate  the metric is read again; query rounds ask the trail until the evidence is enough, or complete, or the deadline has come
//	judge        judgement gives verdicts and steps; incidents with the same steps are merged
//	contain      the intended steps are done, one after the other, and each is read back
//	report       who tagged a protected target is asked; then the messages are written
//	notify       each channel gets them, and again later where it did not take them
//
// A first page goes out as soon as the metric was read. Follow-ups then check that the steps hold and that the bytes have stopped. Reminders
// repeat what waits for a human. At last the incident is closed.
//
// Which of these moves is next is decided by incident.Record.Next, which is pure; this package has the effects. A record is put before and
// after each effect on the account, and after every other move. Whoever takes it up after a crash reads before he writes: a step is done at
// most once, and a message is sent at least once.
//
// One worker advances all open incidents, because the trail takes ten queries at once and one question can serve every incident. Its claim
// is the worker lease. Two workers at once, because one was thought dead, harm nothing: each put is conditional, and comes before
// the effect. A worker without time left schedules the next run and gives the lease back.
//
// It may import the leaves, the stages, investigation and judgement. It must not import approval, an adapter, an SDK or the Lambda runtime.
// It must not decide anything about an actor.
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
	"nightlatch/internal/clock"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/investigation"
	"nightlatch/internal/notify"
	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
	"nightlatch/internal/version"
	"nightlatch/internal/workers"
)

// Responder is everything that the sequence works with. What is not said to be optional is needed.
type Responder struct {
	Meter alarm.Meter
	Trail evidence.Trail
	// Second is asked where Trail fails, has no room, or stays behind; nil where there is none.
	Second  evidence.Trail
	Account containment.Account
	// Steps are those that the deployment enables beside deactivation, Reach on what, and Cutter does them; nil where none is.
	Steps    []policy.Action
	Reach    containment.Reach
	Cutter   containment.Cutter
	Store    incident.Store
	Channels []notify.Channel
	Clock    clock.Clock
	Log      *slog.Logger
	Mode     containment.Mode
	// ObserveUntil is the last day of mode observe, for the messages; "" where none is set.
	ObserveUntil string
	// Generation tells deployments apart: the mode that was lowered in another one is not lowered any more.
	Generation string
	// Place is where the deployment is, for the messages; zero where there is none.
	Place incident.Place
	// Records is what the trail holds of S3, for the messages: settings.WatchedReads or AllReads; "" is not known.
	Records string
	// Management is what it holds of the management events of IAM, STS and sign-in: settings.ManagementAll or ManagementSome; "" is not known.
	Management string
	// Watched are the names of the watched buckets, settings.EveryBucket among them where all others are; none where that is not known.
	Watched []string
	// Alias says what the account is called; "" where that is not known. The first message asks it, and a decision never does. nil is none.
	Alias func(context.Context, *slog.Logger) string
	// Remember keeps what became of a test of a channel; nil keeps nothing.
	Remember func(context.Context, map[string]notify.Tried) error
	// Ours are the accounts that are ours.
	Ours actor.Ours
	// Scheduler calls the responder again. Where it is nil nothing does: an invocation waits for what comes next, and closes an incident as
	// soon as its answer is delivered.
	Scheduler incident.Scheduler
	// Workers are how many incidents are worked on at the same time, and how.
	Workers workers.Pool
	// Cap is how many containments an hour are made without a human; 0 is ten.
	Cap int
	// Name gives an invocation a name that no other has; nil is a random one.
	Name func() string
	// Policy loads the policy, and says the same each time. It is begun while the first calls are on their way. An error has everything asked.
	Policy func() (*policy.Policy, error)
}

// ErrNotDelivered says that no channel took the message: a retry of the whole event can help, because what was done is seen done.
var ErrNotDelivered = errors.New("the team could not be notified")

// Watch sees a record after every move; it is the one way back from the sequence to whoever started it.
type Watch func(incident.Record)

// Handled is what became of one event.
type Handled struct {
	// Ignored says why the event started nothing; "" otherwise.
	Ignored string
	// Record is the incident of the event as it is when this invocation ends. Others may go on with it.
	Record incident.Record
}

// Handle takes one event as far as this invocation can. watch, where it is not nil, sees a record after every move.
//
// Whoever gets the worker lease works on all open incidents. Whoever does not leaves his to the worker that holds it.
func (r *Responder) Handle(ctx context.Context, event []byte, watch Watch) (Handled, error) {
	parsed, err := alarm.Parse(event)
	if err != nil {
		return Handled{}, err
	}
	// Without the time for one move it would do nothing but call itself again, for ever.
	if until, ok := ctx.Deadline(); ok && r.Scheduler != nil && parsed.Ignored == "" && until.Sub(r.Clock.Now()) < leastTime {
		return Handled{}, fmt.Errorf("this invocation has %v, and needs %v: give the function a timeout of 3 minutes at least, 15 are best",
			until.Sub(r.Clock.Now()).Round(time.Second), leastTime)
	}
	w := &worker{Responder: r, name: r.name(), began: r.Clock.Now(), watch: watch, open: map[string]*incident.Record{}, broken: map[string]error{},
		waits: map[string]int64{}, intended: map[string]int64{}, ask: investigation.New(r.Meter, r.Trail, r.Second, r.Account, r.Ours, r.Clock, r.Workers, r.Log)}
	if parsed.Ignored == "" {
		go r.Policy()
	}
	id := parsed.Advance
	switch {
	case parsed.Ignored != "":
		r.Log.InfoContext(ctx, "event ignored", "reason", parsed.Ignored)
		return Handled{Ignored: parsed.Ignored}, nil
	case parsed.Copies: // once an hour
		r.tryHub(ctx)
		open, err := w.copied(ctx)
		if len(open) == 0 {
			return Handled{Ignored: "nothing was copied out of the watched buckets to where it was not before"}, err
		}
		err = errors.Join(err, w.work(ctx, incident.EveryIncident))
		rec, failed := r.Store.Load(ctx, open[0])
		return Handled{Record: rec}, errors.Join(err, failed)
	case parsed.Alarm != nil:
		for _, a := range append(parsed.Also, *parsed.Alarm) {
			rec, err := w.fired(ctx, a)
			if err != nil {
				return Handled{}, err
			}
			id = rec.ID
		}
	case id != incident.EveryIncident:
		if _, err := r.Store.Load(ctx, id); err != nil {
			return Handled{}, err
		}
	}
	worked := w.work(ctx, id)
	if id == incident.EveryIncident {
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

// fired opens the incident of an alarm, or joins the one that is open for it.
func (w *worker) fired(ctx context.Context, a alarm.Alarm) (incident.Record, error) {
	rec, err := w.store(ctx, w.Store.Open, w.newRecord(ctx, a))
	if err == nil && !rec.Closed.IsZero() && rec.Undelivered() {
		rec = rec.NotifyAgain(w.Clock.Now())
		rec.Writer = w.name
		rec, err = w.store(ctx, w.Store.Put, rec)
	}
	if err != nil {
		return incident.Record{}, fmt.Errorf("opening the incident: %w", err)
	}
	// Whatever becomes of this invocation, a follow-up comes.
	if w.Scheduler != nil && rec.Closed.IsZero() {
		if err := w.Scheduler.Schedule(ctx, incident.EveryIncident, w.Clock.Now().Add(2*time.Minute)); err != nil {
			w.Log.ErrorContext(ctx, "a follow-up could not be scheduled; Lambda's own retries are left", "incident", rec.ID, "err", err)
		}
	}
	return rec, nil
}

// newRecord is the incident of an alarm as it begins.
func (w *worker) newRecord(ctx context.Context, a alarm.Alarm) incident.Record {
	now := w.Clock.Now()
	once := w.Scheduler == nil || a.Source != alarm.Fired && a.CopiedTo == "" // nobody waits beside a look for copies
	deadline := now.Add(incident.Patience)
	if until, ok := ctx.Deadline(); once && ok && until.Add(-reserve).Before(deadline) && now.Before(until) {
		deadline = until.Add(-reserve)
	}
	rec := incident.Record{
		Schema: incident.Schema, ID: a.ID(), Mode: w.Mode, ObserveUntil: w.ObserveUntil, Release: version.Release, Place: w.Place, Records: w.Records, Management: w.Management, Writer: w.name, Opened: now, Deadline: deadline, Alarm: a, Once: once,
		Evidence: evidence.Reconcile(a, evidence.Tally{}, nil),
		Rounds:   []incident.QueryRound{}, Verdicts: []incident.Verdict{}, Outcomes: []containment.Outcome{}, Notified: []incident.Notice{},
	}
	rec.Evidence.Explained, rec.Evidence.Unexplained = nil, nil // no query round yet
	rec.Note(now, opening(a))
	if a.Refused != "" { // nothing is asked of anybody: the team is told why, and that is all
		rec.Once, rec.MetricRead, rec.Alarm.Doubt = true, 1, a.Refused
	}
	return rec
}

// reserve is kept back of an invocation's time for what comes after the deadline: the last query round, judging, a write and its
// reading back for a minute, what the report would like to say, and the notifying itself.
const reserve = lastRoundTime + judgeTime + 80*time.Second + enrichTime + 30*time.Second

func opening(a alarm.Alarm) string {
	if a.CopiedTo != "" {
		return "objects of " + prose.List(a.Buckets) + " were copied to " + prose.Safe(a.CopiedTo) + ", where none was before"
	}
	if a.Source == alarm.Manual {
		return "a manual event asks about " + prose.List(a.Buckets)
	}
	if a.Composite != "" {
		return "alarm " + prose.Safe(a.Name) + " fired, and rang through the composite alarm " + prose.Safe(a.Composite)
	}
	return "alarm " + prose.Safe(a.Name) + " fired for " + prose.List(a.Buckets)
}
