package athena_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/awstest"
	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/athena"
	"nightlatch/internal/evidence/athena/athenatest"
)

var anywhere = aws.Config{Region: "eu-west-1"}

// What is recorded in a region that the table does not project, nobody would have done.
func TestNewRefusesARegionWhoseFilesAreNotRead(t *testing.T) {
	for _, region := range []string{"", "eu-west-9", "us-iso-east-1"} {
		if _, err := athena.New(aws.Config{Region: region}, athena.Settings{Table: table}); err == nil || !strings.Contains(err.Error(), "not a region whose files") {
			t.Errorf("%q: got %v", region, err)
		}
	}
}

// The SDK's own list of regions, which a newer SDK makes longer.
func TestTheFilesOfEveryRegionAreRead(t *testing.T) {
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2").Output()
	if err != nil {
		t.Fatalf("where the SDK's source lies: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "internal", "endpoints", "awsrulesfn", "partitions.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Partitions []struct {
			ID      string
			Regions map[string]any
		}
	}
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, p := range list.Partitions {
		for region := range p.Regions {
			if strings.HasPrefix(p.ID, "aws-iso") || strings.HasSuffix(region, "-global") {
				continue
			}
			if found++; !slices.Contains(athena.Regions(), region) {
				t.Errorf("the files of %s are not read", region)
			}
		}
	}
	if found < 35 {
		t.Errorf("the SDK's list has %d regions only", found)
	}
}

func TestNewTakesNothingButATrailsTable(t *testing.T) {
	for _, location := range []string{
		"",
		"s3://acme-trail/",
		"s3://acme-trail/AWSLogs",
		"s3://acme-trail/AWSLogs/\n",
		"s3://acme-trail/AWSLogs/x/",
		"s3://acme-trail/a b/AWSLogs/",
		"s3://acme-trail/${day}/AWSLogs/",
		"s3://A/AWSLogs/",
		"https://acme-trail/AWSLogs/",
	} {
		if _, err := athena.New(anywhere, athena.Settings{Table: athena.Table{Location: location, Accounts: table.Accounts}}); err == nil {
			t.Errorf("New took %q", location)
		} else if !strings.Contains(err.Error(), "s3://BUCKET/") {
			t.Errorf("New(%q) = %v: it does not say what a location looks like", location, err)
		}
	}
	for _, location := range []string{"s3://acme-trail/AWSLogs/", "s3://acme-trail/AWSLogs/o-abcdefghij/", "s3://acme.trail/a/b=c/AWSLogs/"} {
		if _, err := athena.New(anywhere, athena.Settings{Table: athena.Table{Location: location, Accounts: table.Accounts}}); err != nil {
			t.Errorf("New refused %q: %v", location, err)
		}
	}
	for _, accounts := range [][]string{nil, {"1111"}, {"111122223333", "111122223333,x"}} {
		if _, err := athena.New(anywhere, athena.Settings{Table: athena.Table{Location: table.Location, Accounts: accounts}}); err == nil {
			t.Errorf("New took the accounts %q", accounts)
		}
	}
	if _, err := athena.New(anywhere, athena.Settings{Table: table, Budget: -1}); err == nil {
		t.Error("New took a negative budget")
	}
}

func TestAskReturnsTheRowsOfAQueryThatSucceeded(t *testing.T) {
	f := newFixture(t, 0,
		map[string]string{"Actor": "alice", "totalBytes": "4.2949672960E10"},
		map[string]string{"Actor": "bob"}, // the other column is NULL
		map[string]string{"Actor": "carol", "totalBytes": "7"})
	f.Page(2)
	got, err := f.Ask(t.Context(), ask(""))
	if err != nil {
		t.Fatal(err)
	}
	want := evidence.Answer{Engine: "athena", Scanned: 1000, Queued: 100 * time.Millisecond, Ran: time.Second, Rows: []evidence.Row{
		{"actor": "alice", "totalbytes": "4.2949672960E10"},
		{"actor": "bob", "totalbytes": ""},
		{"actor": "carol", "totalbytes": "7"},
	}}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("answer (-got +want):\n%s", diff)
	}
	// The header and a row, two rows, and a page that is empty since the one before it was full.
	if got, want := f.operations(), "GetTableMetadata StartQueryExecution GetQueryExecution GetQueryExecution GetQueryExecution "+
		"GetQueryResults GetQueryResults GetQueryResults"; got != want {
		t.Errorf("calls: got %s, want %s", got, want)
	}
	wantQuery := athenatest.Query{ID: f.Queries()[0].ID, SQL: `SELECT actor FROM "nightlatch"."records"`, Region: "eu-central-1", Status: athenatest.Succeeded}
	if diff := cmp.Diff(f.Queries(), []athenatest.Query{wantQuery}); diff != "" {
		t.Errorf("queries (-got +want):\n%s", diff)
	}
}

