package evidence

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// CallersSpan is how far back it is asked who works with a credential: a daily job comes seven times, and a weekly one once.
const CallersSpan = 7 * 24 * time.Hour

const (
	// maxPlaces is how many places an answer has of one credential, and maxCallers how many of all.
	maxPlaces  = 20
	maxCallers = 2000
	// keptPlaces is how many of an actor's an incident keeps.
	keptPlaces = 4
)

// Callers asks from where credentials were used in the CallersSpan before the time Before, in whatever bucket and service: what stops where they
// are cut. It asks about those that called Buckets then, and about those of Credentials.
type Callers struct {
	Buckets []string
	// Credentials are as Actor.Credentials names them.
	Credentials []string
	Before      time.Time
}

// Name implements Question.
func (Callers) Name() string { return "callers" }

// Fits reports whether the question fits every engine.
func (q Callers) Fits() bool { return len(q.SQL(Schema{}))+tableRoom <= MaxStatement }

// SQL implements Question. An answer has one row for each credential and place. A long-term key is a credential, and so is a session, by its
// principal id: it has many keys. What was refused breaks nothing. Nothing is counted that a record delivered twice would change.
//
// Where one worked on most days comes first: a thief who changes his network a hundred times must not crowd the owner out.
func (q Callers) SQL(s Schema) string {
	buckets := anyOf(slices.DeleteFunc(strings.Split(Window{Buckets: q.Buckets}.names(), "/"), func(b string) bool { return b == "" }))
	return unindent(fmt.Sprintf(`with %[1]s,
used as (
  select *, case when named_bucket in (%[2]s) then named_bucket else coalesce(resource_bucket, named_bucket) end as bucket from hourly
),
known as (
  select *, max(case when bucket in (%[2]s) or credential in (%[3]s) then 1 else 0 end) over (partition by credential) as asked from used
),
summed as (
  select credential, network, vpc_endpoint, vpc_endpoint_account, max(source_ip) as source_ip, min(first_seen) as first_seen, max(last_seen) as last_seen,
    count(distinct slot) as hours, count(distinct slot - slot %% 86400) as days, count(distinct slot %% 86400) as clocks, min(slot %% 86400) as first_clock,
    count(distinct service) as services, min(service) as service, max(service) as other_service,
    count(distinct nullif(program, '')) as programs, coalesce(min(nullif(program, '')), '') as program, coalesce(max(program), '') as other_program,
    count(distinct nullif(bucket, '')) as buckets, coalesce(min(nullif(bucket, '')), '') as bucket, coalesce(max(bucket), '') as other_bucket
  from known
  where asked = 1
  group by credential, network, vpc_endpoint, vpc_endpoint_account
),
placed as (
  select *, count(*) over (partition by credential) as places,
    row_number() over (partition by credential order by days desc, hours desc, last_seen desc, network, vpc_endpoint, vpc_endpoint_account) as place
  from summed
)
select credential, vpc_endpoint, vpc_endpoint_account, source_ip, first_seen, last_seen, hours, days, clocks, first_clock, services, service, other_service,
  programs, program, other_program, buckets, bucket, other_bucket, places
from placed
where place <= %[4]d
order by place, days desc, hours desc, last_seen desc, credential, network, vpc_endpoint, vpc_endpoint_account
limit %[5]d`, s.hourly(q.Before.Add(-CallersSpan), q.Before), buckets, anyOf(few(q.Credentials)), maxPlaces, maxCallers))
}

