package duck

import (
	"context"
	"database/sql"
	"fmt"

	"nightlatch/internal/evidence"
)

// eachPart is how many rows are taken out of an answer at once: the driver holds a result whole.
const eachPart = 20_000

// Each answers a question as Ask does, and gives its rows to do one after the other, however many there are: they stand in a table of DuckDB's,
// which goes to disk where memory is short. The Answer has no rows. What do returns as an error ends it, and is returned as it is.
func (e *Engine) Each(ctx context.Context, q evidence.Question, do func(evidence.Row) error) (evidence.Answer, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	conn, err := e.db.Conn(ctx) // whose own the table is
	if err != nil {
		return evidence.Answer{}, fmt.Errorf("question %q to DuckDB: %w", q.Name(), err)
	}
	defer conn.Close()
	var failed error
	err = e.inParts(ctx, conn, q, func(row evidence.Row) error {
		failed = do(row)
		return failed
	})
	switch {
	case failed != nil:
		return evidence.Answer{}, failed
	case ctx.Err() != nil:
		return evidence.Answer{}, fmt.Errorf("question %q to DuckDB: %w", q.Name(), ctx.Err())
	case err != nil:
		return evidence.Answer{}, fmt.Errorf("question %q to DuckDB: %v", q.Name(), err)
	}
	return e.answered(nil), nil
}

// inParts puts the answer into a table, in its order, and takes it out in parts.
func (e *Engine) inParts(ctx context.Context, conn *sql.Conn, q evidence.Question, do func(evidence.Row) error) error {
	statement := q.SQL(e.schema(ctx))
	if !asks.MatchString(statement) {
		return errNoQuestion
	}
	defer conn.ExecContext(context.WithoutCancel(ctx), "drop table if exists temp.answer")
	e.mayHold(ctx, eachMemoryMB)
	err := e.within(ctx, func() error {
		_, err := conn.ExecContext(ctx, "create or replace temp table answer as "+statement)
		return err
	})
	if err != nil {
		return err
	}
	var rows int64
	if err := conn.QueryRowContext(ctx, "select count(*) from temp.answer").Scan(&rows); err != nil {
		return err
	}
	var given int64
	for from := int64(0); from < rows; from += eachPart {
		err := eachRow(ctx, conn, fmt.Sprintf("select * from temp.answer where rowid >= %d and rowid < %d order by rowid", from, from+eachPart), func(row evidence.Row) error {
			given++
			return do(row)
		})
		if err != nil {
			return err
		}
	}
	if given != rows {
		return fmt.Errorf("%d of %d rows came", given, rows)
	}
	return e.giveBack(ctx)
}
