// Package channels makes the channels of incidents, as a function's environment says: the team's topic with what takes its place, other topics, Slack,
// the webhook, an event bus, the topic of a chat, and the hub.
package channels

import (
	"errors"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/clock"
	"nightlatch/internal/notify"
	"nightlatch/internal/notify/events"
	"nightlatch/internal/notify/slack"
	"nightlatch/internal/notify/sns"
	"nightlatch/internal/notify/webhook"
	"nightlatch/internal/settings"
)

// Of are the channels. The team's topic is the first, and where it takes no message the watchers do. dir is where the function's code lies; turns are
// what each message waits for, nil for nothing. It makes no call.
func Of(cfg aws.Config, s settings.Responder, dir string, turns notify.Turns, now clock.Clock, log *slog.Logger) ([]notify.Channel, error) {
	topics := sns.Deployment{Team: s.Topic, Others: s.Topics, Dir: dir, Turns: turns}
	if turns != nil {
		topics.Watchers = s.Watchers
	}
	all, err := topics.Teams(cfg, now, log)
	if err != nil {
		return nil, err
	}
	var more []notify.Channel
	add := func(c notify.Channel, failed error) {
		more, err = append(more, c), errors.Join(err, failed)
	}
	if s.Slack != "" {
		add(slack.New(cfg, s.Slack))
	}
	if s.Webhook != "" {
		add(webhook.New(cfg, s.Webhook))
	}
	if s.EventBus != "" {
		add(events.New(cfg, s.EventBus))
	}
	if s.Chat != "" {
		add(sns.NewChat(cfg, s.Chat))
	}
	if err != nil {
		return nil, err
	}
	if turns != nil {
		more = notify.Paced(more, turns, now, log)
	}
	if s.Hub != "" { // the last, and without turns: nothing waits for it, and it bears more than people do
		hub, err := events.NewHub(cfg, s.Hub)
		if err != nil {
			return nil, err
		}
		more = append(more, hub)
	}
	return append(all, more...), nil
}
