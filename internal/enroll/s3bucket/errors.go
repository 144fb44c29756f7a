package s3bucket

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"nightlatch/internal/awserr"
	"nightlatch/internal/enroll"
	"nightlatch/internal/grant"
)

// aborted is S3's code for "somebody else changes the bucket at this moment". All codes:
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
const aborted = "OperationAborted"

// answer is the code and the status with which S3 itself refused; "" where it did not.
func answer(err error) (code string, status int) {
	var resp *smithyhttp.ResponseError
	if errors.As(err, &resp) {
		status = resp.HTTPStatusCode()
	}
	var api smithy.APIError
	if errors.As(err, &api) && !awserr.Strange(err) {
		code = api.ErrorCode()
	}
	return code, status
}

// absent reports that a bucket has no configuration with that id.
func absent(err error) bool {
	code, _ := answer(err)
	return code == "NoSuchConfiguration"
}

// untagged reports whether a bucket has no tags, which is an error in S3.
func untagged(err error) bool {
	code, _ := answer(err)
	return code == "NoSuchTagSet"
}

// strange is an answer that S3 does not give.
func strange(action, bucket string) error {
	return fmt.Errorf("%s %s: the answer is not S3's; see whether a proxy stands between", about(bucket), action)
}

// about names the bucket, or says that it is about all of them.
func about(bucket string) string {
	if bucket == "" {
		return "listing the account's buckets:"
	}
	return fmt.Sprintf("bucket %q:", bucket)
}

// failed makes the one sentence about a call that failed. The action is the permission, which is not always the call's name.
func failed(action, bucket string, err error) error {
	on := about(bucket)
	code, status := answer(err)
	switch code {
	case "NoSuchBucket":
		return fmt.Errorf("%s %w; correct its name, or take it out of the setting buckets", on, enroll.ErrGone)
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		return fmt.Errorf("%s %w%s; deploy Nightlatch there too", on, enroll.ErrElsewhere, whereabouts(err))
	case "AccessDenied", "AllAccessDisabled":
		var api smithy.APIError
		errors.As(err, &api)
		what := "it"
		if bucket == "" {
			what = "the account"
		}
		return fmt.Errorf("%s %w", on, grant.Denied(action, what, api.ErrorMessage()))
	case "TooManyConfigurations":
		return fmt.Errorf("%s it has 1,000 request-metrics configurations, which is all that S3 allows; delete one", on)
	case "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "RequestTimeTooSkewed", "SignatureDoesNotMatch":
		return fmt.Errorf("%s S3 does not accept the enroller's credentials (%s); deploy again", on, code)
	case aborted:
		return fmt.Errorf("%s somebody else changes it at this moment; deploy again", on)
	}
	switch {
	case awserr.Throttled(code) || status == 503:
		return fmt.Errorf("%s S3 is throttling the account's calls; deploy again in a minute", on)
	case code != "" && status < 500:
		return fmt.Errorf("%s S3 refused %s with %s (HTTP %d); see the S3 API reference", on, action, code, status)
	case status >= 500:
		return fmt.Errorf("%s S3 failed on its side (HTTP %d); deploy again", on, status)
	case awserr.Strange(err):
		return strange(action, bucket)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s the run was ended before S3 answered; deploy again", on)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s S3 did not answer in time; deploy again", on)
	}
	return fmt.Errorf("%s no answer came: %v; see whether the enroller reaches S3", on, awserr.Unsent(err))
}

// whereabouts is where S3 says that the bucket is.
func whereabouts(err error) string {
	var resp *smithyhttp.ResponseError
	if errors.As(err, &resp) && resp.Response != nil {
		if r := resp.Response.Header.Get("X-Amz-Bucket-Region"); r != "" {
			return fmt.Sprintf(", %q", r)
		}
	}
	return ""
}
