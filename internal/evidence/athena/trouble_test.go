package athena_test

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
	"nightlatch/internal/evidence/athena"
	"nightlatch/internal/evidence/athena/athenatest"
	"nightlatch/internal/grant"
)

func TestErrorsSayWhatWasDoneAndWhatToDo(t *testing.T) {
	glue := awstest.AccessDenied("glue:GetTable on resource: arn:aws:glue:eu-central-1:111122223333:table/nightlatch/records")
	for name, c := range map[string]struct {
		operation string
		fault     athenatest.Fault
		times     int
		want      []string
	}{
		"workgroup missing":  {athenatest.StartQueryExecution, athenatest.WorkGroupMissing, 1, []string{"starting the bytes query in the workgroup nightlatch", "was not found, deploy again"}},
		"workgroup disabled": {athenatest.StartQueryExecution, athenatest.WorkGroupDisabled, 1, []string{"is disabled, enable it", "UpdateWorkGroup"}},
		"no place for results": {athenatest.StartQueryExecution, athenatest.NoOutputLocation, 1,
			[]string{"has no place for results that it can use, deploy again"}},
		"malformed":         {athenatest.StartQueryExecution, athenatest.Malformed, 1, []string{"a defect of nightlatch", "mismatched input"}},
		"no right to check": {athenatest.GetTableMetadata, athenatest.AccessDenied(athenatest.GetTableMetadata), 1, []string{"may not call athena:GetTableMetadata on the table nightlatch.records", "(checking the table"}},
		"no right in glue":  {athenatest.GetTableMetadata, glue, 1, []string{"may not call glue:GetTable on the table nightlatch.records"}},
		"glue failed":       {athenatest.GetTableMetadata, athenatest.MetastoreFailed, 1, []string{"the glue data catalog did not give the table's definition, ask again"}},
		"no right in lake formation": {athenatest.GetTableMetadata, athenatest.Fault{Code: "MetadataException", Message: "Insufficient Lake Formation permission(s): Required Describe on trail " +
			"(Service: AmazonDataCatalog; Status Code: 400; Error Code: AccessDeniedException; Request ID: 1)"}, 1, []string{"checking the table", "lake formation does not let", "DESCRIBE"}},
		"no right in lake formation, by its code": {athenatest.GetTableMetadata, athenatest.Fault{Code: "AccessDeniedException", Message: "Insufficient Lake Formation permission(s): Required Describe on trail"}, 1,
			[]string{"lake formation does not let"}},
		"no right, in athena's words": {athenatest.StartQueryExecution, athenatest.Fault{Code: "AccessDeniedException", Message: "You are not authorized to perform: athena:StartQueryExecution on the resource. " +
			"After your AWS administrator or you have updated your permissions, please try again."}, 1, []string{"may not call athena:StartQueryExecution on the workgroup nightlatch"}},
		"no right to start":  {athenatest.StartQueryExecution, athenatest.AccessDenied(athenatest.StartQueryExecution), 1, []string{`may not call athena:StartQueryExecution on the workgroup nightlatch (AWS: "athena:StartQueryExecution")`}},
		"no right to poll":   {athenatest.GetQueryExecution, athenatest.AccessDenied(athenatest.GetQueryExecution), 1, []string{"waiting for the bytes query 0", "may not call athena:GetQueryExecution"}},
		"no right to read":   {athenatest.GetQueryResults, athenatest.AccessDenied(athenatest.GetQueryResults), 1, []string{"reading the rows", "may not call athena:GetQueryResults"}},
		"results denied":     {athenatest.GetQueryResults, athenatest.ResultsDenied, 1, []string{"may not call s3:GetObject on the bucket for results"}},
		"results gone":       {athenatest.GetQueryResults, athenatest.ResultsGone, 1, []string{"reading the rows", "its result is gone, see that the bucket for results is there"}},
		"query id not found": {athenatest.GetQueryExecution, athenatest.QueryNotFound, 1, []string{"not known any more"}},
		"query away, by the text": {athenatest.GetQueryExecution, athenatest.Fault{Code: "InvalidRequestException", Message: "QueryExecution x was not found"}, 1,
			[]string{"not known any more"}},
		"result away, by the text": {athenatest.GetQueryResults, athenatest.Fault{Code: "InvalidRequestException", Message: "Could not find results"}, 1,
			[]string{"its result is gone"}},
		"not succeeded any more": {athenatest.GetQueryResults, athenatest.Fault{Code: "InvalidRequestException", AthenaErrorCode: "INVALID_QUERY_EXECUTION_STATE"}, 1,
			[]string{"now shows no rows, so that there is no answer"}},
		"fault of athena, as a refusal": {athenatest.GetQueryExecution, athenatest.Fault{Code: "InternalServerException", Message: "x"}, athena.CallAttempts,
			[]string{"a fault of its own"}},
		"expired token":   {athenatest.StartQueryExecution, awstest.ExpiredToken, 1, []string{"renew them"}},
		"fault of athena": {athenatest.StartQueryExecution, athenatest.InternalServer, athena.CallAttempts, []string{"a fault of its own"}},
		"cut off":         {athenatest.GetQueryExecution, awstest.Cut, athena.CallAttempts, []string{"could not be reached", "EOF"}},
		"a proxy's page":  {athenatest.GetQueryExecution, awstest.Blocked, 1, []string{"the answer is not athena's, see whether a proxy stands between", "403"}},
		"anything else":   {athenatest.StartQueryExecution, athenatest.Fault{Code: "UnsupportedOperationException", Message: "no\x1b[2J"}, 1, []string{`did not accept the call (UnsupportedOperationException: "no\x1b[2J")`}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 0, rowsOf(1)...)
			f.Fail(c.operation, slices.Repeat([]awstest.Fault{c.fault}, c.times)...)
			got, err := f.Ask(t.Context(), ask(""))
			if err == nil {
				t.Fatalf("got %+v", got)
			}
			says(t, err, c.want...)
			if _, denied := errors.AsType[grant.Denial](err); denied != strings.Contains(err.Error(), "may not call") {
				t.Errorf("%v is a denial: %t", err, denied)
			}
			// What was started and did not end by itself has been stopped.
			if s := f.statuses(); s != "" && s != athenatest.Succeeded && s != athenatest.Cancelled {
				t.Errorf("the query is left %s", s)
			}
		})
	}
}

