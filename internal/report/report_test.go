package report

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
)

var update = flag.Bool("update", false, "write the goldens anew")

const (
	stolen  = "AKIAEXAMPLESTOLEN001"
	nightly = "AKIAEXAMPLENIGHTLY01"
	gib     = 1 << 30
)

var midnight = time.Date(2026, 3, 4, 0, 7, 0, 0, time.UTC)

// clockAt is a time after the window's beginning.
func clockAt(d time.Duration) time.Time { return midnight.Add(d) }

// theft is an incident with evidence and without a verdict: mara's key took 40 GiB from a strange network, while the nightly job ran.
func theft() incident.Record {
	thief := evidence.Actor{
		Kind: actor.IAMUserKey, AccessKeyID: stolen, PrincipalARN: "arn:aws:iam::111122223333:user/mara", PrincipalID: "AIDAEXAMPLEMARA", AccountID: "111122223333", UserName: "mara",
		Bytes: 40 * gib, ObjectBytes: 40*gib - 60_000, ListingBytes: 60_000, Share: new(0.9877), Objects: 2940, Calls: map[string]int64{"GetObject": 2940, "ListObjects": 12},
		Errors: map[string]int64{"AccessDenied": 3}, Buckets: map[string]int64{"customer-exports": 40 * gib},
		Origins: []evidence.Origin{{Network: "198.51.100.0/24", Bytes: 40 * gib, Calls: 2952, Familiar: new(false)}}, Agents: []string{"[aws-cli/2.31.4 os/linux#6.16.8+kali-amd64]"},
		FirstSeen: clockAt(time.Second), LastSeen: clockAt(118 * time.Second), HistoryDays: new(int64(6)), MostBytesInADay: new(int64(52_000_000)),
		LastUsed: new(clockAt(-60 * time.Hour)), FamiliarBytes: new(int64(0)), UnfamiliarBytes: new(int64(40 * gib)), FamiliarActive: new(false),
	}
	thief.AlsoUsed = &evidence.AlsoUsed{Before: midnight, Places: 1, Hours: 160, Services: 2, Buckets: 1, Last: clockAt(-40 * time.Minute), Listed: []evidence.Use{{Place: evidence.Place{Network: "10.0.3.0/24"},
		First: clockAt(-167 * time.Hour), Last: clockAt(-40 * time.Minute), Hours: 160, Days: 8, Clocks: 24, Programs: evidence.Some{Count: 1, Names: []string{"aws-cli"}},
		Services: evidence.Some{Count: 2, Names: []string{"s3.amazonaws.com", "sqs.amazonaws.com"}}, Buckets: evidence.Some{Count: 1, Names: []string{"customer-exports"}}}}}
	job := evidence.Actor{
		Kind: actor.IAMUserKey, AccessKeyID: nightly, PrincipalARN: "arn:aws:iam::111122223333:user/nightly", PrincipalID: "AIDAEXAMPLEJOB", AccountID: "111122223333", UserName: "nightly",
		Bytes: gib / 2, ObjectBytes: gib / 2, Share: new(0.0123), Objects: 4, Calls: map[string]int64{"GetObject": 4}, Buckets: map[string]int64{"customer-exports": gib / 2},
		Origins:   []evidence.Origin{{VPCEndpoint: "vpce-0a1b2c3d4e5f60718", VPCEndpointAccount: "111122223333", Bytes: gib / 2, Calls: 4, Familiar: new(true)}},
		FirstSeen: clockAt(10 * time.Second), LastSeen: clockAt(70 * time.Second), HistoryDays: new(int64(14)), MostBytesInADay: new(int64(gib)),
		LastUsed: new(clockAt(-24 * time.Hour)), FamiliarBytes: new(int64(gib / 2)), UnfamiliarBytes: new(int64(0)), FamiliarActive: new(true),
	}
	a := alarm.Alarm{Source: alarm.Fired, Name: "nightlatch-customer-exports", Since: clockAt(3 * time.Minute), Buckets: []string{"customer-exports"},
		From: midnight, To: clockAt(2 * time.Minute), Period: time.Minute, Bytes: new(int64(40*gib + gib/2)), Threshold: new(float64(5 * gib)), Confirmed: true}
	r := incident.Record{
		Schema: incident.Schema, ID: "20260304-001000-0123456789abcdef", Place: incident.Place{AccountID: "111122223333", Region: "eu-west-1"}, Mode: containment.ModeAct, Opened: clockAt(4 * time.Minute), Alarm: a,
		Evidence: evidence.Evidence{Engine: "cloudtrail-lake", From: a.From, To: a.To, Bytes: 40*gib + gib/2, ObjectBytes: 40*gib + gib/2 - 60_000, ListingBytes: 60_000, Calls: 2956,
			Explained: new(1.0), Unexplained: new(int64(0)), Complete: true, HistoryDays: new(int64(14)), Cost: evidence.Cost{Queries: 4, BytesScanned: 46_500_000, QueuedMS: 340, RanMS: 7_150}, Lost: []string{}, Actors: []evidence.Actor{thief, job}},
		Rounds:   []incident.QueryRound{{At: clockAt(4 * time.Minute)}, {At: clockAt(8 * time.Minute)}},
		Notified: []incident.Notice{{Channel: "sns:arn:aws:sns:eu-west-1:111122223333:nightlatch"}},
	}
	r.Note(clockAt(4*time.Minute), "alarm nightlatch-customer-exports fired for customer-exports")
	r.Note(clockAt(8*time.Minute), "CloudTrail shows 40.5 GiB by 2 actors, 100.0 % of the alarmed bytes; complete")
	return r
}

