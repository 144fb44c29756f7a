package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
	"nightlatch/internal/report"
	"nightlatch/internal/responder"
	"nightlatch/internal/workers"
)

// event is an event that Lambda holds for the function until it was handled, or the third attempt has failed.
type event struct {
	what     string
	incident string // that it is about; "" where it is forged
	text     []byte
	tries    int
}

// invocation is one run of a function, or of a command on a human's machine.
type invocation struct {
	*thread // the first; those beside it are workers'
	*world
	name, generation string
	workers          []*thread
	skew             time.Duration // how far its clock is off
	began            time.Time     // by its own clock
	// by is who has the approver called, or runs a command; nil in the responder.
	by *person
	// wants is what he means to have done.
	wants wish
	// late says that the evidence against him came while his call was on its way.
	late bool
	// called says that it has had the responder called, as far as it knows.
	called bool
	// read is what it has read of settings since its last write of them.
	read map[containment.Ref]containment.Doc
	// readAt is when AWS has answered what a setting is, last.
	readAt map[containment.Ref]time.Time
	// activeAt is when a key was last seen active, by whichever of its incidents: they read beside each other, and AWS's copies differ.
	activeAt map[containment.Ref]time.Time
	// unread are the incidents that were not loaded when it asked for them last: it knows nothing of what it has done in them.
	unread map[string]bool
	// brakesRead is when it has read the lowered mode and the holds last.
	brakesRead time.Time
}

func (w *world) invocation(kind string) *invocation {
	w.invocations++
	skew := w.between(-w.weather.skew, w.weather.skew)
	return &invocation{world: w, name: fmt.Sprintf("%s%d", kind, w.invocations), generation: w.generation, read: map[containment.Ref]containment.Doc{}, readAt: map[containment.Ref]time.Time{}, activeAt: map[containment.Ref]time.Time{}, unread: map[string]bool{}, skew: skew, began: w.now.Add(skew)}
}

// pause lets time pass in the thread of it that runs.
func (in *invocation) pause(d time.Duration) { in.current.pause(d) }

// kill ends all its threads. It is called while none of them runs, or by the one that does.
func (in *invocation) kill() {
	for _, t := range append([]*thread{in.thread}, in.workers...) {
		if t == in.current {
			t.killed = true
		} else {
			t.kill()
		}
	}
}

// crash ends it from within.
func (in *invocation) crash() {
	in.kill()
	runtime.Goexit()
}

// beside does n things, so many of them at a time, each worker in a thread of its own.
func (in *invocation) beside(workers, n int, do func(int)) {
	waiting, next, left := in.current, 0, min(workers, n)
	for range left {
		in.workers = append(in.workers, in.start(func(t *thread) {
			defer func() {
				if left--; left == 0 && !t.killed {
					in.after(0, waiting.step)
				}
			}()
			for next < n {
				next++
				do(next - 1)
			}
		}))
	}
	if left > 0 {
		waiting.park()
	}
}

// lifetime is a Lambda's 15 minutes.
const lifetime = 15 * time.Minute

var shippedPolicy = sync.OnceValue(policy.Shipped)

var errDead = errors.New("the invocation is dead")

// invoke runs the function for an event. What fails is tried twice again, about one and two minutes later, and then goes to the dead-letter
// queue, whose alarm calls a human. https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
func (w *world) invoke(e *event) {
	e.tries++
	in := w.invocation("#")
	var err error = errDead
	w.tell("%s begins: %s, attempt %d", in.name, e.what, e.tries)
	deadline := w.now.Add(lifetime)
	in.thread = w.start(func(t *thread) {
		defer func() {
			w.tell("%s ends: %v", in.name, err)
			if err == nil {
				return
			}
			w.fails("errors")
			if e.tries < 3 {
				w.after(time.Duration(e.tries)*time.Minute+w.between(0, 10*time.Second), func() { w.invoke(e) })
				return
			}
			w.tell("%s goes to the dead-letter queue: somebody is called", e.what)
			if _, parses := alarm.Parse(e.text); parses == nil { // what nobody can read calls people too, but not to an incident
				w.deadLetters = append(w.deadLetters, deadLetter{w.now, e.what})
				w.fails("failed-events")
			}
		}()
		in.thread = t
		_, failed := in.responder().Handle(in.context(deadline), e.text, nil)
		err = failed
	})
	w.at(deadline, func() {
		if !in.ended {
			w.tell("%s is out of time", in.name)
			in.kill()
		}
	})
}

