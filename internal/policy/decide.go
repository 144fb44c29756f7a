package policy

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"
)

// Decide judges one step. What is contained is permitted as things stand; what is asked would be permitted if a human approved;
// everything else is left.
//
// Some things no policy can contain; they are settled before or after it is asked. The responder's own credential, protected principals,
// targets that the account does not know, callers whose record contradicts itself, manual events and alarms that CloudWatch does not
// confirm are at most asked about. An evaluation that fails decides nothing but is named among the reasons, and the step is asked about.
func Decide(p *Policy, f Facts, action Action, target Target) Verdict {
	v := Verdict{Action: action, Target: target, Decision: Ask}
	if target.Self {
		v.Reasons = []Reason{{"self", "this is the responder's own credential"}}
		return v
	}
	if target.Protected != "" {
		v.Reasons = []Reason{{"protected", "the target is protected: " + target.Protected}}
		return v
	}
	if p == nil {
		v.Reasons = []Reason{{"no-policy", "the policy could not be loaded, so everything is asked"}}
		return v
	}
	failed := map[cedar.PolicyID]string{}
	now, asThingsStand := p.authorize(f, action, target, false)
	if now {
		v.Decision, v.Reasons = Contain, p.reasons(asThingsStand)
	} else if approved, ifApproved := p.authorize(f, action, target, true); approved {
		v.Decision, v.Reasons = Ask, p.reasons(ifApproved)
	} else {
		v.Decision, v.Reasons = Leave, p.reasons(ifApproved)
		if len(v.Reasons) == 0 {
			v.Reasons = []Reason{{"default-deny", "no policy permits this step, with or without a human"}}
		}
		for _, e := range ifApproved.Errors {
			failed[e.PolicyID] = e.Message
		}
	}
	for _, e := range asThingsStand.Errors {
		failed[e.PolicyID] = e.Message
	}
	for _, id := range p.order {
		if message, ok := failed[id]; ok {
			v.Decision = Ask
			v.Reasons = append(v.Reasons, Reason{string(id), "the policy failed: " + oneLine(fmt.Errorf("%s", message))})
		}
	}
	if v.Decision == Contain {
		v.Decision, v.Reasons = p.atMostAsk(f, action, target, v.Reasons)
	}
	return v
}

// atMostAsk holds back a containment for which the evidence cannot be good enough, whatever a policy says: whoever may invoke
// the function could otherwise turn off any key.
func (p *Policy) atMostAsk(f Facts, action Action, target Target, reasons []Reason) (Decision, []Reason) {
	switch {
	case f.Manual:
		return Ask, []Reason{{"manual", "a manual event is at most asked about"}}
	case !f.Confirmed:
		return Ask, []Reason{{"unconfirmed", "an alarm that CloudWatch does not confirm is at most asked about"}}
	case target.Doubt != "":
		return Ask, []Reason{{"contradicts", target.Doubt}}
	case !target.Known:
		return Ask, []Reason{{"unknown-target", cmp.Or(target.Unknown, "the account does not know this target")}}
	}
	if f.Minted {
		means := slices.DeleteFunc(slices.Clone(reasons), func(r Reason) bool { return !p.meansMinted(r.Policy) })
		if len(means) == 0 {
			return Ask, p.asksMinted(f, action, target, reasons)
		}
		reasons = means
	}
	if !f.Complete {
		return p.mayWait(f, action, target, reasons)
	}
	return Contain, reasons
}

// asksMinted are the reasons why a key is not turned off for what another credential took, where no rule that is about that contains it: those of the
// rules that ask about such keys, beside those that would contain any.
func (p *Policy) asksMinted(f Facts, action Action, target Target, any []Reason) (reasons []Reason) {
	_, ifApproved := p.authorize(f, action, target, true)
	for _, r := range p.reasons(ifApproved) {
		if !slices.Contains(any, r) && slices.Contains(factsOf(p.set.Get(cedar.PolicyID(r.Policy))), "minted") {
			reasons = append(reasons, r)
		}
	}
	if len(reasons) == 0 {
		return []Reason{{"minting", "no rule that would contain it tests both minted and minted_others: a key is not turned off for what another credential took by a rule that is not about that"}}
	}
	return reasons
}

// meansMinted reports whether a rule is about a key for what another credential took: one that was written for keys that take something themselves is not.
func (p *Policy) meansMinted(id string) bool {
	facts := factsOf(p.set.Get(cedar.PolicyID(id)))
	return slices.Contains(facts, "minted") && slices.Contains(facts, "minted_others")
}

// mayWait holds back a containment by rules that test what may still change, and one that a rule would forbid if the evidence grew: they wait
// for complete evidence.
func (p *Policy) mayWait(f Facts, action Action, target Target, reasons []Reason) (Decision, []Reason) {
	var now, later []Reason
	for _, r := range reasons {
		if changing := unsettled(p.set.Get(cedar.PolicyID(r.Policy))); len(changing) > 0 {
			later = append(later, Reason{"not-yet", r.Policy + " waits for complete evidence, as this may still change: " + strings.Join(changing, ", ")})
		} else {
			now = append(now, r)
		}
	}
	if len(now) == 0 {
		return Ask, later
	}
	_, grown := p.authorize(f.grown(), action, target, false)
	for _, r := range p.reasons(grown) {
		if p.set.Get(cedar.PolicyID(r.Policy)).Effect() == cedar.Forbid {
			return Ask, []Reason{{"not-yet", r.Policy + " would forbid it if the evidence grew: it waits for complete evidence"}}
		}
	}
	return Contain, now
}

