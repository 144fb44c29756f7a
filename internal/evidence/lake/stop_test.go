package lake

import (
	"context"
	"errors"
	"strings"
	"testing"

	"nightlatch/internal/awstest"
	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/lake/laketest"
)

func TestTheEndOfTimeCancelsTheQuery(t *testing.T) {
	inCall := func(operation string) func(*fixture, context.CancelFunc) {
		return func(f *fixture, cancel context.CancelFunc) {
			f.OnCall(func(op string) {
				if op == operation {
					cancel()
				}
			})
		}
	}
	for name, c := range map[string]struct {
		end  func(*fixture, context.CancelFunc)
		want string
	}{
		"in a wait": {func(f *fixture, cancel context.CancelFunc) {
			f.during = func(n int) {
				if n == 3 {
					cancel()
				}
			}
		}, laketest.Cancelled},
		"while starting": {inCall(laketest.StartQuery), laketest.Cancelled},
		"while polling":  {inCall(laketest.DescribeQuery), laketest.Cancelled},
		"while reading": {func(f *fixture, cancel context.CancelFunc) {
			f.Fail(laketest.GetQueryResults, awstest.Cut) // or else the page could be quicker than the end
			inCall(laketest.GetQueryResults)(f, cancel)
		}, laketest.Finished}, // nothing left to cancel
		"cancelled, but the answer to that is lost": {func(f *fixture, cancel context.CancelFunc) {
			f.Fail(laketest.CancelQuery, awstest.CutAfter) // the SDK's second try finds it inactive
			f.during = func(int) { cancel() }
		}, laketest.Cancelled},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, Settings{}, rowsOf(1)...)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c.end(f, cancel)
			_, err := f.Ask(ctx, ask(""))
			if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the time ended while") {
				t.Errorf("got %v, want the end of time", err)
			}
			if strings.Contains(err.Error(), "could not be stopped") {
				t.Errorf("got %v, though it was stopped", err)
			}
			if got := f.statuses(); got != c.want {
				t.Errorf("the query is left %s, want %s", got, c.want)
			}
		})
	}
}

func TestNoTimeMeansNoCall(t *testing.T) {
	f := newFixture(t, Settings{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Ask(ctx, ask("")); !errors.Is(err, context.Canceled) || f.operations() != "" {
		t.Errorf("got %v after %q", err, f.operations())
	}
}

func TestAQueryThatCannotBeStoppedIsNamed(t *testing.T) {
	f := newFixture(t, Settings{})
	f.Fail(laketest.CancelQuery, laketest.AccessDenied(laketest.CancelQuery))
	ctx, cancel := context.WithCancel(t.Context())
	f.during = func(int) { cancel() }
	_, err := f.Ask(ctx, ask(""))
	for _, want := range []string{"could not be stopped and goes on", f.Queries()[0].ID, "may not call cloudtrail:CancelQuery"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

func TestBudgetStopsARunningQuery(t *testing.T) {
	f := newFixture(t, Settings{Budget: 499}, rowsOf(1)...) // the fake's query scans 500 while RUNNING
	f.Hold()
	_, err := f.Ask(t.Context(), ask(""))
	if !errors.Is(err, evidence.ErrBudget) || !strings.Contains(err.Error(), "500 bytes are scanned where 499 are allowed") {
		t.Errorf("got %v, want over the budget", err)
	}
	if got := f.statuses(); got != laketest.Cancelled {
		t.Errorf("the query is left %s", got)
	}
}

func TestBudgetCountsEveryRun(t *testing.T) {
	f := newFixture(t, Settings{Budget: 1000}, rowsOf(1)...)
	f.End(laketest.Exhausted, laketest.Exhausted)
	if _, err := f.Ask(t.Context(), ask("")); !errors.Is(err, evidence.ErrBudget) {
		t.Errorf("got %v, want over the budget", err)
	}
}

func TestBudgetKeepsWhatIsPaidFor(t *testing.T) {
	f := newFixture(t, Settings{Budget: 999}, rowsOf(1)...)
	// It goes over the budget with the poll that finds it finished: the bytes are billed, the rows are there.
	if got, err := f.Ask(t.Context(), ask("")); err != nil || len(got.Rows) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
}
