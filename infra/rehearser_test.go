package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/settings"
)

// rehearsing is a deployment with a canary.
var rehearsing = []string{"mode", "act", "canary", "a-canary", "rehearseDays", "30", "trail", made, "eventDataStore", made}

const (
	theCanary         = "arn:aws:iam::111122223333:user/Nightlatch-CanaryUser-x1"
	theCanaryBucket   = "arn:aws:s3:::a-canary"
	theCanarySecret   = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:CanarySecret-a1b2c3"
	theCanaryReads    = "arn:aws:lambda:eu-west-1:111122223333:function:Nightlatch-Canary-x1"
	theCanarysLog     = "arn:aws:logs:eu-west-1:111122223333:log-group:Nightlatch-CanaryLog-x1"
	theRehearser      = "arn:aws:lambda:eu-west-1:111122223333:function:Nightlatch-Rehearser-x1"
	theRehearsersRole = "arn:aws:iam::111122223333:role/Nightlatch-RehearserRole-x1"
	theRehearsersLog  = "arn:aws:logs:eu-west-1:111122223333:log-group:Nightlatch-RehearserLog-x1"
)

func TestTheCanary(t *testing.T) {
	tpl := synth(t, rehearsing...)
	want := settings.Rehearser{Topic: aTopic, Watchers: []string{aWatch}, Account: account, Table: kept, User: "Nightlatch-CanaryUser-x1", Bucket: "a-canary", Secret: theCanarySecret,
		Function: "Nightlatch-Canary-x1", Days: 30}
	if got, err := settings.ParseRehearser(environOf(t, tpl, "Rehearser")); err != nil || cmp.Diff(got, want) != "" {
		t.Errorf("%v: got -, want +:\n%s", err, cmp.Diff(got, want))
	}
	// It is watched as the others are: metrics, an alarm, the selectors of what is made; and it is no part of what may leave the others together.
	alarms := 0
	for _, a := range tpl.resources("AWS::CloudWatch::Alarm") {
		if text := indented(t, a); strings.Contains(text, `"a-canary"`) {
			if alarms++; a["Threshold"] != float64(16<<20) || !strings.Contains(text, "{Responder.Arn}") {
				t.Errorf("the canary's alarm is %s", text)
			}
		}
	}
	if alarms != 1 {
		t.Errorf("%d alarms on the canary's bucket", alarms)
	}
	if d := at(t, map[string]any(tpl), "Resources", "RequestMetrics", "DependsOn").([]any); !slices.Contains(d, any("CanaryBucket")) {
		t.Errorf("its metrics are switched on after %v only", d)
	}
	if at(t, tpl.named(t, "AWS::S3::Bucket", "CanaryBucket"), "MetricsConfigurations", 0, "Id") != "nightlatch" {
		t.Error("where others made the configuration, the canary's bucket has none")
	}
	for kind, id := range map[string]string{"AWS::CloudTrail::Trail": "TheTrail", "AWS::CloudTrail::EventDataStore": "EventDataStore"} {
		if text := indented(t, tpl.named(t, kind, id)); !strings.Contains(text, "arn:aws:s3:::a-canary/") {
			t.Errorf("%s records no reads of the canary's", id)
		}
	}
	if m := read(t, rehearsing...).measured(); len(m) != 2 || slices.ContainsFunc(m, func(entry string) bool { return strings.HasPrefix(entry, "a-canary") }) {
		t.Errorf("thresholds are proposed for %v", m)
	}
	if diff := cmp.Diff(read(t, rehearsing...).Total, read(t).Total); diff != "" {
		t.Errorf("with a canary -, without +:\n%s", diff)
	}
	if one := read(t, "buckets", "a-bucket", "canary", "a-canary"); one.Total != nil {
		t.Errorf("one bucket has a total of %v", one.Total)
	}
	if at(t, map[string]any(tpl), "Outputs", settings.RehearserOutput, "Value") != "Nightlatch-Rehearser-x1" {
		t.Errorf("got %v", tpl["Outputs"])
	}
	for id, r := range synth(t)["Resources"].(map[string]any) {
		if strings.Contains(id, "Canary") || strings.Contains(id, "Rehears") || strings.HasPrefix(at(t, r.(map[string]any), "Type").(string), "AWS::EC2::") {
			t.Errorf("without a canary there is %s", id)
		}
	}
	for _, changes := range [][]string{rehearsing, {"canary", "a-canary", "buckets", many(184, "")}, {"canary", "a-canary", "buckets", many(500, "")}} {
		fits(t, "with a canary", synth(t, changes...))
	}
	if alarm := tpl.named(t, "AWS::CloudWatch::Alarm", "Watchrehearsererrors"); at(t, alarm, "Dimensions", 0, "Value") != "Nightlatch-Rehearser-x1" {
		t.Errorf("got %v", alarm)
	}
	// The role goes after the network, in which Lambda has an address for a while; the bucket stays, but not of a deployment that failed.
	for _, id := range []string{"CanarySubnet", "CanaryGroup"} {
		if d := at(t, map[string]any(tpl), "Resources", id, "DependsOn").([]any); !slices.Contains(d, any("CanaryRole")) {
			t.Errorf("%s depends on %v", id, d)
		}
	}
	if got := at(t, map[string]any(tpl), "Resources", "CanaryBucket", "DeletionPolicy"); got != "RetainExceptOnCreate" {
		t.Errorf("the bucket's deletion policy is %v", got)
	}
	// A network without a way out but S3's: no gateway, no address, no other route.
	for _, kind := range []string{"AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::EIP", "AWS::EC2::Route", "AWS::EC2::EgressOnlyInternetGateway"} {
		if n := len(tpl.resources(kind)); n > 0 {
			t.Errorf("%d of %s", n, kind)
		}
	}
}

