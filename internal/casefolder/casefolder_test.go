package casefolder

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"
	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

const key = "AKIAEXAMPLESTOLEN001"

// theft is an incident of a key that was turned off after the window, in which another reader had no part.
func theft() incident.Record {
	return incident.Record{Schema: incident.Schema, ID: "20260304-120000-0011", Mode: containment.ModeAct, Opened: noon, Writer: rand(),
		Alarm: alarm.Alarm{Buckets: []string{"exports"}, From: noon, To: noon.Add(time.Minute), Bytes: new(int64(1000))},
		Evidence: evidence.Evidence{From: noon, To: noon.Add(time.Minute), Bytes: 1000, Explained: new(1.0), Unexplained: new(int64(0)), Complete: true,
			Actors: []evidence.Actor{{AccessKeyID: key, Bytes: 1000}, {AccessKeyID: "AKIAEXAMPLENEIGHBOUR"}}},
		Outcomes: []containment.Outcome{{Action: policy.DeactivateKey, Target: key, AccessKeyID: key, State: containment.Done, At: noon.Add(10 * time.Minute)},
			{Action: policy.DeactivateKey, Target: "AKIAEXAMPLENEIGHBOUR", AccessKeyID: "AKIAEXAMPLENEIGHBOUR", State: containment.Skipped}},
		Log: []incident.Entry{{At: noon, What: "it fired for \x1b[2J\nexports"}}}
}

// rand is another text each time.
func rand() string { return fmt.Sprint(time.Now().UnixNano()) }

// row is what an engine answers.
func row(object string, changes ...string) evidence.Row {
	r := evidence.Row{"bucket": "exports", "object": object, "version": "", "name": "GetObject", "destination": "", "access_key_id": key, "principal_id": "AIDAEXAMPLEMARA",
		"arn": "arn:aws:iam::111122223333:user/mara", "account_id": "111122223333", "invoked_by": "", "vpc_endpoint": "", "signing": "header", "source_ip": "198.51.100.7",
		"times": "2", "bytes": "1000", "unsized": "1", "torn": "0", "first_seen": fmt.Sprint(noon.Unix()), "last_seen": fmt.Sprint(noon.Unix() + 1)}
	for i := 0; i < len(changes); i += 2 {
		r[changes[i]] = changes[i+1]
	}
	return r
}

// engine answers with these rows, and has lost what it says.
func engine(rows []evidence.Row, lost ...string) Each {
	return func(ctx context.Context, q evidence.Question, do func(evidence.Row) error) (evidence.Answer, error) {
		for _, r := range rows {
			if err := do(r); err != nil {
				return evidence.Answer{}, err
			}
		}
		return evidence.Answer{Engine: "duckdb", Lost: lost}, ctx.Err()
	}
}

