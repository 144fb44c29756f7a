package awstest

import (
	"slices"
	"sync"
)

// Call is one call that came in, refused or not.
type Call struct {
	Operation string
	QueryID   string // "" where the operation is about none
	Token     string // the page that is asked for, "" for the first
}

// Engine is what the fakes have in common whose queries have states, take one of the slots, and hand out their rows in pages; E is how
// one of them ends. Its methods may be called while the fake serves, which itself reads the fields under Mu.
type Engine[E any] struct {
	Mu       sync.Mutex
	Arrived  []Call
	Occupied int
	Held     bool
	Looping  bool
	PageRows int
	Endings  []E
}

// Calls are all calls that came in, in that order, those that were refused or cut off too.
func (q *Engine[E]) Calls() []Call {
	q.Mu.Lock()
	defer q.Mu.Unlock()
	return slices.Clone(q.Arrived)
}

// End makes the next queries end in these ways, one for each query, in the order in which they are started.
func (q *Engine[E]) End(endings ...E) {
	q.Mu.Lock()
	defer q.Mu.Unlock()
	q.Endings = append(q.Endings, endings...)
}

// Occupy takes n of the slots with other people's queries; they stay taken until the next Occupy.
func (q *Engine[E]) Occupy(n int) {
	q.Mu.Lock()
	defer q.Mu.Unlock()
	q.Occupied = n
}

// Hold keeps queries running for ever: they get to RUNNING and no further.
func (q *Engine[E]) Hold() {
	q.Mu.Lock()
	defer q.Mu.Unlock()
	q.Held = true
}

// Page makes pages of results at most n rows long, however many are asked for; a header counts.
func (q *Engine[E]) Page(n int) {
	q.Mu.Lock()
	defer q.Mu.Unlock()
	q.PageRows = n
}

// LoopTokens makes every page of results hand out one and the same next token.
func (q *Engine[E]) LoopTokens() {
	q.Mu.Lock()
	defer q.Mu.Unlock()
	q.Looping = true
}
