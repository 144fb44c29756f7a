package evidence

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"nightlatch/internal/settings"
)

// Window is what one incident asks of Bytes: who moved the bytes of Buckets in [From, To), which are whole seconds.
type Window struct {
	// ID is the incident's; of a question's windows each has another. It is no part of the SQL.
	ID string
	// Buckets are names. What no bucket can be called (settings.CheckBucket) is not asked for.
	Buckets  []string
	From, To time.Time
}

// names are the buckets as the question writes them: sorted, each once, with what no name holds between them.
func (w Window) names() string {
	names := slices.DeleteFunc(slices.Clone(w.Buckets), func(b string) bool { return settings.CheckBucket(b) != nil })
	slices.Sort(names)
	return strings.Join(slices.Compact(names), "/")
}

// span is a window's time, in seconds of Unix.
type span struct{ from, to int64 }

func (w Window) span() span { return span{w.From.Unix(), w.To.Unix()} }

// length is how much of the trail is scanned for the span.
func (s span) length(around time.Duration) time.Duration {
	return time.Duration(s.to-s.from)*time.Second + around
}

// with is the shortest span that holds both.
func (s span) with(o span) span { return span{min(s.from, o.from), max(s.to, o.to)} }

// asked are the windows of one span: their lists of buckets, each list once.
type asked struct {
	span
	before int // how many lists stand before these in the question
	lists  []string
}

// asked groups the windows, in the order in which their spans come.
func (q Bytes) asked() []asked {
	at := map[span]int{}
	var all []asked
	for _, w := range q.Windows {
		i, known := at[w.span()]
		if !known {
			i = len(all)
			at[w.span()] = i
			all = append(all, asked{span: w.span()})
		}
		if names := w.names(); !slices.Contains(all[i].lists, names) {
			all[i].lists = append(all[i].lists, names)
		}
	}
	for i := range all[1:] {
		all[i+1].before = all[i].before + len(all[i].lists)
	}
	return all
}

// Numbers gives, by the window's ID, the number that a window's rows have in the column window_no of an answer, from 1. Windows of
// the same buckets and times share it.
func (q Bytes) Numbers() map[string]int64 {
	type list struct {
		span
		names string
	}
	numbers := map[list]int64{}
	for _, a := range q.asked() {
		for i, names := range a.lists {
			numbers[list{a.span, names}] = int64(a.before + i + 1)
		}
	}
	byID := map[string]int64{}
	for _, w := range q.Windows {
		byID[w.ID] = numbers[list{w.span(), w.names()}]
	}
	return byID
}

// before is how much is read before each window: the margin, and the past up to the LastHour.
func (q Bytes) before() time.Duration { return max(q.Margin, Edge+LastHour) }

// around is how much is read before and after each window.
func (q Bytes) around() time.Duration { return q.before() + q.Margin }

// hull is the time that holds all windows and what is read around them.
func (q Bytes) hull() (from, to time.Time) {
	var all span
	for i, w := range q.Windows {
		if all = all.with(w.span()); i == 0 {
			all = w.span()
		}
	}
	return time.Unix(all.from, 0).Add(-q.before()), time.Unix(all.to, 0).Add(q.Margin)
}

// values writes the windows as rows: how many are before, the seconds of begin and end from the hull's begin, and the lists of buckets,
// with blanks between the lists. A window more of the same minute costs its name and one character: of 1,000 alarms that fire in one
// minute, as many as can be shall share a query.
func (q Bytes) values() string {
	from, _ := q.hull()
	var rows []string
	for _, a := range q.asked() {
		rows = append(rows, fmt.Sprintf("(%d,%d,%d,%s)", a.before, a.from-from.Unix(), a.to-from.Unix(), quote(strings.Join(a.lists, " "))))
	}
	return strings.Join(rows, ",")
}

// tableRoom is what a table's name takes of a statement: in Lake it is a UUID.
const tableRoom = 36

// freeScan is how much longer the scan for a window may become by company, if not by its own length again. Lake bills what it scans, and an
// hour of a million events is about a cent. One of its ten query slots is worth more, since an attacker may be filling them. The bound by the
// own length keeps a minute's window, which is waited for, out of a question over a day, and keeps days from adding up.
const freeScan = time.Hour

// bytesLength is how long the question about one window without a bucket is, with all numbers at their longest.
var bytesLength = sync.OnceValue(func() int {
	at := time.Unix(1e9, 0)
	return len(Bytes{[]Window{{From: at, To: at.Add(99 * time.Hour)}}, 99 * time.Hour}.SQL(Schema{}))
})

// Batches splits the question into questions that fit every engine. None is longer than the shortest limit, and for no window of one is
// much more scanned than it alone would need. Each window goes into the first that has room, so that the windows that come first are asked
// first. A window whose own buckets are too many gets a question to itself, which Lake refuses with the reason; an alarm has at most ten
// buckets.
func (q Bytes) Batches() []Bytes {
	type batch struct {
		windows []Window
		spans   map[span]bool
		hull    span
		reach   time.Duration // the longest that the hull may become
		room    int           // characters
	}
	switch len(q.Windows) {
	case 0:
		return nil
	case 1:
		return []Bytes{q}
	}
	room := MaxStatement - tableRoom - bytesLength()
	var batches []*batch
	for _, w := range q.Windows {
		s, names := w.span(), len(w.names())
		reach := s.length(q.around()) + max(s.length(q.around()), freeScan)
		spanRoom := len(fmt.Sprintf("(999,%[1]d,%[1]d,''),", reach/time.Second)) // with all numbers at their longest
		cost := func(b *batch) int {
			if b.spans[s] {
				return names + 1
			}
			return names + spanRoom
		}
		i := slices.IndexFunc(batches, func(b *batch) bool {
			return cost(b) <= b.room && b.hull.with(s).length(q.around()) <= min(b.reach, reach)
		})
		if i < 0 {
			i = len(batches)
			batches = append(batches, &batch{spans: map[span]bool{}, hull: s, reach: reach, room: room})
		}
		b := batches[i]
		b.room -= cost(b)
		b.windows, b.spans[s], b.hull, b.reach = append(b.windows, w), true, b.hull.with(s), min(b.reach, reach)
	}
	questions := make([]Bytes, len(batches))
	for i, b := range batches {
		questions[i] = Bytes{Windows: b.windows, Margin: q.Margin}
	}
	return questions
}
