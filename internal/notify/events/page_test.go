package events

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/awstest"
	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/report"
)

// put is a message as EventBridge gets it, in the envelope in which a rule sees it.
func put(t *testing.T, m report.Message) map[string]any {
	t.Helper()
	var in struct {
		Entries []struct{ Source, DetailType, Detail string }
	}
	b := newBus(t, func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, `{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}`)
	})
	if err := b.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	var detail map[string]any
	if err := json.Unmarshal([]byte(in.Entries[0].Detail), &detail); err != nil {
		t.Fatal(err)
	}
	return map[string]any{"source": in.Entries[0].Source, "detail-type": in.Entries[0].DetailType, "detail": detail}
}

// The page's patterns match what they say of what is really put, and nothing else of it.
func TestThePagesPatternsMatch(t *testing.T) {
	page, err := os.ReadFile("../../../infra/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Events\n")
	section, _, _ = strings.Cut(section, "\n## ")
	patterns := map[string]any{}
	for _, row := range regexp.MustCompile("(?m)^\\| ([^|]+) \\| `(\\{.*\\})` \\|$").FindAllStringSubmatch(section, -1) {
		var pattern map[string]any
		if err := json.Unmarshal([]byte(row[2]), &pattern); err != nil {
			t.Fatalf("%s: %v", row[1], err)
		}
		patterns[row[1]] = pattern
	}
	done := containment.Outcome{Action: policy.DeactivateKey, Target: "AKIAX", State: containment.Done, Undo: "aws undo"}
	asked := containment.Outcome{Action: policy.DeactivateKey, Target: "AKIAX", State: containment.Asked, Runbook: []string{"aws run"}}
	of := func(o containment.Outcome) incident.Record {
		return incident.Record{ID: "one", Judged: time.Unix(1, 0), Outcomes: []containment.Outcome{o}}
	}
	const every, decide, answer, end, again, test = "every message", "what a human has to decide", "a new incident's answer", "the end of an incident, at which nothing is left to decide", "what was not answered, or goes on", "a test"
	var events []map[string]any
	var want [][]string
	for _, c := range []struct {
		m    report.Message
		want []string
	}{
		{report.Page([]incident.Record{{ID: "one"}}), []string{every}},
		{report.Write(incident.Answer, of(done)), []string{every, answer}},
		{report.Write(incident.Answer, of(asked)), []string{every, answer, decide}},
		{report.Write(incident.Revised, of(done)), []string{every}},
		{report.Write(incident.Again, of(done)), []string{every, again}},
		{report.Write(incident.Reminder, of(asked)), []string{every, decide}},
		{report.Write(incident.Escalation, of(asked)), []string{every, decide, again}},
		{report.Write(incident.Closing, of(done)), []string{every, end}},
		{report.Write(incident.Closing, of(asked)), []string{every, decide}},
		{report.Message{Subject: "s", Body: "b", Kind: report.Test}, []string{every, test}},
		{report.Message{Subject: "s", Body: "b"}, []string{every}},
	} {
		events, want = append(events, put(t, c.m)), append(want, c.want)
	}
	for i, got := range awstest.Matching(t, patterns, events) {
		if !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want[i]))) {
			t.Errorf("%s is matched by %q, want %q", events[i]["detail"].(map[string]any)["kind"], got, want[i])
		}
	}
	if len(patterns) != 6 {
		t.Errorf("the page has %d patterns", len(patterns))
	}
}
