package duck

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"nightlatch/internal/evidence"
)

func TestWalkingAnS3Sync(t *testing.T) {
	dir := t.TempDir()
	trail := "AWSLogs/111122223333/CloudTrail/eu-west-1/2023/07/10/111122223333_CloudTrail_eu-west-1_20230710T1145Z_"
	write(t, dir, trail+"a.json.gz", zip(records(event("a"))))
	write(t, dir, trail+"b.JSON", records(event("b")))
	write(t, dir, "export/c.jsonl", lines(event("c")))
	write(t, dir, "export/d.ndjson.gz", zip(lines(event("d"))))
	write(t, dir, "export/year=2023/e.json", records(event("e")))
	write(t, dir, "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/x.json.gz", zip(records(event("digest"))))
	write(t, dir, "111122223333_CloudTrail-Digest_eu-west-1_y.json.gz", zip(records(event("digest"))))
	write(t, dir, "._a.json.gz", "AppleDouble")
	write(t, dir, ".git/z.json", records(event("hidden")))
	write(t, dir, "notes.txt", "no trail")
	write(t, dir, "alarm.json", `{"source":"aws.cloudwatch","alarmData":{"state":{"value":"ALARM"}}}`)
	write(t, dir, "policy.json", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*"}]}`)
	write(t, dir, "hello.json", `{"hello":1}`)
	write(t, dir, "numbers.json", `[1,2,3]`)
	write(t, dir, "upload.json", records(`{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"ObjectCreated:Put"}`))
	write(t, dir, "topic.json", records(`{"EventSource":"aws:sns","Sns":{"Message":"hello"}}`))
	e := loaded(t, dir)
	same(t, ask(t, e, "SELECT eventid FROM events ORDER BY 1"), []evidence.Row{
		{"eventid": "a"}, {"eventid": "b"}, {"eventid": "c"}, {"eventid": "d"}, {"eventid": "e"}})
	same(t, lost(t, e), []string(nil))
	var skipped []string
	for _, path := range e.Skipped() {
		skipped = append(skipped, filepath.Base(path))
	}
	same(t, skipped, []string{"alarm.json", "hello.json", "numbers.json", "policy.json", "topic.json", "upload.json"})
	if e.Files() != 5 || e.Events() != 5 {
		t.Errorf("got %d files and %d events, want 5 and 5", e.Files(), e.Events())
	}
}

// TestNamesAreLiteral holds that no name is taken as a pattern, as SQL, or as a partition.
func TestNamesAreLiteral(t *testing.T) {
	names := []string{"*.json", "?.json", "a[1].json", "a1.json", "[!a].json", "b]c[.json", "{a,b}.json", "it's.json", `"x".json`, "**.json",
		`back\slash.json`, `back\*.json`, "year=2023.json", "eventname=x.json", "new\nline.json", "ünï.json", "$HOME.json", "~.json", "; drop table trail; --.json", "s3:x.json", " .json"}
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such names")
	}
	dir := filepath.Join(t.TempDir(), "eventsource=nobody [x]*")
	for _, name := range names {
		write(t, dir, name, records(event(name)))
	}
	e := loaded(t, dir)
	var want []string
	want = append(want, names...)
	slices.Sort(want)
	var got []string
	for _, row := range ask(t, e, "SELECT eventid, eventsource, eventname FROM events ORDER BY 1") {
		got = append(got, row["eventid"])
		if row["eventsource"] != "s3.amazonaws.com" || row["eventname"] != "GetObject" {
			t.Errorf("%v: a name in the path became a value", row)
		}
	}
	same(t, got, want)
	one := open(t, Settings{})
	if err := one.Load(t.Context(), filepath.Join(dir, "*.json")); err != nil || one.Events() != 1 {
		t.Errorf("a file named *.json gave %d events and %v", one.Events(), err)
	}
}

func TestFileNamedOutright(t *testing.T) {
	dir := t.TempDir()
	plain := write(t, dir, "trail.log", records(event("a")))
	zipped := write(t, dir, "plain.json", zip(records(event("b"))))
	misnamed := write(t, dir, "not-zipped.json.gz", records(event("c")))
	e := loaded(t, plain, zipped, misnamed)
	if e.Events() != 3 || len(lost(t, e)) != 0 {
		t.Errorf("got %d events, lost %q", e.Events(), lost(t, e))
	}
}

func TestLoadingTwice(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "a.json", records(event("a")))
	if err := os.Symlink(path, filepath.Join(dir, "link.json")); err != nil {
		t.Skip("no symbolic links here")
	}
	if err := os.Symlink(dir, filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	away := filepath.Join(t.TempDir(), "away")
	if err := os.Symlink(dir, away); err != nil {
		t.Fatal(err)
	}
	e := loaded(t, dir, path, dir+"/./a.json", away)
	broken := write(t, dir, "late.json", `{"Records":[`)
	for range 2 {
		if err := e.Load(t.Context(), dir, path); err != nil {
			t.Fatal(err)
		}
	}
	if e.Events() != 1 || len(lost(t, e)) != 1 {
		t.Errorf("got %d events and lost %q, want one of each", e.Events(), lost(t, e))
	}
	write(t, dir, filepath.Base(broken), records(event("late")))
	if err := e.Load(t.Context(), dir); err != nil || e.Events() != 2 || len(lost(t, e)) != 0 {
		t.Errorf("after the file was mended: %v, %d events, lost %q", err, e.Events(), lost(t, e))
	}
}

func TestScanned(t *testing.T) {
	dir := t.TempDir()
	zipped := zip(records(events(100)...))
	write(t, dir, "a.json.gz", zipped)
	write(t, dir, "broken.json", "{")
	answer, err := loaded(t, dir).Ask(t.Context(), question("SELECT 1 AS one"))
	if err != nil || answer.Scanned != int64(len(zipped)) || answer.Engine != "duckdb" {
		t.Errorf("got %+v and %v, want %d bytes scanned", answer, err, len(zipped))
	}
}

func TestPathsWithoutTrails(t *testing.T) {
	dir := t.TempDir()
	alarm := write(t, dir, "other/alarm.json", `{"hello":1}`)
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "missing"): "no such file",
		filepath.Join(dir, "empty"):   "no CloudTrail files (.json, .json.gz) under",
		filepath.Join(dir, "other"):   "no CloudTrail files (.json, .json.gz) under",
		alarm:                         "holds no CloudTrail records",
		os.DevNull:                    "neither a file nor a directory",
	} {
		err := open(t, Settings{}).Load(t.Context(), path)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), path) != 1 {
			t.Errorf("%s: got %v, want %q and the path once", path, err, want)
		}
	}
}

func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.json", records(event("a")))
	// Root reads every file, but nobody reads what is not there any more.
	if err := os.Symlink(filepath.Join(dir, "gone"), filepath.Join(dir, "b.json")); err != nil {
		t.Fatal(err)
	}
	e := loaded(t, dir)
	if got := lost(t, e); e.Events() != 1 || len(got) != 1 || !strings.Contains(got[0], "cannot be read") {
		t.Errorf("got %d events and lost %q", e.Events(), got)
	}
}
