package events

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"nightlatch/internal/awstest"
	"nightlatch/internal/incident"
	"nightlatch/internal/report"
)

// newBus is a bus behind a fake EventBridge.
func newBus(t *testing.T, eventbridge http.HandlerFunc) *Bus {
	t.Helper()
	fake := httptest.NewServer(eventbridge)
	t.Cleanup(fake.Close)
	b, err := New(awstest.Config(fake.URL), "soc")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAMessageIsAnEvent(t *testing.T) {
	var got struct {
		Entries []struct {
			Source, DetailType, Detail, EventBusName string
			Time                                     float64
		}
	}
	b := newBus(t, func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || r.Header.Get("X-Amz-Target") != "AWSEvents.PutEvents" {
			t.Errorf("got %s, %v", r.Header.Get("X-Amz-Target"), err)
		}
		fmt.Fprint(w, `{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}`)
	})
	if name := b.Name(); name != "events:soc" || incident.ForPeople(name) {
		t.Errorf("it is called %q, and is for no people", name)
	}
	m := report.Write(incident.Answer, incident.Record{ID: "one"})
	m.ID = "one-answer-1"
	if err := b.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	var detail struct{ Schema, ID, Incident string }
	if len(got.Entries) != 1 || got.Entries[0].Source != "nightlatch" || got.Entries[0].DetailType != "Nightlatch Message" || got.Entries[0].EventBusName != "soc" || got.Entries[0].Time == 0 {
		t.Fatalf("got %+v", got)
	}
	if err := json.Unmarshal([]byte(got.Entries[0].Detail), &detail); err != nil || detail.Schema != report.EventSchema || detail.ID != "one-answer-1" || detail.Incident != "one" {
		t.Errorf("the detail is %+v, %v", detail, err)
	}
}

func TestWhatEventBridgeAnswers(t *testing.T) {
	refuses := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"__type":%q,"message":"no"}`, code)
		}
	}
	says := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
	}
	for want, c := range map[string]struct {
		answer http.HandlerFunc
		calls  int32
	}{
		"refused it with \"InternalFailure\" (\"broken\")":   {says(`{"FailedEntryCount":1,"Entries":[{"ErrorCode":"InternalFailure","ErrorMessage":"broken"}]}`), 1},
		"refused it with \"<script>\\n\" (\"\\u202e\")":      {says(`{"FailedEntryCount":1,"Entries":[{"ErrorCode":"<script>\n","ErrorMessage":"\u202e"}]}`), 1},
		"the answer names no event":                          {says(`{}`), 1},
		"may not call events:PutEvents on event bus \"soc\"": {refuses(400, "AccessDeniedException"), 1},
		"there is no such bus; make it":                      {refuses(400, "ResourceNotFoundException"), 1},
		"EventBridge is throttling":                          {refuses(400, "ThrottlingException"), 3},
		"HTTP 500":                                           {refuses(500, "InternalException"), 3},
		"see whether a proxy stands between":                 {says(`<!DOCTYPE html><p>Sign in`), 1},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel() // some wait between their attempts
			var calls atomic.Int32
			err := newBus(t, func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				c.answer(w, r)
			}).Send(t.Context(), report.Message{Subject: "s", Body: "b"})
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || calls.Load() != c.calls {
				t.Errorf("got %v after %d calls", err, calls.Load())
			}
		})
	}
	for _, name := range []string{"", "a b", "arn:aws:events:eu-west-1:111122223333:event-bus/soc"} {
		if _, err := New(awstest.Config("http://127.0.0.1"), name); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
}
