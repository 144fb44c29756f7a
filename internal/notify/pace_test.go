package notify

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/report"
)

// channel keeps what it is sent.
type channel struct {
	sent []report.Message
	err  error
}

func (*channel) Name() string { return "sns:a" }

func (c *channel) Send(_ context.Context, m report.Message) error {
	c.sent = append(c.sent, m)
	return c.err
}

// timer is a clock that skips.
type timer struct{ now time.Time }

func (t *timer) Now() time.Time { return t.now }

func (t *timer) Wait(ctx context.Context, until time.Time) error {
	t.now = until
	return ctx.Err()
}

type turns func(channel string, now time.Time) (time.Time, error)

func (f turns) Turn(_ context.Context, channel string, now time.Time) (time.Time, error) {
	return f(channel, now)
}

func TestAMessageWaitsForItsTurnAndIsSentWithoutOne(t *testing.T) {
	start := time.Date(2026, 3, 4, 0, 3, 41, 0, time.UTC)
	refused := errors.New("no table")
	for name, c := range map[string]struct {
		turn   time.Duration
		err    error
		waited time.Duration
		says   string
	}{
		"at once":                     {0, nil, 0, ""},
		"in its turn":                 {7 * time.Second, nil, 7 * time.Second, ""},
		"without a table":             {0, refused, 0, "no table"},
		"no turn of ours is so late":  {24 * time.Hour, nil, 0, "too far away"},
		"a turn that is a minute off": {time.Minute, nil, time.Minute, ""},
	} {
		t.Run(name, func(t *testing.T) {
			to, now, log := &channel{}, &timer{start}, &bytes.Buffer{}
			all := Paced([]Channel{to}, turns(func(channel string, at time.Time) (time.Time, error) {
				if channel != "sns:a" || !at.Equal(start) {
					t.Errorf("a turn is taken for %s at %s", channel, at)
				}
				return at.Add(c.turn), c.err
			}), now, slog.New(slog.NewTextHandler(log, nil)))
			if err := all[0].Send(t.Context(), report.Message{Subject: "s"}); err != nil || len(to.sent) != 1 || all[0].Name() != "sns:a" {
				t.Errorf("got %v, and %d messages", err, len(to.sent))
			}
			if waited := now.now.Sub(start); waited != c.waited {
				t.Errorf("waited %s, want %s", waited, c.waited)
			}
			if (c.says == "") != (log.Len() == 0) || !strings.Contains(log.String(), c.says) {
				t.Errorf("the log says %q, want %q", log, c.says)
			}
		})
	}
	// Whose time is over sends nothing, and says so.
	over, cancel := context.WithCancel(t.Context())
	cancel()
	to := &channel{err: refused}
	all := Paced([]Channel{to}, turns(func(_ string, at time.Time) (time.Time, error) { return at.Add(time.Second), nil }), &timer{start}, slog.New(slog.DiscardHandler))
	if err := all[0].Send(over, report.Message{}); !errors.Is(err, context.Canceled) || len(to.sent) != 0 {
		t.Errorf("got %v, and %d messages", err, len(to.sent))
	}
	if err := all[0].Send(t.Context(), report.Message{}); !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
}

func TestOthersTakeWhatAChannelDoesNot(t *testing.T) {
	down := errors.New("no topic")
	for name, c := range map[string]struct {
		team     error
		others   []error
		sent     []int // to each of the others
		accepted bool
		by       int
	}{
		"the team's topic takes it":            {nil, []error{nil, nil}, []int{0, 0}, true, 0},
		"it does not, and the others do":       {down, []error{nil, nil}, []int{1, 1}, true, 2},
		"one of the others does":               {down, []error{down, nil}, []int{1, 1}, true, 1},
		"nobody does, and it is to come again": {down, []error{down, down}, []int{1, 1}, false, 0},
		"there is nobody else":                 {down, nil, nil, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			team := &channel{err: c.team}
			var others []Channel
			var fakes []*channel
			for _, err := range c.others {
				fakes = append(fakes, &channel{err: err})
				others = append(others, fakes[len(fakes)-1])
			}
			to := OrElse(team, others, slog.New(slog.DiscardHandler))
			err := to.Send(t.Context(), report.Message{Body: "b"})
			var elsewhere Elsewhere
			if Accepted(err) != c.accepted || to.Name() != "sns:a" || !errors.Is(err, c.team) || errors.As(err, &elsewhere) && len(elsewhere.By) != c.by {
				t.Errorf("got %v of %s", err, to.Name())
			}
			for i, f := range fakes {
				if len(f.sent) != c.sent[i] || c.sent[i] > 0 && f.sent[0].Body != "The team's topic took no message, so this comes to you.\n\nb" {
					t.Errorf("the other %d was sent %+v", i, f.sent)
				}
			}
		})
	}
}

