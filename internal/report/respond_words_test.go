package report

import (
	"strings"
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
)

// folded is a text with one blank between words.
func folded(text string) string { return strings.Join(strings.Fields(text), " ") }

// What was not asked of CloudWatch is not said in its name.
func TestAMetricThatWasGiven(t *testing.T) {
	r := theft()
	r.Alarm.Given = "the alarm claims"
	body := Text(r).Body
	if !strings.Contains(folded(body), "How sure the alarm claims 40.5 GiB, and no CloudWatch was asked") || strings.Contains(body, "CloudWatch confirms") {
		t.Errorf("got:\n%s", body)
	}
}

// A window that the trail does not hold is told with both ranges, and so is a short history.
func TestAWindowOutsideOfTheTrail(t *testing.T) {
	for name, c := range map[string]struct {
		from, to time.Duration // the trail's, from midnight
		outside  bool
	}{
		"before it":  {-48 * time.Hour, -3 * time.Hour, true},
		"after it":   {3 * time.Hour, 4 * time.Hour, true},
		"around it":  {-48 * time.Hour, 3 * time.Hour, false},
		"at its end": {-48 * time.Hour, 5 * time.Minute, false}, // the margin of the window
	} {
		r := theft()
		r.Evidence.Actors, r.Evidence.Bytes, r.Evidence.Calls, r.Evidence.MarginBytes = nil, 0, 0, 0
		r.Evidence.From, r.Evidence.To = r.Alarm.From, r.Alarm.To
		r.Evidence.TrailFrom, r.Evidence.TrailTo = clockAt(c.from), clockAt(c.to)
		got, body := Answer(r), folded(Text(r).Body)
		range1 := clockAt(c.from).Format(time.DateTime) + " to " + clockAt(c.to).Format(time.DateTime)
		if outside := strings.Contains(got, range1) && strings.Contains(got, "2026-03-04 00:07 to 00:09"); outside != c.outside ||
			strings.Contains(got, "is data-event logging on") == c.outside || strings.Contains(body, "Check that data events") == c.outside || strings.Contains(body, "NO EVIDENCE of this time") != c.outside {
			t.Errorf("%s: got %q and %s", name, got, body)
		}
	}
	// A day's question over a trail that ends in its first hour is answered for that hour.
	day := theft()
	day.Evidence.From, day.Evidence.To, day.Evidence.Complete = midnight, clockAt(24*time.Hour), true
	day.Evidence.TrailFrom, day.Evidence.TrailTo = clockAt(-48*time.Hour), clockAt(time.Hour)
	if body := folded(Text(day).Body); !strings.Contains(body, "whether anything happened from 2026-03-04 01:07 to 2026-03-05 00:07 UTC: the trail holds calls from 2026-03-02 00:07:00 to 2026-03-04 01:07:00 UTC") ||
		strings.Contains(body, "the evidence is complete") {
		t.Errorf("a part of the window: %s", body)
	}
	r := theft()
	r.Evidence.From, r.Evidence.To = r.Alarm.From, r.Alarm.To
	r.Evidence.TrailFrom, r.Evidence.TrailTo = r.Alarm.From.Add(-29*time.Minute), r.Alarm.To
	r.Evidence.Actors[0].HistoryDays = new(int64(0))
	if body := folded(Text(r).Body); !strings.Contains(body, "it did not read these buckets in the 29 minutes before") || strings.Contains(body, "14 days") ||
		!strings.Contains(body, "what was usual earlier: the trail goes back 29 minutes before the window only") {
		t.Errorf("a history of 29 minutes: %s", body)
	}
	r.Evidence.Actors[0].OnlyLately = true
	if body := folded(Text(r).Body); !strings.Contains(body, "it read these buckets in the 24 hours before, and on no earlier day") || strings.Contains(body, "it did not read") {
		t.Errorf("it read them in these 29 minutes: %s", body)
	}
	r.Evidence.Actors[0].OnlyLately = false
	r.Evidence.TrailFrom = r.Alarm.From.Add(7 * time.Second)
	if body := folded(Text(r).Body); !strings.Contains(body, "what is usual for it is NOT KNOWN, as the trail holds nothing from before the window") || strings.Contains(body, " 0 minutes") {
		t.Errorf("no history at all: %s", body)
	}
}

