package responder_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/settings"
)

var look = []byte(`{"nightlatch":{"copies":{}}}`)

// copies are rows of a Copied answer: from exports, three minutes ago.
func copies(owner string, destinations ...string) (rows []evidence.Row) {
	for _, d := range destinations {
		rows = append(rows, evidence.Row{"source": "exports", "destination": d, "owner": owner, "who": "arn:aws:iam::111122223333:user/mara", "copies": "40",
			"first_seen": fmt.Sprint(fired.Add(-4 * time.Minute).Unix()), "last_seen": fmt.Sprint(fired.Add(-3 * time.Minute).Unix())})
	}
	return rows
}

func copying(names ...string) *world {
	w := watched()
	w.Watched = names
	w.trail.takers = []taker{{key: stolen, owner: "mara", ip: "198.51.100.7", stranger: true, copies: 40}}
	w.trail.copied = copies("444455556666", "loot")
	return w
}

func (w *world) incidents(t *testing.T) (all []incident.Record) {
	t.Helper()
	briefs, err := w.Store.Recent(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range briefs {
		r, err := w.Store.Load(t.Context(), b.ID)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// A copy to a place that is new is asked about, and never contained by itself. The same place is asked about once.
func TestCopiesToANewPlaceAreAskedAbout(t *testing.T) {
	w := copying("exports", "logs")
	r := w.deliver(t, look)
	if !strings.HasPrefix(r.ID, "copied-") || r.Alarm.CopiedTo != "loot" || r.Once {
		t.Errorf("got %s, %+v", r.ID, r.Alarm)
	}
	w.keys(t, "Active")
	if got := state(t, r); got != containment.Asked {
		t.Errorf("the step is %q, want it asked", got)
	}
	body := strings.Join(strings.Fields(w.channel.Sent()[0].Body), " ")
	for _, want := range []string{"S3 ITSELF COPIED objects to loot", "YOU DECIDE deactivate-key " + stolen} {
		if !strings.Contains(body, want) {
			t.Errorf("the message does not say %q:\n%s", want, w.channel.Sent()[0].Body)
		}
	}
	w.clock.Wait(t.Context(), w.clock.Now().Add(36*time.Hour))
	sent := len(w.channel.Sent())
	if handled, err := w.Handle(t.Context(), look, nil); err != nil || handled.Ignored == "" && handled.Record.ID != r.ID || len(w.incidents(t)) != 1 {
		t.Errorf("again: %+v, %v", handled, err)
	}
	w.trail.copied = append(w.trail.copied, copies("444455556666", "reports-x1-s3alias")...)
	if r := w.deliver(t, look); len(w.incidents(t)) != 2 || len(w.channel.Sent()) <= sent {
		t.Errorf("another place: %+v", r.Alarm)
	}
}

// What stays among the watched buckets is no way out.
func TestCopiesToWatchedBucketsAreNone(t *testing.T) {
	for name, c := range map[string]struct {
		watched []string
		copied  []evidence.Row
		want    int
	}{
		"to a watched one":                     {[]string{"exports", "loot"}, copies(account, "loot"), 0},
		"to one of ours that is not":           {[]string{"exports"}, copies(account, "loot"), 1},
		"of every bucket, to ours":             {[]string{settings.EveryBucket}, copies(account, "loot"), 0},
		"of every bucket, to another account":  {[]string{settings.EveryBucket, "exports"}, copies("444455556666", "loot"), 1},
		"of every bucket, nobody knows whose":  {[]string{settings.EveryBucket}, copies("", "loot"), 1},
		"out of one that is not watched":       {[]string{"logs"}, copies("444455556666", "loot"), 0},
		"nothing":                              {[]string{"exports"}, nil, 0},
		"a text that is no bucket, as a place": {[]string{"exports"}, copies("", "\u202e"+strings.Repeat("x", 400)), 1},
	} {
		w := copying(c.watched...)
		w.trail.copied = c.copied
		handled, err := w.Handle(t.Context(), look, nil)
		if all := w.incidents(t); err != nil || len(all) != c.want || (handled.Ignored == "") != (c.want > 0) {
			t.Errorf("%s: got %d incidents, %+v, %v", name, len(all), handled, err)
		}
		for _, m := range w.channel.Sent() {
			if strings.ContainsAny(m.Body+m.Subject, "\u202e") {
				t.Errorf("%s: the place's name is not escaped", name)
			}
		}
	}
}

// A thief who copies to many places is heard, and floods nobody.
func TestCopiesToManyPlaces(t *testing.T) {
	w := copying("exports")
	var places []string
	for i := range 14 {
		places = append(places, fmt.Sprintf("loot-%02d", i))
	}
	w.trail.copied = copies("444455556666", places...)
	if _, err := w.Handle(t.Context(), look, nil); err == nil || !strings.Contains(err.Error(), "more new places than the 10") || len(w.incidents(t)) != 10 {
		t.Errorf("got %v and %d incidents", err, len(w.incidents(t)))
	}
	if _, err := w.Handle(t.Context(), look, nil); err != nil || len(w.incidents(t)) != 14 {
		t.Errorf("an hour later: got %v and %d incidents", err, len(w.incidents(t)))
	}
}

func TestALookForCopiesThatFailsIsAnError(t *testing.T) {
	w := copying("exports")
	w.trail.failing = "copied"
	if _, err := w.Handle(context.Background(), look, nil); err == nil || !strings.Contains(err.Error(), "looking for copies: ") {
		t.Errorf("got %v", err)
	}
	if _, err := copying().Handle(context.Background(), look, nil); err == nil || !strings.Contains(err.Error(), "deploy again") {
		t.Errorf("without the watched buckets: %v", err)
	}
}
