package sns

import (
	"fmt"

	"github.com/aws/smithy-go"

	"nightlatch/internal/awserr"
	"nightlatch/internal/grant"
)

// throttleCodes are SNS's own beside those that the SDK knows. https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
var throttleCodes = map[string]struct{}{"Throttled": {}, "KMSThrottling": {}}

// failed makes the one sentence about a message that was not taken.
func (t *Topic) failed(err error) error {
	refused, status := awserr.Refusal(err)
	if refused != nil {
		return t.refused(refused)
	}
	return awserr.Silence{Doing: fmt.Sprintf("publishing to SNS topic %q", t.arn), Service: "SNS", Ended: "; the message may have been sent",
		Late: "; the message may have been sent, try again", Reach: "the responder reaches SNS"}.Sentence(status, err)
}

// refused says what SNS refused and what to do about it.
func (t *Topic) refused(api smithy.APIError) error {
	switch api.ErrorCode() {
	case "AuthorizationError", "AccessDenied", "AccessDeniedException":
		return grant.Denied("sns:Publish", fmt.Sprintf("topic %q", t.arn), api.ErrorMessage())
	case "KMSAccessDenied": // SNS uses the key with the rights of whoever publishes
		return grant.Denied("kms:GenerateDataKey and kms:Decrypt", fmt.Sprintf("the key of topic %q", t.arn), api.ErrorMessage())
	}
	return fmt.Errorf("publishing to SNS topic %q: %s", t.arn, refusal(api))
}

// refusal is refused, of what no permission heals.
func refusal(api smithy.APIError) string {
	code := api.ErrorCode()
	if _, own := throttleCodes[code]; own || awserr.Throttled(code) {
		return "SNS is throttling; try again in a minute"
	}
	switch code {
	case "KMSDisabled", "KMSInvalidState", "KMSNotFound", "KMSOptInRequired":
		return "the topic's KMS key cannot be used; enable it, or give the topic another one"
	case "NotFound":
		return "there is no such topic; deploy again, or correct the topic's ARN"
	case "ExpiredToken", "InvalidClientTokenId", "InvalidSecurity", "RequestExpired", "SignatureDoesNotMatch":
		return "AWS does not accept the responder's credentials; renew them, and check the clock"
	}
	return fmt.Sprintf("SNS refused the message with %q (%s); see the errors of Publish in the SNS API reference", api.ErrorMessage(), code)
}
