package containment

import (
	"fmt"

	"nightlatch/internal/prose"
)

// Answer is what the cutter answers to an order.
type Answer struct {
	State Answered `json:"state"`
	// Detail is one sentence on how that came about.
	Detail string `json:"detail,omitempty"`
}

// Answered is what became of an order.
type Answered string

// What can become of an order. Anything else is not known.
const (
	CutDone      Answered = "done"      // written, and seen done by reading back
	CutAlready   Answered = "already"   // it was so before
	CutNotDone   Answered = "not-done"  // surely nothing was changed
	CutThrottled Answered = "throttled" // the same, and only for now
	CutUnknown   Answered = "unknown"   // it may have been changed
)

// Err is an answer as Cutter.Cut returns it.
func (a Answer) Err() error {
	switch a.State {
	case CutDone, CutAlready:
		return nil
	case CutNotDone:
		return fmt.Errorf("the cutter answers: %s: %w", prose.Plain(a.Detail), ErrNotDone)
	case CutThrottled:
		return fmt.Errorf("the cutter answers: %s: %w", prose.Plain(a.Detail), ErrThrottled)
	case CutUnknown:
		return fmt.Errorf("the cutter does not know whether it is done: %s; read it back", prose.Plain(a.Detail))
	}
	return fmt.Errorf("the cutter answers %+q, which says nothing; read it back", string(a.State))
}
