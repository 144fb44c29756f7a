package report

import (
	"cmp"
	"fmt"
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

// tableOf is the table as a text.
func tableOf(r incident.Record) string {
	var b writer
	table(&b, r)
	return b.String()
}

// table is the evidence: who took something, in the window or around it, or copied.
func table(b *writer, r incident.Record) {
	e := r.Evidence
	if len(e.Actors) == 0 {
		return
	}
	fmt.Fprintf(b, "\nEVIDENCE (%s, %s)\n", prose.Safe(e.Engine), prose.Window(e.From, e.To))
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "share\tbytes\tcredential\tof\tfrom\tusual")
	shown := 0
	var unsized []evidence.Actor
	actors := byWeight(e)
	for _, a := range actors {
		if shown == maxRows || !suspected(r, a) {
			continue
		}
		shown++
		row(w, a)
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
		fmt.Fprintf(b, "%s (%s): %s, first seen %s, last seen %s UTC\n", short(cmp.Or(a.AccessKeyID, "-"), 24), owner(a),
			strings.Join(what, " and "), moment(a.FirstSeen), moment(a.LastSeen))
	}
	if more := int64(len(e.Actors)-shown) + e.Others.Actors; more > 0 {
		fmt.Fprintf(b, "and %s with less, or with calls only around the window\n", prose.Plural(more, "actor"))
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

func row(w *tabwriter.Writer, a evidence.Actor) {
	c := cellsOf(a)
	fmt.Fprintln(w, strings.Join(c[:], "\t"))
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
	if !a.FirstSeen.IsZero() {
		fmt.Fprintf(b, "First seen %s, last seen %s UTC. ", moment(a.FirstSeen), moment(a.LastSeen))
	}
	fmt.Fprintf(b, "Calls: %s.\n", counts(a.Calls))
	if len(a.Errors) > 0 {
		fmt.Fprintf(b, "Refused: %s.\n", counts(a.Errors))
	}
	if a.LastUsed != nil && a.MostBytesInADay != nil {
		fmt.Fprintf(b, "On earlier days its owner read these buckets last at %s, and at most %s in a day.\n",
			a.LastUsed.UTC().Format("2006-01-02 15:04"), prose.Bytes(*a.MostBytesInADay))
	}
	for _, c := range compared(r, a) {
		for _, line := range wrap(c, width) {
			fmt.Fprintln(b, line)
		}
	}
	for _, agent := range a.Agents[:min(len(a.Agents), 3)] {
		fmt.Fprintf(b, "Agent, as the caller gives it: %s\n", short(agent, 80))
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
