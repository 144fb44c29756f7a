package alarm

import "time"

// Refusals is how many requests S3 has refused as the caller's fault, by its request metric 4xxErrors: what is missing is among them, and nobody is
// named. https://docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-dimensions.html
type Refusals struct {
	// From and To are the span that was counted, [From, To).
	From, To time.Time
	// Count is how many there were, in the buckets that are not Missing.
	Count int64
	// Usual are the same minutes of the earlier days, the day before first; days before the metric's first datapoint are left out.
	Usual []int64
	// Missing are the buckets of which CloudWatch has no datapoint of the metric.
	Missing []string
	// Doubt says why nothing is known; "" where it is.
	Doubt string
}

const (
	// UsualDays is how many earlier days are compared, and fewDays from how many on they say what is usual.
	UsualDays = 7
	fewDays   = 3
	// manyRefusals is how many are told, whatever is usual.
	manyRefusals = 10
)

// Most is the most that there were on an earlier day.
func (r Refusals) Most() (most int64) {
	for _, n := range r.Usual {
		most = max(most, n)
	}
	return most
}

// Known reports whether there is a count, and earlier days to compare it with.
func (r Refusals) Known() bool { return r.Doubt == "" && len(r.Usual) >= fewDays }

// Unusual reports whether there are more than twice as many as on any earlier day.
func (r Refusals) Unusual() bool {
	return r.Known() && r.Count >= manyRefusals && (r.Count-1)/2 >= r.Most()
}

// CountRefusals adds up the datapoints of the metric in a span, and in the same minutes of the days before. The points begin no earlier than UsualDays
// before the span.
func CountRefusals(points []Point, from, to time.Time) Refusals {
	r := Refusals{From: from, To: to}
	var first time.Time
	for _, p := range points {
		if first.IsZero() || p.Start.Before(first) {
			first = p.Start
		}
	}
	count := func(from, to time.Time) (n int64) {
		for _, p := range points {
			if !p.Start.Before(from) && p.Start.Before(to) {
				n += p.Bytes
			}
		}
		return n
	}
	r.Count = count(from, to)
	for day := 1; day <= UsualDays; day++ {
		if before := time.Duration(-day) * 24 * time.Hour; !first.IsZero() && !from.Add(before).Before(first.Truncate(time.Hour)) {
			r.Usual = append(r.Usual, count(from.Add(before), to.Add(before)))
		}
	}
	return r
}
