package responder_test

import (
	"context"
	"flag"
	"slices"
	"testing"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/policy"
	"nightlatch/internal/sandbox"
)

var (
	cutTakes = flag.Duration("cutter", 1500*time.Millisecond, "an order: the cutter's start, its reads and its write")
	human    = flag.Duration("human", 10*time.Minute, "until a human has run what a message says")
	rate     = flag.Int64("rate", 4<<30, "bytes a minute that the thief takes")
	logged   = flag.Float64("logged", 9, "GB of events a day that the trail takes: 5 million reads of 1.8 KB")
)

// slowCutter is the cutter with its latency.
type slowCutter struct{ *slow }

func (s slowCutter) Cut(ctx context.Context, o containment.Order) error {
	s.iam++
	s.takes(*cutTakes)
	if s.wrote.IsZero() {
		s.wrote = s.clock.Now()
	}
	return s.account().Cut(ctx, o)
}

func (s *slow) account() *sandbox.Account { return s.Account.(*sandbox.Account) }

// BenchmarkKindsOfCredential prints, for each kind of credential, the virtual time from the verdict to the write, the calls to the account
// until the incident is closed, and what the thief took from the alarm on, IAM's propagation of minutes left out: with the step enabled and a policy
// that contains it, and as delivered, where a human is asked and runs it. Beside that are the questions for the lineage until then, and the events of the
// time that they are about, which is what CloudTrail Lake bills at most. A key made another one, and a key minted the sessions.
func BenchmarkKindsOfCredential(b *testing.B) {
	for name, c := range map[string]struct {
		by   taker
		step policy.Action
	}{
		"long-term-key": {thief(1_000_000), policy.DeactivateKey},
		"user-session":  {taker{key: "ASIAEXAMPLEMARA00001", owner: "mara", bytes: 1_000_000, ip: elsewhere}, policy.DenyUserSessions},
		"role-session":  {session("loot", 1_000_000), policy.DenyRoleSession},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				w, s := slowWorld()
				w.account.AddRole("exporter", nil)
				w.trail.takers = []taker{c.by}
				w.trail.minted = map[string]evidence.Row{eves: making(user("mara", stolen))}
				if c.by.key != stolen {
					w.trail.minted[c.by.key] = by(user("mara", stolen))
				}
				p, err := policy.Load("own.cedar", []byte(`@id("own") @because("a deployer's own") permit (principal, action, resource);`))
				if err != nil {
					b.Fatal(err)
				}
				w.Policy = policy.Ready(p)
				if c.step != policy.DeactivateKey {
					w.Steps, w.Cutter = []policy.Action{c.step}, slowCutter{s}
				}
				handled, err := w.Handle(context.Background(), event(1_000_000), nil)
				if err != nil {
					b.Fatal(err)
				}
				r := handled.Record
				if !slices.ContainsFunc(r.Outcomes, func(o containment.Outcome) bool { return o.State == containment.Done && o.Action == c.step }) {
					b.Fatalf("got %+v", r.Outcomes)
				}
				gib := func(refused time.Time) float64 { return refused.Sub(fired).Minutes() * float64(*rate) / (1 << 30) }
				b.ReportMetric(s.wrote.Sub(r.Judged).Seconds(), "virtual-s-from-the-verdict")
				b.ReportMetric(float64(s.iam), "account-calls")
				b.ReportMetric(float64(s.lineages), "lineage-questions")
				b.ReportMetric(s.span.Hours()/24*(*logged), "lineage-GB")
				b.ReportMetric(gib(s.wrote), "GiB-taken")
				b.ReportMetric(gib(r.Judged.Add(*human)), "GiB-taken-where-asked")
				b.ReportMetric(gib(s.wrote)/gib(r.Judged.Add(*human)), "ratio")
			}
		})
	}
}
