package responder_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
)

// A deployment may be rolled back in the middle of a night: then a build meets what a later one has stored. It sees it through as far as
// it understands it, does no step that it does not know, and asks where it does not know how far it may go. A field that it does not know is gone
// with its next put.
//
// Run by hand, 1bf196e does the same with each of these, but takes a lowered mode that it does not know for none. It has also taken up the
// nights of frozen_test.go after each move of today's build, 238 in all, and brought them to their end with the same steps and messages.
func TestWhatALaterBuildHasBegunIsHarmless(t *testing.T) {
	outcome := func(r map[string]any) map[string]any { return r["outcomes"].([]any)[0].(map[string]any) }
	for name, c := range map[string]struct {
		night  string
		change func(r map[string]any)
		brakes string
		want   string // the steps at the end
		writes int
	}{
		"fields": {night: "intended", change: func(r map[string]any) {
			r["fence"], outcome(r)["cut"] = map[string]any{"networks": []any{"198.51.100.0/24"}}, true
		}, want: "[deactivate-key " + stolen + ": done]", writes: 1},
		"a state that ends": {night: "done", change: func(r map[string]any) { outcome(r)["state"] = "cut" }, want: "[deactivate-key " + stolen + ": cut]"},
		"an action that is intended": {night: "intended", change: func(r map[string]any) {
			o := outcome(r)
			o["action"] = "deny-user-sessions"
			step := o["step"].(map[string]any)
			step["action"], step["ref"] = "deny-user-sessions", map[string]any{"type": "user-policy", "owner": "mara", "name": "nightlatch"}
			step["before"], step["after"] = map[string]any{"absent": true}, map[string]any{"text": "{}"}
		}, want: "[deny-user-sessions " + stolen + ": unknown]"},
		"a message": {night: "done", change: func(r map[string]any) {
			r["notified"] = append(r["notified"].([]any), map[string]any{"kind": "digest", "channel": "sandbox", "subject": "", "at": "0001-01-01T00:00:00Z", "tries": 0})
		}, want: "[deactivate-key " + stolen + ": done]"},
		"a mode":         {night: "intended", change: func(r map[string]any) { r["mode"] = "pause" }, want: "[deactivate-key " + stolen + ": asked]"},
		"a lowered mode": {night: "lowered", brakes: `{"version":1,"mode":"pause","epoch":"1"}`, want: "[deactivate-key " + stolen + ": asked]"},
	} {
		t.Run(name, func(t *testing.T) {
			s, w := readStopped(t, c.night), frozenWorld(c.night)
			if c.change != nil {
				s.Records[0] = changed(t, s.Records[0], c.change)
			}
			if c.brakes != "" {
				s.Brakes = json.RawMessage(c.brakes)
			}
			s.load(t, w)
			end := w.takeUp(t, &w.Responder)
			for id, last := range end.Incidents {
				if got := fmt.Sprint(last.Steps); !last.Closed || got != c.want || end.Writes != c.writes {
					t.Errorf("%s: closed %t, %s, %d writes; want it closed, %s and %d; notified with %q", id, last.Closed, got, end.Writes, c.want, c.writes, last.Told)
				}
			}
		})
	}
}

func changed(t *testing.T, record []byte, change func(map[string]any)) []byte {
	t.Helper()
	var r map[string]any
	if err := json.Unmarshal(record, &r); err != nil {
		t.Fatal(err)
	}
	change(r)
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A mode of a later build is lower than act, whatever it means there.
func TestALoweredModeThatIsNotKnownAsks(t *testing.T) {
	for deployed, want := range map[containment.Mode]containment.Mode{containment.ModeAct: containment.ModeAsk, containment.ModeAsk: containment.ModeAsk,
		containment.ModeObserve: containment.ModeObserve} {
		if got := (incident.Brakes{Mode: "pause"}).Lower(deployed); got != want {
			t.Errorf("deployed in %s: got %s, want %s", deployed, got, want)
		}
	}
}
