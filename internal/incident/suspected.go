package incident

import (
	"slices"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
)

// Suspected are the buckets of an incident, and the IAM users of ours that a step is about, each once: whose usual suspects are gone through.
func (r Record) Suspected() (buckets, users []string) {
	for _, a := range r.Evidence.Actors {
		theft := slices.ContainsFunc(r.Outcomes, func(o containment.Outcome) bool { return o.Against(a) && o.State != containment.Skipped })
		ours := a.Kind == actor.IAMUserKey || a.Kind == actor.IAMUserSession || a.Kind == actor.IAMUser
		if ours && theft && a.UserName != "" && !slices.Contains(users, a.UserName) {
			users = append(users, a.UserName)
		}
	}
	return slices.Clone(r.Alarm.Buckets), users
}
