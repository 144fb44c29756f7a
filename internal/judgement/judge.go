// Package judgement decides. What is known of an actor becomes the policy's facts, and the policy's answers become verdicts and steps. Later
// evidence revises them. Many small parts are judged as one theft, and incidents with the same steps are merged.
//
// It may import alarm, evidence, policy, containment and incident, and the leaves below them. It is pure: no context, no clock, no interface,
// and nothing that it was given is changed. It must not import report, another room or the responder.
package judgement

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
)

// Targets are what the account says of credentials.
type Targets map[actor.Credential]containment.Owned

// Limits are what a verdict depends on beside the policy and the record.
type Limits struct {
	// Mode is what is left of the deployment's.
	Mode containment.Mode
	// Brakes have the holds.
	Brakes incident.Brakes
	// Channels are notified of the verdict.
	Channels []string
	// Steps are those that the deployment enables beside deactivation, Reach is on what, and Settings what they change and what has to be read
	// first holds now. A step whose setting is not among them is done by hand.
	Steps    []policy.Action
	Reach    containment.Reach
	Settings map[containment.Ref]containment.Doc
	Now      time.Time
}

// Enough reports whether the policy would contain something on the evidence there is, so that nothing needs to be waited for. What it has
// decided to contain is passed over: the search goes on until the evidence is complete. The account is not asked yet: Judge has its answers,
// and may find reasons against it.
func Enough(p *policy.Policy, r incident.Record) bool {
	for _, a := range r.Evidence.Actors {
		decided := slices.ContainsFunc(r.Verdicts, func(v incident.Verdict) bool {
			return v.Target == a.AccessKeyID && v.Action == policy.DeactivateKey && v.Decision == policy.Contain
		})
		if a.Kind != actor.IAMUserKey || decided {
			continue
		}
		guess := policy.Target{Type: policy.AccessKey, ID: a.AccessKeyID, Owner: a.UserName, OwnerARN: a.PrincipalARN, Known: true}
		facts := FactsOf(r, a)
		facts.UsedElsewhere, facts.UsedUnrecorded = new(false), new(false)
		if policy.Decide(p, facts, policy.DeactivateKey, guess).Decision == policy.Contain {
			return true
		}
	}
	return false
}

// Judge plans the steps against each actor, and asks the policy about each. What the policy leaves, or nobody judged, may add up to a good
// part of the bytes. Then it is judged again as a spread: many small parts are one theft. It returns the judged record; or the credentials
// whose targets it misses, and then the record as it was.
//
// Evidence that comes later is judged again. What was done by then stands, whatever the new verdict: only a human undoes it.
func Judge(p *policy.Policy, r incident.Record, targets Targets, l Limits) (incident.Record, []actor.Credential) {
	before := r
	r.Mode, r.Log, r.Notified = l.Mode, slices.Clip(r.Log), slices.Clone(r.Notified)
	j := judging{Limits: l, policy: p, rec: &r, targets: targets, plans: map[int]plan{}, actors: slices.Clone(r.Evidence.Actors), before: before.Outcomes}
	// The theft may be in the margin: it is listed before its neighbours.
	slices.SortStableFunc(j.actors, r.Order)
	left := j.all(false)
	if total := r.Alarm.Whole(); len(j.missing) == 0 && total != nil && left > *total/5 {
		r.Note(l.Now, prose.Bytes(left)+" left in parts that are small or usual: judging the largest of them too")
		j.all(true)
	}
	if len(j.missing) > 0 {
		return before, j.missing
	}
	r.Enough, r.Enriched, r.Steps = false, false, l.Steps
	changed := revise(&r, before.Outcomes, before.Verdicts)
	r.SayOnce()
	r.JudgedOn = r.Basis()
	if r.MergedInto != "" && r.Stepped() { // no other incident reports what it asks and finds from now on
		r.Note(l.Now, "it has steps of its own now, so it is not merged into incident "+r.MergedInto+" any more")
		r.MergedInto = ""
	}
	switch {
	case before.Judged.IsZero():
		r.Judged = l.Now
		r.Notify(incident.Answer, time.Time{}, l.Channels...)
	case changed && slices.ContainsFunc(r.Notified, incident.Notice.Unanswered): // the answer, which nobody has yet, says it
	case changed:
		r.Note(l.Now, "later evidence has changed the verdict")
		r.Notify(incident.Revised, time.Time{}, l.Channels...)
	}
	return r, nil
}

