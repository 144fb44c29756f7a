package rehearsal

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

const user, key, bucket = "Nightlatch-CanaryUser-1", "AKIAIOSFODNN7CANARY1", "a-canary"

// days is the state after history was laid so long ago.
func laid(ago ...time.Duration) (s State) {
	for _, d := range ago {
		s.Laid, s.Used = append(s.Laid, noon.Add(-d)), noon.Add(-d)
	}
	return s
}

const day = 24 * time.Hour

func TestWhenARehearsalCanBegin(t *testing.T) {
	rested := laid(8*day, 5*day, 2*day)
	ran := func(ago time.Duration, r Run) State {
		s := rested
		if r.Begun = noon.Add(-ago); r.Why == "" {
			r.Bytes = Taken
		}
		if s.Last = &r; r.Begun.After(s.Used) {
			s.Used = r.Begun
		}
		return s
	}
	over := Run{Outcome: Contained, Told: true, Incident: "x", Restored: noon.Add(-day)}
	for name, c := range map[string]struct {
		state State
		seen  Seen
		why   string // a part of it; "" where one can begin
	}{
		"three days of history, and rested":      {rested, Seen{Active: true, Used: noon.Add(-2 * day)}, ""},
		"IAM is an hour late":                    {rested, Seen{Active: true, Used: noon.Add(-2*day + time.Hour)}, ""},
		"never used, as IAM says":                {rested, Seen{Active: true}, ""},
		"nothing laid":                           {State{}, Seen{Active: true}, "0 of the 3 days"},
		"two days":                               {laid(5*day, 2*day), Seen{Active: true}, "2 of the 3 days"},
		"three times on two days":                {laid(5*day+time.Hour, 5*day, 2*day), Seen{Active: true}, "2 of the 3 days"},
		"a day that the questions do not reach":  {laid(15*day, 5*day, 2*day), Seen{Active: true}, "2 of the 3 days"},
		"not rested":                             {laid(8*day, 5*day, 24*time.Hour), Seen{Active: true}, "in use within a day; from 2026-03-04 13:00 UTC on"},
		"the key is off":                         {rested, Seen{}, "the canary's key is off"},
		"somebody else used it":                  {rested, Seen{Active: true, Used: noon.Add(-2*day + 2*time.Hour)}, "somebody else has used the canary's key, at 2026-03-02 14:00 UTC"},
		"somebody else, before anything":         {State{}, Seen{Active: true, Used: noon}, "somebody else"},
		"an incident is open":                    {rested, Seen{Active: true, Open: []string{"20260304-1"}}, "incident 20260304-1 is open"},
		"one goes on":                            {ran(time.Minute, Run{}), Seen{Active: true}, "the rehearsal of 2026-03-04 11:59 UTC is not over"},
		"one waits for its close":                {ran(time.Hour, Run{Outcome: Contained, Told: true, Incident: "20260304-1"}), Seen{}, "turned on again when incident 20260304-1 is closed"},
		"one was not told":                       {ran(20*day, Run{Outcome: Failed}), Seen{Active: true}, "is not over"},
		"one failed, and an incident may come":   {ran(2*time.Hour, Run{Outcome: Failed, Told: true}), Seen{Active: true}, "is not over"},
		"one failed two days ago":                {ran(2*day, Run{Outcome: Failed, Told: true}), Seen{Active: true}, "is usual for the canary until 2026-03-17 13:00 UTC"},
		"one in which nothing was taken":         {ran(2*day, Run{Outcome: Failed, Why: "nothing was taken", Told: true}), Seen{Active: true}, ""},
		"a day could not be laid, and IAM knows": {rested.Lay(noon.Add(-26 * time.Hour)).NotLaid(), Seen{Active: true, Used: noon.Add(-26 * time.Hour)}, ""},
		"one within the history":                 {ran(15*day, over), Seen{Active: true}, "is usual for the canary"},
		"one beyond it":                          {ran(15*day+2*time.Hour, over), Seen{Active: true}, ""},
		"what was taken is not somebody's theft": {ran(15*day+2*time.Hour, over), Seen{Active: true, Used: noon.Add(-2 * day)}, ""},
	} {
		why := c.state.NotYet(noon, c.seen)
		if c.why == "" && why != "" || c.why != "" && !strings.Contains(why, c.why) {
			t.Errorf("%s: got %q, want %q", name, why, c.why)
		}
	}
}

