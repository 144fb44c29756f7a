package awserr

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// Retries makes a call again that fails in passing, in so many attempts. Before each but the first it waits at random: up to first, then
// twice as long, and never longer than most.
//
// Since core 1.48.0 the SDK by itself waits up to 50 ms after a fault or a cut connection: three attempts are over within a tenth of a
// second; before, they took two. What fails on AWS's side fails for longer than that. After a throttle first is a second, whatever is
// given, and most holds there too. Where AWS itself says in x-amz-retry-after how long to wait, up to five seconds come on top; the
// adapters' timeouts bound a call with all of its waits.
func Retries(attempts int, first, most time.Duration, more ...func(*retry.StandardOptions)) *retry.Standard {
	options := []func(*retry.StandardOptions){func(o *retry.StandardOptions) { o.MaxAttempts, o.BaseDelay, o.MaxBackoff = attempts, first, most }}
	return retry.NewStandard(append(options, more...)...)
}
