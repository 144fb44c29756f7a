package main

import (
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
)

// Where Lambda has no function URLs, the approver's is left out, and the synthesis says so and what to do instead.
func TestARegionWithoutFunctionURLs(t *testing.T) {
	for region, without := range map[string]bool{"eu-west-1": false, "il-central-1": true} {
		_, stack, _ := unsynthesized(t, read(t, "eventDataStore", strings.Replace(aStore, "eu-west-1", region, 1)))
		tpl := filled(t, *assertions.Template_FromStack(stack, nil).ToJSON())
		if n := len(tpl.resources("AWS::Lambda::Url")); (n == 0) != without {
			t.Errorf("%s: there are %d URLs", region, n)
		}
		if _, there := tpl["Outputs"].(map[string]any)["ApproverUrl"]; there == without {
			t.Errorf("%s: the output is there: %t", region, there)
		}
		if n := len(tpl.resources("AWS::Lambda::Function")); n != 6 {
			t.Errorf("%s: there are %d functions", region, n)
		}
		warned := assertions.Annotations_FromStack(stack).FindWarning(jsii.String("*"), assertions.Match_StringLikeRegexp(jsii.String("no function URLs in il-central-1.*aws command.*-c mode=observe")))
		if (len(*warned) == 1) != without {
			t.Errorf("%s: the synthesis warns of %d", region, len(*warned))
		}
	}
}
