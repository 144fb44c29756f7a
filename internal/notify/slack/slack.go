// Package slack posts each message to a Slack channel, by an incoming webhook whose URL stands in a secret.
//
// The message is made of blocks: the subject, what a phone shows of it, each step, and each command in a code block of its own. What others chose in
// it mentions nobody, links nothing and formats nothing: it is plain text, with the three characters escaped that Slack reads as its own.
// https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, https://docs.slack.dev/messaging/formatting-message-text
package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/grant"
	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/notify"
	"nightlatch/internal/outside"
	"nightlatch/internal/report"
)

// timeout bounds the reading of the secret and the call, each: other channels wait for their turn. What fails is tried again by whoever sends.
const timeout = 4 * time.Second

// Channel is one Slack channel. It is safe for use by several goroutines.
type Channel struct{ server *outside.Server }

var _ notify.Channel = (*Channel)(nil)

// New makes a channel to the incoming webhook whose URL is the whole text of a secret, by its ARN. It makes no call.
func New(cfg aws.Config, secret string) (*Channel, error) {
	server, err := outside.New(cfg, secret, outside.Purpose{Doing: "sending to Slack", Whose: "the URL of Slack's webhook", Setting: "slack", Within: timeout})
	if err != nil {
		return nil, err
	}
	return &Channel{server}, nil
}

// Grants are the permissions that Send needs.
func Grants() []grant.Grant { return outside.Grants("ReadSlacksURL", "Slack") }

// Name says which webhook this is.
func (c *Channel) Name() string { return "slack:" + c.server.Secret() }

// word is what Slack answers where it refuses: invalid_payload, channel_is_archived, no_service.
var word = lazyregexp.New(`^[a-z_]{1,40}$`)

// Send posts one message once. Slack has taken it where it answers 200 and "ok"; whatever else answers 200 is not Slack.
func (c *Channel) Send(ctx context.Context, m report.Message) error {
	to, err := c.server.Read(ctx)
	if err != nil {
		return err
	}
	body, err := json.Marshal(payloadOf(m))
	if err != nil {
		return fmt.Errorf("the message %q for Slack: %v", m.Subject, err)
	}
	answer, err := c.server.Call(ctx, http.MethodPost, to, http.Header{"Content-Type": {"application/json"}}, body)
	said := strings.TrimSpace(string(answer.Body))
	switch {
	case err != nil:
		return err
	case answer.Status == http.StatusOK && said == "ok":
		return nil
	case answer.Status == http.StatusOK:
		return c.server.Unfit("answers with something else than Slack does, as a sign-in page or a proxy would")
	case answer.Status == http.StatusTooManyRequests || answer.Status >= 500 || !word.MatchString(said):
		return c.server.Refused(answer)
	}
	return c.server.Unfit(fmt.Sprintf("is refused by Slack with %s (HTTP %d): make the webhook anew", said, answer.Status))
}
