package incident_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"nightlatch/internal/incident"
)

// stored is what the files of testdata/1bf196e hold of a store.
type stored struct {
	Records []json.RawMessage `json:"records"`
	Brakes  json.RawMessage   `json:"brakes"`
}

// What 1bf196e has stored is stored again with all that it said: no field has gone, has another name, or is written in another way.
func TestWhatAnEarlierBuildStoredIsKept(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "1bf196e", "*.json"))
	if err != nil || len(files) < 20 {
		t.Fatalf("there are %d files, %v", len(files), err)
	}
	records, brakes := 0, 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var s stored
		if err := json.Unmarshal(text, &s); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, old := range s.Records {
			records++
			for _, l := range lost(t, old, again[incident.Record](t, old)) {
				t.Errorf("%s: a record has lost %s", file, l)
			}
		}
		if s.Brakes != nil {
			brakes++
			for _, l := range lost(t, s.Brakes, again[incident.Brakes](t, s.Brakes)) {
				t.Errorf("%s: the brakes have lost %s", file, l)
			}
		}
	}
	if records < 20 || brakes < 2 {
		t.Errorf("only %d records and %d brakes were read", records, brakes)
	}
}

// again reads a text and writes it.
func again[T any](t *testing.T, text []byte) []byte {
	t.Helper()
	var v T
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// lost lists what one JSON text says and another does not. The other may say more.
func lost(t *testing.T, old, now []byte) []string {
	t.Helper()
	read := func(text []byte) (v any) {
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	return lostAt("", read(old), read(now))
}

func lostAt(path string, old, now any) (all []string) {
	switch old := old.(type) {
	case map[string]any:
		now, _ := now.(map[string]any)
		for name, v := range old {
			if _, there := now[name]; !there {
				all = append(all, path+"."+name)
				continue
			}
			all = append(all, lostAt(path+"."+name, v, now[name])...)
		}
		slices.Sort(all)
	case []any:
		now, _ := now.([]any)
		if len(now) != len(old) {
			return []string{fmt.Sprintf("%s, of %d elements %d", path, len(old), len(now))}
		}
		for i := range old {
			all = append(all, lostAt(fmt.Sprintf("%s[%d]", path, i), old[i], now[i])...)
		}
	default:
		if old != now {
			all = []string{fmt.Sprintf("%s, which was %v and is %v", path, old, now)}
		}
	}
	return all
}

func TestWhatIsLostIsSaid(t *testing.T) {
	for now, want := range map[string]string{
		`{"a":1,"b":[{"c":"x"}],"new":0}`: "[]",
		`{"b":[{"c":"x"}]}`:               "[.a]",
		`{"a":1.0,"b":[{"c":"y"}]}`:       "[.a, which was 1 and is 1.0 .b[0].c, which was x and is y]",
		`{"a":1,"b":[]}`:                  "[.b, of 1 elements 0]",
		`{"a":1,"b":null}`:                "[.b, of 1 elements 0]",
	} {
		if got := fmt.Sprint(lost(t, []byte(`{"a":1,"b":[{"c":"x"}]}`), []byte(now))); got != want {
			t.Errorf("%s: got %s, want %s", now, got, want)
		}
	}
}
