package approval

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/prose"
	"nightlatch/internal/report"
)

const (
	// tryLease is the lease of who sends tests, and tryEvery the time between two: AWS deactivates an e-mail subscription that is flooded, and
	// whoever may call the approver could. The name is stored, and never moves.
	tryLease = "test-notify"
	tryEvery = time.Minute
)

// TestNotify sends a message to every channel that is marked as a test, and says of each on a line whether it took it.
func (a *Approval) TestNotify(ctx context.Context, c Caller) (string, error) {
	if _, err := a.known(c); err != nil {
		return "", err
	}
	now := a.Clock.Now()
	var held incident.Held
	switch err := a.Store.Lease(ctx, incident.Lease{Name: tryLease, Holder: a.name(), Now: now, Until: now.Add(tryEvery)}); {
	case errors.As(err, &held):
		return "", refuse(NotNow, "somebody has sent a test less than a minute ago; try again after %s UTC", held.Until.UTC().Format(time.TimeOnly))
	case err != nil:
		return "", fmt.Errorf("taking the turn of a test: %w", err)
	}
	m := report.Decided("TEST", "nothing has happened, and nothing is to be done", c.ARN, c.AccessKeyID, "Somebody wants to see that this message arrives.", now).In(a.here(ctx))
	m.Kind, m.ID, m.Until = report.Test, fmt.Sprintf("test-%d", now.UnixMilli()), now.Add(tryEvery)
	a.Log.InfoContext(ctx, "a test is sent", "by", c.ARN, "key", c.AccessKeyID)
	var lines []string
	tried := map[string]notify.Tried{}
	for _, channel := range a.Channels {
		line := "taken by " + prose.Safe(channel.Name())
		err := channel.Send(ctx, m)
		tried[channel.Name()] = notify.Tried{At: now}
		switch {
		case err != nil:
			tried[channel.Name()] = notify.Tried{At: now, Refused: prose.Plain(err.Error())}
			line = notify.NotTaken + prose.Safe(channel.Name()) + ": " + prose.Plain(err.Error())
		case !incident.ForPeople(channel.Name()):
			line += "; whether anybody hears of it, is not known here"
		}
		lines = append(lines, line)
	}
	if a.Remember != nil {
		if err := a.Remember(ctx, tried); err != nil { // the test was sent, and the doctor will ask for another
			a.Log.ErrorContext(ctx, "what became of the test is not remembered", "err", err)
		}
	}
	return strings.Join(lines, "\n"), nil
}
