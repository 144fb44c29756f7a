package evidence

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/settings"
)

const (
	// maxBystanders is how many of each sort an answer names; all are counted.
	maxBystanders = 10
	// maxReaches is how much of one incident is asked about.
	maxReaches = 5
)

// Guests is the name of every session that Amazon Cognito's identity pools give out: it names nobody.
// https://docs.aws.amazon.com/cognito/latest/developerguide/authentication-flow.html
const Guests = "CognitoIdentityCredentials"

// Reach is whom a step hits that hits more than one credential.
type Reach struct {
	// PrincipalID is the unique id of a user or role, and ARN its ARN: all that work as one of the two.
	PrincipalID string `json:"principal_id,omitempty"`
	ARN         string `json:"principal_arn,omitempty"`
	// Bucket: only there. PrincipalID is the value of aws:userid then. Without one it is whoever calls without credentials, or with another
	// account's.
	Bucket string `json:"bucket,omitempty"`
}

// principalARN is a user's or role's, as a question may hold it.
var principalARN = lazyregexp.New(`^arn:aws[a-z-]{0,20}:iam::[0-9]{12}:(user|role)/[!-~]+$`)

// Askable reports whether the trail can be asked who that is. A text that was cut names nobody.
func (r Reach) Askable() bool {
	switch {
	case r.PrincipalID != "" && !askable(r.PrincipalID), r.ARN != "" && (len(r.ARN) >= maxText || !principalARN.MatchString(r.ARN)):
		return false
	case r.Bucket != "":
		return settings.CheckBucket(r.Bucket) == nil
	}
	return r.PrincipalID != "" || r.ARN != ""
}

// Same reports whether two are the same as far as both say.
func (r Reach) Same(o Reach) bool {
	if r.Bucket != o.Bucket || r.PrincipalID != "" && o.PrincipalID != "" {
		return r.Bucket == o.Bucket && r.PrincipalID == o.PrincipalID
	}
	return r.ARN == o.ARN && (r.ARN != "" || r.PrincipalID == o.PrincipalID)
}

// OneUser reports whether it is a user's, or root's: his sessions without a name are his.
func (r Reach) OneUser() bool {
	return strings.HasPrefix(r.PrincipalID, "AIDA") || strings.Contains(r.ARN, ":user/") || actor.IsAccount(r.PrincipalID)
}

// Aim is a reach that is asked about. Without are the callers, as Bystander.ID names them, who are not asked about: the thief.
type Aim struct {
	Reach
	Without []string
}

// Bystanders asks who else worked in the HistorySpan before the time Before within reach of steps: whom they hit beside the thief.
type Bystanders struct {
	Of     []Aim
	Before time.Time
}

// Name implements Question.
func (Bystanders) Name() string { return "bystanders" }

// Fits reports whether the question fits every engine.
func (q Bystanders) Fits() bool { return len(q.SQL(Schema{}))+tableRoom <= MaxStatement }

