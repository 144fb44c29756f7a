package duck

import (
	"fmt"
)

// recordsMissing and restMissing end a sentence on a file that broke.
const (
	recordsMissing = ": its records are missing"
	restMissing    = ": its records from there on are missing"
)

func cannotRead(err error) string {
	return fmt.Sprintf("cannot be read (%s)%s", oneLine(unwrapPath(err)), recordsMissing)
}

// brokenOff is what is lost of a file that breaks. Of a file with a record a line, what stands before the break is used:
// such a file may still be being written. A broken list is dropped whole.
func brokenOff(f form, b *breakage) string {
	if f == formLines {
		return b.Error() + restMissing
	}
	return b.Error() + recordsMissing
}

// sentences are what is missing or doubtful of a file.
func (f *file) sentences() []string {
	var s []string
	if f.lost != "" {
		s = append(s, fmt.Sprintf("trail file %q %s", f.path, f.lost))
	}
	if f.strangers > 0 {
		s = append(s, fmt.Sprintf("trail file %q holds %s that are no CloudTrail records: they were left out", f.path, count(f.strangers, "entry", "entries")))
	}
	if f.unread > 0 {
		s = append(s, fmt.Sprintf("trail file %q holds %s that seem to be CloudTrail records in a form that is not read: they are missing", f.path, count(f.unread, "entry", "entries")))
	}
	if f.nameless > 0 {
		s = append(s, fmt.Sprintf("trail file %q holds %s without a readable userIdentity: who made the calls is not known", f.path, count(f.nameless, "record", "records")))
	}
	if f.undated > 0 {
		s = append(s, fmt.Sprintf("trail file %q holds %s without a readable eventTime: no window of time contains them", f.path, count(f.undated, "record", "records")))
	}
	return s
}

func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// known lists every file that Load has seen, in order.
func (e *Engine) known() []*file {
	var all []*file
	for _, f := range e.files {
		all = append(all, f)
	}
	return inOrder(all)
}

// lost is what every answer must name.
func (e *Engine) lost() []string {
	var all []string
	for _, f := range e.known() {
		all = append(all, f.sentences()...)
	}
	return all
}

// Lost names, one sentence each, what could not be read of the files, as every answer does.
func (e *Engine) Lost() []string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.lost()
}

// Skipped lists the files that are JSON and hold nothing that looks like a CloudTrail record, such as an alarm or a policy lying beside a
// trail. They have neither a list "Records" nor any object with an eventName or an eventSource. Nothing is missing because of them, so no
// answer names them.
func (e *Engine) Skipped() []string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	var paths []string
	for _, f := range e.known() {
		if f.alien && !f.odd {
			paths = append(paths, f.path)
		}
	}
	return paths
}

// Files is the number of files loaded.
func (e *Engine) Files() int {
	e.mu.RLock()
	defer e.mu.RUnlock()
	n := 0
	for _, f := range e.files {
		if f.loaded {
			n++
		}
	}
	return n
}

// Events is the number of records loaded.
func (e *Engine) Events() int64 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	var n int64
	for _, f := range e.files {
		n += f.events
	}
	return n
}

// bytes is the size on disk of the files loaded.
func (e *Engine) bytes() int64 {
	var n int64
	for _, f := range e.files {
		if f.loaded {
			n += f.disk
		}
	}
	return n
}
