package responder_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/policy"
	"nightlatch/internal/responder"
	"nightlatch/internal/sandbox"
)

// said reports whether any message begins so.
func (w *world) said(headline string) bool {
	return slices.ContainsFunc(w.subjects(), func(s string) bool { return strings.HasPrefix(s, headline) })
}

// watch handles the alarm of the world, and shows each record after each move.
func (w *world) watch(t *testing.T, see func(incident.Record)) incident.Record {
	t.Helper()
	handled, err := w.Handle(context.Background(), event(1_000_000), see)
	if err != nil {
		t.Fatal(err)
	}
	return handled.Record
}

// The window that comes next is opened at the first follow-up after a containment, because the theft went on until then. Whether it has
// stopped is another question, and is asked at every follow-up.
func TestBytesThatFlowAgainAreSeenThoughTheNextWindowIsOpen(t *testing.T) {
	w := watched()
	first := alarm.Point{Start: from.Add(3 * time.Minute), Bytes: 1_000_000}
	w.meter.Buckets["exports"] = append(w.meter.Buckets["exports"], first)
	id := ""
	r := w.watch(t, func(r incident.Record) {
		if id == "" {
			id = r.ID
		}
		if r.ID == id && len(r.FollowUps) == 2 && len(w.meter.Buckets["exports"]) == 2 {
			if r.Continued == "" || r.FollowUps[0].Hot || r.FollowUps[1].Hot {
				t.Errorf("continued by %q, follow-ups %+v; want the next window open and nothing hot", r.Continued, r.FollowUps)
			}
			w.meter.Buckets["exports"] = append(w.meter.Buckets["exports"], alarm.Point{Start: w.clock.Now().Add(2 * time.Minute).Truncate(time.Minute), Bytes: 1_000_000})
		}
	})
	if len(r.FollowUps) != 4 || !r.FollowUps[2].Hot || r.FollowUps[3].Hot {
		t.Errorf("got %+v, want the third follow-up hot and the last quiet", r.FollowUps)
	}
	if !w.said("NOT QUIET") {
		t.Errorf("the team was notified of %q, and not that the bytes flow again", w.subjects())
	}
}

// doubter is a meter that cannot say any more, once it has confirmed: somebody has deleted the alarm.
type doubter struct {
	alarm.Meter
	asked []alarm.Alarm
}

func (m *doubter) Read(ctx context.Context, a alarm.Alarm) (alarm.Reading, error) {
	if m.asked = append(m.asked, a); len(m.asked) > 1 {
		return alarm.Reading{Doubt: "no such alarm exists"}, nil
	}
	return m.Meter.Read(ctx, a)
}

func TestAnAlarmThatIsGoneIsNotQuiet(t *testing.T) {
	w := watched()
	m := &doubter{Meter: w.meter}
	w.Meter = m
	r := w.handle(t)
	for i, f := range r.FollowUps {
		if f.Quiet() || !strings.Contains(strings.Join(f.Unknown, " "), "no such alarm exists") {
			t.Errorf("follow-up %d is %+v, want that it is not known whether the bytes flow", i, f)
		}
	}
	for _, a := range m.asked[r.MetricRead:] {
		if a.Part == 0 { // a transition is believed for an hour only; what comes after its window may lie later
			t.Errorf("a follow-up asks about the transition itself, which is too old an hour later: %+v", a)
		}
	}
}

// slowIAM shows a change some time after it.
type slowIAM struct {
	containment.Account
	clock *sandbox.Clock
	lag   time.Duration
	wrote time.Time
}

func (a *slowIAM) Write(ctx context.Context, ref containment.Ref, doc containment.Doc) error {
	a.wrote = a.clock.Now()
	return a.Account.Write(ctx, ref, doc)
}

func (a *slowIAM) late() bool { return !a.wrote.IsZero() && a.clock.Now().Sub(a.wrote) < a.lag }

func (a *slowIAM) Read(ctx context.Context, ref containment.Ref) (containment.Doc, error) {
	doc, err := a.Account.Read(ctx, ref)
	if a.late() {
		doc.Text = containment.Active
	}
	return doc, err
}

func (a *slowIAM) Keys(ctx context.Context, user string) ([]containment.Key, error) {
	keys, err := a.Account.Keys(ctx, user)
	for i := range keys {
		if a.late() {
			keys[i].Status = containment.Active
		}
	}
	return keys, err
}

func TestAChangeThatShowsLateIsNotCalledUndone(t *testing.T) {
	w := watched()
	w.Account = &slowIAM{Account: w.account, clock: w.clock, lag: 10 * time.Second}
	r := w.handle(t)
	if state(t, r) != containment.Done || len(r.FollowUps) != 4 || !r.FollowUps[0].Quiet() {
		t.Errorf("got %s and %+v, want done and quiet", state(t, r), r.FollowUps)
	}
	w.notified(t, "FIRED", "CONTAINED", "QUIET, CONTAINED")
}

// firedAt is the alarm of another bucket, at which so much was taken.
func (w *world) firedAt(bucket string, bytes int64) []byte {
	w.meter.Buckets[bucket] = []alarm.Point{{Start: from, Bytes: 1_000_000}}
	e := strings.ReplaceAll(string(event(1_000_000)), `"exports"`, fmt.Sprintf("%q", bucket))
	if w.trail.at == nil {
		w.trail.at = map[string][]taker{}
	}
	w.trail.at[bucket] = []taker{thief(bytes)}
	return []byte(strings.ReplaceAll(e, "nightlatch-exports", "nightlatch-"+bucket))
}