// A canary that is left alone for a year: its history is laid so that a rehearsal can begin on two days of three, and a schedule is kept.
func TestAYear(t *testing.T) {
	for every, want := range map[int]int{LeastDays: 22, 30: 13, 0: 0} {
		var s State
		var first time.Time
		free, ticks, rehearsed, laid := 0, 0, 0, 0
		for now := noon; now.Before(noon.AddDate(1, 0, 0)); now = now.Add(15 * time.Minute) {
			seen := Seen{Active: true, Used: s.Used}
			ticks++
			if s.NotYet(now, seen) == "" {
				free++
				if first.IsZero() {
					first = now
				}
			}
			switch {
			case s.Going(now):
				t.Fatal("nothing is under way")
			case s.Due(now, every) && s.NotYet(now, seen) == "":
				s, rehearsed = s.Begin(now, key, true), rehearsed+1
				s.Last.Bytes, s.Last.Outcome, s.Last.Told, s.Last.Incident, s.Last.Restored = Taken, Contained, true, "x", now
			case s.Lays(now, seen):
				s, laid = s.Lay(now), laid+1
			}
		}
		if rehearsed != want {
			t.Errorf("every %d days: %d rehearsals in a year, want %d", every, rehearsed, want)
		}
		if after := first.Sub(noon); after < 2*day || after > 4*day {
			t.Errorf("every %d days: the first can begin after %s", every, after)
		}
		if every == 0 && free*100/ticks < 60 {
			t.Errorf("one can begin %d %% of the time", free*100/ticks)
		}
		if len(s.Laid) > 15 {
			t.Errorf("%d times are remembered", len(s.Laid))
		}
		t.Logf("every %d days: %d rehearsals, %d days of history laid, and one can begin %d %% of the time", every, rehearsed, laid, free*100/ticks)
	}
}

func TestHistoryIsNotLaid(t *testing.T) {
	due := laid(8*day, 5*day, 4*day)
	if !due.Lays(noon, Seen{Active: true}) {
		t.Error("it is due")
	}
	going := due
	going.Last = &Run{Begun: noon.Add(-time.Hour), Bytes: Taken}
	for name, is := range map[string]bool{
		"the key is off": due.Lays(noon, Seen{}), "somebody else used the key": due.Lays(noon, Seen{Active: true, Used: noon}), "a rehearsal goes on": going.Lays(noon, Seen{Active: true}),
		"it was two days ago": laid(8*day, 5*day, 2*day).Lays(noon, Seen{Active: true}), "it was today": laid(19*time.Hour).Lays(noon, Seen{Active: true}),
	} {
		if is {
			t.Errorf("%s, and it is laid", name)
		}
	}
}

// record is the incident of a rehearsal that began at noon.
func record(changes ...func(*incident.Record)) incident.Record {
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	rec := incident.Record{ID: "20260304-1", Opened: at(4), Judged: at(8), MetricAt: at(5),
		Alarm:  alarm.Alarm{Buckets: []string{bucket}, Since: at(3), Confirmed: true},
		Rounds: []incident.QueryRound{{At: at(5)}, {At: at(7), Bytes: Taken}, {At: at(9), Bytes: Taken}},
		Verdicts: []incident.Verdict{{Target: "AKIAIOSFODNN7NEIGHB1", Reasons: []string{"leave-usual: not this one"}},
			{Target: key, Decision: policy.Contain, Reasons: []string{"contain-stolen-key: one long-term key took most of the bytes"}}},
		Outcomes: []containment.Outcome{{Target: key, State: containment.Done, At: at(9), DoneAt: at(9),
			Step: containment.Step{Ref: containment.Ref{Type: containment.KeyStatus, Owner: user, Name: key}, Before: containment.Doc{Text: containment.Active}, After: containment.Doc{Text: containment.Inactive}}}},
		Notified: []incident.Notice{{Kind: incident.Page, Channel: "sns", At: at(4), Tries: 1}, {Kind: incident.Answer, Channel: "slack", At: at(9), Tries: 1, Error: "500"}, {Kind: incident.Answer, Channel: "sns", At: at(10), Tries: 2}},
	}
	for _, change := range changes {
		change(&rec)
	}
	return rec
}

