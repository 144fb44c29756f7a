package duck

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/evidence"
)

// question is SQL as a Question.
type question string

func (q question) Name() string               { return "test" }
func (q question) SQL(evidence.Schema) string { return string(q) }

func open(t *testing.T, s Settings) *Engine {
	t.Helper()
	e, err := Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return e
}

// loaded is an engine with the files under the paths.
func loaded(t *testing.T, paths ...string) *Engine {
	t.Helper()
	e := open(t, Settings{MemoryMB: 400, Threads: 2})
	if err := e.Load(t.Context(), paths...); err != nil {
		t.Fatal(err)
	}
	return e
}

func ask(t *testing.T, e *Engine, sql string) []evidence.Row {
	t.Helper()
	answer, err := e.Ask(t.Context(), question(sql))
	if err != nil {
		t.Fatal(err)
	}
	return answer.Rows
}

func lost(t *testing.T, e *Engine) []string {
	t.Helper()
	answer, err := e.Ask(t.Context(), question("SELECT 1 AS one"))
	if err != nil {
		t.Fatal(err)
	}
	return answer.Lost
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestSettings(t *testing.T) {
	for _, s := range []Settings{{MemoryMB: -1}, {MemoryMB: 90}, {MemoryMB: 250, Threads: 3}, {Threads: -1}} {
		if _, err := Open(t.Context(), s); err == nil {
			t.Errorf("%+v was accepted", s)
		}
	}
	e := open(t, Settings{MemoryMB: 400, Threads: 2})
	same(t, ask(t, e, `SELECT current_setting('threads') AS threads, current_setting('memory_limit') AS memory,
		current_setting('TimeZone') AS zone, current_setting('autoinstall_known_extensions') AS install,
		current_setting('autoload_known_extensions') AS load`),
		[]evidence.Row{{"threads": "2", "memory": "381.4 MiB", "zone": "UTC", "install": "false", "load": "false"}})
	for _, change := range []string{"SET memory_limit = '9GB'", "SET threads = 64", "SET TimeZone = 'Asia/Tokyo'"} {
		if _, err := e.Ask(t.Context(), question(change)); err == nil {
			t.Errorf("%s was not refused", change)
		}
	}
}

// What does not fit gets more memory, unless somebody has said how much there is.
func TestAQuestionThatNeedsMuchIsAnswered(t *testing.T) {
	const much = question("SELECT len(list(i)) AS n FROM range(32000000) AS t (i)")
	same(t, ask(t, open(t, Settings{}), string(much)), []evidence.Row{{"n": "32000000"}})
	if a, err := open(t, Settings{MemoryMB: defaultMemoryMB}).Ask(t.Context(), much); err == nil {
		t.Errorf("got %v of an engine that may hold less", a.Rows)
	}
}

func TestALoadThatNeedsMuchIsDone(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "x.json", records(event("a"), event("b")))
	e := open(t, Settings{})
	e.limit.Store(10)
	if err := e.do(t.Context(), limited(10)); err != nil {
		t.Fatal(err)
	}
	if err := e.Load(t.Context(), dir); err != nil || e.Events() != 2 || e.limit.Load() != mostMemoryMB {
		t.Errorf("got %d events, %v, of an engine that may hold %d MB", e.Events(), err, e.limit.Load())
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	e, err := Open(t.Context(), Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(os.TempDir())
	if err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
	if _, err := e.Ask(t.Context(), question("SELECT 1")); err == nil {
		t.Error("a closed engine answered")
	}
}

func TestPrintedValues(t *testing.T) {
	e := open(t, Settings{})
	same(t, ask(t, e, `SELECT 42 AS i, cast(9007199254740993 AS bigint) AS big, sum(cast(4294967296 AS bigint)) AS total, 4294967296e0 AS d,
		cast(0.1 AS double) AS fraction, 1.50 AS exact, true AS t, 1 > 2 AS f, NULL AS n, cast(NULL AS double) AS nd, 'a"b' AS s,
		timestamp '2023-07-10 11:42:36' AS ts, timestamp '2023-07-10 11:42:36.5' AS ms, date '2023-07-10' AS day,
		from_iso8601_timestamp('2023-07-10T11:42:36+02:00') AS tz, 7 / 2 AS half, count(*) AS UPPER`),
		[]evidence.Row{{"i": "42", "big": "9007199254740993", "total": "4294967296", "d": "4.294967296e+09",
			"fraction": "0.1", "exact": "1.5", "t": "true", "f": "false", "n": "", "nd": "", "s": `a"b`,
			"ts": "2023-07-10 11:42:36.000", "ms": "2023-07-10 11:42:36.500", "day": "2023-07-10",
			"tz": "2023-07-10 09:42:36.000 UTC", "half": "3", "upper": "1"}})
}

func TestRefusedAnswers(t *testing.T) {
	e := open(t, Settings{})
	for sql, want := range map[string]string{
		"SELECT map{'a': 'b'} AS m":  `column "m" is of type MAP`,
		"SELECT [1] AS l":            `column "l" is of type INTEGER[]`,
		"SELECT 1 AS a, 2 AS A":      `two columns are called "a"`,
		"SELECT nothing FROM events": `question "test" to DuckDB`,
	} {
		answer, err := e.Ask(t.Context(), question(sql))
		if err == nil || !strings.Contains(err.Error(), want) || answer.Rows != nil {
			t.Errorf("%s: got %v and %v, want an error with %q", sql, answer.Rows, err, want)
		}
	}
}

// TestTimeZone runs in a machine's zone that is far from UTC.
func TestTimeZone(t *testing.T) {
	t.Setenv("TZ", "America/New_York")
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Skip("no time zones on this machine")
	}
	local := time.Local
	time.Local = zone
	t.Cleanup(func() { time.Local = local })
	dir := t.TempDir()
	write(t, dir, "a.json", `{"Records":[
		{"eventID":"1","eventName":"A","eventTime":"2023-07-10T11:42:36Z","userIdentity":{"sessionContext":{"attributes":{"creationDate":"2023-07-10T10:00:00Z"}}}},
		{"eventID":"2","eventName":"A","eventTime":"2023-07-10T11:42:36+02:00"},
		{"eventID":"3","eventName":"A","eventTime":"2023-07-10T11:42:36.789Z"},
		{"eventID":"4","eventName":"A","eventTime":"2023-07-10 11:42:36"}]}`)
	same(t, ask(t, loaded(t, dir), `SELECT eventid, eventtime AS at, date_diff('second', cast('1970-01-01 00:00:00' AS timestamp), eventtime) AS unix,
		useridentity.sessioncontext.attributes.creationdate AS signed_in FROM events
		WHERE eventtime > '2023-07-10 09:00:00' ORDER BY 1`), []evidence.Row{
		{"eventid": "1", "at": "2023-07-10 11:42:36.000", "unix": "1688989356", "signed_in": "2023-07-10 10:00:00.000"},
		{"eventid": "2", "at": "2023-07-10 09:42:36.000", "unix": "1688982156", "signed_in": ""},
		{"eventid": "3", "at": "2023-07-10 11:42:36.789", "unix": "1688989356", "signed_in": ""},
		{"eventid": "4", "at": "2023-07-10 11:42:36.000", "unix": "1688989356", "signed_in": ""},
	})
}

func TestAskAtOnce(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.json", records(events(500)...))
	e := loaded(t, dir)
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			answer, err := e.Ask(t.Context(), question("SELECT count(*) AS n, count(DISTINCT eventid) AS ids FROM events"))
			if err != nil {
				t.Error(err)
				return
			}
			same(t, answer.Rows, []evidence.Row{{"n": "500", "ids": "500"}})
		})
	}
	asking.Wait()
}

func TestCancel(t *testing.T) {
	e := open(t, Settings{})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := e.Ask(ctx, question("SELECT sum(a.range * b.range) AS s FROM range(1000000000) a, range(1000000) b"))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want that the deadline has passed", err)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("stopped only after %v", took)
	}
	same(t, ask(t, e, "SELECT 1 AS one"), []evidence.Row{{"one": "1"}})
}

func TestCancelLoad(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.json", records(events(10)...))
	e := open(t, Settings{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Load(ctx, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
	if err := e.Load(t.Context(), dir); err != nil || e.Events() != 10 || len(lost(t, e)) != 0 {
		t.Errorf("afterwards: %v, %d events, lost %q", err, e.Events(), lost(t, e))
	}
}
