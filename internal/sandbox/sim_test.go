package sandbox

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nightlatch/internal/evidence/enginetest"
)

var (
	seeds   = flag.Int("seeds", 60, "how many simulated nights TestSim plays; .ci/run plays 10,000 of them")
	from    = flag.Uint64("from", 1, "the first of them")
	oneSeed = flag.Uint64("seed", 0, "the one night that TestSim plays, with its story")
)

// night plays the night of a seed to its end, and checks the rules.
func night(seed uint64, tells bool, bug plant) *world {
	w := newWorld(seed, tells)
	w.plant = bug
	if bug.ofOrders() && len(w.steps) == 0 {
		return w // nothing is ordered
	}
	if !w.run(dusk.Add(16 * time.Hour)) { // what no channel takes is sent again for ten hours
		w.breach(ruleEnd, "something still happens after sixteen hours")
	}
	w.checkNight()
	return w
}

// nights plays many at once, and calls each for them, one at a time, until it returns false.
func nights(from uint64, n int, bug plant, each func(*world) bool) {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // a night leaves little and allocates much
	var next atomic.Uint64
	next.Store(from)
	var mu sync.Mutex
	var all sync.WaitGroup
	stop := false
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for {
				seed := next.Add(1) - 1
				mu.Lock()
				over := stop || seed >= from+uint64(n)
				mu.Unlock()
				if over {
					return
				}
				w := night(seed, false, bug)
				mu.Lock()
				stop = stop || !each(w)
				mu.Unlock()
			}
		})
	}
	all.Wait()
}

// Whatever goes wrong in a night, the rules hold.
func TestSim(t *testing.T) {
	if *oneSeed > 0 {
		w := night(*oneSeed, true, "")
		t.Log(w.story())
		for _, b := range w.broken {
			t.Error(b)
		}
		return
	}
	begin := time.Now()
	var worst *world
	rules, failed, calls, faults, invocations, writes, messages := map[string]int{}, 0, 0, 0, 0, 0, 0
	examples, first := map[string][]uint64{}, map[string]string{}
	kinds, misleads := map[string]*tally{}, 0
	var delays, clear []time.Duration
	orders := map[string]int{}
	nights(*from, *seeds, "", func(w *world) bool {
		calls, faults, invocations, writes, messages = calls+w.calls, faults+w.faults, invocations+w.invocations, writes+len(w.writes), messages+len(w.sent)
		if kinds[w.plot.kind] == nil {
			kinds[w.plot.kind] = &tally{}
		}
		kinds[w.plot.kind].add(w)
		misleads += w.misleads
		w.tallyOrders(orders)
		if d, contained := w.delay(); contained {
			delays = append(delays, d)
			if w.weather.clear {
				clear = append(clear, d)
			}
		}
		if len(w.broken) == 0 {
			return true
		}
		failed++
		for _, b := range w.broken {
			if rules[b.rule]++; rules[b.rule] == 1 {
				first[b.rule] = b.what
			}
			if len(examples[b.rule]) < 5 {
				examples[b.rule] = append(examples[b.rule], w.seed)
			}
		}
		if worst == nil || w.calls < worst.calls {
			worst = w // the shortest story
		}
		return true
	})
	took := time.Since(begin)
	t.Logf("%d nights in %v, %.0f a second: %d invocations, %d calls, %d faults, %d settings written, %d messages", *seeds, took.Round(time.Millisecond),
		float64(*seeds)/took.Seconds(), invocations, calls, faults, writes, messages)
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		t.Logf("  %-20s %+v", kind, *kinds[kind])
	}
	t.Logf("from the alarm to the inactive key: %s; in clear nights %s; taken back in nights that mislead: %d", quantiles(delays), quantiles(clear), misleads)
	t.Logf("orders: %v", orders)
	if failed == 0 {
		return
	}
	for _, rule := range slices.SortedFunc(maps.Keys(rules), func(x, y string) int { return cmp.Compare(rules[y], rules[x]) }) {
		t.Errorf("broken %d times: %s (seeds %v; %s)", rules[rule], rule, examples[rule], first[rule])
	}
	again := night(worst.seed, true, "")
	t.Errorf("%d of %d nights broke a rule. The shortest is seed %d; play it again with\n  go test ./internal/sandbox -run 'TestSim$' -v -seed=%d\n%s",
		failed, *seeds, worst.seed, worst.seed, again.story())
}

