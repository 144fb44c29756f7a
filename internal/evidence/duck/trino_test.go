package duck_test

// A real Trino beside DuckDB: it gets an engine's tables as they stand, in both forms of the records, and is asked the same.

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/athena"
	"nightlatch/internal/evidence/duck"
	"nightlatch/internal/evidence/enginetest"
)

// trinoAll has every test of this package ask Trino too, and the published trails: half an hour.
var trinoAll = flag.Bool("trino-all", false, "every question of this package's tests is put to Trino as well, not only TestQuestionsOnTrino's")

// trino is a Trino's HTTP interface: https://trino.io/docs/current/develop/client-protocol.html
type trino struct {
	url string

	mu     sync.Mutex
	begun  int64 // a server that goes on holds tables of other runs
	tables map[*duck.Engine]*tables
	asked  map[string]*asked // by a question's name
	zone   int
}

// tables are an engine's in Trino, made once.
type tables struct {
	sync.Once
	name string
}

// asked is what was compared, and how long the engines took.
type asked struct {
	statements, rows int
	trino, duck      time.Duration
}

// theTrino is the server that NIGHTLATCH_TRINO names, nil where it names none.
var theTrino = sync.OnceValue(func() *trino {
	url := os.Getenv("NIGHTLATCH_TRINO")
	if url == "" {
		return nil
	}
	return &trino{url: url, begun: time.Now().UnixNano(), tables: map[*duck.Engine]*tables{}, asked: map[string]*asked{}}
})

// onTrino is the server that this test's questions are put to as well, nil where it has none.
func onTrino(t *testing.T) *trino {
	if !*trinoAll && !strings.HasPrefix(t.Name(), "TestQuestionsOnTrino/") {
		return nil
	}
	return theTrino()
}

// zones are the sessions', in turn: no answer depends on them.
var zones = []string{"Asia/Kolkata", "America/St_Johns", "UTC"}

// compare puts the question to Trino in both forms, every eighth time to the files of two trails, one of them empty, where DuckDB took so long for these rows.
func (s *trino) compare(t *testing.T, e *duck.Engine, q evidence.Question, want []evidence.Row, took time.Duration) {
	t.Helper()
	s.mu.Lock()
	at := s.tables[e]
	if at == nil {
		at = &tables{name: fmt.Sprintf("memory.t.r%d_%d", s.begun, len(s.tables))}
		s.tables[e] = at
	}
	zone := s.zone
	s.zone += 2
	s.mu.Unlock()
	at.Do(func() { s.copy(t, e, at.name) })
	begin := time.Now()
	files := evidence.Schema{Table: at.name + "_files", Files: true}
	if zone/2%8 == 1 {
		files.Also = "(select * from " + at.name + "_files where false)"
	}
	for form, sql := range []string{typed(q.SQL(evidence.Schema{Table: at.name})), q.SQL(files)} {
		zone := zones[(zone+form)%len(zones)]
		got := s.query(t, zone, sql)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: of the %s form, in %s, Trino has other rows than DuckDB (-duck +trino):\n%s\n%s", q.Name(), []string{"Lake's", "the files'"}[form], zone, diff, sql)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked[q.Name()] == nil {
		s.asked[q.Name()] = &asked{}
	}
	sum := s.asked[q.Name()]
	sum.statements, sum.rows, sum.trino, sum.duck = sum.statements+2, sum.rows+2*len(want), sum.trino+time.Since(begin), sum.duck+took
}

// typed makes timestamps of the strings that Lake compares with eventtime, as AWS's samples do and Trino itself does not.
func typed(sql string) string { return bareTime.ReplaceAllString(sql, "${1}timestamp $2") }

var bareTime = regexp.MustCompile(`(\beventtime (?:[<>]=?|=|between) )('\d{4}-\d\d-\d\d \d\d:\d\d:\d\d')`)

// copy makes the engine's two tables, as they stand in DuckDB, in Trino.
func (s *trino) copy(t *testing.T, e *duck.Engine, name string) {
	t.Helper()
	s.query(t, "UTC", "create schema if not exists memory.t")
	for from, to := range map[string]string{"main." + duck.Table: name, athena.Database + "." + athena.TableName: name + "_files"} {
		schema, table, _ := strings.Cut(from, ".")
		var of kind
		for _, c := range ask(t, e, fmt.Sprintf(`select lower(column_name) as name, data_type as type from information_schema.columns
			where table_schema = '%s' and table_name = '%s' order by ordinal_position`, schema, table)) {
			k, _ := parsed(c["type"])
			of.names, of.of = append(of.names, c["name"]), append(of.of, k)
		}
		columns := make([]string, len(of.names))
		for i, c := range of.names {
			columns[i] = of.of[i].value(`r."`+c+`"`) + ` as "` + c + `"`
		}
		values := fmt.Sprintf("select %s from (select cast(json_parse(line) as %s) as r from unnest(split(", strings.Join(columns, ", "), of.parsed())
		into := "create table " + to + " as "
		batch, size := []string{}, 0
		put := func() {
			text := strings.ReplaceAll(strings.Join(batch, "\n"), "'", "''")
			s.query(t, "Asia/Kolkata", into+values+"'"+text+"', chr(10))) as l (line) where line <> '')")
			into, batch, size = "insert into "+to+" ", nil, 0
		}
		for _, row := range ask(t, e, "select cast(to_json(r) as varchar) as line from "+from+" as r") {
			if size += len(row["line"]); size > 3<<20 {
				put()
			}
			batch = append(batch, row["line"])
		}
		put()
		t.Cleanup(func() { s.query(t, "UTC", "drop table if exists "+to) })
	}
}

