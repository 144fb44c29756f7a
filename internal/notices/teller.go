package notices

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"nightlatch/internal/clock"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/prose"
)

// Store keeps the one state.
type Store interface {
	// Load returns the stored state; the zero State where there is none.
	Load(context.Context) (State, error)
	// Put stores a state whose Version is one more than the stored one's; otherwise incident.ErrConflict. After any other error the state may be
	// stored.
	Put(context.Context, State) error
}

// Teller tells the team.
type Teller struct {
	Store Store
	// Team is the team's channel, and Watchers are the others, which hear where the team's cannot be notified, and of what may keep it from hearing.
	Team     notify.Channel
	Watchers []notify.Channel
	// Watched are the watched buckets; nil is every bucket.
	Watched []string
	// Suspects returns the keys and ARNs of the actors of open incidents.
	Suspects func(context.Context) ([]string, error)
	Place    incident.Place
	Alias    func(context.Context, *slog.Logger) string
	Clock    clock.Clock
	Log      *slog.Logger
}

// Unstored is how long a run lasts at least that told something and could not store it: with two runs at a time, that is one message a second.
const Unstored = 2 * time.Second

// pause is how long a run waits for a table that does not answer.
const pause = 10 * time.Second

// Handle takes a batch of messages of the queue. Where it returns no error, each of them is told or stored to be told, and is not needed again. What
// is to come again, by its place in the batch, are ticks alone, where nobody took a message: they end among the failed events, of which an alarm
// tells.
func (t Teller) Handle(ctx context.Context, bodies []string) (again []int, err error) {
	var events []Event
	var ticks []int
	for i, b := range bodies {
		e := Read(b)
		if events = append(events, e); e.Rule == Tick {
			ticks = append(ticks, i)
		}
	}
	suspects := t.suspects(ctx, events)
	next := func(s State) State { return s.Next(events, t.Watched, suspects, t.Clock.Now()) }
	s, err := t.store(ctx, next)
	for err != nil {
		told := t.unstored(ctx, events, err)
		if told == nil || !t.later(ctx) {
			return nil, told
		}
		s, err = t.store(ctx, next)
	}
	claimed := s.Claimed(s.Version)
	if len(claimed) == 0 {
		return nil, nil
	}
	if err := t.tell(ctx, claimed); err != nil {
		t.Log.ErrorContext(ctx, "the team was not told; a later run tries again", "err", err)
		if len(ticks) == len(bodies) {
			return nil, err // so that the alarm on errors fires
		}
		return ticks, nil // the others are stored, and would be counted twice
	}
	version := s.Version
	for {
		_, err := t.store(ctx, func(s State) State { return s.Sent(version) })
		if err == nil {
			return nil, nil
		}
		if !t.later(ctx) {
			t.Log.ErrorContext(ctx, "what was told could not be noted, and will be told again", "err", err)
			return nil, nil
		}
	}
}

// store changes the stored state.
func (t Teller) store(ctx context.Context, change func(State) State) (State, error) {
	return incident.Change(ctx, t.Store.Load, t.Store.Put, change)
}

// unstored tells all of a batch at once, refused calls too: to be heard comes first. Then it waits, which bounds the messages.
func (t Teller) unstored(ctx context.Context, events []Event, cause error) error {
	now := t.Clock.Now()
	t.Log.ErrorContext(ctx, "what is to be told could not be stored, so it is told at once", "err", cause)
	var all []Tally
	s := State{}.Next(events, t.Watched, nil, now)
	for _, tally := range slices.Concat(s.Claimed(s.Version), s.Tallies) {
		if tally.Count > 0 {
			all = append(all, tally)
		}
	}
	if len(all) == 0 {
		return nil
	}
	if err := t.tell(ctx, all); err != nil {
		return err
	}
	return t.Clock.Wait(ctx, now.Add(Unstored))
}

// later waits before the table is tried again: what could be neither stored nor told, the heartbeat does not know of, and what could not be noted as told
// is told again. It reports false where the run ends before.
func (t Teller) later(ctx context.Context) bool {
	at := t.Clock.Now().Add(pause)
	if until, ok := ctx.Deadline(); !ok || at.After(until.Add(-2*pause)) {
		return false
	}
	return t.Clock.Wait(ctx, at) == nil
}

// suspects are asked for only where a call was refused, which alone depends on them.
func (t Teller) suspects(ctx context.Context, events []Event) []string {
	if t.Suspects == nil || !slices.ContainsFunc(events, func(e Event) bool { return e.Error != "" }) {
		return nil
	}
	all, err := t.Suspects(ctx)
	if err != nil {
		t.Log.ErrorContext(ctx, "the open incidents could not be read, so refused calls of their actors are told once a day", "err", err)
	}
	return all
}

// tell sends one message: to the team, and where that fails, or it is about hearing, to the others too. It fails where nobody took it.
func (t Teller) tell(ctx context.Context, all []Tally) error {
	place := t.Place
	if t.Alias != nil {
		place.Alias = t.Alias(ctx, t.Log)
	}
	m, hearing := Message(all, place)
	err := t.Team.Send(ctx, m)
	if err == nil && !hearing {
		return nil
	}
	failed := []error{err}
	if err != nil {
		t.Log.ErrorContext(ctx, "the team's topic took no message; the watchers are told", "err", err)
		m.Body += "The team's topic took no message: " + prose.Safe(err.Error()) + "\n"
	}
	heard := err == nil
	for _, w := range t.Watchers {
		if err := w.Send(ctx, m); err != nil {
			t.Log.ErrorContext(ctx, "a watcher took no message", "channel", w.Name(), "err", err)
			failed = append(failed, err)
			continue
		}
		heard = true
	}
	if heard {
		return nil
	}
	return errors.Join(failed...)
}
