package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"nightlatch/internal/enroll"
)

const (
	// maxRefused and maxReason keep an answer under 4096 bytes, even where JSON writes each quote as two and each < as six. The ids, which
	// CloudFormation chooses, take up to 1 KB of it.
	// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
	maxAnswer  = 4096
	maxRefused = 2000
	maxReason  = 1000
	// answerTimeout bounds one attempt to hand the answer over: it is a small object in S3.
	answerTimeout = 5 * time.Second
	answerTries   = 3
	answerPause   = time.Second
)

// data is what the stack can read of the resource. Every attribute is always there, and never empty: an output of the stack is made
// of it.
func data(r enroll.Result) map[string]any {
	refused := strings.Join(slices.Concat(unwatched(r), sentences(r.Left)), "; ")
	if refused == "" {
		refused = "none"
	}
	return map[string]any{
		"Enrolled": strconv.Itoa(len(r.Enrolled) + len(r.Already)), "Withdrawn": strconv.Itoa(len(r.Withdrawn)), "Refused": cut(refused, maxRefused),
	}
}

// cut shortens a sentence of printable ASCII, and says so.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	const note = " ... (cut; all of it is in the enroller's log)"
	return strings.ToValidUTF8(s[:most-len(note)], "") + note
}

// answer hands the answer to CloudFormation: a PUT to the presigned URL that came with the request. That URL is a credential, and
// stands in no log and no error.
func (e *enroller) answer(ctx context.Context, to string, a cfn.Response) error {
	body, err := encode(a)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		status, err := e.put(ctx, to, body)
		switch {
		case err == nil && status < 300:
			return nil
		case err == nil && status < 500:
			// It does not take it, and will not: the URL has expired, say. To do all of it again would not help.
			e.log.ErrorContext(ctx, "cloudformation does not take the answer", "status", status)
			return nil
		case try == answerTries && err != nil:
			return fmt.Errorf("the answer could not be handed to CloudFormation: %v", err)
		case try == answerTries:
			return fmt.Errorf("the answer could not be handed to CloudFormation: HTTP %d", status)
		}
		select {
		case <-time.After(answerPause):
		case <-ctx.Done():
			return errors.New("the answer could not be handed to CloudFormation before the time was over")
		}
	}
}

// encode writes an answer without escaping what needs none, and shortens it until it fits.
func encode(a cfn.Response) ([]byte, error) {
	for most := maxRefused; ; most /= 2 {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(a); err != nil {
			return nil, fmt.Errorf("encoding the answer: %v", err)
		}
		body := bytes.TrimSpace(b.Bytes())
		if len(body) <= maxAnswer || most < 100 {
			return body, nil
		}
		a.Reason = cut(a.Reason, most)
		if refused, ok := a.Data["Refused"].(string); ok {
			a.Data["Refused"] = cut(refused, most)
		}
	}
}

func (e *enroller) put(ctx context.Context, to string, body []byte) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, to, bytes.NewReader(body))
	if err != nil {
		return 0, errors.New("the address for it is no URL")
	}
	// The URL's signature covers no content type; a request that names one is refused.
	resp, err := e.http.Do(req)
	if err != nil {
		var hidden *url.Error
		if errors.As(err, &hidden) {
			err = hidden.Err
		}
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}
