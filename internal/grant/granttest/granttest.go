// Package granttest sees the calls that a program makes as IAM sees them, by action, resource and context, so that a simulator of
// IAM can judge exactly these. It refuses one of them, as AWS does. Which resource and context an action has is AWS's own list:
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
//
// Only _test files import it.
package granttest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Call is one request. The deployment's own names stand in it as the placeholders of a grant.
type Call struct {
	Action   string            `json:"action"`
	Resource string            `json:"resource"`
	Context  map[string]string `json:"context,omitempty"`
}

func (c *Call) set(key, value string) {
	if c.Context == nil {
		c.Context = map[string]string{}
	}
	c.Context[key] = value
}

// AWS stands between a program and what plays AWS for it.
type AWS struct {
	T testing.TB
	// Account is the id of the account.
	Account string
	// Caller is the access key of the program. Calls with any other key, such as the test's own, go through unseen.
	Caller string
	// Services answer the calls, by the name that the calls are signed for; "" answers every other.
	Services map[string]http.Handler
	// Find returns the ARN and the tags of the "user" or "role" of a name, or of the user of a "key".
	Find func(kind, name string) (arn string, tags map[string]string)
	// Deny is the one action that the program may not call; "" denies none.
	Deny string

	mu     sync.Mutex
	calls  []Call
	stores map[string]string // the event data store of each query
	// workgroup is the one that Athena's queries run in.
	workgroup string
}

// scope is what a request is signed with: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
var scope = regexp.MustCompile(`Credential=([^/,]+)/[0-9]{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request`)

func (a *AWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	signed := scope.FindStringSubmatch(r.Header.Get("Authorization"))
	body, err := io.ReadAll(r.Body)
	if signed == nil || err != nil {
		a.T.Errorf("a request is not signed or not whole (%v): %s %s", err, r.Method, r.URL)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	key, region, service := signed[1], signed[2], signed[3]
	r.Body = io.NopCloser(bytes.NewReader(body))
	handler := a.Services[service]
	if handler == nil {
		handler = a.Services[""]
	}
	if key != a.Caller {
		handler.ServeHTTP(w, r)
		return
	}
	calls, err := a.read(service, region, r, body)
	if err != nil {
		a.T.Errorf("a call that is not known here: %s %s: %v", r.Method, r.URL, err)
		w.WriteHeader(http.StatusNotImplemented)
		return
	}
	a.mu.Lock()
	a.calls = append(a.calls, calls...)
	a.mu.Unlock()
	call := calls[0]
	for _, c := range calls {
		if a.Deny != "" && (a.Deny == c.Action || c.Action == "sns:Publish" && a.Deny == useTheKey) {
			a.refuse(w, service, c)
			return
		}
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, r)
	if call.Action == "cloudtrail:StartQuery" {
		a.remember(call.Resource, answer.Body.Bytes())
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes())
}

// Calls are the program's calls, each once, in order of their names. In them, each first string of names is replaced by the second.
func (a *AWS) Calls(names ...string) []Call {
	a.mu.Lock()
	defer a.mu.Unlock()
	placeholder := strings.NewReplacer(names...)
	all := []Call{}
	for _, c := range a.calls {
		named := Call{Action: c.Action, Resource: placeholder.Replace(c.Resource)}
		for key, value := range c.Context {
			named.set(key, placeholder.Replace(value))
		}
		all = append(all, named)
	}
	return each(all)
}

// each sorts calls, and keeps one of those that are equal.
func each(calls []Call) []Call {
	text := func(c Call) string {
		b, _ := json.Marshal(c) // maps are written in order
		return string(b)
	}
	slices.SortFunc(calls, func(x, y Call) int { return cmp.Compare(text(x), text(y)) })
	return slices.CompactFunc(calls, func(x, y Call) bool { return text(x) == text(y) })
}

// Golden compares calls with those in a file, one a line, which write writes.
func Golden(t testing.TB, file string, write bool, calls []Call) {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("[\n")
	for i, c := range each(calls) {
		line, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			b.WriteString(",\n")
		}
		b.Write(line)
	}
	b.WriteString("\n]\n")
	if write {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != string(want) {
		t.Errorf("the calls are not those of %s, by which the roles are judged; see what -update changes in it. got:\n%s", file, got)
	}
}

// Read reads the calls of a golden file.
func Read(t testing.TB, file string) []Call {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var calls []Call
	if err := json.Unmarshal(text, &calls); err != nil || len(calls) == 0 {
		t.Fatalf("%s holds %d calls: %v", file, len(calls), err)
	}
	return calls
}
