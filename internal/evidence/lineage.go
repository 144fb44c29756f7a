package evidence

import (
	"fmt"
	"slices"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/lazyregexp"
)

// SessionLife is how long a credential that somebody was given may last: GetSessionToken's and GetFederationToken's 36 hours. A sign-in may
// last longer. https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html
const SessionLife = 36 * time.Hour

// Lineage asks, about [From, To), who was given credentials, and what was made with credentials that outlives a call: sessions, keys, users,
// passwords, policies, trusts, tokens. STS's global endpoint, IAM and the sign-in record in us-east-1, or where the caller signs in, so a store
// of another region alone does not hold them.
type Lineage struct {
	// Given are the access key ids (AKIA…, ASIA…) of which it is asked whom they were given to.
	Given []string
	// Keys are the access key ids, and Sessions the principal ids of sessions (AROA…:name, ACCOUNT:name), with which it is asked what was made.
	// A session has many keys: sts:GetScopedCredentials gives it one more.
	Keys, Sessions []string
	// SignedIn are the principal ids whose sign-ins are asked for: a credential that a sign-in has given is in no record of it.
	SignedIn []string
	From, To time.Time
}

// Name implements Question.
func (Lineage) Name() string { return "lineage" }

// Calls that give out a credential or make what outlives it, each with what comes of it. Of calls whose names AWS has announced, and no record of
// which was seen here, it is not relied on that their answer shows a key.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html
// https://docs.aws.amazon.com/STS/latest/APIReference/API_Operations.html
var makes = map[string]NodeKind{
	"AssumeRole": SessionNode, "AssumeRoleWithSAML": SessionNode, "AssumeRoleWithWebIdentity": SessionNode, "AssumeRoot": SessionNode,
	"GetSessionToken": SessionNode, "GetFederationToken": SessionNode, scoped: SessionNode, "GetDelegatedAccessToken": SessionNode, "AcquireRole": SessionNode,
	"ConsoleLogin": SignInNode, "CreateOAuth2Token": SignInNode, "GetSigninToken": SignInNode,
	"CreateAccessKey": KeyNode, "CreateUser": UserNode, "CreateLoginProfile": PasswordNode, "UpdateLoginProfile": PasswordNode,
	"AttachUserPolicy": PolicyNode, "AttachRolePolicy": PolicyNode, "AttachGroupPolicy": PolicyNode, "PutUserPolicy": PolicyNode, "PutRolePolicy": PolicyNode,
	"PutGroupPolicy": PolicyNode, "AddUserToGroup": PolicyNode, "CreatePolicyVersion": PolicyNode, "SetDefaultPolicyVersion": PolicyNode,
	"CreateRole": TrustNode, "UpdateAssumeRolePolicy": TrustNode,
	"CreateSAMLProvider": FederationNode, "UpdateSAMLProvider": FederationNode, "CreateOpenIDConnectProvider": FederationNode,
	"AddClientIDToOpenIDConnectProvider": FederationNode, "UpdateOpenIDConnectProviderThumbprint": FederationNode, "EnableOutboundWebIdentityFederation": FederationNode,
	"CreateOAuth2TokenWithIAM": TokenNode, "CreateOAuth2TokenWithTokenExchange": TokenNode, "CreateBearerToken": TokenNode, "GetWebIdentityToken": TokenNode,
	"CreateServiceSpecificCredential": ServiceKeyNode, "ResetServiceSpecificCredential": ServiceKeyNode,
}

// scoped is the call that gives a session one more key of itself.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetScopedCredentials.html
const scoped = "GetScopedCredentials"

// signIns are the calls of a sign-in: to the console, and by `aws login`.
var signIns = []string{"ConsoleLogin", "CreateOAuth2Token"}

const (
	// maxAskedOf is how many credentials of each sort one question asks about. A statement has room for them, whatever they are called.
	maxAskedOf = 20
	// maxMakings is how many calls an answer has of each part.
	maxMakings = 60
)

// few are the ids of a list that a question has room for.
func few(list []string) []string {
	list = slices.DeleteFunc(slices.Clone(list), func(id string) bool { return !askable(id) })
	return list[:min(len(list), maxAskedOf)]
}

// askable reports whether an id can be one of AWS's, so that it is asked for: an account's, a principal's, and behind a colon the name of a session,
// of which its caller chooses 64 characters. https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func askable(id string) bool { return askedID.MatchString(id) }

var askedID = lazyregexp.New(`^[A-Za-z0-9]{4,128}(:[\w+=,.@-]{1,64})?$`)

