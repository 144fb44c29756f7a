// Package patience waits for a service that is slow, or that says "not now".
package patience

import (
	"context"
	"fmt"
	"time"
)

// Pause is a wait that doubles, from First up to Most.
type Pause struct{ First, Most time.Duration }

// Next is how long to wait now.
func (p *Pause) Next() time.Duration {
	d := p.First
	p.First = min(2*d, p.Most)
	return d
}

// The waits of an engine that runs queries, which CloudTrail Lake and Athena both are.
var (
	// Poll: a query over some minutes of events ends within seconds, and each second counts. One over days of history takes longer, and the
	// call that reads its state is rate-limited across the account.
	Poll = Pause{First: 500 * time.Millisecond, Most: 2 * time.Second}
	// Slot: slots become free as fast as queries end, in seconds. The SDK has waited out a shorter throttling by itself.
	Slot = Pause{First: time.Second, Most: 8 * time.Second}
	// Rerun: what made a query fail and may pass is other people's load, which takes a while. A run is billed, so none is wasted.
	Rerun = Pause{First: 5 * time.Second, Most: 20 * time.Second}
)

// Wait waits for d, or until ctx ends, which is its error.
func Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Linger is ctx with a grace after its end.
func Linger(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return longer, func() { stop(); cancel() }
}

// Refused says that a service refused a call with "not now" until the time was over. It wraps the end of the time.
type Refused struct {
	// Said is the last refusal in the service's words.
	Said  string
	Ended error
}

func (r *Refused) Error() string { return fmt.Sprintf("refused until the time ended (%s)", r.Said) }
func (r *Refused) Unwrap() error { return r.Ended }

// Caller makes calls again that are refused for now.
type Caller struct {
	// Wait is the package's Wait, but in tests.
	Wait func(context.Context, time.Duration) error
	// Pause is the waits between two calls.
	Pause Pause
	// Passing recognizes the refusals that pass by themselves, and says them in the service's words.
	Passing func(error) (said string, passing bool)
}

// Call makes a call, and makes it again after growing waits while it is refused for now, until ctx ends: then its error is a Refused.
func Call[T any](ctx context.Context, c Caller, call func() (T, error)) (T, error) {
	var none T
	refusal, refused := "", false
	for pause := c.Pause; ; {
		err := ctx.Err()
		if err == nil {
			var out T
			if out, err = call(); err == nil {
				return out, nil
			}
		}
		said, passing := c.Passing(err)
		switch {
		case passing:
			refusal, refused = said, true
		case ctx.Err() != nil && refused:
			return none, &Refused{refusal, ctx.Err()}
		default:
			return none, err
		}
		if ended := c.Wait(ctx, pause.Next()); ended != nil {
			return none, &Refused{refusal, ended}
		}
	}
}
