package casefolder

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/posture"
)

// ofMara is an incident of a user of ours, and of a role where that is wanted, whose name nobody trusts.
func ofMara(role string) incident.Record {
	r := answered()
	r.Place = incident.Place{AccountID: "111122223333", Region: "eu-west-1", Cases: "nightlatch-cases-x"}
	r.Evidence.Actors = []evidence.Actor{{Kind: actor.IAMUserKey, AccessKeyID: "AKIAEXAMPLESTOLEN001", UserName: "mara"}}
	r.Outcomes = []containment.Outcome{{Action: policy.DeactivateKey, Target: "AKIAEXAMPLESTOLEN001", AccessKeyID: "AKIAEXAMPLESTOLEN001", State: containment.Done, At: noon}}
	if role != "" {
		r.Evidence.Actors = append(r.Evidence.Actors, evidence.Actor{Kind: actor.RoleSession, AccessKeyID: "ASIAEXAMPLESESSION01", RoleName: role})
		r.Outcomes = append(r.Outcomes, containment.Outcome{Action: policy.DenyRoleSession, Target: role, AccessKeyID: "ASIAEXAMPLESESSION01", State: containment.Asked, At: noon})
	}
	return r
}

// When an incident is closed, the policy of what its principal used of S3 is asked for, once, and stands in the folder and on the page; where that fails, what to do by hand does.
func TestThePolicyOfWhatWasUsedIsKept(t *testing.T) {
	used := []evidence.Row{{"name": "GetObject", "bucket": "exports", "folder": "reports/", "source": "", "versioned": "0", "first_seen": "1", "last_seen": "2"},
		{"name": "PutBucketTagging", "bucket": "exports", "folder": "", "source": "", "versioned": "0", "first_seen": "1", "last_seen": "2"}}
	one := []posture.Suspect{{Name: "no boundary holds it", Of: "mara", Answer: posture.RuledOut}}
	look := func(context.Context, incident.Record) []posture.Suspect { return one }
	for name, c := range map[string]struct {
		role    string
		fails   error
		rows    []evidence.Row
		page    []string
		missing string
	}{
		"used": {rows: used, page: []string{"Narrow what user mara may do in S3 to what it used: narrowed.json in the folder of this page has the policy. Only what was recorded, 2026-02-18 ", "Used, and not in it: PutBucketTagging on exports.",
			"<code>aws s3 cp s3://nightlatch-cases-x/INCIDENT/narrowed.json .</code>", "<code>aws iam create-policy "}},
		"a hostile role beside it": {role: "<script>\u202e", rows: used, page: []string{"Narrow what user mara", "See what role &lt;script&gt;"}},
		"nothing recorded":         {},
		"it fails": {fails: errors.New("the trail is <gone>"), missing: "the policy of what was used of S3: the trail is <gone>",
			page: []string{"See what user mara used of S3 before, and narrow its rights to that. It was not read here; the command does it by the trail&#39;s files of 2026-02-18 ", "<code>nightlatch suspects INCIDENT --trail PATH</code>"}},
		"no answer to that": {rows: []evidence.Row{{"x": "y"}}, missing: noNarrowed, page: []string{"See what user mara"}},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []evidence.Exercised
			each := func(ctx context.Context, q evidence.Question, do func(evidence.Row) error) (evidence.Answer, error) {
				if e, is := q.(evidence.Exercised); is {
					if asked = append(asked, e); c.fails != nil {
						return evidence.Answer{}, c.fails
					}
					if end, bounded := ctx.Deadline(); !bounded || time.Until(end) > narrowTime {
						t.Error("nothing ends it")
					}
					return engine(c.rows)(ctx, q, do)
				}
				return engine([]evidence.Row{row("a")})(ctx, q, do)
			}
			s, r := &shelf{files: map[string][][]byte{}}, ofMara(c.role)
			keep := func() Manifest {
				t.Helper()
				if wrote, err := Keep(t.Context(), t.Context(), s, r, Sources{each, still, look}); !wrote || err != nil {
					t.Fatalf("wrote %t, %v", wrote, err)
				}
				return s.manifest(t)
			}
			if keep(); len(asked) != 0 || len(s.files[narrowedName]) != 0 {
				t.Errorf("before the close it was asked %v", asked)
			}
			r.Closed = noon.Add(time.Hour)
			for i := range 2 { // and when a human undoes a step after the close
				m := keep()
				equal(t, asked, []evidence.Exercised{{User: "mara", AccountID: "111122223333", From: r.Alarm.From.Add(-14 * 24 * time.Hour), To: r.Alarm.From}})
				page := string(s.files["page.html"][i+1])
				for _, want := range c.page {
					if want = strings.ReplaceAll(want, "INCIDENT", r.ID); !strings.Contains(page, want) {
						t.Errorf("turn %d: the page lacks %q", i, want)
					}
				}
				if len(c.page) == 0 && strings.Contains(page, "used of S3") {
					t.Error("there is nothing to narrow, and the page says so")
				}
				if kept := slices.ContainsFunc(m.Files, func(f File) bool { return f.Name == narrowedName }); kept != (c.missing == "") {
					t.Errorf("turn %d: the policy is kept: %t", i, kept)
				}
				if n := strings.Count(strings.Join(m.Missing, "\n"), noNarrowed); n != strings.Count(c.missing, noNarrowed) || !strings.Contains(strings.Join(m.Missing, "\n"), c.missing) {
					t.Errorf("turn %d: missing is %q", i, m.Missing)
				}
				r.Outcomes[0].State = containment.Undone
			}
			if c.missing == "" {
				var n Narrowed
				if err := json.Unmarshal(s.files[narrowedName][1], &n); err != nil || n.Schema != NarrowedSchema || n.Of != "user mara" || (len(n.Policy) > 0) != (len(c.rows) > 0) || !n.To.Equal(r.Alarm.From) {
					t.Errorf("the file is %s, %v", s.files[narrowedName][1], err)
				}
			}
		})
	}
}
