package approval

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/report"
)

// tried is a channel that keeps what it is sent.
type tried struct {
	name string
	err  error
	sent []report.Message
}

func (c *tried) Name() string { return c.name }

func (c *tried) Send(_ context.Context, m report.Message) error {
	c.sent = append(c.sent, m)
	return c.err
}

type still struct{ now time.Time }

func (s *still) Now() time.Time                            { return s.now }
func (s *still) Wait(_ context.Context, _ time.Time) error { return nil }

func TestEachChannelIsTried(t *testing.T) {
	now := &still{time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)}
	team, chat, hook := &tried{name: "sns:a", err: notify.Elsewhere{By: []string{"sns:watch"}, Err: errors.New("nobody hears it")}}, &tried{name: "slack:b", err: errors.New("Slack says <no>\n")}, &tried{name: incident.WebhookChannel + "c"}
	a := &Approval{Store: &incident.Memory{}, Channels: []notify.Channel{team, chat, hook}, Clock: now, Log: slog.New(slog.DiscardHandler), Ours: actor.Accounts("111122223333"), Place: incident.Place{AccountID: "111122223333", Region: "eu-west-1"}}
	kept := map[string]notify.Tried{}
	a.Remember = func(_ context.Context, tried map[string]notify.Tried) error {
		kept = tried
		return errors.New("the table is away")
	}
	olga := Caller{ARN: "arn:aws:iam::111122223333:user/olga", UserID: "AIDAEXAMPLEOLGA", AccessKeyID: "AKIAEXAMPLEOPSKEY001", AccountID: "111122223333"}
	said, err := a.TestNotify(t.Context(), olga)
	want := []string{"NOT TAKEN by sns:a: nobody hears it; [sns:watch] took the message in its place", `NOT TAKEN by slack:b: Slack says <no>\n`, "taken by webhook:c; whether anybody hears of it, is not known here"}

	if err != nil || !slices.Equal(strings.Split(said, "\n"), want) {
		t.Errorf("got %v and\n%s", err, said)
	}
	for _, c := range []*tried{team, chat, hook} {
		if len(c.sent) != 1 || !strings.HasPrefix(c.sent[0].Subject, "[nightlatch] TEST: nothing has happened") || c.sent[0].Kind != report.Test || !strings.Contains(c.sent[0].Body, "user/olga") || c.sent[0].Until.IsZero() || !strings.HasSuffix(c.sent[0].Subject, "(111122223333 eu-west-1)") {
			t.Errorf("%s was sent %q", c.name, c.sent)
		}
	}
	if len(kept) != 3 || kept["webhook:c"] != (notify.Tried{At: now.now}) || kept["slack:b"].Refused != `Slack says <no>\n` || kept["sns:a"].Refused == "" {
		t.Errorf("kept is %+v", kept)
	}
	// A second one has to wait: an e-mail subscription that is flooded is switched off by AWS.
	var refusal Refusal
	if _, err := a.TestNotify(t.Context(), olga); !errors.As(err, &refusal) || refusal.Kind != NotNow || len(team.sent) != 1 {
		t.Errorf("got %v", err)
	}
	now.now = now.now.Add(tryEvery)
	if _, err := a.TestNotify(t.Context(), olga); err != nil || len(team.sent) != 2 {
		t.Errorf("got %v a minute later", err)
	}
	olga.AccountID = "444455556666"
	if _, err := a.TestNotify(t.Context(), olga); !errors.As(err, &refusal) || refusal.Kind != BadCaller {
		t.Errorf("a stranger got %v", err)
	}
}
