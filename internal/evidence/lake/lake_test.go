package lake

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/lake/laketest"
)

func TestNewTakesNothingButAStore(t *testing.T) {
	for _, arn := range []string{
		"",
		storeID,
		ownARN + "\n",
		ownARN + "/x",
		"x" + ownARN,
		strings.Replace(ownARN, "eventdatastore", "trail", 1),
		strings.Replace(ownARN, "eu-central-1", "evil.example", 1),
		strings.Replace(ownARN, "111122223333", "1111", 1),
		strings.Replace(ownARN, storeID, "x; DROP", 1),
		strings.ToUpper(ownARN),
	} {
		_, err := New(aws.Config{}, Settings{EventDataStore: arn})
		if err == nil {
			t.Errorf("New took %q", arn)
		} else if !strings.Contains(err.Error(), "eventdatastore/UUID") {
			t.Errorf("New(%q) = %v: it does not say what an arn looks like", arn, err)
		}
	}
	if _, err := New(aws.Config{}, Settings{EventDataStore: ownARN, Budget: -1}); err == nil {
		t.Error("New took a negative budget")
	}
	if _, err := New(aws.Config{}, Settings{EventDataStore: strings.Replace(ownARN, ":aws:", ":aws-us-gov:", 1)}); err != nil {
		t.Errorf("New refused another partition: %v", err)
	}
}

func TestAskReturnsTheRowsOfAFinishedQuery(t *testing.T) {
	f := newFixture(t, Settings{},
		map[string]string{"Actor": "alice", "totalBytes": "4.2949672960E10"},
		map[string]string{"Actor": "bob", "totalBytes": ""},
		map[string]string{"Actor": "carol", "totalBytes": "7"})
	f.Page(2)
	got, err := f.Ask(t.Context(), ask(""))
	if err != nil {
		t.Fatal(err)
	}
	want := evidence.Answer{Engine: "cloudtrail-lake", Scanned: 1000, Ran: 800 * time.Millisecond, Seal: evidence.Seal{Sealed: evidence.Proved}, Rows: []evidence.Row{
		{"actor": "alice", "totalbytes": "4.2949672960E10"},
		{"actor": "bob", "totalbytes": ""},
		{"actor": "carol", "totalbytes": "7"},
	}}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("answer (-got +want):\n%s", diff)
	}
	// The fake shows rows while RUNNING: they are read after the third poll only, which found it FINISHED.
	if got, want := f.operations(), "StartQuery DescribeQuery DescribeQuery DescribeQuery GetQueryResults GetQueryResults"; got != want {
		t.Errorf("calls: got %s, want %s", got, want)
	}
	wantQuery := laketest.Query{ID: f.Queries()[0].ID, SQL: "SELECT actor FROM " + storeID, Region: "eu-central-1", Status: laketest.Finished}
	if diff := cmp.Diff(f.Queries(), []laketest.Query{wantQuery}); diff != "" {
		t.Errorf("queries (-got +want):\n%s", diff)
	}
}

func TestAskReadsManyRowsInFullPages(t *testing.T) {
	f := newFixture(t, Settings{}, rowsOf(2001)...)
	got, err := f.Ask(t.Context(), ask(""))
	if err != nil || len(got.Rows) != 2001 {
		t.Fatalf("got %d rows, %v, want 2001", len(got.Rows), err)
	}
	pages := map[string]bool{} // by token: the SDK may have to fetch one again
	for _, c := range f.Calls() {
		if c.Operation == laketest.GetQueryResults {
			pages[c.Token] = true
		}
	}
	if len(pages) != 3 {
		t.Errorf("got %d pages, want 3", len(pages))
	}
}

func TestAskNeverReturnsSomeRowsAsAll(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*fixture)
		want  string
	}{
		"failed":            {func(f *fixture) { f.End(laketest.Ending{Status: laketest.Failed, Message: "disk on fire"}) }, "disk on fire"},
		"failed, no reason": {func(f *fixture) { f.End(laketest.Ending{Status: laketest.Failed}) }, "gives no reason"},
		"cancelled":         {func(f *fixture) { f.End(laketest.Ending{Status: laketest.Cancelled}) }, "not by nightlatch"},
		"timed out":         {func(f *fixture) { f.End(laketest.Ending{Status: laketest.TimedOut}) }, "partial rows are not used"},
		"unknown status":    {func(f *fixture) { f.End(laketest.Ending{Status: "PAUSED"}) }, `status "PAUSED"`},
		"rows lost":         {func(f *fixture) { f.LoseRows(1) }, "3 rows came where the query has 4"},
		"results behind":    {func(f *fixture) { f.Lag() }, `is now "RUNNING"`},
		"token loop":        {func(f *fixture) { f.LoopTokens() }, "same page token again"},
		"second page fails": {func(f *fixture) {
			f.Page(3)
			f.OnCall(func(op string) {
				if op == laketest.GetQueryResults {
					f.OnCall(nil)
					f.Fail(op, laketest.Fault{Code: laketest.QueryNotFound.Code, After: true})
				}
			})
		}, "not known any more"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, Settings{}, rowsOf(4)...)
			c.spoil(f)
			got, err := f.Ask(t.Context(), ask(""))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want it to say %q", err, c.want)
			}
			if diff := cmp.Diff(got, evidence.Answer{}); diff != "" {
				t.Errorf("an answer beside an error (-got +want):\n%s", diff)
			}
			read := strings.Contains(f.operations(), laketest.GetQueryResults)
			if finished := f.statuses() == laketest.Finished; read != finished {
				t.Errorf("rows were read: %t, of a query that is %s", read, f.statuses())
			}
		})
	}
}

