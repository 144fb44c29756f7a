package duck_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/duck"
	"nightlatch/internal/evidence/enginetest"
)

const (
	millionFiles   = 200
	millionPerFile = 5000
	// millionDir names, for the child process, the directory to load.
	millionDir = "NIGHTLATCH_DUCK_MILLION"
	// millionMark ends a directory that was generated whole; its number changes with the generator.
	millionMark = "complete-2"
)

// millionFigures is what the child process reports.
type millionFigures struct {
	Events       int64
	Load, Ask    time.Duration
	PeakMemoryKB int64
}

// BenchmarkMillion loads 1,000,000 data events from 200 files and asks both questions of an incident. It does so in a process
// of its own, so that generating the files, which is not timed, does not count towards the peak of memory.
func BenchmarkMillion(b *testing.B) {
	dir := millionTrail(b)
	var sum millionFigures
	runs := 0
	for b.Loop() {
		child := exec.CommandContext(b.Context(), os.Args[0])
		child.Env = append(os.Environ(), millionDir+"="+dir)
		out, err := child.CombinedOutput()
		if err != nil {
			b.Fatalf("the measured process: %v\n%s", err, out)
		}
		_, figures, _ := strings.Cut(string(out), "figures ")
		figures, _, _ = strings.Cut(figures, "\n")
		var got millionFigures
		if err := json.Unmarshal([]byte(figures), &got); err != nil {
			b.Fatalf("the measured process said %q: %v", out, err)
		}
		runs++
		sum.Load, sum.Ask, sum.Events = sum.Load+got.Load, sum.Ask+got.Ask, sum.Events+got.Events
		sum.PeakMemoryKB = max(sum.PeakMemoryKB, got.PeakMemoryKB)
	}
	b.ReportMetric(float64(sum.Events)/(sum.Load+sum.Ask).Seconds(), "events/s")
	b.ReportMetric(sum.Load.Seconds()/float64(runs), "s/load")
	b.ReportMetric(sum.Ask.Seconds()/float64(runs), "s/ask")
	b.ReportMetric(float64(sum.PeakMemoryKB)/1024, "peak-MiB")
}

// TestMain is also the process that BenchmarkMillion measures.
func TestMain(m *testing.M) {
	if dir := os.Getenv(millionDir); dir != "" {
		if err := measureMillion(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// measureMillion loads the files, asks both questions of an incident, and prints the figures.
func measureMillion(dir string) error {
	ctx := context.Background()
	begin := time.Now()
	e, err := duck.Open(ctx, duck.Settings{})
	if err != nil {
		return err
	}
	defer e.Close()
	if err := e.Load(ctx, dir); err != nil {
		return err
	}
	got := millionFigures{Events: e.Events(), Load: time.Since(begin)}
	begin = time.Now()
	from := time.Date(2026, 3, 1, 20, 0, 0, 0, time.UTC)
	buckets := []string{"customer-exports", "customer-archive"}
	for _, q := range []evidence.Question{
		evidence.Bytes{Windows: []evidence.Window{{ID: "one", Buckets: buckets, From: from, To: from.Add(5 * time.Minute)}}, Margin: 5 * time.Minute},
		evidence.Usage{Buckets: buckets, Before: from},
	} {
		answer, err := e.Ask(ctx, q)
		if err != nil {
			return err
		}
		if len(answer.Rows) < 50 || len(answer.Lost) != 0 {
			return fmt.Errorf("%s: got %d rows and lost %q", q.Name(), len(answer.Rows), answer.Lost)
		}
	}
	got.Ask = time.Since(begin)
	got.PeakMemoryKB = peakMemoryKB()
	if got.Events != millionFiles*millionPerFile {
		return fmt.Errorf("got %d events", got.Events)
	}
	out, err := json.Marshal(got)
	fmt.Printf("figures %s\n", out)
	return err
}

// peakMemoryKB is the most memory this process has held, where the system tells: Linux does.
func peakMemoryKB() int64 {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kb int64
	fmt.Sscan(rest, &kb)
	return kb
}

// millionTrail makes the files once for this machine.
func millionTrail(b *testing.B) string {
	dir := filepath.Join(os.TempDir(), "nightlatch-duck-million")
	if _, err := os.Stat(filepath.Join(dir, millionMark)); err == nil {
		return dir
	}
	err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755))
	if err != nil {
		b.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range millionFiles {
		name := filepath.Join(dir, fmt.Sprintf("111122223333_CloudTrail_eu-west-1_%05d.json.gz", i))
		if at, err = millionFile(name, at, random); err != nil {
			b.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, millionMark), nil, 0o644); err != nil {
		b.Fatal(err)
	}
	return dir
}

func millionFile(name string, at time.Time, random *rand.Rand) (time.Time, error) {
	f, err := os.Create(name)
	if err != nil {
		return at, err
	}
	zipped := gzip.NewWriter(f)
	w := bufio.NewWriter(zipped)
	w.WriteString(`{"Records":[`)
	for i := range millionPerFile {
		if i > 0 {
			w.WriteString(",")
		}
		at = at.Add(time.Duration(random.IntN(400)) * time.Millisecond)
		enginetest.WriteEvent(w, at, random)
	}
	w.WriteString(`]}`)
	return at, errors.Join(w.Flush(), zipped.Close(), f.Close())
}
