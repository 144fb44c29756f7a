package sandbox

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/report"
)

// The rules. Those about a single effect are checked as it happens, the others when the night is over.
const (
	ruleVerdict   = "nothing is contained without a verdict that allows it and a confirmed metric"
	ruleNeighbour = "no neighbour is touched"
	ruleOnce      = "an effect on the account happens at most once"
	ruleNotified  = "of every alarm that fires somebody is notified"
	ruleUndo      = "every effect is on the log with its undo"
	ruleEnds      = "every incident ends closed or with a human"
	ruleTrue      = "nothing is said done that was not done"
	ruleAsk       = "an ask is never lost"
	ruleContained = "in a clear night the stolen key is contained, and soon"
	ruleLowered   = "a lowered mode is heeded, and lowered by humans only"
	ruleApprover  = "neither the actor nor what he has minted decides"
	ruleApproved  = "what was approved is what is done, once"
	ruleHeld      = "a held key is asked about, and not contained where it is used from the places that were cleared"
	ruleRestore   = "a restore takes back what it has seen, and refuses what has drifted"
	ruleAnswered  = "an ask that was answered is not asked again"
	ruleEarly     = "what was contained early, complete evidence does not take back"
	ruleHeard     = "what is confirmed reaches a human within 20 minutes, or the heartbeat fails"
	ruleFlood     = "no message of ours has AWS deactivate a subscription"
	ruleEnabled   = "no step is done that the deployment does not enable, and what is ordered is done by the cutter alone"
	ruleCut       = "an order refuses whom it names, and nobody else"
	ruleMoves     = "what a thief does against what was done is told, or said not to be known"
	ruleSound     = "the code does not break"
	ruleEnd       = "the night comes to an end"
)

// intends is the incident, of those on the record, that intends to change a setting: that which this invocation has put itself, and else
// the oldest; "" where none does.
func (in *invocation) intends(ref containment.Ref) string {
	var all []incident.Record
	for _, r := range in.stored {
		if slices.ContainsFunc(r.Outcomes, func(o containment.Outcome) bool {
			return o.Step.Ref == ref && o.State == containment.Intended && o.Attempts > 0
		}) {
			all = append(all, r)
		}
	}
	if len(all) == 0 {
		return ""
	}
	others := func(r incident.Record) int { return map[bool]int{true: 1}[r.Writer != in.name] }
	return slices.MinFunc(all, func(x, y incident.Record) int {
		return cmp.Or(cmp.Compare(others(x), others(y)), x.Opened.Compare(y.Opened), cmp.Compare(x.ID, y.ID))
	}).ID
}

// allows is the mode that is left to an invocation. A mode that was lowered in another deployment generation lowers nothing, but to a responder that
// was at work by then.
func (in *invocation) allows(b incident.Brakes) containment.Mode {
	other := b.Generation != in.generation && (in.by != nil || !b.At.After(in.began))
	if b.Mode == "" || other || in.plot.mode == containment.ModeObserve {
		return in.plot.mode
	}
	return b.Mode
}

// checkBrakes checks a lowered mode and holds that are stored now.
func (in *invocation) checkBrakes(b incident.Brakes) {
	before := in.brakesAt(in.now)
	if b.Mode != before.Mode || b.Generation != before.Generation {
		in.lowered = in.now
		if in.by == nil {
			in.breach(ruleLowered, "%s sets the mode to %q", in.name, b.Mode)
		} else if of := in.suspect(""); of != "" && !in.late {
			in.breach(ruleApprover, "%s, by %s, lowers the mode, and %s is in an incident", in.name, in.by, of)
		}
		if order := "observe ask act"; b.Generation == before.Generation && before.Mode != "" && strings.Index(order, string(b.Mode)) > strings.Index(order, string(before.Mode)) {
			in.breach(ruleLowered, "%s raises the mode from %s to %s", in.name, before.Mode, b.Mode)
		}
	}
	for _, h := range b.Holds {
		if slices.ContainsFunc(before.Holds, func(x incident.Hold) bool { return x.Until.Equal(h.Until) && x.AccessKeyID == h.AccessKeyID }) {
			continue
		}
		if in.by == nil {
			in.breach(ruleHeld, "%s holds %s by itself", in.name, h.AccessKeyID)
		} else if of := in.suspect(h.Incident); of != "" && !in.late {
			in.breach(ruleApprover, "%s, by %s, holds %s, and %s is in incident %s", in.name, in.by, h.AccessKeyID, of, h.Incident)
		}
	}
}

