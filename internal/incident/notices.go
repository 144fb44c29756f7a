package incident

import (
	"slices"
	"time"
)

// PageCooldown is how soon after a page the next one goes out: whatever fires in between is in it. A storm of alarms is one theft
// more often than many.
const PageCooldown = time.Minute

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
			return Move{Do: Notify, Notice: i}, true
		}
	}
	return Move{}, false
}

// Settled reports whether a channel has accepted the message, or was tried often enough.
func (n Notice) Settled() bool { return n.accepted() || n.Tries >= maxTell }

func (n Notice) accepted() bool { return n.Tries > 0 && n.Error == "" }

// Notify puts one message for each channel in line, not before a time; zero is at once. It takes the place of those that no channel was
// given yet, unless these are louder: each message says all that there is to say when it is sent, but not how loud it is.
func (r *Record) Notify(kind MessageKind, notBefore time.Time, channels ...string) {
	loud := func(k MessageKind) int { return slices.Index(tellings, k) }
	r.Notified = slices.DeleteFunc(r.Notified, func(n Notice) bool { return n.Tries == 0 && loud(n.Kind) <= loud(kind) })
	for _, c := range channels {
		r.Notified = append(r.Notified, Notice{Kind: kind, Channel: c, NotBefore: notBefore})
	}
}

// Told is when a channel accepted a message of these kinds last; zero if none has.
func (r Record) NotifiedAt(kinds ...MessageKind) time.Time {
	var last time.Time
	for _, n := range r.Notified {
		if n.accepted() && slices.Contains(kinds, n.Kind) && n.At.After(last) {
			last = n.At
		}
	}
	return last
}

// Undelivered reports whether no channel has accepted any message that says more than that it rang, though there are channels.
// A folded incident is told of by the one that it is folded into.
func (r Record) Undelivered() bool {
	for _, n := range r.Notified {
		if n.accepted() && n.Kind != Page {
			return false
		}
	}
	return len(r.Notified) > 0 && r.MergedInto == ""
}

// NotifyAgain is an incident that nobody heard, to be told once more: also where a later delivery of its ring finds it closed.
func (r Record) NotifyAgain(now time.Time) Record {
	for i := range r.Notified {
		if !r.Notified[i].accepted() {
			r.Notified[i].Tries = 0
		}
	}
	r.Closed = time.Time{}
	r.Note(now, "delivered to nobody: notifying again")
	return r
}

// NotifyLater puts what nobody has heard in line once more, where the incident would be closed: after a wait that grows. It reports false
// where somebody has heard, nobody comes again, or that was done often enough.
func (r *Record) NotifyLater(now time.Time) bool {
	if r.Once || !r.Undelivered() || r.NotifiedAgain >= maxAgain {
		return false
	}
	*r = r.NotifyAgain(now)
	for i, n := range r.Notified {
		if !n.accepted() {
			r.Notified[i].NotBefore = now.Add(5 * time.Minute << r.NotifiedAgain)
		}
	}
	r.NotifiedAgain++
	return true
}
