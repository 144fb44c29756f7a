package engines

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/athena"
	"nightlatch/internal/evidence/lake"
	"nightlatch/internal/settings"
)

func TestWhichEngineIsAsked(t *testing.T) {
	const store, location = "arn:aws:cloudtrail:eu-west-1:111122223333:eventdatastore/0b8a2a3e-1f0e-4b5a-9d0c-2f6a1c3b4d5e", "s3://trail/AWSLogs/"
	name := func(trail evidence.Trail) string {
		switch trail.(type) {
		case nil:
			return ""
		case *lake.Trail:
			return "lake"
		case *athena.Trail:
			return "athena"
		}
		return "another"
	}
	for _, c := range []struct{ store, location, evidence, first, second string }{
		{store, "", "lake", "lake", ""},
		{"", location, "athena", "athena", ""},
		{store, location, "lake", "lake", "athena"},
		{store, location, "athena", "athena", "lake"},
	} {
		first, second, err := Of(aws.Config{Region: "eu-west-1"}, settings.Responder{EventDataStore: c.store, TrailLocation: c.location, Evidence: c.evidence, Accounts: []string{"111122223333"}})
		if err != nil || name(first) != c.first || name(second) != c.second {
			t.Errorf("%+v: got %q and %q, %v", c, name(first), name(second), err)
		}
	}
	for _, wrong := range []settings.Responder{{EventDataStore: "store", TrailLocation: location}, {EventDataStore: store, TrailLocation: "s3://trail"}} {
		wrong.Accounts = []string{"111122223333"}
		if first, second, err := Of(aws.Config{}, wrong); err == nil || first != nil || second != nil || !strings.Contains(err.Error(), "looks like") {
			t.Errorf("%+v: got %v, %v, %v", wrong, first, second, err)
		}
	}
}

// rows is an engine that gives so many rows, and then fails or does not.
type rows struct {
	evidence.Trail
	name  string
	n     int
	fails error
}

func (r rows) Each(_ context.Context, _ evidence.Question, do func(evidence.Row) error) (evidence.Answer, error) {
	for range r.n {
		if err := do(evidence.Row{"of": r.name}); err != nil {
			return evidence.Answer{}, err
		}
	}
	return evidence.Answer{Engine: r.name}, r.fails
}

// The second engine is asked where the first has given nothing: no row comes twice.
func TestWhichEngineGivesRows(t *testing.T) {
	gone, also, full := errors.New("the first is gone"), errors.New("the second, too"), errors.New("the disk is full")
	ended, end := context.WithCancel(t.Context())
	end()
	for name, c := range map[string]struct {
		ctx           context.Context
		first, second Trail
		full          bool
		want          string // the engine, the rows of whom, why it is not the first, the error
	}{
		"the first":            {t.Context(), rows{name: "a", n: 2}, rows{name: "b", n: 9}, false, "a aa  <nil>"},
		"the second":           {t.Context(), rows{name: "a", fails: gone}, rows{name: "b", n: 1}, false, "b b the first is gone <nil>"},
		"no row, and no error": {t.Context(), rows{name: "a"}, rows{name: "b", n: 9}, false, "a   <nil>"},
		"not after a row":      {t.Context(), rows{name: "a", n: 1, fails: gone}, rows{name: "b", n: 9}, false, "a a  the first is gone"},
		"there is no second":   {t.Context(), rows{name: "a", fails: gone}, nil, false, "a   the first is gone"},
		"neither":              {t.Context(), rows{name: "a", fails: gone}, rows{name: "b", fails: also}, false, "   the first is gone; and of the other engine: the second, too"},
		"the time ended":       {ended, rows{name: "a", fails: gone}, rows{name: "b", n: 1}, false, "a   the first is gone"},
		"who takes them":       {t.Context(), rows{name: "a", n: 2}, rows{name: "b", n: 1}, true, " a  the disk is full"},
	} {
		of := ""
		answer, err := Each(c.first, c.second)(c.ctx, evidence.Taken{}, func(row evidence.Row) error {
			of += row["of"]
			if c.full {
				return full
			}
			return nil
		})
		if got := fmt.Sprintf("%s %s %s %v", answer.Engine, of, answer.Instead, err); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
