package duck

import (
	"context"
	"database/sql"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/evidence"
)

// mayBeTwice says of a record that another may be of its call. Of the ids that stand there twice, in any of their three fields, hashes are enough:
// that two fall together makes no difference but time.
const (
	mayBeTwice = "(hash(eventid) in (select id from twice) or nullif(sharedeventid, '') is not null or addendum is not null)"
	findTwice  = `create or replace table twice as select id from (select hash(eventid) as id from trail
		union all select hash(sharedeventid) from trail where sharedeventid <> ''
		union all select hash(addendum['originalEventID']) from trail where addendum is not null) group by id having count(*) > 1`
)

// findReach says which callers have called in each hour. A trail of many sessions has very many callers, and of few hours few that are numbered one
// after the other.
const findReach = `create or replace table reach as select cast(floor(epoch(eventtime) / 3600) as bigint) as hour, min(caller) as first, max(caller) as last
	from trail where eventtime is not null group by hour`

// prepare makes what helps the questions, after a load.
func (e *Engine) prepare(ctx context.Context) error {
	for _, statement := range append([]string{findTwice, findReach}, forgetParts()...) {
		if err := e.within(ctx, func() error { return e.do(ctx, statement) }); err != nil {
			return fmt.Errorf("make ready for questions: %w", err)
		}
	}
	clear(e.parts)
	debug.FreeOSMemory()
	return e.giveBack(ctx)
}

// giveBack returns to the system what DuckDB has freed, after a load a third of the process. DuckDB does so when it is told its limit.
func (e *Engine) giveBack(ctx context.Context) error {
	if err := e.do(ctx, limited(e.limit.Load())); err != nil {
		return fmt.Errorf("give memory back: %w", err)
	}
	return nil
}

// schema is how the questions are asked.
func (e *Engine) schema(ctx context.Context) evidence.Schema {
	return evidence.Schema{Table: asked, Twice: mayBeTwice, Buckets: bucketColumns, Members: memberColumns, Records: &stand{ctx: ctx, e: e}}
}

// stand says where the records of a time stand.
type stand struct {
	ctx context.Context
	e   *Engine
	// edges are, where there are some, all that is asked for.
	edges []evidence.Span
}

// Within implements evidence.Records.
func (r *stand) Within(from, to time.Time) string {
	if r.edges == nil {
		return r.called(from, to)
	}
	var all []string
	for _, span := range r.edges {
		all = append(all, fmt.Sprintf("select * from %s where %s", r.called(span.From, span.To), during(span)))
	}
	return "(" + strings.Join(all, " union all ") + ") as records"
}

// simple says of a record that it is like those beside it: nothing stands in it that only few records have, and no other record is of its call.
const simple = "(requestparameters is null and additionaleventdata is null and responseelements is null and not " + mayBeTwice + ")"

// Together implements evidence.Records.
func (r *stand) Together(from, to, split time.Time) string {
	edges := r.edges
	if edges == nil {
		edges = []evidence.Span{{From: from, To: to}}
	}
	var times []string
	for _, span := range edges {
		times = append(times, during(span))
	}
	slot := 24 * time.Hour
	if r.e.settings.Parts {
		slot = evidence.PartSpan
	}
	const sent, key = "try_cast(additionaleventdata_bytestransferredout as double)", "coalesce(requestparameters_key, '')"
	rows := fmt.Sprintf(`(select * from trail where not %[1]s and (%[2]s)
  union all by name
  select caller, max(sourceipaddress) as sourceipaddress, min(eventtime) as eventtime, max(eventtime) as until_time, sum(%[3]s) as sum_sent,
    min(%[4]s) as requestparameters_key, max(%[4]s) as last_key
  from trail
  where %[1]s and (%[2]s)
  group by caller, %[5]s, cast(floor(epoch(eventtime) / %[6]d) as bigint), eventtime <= %[7]s) as trail`,
		simple, strings.Join(times, " or "), evidence.BytesOutOf(sent), key, evidence.NetworkOf("coalesce(sourceipaddress, '')"), int64(slot/time.Second), instant(split))
	more := append(slices.Clone(helps), "coalesce(until_time, eventtime) as until_time", "sum_sent", "coalesce(last_key, requestparameters_key, trail.requestparameters['key']) as last_key")
	return "(" + joined(rows, r.callers(from, to), more...) + ") as records"
}

// called are records with the callers of a time only, where there are many.
func (r *stand) called(from, to time.Time) string {
	few := r.callers(from, to)
	if few == allCallers {
		return asked
	}
	return "(" + joined("trail", few, helps...) + ") as records"
}

const allCallers = "callers"

// fewCallers are joined whole.
var fewCallers int32 = 20_000

// callers are those of a time only, where there are many.
func (r *stand) callers(from, to time.Time) string {
	if r.e.nextCaller <= fewCallers {
		return allCallers
	}
	var first, last sql.NullInt32
	err := r.e.db.QueryRowContext(r.ctx, fmt.Sprintf("select min(first), max(last) from reach where hour between %d and %d", from.Unix()/3600-1, to.Unix()/3600)).Scan(&first, &last)
	if err != nil || !first.Valid {
		return allCallers // the question finds out what is wrong
	}
	return fmt.Sprintf("(select * from callers where caller between %d and %d) as callers", first.Int32, last.Int32)
}

// during says of a record that it is of a span.
func during(span evidence.Span) string {
	return fmt.Sprintf("eventtime >= %s and eventtime < %s", instant(span.From), instant(span.To))
}

func instant(t time.Time) string { return "timestamp " + quote(t.UTC().Format(time.DateTime)) }
