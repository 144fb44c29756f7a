package alarm

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/lazyregexp"
)

// child is an alarm below a composite one, as the composite's events list those that made it fire.
type child struct {
	ARN   string `json:"arn"`
	State struct {
		Value     string  `json:"value"`
		Timestamp awsTime `json:"timestamp"`
	} `json:"state"`
}

// reasonChild finds a child in the text of a composite alarm's reason.
var reasonChild = lazyregexp.New(`(arn:[a-z-]+:cloudwatch:[a-z0-9-]*:[0-9]*:alarm:.{1,255}?) transitioned to ALARM\b`)

// triggering are the children that a composite alarm's reason names, in its data or else in its text.
func triggering(reason, reasonData string) ([]child, error) {
	var data struct {
		Triggering []child `json:"triggeringAlarms"`
	}
	if reasonData != "" {
		if err := json.Unmarshal([]byte(reasonData), &data); err != nil {
			return nil, err
		}
	}
	if len(data.Triggering) == 0 {
		for _, m := range reasonChild.FindAllStringSubmatch(reason, -1) {
			data.Triggering = append(data.Triggering, child{ARN: m[1]})
		}
	}
	return data.Triggering, nil
}

// Nested says why a composite alarm below another one is not looked into, with the alarms below it that fired by its own reason.
func Nested(reason, reasonData string) string {
	children, _ := triggering(reason, reasonData)
	var names []string
	for _, c := range children {
		if parts := strings.SplitN(c.ARN, ":", 7); len(parts) == 7 {
			names = append(names, parts[6])
		}
	}
	return "it is a composite alarm itself, and below it fired " + quoteSome(names) + ": give the alarms on BytesDownloaded an action of their own"
}

// below are the alarms below a composite one that made it fire, each as if it had rung itself. A composite has no metric: the Meter looks its
// children up. https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm.html
func (p payload) below(composite Alarm) (Event, error) {
	if !validTime(composite.Since) {
		return Event{}, fmt.Errorf("alarm event: its state timestamp %s is no time of ours", quote(composite.Since.String()))
	}
	children, err := triggering(p.State.Reason, p.State.ReasonData)
	if err != nil {
		return Event{}, fmt.Errorf("alarm event: reasonData: %v", err)
	}
	children = append(children, p.Children...)
	var all []Alarm
	for _, c := range children {
		parts := strings.SplitN(c.ARN, ":", 7)
		if len(parts) != 7 || parts[5] != "alarm" || c.State.Value != "" && c.State.Value != "ALARM" {
			continue
		}
		a := Alarm{Source: Fired, Name: parts[6], ARN: c.ARN, AccountID: parts[4], Region: parts[3], Since: c.State.Timestamp.Time,
			Period: time.Minute, Composite: composite.Name}
		if !validTime(a.Since) {
			a.Since = composite.Since
		}
		a.aroundTransition()
		if !slices.ContainsFunc(all, func(o Alarm) bool { return o.ARN == a.ARN }) {
			all = append(all, a)
		}
	}
	switch {
	case len(all) == 0:
		return refuse(composite, "it is a composite alarm, and its event names no alarm below it that fired. Give those alarms an action of their own")
	case len(all) > maxBuckets:
		return refuse(composite, fmt.Sprintf("it is a composite alarm, and %d alarms below it fired at once. Give those alarms an action of their own", len(all)))
	}
	return Event{Alarm: &all[0], Also: append([]Alarm(nil), all[1:]...)}, nil
}

// refuse is the alarm that can never be answered: the team is told why, once.
func refuse(a Alarm, why string) (Event, error) {
	if !validTime(a.Since) {
		return Event{}, fmt.Errorf("alarm event: its state timestamp %s is no time of ours", quote(a.Since.String()))
	}
	a.Period, a.Refused = time.Minute, why
	a.aroundTransition()
	return Event{Alarm: &a}, nil
}