// checkPut checks what has changed in an incident that is stored now.
func (in *invocation) checkPut(before, after incident.Record) {
	for _, o := range after.Outcomes {
		if o.State == containment.Failed && o.Step.Order != nil {
			in.failed[wishOf(after.ID, o)] = true
		}
		i := slices.IndexFunc(before.Outcomes, o.SameStep)
		if i < 0 {
			i, before.Outcomes = len(before.Outcomes), append(slices.Clone(before.Outcomes), containment.Outcome{})
		}
		was := before.Outcomes[i]
		switch {
		case o.Approved != nil && was.Approved == nil:
			in.checkApproval(before, was, o)
		case o.Approved == nil && was.Approved != nil:
			unread := strings.HasPrefix(o.Detail, "whether the mode was lowered could not be read")
			if o.State != containment.Asked || !unread && in.allows(in.brakesAt(in.brakesRead)) != containment.ModeObserve {
				in.breach(ruleAnswered, "%s takes back the approval of %s in incident %s, which is %s", in.name, o.Target, after.ID, o.State)
			}
		case was.Approved != nil && (o.Step.Ref != was.Step.Ref || o.Step.After != was.Step.After):
			in.breach(ruleApproved, "%s changes the approved step of %s from %+v to %+v", in.name, o.Target, was.Step, o.Step)
		case o.State == containment.Done && was.State != containment.Done && o.Step.Order != nil && !in.stood(o):
			in.breach(ruleTrue, "%s calls %s done in incident %s, and it does not stand", in.name, o.Name(), after.ID)
		case o.State == containment.Asked && (was.Contained() || was.State == containment.Already || was.State == containment.Undone):
			in.breach(ruleAnswered, "%s asks for %s in incident %s, which was %s", in.name, o.Target, after.ID, was.State)
		}
	}
	for _, was := range before.Outcomes {
		if was.Approved != nil && !slices.ContainsFunc(after.Outcomes, was.SameStep) {
			in.breach(ruleApproved, "%s forgets %s in incident %s, which was approved", in.name, was.Target, after.ID)
		}
	}
}

// checkApproval checks an approval that is stored now.
func (in *invocation) checkApproval(before incident.Record, was, o containment.Outcome) {
	meant := wishOf(before.ID, o)
	switch {
	case in.by == nil:
		in.breach(ruleApprover, "%s approves %s by itself", in.name, o.Target)
		return
	case in.suspect(before.ID) != "":
		in.breach(ruleApprover, "%s, by %s, approves %s, and incident %s is about %s", in.name, in.by, o.Target, before.ID, in.suspect(before.ID))
	case slices.Contains(in.staff, in.by) && in.wants != meant:
		in.breach(ruleApproved, "%s approves %+v, and %s meant %+v", in.name, meant, in.by, in.wants)
	case was.State != containment.Asked || !o.Step.Planned() || !before.Closed.IsZero() || before.MergedInto != "":
		in.breach(ruleApproved, "%s approves %s of incident %s, which is %s there", in.name, o.Target, before.ID, was.State)
	case in.allows(in.brakesAt(in.brakesRead)) == containment.ModeObserve:
		in.breach(ruleLowered, "%s approves %s in mode observe", in.name, o.Target)
	}
	in.approvals = append(in.approvals, granted{at: in.now, by: o.Approved.By, wish: meant})
}

