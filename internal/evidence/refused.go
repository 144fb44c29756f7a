package evidence

import (
	"fmt"
	"time"
)

// maxRefused is how many places an answer to Refused has.
const maxRefused = 200

// Refused asks what credentials, or the users or roles that they belong to, were not allowed to do in [From, To), in whatever service: after a deny,
// whose work it stops. A call with a key that is off leaves no record, and is in no answer.
type Refused struct {
	// KeyIDs and PrincipalIDs are as in Since.
	KeyIDs, PrincipalIDs []string
	From, To             time.Time
}

// Name implements Question.
func (Refused) Name() string { return "refused" }

// denied are the error codes of a call that is not allowed. What is missing, or was asked for in a wrong form, is none.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
const denied = `'AccessDenied|Unauthorized|NotAuthorized|AuthorizationError|Forbidden'`

// SQL implements Question. An answer has one row for each credential, as Callers has them, and place, those with most calls first.
func (q Refused) SQL(s Schema) string {
	keys, principals := anyOf(uniqueIDs(q.KeyIDs)), anyOf(uniqueIDs(q.PrincipalIDs))
	return unindent(fmt.Sprintf(`with found as (
  select %[1]s as unix, coalesce(nullif(sharedeventid, ''), eventid) as call_id, case when substr(useridentity.accesskeyid, 1, 4) = 'AKIA' then useridentity.accesskeyid else coalesce(useridentity.principalid, '') end as credential, coalesce(sourceipaddress, '') as source_ip,
    coalesce(vpcendpointid, '') as vpc_endpoint, coalesce(vpcendpointaccountid, '') as vpc_endpoint_account, substr(coalesce(eventname, ''), 1, 64) as call,
    substr(regexp_extract(substr(useragent, 1, 256), '^\[?([A-Za-z0-9._-]+)', 1), 1, 64) as program
  from %[2]s
  where eventtime >= %[3]s and eventtime < %[4]s and regexp_like(errorcode, %[5]s)
    and (useridentity.accesskeyid in (%[6]s) or split_part(useridentity.principalid, ':', 1) in (%[7]s) or useridentity.sessioncontext.sessionissuer.principalid in (%[7]s))
),
parted as (
  select *, case when vpc_endpoint = '' then %[8]s else '' end as network from found
),
counted as (
  select credential, network, vpc_endpoint, vpc_endpoint_account, max(source_ip) as source_ip, count(distinct call_id) as calls, min(unix) as first_seen, max(unix) as last_seen,
    count(distinct call) as names, min(call) as name, max(call) as other_name,
    count(distinct nullif(program, '')) as programs, coalesce(min(nullif(program, '')), '') as program, coalesce(max(program), '') as other_program
  from parted
  group by credential, network, vpc_endpoint, vpc_endpoint_account
)
select credential, vpc_endpoint, vpc_endpoint_account, source_ip, calls, first_seen, last_seen, names, name, other_name, programs, program, other_program
from counted
order by calls desc, last_seen desc, credential, network, vpc_endpoint, vpc_endpoint_account
limit %[9]d`, unix("eventtime"), s.records(q.From, q.To), s.moment(q.From), s.moment(q.To), denied, keys, principals, network, maxRefused))
}

// Refusal is what was not allowed to a credential at one place.
type Refusal struct {
	// Credential is one as Callers has it: a long-term key, or the principal id of a session.
	Credential string
	// From is where.
	From        Place
	Calls       int64
	First, Last time.Time
	// Names are the calls, Programs what the caller calls himself.
	Names, Programs Some
}

// Refusals is the answer to Refused, read. Partial: there may be more.
type Refusals struct {
	Listed  []Refusal
	Partial bool
}

// ReadRefused reads the rows of a Refused question.
func ReadRefused(rows []Row) (Refusals, error) {
	all := Refusals{Partial: len(rows) >= maxRefused}
	for _, row := range rows {
		r := &reader{row: row}
		refusal := Refusal{Credential: r.text("credential"), From: Place{VPCEndpoint: r.text("vpc_endpoint"), VPCEndpointAccount: r.text("vpc_endpoint_account")},
			Calls: r.number("calls"), First: r.time("first_seen"), Last: r.time("last_seen"), Names: r.some("name"), Programs: r.some("program")}
		if ip := r.text("source_ip"); refusal.From.VPCEndpoint == "" {
			refusal.From.Network = Network(ip)
		}
		if r.err != nil {
			return Refusals{}, r.err
		}
		all.Listed = append(all.Listed, refusal)
	}
	return all, nil
}

// Knows reports whether the actor's principal works at a place on other days too, by what was usual when it was judged; nil is unknown. Where its
// bytes went then does not make it so.
func (a Actor) Knows(at Place) *bool {
	if a.HistoryDays == nil {
		return nil
	}
	for _, known := range a.Places {
		if known.place() == at.place() {
			return new(true)
		}
	}
	if a.PlacesPartial {
		return nil
	}
	return new(false)
}
