package alarm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Every test event is what events/README.md says it is.
func TestTheTestEvents(t *testing.T) {
	files, err := filepath.Glob("../../events/*.json")
	if err != nil || len(files) < 14 {
		t.Fatalf("got %d test events, %v", len(files), err)
	}
	ids := map[string][]string{}
	for _, file := range files {
		name := filepath.Base(file)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		switch {
		case strings.Contains(name, "-ok"), strings.Contains(name, "insufficient"),
			strings.Contains(name, "configuration"), strings.Contains(name, "other-metric"):
			if got.Ignored == "" {
				t.Errorf("%s: got %+v, want it ignored", name, got)
			}
		case strings.Contains(name, "composite"):
			if a := got.Alarm; a == nil || a.Composite != "nightlatch-any" || a.Name != "nightlatch-example-exports" {
				t.Errorf("%s: got %+v, want the alarm below it", name, got)
			}
		case name == "copies.json":
			if !got.Copies {
				t.Errorf("%s: got %+v", name, got)
			}
		case name == "advance.json":
			if got.Advance != "20260512-021605-0123456789abcdef" {
				t.Errorf("%s: got %+v", name, got)
			}
		default:
			a := got.Alarm
			want := time.Date(2026, 5, 12, 2, 13, 0, 0, time.UTC)
			if a == nil || len(a.Buckets) != 1 || a.Buckets[0] != "example-exports" || !a.From.Equal(want) || !a.To.Equal(want.Add(time.Minute)) {
				t.Errorf("%s: got %+v, want the minute of 02:13 of example-exports", name, got)
				continue
			}
			if strings.HasPrefix(name, "alarm-") {
				kind := map[bool]string{true: "contributor", false: "metric"}[strings.Contains(name, "contributor")]
				ids[kind] = append(ids[kind], a.ID())
			}
		}
	}
	for kind, list := range ids {
		for _, id := range list {
			if len(list) != 3 || id != list[0] {
				t.Errorf("the %s alarm by three ways gives %v, want one incident", kind, list)
			}
		}
	}
}
