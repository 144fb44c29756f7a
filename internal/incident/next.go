package incident

import (
	"fmt"
	"slices"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
)

// Do is the kind of effect that comes next.
type Do string

// The moves, the most urgent first: of several incidents the one with the first of these is advanced first.
const (
	Act        Do = "act"         // do the first intended step
	Verify     Do = "verify"      // read a step of unknown outcome back
	Judge      Do = "judge"       // find the targets, ask the policy
	ReadMetric Do = "read-metric" // read the metric again
	Enrich     Do = "enrich"      // find what no decision needs and the report should say
	Tell       Do = "tell"        // tell the team
	LookUp     Do = "look"        // ask the trail
	Follow     Do = "follow-up"   // look again after the verdict
	Remind     Do = "remind"      // repeat what is asked, or escalate it
	Close      Do = "close"       // nothing is left to do: write that down
	Wait       Do = "wait"        // nothing before Move.At
	Nothing    Do = "nothing"     // closed
)

// Urgency lists the moves that have an effect, the most urgent first.
func Urgency() []Do {
	return []Do{Act, Verify, Judge, ReadMetric, Enrich, Tell, LookUp, Follow, Remind, Close}
}

// Move is what to do now, or when to look again.
type Move struct {
	Do Do
	// At is until when to wait; set for Wait.
	At time.Time
	// Outcome is the index of the outcome that Act and Verify are about, Notice the one that Tell is about.
	Outcome, Notice int
}

// Patience is how long after the incident was opened the search goes on before it is judged on what there is.
const Patience = 12 * time.Minute

// PageCooldown is how soon after a page the next one goes out: whatever fires in between is in it. A storm of alarms is one theft
// more often than many.
const PageCooldown = time.Minute

// explainedTooMuch is the part from which on CloudTrail and the metric contradict each other.
const explainedTooMuch = 1.1

// Limits on what is tried again.
const (
	maxVerify = 6 // with doubling waits from two seconds on: about a minute
	// MaxThrottled is how often a write is tried that AWS refuses only for now, with the same waits: about two minutes.
	MaxThrottled = 7
	maxTell      = 5
	// maxAgain is how often all of maxTell is done again where nobody has heard, after doubling waits from five minutes on: some ten hours.
	maxAgain  = 7
	maxMetric = 4
	// MaxHistory is how often the history is asked for: a question over two weeks may need more than the time of one look.
	MaxHistory = 3
)

// waits are the pauses between two looks, growing: CloudTrail is about five minutes behind, and each look is billed.
var waits = []time.Duration{30 * time.Second, 45 * time.Second, time.Minute, 90 * time.Second, 2 * time.Minute}

// followUps are when it is looked at again after the verdict. AWS's playbook watches a stolen key for 30 minutes:
// https://github.com/aws-samples/aws-customer-playbook-framework
var followUps = []time.Duration{0, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute}

// reminders are when an open ask is repeated; at the last one it is escalated.
var reminders = []time.Duration{5 * time.Minute, 10 * time.Minute, 15 * time.Minute}

// Next says what comes next, from the record and the time alone.
func (r Record) Next(now time.Time) Move {
	if !r.Closed.IsZero() {
		return Move{Do: Nothing}
	}
	if r.MetricRead == 0 {
		return Move{Do: ReadMetric}
	}
	later := soonest{now: now}
	if m, ok := r.nextStep(&later); ok {
		return m
	}
	settled := r.settled()
	if settled && r.unjudged() && !slices.ContainsFunc(r.Outcomes, intended) { // what was decided is done first
		return Move{Do: Judge}
	}
	if r.enrichDue() {
		return Move{Do: Enrich}
	}
	if m, ok := r.nextTelling(&later); ok {
		return m
	}
	judged := !r.Judged.IsZero()
	if !settled && !(judged && r.Once) && !later.than(r.nextLook()) {
		return Move{Do: LookUp}
	}
	if judged && !r.Once && !r.pending() { // before a step is seen done, it cannot be seen undone
		if m, ok := r.nextFollowUp(&later); ok {
			return m
		}
	}
	if !later.at.IsZero() {
		return Move{Do: Wait, At: later.at}
	}
	return Move{Do: Close}
}

