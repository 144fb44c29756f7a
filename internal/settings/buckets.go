package settings

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bucket is a watched bucket, or every bucket that no other entry names.
type Bucket struct {
	Name       string // EveryBucket stands for all
	Thresholds []Threshold
}

// Threshold is how many bytes may leave a bucket in a period before the alarm fires.
type Threshold struct {
	Bytes  int64
	Period time.Duration // Minute or Day
}

// EveryBucket is the name that stands for every bucket without an entry of its own.
const EveryBucket = "*"

// The periods that a threshold may have.
const Minute, Day = time.Minute, 24 * time.Hour

// AcceptedBuckets is what ParseBuckets reads, as an error says it.
const AcceptedBuckets = "names of buckets or *, with commas between them, each with thresholds if the defaults do not fit " +
	"(customer-exports=1GiB/1m+20GiB/24h,logs=50GiB/1m)"

var (
	size    = regexp.MustCompile(`^([0-9]{1,15})(KiB|MiB|GiB|TiB)/(1m|24h)$`)
	units   = map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
	periods = map[string]time.Duration{"1m": Minute, "24h": Day}
)

// DefaultThresholds are those of a bucket that is given without any. Metrics Insights sees three hours at most
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-limits.html), so that the one alarm over
// all buckets cannot add up a day.
func DefaultThresholds(name string) []Threshold {
	if name == EveryBucket {
		return []Threshold{{1 << 30, Minute}}
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
					return nil, fmt.Errorf("%q asks for a day's sum of every bucket, and CloudWatch adds up a day for named buckets only", entry)
				}
				b.Thresholds = append(b.Thresholds, t)
			}
		}
		all = append(all, b)
	}
	return all, nil
}

func parseThreshold(text string) (Threshold, error) {
	m := size.FindStringSubmatch(text)
	if m == nil {
		return Threshold{}, fmt.Errorf("%q is not a threshold like 1GiB/1m or 20GiB/24h, in KiB, MiB, GiB or TiB", text)
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if unit := units[m[2]]; err == nil && n >= 1 && n <= math.MaxInt64/unit {
		return Threshold{n * unit, periods[m[3]]}, nil
	}
	return Threshold{}, fmt.Errorf("%q is not a number of bytes that could ever be reached", text)
}

// Evaluated is how many of its newest datapoints the alarm looks at. It is in ALARM while one of them is above the threshold. So it fires for a
// minute's datapoint that arrives late, too. No more than one of a day fits an alarm's evaluation range:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
func (t Threshold) Evaluated() int {
	if t.Period == Day {
		return 1
	}
	return 5
}

// PeriodName is the period as ParseBuckets reads it, and as an alarm's name has it.
func (t Threshold) PeriodName() string {
	if t.Period == Day {
		return "24h"
	}
	return "1m"
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
