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

	"github.com/aws/aws-lambda-go/events"

	"nightlatch/internal/containment"
	"nightlatch/internal/responder"
)

// recorded keeps what it is asked, and answers err.
type recorded struct {
	asked []string
	err   error
}

func (r *recorded) note(c responder.Caller, format string, args ...any) (string, error) {
	r.asked = append(r.asked, c.AccessKeyID+" "+fmt.Sprintf(format, args...))
	return "yes", r.err
}

func (r *recorded) Approve(_ context.Context, c responder.Caller, id string, step int) (string, error) {
	return r.note(c, "approves %s %d", id, step)
}

func (r *recorded) Hold(_ context.Context, c responder.Caller, id string, step int) (string, error) {
	return r.note(c, "holds %s %d", id, step)
}

func (r *recorded) LowerMode(_ context.Context, c responder.Caller, mode containment.Mode) (string, error) {
	return r.note(c, "lowers to %s", mode)
}

// request is one of olga's, in the shape that Lambda gives it.
func request(method, path, body string) events.LambdaFunctionURLRequest {
	var e events.LambdaFunctionURLRequest
	text := fmt.Sprintf(`{"version":"2.0","routeKey":"$default","rawPath":%q,"rawQueryString":"","headers":{"content-type":"application/json"},"requestContext":{"accountId":"111122223333",
"apiId":"u1","authentication":null,"authorizer":{"iam":{"accessKey":"AKIAEXAMPLEOPSKEY001","accountId":"111122223333","callerId":"AIDAEXAMPLEOLGA","cognitoIdentity":null,
"principalOrgId":"o-1","userArn":"arn:aws:iam::111122223333:user/olga","userId":"AIDAEXAMPLEOLGA"}},"domainName":"u1.lambda-url.eu-west-1.on.aws","domainPrefix":"u1",
"http":{"method":%q,"path":%q,"protocol":"HTTP/1.1","sourceIp":"203.0.113.9","userAgent":"nightlatch"},"requestId":"r","routeKey":"$default","stage":"$default",
"time":"04/Mar/2026:00:20:00 +0000","timeEpoch":1772583600000},"body":%q,"isBase64Encoded":false}`, path, method, path, body)
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		panic(err)
	}
	return e
}

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
		"/approve": {`{"incident":"20260304-001100-0a1f","step":2}`, "approves 20260304-001100-0a1f 2"},
		"/hold":    {`{"incident":"20260304-001100-0a1f"}`, "holds 20260304-001100-0a1f 0"},
		"/mode":    {`{"mode":"observe"}`, "lowers to observe"},
	} {
		for _, encoded := range []bool{false, true} {
			r := &recorded{}
			e := request("POST", path, c[0])
			if encoded {
				e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(e.Body)), true
			}
			status, said, _ := send(t, approver{r, slog.New(slog.DiscardHandler)}, e)
			if status != 200 || said != "yes" || len(r.asked) != 1 || r.asked[0] != "AKIAEXAMPLEOPSKEY001 "+c[1] {
				t.Errorf("%s: got %d %q, asked %q", path, status, said, r.asked)
			}
		}
	}
}

func TestWhatCannotBeReadIsRefusedBeforeAnythingIsDone(t *testing.T) {
	const approve = `{"incident":"x","step":1}`
	nobody := request("POST", "/approve", approve)
	nobody.RequestContext.Authorizer.IAM = nil
	unauthorized := request("POST", "/approve", approve)
	unauthorized.RequestContext.Authorizer = nil
	half := request("POST", "/approve", approve)
	half.RequestContext.Authorizer.IAM.AccessKey = ""
	broken := request("POST", "/approve", "=")
	broken.IsBase64Encoded = true
	for name, c := range map[string]struct {
		event  events.LambdaFunctionURLRequest
		status int
		says   string
	}{
		"without IAM's word":       {nobody, 403, "IAM does not say who you are"},
		"without an authorizer":    {unauthorized, 403, "IAM does not say who you are"},
		"without a key":            {half, 403, "IAM does not say who you are"},
		"GET":                      {request("GET", "/approve", approve), 400, "POST /approve"},
		"another path":             {request("POST", "/approve/", approve), 400, "POST /approve"},
		"no body":                  {request("POST", "/approve", ""), 400, "cannot be read"},
		"a field that is not one":  {request("POST", "/approve", `{"incident":"x","stop":1}`), 400, `unknown field "stop"`},
		"a step that is no number": {request("POST", "/approve", `{"incident":"x","step":"1"}`), 400, "cannot be read"},
		"a fraction of a step":     {request("POST", "/approve", `{"incident":"x","step":1.5}`), 400, "cannot be read"},
		"two objects":              {request("POST", "/mode", `{"mode":"ask"}{}`), 400, "something behind"},
		"hostile":                  {request("POST", "/mode", `{"\u202e\u001b[2J":1}`), 400, `\u202e`},
		"much":                     {request("POST", "/mode", `{"mode":"`+strings.Repeat("x", maxBody)+`"}`), 400, "longer than 8 KB"},
		"no base64":                {broken, 400, "not base64"},
	} {
		r := &recorded{}
		if status, said, refused := send(t, approver{r, slog.New(slog.DiscardHandler)}, c.event); status != c.status || said != "" || !strings.Contains(refused, c.says) || len(r.asked) > 0 {
			t.Errorf("%s: got %d %q %q, asked %q; want %d %q", name, status, said, refused, r.asked, c.status, c.says)
		}
	}
}

func TestARefusalHasItsStatusAndItsSentence(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
	}{
		{responder.Refusal{Kind: responder.BadQuestion, Why: "which"}, 400}, {responder.Refusal{Kind: responder.BadCaller, Why: "you"}, 403},
		{responder.Refusal{Kind: responder.NoIncident, Why: "none"}, 404}, {fmt.Errorf("so: %w", responder.Refusal{Kind: responder.NotNow, Why: "late"}), 409},
		{errors.New("DynamoDB \x1b[2J is down"), 500},
	} {
		status, said, refused := send(t, approver{&recorded{err: c.err}, slog.New(slog.DiscardHandler)}, request("POST", "/approve", `{"incident":"x","step":1}`))
		if want := strings.ReplaceAll(c.err.Error(), "\x1b", `\x1b`); status != c.status || said != "" || refused != want {
			t.Errorf("got %d %q %q, want %d %q", status, said, refused, c.status, want)
		}
	}
}
