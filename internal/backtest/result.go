package backtest

import (
	"time"

	"nightlatch/internal/evidence"
)

// Schema names the JSON form of a Result. Fields are only ever added.
const Schema = "nightlatch.backtest/1"

// Decision is what became of an alarm, or of a step.
type Decision string

// The decisions. An alarm has the strongest of its steps'.
const (
	Contained Decision = "contained" // a key had been deactivated
	Asked     Decision = "asked"     // a human had been asked
	Left      Decision = "left"      // nobody had been asked
)

// Result is what Nightlatch would have done.
type Result struct {
	Schema   string
	Policies []string
	// From and To are the first and the last call of the trail; alarms before Since are left out.
	From, To, Since time.Time
	Series          []Series
	// Unwatched are the buckets of the trail for which no alarm is made.
	Unwatched []string
	// Lost names, one sentence each, what could not be read of the trail.
	Lost []string
	// Notes say how alarms that have fired were taken, one sentence each.
	Notes []string
	// Holes are where the trail has no record at all.
	Holes []Hole
	// AtMost is how often a month an alarm of a proposed threshold may fire.
	AtMost int
	// Alarms are in time order.
	Alarms []Alarm
}

// Alarm is one alarm that had fired.
type Alarm struct {
	Firing
	// Past is how much of the time before it the trail holds, of the evidence.HistorySpan that is asked for.
	Past time.Duration
	// Judged has one entry for each policy.
	Judged []Judged
}

// Judged is what a policy had made of an alarm.
type Judged struct {
	Decision Decision `json:"decision"`
	// Answers say who took what, in a sentence for each of the windows that were looked at while the alarm stayed in ALARM.
	Answers []string `json:"answers"`
	// Steps are what was decided about whom, the strongest first.
	Steps []Step `json:"steps"`
}

// Step is what was decided about one credential.
type Step struct {
	Action      string `json:"action"`
	Target      string `json:"target"`
	AccessKeyID string `json:"access_key_id"`
	// Who is the actor, Owner the user that the key belongs to, or else the actor, and Kind the kind of credential.
	Who      string   `json:"who"`
	Owner    string   `json:"owner"`
	Kind     string   `json:"kind"`
	Decision Decision `json:"decision"`
	// Reasons are "policy: because", in the order of the policy file.
	Reasons []string `json:"reasons"`
	// Bytes are what it took in the windows that were looked at.
	Bytes int64 `json:"bytes"`
}

// alarm is what is known of a firing before it is judged.
func (f Firing) alarm(first time.Time) Alarm {
	return Alarm{Firing: f, Past: min(max(f.At.Sub(first), 0), evidence.HistorySpan)}
}
