package sns

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"nightlatch/internal/notify"
	"nightlatch/internal/prose"
)

const (
	// heardFor is how long it is believed that somebody hears. SNS deactivates an e-mail subscription by itself, and Publish goes on succeeding:
	// https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
	heardFor = 5 * time.Minute
	// heardTimeout bounds the reading: what was sent has been sent, and the next message waits.
	heardTimeout = 5 * time.Second
)

// heard is who is to hear a topic's messages, and until when it is believed that somebody does.
type heard struct {
	by  []notify.Endpoint
	log *slog.Logger
	now func() time.Time

	mu    sync.Mutex
	until time.Time
}

// unheard is the error that a message which SNS has taken reaches none of the deployment's endpoints. What cannot be read is unknown, and no
// error: the message may well be heard. That nobody hears is asked anew each time, so that whoever confirms hears from the next message on.
func (t *Topic) unheard(ctx context.Context) error {
	h := t.heard
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.now().Before(h.until) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, heardTimeout)
	defer cancel()
	all, err := t.Subscriptions(ctx)
	if err != nil {
		h.log.WarnContext(ctx, "whether the message is heard is not known", "channel", t.Name(), "err", err)
	}
	if err != nil || slices.ContainsFunc(all, func(s notify.Subscription) bool { return s.Hears() && slices.Contains(h.by, s.Endpoint) }) {
		h.until = h.now().Add(heardFor)
		return nil
	}
	return fmt.Errorf("SNS topic %q has taken the message, and nobody hears it: of the deployment's %s none is confirmed and without a filter; nightlatch doctor says how that is mended",
		t.arn, prose.Plural(int64(len(h.by)), "endpoint"))
}
