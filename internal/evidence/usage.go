package evidence

import (
	"fmt"
	"sync"
	"time"
)

// HistorySpan is how far back usage is asked for.
const HistorySpan = 14 * 24 * time.Hour

// maxOrigins bounds the keys, places and origins kept of one principal's history. What is beyond them counts as unknown, never as unfamiliar.
const maxOrigins = 100

const (
	// From more than fewUsers users at one place on, their number is told. maxCompany bounds the places.
	fewUsers   = 1
	maxCompany = 500
)

// Usage asks how the principals that read Buckets worked in the HistorySpan before the time Before: there, and wherever else the trail
// shows them.
type Usage struct {
	Buckets []string
	Before  time.Time
}

// Name implements Question.
func (Usage) Name() string { return "usage" }

// SQL implements Question. An answer has, of each principal that called these buckets, one row of its earlier days there ("principal"), one
// for each key that called them in the last 24 hours ("key"), one for each place of its earlier days in any bucket and service ("place"),
// and one for each of its keys and origins, whenever and wherever used ("origin"), and one for those from where calls were refused ("refused").
// It has one more for each place at which several of our users worked ("company"), and for each principal by which some of them were made: its
// principal is the maker's unique id, "" for the users of whom the trail does not show that they were made. None counts whom the trail has seen for
// less than a day: a thief makes users in a minute.
//
// looked is when a key was last used at an origin to list something, or to ask who it is. product and other_product are the first and the last,
// by the alphabet, of the programs that a principal called its agent on earlier days, without their versions.
//
// Refused calls make nothing familiar, or a thief could knock first; and what is less than a day old is no history, or his own first
// minutes would be. What somebody else may have sent (a presigned URL) gives a place no weight. Of the origins, those of earlier days come
// first, with whatever key. The owner's old origin, with a new key, must not be crowded out: it says that the key is in use.
//
// Calls are put together by day before anything is sorted, as there may be very many of them. Those of the buckets of which the trail may hold
// another record stay apart until each is there once. That a call to anything else was delivered twice makes no difference.
func (q Usage) SQL(s Schema) string {
	tables := fmt.Sprintf(`with %[1]s,
named as (
  select parted.*, case when contains(names, named_bucket) then named_bucket when contains(names, resource_bucket) then resource_bucket end as read_from,
    case when contains(names, copied_from) and copied_from <> coalesce(named_bucket, '') then copied_from end as source
  from parted
  inner join (values (0, split('', '/')), (1, split(%[2]s, '/'))) as w (of, names) on of = data and true
),
marked as (
  select *, case when coalesce(read_from, source) is null then 0 else 1 end as here, case when unix <= %[3]d then 1 else 0 end as early,
    case when coalesce(read_from, source) is not null then eventid end as call
  from named
),
watched as (
  select here, early, read_from, call, `+alike+`, max(case when call is not null then call_id end) as call_id, min(day) as day, `+together("call")+`
  from marked
  group by here, early, read_from, call, `+alike+`, case when call is null then day end
),
once as (
  select *, case when call is null then 1 else row_number() over (partition by call_id, principal_id order by corrects, access_key_id desc, call) end as copy
  from watched
),
dated as (
  select *, case when early = 1 and signing = 'header' then 1 else 0 end as weighs,
    case when here = 1 then unix end as here_from, case when here = 1 then until end as here_until,
    max(case when failed = 2 then split_part(principal_id, ':', 1) end) over (partition by principal) as maker,
    case when type = 'IAMUser' and signing = 'header' and min(case when failed < 2 then unix end) over (partition by principal) <= %[3]d
      and row_number() over (partition by failed, network, vpc_endpoint, vpc_endpoint_account, type, signing, principal order by day) = 1 then 1 end as one
  from once
  where copy = 1
),
daily as (
  select case when failed > 0 then case when failed = 1 and grouping(signing) = 0 then 'refused' end when grouping(principal) = 1 then 'company' when grouping(signing) = 0 then 'origin' when grouping(network) = 0 then 'place'
      when grouping(access_key_id) = 0 then 'key' else 'principal' end as part, coalesce(principal, maker, '') as principal, coalesce(early, 0) as early, day,
    coalesce(access_key_id, '') as access_key_id, coalesce(network, '') as network, coalesce(vpc_endpoint, '') as vpc_endpoint,
    coalesce(vpc_endpoint_account, '') as vpc_endpoint_account, coalesce(signing, '') as signing,
    max(here) as here, max(weighs) as weighs, sum(case when read_from is null then 0 else bytes end) as bytes,
    sum(case when read_from is null or weighs = 0 then 0 else object_bytes end) as object_bytes,
    max(source_ip) as source_ip, case when grouping(network) = 1 then min(here_from) else min(unix) end as first_seen,
    case when grouping(network) = 1 then max(here_until) else max(until) end as last_seen,
    min(here_from %% 86400) as first_clock, max(here_until %% 86400) as last_clock,
    min(case when here = 1 then object end) as object, max(case when here = 1 then other_object end) as other_object,
    max(case when mfa = 1 then until end) as signed_in, case when grouping(principal) = 1 then sum(one) end as users,
    max(looks) as looked, min(case when here = 1 then product end) as product, max(case when here = 1 then other_product end) as other_product
  from dated
  group by grouping sets ((failed, principal, early, day), (failed, principal, access_key_id, early, day),
    (failed, principal, network, vpc_endpoint, vpc_endpoint_account, early, day),
    (failed, principal, access_key_id, network, vpc_endpoint, vpc_endpoint_account, signing, day), (failed, maker, network, vpc_endpoint, vpc_endpoint_account))
),
spans as (
  select part, principal, access_key_id, network, vpc_endpoint, vpc_endpoint_account, signing, max(here) as here, max(source_ip) as source_ip,
    count(*) as days, max(bytes) as most_bytes, sum(bytes) as bytes, count(case when object_bytes > 0 then day end) as object_days,
    max(object_bytes) as object_most, coalesce(element_at(max(object_bytes, 2), 2), 0) as object_second,
    sum(object_bytes) as object_bytes, min(case when object_bytes > 0 then day end) as object_begins,
    min(first_seen) as first_seen, max(last_seen) as last_seen, coalesce(min(first_clock), 0) as first_clock,
    coalesce(max(last_clock), 0) as last_clock, coalesce(max(signed_in), 0) as signed_in, max(users) as users, coalesce(min(object), '') as object, coalesce(max(other_object), '') as other_object,
    coalesce(max(looked), 0) as looked, coalesce(min(product), '') as product, coalesce(max(other_product), '') as other_product
  from daily
  where part in ('origin', 'refused') or part = 'company' and users > 0 or part = 'place' and weighs = 1
    or here = 1 and (part = 'principal' and early = 1 or part = 'key' and early = 0)
  group by part, principal, access_key_id, network, vpc_endpoint, vpc_endpoint_account, signing
),
aged as (
  select *, sum(users) over (partition by part, network, vpc_endpoint, vpc_endpoint_account) as crowd,
    case when min(first_seen) over (partition by part, principal, network, vpc_endpoint, vpc_endpoint_account) <= %[3]d
      then 1 else 0 end as known, max(case when part in ('company', 'refused') then 0 else here end) over (partition by principal) as called,
    case when object_begins is not null and row_number() over (partition by part, principal, object_begins
      order by access_key_id, network, vpc_endpoint, vpc_endpoint_account, signing) = 1 then 1 else 0 end as begins
  from spans
),
placed as (
  select *, row_number() over (partition by part, principal
      order by known desc, days desc, last_seen desc, access_key_id, network, vpc_endpoint, vpc_endpoint_account, signing) as place,
    sum(known) over (partition by part, principal) as places, count(*) over (partition by part, principal) as all_places,
    sum(begins) over (partition by part, principal) as new_days
  from aged
  where part <> 'company' or crowd > %[4]d
)`, s.parted(q.Before.Add(-HistorySpan), q.Before, q.Before.Add(-earlier)), quote(Window{Buckets: q.Buckets}.names()), q.Before.Add(-earlier).Unix(), fewUsers)
	return unindent(shorten(tables) + fmt.Sprintf(`
select part, %s, %s, %s, %s, %s, %s, %s, days, %s, bytes, %s,
  %s, %s, %s, new_days, %s, %s, %s, %s, signed_in, users, object, %s,
  places, all_places, %s, %s, %s
from placed
where called = 1 and place <= %d or part = 'company' and place <= %d
order by part, principal, place`, named("principal"), named("access_key_id"), named("network"), named("vpc_endpoint"), named("vpc_endpoint_account"),
		named("signing"), named("source_ip"), named("most_bytes"), named("object_days"), named("object_bytes"), named("object_most"), named("object_second"),
		named("first_seen"), named("last_seen"), named("first_clock"), named("last_clock"), named("other_object"), named("looked"), named("product"), named("other_product"), maxOrigins, maxCompany))
}

// named is a column that was shortened, under its own name again.
func named(column string) string { return shorten(column) + " as " + column }

// usageLength is how long the question about no bucket is, at whatever time.
var usageLength = sync.OnceValue(func() int { return len(Usage{Before: time.Unix(2e9, 0)}.SQL(Schema{})) })

// Fits reports whether the question fits every engine.
func (q Usage) Fits() bool {
	return usageLength()+len(Window{Buckets: q.Buckets}.names())+tableRoom <= MaxStatement
}
