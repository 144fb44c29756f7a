package alarm

import (
	"math"
	"testing"
	"time"
)

// What is unusual is more than twice the most of three other days at least, and ten at least.
func TestUnusualRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		r              Refusals
		known, unusual bool
	}{
		"nothing":              {Refusals{}, false, false},
		"much, of a week":      {Refusals{Count: 412, Usual: []int64{3, 0, 0, 1, 2, 0, 0}}, true, true},
		"ten, and none before": {Refusals{Count: 10, Usual: []int64{0, 0, 0}}, true, true},
		"nine":                 {Refusals{Count: 9, Usual: []int64{0, 0, 0}}, true, false},
		"twice the most":       {Refusals{Count: 40, Usual: []int64{1, 20, 3}}, true, false},
		"one more than twice":  {Refusals{Count: 41, Usual: []int64{1, 20, 3}}, true, true},
		"two days":             {Refusals{Count: 412, Usual: []int64{0, 0}}, false, false},
		"a doubt":              {Refusals{Count: 412, Usual: []int64{0, 0, 0}, Doubt: "no such metric"}, false, false},
		"as many as can be":    {Refusals{Count: math.MaxInt64, Usual: []int64{math.MaxInt64, 1, 1}}, true, false},
	} {
		if c.r.Known() != c.known || c.r.Unusual() != c.unusual {
			t.Errorf("%s: known %t, unusual %t, want %t, %t", name, c.r.Known(), c.r.Unusual(), c.known, c.unusual)
		}
	}
	const day = 24 * time.Hour
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	points := []Point{{now.Add(-3 * day), 4}, {now.Add(-3*day + 10*time.Minute), 100}, {now.Add(-day), 5}, {now.Add(-time.Minute), 70}, {now, 6}, {now.Add(9 * time.Minute), 1}}
	r := CountRefusals(points, now, now.Add(10*time.Minute))
	if r.Count != 7 || len(r.Usual) != 3 || r.Usual[0] != 5 || r.Usual[1] != 0 || r.Usual[2] != 4 {
		t.Errorf("counted %+v, want 7, and 5, 0 and 4 on the days that the metric has", r)
	}
	if r := CountRefusals(nil, now, now.Add(time.Minute)); r.Count != 0 || len(r.Usual) != 0 {
		t.Errorf("of no metric: %+v", r)
	}
}
