package responder_test

import (
	"strings"
	"testing"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
)

// Half of a small bucket is enough for a containment. Where nobody knows how large it is, a human is asked. The message says which it was.
func TestTheFloorIsHalfOfASmallBucket(t *testing.T) {
	const mib = 1 << 20
	for name, c := range map[string]struct {
		stored *int64
		want   containment.State
		says   string
	}{
		"half of it":     {new(int64(60 * mib)), containment.Done, "who takes 30.0 MiB or more in 24 hours: half of the 60.0 MiB that the watched buckets hold."},
		"less than half": {new(int64(90 * mib)), containment.Asked, "who takes 45.0 MiB or more in 24 hours: half of the 90.0 MiB that the watched buckets hold."},
		"not known":      {nil, containment.Asked, "who takes 1.00 GiB or more in 24 hours: how much the watched buckets hold is not known."},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.Place = incident.Place{AccountID: account, Region: "eu-west-1"}
			w.trail.takers = []taker{thief(40 * mib)}
			w.meter.Buckets["exports"], w.meter.Stored = []alarm.Point{{Start: from, Bytes: 40 * mib}}, c.stored
			r := w.deliver(t, event(40*mib))
			if got := state(t, r); got != c.want {
				t.Errorf("got %s, want %s: %+v", got, c.want, r.Verdicts)
			}
			if body := w.message(t).Body; !strings.Contains(strings.Join(strings.Fields(body), " "), c.says) {
				t.Errorf("the message does not say %q:\n%s", c.says, body)
			}
		})
	}
}
