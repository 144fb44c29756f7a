package awsaccount

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"nightlatch/internal/awserr"
	"nightlatch/internal/containment"
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

// refused reports that AWS has answered, and definitely refused: nothing happened. That it sends one elsewhere is S3's refusal in another
// region. A timeout on AWS's side, a server error, a cut connection and an answer that is not AWS's leave open whether the request took effect.
func refused(err error) bool {
	api, status, ok := answer(err)
	return ok && status >= 300 && status < 500 && status != http.StatusRequestTimeout && api.ErrorCode() != "RequestTimeout"
}

// absences are the codes that say that what is asked for, or whose it is, does not exist.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var absences = map[string]bool{"NoSuchEntity": true, "NoSuchBucket": true, "NoSuchBucketPolicy": true, "NoSuchPublicAccessBlockConfiguration": true}

// missing goes by the code: GetAccessKeyLastUsed declares no errors, so the SDK makes no typed one of its NoSuchEntity, and S3's are of no type.
func missing(err error) bool {
	api, _, ok := answer(err)
	return ok && absences[api.ErrorCode()]
}

// contended are the codes that say that somebody else changes the same thing at this moment.
var contended = map[string]bool{"ConcurrentModification": true, "OperationAborted": true}

func denied(err error) bool {
	api, _, ok := answer(err)
	return ok && (api.ErrorCode() == "AccessDenied" || api.ErrorCode() == "AccessDeniedException")
}

// throttled reports that AWS would have done it, had the account made fewer calls. IAM's LimitExceeded is no throttle: it stays.
func throttled(err error) bool {
	api, _, ok := answer(err)
	return ok && awserr.Throttled(api.ErrorCode())
}

// staleCredentials are the codes that say that the request's signature was not accepted.
// https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
var staleCredentials = map[string]bool{
	"ExpiredToken": true, "ExpiredTokenException": true, "InvalidClientTokenId": true, "RequestExpired": true,
	"SignatureDoesNotMatch": true, "IncompleteSignature": true, "MissingAuthenticationToken": true,
	"InvalidAccessKeyId": true, "InvalidToken": true, "RequestTimeTooSkewed": true,
}

// limits are what is reached where IAM says LimitExceeded.
var limits = map[string]string{
	"iam:PutUserPolicy":    fmt.Sprintf("a user's inline policies have %d characters in all", containment.MaxUserPolicies),
	"iam:PutRolePolicy":    fmt.Sprintf("a role's inline policies have %d characters in all", containment.MaxRolePolicies),
	"iam:AttachUserPolicy": fmt.Sprintf("a user has %d managed policies", containment.MaxAttached),
}

// told makes the sentence about a code that says what to do; "" where the code alone says nothing.
func (c call) told(code, said string) string {
	service := "IAM"
	if strings.HasPrefix(c.action, "s3:") {
		service = "S3"
	}
	switch {
	case absences[code]:
		return service + " does not know it; see whether it was deleted or renamed"
	case contended[code]:
		return "somebody else changes it at this moment; try again in a minute"
	}
	switch code {
	case "LimitExceeded":
		return fmt.Sprintf("IAM has no room for it: %s at most (AWS: %+q); make room, or take another step", cmp.Or(limits[c.action], "it has a limit"), said)
	case "UnmodifiableEntity":
		return fmt.Sprintf("AWS alone may change it, as roles of Identity Center and of services (AWS: %+q); take another step, on the bucket", said)
	case "MalformedPolicyDocument":
		return fmt.Sprintf("IAM does not take the text of the policy (AWS: %+q); take another step, and report this", said)
	case "MalformedPolicy":
		return fmt.Sprintf("S3 does not take the policy as a whole (AWS: %+q); see whether a principal that it names was deleted, and take that out by hand", said)
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		return "it is in another region; do this step there"
	case "MethodNotAllowed":
		return fmt.Sprintf("S3 lets only the bucket's own account do that (AWS: %+q)", said)
	}
	return ""
}

// failed makes the one sentence about a call that failed: what was asked of what, and what to do about it.
func failed(c call, err error) error {
	api, status, ok := answer(err)
	switch {
	case denied(err):
		return grant.Denied(c.action, c.on, api.ErrorMessage())
	case ok && c.told(api.ErrorCode(), api.ErrorMessage()) != "":
		return fmt.Errorf("calling %s on %s: %s", c.action, c.on, c.told(api.ErrorCode(), api.ErrorMessage()))
	case throttled(err):
		return fmt.Errorf("calling %s on %s: AWS is throttling the account's calls; try again in a minute", c.action, c.on)
	case ok && staleCredentials[api.ErrorCode()]:
		return fmt.Errorf("calling %s on %s: AWS does not accept the credentials; renew them, and check the clock", c.action, c.on)
	case ok && status < 500:
		return fmt.Errorf("calling %s on %s: AWS refused with %q (%s); see the errors of that call in AWS's API reference",
			c.action, c.on, api.ErrorMessage(), api.ErrorCode())
	}
	_, status = awserr.Refusal(err)
	return awserr.Silence{Doing: fmt.Sprintf("calling %s on %s", c.action, c.on), Service: "AWS", Ended: "; run it again", Late: "; try again",
		Reach: "AWS can be reached from here"}.Sentence(status, err)
}