// soonest is the first of several times that are yet to come.
type soonest struct{ now, at time.Time }

// than reports whether a time is yet to come, and keeps it in mind.
func (s *soonest) than(at time.Time) bool {
	if !s.now.Before(at) {
		return false
	}
	if s.at.IsZero() || at.Before(s.at) {
		s.at = at
	}
	return true
}

func (r Record) nextStep(later *soonest) (Move, bool) {
	for i, o := range r.Outcomes {
		if intended(o) && (o.Throttled == 0 || !later.than(o.At.Add(time.Second<<o.Throttled))) {
			return Move{Do: Act, Outcome: i}, true
		}
	}
	for i, o := range r.Outcomes {
		if verifiable(o) && !later.than(o.At.Add(2*time.Second<<o.Attempts>>1)) {
			return Move{Do: Verify, Outcome: i}, true
		}
	}
	return Move{}, false
}

func intended(o containment.Outcome) bool { return o.State == containment.Intended }

// Stepped reports whether anything was done or asked: then the team hears how it ended.
func (r Record) Stepped() bool {
	return slices.ContainsFunc(r.Outcomes, func(o containment.Outcome) bool { return o.State != containment.Skipped })
}

// verifiable reports whether reading the step back again may still tell what became of it.
func verifiable(o containment.Outcome) bool {
	return o.State == containment.Unknown && o.Attempts < maxVerify
}

// enrichDue reports whether what no decision needs is to be looked up now: who tagged what is protected.
func (r Record) enrichDue() bool {
	return !r.Judged.IsZero() && !r.Enriched && !r.pending() && slices.ContainsFunc(r.Verdicts, func(v Verdict) bool { return v.Protected != "" })
}

// pending reports whether a step is still to be done, or to be read back.
func (r Record) pending() bool {
	return slices.ContainsFunc(r.Outcomes, func(o containment.Outcome) bool { return intended(o) || verifiable(o) })
}

// nextTelling is the first message that is due. A channel that fails does not keep the next one from being told; what tells of
// steps waits for them.
func (r Record) nextTelling(later *soonest) (Move, bool) {
	pending := r.pending()
	for i, n := range r.Notified {
		switch {
		case n.Settled(), n.Kind != Page && pending:
		case n.Tries == 0 && later.than(n.NotBefore):
		case n.Tries > 0 && later.than(n.At.Add(5*time.Second<<n.Tries)):
		default:
			return Move{Do: Tell, Notice: i}, true
		}
	}
	return Move{}, false
}

// Settled reports whether a channel has accepted the message, or was tried often enough.
func (n Notice) Settled() bool { return n.accepted() || n.Tries >= maxTell }

func (n Notice) accepted() bool { return n.Tries > 0 && n.Error == "" }

// nextFollowUp is what is due after the verdict: another look into the trail where it was not complete; what is asked, again; then whether
// it holds and has stopped, at the last of which it is closed.
func (r Record) nextFollowUp(later *soonest) (Move, bool) {
	at, ok := r.FollowUpDue()
	follow := ok && !later.than(at)
	if n := len(r.Looks); follow && !r.Evidence.Complete && n > 0 && r.Looks[n-1].At.Before(at) {
		return Move{Do: LookUp}, true
	}
	if at, ok := r.reminderDue(); ok && !later.than(at) {
		return Move{Do: Remind}, true
	}
	return Move{Do: Follow}, follow
}

