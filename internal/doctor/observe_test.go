package doctor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// read is a stack as it was read.
type read struct {
	is  Deployed
	err error
}

func (r read) Deployed(context.Context) (Deployed, error) { return r.is, r.err }

// Mode observe that goes on too long is broken, from the midnight on that ends its last day in UTC. Whatever else the mode is, it is not.
func TestObservingTooLongIsFound(t *testing.T) {
	lastMinute := time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC)
	early := lastMinute.In(time.FixedZone("", 14*60*60)) // where the new year has begun
	over := "mode observe was to end on 2026-12-31, and goes on"
	for name, c := range map[string]struct {
		stack read
		now   time.Time
		want  State
		says  string
	}{
		"until its end":       {read{is: Deployed{Mode: "observe", ObserveUntil: "2026-12-31"}}, lastMinute, Holds, "the mode is observe until 2026-12-31"},
		"elsewhere":           {read{is: Deployed{Mode: "observe", ObserveUntil: "2026-12-31"}}, early, Holds, "until 2026-12-31"},
		"a second later":      {read{is: Deployed{Mode: "observe", ObserveUntil: "2026-12-31"}}, lastMinute.Add(time.Second), Broken, over},
		"months later":        {read{is: Deployed{Mode: "observe", ObserveUntil: "2026-12-31"}}, lastMinute.AddDate(0, 5, 0), Broken, over},
		"no end":              {read{is: Deployed{Mode: "observe"}}, lastMinute, Holds, "no day was set"},
		"ask":                 {read{is: Deployed{Mode: "ask"}}, lastMinute, Holds, "the mode is ask"},
		"none":                {read{}, lastMinute, Holds, "the mode is ask"},
		"a stack that is not": {read{err: errors.New("no stack")}, lastMinute, Unread, "no stack"},
	} {
		a := Observe(c.stack, func() time.Time { return c.now }).Run(t.Context()).checked()
		says := a.Says
		for _, f := range a.Found {
			if says += f.Says; f.Weekly || !strings.Contains(f.Mend, "mode=ask") {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if a.State != c.want || !strings.Contains(says, c.says) {
			t.Errorf("%s: got %s, %q, want %s, %q", name, a.State, says, c.want, c.says)
		}
	}
}