// judged adds what became of the stolen key.
func judged(r incident.Record, d policy.Decision, s containment.State, detail string, reasons ...string) incident.Record {
	const line = "aws iam update-access-key --user-name mara --access-key-id " + stolen + " --status "
	o := containment.Outcome{Action: policy.DeactivateKey, Target: stolen, AccessKeyID: stolen, State: s, Detail: detail, At: clockAt(9 * time.Minute), Step: containment.Step{
		Action: policy.DeactivateKey, Target: policy.Target{Type: policy.AccessKey, ID: stolen, Owner: "mara", Known: true},
		Ref: containment.Ref{Type: containment.KeyStatus, Owner: "mara", Name: stolen}, Undo: line + "Active", Runbook: []string{line + "Inactive"}}}
	switch s {
	case containment.Done, containment.Already:
		o.Undo = o.Step.Undo
	case containment.Unknown:
		o.Undo, o.Runbook = o.Step.Undo, o.Step.Runbook
	case containment.Asked, containment.DryRun, containment.Failed:
		o.Runbook = o.Step.Runbook
	}
	if o.Contained() || s == containment.Failed {
		o.Attempts = 1
	}
	r.Verdicts = append(r.Verdicts, incident.Verdict{Action: o.Action, Target: stolen, Decision: d, Reasons: reasons})
	r.Outcomes = append(r.Outcomes, o)
	if detail != "" {
		r.Note(o.At, "deactivate-key "+stolen+": "+string(s)+", "+detail)
	}
	return r
}

const stealing = "contain-stolen-key: one long-term key took most of the bytes and far more than its owner ever does, to origins its owner did not use on earlier days, and nobody else is using it"

// messages are whole incidents, as they are reported.
func messages() map[string]incident.Record {
	contained := judged(theft(), policy.Contain, containment.Done, "read back as Inactive", stealing)
	contained.Verdicts = append(contained.Verdicts, incident.Verdict{Action: policy.DeactivateKey, Target: nightly, Decision: policy.Leave,
		Reasons: []string{"leave-usual: a small part of the bytes, all of it to origins this principal always uses, and no more than it takes there"}})
	contained.Outcomes = append(contained.Outcomes, containment.Outcome{Action: policy.DeactivateKey, Target: nightly, State: containment.Skipped})
	contained.Unjudged = 3

	decide := theft()
	decide.Alarm.Confirmed, decide.Alarm.Doubt = false, "CloudWatch shows 1200 bytes in the window, the event claims 43486543872"
	decide.Evidence.Actors[0].Origins = append(decide.Evidence.Actors[0].Origins, evidence.Origin{Network: "203.0.113.0/24", Presigned: true, Bytes: 3 * gib, Calls: 7, Familiar: new(true)})
	decide.Evidence.Actors[0].FamiliarBytes, decide.Evidence.Actors[0].UnfamiliarBytes = new(int64(3*gib)), new(int64(37*gib))
	decide.Evidence.Copies, decide.Evidence.Actors[0].Copies, decide.Evidence.MarginBytes = 2, 2, 573<<20
	decide = judged(decide, policy.Ask, containment.Asked, "", "ask-unconfirmed: CloudWatch does not confirm what the alarm claims",
		"ask-in-use: an origin familiar to its owner used it in the last 24 hours, or it is not known whether one did: turning it off may be an outage")

	nobody := theft()
	nobody.Evidence = evidence.Reconcile(nobody.Alarm, evidence.Tally{}, &evidence.History{})
	nobody.Evidence.Engine, nobody.Evidence.Complete, nobody.Evidence.Queries = "cloudtrail-lake", true, 6
	nobody.Log = nobody.Log[:1]

	failed := judged(theft(), policy.Contain, containment.Failed, "nothing was changed: IAM refused UpdateAccessKey: AccessDenied", stealing)

	unknown := theft()
	unknown.Evidence.Actors[0].AlsoUsed = nil
	unknown.Evidence.Complete, unknown.Evidence.Lost = false, []string{`trail file "a.json.gz" breaks off at byte 9000: its records are missing`}
	unknown.Rounds[1].Error = "no query slot was free"
	unknown = judged(unknown, policy.Contain, containment.Unknown, "it could not be read back: IAM did not answer in time", stealing)

	two := judged(theft(), policy.Contain, containment.Done, "read back as Inactive", stealing)
	two.Evidence.Actors[0].Bytes, two.Evidence.Actors[0].Share = 25*gib, new(0.6173)
	two.Evidence.Actors[1].Bytes, two.Evidence.Actors[1].Share = 15*gib+gib/2, new(0.3827)
	two = judged(two, policy.Ask, containment.Asked, "", "ask-share: it did not move most of the object bytes, or it is not known what part it moved")
	two.Verdicts[1].Target, two.Outcomes[1].Target, two.Outcomes[1].AccessKeyID = nightly, nightly, nightly
	two.Outcomes[1].Step.Target.Owner, two.Outcomes[1].Runbook = "nightly", []string{"aws iam update-access-key --user-name nightly --access-key-id " + nightly + " --status Inactive"}

	blind := theft()
	blind.Evidence = evidence.Evidence{From: blind.Alarm.From, To: blind.Alarm.To, Cost: evidence.Cost{Queries: 16}, Lost: []string{}}
	for i := range blind.Rounds {
		blind.Rounds[i].Error, blind.Rounds[i].HistoryError = "no query slot was free", "no query slot was free"
	}
	blind.Log = blind.Log[:1]
	blind.Note(clockAt(16*time.Minute), "CloudTrail did not answer the question for bytes: no query slot was free (all query slots were taken; somebody may be filling them)")

	asked := theft()
	asked.Alarm.Source, asked.Alarm.Name, asked.Alarm.Threshold, asked.Alarm.AccessKeyID = alarm.Manual, "", nil, nightly
	asked.Log = nil
	asked.Note(clockAt(4*time.Minute), "a manual event asks about customer-exports")
	asked = judged(asked, policy.Ask, containment.Asked, "", "ask-manual: a human asked for this investigation; no alarm fired")

	margin := theft()
	margin.Evidence.Actors[0], margin.Evidence.Actors[1] = margin.Evidence.Actors[1], margin.Evidence.Actors[0]
	late := &margin.Evidence.Actors[1]
	late.Bytes, late.ObjectBytes, late.ListingBytes, late.MarginBytes, late.Share, late.Objects = 0, 0, 0, 40*gib, new(0.0), 0
	late.Calls, late.Errors, late.FirstSeen, late.LastSeen = map[string]int64{}, nil, time.Time{}, time.Time{}
	late.Buckets, late.Agents, late.FamiliarBytes, late.UnfamiliarBytes = map[string]int64{}, nil, new(int64(0)), new(int64(0))
	late.Origins[0].Bytes, late.Origins[0].Calls = 0, 0
	margin.Evidence.Bytes, margin.Evidence.ObjectBytes, margin.Evidence.ListingBytes, margin.Evidence.MarginBytes = gib/2, gib/2, 0, 40*gib
	margin.Evidence.Explained, margin.Evidence.Unexplained, margin.Log = new(0.0123), new(int64(40*gib)), margin.Log[:1]
	margin = judged(margin, policy.Ask, containment.Asked, "", "ask-unexplained: CloudTrail explains less than 80 % of the alarmed bytes, or it is not known how much")

	return map[string]incident.Record{"contained": contained, "decide": decide, "nobody": nobody, "failed": failed, "unknown": unknown,
		"two": two, "blind": blind, "asked": asked, "margin": margin}
}

