package evidence

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/lazyregexp"
)

// MaxDeeds is how many kinds of calls an answer to Since names; the rest is summed.
const MaxDeeds = 50

// Since asks what credentials, or the users or roles that they belong to, have done in [From, To) that succeeded, in whatever service:
// after a containment, whether it holds. A refused call counts for nothing, and a call with a key that is turned off leaves no record
// at all (https://docs.aws.amazon.com/AmazonS3/latest/userguide/logging-with-S3.html).
//
// A record's time is when the call ended: a download that began before From can be in the answer. IAM's, STS's and sign-in's calls are
// recorded in us-east-1, so a store of another region alone does not hold them.
type Since struct {
	// KeyIDs are access key ids (AKIA…, ASIA…).
	KeyIDs []string
	// PrincipalIDs are unique ids of users and roles (AIDA…, AROA…): all their keys and sessions. What a session of another role did
	// is the role's, also where this user assumed it; the AssumeRole is in the answer.
	PrincipalIDs []string
	// SessionIDs are the principal ids of sessions, AROA…:name: each session of a role by that name, and no other of the role.
	SessionIDs []string
	From, To   time.Time
}

// Name implements Question.
func (Since) Name() string { return "since" }

// uniqueID is the form of both kinds of ids. What has another is not asked for: "" stands in the records of callers without a key.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-prefixes
var uniqueID = lazyregexp.New(`^A[A-Z]{3}[A-Z0-9]{4,124}$`)

func uniqueIDs(list []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(id string) bool { return !uniqueID.MatchString(id) })
}

// sessionName is the form of a session's principal id. Who assumes the role chooses the name.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
var sessionName = lazyregexp.New(`^AROA[A-Z0-9]{4,124}:[\w+=,.@-]{1,64}$`)

// SQL implements Question. An answer has one row for all, also where there was nothing, and one for each credential and call ("deed").
// Those that change something come first, or the one CreateAccessKey would hide behind many reads; then those made most often.
//
// A question about nobody has no row at all, which ReadSince refuses: it must not pass for quiet.
func (q Since) SQL(s Schema) string {
	keys, principals := uniqueIDs(q.KeyIDs), uniqueIDs(q.PrincipalIDs)
	sessions := slices.DeleteFunc(slices.Clone(q.SessionIDs), func(id string) bool { return !sessionName.MatchString(id) })
	somebody := 1
	if len(keys)+len(principals)+len(sessions) == 0 {
		somebody = 0
	}
	return fmt.Sprintf(`with found as (
  select coalesce(nullif(sharedeventid, ''), eventid) as call_id, coalesce(eventid, '') as eventid, %[12]s as unix, eventsource, eventname,
    coalesce(useridentity.accesskeyid, '') as access_key_id,
    coalesce(nullif(useridentity.sessioncontext.sessionissuer.principalid, ''), split_part(useridentity.principalid, ':', 1), '') as principal_id,
    coalesce(sourceipaddress, '') as source_ip,
    coalesce(vpcendpointid, '') as vpc_endpoint,
    case when readonly then 0 else 1 end as writes,
    case when eventsource = 's3.amazonaws.com' then %[1]s end as sent
  from %[2]s
  where eventtime >= %[3]s and eventtime < %[4]s and coalesce(errorcode, '') = ''
    and coalesce(%[11]s, '') <> 'Failure'
    and (useridentity.accesskeyid in (%[5]s) or split_part(useridentity.principalid, ':', 1) in (%[6]s)
      or useridentity.sessioncontext.sessionissuer.principalid in (%[6]s) or useridentity.principalid in (%[13]s))
),
once as (
  select *, row_number() over (partition by call_id, eventname order by case when access_key_id = '' then 1 else 0 end, eventid, unix, source_ip, vpc_endpoint) as copy,
    %[7]s as network
  from found
),
counted as (
  select case when grouping(eventname) = 1 then 'all' else 'deed' end as part, coalesce(access_key_id, '') as access_key_id,
    coalesce(principal_id, '') as principal_id, coalesce(eventsource, '') as service, coalesce(eventname, '') as name,
    coalesce(max(writes), 0) as writes, count(*) as calls, coalesce(sum(%[10]s), 0) as bytes,
    coalesce(min(unix), 0) as first_seen, coalesce(max(unix), 0) as last_seen,
    coalesce(max_by(source_ip, row(unix, eventid)), '') as source_ip, coalesce(max_by(vpc_endpoint, row(unix, eventid)), '') as vpc_endpoint,
    count(distinct concat(network, '|', vpc_endpoint)) as origins
  from once
  where copy = 1
  group by grouping sets ((), (access_key_id, principal_id, eventsource, eventname))
),
placed as (
  select *, row_number() over (partition by part order by writes desc, calls desc, bytes desc, service, name, access_key_id, principal_id) as place,
    count(*) over (partition by part) as places
  from counted
)
select part, access_key_id, principal_id, service, name, writes, calls, bytes, first_seen, last_seen, source_ip, vpc_endpoint, origins, places
from placed
where place <= %[8]d and 1 = %[9]d
order by part, place`, s.sent(), s.records(q.From, q.To), s.moment(q.From), s.moment(q.To), anyOf(keys), anyOf(principals), network, MaxDeeds, somebody, bytesOut, s.signedIn(), unix("eventtime"), anyOf(sessions))
}

