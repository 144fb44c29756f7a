// Package laketest is CloudTrail Lake in memory, behind HTTP, for tests with the real SDK client or a real binary
// (AWS_ENDPOINT_URL_CLOUDTRAIL pointing to it). A fake has the behaviour and the failures of the real thing. Queries have states and take
// one of ten slots, and rows show up before they are complete. Results come in pages, and every call can fail the ways AWS lets it fail. It
// follows
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_Operations.html
//
// Only _test files import it.
package laketest

import (
	"encoding/json"
	"net/http/httptest"

	"nightlatch/internal/awstest"
)

// Slots is how many queries may be queued or running at once, in the whole account.
const Slots = 10

// The operations that the fake knows.
const (
	StartQuery      = "StartQuery"
	DescribeQuery   = "DescribeQuery"
	GetQueryResults = "GetQueryResults"
	CancelQuery     = "CancelQuery"
)

// The states of a query.
const (
	Queued    = "QUEUED"
	Running   = "RUNNING"
	Finished  = "FINISHED"
	Failed    = "FAILED"
	Cancelled = "CANCELLED"
	TimedOut  = "TIMED_OUT"
)

// Query is one query that was started.
type Query struct {
	ID  string
	SQL string
	// Owner is the EventDataStoreOwnerAccountId it was started with; every later call must bring the same.
	Owner string
	// Region is the region that the starting call was signed for.
	Region string
	// Status is where it stands: Queued, Running, Finished, Failed, Cancelled or TimedOut.
	Status string
}

// Ending is how a query ends; the zero Ending is FINISHED.
type Ending struct{ Status, Message string }

// Exhausted is the failure that AWS says to run again.
var Exhausted = Ending{Failed, "Query exhausted resources at this scale factor"}

// Answer computes the rows of a query, column by name, and the bytes it scans. Its error makes the query fail with that text.
// It is called while the fake is locked, one query at a time, so it must not call the Server.
type Answer func(sql string) (rows []map[string]string, scanned int64, err error)

// Server is the fake. Its methods may be called while it serves.
type Server struct {
	awstest.Service
	awstest.Engine[Ending]
	answer Answer
	http   *httptest.Server

	queries []*query
	lagging bool
	missing int
}

// New starts a fake whose queries are answered by answer.
func New(answer Answer) *Server {
	s := &Server{answer: answer}
	s.PageRows = most
	s.Target, s.Scope, s.Came, s.Do = "CloudTrail_20131101", "cloudtrail", s.came, s.do
	s.http = httptest.NewServer(s)
	return s
}

func (s *Server) came(c awstest.Request) {
	var in request
	json.Unmarshal(c.Body, &in) // what is none is refused by do
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.Arrived = append(s.Arrived, awstest.Call{Operation: c.Operation, QueryID: in.QueryID, Token: in.NextToken})
}

// do lets a call have its effect.
func (s *Server) do(c awstest.Request) (any, error) {
	in := request{region: c.Region}
	if json.Unmarshal(c.Body, &in) != nil {
		return nil, invalidParameter
	}
	operations := map[string]func(request) (response, error){
		StartQuery:      s.startQuery,
		DescribeQuery:   s.describeQuery,
		GetQueryResults: s.getQueryResults,
		CancelQuery:     s.cancelQuery,
	}
	do, known := operations[c.Operation]
	if !known {
		return nil, Fault{Code: "UnknownOperationException", Message: "the fake has no " + c.Operation}
	}
	s.Mu.Lock()
	defer s.Mu.Unlock()
	return do(in)
}

// URL is the endpoint.
func (s *Server) URL() string { return s.http.URL }

// Close stops it.
func (s *Server) Close() { s.http.Close() }

// Queries are all queries started, in that order, as they stand now.
func (s *Server) Queries() []Query {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	var all []Query
	for _, q := range s.queries {
		all = append(all, q.Query)
	}
	return all
}

// Lag makes GetQueryResults fall behind DescribeQuery: it shows finished queries as running still.
func (s *Server) Lag() {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.lagging = true
}

// LoseRows keeps the last n rows of every finished query back, while the statistics go on counting them.
func (s *Server) LoseRows(n int) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.missing = n
}
