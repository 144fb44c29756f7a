package incident

import (
	"testing"

	"nightlatch/internal/alarm"
)

func TestFloor(t *testing.T) {
	const mib, gib = int64(1 << 20), int64(1 << 30)
	deployed := Place{Region: "eu-west-1"}
	for name, c := range map[string]struct {
		place  Place
		stored *int64
		limit  *float64
		want   int64
		why    string
	}{
		"an unknown size":          {deployed, nil, new(500.0), gib, "how much the watched buckets hold is not known"},
		"a small bucket":           {deployed, new(600 * mib), new(500.0), 300 * mib, "half of the 600 MiB that the watched buckets hold"},
		"a byte short of two GiB":  {deployed, new(2*gib - 1), nil, gib - 1, "half of the 2.00 GiB that the watched buckets hold"},
		"two GiB":                  {deployed, new(2 * gib), nil, gib, "the watched buckets hold 2.00 GiB, and it is never more"},
		"a large bucket":           {deployed, new(900 * gib), nil, gib, "the watched buckets hold 900 GiB, and it is never more"},
		"a tiny bucket":            {deployed, new(3 * mib), nil, 10 * mib, "the watched buckets hold 3.00 MiB, and it is never less"},
		"an empty bucket":          {deployed, new(int64(0)), nil, 10 * mib, "the watched buckets hold 0 bytes, and it is never less"},
		"over files":               {Place{}, new(600 * mib), new(500.0), 500, "the alarm's own threshold"},
		"over files, at nothing":   {Place{}, nil, new(0.0), 1, "the alarm's own threshold"},
		"over files, no threshold": {Place{}, nil, nil, gib, "how much the watched buckets hold is not known"},
	} {
		r := Record{Place: c.place, Alarm: alarm.Alarm{Stored: c.stored, Threshold: c.limit}}
		if got, why := r.Floor(), r.WhyFloor(); got != c.want || why != c.why {
			t.Errorf("%s: got %d, %q, want %d, %q", name, got, why, c.want, c.why)
		}
	}
}
