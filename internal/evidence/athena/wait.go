package athena

import (
	"context"

	"nightlatch/internal/awserr"
	"nightlatch/internal/patience"
)

// patiently makes a call, and makes it again after growing waits while AWS says "not now", until ctx ends.
func patiently[T any](ctx context.Context, t *Trail, call func() (T, error)) (T, error) {
	return patience.Call(ctx, patience.Caller{Wait: t.wait, Pause: patience.Slot, Passing: passing}, call)
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
