package duck

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxRecord bounds what is held of one record in memory. CloudTrail cuts events at 256 KB, or 1 MB where it is set so:
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html
const maxRecord = 64 << 20

// form is how a trail file holds its records.
type form int

const (
	formRecords form = iota + 1 // {"Records":[…]}, as CloudTrail delivers
	formArray                   // [ … ], as tools export
	formLines                   // one object after the other, mostly one a line
)

// breakage is where a file's text stops being JSON, or stops.
type breakage struct {
	at     int64 // byte of the decompressed text
	why    string
	zipped bool // the gzip data broke, not what is in it
}

func (b *breakage) Error() string {
	if b.zipped {
		return fmt.Sprintf("breaks in its gzip data, after %d bytes of text (%s)", b.at, b.why)
	}
	return fmt.Sprintf("breaks at byte %d (%s)", b.at, b.why)
}

// walk calls visit with each record in a text, in order, and once with a nil record for each list "Records" it enters.
// It reads on until the end, visit's first error, which it returns, or the first break, which it returns as a *breakage.
func walk(s *source, visit func(form, json.RawMessage) error) error {
	w := walker{src: s, dec: json.NewDecoder(s), visit: visit}
	// The decoder holds what it has read and not yet handed out; that is one record at most.
	s.room = func() error {
		if s.n-s.start-w.dec.InputOffset() > maxRecord {
			return errLong
		}
		return nil
	}
	for {
		err := w.value()
		if err == io.EOF && s.err == nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

type walker struct {
	src   *source
	dec   *json.Decoder
	visit func(form, json.RawMessage) error
}

// value takes one value at the top of the text; io.EOF says that there is none left.
func (w *walker) value() error {
	t, err := w.dec.Token()
	if err == io.EOF && w.src.err == nil {
		return io.EOF
	}
	if err != nil {
		return w.broken(err)
	}
	switch t {
	case json.Delim('['):
		return w.elements(formArray)
	case json.Delim('{'):
		return w.members()
	}
	return w.visit(formLines, json.RawMessage("null")) // a number, a string: no record, whatever it says
}

// members takes an object at the top: a list of records, or itself a record.
func (w *walker) members() error {
	members := map[string]json.RawMessage{}
	for w.dec.More() {
		key, err := w.dec.Token()
		if err != nil {
			return w.broken(err)
		}
		if key == "Records" {
			err = w.records()
		} else {
			members[fmt.Sprint(key)], err = w.raw()
		}
		if err != nil {
			return err
		}
	}
	if err := w.closing(); err != nil {
		return err
	}
	if _, ok := members["Records"]; ok || len(members) == 0 {
		return nil
	}
	record, err := json.Marshal(members)
	if err != nil {
		return &breakage{at: w.offset(), why: oneLine(err)}
	}
	return w.visit(formLines, record)
}

// records takes what stands behind the key "Records".
func (w *walker) records() error {
	t, err := w.dec.Token()
	if err != nil {
		return w.broken(err)
	}
	switch t {
	case json.Delim('['):
		if err := w.visit(formRecords, nil); err != nil {
			return err
		}
		return w.elements(formRecords)
	case json.Delim('{'):
		return &breakage{at: w.offset(), why: "Records is not a list"}
	}
	return nil
}

// elements takes the rest of a list whose bracket has been taken.
func (w *walker) elements(f form) error {
	for w.dec.More() {
		record, err := w.raw()
		if err != nil {
			return err
		}
		if err := w.visit(f, record); err != nil {
			return err
		}
	}
	return w.closing()
}

func (w *walker) closing() error {
	if _, err := w.dec.Token(); err != nil {
		return w.broken(err)
	}
	return nil
}

// raw takes one value as it stands.
func (w *walker) raw() (json.RawMessage, error) {
	var value json.RawMessage
	if err := w.dec.Decode(&value); err != nil {
		return nil, w.broken(err)
	}
	if !utf8.Valid(value) {
		at := w.offset() - int64(len(value)) + int64(invalidAt(value))
		return nil, &breakage{at: at, why: "invalid UTF-8"}
	}
	return value, nil
}

// broken says where the text breaks, after a call to the decoder has failed with err.
func (w *walker) broken(err error) error {
	if ctxErr := w.src.ctx.Err(); ctxErr != nil {
		return ctxErr
	}
	if w.src.err == errLong {
		return &breakage{at: w.offset(), why: fmt.Sprintf("more than %d MB without a whole record", maxRecord>>20)}
	}
	if w.src.err != nil {
		return w.src.broken()
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) && syntax.Offset == w.dec.InputOffset() {
		return &breakage{at: w.offset(), why: oneLine(err)}
	}
	// Elsewhere the decoder's offset does not count what it took as tokens. The value that it could not take is still
	// buffered, and json knows exactly where in it.
	rest, readErr := io.ReadAll(w.dec.Buffered())
	if readErr != nil || !errors.As(json.Unmarshal(rest, new(json.RawMessage)), &syntax) {
		return &breakage{at: w.offset(), why: oneLine(err)}
	}
	if strings.HasPrefix(syntax.Error(), "unexpected end") {
		return &breakage{at: w.src.n, why: "the text ends too early"}
	}
	return &breakage{at: w.offset() + syntax.Offset - 1, why: oneLine(syntax)}
}

// offset is how far into the text the decoder has taken it.
func (w *walker) offset() int64 { return w.src.start + w.dec.InputOffset() }

func invalidAt(b []byte) int {
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(b)
}

// oneLine is an error's text without line breaks, cut to what a sentence can hold.
func oneLine(err error) string {
	s, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "…"
	}
	return strings.TrimRight(s, ". ")
}
