package responder_test

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/policy"
	"nightlatch/internal/report"
	"nightlatch/internal/sandbox"
)

// The latencies of the services, in virtual time. Those of AWS are not ours to measure: take others and measure again.
var (
	lakeTakes  = flag.Duration("lake", 10*time.Second, "a query of CloudTrail Lake")
	iamTakes   = flag.Duration("iam", 150*time.Millisecond, "a call of IAM")
	storeTakes = flag.Duration("store", 15*time.Millisecond, "a call of DynamoDB")
	meterTakes = flag.Duration("cloudwatch", 200*time.Millisecond, "reading a metric")
	snsTakes   = flag.Duration("sns", 100*time.Millisecond, "a message")
)

// slow is the world with its latencies, and counts its calls.
type slow struct {
	incident.Store
	containment.Account
	evidence.Trail
	alarm.Meter
	*sandbox.Channel
	clock        *sandbox.Clock
	bytes, usage int
	lineages     int // questions for a lineage, and the span of time that they are about
	span         time.Duration
	iam, store   int
	wrote        time.Time
}

func (s *slow) takes(d time.Duration) { s.clock.Wait(context.Background(), s.clock.Now().Add(d)) }

func (s *slow) Ask(ctx context.Context, q evidence.Question) (evidence.Answer, error) {
	if q.Name() == "bytes" {
		s.bytes++
		s.takes(*lakeTakes) // the question for what is usual is asked beside it
	} else {
		s.usage++
	}
	if lineage, ok := q.(evidence.Lineage); ok {
		s.lineages++
		s.span += lineage.To.Sub(lineage.From)
	}
	return s.Trail.Ask(ctx, q)
}

func (s *slow) db() { s.store++; s.takes(*storeTakes) }

func (s *slow) Open(ctx context.Context, r incident.Record) (incident.Record, error) {
	s.db()
	return s.Store.Open(ctx, r)
}

func (s *slow) Put(ctx context.Context, r incident.Record) (incident.Record, error) {
	s.db()
	return s.Store.Put(ctx, r)
}

func (s *slow) Load(ctx context.Context, id string) (incident.Record, error) {
	s.db()
	return s.Store.Load(ctx, id)
}

func (s *slow) Unclosed(ctx context.Context) ([]incident.Brief, error) {
	s.db()
	return s.Store.Unclosed(ctx)
}

func (s *slow) Lease(ctx context.Context, l incident.Lease) error {
	s.db()
	return s.Store.Lease(ctx, l)
}

func (s *slow) Brakes(ctx context.Context) (incident.Brakes, error) {
	s.db()
	return s.Store.Brakes(ctx)
}

func (s *slow) SetBrakes(ctx context.Context, b incident.Brakes) (incident.Brakes, error) {
	s.db()
	return s.Store.SetBrakes(ctx, b)
}

func (s *slow) ask(n int) { s.iam += n; s.takes(time.Duration(n) * *iamTakes) }

func (s *slow) Identify(ctx context.Context, c actor.Credential) (policy.Target, error) {
	s.ask(2)
	return s.Account.Identify(ctx, c)
}

func (s *slow) Keys(ctx context.Context, user string) ([]containment.Key, error) {
	s.ask(1)
	return s.Account.Keys(ctx, user)
}

// Read is of two interfaces.
type slowMeter struct{ *slow }

func (s slowMeter) Read(ctx context.Context, a alarm.Alarm) (alarm.Reading, error) {
	s.takes(*meterTakes)
	return s.Meter.Read(ctx, a)
}

type slowAccount struct{ *slow }

func (s slowAccount) Read(ctx context.Context, ref containment.Ref) (containment.Doc, error) {
	s.ask(1)
	return s.Account.Read(ctx, ref)
}

func (s slowAccount) Write(ctx context.Context, ref containment.Ref, doc containment.Doc) error {
	s.ask(1)
	if s.wrote.IsZero() {
		s.wrote = s.clock.Now()
	}
	return s.Account.Write(ctx, ref, doc)
}

func (s *slow) Send(ctx context.Context, m report.Message) error {
	s.takes(*snsTakes)
	return s.Channel.Send(ctx, m)
}