// judging is one record while it is judged.
type judging struct {
	Limits
	policy  *policy.Policy
	rec     *incident.Record
	actors  []evidence.Actor
	targets Targets
	plans   map[int]plan // by an actor's place
	missing []actor.Credential
	before  []containment.Outcome // of the verdict before
}

// all judges what is material, and in a spread the largest of the rest. It returns the bytes that a credential moved and that get no action.
func (j *judging) all(spread bool) (left int64) {
	rec := j.rec
	rec.Verdicts, rec.Outcomes, rec.Unjudged, rec.Aside = []incident.Verdict{}, []containment.Outcome{}, 0, 0
	small, aside := 0, usualAside(*rec)
	for i, a := range j.actors {
		if aside && oftenUsual(a) {
			rec.Aside++
			continue
		}
		owned := j.targets[a.Credential()]
		facts := FactsOf(*rec, held(*rec, a, owned.Target))
		facts.Spread = spread
		if !material(*rec, facts, a) {
			if small++; !spread || small > maxSpread || a.Bytes == 0 {
				rec.Unjudged++
				left += a.Bytes
				continue
			}
		}
		if _, planned := j.plans[i]; !planned {
			root, minted := j.minting(a)
			made, heirs := j.made(a), j.heirs(a)
			j.needs(a.Credential())
			if minted {
				j.needs(root.Credential())
			}
			for _, key := range made {
				j.needs(key.Credential())
			}
			for _, heir := range heirs {
				j.needs(heir.Credential())
			}
			if len(j.missing) > 0 {
				continue
			}
			j.plans[i] = j.withHeirs(j.withMade(j.withRoot(j.plan(a, owned), root, minted), made), a, heirs)
		}
		if j.actor(a, facts, j.plans[i]) && a.Kind != actor.AWSService {
			left += a.Bytes
		}
	}
	return left + rec.Evidence.Others.Bytes
}

// needs notes a credential whose target is missing.
func (j *judging) needs(c actor.Credential) {
	if _, known := j.targets[c]; !known {
		j.missing = append(j.missing, c)
	}
}

// oftenUsual is a usual reader that was one on more than one day.
func oftenUsual(a evidence.Actor) bool {
	return a.UsualReader() && a.HistoryDays != nil && *a.HistoryDays >= 2
}

// usualAside reports whether usual readers are not asked about: the metric counts a part of the bucket, and what others took is what it counts.
// Their bytes are those of other objects then.
func usualAside(r incident.Record) bool {
	if r.Alarm.Counts == "" || r.Alarm.Bytes == nil {
		return false
	}
	others := int64(0)
	for _, a := range r.Evidence.Actors {
		if !oftenUsual(a) {
			others += a.Bytes
		}
	}
	return float64(others) >= evidence.ExplainedEnough*float64(*r.Alarm.Bytes)
}

// maxSpread is how many small actors a spread names: the largest say enough about where to search.
const maxSpread = 10

// actor asks the policy about each step against one actor. It reports whether there is no action.
func (j *judging) actor(a evidence.Actor, facts policy.Facts, p plan) (noAction bool) {
	rec := j.rec
	noAction = true
	if with := accomplices(*rec, a); len(with) > 0 {
		rec.Note(j.Now, prose.Safe(a.AccessKeyID)+" is judged together with "+prose.Plural(int64(len(with)), "other key")+" that took a good part to the same network")
	}
	for _, s := range p.steps {
		if s.Action == policy.FenceOrigin && facts.InUse != nil && !*facts.InUse {
			continue // nobody works with the key who would go on: it is turned off
		}
		of := a
		if heir, is := p.of[s.Ref]; is && s.Planned() {
			of = heir
		}
		s = j.asItWas(s, of)
		facts := facts
		facts.UsedElsewhere, facts.UsedUnrecorded = usedElsewhere(*rec, s.Target), usedUnrecorded(*rec, a, s.Target)
		facts.HitsOthers = hitsOthers(*rec, s, of)
		facts.Principal = cmp.Or(s.Target.OwnerARN, facts.Principal)
		holder, root := a, s.Planned() && s.Ref == p.root.Ref
		made, another := p.made[s.Ref]
		if root || another {
			holder.AccessKeyID = s.Target.ID
		}
		switch {
		case root:
			facts = mintedFacts(*rec, facts, a, p.minting, s.Target)
		case another:
			facts = madeFacts(*rec, facts, made, s.Target)
		}
		v := policy.Decide(j.policy, facts, s.Action, s.Target)
		if v.Decision == policy.Contain && !s.Planned() {
			v.Decision, v.Reasons = policy.Ask, []policy.Reason{{Policy: "by-hand", Because: "Nightlatch cannot do this step here; a human has to"}}
		}
		if h, held := j.Brakes.Holding(holder, j.Now); held && v.Decision == policy.Contain {
			v.Decision, v.Reasons = policy.Ask, []policy.Reason{{Policy: "hold", Because: h.Why()}}
		}
		noAction = noAction && v.Decision == policy.Leave
		o := j.outcome(s, v)
		o.AccessKeyID, o.Who = of.AccessKeyID, of.Who()
		if o.Detail == "" && !root && !another {
			o.Detail = p.trouble
		}
		if v.Decision == policy.Ask && rec.Once && a.UsualReader() { // whoever looks into files or asks by hand has time to ask the owner
			o.Runbook, o.Detail = nil, usualReader
		}
		// A key that is used directly and through a service is two actors and one step: what weighs more is its verdict.
		if i := slices.IndexFunc(rec.Outcomes, o.SameStep); i < 0 || !s.Planned() {
			rec.Outcomes, rec.Verdicts = append(rec.Outcomes, o), append(rec.Verdicts, verdict(v))
		} else if weight(v.Decision) > weight(rec.Verdicts[i].Decision) {
			rec.Outcomes[i], rec.Verdicts[i] = o, verdict(v)
		}
		rec.Note(j.Now, fmt.Sprintf("%s %s: %s", s.Action, prose.Safe(s.Target.ID), v.Decision))
	}
	return noAction
}

