package judgement

import (
	"slices"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
)

// taken is what one key took, or several that are judged together.
type taken struct {
	bytes, objects int64
	// unfamiliar is nil where that of one of them is not known, and day likewise.
	unfamiliar, day *int64
	// taken is what went for sure to unfamiliar places for which nothing speaks; nil likewise.
	taken *int64
	// strange is what went in 24 hours to places that are not known to be familiar.
	strange int64
}

func (t *taken) add(a evidence.Actor) {
	plus := func(sum, n *int64) *int64 {
		if sum == nil || n == nil {
			return nil
		}
		return new(*sum + *n)
	}
	t.bytes, t.objects = t.bytes+a.Bytes, t.objects+a.ObjectBytes
	t.unfamiliar, t.day, t.taken = plus(t.unfamiliar, a.UnfamiliarBytes), plus(t.day, a.DayBytes), plus(t.taken, a.TakenBytes)
	switch {
	case a.StrangeDayBytes != nil:
		t.strange += *a.StrangeDayBytes
	case a.UnfamiliarBytes != nil:
		t.strange += *a.UnfamiliarBytes
	default:
		t.strange += a.Bytes
	}
}

// goodPart is the part of what several keys took, one in so many, that each of them has at least to be judged with the others: who reads a
// little where a thief happens to be is no thief.
const goodPart = 10

// together is what the actor took, and the other long-term keys with it that took a good part to the same place, which none of them knows.
func together(r incident.Record, a evidence.Actor) taken {
	all := accomplices(r, a)
	sum := taken{unfamiliar: new(int64(0)), day: new(int64(0)), taken: new(int64(0))}
	sum.add(a)
	for _, b := range all {
		sum.add(b)
	}
	return sum
}

// accomplices are the other keys that are judged together with an actor's.
func accomplices(r incident.Record, a evidence.Actor) []evidence.Actor {
	if a.Kind != actor.IAMUserKey || a.Via != "" {
		return nil
	}
	places, objects := strangePlaces(a), a.ObjectBytes
	var all []evidence.Actor
	for _, b := range r.Evidence.Actors {
		if b.Kind == actor.IAMUserKey && b.Via == "" && b.AccessKeyID != a.AccessKeyID &&
			slices.ContainsFunc(strangePlaces(b), func(p string) bool { return slices.Contains(places, p) }) {
			all, objects = append(all, b), objects+b.ObjectBytes
		}
	}
	small := func(b evidence.Actor) bool { return b.ObjectBytes < objects/goodPart }
	if small(a) {
		return nil
	}
	return slices.DeleteFunc(all, small)
}

// strangePlaces are those at which an actor took something, and which it does not know.
func strangePlaces(a evidence.Actor) []string {
	var places []string
	for _, o := range a.Origins {
		if p := o.Place(); p != "" && o.Bytes > 0 && o.Familiar != nil && !*o.Familiar {
			places = append(places, p)
		}
	}
	return places
}