func TestWholeMessages(t *testing.T) {
	for name, r := range messages() {
		t.Run(name, func(t *testing.T) { golden(t, name, Text(r)) })
	}
	for name, m := range written() {
		t.Run(name, func(t *testing.T) { golden(t, name, m) })
	}
}

// written are the messages beside the answer, of incidents as they come.
func written() map[string]Message {
	all := messages()
	quiet, loud, open := all["contained"], all["contained"], all["decide"]
	quiet.FollowUps = []incident.FollowUp{{At: clockAt(10 * time.Minute)}, {At: clockAt(40 * time.Minute)}}
	quiet.Joined = []incident.Joined{{ID: "20260304-000512-00112233aabbccdd", Answer: "Access key " + stolen + " took 3.00 GiB from finance-ledger"}}
	loud.FollowUps = []incident.FollowUp{{At: clockAt(15 * time.Minute), Hot: true, Found: []string{"key " + stolen + " of backup-exports is ACTIVE again",
		"user backup-exports has a new key, AKIAEXAMPLEMADESINCE, made at 2026-03-04 00:14:00"}, Unknown: []string{"the trail did not answer"}}}
	late := all["contained"]
	late.Joined = quiet.Joined
	calm := all["asked"]
	calm.Alarm.Confirmed, calm.Alarm.Doubt = false, "the alarm fired at another time"
	return map[string]Message{
		"page": Page([]incident.Record{all["contained"]}), "pages": Page([]incident.Record{all["contained"], all["decide"], calm}),
		"answer": Write(incident.Answer, all["contained"]), "answer-two": Write(incident.Answer, all["two"]), "answer-nobody": Write(incident.Answer, all["nobody"]),
		"revised": Write(incident.Revised, late), "again": Write(incident.Again, loud), "reminder": Write(incident.Reminder, open),
		"escalated-ask": Write(incident.Escalation, open), "escalated-theft": Write(incident.Escalation, loud),
		"closing": Write(incident.Closing, quiet), "closing-open": Write(incident.Closing, open),
	}
}

// On a phone the first screen has the answer: at most eight short lines above the rule, which we do not wrap, and one command alone between blank
// lines. The rest is below it.
func TestAPhoneShowsTheAnswerFirst(t *testing.T) {
	for name, r := range messages() {
		for _, kind := range []incident.MessageKind{incident.Answer, incident.Reminder} {
			first, rest, ok := strings.Cut(Write(kind, r).Body, rule+"\n")
			if !ok || !strings.Contains(rest, "How sure") {
				t.Fatalf("%s: no rule, or nothing below it:\n%s", name, first)
			}
			paragraphs := strings.Split(strings.TrimSpace(first), "\n\n")
			if kind == incident.Reminder {
				paragraphs = paragraphs[2:] // that it is still open, and why it is said
			}
			if lines := strings.Split(paragraphs[1], "\n"); paragraphs[0] != headline(r) || len(lines) > 8 || len(first) > 1200 {
				t.Errorf("%s: %d characters in %d lines begin with %q:\n%s", name, len(first), len(lines), paragraphs[0], first)
			}
			commands := 0
			for _, p := range paragraphs {
				if strings.HasPrefix(p, "aws ") || strings.HasPrefix(p, "nightlatch ") {
					commands++
				}
			}
			waits := slices.ContainsFunc(r.Outcomes, func(o containment.Outcome) bool { return o.Open() || o.Undo != "" })
			if want := map[bool]int{true: 1}[waits]; commands != want || strings.Contains(first, "  ") {
				t.Errorf("%s: %d commands stand alone, want %d, and no columns:\n%s", name, commands, want, first)
			}
		}
	}
}

// A narrow terminal gets the same words in lines that fit it. Only what is one word, or a command, is longer.
func TestANarrowTerminalCutsNoWord(t *testing.T) {
	for name, r := range messages() {
		r.Lineage = &evidence.Tree{Nodes: []evidence.Node{{Kind: evidence.KeyNode, Keys: []string{stolen}, Parent: -1}}}
		whole := Terminal(r, 400)
		if whole != Text(r).Body {
			t.Errorf("%s: a wide terminal gets another text", name)
		}
		for _, wide := range []int{0, 60, 80} {
			text := Terminal(r, wide)
			for line := range strings.SplitSeq(text, "\n") {
				command := strings.Contains(line, " aws ") || strings.Contains(line, " nightlatch ")
				if len(line) > max(wide, 60) && !command && strings.Contains(strings.TrimSpace(line), " ") {
					t.Errorf("%s at %d columns has a line of %d: %s", name, wide, len(line), line)
				}
			}
			words := func(s string) string { w := strings.Fields(s); slices.Sort(w); return strings.Join(w, " ") }
			if words(text) != words(whole) {
				t.Errorf("%s at %d columns has other words:\n%s", name, wide, text)
			}
		}
	}
}

