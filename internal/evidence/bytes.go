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

// askedOrigins is how many origins of one actor a query returns: what is unfamiliar is added up over all of them, so that
// a thief does not hide by spreading over more networks than an incident lists.
const askedOrigins = 400

// Bytes asks who moved the bytes of Buckets in the window [From, To), and in Margin on both sides of it.
type Bytes struct {
	Buckets  []string
	From, To time.Time
	Margin   time.Duration
}

// Name implements Question.
func (Bytes) Name() string { return "bytes" }

// SQL implements Question. An answer has one row for all, one for each actor, and for each actor one a bucket, a call, an
// origin, an agent and an error code: grouping sets, because how Lake prints a collection is not known. "part" says which.
//
// Of actors the MaxActors that took most are named, of the rest MaxDetails each; the rows of the larger group carry the
// totals, so that what is left out can be told.
func (q Bytes) SQL(s Schema) string {
	const sums = `
    coalesce(sum(case when in_window = 1 then bytes else 0 end), 0) as bytes,
    coalesce(sum(case when in_window = 1 and class = 'object' then bytes else 0 end), 0) as object_bytes,
    coalesce(sum(case when in_window = 1 and class = 'listing' then bytes else 0 end), 0) as listing_bytes,
    coalesce(sum(case when in_window = 1 and class = 'error' then bytes else 0 end), 0) as error_bytes,
    coalesce(sum(case when in_window = 0 then bytes else 0 end), 0) as margin_bytes,
    coalesce(sum(case when in_window = 1 then 1 else 0 end), 0) as calls,
    coalesce(sum(case when in_window = 1 and bytes_out is null and read_from is not null and copied_out = 0 then 1 else 0 end), 0) as unsized,
    coalesce(sum(case when in_window = 1 then copied_out else 0 end), 0) as copies,`
	return fmt.Sprintf(`with %[1]s,
marked as (
  select *,
    concat(type, '|', access_key_id, '|', principal_id, '|', account_id, '|', invoked_by) as actor,
    case when eventtime >= %[2]s and eventtime < %[3]s then 1 else 0 end as in_window,
    case when error_code <> '' then 'error' when eventname in (%[4]s) then 'object' else 'listing' end as class
  from calls
),
counted as (
  select case when grouping(actor) = 1 then 'all' when grouping(bucket) = 0 then 'bucket' when grouping(eventname) = 0 then 'call'
      when grouping(network) = 0 then 'origin' when grouping(agent) = 0 then 'agent' when grouping(error_code) = 0 then 'error'
      else 'actor' end as part,
    coalesce(actor, '') as actor,
    coalesce(bucket, eventname, network, agent, error_code, '') as name,
    coalesce(vpc_endpoint, '') as vpc_endpoint, coalesce(vpc_endpoint_account, '') as vpc_endpoint_account, coalesce(signing, '') as signing,
    max(source_ip) as source_ip, max(type) as type, max(principal_id) as principal_id, max(arn) as arn, max(account_id) as account_id,
    max(access_key_id) as access_key_id, max(user_name) as user_name, max(issuer_arn) as issuer_arn,
    max(issuer_user_name) as issuer_user_name, max(invoked_by) as invoked_by, max(on_behalf_of) as on_behalf_of, max(principal) as principal,%[5]s
    coalesce(to_unixtime(min(case when in_window = 1 then eventtime end)), 0) as first_seen,
    coalesce(to_unixtime(max(case when in_window = 1 then eventtime end)), 0) as last_seen,
    count(distinct case when in_window = 1 and class = 'object' then concat(bucket, '/', object_key) end) as objects
  from marked
  group by grouping sets ((), (actor), (actor, bucket), (actor, eventname), (actor, network, vpc_endpoint, vpc_endpoint_account, signing),
    (actor, agent), (actor, error_code))
),
placed as (
  select *, row_number() over (partition by part, case when part = 'actor' then '' else actor end
      order by bytes desc, copies desc, calls desc, margin_bytes desc, actor, name, vpc_endpoint, vpc_endpoint_account, signing) as place,
    count(*) over (partition by part, case when part = 'actor' then '' else actor end) as places
  from counted
  where not (part = 'error' and name = '')
),
ranked as (
  select *, max(case when part = 'actor' then place end) over (partition by actor) as actor_place
  from placed
)
select part, actor, name, vpc_endpoint, vpc_endpoint_account, signing, source_ip, type, principal_id, arn, account_id, access_key_id,
  user_name, issuer_arn, issuer_user_name, invoked_by, on_behalf_of, principal, bytes, object_bytes, listing_bytes, error_bytes,
  margin_bytes, calls, unsized, copies, first_seen, last_seen, objects, places
from ranked
where (part = 'all' and calls + margin_bytes > 0)
  or (actor_place <= %[6]d and (part = 'actor' or place <= %[7]d or (part = 'origin' and place <= %[8]d)))
order by part, actor, place`, s.calls(q.Buckets, q.From.Add(-q.Margin), q.To.Add(q.Margin)), timestamp(q.From), timestamp(q.To),
		quoteAll(objectData), sums, MaxActors, MaxDetails, askedOrigins)
}
