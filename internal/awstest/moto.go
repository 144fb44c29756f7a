// Package awstest plays AWS for tests: moto's server, AWS in memory (https://docs.getmoto.org/en/latest/docs/server_mode.html), and services that
// speak AWS's JSON, for what moto does not have.
package awstest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// server is the path of moto's server.
func server() (string, error) {
	path, err := exec.LookPath(cmp.Or(os.Getenv("NIGHTLATCH_MOTO"), "moto_server"))
	if err != nil {
		return "", fmt.Errorf("no moto_server (%v); pip install 'moto[server]', or set NIGHTLATCH_MOTO to its path", err)
	}
	return path, nil
}

// Moto runs moto, one for all the tests of a package that run beside each other, and returns its endpoint. It ends with the last of them. It is
// found by NIGHTLATCH_MOTO or on the PATH; where it is not, the test is skipped.
func Moto(t *testing.T) string {
	t.Helper()
	running.mu.Lock()
	defer running.mu.Unlock()
	if running.tests == 0 {
		server, err := server()
		if err != nil {
			t.Skipf("SKIPPED, what needs AWS's own answers: %v", err)
		}
		if running.endpoint, running.end, err = start(server); err != nil {
			t.Fatalf("starting %s: %v", server, err)
		}
	}
	running.tests++
	t.Cleanup(func() {
		running.mu.Lock()
		defer running.mu.Unlock()
		if running.tests--; running.tests == 0 {
			running.end()
		}
	})
	return running.endpoint
}

// running is the moto of this process, and how many tests use it.
var running struct {
	mu       sync.Mutex
	tests    int
	endpoint string
	end      func()
}

// start runs a server until end is called, and returns when it answers.
func start(server string) (endpoint string, end func(), err error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	address := free.Addr().String()
	free.Close()
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.Command(server, "-H", "127.0.0.1", "-p", port)
	log := &Log{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for range 400 {
		if r, err := http.Get("http://" + address + "/moto-api/"); err == nil {
			r.Body.Close()
			return "http://" + address, func() { cmd.Process.Kill(); <-ended }, nil
		}
		select {
		case err := <-ended:
			return "", nil, fmt.Errorf("it has ended: %v\n%s", err, log)
		case <-time.After(50 * time.Millisecond):
		}
	}
	cmd.Process.Kill()
	return "", nil, fmt.Errorf("it does not answer:\n%s", log)
}

// Config is the configuration of a client of an endpoint that plays AWS.
func Config(endpoint string) aws.Config {
	return aws.Config{
		Region: "eu-west-1", BaseEndpoint: &endpoint,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "ASIAEXAMPLERESPONDER", SecretAccessKey: "secret", SessionToken: "token"}, nil
		}),
	}
}

// Log is what a process prints, read while it is written.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
