package incident

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
)

// Sums is what became of some incidents. Each is counted once, however many steps it has.
type Sums struct {
	Incidents int `json:"incidents"`
	// Alarms are those that an alarm has opened: not those that a human, the look for copies or an alarm that goes on did.
	Alarms int `json:"alarms"`
	// Contained are those of which Nightlatch did a step, by itself or approved, and saw it done; Perhaps those of which one may have been done.
	Contained int `json:"contained"`
	Perhaps   int `json:"perhaps_contained"`
	// Asked are those about which a human was asked; Approved and ByHand how many of them he has answered, by an approval, or by doing it himself.
	Asked    int `json:"asked"`
	Approved int `json:"approved"`
	ByHand   int `json:"done_by_hand"`
	// Cleared are those of which a human has taken back what was done.
	Cleared int `json:"cleared"`
	// Observed are those of mode observe. Mode act would have contained WouldContain of them, and a human would have been asked about WouldAsk:
	// they are counted here alone.
	Observed     int `json:"observed"`
	WouldContain int `json:"would_have_contained"`
	WouldAsk     int `json:"would_have_asked"`
	// ToContained is from when an incident was opened to its first step that was seen done; ToAnswer from the ask to its first answer. What a human did
	// himself is an answer as soon as it is seen. Earlier builds did not keep all of these times.
	ToContained Spread `json:"alarm_to_contained"`
	ToAnswer    Spread `json:"ask_to_answer"`
}

// Spread is how long something took: in half of the cases, and in 95 of 100, no longer than that.
type Spread struct {
	Count  int           `json:"count"`
	Median time.Duration `json:"median_ns"`
	P95    time.Duration `json:"p95_ns"`
}

// SumsOf are the sums of what has one name.
type SumsOf struct {
	Name string `json:"name"`
	Sums
}

// Tally is what became of incidents, over all of them and by what they have in common, those with most incidents first.
type Tally struct {
	All      Sums     `json:"all"`
	Accounts []SumsOf `json:"by_account"`
	// Buckets have an incident of several buckets in each of them.
	Buckets []SumsOf `json:"by_bucket"`
	States  []SumsOf `json:"by_state"`
}

// Count adds records up.
func Count(records []Record) Tally {
	var all counter
	accounts, buckets, states := counters{}, counters{}, counters{}
	for _, r := range records {
		all.add(r)
		accounts.add(r.Where().AccountID, r)
		states.add(r.Brief().State(), r)
		for _, b := range slices.Compact(slices.Sorted(slices.Values(r.Alarm.Buckets))) {
			buckets.add(b, r)
		}
	}
	return Tally{All: all.sums(), Accounts: accounts.sums(), Buckets: buckets.sums(), States: states.sums()}
}

// counter adds records up, and keeps the times.
type counter struct {
	counted           Sums
	contained, answer []time.Duration
}

func (c *counter) sums() Sums {
	c.counted.ToContained, c.counted.ToAnswer = spread(c.contained), spread(c.answer)
	return c.counted
}

// counters are a counter for each name.
type counters map[string]*counter

func (c counters) add(name string, r Record) {
	if c[name] == nil {
		c[name] = &counter{}
	}
	c[name].add(r)
}

func (c counters) sums() []SumsOf {
	all := []SumsOf{}
	for _, name := range slices.Sorted(maps.Keys(c)) {
		all = append(all, SumsOf{name, c[name].sums()})
	}
	slices.SortStableFunc(all, func(x, y SumsOf) int { return cmp.Compare(y.Incidents, x.Incidents) })
	return all
}

// spread is of times in any order. A share's time is the least that so many of a hundred do not exceed.
func spread(times []time.Duration) Spread {
	slices.Sort(times)
	at := func(share int) time.Duration {
		if len(times) == 0 {
			return 0
		}
		return times[(len(times)*share+99)/100-1]
	}
	return Spread{Count: len(times), Median: at(50), P95: at(95)}
}

func (c *counter) add(r Record) {
	count := func(n *int, is bool) {
		if is {
			*n++
		}
	}
	some := func(is func(containment.Outcome) bool) bool { return slices.ContainsFunc(r.Outcomes, is) }
	contained, perhaps := some(containment.Outcome.SeenDone), some(containment.Outcome.Contained)
	asked := r.Unsolved() != "" || some(containment.Outcome.WasAsked)
	would := some(func(o containment.Outcome) bool { return o.State == containment.DryRun })
	observed := r.Mode == containment.ModeObserve
	s := &c.counted
	s.Incidents++
	count(&s.Alarms, r.Alarm.Source == alarm.Fired && r.Alarm.CopiedTo == "" && r.Alarm.Part == 0)
	count(&s.Contained, contained)
	count(&s.Perhaps, perhaps && !contained)
	count(&s.Asked, asked && !observed)
	count(&s.Approved, some(func(o containment.Outcome) bool { return o.Approved != nil }))
	count(&s.ByHand, some(containment.Outcome.DoneByHand))
	count(&s.Cleared, some(func(o containment.Outcome) bool { return o.State == containment.Undone }))
	count(&s.Observed, observed)
	count(&s.WouldContain, observed && would)
	count(&s.WouldAsk, observed && asked && !would)
	c.contained = first(c.contained, r, func(o containment.Outcome) (from, to time.Time) { return r.Opened, o.FirstDone() })
	c.answer = first(c.answer, r, func(o containment.Outcome) (from, to time.Time) { return o.AskedAt, o.Answered() })
}

// first adds the shortest of the times of a record's steps that are known.
func first(times []time.Duration, r Record, of func(containment.Outcome) (from, to time.Time)) []time.Duration {
	shortest := time.Duration(-1)
	for _, o := range r.Outcomes {
		from, to := of(o)
		if took := to.Sub(from); !from.IsZero() && !to.IsZero() && took >= 0 && (shortest < 0 || took < shortest) {
			shortest = took
		}
	}
	if shortest < 0 {
		return times
	}
	return append(times, shortest)
}
