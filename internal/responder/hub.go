package responder

import (
	"context"
	"fmt"

	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/prose"
	"nightlatch/internal/report"
)

// tryHub sends the hub a test, and keeps what became of it: that it is gone, or does not admit this deployment, is found by day. The hub tells nobody
// of a test, and knows by it that this deployment is there.
func (r *Responder) tryHub(ctx context.Context) {
	for _, c := range r.Channels {
		if !incident.ForHub(c.Name()) {
			continue
		}
		now := r.Clock.Now()
		tried := notify.Tried{At: now}
		m := report.Message{Subject: report.HubTest, Kind: report.Test, ID: fmt.Sprintf("test-%d", now.UnixMilli())}.In(r.Place)
		if err := c.Send(ctx, m); err != nil {
			r.Log.ErrorContext(ctx, "the hub did not take a test", "channel", c.Name(), "err", err)
			tried.Refused = prose.Plain(err.Error())
		}
		if r.Remember == nil {
			continue
		}
		if err := r.Remember(ctx, map[string]notify.Tried{c.Name(): tried}); err != nil { // the next is in an hour
			r.Log.ErrorContext(ctx, "what became of the hub's test is not remembered", "err", err)
		}
	}
}
