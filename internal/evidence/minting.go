package evidence

import (
	"slices"
	"time"

	"nightlatch/internal/actor"
)

// Minting is a session whose credential comes from a long-term key of an IAM user of ours, as the trail shows it record by record. It says
// nothing against the key's other sessions, and nothing for anybody.
type Minting struct {
	// Session is the access key id of the session, Key the long-term key.
	Session string `json:"session"`
	Key     string `json:"key"`
	// The key's user.
	UserName     string `json:"user_name"`
	PrincipalID  string `json:"principal_id,omitempty"`
	PrincipalARN string `json:"principal_arn,omitempty"`
	AccountID    string `json:"account_id"`
	// Accounts are those of all who minted, each once.
	Accounts []string `json:"account_ids"`
	// Made are the records, that of the session first. The last one is a call with the key.
	Made []Made `json:"made_by"`
	// Others: the key, or a session between it and this one, gave out another session too, in the time of the lineage. Nil is not known.
	Others *bool `json:"others,omitempty"`
	// Last is the last call of the key that the lineage shows.
	Last time.Time `json:"last"`
}

// Credential is the long-term key as a credential.
func (m Minting) Credential() actor.Credential {
	return actor.Credential{Kind: actor.IAMUserKey, AccessKeyID: m.Key, PrincipalID: m.PrincipalID, PrincipalARN: m.PrincipalARN, UserName: m.UserName,
		AccountID: m.AccountID}
}

// MintingOf is how the lineage shows a session to come from a long-term key; false where it does not.
func (t *Tree) MintingOf(session string) (Minting, bool) {
	if t != nil {
		for _, m := range t.Minted {
			if m.Session == session && m.Key != "" && len(m.Made) > 0 {
				return m, true
			}
		}
	}
	return Minting{}, false
}

// mints are the calls that give a session out and whose record names both the key that called and the key that it gave.
var mints = []string{"AssumeRole", "GetSessionToken", "GetFederationToken", scoped}

// minted are the kinds of actor that a key can have minted, and that Nightlatch can do something about.
var minted = []actor.Kind{actor.IAMUserSession, actor.FederatedUser, actor.RoleSession}

// clocksDiffer is how much earlier than its minting a session may be seen: two services have written the two records.
const clocksDiffer = time.Minute

// holder is the principal id of the session that a call gave a key of; "" where the record does not show it.
func (m Making) holder() string {
	if m.Call == "GetSessionToken" || m.Call == scoped {
		return m.By.PrincipalID
	}
	return m.Given
}

// giver is the one call that gave a session's key out; false where none is shown, or two that are not the same, or one of which a copy says
// otherwise.
func (s *Search) giver(key string) (one Making, ok bool) {
	for _, m := range s.makings {
		switch {
		case m.Gave != key || key == "":
		case m.Torn, m.Service != "sts.amazonaws.com", !slices.Contains(mints, m.Call):
			return Making{}, false
		case !ok:
			one, ok = m, true
		case one.Call != m.Call || one.By.AccessKeyID != m.By.AccessKeyID || one.By.PrincipalID != m.By.PrincipalID:
			return Making{}, false
		}
	}
	return one, ok
}

// edge is the one call that gave a session's key out, and who made it, where neither the session nor the time at which it was used contradicts it.
func (s *Search) edge(key, principal string, used time.Time) (Making, actor.Credential, bool) {
	m, ok := s.giver(key)
	given := m.holder()
	if !ok || given != "" && principal != "" && given != principal || !used.IsZero() && m.At.After(used.Add(clocksDiffer)) {
		return Making{}, actor.Credential{}, false
	}
	return m, actor.Of(m.By, s.ours), true
}

// others reports whether one of those who minted, from the key on, gave out another session too, and when the key was used last. Nil is not known:
// the calls of one were not asked for, or not all are listed.
func (s *Search) others(chain []Making) (others *bool, last time.Time) {
	key, another, all := chain[len(chain)-1].By.AccessKeyID, false, s.more == 0
	for _, of := range chain {
		by := of.By
		asked := s.keys.asked[by.AccessKeyID] && !slices.Contains(s.keys.next, by.AccessKeyID) ||
			s.sessions.asked[by.PrincipalID] && !slices.Contains(s.sessions.next, by.PrincipalID)
		all = all && asked
		for _, m := range s.makings {
			theirs := m.By.AccessKeyID == by.AccessKeyID || isSession(by.PrincipalID) && m.By.PrincipalID == by.PrincipalID
			on := slices.ContainsFunc(chain, func(of Making) bool { return of.Gave == m.Gave })
			another = another || theirs && makes[m.Call] == SessionNode && !on
		}
	}
	for _, m := range s.makings {
		if m.By.AccessKeyID == key && m.At.After(last) {
			last = m.At
		}
	}
	if !another && !all {
		return nil, last
	}
	return &another, last
}

// minting follows a session back to a long-term key: each edge is one record that nothing contradicts. Anything else is no minting.
func (s *Search) minting(a Actor) (Minting, bool) {
	if a.Via != "" || a.Doubt != "" || !slices.Contains(minted, a.Kind) {
		return Minting{}, false
	}
	found := Minting{Session: a.AccessKeyID}
	key, principal, used, chain := a.AccessKeyID, a.PrincipalID, a.FirstSeen, []Making(nil)
	for range s.makings {
		m, by, ok := s.edge(key, principal, used)
		if !ok {
			return Minting{}, false
		}
		chain, found.Made = append(chain, m), append(found.Made, made(m))
		if !slices.Contains(found.Accounts, by.AccountID) {
			found.Accounts = append(found.Accounts, by.AccountID)
		}
		switch {
		case by.Doubt != "" || by.Via != "":
			return Minting{}, false
		case by.Kind == actor.IAMUserKey && by.UserName != "":
			found.Key, found.UserName, found.PrincipalID, found.PrincipalARN = by.AccessKeyID, by.UserName, by.PrincipalID, by.PrincipalARN
			found.AccountID = by.AccountID
			found.Others, found.Last = s.others(chain)
			return found, true
		case !slices.Contains(minted, by.Kind):
			return Minting{}, false
		}
		key, principal, used = by.AccessKeyID, by.PrincipalID, m.At
	}
	return Minting{}, false
}
