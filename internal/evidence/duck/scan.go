package duck

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// node is what is wanted of a value: the fields of an object that have columns, all keys of a table but those that no question reads.
type node struct {
	name    string
	kind    kind
	fields  [][]*node // by the length of their names
	without []string
	mark    mark
	silent  bool // it is looked at, and not written
	shared  bool
	usual   []usual
}

// usual is a usual member of a table.
type usual struct {
	key    string // quoted
	begin  string // of the field that it stands in instead
	shared bool
}

// mark tells the fields of a record by which it is judged before its columns are.
type mark int

const (
	_ mark = iota
	markName
	markSource
	markCategory
	markType
	markIdentity
	markRequest
	markAdditional
	marks
)

// wanted is the node of a record.
var wanted = nodeOf(field{kind: object, of: fields})

func nodeOf(f field) *node {
	n := &node{name: f.name, kind: f.kind, without: f.without, silent: f.unread, shared: f.shared}
	for _, of := range f.usual {
		n.usual = append(n.usual, usual{key: strconv.Quote(of.name), begin: "," + strconv.Quote(f.usually(of)) + ":", shared: of.shared})
	}
	for _, of := range f.of {
		for len(n.fields) <= len(of.name) {
			n.fields = append(n.fields, nil)
		}
		n.fields[len(of.name)] = append(n.fields[len(of.name)], nodeOf(of))
	}
	n.mark = map[string]mark{"eventName": markName, "eventSource": markSource, "eventCategory": markCategory, "eventType": markType, "userIdentity": markIdentity,
		"requestParameters": markRequest, "additionalEventData": markAdditional}[f.name]
	return n
}

// field is the field of that name; nil for none.
func (n *node) field(name []byte) *node {
	if len(name) >= len(n.fields) {
		return nil
	}
	for _, of := range n.fields[len(name)] {
		if of.name == string(name) {
			return of
		}
	}
	return nil
}

// leavesOut says of a table's key that no question reads it.
func (n *node) leavesOut(key []byte) bool {
	for _, name := range n.without {
		if name == string(key) {
			return true
		}
	}
	return false
}

// scanner reads a JSON value, as strictly as encoding/json does and ten times as fast, and writes of it what is wanted.
type scanner struct {
	in  []byte // ends with at least 8 zeros behind end, so that nothing has to look where it is
	end int
	i   int
	out []byte
	// side has of a record the fields that are shared.
	side []byte
	// eof: nothing comes behind end. Otherwise a scan that fails there has to be tried again with more.
	eof   bool
	depth int
	// crooked: it is JSON, and DuckDB would refuse it: half of a surrogate pair, one key twice. See cleanObject.
	crooked bool
	seen    [marks][]byte // of the record, as it stands
	keys    [][]byte      // of the table that is being read
	// values are the values of the table that was read last, where it has usual members only.
	values [][]byte
	// top: the object stands at the top of the text. Its scan ends within a list Records, and says so; members counts the others.
	top, records bool
	members      int
}

// maxDepth is encoding/json's.
const maxDepth = 10000

// short reports whether a scan has failed for want of more text.
func (s *scanner) short() bool { return s.i >= s.end && !s.eof }

func (s *scanner) blanks() byte {
	for {
		switch c := s.in[s.i]; c {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return c
		}
	}
}

// record reads a value and writes of an object what is wanted of a record.
func (s *scanner) record() bool {
	s.crooked, s.members, s.records, s.seen = false, 0, false, [marks][]byte{}
	if s.blanks() != '{' {
		return s.skip()
	}
	return s.object(wanted)
}

// take reads a value and writes it in the shape of its column, null where it has another.
func (s *scanner) take(n *node) bool {
	c := s.in[s.i]
	switch {
	case n.kind == object && c == '{':
		return s.object(n)
	case n.kind == table && c == '{':
		return s.table(n)
	case n.kind == list && c == '[':
		return s.list(n)
	}
	from := s.i
	if n.kind == arn && c == '"' {
		return s.arn()
	}
	if !s.skip() {
		return false
	}
	if n.kind == object || n.kind == table || n.kind == list {
		s.out = append(s.out, "null"...)
	} else {
		s.out = append(s.out, s.in[from:s.i]...)
	}
	return true
}

