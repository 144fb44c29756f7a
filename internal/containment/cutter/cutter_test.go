package cutter

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/awstest"
	"nightlatch/internal/containment"
	"nightlatch/internal/policy"
)

var order = containment.Order{Action: policy.DenyUserSessions, Incident: "i-1", User: "mara", Before: time.Date(2026, 11, 29, 1, 2, 3, 0, time.UTC)}

// called is a Lambda that answers each call in one way.
func called(t *testing.T, answer http.HandlerFunc) (*Cutter, *atomic.Int32) {
	t.Helper()
	calls := new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		body, err := io.ReadAll(r.Body)
		var o containment.Order
		if err != nil || json.Unmarshal(body, &o) != nil || o.Check() != nil || o.User != "mara" || !o.Before.Equal(order.Before) || r.Method != http.MethodPost ||
			r.URL.Path != "/2015-03-31/functions/Nightlatch-Cutter-x1/invocations" || r.Header.Get("X-Amz-Invocation-Type") != "RequestResponse" {
			t.Errorf("%s %s %v: %s (%v)", r.Method, r.URL, r.Header, body, err)
		}
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	c, err := New(awstest.Config(server.URL), "Nightlatch-Cutter-x1")
	if err != nil {
		t.Fatal(err)
	}
	return c, calls
}

// says is an answer of the function's.
func says(payload string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, payload) }
}

// refuses is an error of Lambda's own.
func refuses(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amzn-Errortype", code)
		w.WriteHeader(status)
		io.WriteString(w, `{"Message":"no\u001b[2J"}`)
	}
}

func failing(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("X-Amz-Function-Error", "Unhandled")
	io.WriteString(w, `{"state":"done"}`) // which a failure does not prove
}

// Each answer leads to one of: done, surely not done, not done for now, not known. It is asked for once.
func TestWhatIsKnownAfterAnOrder(t *testing.T) {
	const done, not, throttled, unknown = "done", "not done", "throttled", "unknown"
	for name, c := range map[string]struct {
		answer     http.HandlerFunc
		want, says string
	}{
		"done":                        {says(`{"state":"done","detail":"read back as ordered"}`), done, ""},
		"already":                     {says(`{"state":"already"}`), done, ""},
		"not done":                    {says(`{"state":"not-done","detail":"it is protected \u001b[2J"}`), not, `it is protected \x1b[2J`},
		"throttled by IAM":            {says(`{"state":"throttled","detail":"slow down"}`), throttled, "slow down"},
		"unknown":                     {says(`{"state":"unknown","detail":"no answer came"}`), unknown, "no answer came"},
		"another word":                {says(`{"state":"perhaps\u001b"}`), unknown, `"perhaps\x1b", which says nothing`},
		"no word":                     {says(`{}`), unknown, "says nothing"},
		"null":                        {says(`null`), unknown, "says nothing"},
		"nothing":                     {says(``), unknown, "cannot be read"},
		"a field more":                {says(`{"state":"done","undo":"x"}`), unknown, "cannot be read"},
		"something behind it":         {says(`{"state":"done"}{}`), unknown, "something behind"},
		"a page":                      {says(`<html>`), unknown, "cannot be read"},
		"much":                        {says(`{"state":"done","detail":"` + strings.Repeat("x", maxAnswer) + `"}`), unknown, "bytes"},
		"the function fails":          {failing, unknown, `the function failed ("Unhandled")`},
		"Lambda fails":                {refuses(500, "ServiceException"), unknown, "failed on its side (HTTP 500)"},
		"Lambda is late":              {refuses(408, "RequestTimeoutException"), unknown, "HTTP"},
		"Lambda throttles":            {refuses(429, "TooManyRequestsException"), throttled, "throttling the account's calls"},
		"Lambda throttles the caller": {refuses(400, "ThrottlingException"), throttled, "throttling"},
		"the responder has no right":  {refuses(403, "AccessDeniedException"), not, "may not call lambda:InvokeFunction on the cutter"},
		"there is no such function":   {refuses(404, "ResourceNotFoundException"), not, "refused with ResourceNotFoundException"},
		"a proxy refuses":             {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403); io.WriteString(w, "<html>") }, unknown, "not Lambda's"},
		"the connection is cut":       {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, unknown, "no answer came"},
		"an answer is cut in the midst": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99")
			io.WriteString(w, `{"st`)
		}, unknown, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cutter, calls := called(t, c.answer)
			err := cutter.Cut(t.Context(), order)
			got := unknown
			switch {
			case err == nil:
				got = done
			case errors.Is(err, containment.ErrThrottled):
				got = throttled
			case errors.Is(err, containment.ErrNotDone):
				got = not
			}
			if got != c.want || err != nil && !strings.Contains(err.Error(), c.says) || err != nil && strings.ContainsRune(err.Error(), '\x1b') {
				t.Errorf("got %s, %v, want %s, %q", got, err, c.want, c.says)
			}
			if calls.Load() != 1 {
				t.Errorf("it was ordered %d times", calls.Load())
			}
		})
	}
}

func TestWhoDoesNotWaitKnowsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cutter, _ := called(t, func(http.ResponseWriter, *http.Request) { cancel(); <-t.Context().Done() })
	if err := cutter.Cut(ctx, order); err == nil || errors.Is(err, containment.ErrNotDone) || !strings.Contains(err.Error(), "ended before Lambda answered; read it back") {
		t.Errorf("got %v", err)
	}
}

// A put replaces a bucket's whole policy: two orders at once would lose a statement. Orders on users wait for nobody.
func TestOrdersOnBucketsFollowEachOther(t *testing.T) {
	var running, most, users atomic.Int32
	var all sync.WaitGroup
	held, arrived := make(chan struct{}), make(chan struct{}, 20)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var o containment.Order
		if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
			t.Error(err)
		}
		if o.Bucket == "" {
			users.Add(1)
		} else {
			most.Store(max(most.Load(), running.Add(1)))
			arrived <- struct{}{}
			<-held
			running.Add(-1)
		}
		io.WriteString(w, `{"state":"done"}`)
	}))
	defer server.Close()
	c, err := New(awstest.Config(server.URL), "Nightlatch-Cutter-x1")
	if err != nil {
		t.Fatal(err)
	}
	block := containment.Order{Action: policy.BlockOnBucket, Incident: "i-1", Bucket: "a-bucket", UserID: "AROAEXAMPLEWORKER:s"}
	for range 5 {
		all.Go(func() {
			if err := c.Cut(t.Context(), block); err != nil {
				t.Error(err)
			}
		})
	}
	<-arrived // one is under way
	if err := c.Cut(t.Context(), order); err != nil || users.Load() != 1 {
		t.Errorf("an order on a user: %v", err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := c.Cut(ended, block); !errors.Is(err, containment.ErrNotDone) {
		t.Errorf("who does not wait for his turn: got %v", err)
	}
	close(held)
	all.Wait()
	if most.Load() != 1 {
		t.Errorf("%d orders on buckets were under way at once", most.Load())
	}
}

func TestWithoutAFunctionThereIsNoCutter(t *testing.T) {
	cfg := awstest.Config("http://127.0.0.1:1")
	for _, name := range []string{"", "a b", "arn:aws:lambda:eu-west-1:111122223333:function:x"} {
		if _, err := New(cfg, name); err == nil {
			t.Errorf("%q: got no error", name)
		}
	}
	for _, bad := range []aws.Config{{Region: "eu-west-1"}, {Credentials: cfg.Credentials}} {
		if _, err := New(bad, "Nightlatch-Cutter-x1"); err == nil {
			t.Errorf("got no error of %+v", bad)
		}
	}
}
