package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/settings"
)

// Whether the account is known or CloudFormation fills it in: the rest of the stack is as with a store that is there already, but that it is
// known what the store holds, and not read.
func TestANewStoreIsUsedLikeAGivenOne(t *testing.T) {
	want := synth(t)
	// What is there already is read, by the enroller.
	if records := at(t, want.named(t, "AWS::Lambda::Function", "Responder"), "Environment", "Variables", "NIGHTLATCH_RECORDS"); records != settings.AllEvents {
		t.Errorf("of a store that is there already the responder's environment has %v", records)
	}
	delete(at(t, want.named(t, "AWS::Lambda::Function", "Responder"), "Environment", "Variables").(map[string]any), "NIGHTLATCH_RECORDS")
	delete(want["Resources"].(map[string]any), "Store")
	policy := at(t, want.named(t, "AWS::IAM::Role", "EnrollerRole"), "Policies", 0, "PolicyDocument").(map[string]any)
	policy["Statement"] = slices.DeleteFunc(policy["Statement"].([]any), func(st any) bool { return st.(map[string]any)["Sid"] == "ReadTheStore" })
	for _, caller := range []string{"", account} {
		s, err := Read(given("eventDataStore", "create"))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.deployTo(caller, "eu-west-1"); err != nil {
			t.Fatal(err)
		}
		got, _ := withSettings(t, s)
		if arn := got.output(t, "EventDataStoreArn"); arn != aStore {
			t.Errorf("the output is %s", arn)
		}
		golden(t, "event-data-store.golden", indented(t, at(t, map[string]any(got), "Resources", "EventDataStore")))
		delete(got["Resources"].(map[string]any), "EventDataStore")
		delete(got["Outputs"].(map[string]any), "EventDataStoreArn")
		environment := at(t, got.named(t, "AWS::Lambda::Function", "Responder"), "Environment", "Variables").(map[string]any)
		if environment["NIGHTLATCH_RECORDS"] != settings.WatchedReads {
			t.Errorf("the responder's environment is %v", environment)
		}
		delete(environment, "NIGHTLATCH_RECORDS")
		at(t, map[string]any(got), "Metadata", "Nightlatch", "Settings").(map[string]any)["eventDataStore"] = aStore
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("account %q: got -, want +:\n%s", caller, diff)
		}
	}
}

func TestANewStoreKeepsTheReadsOfEveryBucket(t *testing.T) {
	for _, s := range selectorsFor("aws", []settings.Bucket{{Name: "a-bucket"}, {Name: settings.EveryBucket}}) {
		for _, c := range s.conditions {
			if c.field == "resources.ARN" {
				t.Errorf("%s: only of %q", s.name, c.values)
			}
		}
	}
}

func TestTheSelectorsHoldTheBuckets(t *testing.T) {
	for key, c := range map[string]struct {
		most int
		of   func(string, []settings.Bucket) []selector
	}{"eventDataStore": {487, selectorsFor}, "trail": {491, func(partition string, buckets []settings.Bucket) []selector {
		return trailSelectors(partition, buckets, true)
	}}} {
		for _, n := range []int{c.most, c.most + 3} {
			s, err := Read(given("buckets", many(n, ""), key, made))
			says := fmt.Sprintf(`%s is "create", and should be the ARN of an existing CloudTrail`, key)
			more := fmt.Sprintf("the %d buckets are 3 more than its selectors hold; watch *, or give the ARN of one that you have made", n)
			if (err != nil) != (n > c.most) || err != nil && (!strings.HasPrefix(err.Error(), says) || !strings.HasSuffix(err.Error(), more)) {
				t.Errorf("%s of %d buckets: got %v", key, n, err)
			}
			if selectors := c.of("aws", s.Buckets); err == nil && (values(selectors) != maxValues || len(selectors) > 5) {
				t.Errorf("%s of %d buckets: %d values in %d selectors, want %d in at most five", key, n, values(selectors), len(selectors), maxValues)
			}
		}
	}
}

func TestANewStoreIsWarnedOf(t *testing.T) {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Test"), nil)
	newStore(stack, []settings.Bucket{{Name: "a-bucket"}})
	if found := assertions.Annotations_FromStack(stack).FindWarning(jsii.String("*"), assertions.Match_StringLikeRegexp(jsii.String("closed CloudTrail Lake to new customers"))); len(*found) != 1 {
		t.Errorf("there are %d such warnings, want one", len(*found))
	}
}