func TestAskBoundsThePages(t *testing.T) {
	f := newFixture(t, Settings{}, rowsOf(maxPages+1)...)
	f.Page(1)
	if _, err := f.Ask(t.Context(), ask("")); err == nil || !strings.Contains(err.Error(), "more than 200 pages") {
		t.Errorf("got %v", err)
	}
}

func TestAskRefusesARowWithOneColumnTwice(t *testing.T) {
	f := newFixture(t, Settings{}, map[string]string{"actor": "alice", "Actor": "bob"})
	if _, err := f.Ask(t.Context(), ask("")); err == nil || !strings.Contains(err.Error(), `column "actor" comes twice`) {
		t.Errorf("got %v", err)
	}
}

func TestAskChecksTheStatementBeforeAnyCall(t *testing.T) {
	f := newFixture(t, Settings{})
	_, err := f.Ask(t.Context(), ask(strings.Repeat("ü", evidence.MaxStatement+1)))
	if err == nil || !strings.Contains(err.Error(), "10001 characters") || f.operations() != "" {
		t.Errorf("got %v after %q", err, f.operations())
	}
	// What is counted is characters, not bytes.
	fits := "SELECT 1 FROM " + storeID + " -- "
	if _, err := f.Ask(t.Context(), ask(fits+strings.Repeat("ü", evidence.MaxStatement-len(fits)))); err != nil {
		t.Errorf("a statement of just %d characters: %v", evidence.MaxStatement, err)
	}
}

// Of alarms over many buckets that fire in one minute, Lake takes every question; the window that is too long is refused by itself.
func TestLakeTakesTheQuestionsOfManyAlarms(t *testing.T) {
	f := newFixture(t, Settings{})
	q := evidence.Bytes{Margin: 5 * time.Minute}
	from := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	huge := evidence.Window{ID: "huge", From: from, To: from.Add(time.Minute)}
	for i := range 200 {
		name := fmt.Sprintf("b%062d", i)
		huge.Buckets = append(huge.Buckets, name)
		q.Windows = append(q.Windows, evidence.Window{ID: fmt.Sprint(i), Buckets: []string{name}, From: from, To: from.Add(time.Minute)})
	}
	q.Windows = append([]evidence.Window{huge}, q.Windows...)
	for i, batch := range q.Batches() {
		_, err := f.Ask(t.Context(), batch)
		if i == 0 && (len(batch.Windows) != 1 || err == nil || !strings.Contains(err.Error(), "cloudtrail lake takes 1 to 10000")) {
			t.Errorf("%d windows with 200 buckets: got %v", len(batch.Windows), err)
		}
		if i > 0 && err != nil {
			t.Errorf("question %d: %v", i, err)
		}
	}
	if n := len(f.Queries()); n != 11 {
		t.Errorf("200 windows were asked in %d queries, want 11", n)
	}
}

func TestCallsNameTheStoresOwner(t *testing.T) {
	for account, want := range map[string]string{"": "", "111122223333": "", "999988887777": "111122223333"} {
		f := newFixture(t, Settings{Account: account}, rowsOf(1)...)
		if _, err := f.Ask(t.Context(), ask("")); err != nil {
			t.Errorf("account %q: %v", account, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		f.during = func(int) { cancel() }
		f.Ask(ctx, ask("")) // for CancelQuery; that it fails is another test's affair
		if got := f.Queries()[0].Owner; got != want {
			t.Errorf("account %q: got owner %q, want %q", account, got, want)
		}
		if got := f.statuses(); got != "FINISHED CANCELLED" {
			t.Errorf("account %q: the fake knows a query by its owner: got %s", account, got)
		}
	}
}

func TestGrantsAreTheCallsMade(t *testing.T) {
	f := newFixture(t, Settings{}, rowsOf(1)...)
	if _, err := f.Ask(t.Context(), ask("")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	f.during = func(int) { cancel() }
	f.Ask(ctx, ask("")) // for CancelQuery
	var made []string
	for _, c := range f.Calls() {
		made = append(made, "cloudtrail:"+c.Operation)
	}
	slices.Sort(made)
	grants := Grants()
	if len(grants) != 1 {
		t.Fatalf("got %d grants, want 1", len(grants))
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(grants[0].Actions)), slices.Compact(made)); diff != "" {
		t.Errorf("granted (-) and called (+):\n%s", diff)
	}
	if diff := cmp.Diff(grants[0].On, []string{"${EventDataStore}"}); diff != "" {
		t.Error(diff)
	}
}

func TestTwoQuestionsAtOnce(t *testing.T) {
	f := newFixture(t, Settings{Budget: 1500}, rowsOf(3)...)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if got, err := f.Ask(t.Context(), ask("")); err != nil || len(got.Rows) != 3 || got.Scanned != 1000 {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	both.Wait()
	if _, err := f.Ask(t.Context(), ask("")); err != nil {
		t.Errorf("each question has the whole budget: got %v", err)
	}
}