// checkWrite checks a write before it takes effect.
func (in *invocation) checkWrite(id string, ref containment.Ref, doc containment.Doc) {
	w, key := in.world, ref.Name
	r, there := w.stored[id]
	if !there {
		w.breach(ruleVerdict, "%s writes with no incident on the record", in.name)
		return
	}
	i := slices.IndexFunc(r.Outcomes, func(o containment.Outcome) bool { return o.Step.Ref == ref && o.Attempts > 0 })
	o, decided := r.Outcomes[i], r.Verdicts[i].Action == r.Outcomes[i].Action && r.Verdicts[i].Target == r.Outcomes[i].Target && r.Verdicts[i].Decision == policy.Contain
	if doc != o.Step.After || o.Action == policy.DeactivateKey && doc.Text != containment.Inactive {
		w.breach(ruleVerdict, "%s sets %s to %+v, and %s was decided", in.name, key, doc, o.Name())
	}
	if o.Step.Undo == "" {
		w.breach(ruleUndo, "%s writes without having stored how to undo it", in.name)
	}
	if w.metricThen[id] == 0 && r.Alarm.Bytes != nil {
		w.metricThen[id] = *r.Alarm.Bytes
	}
	seen, before := in.brakesAt(in.brakesRead), in.brakesAt(w.now.Add(-inFlight))
	if seen.Version > before.Version && seen.Generation != before.Generation {
		before = seen // a deployment has taken the mode up, and it was lowered anew
	}
	// What was on its way when the mode was lowered may still come, for a while.
	modes := []containment.Mode{in.allows(seen), in.allows(before)}
	if o.Approved != nil {
		if !slices.ContainsFunc(w.approvals, func(y granted) bool { return y.wish == wishOf(id, o) && y.by == o.Approved.By }) {
			w.breach(ruleApproved, "%s writes %s, and %s has never approved it", in.name, key, o.Approved.By)
		}
		if slices.Contains(modes, containment.ModeObserve) {
			w.breach(ruleLowered, "%s writes in mode observe", in.name)
		}
	} else {
		switch {
		case !w.thiefs(r, o):
			w.breach(ruleNeighbour, "%s does %s, which is against nobody who is a thief", in.name, o.Name())
		case !decided || r.Mode != containment.ModeAct || w.plot.mode != containment.ModeAct:
			w.breach(ruleVerdict, "%s writes in mode %s, and the stored verdicts are %+v", in.name, r.Mode, r.Verdicts)
		case !r.Alarm.Confirmed || !w.confirmed(r):
			w.breach(ruleVerdict, "%s writes on a metric that is not confirmed (%q)", in.name, r.Alarm.Doubt)
		case modes[0] != containment.ModeAct || modes[1] != containment.ModeAct:
			w.breach(ruleLowered, "%s writes, and the mode is %s as it has seen, and was %s", in.name, modes[0], modes[1])
		case held(seen, r, key, w.now):
			w.breach(ruleHeld, "%s deactivates %s by itself, which is held: %+v", in.name, key, seen.Holds)
		}
	}
	if o.Step.Order != nil {
		w.checkTwice(in.name, r, o)
		return
	}
	// It may be written again where this invocation has seen the key active since the last write that it knows of: somebody has undone it, or IAM
	// does not show it yet. It may be, too, where the invocation knows of no write, or has lost the incident of it, and could not see.
	// What a human approves has been read for him, and he may do it by hand while it is on its way.
	read := in.read[ref]
	for i = len(w.writes) - 1; i >= 0 && (w.writes[i].ref != ref || o.Approved != nil && w.writes[i].doc == doc && w.writes[i].incident == ""); i-- {
	}
	if i >= 0 && w.writes[i].doc == doc && read.Text != containment.Active && !in.activeAt[ref].After(w.writes[i].at) && (read != notRead || w.writes[i].by == in.name && !in.unread[w.writes[i].incident]) {
		w.breach(ruleOnce, "%s deactivates %s, which %s has done at %s", in.name, key, w.writes[i].by, w.writes[i].at.Format(time.TimeOnly))
	}
}

