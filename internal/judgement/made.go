package judgement

import (
	"slices"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
)

// made are the long-term keys that were made with an actor's credential, where Nightlatch acts in their account and the account says of each what
// its record does.
func (j *judging) made(a evidence.Actor) (keys []evidence.MadeKey) {
	if j.rec.Lineage == nil || a.Via != "" || a.Doubt != "" || j.foreign(a) != "" {
		return nil
	}
	here := j.rec.Where().AccountID
	for _, m := range j.rec.Lineage.Made {
		if m.Actor == a.AccessKeyID && m.Agrees() && actor.IsAccount(m.AccountID) && (here == "" || m.AccountID == here) {
			keys = append(keys, m)
		}
	}
	return keys
}

// withMade puts a step on each key that was made with an actor's credential behind that on the key it has, and before that on its session. A key that
// the account does not know as that user's, or whose status cannot be read, is in the lineage, with the command.
func (j *judging) withMade(p plan, keys []evidence.MadeKey) plan {
	p.made = map[containment.Ref]evidence.MadeKey{}
	first := slices.IndexFunc(p.steps, func(s containment.Step) bool { return s.Action != policy.DeactivateKey })
	if first < 0 {
		first = len(p.steps)
	}
	for _, m := range keys {
		owned := j.targets[m.Credential()]
		if !owned.Target.Known || owned.Target.Owner != m.UserName || owned.StatusErr != nil || owned.Status.Absent {
			continue
		}
		s := containment.DeactivateKey(owned.Target, owned.Status)
		p.steps, p.made[s.Ref] = slices.Insert(p.steps, first, s), m
		first++
	}
	return p
}

// madeFacts are the facts of an actor as those of a step on a key that was made with its credential. What is about the credential itself is the
// key's. Somebody else may depend on it where another place than the thief's made or used it, and that is not known where others can write into the
// evidence, or some of it is lost.
func madeFacts(r incident.Record, f policy.Facts, m evidence.MadeKey, key policy.Target) policy.Facts {
	f = ofAnother(f)
	switch {
	case !m.There:
		f.MintedOthers = new(true)
	case m.Used != nil && f.Sealed != policy.Open && !f.Lost:
		f.MintedOthers = new(m.UsedElsewhere())
	}
	if m.Used != nil {
		f.InUse = new(m.UsedElsewhere())
	}
	of := evidence.Actor{}
	of.AlsoUsed, of.LastRecord = m.Used, &m.Last
	wouldBreak(&f, r, of)
	f.UsedElsewhere, f.UsedUnrecorded = usedElsewhere(r, key), usedUnrecorded(r, of, key)
	if r.DeedsMissing() {
		unheard(&f)
	}
	return f
}