func ask(t *testing.T, e *duck.Engine, sql string) []evidence.Row {
	t.Helper()
	answer, err := e.Ask(t.Context(), enginetest.Verbatim(sql))
	if err != nil {
		t.Fatal(err)
	}
	return answer.Rows
}

// kind is a type: a scalar, an object of fields, or a list.
type kind struct {
	scalar string
	names  []string
	of     []kind
	list   bool
}

// parsed reads a type as DuckDB writes it.
func parsed(text string) (k kind, rest string) {
	if inner, ok := strings.CutPrefix(text, "STRUCT("); ok {
		for rest = inner; !strings.HasPrefix(rest, ")"); rest = strings.TrimPrefix(rest, ", ") {
			name, after, _ := strings.Cut(rest, " ")
			var of kind
			of, rest = parsed(after)
			k.names, k.of = append(k.names, strings.ToLower(strings.Trim(name, `"`))), append(k.of, of)
		}
		rest = rest[1:]
	} else {
		k.scalar = scalar.FindString(text)
		rest = text[len(k.scalar):]
	}
	if after, ok := strings.CutPrefix(rest, "[]"); ok {
		return kind{list: true, of: []kind{k}}, after
	}
	return k, rest
}

var scalar = regexp.MustCompile(`^[A-Z]+(\([^)]*\))?`)

// parsed is the type as it is read from JSON, which has no times.
func (k kind) parsed() string { return k.trino("varchar") }

func (k kind) trino(time string) string {
	switch {
	case k.list:
		return "array(" + k.of[0].trino(time) + ")"
	case k.scalar == "TIMESTAMP":
		return time
	case k.scalar != "":
		return strings.ToLower(k.scalar)
	}
	fields := make([]string, len(k.of))
	for i, f := range k.of {
		fields[i] = `"` + k.names[i] + `" ` + f.trino(time)
	}
	return "row(" + strings.Join(fields, ", ") + ")"
}

// value is the expression with what was a time a time again.
func (k kind) value(expression string) string {
	if k.trino("varchar") == k.trino("timestamp(3)") {
		return expression
	}
	if k.scalar != "" {
		return "cast(" + expression + " as timestamp(3))"
	}
	fields := make([]string, len(k.of))
	for i, f := range k.of {
		fields[i] = f.value(expression + `."` + k.names[i] + `"`)
	}
	return fmt.Sprintf("if(%s is not null, cast(row(%s) as %s))", expression, strings.Join(fields, ", "), k.trino("timestamp(3)"))
}

// page is a page of a statement's answer.
type page struct {
	NextURI string `json:"nextUri"`
	Columns []struct{ Name, Type string }
	Data    [][]any
	Error   *struct{ Message, ErrorName string }
}

// query runs one statement in a session of the zone.
func (s *trino) query(t *testing.T, zone, sql string) []evidence.Row {
	t.Helper()
	var rows []evidence.Row
	begin := page{NextURI: s.url + "/v1/statement"}
	patience := time.Now().Add(5 * time.Minute)
	at, method, body := begin, http.MethodPost, sql
	for at.NextURI != "" {
		at = s.page(t, method, at.NextURI, zone, body)
		method, body = http.MethodGet, ""
		if e := at.Error; e != nil && (e.ErrorName == "SERVER_STARTING_UP" || e.ErrorName == "NO_NODES_AVAILABLE") && time.Now().Before(patience) {
			// The statement has failed for good: its page says so for ever, and another one is begun.
			time.Sleep(200 * time.Millisecond)
			at, method, body = begin, http.MethodPost, sql
			continue
		}
		if at.Error != nil {
			t.Fatalf("Trino says %s: %s\n%.5000s", at.Error.ErrorName, at.Error.Message, sql)
		}
		for _, values := range at.Data {
			row := evidence.Row{}
			for i, c := range at.Columns {
				row[strings.ToLower(c.Name)] = printed(values[i], c.Type)
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// page asks again where the server is not there yet or busy.
func (s *trino) page(t *testing.T, method, url, zone, body string) page {
	t.Helper()
	for patience := time.Now().Add(5 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		request, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"User": "nightlatch", "Catalog": "memory", "Schema": "t", "Time-Zone": zone} {
			request.Header.Set("X-Trino-"+name, value)
		}
		response, err := http.DefaultClient.Do(request)
		if err == nil && response.StatusCode == http.StatusOK {
			defer response.Body.Close()
			var p page
			read := json.NewDecoder(response.Body)
			read.UseNumber()
			if err := read.Decode(&p); err != nil {
				t.Fatal(err)
			}
			return p
		}
		if err == nil {
			response.Body.Close()
			err = fmt.Errorf("status %s", response.Status)
		}
		if time.Now().After(patience) {
			t.Fatalf("no answer from the Trino that NIGHTLATCH_TRINO names: %v", err)
		}
	}
}

// printed is a value as the engine of DuckDB prints it.
func printed(v any, typ string) string {
	if v == nil {
		return ""
	}
	text := fmt.Sprint(v)
	if f, err := strconv.ParseFloat(text, 64); err == nil && typ == "double" {
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return text
}

// figures says what was compared, and how long each engine took. The times are printed and never judged.
func (s *trino) figures(t *testing.T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.asked)) {
		a := s.asked[name]
		t.Logf("%s: %d statements, %d rows compared; Trino took %s, DuckDB %s", name, a.statements, a.rows, a.trino.Round(time.Millisecond), a.duck.Round(time.Millisecond))
		if a.rows == 0 {
			t.Errorf("%s: no row was compared", name)
		}
	}
}
