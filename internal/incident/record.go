// Package incident holds one incident from the alarm to the close: the record, what to do next, and where it is kept.
package incident

import (
	"cmp"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/policy"
	"nightlatch/internal/settings"
)

// Schema names the JSON form of a Record. Fields are only ever added.
//
// What a build does not know is gone with its next put: a deployment that is rolled back in the middle of a night drops the fields that only
// the later build has. So a new field may say more, but it must not be all that keeps a step from being done twice.
const Schema = "nightlatch.incident/1"

// Record is everything about one incident. Its JSON form is the permanent contract of --json.
type Record struct {
	Schema string           `json:"schema"`
	ID     string           `json:"id"`
	Mode   containment.Mode `json:"mode"`
	// ObserveUntil is the day that the deployment has set as the last one of mode observe, as 2026-12-31, in UTC; "" where it has set none.
	ObserveUntil string `json:"observe_until,omitempty"`
	// Version counts the puts: a Store refuses a put of a version that is not the next.
	Version int64 `json:"version"`
	// Release is the version of the Nightlatch that opened it; "" where that was before 0.9.0.
	Release string `json:"release,omitempty"`
	// Place is the deployment's, whatever the alarm claims; zero where there is none, or where that was before 0.9.0.
	Place Place `json:"deployed_in,omitzero"`
	// Records is what the trail holds of S3: settings.WatchedReads or AllReads; "" is not known.
	Records string `json:"trail_records,omitempty"`
	// Management is what it holds of the management events of IAM, STS and sign-in: settings.ManagementAll or ManagementSome; "" is not known.
	Management string `json:"trail_management,omitempty"`
	// Writer is who put this version: one invocation has one name.
	Writer string `json:"writer,omitempty"`

	Opened time.Time `json:"opened"`
	// Deadline is when the search ends and a human is asked with what is known.
	Deadline time.Time `json:"deadline"`

	Alarm alarm.Alarm `json:"alarm"`
	// MetricRead is how often the metric was read; MetricError why the last reading failed.
	MetricRead  int    `json:"metric_read"`
	MetricError string `json:"metric_error,omitempty"`
	// MetricSame is how many readings in a row have shown the same bytes in the same window, and MetricAt the time of the last. MetricSame is 0
	// in a record of a build before 0.10.0.
	MetricSame int       `json:"metric_same,omitempty"`
	MetricAt   time.Time `json:"metric_at,omitzero"`

	// Once: the incident is closed as soon as it is notified, without a follow-up: a human asked, or the trail is a file.
	Once bool `json:"once,omitempty"`
	// Follows is the incident before this one of the same alarm, and Continued the one after it. While an alarm stays in ALARM it does not
	// fire again: Nightlatch itself opens the window that comes next.
	Follows   string `json:"follows,omitempty"`
	Continued string `json:"continued_by,omitempty"`
	// MergedInto is the open incident that has the same steps, and reports them; Joined are the ones that this one reports.
	MergedInto string   `json:"folded_into,omitempty"`
	Joined     []Joined `json:"joined,omitempty"`
	// JoinedMore counts those that are not named; a crash may count one twice.
	JoinedMore int `json:"joined_more,omitempty"`

	Evidence evidence.Evidence `json:"evidence"`
	// History is what is usual for the principals that read these buckets; nil until it is known. It can be as large as the account, so it
	// is not stored: the worker that takes the incident up asks again.
	History *evidence.History `json:"-"`
	// HistoryAsked is how often it was asked for.
	HistoryAsked int `json:"history_asked,omitempty"`
	// HistoryOf are the buckets that it was of: a question is shared by incidents that are open together.
	HistoryOf []string `json:"history_of,omitempty"`
	// HistoryPast is the Past of the query round that brought the history.
	HistoryPast *evidence.Past `json:"history_past,omitempty"`
	// Bystanders are who is within reach of steps that hit more than one credential, and BystandersAsked is how often they were asked for.
	Bystanders      []evidence.Hit `json:"bystanders,omitempty"`
	BystandersAsked int            `json:"bystanders_asked,omitempty"`
	Rounds          []QueryRound   `json:"looks"`
	// Enough: the policy can contain something on the evidence there is, so nothing is waited for.
	Enough bool `json:"enough"`

	// PolicyError is why the policy could not be loaded; everything is asked then.
	PolicyError string    `json:"policy_error,omitempty"`
	Judged      time.Time `json:"judged,omitzero"`
	// JudgedOn is the digest of the evidence that was judged; evidence that comes later is judged again.
	JudgedOn string `json:"judged_on,omitempty"`
	// Steps are those that the deployment enabled then, beside turning a key off.
	Steps    []policy.Action `json:"steps,omitempty"`
	Verdicts []Verdict       `json:"verdicts"`
	// Aside counts the usual readers that are not asked about: the metric counts a part of the bucket, and others took what it counts.
	Aside int `json:"usual_readers_aside,omitempty"`
	// Unjudged counts actors whose part was too small to be judged one by one.
	Unjudged int                   `json:"actors_not_judged"`
	Outcomes []containment.Outcome `json:"outcomes"`
	// Lineage is where the credentials come from that a step is about, and what was made with them; nil while it is not known.
	Lineage *evidence.Tree `json:"lineage,omitempty"`
	// Enriched: what no decision needs was found, or given up.
	Enriched bool     `json:"enriched,omitempty"`
	Notified []Notice `json:"notified"`

	// FollowUps are the checks after the verdict: does it hold, and has it stopped?
	FollowUps []FollowUp `json:"follow_ups,omitempty"`
	// Reminded counts how often open asks were repeated; Escalated is when a human was notified that nobody has answered, or that what was
	// done has not stopped it.
	Reminded  int       `json:"reminded,omitempty"`
	Escalated time.Time `json:"escalated,omitzero"`
	// NotifiedAgain counts how often all was notified again because nothing was delivered.
	NotifiedAgain int `json:"told_again,omitempty"`
	// Closed is when nothing was left to do.
	Closed time.Time `json:"closed,omitzero"`

	Log []Entry `json:"log"`
}