func TestWhatBecameOfIt(t *testing.T) {
	asked := func(r *incident.Record) {
		r.Verdicts[1].Reasons = []string{"ask-company: it may be a place of ours"}
		r.Outcomes[0].State, r.Outcomes[0].DoneAt = containment.Asked, time.Time{}
	}
	for name, c := range map[string]struct {
		rec     incident.Record
		after   time.Duration
		outcome Outcome
		says    string
	}{
		"contained":                             {record(), 11 * time.Minute, Contained, "contained 9m0s after the first byte"},
		"contained, and taken back by hand":     {record(func(r *incident.Record) { r.Outcomes[0].State = containment.Undone }), 11 * time.Minute, Contained, "the key was seen off"},
		"asked":                                 {record(asked), 11 * time.Minute, Asked, "By the policy's: ask-company"},
		"asked, and the evidence may change it": {record(asked, func(r *incident.Record) { r.Mode = containment.ModeAct }), 11 * time.Minute, "", "goes on"},
		"asked on all of the evidence":          {record(asked, func(r *incident.Record) { r.Mode, r.Evidence.Complete = containment.ModeAct, true }), 11 * time.Minute, Asked, "asked 9m0s"},
		"asked, and the time is over":           {record(asked, func(r *incident.Record) { r.Mode = containment.ModeAct }), time.Hour, Asked, "asked 9m0s"},
		"asked, and done by hand at once": {record(asked, func(r *incident.Record) {
			r.Outcomes[0].State, r.Outcomes[0].AskedAt, r.Outcomes[0].At = containment.Already, noon.Add(8*time.Minute), noon.Add(11*time.Minute)
		}), 15 * time.Minute, Asked, "asked 8m0s"},
		"asked, and left by hand": {record(asked, func(r *incident.Record) {
			r.Outcomes[0].State, r.Outcomes[0].AskedAt = containment.Skipped, noon.Add(8*time.Minute)
		}), 15 * time.Minute, Asked, "asked 8m0s"},
		"another key since": {record(func(r *incident.Record) {
			r.Outcomes[0].Target, r.Outcomes[0].Step.Ref.Name = "AKIAIOSFODNN7CANARY2", "AKIAIOSFODNN7CANARY2"
		}), time.Hour, Failed, "nothing against the canary's key"},
		"no incident yet":                    {incident.Record{}, 59 * time.Minute, "", "goes on"},
		"no incident":                        {incident.Record{}, time.Hour, Failed, "no incident was opened within 60 minutes"},
		"not decided yet":                    {record(func(r *incident.Record) { r.Judged, r.Outcomes, r.Notified = time.Time{}, nil, nil }), 30 * time.Minute, "", "goes on"},
		"not decided":                        {record(func(r *incident.Record) { r.Judged, r.Outcomes, r.Notified = time.Time{}, nil, nil }), time.Hour, Failed, "nothing was decided"},
		"another was found":                  {record(func(r *incident.Record) { r.Outcomes[0].Target = "AKIAIOSFODNN7NEIGHB1" }), time.Hour, Failed, "nothing against the canary's key"},
		"a key of the same name, of another": {record(func(r *incident.Record) { r.Outcomes[0].Step.Ref.Owner = "mara" }), time.Hour, Failed, "nothing against the canary's key"},
		"nobody was told":                    {record(func(r *incident.Record) { r.Notified = r.Notified[:2] }), time.Hour, Failed, "no channel took the answer"},
		"closed, and left": {record(func(r *incident.Record) {
			asked(r)
			r.Outcomes[0].State = containment.Skipped
			r.Closed = noon.Add(20 * time.Minute)
		}), 21 * time.Minute, Failed, "is skipped"},
		"the write failed": {record(func(r *incident.Record) {
			asked(r)
			r.Outcomes[0].State, r.Outcomes[0].Detail = containment.Failed, "AccessDenied"
		}), time.Hour, Failed, "AccessDenied"},
		"the metric did not confirm it":        {record(func(r *incident.Record) { asked(r); r.Alarm.Confirmed = false }), 11 * time.Minute, Asked, "asked 9m0s"},
		"contained, and no channel has it yet": {record(func(r *incident.Record) { r.Notified = r.Notified[:2] }), 11 * time.Minute, "", "goes on"},
	} {
		run := Run{Begun: noon, Key: key, Bytes: Taken}.See(noon.Add(c.after), c.rec, user)
		if run.Outcome != c.outcome || !strings.Contains(run.Text(), c.says) || run.Incident != c.rec.ID {
			t.Errorf("%s: outcome %q, want %q, and %q in\n%s", name, run.Outcome, c.outcome, c.says, run.Text())
		}
	}
	for why, run := range map[string]Run{
		"no incident was opened, and not all was taken: reading bucket: AccessDenied": Run{Begun: noon, Key: key}.Took(3, errors.New("reading bucket: AccessDenied")),
		"nothing was taken: reading bucket: AccessDenied":                             Run{Begun: noon, Key: key}.Took(0, errors.New("reading bucket: AccessDenied")),
		"nothing was taken, as the function was ended before; see its log":            {Begun: noon, Key: key},
	} {
		if got := run.See(noon.Add(time.Hour), incident.Record{}, user); got.Outcome != Failed || got.Why != why {
			t.Errorf("got %+v, want %s", got, why)
		}
	}
}

