package settings

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheKeepersSettings(t *testing.T) {
	const id = "8d6f2a40-0000-11f1-9c1c-0a1b2c3d4e5f"
	all := Keeper{Responder{Evidence: Lake, EventDataStore: "arn:aws:cloudtrail:eu-west-1:111122223333:eventdatastore/0b8a2a3e-1f0e-4b5a-9d0c-2f6a1c3b4d5e",
		TrailLocation: "s3://files/AWSLogs/", Accounts: []string{"111122223333"}, ScanBudget: 1 << 40, Table: "Nightlatch-" + id}}
	got, err := ParseKeeper(environ(all.Environ()))
	if diff := cmp.Diff(got, all); diff != "" || err != nil {
		t.Errorf("%v: got -, want +:\n%s", err, diff)
	}
	for name, value := range map[string]string{"ACCOUNTS": "1", "TABLE": "incidents", "EVIDENCE": "duckdb", "TOPIC": "arn:aws:sns:eu-west-1:111122223333:x", "MODE": "act"} {
		env := all.Environ()
		env[prefix+name] = value
		if got, err := ParseKeeper(environ(env)); err == nil || !strings.Contains(err.Error(), prefix+name) || cmp.Diff(got, Keeper{}) != "" {
			t.Errorf("%s=%q: got %+v, %v, want nothing but an error that names it", name, value, got, err)
		}
	}
	if _, err := ParseKeeper(environ(map[string]string{prefix + "ACCOUNTS": "111122223333"})); err == nil || !strings.Contains(err.Error(), prefix+"TABLE") || !strings.Contains(err.Error(), prefix+"EVENT_DATA_STORE") {
		t.Errorf("got %v", err)
	}
	for table, want := range map[string]string{"Nightlatch-" + id: CaseBucketPrefix + id, "My-Night-Latch-" + id: CaseBucketPrefix + id, "": "", "incidents": "", id: "", "Nightlatch-" + id + "0": "",
		"Nightlatch-" + strings.ToUpper(id): ""} {
		if got := CaseBucket(table); got != want || len(got) > 63 {
			t.Errorf("of %q: %q, want %q", table, got, want)
		}
	}
}