// Bytes around the window that dwarf those inside stand in the first sentence, whosever they are.
func TestBytesAroundTheWindow(t *testing.T) {
	other := evidence.Actor{Kind: actor.IAMUserKey, AccessKeyID: "AKIAEXAMPLEOTHER0001", UserName: "eve", AccountID: "111122223333"}
	for name, c := range map[string]struct {
		lead, other [2]int64 // bytes in the window and around it
		want        string   // "" is nothing of it
	}{
		"less than inside":  {[2]int64{5 * gib, 4 * gib}, [2]int64{}, ""},
		"the lead's own":    {[2]int64{gib, 5 * gib}, [2]int64{}, "and 5.00 GiB in the minutes around the window"},
		"somebody else's":   {[2]int64{gib, 0}, [2]int64{0, 9 * gib}, "; in the minutes around the window 9.00 GiB left, the most of it, 9.00 GiB, by access key AKIAEXAMPLEOTHER0001 of IAM user eve"},
		"nobody in it":      {[2]int64{}, [2]int64{0, 9 * gib}, "in the minutes around the window"},
		"nothing around it": {[2]int64{gib, 0}, [2]int64{}, ""},
	} {
		r := theft()
		lead := r.Evidence.Actors[0]
		lead.Bytes, lead.MarginBytes, other.Bytes, other.MarginBytes = c.lead[0], c.lead[1], c.other[0], c.other[1]
		r.Evidence.Actors = []evidence.Actor{lead, other}
		r.Evidence.Bytes, r.Evidence.MarginBytes = lead.Bytes+other.Bytes, lead.MarginBytes+other.MarginBytes
		r.Evidence.Explained, r.Evidence.Unexplained = nil, nil // where the metric is not known, too
		got := Answer(r)
		if c.want == "" && strings.Contains(got, "around the window") || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q in it", name, got, c.want)
		}
	}
}

// Evidence of which something was lost is not complete, whatever was seen twice.
func TestLostIsNeverComplete(t *testing.T) {
	r := theft()
	r.Evidence.Complete, r.Evidence.Lost = true, []string{"half a file"}
	if body := folded(Text(r).Body); strings.Contains(body, "the evidence is complete") || !strings.Contains(body, "a part of the evidence is LOST") {
		t.Errorf("got:\n%s", body)
	}
}

// A question is answered by who was there, before what could be done to anyone. A step without a command offers none to approve either.
func TestAQuestionIsAnsweredByATable(t *testing.T) {
	r := judged(theft(), policy.Ask, containment.Asked, "")
	r.Alarm.Source = alarm.Manual
	body := Text(r).Body
	if table, step := strings.Index(body, "\nEVIDENCE "), strings.Index(body, "\nYOU DECIDE "); table < 0 || step < table {
		t.Errorf("the table is at %d, the step at %d:\n%s", table, step, body)
	}
	r.Alarm.Source = alarm.Fired
	r.Outcomes[0].Runbook = nil
	if body := Text(r).Body; strings.Contains(body, "\nOr ") || strings.Contains(body, "update-access-key") {
		t.Errorf("a step without a command offers one:\n%s", body)
	}
}

// Of two that are asked about, the one that did more than it always does comes first, not the one that took more.
func TestTheUnusualLeads(t *testing.T) {
	r := theft()
	usual := r.Evidence.Actors[0]
	usual.AccessKeyID, usual.UserName, usual.Bytes = "AKIAEXAMPLENIGHTLY01", "nightly", 50*gib
	usual.HistoryDays, usual.UnfamiliarBytes, usual.FamiliarBytes, usual.MostBytesInADay = new(int64(9)), new(int64(0)), new(int64(50*gib)), new(int64(50*gib))
	usual.ThroughUsual = new(int64(100))
	r.Evidence.Actors = append([]evidence.Actor{usual}, r.Evidence.Actors...)
	if got := lead(r); got == nil || got.AccessKeyID != stolen {
		t.Errorf("got %+v, want the stolen key", got)
	}
	for name, change := range map[string]func(*evidence.Actor){
		"more than ever":       func(a *evidence.Actor) { a.ThroughUsual = new(int64(201)) },
		"not known how much":   func(a *evidence.Actor) { a.ThroughUsual = nil },
		"a little elsewhere":   func(a *evidence.Actor) { a.UnfamiliarBytes = new(int64(1)) },
		"no history":           func(a *evidence.Actor) { a.MostBytesInADay = nil },
		"origins not listed":   func(a *evidence.Actor) { a.OmittedOrigins = 1 },
		"a copy":               func(a *evidence.Actor) { a.Copies = 1 },
		"a call without bytes": func(a *evidence.Actor) { a.Unsized = 1 },
		"much around it":       func(a *evidence.Actor) { a.MarginBytes = 101 * gib },
	} {
		a := usual
		if change(&a); a.UsualReader() {
			t.Errorf("%s: it is called a usual reader", name)
		}
	}
}

// An alarm that can never be answered is told in a few lines.
func TestARefusedAlarm(t *testing.T) {
	r := incident.Record{ID: "refused-1", Alarm: alarm.Alarm{Source: alarm.Fired, Name: "lens\x1b[31m", Refused: "it counts by the day"}}
	m := Text(r)
	if m.Subject != `[nightlatch] NOT ANSWERED: alarm lens\x1b[31m` || !strings.HasPrefix(m.Body, "NOT ANSWERED\n\nAlarm lens\\x1b[31m is wired to Nightlatch") || strings.Contains(m.Body, "NOT KNOWN") {
		t.Errorf("got %+v", m)
	}
}
