package cloudwatch

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"nightlatch/internal/alarm"
)

// counting begins to find out what part of the buckets the series count. It sends one answer: "" is all of them.
func (m *Meter) counting(ctx context.Context, all []series) <-chan string {
	answer := make(chan string, 1)
	go func() { answer <- m.counts(ctx, all) }()
	return answer
}

// counts says what part of the buckets the series count; "" is all of them. A filter that cannot be read may select any part.
func (m *Meter) counts(ctx context.Context, all []series) string {
	var parts, filters []string
	var why error
	part := false
	for _, s := range all {
		says := ""
		if s.filterID != m.filterID {
			f, err := m.filter(ctx, s)
			if says = f.Says(); err != nil {
				why = err
			}
			if !slices.Contains(filters, s.filterID) {
				filters = append(filters, s.filterID)
			}
		}
		part = part || says != ""
		if says == "" {
			says = "all objects"
		}
		if len(all) > 1 {
			says += " of " + s.bucket
		}
		parts = append(parts, says)
	}
	switch {
	case why != nil:
		return alarm.Selects(filters) + " (" + why.Error() + ")"
	case !part:
		return ""
	}
	return strings.Join(parts, ", ")
}

// filter reads what a series' filter selects.
func (m *Meter) filter(ctx context.Context, s series) (alarm.Filter, error) {
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	c := call{"s3:GetMetricsConfiguration", fmt.Sprintf("bucket %q", s.bucket)}
	out, err := m.buckets.GetBucketMetricsConfiguration(ctx, &s3.GetBucketMetricsConfigurationInput{Bucket: &s.bucket, Id: &s.filterID})
	switch {
	case err != nil:
		return alarm.Filter{}, failed(c, err)
	case out.MetricsConfiguration == nil || aws.ToString(out.MetricsConfiguration.Id) != s.filterID:
		return alarm.Filter{}, fmt.Errorf("calling %s on %s: the answer is not S3's; see whether a proxy stands between", c.action, c.on)
	}
	switch f := out.MetricsConfiguration.Filter.(type) {
	case nil:
		return alarm.Filter{}, nil
	case *types.MetricsFilterMemberPrefix:
		return selected(&f.Value, nil, nil), nil
	case *types.MetricsFilterMemberTag:
		return selected(nil, []types.Tag{f.Value}, nil), nil
	case *types.MetricsFilterMemberAccessPointArn:
		return selected(nil, nil, &f.Value), nil
	case *types.MetricsFilterMemberAnd:
		return selected(f.Value.Prefix, f.Value.Tags, f.Value.AccessPointArn), nil
	}
	return alarm.Filter{}, fmt.Errorf("calling %s on %s: the filter is of a kind that is not known here; see it in the S3 console", c.action, c.on)
}

func selected(prefix *string, tags []types.Tag, accessPoint *string) alarm.Filter {
	f := alarm.Filter{Prefix: aws.ToString(prefix), AccessPoint: aws.ToString(accessPoint)}
	for _, t := range tags {
		f.Tags = append(f.Tags, alarm.Tag{Key: aws.ToString(t.Key), Value: aws.ToString(t.Value)})
	}
	return f
}