// responder is the real one, in this world.
func (in *invocation) responder() *responder.Responder {
	return &responder.Responder{
		Meter: simMeter{in}, Trail: simTrail{in}, Account: simAccount{in}, Store: simStore{in}, Channels: in.orWatchers(), Clock: simClock{in},
		Log: slog.New(simLog{in}), Mode: in.deployed(), Ours: actor.Accounts(accountID), Policy: policy.Ready(in.judges()), Steps: in.enabled(), Cutter: simCutter{in},
		Scheduler: simScheduler{in}, Name: func() string { return in.name }, Generation: in.generation, Workers: workers.Pool{Size: in.plot.workers, Beside: in.beside}, Watched: buckets,
	}
}

// context is that of an invocation that ends at a time, as its own clock shows it.
func (in *invocation) context(end time.Time) context.Context {
	return virtual{context.Background(), end.Add(in.skew)}
}

// fault is what goes wrong with one call.
type fault int

const (
	fine fault = iota
	failsBefore
	failsAfter
	timesOut
	throttled
	denied
	crashesBefore
	crashesAfter
)

func (w *world) fault(service string) fault {
	if service == "cutter" {
		service = "account"
	}
	switch {
	case w.chance(w.weather.crash):
		return crashesBefore + fault(w.IntN(2))
	case w.chance(w.weather.fault[service]):
		return failsBefore + fault(w.IntN(5))
	}
	return fine
}

// pace is how long a call to a service takes at most, as a rule.
var pace = map[string]time.Duration{"store": 30 * time.Millisecond, "meter": 500 * time.Millisecond, "trail": 20 * time.Second, "account": 500 * time.Millisecond,
	"channel": 300 * time.Millisecond, "scheduler": 200 * time.Millisecond, "cutter": 3 * time.Second}

// half is how long the way to a service takes, or the way back.
func (in *invocation) half(service string) time.Duration {
	d := in.between(pace[service]/20, pace[service]/2)
	if in.chance(in.weather.slow) {
		d = min(10*d, time.Minute)
	}
	if in.chance(in.weather.froze) {
		d += in.between(time.Minute, 14*time.Minute) // frozen and thawed: whatever it held, it goes on
	}
	return d
}

// timeout is how long the clients wait for an answer, at most.
const timeout = 2 * time.Minute

// refusal is an error of a call that surely had no effect.
type refusal struct{ error }

// refused is the error of a call that changes something, as an adapter returns it.
func refused(err error) error {
	if surely := (refusal{}); !errors.As(err, &surely) {
		return err
	}
	if strings.Contains(err.Error(), "throttled") {
		return fmt.Errorf("%v: %w", err, containment.ErrThrottled)
	}
	return fmt.Errorf("%v: %w", err, containment.ErrNotDone)
}

// call plays one call: the way there, the effect, the way back, and what goes wrong with it.
func call[T any](in *invocation, service, what string, effect func() (T, error)) (T, error) {
	var none T
	if in.killed {
		return none, errDead
	}
	in.calls++
	w, f := in.world, in.fault(service)
	there := in.half(service)
	in.pause(there)
	fails := func(how string) (T, error) {
		w.faults++
		w.tell("%s %s.%s: %s", in.name, service, what, how)
		return none, errors.New(service + " " + how)
	}
	if there > timeout && f != crashesBefore { // thawed, the client finds that its time is over before it has sent anything
		return fails("did not answer in time")
	}
	switch f {
	case crashesBefore:
		w.faults++
		w.tell("%s CRASHES before %s.%s", in.name, service, what)
		in.crash()
	case failsBefore, throttled, denied:
		in.pause(in.half(service))
		_, err := fails(map[fault]string{failsBefore: "failed", throttled: "throttled the call", denied: "denied the call"}[f])
		if f != failsBefore {
			err = refusal{err}
		}
		return none, err
	case timesOut:
		if w.chance(0.5) {
			effect()
		}
		in.pause(w.between(5*time.Second, 30*time.Second))
		return fails("did not answer in time")
	}
	v, err := effect()
	switch f {
	case crashesAfter:
		w.faults++
		w.tell("%s CRASHES after %s.%s", in.name, service, what)
		in.crash()
	case failsAfter:
		in.pause(in.half(service))
		return fails("failed on the way back")
	}
	w.tell("%s %s.%s%s", in.name, service, what, map[bool]string{true: ": " + fmt.Sprint(err)}[err != nil])
	in.pause(in.half(service))
	return v, err
}

