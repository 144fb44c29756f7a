package report

import (
	"cmp"
	"strings"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
	"nightlatch/internal/prose"
)

// noName stands where a record has no name: no sentence has an empty one in it.
const noName = "(not named)"

// name is the first name that a record has, as it is printed.
func name(names ...string) string { return prose.Safe(cmp.Or(append(names, noName)...)) }

// key is an actor's key in brackets, if its record shows one.
func key(a evidence.Actor) string {
	if a.AccessKeyID == "" {
		return ""
	}
	return " (" + prose.Safe(a.AccessKeyID) + ")"
}

// user is an IAM user by name. One of two names that contradict each other is none.
func user(a evidence.Actor) string {
	if a.UserName == "" && a.Doubt != "" {
		return "an IAM user whose name is in doubt"
	}
	return "IAM user " + name(a.UserName, a.PrincipalID)
}

// Who names an actor for people.
func Who(a evidence.Actor) string {
	who := ""
	switch a.Kind {
	case actor.IAMUserKey:
		who = "access key " + name(a.AccessKeyID) + " of " + user(a)
	case actor.IAMUserSession:
		who = "a session" + key(a) + " of " + user(a)
	case actor.IAMUser:
		who = user(a)
	case actor.FederatedUser:
		who = "federated session " + name(a.Session) + key(a) + " issued by " + user(a)
	case actor.RoleSession:
		who = "session " + name(a.Session) + key(a) + " of role " + name(a.RoleName, a.PrincipalID)
	case actor.Role:
		who = "role " + name(a.RoleName, a.PrincipalID)
	case actor.IdentityCenter:
		who = "Identity Center user " + name(a.Session, a.OnBehalfOf, a.PrincipalID)
		if a.RoleName != "" {
			who += key(a) + " in role " + prose.Safe(a.RoleName)
		}
	case actor.RootKey:
		who = "the ROOT user's access key " + name(a.AccessKeyID)
	case actor.RootSession:
		who = root(a)
	case actor.AWSService:
		return "the AWS service " + name(a.Via, a.PrincipalID)
	case actor.ServiceForOthers:
		return forOthers(a)
	case actor.OtherAccount:
		who = "another account's principal " + name(a.PrincipalARN, a.PrincipalID)
	case actor.Anonymous:
		return "anonymous callers"
	default:
		if a.UserName == "" && a.PrincipalARN == "" && (a.PrincipalID == "" || a.PrincipalID == a.AccountID) {
			return "a caller that the records do not name (" + prose.Safe(cmp.Or(a.PrincipalID, a.AccountID, "nothing known")) + ")"
		}
		who = "a caller of no known kind, whom the record calls " + name(a.UserName, a.PrincipalARN, a.PrincipalID)
	}
	if a.AccountID != "" {
		who += " (account " + prose.Safe(a.AccountID) + ")"
	}
	return who + person(a) + through(a) + unshown(a)
}

// root names a session of root by how it came about.
func root(a evidence.Actor) string {
	switch {
	case a.Session != "":
		return "the ROOT user's federated session " + prose.Safe(a.Session) + key(a)
	case strings.Contains(a.PrincipalARN, ":assumed-root"):
		return "a session" + key(a) + " of the ROOT user of account " + name(a.AccountID) + ", which the organization's management account took by AssumeRoot"
	}
	return "a session of the ROOT user"
}

// forOthers names a service by the door through which somebody else has it read.
func forOthers(a evidence.Actor) string {
	switch c := a.Credential(); {
	case c.Service() == actor.CloudFront && a.Via == "":
		return "viewers of a CloudFront distribution, through origin access identity " + name(a.PrincipalID)
	case c.Service() == actor.CloudFront:
		return "viewers of a CloudFront distribution, through " + name(a.Via)
	case c.Replicates():
		return "S3's replication or a batch job, at somebody's order (" + name(a.Via) + ")"
	}
	return "the AWS service " + name(a.Via, a.PrincipalID) + ", for whoever uses it or has ordered it"
}

// person says for whom a session works, and what gave it out, where the record says so.
func person(a evidence.Actor) string {
	p := ""
	if a.OnBehalfOf != "" && (a.Kind != actor.IdentityCenter || a.Session != "") {
		p += " on behalf of Identity Center user " + prose.Safe(a.OnBehalfOf)
	}
	if a.SourceIdentity != "" {
		p += " with source identity " + prose.Safe(a.SourceIdentity)
	}
	if a.Provider != "" {
		p += " given out by " + prose.Safe(a.Provider)
	}
	return p
}

// through names the service that made the calls in the caller's name.
func through(a evidence.Actor) string {
	switch {
	case a.Via == "":
		return ""
	case strings.HasPrefix(a.Via, "signin."):
		return " through the console (" + prose.Safe(a.Via) + ")"
	}
	return " through " + prose.Safe(a.Via)
}

// unshown says what the record does not show of the credential.
func unshown(a evidence.Actor) string {
	switch {
	case a.Kind == actor.IAMUser:
		return " (the record does not show which credential)"
	case a.Kind == actor.Role:
		return " (the record does not show which session)"
	case a.AccessKeyID == "" && (a.Kind == actor.RoleSession || a.Kind == actor.FederatedUser):
		return " (the record does not show the session's key)"
	}
	return ""
}

// owner names, in a few letters, whose credential it is.
func owner(a evidence.Actor) string {
	who := ""
	switch a.Kind {
	case actor.IAMUserKey, actor.IAMUserSession, actor.IAMUser:
		who = "user " + cmp.Or(a.UserName, a.PrincipalID, noName)
	case actor.FederatedUser:
		who = cmp.Or(a.Session, noName) + " by user " + cmp.Or(a.UserName, noName)
	case actor.IdentityCenter:
		who = "user " + cmp.Or(a.Session, a.OnBehalfOf, a.PrincipalID, noName)
	case actor.RoleSession, actor.Role:
		who = "role " + cmp.Or(a.RoleName, a.PrincipalID, noName)
		if p := cmp.Or(a.OnBehalfOf, a.SourceIdentity); p != "" {
			who += " for " + p
		}
	case actor.RootKey, actor.RootSession:
		who = "ROOT"
	case actor.AWSService:
		who = "service " + cmp.Or(a.Via, a.PrincipalID, noName)
	case actor.ServiceForOthers:
		who = "others, by " + cmp.Or(a.Via, a.AccountID, noName)
	case actor.OtherAccount:
		who = "account " + cmp.Or(a.AccountID, noName)
	case actor.Anonymous:
		who = "nobody"
	default:
		who = cmp.Or(a.UserName, a.AccountID, a.PrincipalID, "not named")
	}
	return short(who, 48)
}
