package responder

import (
	"context"
	"errors"
	"time"

	"nightlatch/internal/incident"
	"nightlatch/internal/report"
)

// pageCooldown is how soon after a page the next one goes out: whatever rings in between is in it. A storm of alarms is one theft
// more often than many.
const pageCooldown = time.Minute

// nextPage is when the next page may go out; zero is at once.
func (d *desk) nextPage() time.Time {
	var last time.Time
	for _, rec := range d.open {
		if told := rec.Told(incident.Page); told.After(last) {
			last = told
		}
	}
	if last.IsZero() {
		return last
	}
	return last.Add(pageCooldown)
}

// tellAll sends the messages that are due. Those that only say that something rang go out as one.
func (d *desk) tellAll(ctx context.Context, batch []task) {
	var messages []task
	channel := "" // of the page that goes out now
	for _, t := range batch {
		switch n := t.rec.Notified[t.move.Notice]; {
		case n.Kind != incident.Page:
			messages = append(messages, t)
		case channel == "":
			channel = n.Channel
		}
	}
	if channel != "" {
		d.page(ctx, channel)
	}
	d.each(ctx, messages, func(t task) {
		n := &t.rec.Notified[t.move.Notice]
		message := report.Tell(n.Kind, *t.rec)
		d.told(ctx, t.rec, n, message, d.send(ctx, n.Channel, message))
		d.put(ctx, t.rec)
	})
}

// page tells one channel of everything that rang and of which it has not heard.
func (d *desk) page(ctx context.Context, channel string) {
	var recs []*incident.Record
	var rang []incident.Record
	of := func(rec *incident.Record) *incident.Notice {
		for i, n := range rec.Notified {
			if n.Kind == incident.Page && n.Channel == channel && !n.Settled() {
				return &rec.Notified[i]
			}
		}
		return nil
	}
	for _, rec := range d.sorted() {
		if of(rec) != nil {
			recs, rang = append(recs, rec), append(rang, *rec)
		}
	}
	message := report.Page(rang)
	err := d.send(ctx, channel, message)
	for _, rec := range recs {
		d.told(ctx, rec, of(rec), message, err)
		d.put(ctx, rec)
	}
}

// errUnknownChannel says that a message waits for a channel of an earlier deployment.
var errUnknownChannel = errors.New("this channel is not configured any more")

// send sends a message to a channel.
func (r *Responder) send(ctx context.Context, channel string, message report.Message) error {
	for _, c := range r.Channels {
		if c.Name() == channel {
			return c.Send(ctx, message)
		}
	}
	return errUnknownChannel
}

// told writes down what became of a message.
func (r *Responder) told(ctx context.Context, rec *incident.Record, n *incident.Notice, message report.Message, err error) {
	n.At, n.Subject, n.Error = r.Clock.Now(), message.Subject, ""
	n.Tries++
	what := "told " + report.Safe(n.Channel)
	if n.Kind != incident.Answer {
		what += ": " + string(n.Kind)
	}
	if err != nil {
		n.Error = report.Safe(err.Error())
		r.Log.ErrorContext(ctx, "telling the team failed", "incident", rec.ID, "channel", n.Channel, "message", string(n.Kind), "err", err)
		what = "telling " + report.Safe(n.Channel) + " failed: " + n.Error
	}
	rec.Note(n.At, what)
}