// FollowUpDue is when it is looked at again; false where that was done often enough. The count begins anew with each step that is
// done. Where none was, there is nothing to look at at once. A look that comes late stands for all that were due by then.
func (r Record) FollowUpDue() (time.Time, bool) {
	since, offsets := r.Judged, followUps[1:]
	for _, o := range r.Outcomes {
		if o.Watched() {
			offsets = followUps
			if o.At.After(since) {
				since = o.At
			}
		}
	}
	done := 0
	if n := len(r.FollowUps); n > 0 {
		done = passed(offsets, r.FollowUps[n-1].At.Sub(since))
	}
	if done >= len(offsets) {
		return time.Time{}, false
	}
	return since.Add(offsets[done]), true
}

// passed is how many of the offsets, which grow, have passed after so long.
func passed(offsets []time.Duration, after time.Duration) int {
	n := 0
	for n < len(offsets) && offsets[n] <= after {
		n++
	}
	return n
}

// reminderDue is when what waits for a human is repeated; false where there are none, or a human was called in already.
func (r Record) reminderDue() (time.Time, bool) {
	asked := r.asked()
	if asked.IsZero() || r.Folded != "" || r.Reminded >= len(reminders) {
		return time.Time{}, false
	}
	return asked.Add(reminders[r.Reminded]), true
}

// asked is since when something waits for a human: since he was told of the last such step, or, where nobody heard, since it does. Zero
// where nothing waits.
func (r Record) asked() time.Time {
	var asked, told time.Time
	for _, o := range r.Outcomes {
		if o.Open() && o.At.After(asked) {
			asked = o.At
		}
	}
	for _, n := range r.Notified {
		if n.accepted() && n.Kind != Page && n.Kind != Reminder && !n.At.Before(asked) && (told.IsZero() || n.At.Before(told)) {
			told = n.At
		}
	}
	if asked.IsZero() || told.IsZero() {
		return asked
	}
	return told
}

// Remind counts the reminder that is due, and with it those that were missed, and reports whether it is the last: then it is escalated.
func (r *Record) Remind(now time.Time) (last bool) {
	r.Reminded = max(r.Reminded+1, passed(reminders, now.Sub(r.asked())))
	return r.Reminded >= len(reminders)
}

// Tell puts one message for each channel in line, not before a time; zero is at once. It takes the place of those that no channel was
// given yet, unless these are louder: each message says all that there is to say when it is sent, but not how loud it is.
func (r *Record) Tell(kind Telling, notBefore time.Time, channels ...string) {
	loud := func(k Telling) int { return slices.Index(tellings, k) }
	r.Notified = slices.DeleteFunc(r.Notified, func(n Notice) bool { return n.Tries == 0 && loud(n.Kind) <= loud(kind) })
	for _, c := range channels {
		r.Notified = append(r.Notified, Notice{Kind: kind, Channel: c, NotBefore: notBefore})
	}
}

// Told is when a channel accepted a message of these kinds last; zero if none has.
func (r Record) Told(kinds ...Telling) time.Time {
	var last time.Time
	for _, n := range r.Notified {
		if n.accepted() && slices.Contains(kinds, n.Kind) && n.At.After(last) {
			last = n.At
		}
	}
	return last
}

// unjudged reports whether the evidence there is was not judged yet.
func (r Record) unjudged() bool { return r.Judged.IsZero() || !r.Once && r.Basis() != r.JudgedOn }

// Basis is what a verdict stands on, in short: two that are equal cannot lead to two verdicts.
func (r Record) Basis() string {
	return fmt.Sprintf("%.16s complete=%t confirmed=%t history=%t", r.Digest(), r.Evidence.Complete, r.Alarm.Confirmed, r.Evidence.HistoryDays != nil)
}

// Digest is the digest of the last answer; "" where there is none.
func (r Record) Digest() string {
	for _, l := range slices.Backward(r.Looks) {
		if l.Digest != "" {
			return l.Digest
		}
	}
	return ""
}

// settled reports whether looking again can change nothing that matters: it is enough for the policy, or the last look was the last
// that there is time for, or there is no bucket to ask about; or the evidence is complete, the metric and the history need not be
// asked again, and either most of the bytes are explained or no bytes are confirmed that could be.
func (r Record) settled() bool {
	e := r.Evidence
	last := len(r.Looks) > 0 && !r.Looks[len(r.Looks)-1].At.Before(r.Deadline)
	if r.Enough || last || len(r.Alarm.Buckets) == 0 {
		return true
	}
	claimed := r.Alarm.Source == alarm.Rang && r.Alarm.Confirmed
	return e.Complete && !r.MetricDue() && !r.HistoryDue() && (e.Explains() || !claimed)
}