// allAtOnce handles several events as if they had come while somebody else held the worker lease, a second apart.
func (w *world) allAtOnce(t *testing.T, events ...[]byte) (records []incident.Record) {
	t.Helper()
	ctx := context.Background()
	for _, e := range events {
		now := w.clock.Now()
		if err := w.Store.Lease(ctx, incident.Lease{Name: "desk", Holder: "another", Now: now, Until: now.Add(time.Second)}); err != nil {
			t.Fatal(err)
		}
		handled, err := w.Handle(ctx, e, nil)
		if err != nil && handled.Record.ID == "" {
			t.Fatal(err)
		}
		records = append(records, handled.Record)
		w.clock.Wait(ctx, now.Add(time.Second))
	}
	w.clock.Wait(ctx, w.clock.Now().Add(time.Second))
	if _, err := w.Handle(ctx, []byte(`{"nightlatch":{"advance":{"incident":"desk"}}}`), nil); err != nil {
		t.Fatal(err)
	}
	for i, r := range records {
		var err error
		if records[i], err = w.Store.Load(ctx, r.ID); err != nil {
			t.Fatal(err)
		}
	}
	return records
}

// Whatever comes first or is largest: one incident leads, and reports all the others.
func TestTheIncidentThatOthersAreMergedIntoIsMergedIntoNone(t *testing.T) {
	for _, sizes := range [][]int64{{1_000_000, 1_000_000, 1_000_000}, {950_000, 1_000_000, 900_000}, {900_000, 950_000, 1_000_000}} {
		w := watched()
		var events [][]byte
		for i, n := range sizes {
			events = append(events, w.firedAt(fmt.Sprint("bucket-", i), n))
		}
		leads := 0
		for _, r := range w.allAtOnce(t, events...) {
			if r.MergedInto == "" {
				if leads++; len(r.Joined) != len(sizes)-1 {
					t.Errorf("%v: the one that leads reports %d others, want %d", sizes, len(r.Joined), len(sizes)-1)
				}
			} else if len(r.Joined) > 0 {
				t.Errorf("%v: %s is merged and reports nothing, and %d others were merged into it", sizes, r.ID, len(r.Joined))
			}
		}
		if leads != 1 {
			t.Errorf("%v: %d incidents lead, want one", sizes, leads)
		}
	}
}

// Whoever may invoke the function can ask by hand, or invent an alarm. Neither swallows what CloudWatch confirms.
func TestAConfirmedAskIsMergedIntoNoQuestionAndNoForgedAlarm(t *testing.T) {
	manual := []byte(`{"nightlatch":{"investigate":{"bucket":"bucket-m","from":"2026-03-04T00:07:00Z","to":"2026-03-04T00:08:00Z"}}}`)
	for name, other := range map[string]func(w *world) []byte{
		"a question": func(w *world) []byte { w.firedAt("bucket-m", 1_000_000); return manual },
		"a forged alarm": func(w *world) []byte {
			e := w.firedAt("forged", 1_000_000)
			delete(w.meter.Buckets, "forged")
			return e
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := watched()
			w.Mode = containment.ModeAsk
			real, first := w.firedAt("bucket-r", 900_000), other(w)
			if name == "a question" { // judged together, the question first: it found more
				w.allAtOnce(t, real, first)
			} else if _, err := w.Handle(context.Background(), first, func(r incident.Record) {
				if !r.Judged.IsZero() && real != nil {
					e := real
					real = nil
					w.deliver(t, e) // left to the worker that holds the lease
				}
			}); err != nil {
				t.Fatal(err)
			}
			all, err := w.Store.Recent(context.Background(), 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range all {
				if r, err := w.Store.Load(context.Background(), b.ID); err != nil || r.Alarm.Confirmed && !r.Once && (r.MergedInto != "" || r.Escalated.IsZero()) {
					t.Errorf("%s: merged into %q, escalated %v, %v; want an ask of its own that is escalated", b.ID, r.MergedInto, r.Escalated, err)
				}
			}
		})
	}
}

// session is a session of a role, taking so much.
func session(name string, bytes int64) taker {
	return taker{key: "ASIAEXAMPLE" + strings.ToUpper(name), owner: name, role: "exporter", bytes: bytes, ip: elsewhere}
}

// unsteady keeps the evidence from being complete until the deadline, and lets it be complete after it.
func (w *world) unsteady(r incident.Record) {
	if r.Judged.IsZero() {
		w.trail.takers[len(w.trail.takers)-1].bytes++
	}
}