// quantiles are the median and the 95th percentile of some times.
func quantiles(all []time.Duration) string {
	slices.Sort(all)
	at := func(percent int) time.Duration {
		if len(all) == 0 {
			return 0
		}
		return all[len(all)*percent/100].Round(time.Second)
	}
	return fmt.Sprintf("%d times, median %v, 95th percentile %v", len(all), at(50), at(95))
}

// tally counts nights by how they went.
type tally struct{ nights, clear, fired, contained, byHand, approved, held, lowered, deadLetters int }

func (n *tally) add(w *world) {
	count := func(sum *int, it bool) {
		if it {
			*sum++
		}
	}
	count(&n.nights, true)
	count(&n.clear, w.weather.clear)
	count(&n.fired, len(w.firings) > 0)
	count(&n.contained, slices.ContainsFunc(w.writes, func(x write) bool { return x.incident != "" }))
	count(&n.byHand, slices.ContainsFunc(w.writes, func(x write) bool { return x.by == "a human" }))
	count(&n.approved, len(w.approvals) > 0)
	count(&n.held, slices.ContainsFunc(w.brakes, func(b brakesSince) bool { return len(b.Holds) > 0 }))
	count(&n.lowered, !w.lowered.IsZero())
	count(&n.deadLetters, len(w.deadLetters) > 0)
}

// story is what happened, in virtual time.
func (w *world) story() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the night of seed %d, %s, mode %s\n%s", w.seed, w.plot.kind, w.plot.mode, w.timeline.written.String())
	for _, m := range w.sent {
		fmt.Fprintf(&b, "--- sent at %s by %s: %s\n", m.at.Format(time.TimeOnly), m.by, m.Subject)
	}
	for _, breach := range w.broken {
		fmt.Fprintf(&b, "BROKEN %s\n", breach)
	}
	return b.String()
}

// A seed tells the same story to the byte, however often it is played.
func TestSimReplays(t *testing.T) {
	for seed := range uint64(enginetest.Draws(10, 50)) {
		first, second := night(1000+seed, true, "").story(), night(1000+seed, true, "").story()
		if first != second {
			a, b := strings.Split(first, "\n"), strings.Split(second, "\n")
			for i := range min(len(a), len(b)) {
				if a[i] != b[i] {
					t.Fatalf("seed %d, line %d:\n%s\nand then\n%s", 1000+seed, i, a[i], b[i])
				}
			}
			t.Fatalf("seed %d: one story is longer", 1000+seed)
		}
	}
}

// Bugs that are put in on purpose are found, by the rules that are there for them.
func TestSimFindsPlantedBugs(t *testing.T) {
	for bug, rules := range map[plant][]string{
		lostWrite:      {ruleVerdict, ruleOnce, ruleUndo, ruleEnds, ruleNotified, ruleAsk},
		doubleAction:   {ruleOnce},
		swallowedError: {ruleNotified, ruleAsk, ruleUndo},
		falseCaller:    {ruleApprover},
		lostHold:       {ruleHeld},
		believed:       {ruleHeard},
		heartless:      {ruleHeard},
		blindSeal:      {ruleNeighbour},
		wideDenial:     {ruleCut, ruleNeighbour},
		boldMode:       {ruleVerdict, ruleLowered},
		allEnabled:     {ruleEnabled},
		lostOrder:      {ruleOnce},
		hollowAnswer:   {ruleTrue},
		oldReading:     {ruleMoves},
		deepUndo:       {ruleRestore},
		lostPolicy:     {ruleContained},
	} {
		t.Run(string(bug), func(t *testing.T) {
			played, found := 0, ""
			nights(1, 2000, bug, func(w *world) bool {
				played++
				for _, b := range w.broken {
					if slices.Contains(rules, b.rule) && len(night(w.seed, false, "").broken) == 0 { // it is the bug's doing
						found = b.String()
					}
				}
				return found == ""
			})
			if found == "" {
				t.Fatalf("%s was not found in %d nights", bug, played)
			}
			t.Logf("%s was found after %d nights: %s", bug, played, found)
		})
	}
}
