package deployment

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"nightlatch/internal/proof"
	"nightlatch/internal/settings"
)

const (
	// answerTimeout bounds one request to the approver, with its one attempt. It is long, because the approver asks CloudTrail first who
	// the caller is. To give up on a request that it is still working on buys nothing but an unknown outcome.
	answerTimeout = 5 * time.Minute
	// maxAnswer is the most bytes of an answer that are read.
	maxAnswer = 64 << 10
)

// Refused is the approver's refusal, in its own words. Nothing was done.
type Refused struct{ Sentence string }

// Error implements error.
func (r Refused) Error() string { return r.Sentence }

// Step names a step of an incident to the approver, as the human was shown it. The first is 1.
type Step struct {
	Incident string `json:"incident"`
	Step     int    `json:"step"`
	Action   string `json:"action"`
	Target   string `json:"target"`
	Of       string `json:"of,omitempty"`
}

// Approve approves a step that is asked, and returns the approver's sentence. The error is Refused where the approver refuses. After any
// other error that does not say so, whether the request arrived is not known.
func (d *Deployment) Approve(ctx context.Context, s Step) (said string, err error) {
	return d.post(ctx, "approve", s)
}

// Hold has Nightlatch ask about the key of a step that was taken back, instead of containing it, where it is used from the origins that
// are known. Errors are as Approve's.
func (d *Deployment) Hold(ctx context.Context, s Step) (said string, err error) {
	return d.post(ctx, "hold", s)
}

// LowerMode lowers the mode of the deployment at once. Errors are as Approve's.
func (d *Deployment) LowerMode(ctx context.Context, mode string) (said string, err error) {
	return d.post(ctx, "mode", struct {
		Mode string `json:"mode"`
	}{mode})
}

// TestNotify has a test sent to every channel of the deployment, and returns a line for each. Errors are as Approve's.
func (d *Deployment) TestNotify(ctx context.Context) (said string, err error) {
	return d.post(ctx, "test-notify", struct{}{})
}

// Approver is the approver's URL.
func (d *Deployment) Approver(ctx context.Context) (string, error) {
	u, err := d.approver(ctx)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

// functionURL is a Lambda function URL's host: https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html
var functionURL = regexp.MustCompile(`^[a-z0-9]+\.lambda-url\.([a-z0-9-]+)\.on\.aws$`)

func (d *Deployment) approver(ctx context.Context) (*url.URL, error) {
	text := d.settings.URL
	if text == "" {
		if !settings.HasFunctionURLs(d.Region) {
			return nil, fmt.Errorf("in region %s Lambda has no function URLs, so Nightlatch has no approver there that could be called, and nothing was asked of it; "+
				"do a step by the aws command that its message prints, and lower the mode by a deployment: npx cdk deploy -c mode=observe, with the other settings as they are", d.Region)
		}
		var err error
		if text, err = d.output(ctx, settings.ApproverOutput, "--url"); err != nil {
			return nil, err
		}
	}
	u, err := parseURL(text)
	if err != nil {
		return nil, err
	}
	if m := functionURL.FindStringSubmatch(u.Host); m != nil && m[1] != d.Region {
		return nil, fmt.Errorf("the approver is in region %s, and this is region %s; give --region %s", m[1], d.Region, m[1])
	}
	return u, nil
}

// post sends one signed request, once, with the proof of whose it is: Lambda lets the request in, and does not say who has sent it in a
// way that nobody could forge. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
func (d *Deployment) post(ctx context.Context, what string, asked any) (string, error) {
	u, err := d.approver(ctx)
	if err != nil {
		return "", err
	}
	table, err := d.Table(ctx)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(asked)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	credentials, err := d.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return "", unsigned(err)
	}
	e, now := proof.Envelope{Word: text}, time.Now()
	if e.Proof, err = proof.Sign(ctx, credentials, proof.Word{To: proof.Deployment{Account: d.Account, Region: d.Region, Table: table}, Path: "/" + what, Text: text}, now); err != nil {
		return "", err
	}
	body, err := json.Marshal(e)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.JoinPath(what).String(), bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, credentials, req, hex.EncodeToString(sum[:]), "lambda", d.Region, now); err != nil {
		return "", fmt.Errorf("signing the request to the approver: %v", err)
	}
	return d.send(req)
}

// send sends a request once and reads the answer. Without a connection there was nothing to send it on.
func (d *Deployment) send(req *http.Request) (string, error) {
	var connected atomic.Bool
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }}))
	resp, err := proof.Client(d.cfg).Do(req)
	if err != nil {
		var failure *url.Error
		if errors.As(err, &failure) {
			err = failure.Err // without the URL, which was printed
		}
		if !connected.Load() {
			return "", fmt.Errorf("the approver at %s cannot be reached: %v; the request was not sent and has changed nothing; see whether its URL is right, and whether this network lets you there", req.URL.Host, err)
		}
		return "", fmt.Errorf("no answer came from the approver at %s: %v; whether it arrived is not known, look at the incident before you repeat it", req.URL.Host, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return "", fmt.Errorf("the approver's answer broke off: %v; whether it arrived is not known, look at the incident before you repeat it", err)
	}
	return read(resp.StatusCode, answer)
}

// read reads an answer: the approver's own, or Lambda's about it.
func read(status int, text []byte) (string, error) {
	var answer struct{ Said, Refused, Message string }
	if err := json.Unmarshal(text, &answer); err != nil {
		answer.Message = ""
	}
	said, refused := strings.TrimSpace(answer.Said), strings.TrimSpace(answer.Refused)
	switch {
	case status == http.StatusOK && said != "":
		return said, nil
	case status >= 400 && refused != "":
		return "", Refused{refused}
	case status == http.StatusForbidden:
		return "", fmt.Errorf("AWS does not let you call the approver (AWS: %+.300q); that takes lambda:InvokeFunctionUrl and lambda:InvokeFunction on its function: "+
			"grant both, or see which policy denies them", answer.Message)
	case status == http.StatusNotFound:
		return "", errors.New("there is no approver at that URL; deploy again, or correct --url")
	case status == http.StatusTooManyRequests:
		return "", errors.New("the approver is being throttled by Lambda, and nothing was done; try again in a minute")
	case status >= 500:
		return "", fmt.Errorf("the approver failed (HTTP %d); whether it did anything is not known, look at the incident before you repeat it", status)
	}
	return "", fmt.Errorf("the answer (HTTP %d) is not the approver's; see whether the URL is right, and whether a proxy stands between", status)
}