// A query can fail for reasons that no call shows. Each is told apart, with what to do.
func TestWhyAQueryFailedIsSaid(t *testing.T) {
	const file = "s3://acme-trail/audit/AWSLogs/o-abcdefghij/111122223333/CloudTrail/eu-central-1/2026/03/04/holiday\x1b[2J.jpg"
	failed := func(category, kind int, reason string) athenatest.Ending {
		return athenatest.Ending{Status: athenatest.Failed, Reason: reason, Category: category, Type: kind}
	}
	for name, c := range map[string]struct {
		end    athenatest.Ending
		want   []string
		denied string // the action
	}{
		"files denied": {failed(2, 1501, "com.amazonaws.services.s3.model.AmazonS3Exception: Access Denied (Service: Amazon S3; Status Code: 403)"),
			[]string{"the bytes query 0", "may not call s3:GetObject or s3:ListBucket on the trail's files under " + table.Location}, "s3:GetObject or s3:ListBucket"},
		"files denied, by the text alone": {failed(0, 0, "PERMISSION_DENIED: Access Denied: s3://acme-trail/"), nil, "s3:GetObject or s3:ListBucket"},
		"key denied": {failed(2, 1501, "User: arn:aws:sts::1:assumed-role/x is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:eu-central-1:111122223333:key/1"),
			[]string{"may not call kms:Decrypt on the trail's files"}, "kms:Decrypt"},
		"key denied, without the action": {failed(2, 1501, "The ciphertext refers to a customer master key ... (Service: AWSKMS; Error Code: AccessDeniedException)"),
			[]string{"the key of the trail's files"}, "kms:Decrypt"},
		"results denied": {failed(2, 1501, "Access denied when writing to location: s3://nightlatch-results/x.csv"),
			[]string{"on the bucket for results"}, "s3:PutObject"},
		"glue denied": {failed(2, 1500, "Insufficient permissions to execute the query. User: x is not authorized to perform: glue:GetTable on resource: y"),
			[]string{"on the table nightlatch.records"}, "glue:GetTable"},
		"lake formation": {failed(2, 234, "Insufficient Lake Formation permission(s) on trail"), []string{"lake formation does not let", "grant it SELECT"}, ""},
		"lake formation, as glue says it": {failed(2, 1500, "Insufficient permissions to execute the query. Insufficient Lake Formation permission(s): Required Select on trail "+
			"(Service: AmazonDataCatalog; Status Code: 400; Error Code: AccessDeniedException; Request ID: 1)"), []string{"lake formation does not let", "grant it SELECT"}, ""},
		"a hidden column": {failed(2, 1006, "COLUMN_NOT_FOUND: line 3:4: Column 'useridentity' cannot be resolved or requester is not authorized to access requested resources"),
			[]string{"grant it SELECT on the whole table in lake formation; if that is granted, it is a defect"}, ""},
		"other things under the prefix": {failed(2, 1001, "HIVE_CURSOR_ERROR: Row is not a valid JSON Object - JSONException: in "+file),
			[]string{"something under " + table.Location + " is not one of the trail's files", "PutObject", `holiday\x1b[2J.jpg"`}, ""},
		"other things, known by the text": {failed(0, 0, "HIVE_BAD_DATA: Error Parsing a column in the table: throttled"),
			[]string{"is not one of the trail's files"}, ""},
		"a file that says what it likes": {failed(2, 1001, "HIVE_BAD_DATA: cannot read s3://acme-trail/throttled-Access-Denied-exhausted-resources.json"),
			[]string{"is not one of the trail's files", `: "s3://acme-trail/throttled-Access-Denied-exhausted-resources.json"`}, ""},
		"table missing in between": {failed(2, 1110, "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.nightlatch.records' does not exist"), []string{"was not found, deploy again"}, ""},
		"bucket missing":           {failed(2, 1306, "The specified bucket does not exist"), []string{"see that the trail's (" + table.Location + ")"}, ""},
		"results not written":      {failed(1, 401, "Failed to write query results"), []string{"its result could not be written"}, ""},
		"out of time":              {failed(2, 210, "Query timeout"), []string{"ran out of athena's time, narrow its time span"}, ""},
		"sql":                      {failed(2, 1006, "SYNTAX_ERROR: line 3:4: Column 'x' cannot be resolved"), []string{"a defect of nightlatch: please report it"}, ""},
		"internal":                 {failed(1, 100, "Internal error"), []string{"athena has a fault of its own"}, ""},
		"unknown":                  {failed(3, 4711, "what\nnow"), []string{`gives no reason that nightlatch knows (AWS: "what\nnow")`}, ""},
		"a whole row":              {failed(0, 0, "x"+strings.Repeat("y", 10_000)), []string{`yyy...")`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 0, rowsOf(1)...)
			f.End(c.end)
			_, err := f.Ask(t.Context(), ask(""))
			says(t, err, append(c.want, "the bytes query "+f.Queries()[0].ID+" failed: ")...)
			denial, _ := errors.AsType[grant.Denial](err)
			if denial.Action != c.denied {
				t.Errorf("%v denies %q, want %q", err, denial.Action, c.denied)
			}
			if len(f.Queries()) != 1 {
				t.Errorf("%v: it was run %d times", err, len(f.Queries()))
			}
			if len(err.Error()) > 1200 {
				t.Errorf("the sentence has %d bytes", len(err.Error()))
			}
		})
	}
}

