// Package events puts each message as an event on an EventBridge bus of the deployment's account and region, for whatever has a rule on it. Its detail
// is nightlatch.message/1, see report.Event.
//
// The call is PutEvents: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html. That the bus has taken an event says nothing
// of who has a rule on it.
package events

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"nightlatch/internal/awserr"
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

	// timeout bounds one event with its retries, and backoff the wait between two of them: other channels wait for their turn.
	timeout = 5 * time.Second
	backoff = 500 * time.Millisecond
)

// BusName is the name of an event bus. https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateEventBus.html
var BusName = lazyregexp.New(`^[A-Za-z0-9._-]{1,256}$`)

// Bus is one event bus. It is safe for use by several goroutines.
type Bus struct {
	name   string
	client *eventbridge.Client
	now    func() time.Time
}

var _ notify.Channel = (*Bus)(nil)

// New makes a channel to a bus of the configuration's account and region, by its name. It makes no call.
func New(cfg aws.Config, name string) (*Bus, error) {
	if !BusName.MatchString(name) {
		return nil, fmt.Errorf("%q is not the name of an event bus, such as default", name)
	}
	if cfg.Credentials == nil {
		return nil, errors.New("an event bus needs credentials, and the AWS configuration has none; sign in or set a profile")
	}
	return &Bus{name, eventbridge.NewFromConfig(cfg, func(o *eventbridge.Options) { o.Retryer = awserr.Retries(3, backoff, backoff) }), time.Now}, nil
}

// Grants are the permissions that Send needs.
func Grants() []grant.Grant {
	return []grant.Grant{{Sid: "PutEvents", Actions: []string{"events:PutEvents"}, On: []string{"arn:${Partition}:events:${Region}:${Account}:event-bus/${EventBus}"}}}
}

// Name says which bus this is.
func (b *Bus) Name() string { return incident.EventsChannel + b.name }

// Send puts one event.
func (b *Bus) Send(ctx context.Context, m report.Message) error {
	now := b.now()
	detail, err := report.Event(m, now)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	out, err := b.client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{EventBusName: &b.name, Source: aws.String(Source),
		DetailType: aws.String(DetailType), Detail: aws.String(string(detail)), Time: &now}}})
	if err != nil {
		return b.failed(err)
	}
	switch {
	case len(out.Entries) == 1 && aws.ToString(out.Entries[0].ErrorCode) != "":
		e := out.Entries[0]
		return fmt.Errorf("putting an event on bus %q: EventBridge refused it with %+.60q (%+.200q); see the errors of PutEvents in the API reference", b.name, aws.ToString(e.ErrorCode), aws.ToString(e.ErrorMessage))
	case len(out.Entries) != 1 || aws.ToString(out.Entries[0].EventId) == "": // the client takes an empty answer of anybody's for a success
		return fmt.Errorf("putting an event on bus %q: the answer names no event, as EventBridge's does; see whether a proxy stands between", b.name)
	}
	return nil
}

// failed makes the one sentence about an event that was not put.
func (b *Bus) failed(err error) error {
	doing := fmt.Sprintf("putting an event on bus %q", b.name)
	refused, status := awserr.Refusal(err)
	switch {
	case refused == nil:
		return awserr.Silence{Doing: doing, Service: "EventBridge", Ended: "; the event may have been put", Late: "; the event may have been put, try again", Reach: "the function reaches EventBridge"}.Sentence(status, err)
	case awserr.Throttled(refused.ErrorCode()):
		return fmt.Errorf("%s: EventBridge is throttling; try again in a minute", doing)
	case refused.ErrorCode() == "AccessDeniedException":
		return grant.Denied("events:PutEvents", fmt.Sprintf("event bus %q", b.name), refused.ErrorMessage())
	case refused.ErrorCode() == "ResourceNotFoundException":
		return fmt.Errorf("%s: there is no such bus; make it, or correct the setting events", doing)
	}
	return fmt.Errorf("%s: EventBridge refused it with %s (%+.200q); see the errors of PutEvents in the API reference", doing, refused.ErrorCode(), refused.ErrorMessage())
}
