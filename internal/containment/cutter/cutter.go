// Package cutter has the cutter do what is ordered: it calls that function and waits for its answer.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
package cutter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"nightlatch/internal/awserr"
	"nightlatch/internal/containment"
	"nightlatch/internal/grant"
	"nightlatch/internal/lazyregexp"
)

const (
	// FunctionTimeout is how long the function may take: it reads at most twice and writes once, and each call has a time of its own.
	FunctionTimeout = time.Minute
	// timeout is longer, so that an answer is not given up which still comes.
	timeout = FunctionTimeout + 10*time.Second
	// maxAnswer is how long an answer may be, in bytes: it is a sentence.
	maxAnswer = 16 << 10
)

// Cutter calls one function. It is safe for use by several goroutines.
type Cutter struct {
	function string
	client   *lambda.Client
	// buckets is taken by the one order on buckets that is under way. A put replaces a bucket's whole policy, and two of them at once would lose
	// a statement; there is one worker at a time, and so one of these.
	buckets chan struct{}
}

var _ containment.Cutter = (*Cutter)(nil)

var functionName = lazyregexp.New(`^[A-Za-z0-9_-]{1,64}$`)

// New makes the cutter whose function has a name, in cfg's account and region.
func New(cfg aws.Config, function string) (*Cutter, error) {
	switch {
	case cfg.Region == "":
		return nil, errors.New("the cutter needs a region, and the AWS configuration has none; set AWS_REGION")
	case cfg.Credentials == nil:
		return nil, errors.New("the cutter needs credentials, and the AWS configuration has none; sign in or set a profile")
	case !functionName.MatchString(function):
		return nil, fmt.Errorf("the cutter needs its function, and %q is not the name of one", function)
	}
	// A second attempt would order twice, and its answer say nothing of the first.
	return &Cutter{function, lambda.NewFromConfig(cfg, func(o *lambda.Options) { o.Retryer = aws.NopRetryer{} }), make(chan struct{}, 1)}, nil
}

// Grants are the permissions that the package needs, with ${Cutter} for the function's ARN.
func Grants() []grant.Grant {
	return []grant.Grant{{Sid: "OrderCuts", Actions: []string{"lambda:InvokeFunction"}, On: []string{"${Cutter}"}}}
}

// Cut implements containment.Cutter. Lambda refuses before it runs anything; whatever goes wrong later leaves open what was done.
func (c *Cutter) Cut(ctx context.Context, o containment.Order) error {
	doing := fmt.Sprintf("ordering %s of the cutter", o.Action)
	order, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("%s: %v: %w", doing, err, containment.ErrNotDone)
	}
	if o.Bucket != "" {
		select {
		case c.buckets <- struct{}{}:
			defer func() { <-c.buckets }()
		case <-ctx.Done():
			return fmt.Errorf("%s: another order on a bucket was under way until the run was ended: %w", doing, containment.ErrNotDone)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	out, err := c.client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &c.function, InvocationType: types.InvocationTypeRequestResponse, Payload: order})
	switch {
	case err != nil:
		return failed(doing, err)
	case out.FunctionError != nil: // it may have written before
		return fmt.Errorf("%s: the function failed (%+.40q); see its log, and read it back", doing, *out.FunctionError)
	}
	a, err := read(out.Payload)
	if err != nil {
		return fmt.Errorf("%s: the answer cannot be read (%v); read it back", doing, err)
	}
	if err := a.Err(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// read reads an answer, strictly: it says what was done.
func read(payload []byte) (a containment.Answer, err error) {
	if len(payload) > maxAnswer {
		return a, fmt.Errorf("it has %d bytes", len(payload))
	}
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		return containment.Answer{}, fmt.Errorf("%+.100q", err.Error())
	}
	if _, more := dec.Token(); more != io.EOF {
		return containment.Answer{}, errors.New("there is something behind it")
	}
	return a, nil
}

// failed makes the one sentence about a call that failed.
func failed(doing string, err error) error {
	refusal, status := awserr.Refusal(err)
	switch {
	case status == http.StatusRequestTimeout:
		return fmt.Errorf("%s: Lambda has given up (HTTP %d); read it back", doing, status)
	case refusal == nil:
		return awserr.Silence{Doing: doing, Service: "Lambda", Ended: "; read it back", Late: "; read it back", Reach: "the responder reaches Lambda, and read it back"}.Sentence(status, err)
	}
	switch code := refusal.ErrorCode(); {
	case awserr.Throttled(code) || status == http.StatusTooManyRequests:
		return fmt.Errorf("%s: Lambda is throttling the account's calls: %w", doing, containment.ErrThrottled)
	case code == "AccessDeniedException" || code == "AccessDenied":
		return fmt.Errorf("%w: %w", grant.Denied("lambda:InvokeFunction", "the cutter", refusal.ErrorMessage()), containment.ErrNotDone)
	default:
		return fmt.Errorf("%s: Lambda refused with %s (%+.200q): %w", doing, code, refusal.ErrorMessage(), containment.ErrNotDone)
	}
}