// An incident that was merged while no channel took anything is named in the next message that one takes, however many others were (simulation, seed
// 13397; and 23672, where a louder message took the place of the one that would have named it).
func TestEveryMergedIncidentIsNamed(t *testing.T) {
	r := messages()["contained"]
	for i := range 2*maxOutcomes + 1 {
		r.Joined = append(r.Joined, incident.Joined{ID: fmt.Sprintf("i%02d", i), Answer: fmt.Sprintf("answer %02d", i)})
	}
	r.JoinedMore = 3
	for _, kind := range []incident.MessageKind{incident.Answer, incident.Revised, incident.Again, incident.Reminder, incident.Escalation, incident.Closing} {
		body := strings.Join(strings.Fields(Write(kind, r).Body), " ")
		for i, j := range r.Joined {
			if latest := i > maxOutcomes; !strings.Contains(body, j.ID) || strings.Contains(body, j.Answer) != latest {
				t.Errorf("%s: %s is not named, or its answer is not said as it should be (%t):\n%s", kind, j.ID, latest, body)
			}
		}
		if more := "16 more incidents with the same steps: i00, i01, "; !strings.Contains(body, more) || !strings.Contains(body, ", i12, 3 not named") {
			t.Errorf("%s does not say %q:\n%s", kind, more, body)
		}
	}
}

func golden(t *testing.T, name string, m Message) {
	t.Helper()
	got, path := "Subject: "+m.Subject+"\n\n"+m.Body, filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("-want +got; go test ./internal/report -update writes it anew\n%s", diff)
	}
}

// TestTheAnswerComesFirst: a channel that cuts, cuts from the end.
func TestTheAnswerComesFirst(t *testing.T) {
	for name, r := range messages() {
		body := Text(r).Body
		rest := len(body)
		for _, section := range []string{"\nWHY\n", "\nEVIDENCE ", "\nNOT KNOWN\n", "\nTIMELINE\n"} {
			if r.Alarm.Source == alarm.Manual && section == "\nEVIDENCE " {
				continue // a question is answered by it
			}
			if i := strings.Index(body, section); i >= 0 {
				rest = min(rest, i)
			}
		}
		for _, line := range strings.SplitAfter(body, "\n") {
			for _, name := range []string{"Done ", "To undo ", "Run ", "YOU DECIDE ", "You asked ", "NOT DONE ", "Would do ", "Nothing to do ", "No action ", "No step ", "Still open ", "UNKNOWN ", "How sure ", "Unexplained "} {
				if strings.HasPrefix(line, name) && strings.Index(body, line) > rest {
					t.Errorf("%s: %q comes after the answer", name, line)
				}
			}
		}
		if strings.Index(body, headline(r)) != 0 {
			t.Errorf("%s: the message begins %q", name, body[:20])
		}
	}
}

func TestHeadline(t *testing.T) {
	of := func(states ...containment.State) incident.Record {
		r := theft()
		for _, s := range states {
			r = judged(r, policy.Contain, s, "")
		}
		return r
	}
	empty := theft()
	empty.Evidence.Actors = nil
	blind := theft()
	blind.Evidence = evidence.Evidence{}
	unattributed := theft()
	unattributed.Evidence.Actors[0].Kind, unattributed.Evidence.Actors[0].AccessKeyID = actor.Unattributed, ""
	for name, c := range map[string]struct {
		record incident.Record
		want   string
	}{
		"done":                           {of(containment.Done), "CONTAINED"},
		"asked":                          {of(containment.Asked), "DECIDE"},
		"dry run":                        {of(containment.DryRun), "DRY RUN"},
		"already":                        {of(containment.Already), "ALREADY OFF"},
		"failed":                         {of(containment.Failed), "NOT CONTAINED"},
		"could not query":                {blind, "COULD NOT QUERY"},
		"a caller without a name":        {unattributed, "NOT ATTRIBUTED"},
		"unknown":                        {of(containment.Unknown), "STATE UNKNOWN"},
		"drifted":                        {of(containment.Drifted), "DRIFTED"},
		"no action":                      {of(containment.Skipped), "NO ACTION"},
		"nothing judged":                 {of(), "NO ACTION"},
		"nobody":                         {empty, "NOBODY FOUND"},
		"a failure outweighs a success":  {of(containment.Done, containment.Failed), "NOT CONTAINED"},
		"and hides no request":           {of(containment.Done, containment.Failed, containment.Asked), "NOT CONTAINED, 1 TO DECIDE"},
		"not knowing does, too":          {of(containment.Done, containment.Unknown), "STATE UNKNOWN"},
		"nor does it hide two":           {of(containment.Asked, containment.Unknown, containment.Asked), "STATE UNKNOWN, 2 TO DECIDE"},
		"nor a change by somebody else":  {of(containment.Asked, containment.Drifted), "DRIFTED, 1 TO DECIDE"},
		"a success outweighs a request":  {of(containment.Asked, containment.Done), "CONTAINED, 1 TO DECIDE"},
		"requests alone are not counted": {of(containment.Asked, containment.Asked, containment.DryRun), "DECIDE"},
		"what is left is not counted":    {of(containment.Skipped, containment.Done, containment.Skipped), "CONTAINED"},
		"a request outweighs the past":   {of(containment.Already, containment.Asked), "DECIDE"},
	} {
		if got := headline(c.record); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
		if !strings.HasPrefix(Subject(c.record), "[nightlatch] "+c.want+": ") || !strings.HasPrefix(Text(c.record).Body, c.want+"\n") {
			t.Errorf("%s: the subject is %q", name, Subject(c.record))
		}
	}
}

