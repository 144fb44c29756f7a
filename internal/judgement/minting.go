package judgement

import (
	"cmp"
	"slices"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
)

// minting is how the trail shows an actor's session to come from a long-term key, where Nightlatch acts in all accounts on the way; false
// where it does not.
func (j *judging) minting(a evidence.Actor) (evidence.Minting, bool) {
	m, ok := j.rec.Lineage.MintingOf(a.AccessKeyID)
	here := j.rec.Where().AccountID
	elsewhere := func(account string) bool { return account != here && here != "" || !actor.IsAccount(account) }
	if !ok || a.Via != "" || a.Doubt != "" || j.foreign(a) != "" || slices.ContainsFunc(append(slices.Clip(m.Accounts), m.AccountID), elsewhere) {
		return evidence.Minting{}, false
	}
	return m, true
}

// withRoot puts the step on the key that minted an actor's session before those of a plan: the source comes first. A key that the account does not know, or whose status cannot be
// read, is a human's: what stands behind the session is said with the command.
func (j *judging) withRoot(p plan, m evidence.Minting, shown bool) plan {
	owned := j.targets[m.Credential()]
	if !shown || !owned.Target.Known || owned.Target.Owner != m.UserName || owned.StatusErr != nil || owned.Status.Absent {
		return p
	}
	p.root, p.minting = containment.DeactivateKey(owned.Target, owned.Status), m
	p.steps = append([]containment.Step{p.root}, p.steps...)
	return p
}

// ofAnother are an actor's facts without those about its credential, for a step on a key that minted it, or that was made with it.
func ofAnother(f policy.Facts) policy.Facts {
	f.Minted = true
	f.InUse, f.FamiliarActive, f.UsedElsewhere, f.UsedUnrecorded = nil, nil, nil, nil
	f.UsedPlaces, f.UsedHours, f.UsedAgo, f.UsedServices, f.UsedBuckets = nil, nil, nil, nil, nil
	return f
}

// mintedFacts are the facts of a session as those of a step on the key that minted it. What is about the credential itself is the key's; where
// that is not known, it is not known.
func mintedFacts(r incident.Record, f policy.Facts, session evidence.Actor, m evidence.Minting, key policy.Target) policy.Facts {
	f = ofAnother(f)
	f.MintedOthers = m.Others
	if session.Kind == actor.IAMUserSession && session.OtherKeys != nil && session.UserName == m.UserName && session.UserName != "" {
		f.InUse = new(slices.Contains(*session.OtherKeys, m.Key))
	}
	record := m.Last
	for _, a := range r.Evidence.Actors {
		if a.AccessKeyID == m.Key && a.Kind == actor.IAMUserKey && a.Via == "" {
			f.InUse, f.FamiliarActive = a.InUse, a.FamiliarActive
			wouldBreak(&f, r, a)
			record = slices.MaxFunc([]time.Time{record, a.LastSeen, *cmp.Or(a.LastRecord, new(time.Time))}, time.Time.Compare)
		}
	}
	if last := key.LastUsed; last != nil {
		late := last.At.After(record.Add(evidence.LateRecords))
		f.UsedElsewhere = usedElsewhere(r, key)
		if last.Service == "sts" && !late { // that is the minting
			f.UsedElsewhere = new(false)
		}
		f.UsedUnrecorded = &late
	}
	if all := seesAll(r); all != nil && *all {
		f.UsedUnrecorded = new(false)
	}
	if r.DeedsMissing() {
		unheard(&f)
	}
	return f
}
