package duck

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"nightlatch/internal/evidence"
)

// Ask answers a question from the files loaded so far. It may be called from several goroutines at once, and waits while
// Load runs. Who brings the files vouches for them: their seal counts as given.
func (e *Engine) Ask(ctx context.Context, q evidence.Question) (evidence.Answer, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	var rows []evidence.Row
	err := e.within(ctx, func() (err error) { rows, err = e.answer(ctx, q); return err })
	if err == nil && !e.settings.Parts { // whoever asks many times would wait for it each time
		err = e.giveBack(ctx)
	}
	if ctx.Err() != nil {
		return evidence.Answer{}, fmt.Errorf("question %q to DuckDB: %w", q.Name(), ctx.Err())
	}
	if err != nil {
		return evidence.Answer{}, fmt.Errorf("question %q to DuckDB: %v", q.Name(), err)
	}
	return e.answered(rows), nil
}

// answered is an answer with its rows.
func (e *Engine) answered(rows []evidence.Row) evidence.Answer {
	return evidence.Answer{Engine: "duckdb", Rows: rows, Scanned: e.bytes(), Lost: e.lost(), Seal: evidence.Seal{Sealed: evidence.Proved}}
}

// answer asks where the records of the question stand.
func (e *Engine) answer(ctx context.Context, q evidence.Question) ([]evidence.Row, error) {
	schema, err := e.schema(ctx), error(nil)
	if parted, is := q.(evidence.InParts); is && e.settings.Parts {
		schema, err = e.withParts(ctx, parted)
	}
	if err != nil {
		return nil, err
	}
	statement := q.SQL(schema)
	if !asks.MatchString(statement) { // the one setting that is not locked is the engine's own
		return nil, errNoQuestion
	}
	return e.answers.asIs(statement, func() ([]evidence.Row, error) { return e.query(ctx, statement) })
}

var errNoQuestion = errors.New("only a select is a question")

var asks = regexp.MustCompile(`(?i)^\s*(select|with|from|describe|explain|values)\b`)

// within runs what DuckDB is to do, and once more with more memory where that was too little.
func (e *Engine) within(ctx context.Context, run func() error) error {
	limit := e.limit.Load()
	err := run()
	if of := new(duckdb.Error); errors.As(err, &of) && of.Type == duckdb.ErrorTypeOutOfMemory && e.mayHoldMore(ctx, limit) {
		return run()
	}
	return err
}

// mayHoldMore gives DuckDB more memory than limit, where nobody has said how much it may have: an answer that needs much is better than none.
func (e *Engine) mayHoldMore(ctx context.Context, limit int64) bool {
	if e.limit.Load() == limit {
		e.mayHold(ctx, e.most)
	}
	return e.limit.Load() > limit
}

// mayHold gives DuckDB so many megabytes of memory, or what it may have.
func (e *Engine) mayHold(ctx context.Context, mb int64) {
	e.partsMu.Lock()
	defer e.partsMu.Unlock()
	if mb = min(mb, e.most); mb > e.limit.Load() && e.do(ctx, limited(mb)) == nil {
		e.limit.Store(mb)
	}
}

// limited is the statement that says how many megabytes DuckDB may hold.
func limited(mb int64) string { return fmt.Sprintf("set global memory_limit = '%dMB'", mb) }

// Exec runs a statement that answers nothing, such as one that makes another table.
func (e *Engine) Exec(ctx context.Context, statement string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answers.forget()
	return e.within(ctx, func() error { return e.do(ctx, statement) })
}

// do runs a statement.
func (e *Engine) do(ctx context.Context, statement string) error {
	_, err := e.db.ExecContext(ctx, statement)
	return err
}

func (e *Engine) query(ctx context.Context, statement string) (all []evidence.Row, err error) {
	err = eachRow(ctx, e.db, statement, func(row evidence.Row) error { all = append(all, row); return nil })
	return all, err
}

// eachRow gives the rows of a result, one after the other, to do. The driver holds the result whole.
func eachRow(ctx context.Context, db interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}, statement string, do func(evidence.Row) error) error {
	rows, err := db.QueryContext(ctx, statement)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := columnsOf(rows)
	if err != nil {
		return err
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		row := evidence.Row{}
		for i, c := range columns {
			s, ok := printed(values[i], c.typ)
			if !ok {
				return fmt.Errorf("column %q is of type %s, and a question returns scalars only", c.name, c.typ)
			}
			row[c.name] = s
		}
		if err := do(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

type column struct{ name, typ string }

// columnsOf names the columns. Two of one name would hide each other in a row.
func columnsOf(rows *sql.Rows) ([]column, error) {
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	var columns []column
	seen := map[string]bool{}
	for _, t := range types {
		c := column{strings.ToLower(t.Name()), t.DatabaseTypeName()}
		if seen[c.name] {
			return nil, fmt.Errorf("two columns are called %q", c.name)
		}
		seen[c.name] = true
		columns = append(columns, c)
	}
	return columns, nil
}

// printed is a value as Lake prints it, as far as a reader of the text can tell: NULL as "", whole numbers in decimal, times
// with milliseconds. A double is written so that ParseFloat reads it exactly; Lake's own form of large ones differs.
func printed(v any, typ string) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), true
	case float32:
		return strconv.FormatFloat(float64(v), 'g', -1, 32), true
	case int8, int16, int32, int64, uint8, uint16, uint32, uint64:
		return fmt.Sprint(v), true
	case *big.Int:
		return v.String(), true
	case duckdb.Decimal:
		return v.String(), true
	case time.Time:
		return printedTime(v.UTC(), typ)
	}
	return "", false
}

func printedTime(t time.Time, typ string) (string, bool) {
	switch typ {
	case "DATE":
		return t.Format(time.DateOnly), true
	case "TIMESTAMPTZ":
		return t.Format("2006-01-02 15:04:05.000 UTC"), true
	case "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS":
		return t.Format("2006-01-02 15:04:05.000"), true
	}
	return "", false
}
