package judgement

import (
	"slices"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
)

// maxJoined is how many merged incidents one names: it has to fit an item of DynamoDB.
const maxJoined = 50

// Merge leaves an incident's steps to an older open one that has the same: one thief at many buckets is one story. Each is investigated for
// itself; only the messages are one. answer is who took what, as the lead will report it. It returns both as they are then, the lead to be put
// first; false where there is none.
func Merge(r incident.Record, open []*incident.Record, answer string, l Limits) (lead, merged incident.Record, ok bool) {
	found := leadOf(r, open, l.Now)
	if found == nil || !r.NotifiedAt(incident.Answer).IsZero() {
		return lead, r, false
	}
	lead = *found
	lead.Joined, lead.Log, lead.Notified = slices.Clip(lead.Joined), slices.Clip(lead.Log), slices.Clone(lead.Notified)
	r.Outcomes, r.Log, r.Notified = slices.Clone(r.Outcomes), slices.Clip(r.Log), slices.Clone(r.Notified)
	if !slices.ContainsFunc(lead.Joined, func(j incident.Joined) bool { return j.ID == r.ID }) {
		if len(lead.Joined) < maxJoined {
			lead.Joined = append(lead.Joined, incident.Joined{ID: r.ID, Answer: answer})
			lead.Note(l.Now, "incident "+r.ID+" has the same steps: it is reported here")
		} else {
			lead.JoinedMore++
		}
		if sent := lead.NotifiedAt(incident.Answer, incident.Revised, incident.Again, incident.Reminder, incident.Escalation); !sent.IsZero() {
			lead.Notify(incident.Revised, sent.Add(incident.PageCooldown), l.Channels...)
		}
	}
	lead.Outcomes = slices.Clone(lead.Outcomes)
	for i, o := range r.Outcomes {
		if o.State == containment.Failed { // it failed there too, just now, and is not tried again at once
			at := slices.IndexFunc(lead.Outcomes, func(theirs containment.Outcome) bool {
				return theirs.State == o.State && theirs.SameStep(o) && theirs.At.Before(o.At)
			})
			if at >= 0 {
				lead.Outcomes[at].At, lead.Outcomes[at].Detail = o.At, o.Detail
			}
		}
		if o.State != containment.Skipped {
			r.Outcomes[i].State, r.Outcomes[i].Detail = containment.Skipped, "incident "+lead.ID+" has this step"
		}
	}
	r.MergedInto = lead.ID
	r.Notify(incident.Answer, time.Time{}) // nothing of its own
	r.Note(l.Now, "merged into incident "+lead.ID+", which has the same steps")
	return lead, r, true
}

// leadOf is the one open incident that has all the steps of another; nil where there is none.
func leadOf(r incident.Record, open []*incident.Record, now time.Time) (lead *incident.Record) {
	// One that others were merged into, or that has done something itself, keeps its story.
	did := func(o containment.Outcome) bool { return o.Contained() || o.State == containment.Undone }
	if r.Once || r.MergedInto != "" || len(r.Joined) > 0 || slices.ContainsFunc(r.Outcomes, did) {
		return nil
	}
	// A human's own question is answered once and never followed up, and an alarm that CloudWatch does not confirm may be anybody's.
	leads := func(other *incident.Record) bool {
		return other.MergedInto == "" && !other.Once && (other.Alarm.Confirmed || !r.Alarm.Confirmed)
	}
	for _, o := range r.Outcomes {
		if o.State == containment.Skipped {
			continue
		}
		other, theirs := Elsewhere(r, o, open, leads)
		if other == nil || lead != nil && other != lead {
			return nil
		}
		// What waits for a human there may be done here; but in a storm not every incident tries what was refused a moment ago.
		if o.State == containment.Intended && (theirs.State == containment.Asked || theirs.State == containment.Failed && now.Sub(theirs.At) >= incident.PageCooldown) {
			return nil
		}
		lead = other
	}
	return lead
}

// Elsewhere finds the outcome of the same step in another open incident, of those that will do, the oldest first. One that does not wait for a
// human comes before one that does: what was done is not done again because an older incident only asks, or could not do it.
func Elsewhere(r incident.Record, o containment.Outcome, open []*incident.Record, will func(*incident.Record) bool) (*incident.Record, *containment.Outcome) {
	var asking *incident.Record
	var asked *containment.Outcome
	for _, other := range open {
		if other.ID == r.ID || !will(other) {
			continue
		}
		for i, theirs := range other.Outcomes {
			switch {
			case !theirs.SameStep(o) || theirs.State == containment.Skipped || usedAgain(r, o, theirs):
			case !theirs.Open():
				return other, &other.Outcomes[i]
			case asking == nil:
				asking, asked = other, &other.Outcomes[i]
			}
		}
	}
	return asking, asked
}

// usedAgain reports whether a key that another incident has contained was turned on again and has taken more since: that is a theft
// of its own, with a verdict of its own.
func usedAgain(r incident.Record, o, theirs containment.Outcome) bool {
	if !theirs.Contained() && theirs.State != containment.Already || !o.Step.Planned() || o.Step.Before == o.Step.After {
		return false
	}
	return slices.ContainsFunc(r.Evidence.Actors, func(a evidence.Actor) bool {
		return a.AccessKeyID == o.Key() && a.LastSeen.After(theirs.At.Add(containment.Propagation))
	})
}
