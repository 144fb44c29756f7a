package lake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
)

// pause is a wait that doubles up to its most.
type pause struct{ first, most time.Duration }

func (p *pause) next() time.Duration {
	d := p.first
	p.first = min(2*d, p.most)
	return d
}

var (
	// pollWait: a query over some minutes of events ends within seconds, and each second counts; one over days of history
	// takes longer, and DescribeQuery is rate-limited across the account.
	pollWait = pause{first: 500 * time.Millisecond, most: 2 * time.Second}
	// refusedWait: slots become free as fast as queries end, in seconds. The SDK has waited out a shorter throttling by itself.
	refusedWait = pause{first: time.Second, most: 8 * time.Second}
	// rerunWait: what exhausted Lake is other people's load, which takes a while to pass. A run is billed, so none is wasted.
	rerunWait = pause{first: 5 * time.Second, most: 20 * time.Second}
)

// wait waits for d, or until ctx ends, which is its error.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// linger is ctx with a grace after its end.
func linger(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return longer, func() { stop(); cancel() }
}

// refusedError says that AWS refused a call with "not now" until the time was over.
type refusedError struct{ last, ended error }

func (e *refusedError) Error() string {
	return fmt.Sprintf("refused until the time ended (%s)", said(e.last))
}

func (e *refusedError) Unwrap() error { return e.ended }

// patiently makes a call, and makes it again after growing waits while AWS says "not now", until ctx ends.
func patiently[T any](ctx context.Context, t *Trail, call func() (T, error)) (T, error) {
	var none T
	var refusal error
	for pause := refusedWait; ; {
		err := ctx.Err()
		if err == nil {
			var out T
			if out, err = call(); err == nil {
				return out, nil
			}
		}
		switch {
		case passing(err):
			refusal = err
		case ctx.Err() != nil && refusal != nil:
			return none, &refusedError{last: refusal, ended: ctx.Err()}
		default:
			return none, err
		}
		if ended := t.wait(ctx, pause.next()); ended != nil {
			return none, &refusedError{last: refusal, ended: ended}
		}
	}
}

// passing reports whether an error is a refusal that passes by itself: all query slots are taken, or AWS throttles.
func passing(err error) bool {
	if _, slots := errors.AsType[*types.MaxConcurrentQueriesException](err); slots {
		return true
	}
	throttle := retry.ThrottleErrorCode{Codes: retry.DefaultThrottleErrorCodes}
	return throttle.IsErrorThrottle(err) == aws.TrueTernary
}