// TestEveryStateSaysWhatToDo: what was done, or could have been, stands there with its command.
func TestEveryStateSaysWhatToDo(t *testing.T) {
	const undo, run = "\nTo undo        aws iam update-access-key ", "\nRun            aws iam update-access-key "
	for state, want := range map[containment.State][]string{
		containment.Done:    {"\nDone           deactivate-key " + stolen + " of mara at 00:16:00 (why)", undo + "--user-name mara --access-key-id " + stolen + " --status Active\n"},
		containment.Asked:   {"\nYOU DECIDE     deactivate-key " + stolen + " of mara (why)", run + "--user-name mara --access-key-id " + stolen + " --status Inactive\n"},
		containment.DryRun:  {"\nWould do       deactivate-key " + stolen + " of mara (why)", run},
		containment.Already: {"\nNothing to do  deactivate-key " + stolen + " of mara (why)", undo + "--user-name mara --access-key-id " + stolen + " --status Active\n"},
		containment.Skipped: {"\nNo action      " + stolen + ": no deactivate-key\n"},
		containment.Failed:  {"\nNOT DONE       deactivate-key " + stolen + " of mara (why)", run},
		containment.Unknown: {"\nUNKNOWN        deactivate-key " + stolen + " of mara: tried, and not seen done (why)", undo, run},
		containment.Drifted: {"\nDRIFTED        deactivate-key " + stolen + " of mara (why)"},
	} {
		body := Text(judged(theft(), policy.Contain, state, "why")).Body
		for _, w := range want {
			if !strings.Contains(body, w) {
				t.Errorf("%s: %q is missing in\n%s", state, w, body)
			}
		}
		if state != containment.Done && state != containment.Unknown && state != containment.Already && strings.Contains(body, undo) {
			t.Errorf("%s: a way to undo what was not done", state)
		}
	}
}