// Two sessions of one role have the same action and the same target, and are two steps.
func TestNoAskIsLostAmongTheSessionsOfARole(t *testing.T) {
	t.Run("judged again", func(t *testing.T) {
		w := watched()
		w.account.AddRole("exporter", nil)
		w.trail.takers = []taker{session("alpha", 500_000), session("bravo", 300_000), session("gamma", 200_000)}
		r := w.watch(t, w.unsteady)
		if !r.Evidence.Complete || len(r.Outcomes) != 3 {
			t.Fatalf("complete %t, %d outcomes; want complete evidence, judged again, and three", r.Evidence.Complete, len(r.Outcomes))
		}
		for i, name := range []string{"alpha", "bravo", "gamma"} {
			if run := strings.Join(r.Outcomes[i].Runbook, "\n"); !strings.Contains(run, "AROAEXAMPLEexporter:"+name) || r.Outcomes[i].AccessKeyID != session(name, 0).key {
				t.Errorf("outcome %d is about %s and says\n%s\nwant session %s", i, r.Outcomes[i].AccessKeyID, run, name)
			}
		}
	})
	t.Run("at two buckets", func(t *testing.T) {
		w := watched()
		w.account.AddRole("exporter", nil)
		one, two := w.firedAt("bucket-1", 0), w.firedAt("bucket-2", 0)
		w.trail.at = map[string][]taker{"bucket-1": {session("alpha", 1_000_000)}, "bucket-2": {session("bravo", 1_000_000)}}
		w.allAtOnce(t, one, two)
		sent := fmt.Sprint(w.channel.Sent())
		for _, name := range []string{"alpha", "bravo"} {
			if !strings.Contains(sent, "AROAEXAMPLEexporter:"+name) {
				t.Errorf("no message says what to run against session %s", name)
			}
		}
	})
}

// until is a context that ends at a time of the world's own clock.
type until struct {
	context.Context
	at time.Time
}

func (u until) Deadline() (time.Time, bool) { return u.at, true }

