package cloudwatch

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"

	"nightlatch/internal/awserr"
	"nightlatch/internal/grant"
)

// call is one request, for the sentence about its failure: an action, and what it is about.
type call struct{ action, on string }

// service is whom it is sent to.
func (c call) service() string {
	if strings.HasPrefix(c.action, "s3:") {
		return "S3"
	}
	return "CloudWatch"
}

func missing(err error) bool {
	var none *types.ResourceNotFoundException
	var older *types.ResourceNotFound
	return errors.As(err, &none) || errors.As(err, &older)
}

// failed makes the one sentence about a call that failed: what was asked of what, and what to do about it.
func failed(c call, err error) error {
	refused, status := awserr.Refusal(err)
	if refused != nil {
		return refusal(c, refused)
	}
	return awserr.Silence{Doing: fmt.Sprintf("calling %s on %s", c.action, c.on), Service: c.service(), Ended: "; run it again", Late: "; try again",
		Reach: "the responder reaches " + c.service()}.Sentence(status, err)
}

// refusal says what CloudWatch or S3 refused. The codes are those of
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CommonErrors.html and
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
func refusal(c call, api smithy.APIError) error {
	if awserr.Throttled(api.ErrorCode()) {
		return fmt.Errorf("calling %s on %s: %s is throttling the account's calls; try again in a minute", c.action, c.on, c.service())
	}
	switch api.ErrorCode() {
	case "AccessDenied", "AccessDeniedException":
		return grant.Denied(c.action, c.on, api.ErrorMessage())
	case "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException", "RequestExpired", "SignatureDoesNotMatch":
		return fmt.Errorf("calling %s on %s: AWS does not accept the responder's credentials; renew them, and check the clock", c.action, c.on)
	}
	return fmt.Errorf("calling %s on %s: %s refused with %q (%s); see the errors of that call in the %[3]s API reference",
		c.action, c.on, c.service(), api.ErrorMessage(), api.ErrorCode())
}
