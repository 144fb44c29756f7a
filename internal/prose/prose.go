// Package prose says things to people in one form: text that others chose made harmless, lists, amounts, times. It is a leaf: every message, log
// line and error of ours goes through it.
package prose

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// maxSafe is the most characters that one name or text of others takes in a report.
const maxSafe = 300

// Safe makes text that others chose fit for a terminal, an e-mail and a log: one line of printable ASCII. Everything else is
// shown as Go would escape it (\x1b, \n, \u202e), so that an escape sequence, a line break or a reversed text stays visible and does
// nothing. Applying it twice changes nothing.
func Safe(s string) string {
	s = escape(s)
	if len(s) > maxSafe {
		return s[:maxSafe-3] + "..."
	}
	return s
}

// Plain makes a sentence of ours fit for an answer: as Safe does, but for its length.
func Plain(s string) string { return escape(s) }

func escape(s string) string {
	b := make([]byte, 0, len(s))
	var quoted [16]byte
	for i, r := range s {
		switch {
		case r >= 0x20 && r <= 0x7e:
			b = append(b, byte(r))
		case r == '\uFFFD' && !strings.HasPrefix(s[i:], "\uFFFD"):
			b = fmt.Appendf(b, `\x%02x`, s[i])
		default:
			q := strconv.AppendQuoteRuneToASCII(quoted[:0], r)
			b = append(b, q[1:len(q)-1]...)
		}
	}
	return string(b)
}

// List names a few things in one line: "a, b and 3 more".
func List(names []string) string {
	const most = 4
	var safe []string
	for i, n := range names {
		if i == most {
			break
		}
		safe = append(safe, Safe(n))
	}
	switch extra := len(names) - most; {
	case len(names) == 0:
		return "no bucket"
	case extra > 0:
		return strings.Join(safe, ", ") + fmt.Sprintf(" and %d more", extra)
	case len(safe) == 1:
		return safe[0]
	}
	return strings.Join(safe[:len(safe)-1], ", ") + " and " + safe[len(safe)-1]
}

// Bytes writes a number of bytes for people: 40.0 GiB.
func Bytes(n int64) string {
	if n < 0 {
		return "-" + Bytes(-n)
	}
	if n < 10_000 {
		return humanize.Comma(n) + " bytes"
	}
	return humanize.IBytesN(uint64(n), 3)
}

// Window writes a span of time for people, in UTC.
func Window(from, to time.Time) string {
	from, to = from.UTC(), to.UTC()
	end := to.Format("15:04")
	if from.Format(time.DateOnly) != to.Format(time.DateOnly) {
		end = to.Format("2006-01-02 15:04")
	}
	return from.Format("2006-01-02 15:04") + " to " + end + " UTC"
}

// Minute is a time to the minute, in UTC, which whoever prints it has to say.
func Minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// Capital is a sentence with its first letter large, where that is one of ASCII.
func Capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// Plural writes a count: 1 object, 2 objects, 2 copies, 2 days.
func Plural(n int64, one string) string {
	if n != 1 {
		if stem, y := strings.CutSuffix(one, "y"); y && !strings.HasSuffix(stem, "a") && !strings.HasSuffix(stem, "e") {
			one = stem + "ie"
		}
		one += "s"
	}
	return humanize.Comma(n) + " " + one
}
