package lake

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/smithy-go"

	"nightlatch/internal/awserr"
	"nightlatch/internal/grant"
	"nightlatch/internal/patience"
)

// explain makes one sentence of a failed call: what was being done to what, what is wrong, and what to do about it.
// It is the one place that reads errors of AWS; only the end of ctx can be found in the result, as context's own error.
func explain(ctx context.Context, err error, operation, doing string) error {
	if refused, ok := errors.AsType[*patience.Refused](err); ok {
		return fmt.Errorf("%s: %w", doing, refused)
	}
	if ended := ctx.Err(); ended != nil {
		return fmt.Errorf("the time ended while %s: %w", doing, ended)
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok && strings.HasPrefix(api.ErrorCode(), "AccessDenied") {
		return fmt.Errorf("%w (%s)", grant.Denied("cloudtrail:"+operation, "the event data store", api.ErrorMessage()), doing)
	}
	return fmt.Errorf("%s: %s (%s)", doing, advice(err), said(err))
}

// advice says in our words what is wrong and what to do about it.
func advice(err error) string {
	refusal, status := awserr.Refusal(err)
	if refusal == nil {
		switch {
		case status >= 500:
			return "cloudtrail lake has a fault of its own, ask again"
		case awserr.Strange(err):
			return "the answer is not cloudtrail lake's, see whether a proxy stands between"
		}
		return "aws could not be reached, check the network and the credentials"
	}
	switch refusal.(type) {
	case *types.EventDataStoreNotFoundException, *types.EventDataStoreARNInvalidException:
		return "the event data store was not found, check its arn and that it has not been deleted"
	case *types.InactiveEventDataStoreException:
		return "the event data store is not active, restore it if it is pending deletion"
	case *types.InvalidQueryStatementException:
		return "the sql was not accepted, which is a defect of nightlatch: please report it"
	case *types.QueryIdNotFoundException:
		return "the query is not known any more, ask again"
	case *types.InsufficientEncryptionPolicyException:
		return "the event data store's key may not be used, allow kms:Decrypt and kms:GenerateDataKey on it"
	}
	switch refusal.ErrorCode() {
	case "ExpiredTokenException", "UnrecognizedClientException", "InvalidClientTokenId":
		return "the credentials are not accepted, renew them"
	}
	return "cloudtrail lake did not accept the call"
}

// said is AWS's own words, code and message, without the SDK's wrapping; or the whole error where AWS said nothing.
func said(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok && !awserr.Strange(err) {
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	return awserr.Cause(err).Error()
}
