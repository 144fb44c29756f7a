package deployment

import (
	"errors"
	"fmt"

	"github.com/aws/smithy-go"

	"nightlatch/internal/awserr"
	"nightlatch/internal/grant"
)

// call is one request, for the sentence about its failure: an IAM action, and what it is about.
type call struct{ action, on string }

// code is AWS's code of an error; "" where AWS has not answered.
func code(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	return api.ErrorCode()
}

// failed makes the one sentence about a call that failed: what was asked of what, and what to do about it.
// https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
func failed(c call, err error) error {
	doing := fmt.Sprintf("calling %s on %s", c.action, c.on)
	refused, status := awserr.Refusal(err)
	if refused != nil {
		return refusal(c, doing, refused)
	}
	return awserr.Silence{Doing: doing, Service: "AWS", Late: "; try again", Reach: "the region is right and AWS can be reached from here"}.Sentence(status, err)
}

// refusal says what AWS refused.
func refusal(c call, doing string, api smithy.APIError) error {
	if awserr.Throttled(api.ErrorCode()) {
		return fmt.Errorf("%s: AWS is throttling the account's calls; try again in a minute", doing)
	}
	switch api.ErrorCode() {
	case "AccessDenied", "AccessDeniedException":
		return grant.Denied(c.action, c.on, api.ErrorMessage())
	case "ExpiredToken", "ExpiredTokenException", "RequestExpired":
		return errors.New("your AWS credentials have expired; sign in again")
	case "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "IncompleteSignature", "MissingAuthenticationToken":
		return errors.New("AWS does not accept your credentials; sign in again, and check this machine's clock")
	}
	return fmt.Errorf("%s: AWS refused with %q (%s); see the errors of that call in its API reference", doing, api.ErrorMessage(), api.ErrorCode())
}
