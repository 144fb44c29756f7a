package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/actor"
)

// parsed is what a Trino grammar makes of a statement: what it has against it, and the constructs in it.
type parsed struct{ Errors, Constructs []string }

// trino parses statements with a Trino grammar.
func trino(t *testing.T, statements ...string) []parsed {
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
	if out, err := exec.Command(esbuild, "testdata/grammar.mjs", "--bundle", "--keep-names", "--platform=node", "--log-level=error", "--outfile="+bundle).CombinedOutput(); err != nil {
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
	var all []parsed
	if err := json.Unmarshal(out, &all); err != nil || len(all) != len(statements) {
		t.Fatalf("the grammar printed %q: %v", out, err)
	}
	return all
}

var (
	noon    = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	hostile = "x' OR 1=1 --\\\n\u202e\x1b[31m"
)

// thirty are more ids than a question asks about, each with its number.
func thirty(form string) (ids []string) {
	for i := range 30 {
		ids = append(ids, fmt.Sprintf(form, i))
	}
	return ids
}

// manyCallers are with keys and without.
func manyCallers(n int) (all []actor.Credential) {
	for i := range n {
		key := fmt.Sprintf("AKIAEXAMPLESTOLEN%03d", i)
		all = append(all, actor.Credential{AccessKeyID: key}, actor.Credential{PrincipalID: strings.ReplaceAll(hostile, "\n", "") + key, AccountID: "111122223333", Via: "signin.amazonaws.com"})
	}
	return all
}

// questions are all questions, for these buckets.
func questions(buckets ...string) map[string]Question {
	return map[string]Question{
		"bytes": Bytes{Windows: []Window{{"a", buckets, noon, noon.Add(time.Minute)}}, Margin: 5 * time.Minute},
		"bytes of several": Bytes{Windows: []Window{{"a", buckets, noon, noon.Add(time.Minute)}, {"b", buckets[:1], noon, noon.Add(time.Minute)},
			{hostile, append(buckets, hostile), noon.Add(-time.Hour), noon.Add(time.Hour)}, {"none", []string{hostile}, noon, noon}}, Margin: 5 * time.Minute},
		"since":            Since{KeyIDs: append(buckets, "AKIAEXAMPLESTOLEN001", "ASIAEXAMPLESTOLEN001"), PrincipalIDs: []string{"AIDAEXAMPLEMARA", hostile}, From: noon, To: noon.Add(time.Hour)},
		"since, of a user": Since{PrincipalIDs: []string{"AIDAEXAMPLEMARA"}, From: noon, To: noon.Add(time.Hour)},
		"since, of nobody": Since{KeyIDs: []string{"", hostile}, From: noon, To: noon.Add(time.Hour)},
		"usage":            Usage{Buckets: buckets, Before: noon},
		"callers":          Callers{Buckets: buckets, Before: noon},
		"callers, named":   Callers{Credentials: append(thirty("AROAEXAMPLEWEB:"+strings.Repeat("s", 60)+"%02d"), hostile), Before: noon},
		"bystanders": Bystanders{Of: []Aim{{Reach{PrincipalID: "AIDAEXAMPLEMARA", ARN: "arn:aws:iam::111122223333:user/" + strings.Repeat("p/", 90) + "mara"}, thirty("ASIAEXAMPLESESSION%02d")}, {Reach{Bucket: buckets[0]}, thirty("10.0.%d.0/24")},
			{Reach{PrincipalID: hostile, ARN: hostile}, []string{hostile}}, {Reach{PrincipalID: "AIDAEXAMPLEMARA", Bucket: buckets[0]}, nil}}, Before: noon},
		"bystanders of nobody": Bystanders{Before: noon},
		"refused":              Refused{KeyIDs: append(buckets, "AKIAEXAMPLESTOLEN001"), PrincipalIDs: []string{"AIDAEXAMPLEMARA", hostile}, From: noon, To: noon.Add(time.Hour)},
		"refused, nobody":      Refused{From: noon, To: noon.Add(time.Hour)},
		"minutes":              Minutes{From: noon, To: noon.Add(time.Hour)},
		"course":               Course{Buckets: buckets, Keys: append(thirty("AKIAEXAMPLESTOLEN0%02d"), hostile), From: noon, To: noon.Add(time.Hour)},
		"who tagged a user":    Tagged{User: buckets[0], Tag: "nightlatch:protect", From: noon, To: noon.Add(time.Hour)},
		"a lineage": Lineage{Given: thirty("ASIAEXAMPLESESSION%02d"), Keys: thirty("AKIAEXAMPLESTOLEN0%02d"), Sessions: append(thirty("AROAEXAMPLEWEB:"+strings.Repeat("s", 60)+"%02d"), hostile),
			SignedIn: append(thirty("AIDAEXAMPLEMARA%02d"), hostile), From: noon, To: noon.Add(time.Hour)},
		"who made nothing":    Lineage{Given: []string{hostile}, From: noon, To: noon.Add(time.Hour)},
		"whom a role trusts":  Trust{Role: hostile, Provider: "arn:aws:iam::111122223333:saml-provider/sso", From: noon, To: noon.Add(time.Hour)},
		"who ordered it":      Ordered{Buckets: buckets, Calls: []string{"PutBucketReplication", "CreateJob"}, From: noon, To: noon.Add(time.Hour)},
		"copied":              Copied{Buckets: buckets, From: noon, To: noon.Add(time.Hour)},
		"copied, anywhere":    Copied{From: noon, To: noon.Add(time.Hour)},
		"taken":               Taken{Buckets: buckets, Callers: manyCallers(30), From: noon, To: noon.Add(time.Hour)},
		"taken, gone on":      Taken{Buckets: buckets, Callers: manyCallers(30), From: noon, To: noon.Add(time.Hour), After: []string{buckets[0], strings.ReplaceAll(hostile, "\n", "") + strings.Repeat("'", 1000), ""}},
		"exercised by a role": Exercised{Role: buckets[0], AccountID: hostile, From: noon, To: noon.Add(time.Hour)},
		"exercised":           Exercised{User: buckets[0], AccountID: hostile, From: noon, To: noon.Add(time.Hour)},
		"taken, by anybody":   Taken{Buckets: buckets, Callers: manyCallers(300), From: noon, To: noon.Add(time.Hour)},
		"who tagged a role":   Tagged{Role: hostile, Tag: "nightlatch:protect", From: noon, To: noon.Add(time.Hour)},
	}
}

func TestEveryQueryIsTrino(t *testing.T) {
	var names, statements []string
	for name, q := range questions("customer-exports", hostile) {
		names, statements = append(names, name, name+", of files", name+", of two trails"), append(statements, q.SQL(Schema{Table: "events"}), q.SQL(Schema{Table: `"nightlatch"."records"`, Files: true}),
			q.SQL(Schema{Table: `"nightlatch"."records"`, Files: true, Also: `"nightlatch"."management"`}))
	}
	// What is not Trino is refused, or the test above could not fail.
	names = append(names, "not SQL", "a literal that does not end")
	statements = append(statements, "select from where", `select eventid from events where eventname = 'x''`)
	all := trino(t, statements...)
	for i, name := range names {
		wrong := i >= len(names)-2
		if wrong != (len(all[i].Errors) > 0) {
			t.Errorf("%s: the grammar says %v\n%s", name, all[i].Errors, statements[i])
		}
	}
}

var (
	groupingSets = regexp.MustCompile(`(?is)\bgrouping\s+sets\s*`)
	grouped      = regexp.MustCompile(`(?i)\b(?:grouping\s+sets|rollup|cube)\b`)
	identifier   = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)
)

