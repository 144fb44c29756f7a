package evidence

import (
	"cmp"
	"slices"
	"time"

	"nightlatch/internal/actor"
)

// MadeKey is a long-term key of a user that was made with an actor's credential, with one that this comes from, or with what it has minted, as the
// trail shows it record by record: from where the bytes went, or since the actor was first seen at them. It says nothing against the user's other keys.
type MadeKey struct {
	Key      string `json:"key"`
	UserName string `json:"user_name"`
	// AccountID is of whoever made it: IAM makes no key in another account.
	AccountID string `json:"account_id"`
	// Actor is the access key id of the actor.
	Actor string `json:"actor"`
	Made  Made   `json:"made_by"`
	// There: it was made from where the actor's bytes went, a place that its principal did not know.
	There bool `json:"from_where_the_bytes_went,omitempty"`
	// Created is when the account says that the user's key was created; zero where the user has no such key, or the account was not asked.
	Created time.Time `json:"created,omitzero"`
	// Used is from where else than there it was used; nil is not known. Last is the last record of it, its making where there is none.
	Used *AlsoUsed `json:"also_used,omitempty"`
	Last time.Time `json:"last"`
}

// Credential is the key as a credential.
func (m MadeKey) Credential() actor.Credential {
	return actor.Credential{Kind: actor.IAMUserKey, AccessKeyID: m.Key, UserName: m.UserName, AccountID: m.AccountID}
}

// Agrees reports whether the account says of the key what the record does: whose it is, and when it was created. What a record shows as the new key
// is read in a text that holds names which a caller chose, and must not be a key that was there before.
func (m MadeKey) Agrees() bool {
	return !m.Created.IsZero() && m.Created.Sub(m.Made.At).Abs() <= clocksDiffer
}

// UsedFrom takes in from where the key was used, by an answer to Callers about the time before.
func (m *MadeKey) UsedFrom(uses *Uses, a Actor, before time.Time) {
	for _, use := range uses.By[m.Key] {
		if use.Last.After(m.Last) {
			m.Last = use.Last
		}
	}
	m.Used = uses.Also(Actor{AccessKeyID: m.Key, Origins: a.Origins}, before)
}

// UsedElsewhere reports whether somebody used the key from another place than those to which the bytes went, or may have.
func (m MadeKey) UsedElsewhere() bool { return m.Used == nil || m.Used.Places > 0 || m.Used.Partial }

// MadeKey is one of the keys that were made, by its id; false where it is none.
func (t *Tree) MadeKey(key string) (MadeKey, bool) {
	if t != nil {
		for _, m := range t.Made {
			if m.Key == key && key != "" {
				return m, true
			}
		}
	}
	return MadeKey{}, false
}

// Ties reports whether the lineage shows that a long-term key minted the session of an actor, or was made with the actor's credential.
func (t *Tree) Ties(of, key string) bool {
	minting, minted := t.MintingOf(of)
	made, ok := t.MadeKey(key)
	return minted && minting.Key == key || ok && made.Actor == of
}

// createKey is the call that makes a long-term key, whose record names both the caller's key and the new one.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccessKey.html
const createKey = "CreateAccessKey"

// maxMadeKeys is how many keys of one lineage are followed: the first ones. Each that is turned off counts among the containments of an hour, which a
// thief who makes many must not use up.
const maxMadeKeys = 5

// made are the long-term keys that were made with the actors' credentials, each once, the first ones.
func (s *Search) made() (keys []MadeKey) {
	for _, a := range s.actors {
		if a.Via != "" || a.Doubt != "" {
			continue
		}
		his := map[string]bool{a.AccessKeyID: true}
		if minting, ok := s.minting(a); ok {
			for _, m := range minting.Made {
				his[m.AccessKeyID] = true
			}
		}
		for _, m := range s.makings {
			k, ok := s.madeKey(m)
			known := func(of MadeKey) bool { return of.Key == k.Key }
			if !ok || k.Key == a.AccessKeyID || !s.comesFrom(m, his) || slices.ContainsFunc(keys, known) {
				continue
			}
			k.Actor, k.There = a.AccessKeyID, a.strangeAt(m.From)
			if k.There || !a.FirstSeen.IsZero() && !m.At.Before(a.FirstSeen) {
				keys = append(keys, k)
			}
		}
	}
	slices.SortFunc(keys, func(x, y MadeKey) int { return cmp.Or(x.Made.At.Compare(y.Made.At), cmp.Compare(x.Key, y.Key)) })
	return keys[:min(len(keys), maxMadeKeys)]
}

// madeKey is the key that a call has made; false where it made none, or where a record contradicts that.
func (s *Search) madeKey(m Making) (MadeKey, bool) {
	by := actor.Of(m.By, s.ours)
	user := m.User
	if user == "" && (by.Kind == actor.IAMUserKey || by.Kind == actor.IAMUserSession) { // IAM takes the caller then
		user = by.UserName
	}
	contradicts := func(of Making) bool {
		return of.Gave == m.Gave && (of.Torn || of.Call != m.Call || of.EventID != m.EventID)
	}
	if m.Call != createKey || m.Service != "iam.amazonaws.com" || !longTerm(m.Gave) || user == "" || by.Via != "" || by.Doubt != "" || slices.ContainsFunc(s.makings, contradicts) {
		return MadeKey{}, false
	}
	k := MadeKey{Key: m.Gave, UserName: user, AccountID: by.AccountID, Made: made(m), Last: m.At}
	for _, of := range s.makings {
		if of.By.AccessKeyID == k.Key && of.At.After(k.Last) {
			k.Last = of.At
		}
	}
	return k, true
}

// comesFrom reports whether a call was made with one of some credentials, or with a session that comes from one, each edge a record that nothing
// contradicts.
func (s *Search) comesFrom(m Making, his map[string]bool) bool {
	for range len(s.makings) + 1 {
		if his[m.By.AccessKeyID] {
			return true
		}
		g, by, ok := s.edge(m.By.AccessKeyID, m.By.PrincipalID, m.At)
		if !ok || by.Via != "" || by.Doubt != "" {
			return false
		}
		m = g
	}
	return false
}

// strangeAt reports whether the actor's bytes went to a place that its principal is known not to know.
func (a Actor) strangeAt(place string) (strange bool) {
	for _, o := range a.Origins {
		if place == "" || o.Place() != place {
			continue
		}
		if o.Familiar == nil || *o.Familiar {
			return false
		}
		strange = strange || o.Bytes > 0
	}
	return strange
}
