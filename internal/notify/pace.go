package notify

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"nightlatch/internal/clock"
	"nightlatch/internal/report"
)

const (
	// Interval is the time between two messages to one channel, whoever of ours sends them. AWS deactivates an e-mail subscription that gets
	// more than ten messages a second, and nobody can raise that: https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
	// It is a second and a bit, because one call takes longer than the next.
	Interval = 1250 * time.Millisecond
	// farthest is the most that is waited for a turn. A few senders wait for seconds; a turn that is farther away is no turn of ours, but an item
	// that somebody has changed.
	farthest = time.Minute
)

// Turns gives out the moments at which a channel may be sent to.
type Turns interface {
	// Turn takes the next moment, at now or later, that is Interval after every other that was taken for the channel. Nobody else gets it.
	Turn(ctx context.Context, channel string, now time.Time) (time.Time, error)
}

// Paced has each channel wait for its turn, so that all our functions together send it one message in an Interval at most. Where no turn
// can be had, the message is sent all the same: to be heard comes first. What may not be true any more by then is not sent.
func Paced(channels []Channel, turns Turns, now clock.Clock, log *slog.Logger) []Channel {
	var all []Channel
	for _, c := range channels {
		all = append(all, paced{c, turns, now, log})
	}
	return all
}

type paced struct {
	Channel
	turns Turns
	clock clock.Clock
	log   *slog.Logger
}

// Send implements Channel.
func (p paced) Send(ctx context.Context, m report.Message) error {
	now := p.clock.Now()
	at, err := p.turns.Turn(ctx, p.Name(), now)
	switch {
	case err != nil:
		p.log.WarnContext(ctx, "a message is sent without waiting for its turn", "channel", p.Name(), "err", err)
	case at.Sub(now) > farthest:
		p.log.WarnContext(ctx, "a message is sent without waiting for its turn, which is too far away", "channel", p.Name(), "turn", at)
	case at.After(now):
		if err := p.clock.Wait(ctx, at); err != nil {
			return err
		}
	}
	if !m.Until.IsZero() && !p.clock.Now().Before(m.Until) {
		return errLate
	}
	return p.Channel.Send(ctx, m)
}

// errLate says that a message has waited for so long that somebody else may have made it untrue.
var errLate = errors.New("the message was not sent in time, and has to be written anew")
