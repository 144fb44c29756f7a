package lake

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/awstest"
	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/lake/laketest"
)

func TestErrorsSayWhatWasDoneAndWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		operation string
		fault     laketest.Fault
		times     int
		want      []string
	}{
		"store not found":    {laketest.StartQuery, laketest.StoreNotFound, 1, []string{"starting the bytes query on " + ownARN, "was not found, check its arn"}},
		"store inactive":     {laketest.StartQuery, laketest.StoreInactive, 1, []string{"is not active, restore it"}},
		"invalid statement":  {laketest.StartQuery, laketest.InvalidStatement, 1, []string{"a defect of nightlatch", "incorrect syntax"}},
		"key refused":        {laketest.StartQuery, laketest.Fault{Code: "InsufficientEncryptionPolicyException"}, 1, []string{"kms:Decrypt"}},
		"no right to start":  {laketest.StartQuery, laketest.AccessDenied(laketest.StartQuery), 1, []string{"may not call cloudtrail:StartQuery on the event data store (AWS: \"cloudtrail:StartQuery\")"}},
		"no right to poll":   {laketest.DescribeQuery, laketest.AccessDenied(laketest.DescribeQuery), 1, []string{"waiting for the bytes query 0", "may not call cloudtrail:DescribeQuery"}},
		"no right to read":   {laketest.GetQueryResults, laketest.AccessDenied(laketest.GetQueryResults), 1, []string{"reading the rows", "may not call cloudtrail:GetQueryResults"}},
		"query id not found": {laketest.DescribeQuery, laketest.QueryNotFound, 1, []string{"not known any more"}},
		"expired token":      {laketest.StartQuery, awstest.ExpiredToken, 1, []string{"renew them"}},
		"fault of lake":      {laketest.StartQuery, awstest.InternalError, callAttempts, []string{"a fault of its own"}},
		"cut off":            {laketest.DescribeQuery, awstest.Cut, callAttempts, []string{"could not be reached", "EOF"}},
		"a proxy's page":     {laketest.DescribeQuery, awstest.Blocked, 1, []string{"the answer is not cloudtrail lake's, see whether a proxy stands between", "403"}},
		"anything else":      {laketest.StartQuery, laketest.Fault{Code: "UnsupportedOperationException", Message: "no"}, 1, []string{"did not accept the call (UnsupportedOperationException: no)"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, Settings{}, rowsOf(1)...)
			f.Fail(c.operation, slices.Repeat([]awstest.Fault{c.fault}, c.times)...)
			got, err := f.Ask(t.Context(), ask(""))
			if err == nil {
				t.Fatalf("got %+v", got)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if text := err.Error(); text != strings.ToLower(text[:1])+text[1:] || strings.Contains(text, "operation error") {
				t.Errorf("%q is not a readable lower-case sentence", err)
			}
			// What was started and did not end by itself has been cancelled.
			if s := f.statuses(); s != "" && s != laketest.Finished && s != laketest.Cancelled {
				t.Errorf("the query is left %s", s)
			}
		})
	}
}

func TestThrottlingPasses(t *testing.T) {
	for _, operation := range []string{laketest.StartQuery, laketest.DescribeQuery, laketest.GetQueryResults} {
		f := newFixture(t, Settings{}, rowsOf(1)...)
		// More than the SDK sits out by itself, twice over.
		f.Fail(operation, slices.Repeat([]awstest.Fault{awstest.Throttled}, 2*callAttempts+1)...)
		if got, err := f.Ask(t.Context(), ask("")); err != nil || len(got.Rows) != 1 {
			t.Errorf("%s: got %+v, %v", operation, got, err)
		}
		if got, want := len(f.waits), 3+2; got != want {
			t.Errorf("%s: got %d waits, want 3 for the query and 2 for the throttling", operation, got)
		}
	}
}

func TestThrottledUntilTheEnd(t *testing.T) {
	ends := map[string]func(*fixture, context.CancelFunc){
		"in a wait": func(f *fixture, cancel context.CancelFunc) {
			f.during = func(n int) {
				if n == 4 {
					cancel()
				}
			}
		},
		"in a call": func(f *fixture, cancel context.CancelFunc) {
			f.OnCall(func(string) {
				if len(f.Calls()) > 2*callAttempts {
					cancel()
				}
			})
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, Settings{})
			f.Fail(laketest.DescribeQuery, slices.Repeat([]awstest.Fault{awstest.Throttled}, 100)...)
			ctx, cancel := context.WithCancel(t.Context())
			end(f, cancel)
			_, err := f.Ask(ctx, ask(""))
			if !errors.Is(err, context.Canceled) || errors.Is(err, evidence.ErrBusy) || !strings.Contains(err.Error(), "Rate exceeded") {
				t.Errorf("got %v, want the end of time, naming the throttling", err)
			}
			if got := f.statuses(); got != laketest.Cancelled {
				t.Errorf("the query is left %s", got)
			}
		})
	}
}

