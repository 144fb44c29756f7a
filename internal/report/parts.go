package report

import (
	"strings"

	"nightlatch/internal/containment"
)

// Part is a piece of a message for a chat: some lines, or one command as a whole.
type Part struct {
	Text    string
	Command bool
	// Link is an address of ours, which Text ends with behind what it is of; "" where there is none.
	Link string
}

// Label is the text before the link.
func (p Part) Label() string { return strings.TrimSuffix(p.Text, ": "+p.Link) }

// Parts are what a chat shows of a message: what stands above its rule, and then each step with its commands; all of it, where there is no rule. All of it is printable ASCII and line
// breaks.
func Parts(m Message) (all []Part) {
	head, _, ruled := strings.Cut(m.Body, "\n"+rule+"\n")
	for _, paragraph := range strings.Split(head, "\n\n") {
		if paragraph = strings.Trim(paragraph, "\n"); paragraph != "" {
			all = append(all, Part{Text: paragraph, Command: alone(paragraph), Link: linkOf(m, paragraph)})
		}
	}
	for _, r := range m.Of {
		if !ruled {
			break // all of it stood there
		}
		for i, o := range r.Outcomes[:min(len(r.Outcomes), maxOutcomes)] {
			if o.State == containment.Skipped {
				continue
			}
			var w writer
			outcome(&w, r, i)
			var lines []string
			for _, f := range w.fields {
				if !f.Command {
					lines = append(lines, f.Name+": "+f.Text)
					continue
				}
				all = append(all, Part{Text: strings.Join(append(lines, f.Name+":"), "\n")}, Part{Text: f.Text, Command: true})
				lines = nil
			}
			if len(lines) > 0 {
				all = append(all, Part{Text: strings.Join(lines, "\n")})
			}
		}
		all = append(all, Part{Text: signature(r) + " All of it stands in the e-mail, and in nightlatch incident."})
	}
	return all
}

// linkOf is the link of a paragraph that is one of the message's incidents' line about its page.
func linkOf(m Message, paragraph string) string {
	for _, r := range m.Of {
		if line := linkLine(r); line != "" && line == paragraph {
			return pageLink(r)
		}
	}
	return ""
}

// alone reports whether a paragraph of ours is a command: it stands alone on its line, and begins as one does. What others chose begins no line.
func alone(paragraph string) bool {
	return !strings.Contains(paragraph, "\n") && (strings.HasPrefix(paragraph, "aws ") || strings.HasPrefix(paragraph, "nightlatch "))
}
