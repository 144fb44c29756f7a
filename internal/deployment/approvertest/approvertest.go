// Package approvertest plays the approver behind its function URL, and STS, for tests. It checks signatures by itself, as AWS describes
// them: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
package approvertest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Approver is a function URL of AuthType AWS_IAM.
type Approver struct {
	// URL is its own, CA the file of the certificate that it is to be trusted by: AWS_CA_BUNDLE.
	URL, CA string
	// Deployment is ACCOUNT/REGION/TABLE, which proofs have to be for.
	Deployment string

	secret, region string

	mu       sync.Mutex
	next     http.HandlerFunc
	requests []string
}

// New starts an approver until the test ends. It lets in what is signed with a secret key for the deployment's region.
func New(t testing.TB, secret, deployment string) *Approver {
	a := &Approver{secret: secret, region: strings.Split(deployment, "/")[1], Deployment: deployment}
	server := httptest.NewUnstartedServer(http.HandlerFunc(a.serve))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that hang up
	server.StartTLS()
	t.Cleanup(server.Close)
	a.URL, a.CA = server.URL+"/", filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(a.CA, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// Answer has the approver answer what is let in.
func (a *Approver) Answer(status int, body string) {
	a.Serve(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
}

// Serve has a function answer what is let in; it may read the body again.
func (a *Approver) Serve(f http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next = f
}

// Requests are those that were let in and proven since it was asked last: method, path and text.
func (a *Approver) Requests() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	requests := a.requests
	a.requests = nil
	return requests
}

func (a *Approver) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = Signed(r, body, a.secret, a.region, "lambda")
	}
	var text string
	if err == nil {
		text, err = a.proven(r.URL.Path, body)
	}
	if err != nil {
		// Lambda itself says no more than that it is forbidden.
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `{"Message":%q}`, "test: "+err.Error())
		return
	}
	a.mu.Lock()
	a.requests = append(a.requests, r.Method+" "+r.URL.Path+" "+text)
	next := a.next
	a.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	next(w, r)
}

// proven opens an envelope, and checks that its proof is the signature of a call that is about its text.
func (a *Approver) proven(path string, body []byte) (text string, err error) {
	var e struct {
		Word  json.RawMessage
		Proof struct{ Authorization, Date, Token string }
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return "", err
	}
	const call = "Action=GetCallerIdentity&Version=2011-06-15"
	r, err := http.NewRequest(http.MethodPost, "https://sts."+a.region+".amazonaws.com/", strings.NewReader(call))
	if err != nil {
		return "", err
	}
	for name, value := range map[string]string{
		"Content-Type": "application/x-www-form-urlencoded", "Authorization": e.Proof.Authorization, "X-Amz-Date": e.Proof.Date, "X-Amz-Security-Token": e.Proof.Token,
		"X-Nightlatch-Deployment": a.Deployment, "X-Nightlatch-Word": path + " " + digest(e.Word),
	} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	if err := Signed(r, []byte(call), a.secret, a.region, "sts", "X-Nightlatch-Deployment", "X-Nightlatch-Word"); err != nil {
		return "", fmt.Errorf("the proof: %w", err)
	}
	return string(e.Word), nil
}

// Signed checks a request's signature, version 4, which has to be over some headers.
func Signed(r *http.Request, body []byte, secret, region, service string, headers ...string) error {
	rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok {
		return fmt.Errorf("the request is not signed")
	}
	fields := map[string]string{}
	for _, f := range strings.Split(rest, ", ") {
		name, value, _ := strings.Cut(f, "=")
		fields[name] = value
	}
	date := r.Header.Get("X-Amz-Date")
	at, err := time.Parse("20060102T150405Z", date)
	if err != nil || time.Since(at).Abs() > 5*time.Minute {
		return fmt.Errorf("signed at %q", date)
	}
	scope := date[:8] + "/" + region + "/" + service + "/aws4_request"
	if _, got, _ := strings.Cut(fields["Credential"], "/"); got != scope {
		return fmt.Errorf("signed for %s, want %s", got, scope)
	}
	names := strings.Split(fields["SignedHeaders"], ";")
	var signed strings.Builder
	for _, n := range names {
		value := strings.Join(r.Header.Values(n), ",")
		switch n {
		case "host":
			value = r.Host
		case "content-length":
			value = fmt.Sprint(r.ContentLength)
		}
		fmt.Fprintf(&signed, "%s:%s\n", n, strings.TrimSpace(value))
	}
	for _, must := range append([]string{"host", "x-amz-date", "x-amz-security-token"}, headers...) {
		if !slices.Contains(names, strings.ToLower(must)) && (must != "x-amz-security-token" || r.Header.Get(must) != "") {
			return fmt.Errorf("%s is not signed", must)
		}
	}
	canonical := strings.Join([]string{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, signed.String(), fields["SignedHeaders"], digest(body)}, "\n")
	key := []byte("AWS4" + secret)
	for _, part := range []string{date[:8], region, service, "aws4_request"} {
		key = sign(key, part)
	}
	if want := hex.EncodeToString(sign(key, "AWS4-HMAC-SHA256\n"+date+"\n"+scope+"\n"+digest([]byte(canonical)))); fields["Signature"] != want {
		return fmt.Errorf("the signature is not that of the request")
	}
	return nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func sign(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
