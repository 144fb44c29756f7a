package awserr

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go"
)

// A fault that lasts a second is ridden out: the waits are as long as they are meant to be, and not the SDK's own 50 ms.
func TestWaitsAreLongEnough(t *testing.T) {
	for _, c := range []struct {
		first, most time.Duration
		want        []time.Duration // the most that is waited after each attempt
		err         error
	}{
		{time.Second, time.Second, []time.Duration{time.Second, time.Second}, errors.New("cut")},
		{time.Second, 20 * time.Second, []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}, errors.New("cut")},
		{300 * time.Millisecond, 300 * time.Millisecond, []time.Duration{300 * time.Millisecond, 300 * time.Millisecond}, &smithy.GenericAPIError{Code: "Throttling"}},
	} {
		r := Retries(3, c.first, c.most)
		if r.MaxAttempts() != 3 {
			t.Errorf("%d attempts", r.MaxAttempts())
		}
		for i, want := range c.want {
			var longest time.Duration
			for range 200 { // half of the wait is missed by all of them once in 2^200 times
				d, err := r.RetryDelay(i+1, c.err)
				if err != nil {
					t.Fatal(err)
				}
				longest = max(longest, d)
			}
			if longest > want || longest < want/2 {
				t.Errorf("%v to %v, after attempt %d: at most %v, want %v", c.first, c.most, i+1, longest, want)
			}
		}
	}
}

// Where too many calls have failed, the SDK makes them once, and joins its own reason to theirs. What AWS said is found all the same.
func TestWhatFailsWithoutRetriesLeftIsOneSentence(t *testing.T) {
	answers := map[string]http.HandlerFunc{
		"cut off":   func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"failed":    page(500, "<html>", 0),
		"throttled": page(400, strings.ReplaceAll(jsonRefusal, "AccessDenied", "ThrottlingException"), 0),
	}
	for what, answer := range answers {
		server := httptest.NewServer(answer)
		t.Cleanup(server.Close)
		err := clients["athena"].call(t.Context(), aws.Config{
			Region: "eu-west-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "x", ""),
			Retryer: func() aws.Retryer {
				return Retries(3, time.Second, time.Second, func(o *retry.StandardOptions) { o.RateLimiter = ratelimit.NewTokenRateLimit(0) })
			},
		})
		if err == nil || !strings.Contains(err.Error(), "retry quota exceeded") {
			t.Errorf("%s: got %v, and the quota was not the reason", what, err)
		}
		if said := Cause(err).Error(); strings.Contains(said, "\n") || strings.Contains(said, "quota") {
			t.Errorf("%s: the cause is %q", what, said)
		}
		if refusal, _ := Refusal(err); (refusal != nil && Throttled(refusal.ErrorCode())) != (what == "throttled") || Strange(err) != (what == "failed") {
			t.Errorf("%s: refusal %v, strange %t", what, refusal, Strange(err))
		}
	}
}
