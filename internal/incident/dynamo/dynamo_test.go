package dynamo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/awstest"
	"nightlatch/internal/grant"
	"nightlatch/internal/incident"
	"nightlatch/internal/incident/storetest"
)

func TestTheTable(t *testing.T) {
	f, cfg := newFront(t, awstest.Moto(t))
	tables := 0
	table := func(t *testing.T) *Store {
		tables++
		return newTable(t, cfg, fmt.Sprint("incidents-", tables))
	}
	t.Run("keeps a store's promises", func(t *testing.T) {
		storetest.Suite(t, func(t *testing.T) incident.Store { return table(t) })
		t.Logf("the largest item has %d bytes of %d", f.largest, 400<<10)
	})
	for name, test := range map[string]func(*testing.T, *front, *Store){
		"what went through this process is put in one call":    inOneCall,
		"what the checks remember is put over once":            remembersChecks,
		"what another process has put is seen":                 anotherProcess,
		"an answer that is lost once is asked for again":       lostOnce,
		"an answer that stays lost leaves the call repeatable": lostForGood,
		"what others write at the same moment is waited for":   contention,
		"a load between two items of a put reads again":        torn,
		"a log that somebody has changed is not believed":      tampered,
		"a list of more than a page is read to its end":        pages,
		"nothing but the record changes with a put":            untouched,
		"a record that is larger than a transaction is named":  tooLarge,
	} {
		t.Run(name, func(t *testing.T) { test(t, f, table(t)) })
	}
}

// opened opens an incident that another process knows nothing of.
func opened(t *testing.T, s *Store, id string) incident.Record {
	t.Helper()
	r, err := s.Open(t.Context(), storetest.Opened(id))
	if err != nil {
		t.Fatal(err)
	}
	r.Writer = "me"
	return r
}

// Of two who have loaded the same version, one puts; the incidents are none of its business.
func remembersChecks(t *testing.T, _ *front, s *Store) {
	if body, version, err := s.Doctor(t.Context()); body != "" || version != 0 || err != nil {
		t.Fatalf("got %q, %d, %v", body, version, err)
	}
	for i, body := range []string{`{"a":1}`, `{"b":2}`} {
		if err := s.SetDoctor(t.Context(), body, int64(i)); err != nil {
			t.Fatal(err)
		}
		if err := s.SetDoctor(t.Context(), "{}", int64(i)); !errors.Is(err, incident.ErrConflict) {
			t.Errorf("put over version %d twice: %v", i, err)
		}
		if got, version, err := s.Doctor(t.Context()); got != body || version != int64(i+1) || err != nil {
			t.Errorf("got %q, %d, %v", got, version, err)
		}
	}
	if all, err := s.Unclosed(t.Context()); len(all) != 0 || err != nil {
		t.Errorf("it is among the incidents: %v, %v", all, err)
	}
}

// another is the same table, seen by another process.
func another(s *Store) *Store {
	return &Store{table: s.table, client: s.client, heads: map[string]head{}}
}

