package webhook

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

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"nightlatch/internal/awstest"
	"nightlatch/internal/incident"
	"nightlatch/internal/outside/outsidetest"
	"nightlatch/internal/report"
)

const (
	aSecret = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:nightlatch/webhook-a1b2c3"
	aKey    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	fitting = `{"url": "https://hooks.example.com/in/tok3n", "key": "` + aKey + `"}`
)

// newWebhook is a channel whose secret has a text, and whose URL leads to a receiver.
func newWebhook(t *testing.T, secret string, receiver http.HandlerFunc) *Webhook {
	t.Helper()
	w, err := New(outsidetest.Config(t, aSecret, secret), aSecret)
	if err != nil {
		t.Fatal(err)
	}
	if receiver != nil {
		fake := httptest.NewTLSServer(receiver)
		t.Cleanup(fake.Close)
		w.server.Transport = outsidetest.To(fake, "hooks.example.com")
	}
	return w
}

// A receiver checks what it gets with the library that Standard Webhooks has for it.
func TestAReceiverKnowsWhoSentIt(t *testing.T) {
	verifier, err := standardwebhooks.NewWebhook(aKey)
	if err != nil {
		t.Fatal(err)
	}
	var ids, schemas []string
	w := newWebhook(t, fitting, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := verifier.Verify(body, r.Header); err != nil {
			t.Error(err)
		}
		if err := verifier.Verify(append(body, ' '), r.Header); err == nil {
			t.Error("a body that was changed is taken")
		}
		var got struct{ Schema, ID, Kind, Incident string }
		if err := json.Unmarshal(body, &got); err != nil || got.Kind != "answer" || got.Incident != "one" {
			t.Errorf("got %+v, %v", got, err)
		}
		if got.ID != r.Header.Get("Webhook-Id") || r.Method != http.MethodPost || r.Host != "hooks.example.com" || r.URL.Path != "/in/tok3n" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("got %s %s%s, %v", r.Method, r.Host, r.URL.Path, r.Header)
		}
		ids, schemas = append(ids, got.ID), append(schemas, got.Schema)
	})
	if got, want := w.Name(), "webhook:"+aSecret; got != want || incident.ForPeople(got) {
		t.Errorf("it is called %q, want %q, which is for no people", got, want)
	}
	m := report.Write(incident.Answer, incident.Record{ID: "one"})
	m.ID = "one-answer-1"
	for range 2 {
		if err := w.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Join(ids, " ") != "one-answer-1 one-answer-1" || schemas[0] != report.EventSchema {
		t.Errorf("got %q of %q", ids, schemas)
	}
}

func TestWhatTheReceiverAnswers(t *testing.T) {
	answers := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	}
	for says, receiver := range map[string]http.HandlerFunc{
		"": answers(202),
		"answers with HTTP 500; see with whoever is behind it": answers(500),
		"answers with HTTP 410":                                answers(410),
		"answers with HTTP 429, and wants to be called again after 30 s": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(429)
		},
		"answers with HTTP 503; see": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "<script>tomorrow")
			w.WriteHeader(503)
		},
		"answers with HTTP 403; see": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			fmt.Fprint(w, "<!DOCTYPE html><p>blocked\n", strings.Repeat("x", 1<<20))
		},
		"answers with a redirect (HTTP 307), which is not followed": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/in/tok3n" {
				t.Errorf("it followed to %s", r.URL)
			}
			http.Redirect(w, r, "https://hooks.example.com/else", http.StatusTemporaryRedirect)
		},
		"no answer came": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		var posts atomic.Int32
		w := newWebhook(t, fitting, func(w http.ResponseWriter, r *http.Request) {
			posts.Add(1)
			receiver(w, r)
		})
		err := w.Send(t.Context(), report.Message{Subject: "s", Body: "b"})
		if (err == nil) != (says == "") || err != nil && (!strings.Contains(err.Error(), says) || !harmless(err)) {
			t.Errorf("%s: got %v", says, err)
		}
		if posts.Load() != 1 {
			t.Errorf("%s: %d posts", says, posts.Load())
		}
	}
}

// harmless reports whether an error has neither URL nor key, nor what a stranger has answered.
func harmless(err error) bool {
	for _, secret := range []string{"hooks", "tok3n", "MfKQ", "<", "\n"} {
		if strings.Contains(err.Error(), secret) {
			return false
		}
	}
	return true
}

// A receiver that is slow holds up the other channels for seconds.
func TestASlowReceiverIsLeft(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	defer close(over)
	w := newWebhook(t, fitting, func(http.ResponseWriter, *http.Request) { <-over })
	began := time.Now()
	err := w.Send(t.Context(), report.Message{Subject: "s", Body: "b"})
	if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "it did not answer in time") || took > timeout+2*time.Second {
		t.Errorf("got %v after %s", err, took)
	}
}

func TestWhatIsNoWebhook(t *testing.T) {
	for secret, says := range map[string]string{
		"":                                       "is not where it is looked for",
		"https://hooks.example.com/in/tok3n":     "is not where it is looked for",
		`["https://hooks.example.com/in/tok3n"]`: "is not where it is looked for",
		`{"key": "` + aKey + `"}`:                "is not where it is looked for",
		`{"url": "https://hooks.example.com/in/tok3n"}`:                              "has no signing key beside it",
		`{"url": "https://hooks.example.com/in/tok3n", "key": "hunter2"}`:            "has no signing key beside it",
		`{"url": "https://hooks.example.com/in/tok3n", "key": "whsec_MfKQ"}`:         "has no signing key beside it",
		`{"url": "https://hooks.example.com/in/tok3n", "key": "whsec_M!"}`:           "has no signing key beside it",
		`{"url": "http://hooks.example.com/in/tok3n", "key": "` + aKey + `"}`:        "is not https",
		`{"url": "hooks.example.com/in/tok3n", "key": "` + aKey + `"}`:               "is no URL",
		`{"url": "https://me:tok3n@hooks.example.com/in", "key": "` + aKey + `"}`:    "is no URL",
		`{"url": "https://169.254.169.254/latest/meta-data", "key": "` + aKey + `"}`: "which is no public address",
		`{"url": "https://localhost/", "key": "` + aKey + `"}`:                       "which is no public address",
		"!ResourceNotFoundException":                                                 "there is no such secret; make it, or correct the setting webhook",
		"!AccessDeniedException":                                                     "may not call secretsmanager:GetSecretValue",
		"!DecryptionFailure":                                                         "AWS refused with DecryptionFailure",
	} {
		err := newWebhook(t, secret, nil).Send(t.Context(), report.Message{Subject: "s", Body: "b"})
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), aSecret) || !harmless(err) {
			t.Errorf("%s: got %v, want %q", secret, err, says)
		}
	}
	if _, err := New(awstest.Config("http://127.0.0.1"), "nightlatch/webhook"); err == nil {
		t.Error("a name is taken for an ARN")
	}
}
