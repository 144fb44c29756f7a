package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"nightlatch/internal/awstest"
)

// bootstrap builds a Lambda as the deployment does, once for all tests, and returns its path.
func bootstrap(t testing.TB, pkg string) string {
	t.Helper()
	build, _ := bootstraps.LoadOrStore(pkg, sync.OnceValues(func() (string, error) {
		out := filepath.Join(binaries, filepath.Base(pkg), "bootstrap")
		cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags", "-s -w", "-o", out, pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("building %s: %v\n%s", pkg, err, text)
		}
		return out, nil
	}))
	path, err := build.(func() (string, error))()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var (
	binaries   string   // the directory of what bootstrap has built
	bootstraps sync.Map // what builds it, by package
)

func TestMain(m *testing.M) {
	var err error
	if binaries, err = os.MkdirTemp("", "nightlatch-bootstraps-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer os.RemoveAll(binaries)
	awstest.Beside(m)
}

// answer is what a function said to one event.
type answer struct {
	body   string
	failed bool
}

// runtimeAPI is the Lambda Runtime API, as a function sees it.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
type runtimeAPI struct {
	*httptest.Server
	timeout time.Duration
	events  chan []byte
	answers chan answer
}

func newRuntimeAPI(t testing.TB, timeout time.Duration) *runtimeAPI {
	r := &runtimeAPI{timeout: timeout, events: make(chan []byte), answers: make(chan answer)}
	done := make(chan struct{})
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch {
		case strings.HasSuffix(req.URL.Path, "/invocation/next"):
			select {
			case event := <-r.events:
				w.Header().Set("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
				w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(r.timeout).UnixMilli()))
				w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:123456789012:function:nightlatch")
				w.Write(event)
			case <-done:
			case <-req.Context().Done():
			}
		case strings.HasSuffix(req.URL.Path, "/response"), strings.HasSuffix(req.URL.Path, "/error"):
			body, _ := io.ReadAll(req.Body)
			w.WriteHeader(http.StatusAccepted)
			r.answers <- answer{string(body), strings.HasSuffix(req.URL.Path, "/error")}
		default:
			http.NotFound(w, req)
		}
	}))
	t.Cleanup(sync.OnceFunc(func() { close(done); r.CloseClientConnections(); r.Close() }))
	return r
}

// function is a function that can be invoked.
type function struct {
	// invoke hands it one event and waits for its answer.
	invoke func(t testing.TB, event []byte) answer
	logs   *awstest.Log
	// end kills it, and returns the CPU that it has taken.
	end func() time.Duration
}

// start runs a bootstrap in an environment of its own.
func start(t testing.TB, api *runtimeAPI, binary string, env ...string) *function {
	t.Helper()
	f := &function{logs: &awstest.Log{}}
	f.invoke = func(t testing.TB, event []byte) answer {
		t.Helper()
		return api.invoke(t, event, f.logs)
	}
	cmd := exec.Command(binary)
	cmd.Env = append([]string{"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(api.URL, "http://"), "PATH=" + os.Getenv("PATH")}, env...)
	cmd.Stderr, cmd.Stdout = f.logs, f.logs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f.end = sync.OnceValue(func() time.Duration {
		cmd.Process.Kill()
		cmd.Wait()
		return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	})
	t.Cleanup(func() {
		f.end()
		if t.Failed() {
			t.Logf("the function's log:\n%s", f.logs)
		}
	})
	return f
}

// invoke hands the function one event and waits for its answer.
func (r *runtimeAPI) invoke(t testing.TB, event []byte, logs *awstest.Log) answer {
	t.Helper()
	limit := time.After(r.timeout)
	select {
	case r.events <- event:
	case <-limit:
		t.Fatalf("the function does not take an event; its log:\n%s", logs)
	}
	select {
	case a := <-r.answers:
		return a
	case <-limit:
		t.Fatalf("the function does not answer; its log:\n%s", logs)
	}
	panic("unreachable")
}
