package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"nightlatch/internal/report"
)

// casesDir holds nights that other people's reports describe, beside the project; its README.md has the right answers.
const casesDir = "../../../../shared/cases"

// nightCase is what must be said of one night, what never, and what the incident must hold.
type nightCase struct {
	says, never []string // with one blank between words
	code        int      // the exit code: 2 is a refusal, whose text is the error's
	holds       func(*testing.T, caseAnswer)
}

// caseAnswer is what the table's checks read of an incident.
type caseAnswer struct {
	Alarm struct {
		Confirmed bool
		Bytes     *int64
		From, To  string
	}
	Evidence struct {
		Bytes    int64
		Complete bool
		Lost     []string
		Actors   []struct {
			Kind        string
			AccessKeyID string `json:"access_key_id"`
			UserName    string `json:"user_name"`
			Bytes       int64
			Copies      int64 `json:"copies_out"`
			Unsized     int64 `json:"calls_without_byte_count"`
			Calls       map[string]int64
		}
	}
	Outcomes []struct {
		Action, Target, State string
		Runbook               []string
		Undo                  string
	}
}

// theft is the answer of the baseline: mara's key took the two million bytes and is turned off.
func theft(t *testing.T, got caseAnswer) {
	t.Helper()
	took(t, got, "AKIAEXAMPLESTOLEN001", 2_000_000)
	ended(t, got, "deactivate-key AKIAEXAMPLESTOLEN001 done")
}

// took checks who is listed first and with how much.
func took(t *testing.T, got caseAnswer, key string, bytes int64) {
	t.Helper()
	for _, a := range got.Evidence.Actors {
		if a.AccessKeyID == key && a.Bytes == bytes {
			return
		}
	}
	t.Errorf("got the actors %+v, want %s with %d bytes", got.Evidence.Actors, key, bytes)
}

// ended checks what became of all steps.
func ended(t *testing.T, got caseAnswer, want ...string) {
	t.Helper()
	var all []string
	for _, o := range got.Outcomes {
		if o.State != "skipped" {
			all = append(all, o.Action+" "+o.Target+" "+o.State)
		}
	}
	if strings.Join(all, ", ") != strings.Join(want, ", ") {
		t.Errorf("got the steps %q, want %q", all, want)
	}
}

// Each row is a case of ../shared/cases by its folder.
var nightCases = map[string]nightCase{
	"00-baseline": {says: []string{"CONTAINED", "NEVER SEEN", "To undo", "--status Active", "the alarm claims 1.91 MiB, and no CloudWatch was asked"},
		never: []string{"CloudWatch confirms"}, holds: theft},
	"53-set-alarm-state": {says: []string{"NOT CONFIRMED", "DECIDE"}, never: []string{"CONTAINED", "CloudWatch shows", "CloudWatch confirms"},
		holds: func(t *testing.T, got caseAnswer) { ended(t, got, "deactivate-key AKIAEXAMPLESTOLEN001 asked") }},

	"60-fas-athena":  {says: []string{"DECIDE", "through athena.amazonaws.com"}, never: []string{"aws-service", "CONTAINED"}},
	"80b-insight":    {says: []string{"CONTAINED", "NEVER SEEN", "To undo"}, holds: theft},
	"106-two-trails": {says: []string{"CONTAINED", "NEVER SEEN", "To undo"}, holds: theft},
	"82-copy-plain": {says: []string{"CONTAINED, 1 TO DECIDE", "the size of 1 server-side copy"}, holds: func(t *testing.T, got caseAnswer) {
		took(t, got, "AKIAEXAMPLESTOLEN001", 2_000_000)
		ended(t, got, "deactivate-key AKIAEXAMPLESTOLEN001 done", "deactivate-key AKIAEXAMPLECOPIER001 asked")
	}},

	"90-ci-new-network-daily": {says: []string{"NEVER SEEN for it on earlier days, but each of its 11 earlier days had a network of its own", "ask-always-new: ", "of IAM user ci-deploy",
		"As on every earlier day: the amount, the object (artifact.tgz) and the time of the day (00:07)"}, never: []string{"CONTAINED", "USUAL"}, holds: askedOfCI},
	"90b-ci-ipv6": {says: []string{"NEVER SEEN for it on earlier days, but each of its 11 earlier days had a network of its own", "ask-always-new: ", "the object (artifact.tgz)"},
		never: []string{"CONTAINED", "USUAL"}, holds: askedOfCI},
	"90c-ci-hourly-today": {says: []string{"it was used from 13 other networks in the last 24 hours", "ask-many-new: ", "ask-in-use: "}, never: []string{"CONTAINED", "USUAL"}, holds: askedOfCI},
	"97-oac-40x-usual":    {never: []string{"USUAL"}},

	"38b-filter-prefix-busy": {says: []string{"DECIDE Access key AKIAEXAMPLESTOLEN001 of IAM user mara", "this metric counts a part of the bucket", `"finance-prefix"`, "1 usual reader not asked about"},
		never: []string{"contradict each other", "--user-name nightly-backup", "CONTAINED"},
		holds: func(t *testing.T, got caseAnswer) {
			took(t, got, "AKIAEXAMPLESTOLEN001", 2_000_000)
			ended(t, got, "deactivate-key AKIAEXAMPLESTOLEN001 asked")
		}},

	"30-math-gib": {says: []string{"DECIDE Access key AKIAEXAMPLESTOLEN001 of IAM user mara", "took 40.0 GiB", `the alarm's value is computed by "m1/1024/1024/1024"`},
		never: []string{"40 bytes", "times", "of the alarmed bytes)", "CONTAINED"}, holds: askedOf(42_949_672_960)},
	"30b-math-per-second": {says: []string{"took 1.91 MiB", "the alarm's value is computed by"}, never: []string{"32.6 KiB", "60 times", "of the alarmed bytes)"}, holds: askedOf(2_000_000)},
	"31-stat-average":     {says: []string{"took 1.91 MiB", "the alarm's value is computed by"}, never: []string{"200 %", "contradict", "of the alarmed bytes)"}, holds: askedOf(2_000_000)},

	"35-composite":    {code: 2, says: []string{`"exfil"`, `"nightlatch-x"`, "metric is not there to read"}, never: []string{"for themselves"}},
	"34-storage-lens": {code: 2, says: []string{"Storage Lens counts by the day", "request metrics"}, never: []string{"does not watch S3 BytesDownloaded"}},

	"21-sns-envelope-http":    {says: []string{"CONTAINED"}, holds: theft},
	"21c-sqs-raw":             {says: []string{"CONTAINED"}, holds: theft},
	"21d-eventbridge-via-sns": {says: []string{"CONTAINED"}, holds: theft},
	"21e-detail-only":         {says: []string{"DECIDE", "NOT CONFIRMED", "neither the account nor the alarm's ARN"}, never: []string{"CONTAINED"}, holds: askedOf(2_000_000)},
	"21f-list":                {says: []string{"CONTAINED"}, holds: theft},

	"37-at-threshold": {says: []string{"CONTAINED", "2026-03-04 00:07 to 00:08 UTC"}, never: []string{"no BytesDownloaded in the window", "00:04"}, holds: theft},
}

