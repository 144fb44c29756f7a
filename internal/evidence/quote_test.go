package evidence

import (
	"strings"
	"testing"
	"time"
)

// literal reads one string literal of Trino's from the beginning of sql, and returns its value and what follows. Within '…' there
// is one escape, the doubled quote (https://github.com/trinodb/trino/blob/master/core/trino-grammar/src/main/antlr4/io/trino/grammar/sql/SqlBase.g4,
// rule STRING).
func literal(sql string) (value, rest string, ok bool) {
	if !strings.HasPrefix(sql, "'") {
		return "", sql, false
	}
	var b strings.Builder
	for i := 1; i < len(sql); i++ {
		switch {
		case sql[i] != '\'':
			b.WriteByte(sql[i])
		case strings.HasPrefix(sql[i:], "''"):
			b.WriteByte('\'')
			i++
		default:
			return b.String(), sql[i+1:], true
		}
	}
	return "", sql, false
}

func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "exports", "'", "''", "'''", `\'`, "x' OR 1=1 --", "a\nb", "\x00", "\xff'", "\u2019", "\uff07", "/*", "' union select '"} {
		f.Add(s, "b")
	}
	f.Fuzz(func(t *testing.T, s, second string) {
		for _, tail := range []string{"", " --", " or 'x' = 'x'", ")"} {
			if value, rest, ok := literal(quote(s) + tail); !ok || value != s || rest != tail {
				t.Errorf("quote(%q) is %s: read as %q, with %q left", s, quote(s), value, rest)
			}
		}
		value, rest, ok := literal(quoteAll([]string{s, second}))
		other, end, okToo := literal(strings.TrimPrefix(rest, ", "))
		if !ok || !okToo || value != s || other != second || end != "" {
			t.Errorf("quoteAll(%q, %q) is %s", s, second, quoteAll([]string{s, second}))
		}
	})
}

func TestAMomentIsUTCInWholeSeconds(t *testing.T) {
	at := time.Date(2026, 3, 4, 23, 59, 59, 999_999_999, time.FixedZone("here", 2*3600))
	for files, want := range map[bool]string{false: "'2026-03-04 21:59:59'", true: "timestamp '2026-03-04 21:59:59'"} {
		if got := (Schema{Files: files}).moment(at); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
