package policy

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"nightlatch/internal/lazyregexp"
)

// The reference implementation of Cedar and cedar-go read some texts differently. plain brings these to what both read alike, and
// refuses what they would understand differently. https://docs.cedarpolicy.com/policies/syntax-grammar.html

// source is a file's text as cedar-go reads it, with what is to be said of it. clauses are the lines on which each clause's conjuncts begin.
type source struct {
	text    []byte
	notes   []note
	clauses [][]int
}

// note is something about a file that loads, for whoever checks it.
type note struct {
	line int
	text string
}

// byteOrderMark is what some editors begin a file with.
const byteOrderMark = "\ufeff"

// names are those of characters that nobody can see.
var names = map[rune]string{'\u00a0': "a no-break space", '\u202f': "a narrow no-break space", '\u200b': "a zero-width space",
	'\ufeff': "a byte order mark", '\u00ad': "a soft hyphen", '\u2028': "a line separator"}

// called is a character's name for a human, with its number.
func called(r rune) string {
	if name, ok := names[r]; ok {
		return fmt.Sprintf("%s (%U)", name, r)
	}
	if unicode.IsPrint(r) {
		return fmt.Sprintf("%c (%U)", r, r)
	}
	return fmt.Sprintf("the character %U", r)
}

// plain is the text as cedar-go reads it, with every token on its line and in its column. A byte order mark at the beginning goes, a blank of any
// kind becomes a space, and a text over several lines has its line ends escaped.
func plain(name string, text []byte) (source, error) {
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return source{}, fmt.Errorf("%s:1: the file is in UTF-16; save it as UTF-8", name)
	}
	s := scanner{line: 1}
	if rest, ok := bytes.CutPrefix(text, []byte(byteOrderMark)); ok {
		text = rest
		s.note("the file begins with a byte order mark, which is skipped here; other Cedar tools refuse it")
	}
	s.rest = text
	for len(s.rest) > 0 {
		if err := s.token(); err != nil {
			return source{}, fmt.Errorf("%s:%d: %w", name, s.line, err)
		}
	}
	return source{s.out.Bytes(), s.notes, s.clauses}, nil
}

type scanner struct {
	rest    []byte
	out     bytes.Buffer
	line    int
	word    string // the identifier just read
	notes   []note
	clauses [][]int
	last    rune // that is no blank and no comment
	signs   int  // that stand before what comes
	depth   int  // of brackets in a clause; 0 outside
	begins  bool // the next token begins a conjunct
}

func (s *scanner) note(text string) {
	if !slices.ContainsFunc(s.notes, func(n note) bool { return n.text == text }) {
		s.notes = append(s.notes, note{s.line, text})
	}
}

// next takes one character off the rest.
func (s *scanner) next() (rune, error) {
	r, size := utf8.DecodeRune(s.rest)
	switch {
	case r == utf8.RuneError && size == 1:
		return 0, fmt.Errorf("the file is not UTF-8: the byte 0x%02x", s.rest[0])
	case r == 0:
		return 0, fmt.Errorf("there is %s here", called(r))
	}
	s.rest = s.rest[size:]
	return r, nil
}

// token takes a text, a comment, or one character of anything else.
func (s *scanner) token() error {
	switch {
	case s.rest[0] == '"':
		s.structure('"')
		return s.quoted()
	case bytes.HasPrefix(s.rest, []byte("//")):
		return s.comment("\n")
	case bytes.HasPrefix(s.rest, []byte("/*")):
		s.note("the file has a comment between /* and */, which other Cedar tools refuse: they know // alone")
		return s.comment("*/")
	}
	r, err := s.next()
	if err != nil {
		return err
	}
	switch {
	case r == '\n':
		s.line++
		s.out.WriteRune(r)
	case strings.ContainsRune("\r\t ", r):
		s.out.WriteRune(r)
	case unicode.IsSpace(r):
		s.note("the file has " + called(r) + ", which is read as a blank")
		s.out.WriteByte(' ')
	case r > unicode.MaxASCII || r < ' ' || r == 0x7f:
		return fmt.Errorf("%s stands outside a text, where Cedar has none", called(r))
	default:
		if err := s.sign(r); err != nil {
			return err
		}
		s.structure(r)
		s.remember(r)
		s.out.WriteRune(r)
	}
	return nil
}

// maxSigns are so many "!" or "-" as may stand before an expression. https://docs.cedarpolicy.com/policies/syntax-grammar.html#grammar-unary
const maxSigns = 4