// arn reads the ARN of a resource. One with an escape stays as it stands.
func (s *scanner) arn() bool {
	from := s.i
	escaped, ok := s.text()
	if !ok {
		return false
	}
	text := s.in[from : s.i-1]
	if !escaped {
		text = text[:keyless(text)]
	}
	s.out = append(append(s.out, text...), '"')
	return true
}

// object reads an object of known fields.
func (s *scanner) object(n *node) bool {
	root, begin := n == wanted, len(s.out)
	if root {
		s.side = s.side[:0]
	}
	ok := s.each(func(quoted []byte, escaped bool) bool {
		key := quoted[1 : len(quoted)-1]
		s.crooked = s.crooked || escaped
		from, before := s.i, len(s.out)
		if root {
			s.members++
			if s.top && string(key) == "Records" {
				switch s.in[s.i] {
				case '[':
					s.records = true
					return false
				case '{':
					return false
				}
			}
		}
		of := n.field(key)
		if of == nil {
			return s.skip()
		}
		ok := true
		if of.silent {
			ok = s.skip()
		} else {
			s.values = s.values[:0]
			s.out = append(append(append(s.out, ','), quoted...), ':')
			ok = s.take(of)
		}
		if root {
			first := s.seen[of.mark] == nil
			s.seen[of.mark] = s.in[from:s.i]
			switch {
			case of.usual != nil && first:
				s.usually(of, before)
			case of.usual != nil: // DuckDB takes the first of two
				s.out = s.out[:before]
			case of.shared:
				s.side, s.out = append(s.side, s.out[before:]...), s.out[:before]
			}
		}
		return ok
	})
	s.out = closed(s.out, begin, '{', '}')
	if root {
		s.side = closed(s.side, 0, '{', '}')
	}
	return ok
}

// usually writes the table that was written since before as the fields of its usual members, where it has no others.
func (s *scanner) usually(n *node, before int) {
	if len(s.values) > 0 {
		s.out = s.out[:before]
	}
	for i, v := range s.values {
		if of := n.usual[i]; of.shared {
			s.side = append(append(s.side, of.begin...), v...)
		} else {
			s.out = append(append(s.out, of.begin...), v...)
		}
	}
}

// closed makes an object or a list of what was written since begin, each member behind a comma.
func closed(out []byte, begin int, first, last byte) []byte {
	if len(out) == begin {
		return append(out, first, last)
	}
	out[begin] = first
	return append(out, last)
}

// table reads an object of any keys.
func (s *scanner) table(n *node) bool {
	begin := len(s.out)
	s.keys, s.values = s.keys[:0], s.values[:0]
	ok := s.each(func(quoted []byte, escaped bool) bool {
		s.crooked = s.crooked || escaped
		if n.leavesOut(quoted[1 : len(quoted)-1]) {
			return s.skip()
		}
		s.keys = append(s.keys, quoted)
		s.out = append(append(append(s.out, ','), quoted...), ':')
		from := s.i
		if !s.skip() {
			return false
		}
		v := s.in[from:s.i]
		s.out = append(s.out, v...)
		if at := len(s.values); at == len(s.keys)-1 && at < len(n.usual) && string(quoted) == n.usual[at].key && (v[0] == '"' || v[0]-'0' <= 9) {
			s.values = append(s.values, v)
		}
		return true
	})
	if len(s.values) < len(s.keys) {
		s.values = s.values[:0]
	}
	s.crooked = s.crooked || twice(s.keys)
	s.out = closed(s.out, begin, '{', '}')
	return ok
}

// twice reports whether a key is there twice.
func twice(keys [][]byte) bool {
	if len(keys) > 16 {
		known := make(map[string]bool, len(keys))
		for _, k := range keys {
			if known[string(k)] {
				return true
			}
			known[string(k)] = true
		}
		return false
	}
	for i, k := range keys {
		for _, other := range keys[:i] {
			if string(k) == string(other) {
				return true
			}
		}
	}
	return false
}

// list reads a list of objects, and leaves out what is none.
func (s *scanner) list(n *node) bool {
	begin := len(s.out)
	ok := s.elements(func() bool {
		if s.in[s.i] != '{' {
			return s.skip()
		}
		s.out = append(s.out, ',')
		return s.object(n)
	})
	s.out = closed(s.out, begin, '[', ']')
	return ok
}

