package sandbox

// The rules on orders in a simulated night.

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
)

// thiefs reports whether a step is against a thief's credential.
func (w *world) thiefs(r incident.Record, o containment.Outcome) bool {
	if o.Step.Order == nil {
		return w.guilty[o.Target]
	}
	return o.AccessKeyID != "" && w.guilty[o.AccessKeyID] || o.AccessKeyID == "" && slices.ContainsFunc(r.Evidence.Actors, func(a evidence.Actor) bool {
		return o.Against(a) && w.guilty[cmp.Or(a.PrincipalID, a.AccountID)]
	})
}

// checkTwice checks whether an order is the second one against a credential that the first refuses already.
func (w *world) checkTwice(name string, r incident.Record, o containment.Outcome) {
	if doc, err := w.account.get(o.Step.Ref); err != nil || doc != o.Step.Before && doc != o.Step.After {
		w.breach(ruleUndo, "%s writes %s, which holds %+v, and the record says that it held %+v", name, o.Name(), doc, o.Step.Before)
	}
	for _, of := range w.ordered {
		ours := slices.ContainsFunc(w.writes, func(x write) bool { return x.ref == of.ref && x.incident == r.ID })
		if of.wish == wishOf(r.ID, o) && of.ref != o.Step.Ref && o.Action != policy.FenceOrigin && ours {
			w.breach(ruleOnce, "%s does %s for incident %s, which was done at %s", name, o.Name(), r.ID, of.at.Format(time.TimeOnly))
		}
	}
}

// cutSoon reports whether an approved order was done soon, or surely could not be, also by another incident that it was left to.
func (w *world) cutSoon(y granted, soon func(time.Time) bool) bool {
	for failed := range w.failed {
		if failed.step == y.step {
			return true
		}
	}
	return slices.ContainsFunc(w.ordered, func(o ordered) bool { return o.step == y.step && soon(o.at) })
}

// stood reports whether an order stands that is called done, or did when it was read: AWS may show what was taken away a while ago, and whoever has
// read it may stand still before he writes it down.
func (in *invocation) stood(o containment.Outcome) bool {
	doc, err := in.account.get(o.Step.Ref)
	read := in.readAt[o.Step.Ref]
	if read.IsZero() || read.After(o.At) {
		read = o.At
	}
	return err == nil && doc == o.Step.After || slices.ContainsFunc(in.writes, func(x write) bool {
		return x.ref == o.Step.Ref && x.before == o.Step.After && x.at.After(read.Add(-in.weather.iam-inFlight))
	})
}

// checkCut checks whether a thief whom a deployment's own policy contains by an order was cut soon.
func (w *world) checkCut() {
	step := map[string]policy.Action{"user session": policy.DenyUserSessions, "federated user": policy.DenyUserSessions,
		"aws login": policy.DenyUserSessions, "key in use": policy.FenceOrigin, "role session": policy.DenyRoleSession, "role": policy.DenyRoleSession,
		"root": policy.BlockOnBucket, "anonymous": policy.BlockPublicAccess, "identity center": policy.BlockOnBucket}[cmp.Or(w.way, w.plot.kind)]
	late := w.firings[0].at.Add(soon)
	if !slices.Contains(w.steps, step) || len(w.failed) > 0 {
		return
	}
	if !slices.ContainsFunc(w.ordered, func(o ordered) bool { return o.order.Action == step && !o.at.After(late) }) {
		w.breach(ruleContained, "nobody was cut by %s within %v of the alarm", step, soon)
	}
}

// goesOn counts what a thief takes after he has done something against what was done. What he takes late in the night nobody need have seen.
func (w *world) goesOn(who identity, n int64) {
	if w.moves > 0 && who.AccessKeyID != "" && w.now.Before(dusk.Add(100*time.Minute)) {
		w.took[who.id()] += n
	}
}

// checkMoves checks whether it was told that the thief has taken away what was ordered: by the first follow-up that could see it. What failed and a
// human did by hand was never seen done, and is asked about.
func (w *world) checkMoves() {
	for _, who := range slices.Sorted(maps.Keys(w.took)) {
		if named := slices.ContainsFunc(w.sent, func(m sent) bool { return strings.Contains(m.Body, who) }); w.weather.clear && w.took[who] > 30*threshold && !named {
			w.breach(ruleMoves, "the thief went on with %s, and no message names it", who)
		}
	}
	for _, x := range w.removed {
		o := w.ordered[slices.IndexFunc(w.ordered, func(o ordered) bool { return o.ref == x.ref })]
		r, sees := w.stored[o.incident], x.at.Add(w.weather.iam+inFlight)
		i := slices.IndexFunc(r.Outcomes, func(of containment.Outcome) bool { return of.Step.Ref == x.ref })
		again := slices.ContainsFunc(w.writes, func(y write) bool { return y.ref == x.ref && y.at.After(x.at) })
		later := slices.ContainsFunc(r.FollowUps, func(f incident.FollowUp) bool { return f.At.After(sees) })
		if again || !later || i < 0 || r.MergedInto != "" || r.Outcomes[i].State == containment.Undone || !r.Outcomes[i].Tried() || r.Outcomes[i].Open() || w.escalated(r.ID, x.at) {
			continue
		}
		what := string(r.Outcomes[i].Action) + " " + r.Outcomes[i].Target
		unknown := slices.ContainsFunc(r.FollowUps, func(f incident.FollowUp) bool {
			return f.At.After(x.at) && slices.ContainsFunc(f.Unknown, func(s string) bool { return strings.Contains(s, what) })
		})
		if !unknown && !slices.ContainsFunc(w.messages(r.ID), func(m sent) bool {
			return m.at.After(x.at) && (strings.Contains(m.Body, what+" HOLDS NO MORE") || strings.Contains(m.Body, what+" was tried, and IS NOT SEEN DONE") || strings.Contains(m.Body, "DRIFTED") && strings.Contains(m.Body, what))
		}) {
			w.breach(ruleMoves, "%s of incident %s was taken away at %s, and nobody was told: %s", what, r.ID, x.at.Format(time.TimeOnly), r.Outcomes[i].State)
		}
	}
}

// forget takes out of an incident what was ordered for it.
func (w *world) forget(r *incident.Record) {
	var outcomes []containment.Outcome
	var verdicts []incident.Verdict
	for i, o := range r.Outcomes {
		if o.Step.Order == nil || !o.Contained() {
			outcomes, verdicts = append(outcomes, o), append(verdicts, r.Verdicts[i])
		}
	}
	if len(outcomes) < len(r.Outcomes) {
		r.Outcomes, r.Verdicts, r.JudgedOn = outcomes, verdicts, ""
	}
}

// ofOrders reports whether a planted bug shows only where something is ordered.
func (p plant) ofOrders() bool {
	return slices.Contains([]plant{wideDenial, boldMode, allEnabled, lostOrder, hollowAnswer, oldReading, deepUndo, lostPolicy}, p)
}

// tallyOrders counts nights with orders, and what was done in them.
func (w *world) tallyOrders(all map[string]int) {
	if len(w.steps) == 0 {
		return
	}
	all["nights"]++
	all["counter-moves"] += w.moves
	all["taken away"] += len(w.removed)
	for _, o := range w.ordered {
		all[string(o.order.Action)]++
	}
}
