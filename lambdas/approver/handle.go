package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"github.com/aws/aws-lambda-go/events"

	"nightlatch/internal/containment"
	"nightlatch/internal/report"
	"nightlatch/internal/responder"
)

// decisions is what a human may decide, as the responder's own code does it.
type decisions interface {
	Approve(ctx context.Context, c responder.Caller, id string, step int) (string, error)
	LowerMode(ctx context.Context, c responder.Caller, mode containment.Mode) (string, error)
	Hold(ctx context.Context, c responder.Caller, id string, step int) (string, error)
}

// approver answers the function URL.
type approver struct {
	decisions
	log *slog.Logger
}

// maxBody is how long a question may be, in bytes.
const maxBody = 8 << 10

// statuses are the HTTP statuses of refusals; what is no refusal is a failure of ours.
var statuses = map[responder.RefusalKind]int{
	responder.BadQuestion: http.StatusBadRequest, responder.BadCaller: http.StatusForbidden,
	responder.NoIncident: http.StatusNotFound, responder.NotNow: http.StatusConflict,
}

// handle answers one request:
//
//	POST /approve {"incident": ID, "step": N}    N counts from 1; 0 is the only step that is asked
//	POST /mode    {"mode": "observe" or "ask"}
//	POST /hold    {"incident": ID, "step": N}
//
// with 200 {"said": …}, or 400, 403, 404, 409 or 500 {"refused": …}; each a sentence in ASCII.
func (a approver) handle(ctx context.Context, e events.LambdaFunctionURLRequest) (events.LambdaFunctionURLResponse, error) {
	said, err := a.decide(ctx, e)
	if err == nil {
		return answer(http.StatusOK, map[string]string{"said": said})
	}
	status := http.StatusInternalServerError
	var no responder.Refusal
	if errors.As(err, &no) {
		status = statuses[no.Kind]
	}
	caller := callerOf(e)
	a.log.ErrorContext(ctx, "refused", "path", e.RawPath, "status", status, "arn", caller.ARN, "key", caller.AccessKeyID, "ip", e.RequestContext.HTTP.SourceIP, "err", err)
	return answer(status, map[string]string{"refused": report.Plain(err.Error())})
}

func answer(status int, body map[string]string) (events.LambdaFunctionURLResponse, error) {
	text, err := json.Marshal(body)
	return events.LambdaFunctionURLResponse{StatusCode: status, Headers: map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store"}, Body: string(text)}, err
}

// callerOf is who IAM says that it is; nobody where IAM was not asked.
func callerOf(e events.LambdaFunctionURLRequest) responder.Caller {
	if e.RequestContext.Authorizer == nil || e.RequestContext.Authorizer.IAM == nil {
		return responder.Caller{}
	}
	iam := e.RequestContext.Authorizer.IAM
	return responder.Caller{ARN: iam.UserARN, UserID: iam.UserID, AccessKeyID: iam.AccessKey, AccountID: iam.AccountID}
}

func (a approver) decide(ctx context.Context, e events.LambdaFunctionURLRequest) (string, error) {
	caller := callerOf(e)
	if caller.ARN == "" || caller.UserID == "" || caller.AccessKeyID == "" {
		return "", responder.Refusal{Kind: responder.BadCaller, Why: "IAM does not say who you are; call the function URL, with a signed request"}
	}
	var step struct {
		Incident string `json:"incident"`
		Step     int    `json:"step"`
	}
	var mode struct {
		Mode containment.Mode `json:"mode"`
	}
	switch e.RequestContext.HTTP.Method + " " + e.RawPath {
	case "POST /approve":
		if err := read(e, &step); err != nil {
			return "", err
		}
		return a.Approve(ctx, caller, step.Incident, step.Step)
	case "POST /hold":
		if err := read(e, &step); err != nil {
			return "", err
		}
		return a.Hold(ctx, caller, step.Incident, step.Step)
	case "POST /mode":
		if err := read(e, &mode); err != nil {
			return "", err
		}
		return a.LowerMode(ctx, caller, mode.Mode)
	}
	return "", responder.Refusal{Kind: responder.BadQuestion, Why: "what is known here is POST /approve, POST /mode and POST /hold"}
}

// read reads the body: one JSON object with no field that is not known. A field that is not read may be one that was meant.
func read(e events.LambdaFunctionURLRequest, into any) error {
	bad := responder.Refusal{Kind: responder.BadQuestion}
	body := []byte(e.Body)
	if e.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
			bad.Why = "the body is not base64, as it says that it is"
			return bad
		}
	}
	if len(body) > maxBody {
		bad.Why = "the body is longer than 8 KB"
		return bad
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		if _, more := dec.Token(); more != io.EOF {
			err = errors.New("there is something behind the object")
		}
	}
	if err != nil {
		bad.Why = "the body cannot be read: " + report.Safe(err.Error())
		return bad
	}
	return nil
}