// nextLook is when the trail is asked again: after growing waits while the bytes are not explained; once they are, when the
// settling time is over, and for an equal look soon after that.
func (r Record) nextLook() time.Time {
	if len(r.Looks) == 0 {
		return r.Opened
	}
	last := r.Looks[len(r.Looks)-1].At
	settles := r.Alarm.To.Add(evidence.Settling)
	at := last.Add(waits[min(len(r.Looks), len(waits))-1])
	switch {
	case r.Evidence.Explains():
		if at = last.Add(waits[0]); at.Before(settles) {
			at = settles
		}
	case last.Before(settles) && at.After(settles):
		at = settles
	}
	if last.Before(r.Deadline) && at.After(r.Deadline) {
		at = r.Deadline
	}
	return at
}

// MetricDue reports whether a look should read the metric again first: it could not be read, or does not confirm yet, or CloudTrail
// shows more than it does. Request metrics come late.
func (r Record) MetricDue() bool {
	conflict := r.Evidence.Explained != nil && *r.Evidence.Explained > explainedTooMuch
	return (!r.Alarm.Confirmed || conflict) && r.MetricRead < maxMetric
}

// HistoryDue reports whether a look should ask for the history: it is not known for this window. A question that went over the budget
// or has failed again and again is not asked again: each time is billed.
func (r Record) HistoryDue() bool {
	return (r.History == nil || !r.History.Before.Equal(r.Alarm.From)) && r.HistoryAsked < MaxHistory
}

// Complete reports whether the last answer makes the evidence complete: the settling time is over, and the answer before it was
// the same for the same window. A newest-event watermark would prove nothing: events arrive in no order. A look that failed neither
// adds to it nor takes anything away.
func (r Record) Complete() bool {
	answered := slices.DeleteFunc(slices.Clone(r.Looks), func(l Look) bool { return l.Digest == "" })
	n := len(answered)
	if n < 2 {
		return false
	}
	sameWindow := func(x, y Look) bool { return x.From.Equal(y.From) && x.To.Equal(y.To) }
	last, before := answered[n-1], answered[n-2]
	return !last.At.Before(last.To.Add(evidence.Settling)) && last.Digest == before.Digest && sameWindow(last, before) &&
		sameWindow(last, r.Looks[len(r.Looks)-1])
}

// Unheard reports whether no channel has accepted any message that says more than that it rang, though there are channels.
// A folded incident is told of by the one that it is folded into.
func (r Record) Unheard() bool {
	for _, n := range r.Notified {
		if n.accepted() && n.Kind != Page {
			return false
		}
	}
	return len(r.Notified) > 0 && r.Folded == ""
}

// TellAgain is an incident that nobody heard, to be told once more: also where a later delivery of its ring finds it closed.
func (r Record) TellAgain(now time.Time) Record {
	for i := range r.Notified {
		if !r.Notified[i].accepted() {
			r.Notified[i].Tries = 0
		}
	}
	r.Closed = time.Time{}
	r.Note(now, "nobody has heard: telling again")
	return r
}

// TellLater puts what nobody has heard in line once more, where the incident would be closed: after a wait that grows. It reports false
// where somebody has heard, nobody comes again, or that was done often enough.
func (r *Record) TellLater(now time.Time) bool {
	if r.Once || !r.Unheard() || r.ToldAgain >= maxAgain {
		return false
	}
	*r = r.TellAgain(now)
	for i, n := range r.Notified {
		if !n.accepted() {
			r.Notified[i].NotBefore = now.Add(5 * time.Minute << r.ToldAgain)
		}
	}
	r.ToldAgain++
	return true
}