// handOver handles the alarm in an invocation that ends fifteen minutes later, does something, and goes on in another invocation.
func (w *world) handOver(t *testing.T, between func(incident.Record)) incident.Record {
	t.Helper()
	ctx := context.Background()
	handled, err := w.Handle(until{ctx, w.clock.Now().Add(15 * time.Minute)}, event(1_000_000), nil)
	if err != nil || !handled.Record.Closed.IsZero() || handled.Record.Judged.IsZero() {
		t.Fatalf("judged %v, closed %v, %v; want a judged incident that is handed over", handled.Record.Judged, handled.Record.Closed, err)
	}
	between(handled.Record)
	at := w.Scheduler.(*sandbox.Scheduler).At()
	w.clock.Wait(ctx, at[len(at)-1])
	if _, err := w.Handle(ctx, []byte(`{"nightlatch":{"advance":{"incident":"desk"}}}`), nil); err != nil {
		t.Fatal(err)
	}
	r, err := w.Store.Load(ctx, handled.Record.ID)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The history is not stored, so whoever takes an incident up asks the trail again. That it does not answer changes nothing.
// Least of all may whoever keeps its query slots full have the team told to consider the undo.
func TestAVerdictIsNotRevisedBecauseTheTrailDoesNotAnswer(t *testing.T) {
	for name, fail := range map[string]func(*world){
		"busy":             func(w *world) { w.trail.always = evidence.ErrBusy },
		"broken":           func(w *world) { w.trail.always = errors.New("internal failure") },
		"only the bytes":   func(w *world) { w.trail.failing = "bytes" },
		"only the history": func(w *world) { w.trail.failing = "usage" },
	} {
		t.Run(name, func(t *testing.T) {
			w := watched()
			r := w.handOver(t, func(incident.Record) { fail(w) })
			if strings.Contains(r.Outcomes[0].Detail, "undo") || w.said("REVISED") || w.said("DECIDE") {
				t.Errorf("the team was notified of %q, and the step says %q", w.subjects(), r.Outcomes[0].Detail)
			}
		})
	}
}

// One ask was escalated already when later evidence asks about another key: that one is repeated and escalated too.
func TestALaterAskIsRepeatedThoughAnEarlierOneWasEscalated(t *testing.T) {
	w := watched()
	w.Mode = containment.ModeAsk
	r := w.watch(t, func(r incident.Record) {
		if last := len(w.trail.takers) - 1; r.Escalated.IsZero() {
			w.trail.takers[last].bytes++
		} else if last == 0 {
			w.account.AddUser("lars", nil, sandbox.Key{ID: "AKIAEXAMPLESECOND001", Status: "Active"})
			w.trail.takers = []taker{thief(600_000), {key: "AKIAEXAMPLESECOND001", owner: "lars", bytes: 400_000, ip: elsewhere}}
		}
	})
	if len(r.Outcomes) != 2 {
		t.Fatalf("got %+v, want two asks", r.Outcomes)
	}
	asked := r.Outcomes[1].At
	if !r.Escalated.After(asked) {
		t.Errorf("the second was asked at %v, and escalated last at %v: %q", asked, r.Escalated, w.subjects())
	}
}

// What was contained before the evidence was complete, and would be asked about on all of it, is the first that a message at once says.
func TestARegretIsSaidFirst(t *testing.T) {
	w := watched()
	r := w.watch(t, func(r incident.Record) {
		if len(r.Outcomes) == 1 && r.Outcomes[0].State == containment.Done && len(w.trail.takers) == 1 {
			if r.Evidence.Complete {
				t.Error("it was contained on complete evidence only")
			}
			w.trail.takers = append(w.trail.takers, job(300_000)) // more than the metric shows
		}
	})
	first := "REVISED, UNDO?\n\nOn the complete evidence the policy would NOT contain " + stolen + " by itself. If it was\nno theft, undo it:\n\n" + r.Outcomes[0].Undo + "\n"
	if m := w.channel.Sent()[2]; !strings.HasPrefix(m.Body, first) || !strings.HasPrefix(m.Subject, "[nightlatch] REVISED, UNDO?, CONTAINED") {
		t.Errorf("%s begins\n%.400s\nand not\n%s", m.Subject, m.Body, first)
	}
	if at := r.NotifiedAt(incident.Revised); at.After(r.Alarm.To.Add(evidence.Settling + time.Minute)) {
		t.Errorf("the team heard it at %v", at)
	}
}

// The taker of whom later evidence shows nothing any more was contained on a verdict: the record keeps it.
func TestAContainmentKeepsItsVerdict(t *testing.T) {
	w := watched()
	gone := false
	r := w.handOver(t, func(incident.Record) {
		gone = true
		w.account.AddUser("lars", nil, sandbox.Key{ID: "AKIAEXAMPLESECOND001", Status: "Active"})
		w.trail.takers = []taker{{key: "AKIAEXAMPLESECOND001", owner: "lars", bytes: 1_000_000, ip: elsewhere}}
	})
	if !gone || len(r.Outcomes) != 2 || len(r.Verdicts) != len(r.Outcomes) {
		t.Fatalf("%d outcomes, %d verdicts; want two and their verdicts", len(r.Outcomes), len(r.Verdicts))
	}
	for i, o := range r.Outcomes {
		if v := r.Verdicts[i]; v.Target != o.Target || v.Action != o.Action || o.Target == stolen && v.Decision != policy.Contain {
			t.Errorf("outcome %d is %s %s, its verdict %+v", i, o.Target, o.State, v)
		}
	}
}

// Who protected a target is said in a revised message too.
func TestWhoTaggedIsKnownAfterJudgingAgain(t *testing.T) {
	w := watched()
	w.account.AddUser("tagged", map[string]string{"nightlatch:protect": "1"}, sandbox.Key{ID: "AKIAEXAMPLETAGGED001", Status: "Active"})
	w.trail.takers = []taker{{key: "AKIAEXAMPLETAGGED001", owner: "tagged", bytes: 1_000_000, ip: elsewhere}}
	r := w.watch(t, w.unsteady)
	if !r.Evidence.Complete || len(r.Verdicts) != 1 || r.Verdicts[0].TaggedBy == "" {
		t.Errorf("complete %t, verdicts %+v; want who put the tag there", r.Evidence.Complete, r.Verdicts)
	}
}

func TestAMergedIncidentThatIsJudgedAgainStaysSilent(t *testing.T) {
	w := watched()
	w.Mode = containment.ModeAsk
	one, two := w.firedAt("bucket-1", 1_000_000), w.firedAt("bucket-2", 950_000)
	w.trail.unsteady = from.Add(8 * time.Minute)
	for _, r := range w.allAtOnce(t, one, two) {
		if r.MergedInto != "" && r.Outcomes[0].State != containment.Skipped || !r.Evidence.Complete {
			t.Errorf("%s is merged into %q, complete %t, its step %s; want the merged one's left to the other", r.ID, r.MergedInto, r.Evidence.Complete, r.Outcomes[0].State)
		}
	}
	w.notified(t, "FIRED", "DECIDE", "STILL OPEN, DECIDE", "STILL OPEN, DECIDE", "ESCALATED, DECIDE", "CLOSED, NOBODY ANSWERED, DECIDE")
}

// dying is an account at which the invocation breaks once, after a write.
type dying struct {
	containment.Account
	writes int
}

func (a *dying) Write(ctx context.Context, ref containment.Ref, doc containment.Doc) error {
	err := a.Account.Write(ctx, ref, doc)
	if a.writes++; a.writes == 1 {
		panic("the invocation dies")
	}
	return err
}

// The containment that was counted before the crash fills the cap: it is done all the same, and nobody is asked to do it.
func TestAStepThatWasWrittenBeforeACrashIsNotAskedForTheCap(t *testing.T) {
	w := watched()
	w.Cap = 1
	w.Account = &dying{Account: w.account}
	if _, err := w.Handle(context.Background(), event(1_000_000), nil); err == nil {
		t.Fatal("nothing broke")
	}
	r := w.handle(t)
	if o := r.Outcomes[0]; o.State != containment.Done || o.Undo == "" || w.account.Writes() != 1 {
		t.Errorf("%s, undo %q, %d writes; want done, with its undo, and one write: %s", o.State, o.Undo, w.account.Writes(), o.Detail)
	}
	w.keys(t, "Inactive")
}

// crashes handles the alarm until a step is intended, and dies there.
func (w *world) crashes(t *testing.T) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Fatal("no step was intended")
		}
		w.clock.Wait(context.Background(), w.clock.Now().Add(5*time.Minute))
	}()
	w.watch(t, func(r incident.Record) {
		if len(r.Outcomes) > 0 && r.Outcomes[0].State == containment.Intended {
			panic("the invocation dies")
		}
	})
}

