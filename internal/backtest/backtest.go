// Package backtest says what Nightlatch would have done: it finds in a trail's files which alarms of a deployment had fired, in time order, and has
// the real responder answer each of them, with the real questions, facts and policy, in mode act and an account in memory.
//
// Which minutes fire is reckoned as CloudWatch evaluates the stack's alarms
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html). The metric is what the records add up to. Each alarm is
// answered by itself, with all that the files hold in the end: what CloudTrail delivered late is there at once.
//
// It may import the leaves, the stages, the rooms, the responder and the sandbox. It must not import an adapter, and no Lambda may link it.
package backtest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/evidence"
	"nightlatch/internal/policy"
	"nightlatch/internal/settings"
)

// Policy is a policy under the name by which the result tells it from the others.
type Policy struct {
	Name string
	// ID tells it from any other text, for what is kept.
	ID     string
	Policy *policy.Policy
}

// Backtest is what is asked.
type Backtest struct {
	// Trail holds the records.
	Trail evidence.Trail
	// Watched are the buckets with their thresholds; nil is every bucket of the trail, as if each were named, with the default thresholds.
	Watched []settings.Bucket
	// From and To are the first and the last call of the trail. Alarms before Since are left out; zero is none of them.
	From, To, Since time.Time
	// Lost names what could not be read of the trail.
	Lost []string
	// Policies judge each alarm, one after the other.
	Policies []Policy
	// History are alarms that have fired. Where there are some, they are judged, and not those that the trail would have fired.
	History *History
	// AtMost is how often a month an alarm of a proposed threshold may fire.
	AtMost int
	// Known is what an earlier run has decided, by a name that Keep was given. Keep is told of each decision as soon as it is there; it may be nil.
	Known map[string]Judged
	Keep  func(name string, j Judged)
	// Progress is told what is being done, and how much of it is over. It may be nil.
	Progress func(what string, done, of int)
}

// Run does it. It returns an error where the trail cannot be asked, or ctx has ended.
func (b Backtest) Run(ctx context.Context) (Result, error) {
	if b.Progress == nil {
		b.Progress = func(string, int, int) {}
	}
	all, unwatched, err := b.series(ctx)
	if err != nil {
		return Result{}, err
	}
	holes, err := b.holes(ctx)
	if err != nil {
		return Result{}, err
	}
	r := Result{Schema: Schema, From: b.From, To: b.To, Since: b.Since, Lost: b.Lost, Unwatched: unwatched, Holes: holes, AtMost: b.AtMost, Series: all, Alarms: []Alarm{}}
	for _, p := range b.Policies {
		r.Policies = append(r.Policies, p.Name)
	}
	var remembered []Firing
	if b.History != nil {
		from := b.From
		if b.Since.After(from) {
			from = b.Since
		}
		all, remembered, r.Notes = b.History.firings(all, from, b.To)
		r.Series = all
	}
	firings := b.firings(all)
	if b.History != nil {
		r.Notes = append(compare(remembered, firings), r.Notes...)
		firings = remembered
	}
	w := newWorld(b.Trail, all)
	todo, done := 0, 0
	for _, f := range firings {
		if b.open(f) {
			todo++
		}
	}
	for _, f := range firings {
		if b.open(f) {
			b.Progress("alarms judged", done, todo)
			done++
		}
		a := f.alarm(b.From)
		for _, p := range b.Policies {
			judged, err := b.judge(ctx, w, f, p)
			if err != nil {
				return Result{}, fmt.Errorf("answering the alarm on bucket %+q of %s: %w", f.Bucket, f.At.Format(time.DateTime), err)
			}
			a.Judged = append(a.Judged, judged)
		}
		w.trail.forget()
		r.Alarms = append(r.Alarms, a)
	}
	return r, nil
}

// open reports whether an alarm has to be answered by some policy.
func (b Backtest) open(f Firing) bool {
	return slices.ContainsFunc(b.Policies, func(p Policy) bool {
		_, known := b.Known[f.name(p)]
		return !known
	})
}

// name tells an alarm under a policy from all others.
func (f Firing) name(p Policy) string {
	name := fmt.Sprintf("%s %s %d %s %s", f.Bucket, f.Threshold.Period, f.Threshold.Bytes, f.At.Format(time.RFC3339), p.ID)
	if f.past != nil {
		name += fmt.Sprintf(" %s %v", f.past.since.Format(time.RFC3339Nano), f.points)
	}
	return name
}

// judge has an alarm answered, unless an earlier run did.
func (b Backtest) judge(ctx context.Context, w *world, f Firing, p Policy) (Judged, error) {
	name := f.name(p)
	if known, ok := b.Known[name]; ok {
		return known, nil
	}
	judged, err := w.play(ctx, f, p.Policy)
	if err == nil && b.Keep != nil {
		b.Keep(name, judged)
	}
	return judged, err
}