func TestNobody(t *testing.T) {
	with := func(change func(*incident.Record)) incident.Record {
		r := theft()
		r.Evidence.Actors, r.Evidence.Bytes, r.Evidence.Calls = []evidence.Actor{}, 0, 0
		change(&r)
		return r
	}
	silent := []evidence.Actor{{Kind: actor.IAMUserKey, AccessKeyID: stolen}}
	for name, c := range map[string]struct {
		record incident.Record
		want   string
	}{
		"no data events":            {with(func(r *incident.Record) {}), "CloudTrail shows no S3 data events: is data-event logging on for this bucket?"},
		"neither asked nor read":    {with(func(r *incident.Record) { r.Evidence.Engine, r.Rounds = "", nil }), "CloudTrail was not asked"},
		"not asked":                 {with(func(r *incident.Record) { r.Rounds = nil }), "CloudTrail was not asked"},
		"could not be asked":        {with(func(r *incident.Record) { r.Evidence.Engine, r.Rounds[1].Error = "", "no query\nslot" }), `CloudTrail could not be asked: no query\nslot`},
		"calls only around it":      {with(func(r *incident.Record) { r.Evidence.Actors = silent }), "Nobody took bytes in the window: CloudTrail shows calls only around it"},
		"calls that moved nothing":  {with(func(r *incident.Record) { r.Evidence.Actors, r.Evidence.Calls = silent, 3 }), "Nobody took bytes in the window: the calls that CloudTrail shows moved none"},
		"calls without byte counts": {with(func(r *incident.Record) { r.Evidence.Actors, r.Evidence.Calls, r.Evidence.Unsized = silent, 3, 2 }), "CloudTrail shows 2 calls without a byte count: who took the bytes is NOT KNOWN"},
	} {
		if got, want := Answer(c.record), c.want+" (customer-exports, 2026-03-04 00:07 to 00:09 UTC)"; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestWhoIsNamed(t *testing.T) {
	base := evidence.Actor{AccessKeyID: "KEY", AccountID: "111122223333", UserName: "mara", RoleName: "web", Session: "s", PrincipalID: "AROAX:s", PrincipalARN: "arn"}
	for kind, want := range map[actor.Kind]string{
		actor.IAMUserKey:       "access key KEY of IAM user mara (account 111122223333)",
		actor.IAMUserSession:   "a session (KEY) of IAM user mara (account 111122223333)",
		actor.IAMUser:          "IAM user mara (account 111122223333) (the record does not show which credential)",
		actor.FederatedUser:    "federated session s (KEY) issued by IAM user mara (account 111122223333)",
		actor.RoleSession:      "session s (KEY) of role web (account 111122223333)",
		actor.Role:             "role web (account 111122223333) (the record does not show which session)",
		actor.IdentityCenter:   "Identity Center user s (KEY) in role web (account 111122223333)",
		actor.RootKey:          "the ROOT user's access key KEY (account 111122223333)",
		actor.RootSession:      "the ROOT user's federated session s (KEY) (account 111122223333)",
		actor.AWSService:       "the AWS service AROAX:s",
		actor.ServiceForOthers: "the AWS service AROAX:s, for whoever uses it or has ordered it",
		actor.OtherAccount:     "another account's principal arn (account 111122223333)",
		actor.Anonymous:        "anonymous callers",
		actor.Unattributed:     "a caller of no known kind, whom the record calls mara (account 111122223333)",
		"":                     "a caller of no known kind, whom the record calls mara (account 111122223333)",
	} {
		a := base
		a.Kind = kind
		if got := Who(a); got != want {
			t.Errorf("%s: got %q, want %q", kind, got, want)
		}
	}
	for _, kind := range append(actor.Kinds(), "") {
		short, long := owner(evidence.Actor{Kind: kind}), Who(evidence.Actor{Kind: kind})
		for _, empty := range []string{"  ", " (,", " ,", "()", "user (account"} {
			if strings.Contains(short+"|"+long+"|", empty) || strings.TrimSpace(short) != short || strings.TrimSpace(long) != long {
				t.Errorf("%s without any name: %q, %q", kind, short, long)
			}
		}
	}
	base.Kind, base.Via = actor.IAMUserKey, "athena.amazonaws.com"
	if got := Who(base); !strings.HasSuffix(got, " through athena.amazonaws.com") {
		t.Errorf("got %q, want who made the call in its name", got)
	}
}

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		prose.Bytes(0): "0 bytes", prose.Bytes(999): "999 bytes", prose.Bytes(2089): "2,089 bytes", prose.Bytes(9_999): "9,999 bytes", prose.Bytes(10_000): "9.77 KiB",
		prose.Bytes(42949672960): "40.0 GiB", prose.Bytes(1 << 20): "1.00 MiB", prose.Bytes(1<<62 - 1): "4.00 EiB", prose.Bytes(-2000): "-2,000 bytes", prose.Bytes(-42949672960): "-40.0 GiB",

		prose.Window(midnight, midnight.Add(2*time.Minute)):                            "2026-03-04 00:07 to 00:09 UTC",
		prose.Window(midnight.Add(-10*time.Minute), midnight):                          "2026-03-03 23:57 to 2026-03-04 00:07 UTC",
		prose.Window(midnight.In(time.FixedZone("x", -7200)), midnight.Add(time.Hour)): "2026-03-04 00:07 to 01:07 UTC",
		prose.List(nil):                               "no bucket",
		prose.List([]string{"a"}):                     "a",
		prose.List([]string{"a", "b"}):                "a and b",
		prose.List([]string{"a", "b", "c", "d"}):      "a, b, c and d",
		prose.List([]string{"a", "b", "c", "d", "e"}): "a, b, c, d and 1 more",
		prose.List([]string{"a\nb", "\x1b"}):          `a\nb and \x1b`,
		prose.Plural(0, "object"):                     "0 objects",
		prose.Plural(1, "object"):                     "1 object",
		prose.Plural(2, "object"):                     "2 objects",
		prose.Plural(12345, "query"):                  "12,345 queries",
		prose.Plural(1, "server-side copy"):           "1 server-side copy",
		prose.Plural(2, "server-side copy"):           "2 server-side copies",
		percent(0):                                    "0.0 %",
		percent(0.00001):                              "<0.1 %",
		percent(0.9877):                               "98.8 %",
		percent(0.99996):                              "100 %",
		percent(1.2):                                  "120.0 %",
		percent(9.99):                                 "999.0 %",
		percent(10):                                   "10 times",
		percent(25):                                   "25 times",
		counts(nil):                                   "none",
		counts(map[string]int64{"b": 1, "a": 1}):      "a 1, b 1",
		counts(map[string]int64{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7, "h": 8}): "h 8, g 7, f 6, e 5, d 4, c 3, 2 more",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSubject(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*incident.Record)
		want   string
	}{
		"who, what and where": {func(*incident.Record) {}, "[nightlatch] CONTAINED: AKIAEXAMPLESTOLEN001 took 40.0 GiB from customer-exports"},
		"no key":              {func(r *incident.Record) { r.Evidence.Actors[0].AccessKeyID = "" }, "[nightlatch] CONTAINED: user mara took 40.0 GiB from customer-exports"},
		"nobody": {func(r *incident.Record) { r.Outcomes, r.Evidence.Actors = nil, nil },
			"[nightlatch] NOBODY FOUND: 40.5 GiB from customer-exports"},
		"nothing known": {func(r *incident.Record) {
			r.Outcomes, r.Evidence.Actors, r.Alarm.Bytes, r.Alarm.Buckets = nil, nil, nil, nil
		}, "[nightlatch] NOBODY FOUND: no bucket"},
		"a bucket with a name as long as can be": {func(r *incident.Record) { r.Evidence.Actors[0].Buckets = map[string]int64{strings.Repeat("b", 63): 1} },
			"[nightlatch] CONTAINED: AKIAEXAMPLESTOLEN001 took 40.0 GiB from " + strings.Repeat("b", 32) + "..."},
		"as long, where the record names none": {func(r *incident.Record) {
			r.Evidence.Actors[0].Buckets, r.Alarm.Buckets = nil, []string{strings.Repeat("b", 63)}
		}, "[nightlatch] CONTAINED: AKIAEXAMPLESTOLEN001 took 40.0 GiB from " + strings.Repeat("b", 32) + "..."},
		"its own buckets, not the alarm's, the most first": {func(r *incident.Record) {
			r.Alarm.Buckets, r.Evidence.Actors[0].Buckets = []string{"a", "b", "c"}, map[string]int64{"c": 2, "b": 3}
		}, "[nightlatch] CONTAINED: AKIAEXAMPLESTOLEN001 took 40.0 GiB from b and c"},
		"the one that was contained, not the one that took more": {func(r *incident.Record) { r.Evidence.Actors[1].Bytes = 80 * gib },
			"[nightlatch] CONTAINED: AKIAEXAMPLESTOLEN001 took 40.0 GiB from customer-exports"},
		"the one that is new, not the one that was off": {func(r *incident.Record) {
			r.Outcomes[0].State = containment.Already
			*r = judged(*r, policy.Ask, containment.Asked, "")
			r.Outcomes[1].Target, r.Outcomes[1].AccessKeyID = nightly, nightly
		}, "[nightlatch] DECIDE: AKIAEXAMPLENIGHTLY01 took 512 MiB from customer-exports"},
		"a failure before a success that took more": {func(r *incident.Record) {
			*r = judged(*r, policy.Contain, containment.Failed, "")
			r.Outcomes[1].Target, r.Outcomes[1].AccessKeyID = nightly, nightly
		}, "[nightlatch] NOT CONTAINED: AKIAEXAMPLENIGHTLY01 took 512 MiB from customer-exports"},
		"callers without a key, and not a key that took less": {func(r *incident.Record) {
			r.Outcomes[0].State = containment.Asked
			*r = judged(*r, policy.Ask, containment.Asked, "")
			r.Evidence.Actors = append(r.Evidence.Actors, evidence.Actor{Kind: actor.Anonymous, Bytes: 60 * gib})
			r.Outcomes[1].Target, r.Outcomes[1].AccessKeyID = "arn:aws:s3:::customer-exports", ""
		}, "[nightlatch] DECIDE: anonymous took 60.0 GiB from customer-exports"},
		"nor a service that is never stopped": {func(r *incident.Record) {
			r.Outcomes[0].State = containment.Asked
			*r = judged(*r, policy.Ask, containment.Asked, "")
			r.Evidence.Actors = append(r.Evidence.Actors, evidence.Actor{Kind: actor.AWSService, Bytes: 60 * gib}, evidence.Actor{Kind: actor.Unattributed, Bytes: 70 * gib})
			r.Outcomes[1].Target, r.Outcomes[1].AccessKeyID = "arn:aws:s3:::customer-exports", ""
		}, "[nightlatch] DECIDE: AKIAEXAMPLESTOLEN001 took 40.0 GiB from customer-exports"},
		"the margin, where the window does not explain it": {func(r *incident.Record) {
			r.Outcomes[0].State, r.Evidence.Explained = containment.Asked, new(0.79)
			r.Evidence.Actors[0].Bytes, r.Evidence.Actors[0].MarginBytes = gib, 39*gib
		}, "[nightlatch] DECIDE: AKIAEXAMPLESTOLEN001 took 40.0 GiB from customer-exports"},
		"not the margin, where it does": {func(r *incident.Record) {
			r.Outcomes[0].State, r.Evidence.Explained = containment.Asked, new(0.8)
			r.Evidence.Actors[0].Bytes, r.Evidence.Actors[0].MarginBytes = gib, 39*gib
		}, "[nightlatch] DECIDE: AKIAEXAMPLESTOLEN001 took 1.00 GiB from customer-exports"},
		"a copier that took no bytes": {func(r *incident.Record) {
			r.Evidence.Actors[0].Bytes, r.Evidence.Actors[0].Copies = 0, 3
		}, "[nightlatch] CONTAINED: AKIAEXAMPLESTOLEN001 took ? bytes from customer-exports"},
	} {
		r := judged(theft(), policy.Contain, containment.Done, "")
		c.change(&r)
		if got := Subject(r); got != c.want || len(got) >= 100 {
			t.Errorf("%s: got %q (%d characters), want %q", name, got, len(got), c.want)
		}
	}
}

