package report

import (
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
	// toldPlaces is how many places a message names of those that would break.
	toldPlaces = 2
	// spanHours and spanDays are those of evidence.CallersSpan.
	spanHours = int64(evidence.CallersSpan / time.Hour)
	spanDays  = int64(evidence.CallersSpan / (24 * time.Hour))
)

// breaks says who else works with the credential that a step is about: that stops where it is cut. "" where that is not known, or where there is
// no credential.
func breaks(r incident.Record, o containment.Outcome) string {
	u := usedBy(r, o)
	made, _ := r.Lineage.MadeKey(o.Target)
	switch {
	case u == nil:
		return ""
	case u.Places == 0 && u == made.Used:
		return "nothing that the trail shows: since it was made it was used nowhere but where the bytes went"
	case u.Places == 0:
		return "nothing that the trail shows: in " + heldSpan(r) + " it was used nowhere else"
	}
	var uses []string
	for _, use := range u.Listed[:min(len(u.Listed), toldPlaces)] {
		uses = append(uses, useOf(use, r.Alarm.From))
	}
	if more := u.Places - int64(len(uses)); more > 0 {
		uses = append(uses, prose.Plural(more, "more place")+" in the incident's JSON or beyond")
	}
	return "it was also used " + strings.Join(uses, "; ")
}

// cutBy is the actor whose credential a step cuts. That of a session is not the key that minted it, which another step may turn off; false where the
// evidence does not have him, and who is the access key id of the credential then.
func cutBy(r incident.Record, o containment.Outcome) (a evidence.Actor, who string, ok bool) {
	i := slices.IndexFunc(r.Evidence.Actors, func(a evidence.Actor) bool {
		if o.ForAnother() {
			return a.AccessKeyID == o.Target
		}
		return o.Against(a)
	})
	if i >= 0 {
		return r.Evidence.Actors[i], r.Evidence.Actors[i].AccessKeyID, r.Evidence.Actors[i].CredentialID() != ""
	}
	if o.ForAnother() {
		return evidence.Actor{}, o.Target, false
	}
	return evidence.Actor{}, "", false
}

// usedBy is what is known of who else works with the credential that a step cuts; nil where that is nothing.
func usedBy(r incident.Record, o containment.Outcome) *evidence.AlsoUsed {
	if a, _, ok := cutBy(r, o); ok {
		return a.AlsoUsed
	}
	if m, ok := r.Lineage.MadeKey(o.Target); ok {
		return m.Used
	}
	return nil
}

// heldSpan is the time that was asked for, as far as the trail holds it.
func heldSpan(r incident.Record) string {
	if r.Evidence.Past() < evidence.CallersSpan {
		return "the " + past(r.Evidence) + " before that the trail holds"
	}
	return fmt.Sprintf("the %d days before", spanDays)
}

// useOf is one place: "every hour from 10.0.3.0/24 by aws-cli, calling s3 (exports), last 40 minutes before". One that is new is called so: it may be
// the thief's.
func useOf(u evidence.Use, window time.Time) string {
	text := rhythm(u) + " from " + short(u.Place.String(), 64)
	if by := some(u.Programs, "program"); by != "" {
		text += " by " + by
	}
	if calls := some(services(u.Services), "service"); calls != "" {
		text += ", calling " + calls
		if on := some(u.Buckets, "bucket"); on != "" {
			text += " (" + on + ")"
		}
	}
	text += ", last " + lapse(window.Sub(u.Last)) + " before"
	if window.Sub(u.First) < 24*time.Hour {
		text += ", NEW there, first " + lapse(window.Sub(u.First)) + " before"
	}
	return text
}

// rhythm says how regularly.
func rhythm(u evidence.Use) string {
	switch days := min(u.Days, spanDays); { // they touch one day more
	case u.Hours*10 >= spanHours*9:
		return "every hour"
	case days == spanDays && u.Clocks == 1:
		return "every day at about " + ofDay(u.Clock)
	case days == spanDays:
		return "every day"
	default:
		return fmt.Sprintf("on %d of %d days", days, spanDays)
	}
}

// some are two names at most, and how many more there are.
func some(s evidence.Some, one string) string {
	var names []string
	for _, n := range s.Names[:min(len(s.Names), 2)] {
		names = append(names, short(n, 40))
	}
	if more := s.Count - int64(len(names)); more > 0 && len(names) > 0 {
		names = append(names, prose.Plural(more, "more "+one))
	}
	if len(names) > 1 {
		return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
	}
	return strings.Join(names, "")
}

// services are named without their common end.
func services(s evidence.Some) evidence.Some {
	var names []string
	for _, n := range s.Names {
		names = append(names, strings.TrimSuffix(n, ".amazonaws.com"))
	}
	s.Names = names
	return s
}

// lapse is a time in the unit that fits it.
func lapse(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return prose.Plural(int64(d/(24*time.Hour)), "day")
	case d >= 2*time.Hour:
		return prose.Plural(int64(d/time.Hour), "hour")
	}
	return prose.Plural(int64(max(d, 0)/time.Minute), "minute")
}

// unknownUses are the credentials that steps cut of which it is not known who else works with them.
func unknownUses(r incident.Record) (names []string) {
	for _, o := range r.Outcomes {
		a, who, ok := cutBy(r, o)
		if who = prose.Safe(who); o.State != containment.Skipped && who != "" && (ok || a.Kind == "") && usedBy(r, o) == nil && !slices.Contains(names, who) {
			names = append(names, who)
		}
	}
	return names
}
