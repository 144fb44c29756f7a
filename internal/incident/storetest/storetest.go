// Package storetest holds what every incident.Store promises, as tests.
package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
)

// FiredAt is when the records of the suite are opened.
var FiredAt = time.Date(2026, 3, 4, 0, 3, 40, 0, time.UTC)

// Ignore is what a store need not keep: an actor's principal is needed between two answers of the trail only.
var Ignore = cmpopts.IgnoreUnexported(evidence.Actor{})

// Opened is a record of which little is known yet.
func Opened(id string) incident.Record {
	return incident.Record{Schema: incident.Schema, ID: id, Opened: FiredAt, Deadline: FiredAt.Add(time.Hour)}
}

// Whole is a record with something in every exported field, so that one which is forgotten on the way into a store or out of it is seen.
func Whole() incident.Record {
	var r incident.Record
	n := 0
	fill(reflect.ValueOf(&r).Elem(), &n)
	r.ID = "20260304-000340-0123456789abcdef"
	r.History = nil // is not stored
	return r
}

// fill sets every exported field below v to something that is not its zero value. n makes the values differ.
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
			v.Set(reflect.ValueOf(FiredAt.Add(time.Duration(*n)*time.Minute + 431*time.Millisecond)))
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

// Noise is n letters that no compression makes smaller than six bits each.
func Noise(n int) string { return noise(rand.New(rand.NewPCG(1, 2)), n) }

func noise(random *rand.Rand, n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[random.IntN(len(letters))]
	}
	return string(b)
}

// Big is a record as large as the evidence may make it. It has 50 actors with 20 origins and agents each, their strings 256 bytes of Noise,
// and a log of 1,000 entries.
func Big(id string) incident.Record {
	r, random := Opened(id), rand.New(rand.NewPCG(1, 2))
	text := func(n int) string { return noise(random, n) }
	counts := func() map[string]int64 {
		m := map[string]int64{}
		for range evidence.MaxDetails {
			m[text(63)] = random.Int64()
		}
		return m
	}
	for range evidence.MaxActors {
		a := evidence.Actor{AccessKeyID: text(128), PrincipalARN: text(256), PrincipalID: text(256), UserName: text(256), Session: text(256),
			Calls: counts(), Errors: counts(), Buckets: counts()}
		for range evidence.MaxDetails {
			a.Origins = append(a.Origins, evidence.Origin{Network: text(256), VPCEndpoint: text(256), VPCEndpointAccount: text(256), Bytes: random.Int64()})
			a.Agents = append(a.Agents, text(256))
		}
		r.Evidence.Actors = append(r.Evidence.Actors, a)
	}
	for i := range 1000 {
		r.Note(FiredAt.Add(time.Duration(i)*time.Second), text(200))
	}
	return r
}

