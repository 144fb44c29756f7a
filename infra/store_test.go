package main

import (
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"
)

// Whether the account is known or CloudFormation fills it in: the rest of the stack is as with a store that is there already.
func TestANewStoreIsUsedLikeAGivenOne(t *testing.T) {
	want := synth(t)
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
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("account %q: got -, want +:\n%s", caller, diff)
		}
	}
}

func TestANewStoreKeepsTheReadsOfEveryBucket(t *testing.T) {
	all := selectorsFor("aws", []Bucket{{Name: "a-bucket"}, {Name: everyBucket}})
	if len(all) > 5 {
		t.Errorf("there are %d selectors, and a store takes five", len(all))
	}
	for _, s := range all {
		for _, c := range s.conditions {
			if c.field == "resources.ARN" {
				t.Errorf("%s: only of %q", s.name, c.values)
			}
		}
	}
}

func TestTheSelectorsHoldTheBuckets(t *testing.T) {
	const most = 487
	for n, says := range map[int]string{most: "", most + 3: "the 490 buckets are 3 more than its selectors hold; watch *, or give the ARN"} {
		s, err := Read(given("buckets", many(n, ""), "eventDataStore", "create"))
		if (err != nil) != (says != "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%d buckets: got %v, want %q", n, err, says)
		}
		if got := values(selectorsFor("aws", s.Buckets)); err == nil && got != maxValues {
			t.Errorf("%d buckets: %d values, want %d", n, got, maxValues)
		}
	}
}

func TestANewStoreIsWarnedOf(t *testing.T) {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Test"), nil)
	newStore(stack, []Bucket{{Name: "a-bucket"}})
	if found := assertions.Annotations_FromStack(stack).FindWarning(jsii.String("*"), assertions.Match_StringLikeRegexp(jsii.String("closed CloudTrail Lake to new customers"))); len(*found) != 1 {
		t.Errorf("there are %d such warnings, want one", len(*found))
	}
}
