package prose

import (
	"strings"
	"testing"
	"time"
)

func TestTextsOfOthersAreOneHarmlessLine(t *testing.T) {
	for text, want := range map[string]string{
		"plain":              "plain",
		"a\nb\x1b[2J":        `a\nb\x1b[2J`,
		"\u202eevil 世界":      `\u202eevil \u4e16\u754c`,
		"half \xff a letter": `half \xff a letter`,
		"said \ufffd":        `said \ufffd`,
	} {
		if got := Safe(text); got != want || Safe(got) != got {
			t.Errorf("Safe(%q) is %q, want %q", text, got, want)
		}
	}
	long := strings.Repeat("a", 400)
	if got := Safe(long); len(got) != 300 || !strings.HasSuffix(got, "...") {
		t.Errorf("a long text has %d characters", len(got))
	}
	if Plain(long) != long {
		t.Error("a sentence of ours is cut")
	}
}

func TestAmountsListsAndTimes(t *testing.T) {
	at := time.Date(2026, 3, 4, 23, 59, 0, 0, time.FixedZone("", 3600))
	for got, want := range map[string]string{
		List(nil):                       "no bucket",
		List([]string{"a"}):             "a",
		List([]string{"a", "b", "c\n"}): `a, b and c\n`,
		List([]string{"a", "b", "c", "d", "e", "f"}): "a, b, c, d and 2 more",
		Bytes(9_999):                      "9,999 bytes",
		Bytes(40 << 30):                   "40.0 GiB",
		Bytes(-5):                         "-5 bytes",
		Plural(1, "object"):               "1 object",
		Plural(3, "day"):                  "3 days",
		Plural(2, "key"):                  "2 keys",
		Plural(2_000, "server-side copy"): "2,000 server-side copies",
		Window(at, at.Add(time.Minute)):   "2026-03-04 22:59 to 23:00 UTC",
		Window(at.Add(time.Hour), at.Add(2*time.Minute)): "2026-03-04 23:59 to 23:01 UTC",
		Window(at, at.Add(2*time.Hour)):                  "2026-03-04 22:59 to 2026-03-05 00:59 UTC",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
