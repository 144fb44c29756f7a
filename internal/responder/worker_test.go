package responder_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/report"
	"nightlatch/internal/sandbox"
)

// watched is a world with follow-ups.
func watched() *world {
	w := newWorld()
	w.Scheduler = &sandbox.Scheduler{}
	return w
}

// subjects are what the messages so far say of themselves, in short: "FIRED", "CONTAINED".
func (w *world) subjects() (all []string) {
	for _, m := range w.channel.Sent() {
		headline, _, _ := strings.Cut(strings.TrimPrefix(m.Subject, "[nightlatch] "), ":")
		all = append(all, headline)
	}
	return all
}

func (w *world) notified(t *testing.T, want ...string) {
	t.Helper()
	if got := w.subjects(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the team was notified of %q, want %q", got, want)
	}
}

func TestAnIncidentFromThePageToTheClose(t *testing.T) {
	w := watched()
	r := w.handle(t)
	if got := state(t, r); got != containment.Done || r.Closed.IsZero() || len(r.FollowUps) != 4 {
		t.Errorf("got %s, closed %v, %d follow-ups; want done, closed and 4", got, r.Closed, len(r.FollowUps))
	}
	w.notified(t, "FIRED", "CONTAINED", "QUIET, CONTAINED")
	w.keys(t, "Inactive")
	for i, after := range []time.Duration{0, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute} {
		if got := r.FollowUps[i].At.Sub(r.Outcomes[0].At); got != after || !r.FollowUps[i].Quiet() {
			t.Errorf("follow-up %d came %v after the containment, quiet %t; want %v and quiet", i, got, r.FollowUps[i].Quiet(), after)
		}
	}
	if page := w.channel.Sent()[0]; !strings.Contains(page.Body, "confirmed") || !strings.Contains(page.Body, "Nothing was done yet") {
		t.Errorf("the page says %s", page.Body)
	}
}

func TestAPageThatCannotBeSentHoldsNothingUp(t *testing.T) {
	w := watched()
	w.channel.Err = errors.New("throttled")
	r, err := w.Handle(context.Background(), event(1_000_000), nil)
	if !strings.Contains(fmt.Sprint(err), "could not be notified") {
		t.Errorf("got %v, want that the team could not be notified", err)
	}
	w.keys(t, "Inactive")
	if took := r.Record.Outcomes[0].At.Sub(fired); took > 6*time.Minute {
		t.Errorf("the key was off after %v", took)
	}
}

func TestAnAskIsRepeatedAndEscalated(t *testing.T) {
	w := watched()
	w.Mode = containment.ModeAsk
	r := w.handle(t)
	w.notified(t, "FIRED", "DECIDE", "STILL OPEN, DECIDE", "STILL OPEN, DECIDE", "ESCALATED, DECIDE", "CLOSED, NOBODY ANSWERED, DECIDE")
	for i, m := range w.channel.Sent()[1:] {
		if !strings.Contains(m.Body, "aws iam update-access-key --user-name mara --access-key-id "+stolen+" --status Inactive") {
			t.Errorf("message %d does not say what to run:\n%s", i+1, m.Body)
		}
	}
	if r.Escalated.Sub(r.Judged) != 15*time.Minute {
		t.Errorf("escalated %v after the verdict, want 15m", r.Escalated.Sub(r.Judged))
	}
	w.keys(t, "Active")
}

