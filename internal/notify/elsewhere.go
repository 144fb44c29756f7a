package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"nightlatch/internal/report"
)

// Elsewhere says that a message was not accepted by the channel that it was for, and was by others, which hear only then.
type Elsewhere struct {
	// By are the names of those that have it.
	By []string
	// Err is why the channel has not.
	Err error
}

// Error implements error.
func (e Elsewhere) Error() string {
	return fmt.Sprintf("%v; %v took the message in its place", e.Err, e.By)
}

// Unwrap implements errors.
func (e Elsewhere) Unwrap() error { return e.Err }

// OrElse has others take what a channel does not: a topic may be gone, or its key. Where one of them does, Send returns Elsewhere.
func OrElse(c Channel, others []Channel, log *slog.Logger) Channel { return orElse{c, others, log} }

type orElse struct {
	Channel
	others []Channel
	log    *slog.Logger
}

// Send implements Channel.
func (o orElse) Send(ctx context.Context, m report.Message) error {
	err := o.Channel.Send(ctx, m)
	if err == nil {
		return nil
	}
	m.Body = "The team's topic took no message, so this comes to you.\n\n" + m.Body
	var by []string
	for _, other := range o.others {
		if failed := other.Send(ctx, m); failed != nil {
			o.log.ErrorContext(ctx, "a watcher took no message", "channel", other.Name(), "err", failed)
			continue
		}
		by = append(by, other.Name())
	}
	if len(by) == 0 {
		return err
	}
	return Elsewhere{by, err}
}

// Accepted reports whether a message is with somebody, after Send has returned err.
func Accepted(err error) bool {
	var elsewhere Elsewhere
	return err == nil || errors.As(err, &elsewhere)
}
