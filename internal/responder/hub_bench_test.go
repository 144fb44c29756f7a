package responder_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/hub"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/report"
	"nightlatch/internal/sandbox"
)

// collector is the bus of a hub, which keeps what a deployment has told it.
type collector struct {
	clock  *sandbox.Clock
	events []told
}

// told is an event, and since when it is there.
type told struct {
	at   time.Time
	body string
}

func (*collector) Name() string {
	return incident.HubChannel + "arn:aws:events:eu-central-1:222233334444:event-bus/NightlatchHub"
}

func (c *collector) Send(_ context.Context, m report.Message) error {
	body, err := report.ForHub(m, c.clock.Now())
	c.events = append(c.events, told{c.clock.Now(), string(body)})
	return err
}

// of are its events as the hub gets them of an account and a region, whose thief has a key of that account's.
func (c *collector) of(b *testing.B, n int, name, where string) (all []told) {
	for _, e := range c.events {
		detail := strings.NewReplacer(account, name, stolen, fmt.Sprintf("AKIASTOLEN%010d", n), `"region":"eu-west-1"`, fmt.Sprintf(`"region":%q`, where)).Replace(e.body)
		body, err := json.Marshal(map[string]any{"id": fmt.Sprint(name, where, len(all)), "source": hub.Source, "detail-type": report.HubDetailType, "account": name, "detail": json.RawMessage(detail)})
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, told{e.at, string(body)})
	}
	return all
}

// oneHub is a hub in memory.
type oneHub struct {
	rec  hub.Record
	now  time.Time
	sent []told
}

func (h *oneHub) Load(context.Context) (hub.Record, error)  { return h.rec, nil }
func (h *oneHub) Put(_ context.Context, r hub.Record) error { h.rec = r; return nil }
func (h *oneHub) Now() time.Time                            { return h.now }
func (h *oneHub) Wait(context.Context, time.Time) error     { return nil }
func (*oneHub) Name() string                                { return "sns:hub" }
func (h *oneHub) Send(_ context.Context, m report.Message) error {
	h.sent = append(h.sent, told{h.now, m.String()})
	return nil
}

// hears plays what the hub tells of events: in batches of five seconds, and a tick a minute.
func (h *oneHub) hears(b *testing.B, accounts []string, all []told) {
	slices.SortStableFunc(all, func(x, y told) int { return cmp.Compare(x.at.UnixNano(), y.at.UnixNano()) })
	t := hub.Teller{Store: h, Team: []notify.Channel{h}, Accounts: accounts, Clock: h, Log: slog.New(slog.DiscardHandler)}
	end := all[len(all)-1].at.Add(30 * time.Minute)
	for h.now = fired; h.now.Before(end); h.now = h.now.Add(5 * time.Second) {
		var batch []string
		for len(all) > 0 && !all[0].at.After(h.now) {
			batch, all = append(batch, all[0].body), all[1:]
		}
		if h.now.Second() == 0 {
			batch = append(batch, hub.Tick)
		}
		if len(batch) == 0 {
			continue
		}
		if _, err := t.Handle(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStormOfAccounts prints what a thief comes to who takes from 1,000 buckets in 40 accounts and 4 regions within a minute, with a key of each account:
// of the 160 deployments together, and of their hub; and the same 1,000 buckets in one account.
func BenchmarkStormOfAccounts(b *testing.B) {
	for _, c := range []struct {
		name              string
		accounts, regions int
	}{{"40-accounts-4-regions", 40, 4}, {"one-account", 1, 1}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				var accounts []string
				var events []told
				var messages, questions, incidents int
				var contained time.Duration
				left := 1000
				for i := range c.accounts {
					name := fmt.Sprintf("%012d", 100+i)
					accounts = append(accounts, name)
					for j := range c.regions {
						n := left / (c.accounts*c.regions - i*c.regions - j)
						left -= n
						tell := &collector{}
						s := fires(b, n, tell)
						messages, questions, incidents = messages+len(s.w.channel.Sent()), questions+s.bytes+s.usage, incidents+len(s.incidents)
						contained = max(contained, s.wrote.Sub(s.last))
						events = append(events, tell.of(b, i, name, fmt.Sprintf("eu-west-%d", 1+j))...)
					}
				}
				h := &oneHub{}
				h.hears(b, accounts, events)
				b.ReportMetric(float64(incidents), "incidents")
				b.ReportMetric(float64(messages), "messages-of-deployments")
				b.ReportMetric(float64(questions), "questions")
				b.ReportMetric(contained.Seconds(), "virtual-s-to-last-contained")
				b.ReportMetric(float64(len(events)), "events-to-hub")
				b.ReportMetric(float64(len(h.sent)), "messages-of-hub")
				threads := 0 // that were told
				for _, t := range h.rec.Threads {
					if t.Told > 0 {
						threads++
					}
				}
				b.ReportMetric(float64(threads), "threads")
				b.ReportMetric(0, "ns/op")
				if threads != 1 || len(h.sent) == 0 {
					b.Errorf("%d threads, %d messages: one thief is one thread", threads, len(h.sent))
					continue
				}
				for i, m := range h.sent {
					subject, _, _ := strings.Cut(m.body, "\n")
					b.Logf("hub message %d, %v after the first alarm, %d bytes: %s", i+1, m.at.Sub(fired), len(m.body), subject)
				}
			}
		})
	}
}
