package duck

import (
	"context"
	"fmt"
	"strings"
	"time"

	"nightlatch/internal/evidence"
)

// forgetParts makes the table of the parts anew: of what was loaded before, no part is right any more.
var forgetParts = "create or replace table parts as " + evidence.Parts{}.SQL(evidence.Schema{Table: Table, Twice: mayBeTwice})

// withParts puts the calls together of which there is no part yet, and says where the question finds parts and the rest.
func (e *Engine) withParts(ctx context.Context, q evidence.Usage) (evidence.Schema, error) {
	e.partsMu.Lock()
	defer e.partsMu.Unlock()
	edges, whole := q.Spans()
	for _, span := range whole {
		for at := span.From; at.Before(span.To); {
			if e.parts[at.Unix()] {
				at = at.Add(evidence.PartSpan)
				continue
			}
			missing := evidence.Span{From: at, To: at}
			for at.Before(span.To) && !e.parts[at.Unix()] && at.Sub(missing.From) < maxInsert {
				at = at.Add(evidence.PartSpan)
			}
			missing.To = at
			if err := e.insertParts(ctx, missing); err != nil {
				return evidence.Schema{}, err
			}
		}
	}
	var rest, of []string
	for _, span := range edges {
		rest = append(rest, fmt.Sprintf("select * from %s where eventtime >= %s and eventtime < %s", Table, instant(span.From), instant(span.To)))
	}
	for _, span := range whole {
		of = append(of, fmt.Sprintf("part >= %d and part < %d", span.From.Unix(), span.To.Unix()))
	}
	return evidence.Schema{Table: "(" + strings.Join(rest, " union all ") + ") as records", Twice: mayBeTwice,
		Parts: "select * exclude (part) from parts where " + strings.Join(of, " or ")}, nil
}

// maxInsert is how much is put together at once.
const maxInsert = 24 * time.Hour

func (e *Engine) insertParts(ctx context.Context, span evidence.Span) error {
	if _, err := e.db.ExecContext(ctx, "insert into parts "+evidence.Parts{Span: span}.SQL(evidence.Schema{Table: Table, Twice: mayBeTwice})); err != nil {
		return fmt.Errorf("put together the calls of %s: %w", span.From.Format(time.DateOnly), err)
	}
	for at := span.From; at.Before(span.To); at = at.Add(evidence.PartSpan) {
		e.parts[at.Unix()] = true
	}
	return nil
}

func instant(t time.Time) string { return "timestamp " + quote(t.UTC().Format(time.DateTime)) }
