// Package mototest runs moto's server, AWS in memory, for tests: https://docs.getmoto.org/en/latest/docs/server_mode.html
package mototest

import (
	"bytes"
	"cmp"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Start runs moto until the test ends, and returns its endpoint. It is found by NIGHTLATCH_MOTO or on the PATH; where it is not, the
// test is skipped.
func Start(t *testing.T) string {
	t.Helper()
	server, err := exec.LookPath(cmp.Or(os.Getenv("NIGHTLATCH_MOTO"), "moto_server"))
	if err == nil {
		err = exec.Command(server, "--help").Run()
	}
	if err != nil {
		t.Skipf("SKIPPED, what needs AWS's own answers: no moto_server (%v); pip install 'moto[server]', or set NIGHTLATCH_MOTO to its path", err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.Command(server, "-H", "127.0.0.1", "-p", port)
	log := &Log{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for range 200 {
		if r, err := http.Get("http://" + address + "/moto-api/"); err == nil {
			r.Body.Close()
			return "http://" + address
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("moto does not start:\n%s", log)
	return ""
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
