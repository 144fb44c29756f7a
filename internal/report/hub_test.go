package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
)

// heard is an event to a hub as a program reads it that knows every field.
func heard(t *testing.T, m Message) HubEvent {
	t.Helper()
	text, err := ForHub(m, sentAt)
	if err != nil {
		t.Fatal(err)
	}
	printable(t, "the event", string(text), "")
	if len(text) > maxEvent {
		t.Errorf("the event has %d bytes", len(text))
	}
	var e HubEvent
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&e); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestAnEventToAHubIsHarmless(t *testing.T) {
	for name, text := range hostile {
		t.Run(name, func(t *testing.T) {
			for _, m := range every(filled(text, 2)) {
				for _, got := range texts(reflect.ValueOf(heard(t, m))) {
					printable(t, "a text of the event", got, "")
				}
			}
		})
	}
}

// What is left out is said.
func TestAnEventToAHubFits(t *testing.T) {
	r := filled(strings.Repeat("\n", 5000), 60)
	for i := range r.Outcomes {
		r.Outcomes[i].Undo = strings.Repeat("u", maxUndo+i%2)
	}
	one := heard(t, Write(incident.Answer, r)).Incidents[0]
	if len(one.Actors)+int(one.Others) < 60 || len(one.Actors[0].Networks)+int(one.Actors[0].MoreNetworks) < 60 || len(one.Steps)+one.MoreSteps != 60 || len(one.Merged)+one.MergedMore < 60 || one.Alarm.More != 60-len(one.Alarm.Buckets) {
		t.Errorf("%d actors and %d more, %d networks and %d more, %d steps and %d more, %d merged and %d more", len(one.Actors), one.Others, len(one.Actors[0].Networks), one.Actors[0].MoreNetworks,
			len(one.Steps), one.MoreSteps, len(one.Merged), one.MergedMore)
	}
	if one.Steps[0].Undo != "" && (len(one.Steps[0].Undo) != maxUndo || one.Steps[1].Undo != "") {
		t.Errorf("undo lines of %d and %d bytes", len(one.Steps[0].Undo), len(one.Steps[1].Undo))
	}
	many := heard(t, Page(slices.Repeat([]incident.Record{r}, 60)))
	if len(many.Incidents) == 0 || many.More != 60-len(many.Incidents) || !many.Cut {
		t.Errorf("%d incidents and %d more, cut %t", len(many.Incidents), many.More, many.Cut)
	}
}

func TestAnEventToAHubSaysByWhatItIsMerged(t *testing.T) {
	r := messages()["two"]
	r.Judged = sentAt
	no := false
	r.Evidence.Actors = slices.Clone(r.Evidence.Actors)
	r.Evidence.Actors[0].Origins = []evidence.Origin{{Network: "198.51.100.0/24", Bytes: 7, Familiar: &no}, {VPCEndpoint: "vpce-1"}}
	e := heard(t, Write(incident.Reminder, r))
	in := e.Incidents[0]
	if e.Schema != "nightlatch.hub/1" || e.Kind != incident.Reminder || e.Account != "111122223333" || e.Region != "eu-west-1" || in.ID != r.ID || in.State != "open" || !in.Judged || !in.WaitsForHuman || len(in.Steps) != len(r.Outcomes) || !in.Alarm.Confirmed {
		t.Errorf("got %+v", e)
	}
	i := slices.IndexFunc(in.Actors, func(a HubActor) bool { return a.AccessKeyID == r.Evidence.Actors[0].AccessKeyID })
	if a := in.Actors[i]; !a.Suspected || fmt.Sprintf("%s %d %t %s %v", a.Networks[0].Network, a.Networks[0].Bytes, *a.Networks[0].Familiar, a.Networks[1].VPCEndpoint, a.Networks[1].Familiar) != "198.51.100.0/24 7 false vpce-1 <nil>" {
		t.Errorf("got %+v", a)
	}
	r.Closed = sentAt
	if got := heard(t, Write(incident.Closing, r)).Incidents[0].State; got != "closed" {
		t.Errorf("it is %s", got)
	}
}