// notColumns lists what stands in the grouping sets of a statement besides names of columns. Trino's grammar takes expressions
// there, and its analyzer refuses them: "GROUP BY expression must be a column reference"
// (https://github.com/trinodb/trino/blob/master/core/trino-main/src/main/java/io/trino/sql/analyzer/StatementAnalyzer.java).
// The number is of the grouping sets found.
func notColumns(sql string) (found int, wrong []string) {
	for {
		at := groupingSets.FindStringIndex(sql)
		if at == nil {
			return found, wrong
		}
		sql = sql[at[1]:]
		list, depth := "", 0
		for i, c := range sql {
			if c == '(' {
				depth++
			} else if c == ')' {
				depth--
			}
			if depth <= 0 {
				list = sql[:i]
				break
			}
		}
		if !strings.HasPrefix(list, "(") {
			return found, append(wrong, "a list that does not begin or does not end")
		}
		list = list[1:]
		for list = strings.TrimSpace(list); list != ""; list = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(list), ",")) {
			set, rest, whole := strings.Cut(list, ")")
			set, opened := strings.CutPrefix(set, "(")
			if !whole || !opened {
				wrong = append(wrong, list)
				break
			}
			found, list = found+1, rest
			if strings.TrimSpace(set) == "" {
				continue
			}
			for _, column := range strings.Split(set, ",") {
				if column = strings.TrimSpace(column); !identifier.MatchString(column) {
					wrong = append(wrong, column)
				}
			}
		}
	}
}

