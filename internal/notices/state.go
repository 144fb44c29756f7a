// Package notices decides what the team is told of calls that could blind or silence Nightlatch, and of those that open a way out of a bucket, so
// that whatever is thrown at it becomes few messages and none is lost: the first of a kind at once, then one message a kind in Wait with a count;
// refused calls alone once a Day. Kinds are bounded: a rule of the stack, done or refused. Nothing that a caller chose makes one.
//
// The events come from rules by a queue, in batches (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html). What is to be
// told is stored before it is sent, and forgotten after: a batch that was stored is not needed again, and a message that was not sent is sent
// by the next run. A schedule makes one every few minutes.
package notices

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

const (
	// Wait is the time between two messages about a kind.
	Wait = 15 * time.Minute
	// Day is how often refused calls alone are told.
	Day = 24 * time.Hour
	// Claim is how long a run has to send what it said it would; after that another does. No run lives as long.
	Claim = 4 * time.Minute
	// maxShown is how many events a kind shows, maxCalls how many calls it counts by their names, and maxTaken how many sessions of the
	// deploying roles are remembered.
	maxShown, maxCalls, maxTaken = 3, 12, 40
)

// Kind is what is told together: a rule, of calls that were done, or of calls that were refused.
type Kind struct {
	Rule    string `json:"rule"`
	Refused bool   `json:"refused,omitempty"`
}

// Tally counts a kind's events.
type Tally struct {
	Kind
	// Told is when the kind was told last.
	Told time.Time `json:"told,omitzero"`
	// Count is how many came since, and Since when the first of them did.
	Count int       `json:"count,omitempty"`
	Since time.Time `json:"since,omitzero"`
	// Loud says that one of them is of an open incident's actor.
	Loud bool `json:"loud,omitempty"`
	// Calls counts them by name; "" is every other.
	Calls map[string]int `json:"calls,omitempty"`
	// Shown are a few of them, of different callers where there are such.
	Shown []Event `json:"shown,omitempty"`
}

// Telling is a tally that is to be told, since when, and the run that has said it would: the version of its state, and when.
type Telling struct {
	Tally
	First time.Time `json:"first,omitzero"`
	Claim int64     `json:"claim"`
	At    time.Time `json:"at"`
}

// Taken is a session of a deploying role, by the key that it was given, and who took it.
type Taken struct {
	Key string `json:"key"`
	By  string `json:"by"`
}

// State is all that is kept. The zero State is the first.
type State struct {
	Version int64     `json:"version"`
	Tallies []Tally   `json:"tallies,omitempty"`
	Due     []Telling `json:"due,omitempty"`
	Taken   []Taken   `json:"taken,omitempty"`
	// Ticked is when the schedule's last tick came: all of the way from a rule to here has worked then.
	Ticked time.Time `json:"ticked,omitzero"`
}

// Unsent is since when something is due that could not be sent; zero where nothing is.
func (s State) Unsent() (since time.Time) {
	for _, d := range s.Due {
		if since.IsZero() || d.First.Before(since) {
			since = d.First
		}
	}
	return since
}

// Next is the state after a batch of events: they are counted, what is due is claimed by this run, and Version is one more. watched are the
// watched buckets; nil is every bucket. suspects are the keys and the ARNs of the actors of open incidents. now is the time.
func (s State) Next(events []Event, watched, suspects []string, now time.Time) State {
	s.Version++
	tallies := slices.Clone(s.Tallies)
	s.Taken = slices.Clone(s.Taken)
	seen := map[[2]string]bool{} // a duplicate within a batch
	for _, e := range events {
		if e.Rule == Deployers && e.minted != "" {
			s.Taken = append(s.Taken, Taken{e.minted, e.Who})
		}
	}
	s.Taken = s.Taken[max(0, len(s.Taken)-maxTaken):]
	for _, e := range events {
		if e.Rule == Tick {
			s.Ticked = now
		}
		id := [2]string{e.Rule, e.ID}
		if e.Rule == Tick || e.Rule == Deployers || seen[id] && e.ID != "" || !about(e, watched) {
			continue
		}
		seen[id] = true
		kind := Kind{e.Rule, e.Error != ""}
		if e.deployment() {
			kind.Rule = Deployment
		}
		i := slices.IndexFunc(tallies, func(t Tally) bool { return t.Kind == kind })
		if i < 0 {
			i = len(tallies)
			tallies = append(tallies, Tally{Kind: kind})
		}
		tallies[i] = tallies[i].with(e, now)
		tallies[i].Loud = tallies[i].Loud || suspect(e, suspects)
	}
	return s.due(tallies, now)
}

// about reports whether an event is to be told at all.
func about(e Event, watched []string) bool {
	return !e.foreign && (e.Rule != WaysOut || watched == nil || len(e.buckets) == 0 || slices.ContainsFunc(e.buckets, func(b string) bool { return slices.Contains(watched, b) }))
}

func suspect(e Event, suspects []string) bool {
	return e.Key != "" && slices.Contains(suspects, e.Key) || e.Who != "" && slices.Contains(suspects, e.Who)
}

