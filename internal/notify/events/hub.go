package events

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/grant"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/prose"
	"nightlatch/internal/report"
	"nightlatch/internal/settings"
)

const (
	// hubTimeout bounds one event to a hub with its retries, and hubRest is how long a hub is left alone that did not answer: one that is silent
	// takes two seconds of half a minute, however many incidents there are.
	hubTimeout = 2 * time.Second
	hubRest    = 30 * time.Second
)

// Hub is the bus of a security account's hub, in any account and region. Messages about incidents go there, and tests. It is safe for use by several
// goroutines.
type Hub struct {
	put putter
	now func() time.Time

	mu    sync.Mutex
	until time.Time // it is left alone
}

var _ notify.Channel = (*Hub)(nil)

// NewHub makes a channel to the bus of a hub, by its ARN. It makes no call.
//
// The call goes to the region of the bus: EventBridge puts nothing across regions by itself. That the bus is of another account is the caller's right
// and the bus's policy: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-perms.html
func NewHub(cfg aws.Config, arn string) (*Hub, error) {
	if !settings.HubARN.MatchString(arn) {
		return nil, fmt.Errorf("%q is not the ARN of an event bus, such as arn:aws:events:eu-west-1:111122223333:event-bus/NightlatchHub", arn)
	}
	cfg = cfg.Copy()
	cfg.Region = strings.Split(arn, ":")[3]
	put, err := newPutter(cfg, arn, report.HubDetailType)
	return &Hub{put: put, now: time.Now}, err
}

// HubGrants are the permissions that a hub's Send needs: no other event of anybody's.
func HubGrants() []grant.Grant {
	return []grant.Grant{{Sid: "TellTheHub", Actions: []string{"events:PutEvents"}, On: []string{"${Hub}"},
		When: map[string]map[string]string{"ForAllValues:StringEquals": {"events:source": Source, "events:detail-type": report.HubDetailType}}}}
}

// Name says which bus this is.
func (h *Hub) Name() string { return incident.HubChannel + h.put.bus }

// Send puts a message about incidents, or a test, as one event. What is about neither is not the hub's.
func (h *Hub) Send(ctx context.Context, m report.Message) error {
	if len(m.Of) == 0 && m.Kind != report.Test {
		return nil
	}
	now := h.now()
	doing := fmt.Sprintf("telling the hub %q", h.put.bus)
	h.mu.Lock()
	rests := now.Before(h.until)
	h.mu.Unlock()
	if rests {
		return fmt.Errorf("%s: it failed less than half a minute ago, and is left alone so long", doing)
	}
	detail, err := report.ForHub(m, now)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, hubTimeout)
	defer cancel()
	refused, err := h.put.event(ctx, detail, now, doing)
	switch {
	case refused == nil && err == nil:
		return nil
	case refused == nil:
		h.mu.Lock()
		h.until = h.now().Add(hubRest)
		h.mu.Unlock()
		return err
	case refused.denied():
		return fmt.Errorf("%s: it does not admit account %s: give it among the hub's accounts and deploy the hub, and see whether the hub names another organization (%+.100q)",
			doing, cmp.Or(prose.Safe(m.Place.AccountID), "of this deployment"), refused.said)
	case refused.gone():
		return fmt.Errorf("%s: there is no such bus; deploy the hub, or correct the setting hub", doing)
	}
	return refused.sentence(doing)
}
