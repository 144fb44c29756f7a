package evidence

import (
	"fmt"
	"time"
)

// Trust asks who last made or changed, in [From, To), what lets somebody into a role from outside: the role's own trust, or the identity provider
// that it trusts. Who may change one of them can let himself in as anybody. What Identity Center does to its own roles and provider is passed
// over: who assigned them did it elsewhere, and is not seen. IAM's calls are recorded in us-east-1, so a store of another region alone does not
// hold them.
type Trust struct {
	// Role is the role's name, and Provider the provider's ARN, or the name of an issuer.
	Role, Provider string
	From, To       time.Time
}

// Name implements Question.
func (Trust) Name() string { return "trust" }

// The calls that make or change a role's trust, and those that do so of a provider.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html
var (
	trusting  = []string{"CreateRole", "UpdateAssumeRolePolicy"}
	providing = []string{"CreateSAMLProvider", "UpdateSAMLProvider", "CreateOpenIDConnectProvider", "UpdateOpenIDConnectProviderThumbprint",
		"AddClientIDToOpenIDConnectProvider"}
)

// SQL implements Question. The answer has at most one row. A provider's ARN is searched in all that a call was given and has returned: how a
// record spells the name of that field is not relied on.
func (q Trust) SQL(s Schema) string {
	provider := q.Provider
	if provider == "" {
		provider = "no provider" // the empty one would be found everywhere
	}
	return fmt.Sprintf(`select %[10]s as at, eventname as call, coalesce(useridentity.arn, '') as arn,
  coalesce(useridentity.accesskeyid, '') as access_key_id, coalesce(sourceipaddress, '') as source_ip
from %[1]s
where eventsource = 'iam.amazonaws.com' and coalesce(errorcode, '') = '' and coalesce(useridentity.invokedby, '') <> 'sso.amazonaws.com'
  and eventtime >= %[2]s and eventtime < %[3]s
  and (eventname in (%[4]s) and %[5]s = %[6]s
    or eventname in (%[7]s) and (strpos(coalesce(%[8]s, ''), %[11]s) > 0 or strpos(coalesce(%[9]s, ''), %[11]s) > 0))
order by eventtime desc, eventid
limit 1`, s.records(q.From, q.To), s.moment(q.From), s.moment(q.To), quoteAll(trusting), s.Parameter("roleName"), quote(q.Role), quoteAll(providing),
		s.requested(), s.returned(), unix("eventtime"), quote(provider))
}

// ReadTrust reads the rows of a Trust question; nil where nobody did.
func ReadTrust(rows []Row) (*Tagger, error) { return ReadTagged(rows) }
