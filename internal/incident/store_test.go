package incident

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
)

// Whoever may ring may ring often: a process keeps the latest of them.
func TestMemoryIsBounded(t *testing.T) {
	var m Memory
	of := func(i int) Record {
		r := opened()
		r.ID = fmt.Sprint("ring-", i)
		return r
	}
	open := func(i int) Record {
		t.Helper()
		r, err := m.Open(t.Context(), of(i))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for i := range maxRecords {
		open(i)
	}
	// A second ring, and any number of puts, are no new records.
	first := open(0)
	for range 300 {
		var err error
		if first, err = m.Put(t.Context(), first); err != nil {
			t.Fatal(err)
		}
	}
	for i := range maxRecords {
		if _, err := m.Load(t.Context(), of(i).ID); err != nil {
			t.Fatalf("of %d records, %d: %v", maxRecords, i, err)
		}
	}
	for i := maxRecords; i < 2*maxRecords; i++ {
		open(i)
		if len(m.records) != maxRecords || len(m.order) != maxRecords {
			t.Fatalf("after %d rings there are %d records in the order of %d", i+1, len(m.records), len(m.order))
		}
	}
	for i := range 2 * maxRecords {
		_, err := m.Load(t.Context(), of(i).ID)
		if forgotten := errors.Is(err, ErrNotFound); forgotten != (i < maxRecords) || (err != nil && !forgotten) {
			t.Errorf("record %d: %v", i, err)
		}
	}
	// What is forgotten is not put back by who still holds it, and its next ring is a first one.
	if _, err := m.Put(t.Context(), first); !errors.Is(err, ErrNotFound) {
		t.Errorf("Put of a forgotten record = %v, want ErrNotFound", err)
	}
	if got := open(0); got.Version != 1 {
		t.Errorf("a forgotten ring is opened at version %d, want 1", got.Version)
	}
}

// The JSON form is a permanent contract: these fields are there, under these names, however little is known.
func TestRecordKeepsItsContract(t *testing.T) {
	text, err := json.Marshal(Record{})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"schema", "id", "mode", "version", "opened", "deadline", "alarm", "metric_read", "evidence", "looks", "enough",
		"verdicts", "actors_not_judged", "outcomes", "notified", "log"} {
		if _, ok := got[name]; !ok {
			t.Errorf("the record has no field %q", name)
		}
	}
	if Schema != "nightlatch.incident/1" {
		t.Errorf("the schema is %q", Schema)
	}
}