// asItWas is a step as it was planned when it was done, if it was: a thief may have tagged himself since, and an account that does not answer now
// takes nothing back.
func (j *judging) asItWas(s containment.Step, a evidence.Actor) containment.Step {
	if s.Action == policy.FenceOrigin { // what is fenced off is not planned again
		return s
	}
	for _, o := range j.before {
		contained := o.Contained() || o.State == containment.Intended && o.Step.Order != nil // an order has the time at which it was given
		if contained && o.Step.Planned() && o.Step.Action == s.Action && o.Step.Target.ID == s.Target.ID && (o.Step.Order == nil || o.Against(a)) {
			last := s.Target.LastUsed
			if s = o.Step; s.Target.LastUsed == nil {
				s.Target.LastUsed = last
			}
		}
	}
	return s
}

// usualReader is said instead of a command.
const usualReader = "what it took is usual for it, through places that it used on earlier days: no command is printed that would cut a usual reader"

// weight orders what may become of a step.
func weight(d policy.Decision) int {
	return slices.Index([]policy.Decision{policy.Leave, policy.Ask, policy.Contain}, d)
}

func verdict(v policy.Verdict) incident.Verdict {
	out := incident.Verdict{Action: v.Action, Target: v.Target.ID, Decision: v.Decision, Protected: v.Target.Protected, Reasons: []string{}}
	for _, reason := range v.Reasons {
		out.Reasons = append(out.Reasons, reason.Policy+": "+reason.Because)
	}
	return out
}

// outcome is what becomes of a step before anything is written.
func (j *judging) outcome(s containment.Step, v policy.Verdict) containment.Outcome {
	o := containment.Outcome{Action: s.Action, Target: s.Target.ID, State: containment.Executor{Mode: j.Mode}.Gate(s, v.Decision), At: j.Now, Step: s}
	switch o.State {
	case containment.Intended:
		o.Attempts = 1 // it is put with the intention
	case containment.Already:
		o.Undo = s.Undo
		o.Detail = "it reads as " + s.Reads(s.Before) + ": an earlier run of this incident did it, or somebody else"
		if s.Before.Absent {
			o.Detail = "the key is gone: somebody has deleted it"
		}
	case containment.Asked:
		o.Runbook = s.Runbook
		if v.Decision == policy.Contain {
			o.Detail = "mode ask: the policy would contain it, a human has to approve it"
		}
	case containment.DryRun:
		o.Runbook = s.Runbook
		o.Detail = "mode observe: this would have been done"
	}
	return o
}

// plan is what can be done against one actor.
type plan struct {
	steps []containment.Step
	// trouble is why the account could not be asked; "" where it could.
	trouble string
	// root is the step on the long-term key that minted the actor's session; zero where there is none.
	root    containment.Step
	minting evidence.Minting
	// made are the long-term keys that were made with the actor's credential, by the steps on them.
	made map[containment.Ref]evidence.MadeKey
	// of are the sessions that steps are against, where they are not against the actor itself.
	of map[containment.Ref]evidence.Actor
}

