package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"nightlatch/internal/enroll/s3bucket"
	"nightlatch/internal/enroll/s3bucket/s3test"
	"nightlatch/internal/report"
	"nightlatch/internal/trail/cloudtrail"
	"nightlatch/internal/trail/cloudtrail/trailtest"
)

const region = "eu-west-1"

// cloudFormation takes answers at a presigned URL, as S3 does: with a signature that covers no content type.
type cloudFormation struct {
	*httptest.Server
	t        *testing.T
	mu       sync.Mutex
	statuses []int // of the next answers; 200 when there are no more
	puts     int
	answers  []cfn.Response
}

func (c *cloudFormation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.puts++
	if r.Method != http.MethodPut || r.URL.Query().Get("X-Amz-Signature") == "" || r.Header.Get("Content-Type") != "" || len(body) > 4096 {
		c.t.Errorf("CloudFormation would not take %s %s with content type %q and %d bytes", r.Method, r.URL, r.Header.Get("Content-Type"), len(body))
	}
	if len(c.statuses) > 0 {
		status := c.statuses[0]
		c.statuses = c.statuses[1:]
		if status != http.StatusOK {
			w.WriteHeader(status)
			return
		}
	}
	var a cfn.Response
	if err := json.Unmarshal(body, &a); err != nil {
		c.t.Errorf("the answer is %q: %v", body, err)
	}
	if a.RequestID == "" || a.StackID == "" || a.LogicalResourceID == "" || a.PhysicalResourceID == "" || a.Status == cfn.StatusFailed && a.Reason == "" {
		c.t.Errorf("CloudFormation would not understand %s", body)
	}
	c.answers = append(c.answers, a)
}

// team keeps the messages that it is sent.
type team struct {
	mu   sync.Mutex
	err  error
	sent []report.Message
}

func (*team) Name() string { return "test" }

func (t *team) Send(_ context.Context, m report.Message) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent = append(t.sent, m)
	return t.err
}

// world is an enroller with everything that it talks to.
type world struct {
	*enroller
	t    *testing.T
	s3   *s3test.Server
	aws  *trailtest.Server // CloudTrail
	cfn  *cloudFormation
	team *team
	log  *bytes.Buffer
}

func newWorld(t *testing.T, buckets ...string) *world {
	t.Helper()
	w := &world{t: t, s3: s3test.New(region), aws: trailtest.New(), cfn: &cloudFormation{t: t}, team: &team{}, log: &bytes.Buffer{}}
	w.cfn.Server = httptest.NewServer(w.cfn)
	t.Cleanup(w.s3.Close)
	t.Cleanup(w.cfn.Close)
	w.s3.Make(region, buckets...)
	cloudTrail := httptest.NewServer(w.aws)
	t.Cleanup(cloudTrail.Close)
	config := func(endpoint string) aws.Config {
		return aws.Config{Region: region, BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("ASIAEXAMPLE", "x", "x")}
	}
	metrics, err := s3bucket.New(config(w.s3.URL))
	if err != nil {
		t.Fatal(err)
	}
	trails, err := cloudtrail.New(config(cloudTrail.URL))
	if err != nil {
		t.Fatal(err)
	}
	w.enroller = &enroller{filepath.Join(t.TempDir(), "watched.json"), region, ours, metrics, trails, trails, w.team, func(context.Context, *slog.Logger) string { return "" },
		// A transport of its own: a test server that closes also closes what is idle in the default one, under a neighbour's answer.
		&http.Client{Timeout: answerTimeout, Transport: &http.Transport{}}, slog.New(slog.NewJSONHandler(w.log, nil))}
	return w
}

// watches writes the file that the deployment puts beside the code.
func (w *world) watches(p properties) {
	w.t.Helper()
	text, err := json.Marshal(p)
	if err == nil {
		err = os.WriteFile(w.watched, text, 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

type properties = map[string]any

func want(id string, buckets ...string) properties {
	list := []any{}
	for _, b := range buckets {
		list = append(list, b)
	}
	return properties{"ServiceToken": "arn:aws:lambda:eu-west-1:111122223333:function:enroller", "Id": id, "Buckets": list}
}

func (w *world) event(request cfn.RequestType, now, before properties) json.RawMessage {
	id := "RequestMetrics"
	if _, ok := now["Trail"]; ok {
		id = "Trail"
	}
	if _, ok := now["EventDataStore"]; ok {
		id = "Store"
	}
	raw, err := json.Marshal(cfn.Event{RequestType: request, RequestID: "r-1", StackID: "arn:aws:cloudformation:eu-west-1:111122223333:stack/Nightlatch/1",
		LogicalResourceID: id, ResourceType: "Custom::" + id, ResponseURL: w.cfn.URL + "/?X-Amz-Signature=secret",
		ResourceProperties: now, OldResourceProperties: before})
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

// request sends one request and returns CloudFormation's one answer.
func (w *world) request(ctx context.Context, request cfn.RequestType, now, before properties) cfn.Response {
	w.t.Helper()
	n := len(w.cfn.answers)
	if err := w.handle(ctx, w.event(request, now, before)); err != nil {
		w.t.Errorf("%s: %v", request, err)
	}
	if len(w.cfn.answers) != n+1 {
		w.t.Fatalf("%s: %d answers, want one", request, len(w.cfn.answers)-n)
	}
	return w.cfn.answers[n]
}

func (w *world) has(configs ...string) {
	w.t.Helper()
	if got := w.s3.Configs(); !slices.Equal(got, configs) {
		w.t.Errorf("got configurations %q, want %q", got, configs)
	}
}
