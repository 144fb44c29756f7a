package athenatest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"nightlatch/internal/evidence/athena"
)

// most is how many rows a page can hold, the header counted.
const most = 1000

// query is a Query with what is not seen from outside.
type query struct {
	Query
	ending  Ending
	polls   int
	columns []string
	rows    []map[string]string
	csv     []byte // of the rows, once it is read
	scanned int64
}

func (q *query) ended() bool { return q.Status != Queued && q.Status != Running }

// statistics are what the query shows of itself now: nothing while it waits, half while it runs, or if it did not succeed.
func (s *Server) statistics(q *query) response {
	scanned, queued, ran := q.scanned, s.queued, s.ran
	switch q.Status {
	case Queued:
		scanned, queued, ran = 0, queued/2, 0
	case Succeeded:
	default:
		scanned, ran = scanned/2, ran/2
	}
	return response{"DataScannedInBytes": scanned, "QueryQueueTimeInMillis": queued.Milliseconds(), "EngineExecutionTimeInMillis": ran.Milliseconds(),
		"TotalExecutionTimeInMillis": (queued + ran).Milliseconds()}
}

// request has the fields of all requests that the fake reads.
type request struct {
	CatalogName, DatabaseName, TableName string
	QueryString                          string
	WorkGroup                            string
	QueryExecutionContext                struct{ Catalog, Database string }
	ResultConfiguration                  *struct{}
	ClientRequestToken                   string
	QueryExecutionID                     string `json:"QueryExecutionId"`
	MaxResults                           *int
	NextToken                            string
	region                               string
}

type response map[string]any

func (s *Server) getTableMetadata(r request) (response, error) {
	table := map[string]*Table{athena.TableName: s.table, s.alsoNamed: s.also}[r.TableName]
	if r.CatalogName != athena.Catalog || r.DatabaseName != athena.Database || table == nil {
		return nil, TableMissing
	}
	if r.WorkGroup != "" && r.WorkGroup != athena.WorkGroup {
		return nil, WorkGroupMissing
	}
	columns := func(all []athena.Column) []response {
		out := []response{}
		for _, c := range all {
			out = append(out, response{"Name": c.Name, "Type": c.Type})
		}
		return out
	}
	return response{"TableMetadata": response{
		"Name": r.TableName, "TableType": table.Type, "CreateTime": 1795446000.0, "LastAccessTime": 0.0,
		"Columns": columns(table.Columns), "PartitionKeys": columns(table.Partitions), "Parameters": table.Parameters,
	}}, nil
}

func (s *Server) startQueryExecution(r request) (response, error) {
	if n := len(r.QueryString); n < 1 || n > 262_144 {
		return nil, badInput
	}
	if n := len(r.ClientRequestToken); n < 32 || n > 128 {
		return nil, badInput
	}
	if r.WorkGroup != athena.WorkGroup {
		return nil, WorkGroupMissing
	}
	if r.ResultConfiguration != nil { // this workgroup enforces its own
		return nil, badInput
	}
	if q := s.byToken[r.ClientRequestToken]; q != nil {
		if q.SQL != r.QueryString {
			return nil, otherQuery
		}
		return response{"QueryExecutionId": q.ID}, nil
	}
	taken := s.Occupied
	for _, q := range s.queries {
		if !q.ended() {
			taken++
		}
	}
	if taken >= Slots {
		return nil, Busy
	}
	q := &query{Query: Query{
		ID:     fmt.Sprintf("00000000-0000-4000-8000-%012x", len(s.queries)+1),
		SQL:    r.QueryString,
		Region: r.region,
		Status: Queued,
	}}
	if len(s.Endings) > 0 {
		q.ending, s.Endings = s.Endings[0], s.Endings[1:]
	}
	if q.ending.Status == "" {
		q.ending.Status = Succeeded
	}
	s.work(q, r)
	s.queries = append(s.queries, q)
	s.byToken[r.ClientRequestToken] = q
	return response{"QueryExecutionId": q.ID}, nil
}

// work computes what the query will come to.
func (s *Server) work(q *query, r request) {
	if s.table == nil || !strings.Contains(q.SQL, `"`+athena.Database+`"."`+athena.TableName+`"`) ||
		r.QueryExecutionContext.Catalog != athena.Catalog || r.QueryExecutionContext.Database != athena.Database {
		q.ending = Ending{Status: Failed, Reason: "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.nightlatch.records' does not exist", Category: 2, Type: 1110}
		return
	}
	var err error
	if q.rows, q.scanned, err = s.answer(q.SQL); err != nil {
		q.ending = Ending{Status: Failed, Reason: err.Error()}
		return
	}
	if s.limit > 0 && q.scanned > s.limit {
		q.ending, q.scanned = OverLimit, 2*s.limit
	}
	names := map[string]bool{}
	for _, row := range q.rows {
		for name := range row {
			names[name] = true
		}
	}
	if q.columns = slices.Sorted(maps.Keys(names)); len(q.columns) == 0 {
		q.columns = []string{"_col0"} // of no rows, no columns are known; a SELECT has some
	}
}

