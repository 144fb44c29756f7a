package sns

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	// maxBytes is what SNS takes, in bytes of UTF-8. Whether the subject counts is not said, so it is counted.
	// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
	maxBytes = 256 * 1024
	// maxSubject is one less than the 100 characters that a subject must stay under.
	maxSubject = 99
	// noteBytes is room for the line that says what was cut.
	noteBytes = 128
)

// fitSubject makes sure of what the report promises anyway: a subject that SNS refuses would lose the whole message.
func fitSubject(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, strings.TrimSpace(s))
	return strings.TrimSpace(s[:min(len(s), maxSubject)])
}

// fitBody cuts a body to at most limit bytes. A report says first what happened and how to undo it, so the end goes:
// whole lines of it, and never a part of a character.
func fitBody(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= limit {
		return s
	}
	end := limit - noteBytes
	if i := strings.LastIndexByte(s[:end], '\n'); i > 0 {
		end = i
	}
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return fmt.Sprintf("%s\n[the last %d of %d bytes are cut: an SNS message ends at %d]", s[:end], len(s)-end, len(s), maxBytes)
}
