package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"nightlatch/internal/approval"
	"nightlatch/internal/containment"
	"nightlatch/internal/proof"
)

// recorded keeps what it is asked, and answers err.
type recorded struct {
	asked []string
	err   error
}

func (r *recorded) note(c approval.Caller, format string, args ...any) (string, error) {
	r.asked = append(r.asked, c.ARN+" "+c.UserID+" "+c.AccountID+" "+c.AccessKeyID+" "+c.Signed.Format(time.TimeOnly)+" "+fmt.Sprintf(format, args...))
	return "done", r.err
}

func (r *recorded) Approve(_ context.Context, c approval.Caller, s approval.Shown) (string, error) {
	return r.note(c, "approves %s %d %s %s", s.Incident, s.Step, s.Action, s.Target)
}

func (r *recorded) Hold(_ context.Context, c approval.Caller, s approval.Shown) (string, error) {
	return r.note(c, "holds %s %d %s %s", s.Incident, s.Step, s.Action, s.Target)
}

func (r *recorded) LowerMode(_ context.Context, c approval.Caller, mode containment.Mode) (string, error) {
	return r.note(c, "lowers to %s", mode)
}

func (r *recorded) TestNotify(_ context.Context, c approval.Caller) (string, error) {
	return r.note(c, "tries the channels")
}

// judge knows whose each proof is, as STS does.
type judge struct {
	path, request string
	err           error
}

func (j *judge) Caller(_ context.Context, path string, e proof.Envelope) (proof.Identity, error) {
	j.path, j.request = path, string(e.Word)
	if j.err != nil {
		return proof.Identity{}, j.err
	}
	name, key, _ := strings.Cut(e.Proof.Authorization, " ")
	return proof.Identity{ARN: "arn:aws:iam::111122223333:user/" + name, UserID: "AIDAEXAMPLE" + name, Account: "111122223333", AccessKeyID: key,
		Signed: time.Date(2026, 3, 4, 0, 20, 0, 0, time.UTC)}, nil
}

const olgas = "AKIAEXAMPLEOPSKEY001"

// enveloped is a signed request with olga's proof.
func enveloped(text string) string {
	return `{"word":` + text + `,"proof":{"authorization":"olga ` + olgas + `","date":"20260304T002000Z","token":"x"}}`
}

// request is one of olga's, in the shape that Lambda gives it.
func request(method, path, text string) events.LambdaFunctionURLRequest {
	return raw(method, path, enveloped(text))
}

func raw(method, path, body string) events.LambdaFunctionURLRequest {
	var e events.LambdaFunctionURLRequest
	text := fmt.Sprintf(`{"version":"2.0","routeKey":"$default","rawPath":%q,"rawQueryString":"","headers":{"content-type":"application/json"},"requestContext":{"accountId":"111122223333",
"apiId":"u1","authentication":null,"authorizer":{"iam":{"accessKey":"AKIAEXAMPLEOPSKEY001","accountId":"111122223333","callerId":"AIDAEXAMPLEOLGA","cognitoIdentity":null,
"principalOrgId":"o-1","userArn":"arn:aws:iam::111122223333:user/olga","userId":"AIDAEXAMPLEOLGA"}},"domainName":"u1.lambda-url.eu-west-1.on.aws","domainPrefix":"u1",
"http":{"method":%q,"path":%q,"protocol":"HTTP/1.1","sourceIp":"203.0.113.9","userAgent":"nightlatch"},"requestId":"r","routeKey":"$default","stage":"$default",
"time":"04/Mar/2026:00:20:00 +0000","timeEpoch":1772583600000},"isBase64Encoded":false}`, path, method, path)
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		panic(err)
	}
	e.Body = body
	return e
}

// quiet is an approver that logs nothing.
func quiet(d decisions) approver { return approver{d, &judge{}, slog.New(slog.DiscardHandler)} }

func send(t *testing.T, a approver, e events.LambdaFunctionURLRequest) (status int, said, refused string) {
	t.Helper()
	r, err := a.handle(t.Context(), e)
	var body map[string]string
	if err != nil || json.Unmarshal([]byte(r.Body), &body) != nil || len(body) != 1 || r.Headers["Content-Type"] != "application/json" {
		t.Fatalf("got %+v, %v", r, err)
	}
	for _, c := range []byte(r.Body) {
		if c < 0x20 || c > 0x7e {
			t.Errorf("%q is not plain", r.Body)
		}
	}
	return r.StatusCode, body["said"], body["refused"]
}

