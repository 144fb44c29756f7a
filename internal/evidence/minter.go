package evidence

import (
	"fmt"
	"time"

	"nightlatch/internal/actor"
)

// SessionLife is how long a credential that somebody was given may last: GetSessionToken's and GetFederationToken's 36 hours.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html
const SessionLife = 36 * time.Hour

// Minter asks whom the credential AccessKeyID (AKIA…, ASIA…) was given to, in [From, To): by STS, or by IAM's CreateAccessKey. STS's
// global endpoint and IAM record in us-east-1, so a store of another region alone does not hold them.
type Minter struct {
	AccessKeyID string
	From, To    time.Time
}

// Name implements Question.
func (Minter) Name() string { return "minter" }

// minting are the calls whose answer holds a credential that CloudTrail shows.
var minting = []string{"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot", "GetSessionToken", "GetFederationToken", "CreateAccessKey"}

// SQL implements Question. An answer has at most one row. The key's id is searched in the text of the credential that the call returned,
// because how an engine writes a nested element is not known. Where there is none of that name, it is searched in all that was returned,
// though that holds the session's name, which the caller chose. https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
//
// An id that is none is found nowhere: the empty one would be found everywhere.
func (q Minter) SQL(s Schema) string {
	id := uniqueIDs([]string{q.AccessKeyID})
	if len(id) == 0 {
		id = []string{"no credential"}
	}
	return fmt.Sprintf(`select %[9]s as at, eventname as call,
  coalesce(%[10]s, '') as role_given, coalesce(%[11]s, %[12]s, '') as provider_given,
  `+identity+`
from %[1]s
where eventsource in ('sts.amazonaws.com', 'iam.amazonaws.com') and eventname in (%[2]s) and coalesce(errorcode, '') = ''
  and eventtime >= %[3]s and eventtime < %[4]s
  and strpos(coalesce(%[6]s, %[7]s, %[8]s), %[5]s) > 0
order by case when useridentity.accesskeyid <> '' then 0 else 1 end, eventtime desc, eventid
limit 1`, s.records(q.From, q.To), quoteAll(minting), s.moment(q.From), s.moment(q.To), quote(id[0]),
		s.inner("responseelements", "credentials"), s.inner("responseelements", "accessKey"), s.returned(), unix("eventtime"),
		s.parameter("roleArn"), s.parameter("principalArn"), s.member("responseelements", "provider"))
}

// Minted is a call that gave out a credential, and who made it.
type Minted struct {
	At   time.Time
	Call string
	By   actor.Identity
	// Role is the ARN of the role that a session was given of. Provider is the identity provider that vouched for whoever got it: the ARN of a
	// SAML or OpenID Connect provider, or the name of an issuer; "" where there was none.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html#cloudtrail-integration_examples-sts-api-saml
	Role, Provider string
}

// ReadMinter reads the rows of a Minter question; nil where the trail shows no such call.
func ReadMinter(rows []Row) (*Minted, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	r := &reader{row: rows[0]}
	m := Minted{At: r.time("at"), Call: r.text("call"), By: r.identity(), Role: r.text("role_given"), Provider: r.text("provider_given")}
	return &m, r.err
}
