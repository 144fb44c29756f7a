package judgement

import (
	"cmp"
	"slices"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/policy"
)

// maxHeirs is how many sessions that were made with one credential get steps of their own.
const maxHeirs = 5

// heirs are the sessions that were made with an actor's credential, or with what that made, as the lineage shows: they outlive it. Those whose
// denial the deployment enables are listed, of a user's one for all.
func (j *judging) heirs(a evidence.Actor) (all []evidence.Actor) {
	if len(j.Steps) == 0 || a.Doubt != "" || a.Via != "" {
		return nil
	}
	for _, n := range j.rec.Lineage.MadeWith(a.AccessKeyID) {
		if n.Kind != evidence.SessionNode || n.Took || n.Likely || n.NotFound || len(n.Keys) == 0 || len(all) >= maxHeirs {
			continue // what took bytes is an actor of its own
		}
		heir := evidence.Actor{AccessKeyID: n.Keys[0], PrincipalID: n.PrincipalID, AccountID: n.AccountID, Session: n.Session}
		arn := "arn:" + cmp.Or(actor.Partition(a.PrincipalARN), "aws") + ":iam::" + n.AccountID + ":"
		switch {
		case n.RoleName != "" && slices.Contains(j.Steps, policy.DenyRoleSession):
			heir.Kind, heir.RoleName, heir.PrincipalARN = actor.RoleSession, n.RoleName, arn+"role/"+n.RoleName
		case n.RoleName == "" && n.UserName != "" && n.UserName != a.UserName == (a.Kind != actor.IAMUserKey) && slices.Contains(j.Steps, policy.DenyUserSessions):
			heir.Kind, heir.UserName, heir.PrincipalARN = actor.IAMUserSession, n.UserName, arn+"user/"+n.UserName
		default:
			continue
		}
		if j.foreign(heir) == "" && !slices.ContainsFunc(all, func(h evidence.Actor) bool {
			return h.Kind == actor.IAMUserSession && h.UserName == heir.UserName && heir.UserName != ""
		}) {
			all = append(all, heir)
		}
	}
	return all
}

// withHeirs adds the steps on what was made with an actor's credential, after those on the credential itself. What cannot be ordered is in the
// lineage, with what remains.
func (j *judging) withHeirs(p plan, a evidence.Actor, heirs []evidence.Actor) plan {
	partition := cmp.Or(actor.Partition(a.PrincipalARN), j.rec.Alarm.Partition())
	p.of = map[containment.Ref]evidence.Actor{}
	for _, heir := range heirs {
		owned := j.targets[heir.Credential()]
		if owned.Err != nil {
			continue
		}
		for _, s := range containment.ByHand(heir, owned.Target, partition, j.Now) {
			s, _ = j.ordered(s, heir, partition)
			if s = j.asItWas(s, heir); s.Planned() {
				p.steps, p.of[s.Ref] = append(p.steps, s), heir
			}
		}
	}
	return p
}
