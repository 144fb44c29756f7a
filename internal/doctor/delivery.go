package doctor

import (
	"context"
	"fmt"
	"time"

	"nightlatch/internal/grant"
	"nightlatch/internal/incident"
	"nightlatch/internal/prose"
)

// DeliveryName is what the check of what waits for a channel is called.
const DeliveryName = "delivery"

// Incidents are those of a deployment, as incident.Store has them. Errors are one sentence.
type Incidents interface {
	Unclosed(context.Context) ([]incident.Brief, error)
	Load(ctx context.Context, id string) (incident.Record, error)
}

const (
	// pageWithin is how soon somebody is notified that an alarm fired, and answerWithin of what has no page: its first message is the answer.
	pageWithin, answerWithin = 10 * time.Minute, incident.Patience + 5*time.Minute
	// newest is how many open incidents are read, the newest first: whoever may fire alarms makes any number.
	newest = 100
)

// Delivery checks that no open incident waits of which nobody was notified. Topics may be there, with everybody subscribed, and take no message: their
// key is disabled, or their policy denies it.
func Delivery(incidents Incidents, now func() time.Time, grants ...grant.Grant) Check {
	return Check{Name: DeliveryName, Mend: readable, Grants: grants, Run: func(ctx context.Context) Answer {
		open, err := incidents.Unclosed(ctx)
		if err != nil {
			return unread(err)
		}
		var all []Finding
		for _, b := range open[max(0, len(open)-newest):] {
			age := now().Sub(b.Opened)
			if age < pageWithin {
				continue
			}
			r, err := incidents.Load(ctx, b.ID)
			if err != nil {
				return unread(err)
			}
			if !r.Heard() && (r.Paged() || age >= answerWithin) {
				all = append(all, Finding{Says: fmt.Sprintf("nobody was notified of incident %s, which waits since %s UTC", prose.Safe(r.ID), prose.Minute(r.Opened)),
					Mend: "the responder's log says why no topic takes a message: its key, or its policy; what waits is sent as soon as one does"})
			}
		}
		return found(all, "no open incident waits of which nobody was notified")
	}}
}