// No follow-up came for an hour after the answer: the team is notified once that nobody has answered, and there is one follow-up.
func TestWhatWasMissedIsNotDoneBackToBack(t *testing.T) {
	w := watched()
	w.Mode = containment.ModeAsk
	ctx := context.Background()
	first, err := w.Handle(until{ctx, w.clock.Now().Add(5 * time.Minute)}, event(1_000_000), nil)
	if err != nil {
		t.Fatal(err)
	}
	w.notified(t, "FIRED", "DECIDE")
	w.clock.Wait(ctx, w.clock.Now().Add(time.Hour))
	w.deliver(t, []byte(`{"nightlatch":{"advance":{"incident":"desk"}}}`))
	r, err := w.Store.Load(ctx, first.Record.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.notified(t, "FIRED", "DECIDE", "ESCALATED, DECIDE", "CLOSED, NOBODY ANSWERED, DECIDE")
	if len(r.FollowUps) != 1 || r.Closed.IsZero() {
		t.Errorf("there were %d follow-ups, closed %v; want once, and closed", len(r.FollowUps), r.Closed)
	}
}

func TestAnAskThatAHumanHasDoneIsNotRepeated(t *testing.T) {
	w := watched()
	w.Mode = containment.ModeAsk
	r := w.watch(t, func(r incident.Record) {
		if !r.NotifiedAt(incident.Answer).IsZero() {
			w.account.SetStatus(stolen, containment.Inactive)
		}
	})
	w.notified(t, "FIRED", "DECIDE", "QUIET, ALREADY OFF")
	o := r.Outcomes[0]
	if o.At.Sub(r.Judged) != 110*time.Second || len(o.Runbook) > 0 || o.Undo == "" || o.Tried() {
		t.Errorf("seen done %v after the verdict, %+v; want it when the evidence is complete, with its undo and nothing left to run", o.At.Sub(r.Judged), o)
	}
	if n := len(r.FollowUps); n == 0 || r.FollowUps[n-1].At.Sub(o.At) != 30*time.Minute {
		t.Errorf("there is no follow-up from then on: %+v", r.FollowUps)
	}
}

func TestAKeyThatIsActiveAgainAndANewOneAreEscalated(t *testing.T) {
	w := watched()
	at := func(r incident.Record) {
		if n := len(r.FollowUps); n == 1 && r.FollowUps[0].Quiet() {
			w.account.SetStatus(stolen, containment.Active)
			w.account.AddUser("mara", nil, sandbox.Key{ID: "AKIAEXAMPLEMADESINCE", Status: "Active", Created: w.clock.Now()})
		}
	}
	handled, err := w.Handle(context.Background(), event(1_000_000), at)
	if err != nil {
		t.Fatal(err)
	}
	r := handled.Record
	if headlines := w.subjects(); len(headlines) < 4 || !strings.HasPrefix(headlines[2], "NOT QUIET") || !strings.HasPrefix(headlines[len(headlines)-1], "ESCALATED") {
		t.Errorf("the team was notified of %q, want NOT QUIET third and ESCALATED last", headlines)
	}
	body := w.channel.Sent()[2].Body
	for _, want := range []string{stolen + " of mara is ACTIVE again", "new key, AKIAEXAMPLEMADESINCE", "Tried: deactivate-key " + stolen,
		"--access-key-id AKIAEXAMPLEMADESINCE --status Inactive"} {
		if !strings.Contains(body, want) {
			t.Errorf("the message does not say %q:\n%s", want, body)
		}
	}
	if r.Escalated.IsZero() || w.account.Status("AKIAEXAMPLEMADESINCE") != "Active" || w.account.Writes() != 1 {
		t.Errorf("escalated %v, the new key %s, %d writes; want escalated, active and one", r.Escalated, w.account.Status("AKIAEXAMPLEMADESINCE"), w.account.Writes())
	}
}

// busy is a meter whose bucket is above the threshold in every minute until now.
type busy struct {
	*meter
	clock *sandbox.Clock
}

func (b busy) Read(ctx context.Context, a alarm.Alarm) (alarm.Reading, error) {
	m := sandbox.Meter{Threshold: b.Threshold, Buckets: map[string][]alarm.Point{}}
	for at := from; at.Before(b.clock.Now().Add(-2 * time.Minute)); at = at.Add(time.Minute) {
		m.Buckets["exports"] = append(m.Buckets["exports"], alarm.Point{Start: at, Bytes: 1_000_000})
	}
	return m.Read(ctx, a)
}

// A bucket that is only busy keeps its alarm in ALARM for ever. Nightlatch does not follow it for ever, and says when it follows no further.
func TestTheWindowsOfABusyBucketComeToAnEnd(t *testing.T) {
	for name, c := range map[string]struct {
		taker taker
		mode  containment.Mode
	}{"the usual": {job(9_000_000), containment.ModeAct}, "an ask that nobody answers": {thief(9_000_000), containment.ModeAsk}} { // as much as the longest window
		t.Run(name, func(t *testing.T) {
			w := watched()
			w.Meter, w.Mode, w.trail.takers = busy{w.meter, w.clock}, c.mode, []taker{c.taker}
			w.handle(t)
			all, err := w.Store.Recent(context.Background(), 100)
			if err != nil || len(all) != 24 {
				t.Fatalf("%d windows were investigated, %v; want 24", len(all), err)
			}
			last, err := w.Store.Load(context.Background(), all[0].ID)
			if err != nil || last.Escalated.IsZero() || last.Closed.IsZero() || last.Alarm.Part != 23 {
				t.Fatalf("window %d is escalated at %v, closed at %v, %v; want both", last.Alarm.Part+1, last.Escalated, last.Closed, err)
			}
			says := 0
			for _, m := range w.channel.Sent() {
				if body := unwrap(m.Body); strings.Contains(body, "FOLLOWS IT NO FURTHER") {
					if says++; !strings.Contains(body, "alarm nightlatch-exports has been in ALARM for 24 windows") || !strings.Contains(body, "Incident "+last.ID) {
						t.Errorf("the message says %s", m.Body)
					}
				}
			}
			if says != 2 || !w.said("NOT QUIET") || !w.said("ESCALATED") {
				t.Errorf("%d messages say that it follows no further, want one at once and an escalation: %q", says, w.subjects())
			}
		})
	}
}

// Somebody was faster. Whether it holds is checked all the same, and no message says that Nightlatch did it.
func TestAKeyThatWasOffAlreadyIsFollowedUp(t *testing.T) {
	w := watched()
	w.account.SetStatus(stolen, containment.Inactive)
	w.trail.since = deeds(stolen, from.Add(50*time.Minute), 1) // and has done something, all the same
	r := w.watch(t, func(r incident.Record) {
		switch len(r.FollowUps) {
		case 1:
			w.account.SetStatus(stolen, containment.Active)
			w.account.AddUser("mara", nil, sandbox.Key{ID: "AKIAEXAMPLEMADESINCE", Status: "Active", Created: w.clock.Now()})
		case 2:
			w.account.SetStatus(stolen, containment.Inactive)
		}
	})
	if len(r.FollowUps) != 4 || !r.FollowUps[0].Quiet() || r.Outcomes[0].State != containment.Already || w.account.Writes() != 0 {
		t.Fatalf("follow-ups %+v, %+v; want four, the first quiet, and the key off without a write", r.FollowUps, r.Outcomes)
	}
	for i, want := range map[int]string{1: stolen + " of mara is ACTIVE again; user mara has a new key, AKIAEXAMPLEMADESINCE", 3: stolen + ": 3 calls GetObject succeeded since"} {
		if got := report.FollowUp(r.FollowUps[i]); !strings.Contains(got, want) {
			t.Errorf("follow-up %d found %q, want %q", i, got, want)
		}
	}
	if got := w.subjects(); got[1] != "ALREADY OFF" || !strings.HasPrefix(got[2], "NOT QUIET, DRIFTED") || !w.said("ESCALATED") {
		t.Errorf("the team was notified of %q", got)
	}
	for _, m := range w.channel.Sent() {
		if body := unwrap(m.Body); strings.Contains(body, "Tried:") || strings.Contains(body, "Done deactivate-key") || strings.Contains(body, "What was done") ||
			strings.Contains(strings.ReplaceAll(m.Subject, "NOT CONTAINED", ""), "CONTAINED") {
			t.Errorf("the team is notified that Nightlatch did something:\n%s\n%s", m.Subject, m.Body)
		}
	}
}

// While an alarm stays in ALARM nothing fires: the next window is opened all the same, and the second thief found.
func TestTheWindowMovesOnToASecondThief(t *testing.T) {
	w := watched()
	w.account.AddUser("lars", nil, sandbox.Key{ID: "AKIAEXAMPLESECOND001", Status: "Active"})
	second := from.Add(12 * time.Minute)
	w.meter.Buckets["exports"] = append(w.meter.Buckets["exports"], alarm.Point{Start: second, Bytes: 2_000_000})
	w.trail.next, w.trail.then = second, []taker{{key: "AKIAEXAMPLESECOND001", owner: "lars", bytes: 2_000_000, ip: elsewhere}}
	r := w.handle(t)
	if r.Continued == "" {
		t.Fatal("the window has not moved on")
	}
	next, err := w.Store.Load(context.Background(), r.Continued)
	if err != nil {
		t.Fatal(err)
	}
	if got := state(t, next); got != containment.Done || next.Follows != r.ID || w.account.Status("AKIAEXAMPLESECOND001") != "Inactive" {
		t.Errorf("the second thief is %s, and follows %q", got, next.Follows)
	}
	w.keys(t, "Inactive")
}

// A storm: one thief empties many buckets, each with an alarm of its own.
func TestOneThiefAtManyBucketsIsOneStory(t *testing.T) {
	for _, workers := range []int{1, 8} {
		t.Run(fmt.Sprint(workers, " at once"), func(t *testing.T) { storm(t, workers) })
	}
}

func storm(t *testing.T, workers int) {
	w := watched()
	w.Workers.Size = workers
	const n = 20
	for i := range n {
		name := fmt.Sprintf("bucket-%02d", i)
		w.meter.Buckets[name] = []alarm.Point{{Start: from, Bytes: 1_000_000}}
		e := strings.ReplaceAll(string(event(1_000_000)), `"exports"`, fmt.Sprintf("%q", name))
		e = strings.ReplaceAll(e, "nightlatch-exports", "nightlatch-"+name)
		parsed, err := alarm.Parse([]byte(e))
		if err != nil {
			t.Fatal(err)
		}
		// They fire while somebody else holds the worker lease.
		if err := w.Store.Lease(context.Background(), incident.Lease{Name: "desk", Holder: "another", Now: w.clock.Now(), Until: w.clock.Now().Add(time.Second)}); err != nil {
			t.Fatal(err)
		}
		handled, err := w.Handle(context.Background(), []byte(e), nil)
		if err != nil || len(handled.Record.Rounds) > 0 || handled.Record.ID != parsed.Alarm.ID() {
			t.Fatalf("got %+v, %v; want an incident that is left to the other", handled, err)
		}
	}
	w.clock.Wait(context.Background(), w.clock.Now().Add(2*time.Second))
	if _, err := w.Handle(context.Background(), []byte(`{"nightlatch":{"advance":{"incident":"desk"}}}`), nil); err != nil {
		t.Fatal(err)
	}
	w.keys(t, "Inactive")
	if w.account.Writes() != 1 {
		t.Errorf("the key was written %d times, want once", w.account.Writes())
	}
	w.notified(t, "FIRED", "CONTAINED", "QUIET, CONTAINED")
	all, err := w.Store.Recent(context.Background(), 100)
	if err != nil || len(all) != n {
		t.Fatalf("there are %d incidents, %v; want %d", len(all), err, n)
	}
	merged := 0
	for _, b := range all {
		r, err := w.Store.Load(context.Background(), b.ID)
		if err != nil || r.Closed.IsZero() {
			t.Errorf("incident %s: closed %v, %v", b.ID, r.Closed, err)
		}
		if r.MergedInto != "" {
			merged++
		}
	}
	bytes := 0
	for _, a := range w.trail.asked {
		if a.name == "bytes" {
			bytes++
		}
	}
	t.Logf("%d alarms: %d incidents merged, %d bytes questions, %d messages", n, merged, bytes, len(w.channel.Sent()))
	if merged != n-1 || bytes > 12 {
		t.Errorf("%d incidents are merged and %d bytes questions asked; want %d, and a question a query round", merged, bytes, n-1)
	}
	if body := w.channel.Sent()[0].Body; !strings.Contains(body, "20 alarms, 20 confirmed") {
		t.Errorf("the page says %s", body)
	}
}

// ledger writes down every call to the world, in order.
type ledger struct {
	incident.Store
	containment.Account
	evidence.Trail
	calls []string
}

func (l *ledger) Ask(ctx context.Context, q evidence.Question) (evidence.Answer, error) {
	l.calls = append(l.calls, q.Name())
	return l.Trail.Ask(ctx, q)
}

func (l *ledger) Put(ctx context.Context, r incident.Record) (incident.Record, error) {
	l.calls = append(l.calls, "Put")
	return l.Store.Put(ctx, r)
}

func (l *ledger) Unclosed(ctx context.Context) ([]incident.Brief, error) {
	l.calls = append(l.calls, "Unclosed")
	return l.Store.Unclosed(ctx)
}

func (l *ledger) Lease(ctx context.Context, lease incident.Lease) error {
	l.calls = append(l.calls, "Lease")
	return l.Store.Lease(ctx, lease)
}

func (l *ledger) Brakes(ctx context.Context) (incident.Brakes, error) {
	l.calls = append(l.calls, "Brakes")
	return l.Store.Brakes(ctx)
}

func (l *ledger) SetBrakes(ctx context.Context, b incident.Brakes) (incident.Brakes, error) {
	l.calls = append(l.calls, "SetBrakes")
	return l.Store.SetBrakes(ctx, b)
}

// Identify is two calls to IAM: GetAccessKeyLastUsed and GetUser; who we are is asked once a process.
func (l *ledger) Identify(ctx context.Context, c actor.Credential) (policy.Target, error) {
	l.calls = append(l.calls, "GetAccessKeyLastUsed", "GetUser")
	return l.Account.Identify(ctx, c)
}

func (l *ledger) Read(ctx context.Context, ref containment.Ref) (containment.Doc, error) {
	l.calls = append(l.calls, "ListAccessKeys")
	return l.Account.Read(ctx, ref)
}

func (l *ledger) Write(ctx context.Context, ref containment.Ref, doc containment.Doc) error {
	l.calls = append(l.calls, "Write")
	return l.Account.Write(ctx, ref, doc)
}

// Alias is asked by the first message.
func (l *ledger) Alias(context.Context, *slog.Logger) string {
	l.calls = append(l.calls, "ListAccountAliases")
	return "prod-data"
}

// From the evidence to the write: one bytes query, one IAM write, and at most six other calls.
func TestTheCriticalPathOfAKeptIncident(t *testing.T) {
	w := watched()
	w.trail.late, w.trail.takers = from.Add(6*time.Minute), []taker{thief(3 << 30)} // a deployment has a floor
	w.flows("exports", from, 3<<30-1_000_000)
	l := &ledger{Store: w.Store, Account: w.account, Trail: w.trail}
	w.Store, w.Account, w.Trail, w.Alias = l, l, l, l.Alias
	w.Place = incident.Place{AccountID: "111122223333", Region: "eu-west-1"}
	const much = 2 << 30 // over a deployment's floor
	w.trail.takers, w.meter.Buckets["exports"] = []taker{thief(much)}, []alarm.Point{{Start: from, Bytes: much}}
	w.deliver(t, event(much))
	w.keys(t, "Inactive")
	write := slices.Index(l.calls, "Write")
	first := write - 1 - slices.Index(reversed(l.calls[:write]), "bytes")
	path := l.calls[first+1 : write]
	t.Logf("from the bytes query that is enough to the write: %v", path)
	if named := slices.Index(l.calls, "ListAccountAliases"); named < 0 || named > first {
		t.Errorf("the account's alias was asked for as call %d, and the evidence came with %d: want it with the first page", named, first)
	}
	if slices.Contains(path, "bytes") || slices.Contains(path, "usage") || len(path) > 6 || slices.Contains(l.calls[write+1:], "Write") {
		t.Errorf("got %d other calls, want at most 6 and no query: %v", len(path), path)
	}
	if confirming := slices.Index(l.calls, "bytes"); confirming == first {
		t.Error("the evidence came with the first query round: nothing was late")
	}
}

func reversed(list []string) []string {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

func TestTheLoweredModeTheHoldsAndTheCap(t *testing.T) {
	set := func(w *world, b incident.Brakes) {
		t.Helper()
		if _, err := w.Store.SetBrakes(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}
	hold := func(key, origin string, until time.Duration) incident.Brakes {
		return incident.Brakes{Holds: []incident.Hold{{AccessKeyID: key, Incident: "20260303-000000-0", By: "arn:aws:iam::111122223333:user/ada",
			Until: fired.Add(until), Origins: []string{origin, "203.0.113.0/24"}}}}
	}
	for name, c := range map[string]struct {
		brakes incident.Brakes
		cap    int
		want   containment.State
		says   string
	}{
		"nothing":                      {want: containment.Done},
		"the mode is lowered":          {brakes: incident.Brakes{Mode: containment.ModeAsk}, want: containment.Asked, says: "mode ask"},
		"to observe":                   {brakes: incident.Brakes{Mode: containment.ModeObserve}, want: containment.DryRun, says: "mode observe"},
		"it is not raised":             {brakes: incident.Brakes{Mode: containment.ModeAct}, want: containment.Done},
		"a key is held":                {brakes: hold(stolen, "198.51.100.0/24", 24*time.Hour), want: containment.Asked, says: "arn:aws:iam::111122223333:user/ada restored this key"},
		"another key is held":          {brakes: hold(neighbour, "198.51.100.0/24", 24*time.Hour), want: containment.Done},
		"another origin was cleared":   {brakes: hold(stolen, "192.0.2.0/24", 24*time.Hour), want: containment.Done},
		"the hold is over":             {brakes: hold(stolen, "198.51.100.0/24", time.Second), want: containment.Done},
		"the cap is reached":           {brakes: incident.Brakes{Contained: []time.Time{fired, fired}}, cap: 2, want: containment.Asked, says: "2 were contained in the last hour"},
		"the cap was reached long ago": {brakes: incident.Brakes{Contained: []time.Time{fired.Add(-time.Hour), fired.Add(-time.Hour)}}, cap: 2, want: containment.Done},
	} {
		w := newWorld()
		w.Cap = c.cap
		set(w, c.brakes)
		r := w.handle(t)
		if got := state(t, r); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if body := w.message(t).Body; !strings.Contains(strings.Join(strings.Fields(body), " "), c.says) {
			t.Errorf("%s: the message does not say %q:\n%s", name, c.says, body)
		}
	}
}

// Such a function would call itself again without end, and do nothing. On the error the alarm on failed invocations fires.
func TestAFunctionWithTooLittleTimeSaysSo(t *testing.T) {
	for has, want := range map[time.Duration]bool{time.Minute: false, 150 * time.Second: false, 160*time.Second - 1: false, 3 * time.Minute: true, 15 * time.Minute: true} {
		w := watched()
		handled, err := w.Handle(until{context.Background(), w.clock.Now().Add(has)}, event(1_000_000), nil)
		if (err == nil) != want || !want && (!strings.Contains(err.Error(), "give the function a timeout of 3 minutes at least") || len(w.Scheduler.(*sandbox.Scheduler).At()) > 0) {
			t.Errorf("with %v: %v, incident %q, schedules at %v", has, err, handled.Record.ID, w.Scheduler.(*sandbox.Scheduler).At())
		}
	}
}

func TestOneBadIncidentDoesNotHoldUpTheOthers(t *testing.T) {
	w := watched()
	w.Meter = brokenMeter{w.meter, "bad"}
	w.meter.Buckets["bad"] = []alarm.Point{{Start: from, Bytes: 1_000_000}}
	bad := strings.ReplaceAll(strings.ReplaceAll(string(event(1_000_000)), `"exports"`, `"bad"`), "nightlatch-exports", "nightlatch-bad")
	if _, err := w.Handle(context.Background(), []byte(bad), nil); err == nil || !strings.Contains(err.Error(), "the code broke on it") {
		t.Errorf("got %v, want an error that Lambda counts", err)
	}
	handled, err := w.Handle(context.Background(), event(1_000_000), nil)
	if err == nil || strings.Contains(err.Error(), "nil pointer") || state(t, handled.Record) != containment.Done {
		t.Errorf("got %v and %+v, want an error for the bad one and the other done", err, handled.Record.Outcomes)
	}
	w.keys(t, "Inactive")
}

// brokenMeter panics on one bucket.
type brokenMeter struct {
	alarm.Meter
	bucket string
}

func (m brokenMeter) Read(ctx context.Context, a alarm.Alarm) (alarm.Reading, error) {
	if slices.Contains(a.Buckets, m.bucket) {
		panic("index out of range")
	}
	return m.Meter.Read(ctx, a)
}

// forgetful is a store that loses its answer to SetBrakes, having stored them or not.
type forgetful struct {
	incident.Store
	before, after int
}

func (f *forgetful) SetBrakes(ctx context.Context, b incident.Brakes) (incident.Brakes, error) {
	if f.before--; f.before >= 0 {
		return incident.Brakes{}, errors.New("throttled")
	}
	stored, err := f.Store.SetBrakes(ctx, b)
	if f.after--; f.after >= 0 {
		return incident.Brakes{}, errors.New("no answer in time")
	}
	return stored, err
}

func TestACountThatIsNotAnsweredIsReadBack(t *testing.T) {
	for _, c := range []struct {
		before, after int
		want          containment.State
	}{{0, 1, containment.Done}, {2, 0, containment.Done}, {2, 1, containment.Done}, {9, 0, containment.Asked}} {
		w := newWorld()
		store := w.Store
		w.Store = &forgetful{store, c.before, c.after}
		if got := state(t, w.handle(t)); got != c.want {
			t.Errorf("%d failures and %d lost answers: %s, want %s", c.before, c.after, got, c.want)
		}
		if b, err := store.Brakes(context.Background()); err != nil || c.want == containment.Done && len(b.Contained) != 1 {
			t.Errorf("%d failures and %d lost answers: counted %v, %v; want one", c.before, c.after, b.Contained, err)
		}
	}
}