// A call to the team's topic that was frozen for minutes fails when it thaws. The watchers do not get then what was true before (simulation, seed
// 17527).
func TestWhatMayNotBeTrueAnyMoreIsSentToNobody(t *testing.T) {
	start, down := time.Date(2026, 3, 4, 0, 3, 41, 0, time.UTC), errors.New("no answer")
	for name, c := range map[string]struct {
		frozen, until time.Duration // zero is for ever
		sent          int
	}{"in time": {time.Minute, time.Minute + 1, 1}, "late": {time.Minute, time.Minute, 0}, "true for ever": {time.Hour, 0, 1}} {
		t.Run(name, func(t *testing.T) {
			now, log, watchers := &timer{start}, slog.New(slog.DiscardHandler), &channel{}
			at := turns(func(_ string, at time.Time) (time.Time, error) { return at, nil })
			team := freezing{&channel{err: down}, now, c.frozen}
			message := report.Message{Subject: "s"}
			if c.until > 0 {
				message.Until = start.Add(c.until)
			}
			err := OrElse(Paced([]Channel{team}, at, now, log)[0], Paced([]Channel{watchers}, at, now, log), log).Send(t.Context(), message)
			if !errors.Is(err, down) || len(team.sent) != 1 || len(watchers.sent) != c.sent || Accepted(err) != (c.sent > 0) {
				t.Errorf("got %v; the watchers were sent %d messages", err, len(watchers.sent))
			}
		})
	}
}

// freezing is a channel that takes long.
type freezing struct {
	*channel
	now *timer
	d   time.Duration
}

func (f freezing) Send(ctx context.Context, m report.Message) error {
	f.now.now = f.now.now.Add(f.d)
	return f.channel.Send(ctx, m)
}

// Whether somebody hears is believed for a while. That nobody does never is, but where it cannot be read anew (simulation, seed 25175).
func TestThatSomebodyHearsIsBelievedForAWhile(t *testing.T) {
	to, now, reads := &channel{}, time.Date(2026, 3, 4, 0, 3, 41, 0, time.UTC), 0
	down := errors.New("it may not be listed")
	ours, theirs := Endpoint{"email", "soc@example.com"}, Endpoint{"email", "thief@example.com"}
	all := []Subscription{{Endpoint: ours, Confirmed: true}, {Endpoint: theirs, Confirmed: true}}
	var unread error
	c := Heard(to, []Endpoint{ours}, func(context.Context) ([]Subscription, error) { reads++; return all, unread }, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	for i, step := range []struct {
		after     time.Duration
		confirmed bool
		unread    error
		heard     bool
		reads     int
	}{
		{0, true, nil, true, 1}, {HeardFor - 1, false, nil, true, 1}, {1, false, nil, false, 2}, {0, false, nil, false, 3}, {0, false, down, false, 4},
		{0, true, nil, true, 5}, {HeardFor, true, nil, true, 6}, {HeardFor, true, down, true, 7}, {HeardFor - 1, false, nil, true, 7},
	} {
		now, all[0].Confirmed, unread = now.Add(step.after), step.confirmed, step.unread
		if err := c.Send(t.Context(), report.Message{}); (err == nil) != step.heard || reads != step.reads || len(to.sent) != i+1 {
			t.Errorf("step %d: got %v after %d reads and %d messages", i, err, reads, len(to.sent))
		}
	}
	to.err = errors.New("no topic")
	if err := c.Send(t.Context(), report.Message{}); !errors.Is(err, to.err) {
		t.Errorf("got %v", err)
	}
}