// held reports whether all that a key has taken, as an incident shows it, went to places that are cleared.
func held(b incident.Brakes, r incident.Record, key string, now time.Time) bool {
	places := map[string]bool{}
	for _, a := range r.Evidence.Actors {
		if a.AccessKeyID == key {
			places["and more"] = places["and more"] || a.Omitted > 0
			for _, o := range a.Origins {
				places[o.Place()] = true
			}
		}
	}
	return slices.ContainsFunc(b.Holds, func(h incident.Hold) bool {
		cleared := maps.Clone(places)
		maps.DeleteFunc(cleared, func(place string, is bool) bool { return !is || slices.Contains(h.Origins, place) })
		return h.AccessKeyID == key && now.Add(10*time.Second).Before(h.Until) && len(cleared) == 0 // clocks differ
	})
}

// inFlight is how long after the mode was lowered a write may still come that was on its way.
const inFlight = 3 * time.Minute

// confirmed reports whether a datapoint above the threshold is in the window of a record.
func (w *world) confirmed(r incident.Record) bool {
	shown := w.metric(r.Alarm.Buckets, r.Alarm.From, r.Alarm.To)
	return slices.ContainsFunc(shown, func(p alarm.Point) bool { return float64(p.Bytes) > threshold })
}

var (
	saysDone = regexp.MustCompile(`^(?:Done|Nothing to do) +([a-z-]+) ([\w:/.+=@-]+)`)
	asksFor  = regexp.MustCompile(`^YOU DECIDE +([a-z-]+) ([\w:/.+=@-]+)`)
)

// checkMessage checks a message before it is taken.
func (in *invocation) checkMessage(m report.Message) {
	w := in.world
	claims := 0
	for _, says := range inLines(m.Body, saysDone) {
		claims++
		if !w.wrote(says[1] + ":" + says[2]) {
			w.breach(ruleTrue, "%s says %q, and nobody has done it", in.name, strings.TrimSpace(says[0]))
		}
	}
	for _, asks := range inLines(m.Body, asksFor) {
		w.checkAsk(in, m, asks[1]+":"+asks[2])
	}
	if strings.Contains(m.Subject, "CONTAINED") && !strings.Contains(m.Subject, "NOT CONTAINED") && claims == 0 {
		w.breach(ruleTrue, "%s says %q, and the message names nothing that was done", in.name, m.Subject)
	}
}

// checkAsk checks whether what a message asks for was answered before: approved, or, in a clear night, done by hand before a reminder.
func (w *world) checkAsk(in *invocation, m report.Message, step string) {
	of := inLines(m.Body, ofIncident)
	if of == nil {
		return
	}
	same := slices.DeleteFunc(slices.Clone(w.stored[of[0][1]].Outcomes), func(o containment.Outcome) bool { return o.Name() != step })
	if len(same) != 1 { // two sessions of one role: the line does not say which it asks for
		return
	}
	o := same[0]
	if o.Approved != nil && w.now.Sub(o.Approved.At) > inFlight {
		w.breach(ruleAnswered, "%s asks for %s, which %s has approved at %s", in.name, step, o.Approved.By, o.Approved.At.Format(time.TimeOnly))
	}
	if doc, err := w.account.get(o.Step.Ref); !w.weather.clear || !o.Step.Planned() || err != nil || doc != o.Step.After || !strings.Contains(m.Subject, "STILL OPEN") {
		return
	}
	for _, x := range slices.Backward(w.writes) {
		if x.ref == o.Step.Ref {
			if w.now.Sub(x.at) > time.Minute {
				w.breach(ruleAnswered, "%s reminds of %s, which %s has done at %s", in.name, step, x.by, x.at.Format(time.TimeOnly))
			}
			return
		}
	}
}

// wrote reports whether anybody has done a step; of a key that is gone nobody knows. A key is turned off once, and an order has as many settings
// as there are incidents of it.
func (w *world) wrote(step string) bool {
	action, target, _ := strings.Cut(step, ":")
	if action == string(policy.DeactivateKey) {
		_, k := w.account.find(target)
		return k == nil || slices.ContainsFunc(w.writes, func(x write) bool { return x.off(target) })
	}
	return slices.ContainsFunc(w.ordered, func(o ordered) bool { return o.step == step })
}

