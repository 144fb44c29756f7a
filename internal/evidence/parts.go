package evidence

import (
	"fmt"
	"time"
)

// alike are the columns in which calls agree that are put together.
const alike = "principal, principal_id, access_key_id, network, vpc_endpoint, vpc_endpoint_account, failed, signing, mfa, type"

// together are the other columns of calls that were put together, by those of the calls, or of parts of them. Records of one call, which the
// column call names, are not added up.
func together(call string) string {
	sum := func(of string) string {
		return "case when " + call + " is null then sum(" + of + ") else max(" + of + ") end as " + of
	}
	return "max(source_ip) as source_ip, max(corrects) as corrects, min(unix) as unix, max(until) as until, " + sum("bytes") + ", " + sum("object_bytes") +
		", min(object) as object, max(other_object) as other_object, max(looks) as looks, min(product) as product, max(other_product) as other_product"
}

// parted is the common table of that name, which Usage stands on. It has every call of a span in the form of calls that were put together, and
// the parts that the schema has of calls elsewhere. The column eventid stays empty where no other record is of the same call. failed is 1 for a call
// that was refused, and 2 for the one that made the principal, of which principal_id is the maker's. A person of IAM Identity Center has the type of a
// user: nobody else is given a session of its roles, nor chooses its name.
//
// No row is both of calls up to split and of later ones.
func (s Schema) parted(from, to, split time.Time) string {
	call, parts, until, other := "eventid", "", "unix", "object"
	if s.Twice != "" {
		call = "case when data = 1 and twice then eventid end as eventid"
	}
	if s.Parts != "" {
		parts = "\n  union all " + s.Parts
	}
	if s.Records != nil {
		s.together, until, other = s.Records.Together(from, to, split), "until", "other_object"
	}
	return s.found(from, to, true) + `,
parted as (
  select principal, principal_id, access_key_id, ` + network + ` as network, vpc_endpoint, vpc_endpoint_account,
    case when made is not null then 2 when error_code = '' then 0 else 1 end as failed,
    case when service = 's3.amazonaws.com' then signing else 'header' end as signing, mfa, case when arn like '%e/AWSReservedSSO_%' then 'IAMUser' else type end as type, ` + call + `, data, named_bucket, resource_bucket, copied_from,
    call_id, cast(eventtime as date) as day, source_ip, corrects, unix, ` + until + ` as until, bytes, case when object is null then 0 else bytes end as object_bytes, object, ` + other + ` as other_object,
    case when looks then ` + until + ` end as looks, product, product as other_product
  from found` + parts + `
)`
}

// PartSpan is the time that a part covers. Parts begin with the day.
const PartSpan = 4 * time.Hour

// Span is the time [From, To).
type Span struct{ From, To time.Time }

// InParts is a question for an engine that is asked it over and over: of most of its time, what it needs can be put together once, in parts.
type InParts interface {
	Question
	// Spans split the time that is asked about: whole are parts, edges the rest.
	Spans() (edges, whole []Span)
	// PartsOf is a statement that puts the calls of a span together, which begins and ends with a part. Its rows have, behind the column part,
	// which says the second at which the part begins, the columns that Schema.Parts is to have.
	PartsOf(s Schema, span Span) string
}

// Spans implements InParts. Each part is all earlier or all later than a day before.
func (q Usage) Spans() (edges, whole []Span) {
	from, early := q.Before.Add(-HistorySpan), q.Before.Add(-earlier)
	first, last := from.Add(PartSpan-1).Truncate(PartSpan), q.Before.Truncate(PartSpan)
	split := early.Truncate(PartSpan)
	whole = []Span{{first, split}, {split.Add(PartSpan), last}}
	return []Span{{from, first}, {split, split.Add(PartSpan)}, {last, q.Before}}, whole
}

// part is the part of a time in seconds.
func part(unix string) string {
	return fmt.Sprintf("%[1]s - %[1]s %% %[2]d", unix, int64(PartSpan/time.Second))
}

// PartsOf implements InParts.
func (Usage) PartsOf(s Schema, span Span) string {
	const told = "eventid, data, named_bucket, resource_bucket, copied_from"
	return unindent(shorten(`with ` + s.parted(span.From, span.To, span.To) + `
select ` + part("unix") + ` as part, ` + alike + `, ` + told + `, max(call_id) as call_id, min(day) as day, ` + together("eventid") + `
from parted
group by ` + part("unix") + `, ` + alike + `, ` + told))
}

// Spans implements InParts.
func (q Callers) Spans() (edges, whole []Span) {
	from := q.Before.Add(-CallersSpan)
	first, last := from.Add(PartSpan-1).Truncate(PartSpan), q.Before.Truncate(PartSpan)
	return []Span{{from, first}, {last, q.Before}}, []Span{{first, last}}
}

// PartsOf implements InParts.
func (Callers) PartsOf(s Schema, span Span) string {
	return unindent(`with ` + s.hourly(span.From, span.To) + `
select ` + part("slot") + ` as part, * from hourly`)
}
