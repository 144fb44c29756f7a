package athena

import (
	"context"
	"time"

	"nightlatch/internal/evidence"
)

// What the tests, which import the fake that imports this package, see of it.
const (
	CallAttempts = callAttempts
	MaxRuns      = maxRuns
	MaxPages     = maxPages
	MaxStatement = maxStatement
)

// ErrAgain marks what running again can cure.
var ErrAgain = errAgain

// SetWait replaces the waits between calls.
func (t *Trail) SetWait(wait func(context.Context, time.Duration) error) { t.wait = wait }

// SetSeal replaces what reads the seal of the files.
func (t *Trail) SetSeal(seal func(context.Context) evidence.Seal) { t.seal = seal }
