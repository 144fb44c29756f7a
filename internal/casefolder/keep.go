package casefolder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/posture"
	"nightlatch/internal/report"
)

// Shelf is a place that keeps each version of a file: one incident's folder in a bucket.
type Shelf interface {
	Place
	// Get reads the newest version of a file, and says which it is; nil and "" where there is none.
	Get(ctx context.Context, name string) (text []byte, version string, err error)
}

// Sources are what a folder is made of beside the incident's record.
type Sources struct {
	Each Each
	Draw Draw
	Look Look
}

// Look goes through the usual suspects of an incident, as they are now. It ends by itself, and what could not be read stands in what it returns.
type Look func(context.Context, incident.Record) []posture.Suspect

// Keep keeps an incident on its shelf when a stage of it is over, and reports whether it wrote anything: of a stage that is kept already it writes
// nothing, and asks nothing. The list of what was taken is written when the incident is answered, and again when it is closed; of an alarm that
// nobody confirms and that asks nothing of anybody there is none. When it is closed, the policy is written that its principal's rights can be narrowed to. asking is the time for that, which must
// end before ctx: a list that is not whole by then is kept as far as it goes, and there is an error: another Keep goes on behind it with a file of its
// own, until it is whole. Of a list of which nothing came, another Keep asks for half of the time at once. The manifest is written last, and says what is missing.
//
// Where the trail cannot be asked, all else is kept, and there is an error: another Keep asks again.
func Keep(ctx, asking context.Context, shelf Shelf, r incident.Record, from Sources) (wrote bool, err error) {
	if !alarm.IncidentID.MatchString(r.ID) {
		return false, fmt.Errorf("incident %q cannot be the name of a folder", r.ID)
	}
	stage := StageOf(r)
	if stage == (Stage{}) {
		return false, nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("keeping the case folder of incident %s: %w", r.ID, err)
		}
	}()
	m := Manifest{Schema: Schema, Incident: r.ID, Version: 1, Stage: &stage}
	last, err := m.follow(ctx, shelf)
	if err != nil {
		return false, err
	}
	m.ListStep = last.ListStep
	if last.Stage != nil && *last.Stage == stage && !last.ListDue {
		return false, nil
	}
	r.Writer = "" // it is of no meaning here
	closes := stage.Name == Closed && last.Stage != nil && last.Stage.Name != Closed
	var suspects []posture.Suspect
	var narrowed []byte
	var todos []report.Todo
	var unnarrowed string
	var failed error
	var beside sync.WaitGroup
	beside.Go(func() { suspects = from.Look(asking, r) })
	beside.Go(func() { narrowed, todos, unnarrowed, failed = last.narrowed(asking, shelf, r, stage, from.Each) })
	slots, undrawn, err := last.drawn(asking, shelf, r, closes, from.Draw)
	beside.Wait()
	if err = errors.Join(err, failed); err == nil {
		err = m.texts(ctx, shelf, r, slots, suspects, narrowed, todos...)
	}
	if err != nil {
		return false, err
	}
	var asked error
	earlier := Manifest{} // whose list this one goes on with
	if !closes && takenIn(takenOf(r)).goesOn(last.Taken) {
		earlier = last
	}
	switch {
	case last.Taken == nil && !wanted(r):
		m.Missing = append(m.Missing, listOf+"CloudWatch does not confirm the alarm, and no step is about anybody; nightlatch incident "+r.ID+" --case DIR --trail PATH writes one, with the trail's files of those days")
	case last.Taken == nil || last.ListDue || closes:
		if asked, err = m.list(ctx, asking, shelf, r, from.Each, earlier); err != nil {
			return false, err
		}
		m.ListDue = asked != nil
	default:
		m.Missing = slices.DeleteFunc(last.Missing, func(line string) bool {
			return strings.HasPrefix(line, noMinutes) || strings.HasPrefix(line, noNarrowed)
		})
	}
	for _, line := range []string{undrawn, unnarrowed} {
		if line != "" {
			m.Missing = append(m.Missing, line)
		}
	}
	switch {
	case last.Taken == nil:
	case m.Taken == nil: // it is there still
		m.stays(last, earlier.Taken != nil)
	default:
		m.Taken.replaces(*last.Taken)
	}
	return true, errors.Join(m.put(ctx, shelf), asked)
}

// wanted reports whether an incident is worth a question of its own: whoever may invoke the responder makes up any number of alarms, and each question
// is billed.
func wanted(r incident.Record) bool {
	return r.Alarm.Confirmed || slices.ContainsFunc(r.Outcomes, func(o containment.Outcome) bool { return o.State != containment.Skipped })
}

// stays takes an earlier list into the manifest, of which this one should be more: what it is the beginning of, or is to be asked anew.
func (m *Manifest) stays(last Manifest, begun bool) {
	taken := *last.Taken
	m.Files, m.Taken = append(m.Files, last.lists()...), &taken
	if !m.ListDue {
		return
	}
	if taken.Cut {
		m.Missing = append(m.Missing, last.lacks(listOf)...)
	}
	if !begun {
		taken.After, taken.Until = nil, time.Time{}
		m.Missing = append(m.Missing, sinceThen)
	}
}

const sinceThen = "what came since: the list that is here is of an earlier stage"

// follow reads the shelf's newest manifest, and has m follow it; the last is zero where there is none.
func (m *Manifest) follow(ctx context.Context, shelf Shelf) (last Manifest, err error) {
	text, version, err := shelf.Get(ctx, manifestName)
	if err != nil || text == nil {
		return Manifest{}, err
	}
	last, ours := m.earlier(text)
	if !ours || last.Stage == nil {
		return Manifest{}, fmt.Errorf("version %q of %s is no manifest of this incident: somebody else has written it; look who has, and put the version before it there again", version, manifestName)
	}
	m.Version, m.Before = last.Version+1, &Before{Version: version, SHA256: digest(text)}
	return last, nil
}