// plan lists the steps against one actor. What the account cannot be asked about is planned by hand.
func (j *judging) plan(a evidence.Actor, owned containment.Owned) plan {
	foreign := j.foreign(a)
	trouble := cmp.Or(foreign, a.Doubt)
	owned.Target.Unknown, owned.Target.Doubt = foreign, a.Doubt
	if owned.Err != nil {
		trouble = prose.Safe(owned.Err.Error())
		j.rec.Note(j.Now, "identifying "+prose.Safe(cmp.Or(a.AccessKeyID, a.Who()))+": "+trouble)
	}
	if a.Kind != actor.IAMUserKey || !owned.Target.Known {
		partition := cmp.Or(actor.Partition(a.PrincipalARN), j.rec.Alarm.Partition())
		steps := containment.ByHand(a, owned.Target, partition, j.Now)
		if len(steps) == 0 && (a.Kind == actor.AWSService || a.Kind == actor.Unattributed) {
			// Nothing can be done, and the verdict says why.
			bucket := ""
			for b := range a.Buckets {
				bucket = max(bucket, b)
			}
			steps = []containment.Step{{Action: policy.BlockOnBucket, Target: containment.BucketTarget(partition, bucket)}}
		}
		for i := 0; i < len(steps); i++ { // the next best stand behind them all
			s, outside := steps[i], false
			if a.Doubt == "" && (foreign == "" || s.Target.Type == policy.Bucket) {
				steps[i], outside = j.ordered(s, a, partition)
			}
			if j.failed(s, a) || outside && slices.Contains(j.Steps, policy.BlockOnBucket) {
				steps = append(steps, containment.NextBest(s, a, partition)...)
			}
		}
		return plan{steps: steps, trouble: trouble}
	}
	before := owned.Status
	if owned.StatusErr != nil {
		trouble = prose.Safe(owned.StatusErr.Error())
		j.rec.Note(j.Now, "the status of "+prose.Safe(a.AccessKeyID)+" could not be read: "+trouble)
		// The key has just moved bytes: it was active. If the write fails too, that is reported.
		before = containment.Doc{Text: containment.Active}
	}
	steps := []containment.Step{containment.DeactivateKey(owned.Target, before)}
	if fence, a, ok := containment.Fence(a, owned.Target, j.before); ok && slices.Contains(j.Steps, fence.Action) && before.Text == containment.Active {
		fence, _ = j.ordered(fence, a, actor.Partition(a.PrincipalARN))
		steps = append(steps, fence)
	}
	return plan{steps: steps, trouble: trouble}
}

// failed reports whether an actor's step was ordered and surely not done.
func (j *judging) failed(s containment.Step, a evidence.Actor) bool {
	return slices.ContainsFunc(j.before, func(o containment.Outcome) bool {
		return o.State == containment.Failed && o.Step.Order != nil && o.Action == s.Action && o.Target == s.Target.ID && o.Against(a)
	})
}

// ordered is a step that Nightlatch does by an order, where the deployment enables it and the account knows whom it is against. What cannot be
// ordered is done by hand. outside says that it would be, but for where the target is: the reason is the first line for the human.
func (j *judging) ordered(s containment.Step, a evidence.Actor, partition string) (step containment.Step, outside bool) {
	if !slices.Contains(j.Steps, s.Action) || !s.Target.Known && s.Target.Type != policy.Bucket {
		return s, false
	}
	o, ok := containment.OrderFor(s, a, partition, j.rec.ID, j.Now, j.Settings)
	if !ok {
		return s, false
	}
	before, known := o.Found(j.Settings)
	if !known {
		return s, false
	}
	step, err := containment.Ordered(s, o, before)
	if err != nil {
		return s, false
	}
	if why := j.Reach.Outside(step); why != "" && step.Before != step.After {
		step = step.ByHand()
		step.Runbook = append([]string{why}, step.Runbook...)
		return step, true
	}
	return step, false
}

// foreign says whose an actor of another account of ours is, and why Nightlatch does nothing there; "" where it acts in the actor's account.
// An alarm may stand in a monitoring account, on a metric of another.
func (j *judging) foreign(a evidence.Actor) string {
	here := j.rec.Where().AccountID
	if a.AccountID == here || here == "" || !actor.IsAccount(a.AccountID) || a.Kind == actor.OtherAccount {
		return ""
	}
	return "it is of account " + a.AccountID + "; the alarm and Nightlatch stand in account " + prose.Safe(here) + ", and have no rights in another: run this with credentials of account " + a.AccountID
}
