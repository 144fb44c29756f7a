package evidence

import (
	"fmt"
	"time"
)

// Tagged asks who last put tags on a user or role of ours between From and To. A protected principal is left to a human, and a thief can
// tag himself. IAM's calls are recorded in us-east-1, so a store of another region alone does not hold them.
type Tagged struct {
	// User or Role is the principal's name; one of them is set.
	User, Role string
	// Tag is the tag key that protects.
	Tag      string
	From, To time.Time
}

// Name implements Question.
func (Tagged) Name() string { return "tagged" }

// SQL implements Question. The answer has at most one row. It is the last call that names the tag, or else the last that tagged the
// principal at all: how an engine writes a nested parameter is not known.
func (q Tagged) SQL(s Schema) string {
	field, name, calls := "userName", q.User, []string{"TagUser", "CreateUser"}
	if q.Role != "" {
		field, name, calls = "roleName", q.Role, []string{"TagRole", "CreateRole"}
	}
	return fmt.Sprintf(`select %[9]s as at, eventname as call, coalesce(useridentity.arn, '') as arn,
  coalesce(useridentity.accesskeyid, '') as access_key_id, coalesce(sourceipaddress, '') as source_ip
from %[1]s
where eventsource = 'iam.amazonaws.com' and eventname in (%[2]s) and %[3]s = %[4]s and coalesce(errorcode, '') = ''
  and eventtime >= %[5]s and eventtime < %[6]s
order by case when strpos(lower(coalesce(%[7]s, '')), lower(%[8]s)) > 0 then 0 else 1 end, eventtime desc, eventid
limit 1`, s.records(q.From, q.To), quoteAll(calls), s.Parameter(field), quote(name), s.moment(q.From), s.moment(q.To),
		s.inner("requestparameters", "tags"), quote(q.Tag), unix("eventtime"))
}

// Tagger is who tagged a principal, or changed whom a role trusts, and when.
type Tagger struct {
	At                           time.Time
	Call, ARN, AccessKeyID, From string
}

// ReadTagged reads the rows of a Tagged question; nil where nobody tagged the principal in that time.
func ReadTagged(rows []Row) (*Tagger, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	r := &reader{row: rows[0]}
	t := Tagger{r.time("at"), r.text("call"), r.text("arn"), r.text("access_key_id"), Network(r.text("source_ip"))}
	return &t, r.err
}