// The key's id, the session's and the end are searched in the text of what the call returned, because how an engine writes a nested element is
// not known. What stands there beside them is AWS's, and no name that a caller chose holds a colon or a quote. Where there is no element of that
// name, the key's id is searched in all that was returned.
const (
	keyPattern     = `accessKeyId[^A-Za-z0-9]{1,6}(A[KS]IA[A-Z0-9]{12,124})`
	anyKeyPattern  = `(?:^|[^A-Za-z0-9/+=])(A[KS]IA[A-Z0-9]{12,124})(?:$|[^A-Za-z0-9/+=])`
	rolePattern    = `assumedRoleId[^A-Za-z0-9]{1,6}(A[A-Z0-9]+:[\w+=,.@-]+)`
	fedPattern     = `federatedUserId[^A-Za-z0-9]{1,6}([0-9]{12}:[\w+=,.@-]+)`
	untilPattern   = `expiration[^A-Za-z0-9]{1,6}([A-Z][a-z]{2} [0-9]{1,2}, [0-9]{4},? [0-9]{1,2}:[0-9]{2}:[0-9]{2}.{1,8}?[AP]M)`
	userPattern    = `userName[^A-Za-z0-9]{1,6}([\w+=,.@-]+)`
	serviceKeyName = `serviceSpecificCredentialId[^A-Za-z0-9]{1,6}([A-Z0-9]+)`
)

// SQL implements Question. Rows of the part "given" are calls that gave one of the asked credentials out, and sign-ins of the asked principals;
// those of "made" were made with the asked ones. First come what IAM has made and the last of each kind, or one thief's key would hide behind a
// busy role's sessions. A refused call has made nothing.
func (q Lineage) SQL(s Schema) string {
	given, keys := few(uniqueIDs(q.Given)), few(uniqueIDs(q.Keys))
	return unindent(fmt.Sprintf(`with found as (
  select %[1]s as unix, coalesce(nullif(sharedeventid, ''), eventid) as id, coalesce(eventid, '') as event_id, eventsource as service, eventname as call,
    coalesce(sourceipaddress, '') as source_ip, coalesce(vpcendpointid, '') as vpc_endpoint,
    coalesce(nullif(regexp_extract(coalesce(%[2]s, %[3]s), %[4]s, 1), ''), case when coalesce(%[2]s, %[3]s) is null then nullif(regexp_extract(%[5]s, %[6]s, 1), '') end, '') as gave,
    coalesce(nullif(regexp_extract(%[7]s, %[8]s, 1), ''), nullif(regexp_extract(%[9]s, %[10]s, 1), ''), '') as given,
    coalesce(regexp_extract(%[2]s, %[11]s, 1), '') as lasts_until,
    coalesce(%[12]s, '') as role_given, substr(coalesce(%[38]s, ''), 1, 256) as session_given, coalesce(%[13]s, %[14]s, '') as provider_given, coalesce(%[15]s, '') as sign_in,
    substr(coalesce(%[16]s, nullif(regexp_extract(%[3]s, %[17]s, 1), ''), ''), 1, 256) as of_user, substr(coalesce(%[18]s, %[19]s, ''), 1, 256) as of_role,
    substr(coalesce(%[20]s, %[21]s, %[22]s, %[23]s, nullif(regexp_extract(%[24]s, %[25]s, 1), ''), %[26]s, ''), 1, 256) as what,
    case when eventname in (%[27]s) then coalesce(useridentity.principalid, '') end as signs_in,
    `+identity+`
  from %[28]s
  where eventsource in ('sts.amazonaws.com', 'iam.amazonaws.com', 'signin.amazonaws.com') and eventname in (%[29]s) and coalesce(errorcode, '') = ''
    and coalesce(%[30]s, '') <> 'Failure' and eventtime >= %[31]s and eventtime < %[32]s
),
parted as (
  select *, case when gave in (%[33]s) or signs_in in (%[34]s) then 'given' else 'made' end as part
  from found
  where gave in (%[33]s) or signs_in in (%[34]s) or access_key_id in (%[35]s) or principal_id in (%[36]s) and substr(access_key_id, 1, 4) <> 'AKIA'
),
once as (
  select *, row_number() over (partition by id, call, gave order by case when access_key_id = '' then 1 else 0 end, access_key_id, event_id, unix, source_ip, principal_id, arn) as copy,
    case when access_key_id <> max(access_key_id) over (partition by id, call, gave) then 1 else 0 end as torn
  from parted
),
told as (
  select *, row_number() over (partition by part, call, access_key_id, principal_id, given, of_user, of_role, what order by unix desc, event_id) as nth
  from once where copy = 1
),
placed as (
  select *, row_number() over (partition by part order by nth, case when service = 'iam.amazonaws.com' then 0 else 1 end, case when access_key_id = '' then 1 else 0 end, unix desc, event_id) as place,
    count(*) over (partition by part) as places
  from told
)
select part, unix as at, event_id, service, call, source_ip, vpc_endpoint, gave, given, lasts_until, role_given, session_given, provider_given, sign_in, of_user, of_role, what, torn, places,
  type, principal_id, arn, account_id, access_key_id, user_name, issuer_arn, issuer_user_name, invoked_by, on_behalf_of, source_identity, provider
from placed
where place <= %[37]d
order by part, place`, unix("eventtime"), s.inner("responseelements", "credentials"), s.inner("responseelements", "accessKey"), quote(keyPattern),
		s.returned(), quote(anyKeyPattern), s.inner("responseelements", "assumedRoleUser"), quote(rolePattern), s.inner("responseelements", "federatedUser"), quote(fedPattern),
		quote(untilPattern), s.Parameter("roleArn"), s.Parameter("principalArn"), s.member("responseelements", "provider"), s.additional("signInSessionArn"),
		s.Parameter("userName"), quote(userPattern), s.Parameter("roleName"), s.Parameter("groupName"),
		s.Parameter("policyArn"), s.Parameter("policyName"), s.Parameter("sAMLProviderArn"), s.Parameter("openIDConnectProviderArn"),
		s.inner("responseelements", "serviceSpecificCredential"), quote(serviceKeyName), s.Parameter("name"),
		quoteAll(signIns), s.records(q.From, q.To), quoteAll(makers()), s.signedIn(), s.moment(q.From), s.moment(q.To),
		anyOf(given), anyOf(few(q.SignedIn)), anyOf(keys), anyOf(few(q.Sessions)), maxMakings, s.Parameter("roleSessionName")))
}

