package laketest

import "nightlatch/internal/awstest"

// Fault is how one call fails.
type Fault = awstest.Fault

// The faults of the API: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_StartQuery.html#API_StartQuery_Errors
var (
	Busy             = Fault{Code: "MaxConcurrentQueriesException", Message: "You have reached the maximum number of concurrent queries."}
	StoreNotFound    = Fault{Code: "EventDataStoreNotFoundException", Message: "The event data store does not exist."}
	StoreInactive    = Fault{Code: "InactiveEventDataStoreException", Message: "The event data store is inactive."}
	InvalidStatement = Fault{Code: "InvalidQueryStatementException", Message: "The query that was submitted has validation errors, or uses incorrect syntax."}
	QueryNotFound    = Fault{Code: "QueryIdNotFoundException", Message: "The query ID does not exist or does not map to a query."}

	inactiveQuery    = Fault{Code: "InactiveQueryException", Message: "The specified query cannot be canceled because it is in a terminal state."}
	invalidMax       = Fault{Code: "InvalidMaxResultsException", Message: "MaxQueryResults must be between 1 and 1000."}
	invalidToken     = Fault{Code: "InvalidNextTokenException", Message: "The token is not valid for this query."}
	invalidParameter = Fault{Code: "InvalidParameterException", Message: "The request includes a parameter that is not valid."}
)

// AccessDenied is IAM's refusal of one operation.
func AccessDenied(operation string) Fault { return awstest.AccessDenied("cloudtrail:" + operation) }
