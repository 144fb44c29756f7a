package main

import (
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/report"
)

// textFor is an incident's text for an output: as wide as the terminal that it is, and whole where it is a file or a pipe.
func textFor(out io.Writer, rec incident.Record) string {
	columns := columnsOf(out)
	if columns == 0 {
		return report.Text(rec).Body
	}
	// https://no-color.org
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return report.Terminal(rec, columns)
	}
	headline, rest, _ := strings.Cut(report.Terminal(rec, columns), "\n")
	return colour(rec) + headline + plain + "\n" + rest
}

// columnsOf is how wide the terminal is that an output is; 0 where it is none.
func columnsOf(out io.Writer) int {
	w, _ := out.(watched)
	f, ok := w.Writer.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

// The colours of a headline. https://ecma-international.org/publications-and-standards/standards/ecma-48/
const red, green, bold, plain = "\x1b[1;31m", "\x1b[1;32m", "\x1b[1m", "\x1b[0m"

// colour is red where a human has to act, and green where all that is to be done was done.
func colour(rec incident.Record) string {
	done := func(o containment.Outcome) bool { return o.State == containment.Done }
	waits := func(o containment.Outcome) bool { return o.Open() || o.Contained() && !done(o) }
	switch {
	case slices.ContainsFunc(rec.Outcomes, waits) || rec.Unsolved() != "":
		return red
	case slices.ContainsFunc(rec.Outcomes, done):
		return green
	}
	return bold
}
