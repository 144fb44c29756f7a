package awsstack

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"nightlatch/internal/doctor"
	"nightlatch/internal/grant"
)

// SizeGrants are the permissions that Sizes and Measured need.
func SizeGrants() []grant.Grant {
	return []grant.Grant{{Sid: "ReadSizes", Actions: []string{"cloudwatch:ListMetrics", "cloudwatch:GetMetricData"}, On: []string{"*"},
		Why: "Neither call has a resource for S3's metrics (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html)."}}
}

const (
	// sizeDays is how many days are read: S3 sends one datapoint a day, and up to two days late.
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-dimensions.html
	sizeDays = 3
	// maxData is how many metrics one call reads: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
	maxData = 500
)

// Sizes reads how many bytes each bucket of the region holds, in all storage types together, by the largest datapoint of the last days.
func (r *Reader) Sizes(ctx context.Context) (map[string]int64, error) {
	var all []types.Metric
	pages := cloudwatch.NewListMetricsPaginator(r.metrics, &cloudwatch.ListMetricsInput{Namespace: aws.String("AWS/S3"), MetricName: aws.String("BucketSizeBytes"),
		Dimensions: []types.DimensionFilter{{Name: aws.String("BucketName")}, {Name: aws.String("StorageType")}}})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, failed("cloudwatch:ListMetrics", "the metric BucketSizeBytes", err)
		}
		all = append(all, page.Metrics...)
	}
	today := time.Now().UTC().Truncate(24 * time.Hour)
	sizes := map[string]int64{}
	for some := range slices.Chunk(all, maxData) {
		in := &cloudwatch.GetMetricDataInput{StartTime: aws.Time(today.AddDate(0, 0, -sizeDays)), EndTime: aws.Time(today.AddDate(0, 0, 1))}
		bucket, most := map[string]string{}, map[string]float64{}
		for i, m := range some {
			id := fmt.Sprintf("m%d", i)
			for _, d := range m.Dimensions {
				if aws.ToString(d.Name) == "BucketName" {
					bucket[id] = aws.ToString(d.Value)
				}
			}
			in.MetricDataQueries = append(in.MetricDataQueries, types.MetricDataQuery{Id: &id,
				MetricStat: &types.MetricStat{Metric: &m, Period: aws.Int32(24 * 60 * 60), Stat: aws.String(string(types.StatisticAverage))}})
		}
		if err := r.largest(ctx, in, most); err != nil {
			return nil, failed("cloudwatch:GetMetricData", "the metric BucketSizeBytes", err)
		}
		for id, bytes := range most {
			if bytes >= 0 && bytes < 1<<62 {
				sizes[bucket[id]] += int64(bytes)
			}
		}
	}
	return sizes, nil
}

// Measured are the buckets whose request metric with the id filter had a datapoint in the last two weeks: CloudWatch lists no others.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
func (r *Reader) Measured(ctx context.Context, filter string) ([]string, error) {
	var all []string
	pages := cloudwatch.NewListMetricsPaginator(r.metrics, &cloudwatch.ListMetricsInput{Namespace: aws.String("AWS/S3"), MetricName: aws.String("BytesDownloaded"),
		Dimensions: []types.DimensionFilter{{Name: aws.String("FilterId"), Value: &filter}, {Name: aws.String("BucketName")}}})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, failed("cloudwatch:ListMetrics", "the metric BytesDownloaded", err)
		}
		for _, m := range page.Metrics {
			for _, d := range m.Dimensions {
				if aws.ToString(d.Name) == "BucketName" {
					all = append(all, aws.ToString(d.Value))
				}
			}
		}
	}
	return all, nil
}

// largest reads the largest datapoint of each query, by its id.
func (r *Reader) largest(ctx context.Context, in *cloudwatch.GetMetricDataInput, most map[string]float64) error {
	data := cloudwatch.NewGetMetricDataPaginator(r.metrics, in)
	for data.HasMorePages() {
		page, err := data.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, got := range page.MetricDataResults {
			for _, v := range got.Values {
				most[aws.ToString(got.Id)] = max(most[aws.ToString(got.Id)], v)
			}
		}
	}
	return nil
}

// Busiest reads the most bytes that left each bucket in one period of the last doctor.Weeks, by its request metric with the id filter.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-dimensions.html
func (r *Reader) Busiest(ctx context.Context, filter string, buckets []string, period time.Duration) (map[string]int64, error) {
	now := time.Now().UTC().Truncate(period)
	busiest := map[string]int64{}
	for some := range slices.Chunk(buckets, maxData) {
		in := &cloudwatch.GetMetricDataInput{StartTime: aws.Time(now.Add(-doctor.Weeks)), EndTime: aws.Time(now)}
		most := map[string]float64{}
		for i, bucket := range some {
			in.MetricDataQueries = append(in.MetricDataQueries, types.MetricDataQuery{Id: aws.String(fmt.Sprintf("m%d", i)),
				MetricStat: &types.MetricStat{Period: aws.Int32(int32(period / time.Second)), Stat: aws.String(string(types.StatisticSum)),
					Metric: &types.Metric{Namespace: aws.String("AWS/S3"), MetricName: aws.String("BytesDownloaded"),
						Dimensions: []types.Dimension{{Name: aws.String("BucketName"), Value: aws.String(bucket)}, {Name: aws.String("FilterId"), Value: aws.String(filter)}}}}})
		}
		if err := r.largest(ctx, in, most); err != nil {
			return nil, failed("cloudwatch:GetMetricData", "the metric BytesDownloaded", err)
		}
		for i, bucket := range some {
			if bytes, measured := most[fmt.Sprintf("m%d", i)]; measured && bytes < 1<<62 {
				busiest[bucket] = int64(bytes)
			}
		}
	}
	return busiest, nil
}