// grown are the facts as evidence that is still to come could make them at most.
func (f Facts) grown() Facts {
	most := new(int64(math.MaxInt64))
	f.AlarmShare, f.Explained, f.OfFloor, f.ThroughUsual, f.Unfamiliar, f.Volume, f.OfStored, f.Copies = most, most, most, most, most, most, most, *most
	f.LookedRound, f.RefusedBefore, f.NewAgent, f.OddHour = new(true), new(true), new(true), new(true)
	return f
}

func (p *Policy) authorize(f Facts, action Action, target Target, approved bool) (bool, cedar.Diagnostic) {
	resource := cedar.NewEntityUID(cedar.EntityType(target.Type), cedar.String(target.ID))
	decision, diagnostic := cedar.Authorize(p.set, entities(resource, target), cedar.Request{
		Principal: cedar.NewEntityUID("Responder", "nightlatch"),
		Action:    cedar.NewEntityUID("Action", cedar.String(action)),
		Resource:  resource,
		Context:   f.context(approved),
	})
	return decision == cedar.Allow, diagnostic
}

// entities is the target with its tags, its owner, and the actions' common parent.
func entities(resource cedar.EntityUID, target Target) cedar.EntityMap {
	tags := cedar.RecordMap{}
	for k, v := range target.Tags {
		tags[cedar.String(k)] = cedar.String(v)
	}
	all := cedar.EntityMap{}
	one := cedar.Entity{UID: resource, Tags: cedar.NewRecord(tags)}
	if target.Type == AccessKey && target.OwnerARN != "" {
		owner := cedar.NewEntityUID(cedar.EntityType(User), cedar.String(target.OwnerARN))
		one.Parents = cedar.NewEntityUIDSet(owner)
		all[owner] = cedar.Entity{UID: owner, Tags: one.Tags}
	}
	all[resource] = one
	contain := cedar.NewEntityUID("Action", "contain")
	for _, a := range Actions() {
		uid := cedar.NewEntityUID("Action", cedar.String(a))
		all[uid] = cedar.Entity{UID: uid, Parents: cedar.NewEntityUIDSet(contain)}
	}
	return all
}

// context is the Cedar record of the facts; its attributes are those of the schema's type Facts.
func (f Facts) context(approved bool) cedar.Record {
	sealed := Open
	if slices.Contains(Seals(), f.Sealed) {
		sealed = f.Sealed
	}
	m := cedar.RecordMap{
		"approved":  cedar.Boolean(approved),
		"kind":      cedar.NewEntityUID("Kind", cedar.String(f.Kind)),
		"manual":    cedar.Boolean(f.Manual),
		"confirmed": cedar.Boolean(f.Confirmed),
		"complete":  cedar.Boolean(f.Complete),
		"settled":   cedar.Boolean(f.Settled),
		"lost":      cedar.Boolean(f.Lost),
		"sealed":    cedar.NewEntityUID("Sealed", cedar.String(sealed)),
		"spread":    cedar.Boolean(f.Spread),
		"copies":    cedar.Long(f.Copies),

		"origins_seen": cedar.Boolean(f.OriginsSeen),
		"minted":       cedar.Boolean(f.Minted),
	}
	for name, text := range map[cedar.String]string{"via": f.Via, "account": f.Account, "unit": f.Unit, "principal": f.Principal} {
		if text != "" {
			m[name] = cedar.String(text)
		}
	}
	for name, is := range map[cedar.String]*bool{"familiar_active": f.FamiliarActive, "in_use": f.InUse, "company": f.Company,
		"own_endpoint": f.OwnEndpoint, "signed_in": f.SignedIn, "used_elsewhere": f.UsedElsewhere, "used_unrecorded": f.UsedUnrecorded, "sees_all": f.SeesAll,
		"looked_round": f.LookedRound, "refused_before": f.RefusedBefore, "new_agent": f.NewAgent, "odd_hour": f.OddHour, "minted_others": f.MintedOthers} {
		if is != nil {
			m[name] = cedar.Boolean(*is)
		}
	}
	for name, n := range map[cedar.String]*int64{"explained": f.Explained, "alarm_share": f.AlarmShare, "object_share": f.ObjectShare,
		"unfamiliar": f.Unfamiliar, "presigned": f.Presigned, "history_days": f.HistoryDays, "of_floor": f.OfFloor, "volume": f.Volume,
		"through_usual": f.ThroughUsual, "history_bytes": f.HistoryBytes, "novelty": f.Novelty, "new_networks": f.NewNetworks, "of_stored": f.OfStored,
		"used_places": f.UsedPlaces, "used_hours": f.UsedHours, "used_ago": f.UsedAgo, "used_services": f.UsedServices, "used_buckets": f.UsedBuckets, "hits_others": f.HitsOthers} {
		if n != nil {
			m[name] = cedar.Long(*n)
		}
	}
	return cedar.NewRecord(m)
}
