package duck

import (
	"context"
	"fmt"
	"strings"
	"time"

	"nightlatch/internal/evidence"
)

// inParts are the questions of which parts are kept, each in a table of its own.
var inParts = []evidence.InParts{evidence.Usage{}, evidence.Callers{}}

// partsTable is where the parts of a question stand.
func partsTable(q evidence.Question) string { return "parts_of_" + q.Name() }

// forgetParts makes the tables of the parts anew: of what was loaded before, no part is right any more.
func forgetParts() []string {
	var all []string
	for _, q := range inParts {
		schema := evidence.Schema{Table: asked, Twice: mayBeTwice, Buckets: bucketColumns, Members: memberColumns}
		all = append(all, "create or replace table "+partsTable(q)+" as "+q.PartsOf(schema, evidence.Span{}))
	}
	return all
}

// aPart is one part of a question, by the second at which it begins.
type aPart struct {
	of   string
	from int64
}

// maxInsert is how much is put together at once.
const maxInsert = 24 * time.Hour

// withParts puts the calls together of which there is no part yet, and says where the question finds parts and the rest.
func (e *Engine) withParts(ctx context.Context, q evidence.InParts) (evidence.Schema, error) {
	e.partsMu.Lock()
	defer e.partsMu.Unlock()
	has := func(at time.Time) bool { return e.parts[aPart{q.Name(), at.Unix()}] }
	edges, whole := q.Spans()
	var of []string
	for _, span := range whole {
		of = append(of, fmt.Sprintf("part >= %d and part < %d", span.From.Unix(), span.To.Unix()))
		for at := span.From; at.Before(span.To); at = at.Add(evidence.PartSpan) {
			missing := evidence.Span{From: at, To: at}
			for missing.To.Before(span.To) && !has(missing.To) && missing.To.Sub(at) < maxInsert {
				missing.To = missing.To.Add(evidence.PartSpan)
			}
			if missing.To.Equal(at) {
				continue
			}
			if _, err := e.db.ExecContext(ctx, "insert into "+partsTable(q)+" "+q.PartsOf(e.schema(ctx), missing)); err != nil {
				return evidence.Schema{}, fmt.Errorf("put together the calls of %s: %w", at.Format(time.DateOnly), err)
			}
			for ; at.Before(missing.To); at = at.Add(evidence.PartSpan) {
				e.parts[aPart{q.Name(), at.Unix()}] = true
			}
			at = at.Add(-evidence.PartSpan)
		}
	}
	schema := e.schema(ctx)
	schema.Records = &stand{ctx: ctx, e: e, edges: edges}
	schema.Parts = "select * exclude (part) from " + partsTable(q) + " where " + strings.Join(of, " or ")
	return schema, nil
}