// hourly is the common table of that name, on which Callers stands: who called what from where in each hour of a span, and the parts that the
// schema has of other hours.
func (s Schema) hourly(from, to time.Time) string {
	_, resource := s.BucketsOf()
	parts := ""
	if s.Parts != "" {
		parts = "\n  union all " + s.Parts
	}
	return fmt.Sprintf(`logged as (
  select %[1]s as unix, coalesce(useridentity.accesskeyid, '') as access_key_id, coalesce(useridentity.principalid, '') as principal_id, coalesce(sourceipaddress, '') as source_ip,
    coalesce(vpcendpointid, '') as vpc_endpoint, coalesce(vpcendpointaccountid, '') as vpc_endpoint_account, substr(coalesce(eventsource, ''), 1, 64) as service,
    case when eventsource = 's3.amazonaws.com' then substr(nullif(%[2]s, ''), 1, 256) end as named_bucket, case when eventsource = 's3.amazonaws.com' then %[3]s end as resource_bucket,
    substr(regexp_extract(substr(useragent, 1, 256), '^\[?([A-Za-z0-9._-]+)', 1), 1, 64) as program
  from %[4]s
  where eventtime >= %[5]s and eventtime < %[6]s and coalesce(errorcode, '') = ''
),
named as (
  select case when substr(access_key_id, 1, 4) = 'AKIA' then access_key_id when access_key_id <> '' then principal_id else '' end as credential,
    case when vpc_endpoint = '' then %[7]s else '' end as network, vpc_endpoint, vpc_endpoint_account, service, program, named_bucket, resource_bucket,
    unix - unix %% 3600 as slot, source_ip, unix
  from logged
),
hourly as (
  select `+hour+`, max(source_ip) as source_ip, min(unix) as first_seen, max(unix) as last_seen
  from named
  where credential <> ''
  group by `+hour+`%[8]s
)`, unix("eventtime"), s.Parameter("bucketName"), resource, s.records(from, to), s.moment(from), s.moment(to), network, parts)
}

// hour are the columns in which calls agree that Callers puts together.
const hour = "credential, network, vpc_endpoint, vpc_endpoint_account, service, program, named_bucket, resource_bucket, slot"

// Some are the first and the last, by the alphabet, of so many names.
type Some struct {
	Count int64    `json:"count"`
	Names []string `json:"names,omitempty"`
}

// some reads a column's name, that of the other one, and how many there are.
func (r *reader) some(column string) Some {
	s := Some{Count: r.number(column + "s")}
	if first, last := r.text(column), r.text("other_"+column); first != "" {
		s.Names = slices.Compact([]string{first, last})
	}
	return s
}

// Place is a network or a VPC endpoint.
type Place struct {
	Network            string `json:"network,omitempty"`
	VPCEndpoint        string `json:"vpc_endpoint,omitempty"`
	VPCEndpointAccount string `json:"vpc_endpoint_account,omitempty"`
}

func (p Place) place() place { return place{p.Network, p.VPCEndpoint, p.VPCEndpointAccount} }

// Use is what was done with a credential from one place.
type Use struct {
	Place
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	// Hours and Days count those of the CallersSpan in which it was used there, Clocks the hours of the day; Clock is the first of them, in seconds.
	Hours  int64 `json:"hours"`
	Days   int64 `json:"days"`
	Clocks int64 `json:"hours_of_the_day"`
	Clock  int64 `json:"first_hour_of_the_day_s"`
	// Programs are what the callers called themselves, without versions: their choice.
	Programs Some `json:"user_agents"`
	Services Some `json:"services"`
	Buckets  Some `json:"buckets"`
}

// String names it: the VPC endpoint, or the network.
func (p Place) String() string { return cmp.Or(p.VPCEndpoint, p.Network) }

// Uses is the answer to Callers, read: the places of each credential, where it worked on most days first.
type Uses struct {
	By map[string][]Use `json:"by"`
	// Unlisted counts each one's places beyond.
	Unlisted map[string]int64 `json:"unlisted,omitempty"`
	// Partial: there may be credentials that are not among them.
	Partial bool `json:"partial,omitempty"`
}

