// Package duck is the embedded evidence engine: DuckDB (https://duckdb.org/docs/) over CloudTrail's own files, as
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-examples.html describes them.
//
// It answers the same SQL text that CloudTrail Lake answers. Its table "events" has Lake's columns
// (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/query-supported-event-schemas.html), without eventjson and eventjsonchecksum,
// which would hold every record in memory a second time. What no question reads is NULL in it, missing in its maps, or cut off: see fields. Macros
// give DuckDB the Trino functions that the questions use. What could not be read is never passed over in silence: every answer names it.
//
// The files are read here, many at once, as a stream of records: see scanner and feed. DuckDB gets of each what the questions need, as JSON.
package duck

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/duckdb/duckdb-go/v2"

	"nightlatch/internal/evidence"
)

// Table is what stands behind FROM in a question to this engine.
const Table = "events"

// asked is Table with buckets.
const asked = "asked"

const (
	// defaultMemoryMB is what all of a laptop's trail can be loaded and asked with, on two threads: beyond some 400,000 events DuckDB spills to disk.
	// partsMemoryMB is faster where very much is asked: with the rest of the process it stays below 1 GiB for a month of 30 million. With less than
	// eachMemoryMB a million rows are not sorted. What does not fit gets mostMemoryMB.
	defaultMemoryMB, partsMemoryMB, eachMemoryMB, mostMemoryMB = 150, 400, 500, 1500
	// leastMemoryMB is what one thread needs to load files.
	leastMemoryMB = 100
	// maxDefaultThreads bounds the memory: what a thread sorts and groups it must hold.
	maxDefaultThreads = 2
)

// Settings bound what the engine may take of the machine.
type Settings struct {
	// MemoryMB is how much memory DuckDB may hold, in megabytes; what goes beyond is spilled to a temporary directory.
	// 100 for each thread is the least. 0 means 150, or 400 with Parts, and up to 1500 once a load or a question needs it.
	// What it frees stays with the process for a while, and the rest of the process takes some 100 more.
	MemoryMB int
	// Threads is how many threads DuckDB may run; 0 means one for each CPU, at most 2 and what the memory is enough for.
	Threads int
	// Temp is the directory in which the engine makes its own; "" is the system's for temporary files.
	Temp string
	// Parts says that questions will be asked many times: what those of evidence.InParts need of whole hours is put together once, and kept.
	// The records then stand in a file of that directory, packed: many times as many as fit into memory.
	Parts bool
}

// Engine is one DuckDB with the records of the files loaded so far.
type Engine struct {
	settings Settings
	limit    atomic.Int64 // megabytes that DuckDB may hold
	most     int64        // that it may come to hold
	db       *sql.DB
	dir      string // of our own: DuckDB's spill, and the callers while files are loaded

	mu     sync.RWMutex // Load writes, Ask reads
	files  map[string]*file
	nextID int
	// nextCaller is callers.caller of the next.
	nextCaller int32
	feed       *feed // what Load is loading

	answers answers
	partsMu sync.Mutex
	parts   map[aPart]bool // those that there are
}

var _ evidence.Trail = (*Engine)(nil)

// Open starts an engine that holds no records yet. Close releases its memory and its temporary directory.
func Open(ctx context.Context, s Settings) (*Engine, error) {
	most := s.MemoryMB
	if s.MemoryMB == 0 {
		s.MemoryMB, most = defaultMemoryMB, mostMemoryMB
		if s.Parts {
			s.MemoryMB = partsMemoryMB
		}
	}
	if s.Threads == 0 {
		s.Threads = max(1, min(runtime.GOMAXPROCS(0), maxDefaultThreads, most/leastMemoryMB))
	}
	if s.Threads < 0 {
		return nil, fmt.Errorf("the setting Threads is %d, and must not be negative", s.Threads)
	}
	if least := s.Threads * leastMemoryMB; most < least {
		return nil, fmt.Errorf("the setting MemoryMB is %d, and %d threads need at least %d to read trail files", s.MemoryMB, s.Threads, least)
	}
	dir, err := os.MkdirTemp(s.Temp, "nightlatch-duck-")
	if err != nil {
		return nil, fmt.Errorf("make a temporary directory for DuckDB: %w", err)
	}
	stored := "" // in memory, which is faster where all fits
	if s.Parts {
		stored = filepath.Join(dir, "trail.duckdb")
	}
	connector, err := duckdb.NewConnector(stored, nil)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start DuckDB: %v", err), os.RemoveAll(dir))
	}
	e := &Engine{settings: s, most: int64(most), db: sql.OpenDB(connector), dir: dir, files: map[string]*file{}, parts: map[aPart]bool{}}
	e.limit.Store(int64(s.MemoryMB))
	if err := e.setUp(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// setUp bounds DuckDB, makes the table and the dialect, and then locks the configuration.
func (e *Engine) setUp(ctx context.Context) error {
	statements := []string{
		limited(e.limit.Load()),
		fmt.Sprintf("set global threads = %d", e.settings.Threads),
		"set global temp_directory = " + quote(e.dir),
		"set global preserve_insertion_order = false", // halves the memory of a load; no question relies on file order
		"set global autoinstall_known_extensions = false",
		"set global autoload_known_extensions = false",
		"set global TimeZone = 'UTC'",
		"set global integer_division = true", // 7/2 is 3 in Trino
	}
	statements = append(statements, createTrail()...)
	statements = append(statements, dialect...)
	statements = append(statements, findTwice, findReach)
	statements = append(statements, forgetParts()...)
	statements = append(statements, "set global allowed_configs = ['memory_limit']", "set global lock_configuration = true")
	for _, s := range statements {
		if _, err := e.db.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("set up DuckDB with %q: %v", s, err)
		}
	}
	if err := e.register(ctx); err != nil {
		return fmt.Errorf("set up DuckDB to read records: %v", err)
	}
	return nil
}

// Close ends the engine and removes what it left on disk.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return errors.Join(e.db.Close(), os.RemoveAll(e.dir))
}

// quote makes a SQL string literal.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