// The world as the responder sees it.
type (
	simClock   struct{ *invocation }
	simStore   struct{ *invocation }
	simMeter   struct{ *invocation }
	simTrail   struct{ *invocation }
	simAccount struct{ *invocation }
	simChannel struct {
		*invocation
		*topic
	}
	simScheduler struct{ *invocation }
)

func (c simClock) Now() time.Time { return c.now.Add(c.skew) }

func (c simClock) Wait(_ context.Context, until time.Time) error {
	if c.killed {
		return errDead
	}
	if d := until.Sub(c.Now()); d > 0 {
		c.pause(d)
	}
	if c.chance(c.weather.crash) {
		c.tell("%s CRASHES while it waits", c.name)
		c.crash()
	}
	return nil
}

// file notes what lists will show of a record, and checks what has changed in it.
func (s simStore) file(r incident.Record, err error) (incident.Record, error) {
	before := s.stored[r.ID]
	if err != nil || before.Version == r.Version {
		return r, err
	}
	s.briefs = append(s.briefs, filed{s.now, s.by != nil, r.Brief()})
	s.checkPut(before, r)
	s.alarmed(before, r)
	kept := r
	kept.Outcomes = slices.Clone(r.Outcomes) // the others are put anew, and never changed in place
	s.stored[r.ID] = kept
	return r, nil
}

func (s simStore) Open(ctx context.Context, r incident.Record) (incident.Record, error) {
	return call(s.invocation, "store", "open "+r.ID, func() (incident.Record, error) { return s.file(s.store.Open(ctx, r)) })
}

func (s simStore) Load(ctx context.Context, id string) (incident.Record, error) {
	r, err := call(s.invocation, "store", "load "+id, func() (incident.Record, error) { return s.store.Load(ctx, id) })
	s.unread[id] = err != nil
	if s.by == nil && s.acts(lostOrder, 1) {
		s.forget(&r)
	}
	return r, err
}

func (s simStore) Put(ctx context.Context, r incident.Record) (incident.Record, error) {
	what := ""
	if s.tells {
		what = fmt.Sprintf("put %s, version %d: %s", r.ID, r.Version+1, gist(r))
	}
	return call(s.invocation, "store", what, func() (incident.Record, error) {
		if s.acts(lostWrite, 0.05) {
			r.Version++
			return r, nil
		}
		return s.file(s.store.Put(ctx, r))
	})
}

// gist is a record in a line.
func gist(r incident.Record) string {
	var parts []string
	for _, o := range r.Outcomes {
		parts = append(parts, fmt.Sprintf("%s %s (%d)", o.Target, o.State, o.Attempts))
	}
	last := ""
	if len(r.Log) > 0 {
		last = r.Log[len(r.Log)-1].What
	}
	return strings.Join(append(parts, last), "; ")
}

// known is what lists show, as it was a moment ago.
func (s simStore) known() map[string]incident.Brief {
	at, all := s.now, map[string]incident.Brief{}
	if !s.weather.clear && s.chance(0.3) {
		at = at.Add(-s.between(0, 5*time.Second))
	}
	for _, f := range s.briefs {
		if !f.at.After(at) {
			all[f.ID] = f.Brief
		}
	}
	return all
}

func (s simStore) Unclosed(context.Context) ([]incident.Brief, error) {
	return call(s.invocation, "store", "unclosed", func() ([]incident.Brief, error) {
		var all []incident.Brief
		for _, b := range s.known() {
			if b.Closed.IsZero() {
				all = append(all, b)
			}
		}
		slices.SortFunc(all, byOpening)
		return all, nil
	})
}

func (s simStore) Recent(_ context.Context, n int) ([]incident.Brief, error) {
	return call(s.invocation, "store", "recent", func() ([]incident.Brief, error) {
		var all []incident.Brief
		for _, b := range s.known() {
			all = append(all, b)
		}
		slices.SortFunc(all, byOpening)
		slices.Reverse(all)
		return all[:min(n, len(all))], nil
	})
}

func (s simStore) Brakes(ctx context.Context) (incident.Brakes, error) {
	var at time.Time
	b, err := call(s.invocation, "store", "brakes", func() (incident.Brakes, error) { at = s.now; return s.store.Brakes(ctx) })
	if err == nil {
		s.brakesRead = at
	}
	if s.by == nil && s.acts(lostHold, 1) {
		b.Holds = nil
	}
	return b, err
}

