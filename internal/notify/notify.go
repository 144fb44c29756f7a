// Package notify carries a report to the people who are on call.
package notify

import (
	"context"
	"errors"

	"nightlatch/internal/report"
)

// Channel is one way to reach the team.
type Channel interface {
	// Name says which way this is, for the incident's record: "sns:arn:aws:sns:…".
	Name() string
	// Send delivers one message, at least once. When it returns nil, the service has accepted the message.
	Send(context.Context, report.Message) error
}

// NotTaken begins the line about a channel that did not take a test. It goes from the approver to the command, and never changes.
const NotTaken = "NOT TAKEN by "

// ErrGone says that a channel's other end is not there any more.
var ErrGone = errors.New("there is no such topic any more")

// Names are the names of channels.
func Names(channels []Channel) []string {
	var names []string
	for _, c := range channels {
		names = append(names, c.Name())
	}
	return names
}
