package enginetest

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/athena"
	"nightlatch/internal/evidence/duck"
)

const account = "111122223333"

// days finds the partitions that a statement reads.
var days = regexp.MustCompile(`day between '([0-9/]+)' and '([0-9/]+)'`)

// folders resolves a question as Athena would: the projected partitions whose day the statement asks for, as the folders that they name.
func folders(t testing.TB, table athena.Table, q evidence.Question) map[string]bool {
	t.Helper()
	found := days.FindAllStringSubmatch(q.SQL(Schema), -1)
	if len(found) != 1 {
		t.Fatalf("%s: the partitions are chosen in %d places, want one", q.Name(), len(found))
	}
	p := table.Parameters()
	earliest, _, _ := strings.Cut(p["projection.day.range"], ",")
	read := map[string]bool{}
	for day := date(t, max(found[0][1], earliest)); !day.After(date(t, found[0][2])); day = day.AddDate(0, 0, 1) {
		for _, account := range strings.Split(p["projection.account.values"], ",") {
			for _, region := range strings.Split(p["projection.region.values"], ",") {
				read[table.Folder(account, region, day)] = true
			}
		}
	}
	return read
}

func date(t testing.TB, day string) time.Time {
	t.Helper()
	d, err := time.Parse("2006/01/02", day)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// What holds a record of the window is read, however late it came; and of all the other days nothing is.
func TestTheQuestionsReadTheFilesThatHoldTheirRecords(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	moments := map[string]time.Time{
		"noon":         time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC),
		"midnight":     time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC),
		"month's end":  time.Date(2026, 4, 30, 23, 58, 0, 0, time.UTC),
		"leap day":     time.Date(2028, 2, 29, 23, 59, 0, 0, time.UTC),
		"year's end":   time.Date(2026, 12, 31, 23, 59, 0, 0, time.UTC),
		"another zone": time.Date(2026, 3, 4, 1, 0, 0, 0, time.FixedZone("", 3*60*60)),
	}
	lags := []time.Duration{3 * time.Second, 4 * time.Minute, 15 * time.Minute, 5 * time.Hour, 26 * time.Hour, 70 * time.Hour}
	for _, location := range []string{"s3://trail/AWSLogs/", "s3://trail/a/prefix/AWSLogs/", "s3://trail/AWSLogs/o-exampleorg1/"} {
		table := athena.Table{Location: location, Accounts: []string{account, "444455556666"}}
		for name, from := range moments {
			t.Run(location+", "+name, func(t *testing.T) {
				q := evidence.Bytes{Windows: []evidence.Window{{ID: "a", Buckets: []string{"exports"}, From: from, To: from.Add(2 * time.Minute)}}, Margin: alarm.Margin}
				root := t.TempDir()
				var records []Record
				for i := range Draws(50, 150) { // from two weeks before to a week after
					at := from.Add(time.Duration(rng.Int64N(int64(21*24*time.Hour))) - 14*24*time.Hour)
					if i%3 == 0 {
						at = from.Add(time.Duration(rng.Int64N(int64(2*time.Minute+2*alarm.Margin))) - alarm.Margin)
					}
					at = at.Truncate(time.Second)
					text, err := json.Marshal(map[string]any{"eventTime": at.UTC().Format(time.RFC3339), "eventID": fmt.Sprint(i), "requestParameters": map[string]any{"bucketName": "exports"}})
					if err != nil {
						t.Fatal(err)
					}
					records = append(records, Record{text, at.Add(lags[rng.IntN(len(lags))]), table.Accounts[rng.IntN(2)], []string{"eu-west-1", "us-east-1"}[rng.IntN(2)]})
				}
				if err := Lay(root, table, records); err != nil {
					t.Fatal(err)
				}
				for name, c := range map[string]struct {
					q        evidence.Question
					from, to time.Time
				}{
					"bytes": {q, from.Add(-alarm.Margin), from.Add(2*time.Minute + alarm.Margin)},
					"usage": {evidence.Usage{Buckets: []string{"exports"}, Before: from}, from.Add(-evidence.HistorySpan), from},
					"since": {evidence.Since{KeyIDs: []string{"AKIAEXAMPLESTOLEN001"}, From: from, To: from.Add(time.Hour)}, from, from.Add(time.Hour)},
				} {
					read := folders(t, table, c.q)
					held, pruned := 0, 0
					for folder, times := range events(t, root) {
						in := slices.ContainsFunc(times, func(at time.Time) bool { return !at.Before(c.from) && at.Before(c.to) })
						switch {
						case in && !read["s3://"+folder]:
							t.Errorf("%s: %s holds a record of the window, and is not read", name, folder)
						case in:
							held++
						case !read["s3://"+folder]:
							pruned++
						}
					}
					if held == 0 || pruned == 0 {
						t.Errorf("%s: %d folders hold records and %d are not read: nothing was compared", name, held, pruned)
					}
				}
			})
		}
	}
}

