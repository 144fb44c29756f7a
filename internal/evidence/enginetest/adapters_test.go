package enginetest

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/awstest"
	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/athena"
	"nightlatch/internal/evidence/athena/athenatest"
	"nightlatch/internal/evidence/duck"
	"nightlatch/internal/evidence/lake"
	"nightlatch/internal/evidence/lake/laketest"
	"nightlatch/internal/sandbox"
)

// whole compares what is not exported too.
var whole = cmp.Exporter(func(reflect.Type) bool { return true })

const storeID = "0b8a2a3e-1f0e-4b5a-9d0c-2f6a1c3b4d5e"

// floats are the columns that a query computes as doubles: Trino prints them in Java's form, "4.294967296E10", and DuckDB does not.
var floats = regexp.MustCompile(`bytes$`)

// java prints a whole number as Java prints a double: https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/lang/Double.html#toString(double)
func java(text string) string {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return text
	}
	if v < 1e7 {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'E', -1, 64), "E+")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	return mantissa + "E" + strings.TrimPrefix(exponent, "0")
}

// streams is an engine that also gives its rows one by one.
type streams interface {
	evidence.Trail
	Each(context.Context, evidence.Question, func(evidence.Row) error) (evidence.Answer, error)
}

// One night in a trail's files, delivered late and twice, and the questions of an incident. Whichever engine is asked, over HTTP, in pages,
// after refusals, the answers are those of DuckDB over the files themselves.
func TestEveryEngineHasTheSameAnswers(t *testing.T) {
	root := t.TempDir()
	night, err := sandbox.NewMidnight(7, filepath.Join(root, "trail"))
	if err != nil {
		t.Fatal(err)
	}
	// A file a day was delivered before the night, and of those a fifth will do.
	day := night.Clock.Now().Truncate(24*time.Hour).AddDate(0, 0, -1)
	for i, f := range night.Files {
		if f.Due.Before(day) && i%5 >= Draws(1, 5) {
			if err := os.Remove(f.Path); err != nil {
				t.Fatal(err)
			}
		}
	}
	e, err := duck.Open(t.Context(), duck.Settings{MemoryMB: 800, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	table := athena.Table{Location: "s3://trail/AWSLogs/", Accounts: []string{account}}
	if err := e.Load(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	if err := Load(t.Context(), e, table, root); err != nil {
		t.Fatal(err)
	}
	answer := func(sql string) ([]map[string]string, int64, error) {
		a, err := e.Ask(context.Background(), Verbatim(strings.ReplaceAll(sql, "from "+storeID, "from "+duck.Table)))
		var rows []map[string]string
		for _, r := range a.Rows {
			row := map[string]string{}
			for name, v := range r {
				if row[name] = v; floats.MatchString(name) {
					row[name] = java(v)
				}
			}
			rows = append(rows, row)
		}
		return rows, a.Scanned, err
	}
	cfg := aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")}
	store := laketest.New(answer)
	t.Cleanup(store.Close)
	files := athenatest.New(table, answer)
	t.Cleanup(files.Close)
	cfg.BaseEndpoint = aws.String(store.URL())
	overLake, err := lake.New(cfg, lake.Settings{EventDataStore: "arn:aws:cloudtrail:eu-west-1:" + account + ":eventdatastore/" + storeID, Account: account})
	if err != nil {
		t.Fatal(err)
	}
	cfg.BaseEndpoint = aws.String(files.URL())
	overAthena, err := athena.New(cfg, athena.Settings{Table: table})
	if err != nil {
		t.Fatal(err)
	}
	// A trail of the region without management events, beside one of the organization: with nothing else in it, and with every event once more.
	beside := map[string]streams{"cloudtrail-lake": overLake, "athena": overAthena}
	for name, has := range map[string]string{"apart": "eventcategory = 'Management'", "twice": "true"} {
		for _, statement := range []string{"create table nightlatch.data_" + name + " as select * from " + Schema.Table + " where eventcategory is null or eventcategory <> 'Management'",
			"create table nightlatch.management_" + name + " as select * from " + Schema.Table + " where " + has} {
			if err := e.Exec(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		two := athenatest.New(athena.Table{Location: "s3://own/AWSLogs/", Accounts: []string{account}}, func(sql string) ([]map[string]string, int64, error) {
			return answer(strings.NewReplacer(`"nightlatch"."records"`, "nightlatch.data_"+name, `"nightlatch"."management"`, "nightlatch.management_"+name).Replace(sql))
		})
		t.Cleanup(two.Close)
		two.Also(athena.ManagementTable, athena.Table{Location: "s3://archive/o-exampleorg1/AWSLogs/o-exampleorg1/", Accounts: []string{account}})
		cfg.BaseEndpoint = aws.String(two.URL())
		if beside["athena, "+name], err = athena.New(cfg, athena.Settings{Table: athena.Table{Location: "s3://own/AWSLogs/", Accounts: []string{account}}, Management: "s3://archive/o-exampleorg1/AWSLogs/o-exampleorg1/"}); err != nil {
			t.Fatal(err)
		}
	}
	store.Page(7)
	files.Page(7)

	a, err := alarm.Parse(night.Event)
	if err != nil {
		t.Fatal(err)
	}
	from, to := a.Alarm.From, a.Alarm.To
	buckets := []string{"customer-exports", "finance-ledger", "model-artifacts"}
	q := evidence.Bytes{Windows: []evidence.Window{{ID: "all", Buckets: buckets, From: from, To: to}, {ID: "one", Buckets: buckets[:1], From: from.Add(-24 * time.Hour), To: to}}, Margin: alarm.Margin}
	bystanders := evidence.Bystanders{Of: []evidence.Aim{{Reach: evidence.Reach{ARN: "arn:aws:iam::" + account + ":user/" + night.Owner}}, {Reach: evidence.Reach{Bucket: buckets[0]}}}, Before: from}
	read := map[string]struct {
		evidence.Question
		read func([]evidence.Row) (any, error)
	}{
		"bytes": {q, func(rows []evidence.Row) (any, error) { return evidence.ReadBytes(rows, q, actor.Accounts(account)) }},
		"usage": {evidence.Usage{Buckets: buckets, Before: from}, func(rows []evidence.Row) (any, error) { return evidence.ReadUsage(rows, from) }},
		"callers": {evidence.Callers{Buckets: buckets, Credentials: []string{night.Neighbour}, Before: from},
			func(rows []evidence.Row) (any, error) { return evidence.ReadCallers(rows, evidence.Callers{}) }},
		"bystanders": {bystanders, func(rows []evidence.Row) (any, error) { return evidence.ReadBystanders(rows, bystanders) }},
		"refused": {evidence.Refused{KeyIDs: []string{night.Stolen, night.Neighbour}, From: from.AddDate(0, 0, -14), To: to},
			func(rows []evidence.Row) (any, error) { return evidence.ReadRefused(rows) }},
		"since": {evidence.Since{KeyIDs: []string{night.Stolen, night.Neighbour}, From: from.AddDate(0, 0, -14), To: to},
			func(rows []evidence.Row) (any, error) { return evidence.ReadSince(rows) }},
		"tagged": {evidence.Tagged{User: night.Owner, Tag: "nightlatch:protect", From: from.AddDate(0, 0, -14), To: to},
			func(rows []evidence.Row) (any, error) { return evidence.ReadTagged(rows) }},
		"lineage": {evidence.Lineage{Given: []string{night.Stolen}, Keys: []string{night.Stolen}, From: from.AddDate(0, 0, -14), To: to},
			func(rows []evidence.Row) (any, error) { all, _, err := evidence.ReadLineage(rows); return all, err }},
		"copied": {evidence.Copied{Buckets: buckets, From: from.AddDate(0, 0, -14), To: to},
			func(rows []evidence.Row) (any, error) { all, _, err := evidence.ReadCopied(rows); return all, err }},
		"trust": {evidence.Trust{Role: "web", Provider: "arn:aws:iam::111122223333:saml-provider/idp", From: from.AddDate(0, 0, -14), To: to},
			func(rows []evidence.Row) (any, error) { return evidence.ReadTrust(rows) }},
		"taken": {evidence.Taken{Buckets: buckets, From: from.Add(-time.Hour), To: to}, func(rows []evidence.Row) (any, error) {
			var all []evidence.Taking
			for _, row := range rows {
				t, err := evidence.ReadTaking(row)
				if err != nil {
					return nil, err
				}
				all = append(all, t)
			}
			return all, nil
		}},
		"ordered": {evidence.Ordered{Buckets: buckets, Calls: []string{"GetObject"}, From: from.AddDate(0, 0, -14), To: to},
			func(rows []evidence.Row) (any, error) { return evidence.ReadOrdered(rows, buckets) }},
	}
	for name, c := range read {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			direct, err := e.Ask(t.Context(), c.Question)
			if err != nil {
				t.Fatal(err)
			}
			if len(direct.Rows) == 0 && (name == "bytes" || name == "usage" || name == "callers" || name == "bystanders" || name == "since" || name == "ordered" || name == "taken") {
				t.Fatal("nothing is found, so that nothing is compared")
			}
			want, err := c.read(direct.Rows)
			if err != nil {
				t.Fatal(err)
			}
			store.Fail(laketest.GetQueryResults, awstest.Throttled)
			files.Fail(athenatest.GetQueryResults, awstest.Throttled)
			for engine, trail := range beside {
				ask := trail.Ask
				if name == "taken" { // which has more pages than Ask reads
					ask = func(ctx context.Context, q evidence.Question) (evidence.Answer, error) {
						var rows []evidence.Row
						a, err := trail.Each(ctx, q, func(row evidence.Row) error { rows = append(rows, row); return nil })
						a.Rows = rows
						return a, err
					}
				}
				got, err := ask(t.Context(), c.Question)
				if err != nil {
					t.Fatalf("%s: %v", engine, err)
				}
				if first, _, _ := strings.Cut(engine, ","); len(got.Rows) != len(direct.Rows) || got.Engine != first {
					t.Errorf("%s: %d rows, want %d", got.Engine, len(got.Rows), len(direct.Rows))
				}
				for i := range got.Rows { // row for row; numbers are compared as they are read
					for column, v := range direct.Rows[i] {
						if g := got.Rows[i][column]; g != v && !floats.MatchString(column) {
							t.Fatalf("%s: row %d has %s %q, want %q", engine, i, column, g, v)
						}
					}
				}
				if is, err := c.read(got.Rows); err != nil || !cmp.Equal(is, want, whole) {
					t.Errorf("%s: %v, got -, want +:\n%s", engine, err, cmp.Diff(is, want, whole))
				}
			}
		})
	}
}