// makers are the names of the calls, in an order that stays.
func makers() []string {
	var names []string
	for name := range makes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Making is a call that gave out a credential, or made something that outlives one, and who made it.
type Making struct {
	// EventID is the record's.
	EventID       string
	At            time.Time
	Service, Call string
	By            actor.Identity
	// From is the network that it came from, or the VPC endpoint that it came through.
	From string
	// Gave is the access key id that it gave out, and Given the principal id of the session that this is a key of (AROA…:name, ACCOUNT:name); ""
	// where the record shows none.
	Gave, Given string
	// Until is when that credential ends; zero where the record does not show it.
	Until time.Time
	// Role is the ARN of the role that a session was given of, and Session the name that its caller gave it. Provider is the identity provider that
	// vouched for whoever got it: the ARN of a SAML or OpenID Connect provider, or the name of an issuer; "" where there was none.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html#cloudtrail-integration_examples-sts-api-saml
	Role, Session, Provider string
	// User and OfRole are whom IAM's call was about: a user, or a role or group. What is the policy, the provider or the credential that it set.
	User, OfRole, What string
	// SignIn is the ARN of the session of a sign-in.
	SignIn string
	// Torn: another record of the same call names another key as its caller's.
	Torn bool
}

// ReadLineage reads the rows of a Lineage question, in their order, and how many calls more there were.
func ReadLineage(rows []Row) (makings []Making, more int64, err error) {
	read, places := map[string]int64{}, map[string]int64{}
	for _, row := range rows {
		r := &reader{row: row}
		m := Making{EventID: r.text("event_id"), At: r.time("at"), Service: r.text("service"), Call: r.text("call"), By: r.identity(), From: r.text("vpc_endpoint"),
			Gave: r.text("gave"), Given: r.text("given"), Until: ends(r.text("lasts_until")), Role: r.text("role_given"), Session: r.text("session_given"), Provider: r.text("provider_given"),
			User: r.text("of_user"), OfRole: r.text("of_role"), What: r.text("what"), SignIn: r.text("sign_in"), Torn: r.number("torn") > 0}
		if ip := r.text("source_ip"); m.From == "" {
			m.From = Network(ip)
		}
		part := r.text("part")
		read[part], places[part] = read[part]+1, r.number("places")
		if r.err != nil {
			return nil, 0, r.err
		}
		makings = append(makings, m)
	}
	for part, n := range places {
		more += n - read[part]
	}
	return makings, more, nil
}

// ends reads when a credential ends, as STS's records write it in UTC: "Jul 10, 2023, 12:09:47 PM", before the last word a blank of some kind.
func ends(text string) time.Time {
	m := ending.FindStringSubmatch(text)
	if m == nil {
		return time.Time{}
	}
	t, err := time.Parse("Jan 2, 2006 3:04:05 PM", m[1]+" "+m[2]+" "+m[3])
	if err != nil {
		return time.Time{}
	}
	return t
}

var ending = lazyregexp.New(`^([A-Z][a-z]{2} [0-9]{1,2}, [0-9]{4}),? ([0-9:]{7,8}).{1,8}?([AP]M)$`)

// Minter is the call that gave a credential out, of an answer to Lineage; nil where the answer has none.
func Minter(makings []Making, key string) *Making {
	for i, m := range makings {
		if m.Gave == key && key != "" {
			return &makings[i]
		}
	}
	return nil
}
