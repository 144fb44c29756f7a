package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/grant"
	"nightlatch/internal/notify"
	"nightlatch/internal/prose"
)

const (
	// TestsName is what the check of the channels' tests is called.
	TestsName = "tests"
	// testEvery is how old the last test of a channel may be.
	testEvery = 31 * 24 * time.Hour
	// sendTest is how a test is sent.
	sendTest = "nightlatch test-notify"
)

// TriedRead reads what became of the last test of each channel, by the channel's name. Errors are one sentence.
type TriedRead func(context.Context) (map[string]notify.Tried, error)

// Tests checks that each channel of incidents took a test within a month. One that did not is told once a week: it may well take a message. One that
// refused its last test is broken until it takes one.
func Tests(stack Stack, read TriedRead, now func() time.Time, grants ...grant.Grant) Check {
	return onStack(TestsName, stack, grants, func(ctx context.Context, d Deployed) Answer {
		if len(d.Channels) == 0 {
			return unread(errors.New("the stack names no channel; see whether it is Nightlatch's"))
		}
		tried, err := read(ctx)
		if err != nil {
			return unread(err)
		}
		var all []Finding
		var never, old []string
		for _, where := range d.Channels {
			name, t, found := triedOf(tried, where)
			switch {
			case !found:
				never = append(never, where)
			case t.Refused != "":
				all = append(all, Finding{Says: fmt.Sprintf("channel %s did not take the test of %s UTC: %s", prose.Safe(name), prose.Minute(t.At), prose.Plain(t.Refused)),
					Mend: "mend what the sentence says, and send another: " + sendTest})
			case now().Sub(t.At) > testEvery:
				old = append(old, name)
			}
		}
		if len(never) > 0 {
			all = append(all, Finding{Weekly: true, Says: "no test was ever sent to " + prose.List(never), Mend: sendTest})
		}
		if len(old) > 0 {
			all = append(all, Finding{Weekly: true, Says: "no test within a month was taken by " + prose.List(old), Mend: sendTest})
		}
		return found(all, "%s took a test within a month", prose.Plural(int64(len(d.Channels)), "channel"))
	})
}

// triedOf is the test of the channel to a topic, secret or bus: its name ends with that.
func triedOf(tried map[string]notify.Tried, where string) (name string, t notify.Tried, found bool) {
	for name, t := range tried {
		if strings.HasSuffix(name, ":"+where) {
			return name, t, true
		}
	}
	return "", notify.Tried{}, false
}

// AddChannel adds what messages of incidents go to.
func (d *Deployed) AddChannel(where string) {
	if where != "" && !slices.Contains(d.Channels, where) {
		d.Channels = append(d.Channels, where)
	}
}