// SQL implements Question. An answer has rows of each sort of callers, those who worked last first, each with how many there are. A person is one
// caller, whatever number of sessions he has; so is a session's name, a long-term key, and a network without credentials. A session that has no name
// of its own is one caller. What was refused hits nobody. Nothing is counted that a record delivered twice would change. One more row, "held", is there
// where anybody called on the first day: the trail goes back so far.
func (q Bystanders) SQL(s Schema) string {
	_, resource := s.BucketsOf()
	begin := q.Before.Add(-HistorySpan)
	aims := []string{"(-1, '', '', '', '')"} // whoever called on the first day
	for i, a := range q.Of {
		if a.Askable() {
			aims = append(aims, fmt.Sprintf("(%d, %s, %s, %s, %s)", i, quote(a.PrincipalID), quote(a.ARN), quote(a.Bucket), quote(a.without())))
		}
	}
	return unindent(fmt.Sprintf(`with logged as (
  select %[1]s as unix, coalesce(useridentity.type, '') as type, coalesce(useridentity.accountid, '') as account_id, coalesce(useridentity.accesskeyid, '') as access_key_id,
    coalesce(useridentity.principalid, '') as principal_id, coalesce(useridentity.onbehalfof.userid, '') as on_behalf_of,
    coalesce(useridentity.sessioncontext.sourceidentity, '') as source_identity,
    coalesce(nullif(useridentity.sessioncontext.sessionissuer.principalid, ''), split_part(useridentity.principalid, ':', 1), '') as owner_id,
    coalesce(nullif(useridentity.sessioncontext.sessionissuer.arn, ''), useridentity.arn, '') as owner_arn,
    coalesce(sourceipaddress, '') as source_ip, coalesce(vpcendpointid, '') as vpc_endpoint,
    case when eventsource = 's3.amazonaws.com' then coalesce(%[2]s, %[3]s, '') else '' end as bucket
  from %[4]s
  where eventtime >= %[5]s and eventtime < %[6]s and coalesce(errorcode, '') = '' and coalesce(%[7]s, '') <> 'Failure'
),
hit as (
  select logged.*, aim, own, coalesce(nullif(on_behalf_of, ''), nullif(source_identity, ''), nullif(nullif(split_part(principal_id, ':', 2), ''), %[8]s)) as person,
    %[9]s as network
  from logged
  inner join (values %[10]s) as w (aim, id, principal_arn, at_bucket, own)
    on case when aim < 0 then unix < %[15]d when at_bucket = '' then owner_id = nullif(id, '') or owner_arn = nullif(principal_arn, '')
         else bucket = at_bucket and (principal_id = nullif(id, '') or id = '' and type = 'AWSAccount') end
),
sorted as (
  select *, case when aim < 0 then 'held' when type = 'AWSAccount' and (account_id in (%[11]s) or principal_id in (%[11]s)) then 'anonymous' when substr(access_key_id, 1, 4) = 'AKIA' then 'key'
      when person is null then 'session' when on_behalf_of = '' and source_identity = '' and regexp_like(principal_id, %[12]s) then 'machine' else 'name' end as sort
  from hit
),
called as (
  select *, case when aim < 0 then 'held' when sort = 'anonymous' then coalesce(nullif(vpc_endpoint, ''), network) when sort = 'key' then access_key_id
      when sort = 'session' then coalesce(nullif(access_key_id, ''), principal_id) else concat(split_part(principal_id, ':', 1), ':', person) end as caller
  from sorted
),
summed as (
  select aim, sort, caller, max(source_ip) as source_ip, max(vpc_endpoint) as vpc_endpoint, min(unix) as first_seen, max(unix) as last_seen
  from called
  where not contains(split(own, '|'), caller)
  group by aim, sort, caller
),
placed as (
  select *, count(*) over (partition by aim, sort) as callers, sum(case when first_seen > %[13]d then 1 else 0 end) over (partition by aim, sort) as fresh,
    row_number() over (partition by aim, sort order by last_seen desc, caller) as place
  from summed
)
select aim, sort, caller, source_ip, vpc_endpoint, first_seen, last_seen, callers, fresh
from placed
where place <= %[14]d
order by aim, sort, place`, unix("eventtime"), resource, s.Parameter("bucketName"), s.records(begin, q.Before), s.moment(begin), s.moment(q.Before),
		s.signedIn(), quote(Guests), network, strings.Join(aims, ", "), quoteAll([]string{"anonymous", "ANONYMOUS_PRINCIPAL"}), madeUp, q.Before.Add(-earlier).Unix(), maxBystanders, begin.Add(24*time.Hour).Unix()))
}

