package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"nightlatch/internal/grant"
	"nightlatch/internal/prose"
	"nightlatch/internal/settings"
)

// ThresholdsName is what the check of thresholds is called.
const ThresholdsName = "thresholds"

// SizesRead reads how many bytes each bucket of the region holds. One of which S3 says nothing, as of one made today, is left out. Errors are one
// sentence.
type SizesRead func(context.Context) (map[string]int64, error)

// leastProposed is the least threshold that is proposed.
const leastProposed = 1 << 10 // bytes

// Thresholds checks that no watched bucket can be emptied without an alarm, because it holds less than what makes one fire.
func Thresholds(stack Stack, read SizesRead, grants ...grant.Grant) Check {
	return onStack(ThresholdsName, stack, grants, func(ctx context.Context, d Deployed) Answer {
		lowest := map[string]int64{}
		for _, a := range d.Alarms {
			bytes, err := strconv.ParseFloat(a.Settings["Threshold"], 64)
			bucket, ok := a.watches()
			if err != nil || !ok {
				continue
			}
			if was, ok := lowest[bucket]; !ok || int64(bytes) < was {
				lowest[bucket] = int64(bytes)
			}
		}
		if len(lowest) == 0 {
			return unread(errors.New("no alarm of the stack watches a bucket; see whether it is Nightlatch's"))
		}
		sizes, err := read(ctx)
		if err != nil {
			return unread(err)
		}
		var all []Finding
		unknown := 0
		for _, bucket := range slices.Sorted(maps.Keys(sizes)) {
			threshold, named := lowest[bucket]
			if every, ok := lowest[settings.EveryBucket]; !named && ok {
				threshold, named = every, true
			}
			if size := sizes[bucket]; named && size > 0 && size <= threshold {
				all = append(all, Finding{Weekly: true,
					Says: fmt.Sprintf("bucket %s holds %s, and no alarm on it fires below %s: it can be emptied without one", prose.Safe(bucket), prose.Bytes(size), prose.Bytes(threshold)),
					Mend: "deploy with another threshold for it: " + prose.Safe(bucket) + "=" + settings.Threshold{Bytes: max(size/2, leastProposed), Period: settings.Minute}.Rounded().String()})
			}
		}
		for bucket := range lowest {
			if _, known := sizes[bucket]; !known && bucket != settings.EveryBucket {
				unknown++
			}
		}
		if unknown > 0 {
			return found(all, "every watched bucket holds more than what makes an alarm fire, but for %s of which S3 says no size", prose.Plural(int64(unknown), "bucket"))
		}
		return found(all, "every watched bucket holds more than what makes an alarm fire")
	})
}

// watches is the bucket that an alarm is on by itself, or settings.EveryBucket; false where it is on something else, or on all of them together.
func (a Alarm) watches() (bucket string, ok bool) {
	if strings.Contains(a.Settings["Metrics"], "BytesDownloaded") && strings.Contains(a.Settings["Metrics"], "GROUP BY BucketName") {
		return settings.EveryBucket, true
	}
	if a.Settings["Namespace"] != "AWS/S3" || a.Settings["MetricName"] != "BytesDownloaded" {
		return "", false
	}
	for pair := range strings.SplitSeq(a.Settings["Dimensions"], ", ") {
		if name, is := strings.CutPrefix(pair, "BucketName="); is {
			return name, true
		}
	}
	return "", false
}
