// Package rehearsal proves the chain before a thief does. A canary, a user of the stack whose key reads one canary bucket, takes enough of it for
// the bucket's alarm to fire. The real responder answers, knowing nothing of it, and what became of it is told stage by stage. This package decides
// what is due, and writes what is told; it calls nothing.
//
// It may import the leaves, evidence, containment, incident and report. It must not import an adapter.
package rehearsal

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/prose"
)

const (
	// Taken is what a rehearsal takes at once, in bytes: above Threshold in one of two minutes wherever it falls, and above the floor of a bucket
	// that holds one Object.
	Taken     = 64 << 20
	Threshold = 16 << 20
	// Object is how long the canary bucket's one object is: longer than the threshold, as of any bucket that cannot be emptied without an alarm. Sip is
	// what is read of it for a day of history.
	Object = 32 << 20
	Sip    = 1 << 20
	// Key is the object's name.
	Key = "canary"

	// DaysOfHistory are those on which the canary has read, before a rehearsal says anything of the shipped rules.
	DaysOfHistory = 3
	// lateIncident is how long one is waited for that the rehearsal has not seen in time.
	lateIncident = 24 * time.Hour
	// Patience is how long an alarm may take to open an incident, and an incident to be decided, before the rehearsal has failed.
	Patience = time.Hour

	// The shipped rules ask about a key that was in use within 24 hours, up to the edge of the alarm's window. So the history is laid on days of its
	// own, closer together until there is enough of it.
	inUse   = 25 * time.Hour
	soon    = 20 * time.Hour
	spread  = 3 * 24 * time.Hour
	history = evidence.HistorySpan
	// another is how far apart rehearsals are: one within the history of the next would be what is usual there.
	another = history + 25*time.Hour
	// late is by how much IAM may know of a use later than we do: https://docs.aws.amazon.com/IAM/latest/APIReference/API_AccessKeyLastUsed.html
	late = time.Hour
)

// LeastDays is the fewest days between scheduled rehearsals, and MostDays the most.
const LeastDays, MostDays = 16, 365

// The events of the function that rehearses: what the schedule sends, and what a command does.
const (
	Tick = "tick" // do what is due
	Now  = "now"  // begin a rehearsal, if one can
	Look = "look" // see how far the last one is
)

// Answer is the function's.
type Answer struct {
	// NotYet says why none was begun; "" where one was, or where none was wanted.
	NotYet string `json:"not_yet,omitempty"`
	// Run is the latest rehearsal; nil before the first.
	Run *Run `json:"run,omitempty"`
}

// State is what is remembered from one call to the next.
type State struct {
	// Version counts the writes, as a Record's does.
	Version int64 `json:"version"`
	// Laid is when the canary read a little from its usual network, the latest last. Used is when Nightlatch used the key last, or tried to.
	Laid []time.Time `json:"laid,omitempty"`
	Used time.Time   `json:"used,omitzero"`
	// Trouble is what is wrong with the canary, as the last call has found it: others use its key, or it is off. "" is nothing.
	Trouble string `json:"trouble,omitempty"`
	// Last is the latest rehearsal; nil before the first.
	Last *Run `json:"last,omitempty"`
}

// Decode reads a state as it is stored, of that version; "" is before the first. What does not decode is an error: were it taken for nothing, the key of
// a rehearsal would stay off.
func Decode(body string, version int64) (s State, err error) {
	if body != "" {
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			return State{}, fmt.Errorf("what the rehearsals remember: what is stored does not decode: %v", err)
		}
	}
	s.Version = version
	return s, nil
}

// Run is one rehearsal.
type Run struct {
	Begun time.Time `json:"begun"`
	// Key is the canary's key that it is about.
	Key string `json:"access_key_id"`
	// Scheduled: no human has asked for it.
	Scheduled bool `json:"scheduled,omitempty"`
	// Bytes is what was taken, and TakeError why it was not all.
	Bytes     int64  `json:"bytes"`
	TakeError string `json:"take_error,omitempty"`
	// Incident is the one that it opened; "" while there is none.
	Incident string  `json:"incident,omitempty"`
	Stages   []Stage `json:"stages,omitempty"`
	// Outcome is how it ended; "" while it goes on. Why says what stands in the incident of it, or what failed.
	Outcome Outcome `json:"outcome,omitempty"`
	Why     string  `json:"why,omitempty"`
	// Told: the team was told of the outcome.
	Told bool `json:"told,omitempty"`
	// Left names steps of its incident that stand on the canary beside the one on its key; nothing here takes them back.
	Left string `json:"left,omitempty"`
	// Closed is when its incident was, and Restored when the canary's key was seen active after it.
	Closed   time.Time `json:"closed,omitzero"`
	Restored time.Time `json:"restored,omitzero"`
}