// escalated reports whether the alarm on the dead-letter queue called a human after the responder has changed an incident last. He finds it as
// it is. Which of the worker's events failed says nothing.
func (w *world) escalated(id string, since time.Time) bool {
	for _, f := range w.briefs {
		if f.ID == id && !f.decided && f.at.After(since) {
			since = f.at
		}
	}
	return slices.ContainsFunc(w.deadLetters, func(h deadLetter) bool { return !h.at.Before(since) })
}

// messages are those that name an incident.
func (w *world) messages(id string) []sent {
	return slices.DeleteFunc(slices.Clone(w.sent), func(t sent) bool { return !strings.Contains(t.Body, id) })
}

// checkNight checks all that is left when the night is over.
func (w *world) checkNight() {
	for _, r := range w.firings {
		if len(w.messages(r.id)) == 0 && !w.escalated(r.id, r.at) {
			w.breach(ruleNotified, "nobody was notified of the alarm %s", r.id)
		}
	}
	all, err := w.store.Recent(context.Background(), 1000)
	if err != nil {
		panic(err)
	}
	for _, b := range all {
		r, err := w.store.Load(context.Background(), b.ID)
		if err != nil {
			panic(err)
		}
		if !w.isFiring(r.ID) && r.Follows == "" && r.Closed.IsZero() {
			continue // made up by the thief, and its invocations failed
		}
		w.checkIncident(r)
	}
	for _, x := range w.writes {
		if x.incident != "" {
			w.checkEffect(x)
		}
	}
	for _, y := range w.approvals {
		w.checkDone(y)
	}
	w.checkLiveness()
	w.checkMoves()
}

// promptly is how soon what was approved is done: the approver says that it is within two minutes.
const promptly = 2*time.Minute + 15*time.Second

// checkDone checks what became of an approval.
func (w *world) checkDone(y granted) {
	for _, o := range w.stored[y.incident].Outcomes {
		if o.Name() == y.step && o.State == containment.Intended && y.promised && !w.escalated(y.incident, y.at) {
			w.breach(ruleApproved, "%s was approved at %s, and is still intended", y.step, y.at.Format(time.TimeOnly))
		}
	}
	key, of := strings.CutPrefix(y.step, string(policy.DeactivateKey)+":")
	_, k := w.account.find(key)
	if !w.weather.clear || !w.lowered.IsZero() || of && k == nil {
		return
	}
	soon := func(at time.Time) bool { return at.Sub(y.at).Abs() < promptly }
	if !slices.ContainsFunc(w.writes, func(x write) bool { return of && x.off(key) && soon(x.at) }) && !w.cutSoon(y, soon) {
		w.breach(ruleApproved, "%s was approved at %s, and not done within %v", y.step, y.at.Format(time.TimeOnly), promptly)
	}
}

func (w *world) isFiring(id string) bool {
	return slices.ContainsFunc(w.firings, func(r firing) bool { return r.id == id })
}

func (w *world) checkIncident(r incident.Record) {
	if r.Closed.IsZero() && !w.escalated(r.ID, time.Time{}) {
		w.breach(ruleEnds, "incident %s is open, and nobody was called: %s", r.ID, gist(r))
	}
	messages := w.messages(r.ID)
	for _, o := range r.Outcomes {
		switch o.State {
		case containment.Asked:
			for _, line := range o.Runbook {
				// A message shows a dozen steps, and says how many more there are.
				if !slices.ContainsFunc(messages, func(m sent) bool {
					return strings.Contains(m.Body, line) || !m.at.Before(o.At) && strings.Contains(m.Body, " more steps, in the incident's JSON")
				}) && !w.escalated(r.ID, time.Time{}) {
					w.breach(ruleAsk, "nobody was notified that incident %s asks for %q", r.ID, line)
				}
			}
			if len(o.Runbook) == 0 && !r.Once { // on a question a usual reader gets no command that would cut him
				w.breach(ruleAsk, "incident %s asks for %s of %s and does not say how", r.ID, o.Action, o.Target)
			}
		case containment.Done:
			if !w.wrote(o.Name()) {
				w.breach(ruleTrue, "incident %s says that %s is done", r.ID, o.Name())
			}
		}
	}
}

