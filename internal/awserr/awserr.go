// Package awserr reads the errors of AWS's SDK for the adapters, which make their one sentence of them: what AWS has answered, or why no
// answer of its own came. What a code means is each adapter's to say. It also says how long is waited after an error before a call is made
// again.
//
// How the SDK wraps errors: https://docs.aws.amazon.com/sdk-for-go/v2/developer-guide/handle-errors.html
package awserr

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// unparsed is the code that the SDK gives to a refusal in which it found none.
const unparsed = "UnknownError"

// Strange reports whether an answer came that is not AWS's own: a proxy's page, or one that is not whole. Which error the SDK makes of it
// depends on the client, on its version, and on the page:
//
//   - an APIError with the code UnknownError, where the page could be read, and nothing like a code was in it;
//   - the same from S3, with a code and a message that the client makes of the status: Forbidden;
//   - a *smithy.DeserializationError, where it could not be read;
//   - an error of no type of the SDK's, where older clients, and outputs of the query protocol, could not read XML.
//
// So it goes by what they have in common, an answer without a code of AWS's. Where the time ended while an answer was read, nobody knows
// whose it was. An answer with a status of success may be taken for a success without a result: that is no error to any client, and what
// is missing is the adapter's to see.
func Strange(err error) bool {
	var resp *smithyhttp.ResponseError
	if !errors.As(err, &resp) || resp.HTTPStatusCode() == 0 || errors.Is(err, context.Canceled) || late(err) {
		return false
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return true
	}
	text := http.StatusText(resp.HTTPStatusCode())
	ofStatus := api.ErrorMessage() == text && api.ErrorCode() == strings.ReplaceAll(text, " ", "")
	return ofStatus || api.ErrorCode() == "" || api.ErrorCode() == unparsed
}

// late reports whether the time ended before an answer was read. Where one had begun, its connection is closed under whoever reads it, who
// may see that first.
func late(err error) bool {
	var resp *smithyhttp.ResponseError
	begun := errors.As(err, &resp) && resp.HTTPStatusCode() != 0
	return errors.Is(err, context.DeadlineExceeded) || begun && errors.Is(err, net.ErrClosed)
}

// Refusal is AWS's own refusal of a call; nil where it did not answer, failed on its side, or something else has answered. Status is that of
// HTTP, 0 where nothing came.
func Refusal(err error) (refusal smithy.APIError, status int) {
	var resp *smithyhttp.ResponseError
	if errors.As(err, &resp) {
		status = resp.HTTPStatusCode()
	}
	var api smithy.APIError
	if errors.As(err, &api) && status < 500 && !Strange(err) {
		return api, status
	}
	return nil, status
}

// Throttled reports whether a code says that the account calls too often.
func Throttled(code string) bool {
	_, ok := retry.DefaultThrottleErrorCodes[code]
	return ok
}

// Unsent is what kept a request from being sent, without the SDK's own layers, which say nothing to a reader; other errors stay as
// they are.
func Unsent(err error) error {
	var send *smithyhttp.RequestSendError
	if errors.As(err, &send) {
		return send.Err
	}
	return err
}

// Cause is Unsent, and of other errors what lies below the name of the operation. Why the SDK has not made the call again is no part of it.
func Cause(err error) error {
	var send *smithyhttp.RequestSendError
	var op *smithy.OperationError
	if errors.As(err, &send) || !errors.As(err, &op) {
		return Unsent(err)
	}
	if joined, ok := op.Err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()[0]
	}
	return op.Err
}

// Silence is a call to a service that it has not answered as itself.
type Silence struct {
	// Doing is what was being done to what; Service the service's name.
	Doing, Service string
	// Ended and Late follow on what is said of a run that was ended, and of an answer that was late: "; try again".
	Ended, Late string
	// Reach is what to check where nothing came back: "the responder reaches CloudWatch".
	Reach string
}

// Sentence says why there is no answer, and what to do about it. status is Refusal's.
func (s Silence) Sentence(status int, err error) error {
	switch {
	case status >= 500:
		return fmt.Errorf("%s: %s failed on its side (HTTP %d); try again", s.Doing, s.Service, status)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: the run was ended before %s answered%s", s.Doing, s.Service, s.Ended)
	case late(err):
		return fmt.Errorf("%s: %s did not answer in time%s", s.Doing, s.Service, s.Late)
	case Strange(err):
		return fmt.Errorf("%s: the answer (HTTP %d) is not %s's; see whether a proxy stands between", s.Doing, status, s.Service)
	}
	return fmt.Errorf("%s: no answer came: %v; see whether %s", s.Doing, Cause(err), s.Reach)
}