// series adds up the trail's bytes, one day after the other: a day of a busy trail is as much as an engine should sort at once. unwatched are the
// buckets in the trail for which no alarm is made.
func (b Backtest) series(ctx context.Context) (all []Series, unwatched []string, err error) {
	w := watch(b.Watched)
	first := b.From.Truncate(settings.Day)
	days := int(b.To.Sub(first)/settings.Day) + 1
	for n := range days {
		b.Progress("days added up", n, days)
		day := first.Add(time.Duration(n) * settings.Day)
		answer, err := b.Trail.Ask(ctx, evidence.Minutes{From: day, To: day.Add(settings.Day)})
		if err != nil {
			return nil, nil, err
		}
		minutes, err := evidence.ReadMinutes(answer.Rows)
		if err != nil {
			return nil, nil, fmt.Errorf("adding up the bytes of %s: %w", day.Format(time.DateOnly), err)
		}
		w.add(minutes)
	}
	all, unwatched = w.series()
	return all, unwatched, nil
}

// Series is what went out of one watched bucket.
type Series struct {
	Bucket     string
	Thresholds []settings.Threshold
	// Region is where the bucket is, Account whose it is; "" where the trail does not say.
	Region, Account string
	// Places are all regions and accounts that the records name for it, where they do not agree.
	Places []string
	// Minutes are the minutes in which something was called, oldest first.
	Minutes []alarm.Point
}

// watching puts minutes together by watched bucket.
type watching struct {
	found     map[string]*Series
	where     map[string]map[[2]string]int64 // by bucket, how often each region and account stands there
	others    []settings.Threshold
	unwatched map[string]bool
}

func watch(watched []settings.Bucket) *watching {
	w := &watching{found: map[string]*Series{}, where: map[string]map[[2]string]int64{}, others: others(watched), unwatched: map[string]bool{}}
	for _, b := range watched {
		if b.Name != settings.EveryBucket {
			w.found[b.Name] = &Series{Bucket: b.Name, Thresholds: b.Thresholds}
		}
	}
	return w
}

// add takes minutes that come after those before.
func (w *watching) add(minutes []evidence.Minute) {
	for _, m := range minutes {
		s := w.found[m.Bucket]
		if s == nil {
			if w.others == nil || settings.CheckBucket(m.Bucket) != nil {
				w.unwatched[m.Bucket] = true
				continue
			}
			s = &Series{Bucket: m.Bucket, Thresholds: w.others}
			w.found[m.Bucket] = s
		}
		s.Minutes = append(s.Minutes, alarm.Point{Start: m.Start, Bytes: m.Bytes})
		if w.where[s.Bucket] == nil {
			w.where[s.Bucket] = map[[2]string]int64{}
		}
		w.where[s.Bucket][[2]string{m.Region, m.Owner}]++
	}
}

// series are the watched buckets in the order of their names, and the names of the others.
func (w *watching) series() (all []Series, unwatched []string) {
	for _, s := range w.found {
		s.place(w.where[s.Bucket])
		all = append(all, *s)
	}
	slices.SortFunc(all, func(x, y Series) int { return cmp.Compare(x.Bucket, y.Bucket) })
	return all, slices.Sorted(maps.Keys(w.unwatched))
}

// others are the thresholds of a bucket that has no entry; nil where such a bucket is not watched.
func others(watched []settings.Bucket) []settings.Threshold {
	if watched == nil {
		return settings.DefaultThresholds("")
	}
	for _, b := range watched {
		if b.Name == settings.EveryBucket {
			return b.Thresholds
		}
	}
	return nil
}

// place takes the region and the account that most minutes have.
func (s *Series) place(where map[[2]string]int64) {
	most := int64(0)
	for at, n := range where {
		if n > most || n == most && at[0]+at[1] < s.Region+s.Account {
			most, s.Region, s.Account = n, at[0], at[1]
		}
	}
	if len(where) > 1 {
		for at := range where {
			s.Places = append(s.Places, at[0]+" "+at[1])
		}
		slices.Sort(s.Places)
	}
}

// firings are the alarms of all series since Since, in time order.
func (b Backtest) firings(all []Series) []Firing {
	var firings []Firing
	for i := range all {
		for _, t := range all[i].Thresholds {
			for _, f := range Fire(all[i].Minutes, t) {
				if f.series, f.Bucket = &all[i], all[i].Bucket; !f.At.Before(b.Since) {
					firings = append(firings, f)
				}
			}
		}
	}
	slices.SortFunc(firings, func(x, y Firing) int {
		return cmp.Or(x.At.Compare(y.At), cmp.Compare(x.Bucket, y.Bucket), cmp.Compare(x.Threshold.Period, y.Threshold.Period))
	})
	return firings
}
