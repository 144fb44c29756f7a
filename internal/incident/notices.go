package incident

import (
	"maps"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/containment"
)

// PageCooldown is how soon after a page the next one goes out: whatever fires in between is in it. A storm of alarms is one theft
// more often than many.
const PageCooldown = time.Minute

// nextNotice is the first message that is due, of those to the hub or of all others, by the move that sends it. A channel that fails does not hold up
// the next one. What reports steps waits for them. The hub gets the last one alone, as each says all, and a late one would take back what a later one
// has said; and one try where a human waits for the incident's close.
func (r Record) nextNotice(do Do, later *soonest) (Move, bool) {
	pending := r.pending()
	for i, n := range r.Notified {
		switch {
		case ForHub(n.Channel) != (do == TellHub), n.Settled(), n.Kind != Page && pending:
		case do == TellHub && (r.Once && n.Tries > 0 || slices.ContainsFunc(r.Notified[i+1:], func(n Notice) bool { return ForHub(n.Channel) })):
		case n.Tries == 0 && later.than(n.NotBefore):
		case n.Tries > 0 && later.than(n.At.Add(5*time.Second<<n.Tries)):
		default:
			return Move{Do: do, Notice: i}, true
		}
	}
	return Move{}, false
}

// Settled reports whether a channel has accepted the message, or was tried often enough.
func (n Notice) Settled() bool { return n.accepted() || n.Tries >= maxTries }

// Unanswered reports whether it is the answer, and no channel was given it yet.
func (n Notice) Unanswered() bool { return n.Kind == Answer && n.Tries == 0 }

func (n Notice) accepted() bool { return n.Tries > 0 && n.Error == "" }

// How the names of channels begin that programs read. Of what a chat's topic takes it is not known whether a chat shows it.
const (
	WebhookChannel = "webhook:"
	EventsChannel  = "events:"
	ChatChannel    = "chat:"
	HubChannel     = "hub:"
)

// ForPeople reports whether people read a channel. That a program has taken a message says of nobody that he has heard.
func ForPeople(channel string) bool {
	return !slices.ContainsFunc([]string{WebhookChannel, EventsChannel, ChatChannel, HubChannel}, func(begins string) bool { return strings.HasPrefix(channel, begins) })
}

// ForHub reports whether a channel is the bus of the security account's hub. Nothing waits for it.
func ForHub(channel string) bool { return strings.HasPrefix(channel, HubChannel) }

// HubUnheard is the last message that the hub was given, where it has not accepted it; nil where it has, and where there is no hub.
func (r Record) HubUnheard() *Notice {
	var last *Notice
	for i, n := range r.Notified {
		if ForHub(n.Channel) && n.Tries > 0 && (last == nil || !n.At.Before(last.At)) {
			last = &r.Notified[i]
		}
	}
	if last == nil || last.Error == "" {
		return nil
	}
	return last
}

// heard reports whether a channel that people read has accepted the message.
func (n Notice) heard() bool { return n.accepted() && ForPeople(n.Channel) }

// Notify puts one message for each channel in line, not before a time; zero is at once. It replaces those that no channel was given yet,
// unless these are louder. Each message says all that there is to say when it is sent, but not how loud it is.
func (r *Record) Notify(kind MessageKind, notBefore time.Time, channels ...string) {
	loud := func(k MessageKind) int { return slices.Index(byLoudness, k) }
	r.Notified = slices.DeleteFunc(r.Notified, func(n Notice) bool { return n.Tries == 0 && loud(n.Kind) <= loud(kind) })
	for _, c := range channels {
		r.Notified = append(r.Notified, Notice{Kind: kind, Channel: c, NotBefore: notBefore})
	}
}

// NotifiedAt is when a channel that people read last accepted a message of these kinds; zero if none has.
func (r Record) NotifiedAt(kinds ...MessageKind) time.Time {
	var last time.Time
	for _, n := range r.Notified {
		if n.heard() && slices.Contains(kinds, n.Kind) && n.At.After(last) {
			last = n.At
		}
	}
	return last
}

// Heard reports whether a channel that people read has accepted any message about it, be it that its alarm fired.
func (r Record) Heard() bool { return slices.ContainsFunc(r.Notified, Notice.heard) }

// Paged reports whether the first message about it is that its alarm fired. What a human asks about, and what no alarm fires for, has none.
func (r Record) Paged() bool { return !r.Once && r.Alarm.CopiedTo == "" }

// Undelivered reports whether no channel that people read has accepted any message that says more than that the alarm fired, though there are channels; or, where
// something is still asked or was done, any since that failed. A merged incident is reported by the one that it is merged into.
func (r Record) Undelivered() bool {
	if len(r.Notified) == 0 || r.MergedInto != "" {
		return false
	}
	var last time.Time
	heard := false
	for _, n := range r.Notified {
		if n.heard() && n.Kind != Page {
			heard = true
			if n.At.After(last) {
				last = n.At
			}
		}
	}
	return !heard || slices.ContainsFunc(r.Outcomes, func(o containment.Outcome) bool { return o.Open() || o.Undo != "" }) &&
		slices.ContainsFunc(r.Notified, func(n Notice) bool {
			return ForPeople(n.Channel) && n.Kind != Page && n.Kind != Closing && n.Error != "" && n.At.After(last) && !r.latestAccepted(n.Kind)
		})
}

// latestAccepted reports whether a channel that people read has accepted the latest message of a kind that it was given.
func (r Record) latestAccepted(kind MessageKind) bool {
	latest := map[string]bool{}
	for _, n := range r.Notified {
		if n.Kind == kind {
			latest[n.Channel] = n.heard()
		}
	}
	return slices.Contains(slices.Collect(maps.Values(latest)), true)
}

// NotifyAgain is an incident that is undelivered, to be notified once more: also where its alarm comes again and finds it closed. Each channel gets the
// first message that it has not accepted since the last one that it has. One is enough: it says all that there is to say when it is sent.
func (r Record) NotifyAgain(now time.Time) Record {
	waits := map[string]int{}
	for i, n := range r.Notified {
		first, waiting := waits[n.Channel]
		switch {
		case n.accepted():
			delete(waits, n.Channel)
		case !waiting || r.Notified[first].Kind == Page:
			waits[n.Channel] = i
		}
	}
	for _, i := range waits {
		r.Notified[i].Tries = 0
	}
	r.Closed = time.Time{}
	r.Note(now, "delivered to nobody: notifying again")
	return r
}

// NotifyLater puts what was not delivered in line once more, after a wait that grows, where the incident would be closed and there is a later run. It
// reports false where it was delivered, or where that was done often enough.
func (r *Record) NotifyLater(now time.Time) bool {
	if !r.Undelivered() || r.NotifiedAgain >= maxAgain {
		return false
	}
	*r = r.NotifyAgain(now)
	for i, n := range r.Notified {
		if n.Tries == 0 {
			r.Notified[i].NotBefore = now.Add(5 * time.Minute << r.NotifiedAgain)
		}
	}
	r.NotifiedAgain++
	return true
}
