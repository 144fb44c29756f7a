package channels

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"nightlatch/internal/awstest"
	"nightlatch/internal/clock"
	"nightlatch/internal/notify"
	"nightlatch/internal/settings"
)

func TestTheChannelsAreThoseOfTheSettings(t *testing.T) {
	const topic, secret = "arn:aws:sns:eu-west-1:111122223333:", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:nightlatch/"
	const bus = "arn:aws:events:us-east-1:999988887777:event-bus/NightlatchHub"
	for name, c := range map[string]struct {
		settings settings.Responder
		want     string
	}{
		"the team's topic alone": {settings.Responder{Topic: topic + "team"}, "sns:" + topic + "team"},
		"all": {settings.Responder{Topic: topic + "team", Topics: []string{topic + "soc"}, Watchers: []string{topic + "watch"}, Webhook: secret + "webhook", Slack: secret + "slack", EventBus: "default", Chat: topic + "chat", Hub: bus},
			"sns:" + topic + "team sns:" + topic + "soc slack:" + secret + "slack webhook:" + secret + "webhook events:default chat:" + topic + "chat hub:" + bus},
	} {
		all, err := Of(awstest.Config("http://127.0.0.1:1"), c.settings, t.TempDir(), nil, clock.System{}, slog.New(slog.DiscardHandler))
		if got := notify.Names(all); err != nil || !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	if _, err := Of(awstest.Config("http://127.0.0.1:1"), settings.Responder{Topic: topic + "team", Webhook: "https://hooks.example.com/"}, t.TempDir(), nil, clock.System{}, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a URL is taken for a secret")
	}
}
