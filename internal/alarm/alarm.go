// Package alarm reads the events that start an incident, and holds what fired: which buckets, which minutes, how many
// bytes against which threshold.
//
// The shapes are CloudWatch's
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html,
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html) and our own
// {"nightlatch": …}. A payload is a claim, not evidence: a Meter reads the metric again.
package alarm

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/settings"
)

// Source says what started the incident.
type Source string

// The two sources.
const (
	Fired  Source = "alarm"  // a CloudWatch alarm
	Manual Source = "manual" // a human's {"nightlatch":{"investigate":…}}
)

// Point is the sum of bytes downloaded in one period.
type Point struct {
	Start time.Time `json:"start"` // of the period
	Bytes int64     `json:"bytes"`
}

// Alarm is one question: who took these bytes?
type Alarm struct {
	Source Source `json:"source"`
	Name   string `json:"name,omitempty"`
	ARN    string `json:"arn,omitempty"`
	// AccountID and Region are where the alarm stands, "" for a manual event.
	AccountID string `json:"account_id,omitempty"`
	Region    string `json:"region,omitempty"`
	// Contributor is the id of the series that fired, for an alarm over many buckets.
	Contributor string `json:"contributor,omitempty"`
	// Since is when the state changed; for a manual event the end of its window.
	Since time.Time `json:"since"`

	Buckets []string `json:"buckets"`
	// From and To are the window [From, To).
	From   time.Time     `json:"from"`
	To     time.Time     `json:"to"`
	Period time.Duration `json:"period_ns"` // of one datapoint
	// Bytes is the sum over the window: as claimed until the metric was read, and as read from then on. Nil is unknown.
	Bytes *int64 `json:"bytes"`
	// Claimed is what the event said.
	Claimed *int64 `json:"claimed_bytes,omitempty"`
	// Threshold is in bytes a period; nil where there is none.
	Threshold *float64 `json:"threshold"`
	// Confirmed: the metric, read again, shows what the alarm claims. Doubt says why not.
	Confirmed bool    `json:"confirmed"`
	Doubt     string  `json:"doubt,omitempty"`
	Points    []Point `json:"points,omitempty"`
	// Stored is how many bytes the buckets hold, by S3's metric of the last days; nil is unknown.
	Stored *int64 `json:"stored_bytes,omitempty"`
	// Part counts the windows of one transition. While an alarm stays in ALARM it does not fire again: Nightlatch itself opens each
	// window after the first. An event never sets it.
	Part int `json:"part,omitempty"`
	// AccessKeyID is the key that a manual event names; a hint for the reader, never evidence.
	AccessKeyID string `json:"access_key_id,omitempty"`

	// AtLeast: the alarm fires at its threshold already, and not only above it.
	AtLeast bool `json:"at_least,omitempty"`
	// Computed says what the alarm's value is where it is no sum of bytes: an expression, another statistic. It claims no bytes then, and its
	// threshold is in no bytes either.
	Computed string `json:"computed,omitempty"`
	// Counts says what part of the buckets the metric counts; "" is all of them. CloudTrail shows all.
	Counts string `json:"counts,omitempty"`
	// Given says who gave the metric where no CloudWatch was asked, as a sentence's beginning: "the alarm claims".
	Given string `json:"given,omitempty"`
	// CopiedTo is where objects were copied to, out of the one bucket, in an incident that the look for copies opened.
	CopiedTo string `json:"copied_to,omitempty"`
	// Composite is the alarm through which this one, below it, rang.
	Composite string `json:"composite,omitempty"`
	// Refused says why this alarm can never be answered, though it is wired to us.
	Refused string `json:"refused,omitempty"`
}

// Whole is how many bytes left the buckets by the metric, which CloudTrail can be held against; nil where the metric does not say.
func (a Alarm) Whole() *int64 {
	if a.Counts != "" {
		return nil
	}
	return a.Bytes
}

// Reading is the metric, read again.
type Reading struct {
	// Doubt is why the alarm itself cannot be trusted, in one sentence: no such alarm, not a sum of BytesDownloaded, …
	Doubt string
	// Buckets are the buckets that the alarm or its contributor names. Where it names none and adds up All, they are those that gave most, the
	// largest first, MaxLargest of them; Points are the sums over all then.
	Buckets []string
	All     bool
	// Points are the sums over these buckets, oldest first, from well before the window until now.
	Points []Point
	// Threshold and Period are the alarm's own, as configured now; zero where there is no alarm.
	Threshold float64
	Period    time.Duration
	// Stored is how many bytes the buckets hold; nil where it is not known, or where the Alarm had it.
	Stored *int64
	// AtLeast: the alarm fires at its threshold already, and not only above it.
	AtLeast bool
	// From and To are the window by the reason that CloudWatch keeps with the alarm's state, where the event has no datapoints and the reason has.
	From, To time.Time
	// Computed, Counts and Given are the Alarm's. Points are bytes all the same: those of the metric below what is computed.
	Computed, Counts, Given string
}