func kept(t *testing.T, dir string, r incident.Record, each Each) string {
	t.Helper()
	folder, err := Write(t.Context(), dir, r, nil, each)
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// manifestOf reads a folder's manifest, and holds every file against it.
func manifestOf(t *testing.T, folder string) (m Manifest) {
	t.Helper()
	if err := json.Unmarshal(read(t, folder, manifestName), &m); err != nil {
		t.Fatal(err)
	}
	names := []string{manifestName}
	for _, f := range m.Files {
		text := read(t, folder, f.Name)
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != f.SHA256 || int64(len(text)) != f.Bytes {
			t.Errorf("%s is not as the manifest says", f.Name)
		}
		names = append(names, f.Name)
	}
	slices.Sort(names)
	equal(t, entries(t, folder), names)
	return m
}

func read(t *testing.T, folder, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func entries(t *testing.T, dir string) (names []string) {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		names = append(names, e.Name())
	}
	return names
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestAFolderHasAllAndSaysWhatItHas(t *testing.T) {
	var asked evidence.Taken
	each := func(ctx context.Context, q evidence.Question, do func(evidence.Row) error) (evidence.Answer, error) {
		asked = q.(evidence.Taken)
		return engine([]evidence.Row{row("a"), row("a", "source_ip", "203.0.113.9"), row("a", "version", "v1"),
			row("exports/b%20c?versionId=v7", "name", "CopyObject", "destination", "loot", "torn", "1")}, "trail file \"x\x1b\" is broken: its records are missing")(ctx, q, do)
	}
	r := theft()
	r.Evidence.Unexplained = new(int64(5 << 20))
	dir := t.TempDir()
	folder := kept(t, dir, r, each)
	equal(t, entries(t, dir), []string{r.ID})
	m := manifestOf(t, folder)
	equal(t, []any{m.Schema, m.Incident, m.Version, m.Before}, []any{Schema, r.ID, 1, (*Before)(nil)})
	equal(t, m.Missing, []string{`trail file "x\x1b" is broken: its records are missing`,
		"5.00 MiB of the alarmed bytes: CloudWatch counted them, and no record shows who took which object"})
	equal(t, m.Taken.Sums, Sums{Rows: 4, Objects: 2, Reads: 6, Copies: 2, Bytes: 3000, Unsized: 3, Torn: 1})
	equal(t, *m.Files[3].Rows, int64(4))
	equal(t, m.Taken.Credentials, []string{key})
	equal(t, []time.Time{m.Taken.From, m.Taken.To}, []time.Time{noon.Add(-alarm.Margin), noon.Add(10*time.Minute + alarm.Margin)})
	equal(t, []any{asked.From, asked.To, asked.Buckets, len(asked.Callers), asked.Callers[0].AccessKeyID}, []any{m.Taken.From, m.Taken.To, []string{"exports"}, 1, key})
	list := listed(t, folder)
	equal(t, list[4][:7], []string{"exports", "b c", "v7", "CopyObject", "loot", "2", "1000"})
	equal(t, string(read(t, folder, "log.txt")), `2026-03-04T12:00:00Z  it fired for \x1b[2J\nexports`+"\n")
	if !json.Valid(read(t, folder, "incident.json")) || !bytes.Contains(read(t, folder, "page.html"), []byte("<h1>")) {
		t.Error("the JSON or the page is none")
	}
}

// listed is the list as encoding/csv reads it.
func listed(t *testing.T, folder string) [][]string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(read(t, folder, listName)))
	if err != nil {
		t.Fatal(err)
	}
	all, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Where nothing is done or asked about anybody, it is everybody's list.
func TestWhoseTheListIs(t *testing.T) {
	r := theft()
	r.Outcomes = r.Outcomes[1:]
	equal(t, len(takenOf(r).Callers), 0)
	equal(t, takenOf(r).To, r.Alarm.To.Add(alarm.Margin))
	r = theft()
	r.Evidence.Actors = append(r.Evidence.Actors, evidence.Actor{Kind: "anonymous", AccountID: "anonymous"})
	r.Outcomes = append(r.Outcomes, containment.Outcome{Action: "block-public-access", Target: "exports", Who: r.Evidence.Actors[2].Who(), State: containment.Asked},
		containment.Outcome{Action: policy.DeactivateKey, Target: "AKIAEXAMPLEMINTER", AccessKeyID: "ASIAEXAMPLESESSION", State: containment.Asked})
	var names []string
	for _, c := range takenOf(r).Callers {
		names = append(names, name(c))
	}
	equal(t, names, []string{key, `no key, principal "", account "anonymous", by ""`, "ASIAEXAMPLESESSION", "AKIAEXAMPLEMINTER"})
}

func TestNothingIsOverwritten(t *testing.T) {
	dir, rows := t.TempDir(), []evidence.Row{row("a")}
	first := kept(t, dir, theft(), engine(rows))
	before := read(t, first, manifestName)
	equal(t, kept(t, dir, theft(), engine(rows)), first) // by another run, which found the same
	r := theft()
	r.Log[0].What = "it fired once more"
	second := kept(t, dir, r, engine(rows))
	equal(t, filepath.Base(second), r.ID+".2")
	sum := sha256.Sum256(before)
	equal(t, *manifestOf(t, second).Before, Before{Folder: r.ID, SHA256: hex.EncodeToString(sum[:])})
	equal(t, kept(t, dir, r, engine(rows)), second)
	third := kept(t, dir, theft(), engine(rows)) // as at first, and yet it comes after the second
	equal(t, manifestOf(t, third).Version, 3)
	equal(t, read(t, first, manifestName), before)
	equal(t, entries(t, dir), []string{r.ID, r.ID + ".2", r.ID + ".3"})

	// What somebody has changed is no ground to stand on, and stays as it is.
	changed := filepath.Join(third, listName)
	if err := os.WriteFile(changed, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(t.Context(), dir, theft(), nil, engine(rows)); err == nil || !strings.Contains(err.Error(), "somebody has changed taken.csv.gz") {
		t.Errorf("%v", err)
	}
	equal(t, string(read(t, third, listName)), "x")
}

func TestWhatIsNoCaseFolderIsLeftAlone(t *testing.T) {
	for what, make := range map[string]func(string) error{
		"it has no manifest": func(path string) error { return os.Mkdir(path, 0o700) },
		"not a directory":    func(path string) error { return os.WriteFile(path, []byte("mine"), 0o600) },
		"no case folder of this inc": func(path string) error {
			return errors.Join(os.Mkdir(path, 0o700), os.WriteFile(filepath.Join(path, manifestName), []byte("{}"), 0o600))
		},
	} {
		dir := t.TempDir()
		if err := make(filepath.Join(dir, theft().ID)); err != nil {
			t.Fatal(err)
		}
		if _, err := Write(t.Context(), dir, theft(), nil, engine(nil)); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
		equal(t, entries(t, dir), []string{theft().ID})
	}
	r := theft()
	r.ID = "../elsewhere"
	if _, err := Write(t.Context(), t.TempDir(), r, nil, engine(nil)); err == nil {
		t.Error("an id led elsewhere")
	}
}

// A trail that cannot be asked is no reason to keep nothing; whatever else goes wrong leaves nothing.
func TestWhatGoesWrong(t *testing.T) {
	dir := t.TempDir()
	broken := func(_ context.Context, _ evidence.Question, do func(evidence.Row) error) (evidence.Answer, error) {
		return evidence.Answer{}, errors.Join(do(row("a")), errors.New("DuckDB is out\nof room"))
	}
	folder, err := Write(t.Context(), dir, theft(), nil, broken)
	if err == nil || !strings.Contains(err.Error(), "out\nof room") {
		t.Errorf("%v", err)
	}
	m := manifestOf(t, folder)
	equal(t, m.Missing, []string{`the list of what was taken: DuckDB is out\nof room`})
	equal(t, []any{len(m.Files), m.Taken}, []any{3, (*Taken)(nil)})

	dir = t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if folder, err := Write(ctx, dir, theft(), nil, engine([]evidence.Row{row("a")})); !errors.Is(err, context.Canceled) || folder != "" {
		t.Errorf("%q, %v", folder, err)
	}
	equal(t, entries(t, dir), []string(nil))
	if _, err := Write(t.Context(), filepath.Join(os.DevNull, "x"), theft(), nil, engine(nil)); err == nil {
		t.Error("it was written nowhere")
	}
	if folder, err := Write(t.Context(), dir, theft(), nil, engine([]evidence.Row{{"bucket": "exports"}})); err == nil || manifestOf(t, folder).Taken != nil {
		t.Errorf("rows that say nothing became a list: %v", err)
	}
}

const killed = "NIGHTLATCH_TEST_KILLED"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killed); dir != "" { // is killed in the middle of its list
		Write(context.Background(), dir, theft(), nil, func(_ context.Context, _ evidence.Question, do func(evidence.Row) error) (evidence.Answer, error) {
			for i := range 200_000 {
				if err := do(row(fmt.Sprint(i))); err != nil {
					return evidence.Answer{}, err
				}
			}
			if self, err := os.FindProcess(os.Getpid()); err == nil {
				self.Kill()
			}
			select {}
		})
	}
	if os.Getenv(benchDir) != "" {
		os.Exit(measured())
	}
	os.Exit(m.Run())
}

