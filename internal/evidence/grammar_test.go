package evidence

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// trino parses statements with a Trino grammar and returns what it has against each.
func trino(t *testing.T, statements ...string) [][]string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	esbuild := filepath.Join(root, "node_modules", ".bin", "esbuild")
	if _, err := os.Stat(esbuild); err != nil {
		t.Skip("SKIPPED, the Trino grammar: node_modules is missing; run npm ci")
	}
	bundle := filepath.Join(t.TempDir(), "grammar.cjs")
	if out, err := exec.Command(esbuild, "testdata/grammar.mjs", "--bundle", "--platform=node", "--log-level=error", "--outfile="+bundle).CombinedOutput(); err != nil {
		t.Fatalf("bundling the grammar: %v\n%s", err, out)
	}
	in, err := json.Marshal(statements)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", bundle)
	cmd.Stdin = bytes.NewReader(in)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("running the grammar: %v", err)
	}
	var errs [][]string
	if err := json.Unmarshal(out, &errs); err != nil || len(errs) != len(statements) {
		t.Fatalf("the grammar printed %q: %v", out, err)
	}
	return errs
}

var (
	noon    = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	hostile = "x' OR 1=1 --\\\n\u202e\x1b[31m"
)

// questions are all questions, for these buckets.
func questions(buckets ...string) map[string]Question {
	return map[string]Question{
		"bytes":             Bytes{Buckets: buckets, From: noon, To: noon.Add(time.Minute), Margin: 5 * time.Minute},
		"usage":             Usage{Buckets: buckets, Before: noon},
		"who tagged a user": Tagged{User: buckets[0], Tag: "nightlatch:protect", From: noon, To: noon.Add(time.Hour)},
		"who tagged a role": Tagged{Role: hostile, Tag: "nightlatch:protect", From: noon, To: noon.Add(time.Hour)},
	}
}

func TestEveryQueryIsTrino(t *testing.T) {
	var names, statements []string
	for name, q := range questions("customer-exports", hostile) {
		names, statements = append(names, name), append(statements, q.SQL(Schema{Table: "events"}))
	}
	// What is not Trino is refused, or the test above could not fail.
	names = append(names, "not SQL", "a literal that does not end")
	statements = append(statements, "select from where", `select eventid from events where eventname = 'x''`)
	errs := trino(t, statements...)
	for i, name := range names {
		wrong := i >= len(names)-2
		if wrong != (len(errs[i]) > 0) {
			t.Errorf("%s: the grammar says %v\n%s", name, errs[i], statements[i])
		}
	}
}

func TestEveryQueryFitsLake(t *testing.T) {
	buckets := make([]string, 10) // an alarm has no more
	for i := range buckets {
		buckets[i] = strings.Repeat("b", 62) + string(rune('0'+i))
	}
	for name, q := range questions(buckets...) {
		if n := len([]rune(q.SQL(Schema{Table: "0b8a2a3e-1f0e-4b5a-9d0c-2f6a1c3b4d5e"}))); n > 10_000 {
			t.Errorf("%s: %d characters, Lake takes 10,000", name, n)
		}
	}
}