func (s simStore) SetBrakes(ctx context.Context, b incident.Brakes) (incident.Brakes, error) {
	var at time.Time
	stored, err := call(s.invocation, "store", "set brakes", func() (incident.Brakes, error) {
		at = s.now
		if s.by == nil && s.plant == lostHold {
			b.Holds = s.brakesAt(at).Holds
		}
		stored, err := s.store.SetBrakes(ctx, b)
		if err == nil {
			s.checkBrakes(stored)
			s.brakes = append(s.brakes, brakesSince{s.now, stored})
		}
		return stored, err
	})
	if err == nil {
		s.brakesRead = at
	}
	return stored, err
}

func byOpening(x, y incident.Brief) int {
	if c := x.Opened.Compare(y.Opened); c != 0 {
		return c
	}
	return strings.Compare(x.ID, y.ID)
}

func (s simStore) Lease(ctx context.Context, l incident.Lease) error {
	what := fmt.Sprintf("lease %s for %s until %s", l.Name, l.Holder, l.Until.Format(time.TimeOnly))
	_, err := call(s.invocation, "store", what, func() (struct{}, error) { return struct{}{}, s.store.Lease(ctx, l) })
	return err
}

// Schedule makes a one-time schedule. It fires within a minute, so it is named by the first whole minute that is not too early. While it
// has not fired yet, making it again changes nothing.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
func (k simScheduler) Schedule(_ context.Context, id string, at time.Time) error {
	_, err := call(k.invocation, "scheduler", "follow-up of "+id+" at "+at.Format(time.TimeOnly), func() (struct{}, error) {
		w, minute := k.world, at.Add(time.Minute-1).Truncate(time.Minute)
		name := id + minute.Format("-200601021504")
		if w.scheduled[name] {
			return struct{}{}, nil
		}
		w.scheduled[name] = true
		w.at(minute.Add(w.between(0, time.Minute)), func() {
			delete(w.scheduled, name)
			w.invoke(&event{what: "follow-up of " + id, incident: id, text: fmt.Appendf(nil, `{"nightlatch":{"advance":{"incident":%q}}}`, id)})
		})
		return struct{}{}, nil
	})
	k.called = err == nil
	return err
}

// Read reads the metric as cloudwatch.Meter does: what does not fit the alarm is doubted.
func (m simMeter) Read(_ context.Context, a alarm.Alarm) (alarm.Reading, error) {
	return call(m.invocation, "meter", "read "+a.Name, func() (r alarm.Reading, _ error) {
		w := m.world
		defer func() {
			w.tell("%s sees the metric of %s: %d datapoints, doubt %q", m.name, prose.Window(a.From, a.To), len(r.Points), r.Doubt)
		}()
		if a.Source == alarm.Manual {
			return alarm.Reading{Buckets: a.Buckets, Points: w.metric(a.Buckets, a.From.Truncate(time.Minute), a.To.Add(time.Minute-1).Truncate(time.Minute))}, nil
		}
		i := slices.IndexFunc(w.alarms, func(of *watched) bool {
			return of.name == a.Name && of.arn() == a.ARN && of.contributor == a.Contributor
		})
		if i < 0 {
			return alarm.Reading{Doubt: "no such alarm, or contributor of one, exists"}, nil
		}
		of, age, first, latest := w.alarms[i], w.now.Sub(a.Since), a.Part == 0, a.Since.Add(time.Minute)
		if !first {
			latest = w.now.Add(time.Minute)
		}
		switch {
		case age > time.Hour && first || age < -5*time.Minute:
			return alarm.Reading{Doubt: "it did not fire in the last hour"}, nil
		case len(a.Buckets) > 0 && !slices.Equal(a.Buckets, of.buckets):
			return alarm.Reading{Doubt: "the alarm watches other buckets"}, nil
		case first && of.contributor != "" && !of.alarmed:
			return alarm.Reading{Doubt: "the alarm has no such contributor in ALARM any more"}, nil
		case first && of.alarmed && of.changed.Sub(a.Since).Abs() > 2*time.Minute, first && !of.alarmed && !of.changed.After(a.Since.Add(-2*time.Minute)):
			return alarm.Reading{Doubt: "the alarm did not fire then"}, nil
		case a.From.Before(a.Since.Add(-time.Duration(of.periods+5)*time.Minute-3*time.Hour)) || a.To.After(latest):
			return alarm.Reading{Doubt: "the alarm did not evaluate that window"}, nil
		}
		return alarm.Reading{Buckets: of.buckets, Points: w.metric(of.buckets, a.From.Add(-3*time.Hour), w.now), Threshold: threshold, Period: time.Minute}, nil
	})
}

