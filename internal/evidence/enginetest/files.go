// Package enginetest has CloudTrail's files as Athena sees them, in DuckDB, for tests: that the questions have the same answers from every
// engine. A trail's files are laid as a trail lays them
// (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html), and read as the table over them
// says, with the types that Hive's JSON reader makes of a record.
//
// Only _test files import it.
package enginetest

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/athena"
	"nightlatch/internal/evidence/duck"
)

// Draws is how many random cases a test plays: few where somebody waits for it, and all where NIGHTLATCH_TESTS is "all", as in .ci/run.
func Draws(few, all int) int {
	if os.Getenv("NIGHTLATCH_TESTS") == "all" {
		return all
	}
	return few
}

// Schema is how the questions are asked of the files.
var Schema = evidence.Schema{Table: athena.Database + "." + athena.TableName, Files: true}

// OfFiles is a question to an engine that has the files too: it is asked of them.
type OfFiles struct{ evidence.Question }

// SQL implements evidence.Question.
func (q OfFiles) SQL(evidence.Schema) string { return q.Question.SQL(Schema) }

// Verbatim is SQL that is a question already.
type Verbatim string

// Name implements evidence.Question.
func (Verbatim) Name() string { return "verbatim" }

// SQL implements evidence.Question.
func (v Verbatim) SQL(evidence.Schema) string { return string(v) }

// Record is one record as it stands in a file, and when and where it was delivered.
type Record struct {
	JSON            json.RawMessage
	Delivered       time.Time
	Account, Region string
}