// each reads an object and calls member with each key, quoted as it stands; it reads the value.
func (s *scanner) each(member func(quoted []byte, escaped bool) bool) bool {
	return s.items('}', func() bool {
		if s.in[s.i] != '"' {
			return false
		}
		from := s.i
		escaped, ok := s.text()
		if !ok {
			return false
		}
		quoted := s.in[from:s.i]
		if s.blanks() != ':' {
			return false
		}
		s.i++
		s.blanks()
		return member(quoted, escaped)
	})
}

// elements reads a list and calls element where each value begins; it reads the value.
func (s *scanner) elements(element func() bool) bool { return s.items(']', element) }

// items reads what stands between an opening character and its close, with commas between, and calls item where each begins.
func (s *scanner) items(close byte, item func() bool) bool {
	if s.depth++; s.depth > maxDepth {
		return false
	}
	defer func() { s.depth-- }()
	s.i++
	if s.blanks() == close {
		s.i++
		return true
	}
	for {
		s.blanks()
		if !item() {
			return false
		}
		switch s.blanks() {
		case ',':
			s.i++
		case close:
			s.i++
			return true
		default:
			return false
		}
	}
}

// skip reads a value.
func (s *scanner) skip() bool {
	switch c := s.in[s.i]; c {
	case '{':
		return s.each(func([]byte, bool) bool { return s.skip() })
	case '[':
		return s.elements(s.skip)
	case '"':
		_, ok := s.text()
		return ok
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		return s.number()
	}
}

func (s *scanner) word(w string) bool {
	for j := range len(w) {
		if s.in[s.i] != w[j] {
			return false
		}
		s.i++
	}
	return true
}

func (s *scanner) number() bool {
	if s.in[s.i] == '-' {
		s.i++
	}
	if s.in[s.i] == '0' {
		s.i++
	} else if !s.digits() {
		return false
	}
	if s.in[s.i] == '.' {
		if s.i++; !s.digits() {
			return false
		}
	}
	if c := s.in[s.i]; c == 'e' || c == 'E' {
		s.i++
		if c := s.in[s.i]; c == '+' || c == '-' {
			s.i++
		}
		if !s.digits() {
			return false
		}
	}
	return s.i < s.end || s.eof // a digit may follow
}

func (s *scanner) digits() bool {
	from := s.i
	for s.in[s.i]-'0' <= 9 {
		s.i++
	}
	return s.i > from
}

// text reads a string, and says whether it has an escape.
func (s *scanner) text() (escaped, ok bool) {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	s.i++
	for {
		// Of 8 bytes, the first that is a quote, a backslash, a control character or not of ASCII.
		// https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord
		x := binary.LittleEndian.Uint64(s.in[s.i:])
		quote, slash := x^(ones*'"'), x^(ones*'\\')
		found := ((quote-ones)&^quote | (slash-ones)&^slash | (x-ones*0x20)&^x | x) & highs
		if found == 0 {
			s.i += 8
			continue
		}
		s.i += bits.TrailingZeros64(found) / 8
		switch c := s.in[s.i]; {
		case c == '"':
			s.i++
			return escaped, true
		case c == '\\':
			escaped = true
			if !s.escape() {
				return escaped, false
			}
		case c < 0x20:
			return escaped, false
		default:
			r, size := utf8.DecodeRune(s.in[s.i:s.end])
			if r == utf8.RuneError && size <= 1 {
				if !utf8.FullRune(s.in[s.i:s.end]) {
					s.i = s.end // the rest of it may follow
				}
				return escaped, false
			}
			s.i += size
		}
	}
}

// escape reads what stands behind a backslash. Of surrogates no text is made that DuckDB takes, unless they are a pair.
func (s *scanner) escape() bool {
	s.i++
	switch s.in[s.i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.i++
		return true
	case 'u':
		s.i++
		var r uint32
		for range 4 {
			c := s.in[s.i]
			switch {
			case c-'0' <= 9:
				c -= '0'
			case c|0x20 >= 'a' && c|0x20 <= 'f':
				c = c | 0x20 - 'a' + 10
			default:
				return false
			}
			r = r<<4 | uint32(c)
			s.i++
		}
		s.crooked = s.crooked || r >= 0xd800 && r < 0xe000
		return true
	}
	return false
}
