package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/awstest"
	"nightlatch/internal/settings"
)

func TestTheCaseBucketKeepsAllVersions(t *testing.T) {
	for lock, want := range map[string]any{"": nil, "90": map[string]any{"ObjectLockEnabled": "Enabled", "Rule": map[string]any{"DefaultRetention": map[string]any{"Mode": "COMPLIANCE", "Days": 90.0}}}} {
		var changes []string
		if lock != "" {
			changes = []string{"caseLock", lock}
		}
		tpl := synth(t, changes...)
		b := tpl.named(t, "AWS::S3::Bucket", "Cases")
		for key, want := range map[string]any{
			"BucketName": theCases, "ObjectLockEnabled": true, "ObjectLockConfiguration": want, "VersioningConfiguration": map[string]any{"Status": "Enabled"},
			"PublicAccessBlockConfiguration": map[string]any{"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true},
			"LifecycleConfiguration":         map[string]any{"Rules": []any{map[string]any{"Id": "lifetime", "Status": "Enabled", "AbortIncompleteMultipartUpload": map[string]any{"DaysAfterInitiation": 1.0}}}},
		} {
			if diff := cmp.Diff(b[key], want); diff != "" {
				t.Errorf("lock %q, %s: got -, want +:\n%s", lock, key, diff)
			}
		}
		if text := indented(t, b["BucketEncryption"]); !strings.Contains(text, "AES256") {
			t.Errorf("it is encrypted by %s", text)
		}
		for _, id := range []string{"Cases", "CasesPolicy"} {
			r := tpl["Resources"].(map[string]any)[id].(map[string]any)
			if r["DeletionPolicy"] != "Retain" || r["UpdateReplacePolicy"] != "Retain" {
				t.Errorf("%s goes with the stack", id)
			}
		}
		if tpl.output(t, "CaseBucket") != theCases || settings.CaseBucket(kept) != theCases {
			t.Error("the bucket is not called as the table lets others find it")
		}
	}
}

// The stream of the table calls the keeper, for records of incidents alone, and for nothing for ever.
func TestTheStreamCallsTheKeeper(t *testing.T) {
	tpl := synth(t, "trail", made)
	if got := tpl.one(t, "AWS::DynamoDB::Table")["StreamSpecification"]; cmp.Diff(got, map[string]any{"StreamViewType": "KEYS_ONLY"}) != "" {
		t.Errorf("the stream is %v", got)
	}
	m := tpl.named(t, "AWS::Lambda::EventSourceMapping", "IncidentsKept")
	filters := m["FilterCriteria"].(map[string]any)["Filters"].([]any)
	delete(m, "FilterCriteria")
	want := map[string]any{"EventSourceArn": "{Incidents.StreamArn}", "FunctionName": "Nightlatch-Keeper-x1", "StartingPosition": "TRIM_HORIZON", "BatchSize": 10.0, "MaximumBatchingWindowInSeconds": 2.0,
		"ParallelizationFactor": 1.0, "BisectBatchOnFunctionError": true, "MaximumRetryAttempts": 3.0, "MaximumRecordAgeInSeconds": 21600.0,
		"DestinationConfig": map[string]any{"OnFailure": map[string]any{"Destination": "{FailedEvents.Arn}"}}}
	if diff := cmp.Diff(m, want); diff != "" || len(filters) != 1 {
		t.Errorf("%d filters; got -, want +:\n%s", len(filters), diff)
	}
	var pattern any
	if err := json.Unmarshal([]byte(filters[0].(map[string]any)["Pattern"].(string)), &pattern); err != nil {
		t.Fatal(err)
	}
	items := map[[2]string]bool{{"incident#1", "record"}: true, {"incident#1", "log#00000000"}: false, {"incident#1", "part#00001"}: false, {"brakes", "brakes"}: false,
		{"notices", "notices"}: false, {"lease#desk", "lease"}: false, {"turn#x", "record"}: false, {"incident", "record"}: false}
	var events []map[string]any
	var keys [][2]string
	for k := range items {
		keys = append(keys, k)
		events = append(events, map[string]any{"eventName": "MODIFY", "dynamodb": map[string]any{"Keys": map[string]any{"pk": map[string]any{"S": k[0]}, "sk": map[string]any{"S": k[1]}}}})
	}
	for i, got := range awstest.Matching(t, map[string]any{"records": pattern}, events) {
		if (len(got) > 0) != items[keys[i]] {
			t.Errorf("%v is matched: %q", keys[i], got)
		}
	}
	if f := tpl.named(t, "AWS::Lambda::Function", "Keeper"); cmp.Diff(f["Architectures"], []any{"arm64"}) != "" || f["ReservedConcurrentExecutions"] != nil {
		t.Errorf("the function is %v", f)
	}
	k, err := settings.ParseKeeper(environOf(t, tpl, "Keeper"))
	if err != nil || k.Table != kept || k.EventDataStore != aStore || !strings.HasPrefix(k.TrailLocation, "s3://") {
		t.Errorf("it reads %+v, %v", k, err)
	}
}
