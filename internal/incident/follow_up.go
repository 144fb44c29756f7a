package incident

import (
	"time"
)

// followUps are when it is checked again after the verdict. AWS's playbook watches a stolen key for 30 minutes:
// https://github.com/aws-samples/aws-customer-playbook-framework
var followUps = []time.Duration{0, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute}

// reminders are when an open ask is repeated; at the last one it is escalated.
var reminders = []time.Duration{5 * time.Minute, 10 * time.Minute, 15 * time.Minute}

// nextFollowUp is what is due after the verdict. It is another query round where the trail may show more; then a reminder of what is
// asked; then a check whether it holds and has stopped. The last check closes the incident.
func (r Record) nextFollowUp(later *soonest) (Move, bool) {
	at, ok := r.FollowUpDue()
	follow := ok && !later.than(at)
	if n := len(r.Rounds); follow && !r.exhausted() && n > 0 && r.Rounds[n-1].At.Before(at) {
		return Move{Do: Query}, true
	}
	if at, ok := r.reminderDue(); ok && !later.than(at) {
		return Move{Do: Remind}, true
	}
	return Move{Do: Follow}, follow
}

// FollowUpDue is when the next follow-up is; false where there were enough. The count begins anew with each step that is done. Where none
// was, there is nothing to check at once. A follow-up that comes late stands for all that were due by then.
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
	if asked.IsZero() || r.MergedInto != "" || r.Reminded >= len(reminders) {
		return time.Time{}, false
	}
	return asked.Add(reminders[r.Reminded]), true
}

// asked is since when something waits for a human: since he was notified of the last such step, or since it waits, where nothing was
// delivered. Zero where nothing waits.
func (r Record) asked() time.Time {
	var asked, notified time.Time
	for _, o := range r.Outcomes {
		if o.Open() && o.At.After(asked) {
			asked = o.At
		}
	}
	if r.Unsolved() != "" && r.Judged.After(asked) {
		asked = r.Judged
	}
	for _, n := range r.Notified {
		if n.heard() && n.Kind != Page && n.Kind != Reminder && !n.At.Before(asked) && (notified.IsZero() || n.At.Before(notified)) {
			notified = n.At
		}
	}
	if asked.IsZero() || notified.IsZero() {
		return asked
	}
	return notified
}

// Remind counts the reminder that is due, and with it those that were missed, and reports whether it is the last: then it is escalated.
func (r *Record) Remind(now time.Time) (last bool) {
	r.Reminded = max(r.Reminded+1, passed(reminders, now.Sub(r.asked())))
	return r.Reminded >= len(reminders)
}
