package responder

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/report"
)

// enough reports whether the policy would contain something on the evidence there is, so that nothing needs to be waited for.
// The account is not asked yet: judge does that, and may find reasons against it.
func (r *Responder) enough(rec incident.Record) bool {
	for _, a := range rec.Evidence.Actors {
		if a.Kind != actor.IAMUserKey {
			continue
		}
		guess := policy.Target{Type: policy.AccessKey, ID: a.AccessKeyID, Owner: a.UserName, OwnerARN: a.PrincipalARN, Known: true}
		if policy.Decide(r.Policy, FactsOf(rec, a), policy.DeactivateKey, guess).Decision == policy.Contain {
			return true
		}
	}
	return false
}

// judgeTime is the most that finding the targets may take: IAM may be slow, and a thief can have it throttled. Whatever is not found
// by then is a human's.
const judgeTime = 45 * time.Second

// judge finds what each actor's credential acts for, plans the steps against it, and asks the policy about each. Where what the policy
// leaves, or nobody judged, adds up to a good part of the bytes, it is judged again as a spread: many small parts are one theft.
//
// Evidence that comes later is judged again. What was done by then stands, whatever the new verdict: only a human undoes it.
func (d *desk) judge(ctx context.Context, rec *incident.Record) {
	r := d.Responder
	ctx, cancel := context.WithTimeout(ctx, judgeTime)
	defer cancel()
	outcomes, verdicts, again := rec.Outcomes, rec.Verdicts, !rec.Judged.IsZero()
	brakes := d.readBrakes(ctx, rec)
	rec.Mode = r.lowered(brakes)
	actors := slices.Clone(rec.Evidence.Actors) // the theft may be in the margin: it is told of before its neighbours
	slices.SortStableFunc(actors, func(x, y evidence.Actor) int { return cmp.Compare(report.Weight(*rec, y), report.Weight(*rec, x)) })
	plans := map[int]plan{}
	left := d.judgeActors(ctx, rec, actors, plans, brakes, false)
	if total := rec.Alarm.Bytes; total != nil && left > *total/5 {
		rec.Note(r.Clock.Now(), report.Bytes(left)+" left in parts that are small or usual: judging the largest of them too")
		d.judgeActors(ctx, rec, actors, plans, brakes, true)
	}
	rec.JudgedOn, rec.Enough, rec.Enriched = rec.Basis(), false, false
	changed := merge(rec, outcomes, verdicts)
	if rec.Folded != "" && rec.Stepped() { // what it asks and finds from now on is told by nobody else
		rec.Note(r.Clock.Now(), "it has steps of its own now, so it is not folded into incident "+rec.Folded+" any more")
		rec.Folded = ""
	}
	switch {
	case !again:
		rec.Judged = r.Clock.Now()
		rec.Tell(incident.Answer, time.Time{}, r.channels()...)
	case changed:
		rec.Note(r.Clock.Now(), "later evidence has changed the verdict")
		rec.Tell(incident.Revised, time.Time{}, r.channels()...)
	}
}

