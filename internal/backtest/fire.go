package backtest

import (
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/settings"
)

// Firing is one transition of one alarm to ALARM, with all the time that it stayed there: while it is in ALARM it does not fire again.
type Firing struct {
	Bucket    string
	Threshold settings.Threshold
	// At is the end of the first datapoint above the threshold. CloudWatch sees it Late after that.
	At time.Time
	// Until is when no datapoint that the alarm is evaluated on is above the threshold any more.
	Until time.Time
	// First is the datapoint that fired.
	First alarm.Point
	// Above counts the minutes at whose end the newest datapoint was above the threshold, and Most is the highest of these datapoints.
	Above int
	Most  int64

	series *Series
	// past is the alarm as CloudWatch remembers it, with the datapoints that it names; nil where it was reckoned.
	past   *past
	points []alarm.Point
}

// since is when the alarm fired: as CloudWatch remembers it, or Late.
func (f Firing) since() time.Time {
	if f.past != nil {
		return f.past.since
	}
	return f.At.Add(Late)
}

// Late is how long after its end a minute's datapoint is there, and the alarm evaluated on it: "the alarm is two or three minutes late". It moves
// when the responder begins, and never which alarms fire: a minute's alarm fires for a late datapoint, too.
const Late = 3 * time.Minute

// Fire says when an alarm on these minutes fires, in time order. They are in time order themselves, each of them once; a minute that is not there has
// no datapoint, which is no breach.
//
// CloudWatch evaluates an alarm each minute, over a window that slides
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation-window.html). The datapoint of a day is the sum of the 24 hours
// before that minute. Where datapoints are missing, CloudWatch may look at some older ones instead of the missing, and does not say how many: an
// alarm may then stay in ALARM for some minutes longer.
func Fire(minutes []alarm.Point, t settings.Threshold) []Firing {
	var all []Firing
	// evaluated takes the newest datapoint, which is above the threshold at the ends of minutes from first to last.
	evaluated := func(p alarm.Point, first, last time.Time) {
		n := len(all) - 1
		if n < 0 || first.After(all[n].Until) {
			all = append(all, Firing{Threshold: t, At: first, First: p})
			n++
		}
		f := &all[n]
		f.Until = last.Add(time.Duration(t.Evaluated()) * time.Minute)
		f.Above += int(last.Sub(first)/time.Minute) + 1
		f.Most = max(f.Most, p.Bytes)
	}
	for _, l := range levels(minutes, t) {
		if l.bytes > t.Bytes {
			evaluated(alarm.Point{Start: l.first.Add(-t.Period), Bytes: l.bytes}, l.first, l.last)
		}
	}
	return all
}

// level is a datapoint that an alarm is evaluated on, as the newest at the ends of minutes from first to last.
type level struct {
	bytes       int64
	first, last time.Time
}

// levels are the datapoints of an alarm on these minutes, in time order.
func levels(minutes []alarm.Point, t settings.Threshold) (all []level) {
	if t.Period != settings.Minute {
		slide(minutes, t.Period, func(sum int64, first, last time.Time) { all = append(all, level{sum, first, last}) })
		return all
	}
	for _, m := range minutes {
		end := m.Start.Add(time.Minute)
		all = append(all, level{m.Bytes, end, end})
	}
	return all
}

// slide gives the sums over the period before the end of each minute, in time order: each sum with the first and the last minute's end at which it
// is that.
func slide(minutes []alarm.Point, period time.Duration, each func(sum int64, first, last time.Time)) {
	var sum int64
	next, oldest := 0, 0
	for oldest < len(minutes) {
		// A minute is in the sums at the ends of minutes from its own end to one period after its begin.
		leaves := minutes[oldest].Start.Add(period + time.Minute)
		at := leaves
		if next < len(minutes) {
			if comes := minutes[next].Start.Add(time.Minute); !comes.After(leaves) {
				at = comes
			}
		}
		for next < len(minutes) && minutes[next].Start.Add(time.Minute).Equal(at) {
			sum, next = sum+minutes[next].Bytes, next+1
		}
		for oldest < next && minutes[oldest].Start.Add(period+time.Minute).Equal(at) {
			sum, oldest = sum-minutes[oldest].Bytes, oldest+1
		}
		if oldest == len(minutes) {
			return
		}
		until := minutes[oldest].Start.Add(period + time.Minute)
		if oldest == next { // nothing is left in the period
			continue
		}
		if next < len(minutes) {
			if comes := minutes[next].Start.Add(time.Minute); comes.Before(until) {
				until = comes
			}
		}
		each(sum, at, until.Add(-time.Minute))
	}
}
