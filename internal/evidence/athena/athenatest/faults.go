package athenatest

import (
	"net/http"

	"nightlatch/internal/awstest"
)

// Fault is how one call fails.
type Fault = awstest.Fault

// The faults of the API, in the service's words:
// https://docs.aws.amazon.com/athena/latest/APIReference/API_StartQueryExecution.html#API_StartQueryExecution_Errors
var (
	Busy = Fault{Code: "TooManyRequestsException", Reason: "CONCURRENT_QUERY_LIMIT_EXCEEDED",
		Message: "You have exceeded the limit for the number of queries you can run concurrently. Please reduce the number of concurrent queries submitted by this account."}
	InternalServer    = Fault{Code: "InternalServerException", Message: "Internal error", Status: http.StatusInternalServerError}
	WorkGroupMissing  = invalid("INVALID_INPUT", "WorkGroup is not found.")
	WorkGroupDisabled = invalid("INVALID_INPUT", "WorkGroup is disabled")
	NoOutputLocation  = invalid("INVALID_INPUT", "No output location provided. An output location is required either through the Workgroup result configuration setting or as an API input.")
	Malformed         = invalid("MALFORMED_QUERY", "line 1:8: mismatched input 'x'. Expecting: <expression>")
	QueryNotFound     = invalid("QUERY_EXECUTION_NOT_FOUND", "QueryExecution 00000000-0000-4000-8000-000000000001 was not found")
	ResultsGone       = invalid("RESULT_NOT_FOUND", "Could not find results")
	ResultsDenied     = invalid("INVALID_INPUT", "Access denied when reading from location: s3://nightlatch-results/x.csv")
	TableMissing      = Fault{Code: "MetadataException", Message: "EntityNotFoundException: Entity Not Found"}
	MetastoreFailed   = Fault{Code: "MetadataException", Message: "the metastore is away"}

	notSucceeded  = invalid("INVALID_QUERY_EXECUTION_STATE", "Query did not finish successfully. Final query state: ")
	otherQuery    = invalid("IDEMPOTENT_PARAMETER_MISMATCH", "Idempotent parameters do not match")
	badInput      = invalid("INVALID_INPUT", "1 validation error detected")
	malformedPage = invalid("INVALID_INPUT", "Malformed nextPageToken")
)

func invalid(code, message string) Fault {
	return Fault{Code: "InvalidRequestException", AthenaErrorCode: code, Message: message}
}

// AccessDenied is IAM's refusal of one operation.
func AccessDenied(operation string) Fault { return awstest.AccessDenied("athena:" + operation) }
