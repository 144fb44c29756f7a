package report

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/incident"
)

// Whoever may send an event chooses an alarm's name, and whoever may approve has a name: neither draws on the terminal.
func TestAListObeysNobody(t *testing.T) {
	at := time.Date(2026, 3, 4, 0, 30, 0, 0, time.UTC)
	const evil = "\x1b[2J\u202e\r\nfirst  closed é"
	briefs := []incident.Brief{{ID: evil, Opened: at, Subject: evil}, {ID: "first", Opened: at, Closed: at}}
	brakes := incident.Brakes{Mode: evil, By: evil, At: at, Holds: []incident.Hold{{AccessKeyID: evil, Incident: evil, By: evil, Until: at, Origins: []string{evil}}}}
	text := Incidents(briefs, brakes)
	js, err := IncidentsJSON(briefs, brakes, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{text, string(js)} {
		if strings.ContainsFunc(out, func(r rune) bool { return r != '\n' && (r < 0x20 || r > 0x7e) }) {
			t.Errorf("not plain: %q", out)
		}
	}
	if lines := strings.Split(strings.TrimSpace(text), "\n"); len(lines) != 6 { // a heading, two incidents, an empty line, the mode, the hold
		t.Errorf("%d lines:\n%s", len(lines), text)
	}
	var back struct {
		Schema    string
		Incidents []struct{ ID, State, Subject string }
	}
	if err := json.Unmarshal(js, &back); err != nil || back.Schema != IncidentsSchema || back.Incidents[0].Subject != evil || back.Incidents[0].State != "open" || back.Incidents[1].State != "closed" {
		t.Errorf("back: %+v, %v", back, err)
	}
	if js, err := IncidentsJSON(nil, incident.Brakes{}, nil); err != nil || !strings.Contains(string(js), `"incidents": []`) {
		t.Errorf("an empty list: %s, %v", js, err)
	}
}
