package main

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"nightlatch/internal/settings"
)

// Bucket is a watched bucket, or every bucket that no other entry names.
type Bucket struct {
	Name       string // everyBucket stands for all
	Thresholds []Threshold
}

// Threshold is how many bytes may leave a bucket in a period before the alarm fires.
type Threshold struct {
	Bytes  int64
	Period time.Duration
}

const (
	everyBucket = "*"
	minute, day = time.Minute, 24 * time.Hour
)

const (
	// maxInOneStack is how many bucket alarms stand in the stack itself. CloudFormation takes 500 resources a stack
	// (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html), and the rest of it, with its
	// subscriptions, needs its share. More of them go to nested stacks.
	maxInOneStack = 400
	// maxAlarms is how many there can be at all: CloudWatch takes 5,000 alarms in a region
	// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html), and some of them are on Nightlatch itself, or the team's own.
	maxAlarms = 4900
	// maxNames is how long the setting's names can be together. CloudFormation hands the enroller all of them, after an update the old ones
	// too, in one asynchronous event, which may be 256 KB: Lambda's newer limit of 1 MB is not for each way of calling
	// (https://docs.aws.amazon.com/lambda/latest/api/API_InvokeAsync.html).
	maxNames = 100_000
)

const acceptedBuckets = "names of buckets or *, with commas between them, each with thresholds if the defaults do not fit " +
	"(customer-exports=1GiB/1m+20GiB/24h,logs=50GiB/1m)"

var (
	size    = regexp.MustCompile(`^([0-9]{1,15})(KiB|MiB|GiB|TiB)/(1m|24h)$`)
	units   = map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
	periods = map[string]time.Duration{"1m": minute, "24h": day}
)

// defaults are the thresholds of a bucket that is given without any. Metrics Insights sees three hours at most
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-limits.html), so that the one alarm over
// all buckets cannot add up a day.
func defaults(name string) []Threshold {
	if name == everyBucket {
		return []Threshold{{1 << 30, minute}}
	}
	return []Threshold{{1 << 30, minute}, {50 << 30, day}}
}

// parseBuckets reads NAME[=SIZE/PERIOD[+SIZE/PERIOD]],… A bucket given with thresholds has those, and no others.
func parseBuckets(v string) ([]Bucket, error) {
	var all []Bucket
	names := 0
	for entry := range strings.SplitSeq(v, ",") {
		name, thresholds, given := strings.Cut(entry, "=")
		if err := settings.CheckBucket(name); name != everyBucket && err != nil { // a mistyped name would be an alarm that never fires
			return nil, err
		}
		if slices.ContainsFunc(all, func(b Bucket) bool { return b.Name == name }) {
			return nil, fmt.Errorf("%q stands there twice", name)
		}
		b := Bucket{name, defaults(name)}
		if given {
			b.Thresholds = nil
			for text := range strings.SplitSeq(thresholds, "+") {
				t, err := parseThreshold(text)
				switch {
				case err != nil:
					return nil, err
				case slices.ContainsFunc(b.Thresholds, func(o Threshold) bool { return o.Period == t.Period }):
					return nil, fmt.Errorf("%q has two thresholds for one period", entry)
				case name == everyBucket && t.Period == day:
					return nil, fmt.Errorf("%q asks for a day's sum of every bucket, and CloudWatch adds up a day for named buckets only", entry)
				}
				b.Thresholds = append(b.Thresholds, t)
			}
		}
		all, names = append(all, b), names+len(name)
	}
	if alarms := thresholds(all); alarms > maxAlarms {
		return nil, fmt.Errorf("these are %d thresholds, and CloudWatch has alarms for %d; give fewer, or watch * instead", alarms, maxAlarms)
	}
	if names > maxNames {
		return nil, fmt.Errorf("these names have %d characters together, and what CloudFormation hands to the enroller holds %d; watch * instead", names, maxNames)
	}
	if n := len(insightsQuery(all, longestFilter, longestName)); n > maxExpression {
		return nil, fmt.Errorf("beside * these are too many names: the query that leaves them out has %d characters of %d; name fewer, or leave * out", n, maxExpression)
	}
	return all, nil
}

// thresholds is how many alarms the buckets need.
func thresholds(buckets []Bucket) (n int) {
	for _, b := range buckets {
		n += len(b.Thresholds)
	}
	return n
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
