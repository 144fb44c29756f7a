package main

import (
	"slices"

	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/settings"
)

// maxValues is how many values the conditions of all selectors of an event data store, or of a trail, hold together:
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html
const maxValues = 500

// selector takes the events that meet all of its conditions; an event that any selector takes is kept.
type selector struct {
	name       string
	conditions []condition
}

// condition is met by a field that has one of the values, begins with one, or has none of them.
type condition struct {
	field  string
	values []string
	is     operator
}

type operator int

const (
	equals operator = iota
	startsSo
	differs
)

// of are the values where the condition has this operator.
func (c condition) of(is operator) *[]*string {
	if c.is != is {
		return nil
	}
	return jsii.Strings(c.values...)
}

// selectorsFor are the events that Nightlatch asks for: reads of the watched buckets; copies; and what says where a credential comes from
// and what else it did. A copy names the bucket that it goes to: no bucket of ours would select it.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html
func selectorsFor(partition string, buckets []settings.Bucket) []selector {
	return append(objectSelectors(partition, buckets), did(condition{field: "eventSource", values: []string{
		"iam.amazonaws.com", "sts.amazonaws.com", "signin.amazonaws.com", "s3.amazonaws.com", "cloudtrail.amazonaws.com"}}))
}

// trailSelectors are those of a trail, which can choose no service whose management events it takes, and leave out KMS's and the RDS data
// API's only. KMS's are many, and say nothing of S3. The other's can be left out only in a region that has that API, and where it has not, the
// trail could not be made: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_EventSelector.html
//
// Where another trail has the management events it takes none: AWS bills each copy after the first.
func trailSelectors(partition string, buckets []settings.Bucket, management bool) []selector {
	if !management {
		return objectSelectors(partition, buckets)
	}
	return append(objectSelectors(partition, buckets), did(condition{field: "eventSource", is: differs, values: []string{"kms.amazonaws.com"}}))
}

func did(what condition) selector {
	return selector{"What a credential did", []condition{{field: "eventCategory", values: []string{"Management"}}, what}}
}

func objectSelectors(partition string, buckets []settings.Bucket) []selector {
	objects := []condition{{field: "eventCategory", values: []string{"Data"}}, {field: "resources.type", values: []string{"AWS::S3::Object"}}}
	reads := append([]condition{{field: "readOnly", values: []string{"true"}}}, objects...)
	watched := condition{field: "resources.ARN", is: startsSo}
	for _, b := range buckets {
		watched.values = append(watched.values, "arn:"+partition+":s3:::"+b.Name+"/")
	}
	if !(Settings{Buckets: buckets}).every() {
		reads = append(reads, watched)
	}
	return []selector{
		{"Reads of the watched buckets", reads},
		{"Copies", slices.Concat([]condition{{field: "eventName", values: []string{"CopyObject", "UploadPartCopy"}}}, objects)},
	}
}

// recorded says what the selectors take of S3 where the stack makes all that is asked; "" of what is there already.
func recorded(makes Settings) string {
	switch {
	case makes.EventDataStore != "" && makes.EventDataStore != made || makes.Trail != "" && makes.Trail != made:
		return ""
	case makes.every():
		return settings.AllReads
	}
	return settings.WatchedReads
}

// values is how many values the selectors have together.
func values(selectors []selector) (n int) {
	for _, s := range selectors {
		for _, c := range s.conditions {
			n += len(c.values)
		}
	}
	return n
}
