package sns

import (
	"strings"
	"testing"

	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/report"
)

// TestCutReportKeepsTheAnswer sends a report that is far too long: what was done, and how to undo it, must survive the cut.
func TestCutReportKeepsTheAnswer(t *testing.T) {
	const key, undo = "AKIAEXAMPLESTOLEN001", "aws iam update-access-key --user-name mara --access-key-id AKIAEXAMPLESTOLEN001 --status Active"
	r := incident.Record{
		ID:       "20260304-001000-0123456789abcdef",
		Outcomes: []containment.Outcome{{Action: policy.DeactivateKey, Target: key, State: containment.Done, Undo: undo}},
		Verdicts: []incident.Verdict{{Action: policy.DeactivateKey, Target: key, Decision: policy.Contain}},
	}
	for range 2000 {
		r.Verdicts[0].Reasons = append(r.Verdicts[0].Reasons, strings.Repeat("because \u202e", 60))
	}
	m := report.Text(r)
	if len(m.Body) <= maxBytes {
		t.Fatalf("the report has %d bytes, and nothing is cut", len(m.Body))
	}
	f := &fakeSNS{t: t}
	if err := f.topic().Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	body := f.sent[0].Get("Message")
	for _, want := range []string{"CONTAINED\n", "\nDone           deactivate-key " + key, "\nTo undo        " + undo + "\n", "\nHow sure ", "\nUnexplained ", "\n[the last "} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is cut off", want)
		}
	}
	if strings.Contains(body, r.ID) {
		t.Error("the end is not what was cut")
	}
}