func slowWorld() (*world, *slow) {
	w := watched()
	s := &slow{Store: w.Store, Account: w.account, Trail: w.trail, Meter: w.meter, Channel: w.channel, clock: w.clock}
	w.Store, w.Account, w.Trail, w.Meter, w.Channels[0] = s, slowAccount{s}, s, slowMeter{s}, s
	return w, s
}

// BenchmarkFromTheAlarmToTheWrite prints the time from the delivery of the alarm to the deactivation, over what nobody could do
// without: CloudTrail's lag, the settling time, one question, one write.
func BenchmarkFromTheAlarmToTheWrite(b *testing.B) {
	for b.Loop() {
		w, s := slowWorld()
		w.trail.late = from.Add(6 * time.Minute)
		if _, err := w.Handle(context.Background(), event(1_000_000), nil); err != nil {
			b.Fatal(err)
		}
		took, least := s.wrote.Sub(fired), w.trail.late.Sub(fired)+*lakeTakes+*iamTakes
		b.ReportMetric(took.Seconds(), "virtual-s")
		b.ReportMetric(least.Seconds(), "unavoidable-s")
		b.ReportMetric(took.Seconds()/least.Seconds(), "ratio")
	}
}

// stormed is what alarms in one minute come to in one deployment: one thief at so many buckets, everything one after the other.
type stormed struct {
	*slow
	w           *world
	incidents   []incident.Record
	invocations int
	last        time.Time // when the last alarm was there
}

// fires plays it. tell is the channel of a hub, nil for none.
func fires(b *testing.B, n int, tell notify.Channel) stormed {
	w, s := slowWorld()
	if tell != nil {
		w.Channels = append(w.Channels, tell)
		tell.(*collector).clock = w.clock
	}
	w.trail.late = from.Add(6 * time.Minute)
	begin := w.clock.Now()
	if err := w.Store.Lease(context.Background(), incident.Lease{Name: "desk", Holder: "the first", Now: begin, Until: begin.Add(time.Hour)}); err != nil {
		b.Fatal(err)
	}
	out := stormed{slow: s, w: w}
	for i := range n {
		name := fmt.Sprintf("bucket-%04d", i)
		w.meter.Buckets[name] = []alarm.Point{{Start: from, Bytes: 1_000_000}}
		e := strings.ReplaceAll(strings.ReplaceAll(string(event(1_000_000)), `"exports"`, fmt.Sprintf("%q", name)), "nightlatch-exports", "nightlatch-"+name)
		for range 2 { // both ways
			out.invocations++
			if _, err := w.Handle(context.Background(), []byte(e), nil); err != nil {
				b.Fatal(err)
			}
		}
	}
	// Really they run beside each other, while the first one holds the worker lease; here one after the other, so that the minute is longer.
	out.last = w.clock.Now()
	if err := w.Store.Lease(context.Background(), incident.Lease{Name: "desk", Holder: "the first", Now: out.last, Until: out.last}); err != nil {
		b.Fatal(err)
	}
	if _, err := w.Handle(context.Background(), []byte(`{"nightlatch":{"advance":{"incident":"desk"}}}`), nil); err != nil {
		b.Fatal(err)
	}
	all, _ := w.Store.Recent(context.Background(), 2*n)
	for _, brief := range all {
		if r, err := w.Store.Load(context.Background(), brief.ID); err == nil {
			out.incidents = append(out.incidents, r)
		}
	}
	if w.account.Writes() != 1 {
		b.Errorf("%d writes, want one", w.account.Writes())
	}
	return out
}

// BenchmarkStorm prints what 1,000 alarms in one minute come to: one thief at 1,000 buckets.
func BenchmarkStorm(b *testing.B) {
	for b.Loop() {
		s := fires(b, 1000, nil)
		merged := 0
		for _, r := range s.incidents {
			if r.MergedInto != "" {
				merged++
			}
		}
		b.ReportMetric(float64(len(s.incidents)), "incidents")
		b.ReportMetric(float64(merged), "merged")
		b.ReportMetric(float64(s.invocations+1), "invocations")
		b.ReportMetric(float64(s.bytes), "bytes-questions")
		b.ReportMetric(float64(s.usage), "other-questions")
		b.ReportMetric(float64(len(s.w.channel.Sent())), "messages")
		b.ReportMetric(float64(s.iam), "iam-calls")
		b.ReportMetric(s.wrote.Sub(s.last).Seconds(), "virtual-s-to-contained")
	}
}
