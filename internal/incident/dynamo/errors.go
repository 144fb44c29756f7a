package dynamo

import (
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"nightlatch/internal/awserr"
	"nightlatch/internal/grant"
)

// call is one request, for the sentence about its failure: an IAM action, the table or index, and what it is about.
type call struct{ action, on, about string }

// errCanceled says that a transaction was surely not done, and that its conditions are to be read again.
var errCanceled = errors.New("the transaction was cancelled")

// passing are the reasons of a cancelled transaction that another try can help: the version has moved, or others are writing.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CancellationReason.html
var passing = []string{"None", "ConditionalCheckFailed", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}

// reasons are those of a cancelled transaction; nil where err is something else.
func reasons(err error) []types.CancellationReason {
	var c *types.TransactionCanceledException
	if !errors.As(err, &c) {
		return nil
	}
	return c.CancellationReasons
}

// canceled reports that a transaction was refused for passing reasons alone.
func canceled(err error) bool {
	all := reasons(err)
	return len(all) > 0 && !slices.ContainsFunc(all, func(r types.CancellationReason) bool { return !slices.Contains(passing, aws.ToString(r.Code)) })
}

// crowded is what remains to say where others write the same all the time.
func crowded(about string) error {
	return fmt.Errorf("%s: others write it, or DynamoDB is throttling, all the time; try again in a minute", about)
}

// failed makes the one sentence about a call that failed: what was asked of what, and what to do about it.
func failed(c call, err error) error {
	doing := fmt.Sprintf("%s: calling %s on table %q", c.about, c.action, c.on)
	refused, status := awserr.Refusal(err)
	if refused != nil {
		return refusal(c, doing, err, refused)
	}
	return awserr.Silence{Doing: doing, Service: "DynamoDB", Ended: "; run it again", Late: "; try again", Reach: "DynamoDB can be reached from here"}.Sentence(status, err)
}

// refusal says what DynamoDB refused.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
func refusal(c call, doing string, err error, api smithy.APIError) error {
	if awserr.Throttled(api.ErrorCode()) {
		return fmt.Errorf("%s: DynamoDB is throttling the table's calls; try again in a minute", doing)
	}
	switch api.ErrorCode() {
	case "AccessDenied", "AccessDeniedException":
		return fmt.Errorf("%s: %w", c.about, grant.Denied(c.action, fmt.Sprintf("table %q", c.on), api.ErrorMessage()))
	case "ResourceNotFoundException":
		return fmt.Errorf("%s: there is no such table or index in this region; deploy again, or correct the table's name", doing)
	case "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException", "RequestExpired", "InvalidSignatureException",
		"MissingAuthenticationTokenException", "IncompleteSignatureException":
		return fmt.Errorf("%s: AWS does not accept the credentials; renew them, and check the clock", doing)
	case "TransactionCanceledException":
		for _, r := range reasons(err) {
			if code := aws.ToString(r.Code); !slices.Contains(passing, code) {
				return fmt.Errorf("%s: DynamoDB refused an item with %q (%s); see the API reference on CancellationReason", doing, aws.ToString(r.Message), code)
			}
		}
	}
	return fmt.Errorf("%s: DynamoDB refused with %q (%s); see the errors of that call in the DynamoDB API reference", doing, api.ErrorMessage(), api.ErrorCode())
}
