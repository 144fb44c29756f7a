package cloudwatch

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"nightlatch/internal/alarm"
)

// storageTypes are what S3 counts a bucket's bytes by, each in a series of its own.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-dimensions.html
var storageTypes = []string{
	"StandardStorage", "IntelligentTieringFAStorage", "IntelligentTieringIAStorage", "IntelligentTieringAAStorage", "IntelligentTieringAIAStorage",
	"IntelligentTieringDAAStorage", "StandardIAStorage", "StandardIASizeOverhead", "StandardIAObjectOverhead", "OneZoneIAStorage", "OneZoneIASizeOverhead",
	"ReducedRedundancyStorage", "GlacierInstantRetrievalSizeOverhead", "GlacierInstantRetrievalStorage", "GlacierStorage", "GlacierStagingStorage",
	"GlacierObjectOverhead", "GlacierS3ObjectOverhead", "DeepArchiveStorage", "DeepArchiveObjectOverhead", "DeepArchiveS3ObjectOverhead",
	"DeepArchiveStagingStorage",
}

const (
	day = 24 * time.Hour
	// sizeDays is how many days are read before today: S3 sends one datapoint a day, and up to two days late.
	sizeDays = 3
)

// measuring begins to read how many bytes the buckets of the series hold, unless the alarm has it. It sends one answer: nil where that is not
// known, for whatever reason: no bucket's size is worth to doubt the alarm for. It goes on beside the reading of the datapoints.
func (m *Meter) measuring(ctx context.Context, a alarm.Alarm, all []series) <-chan *int64 {
	answer := make(chan *int64, 1)
	if a.Stored != nil {
		answer <- nil
		return answer
	}
	go func() { answer <- m.stored(ctx, slices.Compact(watch{series: all}.buckets())) }()
	return answer
}

// stored is how many bytes the buckets hold together: of each storage type what the largest of the last days' datapoints says. Nil where one
// of the buckets has no datapoint, or where they could not be read.
func (m *Meter) stored(ctx context.Context, buckets []string) *int64 {
	today := m.now().UTC().Truncate(day)
	var queries []types.MetricDataQuery
	got := map[string]*column{}
	for i, bucket := range buckets {
		for j, storage := range storageTypes {
			id := fmt.Sprintf("b%dt%d", i, j)
			got[id] = &column{metric: "BucketSizeBytes", series: series{bucket: bucket}, values: map[time.Time]float64{}}
			queries = append(queries, queryFor(id, "BucketSizeBytes", types.StatisticAverage, day, bucket, "StorageType", storage))
		}
	}
	if len(buckets) == 0 || m.read(ctx, queries, span{today.Add(-sizeDays * day), today.Add(day)}, got) != nil {
		return nil
	}
	sizes := map[string]float64{}
	for _, c := range got {
		if c.status != types.StatusCodeComplete {
			return nil
		}
		if len(c.values) > 0 {
			sizes[c.series.bucket] += slices.Max(slices.Collect(maps.Values(c.values)))
		}
	}
	total := 0.0
	for _, bucket := range buckets {
		size, known := sizes[bucket]
		if !known {
			return nil
		}
		total += size
	}
	if !(total >= 0 && total < 1<<62) {
		return nil
	}
	return new(int64(total))
}
