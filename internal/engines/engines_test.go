package engines

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/mototest"
	"nightlatch/internal/settings"
)

func TestTheEnginesAreInOrder(t *testing.T) {
	const store, location, lake, athena = "arn:aws:cloudtrail:eu-west-1:111122223333:eventdatastore/0b8a2a3e-1f0e-4b5a-9d0c-2f6a1c3b4d5e", "s3://files/AWSLogs/", "*lake.Trail", "*athena.Trail"
	for _, c := range []struct {
		evidence, store, location string
		want                      []string
	}{
		{settings.Lake, store, "", []string{lake}},
		{settings.Athena, "", location, []string{athena}},
		{settings.Lake, store, location, []string{lake, athena}},
		{settings.Athena, store, location, []string{athena, lake}},
	} {
		s := settings.Responder{Evidence: c.evidence, EventDataStore: c.store, TrailLocation: c.location, Accounts: []string{"111122223333"}, ScanBudget: settings.DefaultScanBudget}
		all, err := inOrder(mototest.Config("http://127.0.0.1:1"), s)
		var got []string
		for _, e := range all {
			got = append(got, fmt.Sprintf("%T", e))
		}
		if diff := cmp.Diff(got, c.want); err != nil || diff != "" {
			t.Errorf("%+v: %v, got -, want +:\n%s", c, err, diff)
		}
		if first, err := New(mototest.Config("http://127.0.0.1:1"), s); err != nil || fmt.Sprintf("%T", first) != c.want[0] {
			t.Errorf("%+v: %T is asked, %v", c, first, err)
		}
	}
	for _, bad := range []settings.Responder{{EventDataStore: "main", Accounts: []string{"111122223333"}}, {TrailLocation: "s3://files", Accounts: []string{"111122223333"}}} {
		if got, err := New(mototest.Config("http://127.0.0.1:1"), bad); err == nil || got != nil || !strings.Contains(err.Error(), bad.EventDataStore+bad.TrailLocation) {
			t.Errorf("%+v: got %v, %v", bad, got, err)
		}
	}
}
