package awsstack

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/awstest"
	"nightlatch/internal/doctor"
)

const (
	outer = "arn:aws:cloudformation:eu-west-1:111122223333:stack/Nightlatch/8d6f2a40-0000-11f1-9c1c-0a1b2c3d4e5f"
	inner = "arn:aws:cloudformation:eu-west-1:111122223333:stack/Nightlatch-Alarms03-1ABC/9d6f2a40-0000-11f1-9c1c-0a1b2c3d4e5f"
)

// Alarms that are too many for one stack stand in nested ones, which get what they refer to as parameters.
func TestNestedStacksAreRead(t *testing.T) {
	templates := map[string]string{
		outer: `{"Resources":{"Responder":{"Type":"AWS::Lambda::Function","Properties":{"Environment":{"Variables":{"NIGHTLATCH_MODE":"observe","NIGHTLATCH_OBSERVE_UNTIL":"2026-12-31"}},
			"VpcConfig":{"SubnetIds":[{"Ref":"Subnet"},"subnet-1"],"SecurityGroupIds":["sg-1"]}}},"Subnet":{"Type":"AWS::EC2::Subnet"},"Alarms03":{"Type":"AWS::CloudFormation::Stack","Properties":{"Parameters":{"p":{"Fn::GetAtt":["Responder","Arn"]}}}},
			"Gone":{"Type":"AWS::CloudFormation::Stack"}}}`,
		inner: `{"Parameters":{"p":{"Type":"String"}},"Resources":{"A":{"Type":"AWS::CloudWatch::Alarm","Properties":{"AlarmName":"nightlatch-a-1m-03","Threshold":1,"AlarmActions":[{"Ref":"p"},{"Ref":"Unheard"}],
			"Metrics":[{"Id":"m","Expression":"SELECT","Period":60}]}}}}`,
	}
	resources := map[string]string{outer: member("Responder", "Nightlatch-Responder-x1") + member("Subnet", "subnet-2") + member("Alarms03", inner), inner: member("A", "nightlatch-a-1m-03")}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		action, stack := r.Form.Get("Action"), r.Form.Get("StackName")
		if stack == "Nightlatch" {
			stack = outer
		}
		var answer string
		switch action {
		case "GetTemplate":
			var b strings.Builder
			xml.EscapeText(&b, []byte(templates[stack]))
			answer = "<TemplateBody>" + b.String() + "</TemplateBody>"
		case "ListStackResources":
			answer = "<StackResourceSummaries>" + resources[stack] + "</StackResourceSummaries>"
		case "DescribeStacks":
			answer = "<Stacks><member><StackId>" + stack + "</StackId><StackName>x</StackName><Parameters><member><ParameterKey>p</ParameterKey>" +
				"<ParameterValue>arn:aws:lambda:eu-west-1:111122223333:function:Nightlatch-Responder-x1</ParameterValue></member></Parameters></member></Stacks>"
		}
		fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>", action, answer)
	}))
	defer server.Close()
	r, err := New(awstest.Config(server.URL), "Nightlatch")
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Deployed(t.Context())
	want := []doctor.Alarm{{Name: "nightlatch-a-1m-03", Settings: map[string]string{"Threshold": "1", "AlarmActions": "arn:aws:lambda:eu-west-1:111122223333:function:Nightlatch-Responder-x1, " + doctor.Unknown,
		"Metrics": `[{"Id":"m","Expression":"SELECT","Period":60,"ReturnData":true}]`}}}
	if diff := cmp.Diff(got.Alarms, want); err != nil || diff != "" {
		t.Errorf("%v: got -, want +:\n%s", err, diff)
	}
	if len(got.Resources) != 1 || got.Resources[0].Settings["SubnetIds"] != "subnet-1, subnet-2" || got.Resources[0].Settings[doctor.Code] != doctor.Unknown {
		t.Errorf("the functions are %+v", got.Resources)
	}
	if got.Mode != "observe" || got.ObserveUntil != "2026-12-31" {
		t.Errorf("mode %q until %q", got.Mode, got.ObserveUntil)
	}
	templates[inner] = "Resources:\n  A:\n"
	if _, err := r.Deployed(t.Context()); err == nil || !strings.Contains(err.Error(), "it is not one of the CDK's, in JSON") {
		t.Errorf("a template in YAML: got %v", err)
	}
}

func member(logical, physical string) string {
	return "<member><LogicalResourceId>" + logical + "</LogicalResourceId><PhysicalResourceId>" + physical + "</PhysicalResourceId></member>"
}

// IAM means the same by all of these.
func TestPoliciesHaveOneForm(t *testing.T) {
	a := canonical(map[string]any{"Statement": []any{map[string]any{"Action": []any{"b", "a"}, "Resource": []any{"x"}, "Condition": map[string]any{"Bool": map[string]any{"k": true}}}}})
	b := canonical(map[string]any{"Statement": map[string]any{"Resource": "x", "Action": []any{"a", "b"}, "Condition": map[string]any{"Bool": map[string]any{"k": "true"}}}})
	c := canonical(map[string]any{"Statement": map[string]any{"Resource": "x", "Action": []any{"a", "c"}, "Condition": map[string]any{"Bool": map[string]any{"k": "true"}}}})
	if a != b || a == c {
		t.Errorf("got %s, %s, %s", a, b, c)
	}
}
