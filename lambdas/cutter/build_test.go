package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/awstest"
	"nightlatch/internal/containment"
	"nightlatch/internal/policy"
	"nightlatch/internal/settings"
)

const ours = "111122223333"

// deployed is the function's environment.
func deployed() settings.Cutter {
	return settings.Cutter{Accounts: []string{ours}, Stack: "arn:aws:cloudformation:eu-west-1:111122223333:stack/Nightlatch/8d6f2a40-0000-11f1-9c1c-0a1b2c3d4e5f",
		Steps: []string{"deny-user-sessions", "block-on-bucket"}, Paths: []string{"/team/"}, Protected: []string{"arn:aws:iam::111122223333:user/ops/break-glass"}}
}

func environ(s settings.Cutter, more ...string) []string {
	for name, value := range s.Environ() {
		more = append(more, name+"="+value)
	}
	return more
}

// beside is a directory with the list of the watched buckets.
func beside(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, settings.WatchedFile), []byte(`{"Buckets":["a-bucket","*","b-bucket"],"Id":"nightlatch"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestTheCutterIsBuiltOfItsEnvironment(t *testing.T) {
	cfg := awstest.Config("http://127.0.0.1:1")
	c, err := build(cfg, environ(deployed()), beside(t))
	if err != nil {
		t.Fatal(err)
	}
	a := c.Allowed
	if a.Account != ours || a.Stack != "Nightlatch" || !slices.Equal(a.Steps, []policy.Action{policy.DenyUserSessions, policy.BlockOnBucket}) ||
		!slices.Equal(a.Paths, []string{"/team/"}) || !slices.Equal(a.Buckets, []string{"a-bucket", "b-bucket"}) || len(a.Protected) != 1 || c.Account == nil || c.Now().IsZero() {
		t.Errorf("got %+v", c)
	}
	// Without the list no bucket can be changed.
	if c, err := build(cfg, environ(deployed()), t.TempDir()); err != nil || len(c.Allowed.Buckets) > 0 {
		t.Errorf("got %+v, %v", c, err)
	}
	if _, err := build(cfg, environ(deployed(), "NIGHTLATCH_MODE=act"), beside(t)); err == nil || !strings.Contains(err.Error(), "NIGHTLATCH_MODE is not a setting") {
		t.Errorf("got %v", err)
	}
	if _, err := build(aws.Config{Region: "eu-west-1"}, environ(deployed()), beside(t)); err == nil {
		t.Error("without credentials: got no error")
	}
}

// What is answered has the form that the responder reads, and is logged with the order, whoever sent it.
func TestAnAnswerAndItsLogLine(t *testing.T) {
	c, err := build(awstest.Config("http://127.0.0.1:1"), environ(deployed()), beside(t))
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	c.log = slog.New(slog.NewJSONHandler(&log, nil))
	for event, want := range map[string]string{
		`{"action":"fence-origin","incident":"i-1","user":"mara","networks":["198.51.100.0/24"]}`: `{"state":"not-done","detail":"the deployment does not enable fence-origin; see its setting steps"}`,
		`"` + strings.Repeat("x", 10_000) + `"`:                                                   `{"state":"not-done","detail":"an order has at most 4096 bytes, not 10002"}`,
	} {
		log.Reset()
		a, err := c.handle(t.Context(), json.RawMessage(event))
		text, failed := json.Marshal(a)
		if err != nil || failed != nil || string(text) != want {
			t.Errorf("got %s, %v", text, err)
		}
		var line struct{ Order, State, Detail string }
		if err := json.Unmarshal(log.Bytes(), &line); err != nil || !strings.HasPrefix(event, line.Order) || line.Order == "" || line.State != string(containment.CutNotDone) || line.Detail != a.Detail {
			t.Errorf("the log says %s (%v)", log.Bytes(), err)
		}
	}
}
