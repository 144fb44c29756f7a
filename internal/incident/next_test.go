package incident

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
)

// ringing is when the incident was opened; its window ended 40 seconds earlier.
var ringing = time.Date(2026, 3, 4, 0, 3, 40, 0, time.UTC)

func after(d time.Duration) time.Time { return ringing.Add(d) }

// opened is an incident whose metric was read and confirmed, and nothing else yet.
func opened() Record {
	return Record{Schema: Schema, ID: "20260304-000340-0123456789abcdef", Opened: ringing, Deadline: after(Patience), MetricRead: 1,
		Alarm: alarm.Alarm{From: after(-160 * time.Second), To: after(-40 * time.Second), Confirmed: true}}
}

// looked adds looks, each with the same answer, at these times after the ring.
func looked(r Record, at ...time.Duration) Record {
	for _, d := range at {
		r.Looks = append(r.Looks, Look{At: after(d), From: r.Alarm.From, To: r.Alarm.To, Digest: "same"})
	}
	return r
}

// judged is an incident that was judged a minute after the ring, with these outcomes, and one channel to tell.
func judged(outcomes ...containment.Outcome) Record {
	r := looked(opened(), 0)
	r.Judged, r.Outcomes, r.Notified = after(time.Minute), outcomes, []Notice{{Channel: "sns"}}
	return r
}

func unknown(attempts int, at time.Duration) containment.Outcome {
	return containment.Outcome{State: containment.Unknown, Attempts: attempts, At: after(at)}
}

func wait(d time.Duration) Move { return Move{Do: Wait, At: after(d)} }

