package approval

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
)

// suspicion is what speaks against a caller in an incident.
type suspicion struct {
	// he is refused because a session, a key or a user of his is in it.
	he error
	// role is the refusal of whoever has only a role in common with it, where nothing tells him from whom it is about.
	role error
	// neighbours are other sessions of his role that are in it. Who was given them decides whether they are his.
	neighbours []actor.Credential
}

// refusal is the first of both.
func (s suspicion) refusal() error { return cmp.Or(s.he, s.role) }

// suspected finds what speaks against a caller: that one of his links is an actor of the evidence, stands behind one, owns a step's target, or is a
// key that was made since the window began. A session of a role is no other session of it, so that one of them does not lock out whoever
// shares the role.
func suspected(chain []link, rec incident.Record) (s suspicion) {
	for _, l := range chain {
		for _, a := range rec.Evidence.Actors {
			s.about(l, a.Credential(), refuse(BadCaller, "your credential, or one that it comes from (%s), is in the evidence of incident %s, so you may not decide about it; "+
				"somebody else has to", named(l), rec.ID))
		}
		for _, o := range rec.Outcomes {
			for _, b := range o.Behind {
				s.about(l, b.Actor().Credential(), refuse(BadCaller, "your credential, or one that it comes from (%s), stands behind what incident %s is about (%s), so you may not decide about it; "+
					"somebody else has to", named(l), rec.ID, b.Call))
			}
			shown := slices.ContainsFunc(rec.Evidence.Actors, func(a evidence.Actor) bool { return o.Against(a) && a.Session != "" })
			if owns(l.Credential, o.Step.Target) {
				no := refuse(BadCaller, "your credential, or one that it comes from (%s), belongs to %s, which incident %s is about; somebody else has to decide",
					named(l), o.Step.Target.Owner, rec.ID)
				switch {
				case o.Step.Target.Type != policy.Role:
					s.he = cmp.Or(s.he, no)
				case !shown:
					s.role = cmp.Or(s.role, no)
				}
			}
		}
		if l.made.After(rec.Alarm.From) {
			s.he = cmp.Or(s.he, refuse(BadCaller, "the key %s was made at %s, after what incident %s is about had begun, so a thief may have made it; %s",
				l.AccessKeyID, l.made.UTC().Format(time.DateTime), rec.ID, ownTerms))
		}
	}
	return s
}

// about adds what one credential of an incident says about a link.
func (s *suspicion) about(l link, suspect actor.Credential, no error) {
	switch {
	case same(l.Credential, suspect):
		s.he = cmp.Or(s.he, no)
	case !sameRole(l.Credential, suspect):
	case suspect.Session == "" || l.Session == "":
		s.role = cmp.Or(s.role, no)
	case suspect.Kind == actor.IdentityCenter && l.Kind == actor.IdentityCenter: // it names sessions by their users, whatever those want
	default:
		s.neighbours = append(s.neighbours, suspect)
	}
}

// maxNeighbours is how many sessions of a caller's role are asked about.
const maxNeighbours = 5

// theirs asks who was given the neighbours of a caller, and adds what that says of him. A thief who may take a role takes it twice, under two names.
func (a *Approval) theirs(ctx context.Context, s *suspicion, chain []link) error {
	asked := map[string]bool{}
	for _, n := range s.neighbours {
		no := refuse(BadCaller, "the session %s of the role %s, which is yours too, is in an incident, and it is not known whose it is: it may be yours; somebody else has to decide",
			named(link{Credential: n}), n.RoleName)
		if asked[n.AccessKeyID] && n.AccessKeyID != "" {
			continue
		}
		asked[n.AccessKeyID] = true
		if !strings.HasPrefix(n.AccessKeyID, "ASIA") || len(asked) > maxNeighbours {
			s.role = cmp.Or(s.role, no)
			continue
		}
		now := a.Clock.Now()
		minted, err := a.minter(ctx, n.AccessKeyID, now.Add(-evidence.SessionLife), now)
		if err != nil {
			return err
		}
		if minted == nil {
			s.role = cmp.Or(s.role, no)
			continue
		}
		by := actor.Of(minted.By, a.Ours)
		for _, l := range chain {
			switch {
			case same(l.Credential, by):
				s.he = cmp.Or(s.he, refuse(BadCaller, "the session %s, which is in an incident, was given to you too (%s); somebody else has to decide", n.AccessKeyID, named(l)))
			case sameRole(l.Credential, by):
				s.role = cmp.Or(s.role, no)
			}
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

func equal(a, b string) bool { return a != "" && a == b }

// same reports whether two credentials are one key, one user, one person or one session. Whatever one of them leaves open is no match.
func same(x, y actor.Credential) bool {
	ours := equal(x.AccountID, y.AccountID)
	role := x.RoleName != "" || y.RoleName != ""
	return equal(x.AccessKeyID, y.AccessKeyID) || equal(x.PrincipalID, y.PrincipalID) && (!role || x.Session != "") || equal(x.OnBehalfOf, y.OnBehalfOf) ||
		!role && (equal(uniqueID(x), uniqueID(y)) || equal(x.PrincipalARN, y.PrincipalARN)) || ours && equal(x.UserName, y.UserName) ||
		sameRole(x, y) && (equal(x.Session, y.Session) || equal(x.SourceIdentity, y.SourceIdentity))
}

// sameRole reports whether two credentials are of one role.
func sameRole(x, y actor.Credential) bool {
	if x.RoleName == "" && y.RoleName == "" && !strings.HasPrefix(uniqueID(x), "AROA") {
		return false
	}
	return equal(uniqueID(x), uniqueID(y)) || equal(x.PrincipalARN, y.PrincipalARN) || equal(x.AccountID, y.AccountID) && equal(x.RoleName, y.RoleName)
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
