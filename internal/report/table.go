package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/prose"
)

// maxRows is how many actors the table shows.
const maxRows = 10

// table is the evidence: who took something, in the window or around it, or copied.
func table(b *writer, r incident.Record) {
	e := r.Evidence
	if len(e.Actors) == 0 {
		return
	}
	fmt.Fprintln(b)
	b.lines("EVIDENCE ("+prose.Safe(e.Engine)+", "+prose.Window(e.From, e.To)+")", 0)
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	line := row // where it fits; else each actor has three
	if b.width() < columns {
		line = rows
	}
	line(w, [6]string{"share", "bytes", "credential", "of", "from", "usual"})
	shown := 0
	var unsized []evidence.Actor
	actors := byWeight(e)
	for _, a := range actors {
		if shown == maxRows || !suspected(r, a) {
			continue
		}
		shown++
		cells := cellsOf(a)
		cells[5] = inPast(r, cells[5])
		line(w, cells)
		if a.Unsized > 0 || a.Copies > 0 {
			unsized = append(unsized, a)
		}
	}
	w.Flush()
	for _, a := range unsized {
		var what []string
		if a.Unsized > 0 {
			what = append(what, prose.Plural(a.Unsized, "call")+" without a byte count")
		}
		if a.Copies > 0 {
			what = append(what, prose.Plural(a.Copies, "server-side copy")+" of unknown size")
		}
		b.lines(fmt.Sprintf("%s (%s): %s, first seen %s, last seen %s UTC", short(cmp.Or(a.AccessKeyID, "-"), 24), owner(a),
			strings.Join(what, " and "), moment(a.FirstSeen), moment(a.LastSeen)), 0)
	}
	if more := int64(len(e.Actors)-shown) + e.Others.Actors; more > 0 {
		b.lines("and "+prose.Plural(more, "actor")+" with less, or with calls only around the window", 0)
	}
	if a := lead(r); a != nil {
		details(b, r, *a)
	}
}

// byWeight are the actors, those first who weigh most.
func byWeight(e evidence.Evidence) []evidence.Actor {
	actors := slices.Clone(e.Actors)
	slices.SortStableFunc(actors, func(x, y evidence.Actor) int { return cmp.Compare(e.Weight(y), e.Weight(x)) })
	return actors
}

// byBytes are the actors who took bytes in the window, those first who took most.
func byBytes(e evidence.Evidence) []evidence.Actor {
	actors := slices.DeleteFunc(slices.Clone(e.Actors), func(a evidence.Actor) bool { return a.Bytes <= 0 })
	slices.SortStableFunc(actors, func(x, y evidence.Actor) int { return cmp.Compare(y.Bytes, x.Bytes) })
	return actors
}

// suspected reports whether an actor took something, or may have, or a human is asked about it: it has a row.
func suspected(r incident.Record, a evidence.Actor) bool {
	return r.Evidence.Weight(a) > 0 || a.Copies > 0 || a.Unsized > 0 || a.AccessKeyID != "" && slices.ContainsFunc(r.Outcomes, func(o containment.Outcome) bool {
		return o.State == containment.Asked && o.AccessKeyID == a.AccessKeyID
	})
}

func row(w io.Writer, c [6]string) { fmt.Fprintln(w, strings.Join(c[:], "\t")) }

func rows(w io.Writer, c [6]string) {
	fmt.Fprintf(w, "%s\t%s\t%s\n\t%s\t%s\n\t\t%s\n", c[0], c[2], c[3], c[1], c[4], c[5])
}

// cellsOf are the columns of an actor's row: share, bytes, credential, of, from, usual.
func cellsOf(a evidence.Actor) [6]string {
	share := "?"
	if a.Share != nil {
		share = percent(*a.Share)
	}
	origin, familiar := "-", "?"
	if len(a.Origins) > 0 {
		origin = prose.Safe(cmp.Or(a.Origins[0].VPCEndpoint, a.Origins[0].Network, "-"))
		if len(a.Origins) > 1 {
			origin += fmt.Sprintf(" +%d", len(a.Origins)-1)
		}
		familiar = inShort(a, a.Origins[0])
	}
	bytes := prose.Bytes(a.Bytes)
	switch {
	case a.Bytes == 0 && a.MarginBytes > 0 && a.Unsized == 0:
		bytes = "(" + prose.Bytes(a.MarginBytes) + " around)"
	case (a.Unsized > 0 || a.Copies > 0) && a.Bytes == 0:
		share, bytes = "?", "?"
	case a.Unsized > 0 || a.Copies > 0:
		bytes += " + ?"
	}
	return [6]string{share, bytes, short(cmp.Or(a.AccessKeyID, "-"), 24), owner(a), short(origin, 24), familiar}
}

// details are what else is known of the actor that the answer is about.
func details(b *writer, r incident.Record, a evidence.Actor) {
	fmt.Fprintln(b)
	calls := "Calls: " + counts(a.Calls) + "."
	if !a.FirstSeen.IsZero() {
		calls = fmt.Sprintf("First seen %s, last seen %s UTC. ", moment(a.FirstSeen), moment(a.LastSeen)) + calls
	}
	b.lines(calls, 0)
	if len(a.Errors) > 0 {
		b.lines("Refused: "+counts(a.Errors)+".", 0)
	}
	if a.LastUsed != nil && a.MostBytesInADay != nil {
		b.lines(fmt.Sprintf("On earlier days its owner read these buckets last at %s, and at most %s in a day.",
			prose.Minute(*a.LastUsed), prose.Bytes(*a.MostBytesInADay)), 0)
	}
	for _, c := range compared(r, a) {
		b.lines(inPast(r, c), 0)
	}
	for _, agent := range a.Agents[:min(len(a.Agents), 3)] {
		b.lines("Agent, as the caller gives it: "+short(agent, 80), 0)
	}
}

func moment(t time.Time) string { return t.UTC().Format(time.DateTime) }

func short(s string, n int) string {
	s = prose.Safe(s)
	if len(s) > n {
		return s[:n-3] + "..."
	}
	return s
}