// Lay writes records into files under root, which stands for S3, as a trail lays them: by account, region, day and five minutes of delivery.
func Lay(root string, table athena.Table, records []Record) error {
	files := map[string][]json.RawMessage{}
	for _, r := range records {
		at := r.Delivered.UTC().Truncate(5 * time.Minute)
		name := fmt.Sprintf("%s_CloudTrail_%s_%s_Nightlatch.json.gz", r.Account, r.Region, at.Format("20060102T1504Z"))
		path := filepath.Join(Path(root, table.Folder(r.Account, r.Region, at)), name)
		files[path] = append(files[path], r.JSON)
	}
	for path, records := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		z, _ := gzip.NewWriterLevel(f, gzip.BestSpeed)
		_, begun := z.Write([]byte(`{"Records":[`))
		for i, r := range records {
			if i > 0 {
				begun = cmp.Or(begun, second(z.Write([]byte(","))))
			}
			begun = cmp.Or(begun, second(z.Write(r)))
		}
		if err := errors.Join(begun, second(z.Write([]byte("]}"))), z.Close(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

func second(_ int, err error) error { return err }

// Path is where an s3:// URL lies under root.
func Path(root, url string) string { return filepath.Join(root, strings.TrimPrefix(url, "s3://")) }

// Load has the engine read the files that lie under root where the table's partitions are, as Athena's would be read. They go into a table
// of their own, beside the one that Engine.Load fills. Files anywhere else under root are not the table's.
func Load(ctx context.Context, e *duck.Engine, table athena.Table, root string) error {
	rows, err := os.CreateTemp("", "nightlatch-files-*.jsonl")
	if err != nil {
		return err
	}
	defer os.Remove(rows.Name())
	out := bufio.NewWriter(rows)
	for _, account := range table.Accounts {
		for _, region := range athena.Regions() {
			base := strings.TrimSuffix(Path(root, table.Folder(account, region, time.Time{})), "/0001/01/01")
			err := filepath.WalkDir(base, func(path string, entry fs.DirEntry, err error) error {
				switch {
				case errors.Is(err, fs.ErrNotExist):
					return nil
				case err != nil || entry.IsDir():
					return err
				}
				day, err := filepath.Rel(base, filepath.Dir(path))
				if err != nil {
					return err
				}
				return shape(out, path, table, map[string]any{"account": account, "region": region, "day": filepath.ToSlash(day)})
			})
			if err != nil {
				return err
			}
		}
	}
	if err := errors.Join(out.Flush(), rows.Close()); err != nil {
		return err
	}
	var columns []string
	for _, c := range slices.Concat(table.Columns(), table.Partitions()) {
		columns = append(columns, fmt.Sprintf("%q: '%s'", c.Name, parse(c.Type).duck()))
	}
	for _, statement := range []string{"create schema if not exists " + athena.Database,
		fmt.Sprintf("create or replace table %s as select * from read_json('%s', columns={%s}, format='newline_delimited', maximum_object_size=67108864)",
			Schema.Table, rows.Name(), strings.Join(columns, ", "))} {
		if err := e.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// shape writes the records of a file, each as the row that the table makes of it.
func shape(out *bufio.Writer, path string, table athena.Table, partition map[string]any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var file struct{ Records []json.RawMessage }
	if err := json.NewDecoder(z).Decode(&file); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	write := json.NewEncoder(out)
	for _, record := range file.Records {
		fields := members(record)
		row := map[string]any{}
		for _, c := range table.Columns() {
			v := fields[c.Name]
			if anyKeys[c.Name] {
				v = quotedJSON(v)
			}
			if row[c.Name], err = parse(c.Type).value(v); err != nil {
				return fmt.Errorf("%s: %s: %w", path, c.Name, err)
			}
		}
		for name, v := range partition {
			row[name] = v
		}
		if err := write.Encode(row); err != nil {
			return err
		}
	}
	return nil
}

// members are the fields of an object by their names in lower case, as Hive compares them; nil where it is none.
func members(text json.RawMessage) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	if json.Unmarshal(text, &m) != nil {
		return nil
	}
	lower := map[string]json.RawMessage{}
	for name, v := range m {
		lower[strings.ToLower(name)] = v
	}
	return lower
}

// kind is a type of Hive's: a string, an object of known fields, or a list.
// https://docs.aws.amazon.com/athena/latest/ug/data-types.html
type kind struct {
	fields []field
	of     *kind
}

type field struct {
	name string
	kind kind
}

// parse reads a type as Table.Columns writes it.
func parse(text string) kind {
	k, rest := parsed(text)
	if rest != "" {
		panic("a type goes on with " + rest)
	}
	return k
}

func parsed(text string) (kind, string) {
	if rest, ok := strings.CutPrefix(text, "string"); ok {
		return kind{}, rest
	}
	if rest, ok := strings.CutPrefix(text, "array<"); ok {
		of, rest := parsed(rest)
		return kind{of: &of}, strings.TrimPrefix(rest, ">")
	}
	rest, ok := strings.CutPrefix(text, "struct<")
	if !ok {
		panic("no type begins with " + text)
	}
	var k kind
	for !strings.HasPrefix(rest, ">") {
		name, after, _ := strings.Cut(rest, ":")
		of, left := parsed(after)
		k.fields = append(k.fields, field{name, of})
		rest = strings.TrimPrefix(left, ",")
	}
	return k, rest[1:]
}

// duck is the type in DuckDB's spelling.
func (k kind) duck() string {
	switch {
	case k.of != nil:
		return k.of.duck() + "[]"
	case k.fields == nil:
		return "VARCHAR"
	}
	var fields []string
	for _, f := range k.fields {
		fields = append(fields, fmt.Sprintf("%q %s", f.name, f.kind.duck()))
	}
	return "STRUCT(" + strings.Join(fields, ", ") + ")"
}

// anyKeys are the columns of which CloudTrail's input format makes a text, whatever it is in JSON:
// https://docs.aws.amazon.com/athena/latest/ug/cloudtrail-serde.html
var anyKeys = map[string]bool{"requestparameters": true, "responseelements": true, "additionaleventdata": true}

// quotedJSON is a value's text as a string.
func quotedJSON(text json.RawMessage) json.RawMessage {
	if t := bytes.TrimSpace(text); len(t) == 0 || t[0] == '"' || string(t) == "null" {
		return text
	}
	quoted, _ := json.Marshal(again(text))
	return quoted
}

// value is what the column holds of a field: of a string, its text, also of a number or a flag. A value of another shape than the column's
// fails the whole query, as Trino's reader does that Athena's comes from:
// https://github.com/trinodb/trino/blob/master/lib/trino-hive-formats/src/main/java/io/trino/hive/formats/line/json/JsonDeserializer.java
func (k kind) value(text json.RawMessage) (any, error) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || string(text) == "null" {
		return nil, nil
	}
	switch {
	case k.of != nil:
		var elements []json.RawMessage
		if err := json.Unmarshal(text, &elements); err != nil {
			return nil, fmt.Errorf("invalid JSON: start of array expected: %s", text)
		}
		values := make([]any, len(elements))
		for i, e := range elements {
			var err error
			if values[i], err = k.of.value(e); err != nil {
				return nil, err
			}
		}
		return values, nil
	case k.fields != nil:
		m := members(text)
		if m == nil {
			return nil, fmt.Errorf("invalid JSON: start of object expected: %s", text)
		}
		row := map[string]any{}
		for _, f := range k.fields {
			var err error
			if row[f.name], err = f.kind.value(m[f.name]); err != nil {
				return nil, err
			}
		}
		return row, nil
	case text[0] == '{' || text[0] == '[':
		return nil, fmt.Errorf("invalid JSON: varchar value must be a scalar json value: %s", text)
	}
	var s string
	if json.Unmarshal(text, &s) == nil {
		return s, nil
	}
	return string(text), nil
}

// again writes a value's JSON anew, as a reader does that has parsed it. Its numbers stay as they are written. Half of a surrogate pair,
// which no text holds, becomes the replacement character.
func again(text json.RawMessage) string {
	var v any
	read := json.NewDecoder(bytes.NewReader(text))
	read.UseNumber()
	if read.Decode(&v) != nil {
		return string(text)
	}
	var b strings.Builder
	write := json.NewEncoder(&b)
	write.SetEscapeHTML(false)
	if write.Encode(v) != nil {
		return string(text)
	}
	return strings.TrimSpace(b.String())
}