// Meter reads the metric of an alarm again.
type Meter interface {
	// Read returns the alarm's own configuration and the datapoints around its window. An error means that the metric
	// could not be read; an alarm that does not exist or does not fit is a Reading with a Doubt.
	Read(context.Context, Alarm) (Reading, error)
	// Refused counts the requests to the alarm's buckets that S3 has refused in [from, to), and in the same minutes of the UsualDays before. Where
	// there is no such metric it is Refusals with a Doubt.
	Refused(ctx context.Context, a Alarm, from, to time.Time) (Refusals, error)
}

// Margin is read on both sides of the window and counted apart: metric points arrive late and re-stamped, and a call's
// eventTime is when it completed.
const Margin = 5 * time.Minute

// NoBytes ends the sentence about what an alarm computes.
const NoBytes = ", which is no sum of bytes and claims none"

// tolerance is how far the metric, read again, may fall short of the claim. Request metrics are best effort.
const tolerance = 0.9

// maxWindow bounds how far from the transition a run of breaching datapoints may stretch the window, beside the alarm's own periods.
const maxWindow = 3 * time.Hour

// maxPoints is how many datapoints an alarm keeps, the newest: an incident has to fit an item of DynamoDB.
const maxPoints = 240

// ID names the incident of this transition: the same alarm, contributor and state timestamp give the same id. It is made of
// [a-z0-9-] and at most 40 characters long.
//
// Window and buckets are left out of it. An SNS message lacks datapoints, and perhaps attributes, that the other shapes
// have; one transition that arrives in two shapes is one incident.
func (a Alarm) ID() string {
	what := []string{string(a.Source), a.ARN, a.Name, a.Contributor, a.Since.UTC().Format(time.RFC3339Nano)}
	if a.Source != Fired {
		what = append(what, a.From.UTC().Format(time.RFC3339Nano), a.AccessKeyID)
		what = append(what, a.Buckets...)
	}
	if a.Refused != "" { // said once, not each time that it rings
		sum := sha256.Sum256(fmt.Appendf(nil, "%q", what[:len(what)-1]))
		return "refused-" + hex.EncodeToString(sum[:8])
	}
	if a.CopiedTo != "" { // asked once, not each time that more is copied there
		sum := sha256.Sum256(fmt.Appendf(nil, "%q", []string{a.Buckets[0], a.CopiedTo}))
		return "copied-" + hex.EncodeToString(sum[:8])
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", what))
	id := a.Since.UTC().Format("20060102-150405") + "-" + hex.EncodeToString(sum[:8])
	if a.Part > 0 {
		id += fmt.Sprintf("-%d", a.Part+1)
	}
	return id
}

// Onward is the window after this one in which the metric shows more than the threshold; false where it has gone quiet.
func (a Alarm) Onward(r Reading) (Alarm, bool) {
	next := a
	next.Part++
	next.Points, next.Bytes, next.Claimed, next.Confirmed, next.Doubt = nil, nil, nil, false, ""
	next.From, next.To = time.Time{}, time.Time{}
	for _, p := range r.Points {
		if p.Start.Before(a.To) || !a.breaching(r, p) {
			continue
		}
		if next.From.IsZero() {
			next.From = p.Start
		}
		next.To = p.Start.Add(a.Period)
	}
	return next, !next.From.IsZero() && a.Source == Fired && a.Period > 0 && a.Period <= time.Hour // the alarm on the next day's sum fires for itself
}

// MetricUnread reports whether nothing but the transition is known: no datapoint, of the event or of a reading.
func (a Alarm) MetricUnread() bool {
	return a.Source == Fired && a.Part == 0 && a.Claimed == nil && a.Points == nil && !a.Confirmed
}

// breaching reports whether a datapoint is one at which the alarm fires.
func (a Alarm) breaching(r Reading, p Point) bool {
	return a.Threshold != nil && above(float64(p.Bytes), *a.Threshold, a.AtLeast || r.AtLeast)
}

// above reports whether an alarm fires at a value.
func above(value, threshold float64, atLeast bool) bool {
	return value > threshold || atLeast && value == threshold
}

// Read returns the alarm as the reading shows it. The window keeps what was claimed and is stretched over the breaching
// datapoints that touch it; bytes are what the metric shows in it.
func (a Alarm) Read(r Reading) Alarm {
	named := slices.DeleteFunc(slices.Clone(r.Buckets), func(b string) bool { return settings.CheckBucket(b) != nil || slices.Contains(a.Buckets, b) })
	switch {
	case r.All: // a bucket in which something was found is not left out again
		a.Buckets = slices.Concat(a.Buckets, named[:min(len(named), max(0, MaxLargest-len(a.Buckets)))])
		slices.Sort(a.Buckets)
	case len(a.Buckets) == 0:
		slices.Sort(named)
		a.Buckets = named[:min(len(named), maxBuckets)]
	}
	if r.Period > 0 {
		a.Period = r.Period
	}
	a.Stored = cmp.Or(r.Stored, a.Stored)
	if !r.From.IsZero() && a.MetricUnread() {
		a.From, a.To = r.From, r.To
	}
	confirmed := a.Confirmed // the window that was confirmed stays: what comes after it is a window of its own
	a.Confirmed, a.Doubt, a.Given = false, r.Doubt, r.Given
	if r.Doubt == "" || r.Computed != "" {
		a.Computed, a.Counts = r.Computed, r.Counts
	}
	switch {
	case a.Computed != "": // the event's numbers are no bytes
		a.Threshold, a.Claimed, a.Bytes = nil, nil, nil
		a.Doubt = cmp.Or(a.Doubt, a.Computed+NoBytes)
	case a.Source == Fired && r.Threshold > 0:
		a.Threshold, a.AtLeast = &r.Threshold, r.AtLeast
	}
	breaching := func(p Point) bool { return a.breaching(r, p) }
	inWindow := func(p Point) bool { return !p.Start.Before(a.From) && p.Start.Before(a.To) }
	if a.Source == Fired && !confirmed {
		a.stretch(r.Points, breaching)
	}
	var sum int64
	above := false
	a.Points = nil
	for _, p := range r.Points {
		if inWindow(p) {
			a.Points = append(a.Points, p)
			sum += p.Bytes
			above = above || breaching(p)
		}
	}
	if len(a.Points) == 0 {
		none := "CloudWatch shows no BytesDownloaded in the window"
		if r.Given != "" {
			none = r.Given + " no number of bytes in the window"
		}
		a.Doubt = cmp.Or(a.Doubt, none)
		return a
	}
	a.Points = a.Points[max(0, len(a.Points)-maxPoints):]
	a.Bytes = &sum
	switch {
	case a.Doubt != "":
	case len(a.Buckets) == 0:
		a.Doubt = "the alarm names no bucket"
	case a.Source == Fired && !above:
		a.Doubt = "no datapoint that CloudWatch shows in the window is above the threshold"
		if r.Given != "" {
			a.Doubt = r.Given + " no datapoint above the threshold in the window"
		}
	case a.Claimed != nil && float64(sum) < tolerance*float64(*a.Claimed):
		a.Doubt = fmt.Sprintf("%s %d bytes in the window, the event claims %d", cmp.Or(r.Given, "CloudWatch shows"), sum, *a.Claimed)
	default:
		a.Confirmed = true
	}
	return a
}

// stretch widens the window over the breaching points that touch it, one missing period allowed between two of them. How far is
// bounded from the transition, so that reading again and again does not creep.
func (a *Alarm) stretch(points []Point, breaching func(Point) bool) {
	if a.Period <= 0 {
		return
	}
	latest, earliest := a.Since.Add(maxWindow), a.Since.Add(-maxWindow-5*a.Period)
	if a.Part > 0 {
		earliest = a.From // what flowed before is the window before's
	}
	for _, p := range points {
		if breaching(p) && !p.Start.Before(a.To) && !p.Start.After(a.To.Add(a.Period)) && p.Start.Before(latest) {
			a.To = p.Start.Add(a.Period)
		}
	}
	for _, p := range slices.Backward(points) {
		end := p.Start.Add(a.Period)
		if breaching(p) && !end.After(a.From) && !end.Before(a.From.Add(-a.Period)) && p.Start.After(earliest) {
			a.From = p.Start
		}
	}
}

// bytesOf rounds a datapoint's value, as JSON carries it, to whole bytes; a value that no sum of bytes can have is an error.
func bytesOf(v float64) (int64, error) {
	if math.IsNaN(v) || v < 0 || v >= 1<<62 {
		return 0, fmt.Errorf("%v is not a number of bytes", v)
	}
	return int64(math.Round(v)), nil
}

// Partition is AWS's partition that the alarm stands in, by its ARN or its region; "" where neither is known.
func (a Alarm) Partition() string {
	if p := actor.Partition(a.ARN); p != "" {
		return p
	}
	if p := settings.PartitionOf(a.Region); p != "aws" { // which is any other region's, a misspelt one's too
		return p
	}
	return ""
}
