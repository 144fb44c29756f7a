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
)

// backoff is the wait between two attempts.
const backoff = 500 * time.Millisecond

// putter puts events of a detail type on a bus, which has a name in the configuration's account and region, or an ARN.
type putter struct {
	bus, detailType string
	client          *eventbridge.Client
}

func newPutter(cfg aws.Config, bus, detailType string) (putter, error) {
	if cfg.Credentials == nil {
		return putter{}, errors.New("an event bus needs credentials, and the AWS configuration has none; sign in or set a profile")
	}
	return putter{bus, detailType, eventbridge.NewFromConfig(cfg, func(o *eventbridge.Options) { o.Retryer = awserr.Retries(3, backoff, backoff) })}, nil
}

// refusal is why EventBridge did not take an event: for the whole call, or for the entry in it.
type refusal struct{ code, said string }

// event puts one event. The refusal is nil where EventBridge has refused nothing; then err says why it is not known that the event was put.
func (p putter) event(ctx context.Context, detail []byte, now time.Time, doing string) (*refusal, error) {
	out, err := p.client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{EventBusName: &p.bus, Source: aws.String(Source),
		DetailType: &p.detailType, Detail: aws.String(string(detail)), Time: &now}}})
	if err != nil {
		refused, status := awserr.Refusal(err)
		if refused == nil {
			return nil, awserr.Silence{Doing: doing, Service: "EventBridge", Ended: "; the event may have been put", Late: "; the event may have been put, try again", Reach: "the function reaches EventBridge"}.Sentence(status, err)
		}
		return &refusal{refused.ErrorCode(), refused.ErrorMessage()}, nil
	}
	switch {
	case len(out.Entries) == 1 && aws.ToString(out.Entries[0].ErrorCode) != "":
		return &refusal{aws.ToString(out.Entries[0].ErrorCode), aws.ToString(out.Entries[0].ErrorMessage)}, nil
	case len(out.Entries) != 1 || aws.ToString(out.Entries[0].EventId) == "": // the client takes an empty answer of anybody's for a success
		return nil, fmt.Errorf("%s: the answer names no event, as EventBridge's does; see whether a proxy stands between", doing)
	}
	return nil, nil
}

// denied reports whether a policy, of the role or of the bus, does not allow it.
func (r refusal) denied() bool { return r.code == "AccessDeniedException" }

// gone reports whether there is no such bus.
func (r refusal) gone() bool { return r.code == "ResourceNotFoundException" }

// sentence is the one sentence about any other refusal.
func (r refusal) sentence(doing string) error {
	if awserr.Throttled(r.code) {
		return fmt.Errorf("%s: EventBridge is throttling; try again in a minute", doing)
	}
	return fmt.Errorf("%s: EventBridge refused it with %+.60q (%+.200q); see the errors of PutEvents in the API reference", doing, r.code, r.said)
}
