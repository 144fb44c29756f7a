package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
)

type (
	// Sheet is one incident as a page lays it out. What others chose in its texts is printable ASCII, and not escaped for HTML: see report/html.
	Sheet struct {
		Title, Word, Class, Answer string
		ID, Mode, Place            string
		Figures                    []figure
		Steps                      []stepView
		Sure                       []named
		Course                     *course
		Explains                   []bar
		Compared                   comparison
		Strip                      strip
		Tree                       []nodeView
		Beyond                     []string
		Open                       []named // what the lineage leaves open
		Actors                     []actorView
		More                       int64 // actors without a row
		Why                        []verdictView
		NotKnown                   []string
		Log                        []logLine
		Read                       string // what was read of CloudTrail
	}
	// figure is one number, with what it is.
	figure struct{ Number, Says, Class string }
	// stepView is what became of one step, or what is asked.
	stepView struct {
		Class  string
		Fields []named
	}
	// bar is a bar of Width per cent. Mark is where a line crosses it, where it is over 0.
	bar struct {
		Name, Amount, Class string
		Width, Mark         float64
	}
	// comparison is the actor of the answer now, beside its own two weeks.
	comparison struct {
		Who     string
		Amounts []bar
		Places  []bar
		Hours   *hours
		Says    []string
	}
	// hours are the day: each band is a part of it, in per cent, in which the owner read on earlier days; the others are when it came now.
	hours struct {
		Says       string
		Usual, Now []band
	}
	band struct{ X, Width float64 }
	// strip is the incident from the first call to the last thing that happened.
	strip struct {
		Window band
		Marks  []mark
		High   float64
	}
	// mark is an event: its line stands at X, and its number in the row at Y, as numbers may be near each other.
	mark struct {
		Number          int
		X, Y            float64
		At, What, Class string
	}
	actorView struct {
		Share, Bytes, Key, Owner, From, Usual string
		Width                                 float64
	}
	verdictView struct {
		Steps, Decision, Class string
		Reasons                []string
	}
	logLine struct{ At, What string }
)

// classes are how a state is coloured.
var classes = map[containment.State]string{containment.Failed: "bad", containment.Unknown: "bad", containment.Drifted: "bad", containment.Done: "done",
	containment.Asked: "asked"}

// SheetOf lays an incident out. The answer stands first, then pictures, then all that the text says. The slots are what CourseOf asks for; none
// where that was not asked.
func SheetOf(r incident.Record, slots []evidence.Slot) Sheet {
	p := Sheet{Title: Subject(r), Word: headline(r), Answer: Answer(r) + ".", ID: prose.Safe(r.ID), Mode: prose.Safe(string(r.Mode)), Figures: figures(r), Course: courseIn(r, slots), Explains: explains(r), Strip: stripOf(r), NotKnown: unknowns(r), Read: read(r)}
	for _, o := range r.Outcomes {
		if class := classes[o.State]; urgency(o.State) < len(words) && (p.Class == "" || p.Class == "done" || class == "bad") && class != "" {
			p.Class = class
		}
	}
	if p.Class == "" && (r.Alarm.Refused != "" || r.Unsolved() != "" || lead(r) == nil) {
		p.Class = "bad"
	}
	_, in := inShortAndLong(r.Where())
	p.Place = strings.Join(in, ", ")
	p.Steps, p.Sure = stepsOf(r)
	if a := lead(r); a != nil {
		p.Compared = comparisonOf(r, *a)
	}
	p.Tree, p.Beyond, p.Open = treeOf(r)
	p.Actors, p.More = actorsOf(r)
	p.Why = whyOf(r)
	for _, e := range r.Log {
		p.Log = append(p.Log, logLine{e.At.UTC().Format(time.TimeOnly), prose.Safe(e.What)})
	}
	return p
}

