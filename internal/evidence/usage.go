package evidence

import (
	"fmt"
	"time"
)

// HistorySpan is how far back usage is asked for.
const HistorySpan = 14 * 24 * time.Hour

// maxOrigins bounds the origins kept of one principal's history. A principal with more counts as unknown, never as unfamiliar.
const maxOrigins = 100

// Usage asks how the principals that read Buckets did so in the HistorySpan before the time Before.
type Usage struct {
	Buckets []string
	Before  time.Time
}

// Name implements Question.
func (Usage) Name() string { return "usage" }

// SQL implements Question. An answer has one row for each principal ("principal": its earlier days, its most bytes in one of them) and one
// for each of its keys and origins ("origin"). Refused calls make nothing familiar, or a thief could knock first; and what is less than a
// day old is no history, or his own first minutes would be. Of the origins, those of earlier days come first, with whatever key. The
// owner's old origin, with a new key, must not be crowded out: it says that the key is in use.
func (q Usage) SQL(s Schema) string {
	names := quoteAll(q.Buckets)
	watched := fmt.Sprintf(`watched as (
  select *, case when named_bucket in (%[1]s) then named_bucket when resource_bucket in (%[1]s) then resource_bucket end as read_from,
    case when copied_from in (%[1]s) and copied_from <> coalesce(named_bucket, '') then copied_from end as source
  from found
)`, names)
	return fmt.Sprintf(`with %[1]s,
dated as (
  select *, cast(eventtime as date) as day, case when unix <= %[3]d then 1 else 0 end as early
  from calls
  where error_code = ''
),
daily as (
  select case when grouping(network) = 1 then 'principal' else 'origin' end as part, principal, coalesce(early, 0) as early,
    coalesce(access_key_id, '') as access_key_id, coalesce(network, '') as network, coalesce(vpc_endpoint, '') as vpc_endpoint,
    coalesce(vpc_endpoint_account, '') as vpc_endpoint_account, coalesce(signing, '') as signing, sum(bytes) as bytes,
    max(source_ip) as source_ip, min(unix) as first_seen, max(unix) as last_seen
  from dated
  group by grouping sets ((principal, early, day),
    (principal, access_key_id, network, vpc_endpoint, vpc_endpoint_account, signing, day))
),
spans as (
  select part, principal, access_key_id, network, vpc_endpoint, vpc_endpoint_account, signing, max(source_ip) as source_ip,
    count(*) as days, max(bytes) as most_bytes, min(first_seen) as first_seen, max(last_seen) as last_seen
  from daily
  where part = 'origin' or early = 1
  group by part, principal, access_key_id, network, vpc_endpoint, vpc_endpoint_account, signing
),
aged as (
  select *, case when min(first_seen) over (partition by part, principal, network, vpc_endpoint, vpc_endpoint_account) <= %[3]d
      then 1 else 0 end as known
  from spans
),
placed as (
  select *, row_number() over (partition by part, principal
      order by known desc, days desc, last_seen desc, access_key_id, network, vpc_endpoint, vpc_endpoint_account, signing) as place,
    sum(known) over (partition by part, principal) as places
  from aged
)
select part, principal, access_key_id, network, vpc_endpoint, vpc_endpoint_account, signing, source_ip, days, most_bytes, first_seen, last_seen, places
from placed
where place <= %[2]d
order by part, principal, place`, s.calls(q.Before.Add(-HistorySpan), q.Before, watched, ""), maxOrigins, q.Before.Add(-earlier).Unix())
}