// checkEffect checks the record of one write.
func (w *world) checkEffect(x write) {
	r, err := w.store.Load(context.Background(), x.incident)
	if err != nil {
		w.breach(ruleUndo, "%s was written for the incident %s, which is not there", x.ref.Name, x.incident)
		return
	}
	of := func(o containment.Outcome) bool { return o.Step.Ref == x.ref && o.Step.Undo != "" }
	i := slices.IndexFunc(r.Outcomes, func(o containment.Outcome) bool { return of(o) && o.State != containment.Skipped }) // two keys of a session have one denial
	if i < 0 {
		i = slices.IndexFunc(r.Outcomes, of)
	}
	if i < 0 {
		w.breach(ruleUndo, "incident %s does not say how to undo what was written to %+v", r.ID, x.ref)
		return
	}
	o := r.Outcomes[i]
	if strings.Contains(o.Detail, "would not contain it") && !w.misled(r) {
		w.breach(ruleEarly, "incident %s has contained %s, and says now: %s; %+v", r.ID, o.Name(), o.Detail, r.Verdicts)
	}
	if _, k := w.account.find(x.ref.Name); k == nil && o.Step.Order == nil || w.escalated(r.ID, time.Time{}) {
		return // it was deleted, and nothing is left to undo; or a human was called
	}
	if w.takenBack(x, o.At) && strings.Contains(o.Detail, "it was tried before") {
		return // a human took it back before anybody could write down that it was done
	}
	if o.Undo == "" && o.State != containment.Undone {
		w.breach(ruleUndo, "incident %s has written %s, is %s, and has no undo line", r.ID, o.Name(), o.State)
	}
	if !slices.ContainsFunc(r.Log, func(e incident.Entry) bool {
		return !e.At.Before(x.at.Add(-lifetime)) && strings.Contains(e.What, o.Target)
	}) {
		w.breach(ruleUndo, "the log of incident %s does not name %s after it was written", r.ID, o.Name())
	}
	if o.State != containment.Undone && !slices.ContainsFunc(w.messages(r.ID), func(m sent) bool { return strings.Contains(m.Body, o.Step.Undo) }) {
		w.breach(ruleUndo, "no message says how to undo %s", o.Name())
	}
}

// takenBack reports whether somebody else took a write back before a time.
func (w *world) takenBack(x write, by time.Time) bool {
	return slices.ContainsFunc(w.writes, func(y write) bool {
		return y.ref == x.ref && y.incident == "" && y.doc == x.before && y.at.After(x.at) && y.at.Before(by)
	})
}

// misled reports whether a night breaks what early containment assumes: that the past is delivered Settling after the edge, and that the metric
// is not short by more than a tenth.
func (w *world) misled(r incident.Record) bool {
	edge := r.Alarm.From.Add(-evidence.Edge)
	late := w.unsealed || slices.ContainsFunc(w.trail, func(e *entry) bool {
		return e.EventTime.Before(edge) && len(e.due) > 0 && slices.MinFunc(e.due, time.Time.Compare).After(edge.Add(evidence.Settling))
	})
	if late || float64(r.Evidence.Bytes) > 1.1*float64(w.metricThen[r.ID]) {
		w.misleads++
		return true
	}
	return false
}

// delay is how long after the first alarm fired the responder has deactivated a thief's key by itself; false where it never has.
func (w *world) delay() (time.Duration, bool) {
	i := slices.IndexFunc(w.writes, func(x write) bool {
		if x.incident == "" || !w.guilty[x.ref.Name] {
			return false
		}
		r := w.stored[x.incident]
		return slices.ContainsFunc(r.Outcomes, func(o containment.Outcome) bool { return o.Step.Ref == x.ref && o.Approved == nil && o.Step.Undo != "" })
	})
	if i < 0 || len(w.firings) == 0 {
		return 0, false
	}
	return w.writes[i].at.Sub(w.firings[0].at), true
}

