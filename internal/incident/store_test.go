package incident

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"nightlatch/internal/evidence"
)

// fill sets every exported field below v to something that is not its zero value, so that a field which is forgotten on the way
// into a store or out of it is seen. n makes the values differ.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d <&> é \u202e", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1<<53 + int64(*n)) // more than a float64 holds
	case reflect.Float64:
		v.SetFloat(1.0 / float64(*n+2))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, n)
		fill(value, n)
		v.SetMapIndex(key, value)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(ringing.Add(time.Duration(*n)*time.Minute + 431*time.Millisecond)))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), n)
			}
		}
	default:
		panic("a field of kind " + v.Kind().String())
	}
}

// whole is a record with something in every field.
func whole() Record {
	var r Record
	n := 0
	fill(reflect.ValueOf(&r).Elem(), &n)
	r.ID = opened().ID
	r.History = nil // is not stored
	return r
}

// known to be lost: the principal is needed between two answers of the trail only.
var ignore = cmpopts.IgnoreUnexported(evidence.Actor{})

// A Store keeps these promises, whatever it is made of.
func testStore(t *testing.T, open func(*testing.T) Store) {
	t.Run("open, load, put", func(t *testing.T) {
		s := open(t)
		first, err := s.Open(t.Context(), whole())
		if err != nil {
			t.Fatal(err)
		}
		want := whole()
		want.Version = 1
		if diff := cmp.Diff(want, first, ignore); diff != "" {
			t.Errorf("Open (-want +got):\n%s", diff)
		}
		loaded, err := s.Load(t.Context(), first.ID)
		if diff := cmp.Diff(first, loaded, ignore); err != nil || diff != "" {
			t.Errorf("Load = %v (-opened +loaded):\n%s", err, diff)
		}
		loaded.Note(ringing, "changed")
		put, err := s.Put(t.Context(), loaded)
		loaded.Version = 2
		if diff := cmp.Diff(loaded, put, ignore); err != nil || diff != "" {
			t.Errorf("Put = %v (-want +got):\n%s", err, diff)
		}
		again, err := s.Load(t.Context(), first.ID)
		if diff := cmp.Diff(put, again, ignore); err != nil || diff != "" {
			t.Errorf("Load after Put = %v (-put +loaded):\n%s", err, diff)
		}
	})
	t.Run("an empty record keeps what is not known apart from zero", func(t *testing.T) {
		s := open(t)
		want := opened()
		got, err := s.Open(t.Context(), want)
		want.Version = 1
		if diff := cmp.Diff(want, got, ignore); err != nil || diff != "" {
			t.Errorf("Open = %v (-want +got):\n%s", err, diff)
		}
		if !got.Judged.IsZero() || !got.Closed.IsZero() || got.History != nil || got.Alarm.Bytes != nil || got.Evidence.Explained != nil {
			t.Errorf("something is known: %+v", got)
		}
	})
	t.Run("a second ring joins the first", func(t *testing.T) {
		s := open(t)
		first, err := s.Open(t.Context(), opened())
		if err != nil {
			t.Fatal(err)
		}
		first.Note(ringing, "under way")
		if first, err = s.Put(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		second := opened()
		second.Opened = after(time.Hour)
		got, err := s.Open(t.Context(), second)
		if diff := cmp.Diff(first, got, ignore); err != nil || diff != "" {
			t.Errorf("Open = %v (-first +got):\n%s", err, diff)
		}
		other := opened()
		other.ID = "another"
		if got, err := s.Open(t.Context(), other); err != nil || got.Version != 1 || len(got.Log) != 0 {
			t.Errorf("Open(another) = %+v, %v", got, err)
		}
	})
	t.Run("a put of what was changed meanwhile", func(t *testing.T) {
		s := open(t)
		first, err := s.Open(t.Context(), opened())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Put(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		first.Note(ringing, "late")
		for _, version := range []int64{-1, 0, 1, 3, 1 << 40} {
			first.Version = version
			if got, err := s.Put(t.Context(), first); !errors.Is(err, ErrConflict) || !reflect.DeepEqual(got, Record{}) {
				t.Errorf("Put(version %d) = %+v, %v, want ErrConflict", version, got, err)
			}
		}
		if got, err := s.Load(t.Context(), first.ID); err != nil || got.Version != 2 || len(got.Log) != 0 {
			t.Errorf("Load = version %d, %d entries, %v, want what was put first", got.Version, len(got.Log), err)
		}
	})
	t.Run("what is not there", func(t *testing.T) {
		s := open(t)
		if got, err := s.Load(t.Context(), "none"); !errors.Is(err, ErrNotFound) || !reflect.DeepEqual(got, Record{}) {
			t.Errorf("Load = %+v, %v, want ErrNotFound", got, err)
		}
		if got, err := s.Put(t.Context(), opened()); !errors.Is(err, ErrNotFound) || !reflect.DeepEqual(got, Record{}) {
			t.Errorf("Put = %+v, %v, want ErrNotFound", got, err)
		}
	})
	t.Run("what a caller keeps is its own", func(t *testing.T) {
		s := open(t)
		mine := whole()
		got, err := s.Open(t.Context(), mine)
		if err != nil {
			t.Fatal(err)
		}
		mine.Log[0].What, got.Log[0].What, got.Outcomes[0].Step.Runbook[0], *got.Alarm.Bytes = "x", "x", "x", 7
		want := whole()
		want.Version = 1
		loaded, err := s.Load(t.Context(), mine.ID)
		if diff := cmp.Diff(want, loaded, ignore); err != nil || diff != "" {
			t.Errorf("Load = %v (-want +got):\n%s", err, diff)
		}
	})
	t.Run("of many who put at once one wins", func(t *testing.T) {
		s := open(t)
		r, err := s.Open(t.Context(), opened())
		if err != nil {
			t.Fatal(err)
		}
		var won atomic.Int64
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := s.Put(t.Context(), r); err == nil {
					won.Add(1)
				} else if !errors.Is(err, ErrConflict) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got := won.Load(); got != 1 {
			t.Errorf("%d puts of one version were taken, want 1", got)
		}
	})
}

func TestMemory(t *testing.T) {
	testStore(t, func(*testing.T) Store { return &Memory{} })
}

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

func TestMemoryRefusesWhatHasNoJSON(t *testing.T) {
	var m Memory
	bad := opened()
	bad.Alarm.To = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	if got, err := m.Open(t.Context(), bad); err == nil || !strings.Contains(err.Error(), bad.ID) {
		t.Errorf("Open = %+v, %v, want an error that names the incident", got, err)
	}
	if _, err := m.Load(t.Context(), bad.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("Load = %v, want ErrNotFound", err)
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
