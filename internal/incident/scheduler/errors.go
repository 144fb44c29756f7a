package scheduler

import (
	"fmt"
	"time"

	"github.com/aws/smithy-go"

	"nightlatch/internal/awserr"
	"nightlatch/internal/grant"
)

// failed makes the one sentence about a schedule that was not made.
func (w *Scheduler) failed(id string, at time.Time, err error) error {
	doing := fmt.Sprintf("incident %q: waking the responder at %s", id, at.Format(time.RFC3339))
	refused, status := awserr.Refusal(err)
	if refused != nil {
		return fmt.Errorf("%s: %s", doing, w.refusal(refused))
	}
	return awserr.Silence{Doing: doing, Service: "EventBridge Scheduler", Ended: "; the schedule may have been made",
		Late: "; the schedule may have been made, try again", Reach: "the responder reaches EventBridge Scheduler"}.Sentence(status, err)
}

// refusal says what Scheduler refused and what to do about it.
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html#API_CreateSchedule_Errors
func (w *Scheduler) refusal(api smithy.APIError) string {
	if awserr.Throttled(api.ErrorCode()) {
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
	}
	return fmt.Sprintf("EventBridge Scheduler refused with %q (%s); see the errors of CreateSchedule in its API reference", api.ErrorMessage(), api.ErrorCode())
}
