package casefolder

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/posture"
	"nightlatch/internal/prose"
	"nightlatch/internal/report"
)

// NarrowedSchema names the form of narrowed.json. Fields are only ever added.
const NarrowedSchema = "nightlatch.narrowed/1"

// Narrowed is what an IAM user or a role used of S3 before an incident, as a policy that allows just that.
type Narrowed struct {
	Schema string `json:"schema"`
	// Of is the user or the role, with that word before it; others chose its name.
	Of string `json:"of"`
	// From and To are the time that was asked about, half open.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Says is what it is and what not, for people.
	Says string `json:"says"`
	// NotInIt are, a line each, what was used and is not allowed by it, or could not be read.
	NotInIt []string `json:"not_in_it"`
	// Policy is none where nothing was recorded that a policy could allow.
	Policy json.RawMessage `json:"policy,omitempty"`
}

// NarrowedOf makes a policy, in a partition as aws, of the answer to a question.
func NarrowedOf(partition string, q evidence.Exercised, answer evidence.Answer) (Narrowed, error) {
	recorded, partial, err := evidence.ReadExercised(answer.Rows)
	if err != nil {
		return Narrowed{}, err
	}
	var uses []posture.S3Use
	for _, u := range recorded {
		uses = append(uses, posture.S3Use{Call: u.Call, Bucket: u.Bucket, Folder: u.Folder, Source: u.Source, Version: u.Version})
	}
	policy, left, err := posture.Narrow(partition, uses)
	if err != nil {
		return Narrowed{}, err
	}
	if partial {
		left = append(left, "what comes after the first thousand calls, buckets and folders")
	}
	for _, l := range answer.Lost {
		left = append(left, "what could not be read: "+prose.Safe(l))
	}
	n := Narrowed{Schema: NarrowedSchema, Of: of(q), From: q.From.UTC(), To: q.To.UTC(), NotInIt: append([]string{}, left...), Policy: json.RawMessage(policy),
		Says: "Only what was recorded, " + prose.Window(q.From, q.To) + ": it ends where the alarm's window begins. A thief who was there before stands in it, too. Not in it is what the trail does not record, " +
			"such as reads of buckets that it leaves out, the keys of KMS, and every other service. Try it on a copy of the " + kind(q) + " first."}
	if policy == "" {
		n.Says = "Nothing that a policy could allow was recorded, " + prose.Window(q.From, q.To) + "."
	}
	return n, nil
}

func kind(q evidence.Exercised) string {
	if q.Role != "" {
		return "role"
	}
	return "user"
}

func of(q evidence.Exercised) string { return kind(q) + " " + q.User + q.Role }

// exercised are the questions about what the principals of an incident used of S3 in the history before it. A keeper asks the first.
func exercised(r incident.Record) (all []evidence.Exercised) {
	_, users, roles := r.Suspected()
	q := evidence.Exercised{AccountID: r.Where().AccountID, From: r.Alarm.From.Add(-evidence.HistorySpan), To: r.Alarm.From}
	for _, q.User = range users {
		all = append(all, q)
	}
	q.User = ""
	for _, q.Role = range roles {
		all = append(all, q)
	}
	return all
}

const (
	narrowedName = "narrowed.json"
	// narrowTime is for the question of what a principal used of S3: two weeks of events. The page waits for it.
	narrowTime = 2 * time.Minute
	// noNarrowed begins what a manifest says of such a policy that is not there.
	noNarrowed = "the policy of what was used of S3: "
)

// narrowed is the policy that the rights of an incident's principal can be narrowed to, as the folder keeps it, with what is to do about it, or with what is missing. It
// is asked for once: when the incident is closed.
func (m Manifest) narrowed(ctx context.Context, shelf Shelf, r incident.Record, stage Stage, each Each) (text []byte, todos []report.Todo, missing string, err error) {
	all := exercised(r)
	if stage.Name != Closed || !listable(r) || len(all) == 0 {
		return nil, nil, "", nil
	}
	n := Narrowed{}
	switch {
	case m.Stage == nil || m.Stage.Name != Closed:
		asking, done := context.WithTimeout(ctx, narrowTime)
		defer done()
		answer, asked := evidence.Collect(func(do func(evidence.Row) error) (evidence.Answer, error) { return each(asking, all[0], do) })
		if asked == nil {
			n, asked = NarrowedOf(r.Alarm.Partition(), all[0], answer)
		}
		if asked == nil {
			text, asked = json.MarshalIndent(n, "", "  ")
		}
		if asked != nil {
			missing = prose.Plain(noNarrowed + asked.Error())
		}
	case slices.ContainsFunc(m.Files, func(f File) bool { return f.Name == narrowedName }):
		if text, _, err = shelf.Get(ctx, narrowedName); err == nil {
			err = json.Unmarshal(text, &n)
		}
		if err != nil {
			return nil, nil, "", fmt.Errorf("reading %s: %w", narrowedName, err)
		}
	default:
		if i := slices.IndexFunc(m.Missing, func(what string) bool { return strings.HasPrefix(what, noNarrowed) }); i >= 0 {
			missing = m.Missing[i]
		}
	}
	return text, narrowing(r, n, all), missing, nil
}

// narrowing says what to do about the rights of an incident's principals: by a policy, where there is one, and by hand.
func narrowing(r incident.Record, n Narrowed, all []evidence.Exercised) (todos []report.Todo) {
	if len(n.Policy) > 0 {
		t := report.Todo{Says: "Narrow what " + prose.Safe(n.Of) + " may do in S3 to what it used: " + narrowedName + " in the folder of this page has the policy. " + n.Says}
		if len(n.NotInIt) > 0 {
			t.Says += " Used, and not in it: " + prose.List(n.NotInIt) + "."
		}
		if r.Place.Cases != "" {
			t.Commands = append(t.Commands, containment.Command("aws", "s3", "cp", "s3://"+r.Place.Cases+"/"+r.ID+"/"+narrowedName, "."))
		}
		t.Commands = append(t.Commands, "jq .policy "+narrowedName+" >policy.json", "aws iam create-policy --policy-name s3-as-used --policy-document file://policy.json")
		todos = append(todos, t)
	}
	var rest []string
	for _, q := range all {
		if of(q) != n.Of {
			rest = append(rest, prose.Safe(of(q)))
		}
	}
	if len(rest) > 0 {
		todos = append(todos, report.Todo{Says: "See what " + prose.List(rest) + " used of S3 before, and narrow its rights to that. It was not read here; the command does it by the trail's files of " + prose.Window(all[0].From, all[0].To) + ".",
			Commands: []string{containment.Command("nightlatch", "suspects", r.ID, "--trail", "PATH")}})
	}
	return todos
}