func TestThrottlingPasses(t *testing.T) {
	for _, operation := range []string{athenatest.GetTableMetadata, athenatest.StartQueryExecution, athenatest.GetQueryExecution, athenatest.GetQueryResults} {
		f := newFixture(t, 0, rowsOf(1)...)
		// More than the SDK sits out by itself, twice over.
		f.Fail(operation, slices.Repeat([]awstest.Fault{awstest.Throttled}, 2*athena.CallAttempts+1)...)
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
				if len(f.Calls()) > 2*athena.CallAttempts {
					cancel()
				}
			})
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 0)
			f.Fail(athenatest.GetQueryExecution, slices.Repeat([]awstest.Fault{awstest.Throttled}, 100)...)
			ctx, cancel := context.WithCancel(t.Context())
			end(f, cancel)
			_, err := f.Ask(ctx, ask(""))
			if !errors.Is(err, context.Canceled) || errors.Is(err, evidence.ErrBusy) || !strings.Contains(err.Error(), "Rate exceeded") {
				t.Errorf("got %v, want the end of time, naming the throttling", err)
			}
			if got := f.statuses(); got != athenatest.Cancelled {
				t.Errorf("the query is left %s", got)
			}
		})
	}
}

func TestACutConnectionIsTriedAgain(t *testing.T) {
	for _, operation := range []string{athenatest.GetTableMetadata, athenatest.StartQueryExecution, athenatest.GetQueryExecution, athenatest.GetQueryResults} {
		for _, cut := range []awstest.Fault{awstest.Cut, awstest.CutAfter} {
			f := newFixture(t, 0, rowsOf(1)...)
			f.Fail(operation, cut)
			if got, err := f.Ask(t.Context(), ask("")); err != nil || len(got.Rows) != 1 || len(f.Queries()) != 1 {
				t.Errorf("%s: got %+v, %v of %d queries", operation, got, err, len(f.Queries()))
			}
		}
	}
}

