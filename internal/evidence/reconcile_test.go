package evidence

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/alarm"
)

func TestReconcileWithTheMetric(t *testing.T) {
	for name, c := range map[string]struct {
		alarmed *int64
		shown   int64
		want    *float64
		rest    *int64
	}{
		"all of it":                 {new(int64(1000)), 1000, new(1.0), new(int64(0))},
		"most of it":                {new(int64(1000)), 800, new(0.8), new(int64(200))},
		"nothing of it":             {new(int64(1000)), 0, new(0.0), new(int64(1000))},
		"more is not clamped":       {new(int64(1000)), 25_000, new(25.0), new(int64(0))},
		"the alarmed is not known":  {nil, 1000, nil, nil},
		"the alarmed is zero":       {new(int64(0)), 1000, nil, nil},
		"the alarmed is less than":  {new(int64(-5)), 1000, nil, nil},
		"so much that doubles slip": {new(int64(1 << 61)), 1 << 60, new(0.5), new(int64(1 << 60))},
	} {
		t.Run(name, func(t *testing.T) {
			e := Reconcile(alarm.Alarm{From: noon, To: noon.Add(time.Minute), Bytes: c.alarmed}, Tally{Bytes: c.shown, Actors: []Actor{{Bytes: c.shown}}}, nil)
			if diff := cmp.Diff([]any{c.want, c.rest, c.want}, []any{e.Explained, e.Unexplained, e.Actors[0].Share}); diff != "" {
				t.Errorf("explained, unexplained, the actor's share (-want +got):\n%s", diff)
			}
			if e.Complete || e.Lost == nil || e.From != noon || e.To != noon.Add(time.Minute) {
				t.Errorf("got %+v", e)
			}
		})
	}
}

func TestReconcileWithoutHistory(t *testing.T) {
	tally := Tally{Bytes: 10, Actors: []Actor{{Bytes: 10, Origins: []Origin{{Network: "198.51.100.0/24", Bytes: 10, Calls: 1}}}}}
	e := Reconcile(alarm.Alarm{From: noon}, tally, nil)
	a := e.Actors[0]
	if e.HistoryDays != nil || a.HistoryDays != nil || a.MostBytesInADay != nil || a.LastUsed != nil || a.FamiliarBytes != nil ||
		a.UnfamiliarBytes != nil || a.FamiliarActive != nil || a.Origins[0].Familiar != nil {
		t.Errorf("something is known without a history: %+v", a)
	}
	// With one, even of nobody, it is.
	e = Reconcile(alarm.Alarm{From: noon}, tally, &History{Before: noon})
	a = e.Actors[0]
	if diff := cmp.Diff([]*int64{new(int64(14)), new(int64(0)), new(int64(0)), new(int64(0)), new(int64(10))},
		[]*int64{e.HistoryDays, a.HistoryDays, a.MostBytesInADay, a.FamiliarBytes, a.UnfamiliarBytes}); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if tally.Actors[0].Origins[0].Familiar != nil {
		t.Error("the tally that was given is changed")
	}
}

