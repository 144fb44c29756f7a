package report

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
)

func TestSumsAsText(t *testing.T) {
	month := incident.Sums{Incidents: 12, Alarms: 1234, Contained: 3, Perhaps: 1, Asked: 4, Approved: 2, ByHand: 1, Cleared: 1, Observed: 2, WouldContain: 1, WouldAsk: 1,
		ToContained: incident.Spread{Count: 3, Median: 4*time.Minute + 12*time.Second, P95: time.Hour}, ToAnswer: incident.Spread{Count: 3, Median: 45 * time.Second, P95: 9 * time.Minute}}
	s := Summed{Since: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Tally: incident.Tally{All: month,
		Accounts: []incident.SumsOf{{Name: "", Sums: month}}, Buckets: []incident.SumsOf{{Name: "customer-exports", Sums: incident.Sums{Incidents: 1, Alarms: 1}}}}}
	const want = `SUMS since 2026-03-01 00:00 UTC
  12 incidents, 1,234 alarms
  contained 3, perhaps 1 more; alarm to contained: median
    4m12s, 95 % 1h0m, of 3
  asked 4, approved 2, done by hand 1, cleared by a human
    1; ask to answer: median 45s, 95 % 9m, of 3
  in mode observe 2: would have contained 1, asked 1

BY ACCOUNT
not known
  12 incidents, 1,234 alarms
  contained 3, perhaps 1 more; alarm to contained: median
    4m12s, 95 % 1h0m, of 3
  asked 4, approved 2, done by hand 1, cleared by a human
    1; ask to answer: median 45s, 95 % 9m, of 3
  in mode observe 2: would have contained 1, asked 1

BY BUCKET
customer-exports
  1 incident, 1 alarm
  contained 0
  asked 0
`
	if got := Sums(s, 40); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Names are others' words, there may be thousands, and a narrow terminal has sixty columns.
func TestSumsObeyNobody(t *testing.T) {
	const evil = "\x1b[2J\u202e\r\nBY BUCKET é"
	var s Summed
	for i := range 30 {
		name := evil
		if i > 0 {
			name = fmt.Sprintf("bucket-%d", i)
		}
		s.Buckets = append(s.Buckets, incident.SumsOf{Name: name, Sums: incident.Sums{Incidents: 1e6, Alarms: 1e6, Contained: 1e6, Asked: 1e6, Approved: 1e6,
			ToContained: incident.Spread{Count: 1e6, Median: 1e6 * time.Hour, P95: 1e6 * time.Hour}}})
	}
	text := Sums(s, 1)
	if strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && (r < 0x20 || r > 0x7e) }) || strings.Count(text, "\nBY BUCKET\n") != 1 {
		t.Errorf("not plain: %q", text)
	}
	for line := range strings.Lines(text) {
		if len(line) > narrowest+1 {
			t.Errorf("%d columns: %s", len(line)-1, line)
		}
	}
	if !strings.HasSuffix(text, "\nand 10 more: --json has all\n") || strings.Contains(text, "bucket-20\n") {
		t.Errorf("thirty buckets:\n%s", text)
	}
	js, err := IncidentsJSON(nil, incident.Brakes{}, &s)
	var back struct{ Sums Summed }
	if err != nil || strings.ContainsFunc(string(js), func(r rune) bool { return r > 0x7e }) {
		t.Errorf("not ASCII: %s, %v", js, err)
	}
	if err := json.Unmarshal(js, &back); err != nil || len(back.Sums.Buckets) != 30 || back.Sums.Buckets[0].Name != evil || back.Sums.Buckets[0].ToContained.Median != 1e6*time.Hour {
		t.Errorf("back: %+v, %v", back.Sums, err)
	}
}

// A mode that goes on longer than was set is told in each message.
func TestObservingTooLong(t *testing.T) {
	for opened, want := range map[string]string{"2026-03-03": "mode observe until 2026-03-04.", "2026-03-04": "mode observe until 2026-03-04.", "2026-03-05": "mode observe, WHICH WAS TO END ON 2026-03-04."} {
		r := filled("x", 1)
		r.Mode, r.ObserveUntil = containment.ModeObserve, "2026-03-04"
		at, err := time.Parse(time.DateOnly, opened)
		if err != nil {
			t.Fatal(err)
		}
		r.Opened = at.Add(23*time.Hour + 59*time.Minute)
		for _, kind := range []incident.MessageKind{incident.Answer, incident.Reminder, incident.Closing} {
			if text := strings.Join(strings.Fields(Write(kind, r).Body), " "); !strings.Contains(text, want) {
				t.Errorf("%s, opened on %s: no %q in\n%s", kind, opened, want, text)
			}
		}
		if text := strings.Join(strings.Fields(Page([]incident.Record{r}).Body), " "); !strings.Contains(text, want) {
			t.Errorf("the page, opened on %s: no %q in\n%s", opened, want, text)
		}
	}
}