// without writes the callers who are not asked about as the question tells them apart.
func (a Aim) without() string {
	var ids []string
	for _, id := range a.Without {
		if p, err := netip.ParsePrefix(id); err == nil && p.Addr().Is4() {
			id = strings.TrimSuffix(p.Addr().String(), ".0")
		} else if err == nil {
			in := p.Addr().As16()
			id = fmt.Sprintf("%x:%x:%x", uint(in[0])<<8|uint(in[1]), uint(in[2])<<8|uint(in[3]), uint(in[4])<<8|uint(in[5]))
		}
		if plainCaller.MatchString(id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return strings.Join(slices.Compact(ids), "|")
}

// plainCaller is what a caller's name is made of.
var plainCaller = lazyregexp.New(`^[\w+=,.@:-]{1,256}$`)

// Sort is how a bystander is told from others.
type Sort string

// The sorts of bystanders.
const (
	ByKey     Sort = "key"       // a long-term key
	ByName    Sort = "name"      // a person, or a session's name
	ByMachine Sort = "machine"   // a session whose name a machine made up
	BySession Sort = "session"   // a session that has no name of its own, by its key
	ByNetwork Sort = "anonymous" // a network or an endpoint, from which somebody called without credentials
)

// Bystander is a caller within reach of a step.
type Bystander struct {
	ID    string    `json:"id"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// Counted are the bystanders of one sort: how many, how many of them were seen in the last 24 hours only, and those who worked last.
type Counted struct {
	Callers int64       `json:"callers"`
	New     int64       `json:"new_in_24_hours"`
	Listed  []Bystander `json:"listed"`
}

// Hit is who is within reach of a step beside the thief.
type Hit struct {
	Reach
	// Before is the end of the HistorySpan that was asked about.
	Before time.Time        `json:"before"`
	By     map[Sort]Counted `json:"by"`
	// Partial: a part of the trail could not be read, so that it may be more. Short: no call of the first day was found, whoever's, so that the trail
	// may not go back so far.
	Partial bool `json:"partial,omitempty"`
	Short   bool `json:"short,omitempty"`
}

// ReadBystanders reads the rows of the question q: of each of its aims, in their order, a hit. What was not asked is nil.
func ReadBystanders(rows []Row, q Bystanders) ([]*Hit, error) {
	hits, held := make([]*Hit, len(q.Of)), slices.ContainsFunc(rows, func(r Row) bool { return r["sort"] == "held" })
	for i, a := range q.Of {
		if a.Askable() {
			hits[i] = &Hit{Reach: a.Reach, Before: q.Before, By: map[Sort]Counted{}, Short: !held}
		}
	}
	for _, row := range rows {
		r := &reader{row: row}
		aim, sort := r.number("aim"), Sort(r.text("sort"))
		b := Bystander{r.text("caller"), r.time("first_seen"), r.time("last_seen")}
		callers, fresh, ip, endpoint := r.number("callers"), r.number("fresh"), r.text("source_ip"), r.text("vpc_endpoint")
		if sort == "held" && r.err == nil {
			continue
		}
		if r.err == nil && (aim < 0 || aim >= int64(len(hits)) || hits[aim] == nil) {
			r.err = fmt.Errorf("a row of the answer is about number %d, which was not asked for", aim)
		}
		if r.err != nil {
			return nil, r.err
		}
		if sort == ByNetwork && endpoint == "" {
			b.ID = Network(ip)
		}
		of := hits[aim].By[sort]
		of.Callers, of.New, of.Listed = callers, fresh, append(of.Listed, b)
		hits[aim].By[sort] = of
	}
	return hits, nil
}

// Less are the bystanders without those of some ids, as far as they are listed, and without those of some sorts.
func (h Hit) Less(ids []string, sorts ...Sort) Hit {
	day, by := h.Before.Add(-earlier), h.By
	h.By = map[Sort]Counted{}
	for sort, all := range by {
		if slices.Contains(sorts, sort) {
			continue
		}
		rest := []Bystander{}
		for _, b := range all.Listed {
			if !slices.Contains(ids, b.ID) {
				rest = append(rest, b)
				continue
			}
			if all.Callers--; b.First.After(day) {
				all.New--
			}
		}
		if all.Listed = rest; all.Callers > 0 {
			h.By[sort] = all
		}
	}
	return h
}

// Callers counts them, and those who are new. A user's sessions without a name are one caller.
func (h Hit) Callers() (all, fresh int64) {
	for sort, of := range h.By {
		if sort == BySession && h.OneUser() {
			of.New = min(of.New/max(of.Callers, 1), 1)
			of.Callers = min(of.Callers, 1)
		}
		all, fresh = all+of.Callers, fresh+of.New
	}
	return all, fresh
}

// Last is when one of them worked last.
func (h Hit) Last() (last time.Time) {
	for _, of := range h.By {
		for _, b := range of.Listed {
			if b.Last.After(last) {
				last = b.Last
			}
		}
	}
	return last
}

// CallerIDs are what the actor itself is called among bystanders. Without credentials it is the networks that took bytes now and are not familiar.
func (a Actor) CallerIDs() (ids []string) {
	_, name, _ := strings.Cut(a.PrincipalID, ":")
	if name == Guests {
		name = ""
	}
	owner, _, _ := strings.Cut(a.PrincipalID, ":")
	for _, person := range []string{name, a.SourceIdentity, a.OnBehalfOf} {
		if person != "" {
			name = person
		}
	}
	switch {
	case a.Kind == actor.Anonymous:
		for _, o := range a.Origins {
			if o.Bytes > 0 && (o.Familiar == nil || !*o.Familiar) {
				ids = append(ids, o.Place())
			}
		}
	case strings.HasPrefix(a.AccessKeyID, "AKIA"):
		ids = []string{a.AccessKeyID}
	case name != "":
		ids = []string{owner + ":" + name}
	case a.AccessKeyID != "":
		ids = []string{a.AccessKeyID}
	}
	return ids
}

// Aims are as many of some as one incident asks about.
func Aims(aims []Aim) []Aim { return aims[:min(len(aims), maxReaches)] }