// Place is where a deployment is: the account and region that a message names, and that a command has to be given.
type Place struct {
	AccountID string `json:"account_id,omitempty"`
	// Alias is what IAM calls the account; "" where it has none, or where that is not known. It is others' text.
	Alias  string `json:"alias,omitempty"`
	Region string `json:"region,omitempty"`
	// Unit is the account's organizational unit, as the deployment names it; "" where it names none.
	Unit string `json:"unit,omitempty"`
	// Cases is the bucket of the deployment's case folders; "" where none keeps any.
	Cases string `json:"case_bucket,omitempty"`
}

// DeedsMissing reports whether what answered does not hold all that IAM, STS and sign-in record. An event data store is not the trail of which that
// is known: what it holds of them its owner chose.
func (r Record) DeedsMissing() bool {
	return r.Management == settings.ManagementSome && r.Evidence.Engine != evidence.StoreEngine
}

// Where is the deployment's place, or the alarm's where the record does not say.
func (r Record) Where() Place {
	if r.Place != (Place{}) {
		return r.Place
	}
	return Place{AccountID: r.Alarm.AccountID, Region: r.Alarm.Region}
}

// Overdue reports whether mode observe was to have ended when the incident was opened.
func (r Record) Overdue() bool {
	return r.ObserveUntil != "" && r.Opened.UTC().Format(time.DateOnly) > r.ObserveUntil
}

// Order puts first who took more. A copy has no size, so whoever made one comes before those who took less than a tenth of the alarmed bytes.
// Who did only what it always does comes after all others.
func (r Record) Order(x, y evidence.Actor) int {
	total := r.Alarm.Whole()
	class := func(a evidence.Actor) int {
		switch {
		case a.UsualReader():
			return 3
		case total == nil || r.Evidence.Weight(a) >= *total/10:
			return 0
		case a.Copies > 0:
			return 1
		}
		return 2
	}
	return cmp.Or(cmp.Compare(class(x), class(y)), cmp.Compare(r.Evidence.Weight(y), r.Evidence.Weight(x)))
}

