package containment

import (
	"cmp"
	"slices"
	"strings"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
	"nightlatch/internal/policy"
)

// HitOf is whom a step against an actor hits, and whether that is more than one credential or person. Where the record does not name the
// principal, the reach is not evidence.Reach.Askable.
func HitOf(s Step, a evidence.Actor) (r evidence.Reach, broad bool) {
	owner, _, _ := strings.Cut(a.PrincipalID, ":")
	switch s.Action {
	case policy.DenyUserSessions, policy.QuarantineUser, policy.DenyRoleSessions:
		r.ARN = a.PrincipalARN
		if uniqueID.MatchString(owner) { // a federated user's is the account's
			r.PrincipalID = owner
		}
		return r, true
	case policy.BlockOnBucket: // by the id of a session it is that session; of another account's user no record shows the credential
		users := []actor.Kind{actor.IAMUserKey, actor.IAMUserSession, actor.IAMUser, actor.RootKey, actor.RootSession}
		if !slices.Contains(users, a.Kind) || strings.Contains(a.PrincipalID, ":") {
			return r, false
		}
		r.PrincipalID, r.Bucket = a.PrincipalID, bucketOf(s.Target)
		if a.Kind == actor.RootKey || a.Kind == actor.RootSession {
			r.PrincipalID = cmp.Or(a.PrincipalID, a.AccountID)
		}
		if r.PrincipalID == "" { // a bucket alone would be whoever calls it from outside
			r.Bucket = ""
		}
		return r, true
	case policy.BlockPublicAccess:
		return evidence.Reach{Bucket: bucketOf(s.Target)}, true
	}
	return r, false
}

// Spares are the sorts of bystanders whom a step does not hit: a denial by the time at which a token was issued hits no long-term key.
func (s Step) Spares() []evidence.Sort {
	if s.Action == policy.DenyUserSessions {
		return []evidence.Sort{evidence.ByKey}
	}
	return nil
}