// stepsOf are the steps, and what is said about all of them. Those that are none stand in one.
func stepsOf(r incident.Record) (steps []stepView, sure []named) {
	var none []string
	for i, o := range r.Outcomes {
		if o.State == containment.Skipped {
			none = append(none, prose.Safe(o.Target))
			continue
		}
		var w writer
		outcome(&w, r, i)
		steps = append(steps, stepView{classes[o.State], w.fields})
	}
	var w writer
	if len(none) > 0 {
		field(&w, "No action", strings.Join(none, ", "))
	}
	about(&w, r)
	return steps, w.fields
}

// whyOf are the verdicts. Those with one decision for the same reasons stand together.
func whyOf(r incident.Record) (all []verdictView) {
	for _, v := range r.Verdicts {
		view := verdictView{Steps: prose.Safe(string(v.Action)) + " " + prose.Safe(v.Target), Decision: prose.Safe(string(v.Decision)),
			Class: map[policy.Decision]string{policy.Contain: "done", policy.Ask: "asked"}[v.Decision]}
		for _, reason := range v.Reasons {
			view.Reasons = append(view.Reasons, prose.Safe(reason))
		}
		if v.TaggedBy != "" {
			view.Reasons = append(view.Reasons, "tagged by "+prose.Safe(v.TaggedBy))
		}
		if i := slices.IndexFunc(all, func(o verdictView) bool { return o.Decision == view.Decision && slices.Equal(o.Reasons, view.Reasons) }); i >= 0 {
			all[i].Steps += ", " + view.Steps
			continue
		}
		all = append(all, view)
	}
	return all
}

// figures are the three numbers of an incident: how much, how sure, how usual.
func figures(r incident.Record) []figure {
	e, a := r.Evidence, lead(r)
	took := figure{Number: "?", Says: "left, by CloudWatch"}
	switch {
	case a != nil:
		took = figure{amount(r, *a), "taken by " + Who(*a), classOf(r, *a)}
	case r.Alarm.Bytes != nil:
		took.Number = prose.Bytes(*r.Alarm.Bytes)
	}
	explained := figure{Number: "?", Says: "of the alarmed bytes are explained: that is not known"}
	if e.Explained != nil {
		explained = figure{Number: percent(*e.Explained), Says: "of the alarmed bytes are explained by CloudTrail"}
		if e.FallsShort() {
			explained.Class = "bad"
		}
	}
	usual := figure{Number: "?", Says: "how usual that is, is not known"}
	if a != nil && len(a.Origins) > 0 {
		o := a.Origins[0]
		usual = figure{Number: inShort(*a, o), Says: "for it, from " + place(o)}
		switch {
		case usual.Number == "yes":
			usual.Number = "USUAL"
		case usual.Number == "?":
			usual.Says = "whether that is usual for it is not known, from " + place(o)
		case o.Familiar != nil && !*o.Familiar:
			usual.Class = "bad"
		}
	}
	return []figure{took, explained, usual}
}

// mostBars is how many actors the picture of the alarm has.
const mostBars = 6

// explains are the metric's bytes and what each actor explains of them.
func explains(r incident.Record) []bar {
	e := r.Evidence
	actors := byBytes(e)
	whole := e.Bytes
	if r.Alarm.Bytes != nil {
		whole = max(whole, *r.Alarm.Bytes)
	}
	if whole <= 0 {
		return nil
	}
	var bars []bar
	add := func(name string, bytes int64, class string) {
		bars = append(bars, bar{Name: name, Amount: prose.Bytes(bytes), Class: class, Width: part(bytes, whole)})
	}
	if r.Alarm.Bytes != nil {
		add("The metric", *r.Alarm.Bytes, "metric")
		if t := r.Alarm.Threshold; t != nil && *t > 0 && *t < float64(whole) {
			bars[0].Mark = 100 * *t / float64(whole)
		}
	}
	rest := e.Bytes
	for i, a := range actors {
		if i == mostBars {
			break
		}
		rest -= a.Bytes
		add(prose.Capital(Who(a)), a.Bytes, cmp.Or(classOf(r, a), "known"))
	}
	if rest > 0 && len(actors)+int(e.Others.Actors) > mostBars {
		add("All others", rest, "known")
	}
	if e.Unexplained != nil && *e.Unexplained > 0 && r.Alarm.Counts == "" {
		add("Not explained", *e.Unexplained, "unknown")
	}
	return bars
}

