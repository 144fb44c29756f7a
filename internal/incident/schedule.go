package incident

import (
	"context"
	"fmt"
	"time"
)

// EveryIncident stands in an event, in the place of an incident, for all that are open. It also names the worker lease. It is stored and
// sent, so its value stays.
const EveryIncident = "desk"

// Scheduler sees to it that the responder is called again.
type Scheduler interface {
	// Schedule calls the responder about an incident at a time, or soon after it. The same incident and minute may be asked for again; it is one
	// follow-up. An error leaves open whether it comes.
	Schedule(ctx context.Context, id string, at time.Time) error
}

// ScheduleForAll has the responder called about all that is open; nil calls nobody. Without it an incident could be forgotten, so an error fails
// the invocation.
func ScheduleForAll(ctx context.Context, w Scheduler, at time.Time) error {
	if w == nil {
		return nil
	}
	var err error
	for range 3 {
		if err = w.Schedule(ctx, EveryIncident, at); err == nil {
			return nil
		}
	}
	return fmt.Errorf("having the responder called again at %s: %w", at.Format(time.TimeOnly), err)
}
