package evidence

import (
	"slices"
	"strings"
	"time"

	"nightlatch/internal/actor"
)

// Search looks for the lineage of actors' credentials, round by round: Next is what to ask the trail, Add takes the answer, Tree is what is known
// by then. Each round goes one step up, to what gave out the credentials, and one down, to what was made with them.
type Search struct {
	actors  []Actor
	ours    actor.Ours
	now     time.Time
	from    time.Time
	makings []Making
	more    int64
	up      map[string]bool // the keys whose givers are followed
	users   []ofUser        // of them the temporary ones of users

	given, keys, sessions, signedIn wanted
}

// ofUser is a temporary key of a user.
type ofUser struct{ key, principalID string }

// wanted are ids that are to be asked about, each once.
type wanted struct {
	asked map[string]bool
	next  []string
}

func (w *wanted) want(id string) {
	if id == "" || w.asked[id] {
		return
	}
	if w.asked == nil {
		w.asked = map[string]bool{}
	}
	w.asked[id] = true
	w.next = append(w.next, id)
}

// take are the next of them that a question has room for.
func (w *wanted) take() []string {
	n := min(len(w.next), maxAskedOf)
	ids := w.next[:n:n]
	w.next = w.next[n:]
	return ids
}

// NewSearch begins a search for the credentials of actors, those that took most first. Whose credential the records do not show is passed over.
func NewSearch(actors []Actor, ours actor.Ours, now time.Time) *Search {
	s := &Search{ours: ours, now: now, from: now, up: map[string]bool{}}
	for _, a := range actors {
		if !credential(a.AccessKeyID) {
			continue
		}
		s.actors = append(s.actors, a)
		if !a.FirstSeen.IsZero() && a.FirstSeen.Before(s.from) {
			s.from = a.FirstSeen
		}
		s.want(a.AccessKeyID, a.PrincipalID, true)
	}
	s.from = s.from.Add(-SessionLife)
	return s
}

func credential(key string) bool { return longTerm(key) || strings.HasPrefix(key, "ASIA") }

func longTerm(key string) bool { return strings.HasPrefix(key, "AKIA") }

// want has a credential asked about: what was made with it, and, if up, where it comes from.
func (s *Search) want(key, principalID string, up bool) {
	temporary := strings.HasPrefix(key, "ASIA")
	if temporary && isSession(principalID) && askable(principalID) {
		s.sessions.want(principalID) // whatever keys it has
	} else {
		s.keys.want(key)
	}
	if !up || s.up[key] {
		return
	}
	s.up[key] = true
	s.given.want(key)
	if temporary {
		s.signedIn.want(principalID)
	}
	if temporary && !isSession(principalID) {
		s.users = append(s.users, ofUser{key, principalID})
	}
	for _, m := range s.makings { // it may have been found already, as something that was made
		if m.Gave == key && credential(m.By.AccessKeyID) {
			s.want(m.By.AccessKeyID, m.By.PrincipalID, true)
		}
	}
}

// Next is the next question; false where nothing is left to ask.
//
// A user's session that nobody is seen to have given out is a sign-in's. The console gives it one key after the other, so that it is asked about
// by its user.
func (s *Search) Next() (Lineage, bool) {
	for _, u := range s.users {
		if !slices.Contains(s.given.next, u.key) && Minter(s.makings, u.key) == nil {
			s.sessions.want(u.principalID)
		}
	}
	q := Lineage{Given: s.given.take(), Keys: s.keys.take(), Sessions: s.sessions.take(), SignedIn: s.signedIn.take(), From: s.from, To: s.now}
	return q, len(q.Given)+len(q.Keys)+len(q.Sessions)+len(q.SignedIn) > 0
}

// Add takes the answer to a question, and how many calls it has not listed.
func (s *Search) Add(found []Making, more int64) {
	s.more += more
	for _, m := range found {
		if i := slices.IndexFunc(s.makings, func(known Making) bool {
			return known.EventID == m.EventID && known.Call == m.Call && known.Gave == m.Gave
		}); i >= 0 {
			s.makings[i].Torn = s.makings[i].Torn || m.Torn
			continue
		}
		s.makings = append(s.makings, m)
		by := m.By.AccessKeyID
		switch {
		case slices.Contains(signIns, m.Call):
		case s.up[m.Gave] && credential(by):
			if back := m.At.Add(-SessionLife); back.Before(s.from) {
				s.from = back
			}
			s.want(by, m.By.PrincipalID, true)
		case strings.HasPrefix(by, "ASIA"): // a key of a session that is asked about; or of a neighbour's, of the same name
			s.given.want(by)
		}
		if m.Gave != "" && s.ofSearch(by, m) {
			given := m.Given
			if m.Call == scoped {
				given = m.By.PrincipalID
			}
			s.want(m.Gave, given, false)
		}
	}
}

// ofSearch reports whether a call was made with a credential that is asked about. One that gave out the key of a neighbour's session is not.
func (s *Search) ofSearch(key string, m Making) bool {
	return s.keys.asked[key] || isSession(m.By.PrincipalID) && s.sessions.asked[m.By.PrincipalID]
}

// Tree is the lineage as far as it was found.
func (s *Search) Tree() Tree {
	nodes, cut := tree(s.actors, s.makings, s.ours)
	var minted []Minting
	for _, a := range s.actors {
		if m, ok := s.minting(a); ok {
			minted = append(minted, m)
		}
	}
	return Tree{Nodes: nodes, Minted: minted, Made: s.made(), More: s.more + cut, NotFollowed: len(s.given.next) + len(s.keys.next) + len(s.sessions.next), From: s.from, To: s.now}
}

// Chain are the calls that lead up to a credential, the last one first, at most so many: who was given it, who was given his, and so on.
func (s *Search) Chain(key string, most int) []Making {
	var chain []Making
	for len(chain) < most && strings.HasPrefix(key, "ASIA") {
		m := Minter(s.makings, key)
		if m == nil {
			break
		}
		chain, key = append(chain, *m), m.By.AccessKeyID
	}
	return chain
}
