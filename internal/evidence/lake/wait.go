package lake

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"nightlatch/internal/patience"
)

var (
	// pollWait: a query over some minutes of events ends within seconds, and each second counts; one over days of history
	// takes longer, and DescribeQuery is rate-limited across the account.
	pollWait = patience.Pause{First: 500 * time.Millisecond, Most: 2 * time.Second}
	// refusedWait: slots become free as fast as queries end, in seconds. The SDK has waited out a shorter throttling by itself.
	refusedWait = patience.Pause{First: time.Second, Most: 8 * time.Second}
	// rerunWait: what exhausted Lake is other people's load, which takes a while to pass. A run is billed, so none is wasted.
	rerunWait = patience.Pause{First: 5 * time.Second, Most: 20 * time.Second}
)

// patiently makes a call, and makes it again after growing waits while AWS says "not now", until ctx ends.
func patiently[T any](ctx context.Context, t *Trail, call func() (T, error)) (T, error) {
	return patience.Call(ctx, patience.Caller{Wait: t.wait, Pause: refusedWait, Passing: passing}, call)
}

// passing reports whether an error is a refusal that passes by itself: all query slots are taken, or AWS throttles.
func passing(err error) (string, bool) {
	if _, slots := errors.AsType[*types.MaxConcurrentQueriesException](err); slots {
		return said(err), true
	}
	throttle := retry.ThrottleErrorCode{Codes: retry.DefaultThrottleErrorCodes}
	return said(err), throttle.IsErrorThrottle(err) == aws.TrueTernary
}