func TestACutConnectionIsTriedAgain(t *testing.T) {
	for _, operation := range []string{laketest.StartQuery, laketest.DescribeQuery, laketest.GetQueryResults} {
		for _, cut := range []laketest.Fault{awstest.Cut, awstest.CutAfter} {
			f := newFixture(t, Settings{}, rowsOf(1)...)
			f.Fail(operation, cut)
			if got, err := f.Ask(t.Context(), ask("")); err != nil || len(got.Rows) != 1 {
				t.Errorf("%s: got %+v, %v", operation, got, err)
			}
		}
	}
}

func TestBusyWaitsForASlot(t *testing.T) {
	f := newFixture(t, Settings{}, rowsOf(1)...)
	f.Occupy(laketest.Slots)
	f.during = func(n int) {
		if n == 5 {
			f.Occupy(laketest.Slots - 1)
		}
	}
	if _, err := f.Ask(t.Context(), ask("")); err != nil {
		t.Fatal(err)
	}
	want := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 8 * time.Second,
		500 * time.Millisecond, time.Second, 2 * time.Second}
	if diff := cmp.Diff(f.waits, want); diff != "" {
		t.Errorf("waits (-got +want):\n%s", diff)
	}
}

func TestBusyUntilTheEnd(t *testing.T) {
	// The time ends in a wait, or in a call.
	ends := map[string]func(*fixture, context.CancelFunc){
		"in a wait": func(f *fixture, cancel context.CancelFunc) {
			f.during = func(n int) {
				if n == 3 {
					cancel()
				}
			}
		},
		"in a call": func(f *fixture, cancel context.CancelFunc) {
			f.OnCall(func(string) {
				if len(f.Calls()) == 3 {
					cancel()
				}
			})
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, Settings{})
			f.Occupy(laketest.Slots)
			ctx, cancel := context.WithCancel(t.Context())
			end(f, cancel)
			_, err := f.Ask(ctx, ask(""))
			if !errors.Is(err, evidence.ErrBusy) || !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want busy and the end of time", err)
			}
			if calls := len(f.Calls()); calls != 3 || len(f.Queries()) != 0 {
				t.Errorf("got %d calls and %d queries", calls, len(f.Queries()))
			}
		})
	}
}

func TestExhaustedIsRunAgain(t *testing.T) {
	f := newFixture(t, Settings{}, rowsOf(2)...)
	f.End(laketest.Exhausted, laketest.Exhausted)
	got, err := f.Ask(t.Context(), ask(""))
	// A failed run of the fake scans half of its 1000 bytes.
	if err != nil || len(got.Rows) != 2 || got.Scanned != 2000 {
		t.Errorf("got %+v, %v, want 2 rows and the bytes of three runs", got, err)
	}
	if got, want := f.statuses(), "FAILED FAILED FINISHED"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !slices.Contains(f.waits, 5*time.Second) || !slices.Contains(f.waits, 10*time.Second) {
		t.Errorf("waits do not grow: %v", f.waits)
	}
}

func TestExhaustedEnds(t *testing.T) {
	f := newFixture(t, Settings{})
	f.End(laketest.Exhausted, laketest.Exhausted, laketest.Exhausted)
	if _, err := f.Ask(t.Context(), ask("")); !errors.Is(err, evidence.ErrTooMuch) || !strings.Contains(err.Error(), "ran out of resources") {
		t.Errorf("got %v", err)
	}
	if got := len(f.Queries()); got != maxRuns {
		t.Errorf("got %d runs, want %d", got, maxRuns)
	}
	// The time can end between two runs, too.
	f.End(laketest.Exhausted)
	ctx, cancel := context.WithCancel(t.Context())
	f.waits, f.during = nil, func(n int) {
		if n == 4 {
			cancel()
		}
	}
	if _, err := f.Ask(ctx, ask("")); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "ran out of resources") {
		t.Errorf("got %v", err)
	}
}
