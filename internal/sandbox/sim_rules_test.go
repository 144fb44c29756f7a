package sandbox

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/report"
)

// The rules. Those about a single effect are checked as it happens, the others when the night is over.
const (
	ruleVerdict   = "no key is contained without a verdict that allows it and a confirmed metric"
	ruleNeighbour = "no neighbour's key is touched"
	ruleOnce      = "an effect on the account happens at most once"
	ruleTold      = "of every ring somebody hears"
	ruleUndo      = "every effect is on the log with its undo"
	ruleEnds      = "every incident ends closed or with a human"
	ruleTrue      = "nobody is told that something was done that was not"
	ruleAsk       = "an ask is never lost"
	ruleContained = "in a clear night the stolen key is contained, and soon"
	ruleBrake     = "a lowered mode is heeded"
	ruleSound     = "the code does not break"
	ruleEnd       = "the night comes to an end"
)

// intends is the incident, of those on the record, that intends to deactivate a key, the oldest first; "" where none does.
func (in *invocation) intends(key string) string {
	for _, b := range slices.SortedFunc(maps.Values(simStore{in}.all()), byOpening) {
		r, err := in.store.Load(context.Background(), b.ID)
		if err == nil && slices.ContainsFunc(r.Outcomes, func(o containment.Outcome) bool {
			return o.Target == key && o.State == containment.Intended && o.Attempts > 0
		}) {
			return r.ID
		}
	}
	return ""
}

// checkWrite looks at a write before it takes effect.
func (in *invocation) checkWrite(id, key, status string) {
	w := in.world
	if !w.braked.IsZero() && w.now.Sub(w.braked) > inFlight {
		w.breach(ruleBrake, "%s writes, and the mode was lowered at %s", in.name, w.braked.Format(time.TimeOnly))
	}
	if status != containment.Inactive {
		w.breach(ruleVerdict, "%s sets key %s to %s", in.name, key, status)
	}
	if !w.guilty[key] {
		w.breach(ruleNeighbour, "%s deactivates %s, which no thief has used", in.name, key)
	}
	r, err := w.store.Load(context.Background(), id)
	if err != nil {
		w.breach(ruleVerdict, "%s writes with no incident on the record", in.name)
		return
	}
	decided := slices.ContainsFunc(r.Verdicts, func(v incident.Verdict) bool { return v.Target == key && v.Decision == policy.Contain })
	planned := slices.IndexFunc(r.Outcomes, func(o containment.Outcome) bool { return o.Target == key && o.Attempts > 0 })
	switch {
	case !decided || r.Mode != containment.ModeAct || w.plot.mode != containment.ModeAct:
		w.breach(ruleVerdict, "%s writes in mode %s, and the stored verdicts are %+v", in.name, r.Mode, r.Verdicts)
	case planned < 0:
		w.breach(ruleVerdict, "%s writes what the stored incident does not intend", in.name)
	case !r.Alarm.Confirmed || !w.confirmed(r):
		w.breach(ruleVerdict, "%s writes on a metric that is not confirmed (%q)", in.name, r.Alarm.Doubt)
	case r.Outcomes[planned].Step.Undo == "":
		w.breach(ruleUndo, "%s writes without having stored how to undo it", in.name)
	}
	// It may be written again where this invocation has seen, since the last write that it knows of, that the key is active (somebody has
	// undone it, or IAM does not show it yet), or where it knows of none and could not see.
	i := len(w.writes) - 1
	for i >= 0 && w.writes[i].key != key {
		i--
	}
	if i >= 0 && w.writes[i].status == status && in.read[key] != containment.Active && (in.read[key] != notRead || w.writes[i].by == in.name) {
		w.breach(ruleOnce, "%s deactivates %s, which %s has done at %s", in.name, key, w.writes[i].by, w.writes[i].at.Format(time.TimeOnly))
	}
}

// inFlight is how long after the mode was lowered a write may still come that was on its way.
const inFlight = 3 * time.Minute

// confirmed reports whether a datapoint above the threshold is in the window of a record.
func (w *world) confirmed(r incident.Record) bool {
	shown := w.metric(r.Alarm.Buckets, r.Alarm.From, r.Alarm.To)
	return slices.ContainsFunc(shown, func(p alarm.Point) bool { return float64(p.Bytes) > threshold })
}

var (
	saysDone    = regexp.MustCompile(`(?m)^Done +deactivate-key (\w+)`)
	saysAlready = regexp.MustCompile(`(?m)^Nothing to do +deactivate-key (\w+)`)
)

// checkMessage looks at a message before it is taken.
func (in *invocation) checkMessage(m report.Message) {
	w := in.world
	wrote := func(key string) bool {
		return slices.ContainsFunc(w.writes, func(x write) bool { return x.key == key && x.status == containment.Inactive })
	}
	claims := 0
	for _, says := range slices.Concat(saysDone.FindAllStringSubmatch(m.Body, -1), saysAlready.FindAllStringSubmatch(m.Body, -1)) {
		claims++
		if _, k := w.account.find(says[1]); k != nil && !wrote(says[1]) {
			w.breach(ruleTrue, "%s tells %q, and nobody has deactivated %s", in.name, strings.TrimSpace(says[0]), says[1])
		}
	}
	if strings.Contains(m.Subject, "CONTAINED") && !strings.Contains(m.Subject, "NOT CONTAINED") && claims == 0 {
		w.breach(ruleTrue, "%s tells %q, and the message names nothing that was done", in.name, m.Subject)
	}
}

