package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudtrail"
	"github.com/aws/jsii-runtime-go"
)

// storeDays is how long a new store keeps events: as long as its ingestion pays for. It is more than any question looks back.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-lake-manage-costs.html
const storeDays = 366

// closed is what everybody hears who lets a store be made.
const closed = "AWS has closed CloudTrail Lake to new customers on 2026-05-31, so that it may refuse to create this event data store, " +
	"and the deployment fails and is rolled back; then deploy to an account that has a store already, and give its ARN: -c eventDataStore=ARN. " +
	"https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-lake-service-availability-change.html"

// newStore makes an event data store, and returns its ARN. It is evidence: it outlives the stack, and cannot be deleted before somebody takes its protection
// away. Its name has the stack's id in it, because the one that an earlier stack left behind keeps its own.
func newStore(stack awscdk.Stack, buckets []Bucket) string {
	awscdk.Annotations_Of(stack).AddWarningV2(jsii.String("nightlatch:CloudTrailLakeIsClosed"), jsii.String(closed))
	var selectors []any
	for _, sel := range selectorsFor(*stack.Partition(), buckets) {
		var fields []any
		for _, c := range sel.conditions {
			p := &awscloudtrail.CfnEventDataStore_AdvancedFieldSelectorProperty{Field: jsii.String(c.field)}
			if c.prefixes {
				p.StartsWith = jsii.Strings(c.values...)
			} else {
				p.EqualTo = jsii.Strings(c.values...)
			}
			fields = append(fields, p)
		}
		selectors = append(selectors, &awscloudtrail.CfnEventDataStore_AdvancedEventSelectorProperty{Name: jsii.String(sel.name), FieldSelectors: fields})
	}
	store := awscloudtrail.NewCfnEventDataStore(stack, jsii.String("EventDataStore"), &awscloudtrail.CfnEventDataStoreProps{
		Name: jsii.String(stackName + "-" + *stackID(stack)), AdvancedEventSelectors: selectors,
		// IAM, STS and sign-in record in us-east-1, and a thief works in any region.
		MultiRegionEnabled: true, OrganizationEnabled: false, TerminationProtectionEnabled: true,
		BillingMode: jsii.String("EXTENDABLE_RETENTION_PRICING"), RetentionPeriod: jsii.Number(storeDays),
	})
	store.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN, nil)
	return *store.AttrEventDataStoreArn()
}

// maxValues is how many values the conditions of all selectors hold together:
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html
const maxValues = 500

// selector takes the events that meet all of its conditions; an event that any selector takes is kept.
type selector struct {
	name       string
	conditions []condition
}

// condition is met by a field that has one of the values, or begins with one.
type condition struct {
	field    string
	values   []string
	prefixes bool
}

// selectorsFor are the events that Nightlatch asks for: reads of the watched buckets; copies, which name the bucket that they go to, so
// that no bucket of ours would select them; and what tells where a credential comes from and what else it did.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html
func selectorsFor(partition string, buckets []Bucket) []selector {
	objects := []condition{{field: "eventCategory", values: []string{"Data"}}, {field: "resources.type", values: []string{"AWS::S3::Object"}}}
	reads := append([]condition{{field: "readOnly", values: []string{"true"}}}, objects...)
	watched := condition{field: "resources.ARN", prefixes: true}
	for _, b := range buckets {
		watched.values = append(watched.values, "arn:"+partition+":s3:::"+b.Name+"/")
	}
	if !(Settings{Buckets: buckets}).every() {
		reads = append(reads, watched)
	}
	return []selector{
		{"Reads of the watched buckets", reads},
		{"Copies", append([]condition{{field: "eventName", values: []string{"CopyObject", "UploadPartCopy"}}}, objects...)},
		{"What a credential did", []condition{{field: "eventCategory", values: []string{"Management"}}, {field: "eventSource", values: []string{
			"iam.amazonaws.com", "sts.amazonaws.com", "signin.amazonaws.com", "s3.amazonaws.com", "cloudtrail.amazonaws.com"}}}},
	}
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
