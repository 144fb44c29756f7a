package main

import (
	"fmt"

	"nightlatch/internal/settings"
)

const (
	// maxInOneStack is how many bucket alarms stand in the stack itself. CloudFormation takes 500 resources a stack
	// (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html), and the rest of it, with its
	// subscriptions, needs its share. More of them go to nested stacks.
	maxInOneStack = 370
	// maxAlarms is how many there can be at all: CloudWatch takes 5,000 alarms in a region
	// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html), and some of them are on Nightlatch itself, or the team's own.
	maxAlarms = 4900
	// maxNames is how long the setting's names can be together. CloudFormation hands the enroller all of them, after an update the old ones
	// too, in one asynchronous event, which may be 256 KB: Lambda's newer limit of 1 MB is not for each way of calling
	// (https://docs.aws.amazon.com/lambda/latest/api/API_InvokeAsync.html).
	maxNames = 100_000
)

// parseBuckets reads the setting, and refuses what does not fit an account or a stack.
func parseBuckets(v string) ([]settings.Bucket, error) {
	all, err := settings.ParseBuckets(v)
	if err != nil {
		return nil, err
	}
	names := 0
	for _, b := range all {
		names += len(b.Name)
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
func thresholds(buckets []settings.Bucket) (n int) {
	for _, b := range buckets {
		n += len(b.Thresholds)
	}
	return n
}