func TestACanaryThatDoesNotGoWithTheRest(t *testing.T) {
	for says, changes := range map[string][]string{
		`canary is "a-canary", and mode is "observe"`:   {"canary", "a-canary", "mode", "observe"},
		`rehearseDays is "30", and canary is not given`: {"rehearseDays", "30"},
		"it stands among buckets":                       {"canary", "b-bucket"},
	} {
		if _, err := Read(given(changes...)); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: got %v", changes, err)
		}
	}
}

// They can touch nothing else: the canary, and the function that reads in its network. The rehearser is judged with the other functions.
func TestTheCanaryTouchesNothingElse(t *testing.T) {
	tpl := synth(t, rehearsing...)
	policy := func(kind, id string) any {
		return policyOf(t, at(t, tpl.named(t, kind, id), "Policies", 0, "PolicyDocument", "Statement"))
	}
	canary, reads := policy("AWS::IAM::User", "CanaryUser"), policy("AWS::IAM::Role", "CanaryRole")
	open := policyOf(t, []any{map[string]any{"Sid": "Everybody", "Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": []string{"arn:aws:s3:::open", "arn:aws:s3:::open/*"}}})
	const object, another = theCanaryBucket + "/canary", "arn:aws:s3:::a-bucket/key"
	var calls []request
	by := func(principal string, identity, resource any, all ...request) {
		for _, c := range all {
			c.Principal, c.Identity, c.Policy, c.name = principal, identity, resource, principal
			calls = append(calls, c)
		}
	}
	by(theCanary, canary, nil,
		does("Allowed ReadTheCanaryBucket", "s3:GetObject", object),
		does("ExplicitlyDenied ReadNothingElse", "s3:GetObject", another),
		does("ExplicitlyDenied DoNothingElse", "s3:PutObject", object),
		does("ExplicitlyDenied DoNothingElse", "s3:ListBucket", theCanaryBucket),
		does("ExplicitlyDenied DoNothingElse", "s3:GetObjectAcl", object),
		does("ExplicitlyDenied DoNothingElse", "iam:CreateAccessKey", theCanary),
		does("ExplicitlyDenied DoNothingElse", "iam:UpdateAccessKey", theCanary),
		does("ExplicitlyDenied DoNothingElse", "sts:AssumeRole", role+"admin"))
	by(theCanary, canary, open,
		does("ExplicitlyDenied ReadNothingElse", "s3:GetObject", "arn:aws:s3:::open/key"),
		does("ExplicitlyDenied DoNothingElse", "s3:PutObject", "arn:aws:s3:::open/key"))
	by("arn:aws:sts::111122223333:assumed-role/Nightlatch-CanaryRole-x1/Nightlatch-Canary-x1", reads, nil,
		does("Allowed HaveAnAddress", "ec2:DescribeSubnets", "*"),
		does("ExplicitlyDenied ButNotTheCode", "ec2:DescribeSubnets", "*", "lambda:SourceFunctionArn", theCanaryReads),
		does(denied, "s3:GetObject", object), does(denied, "secretsmanager:GetSecretValue", theCanarySecret), does(denied, "iam:UpdateAccessKey", theCanary), does(denied, "lambda:InvokeFunction", theRehearser))
	// The way out of the network is the canary's, to its bucket, whoever has an administrator's rights in it.
	way := policyOf(t, at(t, tpl.named(t, "AWS::EC2::VPCEndpoint", "CanaryEndpoint"), "PolicyDocument", "Statement"))
	anything := policyOf(t, []any{map[string]any{"Sid": "Anything", "Effect": "Allow", "Action": "*", "Resource": "*"}})
	for _, c := range []struct{ principal, resource, want string }{{theCanary, object, "Allowed Anything OnlyTheCanary"}, {user + "mara", object, denied}, {theCanary, another, denied}} {
		r := does(c.want, "s3:GetObject", c.resource, "aws:PrincipalArn", c.principal)
		r.Endpoint = way
		by(c.principal, anything, nil, r)
	}
	judge(t, calls)
	golden(t, "role-rehearser.golden", indented(t, at(t, tpl.named(t, "AWS::IAM::Role", "RehearserRole"), "Policies", 0, "PolicyDocument", "Statement")))
	golden(t, "user-canary.golden", indented(t, tpl.named(t, "AWS::IAM::User", "CanaryUser")))
}