// Suite checks a store's promises. open makes an empty one.
func Suite(t *testing.T, open func(*testing.T) incident.Store) {
	for name, test := range map[string]func(*testing.T, incident.Store){
		"open, load, put": openLoadPut,
		"an empty record keeps what is not known apart from zero":   empty,
		"a second alarm joins the first":                            joins,
		"an open that seemed lost may be repeated":                  openTwice,
		"a put of what was changed meanwhile":                       stale,
		"a put that seemed lost may be repeated":                    putTwice,
		"what is not there":                                         absent,
		"what a caller keeps is its own":                            own,
		"of many who put at once one wins":                          race,
		"whoever puts again after a conflict loses nothing":         everybody,
		"the log only grows":                                        grows,
		"the unclosed, in the order of their opening":               unclosed,
		"the latest, newest first":                                  recent,
		"a lease has one holder":                                    lease,
		"of many who want a lease at once one gets it":              leaseRace,
		"the brakes are what was set last":                          brakes,
		"of many who set the brakes at once one does":               brakesRace,
		"a record as large as it may become, with a thousand lines": big,
		"hostile names and texts":                                   hostile,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func mustOpen(t *testing.T, s incident.Store, r incident.Record) incident.Record {
	t.Helper()
	got, err := s.Open(t.Context(), r)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return got
}

func mustPut(t *testing.T, s incident.Store, r incident.Record) incident.Record {
	t.Helper()
	got, err := s.Put(t.Context(), r)
	if err != nil {
		t.Fatalf("Put: %v", err)
	}
	return got
}

func mustLoad(t *testing.T, s incident.Store, id string) incident.Record {
	t.Helper()
	got, err := s.Load(t.Context(), id)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return got
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, Ignore); diff != "" {
		t.Errorf("%s (-want +got):\n%.4000s", what, diff)
	}
}

// refused checks that a put or load gave the error and nothing else.
func refused(t *testing.T, what string, got incident.Record, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || !reflect.DeepEqual(got, incident.Record{}) {
		t.Errorf("%s = %+v, %v, want nothing but %q", what, got, err, want)
	}
}

func openLoadPut(t *testing.T, s incident.Store) {
	want := Whole()
	want.Version = 1
	first := mustOpen(t, s, Whole())
	same(t, "Open", want, first)
	loaded := mustLoad(t, s, first.ID)
	same(t, "Load", first, loaded)
	loaded.Note(FiredAt, "changed")
	put := mustPut(t, s, loaded)
	loaded.Version = 2
	same(t, "Put", loaded, put)
	same(t, "Load after Put", put, mustLoad(t, s, first.ID))
}

func empty(t *testing.T, s incident.Store) {
	want := Opened("a")
	want.Version = 1
	got := mustOpen(t, s, Opened("a"))
	same(t, "Open", want, got)
	if !got.Judged.IsZero() || !got.Closed.IsZero() || got.History != nil || got.Alarm.Bytes != nil || got.Evidence.Explained != nil {
		t.Errorf("something is known: %+v", got)
	}
	same(t, "Load", want, mustLoad(t, s, "a"))
}

func joins(t *testing.T, s incident.Store) {
	first := mustOpen(t, s, Opened("a"))
	first.Note(FiredAt, "under way")
	first = mustPut(t, s, first)
	second := Opened("a")
	second.Opened, second.Writer = FiredAt.Add(time.Hour), "another"
	second.Note(FiredAt, "the second alarm")
	same(t, "Open of the second alarm", first, mustOpen(t, s, second))
	same(t, "Load", first, mustLoad(t, s, "a"))
	if got := mustOpen(t, s, Opened("another")); got.Version != 1 || len(got.Log) != 0 {
		t.Errorf("Open(another) = %+v", got)
	}
}

func openTwice(t *testing.T, s incident.Store) {
	r := Opened("a")
	r.Writer = "me"
	r.Note(FiredAt, "it fired")
	first := mustOpen(t, s, r)
	same(t, "Open again", first, mustOpen(t, s, r))
	if len(first.Log) != 1 || first.Version != 1 {
		t.Errorf("Open = version %d, log %v", first.Version, first.Log)
	}
}

func stale(t *testing.T, s incident.Store) {
	first := mustOpen(t, s, Opened("a"))
	mustPut(t, s, first)
	first.Note(FiredAt, "late")
	for _, version := range []int64{-1, 0, 1, 3, 1 << 40} {
		first.Version = version
		got, err := s.Put(t.Context(), first)
		refused(t, fmt.Sprintf("Put(version %d)", version), got, err, incident.ErrConflict)
	}
	if got := mustLoad(t, s, first.ID); got.Version != 2 || len(got.Log) != 0 {
		t.Errorf("Load = version %d, log %v, want what was put first", got.Version, got.Log)
	}
}

func putTwice(t *testing.T, s incident.Store) {
	opened := mustOpen(t, s, Opened("a"))
	mine := opened
	mine.Writer, mine.Mode = "me", "ask"
	mine.Note(FiredAt, "mine")
	first := mustPut(t, s, mine)
	same(t, "Put again", first, mustPut(t, s, mine))
	same(t, "Load", first, mustLoad(t, s, "a"))

	other := opened
	other.Writer = "another"
	got, err := s.Put(t.Context(), other)
	refused(t, "Put by another", got, err, incident.ErrConflict)
	other.Writer = ""
	got, err = s.Put(t.Context(), other)
	refused(t, "Put by nobody", got, err, incident.ErrConflict)

	next := first
	next.Writer = "another"
	next = mustPut(t, s, next)
	got, err = s.Put(t.Context(), mine)
	refused(t, "Put again after another's", got, err, incident.ErrConflict)

	next.Writer = ""
	mustPut(t, s, next)
	got, err = s.Put(t.Context(), next)
	refused(t, "Put again without a name", got, err, incident.ErrConflict)
}

func absent(t *testing.T, s incident.Store) {
	mustOpen(t, s, Opened("a"))
	for _, id := range []string{"none", "", "A", "a ", strings.Repeat("x", 3000), "\xff", "a\x00"} {
		got, err := s.Load(t.Context(), id)
		refused(t, fmt.Sprintf("Load(%.10q)", id), got, err, incident.ErrNotFound)
		got, err = s.Put(t.Context(), Opened(id))
		refused(t, fmt.Sprintf("Put(%.10q)", id), got, err, incident.ErrNotFound)
	}
}

func own(t *testing.T, s incident.Store) {
	mine := Whole()
	got := mustOpen(t, s, mine)
	mine.Log[0].What, got.Log[0].What, got.Outcomes[0].Step.Runbook[0], *got.Alarm.Bytes = "x", "x", "x", 7
	want := Whole()
	want.Version = 1
	same(t, "Load", want, mustLoad(t, s, mine.ID))
}

func race(t *testing.T, s incident.Store) {
	r := mustOpen(t, s, Opened("a"))
	var won atomic.Int64
	var winner atomic.Value
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			mine := r
			mine.Writer = fmt.Sprint("writer-", i)
			if i%2 == 0 { // not every put has a line for the log
				mine.Note(FiredAt, mine.Writer)
			}
			if _, err := s.Put(t.Context(), mine); err == nil {
				won.Add(1)
				winner.Store(mine.Writer)
			} else if !errors.Is(err, incident.ErrConflict) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	got := mustLoad(t, s, "a")
	if won.Load() != 1 || got.Version != 2 || got.Writer != winner.Load() || len(got.Log) > 1 || len(got.Log) == 1 && got.Log[0].What != got.Writer {
		t.Errorf("%d puts of one version were taken, the last of %v; version %d by %q with log %v is stored", won.Load(), winner.Load(), got.Version, got.Writer, got.Log)
	}
}

func everybody(t *testing.T, s incident.Store) {
	mustOpen(t, s, Opened("a"))
	const writers = 6
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			for {
				r, err := s.Load(t.Context(), "a")
				if err != nil {
					t.Error(err)
					return
				}
				r.Writer = fmt.Sprint("writer-", i)
				r.Note(FiredAt.Add(time.Duration(len(r.Log))*time.Second), r.Writer)
				_, err = s.Put(t.Context(), r)
				if err == nil {
					return
				}
				if !errors.Is(err, incident.ErrConflict) {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	got := mustLoad(t, s, "a")
	seen := map[string]bool{}
	for i, e := range got.Log {
		seen[e.What] = true
		if !e.At.Equal(FiredAt.Add(time.Duration(i) * time.Second)) {
			t.Errorf("entry %d is of %v", i, e.At)
		}
	}
	if len(got.Log) != writers || len(seen) != writers || got.Version != writers+1 {
		t.Errorf("version %d with log %v, want one line of each of %d writers", got.Version, got.Log, writers)
	}
}

func grows(t *testing.T, s incident.Store) {
	r := mustOpen(t, s, Opened("a"))
	var want []incident.Entry
	for i := range 40 { // some puts say nothing, some much
		for j := range i % 4 {
			r.Note(FiredAt.Add(time.Duration(i)*time.Minute), fmt.Sprintf("put %d, line %d", i, j))
		}
		want = append(want[:0:0], r.Log...)
		r = mustPut(t, s, r)
		same(t, "the log of a put", want, r.Log)
	}
	same(t, "the log of a load", want, mustLoad(t, s, "a").Log)
	before := mustLoad(t, s, "a")
	for name, log := range map[string][]incident.Entry{
		"nothing":        nil,
		"less":           want[:len(want)-1],
		"changed":        append([]incident.Entry{{At: FiredAt, What: "it was not me"}}, want[1:]...),
		"at other times": append([]incident.Entry{{At: want[0].At.Add(time.Second), What: want[0].What}}, want[1:]...),
		"in front":       append([]incident.Entry{{At: FiredAt, What: "more"}}, want...),
	} {
		rewritten := before
		rewritten.Log = log
		got, err := s.Put(t.Context(), rewritten)
		refused(t, "Put of a log with "+name, got, err, incident.ErrRewritten)
	}
	same(t, "Load after puts of another log", before, mustLoad(t, s, "a"))
	// The same moment in another zone is the same entry.
	zoned := before
	zoned.Log = append([]incident.Entry(nil), want...)
	zoned.Log[0].At = zoned.Log[0].At.In(time.FixedZone("", 3600))
	mustPut(t, s, zoned)
}

// opens opens n incidents, a minute apart.
func opens(t *testing.T, s incident.Store, n int) []incident.Record {
	t.Helper()
	var all []incident.Record
	for i := range n {
		r := Opened(fmt.Sprintf("%c-%d", 'z'-i%26, i)) // not in the order of their names
		r.Opened = FiredAt.Add(time.Duration(i) * time.Minute)
		all = append(all, mustOpen(t, s, r))
	}
	return all
}

func briefs(all []incident.Record) []incident.Brief {
	var out []incident.Brief
	for _, r := range all {
		out = append(out, r.Brief())
	}
	return out
}

func unclosed(t *testing.T, s incident.Store) {
	list := func() []incident.Brief {
		t.Helper()
		got, err := s.Unclosed(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := list(); len(got) != 0 {
		t.Errorf("Unclosed of nothing = %v", got)
	}
	all := opens(t, s, 30)
	same(t, "Unclosed", briefs(all), list())

	all[3].Notified, all[3].Escalated = []incident.Notice{{Channel: "sns", Subject: "CONTAINED é \u202e"}}, FiredAt.Add(15*time.Minute)
	all[3] = mustPut(t, s, all[3])
	if b := all[3].Brief(); b.Subject == "" || b.State() != "escalated" {
		t.Errorf("the brief has no subject, or is not escalated: %+v", b)
	}
	same(t, "Unclosed after a put", briefs(all), list())

	closing := all[5]
	closing.Closed = FiredAt.Add(time.Hour)
	mustPut(t, s, closing)
	all = append(all[:5:5], all[6:]...)
	same(t, "Unclosed after a close", briefs(all), list())
	opened := Opened("closed")
	opened.Closed = FiredAt
	mustOpen(t, s, opened)
	same(t, "Unclosed after one was opened that was closed already", briefs(all), list())
	if _, err := s.Put(t.Context(), closing); !errors.Is(err, incident.ErrConflict) {
		t.Fatal(err)
	}
	same(t, "Unclosed after a conflict", briefs(all), list())
}

func recent(t *testing.T, s incident.Store) {
	all := opens(t, s, 40)
	for _, i := range []int{38, 4} {
		all[i].Closed = FiredAt.Add(time.Hour)
		all[i] = mustPut(t, s, all[i])
	}
	newest := briefs(all)
	for i, j := 0, len(newest)-1; i < j; i, j = i+1, j-1 {
		newest[i], newest[j] = newest[j], newest[i]
	}
	for _, n := range []int{-1, 0, 1, 5, 40, 100} {
		got, err := s.Recent(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		want := newest[:max(0, min(n, len(newest)))]
		if len(got) != len(want) || len(want) > 0 && !cmp.Equal(want, got) {
			t.Errorf("Recent(%d) (-want +got):\n%s", n, cmp.Diff(want, got))
		}
	}
}

func lease(t *testing.T, s incident.Store) {
	at := func(minutes int) time.Time {
		return FiredAt.Add(time.Duration(minutes)*time.Minute + 123*time.Nanosecond)
	}
	for _, step := range []struct {
		what         string
		name, holder string
		now          time.Time
		until        time.Time
		held         time.Time // zero: the lease is given
	}{
		{"the first takes it", "work", "me", at(0), at(2), time.Time{}},
		{"another does not", "work", "you", at(1), at(9), at(2)},
		{"another cannot give it back", "work", "you", at(1), time.Time{}, at(2)},
		{"another lease is another's", "act", "you", at(1), at(9), time.Time{}},
		{"its holder takes it again, for longer", "work", "me", at(1), at(4), time.Time{}},
		{"and again, as if the answer had been lost", "work", "me", at(1), at(4), time.Time{}},
		{"another still does not", "work", "you", at(3), at(9), at(4)},
		{"a nanosecond before its end it is held", "work", "you", at(4).Add(-1), at(9), at(4)},
		{"at its end it is free", "work", "you", at(4), at(9), time.Time{}},
		{"the holder before does not hold it now", "work", "me", at(5), at(9), at(9)},
		{"its holder gives it back", "work", "you", at(5), time.Time{}, time.Time{}},
		{"twice", "work", "you", at(5), at(5), time.Time{}},
		{"and it is free", "work", "me", at(5), at(9), time.Time{}},
		{"for one", "work", "you", at(6), at(9), at(9)},
		{"a strange name is a name", "work#\u202e\"'$ \n", "me", at(6), at(9), time.Time{}},
		{"an incident's name is no lease's", "a", "me", at(6), at(9), time.Time{}},
	} {
		err := s.Lease(t.Context(), incident.Lease{Name: step.name, Holder: step.holder, Now: step.now, Until: step.until})
		var held incident.Held
		switch {
		case step.held.IsZero() && err != nil:
			t.Errorf("%s: %v", step.what, err)
		case !step.held.IsZero() && (!errors.As(err, &held) || !held.Until.Equal(step.held)):
			t.Errorf("%s: got %v, want it to be held until %v", step.what, err, step.held)
		}
	}
	if _, err := s.Load(t.Context(), "work"); !errors.Is(err, incident.ErrNotFound) {
		t.Errorf("Load of a lease's name = %v, want ErrNotFound", err)
	}
	if got := mustOpen(t, s, Opened("a")); got.Version != 1 {
		t.Errorf("Open of a lease's name = version %d", got.Version)
	}
}

func leaseRace(t *testing.T, s incident.Store) {
	var got atomic.Int64
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			err := s.Lease(t.Context(), incident.Lease{Name: "work", Holder: fmt.Sprint(i), Now: FiredAt, Until: FiredAt.Add(time.Minute)})
			var held incident.Held
			if err == nil {
				got.Add(1)
			} else if !errors.As(err, &held) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got.Load() != 1 {
		t.Errorf("%d hold one lease", got.Load())
	}
}

func brakes(t *testing.T, s incident.Store) {
	got, err := s.Brakes(t.Context())
	if err != nil || !reflect.DeepEqual(got, incident.Brakes{}) {
		t.Fatalf("Brakes that nobody has set = %+v, %v", got, err)
	}
	for version := range int64(3) {
		full := func() incident.Brakes {
			var b incident.Brakes
			n := int(version)
			fill(reflect.ValueOf(&b).Elem(), &n)
			b.Version = version
			return b
		}
		mine, want := full(), full()
		want.Version++
		set, err := s.SetBrakes(t.Context(), mine)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "SetBrakes", want, set)
		for _, b := range []incident.Brakes{mine, set} { // what a caller keeps is its own
			b.Holds[0].By, b.Holds[0].Origins[0], b.Contained[0] = "x", "x", time.Time{}
		}
		got, err := s.Brakes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		same(t, "Brakes", want, got)
	}
	for _, version := range []int64{-1, 0, 2, 4} {
		if got, err := s.SetBrakes(t.Context(), incident.Brakes{Version: version, By: "late"}); !errors.Is(err, incident.ErrConflict) || !reflect.DeepEqual(got, incident.Brakes{}) {
			t.Errorf("SetBrakes(version %d) = %+v, %v, want ErrConflict", version, got, err)
		}
	}
}

func brakesRace(t *testing.T, s incident.Store) {
	for version := range int64(2) { // the first there are, and the next
		var won atomic.Int64
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				if _, err := s.SetBrakes(t.Context(), incident.Brakes{Version: version, By: fmt.Sprint(i)}); err == nil {
					won.Add(1)
				} else if !errors.Is(err, incident.ErrConflict) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got, err := s.Brakes(t.Context()); won.Load() != 1 || err != nil || got.Version != version+1 {
			t.Errorf("%d set version %d; Brakes = %+v, %v", won.Load(), version, got, err)
		}
	}
}

func big(t *testing.T, s incident.Store) {
	large := Big("a")
	want := large
	want.Version = 1
	same(t, "Open", want, mustOpen(t, s, large))
	same(t, "Load", want, mustLoad(t, s, "a"))

	// One that was opened small grows, and shrinks again: nothing of the larger one is left.
	small := mustOpen(t, s, Opened("b"))
	grown := Big("b")
	grown.Version = small.Version
	grown = mustPut(t, s, grown)
	same(t, "Load of what grew", grown, mustLoad(t, s, "b"))
	grown.Evidence.Actors = nil
	shrunk := mustPut(t, s, grown)
	same(t, "Load of what shrank", shrunk, mustLoad(t, s, "b"))
	if len(shrunk.Log) != 1000 {
		t.Errorf("its log has %d lines", len(shrunk.Log))
	}
}

func hostile(t *testing.T, s incident.Store) {
	for i, text := range []string{"#", "incident#a", "lease#work", "../..", "a\nb", "${jndi:x}", "\u202eevil", `"}`, "'; DROP TABLE", "\x1b[2J", "世界", strings.Repeat("é", 500)} {
		r := Opened(text)
		r.Opened = FiredAt.Add(time.Duration(i) * time.Second)
		r.Writer, r.MetricError = text, text+"\x00"
		r.Note(FiredAt, text)
		r.Notified = []incident.Notice{{Channel: text, Subject: text}}
		want := r
		want.Version = 1
		same(t, fmt.Sprintf("Open(%q)", text), want, mustOpen(t, s, r))
		want.Note(FiredAt, text+text)
		want = mustPut(t, s, want)
		same(t, fmt.Sprintf("Load(%q)", text), want, mustLoad(t, s, text))
	}
	list, err := s.Unclosed(t.Context())
	if err != nil || len(list) != 12 || list[6].ID != "\u202eevil" || list[6].Subject != "\u202eevil" {
		t.Errorf("Unclosed = %+v, %v", list, err)
	}
	// What is no text is stored as what JSON makes of it.
	r := Opened("bytes")
	r.MetricError = "\xff"
	if got := mustOpen(t, s, r); got.MetricError != "\ufffd" {
		t.Errorf("\\xff is stored as %q", got.MetricError)
	}
	bad := Opened("no-json")
	bad.Alarm.To = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	if got, err := s.Open(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "no-json") {
		t.Errorf("Open of what has no JSON = %+v, %v, want an error that names the incident", got, err)
	}
	if _, err := s.Load(t.Context(), bad.ID); !errors.Is(err, incident.ErrNotFound) {
		t.Errorf("Load = %v, want ErrNotFound", err)
	}
}
