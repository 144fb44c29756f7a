package doctor

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/grant"
	"nightlatch/internal/prose"
)

// ObserveName is the check that mode observe is over when it was to be.
const ObserveName = "observe"

// Observe checks that a deployment does not go on observing after the last day that it has set for that. Nothing switches by itself: which mode comes
// next is a human's to say, and until then he hears of it daily.
func Observe(stack Stack, now func() time.Time, grants ...grant.Grant) Check {
	return onStack(ObserveName, stack, grants, func(_ context.Context, d Deployed) Answer {
		until := prose.Safe(d.ObserveUntil)
		switch {
		case containment.Mode(d.Mode) != containment.ModeObserve:
			return holds("the mode is %s", prose.Safe(cmp.Or(d.Mode, string(containment.ModeAsk))))
		case d.ObserveUntil == "":
			return holds("the mode is observe, and no day was set on which that ends")
		case now().UTC().Format(time.DateOnly) <= d.ObserveUntil:
			return holds("the mode is observe until %s", until)
		}
		return Answer{Found: []Finding{{Says: fmt.Sprintf("mode observe was to end on %s, and goes on: Nightlatch contains nothing, and nobody can approve a step", until),
			Mend: "deploy with mode=ask or mode=act, or with another observeUntil; nightlatch incidents --sums says what it would have done"}}}
	})
}
