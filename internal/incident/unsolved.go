package incident

import (
	"nightlatch/internal/alarm"
)

// Unsolved says why a confirmed alarm waits for a human though no step of it does: the search is over, and CloudTrail does not show who took the
// bytes, as a clause; "" where it does, or where there is nobody who waits. It is the worst that a night can bring, and is repeated and escalated
// like a step that is asked.
func (r Record) Unsolved() string {
	e := r.Evidence
	switch {
	case r.Once || r.MergedInto != "" || r.Judged.IsZero() || r.Alarm.Source != alarm.Fired || !r.Alarm.Confirmed || len(r.Alarm.Buckets) == 0 || r.Searching():
	case e.Engine == "":
		return "CloudTrail could not be asked"
	case len(e.Actors) == 0:
		return "CloudTrail shows nobody"
	case e.FallsShort():
		return "CloudTrail shows less than 80 % of them"
	}
	return ""
}

// Searching reports whether the trail is asked again, as what it may still show matters: two equal answers show nothing more where they explain too
// little, and some records take longer than others.
func (r Record) Searching() bool { return !r.settled() }