func TestNextBeforeTheVerdict(t *testing.T) {
	with := func(r Record, change func(*Record)) Record {
		change(&r)
		return r
	}
	enough := func(r *Record) {
		r.Evidence.Complete, r.Evidence.Explained, r.History = true, new(0.8), &evidence.History{}
	}
	explained := func(r *Record) { r.Evidence.Explained = new(0.8) }
	for name, c := range map[string]struct {
		record Record
		now    time.Duration
		want   Move
	}{
		"it rings: the metric is read first":               {with(opened(), func(r *Record) { r.MetricRead = 0 }), 0, Move{Do: ReadMetric}},
		"also when it comes late":                          {with(opened(), func(r *Record) { r.MetricRead = 0 }), time.Hour, Move{Do: ReadMetric}},
		"then the first look, at once":                     {opened(), 0, Move{Do: LookUp}},
		"one look is had, even after the deadline":         {opened(), time.Hour, Move{Do: LookUp}},
		"30 seconds to the second look":                    {looked(opened(), 0), time.Second, wait(30 * time.Second)},
		"then it is due":                                   {looked(opened(), 0), 30 * time.Second, Move{Do: LookUp}},
		"45 to the third":                                  {looked(opened(), 0, 30*time.Second), 31 * time.Second, wait(75 * time.Second)},
		"60 to the fourth":                                 {looked(opened(), 0, 30*time.Second, 75*time.Second), 76 * time.Second, wait(135 * time.Second)},
		"90 to the fifth":                                  {looked(opened(), 0, 30*time.Second, 75*time.Second, 135*time.Second), 136 * time.Second, wait(225 * time.Second)},
		"the next falls on the end of the settling time":   {looked(opened(), 0, 0, 0, 0, 225*time.Second), 226 * time.Second, wait(260 * time.Second)},
		"which counts from the window as it is by now":     {with(looked(opened(), 0, 0, 0, 0, 225*time.Second), func(r *Record) { r.Alarm.To = ringing }), 226 * time.Second, wait(300 * time.Second)},
		"after it the waits grow no further":               {looked(opened(), 0, 0, 0, 0, 225*time.Second, 260*time.Second), 261 * time.Second, wait(380 * time.Second)},
		"however many looks there were":                    {looked(opened(), make([]time.Duration, 40)...), time.Second, wait(2 * time.Minute)},
		"no wait reaches past the deadline":                {looked(opened(), 0, 0, 0, 0, 11*time.Minute), 11*time.Minute + time.Second, wait(Patience)},
		"at the deadline there is a last look":             {looked(opened(), 0, 11*time.Minute), Patience, Move{Do: LookUp}},
		"after the last look it is judged":                 {looked(opened(), 0, Patience), Patience, Move{Do: Judge}},
		"also if it came late":                             {looked(opened(), 0, time.Hour), time.Hour, Move{Do: Judge}},
		"a moment before, there is not":                    {looked(opened(), 0, 11*time.Minute+30*time.Second), Patience - time.Nanosecond, wait(Patience)},
		"enough for the policy":                            {with(looked(opened(), 0), func(r *Record) { r.Enough = true }), 0, Move{Do: Judge}},
		"complete, explained, and the history is known":    {with(looked(opened(), 0), enough), 0, Move{Do: Judge}},
		"complete, but the history is not known":           {with(looked(opened(), 0), func(r *Record) { enough(r); r.History = nil }), 0, wait(260 * time.Second)},
		"complete, but too little is explained":            {with(looked(opened(), 0), func(r *Record) { enough(r); r.Evidence.Explained = new(0.79) }), 0, wait(30 * time.Second)},
		"complete, but it is not known how much":           {with(looked(opened(), 0), func(r *Record) { enough(r); r.Evidence.Explained = nil }), 0, wait(30 * time.Second)},
		"explained, but not complete":                      {with(looked(opened(), 0), func(r *Record) { enough(r); r.Evidence.Complete = false }), 0, wait(260 * time.Second)},
		"a clock that runs back only waits":                {looked(opened(), 0), -time.Hour, wait(30 * time.Second)},
		"a window in the future does not stop the search":  {with(looked(opened(), 0), func(r *Record) { r.Alarm.To = after(24 * time.Hour) }), Patience, Move{Do: LookUp}},
		"explained: only completeness is waited for":       {with(looked(opened(), 0), explained), time.Second, wait(260 * time.Second)},
		"explained, just before the settling time is over": {with(looked(opened(), 0, 259*time.Second), explained), 260 * time.Second, wait(289 * time.Second)},
		"explained, and settled: an equal look soon":       {with(looked(opened(), 0, 260*time.Second), explained), 261 * time.Second, wait(290 * time.Second)},
		"explained, a window that ends after the deadline": {with(looked(opened(), 0), func(r *Record) { explained(r); r.Alarm.To = after(time.Hour) }), 0, wait(Patience)},
		"complete, but the metric is to be read again":     {with(looked(opened(), 0, 260*time.Second), func(r *Record) { enough(r); r.Alarm.Confirmed = false }), 260 * time.Second, wait(290 * time.Second)},
		"complete, and the metric was read often enough":   {with(looked(opened(), 0), func(r *Record) { enough(r); r.Alarm.Confirmed = false; r.MetricRead = maxMetric }), 0, Move{Do: Judge}},
		"a record without a deadline is judged":            {with(looked(opened(), 0), func(r *Record) { r.Deadline = time.Time{} }), 0, Move{Do: Judge}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.record.Next(after(c.now))); diff != "" {
				t.Errorf("Next (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNextAfterTheVerdict(t *testing.T) {
	state := func(s containment.State) containment.Outcome { return containment.Outcome{State: s} }
	told := func(n ...Notice) Record {
		r := judged(state(containment.Done))
		r.Notified = n
		return r
	}
	ok := Notice{Channel: "sns", Tries: 1, At: after(0)}
	failed := func(tries int) Notice { return Notice{Channel: "sns", Tries: tries, Error: "throttled", At: after(0)} }
	closed := judged(state(containment.Intended))
	closed.Closed = after(time.Hour)
	for name, c := range map[string]struct {
		record Record
		now    time.Duration
		want   Move
	}{
		"what is intended is done":                       {judged(state(containment.Intended)), 0, Move{Do: Act}},
		"the second of three":                            {judged(state(containment.Asked), state(containment.Intended), state(containment.Intended)), 0, Move{Do: Act, Outcome: 1}},
		"done before verified":                           {judged(unknown(1, 0), state(containment.Intended)), time.Hour, Move{Do: Act, Outcome: 1}},
		"two seconds to the first verification":          {judged(unknown(1, 0)), time.Second, wait(2 * time.Second)},
		"then it is due":                                 {judged(unknown(1, 0)), 2 * time.Second, Move{Do: Verify}},
		"four to the second":                             {judged(unknown(2, 0)), 2 * time.Second, wait(4 * time.Second)},
		"32 to the last":                                 {judged(unknown(5, 0)), 2 * time.Second, wait(32 * time.Second)},
		"after that the team hears that it is not known": {judged(unknown(6, 0)), 0, Move{Do: Tell}},
		"the second is verified while the first waits":   {judged(unknown(5, 0), unknown(1, 0)), 2 * time.Second, Move{Do: Verify, Outcome: 1}},
		"the shorter wait counts":                        {judged(unknown(5, 0), unknown(1, 0)), time.Second, wait(2 * time.Second)},
		"nothing to do but tell":                         {judged(state(containment.Asked), state(containment.Skipped), state(containment.Failed)), 0, Move{Do: Tell}},
		"told is told":                                   {told(ok), 0, Move{Do: Close}},
		"the second channel":                             {told(ok, Notice{Channel: "chat"}), 0, Move{Do: Tell, Notice: 1}},
		"ten seconds after the first failure":            {told(failed(1)), time.Second, wait(10 * time.Second)},
		"then again":                                     {told(failed(1)), 10 * time.Second, Move{Do: Tell}},
		"80 seconds after the fourth":                    {told(failed(4)), time.Second, wait(80 * time.Second)},
		"five times and no more":                         {told(failed(5)), 0, Move{Do: Close}},
		"a channel that fails does not hold up the next": {told(failed(1), Notice{Channel: "chat"}), time.Second, Move{Do: Tell, Notice: 1}},
		"the first of two that fail":                     {told(failed(3), failed(1)), time.Second, wait(10 * time.Second)},
		"nobody to tell":                                 {told(), 0, Move{Do: Close}},
		"closed is closed, whatever it says":             {closed, time.Hour, Move{Do: Nothing}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.record.Next(after(c.now))); diff != "" {
				t.Errorf("Next (-want +got):\n%s", diff)
			}
		})
	}
}

func TestComplete(t *testing.T) {
	settled := 260 * time.Second
	for name, c := range map[string]struct {
		record Record
		want   bool
	}{
		"no look":                         {opened(), false},
		"one look":                        {looked(opened(), settled), false},
		"two, the second after settling":  {looked(opened(), 0, settled), true},
		"two, both too early":             {looked(opened(), 0, settled-time.Nanosecond), false},
		"the last two of three are equal": {looked(opened(), 0, settled, settled+1), true},
		"one more answer came in":         {func() Record { r := looked(opened(), 0, settled); r.Looks[1].Digest = "more"; return r }(), false},
		"both failed": {func() Record {
			r := looked(opened(), 0, settled)
			r.Looks[0].Digest, r.Looks[1].Digest = "", ""
			return r
		}(), false},
		"one failed":                        {func() Record { r := looked(opened(), 0, settled); r.Looks[1].Digest = ""; return r }(), false},
		"the window grew between the two":   {func() Record { r := looked(opened(), 0, settled); r.Looks[0].To = ringing; return r }(), false},
		"the window begins somewhere else":  {func() Record { r := looked(opened(), 0, settled); r.Looks[0].From = ringing; return r }(), false},
		"the first of three differs":        {func() Record { r := looked(opened(), 0, settled, settled); r.Looks[0].Digest = "less"; return r }(), true},
		"settling counts the window looked": {func() Record { r := looked(opened(), 0, settled); r.Alarm.To = after(time.Hour); return r }(), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.record.Complete(); got != c.want {
				t.Errorf("Complete = %t, want %t", got, c.want)
			}
		})
	}
}

