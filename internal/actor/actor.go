// Package actor says what kind of credential made a call, from what CloudTrail recorded of it.
//
// The record is described in
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html,
// the key prefixes in
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids.
// A missing field is never read as a match: what is not known for certain is Unattributed.
package actor

import (
	"cmp"
	"strconv"
	"strings"

	"nightlatch/internal/lazyregexp"
)

// Kind is what sort of credential an actor uses. It decides what can stop it. The names are part of every JSON output.
type Kind string

// The kinds of actor, and how CloudTrail shows them.
const (
	IAMUserKey     Kind = "iam-user-key"     // an IAM user of ours, long-term key (AKIA…)
	IAMUserSession Kind = "iam-user-session" // an IAM user of ours, temporary key (ASIA…): console or GetSessionToken
	IAMUser        Kind = "iam-user"         // an IAM user of ours; the record does not show with which credential
	FederatedUser  Kind = "federated-user"   // GetFederationToken, issued by a user of ours
	RoleSession    Kind = "role-session"     // an assumed role of ours
	Role           Kind = "role"             // a role of ours; the record does not show which session
	IdentityCenter Kind = "identity-center"  // a role that IAM Identity Center owns, or its user
	RootKey        Kind = "root-key"         // our root user's access key
	RootSession    Kind = "root-session"     // our root user, signed in, without a named key, or by what it has issued
	AWSService     Kind = "aws-service"      // type AWSService that reads for itself
	// ServiceForOthers is a service that reads for somebody: who takes it from the service, or has ordered it, is somebody else.
	ServiceForOthers Kind = "service-for-others"
	OtherAccount     Kind = "other-account" // a 12-digit account that is not ours, whatever the type, or one of ours that shows as no more than an account
	Anonymous        Kind = "anonymous"     // nobody signed the request
	Unattributed     Kind = "unattributed"  // anything else; the record may name it all the same
)

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{IAMUserKey, IAMUserSession, IAMUser, FederatedUser, RoleSession, Role, IdentityCenter, RootKey, RootSession,
		AWSService, ServiceForOthers, OtherAccount, Anonymous, Unattributed}
}

// Identity is what CloudTrail's userIdentity says, field by field; "" where the record is silent.
type Identity struct {
	Type, PrincipalID, ARN, AccountID, AccessKeyID, UserName string
	// The session issuer: the role of an assumed role, the user or root of a federated one.
	IssuerARN, IssuerUserName string
	// InvokedBy is the service that made the call in the caller's name.
	InvokedBy string
	// OnBehalfOf is the Identity Center user id.
	OnBehalfOf string
	// SourceIdentity was set when the role was assumed, and stays through every role after it.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html
	SourceIdentity string
	// Provider is the web identity provider that a role's session was given out for.
	Provider string
}

// Ours is the set of account ids that are ours. An empty set owns nothing.
type Ours map[string]bool

// Accounts makes the set of the accounts that are ours.
func Accounts(ids ...string) Ours {
	ours := Ours{}
	for _, id := range ids {
		ours[id] = true
	}
	return ours
}

// Credential is one credential in use: its kind, and the names by which it can be found and stopped.
type Credential struct {
	Kind Kind
	// Via is the service that called in the actor's name (userIdentity.invokedBy); "" for a direct call.
	Via         string
	AccessKeyID string
	// PrincipalID is userIdentity.principalId, the value of aws:userid: AIDA…, AROA…:session, account:name.
	PrincipalID string
	// PrincipalARN is the long-lived principal behind the credential: the user, the role, the account's root.
	// It is "" where the record names none.
	PrincipalARN string
	AccountID    string
	// UserName is the IAM user, RoleName the role; one of them or neither is set. An unattributed caller's UserName is what the record calls
	// him.
	UserName, RoleName string
	// Session is the name of a role's session, which its caller chose, or of a federated user, which its issuer chose.
	Session string
	// OnBehalfOf is the Identity Center user id, where the record has one.
	OnBehalfOf string
	// SourceIdentity and Provider are Identity's.
	SourceIdentity, Provider string
	// Doubt is how the record contradicts itself, in a sentence; "" where it does not. Names that contradict each other are left out.
	Doubt string
	// SignedIn: its user signed in to the console where it was used, so that it matters how old the password and the second factor are.
	SignedIn bool
}

