//go:build unix

package backtest

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"nightlatch/internal/policy"
	"nightlatch/internal/settings"
)

var (
	monthRecords = flag.Int("records", 300_000, "how many records a generated month of BenchmarkMonth has")
	monthKept    = flag.String("month", "", "folder that keeps the generated month of BenchmarkMonth: written if it is not there")
)

// BenchmarkMonth judges a generated month with thresholds that fire 20 times for each bucket. Load and the judging are timed, and the generating
// is not.
func BenchmarkMonth(b *testing.B) {
	records := *monthRecords
	dir := *monthKept
	if dir == "" {
		dir = b.TempDir()
	}
	if err := os.Mkdir(dir, 0o700); err == nil || *monthKept == "" {
		month := 30 * 24 * time.Hour
		generate(b, dir, records, 5_000, month/time.Duration(records))
	}
	runtime.GC()
	for b.Loop() {
		begin, busy := time.Now(), cpu()
		t := loaded(b, dir)
		load, loadBusy := time.Since(begin), cpu()-busy
		all, _, err := t.series(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		sums, sumsBusy := time.Since(begin)-load, cpu()-busy-loadBusy
		for _, s := range all {
			bytes := lowest(s.Minutes, settings.Threshold{Period: settings.Minute}, t.From.AddDate(0, 0, 14), 20)
			t.Watched = append(t.Watched, settings.Bucket{Name: s.Bucket, Thresholds: []settings.Threshold{{Bytes: bytes, Period: settings.Minute}}})
		}
		t.Since, t.AtMost, t.Policies = t.From.AddDate(0, 0, 14), 2, []Policy{{"shipped", "", policy.Shipped()}}
		r, err := t.Run(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		took := time.Since(begin)
		b.ReportMetric(float64(records)/took.Seconds(), "records/s")
		b.ReportMetric(load.Seconds(), "s/load")
		b.ReportMetric(sums.Seconds(), "s/minutes")
		b.ReportMetric(loadBusy.Seconds(), "cpu-s/load")
		b.ReportMetric(sumsBusy.Seconds(), "cpu-s/minutes")
		b.ReportMetric((cpu() - busy).Seconds(), "cpu-s")
		b.ReportMetric((took-load-2*sums).Seconds()/float64(len(r.Alarms)), "s/alarm")
		b.ReportMetric(float64(len(r.Alarms)), "alarms")
		b.ReportMetric(peakMiB(), "peak-MiB")
	}
}

// cpu is the processor time that this process has taken.
func cpu() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// peakMiB is the most memory this process has held, where the system tells: Linux does.
func peakMiB() float64 {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kb float64
	fmt.Sscan(rest, &kb)
	return kb / 1024
}
