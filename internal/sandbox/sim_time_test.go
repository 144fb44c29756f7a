package sandbox

// The simulation: whole midnights in virtual time, each from a seed, with the real responder in them. This file has its time:
// one goroutine runs at a time, and the seed says which is next.

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"time"
)

// turn is something that happens at a time. Of those at the same time, the seed's throw decides which is first.
type turn struct {
	at    time.Time
	throw uint64
	dice  *rand.Rand // what it throws itself
	do    func()
}

type turns []turn

func (q turns) Len() int { return len(q) }
func (q turns) Less(i, j int) bool {
	return cmp.Or(q[i].at.Compare(q[j].at), cmp.Compare(q[i].throw, q[j].throw)) < 0
}
func (q turns) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *turns) Push(x any)   { *q = append(*q, x.(turn)) }
func (q *turns) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// timeline is virtual time and what is to happen in it. Everything random comes from a seed's generators, so that it replays exactly: what comes of
// something takes its dice with it.
type timeline struct {
	*rand.Rand
	now   time.Time
	queue turns
	// current is the thread that runs; nil between two.
	current *thread
	// written is the story so far, where it is wanted: it costs half of the time.
	tells   bool
	written strings.Builder
}

// after has something happen later.
func (l *timeline) after(d time.Duration, do func()) { l.at(l.now.Add(d), do) }

func (l *timeline) at(t time.Time, do func()) {
	heap.Push(&l.queue, turn{t, l.Uint64(), l.Rand, do})
}

// with does something with other dice, and leaves the others as they are.
func (l *timeline) with(dice *rand.Rand, do func()) {
	mine := l.Rand
	l.Rand = dice
	do()
	l.Rand = mine
}

// run lets time pass until nothing is left to happen, or until the end.
func (l *timeline) run(end time.Time) (quiet bool) {
	for len(l.queue) > 0 {
		next := heap.Pop(&l.queue).(turn)
		if next.at.After(end) {
			return false
		}
		if next.at.After(l.now) {
			l.now = next.at
		}
		l.with(next.dice, next.do)
	}
	return true
}

// tell adds a line to the story.
func (l *timeline) tell(format string, args ...any) {
	if l.tells {
		fmt.Fprintf(&l.written, "%s  %s\n", l.now.Format("15:04:05.000"), fmt.Sprintf(format, args...))
	}
}

// chance is true in so many of all cases.
func (l *timeline) chance(p float64) bool { return p > 0 && l.Float64() < p }

// between is a duration between two, in milliseconds.
func (l *timeline) between(least, most time.Duration) time.Duration {
	return (least + time.Duration(l.Int64N(int64(most-least)+1))).Truncate(time.Millisecond)
}

// thread is a goroutine that runs only while the timeline waits for it.
type thread struct {
	line            *timeline
	resumed, parked chan struct{}
	// killed says that it ends at its next stop, ended that it has.
	killed, ended bool
}

// start runs body in a thread, from now on.
func (l *timeline) start(body func(*thread)) *thread {
	t := &thread{line: l, resumed: make(chan struct{}), parked: make(chan struct{})}
	go func() {
		<-t.resumed
		defer func() {
			t.ended = true
			t.parked <- struct{}{}
		}()
		if !t.killed {
			body(t)
		}
	}()
	l.after(0, t.step)
	return t
}

// step lets the thread run until it pauses or ends.
func (t *thread) step() {
	if t.ended {
		return
	}
	before := t.line.current
	t.line.current = t
	t.resumed <- struct{}{}
	<-t.parked
	t.line.current = before
}

// pause lets time pass in a thread.
func (t *thread) pause(d time.Duration) {
	t.line.after(d, t.step)
	t.park()
}

// park has the thread wait until somebody steps it.
func (t *thread) park() {
	t.parked <- struct{}{}
	<-t.resumed
	if t.killed {
		runtime.Goexit() // no recover stops it, and deferred calls find the thread killed
	}
}

// kill ends the thread where it stands. It is called while another runs.
func (t *thread) kill() {
	if !t.ended && !t.killed {
		t.killed = true
		t.step()
	}
}

// virtual is the context of an invocation. Its deadline lies in virtual time, long before the real one, so that context.WithTimeout below it
// makes no timer of its own.
type virtual struct {
	context.Context
	deadline time.Time
}

func (v virtual) Deadline() (time.Time, bool) { return v.deadline, true }
