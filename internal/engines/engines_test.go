package engines

import (
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