func TestTheTableShowsWhoLeads(t *testing.T) {
	r := messages()["margin"]
	for i := range 30 { // neighbours that took more in the window than the thief, who took nothing there
		r.Evidence.Actors = append([]evidence.Actor{{Kind: actor.IAMUserKey, AccessKeyID: "AKIAEXAMPLEBUSY00000", UserName: "busy", Bytes: int64(1000 + i)}}, r.Evidence.Actors...)
	}
	body := Text(r).Body
	rows := strings.Split(body[strings.Index(body, "\nshare "):], "\n")
	if !strings.Contains(rows[2], "(40.0 GiB around)  "+stolen) || !strings.Contains(rows[3], nightly) {
		t.Errorf("the rows begin %q and %q, want who took most", rows[2], rows[3])
	}
	if !strings.Contains(body, "\nand 22 actors with less, or with calls only around the window\n") || strings.Count(body, "AKIAEXAMPLEBUSY00000  user busy") != 8 {
		t.Errorf("the table does not end after ten:\n%s", body)
	}
}

func TestStepsAndVerdictsAreBounded(t *testing.T) {
	r := theft()
	for range 15 {
		r = judged(r, policy.Ask, containment.Asked, "", "ask-share: why")
	}
	body := Text(r).Body
	if n := strings.Count(body, "\nYOU DECIDE "); n != 12 || !strings.Contains(body, "\nAnd            3 more steps, in the incident's JSON\n") {
		t.Errorf("got %d steps, want 12 and how many more:\n%s", n, body)
	}
	if n := strings.Count(body, ": ASK\n"); n != 12 || !strings.Contains(body, "\nand 3 more verdicts, in the incident's JSON\n") {
		t.Errorf("got %d verdicts, want 12 and how many more:\n%s", n, body)
	}
}

func TestNoStepSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*incident.Record)
		want   string
	}{
		"CloudTrail did not answer": {func(r *incident.Record) { r.Evidence = evidence.Evidence{} }, "it is NOT KNOWN who took the bytes"},
		"nobody was found":          {func(r *incident.Record) { r.Evidence.Actors = nil }, "there is no credential to act on"},
		"small parts":               {func(*incident.Record) {}, "everybody's part was too small to be judged"},
	} {
		r := theft()
		c.change(&r)
		if body := Text(r).Body; !strings.Contains(body, "\nNo step        "+c.want+"\n") {
			t.Errorf("%s: %q is missing in\n%s", name, c.want, body)
		}
	}
}

func TestUnexplained(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*incident.Record)
		want   string
	}{
		"nothing":    {func(*incident.Record) {}, "nothing"},
		"some of it": {func(r *incident.Record) { r.Evidence.Explained, r.Evidence.Unexplained = new(0.9), new(int64(4*gib)) }, "4.00 GiB of 40.5 GiB"},
		"all of it": {func(r *incident.Record) {
			r.Evidence.Explained, r.Evidence.Unexplained = new(0.0), new(int64(40*gib+gib/2))
		}, "40.5 GiB of 40.5 GiB"},
		"more":         {func(r *incident.Record) { r.Evidence.Explained, r.Evidence.Bytes = new(1.2), 48*gib+gib/2 }, "nothing; CloudTrail shows 8.00 GiB more than the metric"},
		"not known":    {func(r *incident.Record) { r.Evidence.Explained, r.Evidence.Unexplained, r.Alarm.Bytes = nil, nil, nil }, "not known: the alarmed bytes are not known"},
		"nobody asked": {func(r *incident.Record) { r.Evidence = evidence.Evidence{} }, "everything: CloudTrail has not answered"},
	} {
		r := theft()
		c.change(&r)
		if body := Text(r).Body; !strings.Contains(body, "\nUnexplained    "+c.want+"\n") {
			t.Errorf("%s: %q is missing in\n%s", name, c.want, body)
		}
	}
}

