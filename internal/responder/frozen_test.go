package responder_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/responder"
	"nightlatch/internal/sandbox"
)

// stopped is a night in which the build of 1bf196e was stopped, as it left the store and the account: a deployment in the middle of the
// night. How the files were written stands beside them.
type stopped struct {
	Says string            `json:"says"`
	Now  time.Time         `json:"now"`
	Keys map[string]string `json:"keys"`
	// Holder has the worker lease until a time; "" is nobody.
	Holder  string            `json:"holder,omitempty"`
	Until   time.Time         `json:"until,omitzero"`
	Brakes  json.RawMessage   `json:"brakes,omitempty"`
	Records []json.RawMessage `json:"records"`
	// End is what 1bf196e itself made of it, taken up by another invocation.
	End ending `json:"end"`
}

// ending is how a night ends.
type ending struct {
	// Writes counts those to the account since the night was taken up.
	Writes    int                  `json:"writes"`
	Keys      map[string]string    `json:"keys"`
	Incidents map[string]lastState `json:"incidents"`
}

// lastState is what stands in a record at the end that anybody would act on.
type lastState struct {
	Closed    bool     `json:"closed"`
	Escalated bool     `json:"escalated,omitempty"`
	Folded    bool     `json:"folded,omitempty"`
	Steps     []string `json:"steps"`
	// Told are the messages that a channel has accepted.
	Told      []string `json:"told"`
	FollowUps int      `json:"follow_ups"`
}

// advanceAll is what a schedule sends that an earlier build has made.
const advanceAll = `{"nightlatch":{"advance":{"incident":"desk"}}}`

const frozenNights = "../incident/testdata/1bf196e"

// nights are the files, and what is special in the world of each: the rest is as watched makes it.
func nights() map[string]func(*world) {
	same := func(*world) {}
	asking := func(w *world) { w.Mode = containment.ModeAsk }
	two := func(w *world) { w.firedAt("bucket-1", 1_000_000); w.firedAt("bucket-2", 950_000) }
	return map[string]func(*world){
		"opened": same, "searching": same, "intended": same, "written": same, "done": same, "unknown": same, "throttled": same, "failed": same,
		"already": same, "drifted": same, "undone": same, "unheard": same, "closed": same,
		"asked": asking, "escalated": asking, "approved": asking,
		"observed": func(w *world) { w.Mode = containment.ModeObserve },
		"lowered":  func(w *world) { w.Generation = "1" },
		"raised":   func(w *world) { w.Generation = "2" },
		"folded":   two,
		"continued": func(w *world) {
			w.account.AddUser("lars", nil, sandbox.Key{ID: lars, Status: "Active"})
			second := from.Add(12 * time.Minute)
			w.flows("exports", second, 2_000_000)
			w.trail.next, w.trail.then = second, []taker{{key: lars, owner: "lars", bytes: 2_000_000, ip: elsewhere}}
		},
		"once":      func(w *world) { w.firedAt("bucket-m", 1_000_000) },
		"second":    func(w *world) { w.secondEngine() },
		"protected": func(w *world) { w.tags["nightlatch:protect"] = "1" },
		"sessions": func(w *world) {
			w.account.AddRole("exporter", nil)
			w.trail.takers = []taker{session("alpha", 500_000), session("bravo", 300_000), job(200_000)}
		},
		"policy": func(w *world) { w.Policy = noPolicy("the policy does not parse") },
	}
}

const lars = "AKIAEXAMPLESECOND001"

// frozenWorld is the world of a night, as the responder finds it that takes the night up: nothing of it fails any more.
func frozenWorld(name string) *world {
	w := watched()
	nights()[name](w)
	return w
}

// flows has bytes flow from a bucket, beside what flows already.
func (w *world) flows(bucket string, at time.Time, bytes int64) {
	w.meter.Buckets[bucket] = append(w.meter.Buckets[bucket], alarm.Point{Start: at, Bytes: bytes})
}

// secondEngine has the files show what the store does not.
func (w *world) secondEngine() {
	w.trail.engine, w.trail.always = "store", fmt.Errorf("the event data store was not found")
	w.Second = &trail{clock: w.clock, takers: w.trail.takers, engine: "files"}
}