// askedOf is a question about mara's key, with so many bytes.
func askedOf(bytes int64) func(*testing.T, caseAnswer) {
	return func(t *testing.T, got caseAnswer) {
		t.Helper()
		took(t, got, "AKIAEXAMPLESTOLEN001", bytes)
		ended(t, got, "deactivate-key AKIAEXAMPLESTOLEN001 asked")
	}
}

// askedOfCI is a question about the key of the CI job.
func askedOfCI(t *testing.T, got caseAnswer) {
	t.Helper()
	took(t, got, "AKIAEXAMPLECIKEY0001", 2_000_000)
	ended(t, got, "deactivate-key AKIAEXAMPLECIKEY0001 asked")
}

// emptyName finds a sentence with nothing where a name should be.
var emptyName = regexp.MustCompile(`(?:IAM user|of role|in role|session of|through|on behalf of|of account|inted by|rdered by) +(?:[(,.;:]|took|of IAM)`)

func TestCases(t *testing.T) {
	all := maps.Clone(nightCases)
	maps.Copy(all, recordCases())
	playCases(t, all)
}

// playCases answers each case and checks what is said of it. No sentence may have an empty name.
func playCases(t *testing.T, nights map[string]nightCase) {
	if _, err := os.Stat(casesDir); err != nil {
		t.Skipf("no cases: %v", err)
	}
	for name, want := range nights {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, got := playCase(t, name, want.code)
			for _, s := range want.says {
				if !strings.Contains(text, s) {
					t.Errorf("it does not say %q:\n%s", s, text)
				}
			}
			for _, s := range want.never {
				if strings.Contains(text, s) {
					t.Errorf("it says %q:\n%s", s, text)
				}
			}
			if empty := emptyName.FindString(text); empty != "" {
				t.Errorf("a name is empty in %q:\n%s", empty, text)
			}
			if want.holds != nil {
				want.holds(t, got)
			}
		})
	}
}

// playCase answers a case in mode act, as the command does. It returns what is said, with one blank between words, and the incident.
func playCase(t *testing.T, name string, code int) (string, caseAnswer) {
	t.Helper()
	var errs bytes.Buffer
	tmp := &scratch{}
	defer tmp.remove()
	c := respondCmd{Event: filepath.Join(casesDir, name, "event.json"), Trail: []string{filepath.Join(casesDir, name, "trail")}, Mode: "act"}
	rec, ignored, err := c.answer(t.Context(), streams{strings.NewReader(""), &errs, &errs, tmp})
	var bad badInput
	switch {
	case ignored != "":
		t.Fatalf("it is ignored: %s", ignored)
	case errors.As(err, &bad) && code == 2:
		return err.Error(), caseAnswer{}
	case err != nil || code != 0:
		t.Fatalf("got %v, want exit code %d", err, code)
	}
	text, err := report.JSON(rec)
	if err != nil {
		t.Fatal(err)
	}
	var got caseAnswer
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(c.overFiles()+"\n"+report.Text(rec).Body), " "), got
}
