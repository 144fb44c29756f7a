// Package actor says what kind of credential made a call, from what CloudTrail recorded of it.
//
// The record is described in
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html,
// the key prefixes in
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids.
// A missing field is never read as a match: what is not known for certain is Unattributed.
package actor

import (
	"regexp"
	"strings"
)

// Kind is what sort of credential an actor uses. It decides what can stop it. The names are part of every JSON output.
type Kind string

// The kinds of actor, and how CloudTrail shows them.
const (
	IAMUserKey     Kind = "iam-user-key"     // an IAM user of ours, long-term key (AKIA…)
	IAMUserSession Kind = "iam-user-session" // an IAM user of ours, temporary key (ASIA…): console or GetSessionToken
	FederatedUser  Kind = "federated-user"   // GetFederationToken, issued by a user of ours
	RoleSession    Kind = "role-session"     // an assumed role of ours
	IdentityCenter Kind = "identity-center"  // a role that IAM Identity Center owns, or its user
	RootKey        Kind = "root-key"         // our root user's access key
	RootSession    Kind = "root-session"     // our root user, signed in or without a named key
	AWSService     Kind = "aws-service"      // type AWSService, and only that
	OtherAccount   Kind = "other-account"    // a 12-digit account that is not ours, whatever the type, or one of ours that shows as no more than an account
	Anonymous      Kind = "anonymous"        // nobody signed the request
	Unattributed   Kind = "unattributed"     // anything else
)

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{IAMUserKey, IAMUserSession, FederatedUser, RoleSession, IdentityCenter, RootKey, RootSession,
		AWSService, OtherAccount, Anonymous, Unattributed}
}

// Identity is what CloudTrail's userIdentity says, field by field; "" where the record is silent.
type Identity struct {
	Type, PrincipalID, ARN, AccountID, AccessKeyID, UserName string
	// The session issuer: the role of an assumed role, the user of a federated one.
	IssuerARN, IssuerUserName string
	// InvokedBy is the service that made the call in the caller's name.
	InvokedBy string
	// OnBehalfOf is the Identity Center user id.
	OnBehalfOf string
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
	// UserName is the IAM user, RoleName the role; one of them or neither is set.
	UserName, RoleName string
	// Session is the role session's name, which its caller chose.
	Session string
	// OnBehalfOf is the Identity Center user id, where the record has one.
	OnBehalfOf string
}

var (
	account   = regexp.MustCompile(`^[0-9]{12}$`)
	longTerm  = regexp.MustCompile(`^AKIA[A-Z0-9]{12,124}$`)
	temporary = regexp.MustCompile(`^ASIA[A-Z0-9]{12,124}$`)
	userARN   = regexp.MustCompile(`^arn:aws[a-z-]*:iam::([0-9]{12}):user/(?:[\x21-\x7e]+/)?([\w+=,.@-]{1,128})$`)
	roleARN   = regexp.MustCompile(`^arn:aws[a-z-]*:iam::([0-9]{12}):role/(?:[\x21-\x7e]+/)?([\w+=,.@-]{1,128})$`)
	assumed   = regexp.MustCompile(`^arn:aws[a-z-]*:sts::([0-9]{12}):assumed-role/([\w+=,.@-]{1,128})/([\w+=,.@-]{1,128})$`)
	inAccount = regexp.MustCompile(`^arn:aws[a-z-]*:(?:iam|sts)::([0-9]{12}):`)
)

// ssoRole begins the name of every role that Identity Center owns; nobody else can edit those.
// https://docs.aws.amazon.com/singlesignon/latest/userguide/using-service-linked-roles.html
const ssoRole = "AWSReservedSSO_"

// Of names the credential that an identity shows.
func Of(id Identity, ours Ours) Credential {
	c := Credential{
		Via: id.InvokedBy, AccessKeyID: id.AccessKeyID, PrincipalID: id.PrincipalID, PrincipalARN: id.ARN,
		AccountID: id.AccountID, OnBehalfOf: id.OnBehalfOf,
	}
	c.Kind = classify(id, ours)
	switch c.Kind {
	case IAMUserKey, IAMUserSession:
		c.UserName = id.UserName
		if m := userARN.FindStringSubmatch(id.ARN); c.UserName == "" && m != nil {
			c.UserName = m[2]
		}
	case FederatedUser:
		c.PrincipalARN, c.UserName = id.IssuerARN, id.IssuerUserName
		if m := userARN.FindStringSubmatch(id.IssuerARN); c.UserName == "" && m != nil {
			c.UserName = m[2]
		}
	case RoleSession, IdentityCenter:
		c.RoleName = roleName(id)
		_, c.Session, _ = strings.Cut(id.PrincipalID, ":")
		if id.IssuerARN != "" {
			c.PrincipalARN = id.IssuerARN
		}
	}
	return c
}

func classify(id Identity, ours Ours) Kind {
	if id.Type == "AWSService" {
		return AWSService
	}
	if id.Type == "AWSAccount" && (nobody(id.AccountID) || nobody(id.PrincipalID)) {
		return Anonymous
	}
	if !account.MatchString(id.AccountID) {
		return Unattributed
	}
	if !ours[id.AccountID] {
		return OtherAccount
	}
	if elsewhere(id.ARN, id.AccountID) || elsewhere(id.IssuerARN, id.AccountID) {
		return Unattributed // the record contradicts itself
	}
	switch id.Type {
	case "AWSAccount":
		// The owner's copy of a call from another account of ours: no credential is named, and the bucket can shut it out.
		return OtherAccount
	case "IAMUser":
		if m := userARN.FindStringSubmatch(id.ARN); id.ARN != "" && (m == nil || m[1] != id.AccountID) {
			return Unattributed // the record contradicts itself
		}
		switch {
		case longTerm.MatchString(id.AccessKeyID):
			return IAMUserKey
		case temporary.MatchString(id.AccessKeyID):
			return IAMUserSession
		}
	case "FederatedUser":
		if temporary.MatchString(id.AccessKeyID) {
			return FederatedUser
		}
	case "AssumedRole":
		name := roleName(id)
		switch {
		case name == "" || !temporary.MatchString(id.AccessKeyID):
			return Unattributed
		case strings.HasPrefix(name, ssoRole):
			return IdentityCenter
		}
		return RoleSession
	case "IdentityCenterUser":
		return IdentityCenter
	case "Root":
		if longTerm.MatchString(id.AccessKeyID) {
			return RootKey
		}
		return RootSession
	}
	return Unattributed
}

// elsewhere reports whether an ARN names another account than the record does.
func elsewhere(arn, accountID string) bool {
	m := inAccount.FindStringSubmatch(arn)
	return m != nil && m[1] != accountID
}

func nobody(s string) bool { return s == "anonymous" || s == "ANONYMOUS_PRINCIPAL" }

// roleName is the role behind an AssumedRole record: its issuer says so, or its own ARN does where the issuer is missing.
// It is "" where neither does, or where they belong to another account than the record.
func roleName(id Identity) string {
	m := roleARN.FindStringSubmatch(id.IssuerARN)
	if id.IssuerARN == "" {
		m = assumed.FindStringSubmatch(id.ARN)
	}
	if m == nil || m[1] != id.AccountID {
		return ""
	}
	return m[2]
}