func TestUsual(t *testing.T) {
	known, strange, unsure := evidence.Origin{Network: "a", Familiar: new(true)}, evidence.Origin{Network: "b", Familiar: new(false)}, evidence.Origin{Network: "c"}
	const never, usually, notKnown = "NEVER SEEN for it on earlier days", "USUAL for it", "whether that is usual for it is NOT KNOWN"
	for name, c := range map[string]struct {
		bytes                int64
		days                 *int64
		familiar, unfamiliar *int64
		origins              []evidence.Origin
		want                 string
	}{
		"no history":                       {10, nil, nil, nil, []evidence.Origin{strange}, notKnown},
		"a history without it":             {10, new(int64(0)), new(int64(0)), new(int64(10)), []evidence.Origin{strange}, "it did not read these buckets in the 14 days before"},
		"part of the history":              {10, new(int64(3)), nil, nil, []evidence.Origin{unsure}, notKnown},
		"elsewhere":                        {10, new(int64(3)), new(int64(0)), new(int64(10)), []evidence.Origin{strange}, never},
		"as always":                        {10, new(int64(3)), new(int64(10)), new(int64(0)), []evidence.Origin{known}, usually},
		"both":                             {10, new(int64(3)), new(int64(7)), new(int64(3)), []evidence.Origin{known, strange}, "30 % of it " + never},
		"no bytes, elsewhere":              {0, new(int64(3)), new(int64(0)), new(int64(0)), []evidence.Origin{strange, strange}, never},
		"no bytes, as always":              {0, new(int64(3)), new(int64(0)), new(int64(0)), []evidence.Origin{known, known}, usually},
		"no bytes, both":                   {0, new(int64(3)), new(int64(0)), new(int64(0)), []evidence.Origin{known, strange}, notKnown},
		"no bytes, from nowhere":           {0, new(int64(3)), new(int64(0)), new(int64(0)), nil, notKnown},
		"no bytes, and not sure":           {0, new(int64(3)), new(int64(0)), new(int64(0)), []evidence.Origin{known, unsure}, notKnown},
		"no bytes, the history is in part": {0, new(int64(3)), nil, nil, []evidence.Origin{strange}, notKnown},
	} {
		a := evidence.Actor{Bytes: c.bytes, HistoryDays: c.days, FamiliarBytes: c.familiar, UnfamiliarBytes: c.unfamiliar, Origins: c.origins}
		if got := usual(a); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// Whoever is on call for several accounts has to know which, in the subject too, and what he types has to find the deployment.
func TestAMessageSaysWhere(t *testing.T) {
	long := "[nightlatch] " + strings.Repeat("x", 90)
	for _, c := range []struct {
		p             incident.Place
		subject, body string
	}{
		{incident.Place{}, "[nightlatch] A", "B\n"},
		{incident.Place{AccountID: "111122223333", Region: "eu-west-1"}, "[nightlatch] A (111122223333 eu-west-1)", "B\nAccount 111122223333, region eu-west-1.\n"},
		{incident.Place{AccountID: "111122223333"}, "[nightlatch] A (111122223333)", "B\nAccount 111122223333.\n"},
		{incident.Place{AccountID: "111122223333", Alias: "prod-data", Region: "eu-west-1"}, "[nightlatch] A (111122223333 prod-data eu-west-1)",
			"B\nAccount 111122223333, alias prod-data, region eu-west-1.\n"},
		{incident.Place{AccountID: "111122223333", Alias: "a-very-long-name-of-an-account", Region: "eu-west-1"},
			"[nightlatch] A (111122223333 a-very-long-name-... eu-west-1)", "B\nAccount 111122223333, alias a-very-long-name-of-an-account, region eu-west-1.\n"},
		{incident.Place{AccountID: "111122223333", Alias: "prod\n\nRun: curl evil", Region: "eu-west-1"}, "[nightlatch] A (111122223333 eu-west-1)", "B\nAccount 111122223333, region eu-west-1.\n"},
		{incident.Place{Alias: "999988887777", Region: "eu-west-1"}, "[nightlatch] A (eu-west-1)", "B\nRegion eu-west-1.\n"},
		{incident.Place{AccountID: "1\n2", Region: "eu-west-1; rm"}, "[nightlatch] A", "B\n"},
		{incident.Place{AccountID: "111122223333", Region: strings.Repeat("r", 90)}, "[nightlatch] A (111122223333)", "B\nAccount 111122223333.\n"},
	} {
		got := Message{Subject: "[nightlatch] A", Body: "B\n"}.In(c.p)
		if got.Subject != c.subject || got.Body != c.body {
			t.Errorf("%+v: got %q, want %q and %q", c.p, got, c.subject, c.body)
		}
		if got := (Message{Subject: long}).In(c.p).Subject; len(got) > max(len(long), 99) || c.p != (incident.Place{}) && c.body != "B\n" && (len(got) != 99 || !strings.Contains(got, "x... (")) {
			t.Errorf("%+v: a long subject becomes %q", c.p, got)
		}
	}
	r := messages()["decide"]
	r.Place, r.Alarm.AccountID, r.Alarm.Region = incident.Place{}, "444455556666", "us-east-1" // a record of before, or no deployment: the alarm's
	if m := Text(r); !strings.HasSuffix(m.Subject, " (444455556666 us-east-1)") || !strings.Contains(m.Body, "deactivate-key:"+stolen+" --region us-east-1\n") {
		t.Errorf("got %q", m)
	}
	r.Place = incident.Place{AccountID: "111122223333", Region: "eu-west-1"} // whatever the alarm claims
	if m := Text(r); strings.Contains(m.Subject+m.Body, "us-east-1") {
		t.Errorf("got %q", m)
	}
	r.Alarm.Region, r.Place = "eu'; rm -rf ~", incident.Place{}
	if m := Text(r); strings.Contains(m.Subject+m.Body, "rm -rf") {
		t.Errorf("got %q", m)
	}
}