func TestBusyWaitsForASlot(t *testing.T) {
	f := newFixture(t, 0, rowsOf(1)...)
	f.Occupy(athenatest.Slots)
	f.during = func(n int) {
		if n == 5 {
			f.Occupy(athenatest.Slots - 1)
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
				if len(f.Calls()) == 2+2*athena.CallAttempts {
					cancel()
				}
			})
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 0)
			f.Occupy(athenatest.Slots)
			ctx, cancel := context.WithCancel(t.Context())
			end(f, cancel)
			_, err := f.Ask(ctx, ask(""))
			if !errors.Is(err, evidence.ErrBusy) || !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want busy and the end of time", err)
			}
			says(t, err, "exceeded the limit for the number of queries you can run concurrently")
			if len(f.Queries()) != 0 {
				t.Errorf("%d queries were started", len(f.Queries()))
			}
		})
	}
}

func TestWhatCanBeCuredIsRunAgain(t *testing.T) {
	for name, end := range map[string]athenatest.Ending{
		"exhausted":              athenatest.Exhausted,
		"exhausted, by type":     {Status: athenatest.Failed, Category: 2, Type: 0},
		"exhausted, by text":     {Status: athenatest.Failed, Reason: "Query exhausted resources at this scale factor"},
		"s3 throttles":           {Status: athenatest.Failed, Reason: "HIVE_CURSOR_ERROR: Please reduce your request rate.", Category: 2, Type: 1001},
		"glue throttles":         {Status: athenatest.Failed, Reason: "Rate exceeded", Category: 2, Type: 1401},
		"a file went away":       {Status: athenatest.Failed, Reason: "HIVE_CANNOT_OPEN_SPLIT: NoSuchKey: The specified key does not exist", Category: 2, Type: 1302},
		"athena says that it is": {Status: athenatest.Failed, Reason: "Internal error", Category: 1, Type: 100, Retryable: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 0, rowsOf(2)...)
			f.End(end, end)
			got, err := f.Ask(t.Context(), ask(""))
			// A failed run of the fake scans half of its 1000 bytes, and works half of its second on it.
			if err != nil || len(got.Rows) != 2 || got.Scanned != 2000 || got.Queued != 300*time.Millisecond || got.Ran != 2*time.Second {
				t.Errorf("got %+v, %v, want 2 rows and the bytes and times of three runs", got, err)
			}
			if got, want := f.statuses(), "FAILED FAILED SUCCEEDED"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if !slices.Contains(f.waits, 5*time.Second) || !slices.Contains(f.waits, 10*time.Second) {
				t.Errorf("waits do not grow: %v", f.waits)
			}
		})
	}
}

