package athena_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/awstest"
	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/athena"
	"nightlatch/internal/evidence/athena/athenatest"
)

// numbered are rows that tell which they are.
func numbered(n int) (rows []map[string]string) {
	for i := range n {
		rows = append(rows, map[string]string{"actor": strconv.Itoa(i)})
	}
	return rows
}

func TestEachGivesMoreRowsThanAskMayHold(t *testing.T) {
	f := newFixture(t, 0, numbered(athena.MaxPages*1000+50)...)
	next := 0
	answer, err := f.Each(t.Context(), ask(""), func(row evidence.Row) error {
		if row["actor"] != strconv.Itoa(next) {
			t.Errorf("row %d is %v", next, row)
		}
		next++
		return nil
	})
	if err != nil || next != athena.MaxPages*1000+50 || strings.Contains(f.operations(), athenatest.GetQueryResults) {
		t.Errorf("%d rows came, %v: %s", next, err, f.operations())
	}
	if diff := cmp.Diff(answer, evidence.Answer{Engine: "athena", Scanned: 1000, Queued: 100 * time.Millisecond, Ran: time.Second}); diff != "" {
		t.Errorf("answer (-got +want):\n%s", diff)
	}
}

// Whatever a value is, it comes as it is, as by pages, over the borders of parts and of what is read at once; NULL is "".
func TestEachGivesEachValueAsItIs(t *testing.T) {
	long := strings.Repeat(`a "quoted", part`+"\r\n", 10_000) // more than is read at once
	texts := []string{"", `"`, `""`, `","`, "a,b", "\n", "\r\n", "\r", `\`, `\"`, "\x00", "\u202e", "Ä/日本", "=cmd()", "'", long}
	for len(texts) < 1000 { // of which some stand on the border of two parts
		texts = append(texts, strings.Repeat("x\"\n", 3000+len(texts)))
	}
	var all []map[string]string
	for i, text := range texts {
		all = append(all, map[string]string{"Actor": text, "n": strconv.Itoa(i)}, map[string]string{"n": "NULL"})
	}
	f := newFixture(t, 0, all...)
	given := 0
	_, err := f.Each(t.Context(), ask(""), func(row evidence.Row) error {
		want := all[given]
		if len(row) != 2 || row["actor"] != want["Actor"] || row["n"] != want["n"] {
			t.Errorf("row %d is %.200q, want %.200q", given, row, want)
		}
		given++
		return nil
	})
	if err != nil || given != len(all) {
		t.Errorf("%d rows, %v", given, err)
	}
}

func TestWhatEndsEach(t *testing.T) {
	full := errors.New("the disk is full")
	drop := func(n int) func([]byte) []byte {
		return func(text []byte) []byte { return text[:len(text)-n] }
	}
	becomes := func(text string) func([]byte) []byte { return func([]byte) []byte { return []byte(text) } }
	for name, c := range map[string]struct {
		spoil athenatest.Spoil
		do    func(given int) error
		want  string
		given int
	}{
		"the caller":             {athenatest.Spoil{}, func(given int) error { return map[int]error{3: full}[given] }, "the disk is full", 3},
		"it is gone":             {athenatest.Spoil{Code: "NoSuchKey", Status: 404}, nil, "its result is gone", 0},
		"it may not be read":     {athenatest.Spoil{Code: "AccessDenied", Status: 403}, nil, "may not call s3:GetObject on the bucket for results", 0},
		"S3 refuses otherwise":   {athenatest.Spoil{Code: "InvalidRange", Status: 416}, nil, "S3 refused it, ask again (InvalidRange: \"no\\u202e\")", 0},
		"it ends in a value":     {athenatest.Spoil{Change: drop(3)}, nil, "behind row 3: they end within a row", 3},
		"it ends behind a quote": {athenatest.Spoil{Change: drop(1)}, nil, "they end within a row", 3},
		"a value too few":        {athenatest.Spoil{Change: becomes("\"a\",\"b\"\n\"1\"\n")}, nil, "a row has 1 values for 2 columns", 0},
		"a value too many":       {athenatest.Spoil{Change: becomes("\"a\"\n\"1\",\n")}, nil, "a row has 2 values for 1 columns", 0},
		"no heading":             {athenatest.Spoil{Change: becomes("\n\"1\"\n")}, nil, `column "" has no name of its own`, 0},
		"a heading twice":        {athenatest.Spoil{Change: becomes("\"a\",\"A\"\n")}, nil, `column "A" has no name of its own`, 0},
		"no quotes":              {athenatest.Spoil{Change: becomes("<script>\u202e")}, nil, "a value begins with '<' where a quote is to be", 0},
		"a quote in a value":     {athenatest.Spoil{Change: becomes("\"a\"\n\"1\"2\"\n")}, nil, "behind a quote '2' comes", 0},
		"a value without an end": {athenatest.Spoil{Change: becomes("\"" + strings.Repeat("a", 2<<20))}, nil, "a value has more than 1048576 bytes", 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 0, numbered(4)...)
			f.Server.Spoil(c.spoil)
			given := 0
			answer, err := f.Each(t.Context(), ask(""), func(evidence.Row) error {
				given++
				if c.do != nil {
					return c.do(given)
				}
				return nil
			})
			if err == nil || !strings.Contains(err.Error(), c.want) || given != c.given || len(f.Queries()) != 1 || strings.ContainsAny(err.Error(), "\n\u202e") {
				t.Errorf("got %v after %d rows of %d queries", err, given, len(f.Queries()))
			}
			if diff := cmp.Diff(answer, evidence.Answer{}); diff != "" || c.do != nil && err != full {
				t.Errorf("got %v, and beside it (-got +want):\n%s", err, diff)
			}
		})
	}
}

