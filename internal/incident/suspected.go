package incident

import (
	"slices"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
)

// Suspected are the buckets of an incident, and the IAM users and roles of ours that a step is about, each once: whose usual suspects are gone through.
func (r Record) Suspected() (buckets, users, roles []string) {
	add := func(names *[]string, name string) {
		if name != "" && !slices.Contains(*names, name) {
			*names = append(*names, name)
		}
	}
	for _, a := range r.Evidence.Actors {
		if !slices.ContainsFunc(r.Outcomes, func(o containment.Outcome) bool { return o.Against(a) && o.State != containment.Skipped }) {
			continue
		}
		switch a.Kind {
		case actor.IAMUserKey, actor.IAMUserSession, actor.IAMUser:
			add(&users, a.UserName)
		case actor.RoleSession, actor.Role, actor.IdentityCenter:
			add(&roles, a.RoleName)
		}
	}
	return slices.Clone(r.Alarm.Buckets), users, roles
}
