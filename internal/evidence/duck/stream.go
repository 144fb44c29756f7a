package duck

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"sync"
)

// errBroken says that a text is no JSON from somewhere on, or cannot be read. Where and why is walk's to say.
var errBroken = errors.New("the text is broken")

// stream reads a file's records, in order, as walk does, and makes of each what DuckDB is given.
type stream struct {
	*file
	scanner
	src *source
	mu  sync.Mutex // held while it is read
	at  place
	// ended: there is no more of it.
	ended bool
	// some: the list has had an element.
	some bool
	// ends are the ends in scanner.out of the records that were not handed out yet, and by whom they are.
	ends    []int
	by      []int32
	callers *callers
}

// place is where in a text a stream is.
type place int

const (
	atTop place = iota
	inArray
	inRecords    // within an object
	afterRecords // within the object that has had them
)

// textSize is how much of a text is held, unless a record is longer.
const textSize = 1 << 18

// newStream reads into a text that nobody reads any more; nil for a new one.
func newStream(f *file, src *source, c *callers, in []byte) *stream {
	if in == nil {
		in = make([]byte, textSize)
	}
	clear(in[:8])
	return &stream{file: f, src: src, callers: c, scanner: scanner{in: in}}
}

// fill reads on. What stands before from is given up.
func (s *stream) fill(from int) error {
	s.end = copy(s.in, s.in[from:s.end])
	s.i = 0
	if s.end > len(s.in)/2 {
		if s.end > maxRecord {
			return errBroken
		}
		s.in = append(make([]byte, 0, 2*len(s.in)), s.in[:s.end]...)[:2*len(s.in)]
	}
	n, err := s.src.Read(s.in[s.end : len(s.in)-8])
	s.end += n
	clear(s.in[s.end : s.end+8])
	switch {
	case err == io.EOF:
		s.eof = true
	case err != nil && s.src.ctx.Err() != nil:
		return s.src.ctx.Err()
	case err != nil:
		return errBroken
	}
	return nil
}

// whole scans with as much text as it takes.
func (s *stream) whole(scan func() bool) (raw []byte, err error) {
	from, out := s.i, len(s.out)
	for !scan() && !s.records {
		if !s.short() {
			return nil, errBroken
		}
		s.out, s.depth = s.out[:out], 0
		if err := s.fill(from); err != nil {
			return nil, err
		}
		from = 0
	}
	s.depth = 0
	return s.in[from:s.i], nil
}

// peek is the next byte that is no blank; 0 at the end.
func (s *stream) peek() (byte, error) {
	for {
		c := s.blanks()
		if s.i < s.end || s.eof {
			if c == 0 && s.i < s.end {
				return 0, errBroken
			}
			return c, nil
		}
		if err := s.fill(s.i); err != nil {
			return 0, err
		}
	}
}

// next reads on by one value, and takes it where it may be a record. It returns io.EOF at the text's end.
func (s *stream) next() error {
	c, err := s.peek()
	switch {
	case err != nil:
		return err
	case s.at == atTop && s.i == s.end:
		return io.EOF
	case s.at == atTop && c == '[':
		s.i++
		s.at, s.some = inArray, false
		return nil
	case s.at == atTop:
		s.top = true
		return s.element(formLines)
	case s.at == afterRecords:
		return s.member(c)
	case c == ']':
		s.i++
		if s.at == inArray {
			s.at = atTop
		} else {
			s.at = afterRecords
		}
		return nil
	case s.some && c != ',':
		return errBroken
	case s.some:
		s.i++
		if _, err := s.peek(); err != nil {
			return err
		}
	}
	s.some, s.top = true, false
	if s.at == inArray {
		return s.element(formArray)
	}
	return s.element(formRecords)
}

// element reads a value that may be a record, or an object with a list of them, up to the list's bracket.
func (s *stream) element(as form) error {
	from := len(s.out)
	raw, err := s.whole(s.record)
	switch {
	case err != nil:
		return err
	case s.records:
		s.out = s.out[:from]
		s.i++
		s.at, s.some, s.records = inRecords, false, false
		return nil
	case as == formLines && raw[0] == '{' && s.members == 0:
		s.out = s.out[:from]
		return nil
	}
	s.judge(as, raw, from)
	return nil
}

// member reads another member of an object that has had its list.
func (s *stream) member(c byte) error {
	if c == '}' {
		s.i++
		s.at = atTop
		return nil
	}
	if c != ',' {
		return errBroken
	}
	list := false
	_, err := s.whole(func() bool {
		s.i++
		if s.blanks() != '"' {
			return false
		}
		from := s.i
		if _, ok := s.text(); !ok {
			return false
		}
		records := string(s.in[from:s.i]) == `"Records"`
		if s.blanks() != ':' {
			return false
		}
		s.i++
		switch s.blanks() {
		case '[':
			if list = records; list {
				return true
			}
		case '{':
			if records {
				return false
			}
		}
		return s.skip()
	})
	if list && err == nil {
		s.i++
		s.at, s.some = inRecords, false
	}
	return err
}

// judge hands out what was written of a record since from. What is no record, or not as CloudTrail writes it, it looks into: see unwrap.
func (s *stream) judge(as form, raw []byte, from int) {
	name, source := s.seen[markName], s.seen[markSource]
	given := func(v []byte) bool { return len(v) > 0 && v[0] != 'n' }
	if !s.crooked && (given(name) || given(source)) && !(as == formRecords && bytes.HasPrefix(source, []byte(`"aws:`))) {
		if quoted(summaryCategories, s.seen[markCategory]) || quoted(summaryTypes, s.seen[markType]) {
			s.out = s.out[:from]
			return
		}
		if who := s.seen[markIdentity]; given(who) && who[0] != '{' && given(name) {
			s.nameless++
		}
		s.hand(s.side)
		return
	}
	s.out = s.out[:from]
	if as == formRecords && string(raw) == "null" {
		return
	}
	u := unwrapped{records: []json.RawMessage{raw}}
	if !native(as, raw) {
		u = unwrap(raw)
		if s.unread += u.unread; len(u.records) == 0 && u.unread == 0 && !u.wrapper && !isSummary(raw) {
			s.strangers++
		}
	}
	for _, r := range u.records {
		if isSummary(r) {
			continue
		}
		record := cleanObject(fields, r)
		if who, given := record["userIdentity"]; given && who == nil && record["eventName"] != nil {
			s.nameless++
		}
		shared := map[string]any{}
		for _, f := range read(true) {
			if v, given := record[f.name]; given {
				shared[f.name] = v
				delete(record, f.name)
			}
		}
		s.out = append(s.out, encoded(record)...)
		s.hand(encoded(shared))
	}
}

// hand hands out what has been written as a record, which shares something with others.
func (s *stream) hand(shared []byte) {
	s.ends, s.by = append(s.ends, len(s.out)), append(s.by, s.callers.caller(shared))
}

// quoted reports whether a value is one of the texts.
func quoted(list []string, value []byte) bool {
	return len(value) > 2 && slices.Contains(list, string(value[1:len(value)-1]))
}
