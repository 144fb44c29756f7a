package evidence

import (
	"fmt"
	"time"
)

// How much of an answer is kept: an incident has to fit an item of DynamoDB, and the terminal. The rest is summed.
const (
	MaxActors  = 50
	MaxDetails = 20 // origins, agents, calls, error codes, buckets of one actor
)

// askedOrigins is how many origins of one actor a query returns. What is unfamiliar is added up over all of them: a thief does not hide by
// spreading over more networks than an incident lists.
const askedOrigins = 400

// Edge is how long before a window what is usual ends. What came before it is the past, and has been delivered Settling after it.
const Edge = 2 * time.Minute

// LastHour is how much of the past, up to the edge, each Bytes question counts. Two equal counts show that the past is whole: what is late is
// late there first.
const LastHour = time.Hour

// Bytes asks who moved the bytes in each of Windows, and in Margin, in whole seconds, on both sides of it. It counts the calls of the LastHour
// before the edge too. A window has the rows that it has when it is asked alone: a call counts once in each window that holds it, whatever the
// other windows are.
type Bytes struct {
	Windows []Window
	Margin  time.Duration
}

// Name implements Question.
func (Bytes) Name() string { return "bytes" }

// SQL implements Question. For each window, named by window_no (see Numbers), an answer has one row for all and one for each actor. For
// each actor it has one a bucket, a call, an origin, an agent and an error code. These are grouping sets, because how Lake prints a
// collection is not known. "part" says which.
//
// Of actors the MaxActors that took most are named, of the rest MaxDetails each. The rows of the larger group carry the totals, so that
// what is left out can be stated.
//
// The trail is read once: a table expression that two others name would be scanned, and billed, twice. A call meets the windows of
// the buckets that it names by an equality, so that each costs as much as there are windows on its own bucket. Calls that name one
// bucket, nearly all, stay one row until then. What a copy's header names without a bucket, by an access point or in a way that cannot be
// decoded, stands among its resources beside the destination.
func (q Bytes) SQL(s Schema) string {
	from, to := q.hull()
	margin := int64(q.Margin / time.Second)
	watched := fmt.Sprintf(`spans as (
  select before + place as window_no, begins + %[2]d as begins, ends + %[2]d as ends, split(names, '/') as names
  from (values %[1]s) as s (before, begins, ends, lists)
  inner join unnest(split(lists, ' ')) with ordinality as l (names, place) on true
),
watch as (
  select * from spans inner join unnest(names) as n (bucket) on true
),
watched as (
  select found.*, window_no, case when unix >= begins and unix < ends then unix end as seen,
    concat(cast(window_no as varchar), case when begins - unix > %[4]d then '<' else '|' end, call_id) as call, begins - unix as ahead,
    case when contains(names, named_bucket) then named_bucket when contains(names, resource_bucket) then resource_bucket end as read_from,
    case when is_copy = 1 and candidate <> coalesce(named_bucket, '')
      and %[5]s then candidate end as source
  from found
  inner join unnest(case when is_copy = 0 and named_bucket = r1 then array[named_bucket]
    else array[named_bucket, copied_from, r1, r2, r3, r4] end) as c (candidate) on true
  inner join watch on watch.bucket = candidate and unix >= begins - %[3]d and unix < ends + %[4]d
)`, q.values(), from.Unix(), int64(q.before()/time.Second), margin, ofHeader)
	once, rest := s.onceInBytes()
	tables := fmt.Sprintf(`with %[1]s,
%[6]s,
%[7]s,
calls as (
  select *, coalesce(read_from, source) as bucket, case when source is not null and error_code = '' then 1 else 0 end as copied_out,
    case when read_from is null then 0 else coalesce(bytes_out, 0) end as bytes,
    `+network+` as network%[8]s
),
marked as (
  select *, case when ahead > %[3]d and ahead <= %[4]d then 1 else 0 end as past,
    case when ahead <= %[5]d then concat(type, '|', access_key_id, '|', principal_id, '|', account_id, '|', invoked_by, '|', on_behalf_of, '|', source_identity,
      case when access_key_id = '' then concat('|', arn, '|', user_name) else '' end) end as actor,
    case when ahead > %[5]d then 'past' when seen is null then 'margin' when error_code <> '' then 'error' when eventname in (%[2]s) then 'object' else 'listing' end as class
  from calls
),
`, s.found(from, to, false), quoteAll(objectData), int64(Edge/time.Second), int64((Edge+LastHour)/time.Second), margin, watched, once, rest)
	const counted = `counted as (
  select window_no, case when grouping(actor) = 1 then 'all' when actor is null then 'past' when grouping(bucket) = 0 then 'bucket' when grouping(eventname) = 0 then 'call'
      when grouping(network) = 0 then 'origin' when grouping(agent) = 0 then 'agent' when grouping(error_code) = 0 then 'error'
      else 'actor' end as part,
    coalesce(actor, '') as actor,
    coalesce(bucket, eventname, network, agent, error_code, '') as name,
    coalesce(vpc_endpoint, '') as vpc_endpoint, coalesce(vpc_endpoint_account, '') as vpc_endpoint_account, coalesce(signing, '') as signing,
    max(source_ip) as source_ip, max(type) as type, max(principal_id) as principal_id, max(arn) as arn, max(account_id) as account_id,
    max(access_key_id) as access_key_id, max(user_name) as user_name, max(issuer_arn) as issuer_arn,
    max(issuer_user_name) as issuer_user_name, max(invoked_by) as invoked_by, max(on_behalf_of) as on_behalf_of, max(source_identity) as source_identity, max(provider) as provider,
    max(principal) as principal,
    sum(case when seen is not null then bytes else 0 end) as bytes,
    sum(case when class = 'object' then bytes else 0 end) as object_bytes,
    sum(case when seen is not null and signing = 'header' then bytes else 0 end) as signed_bytes,
    sum(case when class = 'listing' then bytes else 0 end) as listing_bytes,
    sum(case when class = 'error' then bytes else 0 end) as error_bytes,
    sum(case when class = 'margin' then bytes else 0 end) as margin_bytes,
    count(seen) as calls,
    count(case when bytes_out is null and read_from is not null and copied_out = 0 then seen end) as unsized,
    count(case when copied_out = 1 then seen end) as copies,
    coalesce(min(seen), 0) as first_seen, coalesce(max(seen), 0) as last_seen,
    sum(case when class = 'past' then 0 else torn end) as torn, count(case when class <> 'past' then reason end) as amended,
    sum(past) as past_calls, sum(case when past = 1 then bytes else 0 end) as past_bytes,
    count(distinct case when class = 'object' then concat(bucket, '/', object_key) end) as objects,
    coalesce(min(case when class = 'object' then object_key end), '') as object,
    coalesce(max(case when class = 'object' then object_key end), '') as other_object
  from marked
  group by grouping sets ((window_no), (window_no, actor), (window_no, actor, bucket), (window_no, actor, eventname),
    (window_no, actor, network, vpc_endpoint, vpc_endpoint_account, signing), (window_no, actor, agent), (window_no, actor, error_code))
),
`
	return unindent(shorten(tables) + inFull(shorten(counted)) + fmt.Sprintf(`placed as (
  select *, row_number() over (partition by window_no, part, case when part = 'actor' then '' else actor end
      order by bytes desc, copies desc, calls desc, margin_bytes desc, actor, name, vpc_endpoint, vpc_endpoint_account, signing) as place,
    count(*) over (partition by window_no, part, case when part = 'actor' then '' else actor end) as places
  from counted
  where part <> 'past' and not (part = 'error' and name = '')
),
ranked as (
  select *, coalesce(max(case when part = 'actor' then place end) over (partition by window_no, actor), 0) as actor_place
  from placed
)
select *
from ranked
where actor_place <= %d and (part in ('all', 'actor') or place <= %d or (part = 'origin' and place <= %d))
order by window_no, part, actor, place`, MaxActors, MaxDetails, askedOrigins))
}
