package report

import (
	"fmt"
	"time"

	"nightlatch/internal/prose"
)

// Decided notifies the team of what somebody has decided through the approver: it might be a thief. what and by hold others' texts.
func Decided(word, what, by, key, means string, at time.Time) Message {
	var b writer
	fmt.Fprintf(&b, "%s\n\n", word)
	for _, text := range []string{prose.Safe(what) + ", by " + prose.Safe(by) + " with " + prose.Safe(key) + " at " + at.UTC().Format(time.DateTime) + " UTC.", means,
		"If nobody of you did this, that credential is a thief's."} {
		b.lines(text, 0)
	}
	return Message{Subject: clipped("[nightlatch] " + word + ": " + prose.Safe(what)), Body: b.String()}
}
