package athena_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/awstest"
	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/athena"
	"nightlatch/internal/evidence/athena/athenatest"
)

// numbered are rows that tell which they are.
func numbered(n int) (rows []map[string]string) {
	for i := range n {
		rows = append(rows, map[string]string{"actor": strconv.Itoa(i)})
	}
	return rows
}

func TestEachGivesMoreRowsThanAskMayHold(t *testing.T) {
	f := newFixture(t, 0, numbered(athena.MaxPages+50)...)
	f.Page(1)
	next, pages := 0, 0
	f.OnCall(func(op string) {
		if op == athenatest.GetQueryResults {
			if pages++; pages > next+2 {
				t.Errorf("page %d is fetched after %d rows were given", pages, next)
			}
		}
	})
	answer, err := f.Each(t.Context(), ask(""), func(row evidence.Row) error {
		if row["actor"] != strconv.Itoa(next) {
			t.Errorf("row %d is %v", next, row)
		}
		next++
		return nil
	})
	if err != nil || next != athena.MaxPages+50 || pages < next {
		t.Errorf("%d rows came in %d pages, %v", next, pages, err)
	}
	if diff := cmp.Diff(answer, evidence.Answer{Engine: "athena", Scanned: 1000, Queued: 100 * time.Millisecond, Ran: time.Second}); diff != "" {
		t.Errorf("answer (-got +want):\n%s", diff)
	}
}

func TestWhatEndsEach(t *testing.T) {
	full := errors.New("the disk is full")
	for name, c := range map[string]struct {
		spoil func(*fixture)
		do    func(given int) error
		want  string
		given int
	}{
		"the caller":         {func(*fixture) {}, func(given int) error { return map[int]error{3: full}[given] }, "the disk is full", 3},
		"a token that comes": {func(f *fixture) { f.LoopTokens() }, nil, "same page token again", 3},
		"no header":          {func(f *fixture) { f.Behead() }, nil, "the first row is not the header", 0},
		"a page that fails": {func(f *fixture) {
			f.OnCall(func(op string) {
				if op == athenatest.GetQueryResults {
					f.OnCall(nil)
					fault := athenatest.ResultsGone
					fault.After = true
					f.Fail(op, fault)
				}
			})
		}, nil, "its result is gone", 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 0, numbered(4)...)
			f.Page(2)
			c.spoil(f)
			given := 0
			answer, err := f.Each(t.Context(), ask(""), func(evidence.Row) error {
				given++
				if c.do != nil {
					return c.do(given)
				}
				return nil
			})
			if err == nil || !strings.Contains(err.Error(), c.want) || given != c.given || len(f.Queries()) != 1 {
				t.Errorf("got %v after %d rows of %d queries", err, given, len(f.Queries()))
			}
			if diff := cmp.Diff(answer, evidence.Answer{}); diff != "" || c.do != nil && err != full {
				t.Errorf("got %v, and beside it (-got +want):\n%s", err, diff)
			}
		})
	}
}

// What does not come from Athena never has the question asked again, whatever it says: its rows would be given twice.
func TestEachNeverGivesARowTwice(t *testing.T) {
	f := newFixture(t, 0, numbered(4)...)
	given := 0
	_, err := f.Each(t.Context(), ask(""), func(evidence.Row) error {
		given++
		return athena.ErrAgain
	})
	if err != athena.ErrAgain || given != 1 || len(f.Queries()) != 1 {
		t.Errorf("got %v after %d rows of %d queries", err, given, len(f.Queries()))
	}
}

func TestTheEndOfTimeEndsEach(t *testing.T) {
	for name, c := range map[string]struct {
		end   func(*fixture, context.CancelFunc)
		after int // rows
		want  string
	}{
		"while it waits": {func(f *fixture, cancel context.CancelFunc) { f.during = func(int) { cancel() } }, -1, athenatest.Cancelled},
		"between pages":  {func(f *fixture, _ context.CancelFunc) { f.Page(3) }, 2, athenatest.Succeeded}, // nothing is left to cancel
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 0, numbered(9)...)
			f.Fail(athenatest.StopQueryExecution, awstest.CutAfter)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c.end(f, cancel)
			given := 0
			_, err := f.Each(ctx, ask(""), func(evidence.Row) error {
				if given++; given == c.after {
					cancel()
				}
				return nil
			})
			if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the time ended while") || given != max(c.after, 0) || f.statuses() != c.want {
				t.Errorf("got %v after %d rows, and the query is left %s", err, given, f.statuses())
			}
		})
	}
}
