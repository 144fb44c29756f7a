package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/grant"
)

// finding is a finding of cdk-nag's AwsSolutions pack (https://github.com/cdklabs/cdk-nag/blob/main/RULES.md) that is right as it is.
type finding struct {
	rule   string
	on     string // what it is about, for a rule with several findings: "Resource::*"
	reason string
}

// excuse gives the reasons to cdk-nag, and to who reads the template.
// https://github.com/cdklabs/cdk-nag#rules-and-property-overrides, https://github.com/cdklabs/cdk-nag#suppressing-a-rule
func excuse(resource awscdk.CfnResource, findings ...finding) {
	var rules []map[string]any
	for _, f := range findings {
		rule := map[string]any{"id": f.rule, "reason": f.reason}
		if f.on != "" {
			rule["applies_to"] = []string{flat(resource.Stack().Resolve(jsii.String(f.on)))}
		}
		rules = append(rules, rule)
	}
	resource.AddMetadata(jsii.String("cdk_nag"), map[string]any{"rules_to_suppress": rules})
}

// flat writes what CloudFormation fills in as cdk-nag does in its findings: <Logical.Attribute>, <AWS::Partition>, and other functions as JSON.
// https://github.com/cdklabs/cdk-nag/blob/main/src/utils/flatten-cfn-reference.ts
func flat(node any) string {
	switch n := node.(type) {
	case string:
		return n
	case map[string]any:
		if ref, ok := n["Ref"].(string); ok {
			return "<" + ref + ">"
		}
		if att, ok := n["Fn::GetAtt"].([]any); ok {
			return fmt.Sprintf("<%v.%v>", att...)
		}
		if join, ok := n["Fn::Join"].([]any); ok {
			var parts []string
			for _, part := range join[1].([]any) {
				parts = append(parts, flat(part))
			}
			return strings.Join(parts, join[0].(string))
		}
	}
	text, err := json.Marshal(node)
	if err != nil {
		panic(err) // it came out of JSON
	}
	return string(text)
}

// whyWide are the reasons why statements that grant something have a star in their resources, as the grants give them, in the order
// of the resources. A star without a reason stays a finding.
func whyWide(grants []grant.Grant, rendered []statement) []finding {
	reasons := map[string][]string{}
	for i, g := range grants {
		for _, arn := range rendered[i]["Resource"].([]string) {
			if strings.Contains(arn, "*") && g.Why != "" {
				reasons[arn] = append(reasons[arn], g.Sid+": "+g.Why)
			}
		}
	}
	var findings []finding
	for _, arn := range slices.Sorted(maps.Keys(reasons)) {
		findings = append(findings, finding{"AwsSolutions-IAM5", "Resource::" + arn, strings.Join(reasons[arn], " ")})
	}
	return findings
}