// Outcome is how a rehearsal ended.
type Outcome string

// The outcomes.
const (
	Contained Outcome = "contained" // the key was deactivated, read back, and the team told
	Asked     Outcome = "asked"     // a human was asked, and told why
	Failed    Outcome = "failed"    // a link of the chain is broken
)

// Stage is one link of the chain, and when it was seen to work.
type Stage struct {
	Name string    `json:"name"`
	At   time.Time `json:"at"`
}

// Seen is what a call has found before anything is decided.
type Seen struct {
	// Active: the canary's key is active. Used is when IAM says that it was used last; zero is never.
	Active bool
	Used   time.Time
	// Open are the ids of the incidents that are not closed.
	Open []string
}

// Going reports whether a rehearsal has not ended, or its key is not restored. An incident that comes late turns the key off, too.
func (s State) Going(now time.Time) bool {
	r := s.Last
	switch {
	case r == nil:
		return false
	case r.Outcome == "" || !r.Told:
		return true
	case r.Incident == "":
		return r.Bytes > 0 && now.Sub(r.Begun) < lateIncident
	}
	return r.Restored.IsZero()
}

// days counts the days of history that are within reach of the questions.
func (s State) days(now time.Time) int {
	days := map[string]bool{}
	for _, t := range s.Laid {
		if now.Sub(t) < history {
			days[t.UTC().Format(time.DateOnly)] = true
		}
	}
	return len(days)
}

// Due reports whether a rehearsal is due by a schedule of so many days; 0 is none. One in which nothing was taken is tried again the next day.
func (s State) Due(now time.Time, every int) bool {
	wait := time.Duration(every) * 24 * time.Hour
	if s.Last != nil && s.Last.Bytes == 0 {
		wait = 24 * time.Hour
	}
	return every > 0 && (s.Last == nil || now.Sub(s.Last.Begun) >= wait)
}

// Lays reports whether a day of the canary's history is due. It is daily until there is enough, and then every third day, so that a rehearsal, which
// needs a day of rest before it, can be had on two days of three.
func (s State) Lays(now time.Time, seen Seen) bool {
	if s.Going(now) || !seen.Active || s.strange(seen) != "" {
		return false
	}
	n := len(s.Laid)
	if n == 0 {
		return true
	}
	wait := spread
	if s.days(now) < DaysOfHistory {
		wait = soon
	}
	return now.Sub(s.Laid[n-1]) >= wait
}

// Lay is the state before a day of history is laid, and NotLaid after that has failed: the key may have been used all the same.
func (s State) Lay(now time.Time) State {
	s.Used = now
	s.Laid = append(slices.DeleteFunc(slices.Clone(s.Laid), func(t time.Time) bool { return now.Sub(t) >= history }), now)
	return s
}

// NotLaid is the state after a day of history could not be laid.
func (s State) NotLaid() State {
	s.Laid = slices.Clone(s.Laid[:len(s.Laid)-1])
	return s
}

// strange says that somebody else has used the canary's key; "" where nobody is seen to have.
func (s State) strange(seen Seen) string {
	if seen.Used.Sub(s.Used) <= late {
		return ""
	}
	return fmt.Sprintf("somebody else has used the canary's key, at %s UTC as IAM says, and Nightlatch used it last at %s: whoever can read its secret can. "+
		"See who read the secret, and give the canary another key (infra/README.md says how)", stamp(seen.Used), stamp(s.Used))
}

// Wrong says what is wrong with the canary while no rehearsal goes on; "" where nothing is.
func (s State) Wrong(now time.Time, seen Seen) string {
	if s.Going(now) {
		return ""
	}
	if !seen.Active {
		return "the canary's key is off, and nothing here has turned it off; see who did, and turn it on again: aws iam update-access-key"
	}
	return s.strange(seen)
}

