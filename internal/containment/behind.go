package containment

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
)

// Source is who stands behind an actor, as the trail shows it: who was given the session's credential, or who has ordered or opened what a
// service or a stranger reads. A session that was minted by another session has a Source for each, the last one first made.
type Source struct {
	// Call is what he called (AssumeRole, PutBucketReplication), From the network that he called from.
	Call string    `json:"call"`
	At   time.Time `json:"at"`
	From string    `json:"from,omitempty"`
	// To names where an order sends the bytes, as its caller wrote it: buckets, accounts, distributions.
	To []string `json:"to,omitempty"`

	Kind         actor.Kind `json:"kind"`
	AccessKeyID  string     `json:"access_key_id,omitempty"`
	PrincipalID  string     `json:"principal_id,omitempty"`
	PrincipalARN string     `json:"principal_arn,omitempty"`
	AccountID    string     `json:"account_id,omitempty"`
	UserName     string     `json:"user_name,omitempty"`
	RoleName     string     `json:"role_name,omitempty"`
	Session      string     `json:"session,omitempty"`
	Via          string     `json:"via,omitempty"`
}

// SourceOf is the source that a call's record shows.
func SourceOf(call string, at time.Time, from string, to []string, c actor.Credential) Source {
	return Source{Call: call, At: at, From: from, To: to, Kind: c.Kind, AccessKeyID: c.AccessKeyID, PrincipalID: c.PrincipalID, PrincipalARN: c.PrincipalARN,
		AccountID: c.AccountID, UserName: c.UserName, RoleName: c.RoleName, Session: c.Session, Via: c.Via}
}

// Actor is the source as an actor: who he is, without anything that he took.
func (s Source) Actor() evidence.Actor {
	return evidence.Actor{Kind: s.Kind, AccessKeyID: s.AccessKeyID, PrincipalID: s.PrincipalID, PrincipalARN: s.PrincipalARN, AccountID: s.AccountID,
		UserName: s.UserName, RoleName: s.RoleName, Session: s.Session, Via: s.Via}
}

// Asks is what the trail can be asked about what stands behind an actor.
type Asks string

// What it can be asked.
const (
	Nothing     Asks = ""
	WhoMinted   Asks = "minted"  // whom the session's credential was given to
	WhoOrdered  Asks = "ordered" // who has a service read the bucket
	WhoOpenedIt Asks = "opened"  // who has let a stranger read the bucket
	Unnamed     Asks = "unnamed" // the session's credential is not shown, so that it cannot be searched for
)

// AsksOf is what the trail can be asked about an actor.
func AsksOf(a evidence.Actor) Asks {
	switch a.Kind {
	case actor.IAMUserSession, actor.FederatedUser, actor.RoleSession:
		if !strings.HasPrefix(a.AccessKeyID, "ASIA") {
			return Unnamed
		}
		return WhoMinted
	case actor.ServiceForOthers:
		return WhoOrdered
	case actor.OtherAccount, actor.Anonymous:
		return WhoOpenedIt
	}
	return Nothing
}

// Orders are the calls by which somebody has a service read a bucket, or lets a stranger do so. The names are beginnings: CloudFront's may end
// with a version.
func Orders(a evidence.Actor) []string {
	opens := []string{"PutBucketPolicy", "PutBucketAcl", "PutAccessPointPolicy", "CreateAccessPoint"}
	switch c := a.Credential(); {
	case a.Kind == actor.ServiceForOthers && c.Replicates():
		return []string{"PutBucketReplication", "CreateJob"}
	case a.Kind == actor.ServiceForOthers:
		return append(opens, "CreateDistribution", "UpdateDistribution", "CreateJob")
	}
	return append(opens, "PutBucketPublicAccessBlock", "DeleteBucketPublicAccessBlock")
}

// Behind is what a human runs, or has to know, about what stands behind an actor: stopping a session leaves its source. found is what the trail
// shows, unknown why it was not asked, or could not answer; "" where it was.
func Behind(a evidence.Actor, found []Source, unknown string) []string {
	asks := AsksOf(a)
	if asks == Nothing {
		return nil
	}
	var lines []string
	if unknown != "" {
		lines = append(lines, "the trail was not asked what stands behind it, or did not answer")
	}
	for _, s := range found {
		if strings.HasPrefix(s.AccessKeyID, "AKIA") && s.Kind != actor.RootKey {
			line := KeyOff(s.UserName, s.AccessKeyID)
			if strings.HasPrefix(line, "#") {
				lines = append(lines, "the source is a long-term key, so find its user, and turn that key off too:",
					Command("aws", "iam", "get-access-key-last-used", "--access-key-id", s.AccessKeyID))
				continue
			}
			in := ""
			if s.AccountID != "" && s.AccountID != a.AccountID && asks == WhoMinted {
				in = ", with credentials of account " + word(s.AccountID)
			}
			what := "the long-term key behind it stays on until this is run too" + in + ":"
			if asks != WhoMinted {
				what = "to turn off the key that has ordered or opened it" + in + ":"
			}
			lines = append(lines, what, line)
		}
	}
	if len(found) == 0 {
		lines = append(lines, ways(a, asks)...)
	} else if last := found[len(found)-1]; asks == WhoMinted && strings.HasPrefix(last.AccessKeyID, "ASIA") {
		lines = append(lines, "the chain ends at session "+word(last.AccessKeyID)+", of which the trail does not show who was given it")
	}
	return lines
}

// Without takes the line that turns a key off out of a runbook, with what is said before it: a step does that.
func Without(runbook []string, user, key string) []string {
	i := slices.Index(runbook, KeyOff(user, key))
	if i < 1 || key == "" {
		return runbook
	}
	return slices.Delete(slices.Clone(runbook), i-1, i+1)
}

// ways are all the ways to such a session or reading, where the trail does not show which it was.
func ways(a evidence.Actor, asks Asks) []string {
	const keys = "the keys of the user, any of which may have minted it:"
	list := Command("aws", "iam", "list-access-keys", "--user-name", a.UserName)
	switch {
	case asks == WhoOrdered:
		return []string{"who has ordered or opened it is not known from the last 14 days of the trail: look for " + strings.Join(Orders(a), ", ")}
	case asks == WhoOpenedIt:
		return []string{"who has opened the bucket to it is not known from the last 14 days of the trail: look for " + strings.Join(Orders(a), ", ")}
	case a.Kind == actor.IAMUserSession:
		return []string{"what minted the session is not known: GetSessionToken by a key of the user, a sign-in to the console, or a service that forwards it.",
			keys, list, "turn off each that the owner does not know, and reset the console password and MFA of the user, or whoever holds them signs in again"}
	case a.Kind == actor.FederatedUser:
		return []string{"which key called GetFederationToken is not known.", keys, list}
	case asks == Unnamed:
		return []string{"the record does not show the key of the session: look in CloudTrail who assumed role " + word(a.RoleName) + " under the session name " + word(cmp.Or(a.Session, a.PrincipalID))}
	}
	return []string{"who was given the session is not known: look in CloudTrail, also in us-east-1, for AssumeRole, AssumeRoleWithSAML and " +
		"AssumeRoleWithWebIdentity with responseElements.credentials.accessKeyId = " + word(a.AccessKeyID)}
}
