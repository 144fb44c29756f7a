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

	"nightlatch/internal/approval"
	"nightlatch/internal/containment"
	"nightlatch/internal/proof"
	"nightlatch/internal/prose"
)

// decisions is what a human may decide, as the responder's own code does it.
type decisions interface {
	Approve(ctx context.Context, c approval.Caller, s approval.Shown) (string, error)
	LowerMode(ctx context.Context, c approval.Caller, mode containment.Mode) (string, error)
	Hold(ctx context.Context, c approval.Caller, s approval.Shown) (string, error)
	TestNotify(ctx context.Context, c approval.Caller) (string, error)
}

// prover finds out who has signed the request that came on a path; proof.Unproven where that is nobody.
type prover interface {
	Caller(ctx context.Context, path string, e proof.Envelope) (proof.Identity, error)
}

// approver answers the function URL.
type approver struct {
	decisions
	prover
	log *slog.Logger
}

// maxBody is how long a request may be with its proof, in bytes.
const maxBody = 16 << 10

// statuses are the HTTP statuses of refusals; what is no refusal is a failure of ours.
var statuses = map[approval.RefusalKind]int{
	approval.BadQuestion: http.StatusBadRequest, approval.BadCaller: http.StatusForbidden,
	approval.NoIncident: http.StatusNotFound, approval.NotNow: http.StatusConflict,
}

// handle answers one call, {"word": …, "proof": …}, whose word is the signed request:
//
//	POST /approve {"incident": ID, "step": N, "action": ACTION, "target": TARGET}    N counts from 1; the rest is what the human was shown
//	POST /mode    {"mode": "observe" or "ask"}
//	POST /hold    {"incident": ID, "step": N, "action": ACTION, "target": TARGET}
//	POST /test-notify    {}
//
// with 200 {"said": …}, or 400, 403, 404, 409 or 500 {"refused": …}; each a sentence in ASCII, and of a test a line for each channel.
func (a approver) handle(ctx context.Context, e events.LambdaFunctionURLRequest) (events.LambdaFunctionURLResponse, error) {
	said, caller, err := a.decide(ctx, e)
	if err == nil {
		return answer(http.StatusOK, map[string]string{"said": said})
	}
	status := http.StatusInternalServerError
	var no approval.Refusal
	if errors.As(err, &no) {
		status = statuses[no.Kind]
	}
	a.log.ErrorContext(ctx, "refused", "path", e.RawPath, "status", status, "arn", caller.ARN, "key", caller.AccessKeyID, "claimed", claimed(e),
		"ip", e.RequestContext.HTTP.SourceIP, "err", err)
	return answer(status, map[string]string{"refused": prose.Plain(err.Error())})
}

func answer(status int, body map[string]string) (events.LambdaFunctionURLResponse, error) {
	text, err := json.Marshal(body)
	return events.LambdaFunctionURLResponse{StatusCode: status, Headers: map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store"}, Body: string(text)}, err
}

// claimed is the key that the request was let in with, as it says. Lambda writes that where the call came through the URL; whoever may invoke
// the function writes it himself: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-request-payload
func claimed(e events.LambdaFunctionURLRequest) string {
	if e.RequestContext.Authorizer == nil || e.RequestContext.Authorizer.IAM == nil {
		return ""
	}
	return e.RequestContext.Authorizer.IAM.AccessKey
}

// decide finds out who asks, and does what he asks for. The caller is nobody until STS has said who it is.
func (a approver) decide(ctx context.Context, e events.LambdaFunctionURLRequest) (said string, caller approval.Caller, err error) {
	var shown approval.Shown
	var lowered struct {
		Mode containment.Mode `json:"mode"`
	}
	var request any
	var do func() (string, error)
	switch e.RequestContext.HTTP.Method + " " + e.RawPath {
	case "POST /approve":
		request, do = &shown, func() (string, error) { return a.Approve(ctx, caller, shown) }
	case "POST /hold":
		request, do = &shown, func() (string, error) { return a.Hold(ctx, caller, shown) }
	case "POST /mode":
		request, do = &lowered, func() (string, error) { return a.LowerMode(ctx, caller, lowered.Mode) }
	case "POST /test-notify":
		request, do = &struct{}{}, func() (string, error) { return a.TestNotify(ctx, caller) }
	default:
		return "", caller, approval.Refusal{Kind: approval.BadQuestion, Why: "what is known here is POST /approve, POST /mode, POST /hold and POST /test-notify"}
	}
	if claimed(e) == "" {
		return "", caller, approval.Refusal{Kind: approval.BadCaller, Why: "IAM does not say who you are; call the function URL, with a signed request"}
	}
	envelope, err := open(e, request)
	if err != nil {
		return "", caller, approval.Refusal{Kind: approval.BadQuestion, Why: err.Error()}
	}
	id, err := a.Caller(ctx, e.RawPath, envelope)
	var unproven proof.Unproven
	switch {
	case errors.As(err, &unproven):
		return "", caller, approval.Refusal{Kind: approval.BadCaller, Why: prose.Plain(unproven.Why)}
	case err != nil:
		return "", caller, err
	}
	caller = approval.Caller{ARN: id.ARN, UserID: id.UserID, AccessKeyID: id.AccessKeyID, AccountID: id.Account, Signed: id.Signed}
	if claimed(e) != id.AccessKeyID { // a key is one principal's: the rest of what the request says of its sender is not needed
		return "", caller, approval.Refusal{Kind: approval.BadCaller, Why: "the request came with the key " + prose.Safe(claimed(e)) + ", and its proof is " +
			prose.Safe(id.AccessKeyID) + "'s: nobody speaks for somebody else here"}
	}
	said, err = do()
	return said, caller, err
}

// open opens what came, and reads the signed request in it.
func open(e events.LambdaFunctionURLRequest, request any) (proof.Envelope, error) {
	var envelope proof.Envelope
	body := []byte(e.Body)
	if e.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
			return envelope, errors.New("the body is not base64, as it says that it is")
		}
	}
	if len(body) > maxBody {
		return envelope, errors.New("the body is longer than 16 KB")
	}
	err := read(body, &envelope)
	if err == nil {
		err = read(envelope.Word, request)
	}
	if err != nil {
		return envelope, errors.New("the body cannot be read: " + prose.Safe(err.Error()))
	}
	return envelope, nil
}

// read reads one JSON object with no field that is not known. A field that is not read may be one that was meant.
func read(text []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, more := dec.Token(); more != io.EOF {
		return errors.New("there is something behind the object")
	}
	return nil
}
