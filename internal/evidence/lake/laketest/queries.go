package laketest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// storeID is what has to stand behind FROM.
var storeID = regexp.MustCompile(`(?i)\bFROM\s+[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`)

// most is how many rows a page can hold.
const most = 1000

// query is a Query with what is not seen from outside.
type query struct {
	Query
	ending  Ending
	polls   int
	rows    []map[string]string
	scanned int64
}

func (q *query) ended() bool { return q.Status != Queued && q.Status != Running }

// visible are the rows and the bytes scanned that the query shows now. Anything but FINISHED shows half of the rows, which
// nobody may take for an answer, and half of the bytes.
func (q *query) visible() ([]map[string]string, int64) {
	switch q.Status {
	case Queued:
		return nil, 0
	case Finished:
		return q.rows, q.scanned
	}
	return q.rows[:(len(q.rows)+1)/2], q.scanned / 2
}

// request has the fields of all requests that the fake reads.
type request struct {
	QueryStatement               string
	QueryID                      string `json:"QueryId"`
	EventDataStoreOwnerAccountID string `json:"EventDataStoreOwnerAccountId"`
	MaxQueryResults              *int
	NextToken                    string
	region                       string
}

type response map[string]any

func (s *Server) startQuery(r request) (response, error) {
	if n := utf8.RuneCountInString(r.QueryStatement); n < 1 || n > 10_000 {
		return nil, invalidParameter
	}
	if !storeID.MatchString(r.QueryStatement) {
		return nil, InvalidStatement
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
		SQL:    r.QueryStatement,
		Owner:  r.EventDataStoreOwnerAccountID,
		Region: r.region,
		Status: Queued,
	}, ending: Ending{Status: Finished}}
	if len(s.Endings) > 0 {
		q.ending, s.Endings = s.Endings[0], s.Endings[1:]
	}
	if q.ending.Status == "" {
		q.ending.Status = Finished
	}
	var err error
	if q.rows, q.scanned, err = s.answer(q.SQL); err != nil {
		q.ending = Ending{Failed, err.Error()}
	}
	s.queries = append(s.queries, q)
	return response{"QueryId": q.ID}, nil
}

// describeQuery also is the clock: the first poll finds a query QUEUED, the second RUNNING, the third ended.
func (s *Server) describeQuery(r request) (response, error) {
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
	_, scanned := q.visible()
	out := response{
		"QueryId":         q.ID,
		"QueryString":     q.SQL,
		"QueryStatus":     q.Status,
		"QueryStatistics": response{"BytesScanned": scanned, "ExecutionTimeInMillis": 400 * (q.polls - 1)},
	}
	if q.ended() && q.ending.Message != "" {
		out["ErrorMessage"] = q.ending.Message
	}
	return out, nil
}

func (s *Server) getQueryResults(r request) (response, error) {
	q, err := s.find(r)
	if err != nil {
		return nil, err
	}
	size := most
	if r.MaxQueryResults != nil {
		size = *r.MaxQueryResults
	}
	if size < 1 || size > most {
		return nil, invalidMax
	}
	size = min(size, s.PageRows)
	from, err := s.offset(q, r.NextToken)
	if err != nil {
		return nil, err
	}
	shown := *q
	if s.lagging && q.Status == Finished {
		shown.Status = Running
	}
	rows, scanned := shown.visible()
	total := len(rows)
	rows = rows[:max(0, total-s.missing)]
	page := rows[min(from, len(rows)):min(from+size, len(rows))]
	out := response{
		"QueryStatus":     shown.Status,
		"QueryResultRows": spread(page),
		"QueryStatistics": response{"ResultsCount": len(page), "TotalResultsCount": total, "BytesScanned": scanned},
	}
	if s.Looping {
		out["NextToken"] = token(q, 0)
	} else if from+size < len(rows) {
		out["NextToken"] = token(q, from+size)
	}
	return out, nil
}

func (s *Server) cancelQuery(r request) (response, error) {
	q, err := s.find(r)
	if err != nil {
		return nil, err
	}
	if q.ended() {
		return nil, inactiveQuery
	}
	q.Status = Cancelled
	return response{"QueryId": q.ID, "QueryStatus": q.Status}, nil
}

// find finds a query by its id, for the store owner that it was started for.
func (s *Server) find(r request) (*query, error) {
	for _, q := range s.queries {
		if q.ID == r.QueryID && q.Owner == r.EventDataStoreOwnerAccountID {
			return q, nil
		}
	}
	return nil, QueryNotFound
}

// spread gives rows the API's form: a list of maps for each row, each map with one column.
func spread(rows []map[string]string) [][]map[string]string {
	all := [][]map[string]string{}
	for _, row := range rows {
		var columns []map[string]string
		for _, name := range slices.Sorted(maps.Keys(row)) {
			columns = append(columns, map[string]string{name: row[name]})
		}
		all = append(all, columns)
	}
	return all
}

func token(q *query, from int) string { return q.ID + "/" + strconv.Itoa(from) }

func (s *Server) offset(q *query, token string) (int, error) {
	if token == "" {
		return 0, nil
	}
	text, ours := strings.CutPrefix(token, q.ID+"/")
	from, err := strconv.Atoi(text)
	if !ours || err != nil {
		return 0, invalidToken
	}
	return from, nil
}