func TestUnheard(t *testing.T) {
	for name, c := range map[string]struct {
		notified []Notice
		want     bool
	}{
		"no channels":          {nil, false},
		"not told yet":         {[]Notice{{}}, true},
		"told":                 {[]Notice{{Tries: 1}}, false},
		"not taken":            {[]Notice{{Tries: 5, Error: "x"}}, true},
		"one of two has heard": {[]Notice{{Tries: 5, Error: "x"}, {Tries: 2}}, false},
	} {
		if got := (Record{Notified: c.notified}).Unheard(); got != c.want {
			t.Errorf("%s: Unheard = %t, want %t", name, got, c.want)
		}
	}
}

func TestMetricDue(t *testing.T) {
	for reads, want := range map[int]bool{0: true, 1: true, 3: true, 4: false, 9: false} {
		r := opened()
		r.Alarm.Confirmed, r.MetricRead = false, reads
		if got := r.MetricDue(); got != want {
			t.Errorf("after %d readings: MetricDue = %t, want %t", reads, got, want)
		}
		r.Alarm.Confirmed = true
		if r.MetricDue() {
			t.Errorf("confirmed after %d readings, and due again", reads)
		}
	}
}

// An incident comes to its end whatever fails, each move is possible, and time never stands still.
func TestEveryIncidentCloses(t *testing.T) {
	for seed := range uint64(300) {
		chance := rand.New(rand.NewPCG(seed, 1))
		r, now := opened(), ringing
		r.MetricRead = 0
		for moves := 0; ; moves++ {
			if moves > 200 {
				t.Fatalf("seed %d: no end after %d moves: %+v", seed, moves, r)
			}
			m := r.Next(now)
			if m.Do == Nothing {
				break
			}
			if m.Do == Wait {
				if !m.At.After(now) {
					t.Fatalf("seed %d: a wait until %v at %v", seed, m.At, now)
				}
				now = m.At
				continue
			}
			if err := play(&r, m, now, chance); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		if now.After(after(Patience + 5*time.Minute)) {
			t.Errorf("seed %d: it took until %v", seed, now.Sub(ringing))
		}
	}
}

// play has the effect of a move, as luck will have it.
func play(r *Record, m Move, now time.Time, chance *rand.Rand) error {
	luck := func() bool { return chance.IntN(2) == 0 }
	switch m.Do {
	case ReadMetric:
		r.MetricRead++
	case LookUp:
		*r = looked(*r, now.Sub(ringing))
		r.Evidence.Complete = r.Complete()
		if luck() {
			r.Evidence.Explained, r.History = new(0.9), &evidence.History{}
		}
	case Judge:
		r.Judged = now
		for range chance.IntN(3) {
			r.Outcomes = append(r.Outcomes, containment.Outcome{State: containment.Intended})
		}
		r.Notified = make([]Notice, chance.IntN(3))
	case Act, Verify:
		o := &r.Outcomes[m.Outcome]
		if (m.Do == Act) != (o.State == containment.Intended) {
			return errors.New("a step is done twice, or verified before it is done")
		}
		o.Attempts, o.At, o.State = o.Attempts+1, now, containment.Unknown
		if luck() {
			o.State = containment.Done
		}
	case Tell:
		n := &r.Notified[m.Notice]
		n.Tries, n.At, n.Error = n.Tries+1, now, "throttled"
		if luck() {
			n.Error = ""
		}
	case Close:
		r.Closed = now
	default:
		return errors.New("an unknown move " + string(m.Do))
	}
	return nil
}
