package enginetest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/doctor"
	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/athena"
	"nightlatch/internal/evidence/duck"
)

// layouts are where an organization's trail puts its files: as CloudTrail does, as Control Tower has it do, and as its landing zone did it before
// version 3.0, with a trail for each account. https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
var layouts = map[string]string{
	"organization":        "s3://org-trail/AWSLogs/o-exampleorg1/",
	"Control Tower":       "s3://aws-controltower-logs-999988887777-eu-west-1/o-exampleorg1/AWSLogs/o-exampleorg1/",
	"Control Tower's old": "s3://aws-controltower-logs-999988887777-eu-west-1/o-exampleorg1/AWSLogs/",
}

// organization are the organization's accounts and regions.
func organization() (accounts, regions []string) {
	for i := range 40 {
		accounts = append(accounts, fmt.Sprintf("1111222233%02d", i))
	}
	return accounts, []string{"eu-west-1", "eu-central-1", "us-east-1", "ap-southeast-2"}
}

// Of 40 accounts' files in 4 regions each question of one deployment reads its own account's, of the days that it needs, and finds there all that is its
// account's. What CloudTrail writes beside them is not read.
func TestTheQuestionsReadOneAccountOfAnOrganization(t *testing.T) {
	accounts, regions := organization()
	rng := rand.New(rand.NewPCG(3, 4))
	from := time.Date(2026, 3, 4, 23, 59, 0, 0, time.UTC)
	for name, location := range layouts {
		t.Run(name, func(t *testing.T) {
			root, all := t.TempDir(), athena.Table{Location: location, Accounts: accounts}
			own := accounts[rng.IntN(len(accounts))]
			var records []Record
			for _, account := range accounts {
				for _, region := range regions {
					for i := range 3 { // a day before, in the window, and a day after; each of a region is delivered when it likes
						at := from.Add(time.Duration(i-1) * 24 * time.Hour)
						text := fmt.Sprintf(`{"eventID":"%s-%s-%d","eventTime":"%s","eventSource":"s3.amazonaws.com","eventName":"GetObject","eventCategory":"Data","recipientAccountId":"%s","requestParameters":{"bucketName":"exports"}}`,
							account, region, i, at.Format(time.RFC3339), account)
						records = append(records, Record{json.RawMessage(text), at.Add(time.Duration(rng.Int64N(int64(2 * time.Hour)))), account, region})
					}
				}
			}
			if err := Lay(root, all, records); err != nil {
				t.Fatal(err)
			}
			for _, beside := range []string{"CloudTrail-Digest", "CloudTrail-Insight", "Config"} { // would fail the question, if it were read
				folder := filepath.Join(Path(root, location), own, beside, "eu-west-1/2026/03/04")
				if err := errors.Join(os.MkdirAll(folder, 0o755), os.WriteFile(filepath.Join(folder, "x.json.gz"), []byte("no trail's file"), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			table := athena.Table{Location: location, Accounts: []string{own}}
			for _, q := range doctor.Asked(from) {
				for folder := range folders(t, table, q) {
					if !strings.HasPrefix(folder, location+own+"/CloudTrail/") {
						t.Fatalf("%s reads %s", q.Name(), folder)
					}
				}
			}
			q := evidence.Bytes{Windows: []evidence.Window{{ID: "a", Buckets: []string{"exports"}, From: from, To: from.Add(time.Minute)}}, Margin: alarm.Margin}
			read, held := folders(t, table, q), 0
			for _, r := range records {
				if r.Account == own && strings.Contains(string(r.JSON), from.Format(time.RFC3339)) {
					if held++; !read[table.Folder(r.Account, r.Region, r.Delivered)] {
						t.Errorf("a record of %s in the window is not read", r.Region)
					}
				}
			}
			if held != len(regions) {
				t.Fatalf("%d records are in the window", held)
			}
			e, err := duck.Open(t.Context(), duck.Settings{MemoryMB: 400, Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			if err := Load(t.Context(), e, table, root); err != nil {
				t.Fatal(err)
			}
			answer, err := e.Ask(t.Context(), Verbatim("select recipientaccountid as who, count(*) as calls, count(distinct region) as regions from "+Schema.Table+" group by recipientaccountid"))
			want := evidence.Row{"who": own, "calls": fmt.Sprint(3 * len(regions)), "regions": fmt.Sprint(len(regions))}
			if err != nil || len(answer.Rows) != 1 || fmt.Sprint(answer.Rows[0]) != fmt.Sprint(want) {
				t.Errorf("the table has %v, %v, want %v", answer.Rows, err, want)
			}
		})
	}
}

// What an incident of one deployment reads of an organization with 5,000,000 data events a day, and what it would read without a bound on the account.
func TestWhatAnOrganizationsFilesCostANight(t *testing.T) {
	accounts, regions := organization()
	at := time.Date(2026, 3, 16, 14, 7, 0, 0, time.UTC)
	size := dayOf(t, at, busy/len(accounts)/len(regions)/10) * 10 // of one account and region, zipped
	cost := func(readers []string) (read int64, dollars float64) {
		table := athena.Table{Location: layouts["Control Tower"], Accounts: readers}
		of := func(q evidence.Question) (n int64) {
			for folder := range folders(t, table, q) {
				region, day, _ := strings.Cut(folder[strings.Index(folder, "/CloudTrail/")+len("/CloudTrail/"):], "/")
				if slices.Contains(regions, region) && day <= at.Format("2006/01/02") { // the others are not there, or not yet
					n += size
				}
			}
			return n
		}
		bytes := of(evidence.Bytes{Windows: []evidence.Window{{ID: "a", Buckets: []string{"exports"}, From: at, To: at.Add(2 * time.Minute)}}, Margin: alarm.Margin})
		usage := of(evidence.Usage{Buckets: []string{"exports"}, Before: at})
		lineage := of(evidence.Lineage{Given: []string{"AKIAEXAMPLESTOLEN001"}, From: at.Add(-evidence.SessionLife), To: at.Add(10 * time.Minute)})
		read = rounds*bytes + usage + followUps*bytes + lineages*lineage
		return read, float64(read) / terabyte * price
	}
	read, dollars := cost(accounts[:1])
	whole, more := cost(accounts)
	t.Logf("one account's day in a region is %.1f MB; an incident reads %.1f GB, $%.3f; of all %d accounts it would read %.0f GB, $%.2f", float64(size)/1e6, float64(read)/1e9, dollars, len(accounts), float64(whole)/1e9, more)
	if whole < 35*read || dollars > 0.10 {
		t.Errorf("an incident reads %d bytes, $%.2f, and of all accounts %d", read, dollars, whole)
	}
}

// dayOf is the size of a zipped file of so many events.
func dayOf(t *testing.T, at time.Time, events int) int64 {
	t.Helper()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	w := bufio.NewWriter(z)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range events {
		WriteEvent(w, at.Add(time.Duration(i)*time.Second), rng)
	}
	if err := w.Flush(); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return int64(zipped.Len())
}
