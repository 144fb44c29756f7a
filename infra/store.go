package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudtrail"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/settings"
)

// storeDays is how long a new store keeps events: as long as its ingestion pays for. It is more than any question goes back.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-lake-manage-costs.html
const storeDays = 366

// closed is what everybody reads who lets a store be made.
const closed = "AWS has closed CloudTrail Lake to new customers on 2026-05-31, so that it may refuse to create this event data store, " +
	"and the deployment fails and is rolled back; then give a trail, -c trail=create, or the ARN of a store that is there already, -c eventDataStore=ARN. " +
	"https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-lake-service-availability-change.html"

// newStore makes an event data store, and returns its ARN. It is evidence: it outlives the stack, and cannot be deleted before somebody takes its protection
// away. Its name has the stack's id in it, because the one that an earlier stack left behind keeps its own.
func newStore(stack awscdk.Stack, buckets []settings.Bucket) string {
	awscdk.Annotations_Of(stack).AddWarningV2(jsii.String("nightlatch:CloudTrailLakeIsClosed"), jsii.String(closed), nil)
	var selectors []any
	for _, sel := range selectorsFor(*stack.Partition(), buckets) {
		var fields []any
		for _, c := range sel.conditions {
			fields = append(fields, &awscloudtrail.CfnEventDataStore_AdvancedFieldSelectorProperty{Field: jsii.String(c.field),
				EqualTo: c.of(equals), StartsWith: c.of(startsSo), NotEquals: c.of(differs)})
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