// Refused counts what was sent with keys that were off, as CloudWatch shows it by now.
func (m simMeter) Refused(_ context.Context, a alarm.Alarm, from, to time.Time) (alarm.Refusals, error) {
	return call(m.invocation, "meter", "refusals of "+a.Name, func() (alarm.Refusals, error) {
		w := m.world
		if !w.countsErrors {
			return alarm.Refusals{Doubt: "CloudWatch has no datapoint of 4xxErrors"}, nil
		}
		var points []alarm.Point
		for _, b := range a.Buckets {
			points = append(points, alarm.Point{Start: from.Add(-alarm.UsualDays * 24 * time.Hour)})
			for _, at := range w.refusals[b] {
				if !at.After(w.now.Add(-2 * time.Minute)) {
					points = append(points, alarm.Point{Start: at.Truncate(time.Minute), Bytes: 1})
				}
			}
		}
		return alarm.CountRefusals(points, from, to), nil
	})
}

func (t simTrail) Ask(_ context.Context, q evidence.Question) (evidence.Answer, error) {
	a, err := call(t.invocation, "trail", "ask for "+q.Name(), func() (evidence.Answer, error) {
		rows, err := answer(seen(t.trail, t.now), q)
		return evidence.Answer{Engine: "simulation", Rows: rows, Scanned: 1 << 20, Seal: t.seal()}, err
	})
	if refused := (refusal{}); errors.As(err, &refused) && strings.Contains(err.Error(), "throttled") {
		err = fmt.Errorf("%v: %w", err, evidence.ErrBusy)
	}
	return a, err
}

func (a simAccount) Identify(ctx context.Context, c actor.Credential) (policy.Target, error) {
	return call(a.invocation, "account", "identify "+c.AccessKeyID, func() (policy.Target, error) { return a.account.Identify(ctx, c) })
}

func (a simAccount) Quarantine(ctx context.Context, user, partition string) (name string, attached bool, err error) {
	name, err = call(a.invocation, "account", "quarantine of "+user, func() (name string, err error) {
		name, attached, err = a.account.Quarantine(ctx, user, partition)
		return name, err
	})
	return name, attached, err
}

// notRead stands for a setting that was asked for and not learned.
var notRead = containment.Doc{Text: "not read"}

// Read shows a change as soon as it has reached the copy of AWS's that answers.
func (a simAccount) Read(_ context.Context, ref containment.Ref) (containment.Doc, error) {
	doc, err := call(a.invocation, "account", "read "+ref.Name, func() (containment.Doc, error) { a.readAt[ref] = a.now; return a.answers(ref) })
	if err == nil && doc.Text == containment.Active {
		a.activeAt[ref] = a.now
	}
	switch {
	case err != nil:
		a.read[ref] = notRead
	case a.read[ref] != notRead || doc.Text == containment.Active || doc.Absent: // another incident may have been judged without
		a.read[ref] = doc
	}
	return doc, err
}

// answers is what one of AWS's copies says of a setting. A key that was deleted is gone in all of them.
func (w *world) answers(ref containment.Ref) (containment.Doc, error) {
	doc, err := w.account.get(ref)
	if was, is := w.hollow[ref]; is {
		return was, nil
	}
	for _, o := range w.ordered {
		if o.ref == ref && w.acts(oldReading, 1) {
			return w.shows[ref][1].doc, nil
		}
	}
	if err == nil && !(ref.Type == containment.KeyStatus && doc.Absent) && w.chance(0.5) {
		doc = w.spread(ref, doc)
	}
	return doc, err
}

// Keys shows each key's status as Read does.
func (a simAccount) Keys(_ context.Context, user string) ([]containment.Key, error) {
	return call(a.invocation, "account", "keys of "+user, func() ([]containment.Key, error) {
		var all []containment.Key
		if u := a.account.users[user]; u != nil {
			for _, k := range u.Keys {
				status, err := a.answers(containment.Ref{Type: containment.KeyStatus, Owner: user, Name: k.ID})
				if err != nil {
					return nil, err
				}
				all = append(all, containment.Key{ID: k.ID, Status: status.Text, Created: k.Created})
			}
		}
		return all, nil
	})
}

