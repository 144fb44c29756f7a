package incident

import "nightlatch/internal/prose"

// MostFloor and LeastFloor bound, in bytes, what a deployment's floor can be.
const (
	MostFloor  = 1 << 30
	LeastFloor = 10 << 20
)

// Floor is what a credential has to take in 24 hours before it is contained without a human, in bytes: half of what the buckets hold, within
// its bounds. Over files, where no deployment watches, the alarm is taken as it stands, and its threshold is the floor.
func (r Record) Floor() int64 {
	switch {
	case r.overFiles():
		return int64(max(*r.Alarm.Threshold, 1))
	case r.Alarm.Stored == nil:
		return MostFloor
	}
	return min(max(*r.Alarm.Stored/2, LeastFloor), MostFloor)
}

func (r Record) overFiles() bool { return r.Place == (Place{}) && r.Alarm.Threshold != nil }

// WhyFloor says where the floor comes from, as what follows on the number.
func (r Record) WhyFloor() string {
	floor := r.Floor()
	switch stored := r.Alarm.Stored; {
	case r.overFiles():
		return "the alarm's own threshold"
	case stored == nil:
		return "how much the watched buckets hold is not known"
	case floor == MostFloor:
		return "the watched buckets hold " + prose.Bytes(*stored) + ", and it is never more"
	case floor == LeastFloor:
		return "the watched buckets hold " + prose.Bytes(*stored) + ", and it is never less"
	default:
		return "half of the " + prose.Bytes(*stored) + " that the watched buckets hold"
	}
}