func TestNoRowsAreAnAnswer(t *testing.T) {
	f := newFixture(t, 0)
	if got, err := f.Ask(t.Context(), ask("")); err != nil || len(got.Rows) != 0 || got.Scanned != 1000 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAskReadsManyRowsInFullPages(t *testing.T) {
	f := newFixture(t, 0, rowsOf(2001)...)
	got, err := f.Ask(t.Context(), ask(""))
	if err != nil || len(got.Rows) != 2001 {
		t.Fatalf("got %d rows, %v, want 2001", len(got.Rows), err)
	}
	pages := map[string]bool{} // by token: the SDK may have to fetch one again
	for _, c := range f.Calls() {
		if c.Operation == athenatest.GetQueryResults {
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
		"failed":            {func(f *fixture) { f.End(athenatest.Ending{Status: athenatest.Failed, Reason: "disk on fire"}) }, "disk on fire"},
		"failed, no reason": {func(f *fixture) { f.End(athenatest.Ending{Status: athenatest.Failed}) }, "gives no reason"},
		"cancelled":         {func(f *fixture) { f.End(athenatest.Ending{Status: athenatest.Cancelled}) }, "look for StopQueryExecution in cloudtrail"},
		"timed out": {func(f *fixture) {
			f.End(athenatest.Ending{Status: athenatest.Cancelled, Reason: "Query timeout"})
		}, "ran out of athena's time"},
		"unknown state": {func(f *fixture) { f.End(athenatest.Ending{Status: "PAUSED"}) }, `state "PAUSED"`},
		"no header":     {func(f *fixture) { f.Behead() }, "the first row is not the header"},
		"token loop":    {func(f *fixture) { f.LoopTokens() }, "same page token again"},
		"second page is gone": {func(f *fixture) {
			f.Page(3)
			f.OnCall(func(op string) {
				if op == athenatest.GetQueryResults {
					f.OnCall(nil)
					fault := athenatest.ResultsGone
					fault.After = true
					f.Fail(op, fault)
				}
			})
		}, "its result is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 0, rowsOf(4)...)
			c.spoil(f)
			got, err := f.Ask(t.Context(), ask(""))
			says(t, err, c.want)
			if diff := cmp.Diff(got, evidence.Answer{}); diff != "" {
				t.Errorf("an answer beside an error (-got +want):\n%s", diff)
			}
			read := strings.Contains(f.operations(), athenatest.GetQueryResults)
			if succeeded := f.statuses() == athenatest.Succeeded; read != succeeded {
				t.Errorf("rows were read: %t, of a query that is %s", read, f.statuses())
			}
		})
	}
}

// A service, or a proxy before it, can answer "200 OK" and leave out what the answer should hold.
func TestAnAnswerThatLacksWhatItShouldHoldIsNone(t *testing.T) {
	for name, c := range map[string]struct{ operation, body, want string }{
		"no table":            {athenatest.GetTableMetadata, `{}`, "athena answered without the table, so that nothing was asked"},
		"no query id":         {athenatest.StartQueryExecution, `{}`, "athena answered without a query id"},
		"no query":            {athenatest.GetQueryExecution, `{}`, "athena answered without the query's state"},
		"no state":            {athenatest.GetQueryExecution, `{"QueryExecution":{}}`, "athena answered without the query's state"},
		"no result":           {athenatest.GetQueryResults, `{}`, "athena answered without them"},
		"no columns":          {athenatest.GetQueryResults, `{"ResultSet":{"Rows":[]}}`, "without the names of their columns"},
		"no header":           {athenatest.GetQueryResults, `{"ResultSet":{"Rows":[],"ResultSetMetadata":{"ColumnInfo":[{"Name":"a","Type":"varchar"}]}}}`, "without the names"},
		"a value is missing":  {athenatest.GetQueryResults, `{"ResultSet":{"Rows":[{"Data":[{"VarCharValue":"a"}]},{"Data":[]}],"ResultSetMetadata":{"ColumnInfo":[{"Name":"a","Type":"varchar"}]}}}`, "row 1: it has 0 values for 1 columns"},
		"a value is too much": {athenatest.GetQueryResults, `{"ResultSet":{"Rows":[{"Data":[{"VarCharValue":"a"}]},{"Data":[{},{}]}],"ResultSetMetadata":{"ColumnInfo":[{"Name":"a","Type":"varchar"}]}}}`, "row 1: it has 2 values for 1 columns"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 0, rowsOf(1)...)
			f.Serve(c.operation, c.body)
			got, err := f.Ask(t.Context(), ask(""))
			says(t, err, c.want)
			if diff := cmp.Diff(got, evidence.Answer{}); diff != "" {
				t.Errorf("an answer beside an error (-got +want):\n%s", diff)
			}
		})
	}
}

