package duck

import (
	"context"
	"fmt"
	"strings"
	"time"

	"nightlatch/internal/evidence"
)

// forgetParts makes the table of the parts anew: of what was loaded before, no part is right any more.
var forgetParts = "create or replace table parts as " + evidence.Schema{Table: asked, Twice: mayBeTwice, Buckets: bucketColumns, Members: memberColumns}.PartsOf(evidence.Span{})

// maxInsert is how much is put together at once.
const maxInsert = 24 * time.Hour

// withParts puts the calls together of which there is no part yet, and says where the question finds parts and the rest.
func (e *Engine) withParts(ctx context.Context, q evidence.Usage) (evidence.Schema, error) {
	e.partsMu.Lock()
	defer e.partsMu.Unlock()
	edges, whole := q.Spans()
	var of []string
	for _, span := range whole {
		of = append(of, fmt.Sprintf("part >= %d and part < %d", span.From.Unix(), span.To.Unix()))
		for at := span.From; at.Before(span.To); at = at.Add(evidence.PartSpan) {
			missing := evidence.Span{From: at, To: at}
			for missing.To.Before(span.To) && !e.parts[missing.To.Unix()] && missing.To.Sub(at) < maxInsert {
				missing.To = missing.To.Add(evidence.PartSpan)
			}
			if missing.To.Equal(at) {
				continue
			}
			if _, err := e.db.ExecContext(ctx, "insert into parts "+e.schema(ctx).PartsOf(missing)); err != nil {
				return evidence.Schema{}, fmt.Errorf("put together the calls of %s: %w", at.Format(time.DateOnly), err)
			}
			for ; at.Before(missing.To); at = at.Add(evidence.PartSpan) {
				e.parts[at.Unix()] = true
			}
			at = at.Add(-evidence.PartSpan)
		}
	}
	schema := e.schema(ctx)
	schema.Records = &stand{ctx: ctx, e: e, edges: edges}
	schema.Parts = "select * exclude (part) from parts where " + strings.Join(of, " or ")
	return schema, nil
}