func (a simAccount) Write(ctx context.Context, ref containment.Ref, doc containment.Doc) error {
	_, err := call(a.invocation, "account", "write "+ref.Name+" "+doc.Text, func() (struct{}, error) {
		if why := a.account.refusal(ref, doc); why != "" {
			return struct{}{}, fmt.Errorf("%w: %s", containment.ErrNotDone, why)
		}
		for range 1 + map[bool]int{true: 1}[a.acts(doubleAction, 0.5)] {
			if err := a.sets(ref, doc); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return refused(err)
}

// sets makes a setting what an incident intends it to be.
func (in *invocation) sets(ref containment.Ref, doc containment.Doc) error {
	id := in.intends(ref)
	in.checkWrite(id, ref, doc)
	delete(in.read, ref)
	return in.world.put(in.name, id, ref, doc)
}

// humanAccount is the account with a human's own credentials, who takes a step back.
type humanAccount struct {
	simAccount
	step containment.Step
}

func (a humanAccount) Write(_ context.Context, ref containment.Ref, doc containment.Doc) error {
	_, err := call(a.invocation, "account", "write "+ref.Name+" "+doc.Text, func() (struct{}, error) {
		if a.read[ref] != a.step.After || doc != a.step.Before {
			a.breach(ruleRestore, "%s sets %s to %+v, and has read it as %+v", a.name, ref.Name, doc, a.read[ref])
		}
		delete(a.read, ref)
		return struct{}{}, a.onlySets("a human", "", ref, doc, ruleRestore)
	})
	return refused(err)
}

// simLog is the log: what the responder survives is a bug all the same.
type simLog struct{ *invocation }

func (simLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }
func (l simLog) WithAttrs([]slog.Attr) slog.Handler             { return l }
func (l simLog) WithGroup(string) slog.Handler                  { return l }

func (l simLog) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "panic" {
			l.breach(ruleSound, "%s: %s: %s", l.name, r.Message, a.Value)
		}
		return true
	})
	return nil
}

func (c simChannel) Name() string { return c.topic.name }

func (c simChannel) Send(_ context.Context, m report.Message) error {
	_, err := call(c.invocation, "channel", "send "+m.Subject, func() (struct{}, error) {
		human, err := c.takes(c.topic, m, false)
		if err != nil {
			return struct{}{}, err
		}
		c.checkMessage(m)
		c.checkUnheard(m)
		c.world.sent = append(c.world.sent, sent{c.now, c.invocation.name, m})
		if human {
			c.react(m)
		}
		return struct{}{}, nil
	})
	if err != errDead && c.acts(swallowedError, 1) {
		return nil
	}
	return err
}

// acts reports whether a planted bug shows this time. It has a chance of its own: up to then the night is as it would be without it.
func (w *world) acts(bug plant, p float64) bool { return w.plant == bug && w.chances.Float64() < p }

// plant is a bug that is put in to see it found.
type plant string

const (
	lostWrite      plant = "a lost write"      // a put reports success and stores nothing
	doubleAction   plant = "a double action"   // a write to the account is made twice
	swallowedError plant = "a swallowed error" // a message that could not be sent counts as sent
	falseCaller    plant = "a false caller"    // the approver takes everybody for one of the staff
	lostHold       plant = "a lost hold"       // the responder does not see what is held
	believed       plant = "a silence"         // whoever was subscribed is taken to hear for ever
	heartless      plant = "a false heartbeat" // the sign of life is sent whatever the checks find
	blindSeal      plant = "a blind seal"      // who else may write the trail's files is not seen
	wideDenial     plant = "a wide denial"     // the cutter writes a denial without its condition
	boldMode       plant = "a bold mode"       // the responder takes its mode for act, whatever was deployed
	allEnabled     plant = "all enabled"       // responder and cutter do every step, whatever the deployment enables
	lostOrder      plant = "a lost order"      // who loads an incident does not see what was ordered for it
	hollowAnswer   plant = "a hollow answer"   // the cutter writes nothing and says that it has, and so does who reads it back
	oldReading     plant = "an old reading"    // who reads what was ordered sees it as it was written, for ever
	deepUndo       plant = "a deep undo"       // who takes an order back takes all else of its kind away too
	lostPolicy     plant = "a lost policy"     // the responder judges by the shipped policy, whatever the deployment's own says
)
