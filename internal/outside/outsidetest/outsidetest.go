// Package outsidetest stands for what is outside: a secret, and the server to which its URL leads.
package outsidetest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/awstest"
)

// Config is an account in which there is one secret, with this text. A text that begins with "!" is the error with which Secrets Manager answers.
func Config(t testing.TB, arn, text string) aws.Config {
	t.Helper()
	secrets := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ SecretId string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.SecretId != arn || r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" {
			t.Errorf("asked for %q by %q, %v", in.SecretId, r.Header.Get("X-Amz-Target"), err)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if name, ok := strings.CutPrefix(text, "!"); ok {
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"__type":%q,"message":"no"}`, name)
			return
		}
		quoted, _ := json.Marshal(text)
		fmt.Fprintf(w, `{"ARN":%q,"SecretString":%s}`, arn, quoted)
	}))
	t.Cleanup(secrets.Close)
	return awstest.Config(secrets.URL)
}

// To connects to a fake where a host is called, and nowhere else.
func To(fake *httptest.Server, host string) http.RoundTripper {
	transport := fake.Client().Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.ServerName = "example.com" // for which the fake has its certificate
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != host+":443" {
			return nil, fmt.Errorf("dialled %s", address)
		}
		return new(net.Dialer).DialContext(ctx, network, fake.Listener.Addr().String())
	}
	return transport
}
