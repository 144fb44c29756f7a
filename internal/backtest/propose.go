package backtest

import (
	"cmp"
	"math"
	"slices"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/settings"
)

// Proposal is a threshold for one of a bucket's alarms.
type Proposal struct {
	Bucket string
	// Now is what the bucket was judged with, Threshold the lowest from which on no threshold fires more than is wanted on this history.
	Now, Threshold settings.Threshold
	// Fires and FiresNow count the alarms of both on this history.
	Fires, FiresNow int
	// Missed are the alarms, by their place in the result, at which no datapoint is above the proposed threshold.
	Missed []int
}

// leastProposed is the lowest threshold that is proposed: below it an alarm is about nothing.
const leastProposed = 1 << 20

// Propose says for each alarm of each bucket which threshold would fire at most so often a month, which is 30 days. A lower one that fires as seldom,
// because it never leaves ALARM, is none.
func (r Result) Propose(atMost int) []Proposal {
	from := r.From
	if r.Since.After(from) {
		from = r.Since
	}
	allowed := int(float64(atMost) * r.To.Sub(from).Hours() / (30 * 24))
	var all []Proposal
	for _, s := range r.Series {
		for _, now := range s.Thresholds {
			if len(s.Minutes) == 0 {
				continue
			}
			bytes := roundUp(max(lowest(s.Minutes, now, from, allowed), leastProposed))
			p := Proposal{Bucket: s.Bucket, Now: now, Threshold: settings.Threshold{Bytes: bytes, Period: now.Period}}
			for _, f := range Fire(s.Minutes, p.Threshold) {
				if !f.At.Before(from) {
					p.Fires++
				}
			}
			for i, a := range r.Alarms {
				if a.Bucket != s.Bucket || a.Threshold != now {
					continue
				}
				if p.FiresNow++; a.Most <= p.Threshold.Bytes {
					p.Missed = append(p.Missed, i)
				}
			}
			all = append(all, p)
		}
	}
	return all
}

// lowest is the lowest threshold from which on none fires more often than allowed; 0 where all do. From the top down, each level that comes above
// the threshold begins an alarm, or joins one, or joins two.
func lowest(minutes []alarm.Point, t settings.Threshold, since time.Time, allowed int) int64 {
	all := levels(minutes, t)
	keeps := time.Duration(t.Evaluated()) * time.Minute
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(x, y int) int { return cmp.Compare(all[y].bytes, all[x].bytes) })
	above := make([]bool, len(all))
	// begins reports whether an alarm begins with a level: none before it is near and above the threshold.
	begins := func(i int) bool {
		for j := i - 1; j >= 0 && !all[i].first.After(all[j].last.Add(keeps)); j-- {
			if above[j] {
				return false
			}
		}
		return !all[i].first.Before(since)
	}
	count := 0
	for n := 0; n < len(order); {
		bytes := all[order[n]].bytes
		for ; n < len(order) && all[order[n]].bytes == bytes; n++ {
			i := order[n]
			next := i + 1
			for next < len(all) && !above[next] && !all[next].first.After(all[i].last.Add(keeps)) {
				next++
			}
			joins := next < len(all) && above[next] && begins(next)
			above[i] = true
			if joins && !begins(next) {
				count--
			}
			if begins(i) {
				count++
			}
		}
		if count > allowed {
			return bytes
		}
	}
	return 0
}

// roundUp is the next number of bytes that is easily written: two digits and noughts, of KiB, MiB, GiB or TiB.
func roundUp(bytes int64) int64 {
	unit := int64(1 << 10)
	for unit < 1<<40 && bytes >= unit<<10 {
		unit <<= 10
	}
	if bytes%unit == 0 {
		return bytes
	}
	n := float64(bytes) / float64(unit)
	step := math.Pow(10, max(math.Floor(math.Log10(n))-1, 0))
	if n < 10 && unit > 1<<10 { // 2.3 GiB is 2400 MiB
		unit, n, step = unit>>10, n*1024, 100
		if n >= 10_000 {
			step = 1000
		}
	}
	return int64(math.Ceil(n/step)*step) * unit
}
