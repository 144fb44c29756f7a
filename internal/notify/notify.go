// Package notify carries a report to the people who are on call.
package notify

import (
	"context"

	"nightlatch/internal/report"
)

// Channel is one way to reach the team.
type Channel interface {
	// Name says which way this is, for the incident's record: "sns:arn:aws:sns:…".
	Name() string
	// Send delivers one message, at least once. When it returns nil, the service has accepted the message.
	Send(context.Context, report.Message) error
}

// Names are the names of channels.
func Names(channels []Channel) []string {
	var names []string
	for _, c := range channels {
		names = append(names, c.Name())
	}
	return names
}