func TestAskBoundsThePages(t *testing.T) {
	f := newFixture(t, 0, rowsOf(athena.MaxPages+1)...)
	f.Page(1)
	_, err := f.Ask(t.Context(), ask(""))
	says(t, err, "more than 200 pages")
}

func TestAskRefusesOneColumnTwice(t *testing.T) {
	f := newFixture(t, 0, map[string]string{"actor": "alice", "Actor": "bob"})
	_, err := f.Ask(t.Context(), ask(""))
	says(t, err, `column "actor" comes twice`)
}

func TestAskChecksTheStatementBeforeAnyCall(t *testing.T) {
	f := newFixture(t, 0)
	_, err := f.Ask(t.Context(), ask(strings.Repeat("x", athena.MaxStatement+1)))
	says(t, err, "262145 bytes")
	if f.operations() != "" {
		t.Errorf("calls: %s", f.operations())
	}
	// What is counted is bytes, not characters.
	if _, err := f.Ask(t.Context(), ask(strings.Repeat("ü", athena.MaxStatement/2+1))); err == nil {
		t.Error("it took more bytes than athena does")
	}
	fits := `SELECT 1 FROM "nightlatch"."records" -- `
	if _, err := f.Ask(t.Context(), ask(fits+strings.Repeat("x", athena.MaxStatement-len(fits)))); err != nil {
		t.Errorf("a statement of just %d bytes: %v", athena.MaxStatement, err)
	}
}

// The question that Lake refuses for its length, one window with hundreds of buckets, Athena takes.
func TestAthenaTakesTheLongQuestions(t *testing.T) {
	f := newFixture(t, 0)
	from := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	w := evidence.Window{ID: "huge", From: from, To: from.Add(time.Minute)}
	for i := range 500 {
		w.Buckets = append(w.Buckets, fmt.Sprintf("b%062d", i))
	}
	if _, err := f.Ask(t.Context(), evidence.Bytes{Windows: []evidence.Window{w}, Margin: 5 * time.Minute}); err != nil {
		t.Error(err)
	}
}