func TestWhatIsAskedIsDone(t *testing.T) {
	for path, c := range map[string][2]string{
		"/approve": {`{"incident":"20260304-001100-0a1f", "step":2,"action":"deactivate-key","target":"AKIAX"}`, "approves 20260304-001100-0a1f 2 deactivate-key AKIAX"},
		"/hold":    {`{"incident":"20260304-001100-0a1f","step":1,"action":"deactivate-key","target":"AKIAX"}`, "holds 20260304-001100-0a1f 1 deactivate-key AKIAX"},
		"/mode":    {`{"mode":"observe"}`, "lowers to observe"},

		"/test-notify": {`{}`, "tries the channels"},
	} {
		for _, encoded := range []bool{false, true} {
			r := &recorded{}
			e := request("POST", path, c[0])
			if encoded {
				e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(e.Body)), true
			}
			j := &judge{}
			status, said, _ := send(t, approver{r, j, slog.New(slog.DiscardHandler)}, e)
			const by = "arn:aws:iam::111122223333:user/olga AIDAEXAMPLEolga 111122223333 " + olgas + " 00:20:00 "
			if status != 200 || said != "done" || len(r.asked) != 1 || r.asked[0] != by+c[1] {
				t.Errorf("%s: got %d %q, asked %q", path, status, said, r.asked)
			}
			if j.path != path || j.request != c[0] {
				t.Errorf("%s: what was judged is %s %s", path, j.path, j.request)
			}
		}
	}
}

func TestWhatCannotBeReadIsRefusedBeforeAnythingIsDone(t *testing.T) {
	const approve = `{"incident":"x","step":1,"action":"deactivate-key","target":"AKIAX"}`
	nobody := request("POST", "/approve", approve)
	nobody.RequestContext.Authorizer.IAM = nil
	unauthorized := request("POST", "/approve", approve)
	unauthorized.RequestContext.Authorizer = nil
	half := request("POST", "/approve", approve)
	half.RequestContext.Authorizer.IAM.AccessKey = ""
	broken := raw("POST", "/approve", "=")
	broken.IsBase64Encoded = true
	for name, c := range map[string]struct {
		event  events.LambdaFunctionURLRequest
		status int
		says   string
	}{
		"without IAM's name":              {nobody, 403, "IAM does not say who you are"},
		"without an authorizer":           {unauthorized, 403, "IAM does not say who you are"},
		"without a key":                   {half, 403, "IAM does not say who you are"},
		"GET":                             {request("GET", "/approve", approve), 400, "POST /approve"},
		"another path":                    {request("POST", "/approve/", approve), 400, "POST /approve"},
		"no body":                         {raw("POST", "/approve", ""), 400, "cannot be read"},
		"a field that is not one":         {request("POST", "/approve", `{"incident":"x","stop":1}`), 400, `unknown field "stop"`},
		"a step that is no number":        {request("POST", "/approve", `{"incident":"x","step":"1"}`), 400, "cannot be read"},
		"a fraction of a step":            {request("POST", "/approve", `{"incident":"x","step":1.5}`), 400, "cannot be read"},
		"two objects":                     {request("POST", "/mode", `{"mode":"ask"}{}`), 400, "cannot be read"},
		"hostile":                         {request("POST", "/mode", `{"\u202e\u001b[2J":1}`), 400, `\u202e`},
		"much":                            {request("POST", "/mode", `{"mode":"`+strings.Repeat("x", maxBody)+`"}`), 400, "longer than 16 KB"},
		"a request without its envelope":  {raw("POST", "/approve", approve), 400, "unknown field"},
		"no request":                      {raw("POST", "/approve", `{"proof":{}}`), 400, "cannot be read"},
		"more than a request and a proof": {raw("POST", "/approve", strings.Replace(enveloped(approve), "{", `{"caller":"olga",`, 1)), 400, `unknown field "caller"`},
		"more than a proof":               {raw("POST", "/approve", strings.Replace(enveloped(approve), `"date"`, `"host":"sts.evil.example","date"`, 1)), 400, `unknown field "host"`},
		"two envelopes":                   {raw("POST", "/approve", enveloped(approve)+enveloped(approve)), 400, "something behind"},
		"no base64":                       {broken, 400, "not base64"},
	} {
		r := &recorded{}
		if status, said, refused := send(t, quiet(r), c.event); status != c.status || said != "" || !strings.Contains(refused, c.says) || len(r.asked) > 0 {
			t.Errorf("%s: got %d %q %q, asked %q; want %d %q", name, status, said, refused, r.asked, c.status, c.says)
		}
	}
}