func TestRunningAgainEnds(t *testing.T) {
	f := newFixture(t, 0)
	f.End(athenatest.Exhausted, athenatest.Exhausted, athenatest.Exhausted)
	_, err := f.Ask(t.Context(), ask(""))
	says(t, err, "athena ran out of resources for it")
	if !errors.Is(err, evidence.ErrTooMuch) {
		t.Error("it is not said that less at once can help")
	}
	if got := len(f.Queries()); got != athena.MaxRuns {
		t.Errorf("got %d runs, want %d", got, athena.MaxRuns)
	}
	// The time can end between two runs, too.
	f.End(athenatest.Exhausted)
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

// One of the trail's files that Athena cannot read, and names, does not blind it: the question is asked without it, and the file is lost. Names
// that CloudTrail does not give, files elsewhere, and more than a few of them fail as before.
func TestABrokenFileIsLeftOut(t *testing.T) {
	broken := func(file string) athenatest.Ending {
		return athenatest.Ending{Status: athenatest.Failed, Reason: "HIVE_CURSOR_ERROR: Failed to read file at " + file + ". If a data manifest file was generated", Category: 2, Type: 1001}
	}
	const folder = "111122223333/CloudTrail/eu-central-1/2026/03/04/111122223333_CloudTrail_eu-central-1_20260304T0010Z_"
	a, b, c, d := table.Location+folder+"a.json.gz", table.Location+folder+"b.json.gz", table.Location+folder+"c.json.gz", table.Location+folder+"d.json.gz"
	bytes := evidence.Bytes{Windows: []evidence.Window{{ID: "x", Buckets: []string{"exports"}, From: day, To: day.Add(time.Minute)}}}
	for name, e := range map[string]struct {
		ends []athenatest.Ending
		left []string // out of the last query
		fail string
	}{
		"one":                      {[]athenatest.Ending{broken(a)}, []string{a}, ""},
		"two":                      {[]athenatest.Ending{broken(a), broken(b)}, []string{a, b}, ""},
		"and athena is tired":      {[]athenatest.Ending{broken(a), athenatest.Exhausted, broken(b), athenatest.Exhausted}, []string{a, b}, ""},
		"too many":                 {[]athenatest.Ending{broken(a), broken(b), broken(c), broken(d)}, []string{a, b, c}, "is not one of the trail's files"},
		"the same again":           {[]athenatest.Ending{broken(a), broken(a)}, []string{a}, "is not one of the trail's files"},
		"in another bucket":        {[]athenatest.Ending{broken("s3://other/AWSLogs/a.json.gz")}, nil, "is not one of the trail's files"},
		"a name with a quote":      {[]athenatest.Ending{broken(table.Location + "x'y")}, nil, "is not one of the trail's files"},
		"a name with a bracket":    {[]athenatest.Ending{broken(table.Location + "x)--"), broken(table.Location + "x)--")}, []string{table.Location + "x"}, "is not one of the trail's files"},
		"the folder":               {[]athenatest.Ending{broken(table.Location)}, nil, "is not one of the trail's files"},
		"none is named":            {[]athenatest.Ending{{Status: athenatest.Failed, Reason: "HIVE_CURSOR_ERROR: Row is not a valid JSON Object", Category: 2, Type: 1001}}, nil, "is not one of the trail's files"},
		"it is denied, not broken": {[]athenatest.Ending{{Status: athenatest.Failed, Reason: "Access Denied: " + a, Category: 2, Type: 1501}}, nil, "may not call"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 0, rowsOf(2)...)
			f.End(e.ends...)
			got, err := f.Ask(t.Context(), bytes)
			if e.fail != "" {
				says(t, err, e.fail)
			} else if err != nil || len(got.Rows) != 2 || len(got.Lost) != len(e.left) || got.Scanned != int64(500*len(e.ends)+1000) {
				t.Errorf("got %+v, %v; want 2 rows, %d files lost and what every run has read", got, err, len(e.left))
			}
			queries := f.Queries()
			if want := len(e.ends) + 1; e.fail == "" && len(queries) != want {
				t.Errorf("%d queries were started, want %d", len(queries), want)
			}
			last := queries[len(queries)-1].SQL
			for i, file := range e.left {
				if !strings.Contains(last, "'"+file+"'") || e.fail == "" && !strings.Contains(got.Lost[i], file) {
					t.Errorf("%s is not left out, and lost %q, of\n%s", file, got.Lost, last)
				}
			}
			if strings.Contains(last, `"$path" not in (`) != (len(e.left) > 0) {
				t.Errorf("the last query is\n%s", last)
			}
		})
	}
}

var day = time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
