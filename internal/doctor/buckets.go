package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"nightlatch/internal/enroll"
	"nightlatch/internal/grant"
	"nightlatch/internal/prose"
	"nightlatch/internal/settings"
	"nightlatch/internal/workers"
)

// BucketsName is what the check of the watched buckets is called.
const BucketsName = "buckets"

// Metered are the buckets of the account with their request metrics, of which it only reads. Errors are as those of enroll.Metrics.
type Metered interface {
	Buckets(context.Context) ([]enroll.Bucket, error)
	Read(ctx context.Context, bucket, id string) (enroll.State, error)
	Tags(ctx context.Context, bucket string) (map[string]string, error)
}

// MeasuredRead are the buckets of which the request metric with the id filter had a datapoint in the last two weeks. Errors are one sentence.
type MeasuredRead func(ctx context.Context, filter string) ([]string, error)

// bucketsAtOnce is how many buckets are read at once: a thousand of them take seconds.
const bucketsAtOnce = 8

// Buckets checks that each watched bucket is there, in this region, and that S3 counts all that leaves it under the id that the alarms read. That
// nothing was counted lately is said and no more: nobody may have read.
func Buckets(stack Stack, metered Metered, measured MeasuredRead, region string, grants ...grant.Grant) Check {
	return onStack(BucketsName, stack, grants, func(ctx context.Context, d Deployed) Answer {
		if len(d.Buckets) == 0 || d.Filter == "" {
			return unread(errors.New("the stack names no bucket; see whether it is Nightlatch's"))
		}
		wish := enroll.Wish{Buckets: d.Buckets, Filter: d.Filter, Tag: d.BucketTag, Named: settings.Named(d.Buckets)}
		var all []enroll.Bucket
		if slices.Contains(d.Buckets, settings.EveryBucket) {
			var err error
			if all, err = metered.Buckets(ctx); err != nil {
				return unread(err)
			}
		}
		plan := enroll.Make(wish, enroll.Wish{}, all, region)
		names := append(plan.Enrol, plan.Check...)
		findings, untagged, unreadable := unmetered(ctx, metered, names, plan)
		names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(untagged, name) })
		if unreadable != nil && len(findings) == 0 {
			return unread(unreadable)
		}
		counted, err := measured(ctx, d.Filter)
		if err != nil && len(findings) == 0 {
			return unread(err)
		}
		var silent []string
		for _, name := range names {
			if !slices.Contains(counted, name) {
				silent = append(silent, name)
			}
		}
		says := fmt.Sprintf("%s there, and S3 counts all that leaves", prose.Plural(int64(len(names)), "bucket"))
		if n := len(silent); n > 0 {
			says += fmt.Sprintf("; of %s nothing was counted in the last two weeks, as where nobody reads: %s", prose.Plural(int64(n), "bucket"), prose.List(silent))
		}
		if n := len(untagged); n > 0 {
			says += fmt.Sprintf("; %s not watched, for want of the tag %s", prose.Plural(int64(n), "bucket"), prose.Safe(d.BucketTag))
		}
		return found(findings, "%s", says)
	})
}

// unmetered is what is wrong with the buckets' request metrics, which of them need none for want of a tag, and why one could not be read.
func unmetered(ctx context.Context, metered Metered, names []string, plan enroll.Plan) (all []Finding, untagged []string, unreadable error) {
	filter := plan.Filter
	found := make([]*Finding, len(names))
	var mu sync.Mutex
	workers.Pool{Size: bucketsAtOnce}.Each(len(names), func(i int) {
		state, err := metered.Read(ctx, names[i], filter)
		if err == nil && state == enroll.Absent && plan.Wants(names[i]) {
			var tags map[string]string
			if tags, err = metered.Tags(ctx, names[i]); err == nil && !enroll.Tagged(plan.Tag, tags) {
				mu.Lock()
				untagged = append(untagged, names[i])
				mu.Unlock()
				return
			}
		}
		bucket := "bucket " + prose.Safe(names[i])
		switch {
		case errors.Is(err, enroll.ErrGone), errors.Is(err, enroll.ErrElsewhere):
			found[i] = &Finding{Says: prose.Plain(err.Error()), Mend: "no alarm on it can fire here; deploy again when the setting is right"}
		case err != nil:
			mu.Lock()
			unreadable = err
			mu.Unlock()
		case state == enroll.Part:
			found[i] = &Finding{Says: fmt.Sprintf("%s: its request metrics with the id %s have a filter: what leaves the rest of it is not counted, and no alarm fires for it", bucket, prose.Safe(filter)),
				Mend: "take the filter off, or deploy without metricsFilter so that Nightlatch makes a configuration of its own"}
		case state != enroll.Whole:
			found[i] = &Finding{Says: fmt.Sprintf("%s has no request metrics with the id %s: nothing that leaves it is counted, and no alarm on it can fire", bucket, prose.Safe(filter)),
				Mend: command("aws", "s3api", "put-bucket-metrics-configuration", "--bucket", names[i], "--id", filter, "--metrics-configuration", "Id="+filter) + "; see in CloudTrail who took them off"}
		}
	})
	for _, f := range found {
		if f != nil {
			all = append(all, *f)
		}
	}
	slices.Sort(untagged)
	return all, untagged, unreadable
}
