package events

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"nightlatch/internal/awstest"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify/notifytest"
	"nightlatch/internal/report"
)

const hubARN = "arn:aws:events:us-east-1:999988887777:event-bus/NightlatchHub"

func newHub(t *testing.T, eventbridge http.HandlerFunc) *Hub {
	t.Helper()
	fake := httptest.NewServer(eventbridge)
	t.Cleanup(fake.Close)
	h, err := NewHub(awstest.Config(fake.URL), hubARN)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestTheHubGetsIncidents(t *testing.T) {
	var got struct {
		Entries []struct{ Source, DetailType, Detail, EventBusName string }
	}
	calls := 0
	h := newHub(t, func(w http.ResponseWriter, r *http.Request) {
		calls++
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || !strings.Contains(r.Header.Get("Authorization"), "/us-east-1/events/") {
			t.Errorf("signed %s, %v; want it for the bus's region", r.Header.Get("Authorization"), err)
		}
		fmt.Fprint(w, `{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}`)
	})
	if name := h.Name(); name != "hub:"+hubARN || incident.ForPeople(name) || !incident.ForHub(name) {
		t.Errorf("it is called %q, and is for no people", name)
	}
	m := report.Write(incident.Answer, notifytest.Stolen())
	m.ID = "one-answer-1"
	if err := h.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	var detail report.HubEvent
	e := got.Entries[0]
	if err := json.Unmarshal([]byte(e.Detail), &detail); err != nil || e.Source != "nightlatch" || e.DetailType != "Nightlatch Incident" || e.EventBusName != hubARN || detail.Schema != "nightlatch.hub/1" || detail.ID != m.ID || len(detail.Incidents) != 1 {
		t.Errorf("got %+v, %v", e, err)
	}
	if err := h.Send(t.Context(), report.Message{Subject: "s", Body: "b"}); err != nil || calls != 1 {
		t.Errorf("what is about no incident: %v, %d calls", err, calls)
	}
	if err := h.Send(t.Context(), report.Message{Kind: report.Test, Subject: "s"}); err != nil || calls != 2 {
		t.Errorf("a test: %v, %d calls", err, calls)
	}
}

// What is wrong is one sentence that names what to change, and what it takes is bounded.
func TestWhatAHubAnswers(t *testing.T) {
	refuses := func(code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"__type":%q,"message":"User: x is not authorized\n"}`, code)
		}
	}
	entry := func(code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"FailedEntryCount":1,"Entries":[{"ErrorCode":%q,"ErrorMessage":"\u202e"}]}`, code)
		}
	}
	const denied = "it does not admit account 111122223333: give it among the hub's accounts and deploy the hub, and see whether the hub names another organization"
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"denied":          {refuses("AccessDeniedException"), denied},
		"an entry denied": {entry("AccessDeniedException"), denied},
		"no bus":          {refuses("ResourceNotFoundException"), "there is no such bus; deploy the hub, or correct the setting hub"},
		"throttled":       {refuses("ThrottlingException"), "EventBridge is throttling"},
		"broken":          {entry("InternalFailure"), "EventBridge refused it with \"InternalFailure\""},
		"a proxy":         {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `<html>`) }, "see whether a proxy stands between"},
		"silent": {func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body) // before that the server does not see that the client has gone
			<-r.Context().Done()
		}, "EventBridge did not answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := report.Message{Kind: report.Test, Subject: "s", Place: incident.Place{AccountID: "111122223333"}}
			begun := time.Now()
			err := newHub(t, c.answer).Send(t.Context(), m)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.ContainsAny(err.Error(), "\n\u202e") || !strings.Contains(err.Error()[:min(300, len(err.Error()))], c.want) {
				t.Errorf("got %v", err)
			}
			if took := time.Since(begun); took > hubTimeout+time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
	for _, arn := range []string{"", "NightlatchHub", strings.Replace(hubARN, "event-bus", "rule", 1)} {
		if _, err := NewHub(awstest.Config("http://127.0.0.1"), arn); err == nil {
			t.Errorf("%q is taken", arn)
		}
	}
}

// A hub that does not answer is left alone for half a minute: a thousand incidents wait for it no longer than one.
func TestASilentHubIsLeftAlone(t *testing.T) {
	var calls atomic.Int32
	var silent atomic.Bool
	silent.Store(true)
	h := newHub(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1); silent.Load() {
			http.Error(w, "", http.StatusBadGateway)
			return
		}
		fmt.Fprint(w, `{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}`)
	})
	now := time.Now()
	h.now = func() time.Time { return now }
	send := func() error { return h.Send(t.Context(), report.Message{Kind: report.Test, Subject: "s"}) }
	first := send()
	tried := calls.Load()
	for range 1000 {
		if err := send(); err == nil || !strings.Contains(err.Error(), "is left alone") {
			t.Fatalf("got %v", err)
		}
	}
	if first == nil || calls.Load() != tried {
		t.Errorf("%v, and %d calls after the %d of the first", first, calls.Load(), tried)
	}
	silent.Store(false)
	now = now.Add(hubRest)
	if err := send(); err != nil {
		t.Errorf("half a minute later: %v", err)
	}
}
