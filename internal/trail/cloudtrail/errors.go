package cloudtrail

import (
	"errors"
	"fmt"
	"strings"

	"nightlatch/internal/awserr"
	"nightlatch/internal/grant"
	"nightlatch/internal/trail"
)

// errStrange is an answer that AWS does not give.
var errStrange = errors.New("the answer has no such thing in it")

// gone is trail.ErrGone of a store.
type gone struct{ error }

// Is implements errors.Is.
func (gone) Is(target error) bool { return target == trail.ErrGone }

// refusal is an answer of AWS's to a call, which it will give again.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// hidden reports whether AWS has refused a call, and was not only out of reach.
func hidden(err error) bool { _, is := errors.AsType[refusal](err); return is }

// failed makes the one sentence about a call that failed. The codes are those of
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetTrail.html#API_GetTrail_Errors and
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_DescribeOrganization.html#API_DescribeOrganization_Errors.
func failed(action, arn string, err error) error {
	on := fmt.Sprintf("trail %+q", arn)
	if strings.Contains(arn, ":eventdatastore/") {
		on = fmt.Sprintf("event data store %+q", arn)
	}
	refused, status := awserr.Refusal(err)
	switch {
	case errors.Is(err, errStrange):
		return fmt.Errorf("%s: the answer to %s is not AWS's; see whether a proxy stands between", on, action)
	case refused == nil:
		return awserr.Silence{Doing: on + ": calling " + action, Service: "AWS", Ended: "; try again", Late: "; try again", Reach: "AWS can be reached from here"}.Sentence(status, err)
	case awserr.Throttled(refused.ErrorCode()):
		return fmt.Errorf("%s: AWS is throttling the account's calls; try again in a minute", on)
	}
	switch code := refused.ErrorCode(); code {
	case "EventDataStoreNotFoundException", "EventDataStoreARNInvalidException", "InactiveEventDataStoreException":
		return gone{fmt.Errorf("%s: there is no such store; correct the setting eventDataStore, or ask a trail", on)}
	case "TrailNotFoundException", "InvalidTrailNameException", "CloudTrailARNInvalidException":
		return refusal{fmt.Errorf("%s: %w; correct the setting trail, or let one be made: -c trail=create", on, trail.ErrGone)}
	case "AccessDenied", "AccessDeniedException":
		return refusal{fmt.Errorf("%s: %w", on, grant.Denied(action, "it", refused.ErrorMessage()))}
	case "AWSOrganizationsNotInUseException":
		return fmt.Errorf("%s records an organization, and its account is in none any more; make it a trail of the account, or give another", on)
	default:
		return refusal{fmt.Errorf("%s: AWS refused %s with %s (%+q); see the errors of that call in the API reference", on, action, code, refused.ErrorMessage())}
	}
}
