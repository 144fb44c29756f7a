package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"nightlatch/internal/report"
)

// All sends a message to every channel. What another channel took instead is sent. The error says that nobody was notified.
func All(ctx context.Context, channels []Channel, m report.Message, log *slog.Logger) error {
	var failures []error
	for _, c := range channels {
		if err := c.Send(ctx, m); err != nil && !errors.As(err, new(Elsewhere)) {
			log.ErrorContext(ctx, "notifying failed", "channel", c.Name(), "err", err)
			failures = append(failures, err)
		}
	}
	if len(failures) == len(channels) {
		return fmt.Errorf("nobody was notified: %w", errors.Join(failures...))
	}
	return nil
}
