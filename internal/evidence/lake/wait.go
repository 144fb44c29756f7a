package lake

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/smithy-go"

	"nightlatch/internal/awserr"
	"nightlatch/internal/patience"
)

// patiently makes a call, and makes it again after growing waits while AWS says "not now", until ctx ends.
func patiently[T any](ctx context.Context, t *Trail, call func() (T, error)) (T, error) {
	return patience.Call(ctx, patience.Caller{Wait: t.wait, Pause: patience.Slot, Passing: passing}, call)
}

// passing reports whether an error is a refusal that passes by itself: all query slots are taken, or AWS throttles.
func passing(err error) (string, bool) {
	api, answered := errors.AsType[smithy.APIError](err)
	_, slots := errors.AsType[*types.MaxConcurrentQueriesException](err)
	return said(err), answered && (slots || awserr.Throttled(api.ErrorCode()))
}
