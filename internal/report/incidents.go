package report

import (
	"encoding/json"
	"fmt"
	"strings"

	"nightlatch/internal/incident"
	"nightlatch/internal/prose"
)

// Incidents is a list of incidents as a text, in the order given, and what holds the responder back, if anything does.
func Incidents(briefs []incident.Brief, brakes incident.Brakes) string {
	var b strings.Builder
	const stamp = "2006-01-02 15:04"
	id, state := len("INCIDENT"), len("STATE")
	for _, x := range briefs {
		id, state = max(id, len(prose.Safe(x.ID))), max(state, len(x.State()))
	}
	if len(briefs) == 0 {
		b.WriteString("No incidents.\n")
	} else {
		fmt.Fprintf(&b, "%-*s  %-*s  %-*s  %s\n", id, "INCIDENT", len(stamp), "OPENED (UTC)", state, "STATE", "WHAT")
	}
	for _, x := range briefs {
		what := strings.TrimPrefix(prose.Safe(x.Subject), "[nightlatch] ")
		if what == "" {
			what = "nobody was notified yet"
		}
		fmt.Fprintf(&b, "%-*s  %s  %-*s  %s\n", id, prose.Safe(x.ID), x.Opened.UTC().Format(stamp), state, x.State(), what)
	}
	if brakes.Mode != "" {
		fmt.Fprintf(&b, "\nMode %s.\n", Lowered(brakes))
	}
	for _, h := range brakes.Holds {
		fmt.Fprintf(&b, "Hold until %s UTC: %s is asked about, not contained, from %s (%s, after incident %s).\n",
			h.Until.UTC().Format(stamp), prose.Safe(h.AccessKeyID), prose.List(h.Origins), prose.Safe(h.By), prose.Safe(h.Incident))
	}
	return b.String()
}

// Lowered says to what the mode was lowered, by whom and when: "lowered to ask by …". It is for brakes that have a mode.
func Lowered(b incident.Brakes) string {
	until := "until a deployment of another generation raises it"
	if !b.Until.IsZero() {
		until = "until " + prose.Minute(b.Until) + " UTC, or " + until
	}
	return fmt.Sprintf("lowered to %s by %s at %s UTC, %s", prose.Safe(string(b.Mode)), prose.Safe(b.By), prose.Minute(b.At), until)
}

// IncidentsSchema names the JSON form of a list. Fields are only ever added.
const IncidentsSchema = "nightlatch.incidents/1"

// IncidentsJSON is the same as JSON, indented, in ASCII only, with the sums if there are any.
func IncidentsJSON(briefs []incident.Brief, brakes incident.Brakes, sums *Summed) ([]byte, error) {
	type line struct {
		incident.Brief
		State string `json:"state"`
	}
	list := struct {
		Schema    string          `json:"schema"`
		Incidents []line          `json:"incidents"`
		Brakes    incident.Brakes `json:"brakes"`
		Sums      *Summed         `json:"sums,omitempty"`
	}{IncidentsSchema, []line{}, brakes, sums}
	for _, b := range briefs {
		list.Incidents = append(list.Incidents, line{b, b.State()})
	}
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("the incidents as JSON: %v", err)
	}
	return ascii(text), nil
}
