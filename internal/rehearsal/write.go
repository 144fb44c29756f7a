package rehearsal

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"nightlatch/internal/prose"
	"nightlatch/internal/report"
)

// NotShown is what a rehearsal says nothing of, whatever became of it.
const NotShown = "Not shown by it: other buckets, whose metrics, alarms and records are their own; other kinds of credential; " +
	"that a neighbour's key stays on; a thief who is slow, or comes from a place that is known. nightlatch doctor and nightlatch judge look at those."

// Before is told before a rehearsal: whoever is woken should know.
func Before(bucket string) report.Message {
	return report.Message{Subject: "[nightlatch] A REHEARSAL begins: an alarm of the canary bucket follows",
		Body: fmt.Sprintf("The canary takes %s of bucket %s. Its alarm and what is said of it are of the rehearsal, and real: the key is deactivated, or you are asked. "+
			"What became of it is told within %.0f minutes.\n", prose.Bytes(Taken), bucket, (Patience + 15*time.Minute).Minutes())}
}

// Message is what the team is told of a rehearsal that has ended.
func (r Run) Message() report.Message {
	return report.Message{Subject: "[nightlatch] " + r.headline(), Body: r.Text() + "\n"}
}

// headline is the answer in a line.
func (r Run) headline() string {
	switch r.Outcome {
	case Contained:
		return fmt.Sprintf("REHEARSED: contained %s after the first byte", r.took())
	case Asked:
		return fmt.Sprintf("REHEARSED: asked %s after the first byte", r.took())
	case Failed:
		return "THE REHEARSAL FAILED"
	}
	return "The rehearsal goes on"
}

// took is from the beginning to the key that is off, or to the ask.
func (r Run) took() string {
	for _, s := range r.Stages {
		if s.Name == seenOff || s.Name == seenAsked {
			return s.At.Sub(r.Begun).Round(time.Second).String()
		}
	}
	return "an unknown time"
}

// Text says what became of a rehearsal: the answer first, then the time of each stage.
func (r Run) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s.\n", prose.Capital(strings.TrimSuffix(r.headline(), ".")))
	if r.Why != "" {
		fmt.Fprintf(&b, "%s: %s.\n", map[Outcome]string{Contained: "By the policy's", Asked: "By the policy's", Failed: "What failed"}[r.Outcome], strings.TrimSuffix(prose.Plain(r.Why), "."))
	}
	b.WriteString("\n")
	for _, s := range r.Stages {
		fmt.Fprintf(&b, "%s  %s\n", r.After(s), s.Name)
	}
	b.WriteString("\n")
	if r.Incident != "" {
		fmt.Fprintf(&b, "nightlatch incident %s\n", r.Incident)
	}
	switch {
	case !r.Restored.IsZero():
		fmt.Fprintf(&b, "The canary's key was seen on again at %s UTC.\n", stamp(r.Restored))
	case r.Outcome == Contained:
		b.WriteString("The canary's key is turned on again when the incident is closed.\n")
	case r.Outcome == Asked:
		b.WriteString("Whoever is on call answers it as any other: approve, or turn the canary's key off by hand, or leave it.\n")
	}
	if r.Left != "" {
		fmt.Fprintf(&b, "Of the incident there stands on the canary: %s. Take it back: nightlatch restore %s\n", prose.Safe(r.Left), r.Incident)
	}
	if r.Outcome == Contained || r.Outcome == Asked {
		fmt.Fprintf(&b, "\n%s\n", NotShown)
	}
	return b.String()
}

// After is how long after the beginning a stage was reached, in minutes and seconds.
func (r Run) After(s Stage) string {
	d := max(s.At.Sub(r.Begun).Round(time.Second), 0)
	return fmt.Sprintf("%4d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

// Schema names the JSON form of a rehearsal. Fields are only ever added.
const Schema = "nightlatch.rehearsal/1"

// JSON is the rehearsal for a machine.
func (r Run) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(struct {
		Schema string `json:"schema"`
		Run
	}{Schema, r}, "", "  ")
	return append(text, '\n'), err
}
