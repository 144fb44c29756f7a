package incident

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"nightlatch/internal/evidence"
)

// Whoever may open incidents may open many: a process keeps the latest of them.
func TestMemoryIsBounded(t *testing.T) {
	var m Memory
	of := func(i int) Record {
		r := opened()
		r.ID = fmt.Sprint("alarm-", i)
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
	// A second alarm, and any number of puts, are no new records.
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
			t.Fatalf("after %d alarms there are %d records in the order of %d", i+1, len(m.records), len(m.order))
		}
	}
	for i := range 2 * maxRecords {
		_, err := m.Load(t.Context(), of(i).ID)
		if forgotten := errors.Is(err, ErrNotFound); forgotten != (i < maxRecords) || (err != nil && !forgotten) {
			t.Errorf("record %d: %v", i, err)
		}
	}
	// What is forgotten is not put back by who still holds it, and its next alarm is a first one.
	if _, err := m.Put(t.Context(), first); !errors.Is(err, ErrNotFound) {
		t.Errorf("Put of a forgotten record = %v, want ErrNotFound", err)
	}
	if got := open(0); got.Version != 1 {
		t.Errorf("a forgotten incident is opened at version %d, want 1", got.Version)
	}
}

// What is not listed of an actor beside its origins (a tool with 21 names for itself) says nothing about where the bytes went.
func TestAHoldIsBoundToOriginsAlone(t *testing.T) {
	now := time.Date(2026, 3, 4, 0, 11, 0, 0, time.UTC)
	b := Brakes{Holds: []Hold{{AccessKeyID: "AKIA1", Until: now.Add(time.Hour), Origins: []string{"203.0.113.0/24", "vpce-1"}}}}
	cleared := []evidence.Origin{{Network: "203.0.113.0/24"}, {VPCEndpoint: "vpce-1"}}
	for name, c := range map[string]struct {
		actor evidence.Actor
		want  bool
	}{
		"all are listed":           {evidence.Actor{Origins: cleared}, true},
		"agents are not listed":    {evidence.Actor{Origins: cleared, Omitted: 3}, true},
		"an origin is not listed":  {evidence.Actor{Origins: cleared, Omitted: 3, OmittedOrigins: 1}, false},
		"one that was not cleared": {evidence.Actor{Origins: append(cleared, evidence.Origin{Network: "198.51.100.0/24"})}, false},
	} {
		c.actor.AccessKeyID = "AKIA1"
		if _, got := b.Holding(c.actor, now); got != c.want {
			t.Errorf("%s: held is %t, want %t", name, got, c.want)
		}
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
