// Package html writes one incident as a page. It is a package of its own so that the responder, which writes none, stays small.
package html

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"

	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/report"
)

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// Page is one incident as one file, which needs nothing else, and runs no script. What others chose in it is harmless. The slots are what
// report.CourseOf asks for; none where that was not asked.
func Page(r incident.Record, slots []evidence.Slot) ([]byte, error) {
	var out bytes.Buffer
	if err := pageTemplate.Execute(&out, report.SheetOf(r, slots)); err != nil {
		return nil, fmt.Errorf("incident %q as a page: %v", r.ID, err)
	}
	return out.Bytes(), nil
}
