package approval

import (
	"strings"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
)

// suspected refuses a caller one of whose links is in an incident: an actor of its evidence, who stands behind one, the owner of a step's
// target, or a key that was made since the window began.
func suspected(chain []link, rec incident.Record) error {
	for _, l := range chain {
		for _, a := range rec.Evidence.Actors {
			if same(l.Credential, a.Credential()) {
				return refuse(BadCaller, "your credential, or one that it comes from (%s), is in the evidence of incident %s, so you may not decide about it; "+
					"somebody else has to", named(l), rec.ID)
			}
		}
		for _, o := range rec.Outcomes {
			for _, s := range o.Behind {
				if same(l.Credential, s.Actor().Credential()) {
					return refuse(BadCaller, "your credential, or one that it comes from (%s), stands behind what incident %s is about (%s), so you may not decide about it; "+
						"somebody else has to", named(l), rec.ID, s.Call)
				}
			}
			if owns(l.Credential, o.Step.Target) {
				return refuse(BadCaller, "your credential, or one that it comes from (%s), belongs to %s, which incident %s is about; somebody else has to decide",
					named(l), o.Step.Target.Owner, rec.ID)
			}
		}
		if l.made.After(rec.Alarm.From) {
			return refuse(BadCaller, "the key %s was made at %s, after what incident %s is about had begun, so a thief may have made it; %s",
				l.AccessKeyID, l.made.UTC().Format(time.DateTime), rec.ID, ownTerms)
		}
	}
	return nil
}

// named is a link by its key, or by whom it is.
func named(l link) string {
	if l.AccessKeyID != "" {
		return l.AccessKeyID
	}
	return l.PrincipalARN + l.PrincipalID
}

// same reports whether two credentials are one, or of one user or one role. Whatever one of them leaves open is no match.
func same(x, y actor.Credential) bool {
	equal := func(a, b string) bool { return a != "" && a == b }
	ours := equal(x.AccountID, y.AccountID)
	return equal(x.AccessKeyID, y.AccessKeyID) || equal(x.PrincipalID, y.PrincipalID) || equal(uniqueID(x), uniqueID(y)) ||
		equal(x.PrincipalARN, y.PrincipalARN) || equal(x.OnBehalfOf, y.OnBehalfOf) ||
		ours && (equal(x.UserName, y.UserName) || equal(x.RoleName, y.RoleName))
}

// uniqueID is the unique id of a credential's user or role; "" where it has none. A federated user's principal id begins with the account.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
func uniqueID(c actor.Credential) string {
	id, _, _ := strings.Cut(c.PrincipalID, ":")
	if strings.HasPrefix(id, "AIDA") || strings.HasPrefix(id, "AROA") {
		return id
	}
	return ""
}

// owns reports whether a credential is of the user or role that a step acts on.
func owns(c actor.Credential, t policy.Target) bool {
	if t.Owner == "" {
		return false
	}
	name := c.UserName
	if t.Type == policy.Role {
		name = c.RoleName
	}
	return c.PrincipalARN != "" && t.OwnerARN == c.PrincipalARN || t.Owner == name && t.AccountID == c.AccountID
}