// with is the tally with one event more.
func (t Tally) with(e Event, now time.Time) Tally {
	if t.Count++; t.Count == 1 {
		t.Since = now
	}
	if t.Calls = maps.Clone(t.Calls); t.Calls == nil {
		t.Calls = map[string]int{}
	}
	t.called(e.Call, 1)
	t.show(e)
	return t
}

// show keeps an event to be shown: one of each caller, and the newest where there is room.
func (t *Tally) show(e Event) {
	e.buckets, e.minted, e.foreign = nil, "", false
	same := func(o Event) bool { return o.Who == e.Who }
	switch i := slices.IndexFunc(t.Shown, same); {
	case len(t.Shown) < maxShown:
		t.Shown = append(slices.Clone(t.Shown), e)
	case i < 0: // a caller that is not shown takes the place of one that is shown twice
		for j, o := range t.Shown {
			if slices.ContainsFunc(t.Shown[:j], func(b Event) bool { return b.Who == o.Who }) {
				t.Shown = slices.Clone(t.Shown)
				t.Shown[j] = e
				return
			}
		}
	}
}

// first is since when a tally that is due should have been told. What is told at once may have come late: the run before it may have failed, after
// which a message is not seen for minutes.
func (t Tally) first(now time.Time) time.Time {
	first := now
	if t.Told.IsZero() && !t.Refused {
		for _, e := range t.Shown {
			if !e.At.IsZero() && e.At.Before(first) {
				first = e.At
			}
		}
	}
	return first
}

// due moves what is due out of the tallies, and claims all that nobody is sending.
func (s State) due(tallies []Tally, now time.Time) State {
	told := map[string]bool{} // the rules of which something is told now
	isDue := func(t Tally) bool {
		switch {
		case t.Count == 0:
			return false
		case t.Refused && !t.Loud:
			return !now.Before(t.Since.Add(Day))
		}
		return t.Told.IsZero() || !now.Before(t.Told.Add(Wait))
	}
	for _, t := range tallies {
		told[t.Rule] = told[t.Rule] || isDue(t)
	}
	s.Due = slices.Clone(s.Due)
	s.Tallies = nil
	for _, t := range tallies {
		if t.Count > 0 && (isDue(t) || t.Refused && told[t.Rule]) {
			s.Due = append(s.Due, Telling{Tally: t, First: t.first(now)})
			t = Tally{Kind: t.Kind, Told: now}
		}
		if t.Count > 0 || now.Before(t.Told.Add(Wait)) {
			s.Tallies = append(s.Tallies, t)
		}
	}
	var due []Telling
	for _, d := range s.Due {
		if now.Before(d.At.Add(Claim)) {
			due = append(due, d) // another run is sending it
			continue
		}
		d.Claim, d.At = s.Version, now
		d.Shown = slices.Clone(d.Shown)
		for j := range d.Shown {
			d.Shown[j].AssumedBy = cmp.Or(d.Shown[j].AssumedBy, s.takenBy(d.Shown[j].Key))
		}
		// What could not be sent for long is one telling a kind.
		if i := slices.IndexFunc(due, func(o Telling) bool { return o.Claim == s.Version && o.Kind == d.Kind }); i >= 0 {
			due[i].Tally = due[i].and(d.Tally)
		} else {
			due = append(due, d)
		}
	}
	s.Due = due
	return s
}

// and is both tallies of a kind.
func (t Tally) and(o Tally) Tally {
	t.Count, t.Loud = t.Count+o.Count, t.Loud || o.Loud
	if o.Since.Before(t.Since) {
		t.Since = o.Since
	}
	t.Calls = maps.Clone(t.Calls)
	for name, n := range o.Calls {
		t.called(name, n)
	}
	for _, e := range o.Shown {
		t.show(e)
	}
	return t
}

// called counts calls by a name, or among the others where there are many names.
func (t *Tally) called(name string, n int) {
	if _, known := t.Calls[name]; !known && len(t.Calls) >= maxCalls {
		name = ""
	}
	t.Calls[name] += n
}

func (s State) takenBy(key string) string {
	for _, t := range s.Taken {
		if key != "" && t.Key == key {
			return t.By
		}
	}
	return ""
}

// Claimed are the tellings that the run of a version is to send.
func (s State) Claimed(version int64) []Tally {
	var all []Tally
	for _, d := range s.Due {
		if d.Claim == version {
			all = append(all, d.Tally)
		}
	}
	return all
}

// Bare is the state without what its kinds show, where that is too large to be stored.
func (s State) Bare() State {
	s.Tallies, s.Due = slices.Clone(s.Tallies), slices.Clone(s.Due)
	for i := range s.Tallies {
		s.Tallies[i].Shown = nil
	}
	for i := range s.Due {
		s.Due[i].Shown = nil
	}
	return s
}

// Sent is the state after the run of a version has sent what it had claimed.
func (s State) Sent(version int64) State {
	s.Version++
	s.Due = slices.DeleteFunc(slices.Clone(s.Due), func(d Telling) bool { return d.Claim == version })
	return s
}