// soon is how long after the alarm fired a stolen key may be in use in a clear night: CloudTrail's lag, the settling time, and the query rounds
// between.
const soon = 13 * time.Minute

func (w *world) checkLiveness() {
	p := w.plot
	if w.weather.clear && p.mode == containment.ModeAct && w.own != nil && p.kind != "two thieves" && !w.unsealed && w.lowered.IsZero() && len(w.alarms) == 1 && len(w.firings) > 0 {
		w.checkCut()
	}
	if !w.weather.clear || p.mode != containment.ModeAct || p.kind != "theft" || p.tagsHimself || w.way != "" || w.unsealed || !w.lowered.IsZero() || len(w.alarms) > 1 || len(w.firings) == 0 {
		return
	}
	i := slices.IndexFunc(w.writes, func(x write) bool { return x.off(p.stolen) && x.incident != "" })
	switch {
	case i < 0:
		w.breach(ruleContained, "the key %s was never deactivated", p.stolen)
	case w.writes[i].at.Sub(w.firings[0].at) > soon:
		w.breach(ruleContained, "the key %s was deactivated %v after the alarm fired", p.stolen, w.writes[i].at.Sub(w.firings[0].at))
	}
}

// checkBeat checks, when a sign of life is sent, whether all has been heard that was to be heard since the one before it, unless one stayed away in
// between because something was found broken.
func (w *world) checkBeat() {
	for _, n := range w.due() {
		if n.late.After(w.now) || !n.late.After(w.now.Add(-beatEvery)) || w.missed.After(n.since) ||
			n.event != "" && w.mended.After(n.since) { // who has put it back knows what was changed
			continue
		}
		if !slices.ContainsFunc(w.heard, func(h hears) bool { return w.says(h, n) }) {
			w.breach(ruleHeard, "a sign of life is sent, and no human has heard of %s since %s", n.says, n.since.Format(time.TimeOnly))
		}
	}
}

// sends is how long a run may take from a topic's taking a message until it notes that.
const sends = 3 * time.Minute

// says reports whether a message tells of something: by its name; as one of the alarms of a page, which names the first; or as an alarm on the
// function that should have told of it.
func (w *world) says(h hears, n news) bool {
	switch {
	case !h.at.After(n.since):
		return false
	case strings.Contains(h.Body, n.says):
		return true
	case h.own:
		function := map[bool]string{true: "watch-nightlatch-errors", false: "teller-errors"}[n.incident]
		return strings.Contains(h.Subject, function) || strings.Contains(h.Subject, "failed-events")
	}
	return n.incident && slices.ContainsFunc(w.stored[n.says].Notified, func(of incident.Notice) bool {
		return of.Kind == incident.Page && of.Tries > 0 && of.Error == "" && of.Subject == h.Subject && of.At.Sub(h.at).Abs() < sends
	})
}

// due is all that is confirmed: alarms that fired, what Nightlatch has found itself and CloudWatch or the trail confirms, and what was done to it.
func (w *world) due() []news {
	all := slices.Clone(w.news)
	add := func(id string, at time.Time) { all = append(all, news{at, at.Add(heardWithin), id, true, ""}) }
	for _, f := range w.firings {
		add(f.id, f.at)
	}
	for id, r := range w.stored {
		if r.Alarm.Confirmed && r.Follows != "" || r.Alarm.CopiedTo != "" {
			add(id, r.Opened.Add(-10*time.Second)) // clocks differ
		}
	}
	slices.SortFunc(all, func(x, y news) int { return cmp.Or(x.since.Compare(y.since), cmp.Compare(x.says, y.says)) })
	return all
}

func (b breach) String() string { return fmt.Sprintf("%s: %s", b.rule, b.what) }
