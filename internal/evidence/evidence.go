// Package evidence asks CloudTrail who moved the bytes, and reconciles the answer with the metric.
//
// Questions are SQL SELECTs in Trino's dialect, over the schema of CloudTrail Lake
// (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/query-limitations.html) or over CloudTrail's own files as Athena reads them;
// engines below this package run them.
package evidence

import (
	"context"
	"errors"
	"time"
)

// Question is one question to the trail. Questions cross the border to an engine, not SQL.
type Question interface {
	// Name says which question this is, for logs and messages: "bytes", "usage".
	Name() string
	// SQL is the question as one SELECT of at most MaxStatement characters whose columns are scalars and never NULL.
	SQL(Schema) string
}

// Row is one row of an answer, every value as text, by the column's name in lower case.
type Row map[string]string

// Answer is what an engine found.
type Answer struct {
	// Engine names what answered: StoreEngine, "athena", "duckdb".
	Engine string
	Rows   []Row
	// Scanned is what the engine read for it, in bytes: what Lake and Athena bill.
	Scanned int64
	// Queued is how long its queries waited for the engine's resources, and Ran how long the engine worked on them, as far as the engine says.
	Queued, Ran time.Duration
	// Instead says why another engine answered than the one that is asked first; "" where it is that.
	Instead string
	// Lost names, one sentence each, what could not be read and is missing from the rows.
	Lost []string
	// Seal says whether others than CloudTrail can have written what was read.
	Seal Seal
}

// StoreEngine is the engine of an event data store.
const StoreEngine = "cloudtrail-lake"

// Trail is a place where CloudTrail's records can be asked.
type Trail interface {
	// Ask returns all rows or an error, never some rows as if they were all. It waits for its engine as long as ctx allows,
	// through passing refusals, and stops what it started when ctx ends.
	Ask(context.Context, Question) (Answer, error)
}

// Collect is an answer with all of its rows, from an engine that gives them one after the other. Behind an error there are none.
func Collect(each func(do func(Row) error) (Answer, error)) (Answer, error) {
	var rows []Row
	answer, err := each(func(row Row) error {
		rows = append(rows, row)
		return nil
	})
	if err == nil {
		answer.Rows = rows
	}
	return answer, err
}

// ErrBusy says that the engine had no room for the query until the end of the time given. Asking again later can help;
// an attacker may fill the slots.
var ErrBusy = errors.New("no query slot was free")

// ErrTooMuch says that the engine ran out of resources or of its own time over the query: a shorter span of time can help.
var ErrTooMuch = errors.New("too much at once for the engine")

// ErrBudget says that the query was not run, or was stopped, because it would go over the budget of bytes scanned.
var ErrBudget = errors.New("over the budget of bytes scanned")