// classOf colours an actor that a step is about.
func classOf(r incident.Record, a evidence.Actor) string {
	if suspectedOf(r, a) {
		return "bad"
	}
	return ""
}

// suspectedOf reports whether a step is about an actor.
func suspectedOf(r incident.Record, a evidence.Actor) bool {
	return slices.ContainsFunc(r.Outcomes, func(o containment.Outcome) bool { return o.Against(a) && o.State != containment.Skipped })
}

// part is n of whole in per cent; what is there at all can be seen.
func part(n, whole int64) float64 {
	if n <= 0 || whole <= 0 {
		return 0
	}
	return round(max(0.5, min(100, 100*float64(n)/float64(whole))))
}

// round is a length in a picture, to a tenth.
func round(x float64) float64 { return math.Round(10*x) / 10 }

// comparisonOf lays an actor beside its own two weeks.
func comparisonOf(r incident.Record, a evidence.Actor) comparison {
	c := comparison{Who: prose.Capital(Who(a)), Says: compared(r, a)}
	c.Says = append([]string{"Calls: " + counts(a.Calls) + "."}, c.Says...)
	if !a.FirstSeen.IsZero() {
		c.Says = append([]string{"First seen " + moment(a.FirstSeen) + ", last seen " + moment(a.LastSeen) + " UTC."}, c.Says...)
	}
	for i, agent := range a.Agents {
		if i == 3 {
			break
		}
		c.Says = append(c.Says, "Agent, as the caller gives it: "+short(agent, 120))
	}
	amounts := []struct {
		name  string
		bytes *int64
		class string
	}{{"In the window", &a.Bytes, cmp.Or(classOf(r, a), "known")}, {"In the window and the 24 hours before", a.DayBytes, cmp.Or(classOf(r, a), "known")}, {"On a big day of its owner", a.UsualBytes, "known"},
		{"On its owner's biggest day", a.MostBytesInADay, "known"}}
	var most int64
	for _, x := range amounts {
		if x.bytes != nil {
			most = max(most, *x.bytes)
		}
	}
	for _, x := range amounts {
		if x.bytes != nil && most > 0 && a.HistoryDays != nil {
			c.Amounts = append(c.Amounts, bar{Name: x.name, Amount: prose.Bytes(*x.bytes), Class: x.class, Width: part(*x.bytes, most)})
		}
	}
	most = 0
	for _, o := range a.Origins {
		most = max(most, o.Bytes)
	}
	for i, o := range a.Origins {
		if i == mostBars || most == 0 {
			break
		}
		class := "unknown"
		switch {
		case o.Familiar != nil && *o.Familiar:
			class = "known"
		case o.Familiar != nil:
			class = "bad"
		}
		usual := inShort(a, o)
		switch usual {
		case "yes":
			usual = "usual"
		case "?":
			usual = "not known how usual"
		}
		c.Places = append(c.Places, bar{Name: prose.Capital(place(o)) + ": " + usual, Amount: prose.Bytes(o.Bytes), Class: class, Width: part(o.Bytes, most)})
	}
	if h := a.Hours; h != nil && a.HistoryDays != nil && !a.FirstSeen.IsZero() && a.LastSeen.Sub(a.FirstSeen) < 12*time.Hour {
		c.Hours = &hours{Says: fmt.Sprintf("Its owner read these buckets between %s and %s UTC on %d earlier days; now it came between %s and %s.", ofDay(h.From), ofDay(h.To),
			*a.HistoryDays, a.FirstSeen.UTC().Format("15:04"), a.LastSeen.UTC().Format("15:04")),
			Usual: bands(h.From, h.To), Now: bands(secondOfDay(a.FirstSeen), secondOfDay(a.LastSeen))}
	}
	return c
}