var (
	account   = lazyregexp.New(`^[0-9]{12}$`)
	longTerm  = lazyregexp.New(`^AKIA[A-Z0-9]{12,124}$`)
	temporary = lazyregexp.New(`^ASIA[A-Z0-9]{12,124}$`)
	userID    = lazyregexp.New(`^AIDA[A-Z0-9]{4,124}$`)
	roleID    = lazyregexp.New(`^AROA[A-Z0-9]{4,124}(:|$)`)
	userARN   = lazyregexp.New(`^arn:aws[a-z-]*:iam::([0-9]{12}):user/(?:[\x21-\x7e]+/)?([\w+=,.@-]{1,128})$`)
	roleARN   = lazyregexp.New(`^arn:aws[a-z-]*:iam::([0-9]{12}):role/(?:[\x21-\x7e]+/)?([\w+=,.@-]{1,128})$`)
	assumed   = lazyregexp.New(`^arn:aws[a-z-]*:sts::([0-9]{12}):assumed-role/([\w+=,.@-]{1,128})/([\w+=,.@-]{1,128})$`)
	federated = lazyregexp.New(`^arn:aws[a-z-]*:sts::([0-9]{12}):federated-user/([\w+=,.@-]{1,128})$`)
	rootARN   = lazyregexp.New(`^arn:aws[a-z-]*:(?:iam::[0-9]{12}:root|sts::[0-9]{12}:assumed-root(?:/.*)?)$`)
	inAccount = lazyregexp.New(`^arn:aws[a-z-]*:(?:iam|sts)::([0-9]{12}):`)
	arnsPart  = lazyregexp.New(`^arn:(aws[a-z-]*):`)
	invokedBy = lazyregexp.New(`^(?:AWS Internal|.+\.amazonaws\..+)$`)
)

// SSORole begins the name of every role that Identity Center owns; nobody else can edit those.
// https://docs.aws.amazon.com/singlesignon/latest/userguide/using-service-linked-roles.html
const SSORole = "AWSReservedSSO_"

// IsAccount reports whether a text is an account's id.
func IsAccount(id string) bool { return account.MatchString(id) }

// Partition is an ARN's partition (aws, aws-cn, aws-us-gov, aws-eusc); "" where it has none.
func Partition(arn string) string {
	if m := arnsPart.FindStringSubmatch(arn); m != nil {
		return m[1]
	}
	return ""
}

// Of names the credential that an identity shows.
func Of(id Identity, ours Ours) Credential {
	c := Credential{
		Via: id.InvokedBy, AccessKeyID: id.AccessKeyID, PrincipalID: id.PrincipalID, PrincipalARN: id.ARN,
		AccountID: id.AccountID, OnBehalfOf: id.OnBehalfOf, SourceIdentity: id.SourceIdentity, Provider: id.Provider,
	}
	c.Kind, c.Doubt = classify(id, ours)
	switch c.Kind {
	case IAMUserKey, IAMUserSession, IAMUser:
		c.UserName, c.Doubt = oneName("user", userName(id.ARN), id.UserName)
	case FederatedUser:
		c.PrincipalARN = id.IssuerARN
		c.UserName, c.Doubt = oneName("user", userName(id.IssuerARN), id.IssuerUserName)
		c.Session = sessionName(id)
	case RoleSession, Role, IdentityCenter:
		c.RoleName, c.Doubt = oneName("role", roleName(id), id.IssuerUserName)
		if m := assumed.FindStringSubmatch(id.ARN); m != nil && c.Doubt == "" {
			c.RoleName, c.Doubt = oneName("role", c.RoleName, m[2])
		}
		c.Session = sessionName(id)
		if id.IssuerARN != "" {
			c.PrincipalARN = id.IssuerARN
		}
	case RootSession:
		c.Session = sessionName(id)
	case Unattributed:
		c.UserName = cmp.Or(id.UserName, userName(id.ARN))
	}
	// A service's own name is all that its record has. In a caller's record this is a service too, or the record is not CloudTrail's.
	if c.Via != "" && id.Type != "AWSService" && !invokedBy.MatchString(c.Via) {
		c.Via = ""
		c.Doubt = cmp.Or(c.Doubt, "the record says that "+strconv.QuoteToASCII(id.InvokedBy)+" made the call, which is no AWS service")
	}
	return c
}

// oneName is the name that two fields of a record give. Where they contradict each other it is neither of them, and doubt says so.
func oneName(of, byARN, byName string) (name, doubt string) {
	if byARN != "" && byName != "" && byARN != byName {
		return "", "the record names two " + of + "s, " + strconv.QuoteToASCII(byARN) + " by its ARN and " + strconv.QuoteToASCII(byName) + " by its name"
	}
	return cmp.Or(byARN, byName), ""
}