func TestWhatLowersTheModeHoldsBackAnIntendedStepToo(t *testing.T) {
	lowered := func(generation string, after time.Duration) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			b, err := w.Store.Brakes(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			b.Mode, b.Generation, b.At = containment.ModeAsk, generation, w.clock.Now().Add(after)
			if _, err := w.Store.SetBrakes(context.Background(), b); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, lower := range map[string]func(*testing.T, *world){
		"the mode and the holds":         lowered("", 0),
		"the mode of a later deployment": lowered("2", time.Second),
		"a deployment":                   func(_ *testing.T, w *world) { w.Mode = containment.ModeAsk },
	} {
		t.Run(name, func(t *testing.T) {
			w := watched()
			w.crashes(t)
			lower(t, w)
			if r := w.handle(t); state(t, r) != containment.Asked {
				t.Errorf("got %s, want asked", state(t, r))
			}
			w.keys(t, "Active")
		})
	}
}

// An invocation that stood still for longer than its lease finds its step done, and perhaps undone, by others.
func TestWhoeverLostTheLeaseReadsBeforeHeWrites(t *testing.T) {
	w := watched()
	slept := false
	if _, err := w.Handle(context.Background(), event(1_000_000), func(r incident.Record) {
		if slept || len(r.Outcomes) == 0 || r.Outcomes[0].State != containment.Intended {
			return
		}
		slept = true
		w.clock.Wait(context.Background(), w.clock.Now().Add(5*time.Minute))
		w.handle(t) // another invocation sees it through
		w.account.SetStatus(stolen, containment.Active)
	}); err != nil {
		t.Fatal(err)
	}
	if !slept || w.account.Writes() != 1 {
		t.Errorf("slept %t, %d writes; want one", slept, w.account.Writes())
	}
}

// deaf schedules nothing, once it fails.
type deaf struct {
	incident.Scheduler
	err error
}

func (d *deaf) Schedule(ctx context.Context, id string, at time.Time) error {
	if d.err != nil {
		return d.err
	}
	return d.Scheduler.Schedule(ctx, id, at)
}

// An invocation that stood still for longer than its lease leaves the work to the worker that holds it by then, and schedules a follow-up. That
// is no error, and no alarm fires. Where it cannot be scheduled, it is one.
func TestALostLeaseIsNoErrorWhereAFollowUpIsScheduled(t *testing.T) {
	for name, broken := range map[string]error{"a follow-up comes": nil, "nobody is called": errors.New("the scheduler is gone")} {
		t.Run(name, func(t *testing.T) {
			w, ctx := watched(), context.Background()
			scheduler := w.Scheduler.(*sandbox.Scheduler)
			ears := &deaf{Scheduler: scheduler}
			w.Scheduler = ears
			var until time.Time
			_, err := w.Handle(ctx, event(1_000_000), func(r incident.Record) {
				if len(r.Rounds) == 0 || !until.IsZero() {
					return
				}
				w.clock.Wait(ctx, w.clock.Now().Add(5*time.Minute))
				now := w.clock.Now()
				until = now.Add(4 * time.Minute)
				if err := w.Store.Lease(ctx, incident.Lease{Name: "desk", Holder: "another", Now: now, Until: until}); err != nil {
					t.Fatal(err)
				}
				ears.err = broken
			})
			if (err != nil) != (broken != nil) || broken != nil && !strings.Contains(err.Error(), "having the responder called again") {
				t.Errorf("got %v, want an error only where no follow-up comes", err)
			}
			if at := scheduler.At(); broken == nil && !at[len(at)-1].Equal(until.Add(time.Second)) {
				t.Errorf("the last follow-up is at %v, want it just after %v", at[len(at)-1], until)
			}
		})
	}
}

// The page went out, and then the topic was taken away: nobody knows what was done. The invocation that closes it fails, so that
// the alarm on Lambda's metric fires.
func TestAnAnswerThatIsNotDeliveredIsAnErrorOfWhoeverCloses(t *testing.T) {
	w := watched()
	ctx := context.Background()
	handled, err := w.Handle(until{ctx, w.clock.Now().Add(15 * time.Minute)}, event(1_000_000), func(r incident.Record) {
		if !r.NotifiedAt(incident.Page).IsZero() {
			w.channel.Err = errors.New("no such topic")
		}
	})
	if err != nil || !handled.Record.Closed.IsZero() {
		t.Fatalf("closed %v, %v; want an incident that is handed over", handled.Record.Closed, err)
	}
	if _, err = w.Handle(ctx, []byte(`{"nightlatch":{"advance":{"incident":"desk"}}}`), nil); !errors.Is(err, responder.ErrNotDelivered) {
		t.Errorf("got %v, want that the team could not be notified", err)
	}
	w.channel.Err = nil
	w.handle(t) // the alarm is delivered again
	if !w.said("CONTAINED") {
		t.Errorf("the team was notified of %q, and not what was done", w.subjects())
	}
	if n := count(w.subjects(), "FIRED"); n != 1 {
		t.Errorf("the page was sent %d times", n)
	}
}

// Nobody delivers the alarm again: the follow-ups alone see to it that the team is notified, once the topic is back. Until then each is an error.
func TestWhatWasNotDeliveredIsNotifiedOnceAChannelTakesIt(t *testing.T) {
	for name, rounds := range map[string]int{"the topic comes back": 3, "it does not": 100} {
		t.Run(name, func(t *testing.T) {
			w, ctx := watched(), context.Background()
			w.channel.Err = errors.New("no such topic")
			scheduler := w.Scheduler.(*sandbox.Scheduler)
			first, err := w.Handle(ctx, event(1_000_000), nil)
			if !errors.Is(err, responder.ErrNotDelivered) {
				t.Fatalf("got %v, want that the team could not be notified", err)
			}
			begun, failed, n := w.clock.Now(), 1, len(scheduler.At())
			for i := n - 1; i < len(scheduler.At()); i++ {
				if failed > rounds {
					w.channel.Err = nil
				}
				w.clock.Wait(ctx, scheduler.At()[i])
				if _, err := w.Handle(ctx, []byte(`{"nightlatch":{"advance":{"incident":"desk"}}}`), nil); errors.Is(err, responder.ErrNotDelivered) {
					failed++
				} else if err != nil {
					t.Fatal(err)
				}
			}
			r, err := w.Store.Load(ctx, first.Record.ID)
			if err != nil || r.Closed.IsZero() || r.Undelivered() != (rounds == 100) || w.said("CONTAINED") != (rounds == 3) {
				t.Errorf("closed %v, undelivered %t, %v; the team was notified of %q", r.Closed, r.Undelivered(), err, w.subjects())
			}
			if took := r.Closed.Sub(begun); rounds == 3 && failed != 4 || rounds == 100 && (failed != 8 || took < 10*time.Hour || took > 12*time.Hour) {
				t.Errorf("%d rounds failed, closed after %v", failed, took)
			}
		})
	}
}

func TestWhatCouldNotBeSeenIsNotQuiet(t *testing.T) {
	w := watched()
	denied := errors.New("AccessDenied: iam:ListAccessKeys")
	w.account.Fail("Keys", denied, denied, denied, denied)
	w.handle(t)
	w.notified(t, "FIRED", "CONTAINED", "CLOSED, NOT ALL SEEN, CONTAINED")
}

// A containment that IAM refuses is a human's, as much as one that is asked.
func TestAContainmentThatFailsIsRepeatedAndEscalated(t *testing.T) {
	for name, byHand := range map[string]bool{"nobody comes": false, "somebody does it by hand": true} {
		t.Run(name, func(t *testing.T) {
			w := watched()
			w.account.Fail("Write", fmt.Errorf("%w: AccessDenied", containment.ErrNotDone))
			w.watch(t, func(r incident.Record) {
				if byHand && !r.NotifiedAt(incident.Answer).IsZero() {
					w.account.SetStatus(stolen, containment.Inactive)
				}
			})
			if byHand {
				w.notified(t, "FIRED", "NOT CONTAINED", "QUIET, ALREADY OFF")
			} else {
				w.notified(t, "FIRED", "NOT CONTAINED", "STILL OPEN, NOT CONTAINED", "STILL OPEN, NOT CONTAINED", "ESCALATED, NOT CONTAINED",
					"CLOSED, NOBODY ANSWERED, NOT CONTAINED")
			}
		})
	}
}

// A thief can have the account's calls throttled. What AWS refuses for now is tried again, and counted once among the hour's containments.
func TestAContainmentThatIsThrottledIsTriedAgain(t *testing.T) {
	throttled := fmt.Errorf("calling iam:UpdateAccessKey: AWS is throttling: %w", containment.ErrThrottled)
	for name, c := range map[string]struct {
		times    int
		lower    bool
		state    containment.State
		took     time.Duration
		notified []string
	}{
		"for a while": {times: 3, state: containment.Done, took: 14 * time.Second, notified: []string{"FIRED", "CONTAINED", "QUIET, CONTAINED"}},
		"the mode is lowered meanwhile": {times: 3, lower: true, state: containment.Asked, took: 2 * time.Second,
			notified: []string{"FIRED", "DECIDE", "STILL OPEN, DECIDE", "STILL OPEN, DECIDE", "ESCALATED, DECIDE", "CLOSED, NOBODY ANSWERED, DECIDE"}},
		"all the time": {times: 100, state: containment.Failed, took: 126 * time.Second,
			notified: []string{"FIRED", "NOT CONTAINED", "STILL OPEN, NOT CONTAINED", "STILL OPEN, NOT CONTAINED", "ESCALATED, NOT CONTAINED", "CLOSED, NOBODY ANSWERED, NOT CONTAINED"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := watched()
			w.Cap = 1
			w.account.Fail("Write", slices.Repeat([]error{throttled}, c.times)...)
			var judged time.Time
			r := w.watch(t, func(r incident.Record) {
				judged = r.Judged
				if c.lower && len(r.Outcomes) > 0 && r.Outcomes[0].Throttled == 1 {
					b, _ := w.Store.Brakes(context.Background())
					b.Mode = containment.ModeAsk
					w.Store.SetBrakes(context.Background(), b)
				}
			})
			if o := r.Outcomes[0]; o.State != c.state || o.At.Sub(judged) != c.took {
				t.Errorf("%s %v after the verdict, want %s after %v: %s", o.State, o.At.Sub(judged), c.state, c.took, o.Detail)
			}
			w.notified(t, c.notified...)
			if c.times == 3 && !c.lower {
				w.keys(t, "Inactive")
			}
		})
	}
}

// What one incident was refused is no reason for another not to do it: the account may let it by then.
func TestAStepThatFailedIsNotLeftToTheIncidentThatFailed(t *testing.T) {
	w := watched()
	w.account.Fail("Write", fmt.Errorf("%w: AccessDenied", containment.ErrNotDone))
	var second incident.Record
	w.watch(t, func(r incident.Record) {
		if second.ID != "" || r.NotifiedAt(incident.Reminder).IsZero() {
			return
		}
		second.ID = "on its way"
		second = w.deliver(t, w.firedAt("other", 1_000_000)) // left to the worker that holds the lease
	})
	second, err := w.Store.Load(context.Background(), second.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got := state(t, second); got != containment.Done || second.MergedInto != "" {
		t.Errorf("the second incident's step is %s (%s), merged into %q; want it done", got, second.Outcomes[0].Detail, second.MergedInto)
	}
	w.keys(t, "Inactive")
}

// forged is an alarm that CloudWatch does not confirm: the n-th of its alarm.
func (w *world) forged(name string, n int) []byte {
	e := w.firedAt(name, 0)
	delete(w.meter.Buckets, name)
	w.trail.at[name] = nil
	return []byte(strings.ReplaceAll(string(e), "2026-03-04T00:11:00.000", fmt.Sprintf("2026-03-04T00:%02d:%02d.000", 10+n/60, n%60)))
}

// Whoever may invoke the function can make up any number of alarms. They are answered, and the team is not flooded. What CloudWatch confirms has
// messages of its own, as if there were none of them.
func TestAFloodOfForgedAlarmsIsAnsweredInFewMessages(t *testing.T) {
	for name, alarms := range map[string]int{"of one alarm": 1, "each of another": 100} {
		t.Run(name, func(t *testing.T) {
			w := watched()
			w.Workers.Size = 4
			var ids []string
			var events [][]byte
			for i := range 50 {
				events = append(events, w.forged(fmt.Sprint("forged-", i%alarms), i))
			}
			more, real := 0, incident.Record{}
			events = append(events, event(1_000_000))
			w.Handle(context.Background(), events[0], func(r incident.Record) {
				if more == 0 { // the others come while somebody holds the worker lease
					for more++; more < len(events); more++ {
						ids = append(ids, w.deliver(t, events[more]).ID)
					}
				}
				if len(ids) < 80 && !r.NotifiedAt(incident.Answer).IsZero() && !r.Alarm.Confirmed { // and some after the first answers
					for i := range 30 {
						ids = append(ids, w.deliver(t, w.forged(fmt.Sprint("later-", i%alarms), 60+i)).ID)
					}
				}
			})
			for _, id := range ids {
				r, err := w.Store.Load(context.Background(), id)
				if err != nil {
					t.Fatal(err)
				}
				if r.Alarm.Confirmed {
					real = r
				} else if r.NotifiedAt(incident.Answer).IsZero() || r.Closed.IsZero() {
					t.Errorf("%s: nobody was notified of it, or it is open: %+v", id, r.Notified)
				}
			}
			if got := state(t, real); got != containment.Done || real.NotifiedAt(incident.Answer).Sub(real.Outcomes[0].At) > 0 {
				t.Errorf("the true alarm's step is %s at %v, notified at %v", got, real.Outcomes[0].At, real.NotifiedAt(incident.Answer))
			}
			answers, sum := 0, 0
			for _, m := range w.channel.Sent() {
				n := 1
				if strings.Contains(m.Subject, "NOT CONFIRMED") {
					fmt.Sscanf(m.Subject, "[nightlatch] %d alarms", &n)
					if !strings.Contains(m.Body, fmt.Sprintf("and %d more since", n-20)) {
						t.Errorf("the message counts wrong:\n%s", m.Body)
					}
				} else if !strings.Contains(m.Subject, "NOBODY FOUND") {
					continue
				}
				answers, sum = answers+1, sum+n
			}
			if answers > 4 || sum != 80 {
				t.Errorf("%d answers to %d forged alarms: %q; want few, to all 80", answers, sum, w.subjects())
			}
		})
	}
}

// deeds is what a credential has done, as the question for it prints it.
func deeds(key string, last time.Time, kinds int) []evidence.Row {
	return []evidence.Row{{"part": "all", "calls": fmt.Sprint(3 * kinds), "bytes": "0"}, {"part": "deed", "access_key_id": key, "principal_id": "AIDAEXAMPLElars",
		"service": "s3.amazonaws.com", "name": "GetObject", "writes": "0", "calls": "3", "bytes": "0", "first_seen": fmt.Sprint(last.Unix()),
		"last_seen": fmt.Sprint(last.Unix()), "vpc_endpoint": "", "source_ip": office, "origins": "1", "places": fmt.Sprint(kinds)}}
}

// Two keys, contained a quarter of an hour apart: what the second did before it was contained is no news.
func TestWhatAKeyDidBeforeItWasContainedIsNotHeldAgainstIt(t *testing.T) {
	const second, later = "AKIAEXAMPLESECOND001", 19*time.Minute + 10*time.Second
	for name, after := range map[string]time.Duration{"before": -5 * time.Minute, "after": 10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			w := watched()
			w.account.AddUser("lars", nil, sandbox.Key{ID: second, Status: "Active"})
			r := w.handOver(t, func(incident.Record) {
				w.trail.takers = []taker{{key: second, owner: "lars", bytes: 1_000_000, ip: elsewhere}, thief(1)}
				w.trail.since = deeds(second, from.Add(later+after), 1)
			})
			if len(r.Outcomes) != 2 || w.account.Status(second) != "Inactive" || r.Outcomes[0].At.Sub(from) != later {
				t.Fatalf("got %+v, want both keys contained, the second at %v", r.Outcomes, from.Add(later))
			}
			if got := w.said("NOT QUIET") || w.said("ESCALATED"); got != (after > 0) {
				t.Errorf("the team was notified of %q of calls that ended %v after the containment: %+v", w.subjects(), after, r.FollowUps)
			}
		})
	}
}