// escalated reports whether a human was called, by the alarm on the dead-letter queue, after an incident was changed last: he finds it as
// it is. Which event it was that failed, of those that the one at the desk was woken by, says nothing.
func (w *world) escalated(id string, since time.Time) bool {
	for _, f := range w.briefs {
		if f.ID == id && f.at.After(since) {
			since = f.at
		}
	}
	return slices.ContainsFunc(w.heard, func(h heard) bool { return !h.at.Before(since) })
}

// messages are those that name an incident.
func (w *world) messages(id string) []told {
	return slices.DeleteFunc(slices.Clone(w.told), func(t told) bool { return !strings.Contains(t.Body, id) })
}

// checkNight looks at all that is left when the night is over.
func (w *world) checkNight() {
	for _, r := range w.rings {
		if len(w.messages(r.id)) == 0 && !w.escalated(r.id, r.at) {
			w.breach(ruleTold, "nobody has heard of the ring %s", r.id)
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
		if !w.isRing(r.ID) && r.Follows == "" && r.Closed.IsZero() {
			continue // made up by the thief, and its invocations failed
		}
		w.checkIncident(r)
	}
	for _, x := range w.writes {
		if x.incident != "" {
			w.checkEffect(x)
		}
	}
	w.checkLiveness()
}

func (w *world) isRing(id string) bool {
	return slices.ContainsFunc(w.rings, func(r rung) bool { return r.id == id })
}

func (w *world) checkIncident(r incident.Record) {
	if r.Closed.IsZero() && !w.escalated(r.ID, r.Opened) {
		w.breach(ruleEnds, "incident %s is open, and nobody was called: %s", r.ID, gist(r))
	}
	messages := w.messages(r.ID)
	for _, o := range r.Outcomes {
		switch o.State {
		case containment.Asked:
			for _, line := range o.Runbook {
				if !slices.ContainsFunc(messages, func(m told) bool { return strings.Contains(m.Body, line) }) && !w.escalated(r.ID, r.Opened) {
					w.breach(ruleAsk, "nobody was told that incident %s asks for %q", r.ID, line)
				}
			}
			if len(o.Runbook) == 0 {
				w.breach(ruleAsk, "incident %s asks for %s of %s and does not say how", r.ID, o.Action, o.Target)
			}
		case containment.Done:
			if !slices.ContainsFunc(w.writes, func(x write) bool { return x.key == o.Target && x.status == containment.Inactive }) {
				w.breach(ruleTrue, "incident %s says that %s is done", r.ID, o.Target)
			}
		}
	}
}

// checkEffect looks for the record of one write.
func (w *world) checkEffect(x write) {
	r, err := w.store.Load(context.Background(), x.incident)
	if err != nil {
		w.breach(ruleUndo, "%s was written for the incident %s, which is not there", x.key, x.incident)
		return
	}
	i := slices.IndexFunc(r.Outcomes, func(o containment.Outcome) bool { return o.Target == x.key && o.Step.Undo != "" })
	if i < 0 {
		w.breach(ruleUndo, "incident %s does not say how to undo the deactivation of %s", r.ID, x.key)
		return
	}
	o := r.Outcomes[i]
	if w.escalated(r.ID, r.Opened) {
		return
	}
	if o.Undo == "" {
		w.breach(ruleUndo, "incident %s has written %s, is %s, and has no undo line", r.ID, x.key, o.State)
	}
	if !slices.ContainsFunc(r.Log, func(e incident.Entry) bool {
		return !e.At.Before(x.at.Add(-lifetime)) && strings.Contains(e.What, x.key)
	}) {
		w.breach(ruleUndo, "the log of incident %s does not name %s after it was written", r.ID, x.key)
	}
	if !slices.ContainsFunc(w.messages(r.ID), func(m told) bool { return strings.Contains(m.Body, o.Step.Undo) }) {
		w.breach(ruleUndo, "nobody was told how to undo the deactivation of %s", x.key)
	}
}

// soon is how long after the ring a stolen key may be in use in a clear night: CloudTrail's lag, the settling time, and the looks between.
const soon = 13 * time.Minute

func (w *world) checkLiveness() {
	p := w.plot
	if !w.weather.clear || p.mode != containment.ModeAct || p.kind != "theft" || p.tagsHimself || !w.braked.IsZero() || len(w.alarms) > 1 || len(w.rings) == 0 {
		return
	}
	i := slices.IndexFunc(w.writes, func(x write) bool { return x.key == p.stolen && x.incident != "" })
	switch {
	case i < 0:
		w.breach(ruleContained, "the key %s was never deactivated", p.stolen)
	case w.writes[i].at.Sub(w.rings[0].at) > soon:
		w.breach(ruleContained, "the key %s was deactivated %v after the ring", p.stolen, w.writes[i].at.Sub(w.rings[0].at))
	}
}

func (b breach) String() string { return fmt.Sprintf("%s: %s", b.rule, b.what) }