func TestGrantsAreTheCallsMade(t *testing.T) {
	f := newFixture(t, 0, rowsOf(1)...)
	if _, err := f.Ask(t.Context(), ask("")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	f.during = func(int) { cancel() }
	f.Ask(ctx, ask("")) // for StopQueryExecution
	const catalog = "arn:${Partition}:athena:${Region}:${Account}:datacatalog/AwsDataCatalog"
	made := map[string]string{athenatest.GetTableMetadata: catalog, "GetDataCatalog": catalog} // this one Athena makes, of the catalog that a query names
	for _, c := range f.Calls() {
		if c.Operation != athenatest.GetTableMetadata {
			made[c.Operation] = "arn:${Partition}:athena:${Region}:${Account}:workgroup/nightlatch"
		}
	}
	granted := map[string]string{}
	for _, g := range slices.Concat(athena.Grants(), athena.KeyGrants()) {
		for _, action := range g.Actions {
			service, operation, _ := strings.Cut(action, ":")
			if service == "athena" {
				granted[operation] = strings.Join(g.On, " ")
			}
			if starred := strings.Contains(strings.Join(g.On, " "), "*"); starred != (g.Why != "") {
				t.Errorf("%s: on %q, why %q", g.Sid, g.On, g.Why)
			}
			if service == "s3" && g.When["ForAnyValue:StringEquals"]["aws:CalledVia"] != "athena.amazonaws.com" {
				t.Errorf("%s lets the function itself call %s", g.Sid, action)
			}
			if write := strings.HasPrefix(operation, "Put") || strings.HasPrefix(operation, "Update") || strings.HasPrefix(operation, "Create") ||
				strings.HasPrefix(operation, "Delete"); write && (action != "s3:PutObject" || !slices.Equal(g.On, []string{"${ResultBucket}/*"})) {
				t.Errorf("%s grants %s on %q", g.Sid, action, g.On)
			}
		}
	}
	if diff := cmp.Diff(granted, made); diff != "" {
		t.Errorf("granted (-) and called (+):\n%s", diff)
	}
}

func TestTwoQuestionsAtOnce(t *testing.T) {
	f := newFixture(t, 1500, rowsOf(3)...)
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
	if n := len(f.Queries()); n != 3 {
		t.Errorf("3 questions are %d queries", n)
	}
}

// A response that is lost on the way, and a call made again, start no second query.
func TestOneRunIsOneQuery(t *testing.T) {
	f := newFixture(t, 0, rowsOf(1)...)
	throttled := awstest.Throttled
	throttled.After = true // it was started, and the answer is lost
	f.Fail(athenatest.StartQueryExecution, append(slices.Repeat([]awstest.Fault{awstest.CutAfter}, 3), slices.Repeat([]awstest.Fault{throttled}, athena.CallAttempts)...)...)
	if got, err := f.Ask(t.Context(), ask("")); err != nil || len(got.Rows) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
	if n := len(f.Queries()); n != 1 {
		t.Errorf("%d queries run", n)
	}
	if _, err := f.Ask(t.Context(), ask("")); err != nil || len(f.Queries()) != 2 {
		t.Errorf("the same question again is a new query: got %d, %v", len(f.Queries()), err)
	}
}

func TestNoTimeMeansNoCall(t *testing.T) {
	f := newFixture(t, 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Ask(ctx, ask("")); !errors.Is(err, context.Canceled) || f.operations() != "" {
		t.Errorf("got %v after %q", err, f.operations())
	}
}

// The seal is read beside each question on which a verdict stands, once, and beside no other. What is not asked for is open.
func TestTheSealIsReadBesideTheQuestion(t *testing.T) {
	f := newFixture(t, 0)
	if a, err := f.Ask(t.Context(), ask("")); err != nil || a.Seal.Sealed != "" {
		t.Errorf("without a reader: %+v, %v", a.Seal, err)
	}
	read := 0
	f.Trail.SetSeal(func(context.Context) evidence.Seal {
		read++
		return evidence.Seal{Sealed: evidence.Open, Why: []string{"so it is"}}
	})
	for _, c := range []struct {
		q      evidence.Question
		sealed evidence.Sealed
		read   int
	}{{ask(""), evidence.Open, 1}, {other{}, "", 1}, {ask(""), evidence.Open, 2}} {
		if a, err := f.Ask(t.Context(), c.q); err != nil || a.Seal.Sealed != c.sealed || read != c.read {
			t.Errorf("%s: got %+v after %d readings, %v; want %q after %d", c.q.Name(), a.Seal, read, err, c.sealed, c.read)
		}
	}
}

// other is a question on which no verdict stands.
type other struct{ ask }

func (other) Name() string { return "other" }