// Whoever may invoke the function can write the event himself. It makes him nobody.
func TestAForgedEventIsNobodys(t *testing.T) {
	const approve = `{"incident":"x","step":1,"action":"deactivate-key","target":"AKIAX"}`
	as := func(key string) events.LambdaFunctionURLRequest {
		e := request("POST", "/approve", approve)
		e.RequestContext.Authorizer.IAM.AccessKey = key
		return e
	}
	bare := raw("POST", "/approve", `{"word":`+approve+`}`)
	for name, c := range map[string]struct {
		event  events.LambdaFunctionURLRequest
		judge  *judge
		status int
		says   string
	}{
		"without a proof":             {bare, &judge{err: proof.Unproven{Why: "what came is no signature \x1b[2J"}}, 403, `what came is no signature \x1b[2J`},
		"with somebody else's proof":  {as("AKIAEXAMPLETHIEF0001"), &judge{}, 403, "the request came with the key AKIAEXAMPLETHIEF0001, and its proof is " + olgas + "'s: nobody speaks for somebody else here"},
		"with a hostile key":          {as("\x1b[2J"), &judge{}, 403, `the key \x1b[2J, and`},
		"while STS does not answer":   {as(olgas), &judge{err: errors.New("asking STS who you are: no answer came; nothing was done, try again")}, 500, "nothing was done"},
		"with a proof, and no caller": {as(""), &judge{}, 403, "IAM does not say who you are"},
	} {
		r := &recorded{}
		var log strings.Builder
		status, said, refused := send(t, approver{r, c.judge, slog.New(slog.NewTextHandler(&log, nil))}, c.event)
		if status != c.status || said != "" || !strings.Contains(refused, c.says) || len(r.asked) > 0 {
			t.Errorf("%s: got %d %q %q, asked %q; want %d %q", name, status, said, refused, r.asked, c.status, c.says)
		}
		if strings.Contains(log.String(), "olga "+olgas) {
			t.Errorf("%s: the log holds the proof:\n%s", name, log.String())
		}
	}
	// What the event says of its sender beside the key is not read: the key is one principal's.
	e := as(olgas)
	e.RequestContext.Authorizer.IAM.UserARN, e.RequestContext.Authorizer.IAM.UserID, e.RequestContext.Authorizer.IAM.AccountID = "arn:aws:iam::111122223333:user/eve", "AIDAEXAMPLEEVE", "444455556666"
	r := &recorded{}
	if status, _, _ := send(t, quiet(r), e); status != 200 || !strings.HasPrefix(r.asked[0], "arn:aws:iam::111122223333:user/olga AIDAEXAMPLEolga 111122223333 ") {
		t.Errorf("got %d, asked %q", status, r.asked)
	}
}

func TestARefusalHasItsStatusAndItsSentence(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
	}{
		{approval.Refusal{Kind: approval.BadQuestion, Why: "which"}, 400}, {approval.Refusal{Kind: approval.BadCaller, Why: "you"}, 403},
		{approval.Refusal{Kind: approval.NoIncident, Why: "none"}, 404}, {fmt.Errorf("so: %w", approval.Refusal{Kind: approval.NotNow, Why: "late"}), 409},
		{errors.New("DynamoDB \x1b[2J is down"), 500},
	} {
		status, said, refused := send(t, quiet(&recorded{err: c.err}), request("POST", "/approve", `{"incident":"x","step":1,"action":"deactivate-key","target":"AKIAX"}`))
		if want := strings.ReplaceAll(c.err.Error(), "\x1b", `\x1b`); status != c.status || said != "" || refused != want {
			t.Errorf("got %d %q %q, want %d %q", status, said, refused, c.status, want)
		}
	}
}
