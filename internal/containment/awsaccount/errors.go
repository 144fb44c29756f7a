package awsaccount

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"nightlatch/internal/awserr"
	"nightlatch/internal/grant"
)

// call is one request, for the sentence about its failure: an IAM action, and what it is about.
type call struct{ action, on string }

// answer is what AWS itself said: an error with a code, and the HTTP status that it came with.
func answer(err error) (api smithy.APIError, status int, ok bool) {
	var resp *smithyhttp.ResponseError
	if awserr.Strange(err) || !errors.As(err, &api) || !errors.As(err, &resp) {
		return nil, 0, false
	}
	return api, resp.HTTPStatusCode(), true
}

// refused reports that AWS has answered, and definitely refused: nothing happened. A timeout on AWS's side, a server error,
// a cut connection and an answer that is not AWS's leave open whether the request took effect.
func refused(err error) bool {
	_, status, ok := answer(err)
	return ok && status >= 400 && status < 500 && status != http.StatusRequestTimeout
}

// missing goes by the code: GetAccessKeyLastUsed declares no errors, so the SDK makes no typed one of its NoSuchEntity.
func missing(err error) bool {
	api, _, ok := answer(err)
	return ok && api.ErrorCode() == "NoSuchEntity"
}

func denied(err error) bool {
	api, _, ok := answer(err)
	return ok && (api.ErrorCode() == "AccessDenied" || api.ErrorCode() == "AccessDeniedException")
}

// throttled reports that AWS would have done it, had the account made fewer calls.
func throttled(err error) bool {
	api, _, ok := answer(err)
	return ok && awserr.Throttled(api.ErrorCode())
}

// staleCredentials are the codes that say that the request's signature was not accepted.
// https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
var staleCredentials = map[string]bool{
	"ExpiredToken": true, "ExpiredTokenException": true, "InvalidClientTokenId": true, "RequestExpired": true,
	"SignatureDoesNotMatch": true, "IncompleteSignature": true, "MissingAuthenticationToken": true,
}

// failed makes the one sentence about a call that failed: what was asked of what, and what to do about it.
func failed(c call, err error) error {
	api, status, ok := answer(err)
	switch {
	case denied(err):
		return grant.Denied(c.action, c.on, api.ErrorMessage())
	case missing(err):
		return fmt.Errorf("calling %s on %s: IAM does not know it; see whether it was deleted or renamed", c.action, c.on)
	case throttled(err):
		return fmt.Errorf("calling %s on %s: AWS is throttling the account's calls; try again in a minute", c.action, c.on)
	case ok && staleCredentials[api.ErrorCode()]:
		return fmt.Errorf("calling %s on %s: AWS does not accept the credentials; renew them, and check the clock", c.action, c.on)
	case ok && status < 500:
		return fmt.Errorf("calling %s on %s: AWS refused with %q (%s); see the errors of that call in the IAM API reference",
			c.action, c.on, api.ErrorMessage(), api.ErrorCode())
	}
	_, status = awserr.Refusal(err)
	return awserr.Silence{Doing: fmt.Sprintf("calling %s on %s", c.action, c.on), Service: "AWS", Ended: "; run it again", Late: "; try again",
		Reach: "AWS can be reached from here"}.Sentence(status, err)
}
