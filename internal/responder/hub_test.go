package responder_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/report"
	"nightlatch/internal/sandbox"
)

// bus is a hub's bus, which may be silent for two seconds each time.
type bus struct {
	clock *sandbox.Clock
	err   error
	asked []time.Time
	sent  []report.Message
}

func (*bus) Name() string { return "hub:arn:aws:events:us-east-1:999988887777:event-bus/NightlatchHub" }

func (h *bus) Send(ctx context.Context, m report.Message) error {
	h.asked = append(h.asked, h.clock.Now())
	if h.err != nil {
		h.clock.Wait(ctx, h.clock.Now().Add(2*time.Second))
		return h.err
	}
	h.sent = append(h.sent, m)
	return nil
}

// timed are what the team was told, and when the key was off.
func timed(t *testing.T, h *bus) (w *world, r incident.Record, off time.Time) {
	w = watched()
	if h != nil {
		h.clock, w.Channels = w.clock, append(w.Channels, h)
	}
	w.watch(t, func(rec incident.Record) {
		if r = rec; off.IsZero() && w.account.Status(stolen) == "Inactive" {
			off = w.clock.Now()
		}
	})
	return w, r, off
}

// With the hub gone all is done and told at the second at which it was without one; the incident and the next message say that the hub did not hear,
// and it is tried again as others are.
func TestWithoutTheHubAllIsAsBefore(t *testing.T) {
	w, _, off := timed(t, nil)
	gone := &bus{err: errors.New("it \u202e did not answer")}
	with, r, offWith := timed(t, gone)
	if !offWith.Equal(off) || with.account.Status(stolen) != "Inactive" || r.Closed.IsZero() {
		t.Errorf("the key is off at %v with a hub that is gone, and at %v without a hub; the incident is closed at %v", offWith, off, r.Closed)
	}
	if !slices.Equal(with.subjects(), w.subjects()) {
		t.Errorf("the team was told %q with a hub that is gone, and %q without", with.subjects(), w.subjects())
	}
	tries := map[incident.MessageKind]int{}
	for _, n := range r.Notified {
		if incident.ForHub(n.Channel) {
			tries[n.Kind] += n.Tries
			if n.Error == "" || n.Kind == incident.Closing && n.Tries != 5 {
				t.Errorf("%+v, want an error, and five tries of the last", n)
			}
		}
	}
	if tries[incident.Answer] == 0 || tries[incident.Closing] == 0 {
		t.Errorf("the hub was tried %v", tries)
	}
	sent := with.channel.Sent()
	for i, m := range sent {
		says := strings.Contains(strings.Join(strings.Fields(m.Body), " "), `THE HUB DID NOT HEAR of this at 00:`) && strings.Contains(m.Body, `it \u202e did not answer`)
		if says != (m.Kind != incident.Page && i > 0) {
			t.Errorf("message %d, %s, says that the hub did not hear: %t:\n%s", i, m.Kind, says, m.Body)
		}
	}
	if len(sent) < 3 {
		t.Errorf("the team was told %q", with.subjects())
	}
}

func TestTheHubHearsEachMessage(t *testing.T) {
	h := &bus{}
	w, r, _ := timed(t, h)
	var kinds []incident.MessageKind
	for _, m := range h.sent {
		kinds = append(kinds, m.Kind)
	}
	if want := []incident.MessageKind{incident.Page, incident.Answer, incident.Closing}; !slices.Equal(kinds, want) || len(h.sent[1].Of) != 1 {
		t.Errorf("the hub heard %q, want %q", kinds, want)
	}
	if r.HubUnheard() != nil || slices.ContainsFunc(w.channel.Sent(), func(m report.Message) bool { return strings.Contains(m.Body, "HUB") }) {
		t.Errorf("the hub heard all, and the team was told %q", w.channel.Sent())
	}
	// It is nobody who hears.
	w = watched()
	w.channel.Err = errors.New("no topic")
	h.clock, w.Channels = w.clock, append(w.Channels, h)
	if _, err := w.Handle(t.Context(), event(1_000_000), nil); err == nil {
		t.Error("the hub alone has heard, and that counts as notified")
	}
}

// A human who asks does not wait for the hub.
func TestAHumanDoesNotWaitForTheHub(t *testing.T) {
	w := newWorld()
	gone := &bus{clock: w.clock, err: errors.New("gone")}
	w.Channels = append(w.Channels, gone)
	r := w.handle(t) // without a scheduler an incident ends with its answer
	if n := len(gone.asked); state(t, r) != containment.Done || r.Closed.IsZero() || n != 1 {
		t.Errorf("the hub was asked %d times, and the incident closed at %v", n, r.Closed)
	}
}

// The hourly look tries the hub, and what became of that is kept for the doctor.
func TestTheHubIsTriedEachHour(t *testing.T) {
	w := copying("exports")
	w.trail.copied = nil
	h := &bus{clock: w.clock}
	kept := map[string]notify.Tried{}
	w.Channels, w.Place = append(w.Channels, h), incident.Place{AccountID: account, Region: "eu-west-1"}
	w.Remember = func(_ context.Context, tried map[string]notify.Tried) error {
		for name, one := range tried {
			kept[name] = one
		}
		return nil
	}
	for _, h.err = range []error{nil, errors.New("it does not admit account 111122223333")} {
		if _, err := w.Handle(t.Context(), look, nil); err != nil {
			t.Fatal(err)
		}
		if got := kept[h.Name()]; h.err == nil && got.Refused != "" || h.err != nil && got.Refused != h.err.Error() || got.At.IsZero() || len(kept) != 1 {
			t.Errorf("%v: kept %+v", h.err, kept)
		}
	}
	if len(h.sent) != 1 || h.sent[0].Kind != report.Test || len(h.sent[0].Of) != 0 || h.sent[0].Place != w.Place || len(w.channel.Sent()) != 0 {
		t.Errorf("the hub got %+v, and the team %q", h.sent, w.subjects())
	}
}
