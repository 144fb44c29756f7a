package settings

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"nightlatch/internal/lazyregexp"
)

// Bucket is a watched bucket, or every bucket that no other entry names.
type Bucket struct {
	Name       string // EveryBucket stands for all
	Thresholds []Threshold
}

// Threshold is how many bytes may leave a bucket in a period before the alarm fires.
type Threshold struct {
	Bytes  int64
	Period time.Duration // Minute, Hour or Day
}

// EveryBucket is the name that stands for every bucket without an entry of its own.
const EveryBucket = "*"

// The periods that a threshold may have.
const Minute, Hour, Day = time.Minute, time.Hour, 24 * time.Hour

// AcceptedBuckets is what ParseBuckets reads, as an error says it.
const AcceptedBuckets = "names of buckets or *, with commas between them, each with thresholds if the defaults do not fit " +
	"(customer-exports=1GiB/1m+20GiB/24h,logs=50GiB/1m)"

var (
	size    = lazyregexp.New(`^([0-9]{1,15})(KiB|MiB|GiB|TiB)/(1m|1h|24h)$`)
	units   = map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
	periods = map[string]time.Duration{"1m": Minute, "1h": Hour, "24h": Day}
)

// DefaultThresholds are those of a bucket that is given without any. Metrics Insights sees three hours at most
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-limits.html), so that an alarm over
// all buckets cannot add up a day, and adds up an hour instead.
func DefaultThresholds(name string) []Threshold {
	if name == EveryBucket {
		return []Threshold{{1 << 30, Minute}, {10 << 30, Hour}}
	}
	return []Threshold{{1 << 30, Minute}, {50 << 30, Day}}
}

// ParseBuckets reads NAME[=SIZE/PERIOD[+SIZE/PERIOD]],… A bucket given with thresholds has those, and no others.
func ParseBuckets(v string) ([]Bucket, error) {
	var all []Bucket
	for entry := range strings.SplitSeq(v, ",") {
		name, thresholds, given := strings.Cut(entry, "=")
		if err := CheckBucket(name); name != EveryBucket && err != nil { // a mistyped name would be an alarm that never fires
			return nil, err
		}
		if slices.ContainsFunc(all, func(b Bucket) bool { return b.Name == name }) {
			return nil, fmt.Errorf("%q stands there twice", name)
		}
		b := Bucket{name, DefaultThresholds(name)}
		if given {
			b.Thresholds = nil
			for text := range strings.SplitSeq(thresholds, "+") {
				t, err := parseThreshold(text)
				switch {
				case err != nil:
					return nil, err
				case slices.ContainsFunc(b.Thresholds, func(o Threshold) bool { return o.Period == t.Period }):
					return nil, fmt.Errorf("%q has two thresholds for one period", entry)
				case name == EveryBucket && t.Period == Day:
					return nil, fmt.Errorf("%q asks for a day's sum of every bucket, and CloudWatch adds up a day for named buckets only: give an hour's, /1h", entry)
				}
				b.Thresholds = append(b.Thresholds, t)
			}
		}
		all = append(all, b)
	}
	return all, nil
}

// NoTotal is the total that makes no alarm over all buckets.
const NoTotal = "none"

// ParseTotal reads SIZE/PERIOD[+SIZE/PERIOD], in minutes and hours: what may leave all watched buckets together. NoTotal is empty, and not nil.
func ParseTotal(v string) (all []Threshold, err error) {
	if v == NoTotal {
		return []Threshold{}, nil
	}
	for text := range strings.SplitSeq(v, "+") {
		t, err := parseThreshold(text)
		switch {
		case err != nil:
			return nil, err
		case t.Period == Day:
			return nil, fmt.Errorf("%q is a day's sum, and CloudWatch adds up all buckets for an hour at most", text)
		case slices.ContainsFunc(all, func(o Threshold) bool { return o.Period == t.Period }):
			return nil, fmt.Errorf("%q has two thresholds for one period", v)
		}
		all = append(all, t)
	}
	return all, nil
}

// DefaultTotal is what may leave all watched buckets together where nothing is said: in a minute twice what may leave the bucket that may give
// most, and in an hour what may leave one in a day. Where a single bucket is watched it has thresholds of its own, and there is none.
func DefaultTotal(buckets []Bucket) []Threshold {
	if len(buckets) == 1 && buckets[0].Name != EveryBucket {
		return nil
	}
	most := map[time.Duration]int64{}
	for _, b := range buckets {
		for _, t := range b.Thresholds {
			most[t.Period] = max(most[t.Period], t.Bytes)
		}
	}
	var all []Threshold
	if m := most[Minute]; m > 0 && m <= math.MaxInt64/2 {
		all = append(all, Threshold{2 * m, Minute})
	}
	if m := max(most[Hour], most[Day]); m > 0 {
		all = append(all, Threshold{m, Hour})
	}
	return all
}

func parseThreshold(text string) (Threshold, error) {
	m := size.FindStringSubmatch(text)
	if m == nil {
		return Threshold{}, fmt.Errorf("%q is not a threshold like 1GiB/1m, 10GiB/1h or 20GiB/24h, in KiB, MiB, GiB or TiB", text)
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if unit := units[m[2]]; err == nil && n >= 1 && n <= math.MaxInt64/unit {
		return Threshold{n * unit, periods[m[3]]}, nil
	}
	return Threshold{}, fmt.Errorf("%q is not a number of bytes that could ever be reached", text)
}

// Evaluated is how many of its newest datapoints the alarm looks at. It is in ALARM while one of them is above the threshold. So it fires for a
// minute's datapoint that arrives late, too. An hour or a day is added up anew each minute, with what came late, and no more than one day fits an
// alarm's evaluation range:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
func (t Threshold) Evaluated() int {
	if t.Period == Minute {
		return 5
	}
	return 1
}

// PeriodName is the period as ParseBuckets reads it, and as an alarm's name has it.
func (t Threshold) PeriodName() string {
	for name, period := range periods {
		if period == t.Period {
			return name
		}
	}
	return ""
}

// Rounded is the threshold in the largest unit of which it has ten or more, rounded down; one that is easily read and typed.
func (t Threshold) Rounded() Threshold {
	for _, unit := range []string{"TiB", "GiB", "MiB", "KiB"} {
		if n := t.Bytes / units[unit]; n >= 10 {
			t.Bytes = n * units[unit]
			break
		}
	}
	return t
}

// String is the threshold as ParseBuckets reads it, in the largest unit that leaves a whole number; a KiB is the least.
func (t Threshold) String() string {
	for _, unit := range []string{"TiB", "GiB", "MiB"} {
		if t.Bytes >= units[unit] && t.Bytes%units[unit] == 0 {
			return fmt.Sprintf("%d%s/%s", t.Bytes/units[unit], unit, t.PeriodName())
		}
	}
	return fmt.Sprintf("%dKiB/%s", (t.Bytes+1023)>>10, t.PeriodName())
}