// A list that is cut may be cut before the very call.
func TestCallsThatAreNotListedAreNotQuiet(t *testing.T) {
	w := watched()
	w.trail.since = deeds("AKIAEXAMPLEANOTHER01", from.Add(20*time.Minute), 2)
	if r := w.handle(t); !strings.Contains(strings.Join(r.FollowUps[3].Unknown, " "), "1 more kind of call") {
		t.Errorf("got %+v, want that not all calls are known", r.FollowUps[3])
	}
}

// sluggish takes its time, as CloudWatch does when it throttles.
type sluggish struct {
	alarm.Meter
	clock *sandbox.Clock
}

func (m sluggish) Read(ctx context.Context, a alarm.Alarm) (alarm.Reading, error) {
	m.clock.Wait(ctx, m.clock.Now().Add(5*time.Second))
	return m.Meter.Read(ctx, a)
}

// onTime is a store that sees who works without the worker lease.
type onTime struct {
	incident.Store
	clock *sandbox.Clock
	until time.Time
	late  int
}

func (s *onTime) Lease(ctx context.Context, l incident.Lease) error {
	err := s.Store.Lease(ctx, l)
	if err == nil {
		s.until = l.Until
	}
	return err
}

func (s *onTime) Put(ctx context.Context, r incident.Record) (incident.Record, error) {
	if !s.clock.Now().Before(s.until) {
		s.late++
	}
	return s.Store.Put(ctx, r)
}