func TestPartialHistoryLeavesUnknown(t *testing.T) {
	office, cafe := Origin{Network: "203.0.113.0/24"}, Origin{Network: "198.51.100.0/24"}
	old := Used{AccessKeyID: "K", Origin: office, First: noon.AddDate(0, 0, -5), Last: noon.AddDate(0, 0, -4)}
	of := func(partial bool, uses ...Used) *History {
		return &History{Principals: map[string]*PrincipalHistory{"P": {Days: 3, Partial: partial, PlacesPartial: partial, Uses: uses,
			Places: []PlaceHistory{{office, 2, 1000}}}}}
	}
	from := func(origins ...Origin) Actor {
		a := Actor{AccessKeyID: "K", principal: "P"}
		for _, o := range origins {
			o.Bytes, o.Calls = 10, 1
			a.Bytes, a.Origins = a.Bytes+10, append(a.Origins, o)
		}
		return a
	}
	cut := from(cafe)
	cut.unlisted = map[string]int64{"origin": 3}
	for name, c := range map[string]struct {
		actor                Actor
		history              *History
		familiar, unfamiliar *int64
		active               *bool
	}{
		"whole: unfamiliar is unfamiliar":         {from(cafe), of(false, old), new(int64(0)), new(int64(10)), new(false)},
		"whole: familiar and in use":              {from(office, cafe), of(false, old), new(int64(10)), new(int64(10)), new(true)},
		"partial: not seen is unknown":            {from(cafe), of(true, old), nil, nil, nil},
		"partial: seen is familiar":               {from(office), of(true, old), new(int64(10)), new(int64(0)), new(true)},
		"partial: one of two is unknown":          {from(office, cafe), of(true, old), nil, nil, new(true)},
		"more origins in the window than read":    {cut, of(false, old), new(int64(0)), new(int64(10)), nil},
		"a margin's origin without calls is idle": {Actor{AccessKeyID: "K", principal: "P", Origins: []Origin{office}}, of(false, old), new(int64(0)), new(int64(0)), new(false)},
	} {
		t.Run(name, func(t *testing.T) {
			a := Reconcile(alarm.Alarm{From: noon}, Tally{Actors: []Actor{c.actor}}, c.history).Actors[0]
			if diff := cmp.Diff([]any{c.familiar, c.unfamiliar, c.active}, []any{a.FamiliarBytes, a.UnfamiliarBytes, a.FamiliarActive}); diff != "" {
				t.Errorf("familiar, unfamiliar, active (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReconcileListsTwentyOrigins(t *testing.T) {
	var origins []Origin
	for i := range 35 {
		origins = append(origins, Origin{Network: string(rune('a' + i)), Bytes: 100 - int64(i), Calls: 1})
	}
	a := Reconcile(alarm.Alarm{From: noon}, Tally{Actors: []Actor{{Origins: origins, Omitted: 2, OmittedOrigins: 1}}}, &History{}).Actors[0]
	if len(a.Origins) != MaxDetails || a.Omitted != 2+15 || a.OmittedOrigins != 1+15 || *a.UnfamiliarBytes != 35*100-34*35/2 {
		t.Errorf("got %d origins, %d omitted (%d of them origins), %d bytes unfamiliar, want 20, 17, 16, 2905", len(a.Origins), a.Omitted, a.OmittedOrigins, *a.UnfamiliarBytes)
	}
}

func TestNetwork(t *testing.T) {
	for address, want := range map[string]string{
		"198.51.100.7": "198.51.100.0/24", "0.0.0.0": "0.0.0.0/24", "255.255.255.255": "255.255.255.0/24",
		"2001:db8::1": "2001:db8::/48", "2001:db8:1:2:3:4:5:6": "2001:db8:1::/48", "2001:0DB8:0001:0000:0000:0000:0000:0001": "2001:db8:1::/48", "::1": "::/48", "::": "::/48",
		"::ffff:198.51.100.7": "198.51.100.0/24", "fe80::1%eth0": "fe80::/48", "fe80::1%\x1b[31m": "fe80::/48",
		"athena.amazonaws.com": "athena.amazonaws.com", "AWS Internal": "AWS Internal", "": "", "198.51.100": "198.51.100", "198.51.100.7/32": "198.51.100.7/32",
		"198.051.100.7": "198.051.100.7", " 198.51.100.7": " 198.51.100.7", "1.2.3.4.5": "1.2.3.4.5", "a\xff": "a\uFFFD",
	} {
		if got := Network(address); got != want {
			t.Errorf("Network(%q) = %q, want %q", address, got, want)
		}
	}
}

func TestEachQuestionIsAddedToTheCost(t *testing.T) {
	var c Cost
	c.Add(Answer{Scanned: 1000, Queued: 340 * time.Millisecond, Ran: 2 * time.Second})
	c.Add(Answer{}) // it failed: it was asked, and what it cost is not known
	c.Add(Answer{Scanned: 24, Ran: 150 * time.Millisecond})
	if want := (Cost{Queries: 3, BytesScanned: 1024, QueuedMS: 340, RanMS: 2150}); c != want {
		t.Errorf("got %+v, want %+v", c, want)
	}
}

func TestAnActorWeighsItsMarginWhereTheWindowExplainsLittle(t *testing.T) {
	a := Actor{Bytes: 10, MarginBytes: 5}
	for explained, want := range map[float64]int64{1: 10, 0.5: 15} {
		if got := (Evidence{Explained: &explained}).Weight(a); got != want {
			t.Errorf("explained %v: got %d, want %d", explained, got, want)
		}
	}
	if got := (Evidence{}).Weight(a); got != 10 { // nothing is known of the rest
		t.Errorf("got %d", got)
	}
}