// QueryRound is one time of asking metric and trail.
type QueryRound struct {
	At time.Time `json:"at"`
	// From and To are the window that was asked about.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Digest is equal for equal answers; "" where the round failed.
	Digest string `json:"digest,omitempty"`
	Bytes  int64  `json:"bytes"`
	// Past is what the trail holds of the hour before the window's edge; nil where the round failed, or was an earlier build's.
	Past *evidence.Past `json:"past,omitempty"`
	// Error is why the round failed; HistoryError why the history did, CallersError why it is not known who else works with the credentials, and
	// BystandersError why it is not known whom steps would hit.
	Error           string `json:"error,omitempty"`
	HistoryError    string `json:"history_error,omitempty"`
	CallersError    string `json:"callers_error,omitempty"`
	BystandersError string `json:"bystanders_error,omitempty"`
}

// Verdict is a policy.Verdict as it is kept and printed.
type Verdict struct {
	Action policy.Action `json:"action"`
	// Target is the id or ARN of what the step acts on: for a key step the access key id.
	Target   string          `json:"target"`
	Decision policy.Decision `json:"decision"`
	// Reasons are "policy: because", in the order of the policy file.
	Reasons []string `json:"reasons"`
	// Protected says why the target must not be touched without a human.
	Protected string `json:"protected,omitempty"`
	// TaggedBy says who put the protecting tag there, and when, as far as the trail knows: a thief can tag himself.
	TaggedBy string `json:"tagged_by,omitempty"`
}

// Joined is an incident that was merged into another one: the same steps, another alarm.
type Joined struct {
	ID string `json:"id"`
	// Answer is who took what there, in one sentence.
	Answer string `json:"answer"`
}

// FollowUp is one check after the verdict.
type FollowUp struct {
	At time.Time `json:"at"`
	// Hot: the metric shows bytes above the threshold after the window.
	Hot bool `json:"hot,omitempty"`
	// Found says what is not as it should be, one sentence each: a key active again, a new key of its user, calls that succeeded.
	Found []string `json:"found,omitempty"`
	// Unknown says what could not be checked.
	Unknown []string `json:"unknown,omitempty"`
	// Broken says whose work seems to have stopped: refused calls from places that are usual, or more refusals than usual, whoever's they are.
	Broken []string `json:"broken,omitempty"`
	// Refused is what the buckets' metric of refusals says otherwise, in a sentence; "" where it was not read.
	Refused string `json:"refused,omitempty"`
}

// Quiet reports whether the follow-up found nothing, and could check everything.
func (f FollowUp) Quiet() bool { return !f.Hot && len(f.Found)+len(f.Unknown) == 0 }

// MessageKind is what a message is for.
type MessageKind string

// The messages of an incident, in the order in which they may come.
const (
	Page       MessageKind = "page"       // the alarm fired, and the search is on
	Answer     MessageKind = "answer"     // who it was, what was done, what is asked
	Revised    MessageKind = "revised"    // what later evidence has changed
	Again      MessageKind = "again"      // it has not stopped
	Reminder   MessageKind = "reminder"   // an ask is open
	Escalation MessageKind = "escalation" // nobody answers, or it has not stopped: somebody must come
	Closing    MessageKind = "closing"    // it is over
)

// byLoudness are the messages, the loudest last.
var byLoudness = []MessageKind{Page, Answer, Revised, Again, Reminder, Escalation, Closing}

// Notice is one message to one channel.
type Notice struct {
	Kind    MessageKind `json:"kind,omitempty"`
	Channel string      `json:"channel"`
	Subject string      `json:"subject"`
	At      time.Time   `json:"at"`
	// NotBefore holds a message back, so that several become one.
	NotBefore time.Time `json:"not_before,omitzero"`
	// Tries counts the attempts, Error is why the last failed; "" when the channel has accepted the message.
	Tries int    `json:"tries"`
	Error string `json:"error,omitempty"`
}

// Entry is one line of the log, which only grows.
type Entry struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
}

// Note appends a line to the log.
func (r *Record) Note(at time.Time, what string) { r.Log = append(r.Log, Entry{At: at, What: what}) }
