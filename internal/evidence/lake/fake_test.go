package lake

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
	"nightlatch/internal/evidence/lake/laketest"
)

const (
	storeID = "0a1b2c3d-1111-2222-3333-444455556666"
	ownARN  = "arn:aws:cloudtrail:eu-central-1:111122223333:eventdatastore/" + storeID
)

// ask is a question whose SQL can be chosen.
type ask string

func (ask) Name() string { return "bytes" }

func (a ask) SQL(s evidence.Schema) string {
	if a != "" {
		return string(a)
	}
	return "SELECT actor FROM " + s.Table
}

// fixture is a Trail with the real SDK client on a fake Lake, whose waits are recorded and take no time.
type fixture struct {
	*laketest.Server
	*Trail
	mu    sync.Mutex
	waits []time.Duration
	// during, if set, is run in each wait, with how many waits there were.
	during func(n int)
}

// newFixture answers every query with these rows, and 1000 bytes scanned.
func newFixture(t *testing.T, settings Settings, rows ...map[string]string) *fixture {
	t.Helper()
	server := laketest.New(func(string) ([]map[string]string, int64, error) { return rows, 1000, nil })
	t.Cleanup(server.Close)
	if settings.EventDataStore == "" {
		settings.EventDataStore = ownARN
	}
	trail, err := New(aws.Config{
		Region:       "ap-south-1", // the store's region must win
		BaseEndpoint: aws.String(server.URL()),
		Credentials:  credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		},
	}, settings)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{Server: server, Trail: trail}
	trail.wait = f.wait
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

// operations are the calls that came in, "StartQuery DescribeQuery …".
func (f *fixture) operations() string {
	var all []string
	for _, c := range f.Calls() {
		all = append(all, c.Operation)
	}
	return strings.Join(all, " ")
}

// statuses are how the queries stand, "FAILED FINISHED".
func (f *fixture) statuses() string {
	var all []string
	for _, q := range f.Queries() {
		all = append(all, q.Status)
	}
	return strings.Join(all, " ")
}

func rowsOf(n int) []map[string]string { return slices.Repeat([]map[string]string{{"actor": "a"}}, n) }
