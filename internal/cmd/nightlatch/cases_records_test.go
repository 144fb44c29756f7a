package main

import (
	"slices"
	"testing"
)

// recordCases are about records: how they are read, unwrapped, corrected and copied.
func recordCases() map[string]nightCase {
	contained := []string{"CONTAINED", "AKIAEXAMPLESTOLEN001 of IAM user mara", "took 1.91 MiB (100 % of the alarmed bytes)", "NEVER SEEN", "To undo"}
	as00 := nightCase{says: contained, never: []string{"lost evidence", "200 %", "data-event logging"}, holds: theftAlone}
	also := func(says string) nightCase {
		return nightCase{says: append(slices.Clone(contained), says), never: as00.never, holds: theftAlone}
	}
	eve := nightCase{says: append(slices.Clone(contained), "AKIAEXAMPLECOPIER001", "the size of 1 server-side copy"), holds: theftAndCopy}
	unsized := nightCase{says: []string{"DECIDE", "IAM user mara", "UNKNOWN number of bytes", "? ? AKIAEXAMPLESTOLEN001 user mara 198.51.100.0/24 NEVER SEEN", "00:07:10",
		"Calls: GetObject 1."}, never: []string{"with less, or with calls only around the window", "CONTAINED"},
		holds: func(t *testing.T, got caseAnswer) {
			askedOf(0)(t, got)
			if a := got.Evidence.Actors; len(a) != 1 || a[0].Unsized != 1 {
				t.Errorf("got %+v", a)
			}
		}}
	all := map[string]nightCase{
		"80b-insight": as00, "80-aggregated": as00, "106-two-trails": as00, "105-addendum-updated": as00, "82-copy-plain": eve, "82b-copy-ap-arn": eve,
		"33a-legacy-name": also("My_Legacy.Bucket"), "33b-legacy-name": also("Team_Exports"), "33c-legacy-name": also("exports_prod"),
		"52-old-no-bytes": unsized, "84e-additional-string": unsized, "84l-additional-null": unsized,
		"12-express":              {code: 2, says: []string{"directory buckets are not watched", "s3express.amazonaws.com"}, never: []string{"has no request metrics", "data-event logging"}},
		"45-athena-csv":           {code: 2, says: []string{"a.csv", "a table, not records"}},
		"81b-mixed-familiar-lost": {says: []string{"DECIDE"}, never: []string{"CONTAINED"}, holds: askedOf(2_000_000)},
		"50b-redacted-eventid": {says: []string{"3 records share one eventID", "DECIDE"}, never: []string{"CONTAINED", "evidence is complete", "; complete"}, holds: func(t *testing.T, got caseAnswer) {
			if askedOf(3_000_000)(t, got); len(got.Evidence.Lost) != 1 {
				t.Errorf("lost is %q", got.Evidence.Lost)
			}
		}},
		"84d-useridentity-string": {says: []string{"lost evidence", "without a readable userIdentity", "1.91 MiB"}, never: []string{"CONTAINED", "evidence is complete", "; complete"}, holds: func(t *testing.T, got caseAnswer) {
			if took(t, got, "", 2_000_000); len(got.Evidence.Lost) != 1 {
				t.Errorf("lost is %q", got.Evidence.Lost)
			}
		}},
	}
	for _, wrapped := range []string{"40-lookup-events", "41-eventbridge-detail", "42-cwlogs-export", "42b-cwlogs-subscription", "42c-filter-log-events", "43-splunk-export",
		"44-elastic", "44b-wazuh", "47-lake-eventjson", "81-mixed-wrapped"} {
		all[wrapped] = as00
	}
	return all
}

// theftAlone is the baseline's, by nobody else, and nothing is lost.
func theftAlone(t *testing.T, got caseAnswer) {
	t.Helper()
	theft(t, got)
	if e := got.Evidence; e.Bytes != 2_000_000 || len(e.Lost) > 0 || len(e.Actors) != 1 || e.Actors[0].Calls["GetObject"] != 1 {
		t.Errorf("got %+v", e)
	}
}

// theftAndCopy is the baseline's, and a copy by eve.
func theftAndCopy(t *testing.T, got caseAnswer) {
	t.Helper()
	took(t, got, "AKIAEXAMPLESTOLEN001", 2_000_000)
	took(t, got, "AKIAEXAMPLECOPIER001", 0)
	ended(t, got, "deactivate-key AKIAEXAMPLESTOLEN001 done", "deactivate-key AKIAEXAMPLECOPIER001 asked")
	if a := got.Evidence.Actors; len(a) != 2 || a[1].Copies != 1 {
		t.Errorf("got %+v", a)
	}
}
