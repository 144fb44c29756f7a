package backtest

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/settings"
)

const hostile = "</text></svg><script>alert(1)</script>\x1b[31m\u202e\r\nNo alarm had fired. {{.}} \" onload=x '"

// hostileResult has others' texts wherever a trail or a policy's name can put them.
func hostileResult() Result {
	minutes := []alarm.Point{{Start: noon, Bytes: 2 << 30}, {Start: noon.Add(26 * time.Hour), Bytes: 3 << 30}}
	thresholds := []settings.Threshold{{Bytes: 1 << 30, Period: settings.Minute}, {Bytes: 2 << 30, Period: settings.Day}}
	r := Result{Schema: Schema, Policies: []string{"shipped", hostile}, From: noon.Add(-time.Hour), To: noon.Add(27 * time.Hour), AtMost: 1,
		Series: []Series{{Bucket: hostile, Thresholds: thresholds, Minutes: minutes, Places: []string{hostile}}, {Bucket: "quiet" + hostile, Thresholds: thresholds}},
		Lost:   []string{hostile}, Unwatched: []string{hostile}, Holes: []Hole{{noon, noon.Add(25 * time.Hour)}}}
	for n, f := range Fire(minutes, thresholds[0]) {
		f.Bucket = hostile
		j := Judged{Decision: []Decision{Contained, Asked}[n], Answers: []string{"Somebody took it"}, Steps: []Step{{Action: "deactivate-key", Target: hostile, Who: hostile, Owner: hostile,
			Decision: []Decision{Contained, Asked}[n], Reasons: []string{hostile + ": because"}}}}
		r.Alarms = append(r.Alarms, Alarm{Firing: f, Judged: []Judged{j, {Decision: Left}}})
	}
	return r
}

// A page runs nothing, fetches nothing, and shows others' texts as texts.
func TestAHostileTrailOnThePage(t *testing.T) {
	text, err := Page(hostileResult())
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, banned := range []string{"<script", "\x1b", "\u202e", "http:", "https:", "ZgotmplZ", "url(", "@import", "<no value>", "NaN", "+Inf"} {
		if strings.Contains(page, banned) {
			t.Errorf("the page has %q", banned)
		}
	}
	for _, wanted := range []string{"default-src &#39;none&#39;", "&lt;script&gt;alert(1)", `<rect class="contained"`, `<circle class="asked"`, "proposed", "2 alarms; 1 key would have been deactivated"} {
		if !strings.Contains(page, wanted) && !strings.Contains(page, strings.ReplaceAll(wanted, "&#39;", "'")) {
			t.Errorf("the page lacks %q", wanted)
		}
	}
	attribute := regexp.MustCompile(`(?i)\son[a-z]+\s*=`)
	for _, tag := range regexp.MustCompile(`<[a-z][^<>]*>`).FindAllString(page, -1) {
		if attribute.MatchString(regexp.MustCompile(`"[^"]*"`).ReplaceAllString(tag, `""`)) {
			t.Errorf("a tag acts: %q", tag)
		}
	}
	if opened, closed := strings.Count(page, "<svg"), strings.Count(page, "</svg>"); opened != closed || opened != 3 {
		t.Errorf("%d pictures begin and %d end, want 3", opened, closed)
	}
}

func TestAHostileTrailInTheText(t *testing.T) {
	text := Text(hostileResult())
	if strings.ContainsAny(text, "\x1b\u202e\r") || strings.Contains(text, "\nNo alarm had fired.") {
		t.Errorf("the text lets others speak:\n%s", text)
	}
	out, err := JSON(hostileResult())
	var back map[string]any
	if err != nil || json.Unmarshal(out, &back) != nil || back["schema"] != Schema {
		t.Errorf("got %v, %s", err, out)
	}
}

// Nothing at all has a page, too.
func TestAPageOfNothing(t *testing.T) {
	for _, r := range []Result{{Policies: []string{"shipped"}}, {Policies: []string{"shipped"}, From: noon, To: noon, Series: []Series{{Bucket: "a-bucket", Thresholds: settings.DefaultThresholds("")}}}} {
		text, err := Page(r)
		if err != nil || !strings.Contains(string(text), "No alarm had fired.") || strings.Contains(string(text), "<svg") {
			t.Errorf("got %v:\n%s", err, text)
		}
	}
}