const secondsOfDay = 24 * 60 * 60

func secondOfDay(t time.Time) int64 { return (t.Unix()%secondsOfDay + secondsOfDay) % secondsOfDay }

// bands are a part of the day in per cent, two where it goes over midnight.
func bands(from, to int64) []band {
	if to < from {
		return append(bands(from, secondsOfDay), bands(0, to)...)
	}
	x := 100 * float64(from) / secondsOfDay
	return []band{{x, min(max(0.6, 100*float64(to-from)/secondsOfDay), 100-x)}}
}

// treeOf is the lineage, what it does not show, and what it leaves open.
func treeOf(r incident.Record) (nodes []nodeView, more []string, open []named) {
	t := r.Lineage
	if t == nil || len(t.Nodes) == 0 {
		return nil, nil, nil
	}
	var w writer
	shown := shownOf(t.Nodes)
	leftOpen(&w, r, shown)
	return viewsOf(t.Nodes, shown), beyond(*t, shown), w.fields
}

// mostActors is how many rows the page's table of actors has: all that an incident keeps.
const mostActors = evidence.MaxActors

func actorsOf(r incident.Record) (rows []actorView, more int64) {
	actors := byWeight(r.Evidence)
	for _, a := range actors {
		if len(rows) == mostActors || !suspected(r, a) {
			continue
		}
		c := cellsOf(a)
		rows = append(rows, actorView{Share: c[0], Bytes: c[1], Key: c[2], Owner: c[3], From: c[4], Usual: c[5]})
	}
	return rows, int64(len(actors)-len(rows)) + r.Evidence.Others.Actors
}

// stripOf is what happened when.
func stripOf(r incident.Record) strip {
	type event struct {
		what, class string
		at          time.Time
	}
	var events []event
	add := func(what, class string, at time.Time) {
		if !at.IsZero() {
			events = append(events, event{what, class, at})
		}
	}
	if a := lead(r); a != nil {
		add("First call of the window", "bad", a.FirstSeen)
		add("Last call of the window", "bad", a.LastSeen)
	}
	for _, t := range Times(r) {
		if t.What != "Contained" && t.What != "Last follow-up" {
			add(t.What, "", t.At)
		}
	}
	for _, o := range r.Outcomes {
		what := prose.Safe(string(o.Action)) + " " + prose.Safe(o.Target)
		switch o.State {
		case containment.Done:
			add("Done: "+what, "done", o.At)
		case containment.Undone:
			add("Undone: "+what, "", o.At)
		}
	}
	for _, f := range r.FollowUps {
		add("Follow-up: "+FollowUp(f), map[bool]string{false: "bad"}[f.Quiet()], f.At)
	}
	add("Closed", "", r.Closed)
	slices.SortStableFunc(events, func(x, y event) int { return x.at.Compare(y.at) })
	if len(events) < 2 || r.Alarm.From.IsZero() {
		return strip{}
	}
	from, to := events[0].at, events[len(events)-1].at
	if r.Alarm.From.Before(from) {
		from = r.Alarm.From
	}
	if r.Alarm.To.After(to) {
		to = r.Alarm.To
	}
	x := func(t time.Time) float64 {
		return math.Round(10 + 580*float64(t.Sub(from))/float64(max(to.Sub(from), time.Second)))
	}
	s := strip{Window: band{x(r.Alarm.From), max(2, x(r.Alarm.To)-x(r.Alarm.From))}}
	var ends []float64 // where each row of numbers ends
	for i, e := range events {
		m := mark{Number: i + 1, X: x(e.at), At: moment(e.at), What: e.what, Class: e.class}
		row := 0
		for row < len(ends) && ends[row] > m.X {
			row++
		}
		if row == len(ends) {
			ends = append(ends, 0)
		}
		ends[row] = m.X + 22
		m.Y = float64(30 + 16*row)
		s.Marks, s.High = append(s.Marks, m), max(s.High, m.Y+6)
	}
	return s
}
