package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/prose"
	"nightlatch/internal/settings"
)

// Weeks is how far back the busiest spans are read: CloudWatch keeps a minute's datapoints for 15 days.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#metrics-retention
const Weeks = 14 * 24 * time.Hour

// BusiestRead reads the most bytes that left each bucket in one period of the last Weeks, by its metric with the id filter. A bucket of which
// nothing was measured is left out. Errors are one sentence.
type BusiestRead func(ctx context.Context, filter string, buckets []string, period time.Duration) (map[string]int64, error)

const (
	// leastMeasured is the least threshold that is proposed from what was measured: a quiet bucket would fire at a person's download.
	leastMeasured = 10 << 20 // bytes
	// A threshold that is more than tooHigh times what is proposed is told.
	tooHigh = 4
)

// Proposals holds the thresholds of the watched buckets against what each bucket holds and what left it at most in one period of the last Weeks, by
// period and bucket. It is one sentence for each bucket that another threshold would suit, with the setting. Whether a threshold is the right one
// only its owner knows.
func Proposals(watched []settings.Bucket, sizes map[string]int64, busiest map[time.Duration]map[string]int64) []string {
	var all []string
	unmeasured := 0
	for _, b := range watched {
		if b.Name == settings.EveryBucket {
			continue
		}
		var says []string
		measured := false
		lowest := slices.MinFunc(b.Thresholds, func(a, b settings.Threshold) int { return cmp.Compare(a.Bytes, b.Bytes) })
		better := slices.Clone(b.Thresholds)
		for i, t := range better {
			most, known := busiest[t.Period][b.Name]
			if !known {
				continue
			}
			measured = true
			usual := settings.Threshold{Bytes: max(most, leastMeasured/2) * 2, Period: t.Period}.Rounded()
			took := fmt.Sprintf("in one period of %s it sent %s at most", t.PeriodName(), prose.Bytes(most))
			switch {
			case most >= t.Bytes:
				says = append(says, took+", at which its alarm fires")
				better[i] = usual
			case usual.Bytes*tooHigh < t.Bytes:
				says = append(says, took+", far below "+prose.Bytes(t.Bytes))
				better[i] = usual
			}
		}
		if !measured {
			unmeasured++
		}
		if size := sizes[b.Name]; size > 0 && size <= lowest.Bytes {
			says = append(says, fmt.Sprintf("it holds %s, and no alarm on it fires below %s: it can be emptied without one", prose.Bytes(size), prose.Bytes(lowest.Bytes)))
			half := settings.Threshold{Bytes: max(size/2, leastProposed), Period: lowest.Period}.Rounded()
			if i := slices.Index(b.Thresholds, lowest); better[i].Bytes > half.Bytes {
				better[i] = half
			}
		}
		if len(says) > 0 {
			var texts []string
			for _, t := range better {
				texts = append(texts, t.String())
			}
			all = append(all, fmt.Sprintf("bucket %s: %s. Consider %s=%s", prose.Safe(b.Name), strings.Join(says, "; "), prose.Safe(b.Name), strings.Join(texts, "+")))
		}
	}
	if unmeasured > 0 {
		all = append(all, fmt.Sprintf("of %s nothing was measured in the last %d days: the metrics count from when they were switched on; deploy again later, or ask nightlatch backtest",
			prose.Plural(int64(unmeasured), "bucket"), int(Weeks/(24*time.Hour))))
	}
	return all
}
