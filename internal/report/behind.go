package report

import (
	"fmt"
	"strings"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/prose"
)

// behindWords are what the one who stands behind an actor has done.
var behindWords = map[containment.Asks]string{containment.WhoMinted: "Minted by", containment.WhoOrdered: "Ordered by", containment.WhoOpenedIt: "Opened by"}

// source names one who stands behind an actor, and what he called.
func source(s containment.Source) string {
	text := Who(s.Actor()) + ", " + prose.Safe(s.Call) + " at " + s.At.UTC().Format(time.DateTime)
	if s.From != "" {
		text += " from " + prose.Safe(s.From)
	}
	if len(s.To) > 0 {
		text += ", to " + prose.List(s.To)
	}
	if len(text) > maxSource {
		text = text[:maxSource-3] + "..."
	}
	return text
}

// A source is told in so many characters, and so many sources of one actor are.
const maxSource, maxSources = 400, 6

// behind ends the answer with who stands behind the actor that it is about: the first who is found in a chain, and the key at its end.
func behind(r incident.Record, a evidence.Actor) string {
	for _, o := range r.Outcomes {
		if !o.Against(a) || len(o.Behind) == 0 {
			continue
		}
		word := behindWords[containment.AsksOf(a)]
		if word == "" {
			return ""
		}
		first, last := o.Behind[0], o.Behind[len(o.Behind)-1]
		text := "; " + strings.ToLower(word) + " " + source(first)
		if containment.AsksOf(a) == containment.WhoMinted && len(o.Behind) > 1 {
			text += fmt.Sprintf("; the chain begins with %s", Who(last.Actor()))
		}
		return text
	}
	return ""
}

// sources are the lines of a step that name who stands behind its actor, where no lineage does.
func sources(b *writer, r incident.Record, o containment.Outcome) {
	for _, a := range r.Evidence.Actors {
		if !o.Against(a) {
			continue
		}
		if containment.AsksOf(a) == containment.WhoMinted && r.Lineage != nil {
			return // the lineage has them
		}
		for _, s := range o.Behind[:min(len(o.Behind), maxSources)] {
			field(b, behindWords[containment.AsksOf(a)], source(s))
		}
		return
	}
}
