package responder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/prose"
	"nightlatch/internal/report"
)

// nextPage is when the next page may go out; zero is at once.
func (w *worker) nextPage() time.Time {
	var last time.Time
	for _, rec := range w.open {
		if at := rec.NotifiedAt(incident.Page); at.After(last) {
			last = at
		}
	}
	if last.IsZero() {
		return last
	}
	return last.Add(incident.PageCooldown)
}

const (
	// doubtedCooldown is the time between two answers to alarms that CloudWatch does not confirm and that ask nothing of anybody: whoever may
	// invoke the function can make up any number. Shorter than such an incident is open.
	doubtedCooldown = 15 * time.Minute
	// fewDoubted are sent at once all the same, each of another alarm.
	fewDoubted = 3
)

// doubted reports whether an incident's answer may wait for others: its alarm is not confirmed, though CloudWatch could be asked, and
// nobody has anything to do.
func doubted(rec *incident.Record) bool {
	return rec.Alarm.Source == alarm.Fired && !rec.Alarm.Confirmed && rec.MetricError == "" && !rec.Stepped()
}

// holdAnswer holds the answer of an incident back that was judged, where that may wait.
func (w *worker) holdAnswer(rec *incident.Record) {
	at := w.nextAnswer(rec)
	for i := range rec.Notified {
		if n := &rec.Notified[i]; n.Kind == incident.Answer && n.Tries == 0 {
			n.NotBefore = at
		}
	}
}

// nextAnswer is when an incident's answer may go out; zero is at once.
func (w *worker) nextAnswer(rec *incident.Record) time.Time {
	if !doubted(rec) {
		return time.Time{}
	}
	var last time.Time
	n, same, since := 0, false, w.Clock.Now().Add(-doubtedCooldown)
	for _, other := range w.sorted() {
		at := other.NotifiedAt(incident.Answer)
		if !at.After(since) || !doubted(other) {
			continue
		}
		n++
		same = same || other.Alarm.ARN == rec.Alarm.ARN
		if at.After(last) {
			last = at
		}
	}
	if !same && n < fewDoubted {
		return time.Time{}
	}
	return last.Add(doubtedCooldown)
}

// notifyAll sends the messages that are due. The pages, which only say that an alarm fired, go out as one; so do the doubted answers.
func (w *worker) notifyAll(ctx context.Context, batch []task) {
	var messages []task
	page, answer := "", "" // the channels to which these go out now
	for _, t := range batch {
		switch n := t.rec.Notified[t.move.Notice]; {
		case n.Kind == incident.Page:
			page = cmp.Or(page, n.Channel)
		case n.Kind == incident.Answer && doubted(t.rec):
			answer = cmp.Or(answer, n.Channel)
		default:
			messages = append(messages, t)
		}
	}
	if page != "" {
		w.asOne(ctx, page, report.Page, func(_ *incident.Record, n incident.Notice) bool { return n.Kind == incident.Page })
	}
	if answer != "" {
		w.asOne(ctx, answer, report.Doubted, func(rec *incident.Record, n incident.Notice) bool { return n.Kind == incident.Answer && doubted(rec) })
	}
	w.each(ctx, messages, func(t task) {
		if w.changed(ctx, t.rec) {
			return
		}
		n := &t.rec.Notified[t.move.Notice]
		if t.rec.NotifiedAgain > 0 || n.Tries > 0 { // it has waited until a channel takes something
			w.stillOpen(ctx, t.rec)
		}
		w.callByName(ctx, t.rec)
		message := report.Write(n.Kind, *t.rec)
		message.ID = messageID(t.rec, n)
		w.noteSent(ctx, t.rec, n, message, w.send(ctx, n.Channel, message))
		w.put(ctx, t.rec)
	})
}

// asOne notifies one channel in one message of all that is due and not delivered to it.
func (w *worker) asOne(ctx context.Context, channel string, write func([]incident.Record) report.Message, due func(*incident.Record, incident.Notice) bool) {
	var recs []*incident.Record
	var all []incident.Record
	of := func(rec *incident.Record) *incident.Notice {
		for i, n := range rec.Notified {
			if due(rec, n) && n.Channel == channel && !n.Settled() {
				return &rec.Notified[i]
			}
		}
		return nil
	}
	for _, rec := range w.sorted() {
		if of(rec) != nil {
			w.callByName(ctx, rec)
			recs, all = append(recs, rec), append(all, *rec)
		}
	}
	message := write(all)
	if len(recs) > 0 {
		message.ID = messageID(recs[0], of(recs[0]))
	}
	err := w.send(ctx, channel, message)
	for _, rec := range recs {
		w.noteSent(ctx, rec, of(rec), message, err)
		w.put(ctx, rec)
	}
}

// messageID is a message's name for who receives it twice: the incident, the kind, and how many of that kind the channel was given before.
func messageID(rec *incident.Record, n *incident.Notice) string {
	count := 1
	for i := range rec.Notified {
		if other := &rec.Notified[i]; other == n {
			break
		} else if other.Kind == n.Kind && other.Channel == n.Channel {
			count++
		}
	}
	return fmt.Sprintf("%s-%s-%d", prose.Safe(rec.ID), n.Kind, count)
}

// callByName gives the account of an incident's deployment its alias. The record keeps it, so that whatever shows the incident later has it too.
func (w *worker) callByName(ctx context.Context, rec *incident.Record) {
	if w.Alias != nil && rec.Place.AccountID != "" && rec.Place.Alias == "" {
		rec.Place.Alias = w.Alias(ctx, w.Log)
	}
}

// errUnknownChannel says that a message waits for a channel of an earlier deployment.
var errUnknownChannel = errors.New("this channel is not configured any more")

// fresh is how long a message may take, its turn and that of others in the channel's place included. An approval that comes meanwhile answers what
// it asks.
const fresh = 150 * time.Second

// send sends a message to a channel, while it is fresh and the lease is held: an invocation that was frozen meanwhile does not know what others did.
func (w *worker) send(ctx context.Context, channel string, message report.Message) error {
	message.Until = w.Clock.Now().Add(fresh)
	if w.until.Before(message.Until) {
		message.Until = w.until
	}
	for _, c := range w.Channels {
		if c.Name() == channel {
			return c.Send(ctx, message)
		}
	}
	return errUnknownChannel
}

// noteSent notes what became of a message.
func (w *worker) noteSent(ctx context.Context, rec *incident.Record, n *incident.Notice, message report.Message, err error) {
	n.At, n.Subject, n.Error = w.Clock.Now(), message.Subject, ""
	n.Tries++
	what := "notified " + prose.Safe(n.Channel)
	if n.Kind != incident.Answer {
		what += ": " + string(n.Kind)
	}
	var elsewhere notify.Elsewhere
	switch {
	case errors.As(err, &elsewhere):
		w.Log.ErrorContext(ctx, "others were notified in a channel's place", "incident", rec.ID, "channel", n.Channel, "message", string(n.Kind), "err", err)
		what = "notified " + prose.List(elsewhere.By) + " in the place of " + strings.TrimPrefix(what, "notified ") + ": " + prose.Safe(elsewhere.Err.Error())
		n.Channel = elsewhere.By[0]
	case err != nil:
		n.Error = prose.Safe(err.Error())
		w.Log.ErrorContext(ctx, "notifying the team failed", "incident", rec.ID, "channel", n.Channel, "message", string(n.Kind), "err", err)
		what = "notifying " + prose.Safe(n.Channel) + " failed: " + n.Error
	}
	rec.Note(n.At, what)
}
