package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nightlatch/internal/grant"
)

// Hearing is what the function that tells of tampering has left behind.
type Hearing struct {
	// Ticked is when it was called last by its schedule; zero for never.
	Ticked time.Time
	// Unsent is since when it has what neither topic takes; zero where nothing waits.
	Unsent time.Time
}

// HearingRead reads it. Errors are one sentence.
type HearingRead func(context.Context) (Hearing, error)

// deafAfter is how long that function may be silent, or have what it cannot send: what was done is heard within twenty minutes, or no heartbeat is sent.
// It is called every five minutes; a message that waits for its turn, and one that is tried again, are over by then.
const deafAfter = 15 * time.Minute

// Notices checks that the way of a notice works from end to end, whatever was done to it: its rule, the queue and its policy, the mapping, the
// function and its code, the topics and their keys. Each tick of a schedule goes that way.
func Notices(read HearingRead, now func() time.Time, grants ...grant.Grant) Check {
	return Check{Name: NoticesName, Grants: grants, Mend: readable, Run: func(ctx context.Context) Answer {
		h, err := read(ctx)
		switch {
		case err != nil:
			return unread(err)
		case h.Ticked.IsZero():
			return unread(errors.New("the function that tells of tampering has not been called yet; it is called every five minutes"))
		}
		utc := func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
		var all []Finding
		if now().Sub(h.Ticked) > deafAfter {
			all = append(all, Finding{Says: fmt.Sprintf("the function that tells of tampering was called last at %s, and not every five minutes: nobody hears of such calls", utc(h.Ticked)),
				Mend: "see whether its rule, the queue of notices with its policy, the event source mapping and the function are as deployed; see in CloudTrail who changed them, and deploy again"})
		}
		if !h.Unsent.IsZero() && now().Sub(h.Unsent) > deafAfter {
			all = append(all, Finding{Says: fmt.Sprintf("since %s the function that tells of tampering has something to tell that neither the team's topic nor the watchers' takes", utc(h.Unsent)),
				Mend: "see its log, and whether the topics and their keys are there and enabled"})
		}
		return found(all, "the function that tells of tampering was called last at %s, and nothing waits to be sent", utc(h.Ticked))
	}}
}
