package heartbeat

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"nightlatch/internal/awstest"
	"nightlatch/internal/outside/outsidetest"
)

const aSecret = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:nightlatch/heartbeat-a1b2c3"

// newHeartbeat reads a URL from a fake secret. Its connections go where the test says, past no check but the test's own.
func newHeartbeat(t *testing.T, secret string, outside *httptest.Server) *Heartbeat {
	t.Helper()
	h, err := New(outsidetest.Config(t, aSecret, secret), aSecret)
	if err != nil {
		t.Fatal(err)
	}
	if outside != nil {
		h.server.Transport = outsidetest.To(outside, "beats.example.com")
	}
	return h
}

func TestWhatTheOtherSideAnswers(t *testing.T) {
	for says, answer := range map[string]http.HandlerFunc{
		"":                      func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, strings.Repeat("x", 1<<20)) },
		"answers with HTTP 500": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) },
		"answers with a redirect (HTTP 302), which is not followed": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/ping/abc" {
				t.Errorf("it followed to %s", r.URL)
			}
			http.Redirect(w, r, "https://beats.example.com/else", http.StatusFound)
		},
		"no answer came": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		gets := 0
		outside := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			gets++
			if r.Method != http.MethodGet || r.Host != "beats.example.com" {
				t.Errorf("got %s %s", r.Method, r.Host)
			}
			answer(w, r)
		}))
		err := newHeartbeat(t, " https://beats.example.com/ping/abc\n", outside).Send(t.Context())
		outside.Close()
		if (err == nil) != (says == "") || err != nil && (!strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "beats") || strings.Contains(err.Error(), "abc") || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: got %v", says, err)
		}
		if gets != 1 {
			t.Errorf("%s: %d requests", says, gets)
		}
	}
}

// A certificate that is not the other side's stops it.
func TestACertificateIsLookedAt(t *testing.T) {
	outside := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was sent") }))
	defer outside.Close()
	h := newHeartbeat(t, "https://beats.example.com/", outside)
	h.server.Transport.(*http.Transport).TLSClientConfig.RootCAs = nil
	if err := h.Send(t.Context()); err == nil || !strings.Contains(err.Error(), "no answer came") {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsNoURLToSendTo(t *testing.T) {
	for secret, says := range map[string]string{
		"http://beats.example.com/x":           "is not https",
		"ftp://beats.example.com/x":            "is not https",
		"beats.example.com":                    "is no URL",
		"":                                     "is no URL",
		"https://me:secret@beats.example.com/": "is no URL",
		`{"url":"https://beats.example.com/"}`: "is no URL",
		"!ResourceNotFoundException":           "there is no such secret; make it",
		"!AccessDeniedException":               "may not call secretsmanager:GetSecretValue",
		"!DecryptionFailure":                   "AWS refused with DecryptionFailure",
		"https://127.0.0.1/":                   "leads to 127.0.0.1:443, which is no public address",
		"https://localhost/":                   "which is no public address",
		"https://[::1]/":                       "which is no public address",
		"https://169.254.169.254/latest":       "which is no public address",
		"https://10.0.0.1/":                    "which is no public address",
		"https://[fd00:ec2::254]/":             "which is no public address",
		"https://[::ffff:169.254.169.254]/":    "which is no public address",
		"https://0.0.0.0/":                     "which is no public address",
	} {
		err := newHeartbeat(t, secret, nil).Send(t.Context())
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "beats") || strings.Contains(err.Error(), "secret@") {
			t.Errorf("%s: got %v, want %q", secret, err, says)
		}
	}
	for _, arn := range []string{"", "nightlatch/heartbeat", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:a\nb"} {
		if _, err := New(awstest.Config("http://127.0.0.1"), arn); err == nil {
			t.Errorf("%q is taken", arn)
		}
	}
}
