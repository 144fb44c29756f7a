package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf16"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
)

// JSON is one incident as nightlatch.incident/1, indented, in ASCII only: a terminal that shows it obeys nothing in it.
func JSON(r incident.Record) ([]byte, error) {
	r.History = nil // working memory, large, and summed up in the actors
	orEmpty(&r.Alarm.Buckets)
	orEmpty(&r.Evidence.Actors)
	orEmpty(&r.Evidence.Lost)
	orEmpty(&r.Rounds)
	orEmpty(&r.Verdicts)
	orEmpty(&r.Notified)
	orEmpty(&r.Log)
	outcomes := []hitting{}
	for _, o := range r.Outcomes {
		outcomes = append(outcomes, hitting{o, r.Hits(o.Step, r.ActorOf(o))})
	}
	text, err := json.MarshalIndent(struct {
		incident.Record
		Outcomes []hitting `json:"outcomes"`
		Answer   string    `json:"answer"`
	}{r, outcomes, Answer(r)}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("incident %q as JSON: %v", r.ID, err)
	}
	return ascii(text), nil
}

// hitting is an outcome, with whom it hits beside the thief.
type hitting struct {
	containment.Outcome
	Hits *evidence.Hit `json:"hits,omitempty"`
}

// ascii writes what is not ASCII in a JSON text as JSON escapes it, and ends it with a line break.
func ascii(text []byte) []byte {
	var b bytes.Buffer
	for _, c := range string(text) {
		switch {
		case c < 0x7f:
			b.WriteByte(byte(c))
		case c > 0xffff:
			high, low := utf16.EncodeRune(c)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, c)
		}
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// orEmpty keeps null out of the JSON: who reads it loops over lists.
func orEmpty[T any](list *[]T) {
	if *list == nil {
		*list = []T{}
	}
}