// classify is the kind of a record, and, where that is Unattributed because the record contradicts itself, how it does.
func classify(id Identity, ours Ours) (kind Kind, doubt string) {
	switch {
	case id.Type == "AWSService" && !forItself(id.InvokedBy):
		return ServiceForOthers, ""
	case id.Type == "AWSService":
		return AWSService, ""
	case id.Type == "AWSAccount" && (nobody(id.AccountID) || nobody(id.PrincipalID)):
		return Anonymous, ""
	case id.AccountID == cloudFront:
		return ServiceForOthers, ""
	case !IsAccount(id.AccountID):
		return Unattributed, ""
	case !ours[id.AccountID]:
		return OtherAccount, ""
	case elsewhere(id.ARN, id.AccountID) || elsewhere(id.IssuerARN, id.AccountID):
		return Unattributed, "the record names two accounts"
	}
	switch what(id) {
	case "AWSAccount":
		// The owner's copy of a call from another account of ours: no credential is named, and the bucket can shut it out.
		return OtherAccount, ""
	case "IAMUser":
		switch m := userARN.FindStringSubmatch(id.ARN); {
		case id.ARN != "" && m == nil:
			return Unattributed, "the record is of a user, and its ARN is not"
		case id.ARN == "" && id.UserName == "" && id.PrincipalID == "" && id.AccessKeyID == "":
			return Unattributed, ""
		case id.Type == "IAMUser" && longTerm.MatchString(id.AccessKeyID):
			return IAMUserKey, ""
		case id.Type == "IAMUser" && temporary.MatchString(id.AccessKeyID):
			return IAMUserSession, ""
		}
		return IAMUser, ""
	case "FederatedUser":
		switch {
		case longTerm.MatchString(id.AccessKeyID):
			return Unattributed, "the record is of a federated user, who has no long-term key"
		case rootARN.MatchString(id.IssuerARN):
			return RootSession, ""
		case userName(id.IssuerARN) == "" && id.IssuerUserName == "" && sessionName(id) == "":
			return Unattributed, ""
		}
		return FederatedUser, ""
	case "AssumedRole", "Role":
		name := roleName(id)
		switch {
		case longTerm.MatchString(id.AccessKeyID):
			return Unattributed, "the record is of a role, which has no long-term key"
		case id.IssuerARN != "" && name == "" || name == "" && !roleID.MatchString(id.PrincipalID):
			return Unattributed, ""
		case strings.HasPrefix(name, SSORole):
			return IdentityCenter, ""
		case sessionName(id) == "" && !temporary.MatchString(id.AccessKeyID):
			return Role, ""
		}
		return RoleSession, ""
	case "IdentityCenterUser":
		return IdentityCenter, ""
	case "Root", "AssumedRoot":
		if longTerm.MatchString(id.AccessKeyID) && id.Type == "Root" {
			return RootKey, ""
		}
		return RootSession, ""
	}
	return Unattributed, ""
}

// what is a record's type, or the one that its names belong to where the type is on no list.
func what(id Identity) string {
	switch id.Type {
	case "AWSAccount", "IAMUser", "FederatedUser", "AssumedRole", "Role", "IdentityCenterUser", "Root", "AssumedRoot":
		return id.Type
	}
	switch {
	case userARN.MatchString(id.ARN), id.ARN == "" && userID.MatchString(id.PrincipalID):
		return "IAMUser"
	case assumed.MatchString(id.ARN), roleARN.MatchString(id.ARN), id.ARN == "" && roleID.MatchString(id.PrincipalID):
		return "AssumedRole"
	case federated.MatchString(id.ARN):
		return "FederatedUser"
	case rootARN.MatchString(id.ARN):
		return "AssumedRoot"
	}
	return ""
}

// elsewhere reports whether an ARN names another account than the record does.
func elsewhere(arn, accountID string) bool {
	m := inAccount.FindStringSubmatch(arn)
	return m != nil && m[1] != accountID
}

func nobody(s string) bool { return s == "anonymous" || s == "ANONYMOUS_PRINCIPAL" }

// userName is the user that an ARN is of; "" where it is of none.
func userName(arn string) string {
	if m := userARN.FindStringSubmatch(arn); m != nil {
		return m[2]
	}
	return ""
}

// sessionName is what follows the id of a role, or the account of a federated user, in the record's principal id or ARN.
func sessionName(id Identity) string {
	_, name, _ := strings.Cut(id.PrincipalID, ":")
	if m := assumed.FindStringSubmatch(id.ARN); m != nil {
		name = cmp.Or(name, m[3])
	}
	if m := federated.FindStringSubmatch(id.ARN); m != nil {
		name = cmp.Or(name, m[2])
	}
	return name
}

// roleName is the role behind an AssumedRole record: its issuer says so, or its own ARN does where the issuer is missing.
// It is "" where neither does, or where they belong to another account than the record.
func roleName(id Identity) string {
	m := roleARN.FindStringSubmatch(id.IssuerARN)
	if id.IssuerARN == "" {
		if m = assumed.FindStringSubmatch(id.ARN); m == nil {
			m = roleARN.FindStringSubmatch(id.ARN)
		}
	}
	if m == nil || m[1] != id.AccountID {
		return ""
	}
	return m[2]
}
