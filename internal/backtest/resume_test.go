package backtest

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/evidence"
	"nightlatch/internal/policy"
	"nightlatch/internal/settings"
)

// stopping is a trail that is stopped at one of its questions.
type stopping struct {
	evidence.Trail
	left int
}

var errStopped = errors.New("stopped")

func (s *stopping) Ask(ctx context.Context, q evidence.Question) (evidence.Answer, error) {
	if s.left--; s.left < 0 {
		return evidence.Answer{}, errStopped
	}
	return s.Trail.Ask(ctx, q)
}

// Wherever a run is stopped, the next one that knows its decisions has the same result.
func TestARunThatWasStoppedGoesOn(t *testing.T) {
	b := loaded(t, "../../events/trail")
	b.Watched, b.AtMost = []settings.Bucket{{Name: "example-exports", Thresholds: []settings.Threshold{{Bytes: 1 << 30, Period: settings.Minute}, {Bytes: 1900 << 20, Period: settings.Day}}}}, 2
	b.Since = b.To.AddDate(0, 0, -1)
	never, err := policy.Load("never.cedar", []byte(`@id("never") @because("a human decides") permit (principal, action, resource) when { context.approved };`))
	if err != nil {
		t.Fatal(err)
	}
	b.Policies = []Policy{{"shipped", "1", policy.Shipped()}, {"never", "2", never}}
	whole, err := b.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want, err := JSON(whole)
	if err != nil || len(whole.Alarms) < 2 {
		t.Fatalf("%d alarms show little: %v", len(whole.Alarms), err)
	}
	trail, stages, kept := b.Trail, 0, 0
	for n := 14; ; n++ { // the first questions are about the days, and alike
		known := map[string]Judged{}
		b.Known, b.Trail, b.Keep = nil, &stopping{trail, n}, func(name string, j Judged) { known[name] = j }
		if _, err := b.Run(t.Context()); err == nil {
			break
		}
		b.Known, b.Trail, b.Keep = known, trail, func(name string, j Judged) {
			if _, ok := known[name]; ok {
				t.Errorf("stopped at question %d: %s is decided again", n, name)
			}
		}
		got, err := b.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		text, err := JSON(got)
		if diff := cmp.Diff(string(want), string(text)); diff != "" || err != nil {
			t.Fatalf("stopped at question %d, %v (want -, got +):\n%s", n, err, diff)
		}
		stages, kept = stages+1, max(kept, len(known))
	}
	if stages < 6 || kept < 3 {
		t.Errorf("stopped at %d stages, with %d decisions at most", stages, kept)
	}
}

// unhurried is a trail that answers whoever waits as long as it takes.
type unhurried struct{ evidence.Trail }

func (u unhurried) Ask(ctx context.Context, q evidence.Question) (evidence.Answer, error) {
	if _, hurried := ctx.Deadline(); hurried {
		return evidence.Answer{}, errors.New("it is asked in a hurry")
	}
	return u.Trail.Ask(ctx, q)
}

// The patience of a team at midnight does not end a question to a month of files on a machine that is slow or busy.
func TestABacktestWaits(t *testing.T) {
	b := loaded(t, "../../events/trail")
	b.Watched, b.AtMost = []settings.Bucket{{Name: "example-exports", Thresholds: []settings.Threshold{{Bytes: 1 << 30, Period: settings.Minute}}}}, 2
	b.Since, b.Trail, b.Policies = b.To.AddDate(0, 0, -1), unhurried{b.Trail}, []Policy{{"shipped", "1", policy.Shipped()}}
	if r, err := b.Run(t.Context()); err != nil || len(r.Alarms) == 0 {
		t.Errorf("%d alarms, %v", len(r.Alarms), err)
	}
}
