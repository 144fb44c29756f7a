package awsaccount

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// It is asked once, and the log alone hears why it is not known.
func TestAlias(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		alias string
		fault fault
		want  string
		logs  string
	}{
		"the account has one":  {alias: "prod-data", want: "prod-data"},
		"the account has none": {},
		"it may not be asked":  {alias: "prod-data", fault: deny, logs: "may not call iam:ListAccountAliases on the account"},
		"IAM does not answer":  {alias: "prod-data", fault: fault{hang: true}, logs: "iam:ListAccountAliases"},
		"it is not AWS":        {alias: "prod-data", fault: fault{status: 200, body: "<html>blocked</html>"}, logs: "iam:ListAccountAliases"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.alias = c.alias
			if c.fault != none {
				f.faults["ListAccountAliases"] = []fault{c.fault}
			}
			var log bytes.Buffer
			a, logger, begun := f.account(Settings{}), slog.New(slog.NewTextHandler(&log, nil)), time.Now()
			for range 3 {
				if got := a.Alias(context.Background(), logger); got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
			}
			if took := time.Since(begun); took > 2*aliasTimeout {
				t.Errorf("a message waited for %v", took)
			}
			if n := f.count("ListAccountAliases"); n != 1 {
				t.Errorf("it was asked %d times, want once", n)
			}
			if lines := strings.Count(log.String(), "\n"); (c.logs != "") != (lines == 1) || !strings.Contains(log.String(), c.logs) {
				t.Errorf("the log has %q, want %q once", &log, c.logs)
			}
		})
	}
}