// What was told stays: later evidence is the incident's own, and an incident that came late is still waited for, because it turns the key off.
func TestWhatWasToldStays(t *testing.T) {
	run := Run{Begun: noon, Key: key, Bytes: Taken, Outcome: Failed, Why: "no incident"}.See(noon.Add(2*time.Hour), record(), user)
	if run.Outcome != Failed || run.Why != "no incident" || run.Incident != "20260304-1" {
		t.Errorf("got %+v", run)
	}
	s := State{Last: &run}
	if s.Last.Told = true; !s.Going(noon.Add(48 * time.Hour)) {
		t.Error("its key is off, and nobody waits for the close")
	}
}

// What else stands on the canary is named: nothing here takes it back.
func TestWhatIsLeftOnTheCanary(t *testing.T) {
	fence := containment.Outcome{Action: policy.FenceOrigin, Target: "arn:aws:iam::111122223333:user/" + user, State: containment.Done, Step: containment.Step{Ref: containment.Ref{Owner: user, Name: "nightlatch-fence"}}}
	asked, others := fence, fence
	asked.State, others.Step.Ref.Owner = containment.Asked, "mara"
	rec := record(func(r *incident.Record) { r.Outcomes = append(r.Outcomes, fence, asked, others) })
	if got := Leaves(rec, user, bucket, key); got != fence.Name() {
		t.Errorf("got %q", got)
	}
	if got := (Run{Left: fence.Name(), Incident: "20260304-1", Outcome: Contained}).Text(); !strings.Contains(got, "Take it back: nightlatch restore 20260304-1") {
		t.Error(got)
	}
	if got := Leaves(record(), user, bucket, key); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestWhichIncidentItIs(t *testing.T) {
	run := Run{Begun: noon}
	other := record(func(r *incident.Record) {
		r.ID, r.Alarm.Buckets, r.Opened = "other", []string{"exports"}, noon.Add(time.Minute)
	})
	earlier := record(func(r *incident.Record) { r.ID, r.Opened = "earlier", noon.Add(-time.Minute) })
	merged := record(func(r *incident.Record) {
		r.ID, r.Opened, r.MergedInto = "merged", noon.Add(2*time.Minute), "20260304-1"
	})
	later := record(func(r *incident.Record) { r.ID, r.Opened = "later", noon.Add(9*time.Minute) })
	if got, there := run.Opened(bucket, []incident.Record{later, other, earlier, record(), merged}); !there || got.ID != "20260304-1" {
		t.Errorf("got %q", got.ID)
	}
	if got, there := run.Opened(bucket, []incident.Record{other, earlier}); there {
		t.Errorf("got %q", got.ID)
	}
}

// On a phone: short lines, the answer first, the time of each stage, and nothing of the record that is not escaped.
func TestTheText(t *testing.T) {
	run := Run{Begun: noon, Key: key, Bytes: Taken}.See(noon.Add(11*time.Minute), record(), user)
	m := run.Message()
	want := `REHEARSED: contained 9m0s after the first byte.
By the policy's: contain-stolen-key: one long-term key took most of the bytes.

   0:00  the canary took its bytes
   3:00  the alarm fired
   4:00  the responder took it up
   5:00  the metric, read again, confirmed it
   7:00  the trail showed who
   8:00  the policy decided
   9:00  the key was seen off
  10:00  the team was told

nightlatch incident 20260304-1
The canary's key is turned on again when the incident is closed.

` + NotShown + "\n"
	if run.Text() != want || m.Subject != "[nightlatch] REHEARSED: contained 9m0s after the first byte" {
		t.Errorf("got %q and\n%s", m.Subject, run.Text())
	}
	for _, hostile := range []string{"<script>", "a\x1b[31mb", "a\nb: c"} {
		run.Why = hostile
		if strings.Contains(run.Text(), hostile) && hostile != "<script>" { // it is plain text
			t.Errorf("%q comes through", hostile)
		}
	}
	if n := len(Before(bucket).Subject); n > 99 {
		t.Errorf("a subject of %d characters", n)
	}
	run.Why, run.Restored = "", noon.Add(3*time.Hour)
	if !strings.Contains(run.Text(), fmt.Sprintf("seen on again at %s UTC", stamp(run.Restored))) {
		t.Errorf("got\n%s", run.Text())
	}
}

// Whatever the minutes it falls into, what a rehearsal takes fires the alarm, and is above the floor that the shipped rules have for such a bucket.
func TestTheAmountsFitTheRules(t *testing.T) {
	if Taken < 2*Threshold+Object || Object <= Threshold {
		t.Error("it may fall into two minutes, or the bucket can be emptied without an alarm")
	}
	floor := incident.Record{Alarm: alarm.Alarm{Stored: new(int64(Object))}}.Floor()
	if Taken < floor || Taken < 3*DaysOfHistory*Sip {
		t.Errorf("the floor is %d", floor)
	}
}
