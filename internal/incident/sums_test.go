package incident

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
)

// Nights of each kind, with the times that a team would have.
func TestWhatBecameOfIncidents(t *testing.T) {
	at := func(minutes int) time.Time { return time.Date(2026, 3, 4, 0, minutes, 0, 0, time.UTC) }
	fired := func(mode containment.Mode, buckets []string, outcomes ...containment.Outcome) Record {
		return Record{Mode: mode, Opened: at(0), Closed: at(90), Place: Place{AccountID: "111122223333"}, Alarm: alarm.Alarm{Source: alarm.Fired, Buckets: buckets}, Outcomes: outcomes}
	}
	step := func(state containment.State, minutes int) containment.Outcome {
		return containment.Outcome{State: state, At: at(minutes), Attempts: 1}
	}
	exports, both := []string{"exports"}, []string{"exports", "ledger", "exports"}
	itself := step(containment.Done, 6)
	itself.DoneAt = at(5) // the record was put again since
	earlier := step(containment.Done, 9)
	approved := step(containment.Undone, 60) // and cleared, an hour later
	approved.AskedAt, approved.DoneAt, approved.Approved = at(5), at(26), &containment.Approval{By: "anna", At: at(25)}
	byHand := containment.Outcome{State: containment.Already, At: at(47), AskedAt: at(7)}
	already := containment.Outcome{State: containment.Already, At: at(4)} // before anybody was asked
	asked := containment.Outcome{State: containment.Asked, At: at(5)}
	manual := fired(containment.ModeAsk, exports, asked)
	manual.Alarm.Source = alarm.Manual
	goesOn := fired(containment.ModeAct, exports)
	goesOn.Alarm.Part, goesOn.Closed = 1, time.Time{}
	copied := fired(containment.ModeAct, exports)
	copied.Alarm.CopiedTo = "elsewhere"
	unsolved := fired(containment.ModeAct, exports)
	unsolved.Alarm.Confirmed, unsolved.Judged, unsolved.Escalated, unsolved.Closed = true, at(12), at(30), time.Time{}
	unsolved.Deadline, unsolved.Enough = at(12), true

	tally := Count([]Record{
		fired(containment.ModeAct, exports, itself),
		fired(containment.ModeAct, both, step(containment.Unknown, 5), earlier),
		fired(containment.ModeAct, exports, step(containment.Unknown, 5)),
		fired(containment.ModeAsk, exports, approved, asked),
		fired(containment.ModeAsk, exports, byHand),
		fired(containment.ModeAsk, exports, already),
		fired(containment.ModeObserve, both, step(containment.DryRun, 5), asked),
		fired(containment.ModeObserve, exports, asked),
		manual, goesOn, copied, unsolved,
	})
	minute := time.Minute
	want := Sums{Incidents: 12, Alarms: 9, Contained: 3, Perhaps: 1, Asked: 4, Approved: 1, ByHand: 1, Cleared: 1, Observed: 2, WouldContain: 1, WouldAsk: 1,
		ToContained: Spread{Count: 3, Median: 9 * minute, P95: 26 * minute}, ToAnswer: Spread{Count: 2, Median: 20 * minute, P95: 40 * minute}}
	if tally.All != want {
		t.Errorf("got  %+v\nwant %+v", tally.All, want)
	}
	if len(tally.Accounts) != 1 || tally.Accounts[0] != (SumsOf{"111122223333", want}) {
		t.Errorf("accounts: %+v", tally.Accounts)
	}
	ledger := Sums{Incidents: 2, Alarms: 2, Contained: 1, Observed: 1, WouldContain: 1, ToContained: Spread{1, 9 * minute, 9 * minute}}
	if want.Perhaps = 1; len(tally.Buckets) != 2 || tally.Buckets[0] != (SumsOf{"exports", want}) || tally.Buckets[1] != (SumsOf{"ledger", ledger}) {
		t.Errorf("buckets: %+v", tally.Buckets)
	}
	states := map[string]int{}
	for _, s := range tally.States {
		states[s.Name] = s.Incidents
	}
	if len(states) != 3 || states["closed"] != 10 || states["open"] != 1 || states["escalated"] != 1 {
		t.Errorf("states: %v", states)
	}

	empty := Count(nil)
	text, err := json.Marshal(empty)
	if err != nil || empty.All != (Sums{}) || !slices.Equal(empty.Buckets, []SumsOf{}) || string(text) == "" {
		t.Errorf("of none: %s, %v", text, err)
	}
}

func TestShares(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i))
	}
	for _, c := range []struct {
		times []time.Duration
		want  Spread
	}{
		{nil, Spread{}},
		{[]time.Duration{7}, Spread{1, 7, 7}},
		{[]time.Duration{9, 1}, Spread{2, 1, 9}},
		{[]time.Duration{3, 1, 2}, Spread{3, 2, 3}},
		{hundred, Spread{100, 50, 95}},
		{hundred[:20], Spread{20, 90, 99}},
	} {
		if got := spread(slices.Clone(c.times)); got != c.want {
			t.Errorf("%v: got %+v, want %+v", c.times, got, c.want)
		}
	}
}
