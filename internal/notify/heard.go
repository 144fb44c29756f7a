package notify

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"nightlatch/internal/prose"
	"nightlatch/internal/report"
)

const (
	// HeardFor is how long it is believed that somebody hears. SNS deactivates an e-mail subscription by itself, and Publish goes on succeeding:
	// https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
	HeardFor = 5 * time.Minute
	// heardTimeout bounds the reading: what was sent has been sent, and the next message waits.
	heardTimeout = 5 * time.Second
)

// Heard has what a channel took count as sent only where one of these endpoints hears it. read reads who is subscribed. What cannot be read is
// unknown, goes to the log, and is no error: the message may well be heard. But where nobody heard when it was read last, nobody is believed to.
// That nobody hears is asked anew each time, so that whoever confirms hears from the next message on.
func Heard(c Channel, by []Endpoint, read func(context.Context) ([]Subscription, error), now func() time.Time, log *slog.Logger) Channel {
	return &heard{Channel: c, by: by, read: read, now: now, log: log}
}

type heard struct {
	Channel
	by   []Endpoint
	read func(context.Context) ([]Subscription, error)
	now  func() time.Time
	log  *slog.Logger

	mu    sync.Mutex
	until time.Time // it is believed that somebody hears
	deaf  bool      // nobody heard when it was read last
}

// Send implements Channel.
func (h *heard) Send(ctx context.Context, m report.Message) error {
	if err := h.Channel.Send(ctx, m); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.now().Before(h.until) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, heardTimeout)
	defer cancel()
	all, err := h.read(ctx)
	if err != nil {
		h.log.WarnContext(ctx, "whether the message is heard is not known", "channel", h.Name(), "err", err)
	} else {
		h.deaf = !slices.ContainsFunc(all, func(s Subscription) bool { return s.Hears() && slices.Contains(h.by, s.Endpoint) })
	}
	if !h.deaf {
		h.until = h.now().Add(HeardFor)
		return nil
	}
	return fmt.Errorf("%s has taken the message, and nobody hears it: of the deployment's %s none is confirmed and without a filter; nightlatch doctor says how that is mended",
		h.Name(), prose.Plural(int64(len(h.by)), "endpoint"))
}
