package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"al.essio.dev/pkg/shellescape"

	"nightlatch/internal/grant"
	"nightlatch/internal/notify"
	"nightlatch/internal/prose"
)

// The names of the checks, which stand in messages, in JSON and in what is stored.
const (
	EndpointsName = "endpoints"
	AlarmsName    = "alarms"
	QueuesName    = "queues"
	RolesName     = "roles"
	RulesName     = "rules"
	NoticesName   = "notices"
	TrailName     = "trail"
	SealName      = "seal"
	AccessName    = "access"
	QuestionsName = "questions"
	HeartbeatName = "heartbeat"
)

// Subscriptions reads who is subscribed to a topic, by its ARN. Errors are one sentence; errors.Is finds notify.ErrGone in it.
type Subscriptions func(ctx context.Context, topic string) ([]notify.Subscription, error)

// Endpoints checks that whoever was to hear hears.
func Endpoints(stack Stack, read Subscriptions, grants ...grant.Grant) Check {
	return onStack(EndpointsName, stack, grants, func(ctx context.Context, d Deployed) Answer {
		var all []Finding
		hear, strange, secret := 0, 0, 0
		var unreadable error
		for _, t := range d.Topics {
			there, err := read(ctx, t.ARN)
			switch {
			case errors.Is(err, notify.ErrGone):
				all = append(all, Finding{Says: fmt.Sprintf("topic %s is gone: nobody hears what is sent to it", prose.Safe(t.ARN)), Mend: deployAgain})
				continue
			case len(t.Endpoints) == 0 && errors.As(err, new(grant.Denial)):
				secret++ // another's topic: who hears there is unknown, and not nobody
				continue
			case err != nil:
				unreadable = err
				continue
			}
			broken, n := t.deaf(there)
			all, hear = append(all, broken...), hear+n
			for _, s := range there {
				if len(t.Endpoints) > 0 && !slices.Contains(t.Endpoints, s.Endpoint) {
					strange++
				}
			}
		}
		says := fmt.Sprintf("%s of %s confirmed and unfiltered", prose.Plural(int64(hear), "endpoint"), prose.Plural(int64(len(d.Topics)), "topic"))
		if strange > 0 {
			says += fmt.Sprintf("; %d more are subscribed that the deployment does not name", strange)
		}
		if secret > 0 {
			says += fmt.Sprintf("; who hears on %s of others may not be read from here", prose.Plural(int64(secret), "topic"))
		}
		switch {
		case unreadable != nil && len(all) == 0:
			return unread(unreadable)
		case unreadable != nil:
			return Answer{State: Broken, Says: prose.Plain(unreadable.Error()), Found: all}
		case len(d.Topics) == 0:
			return unread(errors.New("the stack has no topic; see whether it is Nightlatch's"))
		}
		return found(all, "%s", says)
	})
}

const (
	deployAgain = "deploy again, with the same settings"
	readable    = "read the sentence; it says which right or which reply was missing"
)

// deaf is what is wrong with a topic's subscriptions, and how many of them hear.
func (t Topic) deaf(there []notify.Subscription) (all []Finding, hear int) {
	topic := prose.Safe(t.ARN)
	if len(t.Endpoints) == 0 {
		for _, s := range there {
			if s.Hears() {
				hear++
			}
		}
		if hear == 0 {
			all = append(all, Finding{Says: fmt.Sprintf("topic %s has no subscription that is confirmed and unfiltered: nobody hears what is sent to it", topic),
				Mend: "whose topic it is subscribes somebody there, or the deployment leaves it out of the setting topics"})
		}
		return all, hear
	}
	for _, e := range t.Endpoints {
		name := fmt.Sprintf("%s %s of topic %s", prose.Safe(e.Protocol), prose.Safe(e.Address), topic)
		subscribe := command("aws", "sns", "subscribe", "--topic-arn", t.ARN, "--protocol", e.Protocol, "--notification-endpoint", e.Address)
		subscriptions := notify.Of(e, there)
		heard := slices.IndexFunc(subscriptions, notify.Subscription.Hears)
		filtered := slices.IndexFunc(subscriptions, func(s notify.Subscription) bool { return s.Confirmed && s.Filtered })
		switch {
		case len(subscriptions) == 0:
			all = append(all, Finding{Says: name + " is not subscribed any more", Mend: subscribe + confirms(t.ARN, e)})
		case heard < 0 && filtered >= 0:
			all = append(all, Finding{Says: name + " has a filter policy, which holds messages back", Mend: command("aws", "sns", "set-subscription-attributes",
				"--subscription-arn", subscriptions[filtered].ARN, "--attribute-name", "FilterPolicy", "--attribute-value", "{}")})
		case heard < 0:
			all = append(all, Finding{Says: name + " has not confirmed its subscription, and hears nothing", Mend: subscribe + confirms(t.ARN, e)})
		default:
			hear++
			if s := subscriptions[heard]; !s.Authenticated && linked(e) {
				all = append(all, Finding{Weekly: true, Says: name + " can be unsubscribed by the link in every message, by a mail scanner too",
					Mend: command("aws", "sns", "unsubscribe", "--subscription-arn", s.ARN) + " && " + subscribe + confirms(t.ARN, e)})
			}
		}
	}
	return all, hear
}

// linked reports whether a message has a link in it that unsubscribes.
func linked(e notify.Endpoint) bool {
	return slices.Contains([]string{"email", "email-json", "http", "https"}, e.Protocol)
}

// confirms is how a subscription is confirmed so that nobody but its owner can unsubscribe it: the token stands in the link, which is copied and
// not clicked. https://docs.aws.amazon.com/sns/latest/api/API_ConfirmSubscription.html
func confirms(topic string, e notify.Endpoint) string {
	if !linked(e) {
		return ""
	}
	return "; then copy the Token out of the link in the message that comes, without clicking it: " +
		command("aws", "sns", "confirm-subscription", "--topic-arn", topic, "--authenticate-on-unsubscribe", "true", "--token", "TOKEN")
}

// command is a line for a shell. A name that is not plain ASCII prints none, nor does one that would be read as an option.
func command(args ...string) string {
	for i, a := range args {
		if a == "" || prose.Plain(a) != a || i > 3 && i%2 == 0 && strings.HasPrefix(a, "-") {
			return "(no command is printed: a name in it does not belong into a shell)"
		}
	}
	return shellescape.QuoteCommand(args)
}