// A flood of alarms, forged perhaps, is worked on in parts: between them the lease is taken again, and what is more urgent comes first.
func TestAFloodOfAlarmsDoesNotOutlastTheLease(t *testing.T) {
	w := watched()
	var events [][]byte
	for i := range 100 {
		events = append(events, w.firedAt(fmt.Sprintf("bucket-%d", i), 1_000_000))
	}
	s := &onTime{Store: w.Store, clock: w.clock}
	w.Store, w.Meter = s, sluggish{w.meter, w.clock}
	w.allAtOnce(t, events...)
	if s.late > 0 {
		t.Errorf("%d puts came after the lease had run out", s.late)
	}
}

// A key that was contained is turned on again and takes more. The window after that is a theft of its own. Its containment is not left to the
// incident that thinks it done.
func TestAKeyThatTakesMoreAfterItsContainmentIsContainedAgain(t *testing.T) {
	w := watched()
	second := from.Add(13 * time.Minute)
	w.trail.next, w.trail.then = second, []taker{thief(2_000_000)}
	w.trail.lastSeen = second.Add(time.Minute)
	r := w.watch(t, func(r incident.Record) {
		if len(r.FollowUps) == 1 && r.Follows == "" && len(w.meter.Buckets["exports"]) == 1 {
			w.account.SetStatus(stolen, containment.Active)
			w.meter.Buckets["exports"] = append(w.meter.Buckets["exports"], alarm.Point{Start: second, Bytes: 2_000_000})
		}
	})
	next, err := w.Store.Load(context.Background(), r.Continued)
	if err != nil {
		t.Fatal(err)
	}
	if got := state(t, next); got != containment.Done || next.MergedInto != "" || w.account.Writes() != 2 {
		t.Errorf("the second theft is %s, merged into %q, %d writes; want it contained too", got, next.MergedInto, w.account.Writes())
	}
	w.keys(t, "Inactive")
}