// signedIn is how a sign-in went, NULL for other calls: one that failed has no error code, only this answer, under its own name.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-aws-console-sign-in-events.html
func (s Schema) signedIn() string {
	var went []string
	for _, call := range []string{"ConsoleLogin", "CheckMfa", "SwitchRole", "ExitRole", "RenewRole"} {
		went = append(went, s.member("responseelements", call))
	}
	return "coalesce(" + strings.Join(went, ", ") + ")"
}

// anyOf is a list to be in; of none, one that nothing is in.
func anyOf(list []string) string {
	if len(list) == 0 {
		return "null"
	}
	return quoteAll(list)
}

// Deed is one kind of call that a credential made, and that succeeded.
type Deed struct {
	// AccessKeyID is the credential; "" where the record names none, as a sign-in's.
	AccessKeyID string
	// PrincipalID is the unique id of the user, or of the role that a session is of.
	PrincipalID string
	// Service is the eventSource ("iam.amazonaws.com"), Call the eventName.
	Service, Call string
	// Writes: not all of them are marked as reading only.
	Writes bool
	Calls  int64
	// Bytes went out of S3.
	Bytes       int64
	First, Last time.Time
	// From is the network of the last of them, or the VPC endpoint that it came through. Origins counts how many there were.
	From    string
	Origins int64
}

// Deeds is the answer to Since, read. Without any, Calls is 0.
type Deeds struct {
	Calls, Bytes int64
	// Listed are MaxDeeds at most, those that change something first.
	Listed []Deed
	// Unlisted counts the kinds that are not listed; UnlistedCalls and UnlistedBytes are theirs.
	Unlisted, UnlistedCalls, UnlistedBytes int64
}

// ReadSince reads the rows of a Since question. An answer without its sum is an error, and never quiet.
func ReadSince(rows []Row) (Deeds, error) {
	var d Deeds
	summed, kinds := false, int64(0)
	for _, row := range rows {
		r := &reader{row: row}
		calls, bytes := r.number("calls"), r.number("bytes")
		switch part := r.text("part"); part {
		case "all":
			if summed {
				return Deeds{}, errors.New("the answer has two sums over all")
			}
			summed, d.Calls, d.Bytes = true, calls, bytes
			d.UnlistedCalls, d.UnlistedBytes = d.UnlistedCalls+calls, d.UnlistedBytes+bytes
		case "deed":
			deed := Deed{AccessKeyID: r.text("access_key_id"), PrincipalID: r.text("principal_id"), Service: r.text("service"), Call: r.text("name"),
				Writes: r.number("writes") != 0, Calls: calls, Bytes: bytes, First: r.time("first_seen"), Last: r.time("last_seen"),
				From: r.text("vpc_endpoint"), Origins: r.number("origins")}
			if ip := r.text("source_ip"); deed.From == "" {
				deed.From = Network(ip)
			}
			kinds = r.number("places")
			d.Listed = append(d.Listed, deed)
			d.UnlistedCalls, d.UnlistedBytes = d.UnlistedCalls-calls, d.UnlistedBytes-bytes
		default:
			if r.err == nil {
				r.err = fmt.Errorf("a row of the answer has the unknown part %q", part)
			}
		}
		if r.err != nil {
			return Deeds{}, r.err
		}
	}
	if d.Unlisted = kinds - int64(len(d.Listed)); !summed || d.Unlisted < 0 || d.UnlistedCalls < 0 {
		return Deeds{}, errors.New("the answer has no sum over all, or less than its parts: nobody was asked about, or rows are missing")
	}
	return d, nil
}