// merge puts what became of the steps of earlier verdicts into a record that was judged again, and reports whether anything is
// different now that the team should hear of. Each outcome has its verdict at the same place.
func merge(rec *incident.Record, outcomes []containment.Outcome, verdicts []incident.Verdict) (changed bool) {
	for k, old := range outcomes {
		i := slices.IndexFunc(rec.Outcomes, old.SameStep)
		stands := old.State != containment.Skipped && old.State != containment.Asked && old.State != containment.DryRun
		switch {
		case i < 0 && old.State != containment.Skipped: // its actor is seen no more; what was done or asked stays, with its verdict
			rec.Outcomes, rec.Verdicts = append(rec.Outcomes, old), append(rec.Verdicts, verdicts[k])
		case i < 0:
		case stands:
			known := rec.Evidence.Complete && rec.Evidence.HistoryDays != nil // that the trail does not answer clears nobody
			if now := rec.Verdicts[i].Decision; known && now != verdicts[k].Decision && now != policy.Contain && old.Contained() {
				old.Detail += "; on the later evidence the policy would not contain it by itself, so consider the undo"
				changed = true
			}
			rec.Outcomes[i] = old
		case old.State == containment.Skipped && verdicts[k].Decision != policy.Leave && rec.Outcomes[i].State != containment.Intended:
			rec.Outcomes[i] = old // another incident has it
		case old.State == rec.Outcomes[i].State:
			rec.Outcomes[i] = old // as long as it is asked, it was asked then
		default:
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

// fold leaves an incident's steps to an older one that has the same: one thief at many buckets is one story. Each is investigated for
// itself; only the messages are one.
func (d *desk) fold(ctx context.Context, rec *incident.Record) {
	// One that others were folded into, or that has done something itself, keeps its story.
	if rec.Once || rec.Folded != "" || len(rec.Joined) > 0 || slices.ContainsFunc(rec.Outcomes, containment.Outcome.Contained) {
		return
	}
	// A human's own question is told once and never followed up, and a ring that CloudWatch does not confirm may be anybody's.
	leads := func(other *incident.Record) bool {
		return other.Folded == "" && !d.unfolded[other.ID] && !other.Once && (other.Alarm.Confirmed || !rec.Alarm.Confirmed)
	}
	var lead *incident.Record
	for _, o := range rec.Outcomes {
		if o.State == containment.Skipped {
			continue
		}
		other, theirs := d.elsewhere(rec, o, leads)
		if other == nil || lead != nil && other != lead {
			return
		}
		// What waits for a human there may be done here; but in a storm not every incident tries what was refused a moment ago.
		if o.State == containment.Intended && (theirs.State == containment.Asked || theirs.State == containment.Failed && d.Clock.Now().Sub(theirs.At) >= pageCooldown) {
			return
		}
		lead = other
	}
	if lead == nil || !rec.Told(incident.Answer).IsZero() {
		return
	}
	now := d.Clock.Now()
	joined := incident.Joined{ID: rec.ID, Answer: report.Answer(*rec)}
	if !slices.ContainsFunc(lead.Joined, func(j incident.Joined) bool { return j.ID == rec.ID }) {
		if len(lead.Joined) < maxJoined {
			lead.Joined = append(lead.Joined, joined)
			lead.Note(now, "incident "+rec.ID+" has the same steps: it is told of here")
		} else {
			lead.JoinedMore++
		}
		if told := lead.Told(incident.Answer, incident.Revised, incident.Again, incident.Reminder, incident.Escalation); !told.IsZero() {
			lead.Tell(incident.Revised, told.Add(pageCooldown), d.channels()...)
		}
		if !d.put(ctx, lead) {
			return // it is judged for itself, and told of twice rather than not at all
		}
	}
	for i, o := range rec.Outcomes {
		if o.State != containment.Skipped {
			rec.Outcomes[i].State, rec.Outcomes[i].Detail = containment.Skipped, "incident "+lead.ID+" has this step"
		}
	}
	rec.Folded = lead.ID
	rec.Tell(incident.Answer, time.Time{}) // nothing of its own
	rec.Note(now, "folded into incident "+lead.ID+", which has the same steps")
}

// maxJoined is how many folded incidents one names: it has to fit an item of DynamoDB.
const maxJoined = 50

// judgeActors judges what is material, and in a spread the largest of the rest. It returns the bytes that are left alone though a
// credential moved them. plans keeps, by an actor's place, the steps that the account was asked for already.
func (d *desk) judgeActors(ctx context.Context, rec *incident.Record, actors []evidence.Actor, plans map[int]plan, brakes incident.Brakes, spread bool) (left int64) {
	r, x := d.Responder, containment.Executor{Mode: rec.Mode}
	rec.Verdicts, rec.Outcomes, rec.Unjudged = []incident.Verdict{}, []containment.Outcome{}, 0
	small := 0
	for i, a := range actors {
		facts := FactsOf(*rec, a)
		facts.Spread = spread
		if !material(*rec, facts, a) {
			if small++; !spread || small > maxSpread || a.Bytes == 0 {
				rec.Unjudged++
				left += a.Bytes
				continue
			}
		}
		if _, planned := plans[i]; !planned {
			plans[i] = d.plan(ctx, rec, a)
		}
		leftAlone := true
		for _, s := range plans[i].steps {
			v := policy.Decide(r.Policy, facts, s.Action, s.Target)
			if v.Decision == policy.Contain && !s.Planned() {
				v.Decision, v.Reasons = policy.Ask, []policy.Reason{{Policy: "by-hand", Because: "Nightlatch cannot do this step here; a human has to"}}
			}
			if h, held := brakes.Holding(a, r.Clock.Now()); held && v.Decision == policy.Contain {
				v.Decision, v.Reasons = policy.Ask, []policy.Reason{{Policy: "hold", Because: cleared(h)}}
			}
			leftAlone = leftAlone && v.Decision == policy.Leave
			o := r.outcome(x, s, v)
			o.AccessKeyID = a.AccessKeyID
			if o.Detail == "" {
				o.Detail = plans[i].trouble
			}
			// A key that is used directly and through a service is two actors and one step: what weighs more is its verdict.
			if i := slices.IndexFunc(rec.Outcomes, o.SameStep); i < 0 || !s.Planned() {
				rec.Outcomes, rec.Verdicts = append(rec.Outcomes, o), append(rec.Verdicts, verdict(v))
			} else if weight(v.Decision) > weight(rec.Verdicts[i].Decision) {
				rec.Outcomes[i], rec.Verdicts[i] = o, verdict(v)
			}
			rec.Note(r.Clock.Now(), fmt.Sprintf("%s %s: %s", s.Action, report.Safe(s.Target.ID), v.Decision))
		}
		if leftAlone && a.Kind != actor.AWSService && a.Kind != actor.Unattributed {
			left += a.Bytes
		}
	}
	return left + rec.Evidence.Others.Bytes
}

// weight orders what may become of a step.
func weight(d policy.Decision) int {
	return slices.Index([]policy.Decision{policy.Leave, policy.Ask, policy.Contain}, d)
}

// maxSpread is how many small actors a spread names: the largest say enough about where to look.
const maxSpread = 10

func verdict(v policy.Verdict) incident.Verdict {
	out := incident.Verdict{Action: v.Action, Target: v.Target.ID, Decision: v.Decision, Protected: v.Target.Protected, Reasons: []string{}}
	for _, reason := range v.Reasons {
		out.Reasons = append(out.Reasons, reason.Policy+": "+reason.Because)
	}
	return out
}

// outcome is what becomes of a step before anything is written.
func (r *Responder) outcome(x containment.Executor, s containment.Step, v policy.Verdict) containment.Outcome {
	o := containment.Outcome{Action: s.Action, Target: s.Target.ID, State: x.Gate(s, v.Decision), At: r.Clock.Now(), Step: s}
	switch o.State {
	case containment.Intended:
		o.Attempts = 1 // it is put with the intention
	case containment.Already:
		o.Undo = s.Undo
		o.Detail = "it reads as " + s.Before.Text + ": an earlier run of this incident did it, or somebody else"
		if s.Before.Absent {
			o.Detail = "the key is gone: somebody has deleted it"
		}
	case containment.Asked:
		o.Runbook = s.Runbook
		if v.Decision == policy.Contain {
			o.Detail = "mode ask: the policy would contain it, a human has to say yes"
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
}

// plan lists the steps against one actor. What the account cannot be asked about is planned by hand.
func (d *desk) plan(ctx context.Context, rec *incident.Record, a evidence.Actor) plan {
	r := d.Responder
	who := a.Credential()
	target, err := d.known.targets.get(who, r.Clock.Now(), func() (policy.Target, error) { return r.Account.Identify(ctx, who) })
	trouble := ""
	if err != nil {
		trouble = report.Safe(err.Error())
		r.Log.ErrorContext(ctx, "identifying the credential failed", "incident", rec.ID, "key", a.AccessKeyID, "known", target.Known, "err", err)
		rec.Note(r.Clock.Now(), "identifying "+report.Safe(a.AccessKeyID)+": "+trouble)
		if !target.Known {
			target = policy.Target{}
		}
	}
	if a.Kind != actor.IAMUserKey || !target.Known {
		steps := containment.ByHand(a, target, r.Clock.Now())
		if len(steps) == 0 && (a.Kind == actor.AWSService || a.Kind == actor.Unattributed) {
			// Nothing can be done, and the verdict says why.
			id := "arn:aws:s3:::"
			for b := range a.Buckets {
				id = max(id, "arn:aws:s3:::"+b)
			}
			steps = []containment.Step{{Action: policy.BlockOnBucket, Target: policy.Target{Type: policy.Bucket, ID: id}}}
		}
		return plan{steps, trouble}
	}
	ref := containment.KeyRef(target)
	before, err := d.known.docs.get(ref, r.Clock.Now(), func() (containment.Doc, error) { return r.Account.Read(ctx, ref) })
	if err != nil {
		r.Log.ErrorContext(ctx, "reading the key's status failed", "incident", rec.ID, "key", a.AccessKeyID, "err", err)
		trouble = report.Safe(err.Error())
		rec.Note(r.Clock.Now(), "the status of "+report.Safe(a.AccessKeyID)+" could not be read: "+trouble)
		// The key has just moved bytes: it was active. If the write fails too, that is heard.
		before = containment.Doc{Text: containment.Active}
	}
	return plan{[]containment.Step{containment.DeactivateKey(target, before)}, trouble}
}

// act does one intended step. That it is intended was put before, with the attempt counted: whoever takes the incident up after a
// crash reads before he writes. It was put by this very invocation, or the attempt is put anew.
func (d *desk) act(ctx context.Context, t task) {
	rec, i := t.rec, t.move.Outcome
	o := &rec.Outcomes[i]
	fresh := o.Attempts == 1 && d.intended[rec.ID] == rec.Version // put by this very invocation, and not begun
	anyOther := func(*incident.Record) bool { return true }
	if other, theirs := d.elsewhere(rec, *o, anyOther); other != nil && !theirs.Open() && (o.Approved == nil || theirs.State == containment.Intended) {
		if o.Attempts > 0 && !fresh && d.perhapsDone(ctx, rec, o) {
			return // it was us, perhaps: then the undo line is ours to tell
		}
		d.leave(ctx, rec, o, containment.Skipped, "incident "+other.ID+" has this step: "+string(theirs.State))
		return
	}
	attempts := o.Attempts
	if fresh {
		attempts = 0
	} else {
		o.Attempts++
		o.At = d.Clock.Now()
		if !d.put(ctx, rec) {
			return
		}
		o = &rec.Outcomes[i]
	}
	if why := d.heldBack(ctx, rec, *o); why != "" {
		if attempts > 0 && d.perhapsDone(ctx, rec, o) {
			return
		}
		o.Runbook, o.Approved = o.Step.Runbook, nil // a yes to what is not done now is none to what may be later
		d.leave(ctx, rec, o, containment.Asked, why)
		return
	}
	if !d.Clock.Now().Before(d.until) {
		return // whoever has the desk by now does it
	}
	mode := rec.Mode
	if o.Approved != nil {
		mode = containment.ModeAct
	}
	if o.Approved != nil && attempts == 0 {
		// It was read when a human said yes: somebody else, or another incident, may have done it since.
		if doc, err := d.Account.Read(ctx, o.Step.Ref); err == nil && doc == o.Step.After {
			o.Undo = o.Step.Undo
			d.leave(ctx, rec, o, containment.Already, "it reads as "+doc.Text+": somebody has done it since it was approved")
			return
		}
	}
	x := containment.Executor{Account: d.Account, Mode: mode}
	o.State, o.Detail = x.Do(ctx, o.Step, attempts)
	if o.State == containment.Intended { // surely not written
		o.Attempts, o.Throttled = 0, o.Throttled+1
		if o.Throttled >= incident.MaxThrottled {
			o.State = containment.Failed
		}
	}
	d.reached(ctx, rec, o)
	d.put(ctx, rec)
}

// perhapsDone puts what an earlier attempt has left, unless the setting is surely as it was before: nobody is asked to do what is done.
func (d *desk) perhapsDone(ctx context.Context, rec *incident.Record, o *containment.Outcome) bool {
	if doc, err := d.Account.Read(ctx, o.Step.Ref); err == nil && doc == o.Step.Before {
		return false
	}
	o.State, o.Detail = containment.Executor{Account: d.Account}.Verify(ctx, o.Step)
	d.reached(ctx, rec, o)
	d.put(ctx, rec)
	return true
}

// leave puts why an intended step is not done.
func (d *desk) leave(ctx context.Context, rec *incident.Record, o *containment.Outcome, state containment.State, why string) {
	o.State, o.At, o.Detail = state, d.Clock.Now(), why
	if state == containment.Asked {
		rec.Reminded = 0
	}
	rec.Note(o.At, fmt.Sprintf("%s %s: %s, %s", o.Action, report.Safe(o.Target), state, why))
	d.put(ctx, rec)
}

// readBrakes reads what holds the responder back. Where that is not known, it asks.
func (d *desk) readBrakes(ctx context.Context, rec *incident.Record) incident.Brakes {
	b, err := d.Store.Brakes(ctx)
	if err != nil {
		d.Log.ErrorContext(ctx, "reading the brakes failed: everything is asked", "incident", rec.ID, "err", err)
		rec.Note(d.Clock.Now(), "whether the mode was lowered could not be read, so everything is asked: "+report.Safe(err.Error()))
		return incident.Brakes{Mode: containment.ModeAsk, Epoch: d.Epoch}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.brakes = &b
	return b
}

// defaultCap is how many containments an hour Nightlatch makes by itself: a night with more is not a stolen key any more.
const defaultCap = 10

// heldBack counts a containment, and says why it must not be made: the mode was lowered after it was judged, or there were too many, or
// neither could be seen, or somebody has restored the key meanwhile; "" if it may. One that a human has approved is not counted, and may be
// made in mode ask; one that was throttled is counted already.
func (d *desk) heldBack(ctx context.Context, rec *incident.Record, o containment.Outcome) string {
	most, now := cmp.Or(d.Cap, defaultCap), d.Clock.Now()
	what := "this containment could not be counted among those of the hour: "
	uncounted := o.Approved != nil || o.Throttled > 0
	if uncounted {
		d.brakes, what = nil, "whether the mode was lowered could not be read: "
	}
	var failed error
	for range 4 {
		if d.brakes == nil {
			b, err := d.Store.Brakes(ctx)
			if err != nil {
				failed = err
				continue
			}
			d.brakes = &b
		}
		b := *d.brakes
		d.brakes = nil
		switch mode := d.lowered(b); {
		case mode == containment.ModeObserve, mode != containment.ModeAct && o.Approved == nil:
			return "the mode is " + string(mode) + " by now"
		case o.Approved != nil:
			return ""
		}
		if h, held := holding(b, rec, o.AccessKeyID, now); held {
			return cleared(h)
		}
		if uncounted {
			return ""
		}
		if slices.ContainsFunc(b.Contained, now.Equal) {
			return "" // an answer was lost, and the containment counted
		}
		b.Contained = slices.DeleteFunc(slices.Clone(b.Contained), func(t time.Time) bool { return t.Before(now.Add(-time.Hour)) })
		if len(b.Contained) >= most {
			return fmt.Sprintf("%d were contained in the last hour already, and no more than that are without a human", len(b.Contained))
		}
		b.Contained = append(b.Contained, now)
		b, err := d.Store.SetBrakes(ctx, b)
		if err == nil {
			d.brakes = &b
			return ""
		}
		failed = err
	}
	return what + report.Safe(failed.Error())
}

// holding is the hold on a key, where it covers every use of it that an incident shows.
func holding(b incident.Brakes, rec *incident.Record, key string, now time.Time) (hold incident.Hold, held bool) {
	for _, a := range rec.Evidence.Actors {
		if a.AccessKeyID != key || key == "" {
			continue
		}
		h, is := b.Holding(a, now)
		if !is {
			return incident.Hold{}, false
		}
		hold, held = h, true
	}
	return hold, held
}

// cleared says why a key is held.
func cleared(h incident.Hold) string {
	return report.Safe(h.By) + " restored this key after incident " + report.Safe(h.Incident) + " and cleared these origins until " +
		h.Until.UTC().Format("2006-01-02 15:04")
}

// verify reads one step of unknown outcome back.
func (r *Responder) verify(ctx context.Context, o *containment.Outcome, rec *incident.Record) {
	o.Attempts++
	x := containment.Executor{Account: r.Account, Mode: rec.Mode}
	o.State, o.Detail = x.Verify(ctx, o.Step)
	r.reached(ctx, rec, o)
}

// reached notes the state that a step has come to.
func (r *Responder) reached(ctx context.Context, rec *incident.Record, o *containment.Outcome) {
	o.At = r.Clock.Now()
	o.Detail = report.Safe(o.Detail)
	if o.State == containment.Done || o.State == containment.Unknown {
		o.Undo = o.Step.Undo
	}
	if o.State == containment.Failed || o.State == containment.Unknown {
		o.Runbook = o.Step.Runbook
		r.Log.ErrorContext(ctx, "a step is not seen done", "incident", rec.ID, "action", string(o.Action), "target", o.Target,
			"state", string(o.State), "detail", o.Detail)
	}
	rec.Note(o.At, fmt.Sprintf("%s %s: %s, %s", o.Action, report.Safe(o.Target), o.State, o.Detail))
}