// getQueryExecution also is the clock: the first poll finds a query QUEUED, the second RUNNING, the third ended.
func (s *Server) getQueryExecution(r request) (response, error) {
	q, err := s.find(r)
	if err != nil {
		return nil, err
	}
	q.polls++
	switch {
	case q.Status == Queued && q.polls > 1:
		q.Status = Running
	case q.Status == Running && !s.Held:
		q.Status = q.ending.Status
	}
	where := "s3://" + Results + "/" + q.ID + ".csv"
	if s.elsewhere != nil {
		where = *s.elsewhere
	}
	status := response{"State": q.Status, "SubmissionDateTime": float64(time.Now().Unix())}
	if q.ended() && q.ending.Reason != "" {
		status["StateChangeReason"] = q.ending.Reason
	}
	if q.ended() && q.ending.Category != 0 {
		status["AthenaError"] = response{"ErrorCategory": q.ending.Category, "ErrorType": q.ending.Type, "Retryable": q.ending.Retryable,
			"ErrorMessage": q.ending.Reason}
	}
	return response{"QueryExecution": response{"QueryExecutionId": q.ID, "Query": q.SQL, "StatementType": "DML", "WorkGroup": athena.WorkGroup,
		"ResultConfiguration": response{"OutputLocation": where}, "Status": status, "Statistics": s.statistics(q)}}, nil
}

// getQueryResults pages as Athena does: the header is the first row and counts, and a page that is full has a token even where nothing
// comes after it.
func (s *Server) getQueryResults(r request) (response, error) {
	q, err := s.find(r)
	if err != nil {
		return nil, err
	}
	size := most
	if r.MaxResults != nil {
		size = *r.MaxResults
	}
	if size < 1 || size > most {
		return nil, badInput
	}
	if q.Status != Succeeded {
		refused := notSucceeded
		refused.Message += q.Status
		return nil, refused
	}
	size = min(size, s.PageRows)
	from, err := offset(q, r.NextToken)
	if err != nil {
		return nil, err
	}
	rows := s.data(q)
	page := rows[min(from, len(rows)):min(from+size, len(rows))]
	var columns []response
	for _, name := range q.columns {
		columns = append(columns, response{"CatalogName": "hive", "Name": name, "Label": name, "Type": "varchar", "Nullable": "UNKNOWN"})
	}
	out := response{"UpdateCount": 0, "ResultSet": response{"Rows": page, "ResultSetMetadata": response{"ColumnInfo": columns}}}
	if s.Looping {
		out["NextToken"] = token(q, 0)
	} else if len(page) == size {
		out["NextToken"] = token(q, from+size)
	}
	return out, nil
}

// data are the rows in the API's form: the header, then each row's values in the columns' order, without one where it is NULL.
func (s *Server) data(q *query) []response {
	var header []response
	for _, name := range q.columns {
		header = append(header, response{"VarCharValue": name})
	}
	all := []response{{"Data": header}}
	if s.headless {
		all = nil
	}
	for _, row := range q.rows {
		var values []response
		for _, name := range q.columns {
			datum := response{}
			if value, ok := row[name]; ok {
				datum["VarCharValue"] = value
			}
			values = append(values, datum)
		}
		all = append(all, response{"Data": values})
	}
	return all
}

// stopQueryExecution cancels what has not ended; stopping what has is no error.
func (s *Server) stopQueryExecution(r request) (response, error) {
	q, err := s.find(r)
	if err != nil {
		return nil, err
	}
	if !q.ended() {
		q.Status = Cancelled
		q.ending = Ending{Status: Cancelled}
	}
	return response{}, nil
}

func (s *Server) find(r request) (*query, error) {
	for _, q := range s.queries {
		if q.ID == r.QueryExecutionID {
			return q, nil
		}
	}
	return nil, QueryNotFound
}

func token(q *query, from int) string { return q.ID + "/" + strconv.Itoa(from) }

func offset(q *query, token string) (int, error) {
	if token == "" {
		return 0, nil
	}
	text, ours := strings.CutPrefix(token, q.ID+"/")
	from, err := strconv.Atoi(text)
	if !ours || err != nil {
		return 0, malformedPage
	}
	return from, nil
}