// sign counts them. A "-" behind an operand is no sign.
func (s *scanner) sign(r rune) error {
	operand := wordy(s.last) && !slices.Contains([]string{"if", "then", "else", "in"}, s.word) || strings.ContainsRune(`)]}"`, s.last)
	switch {
	case r != '-' && r != '!' || r == '-' && operand:
		s.signs = 0
	case r == s.last:
		s.signs++
	default:
		s.signs = 1
	}
	s.last = r
	if s.signs > maxSigns {
		return fmt.Errorf("more than %d times %c stands before an expression", maxSigns, r)
	}
	return nil
}

// structure follows the brackets, and finds where clauses and their conjuncts begin.
func (s *scanner) structure(r rune) {
	if s.begins && r != '}' {
		last := len(s.clauses) - 1
		s.clauses[last] = append(s.clauses[last], s.line)
		s.begins = false
	}
	switch {
	case s.depth == 0 && r == '{' && (s.word == "when" || s.word == "unless"):
		s.clauses = append(s.clauses, nil)
		s.depth, s.begins = 1, true
	case s.depth > 0 && strings.ContainsRune("([{", r):
		s.depth++
	case s.depth > 0 && strings.ContainsRune(")]}", r):
		s.depth--
	case s.depth == 1 && r == '&' && bytes.HasSuffix(s.out.Bytes(), []byte("&")):
		s.begins = true
	}
}

// remember keeps the identifier that was read last, until something else than a blank follows.
func (s *scanner) remember(r rune) {
	out := s.out.Bytes()
	switch inWord := len(out) > 0 && wordy(rune(out[len(out)-1])); {
	case !wordy(r):
		s.word = ""
	case inWord:
		s.word += string(r)
	default:
		s.word = string(r)
	}
}

func wordy(r rune) bool {
	return r == '_' || r <= unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// comment takes a comment up to its end. The reference ends one at a carriage return too, and would read as policy what follows.
func (s *scanner) comment(end string) error {
	for len(s.rest) > 0 && !(end == "*/" && bytes.HasPrefix(s.rest, []byte(end)) || end == "\n" && s.rest[0] == '\n') {
		r, err := s.next()
		switch {
		case err != nil:
			return err
		case r == '\r' && end == "\n" && !bytes.HasPrefix(s.rest, []byte("\n")):
			return fmt.Errorf("a comment has a carriage return inside; end its line with a line feed")
		case r == '\n':
			s.line++
		}
		s.out.WriteRune(r)
	}
	if end == "*/" {
		s.out.Write(s.rest[:min(len(end), len(s.rest))])
		s.rest = s.rest[min(len(end), len(s.rest)):]
	}
	return nil
}

// starByNumber is a star's number in an escape.
var starByNumber = lazyregexp.New(`^(x2[aA]|u\{[0_]*2_*[aA]_*\})`)

// quoted takes a text. Its line ends are escaped, and follow it: what stands after it keeps its place.
func (s *scanner) quoted() error {
	var text strings.Builder
	first, column, pattern := s.line, 0, s.word == "like"
	s.word, s.last, s.signs = "", '"', 0
	for {
		if len(s.rest) == 0 {
			s.line = first
			return errors.New("a text begins here and does not end")
		}
		r, err := s.next()
		if err != nil {
			return err
		}
		column++
		switch {
		case r == '\r':
			return errors.New("a text goes over the end of a line with a carriage return; save the file with line feeds alone, or write the text in one line")
		case r == '\n':
			s.line++
			column = 0
			text.WriteString(`\n`)
			continue
		case r == '\\' && pattern && starByNumber.Match(s.rest):
			return errors.New(`a pattern has a star by its number, which Cedar's tools read differently; write * for anything, or \* for a star`)
		case r == '\\' && len(s.rest) > 0 && strings.ContainsRune(`\"`, rune(s.rest[0])):
			text.WriteRune(r)
			r, _ = s.next()
			column++
			text.WriteRune(r)
			continue
		case r == '\\' && bytes.HasPrefix(s.rest, []byte("\n")):
			return errors.New("a text has a backslash at the end of a line")
		}
		text.WriteRune(r)
		if r == '"' && text.Len() > 1 {
			break
		}
	}
	s.out.WriteString(text.String())
	if s.line > first {
		s.out.WriteString(strings.Repeat("\n", s.line-first) + strings.Repeat(" ", column))
	}
	return nil
}
