package enginetest

import (
	"bufio"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/athena"
)

// daily is how many data events a day of the benchmark has. The size of a day is theirs; a hundredth of the day is written by default, and
// counted a hundred times.
var daily = flag.Int("events", 50_000, "data events that are written for a day")

const (
	// busy is how many data events a day has in the account that the figures are for.
	busy = 5_000_000
	// terabyte costs price dollars to scan: https://aws.amazon.com/athena/pricing/ (us-east-1 and eu-west-1, read 2026-11-23).
	terabyte, price = 1e12, 5.0
	// What one incident asks when its evidence comes in late: query rounds until it is complete, what is usual, and four follow-ups. The lineage is
	// drawn with the answer and at three follow-ups, with two questions mostly.
	rounds, followUps, lineages = 8, 4, 4 * 2
)

// BenchmarkScanned prints what the questions of one incident read of an account with 5,000,000 data events a day, and what that costs:
//
//	go test ./internal/evidence/enginetest -run '^$' -bench Scanned -events 5000000
func BenchmarkScanned(b *testing.B) {
	table := athena.Table{Location: "s3://trail/AWSLogs/", Accounts: []string{account}}
	firedAt := time.Date(2026, 3, 16, 14, 7, 0, 0, time.UTC)
	root := b.TempDir()
	rng := rand.New(rand.NewPCG(1, 2))
	day := map[string]int64{} // bytes, by folder
	var all int64
	for d := range 16 {
		begins := firedAt.Truncate(24*time.Hour).AddDate(0, 0, d-15)
		folder := table.Folder(account, "eu-west-1", begins)
		if err := writeDay(filepath.Join(Path(root, folder), "day.json.gz"), begins, *daily, rng); err != nil {
			b.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(Path(root, folder), "day.json.gz"))
		if err != nil {
			b.Fatal(err)
		}
		day[folder] = info.Size() * busy / int64(*daily)
		all += day[folder]
		if *daily > busy/10 { // the next one has the same size, to a thousandth
			os.RemoveAll(Path(root, folder))
		}
	}
	bytes := evidence.Bytes{Windows: []evidence.Window{{ID: "a", Buckets: []string{"customer-exports"}, From: firedAt, To: firedAt.Add(2 * time.Minute)}}, Margin: alarm.Margin}
	for b.Loop() {
		folders(b, table, bytes)
	}
	b.ReportMetric(float64(all)/16/1e6, "MB/day")
	read := map[string]int64{}
	for _, q := range []evidence.Question{bytes, evidence.Usage{Buckets: []string{"customer-exports"}, Before: firedAt},
		evidence.Lineage{Given: []string{"AKIAEXAMPLESTOLEN001"}, From: firedAt.Add(-evidence.SessionLife), To: firedAt.Add(10 * time.Minute)}} {
		for folder := range folders(b, table, q) {
			read[q.Name()] += day[folder]
		}
		b.ReportMetric(float64(read[q.Name()])/1e6, "MB/"+q.Name())
		b.ReportMetric(float64(read[q.Name()])/float64(all), q.Name()+"/16days")
	}
	incident := rounds*read["bytes"] + read["usage"] + followUps*read["bytes"] + lineages*read["lineage"]
	b.ReportMetric(float64(read["bytes"])/terabyte*price, "$/bytes")
	b.ReportMetric(float64(read["usage"])/terabyte*price, "$/usage")
	b.ReportMetric(float64(read["lineage"])/terabyte*price, "$/lineage")
	b.ReportMetric(float64(incident)/terabyte*price, "$/incident")
}

// writeDay writes a day's records as CloudTrail would compress them.
func writeDay(path string, begins time.Time, events int, rng *rand.Rand) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	z := gzip.NewWriter(f)
	w := bufio.NewWriter(z)
	fmt.Fprint(w, `{"Records":[`)
	for i := range events {
		if i > 0 {
			w.WriteByte(',')
		}
		WriteEvent(w, begins.Add(time.Duration(i)*24*time.Hour/time.Duration(events)), rng)
	}
	fmt.Fprint(w, "]}")
	return errors.Join(w.Flush(), z.Close(), f.Close())
}