func TestAKillLeavesNothingThatLooksWhole(t *testing.T) {
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), killed+"="+dir)
	if out, err := child.CombinedOutput(); err == nil || child.ProcessState.Exited() && child.ProcessState.ExitCode() != 1 {
		t.Fatalf("it was not killed: %v\n%s", err, out)
	}
	names := entries(t, dir)
	if len(names) != 1 || !strings.HasPrefix(names[0], theft().ID+".unfinished-") {
		t.Fatalf("%q", names)
	}
	left := entries(t, filepath.Join(dir, names[0]))
	if !slices.Contains(left, listName) || slices.Contains(left, manifestName) {
		t.Errorf("%q", left)
	}
	if folder := kept(t, dir, theft(), engine([]evidence.Row{row("a")})); filepath.Base(folder) != theft().ID {
		t.Errorf("the next run wrote %s", folder)
	}
}

// hostile are names that a spreadsheet, a terminal or a parser would obey, and honest ones that look alike.
var hostile = []string{"=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "'=1", "''", "a;=1+1;b", `"`, `""`, `","`, "a,b", "a\nb", "a\r\nb", "a\rb", "\x00", "\x1b[2J", "\x7f\u0085\u2028",
	"\u202egpj.exe\u2066", "\xff\xfe\xc3\x28", "\\", `\x41`, `\\`, "\\n", " ", " =1", "Ä/ö 日本 😀", "\U000e0041", "�", "<script>alert(1)</script>", "null", "", "NULL", "0012", strings.Repeat("é\n", 512), "\ufeffx", "#", "--"}

