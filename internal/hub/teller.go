package hub

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"nightlatch/internal/clock"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/prose"
)

// Store keeps the one record.
type Store interface {
	// Load returns the stored record; the zero Record where there is none.
	Load(context.Context) (Record, error)
	// Put stores a record whose Version is one more than the stored one's; otherwise incident.ErrConflict. After any other error it may be stored.
	Put(context.Context, Record) error
}

// Teller tells the hub's team.
type Teller struct {
	Store Store
	// Team are the team's channels, and Watchers those that hear where none of them takes a message, and of what may keep the hub from hearing.
	Team, Watchers []notify.Channel
	// Accounts are those that may send.
	Accounts []string
	// Here is the hub's place.
	Here  incident.Place
	Clock clock.Clock
	Log   *slog.Logger
}

const (
	// Unstored is how long a run lasts at least that told something and could not store it: with two runs at a time, that is one message a second.
	Unstored = 2 * time.Second
	// pause of a run whose table does not answer, before it is noted what was told.
	again = 10 * time.Second
)

// Handle takes a batch of messages of the queue. What is to come again, by its place in the batch, are events that cannot be read, which so end among
// the failed events, and ticks where nobody took a message, so that the alarm on failed events fires. All else is stored or told.
func (t Teller) Handle(ctx context.Context, bodies []string) (failed []int, err error) {
	var events []event
	var ticks []int
	for i, b := range bodies {
		e := read(b, t.Accounts)
		events = append(events, e)
		if e.unread {
			failed = append(failed, i)
			t.Log.ErrorContext(ctx, "an event cannot be read", "account", e.account, "event", e.id)
		}
		if e.tick {
			ticks = append(ticks, i)
		}
	}
	r, err := t.store(ctx, func(r Record) Record { return r.next(events, t.Clock.Now()) })
	if err != nil {
		return failed, t.unstored(ctx, events, err)
	}
	c := r.claimed(r.Version)
	if c.empty() {
		return failed, nil
	}
	if err := t.tell(ctx, c); err != nil {
		t.Log.ErrorContext(ctx, "the team was not told; a later run tries again", "err", err)
		if len(ticks) == len(bodies) {
			return nil, err // so that the alarm on errors fires
		}
		return append(failed, ticks...), nil // the others are stored
	}
	version := r.Version
	for {
		_, err := t.store(ctx, func(r Record) Record { return r.sent(version, t.Clock.Now()) })
		if err == nil {
			return failed, nil
		}
		if !t.later(ctx) {
			t.Log.ErrorContext(ctx, "what was told could not be noted, and will be told again", "err", err)
			return failed, nil
		}
	}
}

// store changes the stored record.
func (t Teller) store(ctx context.Context, change func(Record) Record) (Record, error) {
	return incident.Change(ctx, t.Store.Load, t.Store.Put, change)
}

// unstored tells all of a batch at once, an alarm without an answer too: to be heard comes first. Then it waits, which bounds the messages.
func (t Teller) unstored(ctx context.Context, events []event, cause error) error {
	now := t.Clock.Now()
	t.Log.ErrorContext(ctx, "what is to be told could not be stored, so it is told at once", "err", cause)
	r := Record{}.next(events, now)
	for i := range r.Threads {
		r.Threads[i].claim(r.Version, now)
	}
	c := r.claimed(r.Version)
	if c.empty() {
		return nil
	}
	if err := t.tell(ctx, c); err != nil {
		return errors.Join(err, cause)
	}
	return t.Clock.Wait(ctx, now.Add(Unstored))
}

// later waits before it is tried once more to note what was told. It reports false where the run ends before.
func (t Teller) later(ctx context.Context) bool {
	at := t.Clock.Now().Add(again)
	if until, ok := ctx.Deadline(); !ok || at.After(until.Add(-2*again)) {
		return false
	}
	return t.Clock.Wait(ctx, at) == nil
}

// tell sends one message: to the team, and where none of its channels takes it, or it is about hearing, to the watchers too. It fails where nobody
// took it.
func (t Teller) tell(ctx context.Context, c claimed) error {
	m := message(c, t.Here)
	err := notify.All(ctx, t.Team, m, t.Log)
	if err == nil && !c.hearing() {
		return nil
	}
	if err != nil {
		m.Body += "The team's topic took no message: " + prose.Safe(err.Error()) + "\n"
	}
	if failed := notify.All(ctx, t.Watchers, m, t.Log); err != nil && failed != nil {
		return errors.Join(err, failed)
	}
	return nil
}
