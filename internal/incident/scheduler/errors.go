package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"nightlatch/internal/grant"
)

// failed makes the one sentence about a schedule that was not made.
func (w *Wakes) failed(id string, at time.Time, err error) error {
	var api smithy.APIError
	var resp *smithyhttp.ResponseError
	status := 0
	if errors.As(err, &resp) {
		status = resp.HTTPStatusCode()
	}
	doing := fmt.Sprintf("incident %q: waking the responder at %s", id, at.Format(time.RFC3339))
	if errors.As(err, &api) && status < 500 {
		return fmt.Errorf("%s: %s", doing, w.refusal(api))
	}
	switch {
	case status >= 500:
		return fmt.Errorf("%s: EventBridge Scheduler failed on its side (HTTP %d); try again", doing, status)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: the run was ended before EventBridge Scheduler answered; the schedule may have been made", doing)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: EventBridge Scheduler did not answer in time; the schedule may have been made, try again", doing)
	case status != 0:
		return fmt.Errorf("%s: the answer (HTTP %d) is not EventBridge Scheduler's; see whether a proxy stands between", doing, status)
	}
	var send *smithyhttp.RequestSendError
	if errors.As(err, &send) {
		err = send.Err // without the SDK's own layers, which say nothing to a reader
	}
	return fmt.Errorf("%s: no answer came: %v; see whether the responder reaches EventBridge Scheduler", doing, err)
}

// refusal says what Scheduler refused and what to do about it.
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html#API_CreateSchedule_Errors
func (w *Wakes) refusal(api smithy.APIError) string {
	if _, ok := retry.DefaultThrottleErrorCodes[api.ErrorCode()]; ok {
		return "EventBridge Scheduler is throttling the account's calls; try again in a minute"
	}
	switch api.ErrorCode() {
	case "AccessDenied", "AccessDeniedException":
		return grant.Denied("scheduler:CreateSchedule and iam:PassRole", fmt.Sprintf("group %q and %q", w.settings.Group, w.settings.Role), api.ErrorMessage()).Error()
	case "ResourceNotFoundException":
		return fmt.Sprintf("there is no schedule group %q in this region; deploy again, or correct the group's name", w.settings.Group)
	case "ServiceQuotaExceededException":
		return "the account has as many schedules as it may; delete those that nobody needs, or ask AWS for more"
	case "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException", "RequestExpired", "InvalidSignatureException",
		"SignatureDoesNotMatch":
		return "AWS does not accept the responder's credentials; renew them, and check the clock"
	case "UnknownError": // the SDK's word for an answer that is not AWS's
		return "the answer is not EventBridge Scheduler's; see whether a proxy stands between"
	}
	return fmt.Sprintf("EventBridge Scheduler refused with %q (%s); see the errors of CreateSchedule in its API reference", api.ErrorMessage(), api.ErrorCode())
}
