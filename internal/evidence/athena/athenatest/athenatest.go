// Package athenatest is Amazon Athena in memory, behind HTTP, for tests with the real SDK client or a real binary (AWS_ENDPOINT_URL_ATHENA
// pointing to it). A fake has the behaviour and the failures of the real thing. Queries have states and take one of the slots; a token
// starts one query however often it comes. The workgroup has a limit on bytes scanned; the table's definition can be read and changed.
// Results come in pages below a header, and every call can fail the ways AWS lets it fail. It follows
// https://docs.aws.amazon.com/athena/latest/APIReference/API_Operations.html
//
// Only _test files import it.
package athenatest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"time"

	"nightlatch/internal/awstest"
	"nightlatch/internal/evidence/athena"
)

// Slots is how many queries may be queued or running at once, in the whole account. The real number depends on the region.
const Slots = 20

// The operations that the fake knows.
const (
	GetTableMetadata    = "GetTableMetadata"
	StartQueryExecution = "StartQueryExecution"
	GetQueryExecution   = "GetQueryExecution"
	GetQueryResults     = "GetQueryResults"
	StopQueryExecution  = "StopQueryExecution"
)

// The states of a query.
const (
	Queued    = "QUEUED"
	Running   = "RUNNING"
	Succeeded = "SUCCEEDED"
	Failed    = "FAILED"
	Cancelled = "CANCELLED"
)

// Query is one query that was started.
type Query struct {
	ID  string
	SQL string
	// Region is the region that the starting call was signed for.
	Region string
	// Status is where it stands: Queued, Running, Succeeded, Failed or Cancelled.
	Status string
}

// Ending is how a query ends; the zero Ending is SUCCEEDED.
type Ending struct {
	// Status is the state, Reason its StateChangeReason.
	Status, Reason string
	// Type is the type of the AthenaError and Category its category; it has none where Category is 0.
	Category, Type int
	Retryable      bool
}

// The endings that AWS documents, in its words where they are known:
// https://docs.aws.amazon.com/athena/latest/ug/error-reference.html
var (
	Exhausted = Ending{Status: Failed, Reason: "Query exhausted resources at this scale factor", Category: 2, Type: 3}
	OverLimit = Ending{Status: Cancelled, Reason: "Bytes scanned limit was exceeded"}
)

// Table is what the Glue Data Catalog holds, as GetTableMetadata shows it.
type Table struct {
	Type                string
	Columns, Partitions []athena.Column
	Parameters          map[string]string
}

// Shown is a table as GetTableMetadata shows it once it is deployed: where and how its files are read stands among the parameters.
// https://docs.aws.amazon.com/cli/latest/reference/athena/get-table-metadata.html
func Shown(t athena.Table) Table {
	parameters := t.Parameters()
	parameters["location"] = t.Location
	parameters["inputformat"] = athena.InputFormat
	parameters["outputformat"] = athena.OutputFormat
	parameters["serde.serialization.lib"] = athena.SerDe
	parameters["serde.param.serialization.format"] = "1"
	parameters["transient_lastDdlTime"] = "1795446000"
	return Table{"EXTERNAL_TABLE", t.Columns(), t.Partitions(), parameters}
}

// Answer computes the rows of a query, column by name, and the bytes it scans. A column that a row has not is NULL in it. Its error makes
// the query fail with that text. It is called while the fake is locked, one query at a time, so it must not call the Server.
type Answer func(sql string) (rows []map[string]string, scanned int64, err error)

// Server is the fake. Its methods may be called while it serves.
type Server struct {
	awstest.Service
	awstest.Engine[Ending]
	answer Answer
	http   *httptest.Server

	table       *Table
	queries     []*query
	byToken     map[string]*query
	limit       int64
	headless    bool
	queued, ran time.Duration
	owner       string
	spoils      []Spoil
	elsewhere   *string
	alsoNamed   string
	also        *Table
	file        string
}

// New starts a fake that holds a table and whose queries are answered by answer. A query waits 100 ms and runs 1 s.
func New(table athena.Table, answer Answer) *Server {
	shown := Shown(table)
	s := &Server{answer: answer, owner: table.Accounts[0], table: &shown, byToken: map[string]*query{}, queued: 100 * time.Millisecond, ran: time.Second}
	s.PageRows = most
	s.Target, s.Scope, s.Came, s.Do = "AmazonAthena", "athena", s.came, s.do
	s.http = httptest.NewServer(s)
	return s
}

// Also gives the fake a second table, by its name.
func (s *Server) Also(name string, table athena.Table) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	shown := Shown(table)
	s.alsoNamed, s.also = name, &shown
}

// ServeHTTP serves the operations, and S3 with what the queries have written.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		s.getObject(w, r)
		return
	}
	s.Service.ServeHTTP(w, r)
}

func (s *Server) came(c awstest.Request) {
	var in request
	json.Unmarshal(c.Body, &in) // what is none is refused by do
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.Arrived = append(s.Arrived, awstest.Call{Operation: c.Operation, QueryID: in.QueryExecutionID, Token: in.NextToken})
}

// do lets a call have its effect.
func (s *Server) do(c awstest.Request) (any, error) {
	in := request{region: c.Region}
	if json.Unmarshal(c.Body, &in) != nil {
		return nil, badInput
	}
	operations := map[string]func(request) (response, error){
		GetTableMetadata:    s.getTableMetadata,
		StartQueryExecution: s.startQueryExecution,
		GetQueryExecution:   s.getQueryExecution,
		GetQueryResults:     s.getQueryResults,
		StopQueryExecution:  s.stopQueryExecution,
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

// Change lets somebody change the table; nil is that he deletes it.
func (s *Server) Change(change func(*Table)) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	if change == nil {
		s.table = nil
		return
	}
	change(s.table)
}

// Limit sets how many bytes a query of the workgroup may scan, 0 for any; one that would scan more is cancelled there.
func (s *Server) Limit(bytes int64) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.limit = bytes
}

// Behead leaves the header out of results.
func (s *Server) Behead() {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.headless = true
}
