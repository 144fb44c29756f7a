package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudtrail"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/evidence/trailbucket"
)

// Files are a trail's files in S3, as the stack knows them: as names, or as what CloudFormation fills in.
type Files struct {
	// Bucket holds them, by its name; what their keys begin with is Folder, [PREFIX/]AWSLogs/[ORGANIZATION/].
	Bucket, Folder string
	// Key is the ARN of the key that encrypts them; "" where it is S3's own.
	Key string
	// Results is the bucket, by its name, to which Athena writes its answers.
	Results string
}

// location is where the accounts' folders lie.
func (f Files) location() string { return "s3://" + f.Bucket + "/" + f.Folder }

const (
	// trailDays is how long a new trail's files are kept: as long as a new store keeps events.
	trailDays = storeDays
	// spareDays is how long what was overwritten or deleted can be got back.
	spareDays = 30
)

// newTrail makes a trail of the stack's region and its bucket, and returns the trail's ARN. Both are evidence, and outlive the stack. The trail's
// name has the stack's id in it, because the one that an earlier stack left behind keeps its own. A region holds five trails, and one of all regions
// counts in each: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html
func newTrail(stack awscdk.Stack, s Settings) (string, Files) {
	name := stackName + "-" + *stackID(stack)
	arn := s.Home.arn("cloudtrail", "trail/"+name)
	bucket := newBucket(stack, "TrailFiles", trailDays, true)
	policy := awss3.NewCfnBucketPolicy(stack, jsii.String("TrailFilesPolicy"), &awss3.CfnBucketPolicyProps{
		Bucket: bucket.Ref(), PolicyDocument: document(trailBucketPolicy(bucket.AttrArn(), s.Home.Account, arn)...),
	})
	policy.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN, nil) // or the trail, which goes on, could write no more
	var selectors []any
	for _, sel := range trailSelectors(s.Home.Partition, s.Buckets, !s.managed()) {
		var fields []any
		for _, c := range sel.conditions {
			fields = append(fields, &awscloudtrail.CfnTrail_AdvancedFieldSelectorProperty{Field: jsii.String(c.field),
				EqualTo: c.of(equals), StartsWith: c.of(startsSo), NotEquals: c.of(differs)})
		}
		selectors = append(selectors, &awscloudtrail.CfnTrail_AdvancedEventSelectorProperty{Name: jsii.String(sel.name), FieldSelectors: fields})
	}
	trail := awscloudtrail.NewCfnTrail(stack, jsii.String("TheTrail"), &awscloudtrail.CfnTrailProps{
		TrailName: jsii.String(name), S3BucketName: bucket.Ref(), IsLogging: true, AdvancedEventSelectors: selectors,
		IsMultiRegionTrail: false, IncludeGlobalServiceEvents: true, EnableLogFileValidation: true,
	})
	trail.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN, nil)
	trail.AddResourceDependency(policy, nil)
	return arn, Files{Bucket: *bucket.Ref(), Folder: "AWSLogs/"}
}

// newBucket makes a private bucket that is encrypted and keeps what is in it for some days, or for ever where there are none. It outlives the stack: a bucket with something
// in it cannot be deleted, and this one empties itself.
func newBucket(scope constructs.Construct, id string, days int, versions bool) awss3.CfnBucket {
	rule := &awss3.CfnBucket_RuleProperty{Id: jsii.String("lifetime"), Status: jsii.String("Enabled"),
		AbortIncompleteMultipartUpload: &awss3.CfnBucket_AbortIncompleteMultipartUploadProperty{DaysAfterInitiation: jsii.Number(1)}}
	props := &awss3.CfnBucketProps{
		PublicAccessBlockConfiguration: &awss3.CfnBucket_PublicAccessBlockConfigurationProperty{
			BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true},
		OwnershipControls: &awss3.CfnBucket_OwnershipControlsProperty{Rules: []any{&awss3.CfnBucket_OwnershipControlsRuleProperty{ObjectOwnership: jsii.String("BucketOwnerEnforced")}}},
		BucketEncryption: &awss3.CfnBucket_BucketEncryptionProperty{ServerSideEncryptionConfiguration: []any{&awss3.CfnBucket_ServerSideEncryptionRuleProperty{
			ServerSideEncryptionByDefault: &awss3.CfnBucket_ServerSideEncryptionByDefaultProperty{SseAlgorithm: jsii.String("AES256")}}}},
		LifecycleConfiguration: &awss3.CfnBucket_LifecycleConfigurationProperty{Rules: []any{rule}},
	}
	if days > 0 {
		rule.ExpirationInDays = jsii.Number(days)
	}
	if versions {
		props.VersioningConfiguration = &awss3.CfnBucket_VersioningConfigurationProperty{Status: jsii.String("Enabled")}
	}
	if versions && days > 0 {
		rule.NoncurrentVersionExpiration = &awss3.CfnBucket_NoncurrentVersionExpirationProperty{NoncurrentDays: jsii.Number(spareDays)}
	}
	bucket := awss3.NewCfnBucket(scope, jsii.String(id), props)
	bucket.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN, nil)
	excuse(bucket, finding{rule: "AwsSolutions-S1", reason: "Only a service or one function writes to it. The team is notified of who changes its policy or lifetime; logs of each access would be one more bucket, which nobody reads."})
	return bucket
}

// writes are the rights by which an object's content is put in a bucket, or goes away: by a call, or by replication. lifetimes are those by
// which it is let expire.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html
var writes, lifetimes = trailbucket.Denied()

// sealOf are the statements by which a bucket's policy denies to all but CloudTrail, for one trail, what makes its files or takes them away. Nobody
// sets the lifetime of the files any more: the stack sets that of its own bucket before the policy is there, and never again.
func sealOf(bucket, trail string) []statement {
	others := map[string]any{"StringNotEquals": map[string]any{"aws:SourceArn": trail}}
	return []statement{
		{"Sid": "NobodyElseWrites", "Effect": "Deny", "Principal": "*", "Action": writes, "Resource": bucket + "/*", "Condition": others},
		{"Sid": "NobodySetsTheirLifetime", "Effect": "Deny", "Principal": "*", "Action": lifetimes, "Resource": bucket, "Condition": others},
	}
}

// trailBucketPolicy lets CloudTrail write this trail's files, and nobody else write or delete any, whoever lets them: a file that is
// replaced is an answer that is wrong. S3 replicates from another bucket with rights of its own. The lifetime is no caller, and deletes: nobody
// may set it.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html
func trailBucketPolicy(bucket *string, account, trail string) []statement {
	service := map[string]any{"Service": "cloudtrail.amazonaws.com"}
	files := *bucket + "/*"
	return append([]statement{
		onlyTLS("s3:*", []string{*bucket, files}),
		{"Sid": "TrailLooks", "Effect": "Allow", "Principal": service, "Action": "s3:GetBucketAcl", "Resource": bucket,
			"Condition": map[string]any{"StringEquals": map[string]any{"aws:SourceArn": trail}}},
		{"Sid": "TrailWrites", "Effect": "Allow", "Principal": service, "Action": "s3:PutObject", "Resource": *bucket + "/AWSLogs/" + account + "/*",
			"Condition": map[string]any{"StringEquals": map[string]any{"s3:x-amz-acl": "bucket-owner-full-control", "aws:SourceArn": trail}}},
	}, sealOf(*bucket, trail)...)
}
