//go:build unix

package duck

import (
	"bufio"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/evidence"
	"nightlatch/internal/sandbox"
)

const (
	// benchEvents are those of the trail, of which the one large file has half.
	benchEvents = 400_000
	benchRuns   = 5
	// benchMark ends a folder that was written whole. Its number changes with what is written.
	benchMark = "complete-1"
	// benchWhat names, for the measured process, what it is to do, and benchDir where.
	benchWhat, benchDir = "NIGHTLATCH_BENCH_WHAT", "NIGHTLATCH_BENCH_DIR"
)

// sumByKey is the question that DuckDB is asked alone.
const sumByKey = `select %[1]suseridentity.accesskeyid as k, sum(try_cast(%[1]sadditionaleventdata%[2]s as double)) as bytes from %[3]s group by 1 order by 2 desc`

// benches are what is measured, each in a process of its own.
var benches = map[string]func(ctx context.Context, dir string) error{
	// typed is DuckDB alone, as somebody would type it.
	"typed": func(ctx context.Context, dir string) error {
		return alone(ctx, fmt.Sprintf(sumByKey, "r.", ".bytesTransferredOut", "(select unnest(Records) as r from read_json("+quote(dir+"/trail/**/*.json.gz")+"))"))
	},
	// named is DuckDB alone, which is told the three fields that it is to read.
	"named": func(ctx context.Context, dir string) error {
		return alone(ctx, fmt.Sprintf(sumByKey, "r.", ".bytesTransferredOut", records1(dir, `STRUCT("userIdentity" STRUCT("accessKeyId" VARCHAR), "additionalEventData" STRUCT("bytesTransferredOut" VARCHAR))`)))
	},
	// columns is DuckDB alone, which makes a table of the columns that the engine reads, and is asked then.
	"columns": func(ctx context.Context, dir string) error {
		return alone(ctx, "create table events as select r.* from "+records1(dir, structOf(slices.Concat(read(false), read(true)))),
			fmt.Sprintf(sumByKey, "", "['bytesTransferredOut']", "events"))
	},
	"sum": func(ctx context.Context, dir string) error {
		return loadAnd(ctx, dir+"/trail", func(e *Engine) error {
			return some(e.Ask(ctx, question(fmt.Sprintf(sumByKey, "", "['bytesTransferredOut']", Table))))
		})
	},
	"load": func(ctx context.Context, dir string) error {
		return loadAnd(ctx, dir+"/trail", func(*Engine) error { return nil })
	},
	"large": func(ctx context.Context, dir string) error {
		return loadAnd(ctx, dir+"/large.json", func(*Engine) error { return nil })
	},
	"lines": func(ctx context.Context, dir string) error {
		return loadAnd(ctx, dir+"/lines.json", func(*Engine) error { return nil })
	},
	// respond asks what nightlatch respond asks.
	"respond": func(ctx context.Context, dir string) error {
		return loadAnd(ctx, dir+"/trail", func(e *Engine) error {
			from := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
			buckets := []string{"customer-exports", "finance-ledger", "model-artifacts"}
			_, _, _, reach := sandbox.Reach(ctx, e)
			_, _, infer := sandbox.Infer(ctx, e, "")
			_, shows := sandbox.Shows(ctx, e, buckets)
			return errors.Join(reach, infer, shows,
				some(e.Ask(ctx, evidence.Bytes{Windows: []evidence.Window{{ID: "a", Buckets: buckets, From: from, To: from.Add(time.Hour)}}, Margin: alarm.Margin})),
				some(e.Ask(ctx, evidence.Usage{Buckets: buckets, Before: from})))
		})
	},
}

func records1(dir, of string) string {
	return fmt.Sprintf("(select unnest(Records) as r from read_json(%s, columns={Records: %s}, format='unstructured', records=true, auto_detect=false))", quote(dir+"/trail/**/*.json.gz"), quote(of+"[]"))
}

