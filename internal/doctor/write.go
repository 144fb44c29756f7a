package doctor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"nightlatch/internal/prose"
)

// Headline is the answer in one line: "9 of 10 hold; 1 broken: endpoints".
func Headline(reports []Report) string {
	line := fmt.Sprintf("%d of %d hold", Count(reports, Holds), len(reports))
	for _, s := range []State{Broken, Unread} {
		var names []string
		for _, r := range reports {
			if r.State == s {
				names = append(names, r.Name)
			}
		}
		if len(names) > 0 {
			line += fmt.Sprintf("; %d %s: %s", len(names), said[s], strings.Join(names, ", "))
		}
	}
	return line
}

var said = map[State]string{Broken: "broken", Unread: "could not be read", Holds: "holds"}

// Text is the whole answer for a terminal: the headline first, then what is broken or could not be read with how it is mended, then what holds.
func Text(reports []Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", Headline(reports))
	for _, s := range []State{Broken, Unread, Holds} {
		for _, r := range reports {
			if r.State == s {
				b.WriteString(r.text())
			}
		}
	}
	return b.String()
}

// text is one report: its name and state, a line for each finding, and under it how it is mended, which may be a command and is not cut.
func (r Report) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s: %s", strings.ToUpper(said[r.State]), r.Name)
	if r.Says != "" {
		fmt.Fprintf(&b, ". %s", prose.Capital(prose.Plain(r.Says)))
	}
	b.WriteString("\n")
	for _, f := range r.Found {
		fmt.Fprintf(&b, "  %s\n    %s\n", prose.Capital(prose.Plain(f.Says)), prose.Plain(f.Mend))
	}
	if r.State == Unread && r.Mend != "" {
		fmt.Fprintf(&b, "    %s\n", prose.Plain(r.Mend))
	}
	return b.String()
}

// Schema names the form of what JSON writes. Fields are only added.
const Schema = "nightlatch.doctor/1"

// JSON is the whole answer for a program.
func JSON(reports []Report) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(struct {
		Schema string   `json:"schema"`
		Holds  int      `json:"holds"`
		Broken int      `json:"broken"`
		Unread int      `json:"unread"`
		Checks []Report `json:"checks"`
	}{Schema, Count(reports, Holds), Count(reports, Broken), Count(reports, Unread), append([]Report{}, reports...)})
	if err != nil {
		return nil, fmt.Errorf("writing what the checks found: %v", err)
	}
	return b.Bytes(), nil
}
