// Package events puts each message as an event on an EventBridge bus of the deployment's account and region, for whatever has a rule on it. Its detail
// is nightlatch.message/1, see report.Event. Messages about incidents go to the bus of a hub too, as nightlatch.hub/1, see report.ForHub.
//
// The call is PutEvents: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html. That the bus has taken an event says nothing
// of who has a rule on it.
package events

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/grant"
	"nightlatch/internal/incident"
	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/notify"
	"nightlatch/internal/report"
)

const (
	// Source and DetailType are by what a rule knows our events.
	Source     = "nightlatch"
	DetailType = "Nightlatch Message"

	// timeout bounds one event with its retries: other channels wait for their turn.
	timeout = 5 * time.Second
)

// BusName is the name of an event bus. https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateEventBus.html
var BusName = lazyregexp.New(`^[A-Za-z0-9._-]{1,256}$`)

// Bus is one event bus. It is safe for use by several goroutines.
type Bus struct {
	put putter
	now func() time.Time
}

var _ notify.Channel = (*Bus)(nil)

// New makes a channel to a bus of the configuration's account and region, by its name. It makes no call.
func New(cfg aws.Config, name string) (*Bus, error) {
	if !BusName.MatchString(name) {
		return nil, fmt.Errorf("%q is not the name of an event bus, such as default", name)
	}
	put, err := newPutter(cfg, name, DetailType)
	return &Bus{put, time.Now}, err
}

// Grants are the permissions that Send needs.
func Grants() []grant.Grant {
	return []grant.Grant{{Sid: "PutEvents", Actions: []string{"events:PutEvents"}, On: []string{"arn:${Partition}:events:${Region}:${Account}:event-bus/${EventBus}"}}}
}

// Name says which bus this is.
func (b *Bus) Name() string { return incident.EventsChannel + b.put.bus }

// Send puts one event.
func (b *Bus) Send(ctx context.Context, m report.Message) error {
	now := b.now()
	detail, err := report.Event(m, now)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	doing := fmt.Sprintf("putting an event on bus %q", b.put.bus)
	refused, err := b.put.event(ctx, detail, now, doing)
	switch {
	case refused == nil:
		return err
	case refused.denied():
		return grant.Denied("events:PutEvents", fmt.Sprintf("event bus %q", b.put.bus), refused.said)
	case refused.gone():
		return fmt.Errorf("%s: there is no such bus; make it, or correct the setting events", doing)
	}
	return refused.sentence(doing)
}
