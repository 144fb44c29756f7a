package dynamo

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/awstest"
	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/incident/storetest"
)

// exchange is one call to DynamoDB and its answer.
type exchange struct {
	Operation string          `json:"operation"`
	Request   json.RawMessage `json:"request"`
	Status    int             `json:"status"`
	Answer    json.RawMessage `json:"answer"`
}

const frozenTable = "testdata/1bf196e/table.json"

// converse makes each call that a store knows, and says what is not as it should be: what is asked for was put by the same build, or by
// that of 1bf196e.
func converse(t *testing.T, s *Store) {
	t.Helper()
	ctx, at := t.Context(), storetest.FiredAt
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	lease := incident.Lease{Name: "desk", Holder: "first", Now: at, Until: at.Add(4 * time.Minute)}
	must(s.Lease(ctx, lease))
	var held incident.Held
	if err := s.Lease(ctx, incident.Lease{Name: "desk", Holder: "second", Now: at, Until: at.Add(time.Minute)}); !errors.As(err, &held) || !held.Until.Equal(lease.Until) {
		t.Errorf("the lease of another is %v, want one until %v", err, lease.Until)
	}
	lease.Until = at
	must(s.Lease(ctx, lease))

	b, err := s.Brakes(ctx)
	must(err)
	b.Mode, b.Generation, b.By, b.At = containment.ModeAsk, "1", "arn:aws:iam::111122223333:user/olga", at
	b, err = s.SetBrakes(ctx, b)
	must(err)
	b.Contained = []time.Time{at}
	_, err = s.SetBrakes(ctx, b)
	must(err)
	stored, err := s.Brakes(ctx)
	if must(err); stored.Version != 2 || stored.Mode != containment.ModeAsk || len(stored.Contained) != 1 {
		t.Errorf("the brakes are %+v", stored)
	}

	whole := frozenRecord(t)
	first := whole
	first.Notified, first.Outcomes, first.Log = nil, nil, whole.Log[:2]
	r, err := s.Open(ctx, first)
	must(err)
	r.Notified, r.Outcomes, r.Log, r.Writer = whole.Notified, whole.Outcomes, whole.Log, "second"
	r, err = s.Put(ctx, r)
	must(err)
	stale := r
	r.Escalated, r.Closed = at.Add(time.Hour), at.Add(2*time.Hour)
	r.Note(r.Closed, "closed")
	_, err = s.Put(ctx, r)
	must(err)
	loaded, err := another(s).Load(ctx, r.ID)
	if must(err); loaded.Version != 3 || !loaded.Closed.Equal(r.Closed) || len(loaded.Log) != len(whole.Log)+1 || !reflect.DeepEqual(loaded.Notified, whole.Notified) {
		t.Errorf("loaded version %d, closed %v, %d lines, %+v", loaded.Version, loaded.Closed, len(loaded.Log), loaded.Notified)
	}
	stale.Writer = "third"
	if _, err := another(s).Put(ctx, stale); !errors.Is(err, incident.ErrConflict) {
		t.Errorf("a put of version 2 over version 3: %v", err)
	}
	if _, err := s.Load(ctx, "another"); !errors.Is(err, incident.ErrNotFound) {
		t.Errorf("an incident that there is not: %v", err)
	}
	open, err := s.Unclosed(ctx)
	if must(err); len(open) != 0 {
		t.Errorf("open are %+v", open)
	}
	recent, err := s.Recent(ctx, 5)
	must(err)
	if diff := cmp.Diff([]incident.Brief{loaded.Brief()}, recent); diff != "" {
		t.Errorf("recent, stored -, listed +:\n%s", diff)
	}
}

// frozenRecord is a record as 1bf196e wrote it, not stored yet.
func frozenRecord(t *testing.T) incident.Record {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "testdata", "1bf196e", "asked.json"))
	var night struct {
		Records []incident.Record `json:"records"`
	}
	if err == nil {
		err = json.Unmarshal(text, &night)
	}
	if err != nil || len(night.Records) != 1 || len(night.Records[0].Log) < 5 {
		t.Fatalf("%d records, %v", len(night.Records), err)
	}
	r := night.Records[0]
	r.Version, r.Writer = 0, "first"
	return r
}

// Each call asks DynamoDB for what 1bf196e asked it for, and reads what DynamoDB answered then: keys, attributes, conditions, the index and
// its lists, the lease and the brakes. A field may come beside those that there were.
func TestTheTableOfAnEarlierBuild(t *testing.T) {
	text, err := os.ReadFile(frozenTable)
	var all []exchange
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil || len(all) < 20 {
		t.Fatalf("%d calls, %v", len(all), err)
	}
	r := &replay{t: t, left: all}
	srv := httptest.NewServer(r)
	defer srv.Close()
	s, err := New(awstest.Config(srv.URL), "incidents")
	if err != nil {
		t.Fatal(err)
	}
	converse(t, s)
	for _, e := range r.left {
		t.Errorf("1bf196e called %s, and nobody does now: %s", e.Operation, e.Request)
	}
}

// replay answers each call as it was answered then.
type replay struct {
	t    *testing.T
	mu   sync.Mutex
	left []exchange
}

func (r *replay) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		r.t.Error(err)
	}
	_, operation, _ := strings.Cut(request.Header.Get("X-Amz-Target"), ".")
	r.mu.Lock()
	defer r.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	for i, e := range r.left {
		if e.Operation == operation && says(plain(r.t, body), plain(r.t, e.Request)) {
			r.left = append(r.left[:i:i], r.left[i+1:]...)
			w.WriteHeader(e.Status)
			w.Write(e.Answer)
			return
		}
	}
	r.t.Errorf("1bf196e did not call %s with %s", operation, body)
	w.WriteHeader(http.StatusBadRequest)
	w.Write(refusalOf(deny))
}

// plain is a request with the JSON in it read, compressed or not, and without the token that each call has of its own.
func plain(t *testing.T, request []byte) any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(request, &v); err != nil {
		t.Error(err)
	}
	delete(v, "ClientRequestToken")
	return contents(v)
}

func contents(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			v[name] = contents(value)
			if text, ok := value.(string); ok && (name == "B" || name == "S") {
				v[name] = content(text)
			}
		}
	case []any:
		for i := range v {
			v[i] = contents(v[i])
		}
	}
	return v
}

// content is what the text of an attribute holds: lines of JSON, or the text itself.
func content(text string) any {
	body := []byte(text)
	if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
		if z, err := gzip.NewReader(bytes.NewReader(raw)); err == nil {
			if body, err = io.ReadAll(z); err != nil {
				return text
			}
		}
	}
	var lines []any
	for dec := json.NewDecoder(bytes.NewReader(body)); ; {
		var line map[string]any
		if err := dec.Decode(&line); err == io.EOF {
			return lines
		} else if err != nil {
			return text
		}
		lines = append(lines, line)
	}
}

// says reports whether now says all that then says. Fields and attributes may come beside.
func says(now, then any) bool {
	switch then := then.(type) {
	case map[string]any:
		now, ok := now.(map[string]any)
		for name, v := range then {
			ok = ok && says(now[name], v)
		}
		return ok
	case []any:
		now, ok := now.([]any)
		if !ok || len(now) != len(then) {
			return false
		}
		for i := range then {
			ok = ok && says(now[i], then[i])
		}
		return ok
	}
	return now == then
}
