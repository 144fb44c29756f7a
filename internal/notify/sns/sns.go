// Package sns sends reports to an Amazon SNS topic, which carries them to e-mail, to chat and to whatever else subscribes.
//
// The call is Publish: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html. It sets the limits that a message is
// fitted to here: a subject of printable ASCII under 100 characters, and 256 KB in all.
package sns

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"nightlatch/internal/awserr"
	"nightlatch/internal/clock"
	"nightlatch/internal/grant"
	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/notify"
	"nightlatch/internal/report"
)

const (
	// publishTimeout bounds one message with its retries. SNS answers in tens of milliseconds; a report is worth three
	// attempts, and the other channels are still waiting for their turn.
	publishTimeout = 15 * time.Second
	// backoff bounds the wait between two attempts.
	backoff = time.Second
)

// Topic is one SNS topic. It is safe for use by several goroutines.
type Topic struct {
	arn    string
	client *sns.Client
}

var _ notify.Channel = (*Topic)(nil)

// topicARN is a standard topic's: a FIFO topic reaches queues only, no people.
// https://docs.aws.amazon.com/sns/latest/dg/sns-create-topic.html
var topicARN = lazyregexp.New(`^arn:aws[a-z-]*:sns:([a-z0-9-]+):[0-9]{12}:[A-Za-z0-9_-]{1,256}$`)

// New makes a channel to a topic, in the region that the topic's ARN names.
func New(cfg aws.Config, arn string) (*Topic, error) {
	m := topicARN.FindStringSubmatch(arn)
	if m == nil {
		return nil, fmt.Errorf("%q is not the ARN of a standard SNS topic; write arn:aws:sns:REGION:ACCOUNT:NAME", arn)
	}
	if cfg.Credentials == nil {
		return nil, errors.New("an SNS topic needs credentials, and the AWS configuration has none; sign in or set a profile")
	}
	client := sns.NewFromConfig(cfg, func(o *sns.Options) {
		o.Region = m[1]
		// A message that was sent twice is better than none: at least once is what a channel promises.
		o.Retryer = awserr.Retries(3, backoff, backoff, func(o *retry.StandardOptions) {
			o.Retryables = append(o.Retryables, retry.RetryableErrorCode{Codes: throttleCodes})
			o.Throttles = append(o.Throttles, retry.ThrottleErrorCode{Codes: throttleCodes})
		})
	})
	return &Topic{arn: arn, client: client}, nil
}

// Heard makes a channel to a topic, whose messages have arrived only where one of these endpoints hears them. Without endpoints it is enough that SNS
// takes the message. That it is not known who hears goes to the log.
func Heard(cfg aws.Config, arn string, endpoints []notify.Endpoint, log *slog.Logger) (notify.Channel, error) {
	topic, err := New(cfg, arn)
	if err != nil {
		return nil, err
	}
	if len(endpoints) == 0 {
		return topic, nil
	}
	return notify.Heard(topic, endpoints, topic.Subscriptions, time.Now, log), nil
}

// Channels makes a channel to each of several topics.
func Channels(cfg aws.Config, arns ...string) ([]notify.Channel, error) {
	var all []notify.Channel
	for _, arn := range arns {
		topic, err := New(cfg, arn)
		if err != nil {
			return nil, err
		}
		all = append(all, topic)
	}
	return all, nil
}

// Deployment are the topics of a deployment, by their ARNs.
type Deployment struct {
	// Team is the team's topic. Others are notified as well, and Watchers hear where our own code or that topic fails; the first of them is the
	// deployment's own.
	Team             string
	Others, Watchers []string
	// Dir is where a function's code lies, and beside it the lists of the endpoints of the team's topic and of the first watchers'.
	Dir string
	// Turns are what each message waits for; nil is nothing.
	Turns notify.Turns
}

// Channels makes a channel to each topic: the team's, then the others', and apart from them the watchers'. It makes no call. That it is not known
// who is to hear goes to the log.
func (d Deployment) Channels(cfg aws.Config, now clock.Clock, log *slog.Logger) (team, watchers []notify.Channel, err error) {
	own := func(arn, list string) (notify.Channel, error) {
		endpoints, err := notify.ReadEndpoints(d.Dir, list)
		if err != nil {
			log.Error("whether a message is heard is not known", "err", err)
		}
		return Heard(cfg, arn, endpoints, log)
	}
	first, err := own(d.Team, notify.EndpointsFile)
	if err != nil {
		return nil, nil, err
	}
	others, err := Channels(cfg, d.Others...)
	if err != nil {
		return nil, nil, err
	}
	if watchers, err = Channels(cfg, d.Watchers...); err != nil {
		return nil, nil, err
	}
	if len(watchers) > 0 {
		if watchers[0], err = own(d.Watchers[0], notify.WatchersFile); err != nil {
			return nil, nil, err
		}
	}
	team = append([]notify.Channel{first}, others...)
	if d.Turns != nil {
		team, watchers = notify.Paced(team, d.Turns, now, log), notify.Paced(watchers, d.Turns, now, log)
	}
	return team, watchers, nil
}

// Teams are the channels of the team, of which the watchers take what its topic does not.
func (d Deployment) Teams(cfg aws.Config, now clock.Clock, log *slog.Logger) ([]notify.Channel, error) {
	team, watchers, err := d.Channels(cfg, now, log)
	if err != nil {
		return nil, err
	}
	team[0] = notify.OrElse(team[0], watchers, log)
	return team, nil
}

// Grants are the permissions that the package needs.
func Grants() []grant.Grant {
	return []grant.Grant{{Sid: "TellTheTeam", Actions: []string{"sns:Publish"}, On: []string{"${Topic}"}}}
}

// Name says which topic this is.
func (t *Topic) Name() string { return "sns:" + t.arn }

// Send publishes one message.
func (t *Topic) Send(ctx context.Context, m report.Message) error {
	subject := fitSubject(m.Subject)
	body := fitBody(m.Body, maxBytes-len(subject))
	if body == "" {
		return fmt.Errorf("a message to SNS topic %q has no text, which SNS does not take; see how the report was made", t.arn)
	}
	in := &sns.PublishInput{TopicArn: &t.arn, Message: &body}
	if subject != "" { // SNS takes no empty subject, and has one of its own for e-mail
		in.Subject = &subject
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	out, err := t.client.Publish(ctx, in)
	if err != nil {
		return t.failed(err)
	}
	if aws.ToString(out.MessageId) == "" { // the client takes an empty answer of anybody's for a success (findings/aws-sdk-go-answers-of-others.sh)
		return fmt.Errorf("publishing to SNS topic %q: the answer names no message, as SNS's does; see whether a proxy stands between", t.arn)
	}
	return nil
}
