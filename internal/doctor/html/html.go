// Package html writes what the doctor's checks found as a page, for people who would rather look. The style is that of an incident's page.
package html

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"strings"
	"time"

	"nightlatch/internal/doctor"
	"nightlatch/internal/prose"
	incident "nightlatch/internal/report/html"
)

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{"style": incident.Style, "command": command, "capital": prose.Capital}).Parse(pageHTML))

// view is what the template lays out.
type view struct {
	// Of is the deployment, in words. Word is the answer, and Class its colour.
	Of, Word, Class, Headline string
	At                        time.Time
	Broken, Unread, Holds     []doctor.Report
}

// Page is what was found of a deployment, named in words, as one file, which needs nothing else, and runs no script. What others chose in it is
// harmless.
func Page(of string, at time.Time, reports []doctor.Report) ([]byte, error) {
	v := view{Of: of, Word: "It would work tonight", Class: "done", Headline: doctor.Headline(reports), At: at.UTC()}
	for _, r := range reports {
		switch r.State {
		case doctor.Broken:
			v.Broken = append(v.Broken, r)
		case doctor.Holds:
			v.Holds = append(v.Holds, r)
		default:
			v.Unread = append(v.Unread, r)
		}
	}
	switch {
	case !doctor.Well(v.Broken):
		v.Word, v.Class = "It may not work tonight", "bad"
	case len(v.Unread) > 0 || len(reports) == 0:
		v.Word, v.Class = "It is not known whether it would work tonight", "asked"
	case len(v.Broken) > 0:
		v.Word, v.Class = "It would work tonight, and may not for long", "asked"
	}
	var out bytes.Buffer
	if err := pageTemplate.Execute(&out, v); err != nil {
		return nil, fmt.Errorf("what the checks found as a page: %v", err)
	}
	return out.Bytes(), nil
}

// command reports whether how something is mended is a line for a shell.
func command(mend string) bool { return strings.HasPrefix(mend, "aws ") }
