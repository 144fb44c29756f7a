package duck

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// maxCallers is how many different texts are known at a time, in some 15 MB.
var maxCallers = 400_000

// callers number what many records share: who called what, with which agent. A trail has few of them, so that most of a record is read and
// kept once. What is forgotten meanwhile gets another number. A text is known by its hash, which nobody who writes an agent can have fall together
// with another's.
type callers struct {
	mu    sync.Mutex
	ids   map[[sha256.Size / 2]byte]int32
	next  int32
	file  *os.File // has them for DuckDB
	lines *bufio.Writer
	// longest is the length of the longest.
	longest int
	err     error
}

func newCallers(dir string, next int32) (*callers, error) {
	f, err := os.Create(filepath.Join(dir, "callers.json"))
	if err != nil {
		return nil, err
	}
	return &callers{ids: map[[sha256.Size / 2]byte]int32{}, next: next, file: f, lines: bufio.NewWriter(f)}, nil
}

// caller is the number of a text, an object in JSON.
func (c *callers) caller(text []byte) int32 {
	sum := sha256.Sum256(text)
	hash := [sha256.Size / 2]byte(sum[:])
	c.mu.Lock()
	defer c.mu.Unlock()
	if id, known := c.ids[hash]; known {
		return id
	}
	if len(c.ids) == maxCallers {
		clear(c.ids)
	}
	id := c.next
	c.next++
	c.ids[hash] = id
	n, err := fmt.Fprintf(c.lines, `{"caller":%d,"of":%s}`+"\n", id, text)
	c.longest, c.err = max(c.longest, n), errors.Join(c.err, err)
	return id
}

// store puts the callers into their table.
func (c *callers) store(ctx context.Context, e *Engine) error {
	if err := errors.Join(c.err, c.lines.Flush(), c.file.Close()); err != nil {
		return err
	}
	var buckets []string
	for i, name := range bucketColumns {
		buckets = append(buckets, foundBuckets[i]+" as "+name)
	}
	statement := fmt.Sprintf(`insert into callers by name select *, %s from (select caller, %s from (select caller, json_transform("of", %s) as r
		from read_json(%s, columns={caller: 'INTEGER', "of": 'JSON'}, format='unstructured', maximum_object_size=%d, auto_detect=false, hive_partitioning=false)))`,
		strings.Join(buckets, ", "), computed(kept(true)), quote(shape(kept(true))), quote(literal(c.file.Name())), max(c.longest+1, 1<<20))
	return e.within(ctx, func() error { return e.do(ctx, statement) })
}

// remove removes the file.
func (c *callers) remove() {
	c.file.Close()
	os.Remove(c.file.Name())
}

// globbing are the characters that DuckDB would expand in a file's name.
var globbing = regexp.MustCompile(`[*?\[]`)

// literal writes a path so that DuckDB takes it as the name of that one file.
func literal(path string) string { return globbing.ReplaceAllString(path, "[$0]") }