func inOneCall(t *testing.T, f *front, s *Store) {
	r := opened(t, s, "a")
	f.count("GetItem")
	f.count("Query")
	f.count("TransactWriteItems")
	for range 5 {
		r.Note(storetest.FiredAt, "a line")
		var err error
		if r, err = s.Put(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if puts, gets, queries := f.count("TransactWriteItems"), f.count("GetItem"), f.count("Query"); puts != 5 || gets+queries != 0 {
		t.Errorf("five puts took %d transactions and %d reads", puts, gets+queries)
	}
	other := another(s)
	if r, err := other.Load(t.Context(), "a"); err != nil || len(r.Log) != 5 {
		t.Errorf("Load = %+v, %v", r, err)
	} else if _, err := other.Put(t.Context(), r); err != nil || f.count("GetItem") != 0 {
		t.Errorf("a put of what was loaded: %v, with a read", err)
	}
	for i := range 2 * remembered {
		s.remember(fmt.Sprint(i), head{version: 1})
	}
	if len(s.heads) > remembered {
		t.Errorf("a process remembers %d heads", len(s.heads))
	}
}

func anotherProcess(t *testing.T, f *front, s *Store) {
	r := opened(t, s, "a")
	theirs, err := another(s).Load(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	theirs.Writer = "you"
	theirs.Note(storetest.FiredAt, "theirs")
	if theirs, err = another(s).Put(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	// While s reads whether its put has taken effect, theirs does.
	theirs.Writer = "me"
	stale := theirs
	if theirs, err = another(s).Put(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	theirs.Writer = "you"
	if theirs, err = another(s).Put(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	f.fail("GetItem", fault{status: 200, body: `{"Item":{"version":{"N":"3"},"writer":{"S":"me"},"entries":{"N":"1"},"logs":{"N":"1"},"parts":{"N":"0"}}}`}, none)
	if got, err := s.Put(t.Context(), stale); !errors.Is(err, incident.ErrConflict) || got.ID != "" {
		t.Errorf("Put of what others have put over meanwhile = %+v, %v", got, err)
	}
	f.fail("GetItem")

	r.Note(storetest.FiredAt, "mine")
	if got, err := s.Put(t.Context(), r); !errors.Is(err, incident.ErrConflict) || !strings.Contains(err.Error(), `version 4 by "you"`) {
		t.Errorf("Put of what is old = %+v, %v", got, err)
	}
	// A record that came by another way than this store: its log is compared all the same.
	theirs.Log[0].What = "nothing"
	if got, err := s.Put(t.Context(), theirs); !errors.Is(err, incident.ErrRewritten) {
		t.Errorf("Put of another log = %+v, %v", got, err)
	}
	theirs.Log[0].What = "theirs"
	if got, err := s.Put(t.Context(), theirs); err != nil || got.Version != 5 {
		t.Errorf("Put = %+v, %v", got, err)
	}
}

func lostOnce(t *testing.T, f *front, s *Store) {
	for name, lost := range map[string]fault{
		"before it took effect":        {cut: true},
		"after it took effect":         {cut: true, applied: true},
		"after it failed in appearing": {status: 500, code: "InternalServerError", applied: true},
		"in progress":                  {status: 400, code: "TransactionInProgressException", applied: true},
		"throttled":                    throttle,
	} {
		f.fail("TransactWriteItems", lost, none)
		r := opened(t, s, "a "+name)
		r.Note(storetest.FiredAt, "a line")
		f.fail("TransactWriteItems", lost, none)
		put, err := s.Put(t.Context(), r)
		if err != nil || put.Version != 2 || len(put.Log) != 1 {
			t.Errorf("%s: Put = version %d, %v, %v", name, put.Version, put.Log, err)
		}
		if got, err := another(s).Load(t.Context(), r.ID); err != nil || got.Version != 2 || len(got.Log) != 1 {
			t.Errorf("%s: Load = version %d, %v, %v", name, got.Version, got.Log, err)
		}
	}
	f.fail("TransactWriteItems", fault{cut: true, applied: true}, none)
	if b, err := s.SetBrakes(t.Context(), incident.Brakes{By: "me"}); err != nil || b.Version != 1 {
		t.Errorf("SetBrakes: %+v, %v", b, err)
	}
	f.fail("PutItem", fault{cut: true, applied: true}, none)
	l := incident.Lease{Name: "a", Holder: "me", Now: storetest.FiredAt, Until: storetest.FiredAt.Add(time.Minute)}
	if err := s.Lease(t.Context(), l); err != nil {
		t.Errorf("Lease: %v", err)
	}
}

func lostForGood(t *testing.T, f *front, s *Store) {
	for name, lost := range map[string]fault{
		"cut": {cut: true, applied: true}, "failed": {status: 500, code: "InternalServerError", applied: true}, "strange": {status: 502, body: "<html>", applied: true},
	} {
		first := storetest.Opened("a " + name)
		first.Writer = "me"
		first.Note(storetest.FiredAt, "it fired")
		f.fail("TransactWriteItems", lost)
		if got, err := s.Open(t.Context(), first); err == nil || got.ID != "" || errors.Is(err, incident.ErrConflict) {
			t.Errorf("%s: Open whose answers are lost = %+v, %v", name, got, err)
		}
		f.fail("TransactWriteItems")
		r, err := s.Open(t.Context(), first)
		if err != nil || r.Version != 1 || len(r.Log) != 1 {
			t.Errorf("%s: Open again = %+v, %v", name, r, err)
		}

		r.Note(storetest.FiredAt, "mine")
		f.fail("TransactWriteItems", lost)
		if got, err := s.Put(t.Context(), r); err == nil || got.ID != "" || errors.Is(err, incident.ErrConflict) {
			t.Errorf("%s: Put whose answers are lost = %+v, %v", name, got, err)
		}
		f.fail("TransactWriteItems")
		put, err := s.Put(t.Context(), r)
		if err != nil || put.Version != 2 || len(put.Log) != 2 {
			t.Errorf("%s: Put again = version %d, %v, %v", name, put.Version, put.Log, err)
		}
		r.Writer = "you"
		if _, err := s.Put(t.Context(), r); !errors.Is(err, incident.ErrConflict) {
			t.Errorf("%s: Put by another = %v", name, err)
		}
	}
	// A put whose answer comes never ends with its context, and is repeatable too.
	r := opened(t, s, "hanging")
	r.Note(storetest.FiredAt, "mine")
	f.fail("TransactWriteItems", fault{hang: true, applied: true})
	ctx, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	if got, err := s.Put(ctx, r); err == nil || !strings.Contains(err.Error(), "did not answer in time") || got.ID != "" {
		t.Errorf("Put that hangs = %+v, %v", got, err)
	}
	f.fail("TransactWriteItems")
	if got, err := s.Put(t.Context(), r); err != nil || got.Version != 2 || len(got.Log) != 1 {
		t.Errorf("Put after one that hung = %+v, %v", got, err)
	}
}

func contention(t *testing.T, f *front, s *Store) {
	r := opened(t, s, "a")
	for _, reason := range []string{"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"} {
		f.fail("TransactWriteItems", cancel(reason), cancel("None", reason), none)
		var err error
		if r, err = s.Put(t.Context(), r); err != nil {
			t.Fatalf("%s: %v", reason, err)
		}
		f.fail("TransactWriteItems", cancel(reason), none)
		opened(t, s, "an incident that is opened with "+reason)
	}
	f.fail("TransactWriteItems", cancel("TransactionConflict"))
	if got, err := s.Put(t.Context(), r); err == nil || !strings.Contains(err.Error(), "others write it") || got.ID != "" {
		t.Errorf("Put that always conflicts = %+v, %v", got, err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	if _, err := s.Put(ctx, r); err == nil || !strings.Contains(err.Error(), "in time") {
		t.Errorf("Put that conflicts until its context ends: %v", err)
	}
	f.fail("TransactWriteItems")
	if _, err := s.Put(t.Context(), r); err != nil {
		t.Error(err)
	}
}

func torn(t *testing.T, f *front, s *Store) {
	large := storetest.Opened("a")
	large.MetricError = storetest.Noise(600 << 10)
	large.Note(storetest.FiredAt, "the first line")
	r, err := s.Open(t.Context(), large)
	if err != nil {
		t.Fatal(err)
	}
	r.Note(storetest.FiredAt, "the last line")
	if r, err = s.Put(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for _, sk := range []string{partKey(1), logKey(0), logKey(1), RecordKey} {
		f.fail("Query", fault{hide: sk}, fault{hide: sk}, none)
		got, err := another(s).Load(t.Context(), "a")
		if diff := cmp.Diff(r, got, storetest.Ignore); err != nil || diff != "" {
			t.Errorf("Load without %s at first = %v, %.500s", sk, err, diff)
		}
	}
	f.fail("Query", fault{hide: logKey(1)})
	if got, err := s.Load(t.Context(), "a"); !errors.Is(err, errTorn) || errors.Is(err, incident.ErrNotFound) || got.ID != "" {
		t.Errorf("Load of what is never whole = version %d, %v", got.Version, err)
	}
	f.fail("Query")
	// A part of another version is none of this one.
	large.Log = nil
	_, first, older, err := encode(large, head{})
	if err != nil {
		t.Fatal(err)
	}
	large.MetricError = "x" + large.MetricError
	_, _, newer, err := encode(large, first)
	if err != nil {
		t.Fatal(err)
	}
	for _, mixed := range [][]item{{older[0].item, newer[1].item}, {newer[0].item, older[1].item}} {
		if got, _, err := decode("a", mixed); !errors.Is(err, errTorn) || got.ID != "" {
			t.Errorf("a record of two versions decodes: %v", err)
		}
	}
	// What a newer put has written beside the record is not the record's.
	line := older[1].item
	line["sk"] = text(logKey(2))
	if _, err := s.client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &s.table, Item: line}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Load(t.Context(), "a"); err != nil || len(got.Log) != len(r.Log) {
		t.Errorf("Load beside a newer put = %d lines, %v", len(got.Log), err)
	}
}

func tampered(t *testing.T, _ *front, s *Store) {
	r := opened(t, s, "a")
	r.Note(storetest.FiredAt, "contained")
	if _, err := s.Put(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	r.Log[0].What = "nothing happened"
	_, _, items, err := encode(r, head{version: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range items {
		if i.kind != isLog {
			continue
		}
		if _, err := s.client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &s.table, Item: i.item}); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Load(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "not what the responder stored") || got.ID != "" {
		t.Errorf("Load = %+v, %v", got, err)
	}
}

func pages(t *testing.T, f *front, s *Store) {
	// moto ends a page at 1 MB as DynamoDB does, so that large subjects make many.
	const incidents = 60
	for i := range incidents {
		r := storetest.Opened(fmt.Sprint("i-", i))
		r.Opened = storetest.FiredAt.Add(time.Duration(i) * time.Second)
		r.Notified = []incident.Notice{{Subject: strings.Repeat("x", 40<<10)}}
		if _, err := s.Open(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	f.count("Query")
	for _, n := range []int{incidents, incidents + 1} {
		all, err := s.Recent(t.Context(), n)
		if err != nil || len(all) != incidents || all[0].ID != fmt.Sprint("i-", incidents-1) {
			t.Errorf("Recent = %d, %v", len(all), err)
		}
	}
	all, err := s.Unclosed(t.Context())
	if err != nil || len(all) != incidents || all[0].ID != "i-0" {
		t.Errorf("Unclosed = %d, %v", len(all), err)
	}
	t.Logf("%d queries for three lists", f.count("Query"))
}

func untouched(t *testing.T, _ *front, s *Store) {
	items := func() map[string]item {
		t.Helper()
		out, err := s.client.Scan(t.Context(), &dynamodb.ScanInput{TableName: &s.table, ConsistentRead: aws.Bool(true)})
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]item{}
		for _, i := range out.Items {
			all[textOf(i, "pk")+" "+textOf(i, "sk")] = i
		}
		return all
	}
	r := opened(t, s, "a")
	r.Note(storetest.FiredAt, "one")
	r.Note(storetest.FiredAt, "two")
	r, err := s.Put(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	before := items()
	r.Note(storetest.FiredAt, "three")
	r.Writer = "you"
	r.Closed = storetest.FiredAt.Add(time.Hour)
	if _, err := s.Put(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	after := items()
	if len(before) != 2 || len(after) != 3 {
		t.Errorf("%d items became %d", len(before), len(after))
	}
	record := after["incident#a record"]
	for name, want := range map[string]string{"writer": "you", "opened": "2026-03-04T00:03:40.000000000Z", "closed": "2026-03-04T01:03:40.000000000Z", "list": listOf("a", true)} {
		if got := textOf(record, name); got != want {
			t.Errorf("the record's %s is %q, want %q", name, got, want)
		}
	}
	if int64Of(record, "version") != 3 || int64Of(record, "entries") != 3 || int64Of(record, "logs") != 2 {
		t.Errorf("the record is %v", record)
	}
	if string(bytesOf(before["incident#a log#00000000"], "body")) != string(bytesOf(after["incident#a log#00000000"], "body")) {
		t.Error("a line that was stored has changed")
	}
}

func tooLarge(t *testing.T, f *front, s *Store) {
	r := storetest.Opened("a")
	r.MetricError = storetest.Noise(8 << 20)
	f.count("TransactWriteItems")
	if got, err := s.Open(t.Context(), r); err == nil || !strings.Contains(err.Error(), `incident "a": it has grown to`) || got.ID != "" || f.count("TransactWriteItems") != 0 {
		t.Errorf("Open = %v", err)
	}
}

func TestIncidentsSpreadOverTheLists(t *testing.T) {
	lists := map[string]int{}
	const incidents = 10000
	for i := range incidents {
		lists[listOf(fmt.Sprintf("20260304-%06d-0123456789abcdef", i), false)]++
	}
	for name, n := range lists {
		if n < incidents/shards*9/10 || n > incidents/shards*11/10 {
			t.Errorf("of %d incidents %d are in %s", incidents, n, name)
		}
	}
	if len(lists) != shards {
		t.Errorf("%d lists: %v", len(lists), lists)
	}
}

func TestFailuresAreSentences(t *testing.T) {
	const id = "20260304-000340-0123456789abcdef"
	loaded := storetest.Opened(id)
	loaded.Version = 1
	for name, do := range map[string]struct {
		operation string
		call      func(context.Context, *Store) error
		prefix    string
		denied    string
	}{
		"put": {"TransactWriteItems", func(ctx context.Context, s *Store) error {
			s.remember(id, head{version: 1})
			_, err := s.Put(ctx, loaded)
			return err
		},
			`incident "` + id + `": `, `the function's role may not call dynamodb:PutItem on table "incidents" (AWS: "no"); grant it`},
		"put of what another process loaded": {"GetItem", func(ctx context.Context, s *Store) error { _, err := s.Put(ctx, loaded); return err },
			`incident "` + id + `": `, `the function's role may not call dynamodb:GetItem on table "incidents" (AWS: "no"); grant it`},
		"open": {"TransactWriteItems", func(ctx context.Context, s *Store) error { _, err := s.Open(ctx, loaded); return err },
			`incident "` + id + `": `, `the function's role may not call dynamodb:PutItem on table "incidents" (AWS: "no"); grant it`},
		"load": {"Query", func(ctx context.Context, s *Store) error { _, err := s.Load(ctx, id); return err },
			`incident "` + id + `": `, `the function's role may not call dynamodb:Query on table "incidents" (AWS: "no"); grant it`},
		"list": {"Query", func(ctx context.Context, s *Store) error { _, err := s.Unclosed(ctx); return err },
			"the incidents: ", `the function's role may not call dynamodb:Query on table "incidents/index/lists" (AWS: "no"); grant it`},
		"brakes": {"GetItem", func(ctx context.Context, s *Store) error { _, err := s.Brakes(ctx); return err },
			"the mode and the holds: ", `the function's role may not call dynamodb:GetItem on table "incidents" (AWS: "no"); grant it`},
		"doctor":     {"GetItem", func(ctx context.Context, s *Store) error { _, _, err := s.Doctor(ctx); return err }, "what the checks remember", "dynamodb:GetItem"},
		"doctor set": {"PutItem", func(ctx context.Context, s *Store) error { return s.SetDoctor(ctx, "{}", 0) }, "what the checks remember", "dynamodb:PutItem"},
		"brakes set": {"TransactWriteItems", func(ctx context.Context, s *Store) error { _, err := s.SetBrakes(ctx, incident.Brakes{}); return err },
			"the mode and the holds: ", `the function's role may not call dynamodb:PutItem on table "incidents" (AWS: "no"); grant it`},
		"lease": {"PutItem", func(ctx context.Context, s *Store) error { return s.Lease(ctx, incident.Lease{Name: "work"}) },
			`lease "work": `, `the function's role may not call dynamodb:PutItem on table "incidents" (AWS: "no"); grant it`},
	} {
		for _, c := range []struct {
			ft   fault
			want string
		}{
			{deny, do.denied},
			{throttle, "DynamoDB is throttling the table's calls; try again"},
			{fault{status: 400, code: "ProvisionedThroughputExceededException"}, "DynamoDB is throttling the table's calls"},
			{fault{status: 400, code: "TransactionInProgressException"}, "DynamoDB is throttling the table's calls"},
			{fault{status: 400, code: "ResourceNotFoundException"}, "there is no such table or index in this region; deploy again"},
			{fault{status: 400, code: "UnrecognizedClientException"}, "AWS does not accept the credentials; renew them"},
			{fault{status: 400, code: "ValidationException"}, `DynamoDB refused with "no" (ValidationException); see`},
			{fault{status: 400, code: "IdempotentParameterMismatchException"}, `DynamoDB refused with "no" (IdempotentParameterMismatchException); see`},
			{cancel("None", "ValidationError"), `DynamoDB refused an item with "no" (ValidationError); see`},
			{fault{status: 500, code: "InternalServerError"}, "DynamoDB failed on its side (HTTP 500); try again"},
			{fault{status: 503, body: "busy"}, "DynamoDB failed on its side (HTTP 503); try again"},
			{fault{status: 404, body: "<html>"}, "the answer (HTTP 404) is not DynamoDB's; see whether a proxy"},
			{fault{cut: true}, "no answer came: "},
			{fault{hang: true}, "DynamoDB did not answer in time; try again"},
		} {
			if c.ft.reasons != nil && do.operation != "TransactWriteItems" {
				continue
			}
			t.Run(name+", "+c.want, func(t *testing.T) {
				t.Parallel()
				f, cfg := newFront(t, "")
				s, err := New(cfg, "incidents")
				if err != nil {
					t.Fatal(err)
				}
				f.fail(do.operation, c.ft)
				ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
				if c.ft.hang {
					ctx, stop = context.WithTimeout(t.Context(), 200*time.Millisecond)
				}
				defer stop()
				err = do.call(ctx, s)
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), do.prefix) || strings.Contains(err.Error(), "\n") ||
					errors.Is(err, incident.ErrConflict) || errors.Is(err, incident.ErrNotFound) || errors.As(err, new(incident.Held)) {
					t.Errorf("got %v", err)
				}
			})
		}
	}
	t.Run("a run that has ended", func(t *testing.T) {
		_, cfg := newFront(t, "")
		s, err := New(cfg, "incidents")
		if err != nil {
			t.Fatal(err)
		}
		gone, stop := context.WithCancel(t.Context())
		stop()
		if _, err := s.Load(gone, id); err == nil || !strings.Contains(err.Error(), "the run was ended before DynamoDB answered") {
			t.Errorf("got %v", err)
		}
	})
}

func TestWhatTheStoreNeeds(t *testing.T) {
	_, cfg := newFront(t, "")
	for want, bad := range map[string]func() (aws.Config, string){
		"needs a region":     func() (aws.Config, string) { c := cfg.Copy(); c.Region = ""; return c, "incidents" },
		"needs credentials":  func() (aws.Config, string) { c := cfg.Copy(); c.Credentials = nil; return c, "incidents" },
		"needs a table":      func() (aws.Config, string) { return cfg, "" },
		"is not the name of": func() (aws.Config, string) { return cfg, "arn:aws:dynamodb:eu-west-1:111122223333:table/incidents" },
	} {
		if s, err := New(bad()); s != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v, %v, want %q", s, err, want)
		}
	}
	want := []grant.Grant{
		{Sid: "KeepIncidents", Actions: []string{"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"}, On: []string{"${Table}"}},
		{Sid: "ListIncidents", Actions: []string{"dynamodb:Query"}, On: []string{"${Table}/index/lists"}},
	}
	if diff := cmp.Diff(want, Grants()); diff != "" {
		t.Errorf("Grants (-want +got):\n%s", diff)
	}
}
