package awsaccount

import (
	"context"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// fakeAWS is an IAM and an STS with a state of its own, behind the query protocol that the real client speaks.
type fakeAWS struct {
	t      *testing.T
	caller string // the ARN that GetCallerIdentity answers
	alias  string // of the account

	mu     sync.Mutex
	users  map[string]*fakeUser
	roles  map[string]*fakeRole
	faults map[string][]fault // by action; each call takes the next one, and the last one stays
	calls  map[string]int
	page   int // keys a page; 0 is all
	// lastUsed is what is said of each key's last use.
	lastUsed string

	release chan struct{} // closed when the test ends, so that hanging answers end
}

type fakeKey struct{ id, status string }

type fakeUser struct {
	arn, id string
	tags    map[string]string
	keys    []fakeKey
	// signIn is what GetLoginProfile and ListMFADevices answer; without one there is no such thing.
	signIn map[string]string
}

type fakeRole struct {
	arn, id string
	tags    map[string]string
}

// fault is what goes wrong with one call.
type fault struct {
	status int    // the HTTP status of a refusal
	code   string // AWS's code of a refusal
	body   string // an answer that is not AWS's
	// applied lets the call take effect first.
	applied bool
	// cut closes the connection, hang leaves the caller waiting.
	cut, hang bool
}

var (
	none     = fault{}
	deny     = fault{status: 403, code: "AccessDenied"}
	throttle = fault{status: 400, code: "Throttling"}
)

func newFake(t *testing.T) *fakeAWS {
	return &fakeAWS{
		lastUsed: "<LastUsedDate>2026-03-04T00:09:00Z</LastUsedDate><ServiceName>s3</ServiceName><Region>eu-west-1</Region>",
		t:        t, caller: "arn:aws:sts::111122223333:assumed-role/nightlatch-responder/run",
		users: map[string]*fakeUser{"backup-exports": {
			arn: "arn:aws:iam::111122223333:user/batch/backup-exports", id: "AIDAEXAMPLEBACKUP0001",
			tags: map[string]string{"team": "data"},
			keys: []fakeKey{{"AKIAEXAMPLE000000001", "Active"}, {"AKIAEXAMPLE000000002", "Active"}},
		}},
		roles:  map[string]*fakeRole{},
		faults: map[string][]fault{}, calls: map[string]int{}, release: make(chan struct{}),
	}
}

// account starts the fake and returns the real adapter in front of it.
func (f *fakeAWS) account(s Settings) *Account {
	f.t.Helper()
	srv := httptest.NewServer(f)
	f.t.Cleanup(srv.Close)
	f.t.Cleanup(func() { close(f.release) }) // before srv.Close, which waits for the handlers
	a, err := New(aws.Config{
		Region: "eu-west-1", BaseEndpoint: &srv.URL, HTTPClient: srv.Client(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "ASIAEXAMPLERESPONDER", SecretAccessKey: "secret", SessionToken: "token"}, nil
		}),
	}, s)
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}

func (f *fakeAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || r.Header.Get("Authorization") == "" {
		f.t.Errorf("request without a form or a signature: %v", err)
	}
	f.mu.Lock()
	action := r.Form.Get("Action")
	f.calls[action]++
	ft := none
	if queue := f.faults[action]; len(queue) > 0 {
		ft = queue[0]
		if len(queue) > 1 {
			f.faults[action] = queue[1:]
		}
	}
	var code, answer string
	if ft == none || ft.applied {
		code, answer = f.do(action, r.Form.Get)
	}
	f.mu.Unlock()

	switch {
	case ft.hang:
		select {
		case <-f.release:
		case <-r.Context().Done():
		}
	case ft.cut:
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			f.t.Error(err)
			return
		}
		conn.Close()
	case ft.body != "":
		w.WriteHeader(ft.status)
		fmt.Fprint(w, ft.body)
	case ft.code != "":
		refuse(w, ft.status, ft.code)
	case code != "":
		refuse(w, map[string]int{"NoSuchEntity": 404, "AccessDenied": 403}[code], code)
	default:
		fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>", action, answer)
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>no</Message></Error></ErrorResponse>", code)
}