// Again is from when on another rehearsal can begin, as far as the last one matters.
func (s State) Again() time.Time {
	if s.Last == nil || s.Last.Bytes == 0 {
		return time.Time{}
	}
	return s.Last.Begun.Add(another)
}

// NotYet says why no rehearsal can begin now; "" where one can.
func (s State) NotYet(now time.Time, seen Seen) string {
	switch why := s.Wrong(now, seen); {
	case s.Going(now):
		return fmt.Sprintf("not yet: the rehearsal of %s UTC is not over%s", stamp(s.Last.Begun), whereof(s.Last))
	case why != "":
		return why
	case len(seen.Open) > 0:
		return fmt.Sprintf("not yet: incident %s is open, and nobody should have to tell the two apart; wait until it is closed", seen.Open[0])
	case now.Before(s.Again()):
		return fmt.Sprintf("not yet: what the rehearsal of %s UTC took is usual for the canary until %s UTC", stamp(s.Last.Begun), stamp(s.Again()))
	}
	rested := s.Used.Add(inUse)
	if n := s.days(now); n < DaysOfHistory {
		return fmt.Sprintf("not yet: the canary has %d of the %d days of history that the shipped rules are shown with; one is added a day", n, DaysOfHistory)
	} else if now.Before(rested) {
		return fmt.Sprintf("not yet: the canary read at %s UTC, and the shipped rules ask about a key that was in use within a day; from %s UTC on", stamp(s.Used), stamp(rested))
	}
	return ""
}

func whereof(r *Run) string {
	switch {
	case r.Incident == "":
		return ""
	case r.Outcome == "":
		return ", see nightlatch incident " + r.Incident
	}
	return "; its key is turned on again when incident " + r.Incident + " is closed"
}

// Begin is the state before the canary takes anything with its key.
func (s State) Begin(now time.Time, key string, scheduled bool) State {
	s.Used, s.Last = now, &Run{Begun: now, Key: key, Scheduled: scheduled}
	return s
}

// Took is the run after the canary has taken so much, and not all if err says so. What came may make the alarm fire all the same; where nothing came it
// has failed.
func (r Run) Took(bytes int64, err error) Run {
	if r.Bytes = bytes; err != nil {
		r.TakeError = err.Error()
	}
	if bytes == 0 {
		r.Outcome, r.Why = Failed, "nothing was taken: "+r.TakeError
	}
	return r
}

// Opened finds the incident that a rehearsal has opened: the first of the canary bucket's alarm since it has begun. Another one of that bucket
// cannot be told apart from it, and is not another: nobody reads there but the canary.
func (r Run) Opened(bucket string, records []incident.Record) (incident.Record, bool) {
	var ours []incident.Record
	for _, rec := range records {
		if !rec.Opened.Before(r.Begun) && slices.Contains(rec.Alarm.Buckets, bucket) && rec.MergedInto == "" {
			ours = append(ours, rec)
		}
	}
	if len(ours) == 0 {
		return incident.Record{}, false
	}
	return slices.MinFunc(ours, func(x, y incident.Record) int { return cmp.Or(x.Opened.Compare(y.Opened), cmp.Compare(x.ID, y.ID)) }), true
}

// Step finds the step on the canary's key in its incident, by whose record nobody else's key is chosen.
func Step(rec incident.Record, user, key string) (containment.Outcome, bool) {
	for _, o := range rec.Outcomes {
		if o.Target == key && o.Step.Ref == (containment.Ref{Type: containment.KeyStatus, Owner: user, Name: key}) {
			return o, true
		}
	}
	return containment.Outcome{}, false
}

