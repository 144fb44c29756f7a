package judgement

import (
	"slices"
	"strings"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
)

// revise puts what became of the steps of earlier verdicts into a record that was judged again. It reports whether anything has changed of
// which the team should be notified. Each outcome has its verdict at the same place.
func revise(rec *incident.Record, outcomes []containment.Outcome, verdicts []incident.Verdict) (changed bool) {
	for k, old := range outcomes {
		i := slices.IndexFunc(rec.Outcomes, old.SameStep)
		stands := old.State != containment.Skipped && old.State != containment.Asked && old.State != containment.DryRun
		switch {
		case i < 0 && (old.State != containment.Skipped || old.Approved != nil): // its actor is seen no more; what was done, asked or approved stays, with its verdict
			if known := rec.Evidence.Complete && rec.Lineage.Holds(old.AccessKeyID) && rec.Lineage.Unknown == ""; known && old.ForAnother() && !rec.Lineage.Ties(old.AccessKeyID, old.Target) && old.Contained() && old.Approved == nil && !old.Regretted {
				old.Regretted, changed = true, true // what was contained for another credential stands on its lineage
				old.Detail += "; the lineage does not show any more that it minted " + prose.Safe(old.AccessKeyID) + ", or was made with it, so consider the undo"
			}
			rec.Outcomes, rec.Verdicts = append(rec.Outcomes, old), append(rec.Verdicts, verdicts[k])
		case i < 0:
		case stands:
			// That the trail does not answer clears nobody, and neither does one that others can write into.
			e := rec.Evidence
			known := e.Complete && e.HistoryDays != nil && (e.Seal.Sealed == evidence.Proved || e.Seal.Sealed == evidence.Stated)
			held := slices.ContainsFunc(rec.Verdicts[i].Reasons, func(why string) bool { return strings.HasPrefix(why, "hold: ") }) // a human has cleared it since: no evidence has
			if now := rec.Verdicts[i].Decision; known && !held && now != verdicts[k].Decision && now != policy.Contain && old.Contained() {
				old.Regretted = true
				old.Detail += "; on the later evidence the policy would not contain it by itself, so consider the undo"
				changed = true
			}
			rec.Outcomes[i] = old
		case old.State == containment.Skipped && verdicts[k].Decision != policy.Leave && rec.Outcomes[i].State != containment.Intended:
			rec.Outcomes[i] = old // another incident has it
		case old.State == rec.Outcomes[i].State, old.State == containment.Asked && rec.Outcomes[i].State == containment.DryRun:
			rec.Outcomes[i] = old // as long as it is asked, it was asked then; a mode that was lowered since asks no less
		case old.Open() && rec.Outcomes[i].State == containment.Already: // who has done it needs no message
			rec.Outcomes[i] = old.ByHand(rec.Outcomes[i].Step.Before, rec.Outcomes[i].At)
		default:
			rec.Outcomes[i].Approved, rec.Outcomes[i].AskedAt = old.Approved, old.AskedAt // who has answered is not forgotten: another incident had the step, and it is to be done here
			if old.Approved != nil && old.Step.Order != nil {
				rec.Outcomes[i].Step = old.Step // and not a later denial than he has approved
			}
			changed = true
		}
	}
	for _, o := range rec.Outcomes {
		known := slices.ContainsFunc(outcomes, o.SameStep)
		changed = changed || !known && o.State != containment.Skipped
		if !slices.ContainsFunc(outcomes, func(old containment.Outcome) bool { return o.SameStep(old) && o.State == old.State }) && o.State == containment.Asked {
			rec.Reminded = 0 // what is asked anew is repeated anew
		}
	}
	return changed
}
