// Package clock is the time, and waiting for it: the machine's own here, one that skips in the sandbox and in tests.
package clock

import (
	"context"
	"time"
)

// Clock is the time, and waiting.
type Clock interface {
	Now() time.Time
	// Wait returns nil at or after the time given, or earlier with ctx's error.
	Wait(ctx context.Context, until time.Time) error
}

// System is the machine's own clock.
type System struct{}

// Now implements Clock.
func (System) Now() time.Time { return time.Now().UTC() }

// Wait implements Clock.
func (System) Wait(ctx context.Context, until time.Time) error {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