// ReadCallers reads the rows of the question q. Of a credential that it names, no row is an answer.
func ReadCallers(rows []Row, q Callers) (*Uses, error) {
	uses := &Uses{By: map[string][]Use{}, Unlisted: map[string]int64{}, Partial: len(rows) >= maxCallers}
	for _, row := range rows {
		r := &reader{row: row}
		u := Use{Place: Place{VPCEndpoint: r.text("vpc_endpoint"), VPCEndpointAccount: r.text("vpc_endpoint_account")}, First: r.time("first_seen"), Last: r.time("last_seen"),
			Hours: r.number("hours"), Days: r.number("days"), Clocks: r.number("clocks"), Clock: r.number("first_clock"),
			Programs: r.some("program"), Services: r.some("service"), Buckets: r.some("bucket")}
		if ip := r.text("source_ip"); u.VPCEndpoint == "" {
			u.Network = Network(ip)
		}
		who, places := r.whole("credential"), r.number("places")
		if r.err != nil {
			return nil, r.err
		}
		if _, seen := uses.By[who]; !seen {
			uses.Unlisted[who] = places
		}
		uses.add(who, u)
		uses.Unlisted[who]--
	}
	for _, id := range few(q.Credentials) {
		if _, seen := uses.By[id]; !seen && !uses.Partial {
			uses.By[id] = []Use{}
		}
	}
	return uses, nil
}

// add adds a place. An IPv6 network may be written in two ways, and is one.
func (u *Uses) add(who string, use Use) {
	for i, known := range u.By[who] {
		if known.place() != use.place() {
			continue
		}
		if known.Last.Before(use.Last) {
			known.Last = use.Last
		}
		if use.First.Before(known.First) {
			known.First = use.First
		}
		known.Hours, known.Days = max(known.Hours, use.Hours), max(known.Days, use.Days)
		u.By[who][i] = known
		return
	}
	u.By[who] = append(u.By[who], use)
}

// AlsoUsed is from where a credential was used in the CallersSpan before the window's edge, without the places that are not familiar to it and
// to which bytes went now: what stops where it is cut.
type AlsoUsed struct {
	// Before is the end of that time.
	Before time.Time `json:"before"`
	// Places counts them, and Listed are a few: where it worked on most days comes first.
	Places int64 `json:"places"`
	Listed []Use `json:"listed,omitempty"`
	// Hours, Services and Buckets are the most at one of them, and Last is when it was used at any last.
	Hours    int64     `json:"hours"`
	Services int64     `json:"services"`
	Buckets  int64     `json:"buckets"`
	Last     time.Time `json:"last,omitzero"`
	// Partial: there are places that were not returned, so that it may be more.
	Partial bool `json:"partial,omitempty"`
}

// CredentialID is what Callers calls the actor's credential; "" where it has none that could be cut.
func (a Actor) CredentialID() string {
	switch {
	case strings.HasPrefix(a.AccessKeyID, "AKIA"):
		return a.AccessKeyID
	case a.AccessKeyID != "" && askable(a.PrincipalID):
		return a.PrincipalID
	}
	return ""
}

// Also says from where else the actor's credential was used; nil is not known.
func (u *Uses) Also(a Actor, before time.Time) *AlsoUsed {
	id := a.CredentialID()
	if u == nil || id == "" {
		return nil
	}
	all, answered := u.By[id]
	if !answered {
		return nil
	}
	strange := map[place]bool{}
	for _, o := range a.Origins {
		if o.Bytes > 0 && (o.Familiar == nil || !*o.Familiar) {
			strange[o.place()] = true
		}
	}
	also := &AlsoUsed{Before: before, Places: u.Unlisted[id], Partial: u.Unlisted[id] > 0}
	for _, use := range all {
		if strange[use.place()] {
			continue
		}
		also.Places++
		also.Hours, also.Services, also.Buckets = max(also.Hours, use.Hours), max(also.Services, use.Services.Count), max(also.Buckets, use.Buckets.Count)
		if use.Last.After(also.Last) {
			also.Last = use.Last
		}
		if len(also.Listed) < keptPlaces {
			also.Listed = append(also.Listed, use)
		}
	}
	return also
}

// KeepUses keeps what was known of who else works with the actors' credentials, where it is not known anew.
func (e *Evidence) KeepUses(before Evidence) {
	for i, a := range e.Actors {
		for _, known := range before.Actors {
			if id := a.CredentialID(); a.AlsoUsed == nil && id != "" && id == known.CredentialID() {
				e.Actors[i].AlsoUsed = known.AlsoUsed
			}
		}
	}
}
