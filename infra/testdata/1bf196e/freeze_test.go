package main

// This wrote the files beside it. It ran in infra/ of a checkout of 1bf196e, together with frozen_test.go of the commit that added both:
//
//	FREEZE=/where/to/write go test -run TestFreeze ./infra

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// replacing are the properties whose change replaces a resource, as AWS's resource specification says: causesReplacement in
// node_modules/aws-cdk/db.json.gz of aws-cdk 2.1148.1. Of a KMS key and a table's indexes and attributes it says
// nothing, but an update of these is refused, or takes the index away while it is made anew. A database and a table of Glue are
// known by their names. The type Custom:: is AWS::CloudFormation::CustomResource.
var replacing = map[string]string{
	"AWS::Athena::WorkGroup":          "Name",
	"AWS::CloudFormation::Stack":      "",
	"AWS::CloudTrail::EventDataStore": "",
	"AWS::CloudTrail::Trail":          "TrailName",
	"AWS::CloudWatch::Alarm":          "AlarmName",
	"AWS::DynamoDB::Table":            "TableName KeySchema ImportSourceSpecification AttributeDefinitions GlobalSecondaryIndexes LocalSecondaryIndexes",
	"AWS::Events::Rule":               "Name EventBusName",
	"AWS::Glue::Database":             "CatalogId DatabaseName DatabaseInput/Name",
	"AWS::Glue::Table":                "CatalogId DatabaseName Name TableInput/Name",
	"AWS::IAM::Role":                  "RoleName Path",
	"AWS::KMS::Key":                   "KeySpec KeyUsage MultiRegion Origin",
	"AWS::Lambda::EventInvokeConfig":  "FunctionName Qualifier",
	"AWS::Lambda::Function":           "FunctionName PackageType TenancyConfig",
	"AWS::Lambda::Permission":         "",
	"AWS::Lambda::Url":                "TargetFunctionArn Qualifier",
	"AWS::Logs::LogGroup":             "LogGroupName",
	"AWS::S3::Bucket":                 "BucketName BucketNamePrefix BucketNamespace ObjectLockEnabled",
	"AWS::S3::BucketPolicy":           "Bucket",
	"AWS::SNS::Subscription":          "TopicArn Protocol Endpoint",
	"AWS::SNS::Topic":                 "TopicName FifoTopic",
	"AWS::SNS::TopicPolicy":           "",
	"AWS::SQS::Queue":                 "QueueName FifoQueue",
	"AWS::SQS::QueuePolicy":           "",
	"AWS::Scheduler::ScheduleGroup":   "Name",
	"Custom::RequestMetrics":          "ServiceToken",
	"Custom::Trail":                   "ServiceToken",
}

func TestFreeze(t *testing.T) {
	for file, changes := range frozenSettings() {
		tpl := synth(t, changes...)
		out := frozen{Resources: map[string]frozenResource{}, Alarms: map[string]string{}, Environment: map[string][]string{},
			Outputs: slices.Sorted(maps.Keys(tpl["Outputs"].(map[string]any)))}
		for id, r := range tpl["Resources"].(map[string]any) {
			r := r.(map[string]any)
			paths, known := replacing[r["Type"].(string)]
			if !known {
				t.Fatalf("what replaces %s?", r["Type"])
			}
			kept := frozenResource{Type: r["Type"].(string), Properties: map[string]any{}}
			for _, path := range strings.Fields(paths) {
				kept.Properties[path] = property(r, path)
			}
			out.Resources[id] = kept
			if variables, _ := property(r, "Environment/Variables").(map[string]any); variables != nil {
				out.Environment[id] = slices.Sorted(maps.Keys(variables))
			}
		}
		for id, n := range nested(t, changes...) {
			out.Alarms[id] = alarmsOf(n)
		}
		if err := os.WriteFile(filepath.Join(os.Getenv("FREEZE"), file), []byte(indented(t, out)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
