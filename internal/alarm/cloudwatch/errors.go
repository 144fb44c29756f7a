package cloudwatch

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"nightlatch/internal/grant"
)

// call is one request, for the sentence that tells of its failure: an action, and what it is about.
type call struct{ action, on string }

func missing(err error) bool {
	var none *types.ResourceNotFoundException
	var older *types.ResourceNotFound
	return errors.As(err, &none) || errors.As(err, &older)
}

// failed makes the one sentence about a call that failed: what was asked of what, and what to do about it.
func failed(c call, err error) error {
	var api smithy.APIError
	var resp *smithyhttp.ResponseError
	status := 0
	if errors.As(err, &resp) {
		status = resp.HTTPStatusCode()
	}
	if errors.As(err, &api) && status < 500 {
		return refusal(c, api)
	}
	switch {
	case status >= 500:
		return fmt.Errorf("calling %s on %s: CloudWatch failed on its side (HTTP %d); try again", c.action, c.on, status)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("calling %s on %s: the run was ended before CloudWatch answered; run it again", c.action, c.on)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("calling %s on %s: CloudWatch did not answer in time; try again", c.action, c.on)
	case status != 0:
		return fmt.Errorf("calling %s on %s: the answer (HTTP %d) is not CloudWatch's; see whether a proxy stands between", c.action, c.on, status)
	}
	var send *smithyhttp.RequestSendError
	if errors.As(err, &send) {
		err = send.Err // without the SDK's own layers, which say nothing to a reader
	}
	return fmt.Errorf("calling %s on %s: no answer came: %v; see whether the responder reaches CloudWatch", c.action, c.on, err)
}

// refusal says what CloudWatch refused. The codes are those of
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CommonErrors.html.
func refusal(c call, api smithy.APIError) error {
	if _, ok := retry.DefaultThrottleErrorCodes[api.ErrorCode()]; ok {
		return fmt.Errorf("calling %s on %s: CloudWatch is throttling the account's calls; try again in a minute", c.action, c.on)
	}
	switch api.ErrorCode() {
	case "AccessDenied", "AccessDeniedException":
		return grant.Denied(c.action, c.on, api.ErrorMessage())
	case "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException", "RequestExpired", "SignatureDoesNotMatch":
		return fmt.Errorf("calling %s on %s: AWS does not accept the responder's credentials; renew them, and check the clock", c.action, c.on)
	case "UnknownError": // the SDK's word for an answer that is not AWS's
		return fmt.Errorf("calling %s on %s: the answer is not CloudWatch's; see whether a proxy stands between", c.action, c.on)
	}
	return fmt.Errorf("calling %s on %s: CloudWatch refused with %q (%s); see the errors of that call in the CloudWatch API reference",
		c.action, c.on, api.ErrorMessage(), api.ErrorCode())
}