func alone(ctx context.Context, statements ...string) error {
	db, err := sql.Open("duckdb", fmt.Sprintf("?threads=%d", min(maxDefaultThreads, runtime.GOMAXPROCS(0))))
	if err != nil {
		return err
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func loadAnd(ctx context.Context, path string, do func(*Engine) error) error {
	e, err := Open(ctx, Settings{})
	if err != nil {
		return err
	}
	defer e.Close()
	if err := e.Load(ctx, path); err != nil {
		return err
	}
	if lost := e.Lost(); len(lost) > 0 || e.Events() < benchEvents/2 {
		return fmt.Errorf("%d events, lost %q", e.Events(), lost)
	}
	return do(e)
}

func some(a evidence.Answer, err error) error {
	if err == nil && len(a.Rows) == 0 {
		err = errors.New("the answer has no rows")
	}
	return err
}

// TestMain is also the process that BenchmarkAgainstDuckDB measures.
func TestMain(m *testing.M) {
	if do := benches[os.Getenv(benchWhat)]; do != nil {
		if err := do(context.Background(), os.Getenv(benchDir)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// BenchmarkAgainstDuckDB prints the engine's time and memory beside those of DuckDB alone over the same files, which the sandbox has written:
// medians of five runs, in turns, with a warm cache.
//
//	go test ./internal/evidence/duck -run '^$' -bench AgainstDuckDB -benchtime 1x
func BenchmarkAgainstDuckDB(b *testing.B) {
	dir := benchTrail(b)
	names := slices.Sorted(maps.Keys(benches))
	seconds, cpu, memory := map[string][]float64{}, map[string][]float64{}, map[string][]float64{}
	for b.Loop() {
		for run := range benchRuns + 1 {
			for _, name := range names {
				child := exec.CommandContext(b.Context(), os.Args[0])
				child.Env = append(os.Environ(), benchWhat+"="+name, benchDir+"="+dir)
				begin := time.Now()
				if out, err := child.CombinedOutput(); err != nil {
					b.Fatalf("%s: %v\n%s", name, err, out)
				}
				if run == 0 { // warms the cache
					continue
				}
				seconds[name] = append(seconds[name], time.Since(begin).Seconds())
				cpu[name] = append(cpu[name], (child.ProcessState.UserTime() + child.ProcessState.SystemTime()).Seconds())
				memory[name] = append(memory[name], float64(child.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)/1024) // kilobytes on Linux
			}
		}
	}
	for _, name := range names {
		b.Logf("%-8s %6.2f s, %6.2f s of CPU, %5.0f MiB", name, median(seconds[name]), median(cpu[name]), median(memory[name]))
	}
	for ratio, of := range map[string][2]string{"sum/columns": {"sum", "columns"}, "respond/typed": {"respond", "typed"}, "respond/named": {"respond", "named"}, "large/lines": {"large", "lines"}} {
		b.ReportMetric(median(seconds[of[0]])/median(seconds[of[1]]), ratio)
		b.ReportMetric(median(cpu[of[0]])/median(cpu[of[1]]), ratio+"-cpu")
	}
	b.ReportMetric(median(memory["load"]), "load-MiB")
	b.ReportMetric(median(memory["respond"]), "respond-MiB")
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

// benchTrail writes the files once for this machine: nights of the sandbox, and half of their records in one file.
func benchTrail(b *testing.B) string {
	dir := filepath.Join(os.TempDir(), "nightlatch-duck-bench")
	if _, err := os.Stat(filepath.Join(dir, benchMark)); err == nil {
		return dir
	}
	if err := os.RemoveAll(dir); err != nil {
		b.Fatal(err)
	}
	for seed, events := uint64(1), 0; events < benchEvents; seed++ {
		night, err := sandbox.NewMidnight(seed, filepath.Join(dir, "trail", fmt.Sprint(seed)))
		if err != nil {
			b.Fatal(err)
		}
		events += night.Events
	}
	large, err := os.Create(filepath.Join(dir, "large.json"))
	if err != nil {
		b.Fatal(err)
	}
	lines, err := os.Create(filepath.Join(dir, "lines.json"))
	if err != nil {
		b.Fatal(err)
	}
	l, w := bufio.NewWriter(large), bufio.NewWriter(lines)
	n := 0
	l.WriteString(`{"Records":[`)
	err = filepath.WalkDir(filepath.Join(dir, "trail"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || n >= benchEvents/2 {
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
		var of struct{ Records []json.RawMessage }
		if err := json.NewDecoder(z).Decode(&of); err != nil {
			return err
		}
		for _, r := range of.Records {
			if n++; n > 1 {
				l.WriteString(",")
			}
			l.Write(r)
			w.Write(r)
			w.WriteString("\n")
		}
		return nil
	})
	l.WriteString("]}")
	if err := errors.Join(err, l.Flush(), w.Flush(), large.Close(), lines.Close(), os.WriteFile(filepath.Join(dir, benchMark), nil, 0o644)); err != nil {
		b.Fatal(err)
	}
	if n < benchEvents/2 || strings.Contains(dir, "'") {
		b.Fatalf("%d records in %s", n, dir)
	}
	return dir
}
