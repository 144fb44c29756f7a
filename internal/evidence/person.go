package evidence

import (
	"cmp"
	"slices"
	"strings"
)

// maxNeighbours is how many other persons are named.
const maxNeighbours = 3

// personOf parts a principal, as the questions write it, into the long-lived principal and the person who acts through it; "" where the
// records tell nobody apart.
func personOf(principal string) (owner, person string) {
	i := strings.LastIndexByte(principal, '|')
	if i < 0 {
		return principal, ""
	}
	return principal[:i], principal[i+1:]
}

// neighbours are other persons behind the same principal who worked at one of these origins on an earlier day. Their names describe; a
// network that is a neighbour's is no familiar one.
func (h *History) neighbours(principal string, origins []Origin) []string {
	owner, self := personOf(principal)
	var names []string
	for other, p := range h.Principals {
		theirs, person := personOf(other)
		if owner == "" || theirs != owner || person == self || person == "" {
			continue
		}
		if slices.ContainsFunc(origins, func(o Origin) bool {
			w := p.at(o.place())
			return o.Familiar != nil && !*o.Familiar && w != nil && w.Days > 0
		}) {
			names = append(names, person)
		}
	}
	slices.Sort(names)
	return names[:min(len(names), maxNeighbours)]
}

// Who tells an actor without a key from the others of an incident; "" where there is a key, which does.
func (a Actor) Who() string {
	if a.AccessKeyID != "" {
		return ""
	}
	return clip(string(a.Kind) + " " + cmp.Or(a.OnBehalfOf, a.PrincipalID, a.PrincipalARN, a.UserName, a.Via, a.AccountID))
}
