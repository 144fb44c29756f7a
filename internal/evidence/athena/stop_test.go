package athena_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"nightlatch/internal/awstest"
	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/athena/athenatest"
)

func TestTheEndOfTimeStopsTheQuery(t *testing.T) {
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
		}, athenatest.Cancelled},
		"while checking": {func(f *fixture, cancel context.CancelFunc) {
			f.Fail(athenatest.GetTableMetadata, awstest.Cut) // or else the call could be quicker than the end
			inCall(athenatest.GetTableMetadata)(f, cancel)
		}, ""}, // nothing was started
		"while starting": {inCall(athenatest.StartQueryExecution), athenatest.Cancelled},
		"while polling":  {inCall(athenatest.GetQueryExecution), athenatest.Cancelled},
		"while reading": {func(f *fixture, cancel context.CancelFunc) {
			f.Fail(athenatest.GetQueryResults, awstest.Cut) // or else the page could be quicker than the end
			inCall(athenatest.GetQueryResults)(f, cancel)
		}, athenatest.Succeeded}, // nothing left to stop
		"stopped, but the answer to that is lost": {func(f *fixture, cancel context.CancelFunc) {
			f.Fail(athenatest.StopQueryExecution, awstest.CutAfter) // the SDK's second try finds it ended
			f.during = func(int) { cancel() }
		}, athenatest.Cancelled},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 0, rowsOf(1)...)
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

func TestAQueryThatCannotBeStoppedIsNamed(t *testing.T) {
	f := newFixture(t, 0)
	f.Fail(athenatest.StopQueryExecution, athenatest.AccessDenied(athenatest.StopQueryExecution))
	ctx, cancel := context.WithCancel(t.Context())
	f.during = func(int) { cancel() }
	_, err := f.Ask(ctx, ask(""))
	says(t, err, "could not be stopped and goes on", f.Queries()[0].ID, "may not call athena:StopQueryExecution")
}

// Athena queues some failed queries again by itself; such a one would run beside ours, or after we have gone.
func TestAFailedQueryIsStoppedToo(t *testing.T) {
	f := newFixture(t, 0)
	f.End(athenatest.Ending{Status: athenatest.Failed, Reason: "disk on fire"})
	_, err := f.Ask(t.Context(), ask(""))
	says(t, err, "disk on fire")
	if got := f.operations(); !strings.HasSuffix(got, athenatest.StopQueryExecution) {
		t.Errorf("calls: %s", got)
	}
}

func TestBudgetStopsARunningQuery(t *testing.T) {
	f := newFixture(t, 499, rowsOf(1)...) // the fake's query scans 500 while RUNNING
	f.Hold()
	_, err := f.Ask(t.Context(), ask(""))
	if !errors.Is(err, evidence.ErrBudget) || !strings.Contains(err.Error(), "500 bytes are scanned where 499 are allowed") {
		t.Errorf("got %v, want over the budget", err)
	}
	if got := f.statuses(); got != athenatest.Cancelled {
		t.Errorf("the query is left %s", got)
	}
}

func TestBudgetCountsEveryRun(t *testing.T) {
	f := newFixture(t, 1000, rowsOf(1)...)
	f.End(athenatest.Exhausted, athenatest.Exhausted)
	if _, err := f.Ask(t.Context(), ask("")); !errors.Is(err, evidence.ErrBudget) {
		t.Errorf("got %v, want over the budget", err)
	}
}

func TestBudgetKeepsWhatIsPaidFor(t *testing.T) {
	f := newFixture(t, 999, rowsOf(1)...)
	// It goes over the budget with the poll that finds it ended: the bytes are billed, the rows are there.
	if got, err := f.Ask(t.Context(), ask("")); err != nil || len(got.Rows) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestTheWorkgroupsLimitIsABudgetToo(t *testing.T) {
	f := newFixture(t, 0, rowsOf(1)...)
	f.Limit(999)
	_, err := f.Ask(t.Context(), ask(""))
	if !errors.Is(err, evidence.ErrBudget) {
		t.Errorf("got %v, want over the budget", err)
	}
	says(t, err, "limit of the workgroup nightlatch after 999 bytes", "raise its BytesScannedCutoffPerQuery")
	if n := len(f.Queries()); n != 1 {
		t.Errorf("it was run %d times", n)
	}
}
