package athena

import (
	"context"
	"time"

	"nightlatch/internal/awserr"
	"nightlatch/internal/patience"
)

var (
	// pollWait: a query over some minutes of events ends within seconds, and each second counts; one over days of history
	// takes longer, and GetQueryExecution is rate-limited across the account.
	pollWait = patience.Pause{First: 500 * time.Millisecond, Most: 2 * time.Second}
	// refusedWait: slots become free as fast as queries end, in seconds. The SDK has waited out a shorter throttling by itself.
	refusedWait = patience.Pause{First: time.Second, Most: 8 * time.Second}
	// rerunWait: what made a query fail for now is other people's load, which takes a while to pass. A run is billed, so none is wasted.
	rerunWait = patience.Pause{First: 5 * time.Second, Most: 20 * time.Second}
)

// patiently makes a call, and makes it again after growing waits while AWS says "not now", until ctx ends.
func patiently[T any](ctx context.Context, t *Trail, call func() (T, error)) (T, error) {
	return patience.Call(ctx, patience.Caller{Wait: t.wait, Pause: refusedWait, Passing: passing}, call)
}

// passing reports whether an error is a refusal that passes by itself: all query slots are taken, or AWS throttles. Athena has one code
// for both, TooManyRequestsException, with a reason.
func passing(err error) (string, bool) {
	refusal, _ := awserr.Refusal(err)
	if refusal == nil {
		return "", false
	}
	return said(err), awserr.Throttled(refusal.ErrorCode())
}
