package main

import (
	"encoding/json"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/casefolder/casebucket"
	"nightlatch/internal/evidence/athena"
	"nightlatch/internal/grant"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/posture/awsposture"
	"nightlatch/internal/settings"
)

// keeper is the function that keeps case folders, and how the table's stream calls it.
type keeper struct {
	lambda
	mapping awslambda.CfnEventSourceMapping
}

const (
	// What comes within these seconds is one batch: an incident is put several times in each move. Somebody waits for the page.
	keepSeconds, keepBatch = 2, 10
	// keepTries is how often a batch is tried again, in halves, before what is left of it goes to the failed events; within keepAge.
	keepTries, keepAge = 3, 6 * 60 * 60 // seconds
	// maxLock is the most days that a case folder is locked: ten years.
	maxLock = 3650
)

// newKeeper makes the bucket of case folders, and the function that writes to it. The stream of the table calls it, so that the responder does
// nothing for it. It reserves no concurrency, as no function does: of each shard of the stream one batch runs at a time, and a table that is
// written as little as this one has a few.
func newKeeper(scope constructs.Construct, s Settings, code string, topic team, kept incidents, table awsdynamodb.CfnTable, queue *string) (keeper, error) {
	f, err := newFunction(scope, s, recipe{
		id: "Keeper", about: "Nightlatch: keeps the case folder of each incident in a bucket", code: code, grants: keeperGrants(s), mute: true,
		environment: settings.Keeper{Responder: s.forKeeper(kept)}.Environ(),
	}, topic, kept, queue)
	if err != nil {
		return keeper{}, err
	}
	policy := newCases(scope, s, kept, f.role.AttrArn())
	f.function.AddResourceDependency(policy, nil) // which it does not name
	return keeper{f, awslambda.NewCfnEventSourceMapping(scope, jsii.String("IncidentsKept"), &awslambda.CfnEventSourceMappingProps{
		EventSourceArn: table.AttrStreamArn(), FunctionName: f.function.Ref(), StartingPosition: jsii.String("TRIM_HORIZON"),
		BatchSize: jsii.Number(keepBatch), MaximumBatchingWindowInSeconds: jsii.Number(keepSeconds), ParallelizationFactor: jsii.Number(1),
		BisectBatchOnFunctionError: true, MaximumRetryAttempts: jsii.Number(keepTries), MaximumRecordAgeInSeconds: jsii.Number(keepAge),
		DestinationConfig: &awslambda.CfnEventSourceMapping_DestinationConfigProperty{OnFailure: &awslambda.CfnEventSourceMapping_OnFailureProperty{Destination: queue}},
		FilterCriteria:    &awslambda.CfnEventSourceMapping_FilterCriteriaProperty{Filters: []any{&awslambda.CfnEventSourceMapping_FilterProperty{Pattern: jsii.String(recordsOnly())}}},
	})}, nil
}

// keeperGrants are the permissions that the function's code needs: to be called by the stream, to read incidents, to ask, to go through the
// usual suspects, and to write case folders.
func keeperGrants(s Settings) []grant.Grant {
	return slices.Concat(dynamo.StreamGrants(), dynamo.LoadGrants(), engineGrants(s, athena.EachGrants()), awsposture.Grants(), casebucket.Grants())
}

// forKeeper are those of the responder's settings that the function reads.
func (s Settings) forKeeper(kept incidents) settings.Responder {
	k := settings.Responder{Evidence: s.Evidence, EventDataStore: s.EventDataStore, Accounts: []string{s.Home.Account}, ScanBudget: settings.DefaultScanBudget, Table: kept.name, LogLevel: s.LogLevel}
	if s.Trail != "" {
		k.TrailLocation = s.Files.location()
	}
	if s.managed() {
		k.ManagementLocation = s.Management.location()
	}
	return k
}

// recordsOnly is the pattern of the items that are records of incidents, as Lambda matches what the stream has:
// https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html
func recordsOnly() string {
	text, err := json.Marshal(map[string]any{"dynamodb": map[string]any{"Keys": map[string]any{
		dynamo.PartitionKey: map[string]any{"S": startsWith(dynamo.IncidentPrefix)}, dynamo.SortKey: map[string]any{"S": []string{dynamo.RecordKey}}}}})
	if err != nil {
		panic(err) // it is texts
	}
	return string(text)
}

// newCases makes the bucket of case folders, and returns its policy. Both are evidence, and outlive the stack. Its name has the stack's id in it, so
// that whoever knows the table knows it. Object Lock is on from the beginning, which by itself locks nothing: that a lock is given later replaces no
// bucket. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
func newCases(scope constructs.Construct, s Settings, kept incidents, role *string) awscdk.CfnResource {
	bucket := newBucket(scope, "Cases", 0, true)
	bucket.SetBucketName(jsii.String(kept.cases))
	bucket.SetObjectLockEnabled(true)
	if s.CaseLock > 0 {
		bucket.SetObjectLockConfiguration(&awss3.CfnBucket_ObjectLockConfigurationProperty{ObjectLockEnabled: jsii.String("Enabled"),
			Rule: &awss3.CfnBucket_ObjectLockRuleProperty{DefaultRetention: &awss3.CfnBucket_DefaultRetentionProperty{Mode: jsii.String("COMPLIANCE"), Days: jsii.Number(s.CaseLock)}}})
	}
	policy := awss3.NewCfnBucketPolicy(scope, jsii.String("CasesPolicy"), &awss3.CfnBucketPolicyProps{Bucket: bucket.Ref(), PolicyDocument: document(casesPolicy(*bucket.AttrArn(), role)...)})
	policy.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN, nil)
	return policy
}

// casesPolicy denies everybody but the function's role to write, whoever lets him, and everybody to delete: what was written stays, each version. The
// lifetime is no caller, and deletes: nobody may set it, once the stack has.
func casesPolicy(bucket string, role *string) []statement {
	return []statement{
		onlyTLS("s3:*", []string{bucket, bucket + "/*"}),
		{"Sid": "OnlyTheKeeperWrites", "Effect": "Deny", "Principal": "*", "Action": writes, "Resource": bucket + "/*",
			"Condition": map[string]any{"ArnNotEquals": map[string]any{"aws:PrincipalArn": role}}},
		{"Sid": "NobodyDeletes", "Effect": "Deny", "Principal": "*", "Action": []string{"s3:DeleteObject", "s3:DeleteObjectVersion", "s3:ReplicateDelete", "s3:BypassGovernanceRetention"}, "Resource": bucket + "/*"},
		{"Sid": "NobodySetsTheirLifetime", "Effect": "Deny", "Principal": "*", "Action": lifetimes, "Resource": bucket},
	}
}
