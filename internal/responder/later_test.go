package responder_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/sandbox"
)

// said reports whether any message begins so.
func (w *world) said(word string) bool {
	return slices.ContainsFunc(w.subjects(), func(s string) bool { return strings.HasPrefix(s, word) })
}

// watch handles the ring of the world, and shows each record after each move.
func (w *world) watch(t *testing.T, see func(incident.Record)) incident.Record {
	t.Helper()
	handled, err := w.Handle(context.Background(), event(1_000_000), see)
	if err != nil {
		t.Fatal(err)
	}
	return handled.Record
}

// The window that comes next is opened at the first look after a containment, because the theft went on until then. Whether it has
// stopped is another question, and is asked at every look.
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
		t.Errorf("got %+v, want the third look hot and the last quiet", r.FollowUps)
	}
	if !w.said("NOT QUIET") {
		t.Errorf("the team heard %q, and not that the bytes flow again", w.subjects())
	}
}

// doubter is a meter that cannot tell any more, once it has confirmed: somebody has deleted the alarm.
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
	for _, a := range m.asked[1:] {
		if a.Part == 0 { // a ring is believed for an hour only; what comes after its window may lie later
			t.Errorf("a look after the verdict asks about the ring itself, which is too old an hour later: %+v", a)
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
	w.heard(t, "RANG", "CONTAINED", "QUIET, CONTAINED")
}