// What is wrong for a while is waited out, over all parts of a long answer; what is another object is none of it.
func TestEachReadsOneObjectToItsEnd(t *testing.T) {
	const all = 2000
	var rows []map[string]string
	for i := range all {
		rows = append(rows, map[string]string{"actor": strconv.Itoa(i), "long": strings.Repeat("x", 10_000)}) // three parts
	}
	slow, busy := athenatest.Spoil{Cut: 1 << 20}, athenatest.Spoil{Code: "SlowDown", Status: 503}
	for name, c := range map[string]struct {
		spoils []athenatest.Spoil
		want   string
	}{
		"cut off":             {[]athenatest.Spoil{slow, busy, busy, slow, {}, slow, slow, slow, busy, slow}, ""},
		"cut off for good":    {[]athenatest.Spoil{{}, slow, slow, slow, slow, slow}, "no answer came: unexpected EOF"},
		"written anew":        {[]athenatest.Spoil{{}, {Anew: true}}, "they were written anew meanwhile"},
		"gone":                {[]athenatest.Spoil{{}, {Code: "NoSuchKey", Status: 404}}, "its result is gone"},
		"shorter than it was": {[]athenatest.Spoil{{}, {Change: func(text []byte) []byte { return text[:len(text)-9] }}}, "bytes came where those behind 8388608 were asked for"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 0, rows...)
			f.Server.Spoil(c.spoils...)
			next := 0
			_, err := f.Each(t.Context(), ask(""), func(row evidence.Row) error {
				if row["actor"] != strconv.Itoa(next) {
					t.Fatalf("row %d is %v", next, row)
				}
				next++
				return nil
			})
			if c.want == "" && (err != nil || next != all) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || next == 0 || next == all) {
				t.Errorf("%d rows, %v", next, err)
			}
		})
	}
}

func TestEachReadsNothingButTheRows(t *testing.T) {
	for _, where := range []string{"", "s3://nightlatch-results/", "https://nightlatch-results/00000000-0000-4000-8000-000000000001.csv\u202e", "s3://nightlatch-results/other.csv"} {
		f := newFixture(t, 0, numbered(4)...)
		f.Write(where)
		given := 0
		_, err := f.Each(t.Context(), ask(""), func(evidence.Row) error { given++; return nil })
		if err == nil || !strings.Contains(err.Error(), "which is no place for them: deploy again") || given > 0 || strings.Contains(err.Error(), "\u202e") {
			t.Errorf("%q: %v after %d rows", where, err, given)
		}
	}
}

// What does not come from Athena never has the question asked again, whatever it says: its rows would be given twice.
func TestEachNeverGivesARowTwice(t *testing.T) {
	f := newFixture(t, 0, numbered(4)...)
	given := 0
	_, err := f.Each(t.Context(), ask(""), func(evidence.Row) error {
		given++
		return athena.ErrAgain
	})
	if err != athena.ErrAgain || given != 1 || len(f.Queries()) != 1 {
		t.Errorf("got %v after %d rows of %d queries", err, given, len(f.Queries()))
	}
}

func TestTheEndOfTimeEndsEach(t *testing.T) {
	for name, c := range map[string]struct {
		end   func(*fixture, context.CancelFunc)
		after int // rows
		want  string
	}{
		"while it waits": {func(f *fixture, cancel context.CancelFunc) { f.during = func(int) { cancel() } }, -1, athenatest.Cancelled},
		"between rows":   {func(*fixture, context.CancelFunc) {}, 2, athenatest.Succeeded}, // nothing is left to cancel
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 0, numbered(9)...)
			f.Fail(athenatest.StopQueryExecution, awstest.CutAfter)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c.end(f, cancel)
			given := 0
			_, err := f.Each(ctx, ask(""), func(evidence.Row) error {
				if given++; given == c.after {
					cancel()
				}
				return nil
			})
			if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the time ended while") || given != max(c.after, 0) || f.statuses() != c.want {
				t.Errorf("got %v after %d rows, and the query is left %s", err, given, f.statuses())
			}
		})
	}
}