// do has the action's effect and returns the error code, or the body of the answer.
func (f *fakeAWS) do(action string, get func(string) string) (code, body string) {
	user := f.users[get("UserName")]
	switch action {
	case "GetCallerIdentity":
		return "", tag("Arn", f.caller) + tag("Account", strings.Split(f.caller, ":")[4]) + tag("UserId", "AROAEXAMPLE:run")
	case "ListAccountAliases":
		if f.alias == "" {
			return "", "<AccountAliases></AccountAliases>" + tag("IsTruncated", "false")
		}
		return "", "<AccountAliases>" + tag("member", f.alias) + "</AccountAliases>" + tag("IsTruncated", "false")
	case "GetAccessKeyLastUsed":
		for name, u := range f.users {
			if slices.ContainsFunc(u.keys, func(k fakeKey) bool { return k.id == get("AccessKeyId") }) {
				return "", tag("UserName", name) + "<AccessKeyLastUsed>" + f.lastUsed + "</AccessKeyLastUsed>"
			}
		}
		return "AccessDenied", "" // as IAM does: a key that it does not know belongs to no user that is granted
	case "GetUser":
		if user == nil {
			return "NoSuchEntity", ""
		}
		return "", "<User>" + tag("UserName", get("UserName")) + tag("Arn", user.arn) + tag("UserId", user.id) + tagList(user.tags) + "</User>"
	case "GetLoginProfile", "ListMFADevices":
		if user == nil || user.signIn[action] == "" {
			return "NoSuchEntity", ""
		}
		return "", user.signIn[action]
	case "GetRole":
		role := f.roles[get("RoleName")]
		if role == nil {
			return "NoSuchEntity", ""
		}
		return "", "<Role>" + tag("RoleName", get("RoleName")) + tag("Arn", role.arn) + tag("RoleId", role.id) + tagList(role.tags) + "</Role>"
	case "ListAccessKeys":
		if user == nil {
			return "NoSuchEntity", ""
		}
		return "", f.list(user, get("Marker"))
	case "UpdateAccessKey":
		if get("UserName") == "" {
			f.t.Error("UpdateAccessKey without a user name: IAM would look among the caller's own keys")
		}
		i := -1
		if user != nil {
			i = slices.IndexFunc(user.keys, func(k fakeKey) bool { return k.id == get("AccessKeyId") })
		}
		if i < 0 {
			return "NoSuchEntity", ""
		}
		user.keys[i].status = get("Status")
		return "", ""
	}
	f.t.Errorf("the adapter called %q, which no grant of it names", action)
	return "AccessDenied", ""
}

func (f *fakeAWS) list(u *fakeUser, marker string) string {
	from := 0
	if marker != "" {
		fmt.Sscan(marker, &from)
	}
	to := len(u.keys)
	if f.page > 0 {
		to = min(to, from+f.page)
	}
	var b strings.Builder
	for _, k := range u.keys[from:to] {
		fmt.Fprintf(&b, "<member>%s%s</member>", tag("AccessKeyId", k.id), tag("Status", k.status))
	}
	out := "<AccessKeyMetadata>" + b.String() + "</AccessKeyMetadata>"
	if to < len(u.keys) {
		return out + tag("IsTruncated", "true") + tag("Marker", fmt.Sprint(to))
	}
	return out + tag("IsTruncated", "false")
}

func tag(name, value string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(value))
	return "<" + name + ">" + b.String() + "</" + name + ">"
}

func tagList(tags map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		b.WriteString("<member>" + tag("Key", k) + tag("Value", tags[k]) + "</member>")
	}
	return "<Tags>" + b.String() + "</Tags>"
}

// status is the truth about a key, whatever was answered.
func (f *fakeAWS) status(user, key string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range f.users[user].keys {
		if k.id == key {
			return k.status
		}
	}
	return ""
}

func (f *fakeAWS) count(action string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[action]
}