// A key that is used directly and through a service shows as two actors, and is one step.
func TestOneKeyInTwoActorsIsOneStep(t *testing.T) {
	for name, takers := range map[string][]taker{
		"mostly directly":   {thief(900_000), {key: stolen, owner: "mara", bytes: 100_000, ip: elsewhere, via: "athena.amazonaws.com"}},
		"mostly through it": {{key: stolen, owner: "mara", bytes: 600_000, ip: elsewhere, via: "athena.amazonaws.com"}, thief(400_000)},
	} {
		w := watched()
		w.trail.takers = takers
		r := w.handle(t)
		if len(r.Outcomes) != 1 || len(r.Verdicts) != 1 || strings.Contains(fmt.Sprint(r.Log), "by hand") {
			t.Errorf("%s: got %+v; want one step, and nothing done by hand", name, r.Outcomes)
		}
	}
}

// The team's topic is gone before the alarm fires: the watchers' takes each message in its place, and the record says so.
func TestTheWatchersAreNotifiedWhereTheTeamCannotBe(t *testing.T) {
	w, watchers := watched(), &sandbox.Channel{}
	w.channel.Err = errors.New("no such topic")
	w.Channels = []notify.Channel{notify.OrElse(w.channel, []notify.Channel{watcher{watchers}}, w.Log)}
	r := w.handle(t)
	var subjects []string
	for _, m := range watchers.Sent() {
		subjects = append(subjects, m.Subject)
		if !strings.HasPrefix(m.Body, "The team's topic took no message, so this comes to you.\n\n") {
			t.Errorf("got %q", m.Body)
		}
	}
	if all := strings.Join(subjects, "\n"); strings.Count(all, "] FIRED: ") != 1 || strings.Count(all, "] CONTAINED: ") != 1 || r.Undelivered() {
		t.Errorf("the watchers were notified of %q; undelivered %t", subjects, r.Undelivered())
	}
	noted := 0
	for _, e := range r.Log {
		if strings.HasPrefix(e.What, "notified watchers in the place of sandbox") && strings.HasSuffix(e.What, ": no such topic") {
			noted++
		}
	}
	for _, n := range r.Notified {
		if n.Channel != "watchers" || n.Error != "" {
			t.Errorf("the record says %+v", n)
		}
	}
	if noted != len(subjects) {
		t.Errorf("%d of %d are noted in %+v", noted, len(subjects), r.Log)
	}
}

type watcher struct{ *sandbox.Channel }

func (watcher) Name() string { return "watchers" }