func TestGroupingSetsHoldColumnsOnly(t *testing.T) {
	want := map[string]int{"bytes": 7, "bytes of several": 7, "usage": 5, "since": 2, "since, of a user": 2, "since, of nobody": 2}
	for name, q := range questions("customer-exports") {
		sql := q.SQL(Schema{Table: "events"})
		found, wrong := notColumns(sql)
		if found != want[name] || len(wrong) > 0 {
			t.Errorf("%s: %d grouping sets, want %d; no columns are %q\n%s", name, found, want[name], wrong, sql)
		}
		if lists, known := len(grouped.FindAllString(sql, -1)), len(groupingSets.FindAllString(sql, -1)); lists != known {
			t.Errorf("%s: a rollup or a cube, which is not read\n%s", name, sql)
		}
	}
	// What Trino refuses is found, or the test above could not fail.
	for sql, refused := range map[string]bool{
		"group by grouping sets ((), (a), (a, b_1))":          false,
		"GROUP BY GROUPING  SETS(( ),\n(a , b))":              false,
		"group by grouping sets ((a), (cast(t as date)))":     true,
		"group by grouping sets ((a, lower(b)))":              true,
		"group by grouping sets ((a), (1))":                   true,
		"group by grouping sets ((a, 'x'))":                   true,
		"group by grouping sets ((a || b))":                   true,
		"group by grouping sets ((a.b))":                      true,
		"group by grouping sets (lower(a), (b))":              true,
		"group by grouping sets ((a)":                         true,
		"grouping sets ((a)) union grouping sets ((date(a)))": true,
	} {
		if _, wrong := notColumns(sql); (len(wrong) > 0) != refused {
			t.Errorf("%s: no columns are %q, want some: %t", sql, wrong, refused)
		}
	}
}

func TestEveryQueryFitsLake(t *testing.T) {
	buckets := make([]string, 10) // an alarm has no more
	for i := range buckets {
		buckets[i] = strings.Repeat("b", 62) + string(rune('0'+i))
	}
	for name, q := range questions(buckets...) {
		asked := []Question{q}
		if b, is := q.(Bytes); is { // of several windows, as they are asked
			asked = nil
			for _, batch := range b.Batches() {
				asked = append(asked, batch)
			}
		}
		for _, q := range asked {
			if n := len([]rune(q.SQL(store))); n > MaxStatement {
				t.Errorf("%s: %d characters, Lake takes 10,000", name, n)
			}
		}
	}
}