// events are the times of the records by folder.
func events(t *testing.T, root string) map[string][]time.Time {
	t.Helper()
	all := map[string][]time.Time{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			return err
		}
		var file struct {
			Records []struct{ EventTime time.Time }
		}
		if err := json.NewDecoder(z).Decode(&file); err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		for _, r := range file.Records {
			all[filepath.ToSlash(folder)] = append(all[filepath.ToSlash(folder)], r.EventTime)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What lies beside the trail's files is not theirs: digests, insights, another account's, another service's logs.
func TestOnlyTheTrailsFilesAreRead(t *testing.T) {
	table := athena.Table{Location: "s3://trail/AWSLogs/", Accounts: []string{account}}
	at := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	root := t.TempDir()
	record := func(id string) json.RawMessage {
		return json.RawMessage(`{"eventID":"` + id + `","eventTime":"2026-03-04T12:00:00Z","eventName":"GetObject","sharedEventID":null,"requestParameters":{"Key":[1.50,"a"]},"resources":[{"ARN":"x"}]}`)
	}
	lay := func(location, account, id string) {
		if err := Lay(root, athena.Table{Location: location, Accounts: []string{account}}, []Record{{record(id), at, account, "eu-west-1"}}); err != nil {
			t.Fatal(err)
		}
	}
	lay("s3://trail/AWSLogs/", account, "ours")
	lay("s3://trail/AWSLogs/", "999999999999", "another account's")
	lay("s3://trail/AWSLogs/o-exampleorg1/", account, "an organization's")
	lay("s3://trail/elsewhere/AWSLogs/", account, "under another prefix")
	digest := strings.Replace(Path(root, table.Folder(account, "eu-west-1", at)), "/CloudTrail/", "/CloudTrail-Digest/", 1)
	if err := errors.Join(os.MkdirAll(digest, 0o755), os.WriteFile(filepath.Join(digest, "d.json.gz"), []byte("{}"), 0o644)); err != nil {
		t.Fatal(err)
	}
	e, err := duck.Open(t.Context(), duck.Settings{MemoryMB: 400, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := Load(t.Context(), e, table, root); err != nil {
		t.Fatal(err)
	}
	answer, err := e.Ask(t.Context(), Verbatim("select eventid, account, region, day, requestparameters as p, sharedeventid as s, element_at(resources, 1).arn as arn from "+Schema.Table))
	if err != nil {
		t.Fatal(err)
	}
	want := evidence.Row{"eventid": "ours", "account": account, "region": "eu-west-1", "day": "2026/03/04", "p": `{"Key":[1.50,"a"]}`, "s": "", "arn": "x"}
	if got := answer.Rows; len(got) != 1 || fmt.Sprint(got[0]) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Trino's reader fails a query on a value of another shape than its column's, and makes a text of numbers, flags and of the three columns of any keys.
func TestAValueOfAnotherShapeIsAFailure(t *testing.T) {
	table := athena.Table{Location: "s3://trail/AWSLogs/", Accounts: []string{account}}
	e, err := duck.Open(t.Context(), duck.Settings{MemoryMB: 400, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	for record, want := range map[string]string{
		`{"eventID":"a","readOnly":true,"eventVersion":1.08,"requestParameters":{"a":{"b":[1]}},"responseElements":"hidden","additionalEventData":null,"userIdentity":{"sessionContext":{"x":[]}},"tlsDetails":1}`: "",
		`{"userAgent":{"a":1}}`:                 "useragent: invalid JSON: varchar value must be a scalar",
		`{"userIdentity":{"arn":["a"]}}`:        "useridentity: invalid JSON: varchar value must be a scalar",
		`{"userIdentity":"root"}`:               "useridentity: invalid JSON: start of object expected",
		`{"resources":{"ARN":"a"}}`:             "resources: invalid JSON: start of array expected",
		`{"resources":[{"ARN":"a"},"arn:aws"]}`: "resources: invalid JSON: start of object expected",
	} {
		root := t.TempDir()
		if err := Lay(root, table, []Record{{json.RawMessage(record), time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC), account, "eu-west-1"}}); err != nil {
			t.Fatal(err)
		}
		if err := Load(t.Context(), e, table, root); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", record, err, want)
		}
	}
}
