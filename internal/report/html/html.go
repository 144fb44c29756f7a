// Package html writes one incident as a page. It is a package of its own so that the responder, which writes none, stays small.
package html

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"

	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/posture"
	"nightlatch/internal/report"
)

//go:embed page.html
var pageHTML string

//go:embed style.css
var style string

// Style is the style sheet of the page, for others that are to look alike.
func Style() template.CSS { return template.CSS(style) }

var pageTemplate = template.Must(template.New("page").Funcs(classes).Parse(pageHTML))

// view is what the template lays out: an incident, and the usual suspects, where they were looked at.
type view struct {
	report.Sheet
	Suspects []posture.Group
	Next     []report.Todo
	Unread   int
}

// classes are how the answers about suspects are coloured, and the style sheet.
var classes = template.FuncMap{"style": Style, "class": func(a posture.Answer) string {
	return map[posture.Answer]string{posture.Stands: "bad", posture.Unread: "asked", posture.RuledOut: "done"}[a]
}}

// Page is one incident as one file, which needs nothing else, and runs no script. What others chose in it is harmless. The slots are what
// report.CourseOf asks for; none where that was not asked. Where there are suspects, it has them, and what to do next, too, with what is more to do.
func Page(r incident.Record, slots []evidence.Slot, suspects []posture.Suspect, more ...report.Todo) ([]byte, error) {
	v := view{Sheet: report.SheetOf(r, slots), Suspects: posture.Groups(suspects), Unread: posture.Count(suspects, posture.Unread)}
	if len(suspects) > 0 {
		v.Next = report.Todos(r)
	}
	for _, s := range posture.Open(v.Suspects) {
		v.Next = append(v.Next, report.Todo{Says: fmt.Sprintf("%s: %s (%s). To do: %s.", s.Of, s.Name, s.Says, s.Next), Commands: s.Commands})
	}
	v.Next = append(v.Next, more...)
	if abuse, any := report.Abuse(r); any && len(suspects) > 0 {
		v.Next = append(v.Next, abuse)
	}
	var out bytes.Buffer
	if err := pageTemplate.Execute(&out, v); err != nil {
		return nil, fmt.Errorf("incident %q as a page: %v", r.ID, err)
	}
	return out.Bytes(), nil
}
