package duck

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/duckdb/duckdb-go/v2"
)

// maxBatch is how much of records is handed to DuckDB at a time, beside how many it takes.
const maxBatch = 4 << 20

// feed hands the records of files to DuckDB, as many files at once as it has threads. It is the table function fedBy, of the columns
// file, caller and record.
type feed struct {
	ctx     context.Context
	info    []duckdb.ColumnInfo
	threads int // that read at once; without a number it would be one
	callers *callers

	mu   sync.Mutex
	rest []*file
	open []*stream // of which records may still come
	// spare are the texts of streams that have ended, to be read into again.
	spare [][]byte
}

const fedBy = "nightlatch_records"

// register makes a feed's records a table of DuckDB's.
func (e *Engine) register(ctx context.Context) error {
	number, err := duckdb.NewTypeInfo(duckdb.TYPE_INTEGER)
	if err != nil {
		return err
	}
	text, err := duckdb.NewTypeInfo(duckdb.TYPE_VARCHAR)
	if err != nil {
		return err
	}
	columns := []duckdb.ColumnInfo{{Name: "file", T: number}, {Name: "caller", T: number}, {Name: "record", T: text}}
	conn, err := e.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return duckdb.RegisterTableUDF(conn, fedBy, duckdb.ParallelChunkTableFunction{
		BindArguments: func(map[string]any, ...any) (duckdb.ParallelChunkTableSource, error) {
			if e.feed == nil {
				return nil, errors.New("no files are being loaded")
			}
			e.feed.info = columns
			return e.feed, nil
		},
	})
}

// batch is what a thread of DuckDB's is working on.
type batch struct {
	stream *stream // the last that it has read, nil for none
	id     int     // of the file
	out    []byte
	ends   []int
	by     []int32
	done   int // of ends
}

func (f *feed) ColumnInfos() []duckdb.ColumnInfo     { return f.info }
func (f *feed) Cardinality() *duckdb.CardinalityInfo { return nil }
func (f *feed) Init() duckdb.ParallelTableSourceInfo {
	return duckdb.ParallelTableSourceInfo{MaxThreads: f.threads}
}
func (f *feed) NewLocalState() any { return &batch{} }

// FillChunk implements duckdb.ParallelChunkTableSource: a chunk without rows is the end.
func (f *feed) FillChunk(state any, chunk duckdb.DataChunk) error {
	b := state.(*batch)
	for b.done == len(b.ends) {
		more, err := f.refill(b)
		if err != nil {
			return err
		}
		if !more {
			return chunk.SetSize(0)
		}
	}
	rows := min(len(b.ends)-b.done, duckdb.GetDataChunkCapacity())
	for i := range rows {
		from := 0
		if b.done > 0 {
			from = b.ends[b.done-1]
		}
		if err := errors.Join(duckdb.SetChunkValue(chunk, 0, i, int32(b.id)), duckdb.SetChunkValue(chunk, 1, i, b.by[b.done]),
			duckdb.SetChunkValue(chunk, 2, i, b.out[from:b.ends[b.done]])); err != nil {
			return err
		}
		b.done++
	}
	return chunk.SetSize(rows)
}

// refill takes more records from the thread's file, or from another's when no file is left that nobody has begun.
func (f *feed) refill(b *batch) (more bool, err error) {
	if b.stream = f.pick(b.stream); b.stream == nil {
		return false, nil
	}
	s := b.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	b.id, b.done = s.id, 0
	s.out, s.ends, s.by = b.out[:0], b.ends[:0], b.by[:0]
	for err == nil && !s.ended && len(s.ends) < duckdb.GetDataChunkCapacity() && len(s.out) < maxBatch {
		err = s.next()
	}
	b.out, b.ends, b.by = s.out, s.ends, s.by
	s.out, s.ends, s.by = nil, nil, nil
	if err == io.EOF || err == errBroken {
		s.broken, err = err == errBroken, nil
		f.end(s)
	}
	return true, err
}

// pick gives a thread the file that it is to read: its own as long as that has more.
func (f *feed) pick(own *stream) *stream {
	f.mu.Lock()
	defer f.mu.Unlock()
	if slices.Contains(f.open, own) {
		return own
	}
	for len(f.rest) > 0 {
		next := f.rest[0]
		f.rest = f.rest[1:]
		src, err := openSource(f.ctx, next.real)
		if err != nil {
			next.broken = true
			continue
		}
		var in []byte
		if last := len(f.spare) - 1; last >= 0 {
			in, f.spare = f.spare[last], f.spare[:last]
		}
		s := newStream(next, src, f.callers, in)
		f.open = append(f.open, s)
		return s
	}
	if len(f.open) == 0 {
		return nil
	}
	return f.open[0]
}

// end closes a file that has no more records.
func (f *feed) end(s *stream) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s.ended = true
	s.src.Close()
	if len(s.in) == textSize {
		f.spare = append(f.spare, s.in)
	}
	f.open = slices.DeleteFunc(f.open, func(o *stream) bool { return o == s })
}

// close closes what an end before the end has left open.
func (f *feed) close() {
	for _, s := range f.open {
		s.src.Close()
	}
}
