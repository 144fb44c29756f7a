package athena_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/athena"
	"nightlatch/internal/evidence/athena/athenatest"
)

var table = athena.Table{Location: "s3://acme-trail/audit/AWSLogs/o-abcdefghij/", Accounts: []string{"111122223333", "444455556666"}}

// ask is a question whose SQL can be chosen.
type ask string

func (ask) Name() string { return "bytes" }

func (a ask) SQL(s evidence.Schema) string {
	if a != "" {
		return string(a)
	}
	return "SELECT actor FROM " + s.Table
}

// fixture is a Trail with the real SDK client on a fake Athena, whose waits are recorded and take no time.
type fixture struct {
	*athenatest.Server
	*athena.Trail
	mu    sync.Mutex
	waits []time.Duration
	// during, if set, is run in each wait, with how many waits there were.
	during func(n int)
}

// newFixture answers every query with these rows, and 1000 bytes scanned.
func newFixture(t *testing.T, budget int64, rows ...map[string]string) *fixture {
	t.Helper()
	server := athenatest.New(table, func(string) ([]map[string]string, int64, error) { return rows, 1000, nil })
	t.Cleanup(server.Close)
	trail, err := athena.New(aws.Config{
		Region:       "eu-central-1",
		BaseEndpoint: aws.String(server.URL()),
		Credentials:  credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		},
	}, athena.Settings{Table: table, Budget: budget})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{Server: server, Trail: trail}
	trail.SetWait(f.wait)
	return f
}

func (f *fixture) wait(ctx context.Context, d time.Duration) error {
	f.mu.Lock()
	f.waits = append(f.waits, d)
	n := len(f.waits)
	f.mu.Unlock()
	if f.during != nil {
		f.during(n)
	}
	return ctx.Err()
}

// operations are the calls that came in, "GetTableMetadata StartQueryExecution …".
func (f *fixture) operations() string {
	var all []string
	for _, c := range f.Calls() {
		all = append(all, c.Operation)
	}
	return strings.Join(all, " ")
}

// statuses are how the queries stand, "FAILED SUCCEEDED".
func (f *fixture) statuses() string {
	var all []string
	for _, q := range f.Queries() {
		all = append(all, q.Status)
	}
	return strings.Join(all, " ")
}

func rowsOf(n int) []map[string]string { return slices.Repeat([]map[string]string{{"actor": "a"}}, n) }

// says reports every text that an error does not say.
func says(t *testing.T, err error, wants ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if text := err.Error(); text != strings.ToLower(text[:1])+text[1:] || strings.Contains(text, "operation error") || strings.ContainsAny(text, "\n\x1b") {
		t.Errorf("%q is not a readable lower-case sentence", err)
	}
}
