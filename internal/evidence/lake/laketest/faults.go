package laketest

import (
	"fmt"
	"net/http"
)

// Fault is how one call fails. A fault with a Code is an answer of AWS; without one, the connection is cut.
type Fault struct {
	Code    string
	Message string
	// Status is the HTTP status; 0 means 400, with which this API answers all errors of the caller.
	Status int
	// After makes the call take effect first: it failed, but it happened.
	After bool
}

// The faults of the API and of the way to it:
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_StartQuery.html#API_StartQuery_Errors
var (
	Throttled        = Fault{Code: "ThrottlingException", Message: "Rate exceeded"}
	Busy             = Fault{Code: "MaxConcurrentQueriesException", Message: "You have reached the maximum number of concurrent queries."}
	StoreNotFound    = Fault{Code: "EventDataStoreNotFoundException", Message: "The event data store does not exist."}
	StoreInactive    = Fault{Code: "InactiveEventDataStoreException", Message: "The event data store is inactive."}
	InvalidStatement = Fault{Code: "InvalidQueryStatementException", Message: "The query that was submitted has validation errors, or uses incorrect syntax."}
	QueryNotFound    = Fault{Code: "QueryIdNotFoundException", Message: "The query ID does not exist or does not map to a query."}
	InternalError    = Fault{Code: "InternalFailure", Message: "An unknown error occurred.", Status: http.StatusInternalServerError}
	ExpiredToken     = Fault{Code: "ExpiredTokenException", Message: "The security token included in the request is expired"}
	Cut              = Fault{}
	CutAfter         = Fault{After: true}

	inactiveQuery    = Fault{Code: "InactiveQueryException", Message: "The specified query cannot be canceled because it is in a terminal state."}
	invalidMax       = Fault{Code: "InvalidMaxResultsException", Message: "MaxQueryResults must be between 1 and 1000."}
	invalidToken     = Fault{Code: "InvalidNextTokenException", Message: "The token is not valid for this query."}
	invalidParameter = Fault{Code: "InvalidParameterException", Message: "The request includes a parameter that is not valid."}
)

// AccessDenied is IAM's refusal of one operation.
func AccessDenied(operation string) Fault {
	return Fault{Code: "AccessDeniedException", Message: fmt.Sprintf(
		"User: arn:aws:sts::111122223333:assumed-role/test/test is not authorized to perform: cloudtrail:%s", operation)}
}

// Error makes a Fault what the fake's operations return.
func (f Fault) Error() string { return f.Code + ": " + f.Message }