// neverTheRehearser are calls that the rehearser must not be let to make: it changes one key, and writes one item and one object.
func neverTheRehearser() []request {
	const another = "arn:aws:s3:::a-bucket/key"
	return []request{
		does("Allowed LoadIncidents", "dynamodb:Query", theTable, "dynamodb:LeadingKeys", dynamo.IncidentPrefix+"1"),
		does(denied, "iam:UpdateAccessKey", user+"mara"), does(denied, "iam:ListAccessKeys", user+"mara"), does(denied, "iam:CreateAccessKey", theCanary), does(denied, "iam:DeleteAccessKey", theCanary),
		does(denied, "iam:PutUserPolicy", theCanary), does(denied, "secretsmanager:GetSecretValue", aBeat), does(denied, "secretsmanager:PutSecretValue", theCanarySecret),
		does(denied, "s3:PutObject", theCanaryBucket+"/other"), does(denied, "s3:GetObject", theCanaryBucket+"/canary"), does(denied, "s3:PutObject", another), does(denied, "s3:GetObject", another),
		does(denied, "lambda:InvokeFunction", theFunction), does(denied, "lambda:UpdateFunctionCode", theCanaryReads),
		does(denied, "dynamodb:PutItem", theTable, "dynamodb:LeadingKeys", dynamo.IncidentPrefix+"1"), does(denied, "dynamodb:PutItem", theTable, "dynamodb:LeadingKeys", "brakes"),
		does(denied, "dynamodb:DeleteItem", theTable, "dynamodb:LeadingKeys", "rehearsal"), does(denied, "cloudwatch:SetAlarmState", anAlarm+"nightlatch-a-canary-1m"),
		does("ExplicitlyDenied OnlyTLS", "s3:PutObject", theCanaryBucket+"/canary", "aws:SecureTransport", "false"),
	}
}