// load puts a stopped night into the world's empty store.
func (s stopped) load(t *testing.T, w *world) {
	t.Helper()
	ctx := t.Context()
	w.clock.Wait(ctx, s.Now)
	for key, status := range s.Keys {
		w.account.SetStatus(key, status)
	}
	for _, text := range s.Records {
		var r incident.Record
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatal(err)
		}
		stored, err := w.Store.Open(ctx, r)
		for err == nil && stored.Version < r.Version { // each put is one
			before := r
			before.Version = stored.Version
			stored, err = w.Store.Put(ctx, before)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if s.Brakes != nil {
		var b incident.Brakes
		err := json.Unmarshal(s.Brakes, &b)
		b.Version = 0
		if err == nil {
			_, err = w.Store.SetBrakes(ctx, b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if s.Holder != "" {
		if err := w.Store.Lease(ctx, incident.Lease{Name: "desk", Holder: s.Holder, Now: s.Now, Until: s.Until}); err != nil {
			t.Fatal(err)
		}
	}
}

// takeUp has invocations of a responder take a night up, each called as the one before has asked for, until nothing is open.
func (w *world) takeUp(t *testing.T, r *responder.Responder) ending {
	t.Helper()
	schedules, moves := w.Scheduler.(*sandbox.Scheduler), 0
	endless := func(incident.Record) {
		if moves++; moves > 500 {
			panic("the night does not end")
		}
	}
	for range 50 {
		asked := len(schedules.At())
		ctx := until{context.Background(), w.clock.Now().Add(15 * time.Minute)}
		if _, err := r.Handle(ctx, []byte(advanceAll), endless); err != nil {
			t.Fatal(err)
		}
		open, err := w.Store.Unclosed(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(open) == 0 {
			return w.ending(t)
		}
		next := schedules.At()[asked:]
		if len(next) == 0 {
			t.Fatalf("%d incidents are open, and nobody is called about them", len(open))
		}
		w.clock.Wait(ctx, slices.MinFunc(next, time.Time.Compare))
	}
	t.Fatal("the night does not end")
	return ending{}
}

func (w *world) ending(t *testing.T) ending {
	t.Helper()
	end := ending{Writes: w.account.Writes(), Keys: w.account.Statuses(), Incidents: map[string]lastState{}}
	for _, r := range w.everything(t) {
		last := lastState{Closed: !r.Closed.IsZero(), Escalated: !r.Escalated.IsZero(), Folded: r.MergedInto != "", FollowUps: len(r.FollowUps), Steps: []string{}, Told: []string{}}
		for _, o := range r.Outcomes {
			last.Steps = append(last.Steps, fmt.Sprintf("%s %s: %s", o.Action, o.Target, o.State))
		}
		for _, n := range r.Notified {
			if n.Tries > 0 && n.Error == "" {
				last.Told = append(last.Told, string(n.Kind))
			}
		}
		end.Incidents[r.ID] = last
	}
	return end
}

// everything is all that is stored, the oldest first.
func (w *world) everything(t *testing.T) (all []incident.Record) {
	t.Helper()
	briefs, err := w.Store.Recent(t.Context(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range slices.Backward(briefs) {
		r, err := w.Store.Load(t.Context(), b.ID)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func readStopped(t *testing.T, name string) stopped {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(frozenNights, name+".json"))
	var s stopped
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil || len(s.Records) == 0 {
		t.Fatalf("%s: %d records, %v", name, len(s.Records), err)
	}
	return s
}

// Whatever was going on when 1bf196e was stopped comes to the end to which 1bf196e itself would have brought it: closed, each step done
// once, and notified.
func TestWhatAnEarlierBuildHasBegunIsSeenThrough(t *testing.T) {
	for name := range nights() {
		t.Run(name, func(t *testing.T) {
			s, w := readStopped(t, name), frozenWorld(name)
			s.load(t, w)
			end := w.takeUp(t, &w.Responder)
			if diff := cmp.Diff(s.End, end); diff != "" {
				t.Errorf("%s: 1bf196e -, now +:\n%s", s.Says, diff)
			}
			for _, text := range s.Records {
				var before incident.Record
				if err := json.Unmarshal(text, &before); err != nil {
					t.Fatal(err)
				}
				w.kept(t, before)
			}
		})
	}
}

// kept fails where a record at its end has lost what it said when it was taken up.
func (w *world) kept(t *testing.T, before incident.Record) {
	t.Helper()
	after, err := w.Store.Load(t.Context(), before.ID)
	if err != nil || after.Closed.IsZero() {
		t.Fatalf("%s: closed %v, %v", before.ID, after.Closed, err)
	}
	for _, o := range before.Outcomes {
		i := slices.IndexFunc(after.Outcomes, o.SameStep)
		if i < 0 || o.Contained() && o.Undo != "" && after.Outcomes[i].Undo == "" {
			t.Errorf("%s: the step %s, %s, is not among %+v, or has lost its undo", before.ID, o.Name(), o.State, after.Outcomes)
		}
	}
	for _, n := range before.Notified {
		if n.Tries > 0 && !slices.ContainsFunc(after.Notified, func(m incident.Notice) bool { return m.Kind == n.Kind && m.Channel == n.Channel && m.Tries >= n.Tries }) {
			t.Errorf("%s: that %s was notified is not among %+v", before.ID, n.Kind, after.Notified)
		}
	}
	if n := len(before.Log); len(after.Log) < n || !slices.EqualFunc(before.Log, after.Log[:n], func(x, y incident.Entry) bool { return x.What == y.What && x.At.Equal(y.At) }) {
		t.Errorf("%s: the log does not begin as it did", before.ID)
	}
	if n := len(before.FollowUps); len(after.FollowUps) < n || n > 0 && !cmp.Equal(after.FollowUps[:n], before.FollowUps) {
		t.Errorf("%s: the follow-ups do not begin as they did", before.ID)
	}
	if after.Schema != before.Schema || !after.Opened.Equal(before.Opened) {
		t.Errorf("%s: it is a %s, opened at %v, and was a %s, opened at %v", before.ID, after.Schema, after.Opened, before.Schema, before.Opened)
	}
}

// The alarm of an incident that 1bf196e has closed is delivered again: nothing is done, and nobody is notified.
func TestAnAlarmOfAnEarlierBuildIsKnown(t *testing.T) {
	s, w := readStopped(t, "closed"), frozenWorld("closed")
	s.load(t, w)
	before := w.everything(t)[0]
	after := w.handle(t)
	if after.ID != before.ID || after.Version != before.Version || w.account.Writes() > 0 || len(w.channel.Sent()) > 0 {
		t.Errorf("%d writes, %d messages, incident %s of version %d; want version %d of %s", w.account.Writes(), len(w.channel.Sent()), after.ID, after.Version, before.Version, before.ID)
	}
}