// unescaped undoes what the manifest says of cells.
func unescaped(t *testing.T, s string) string {
	t.Helper()
	s = strings.TrimPrefix(s, "'")
	plain, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`)
	if err != nil {
		t.Errorf("%q: %v", s, err)
	}
	return plain
}

func TestHostileNamesAreHarmlessCells(t *testing.T) {
	var rows []evidence.Row
	for _, h := range hostile {
		rows = append(rows, row(h, "version", h, "access_key_id", h, "arn", h, "principal_id", h, "account_id", h, "invoked_by", h, "vpc_endpoint", h, "signing", h, "bucket", h))
	}
	folder := kept(t, t.TempDir(), theft(), engine(rows))
	parsed := map[string][][]string{"encoding/csv": listed(t, folder)}
	if python, err := exec.LookPath("python3"); err == nil {
		out, err := exec.Command(python, "-c", `import csv, gzip, json, sys
print(json.dumps(list(csv.reader(gzip.open(sys.argv[1], "rt", newline="", encoding="utf-8")))))`, filepath.Join(folder, listName)).Output()
		var all [][]string
		if err := errors.Join(err, json.Unmarshal(out, &all)); err != nil {
			t.Fatal(err)
		}
		parsed["python"] = all
	}
	parsed["DuckDB"] = byDuckDB(t, filepath.Join(folder, listName))
	for parser, all := range parsed {
		if len(all) != len(hostile)+1 {
			t.Fatalf("%s: %d rows", parser, len(all))
		}
		for i, h := range hostile {
			if !reflect.DeepEqual(all[i+1], parsed["encoding/csv"][i+1]) {
				t.Errorf("%s reads %q as %q", parser, h, all[i+1])
			}
			for column, c := range all[i+1] {
				if c != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(c)[0]) || strings.ContainsFunc(c, func(r rune) bool { return r < ' ' || r == ';' || !strconv.IsPrint(r) }) {
					t.Errorf("%s: column %d of %q is %q", parser, column, h, c)
				}
			}
			if got := unescaped(t, all[i+1][1]); got != h {
				t.Errorf("%s: %q came back as %q", parser, h, got)
			}
		}
	}
}

// byDuckDB is the list as DuckDB reads it, which decompresses it and finds out its form by itself.
func byDuckDB(t *testing.T, file string) [][]string {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("select * from read_csv('" + file + "', all_varchar=true, header=true, nullstr='no such cell')")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	all := [][]string{names}
	for rows.Next() {
		cells, into := make([]sql.NullString, len(names)), make([]any, len(names))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, c := range cells {
			texts = append(texts, c.String)
		}
		all = append(all, texts)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// The list is the same bytes for the same rows, whenever it is written.
func TestTheListIsTheSameEachTime(t *testing.T) {
	write := func() []byte {
		var b bytes.Buffer
		l, err := newList(&b, Sums{}, evidence.Taken{})
		if err != nil {
			t.Fatal(err)
		}
		taken, err := evidence.ReadTaking(row("a"))
		if err := errors.Join(err, l.add(taken), l.end()); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	first := write()
	if !bytes.Equal(first, write()) {
		t.Error("it differs")
	}
	z, err := gzip.NewReader(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(z); err != nil || !strings.HasSuffix(string(text), ",198.51.100.0/24,,header\n") {
		t.Errorf("%q, %v", text, err)
	}
}