// See is the run after a look at its incident; the zero record where there is none yet. An ask is its outcome when the evidence is complete: until then
// later evidence may have the key deactivated.
func (r Run) See(now time.Time, rec incident.Record, user string) Run {
	if r.Incident, r.Closed = rec.ID, rec.Closed; r.Outcome != "" {
		return r
	}
	r.Stages = stages(r.Begun, rec, user, r.Key)
	over := now.Sub(r.Begun) >= Patience || !rec.Closed.IsZero()
	o, there := Step(rec, user, r.Key)
	told := answered(rec)
	switch {
	case rec.ID == "" && over && r.TakeError != "":
		r.Outcome, r.Why = Failed, "no incident was opened, and not all was taken: "+r.TakeError
	case rec.ID == "" && over && r.Bytes == 0:
		r.Outcome, r.Why = Failed, "nothing was taken, as the function was ended before; see its log"
	case rec.ID == "" && over:
		r.Outcome, r.Why = Failed, fmt.Sprintf("no incident was opened within %.0f minutes: the bucket's request metrics, its alarm, or what the alarm calls; nightlatch doctor says which", Patience.Minutes())
	case there && !o.DoneAt.IsZero() && !told.IsZero():
		r.Outcome, r.Why = Contained, reasons(rec, r.Key)
	case there && asked(o) && !told.IsZero() && (over || rec.Evidence.Complete || rec.Mode != containment.ModeAct || o.State != containment.Asked):
		r.Outcome, r.Why = Asked, reasons(rec, r.Key)
	case rec.ID != "" && over:
		r.Outcome, r.Why = Failed, unfinished(rec, o, there, told)
	}
	return r
}

// asked reports whether a human was asked about a step, and not because a write of it failed.
func asked(o containment.Outcome) bool {
	return o.State == containment.Asked || o.Approved != nil || !o.AskedAt.IsZero()
}

// unfinished says what is missing of an incident whose time is over.
func unfinished(rec incident.Record, o containment.Outcome, there bool, told time.Time) string {
	switch {
	case rec.Judged.IsZero():
		return "nothing was decided: see the incident for what the metric and the trail have answered"
	case !there:
		return "the responder found nothing against the canary's key: see the incident for whom it found"
	case told.IsZero():
		return "no channel took the answer, as the incident says of each"
	}
	return fmt.Sprintf("the step on the canary's key is %s: %s", o.State, o.Detail)
}

// reasons are the policy's, of the canary's key.
func reasons(rec incident.Record, key string) string {
	for _, v := range rec.Verdicts {
		if v.Target == key && len(v.Reasons) > 0 {
			return v.Reasons[0]
		}
	}
	return ""
}

// answered is when a channel took the message that says who it was; zero where none has.
func answered(rec incident.Record) time.Time {
	for _, n := range rec.Notified {
		if n.Kind == incident.Answer && n.Error == "" && n.Tries > 0 {
			return n.At
		}
	}
	return time.Time{}
}

// What ends the chain, as its stage is called.
const seenOff, seenAsked = "the key was seen off", "a human was asked"

// Leaves names the steps of an incident that stand on the canary or its bucket beside the one on its key; "" where none does.
func Leaves(rec incident.Record, user, bucket, key string) string {
	var left []string
	for _, o := range rec.Outcomes {
		if o.Contained() && o.Target != key && (o.Step.Ref.Owner == user || o.Step.Ref.Owner == bucket || o.Step.Ref.Name == bucket) {
			left = append(left, o.Name())
		}
	}
	return strings.Join(left, ", ")
}

// stages are the links that were seen to work, each when it was seen first or last, in that order.
func stages(begun time.Time, rec incident.Record, user, key string) []Stage {
	all := []Stage{{"the canary took its bytes", begun}}
	add := func(name string, at time.Time) {
		if !at.IsZero() {
			all = append(all, Stage{name, at})
		}
	}
	if rec.ID == "" {
		return all
	}
	add("the alarm fired", rec.Alarm.Since)
	add("the responder took it up", rec.Opened)
	if rec.Alarm.Confirmed {
		add("the metric, read again, confirmed it", rec.MetricAt)
	}
	if n := slices.IndexFunc(rec.Rounds, func(q incident.QueryRound) bool { return q.Bytes > 0 }); n >= 0 {
		add("the trail showed who", rec.Rounds[n].At)
	}
	add("the policy decided", rec.Judged)
	if o, there := Step(rec, user, key); there && !o.DoneAt.IsZero() {
		add(seenOff, o.DoneAt)
	} else if there && asked(o) {
		at := o.AskedAt
		if at.IsZero() {
			at = o.At
		}
		add(seenAsked, at)
	}
	add("the team was told", answered(rec))
	slices.SortStableFunc(all, func(x, y Stage) int { return x.At.Compare(y.At) })
	return all
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return prose.Minute(t)
}
