package main

import (
	"slices"
	"strings"
	"testing"

	"nightlatch/internal/alarm/cloudwatch"
	"nightlatch/internal/containment/awsaccount"
	"nightlatch/internal/evidence/lake"
	"nightlatch/internal/notify/sns"
)

// everyMode are the calls that the responder makes in each mode, and some that it must never be let to make.
func everyMode() []request {
	stream := theLog + ":log-stream:2026/03/04/[$LATEST]0123456789abcdef"
	return []request{
		does("Allowed ReadAlarms", "cloudwatch:DescribeAlarms", anAlarm+"nightlatch-a-bucket-1m"),
		does("Allowed ReadAlarms", "cloudwatch:DescribeAlarms", anAlarm+"an alarm of the team's own"),
		// Too new for the lists of the simulator and of cfn-lint.
		does("Allowed, an unknown action", "cloudwatch:DescribeAlarmContributors", anAlarm+"nightlatch-every-bucket-1m"),
		does("Allowed ReadMetrics", "cloudwatch:GetMetricData", "*"),
		does("Allowed AskCloudTrailLake", "cloudtrail:StartQuery", aStore),
		does("Allowed AskCloudTrailLake", "cloudtrail:DescribeQuery", aStore),
		does("Allowed AskCloudTrailLake", "cloudtrail:GetQueryResults", aStore),
		does("Allowed AskCloudTrailLake", "cloudtrail:CancelQuery", aStore),
		does("Allowed", "sts:GetCallerIdentity", "*"), // to everybody: its statement decides nothing
		does("Allowed IdentifyUsers", "iam:GetAccessKeyLastUsed", user+"bob"),
		does("Allowed IdentifyUsers", "iam:GetUser", user+"ops/bob", "aws:ResourceTag/nightlatch:protect", "yes"),
		does("Allowed IdentifyUsers", "iam:ListAccessKeys", user+"ops/bob"),
		does("Allowed IdentifyRoles", "iam:GetRole", "arn:aws:iam::111122223333:role/service-role/etl"),
		does("Allowed TellTheTeam", "sns:Publish", aTopic),
		does("Allowed AccountDecides EncryptForTheTeam", "kms:GenerateDataKey", theKey, "kms:ViaService", "sns.eu-west-1.amazonaws.com"),
		does("Allowed AccountDecides EncryptForTheTeam", "kms:Decrypt", theKey, "kms:ViaService", "sns.eu-west-1.amazonaws.com"),
		does("Allowed WriteItsLog", "logs:CreateLogStream", stream),
		does("Allowed WriteItsLog", "logs:PutLogEvents", stream),
		does("Allowed KeepFailedEvents", "sqs:SendMessage", theQueue),

		does(denied, "iam:UpdateAccessKey", "arn:aws:iam::444455556666:user/mallory"),
		does(denied, "iam:GetUser", "arn:aws:iam::444455556666:user/mallory"),
		does(denied, "iam:DeleteAccessKey", user+"bob"),
		does(denied, "iam:CreateAccessKey", user+"bob"),
		does(denied, "iam:PutUserPolicy", user+"bob"),
		does(denied, "iam:AttachUserPolicy", user+"bob", "iam:PolicyARN", "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3"),
		does(denied, "iam:TagUser", user+"bob", "aws:RequestTag/nightlatch:protect", ""),
		does(denied, "iam:UntagUser", user+"bob", "aws:TagKeys", "nightlatch:protect"),
		does(denied, "iam:DeleteUser", user+"bob"),
		does(denied, "iam:PutRolePolicy", "arn:aws:iam::111122223333:role/Nightlatch-ResponderRole-x1"),
		does(denied, "iam:UpdateAssumeRolePolicy", "arn:aws:iam::111122223333:role/etl"),
		does(denied, "iam:PassRole", "arn:aws:iam::111122223333:role/etl", "iam:PassedToService", "lambda.amazonaws.com"),
		does(denied, "sts:AssumeRole", "arn:aws:iam::111122223333:role/etl"),
		does(denied, "sts:AssumeRole", "arn:aws:iam::111122223333:role/cdk-hnb659fds-deploy-role-111122223333-eu-west-1"),
		does(denied, "s3:GetObject", "arn:aws:s3:::a-bucket/key"),
		does(denied, "s3:PutBucketPolicy", "arn:aws:s3:::a-bucket"),
		does(denied, "cloudtrail:StartQuery", strings.Replace(aStore, "0b8a2a3e", "11111111", 1)),
		does(denied, "cloudtrail:StartQuery", strings.Replace(aStore, account, stranger, 1)),
		does(denied, "cloudtrail:DeleteEventDataStore", aStore),
		does(denied, "cloudtrail:StopEventDataStoreIngestion", aStore),
		does(denied, "cloudtrail:StopLogging", "arn:aws:cloudtrail:eu-west-1:111122223333:trail/all"),
		does(denied, "cloudwatch:DescribeAlarms", "arn:aws:cloudwatch:us-east-1:111122223333:alarm:nightlatch-a-bucket-1m"),
		does(denied, "cloudwatch:DeleteAlarms", anAlarm+"nightlatch-a-bucket-1m"),
		does(denied, "cloudwatch:SetAlarmState", anAlarm+"nightlatch-a-bucket-1m"),
		does(denied, "sns:Publish", aTopic+"2"),
		does(denied, "sns:Subscribe", aTopic),
		does("ExplicitlyDenied OnlyTLS", "sns:Publish", aTopic, "aws:SecureTransport", "false"),
		does(denied, "kms:Decrypt", strings.Replace(theKey, "1234abcd", "11111111", 1)),
		does(denied, "kms:Decrypt", theKey), // by itself, and not through SNS
		does(denied, "kms:GenerateDataKey", theKey, "kms:ViaService", "sns.us-east-1.amazonaws.com"),
		does(denied, "kms:Decrypt", theKey, "kms:ViaService", "s3.eu-west-1.amazonaws.com"),
		does(denied, "kms:ScheduleKeyDeletion", theKey),
		does(denied, "logs:PutLogEvents", strings.Replace(stream, "Nightlatch", "Other", 1)),
		does(denied, "logs:DeleteLogGroup", theLog),
		does(denied, "sqs:ReceiveMessage", theQueue),
		does(denied, "sqs:SendMessage", theQueue+"2"),
		does("ExplicitlyDenied OnlyTLS", "sqs:SendMessage", theQueue, "aws:SecureTransport", "false"),
		does(denied, "lambda:InvokeFunction", theFunction),
	}
}

// switching are the calls to the one action that changes anything, where it is granted. Whatever value the tag has, it protects.
func switching(tag string) []request {
	const off = "iam:UpdateAccessKey"
	return []request{
		does("Allowed SwitchKeys", off, user+"bob"),
		does("Allowed SwitchKeys", off, user+"ops/eu/bob"),
		does("Allowed SwitchKeys", off, user+"bob", "aws:ResourceTag/team", "exports"),
		does("ExplicitlyDenied LeaveProtectedKeys", off, user+"bob", "aws:ResourceTag/"+tag, "yes"),
		does("ExplicitlyDenied LeaveProtectedKeys", off, user+"ops/bob", "aws:ResourceTag/"+tag, "false"),
		does("ExplicitlyDenied LeaveProtectedKeys", off, user+"bob", "aws:ResourceTag/"+tag, ""),
		does("ExplicitlyDenied LeaveProtectedKeys", off, user+"bob", "aws:ResourceTag/"+strings.ToUpper(tag), "yes"),
	}
}

// The role of each mode, judged by an independent simulator: it may do what its code does, and no more. Each statement decides a
// call, and each action that is granted is in one.
func TestTheRoleIsJudged(t *testing.T) {
	const breakGlass = user + "ops/break-glass"
	for name, m := range map[string]struct {
		changes []string
		calls   []request
	}{
		"observe": {[]string{"mode", "observe"}, []request{does(denied, "iam:UpdateAccessKey", user+"bob")}},
		"ask":     {nil, switching(awsaccount.ProtectTag)},
		"act": {[]string{"mode", "act", "protected", breakGlass + ",arn:aws:iam::111122223333:role/admin", "protectTag", "team:protect"},
			append(switching("team:protect"), does("ExplicitlyDenied SwitchKeysNotOfNamed", "iam:UpdateAccessKey", breakGlass),
				does("Allowed SwitchKeys", "iam:UpdateAccessKey", breakGlass+"-2"))},
	} {
		t.Run(name, func(t *testing.T) {
			tpl := synth(t, m.changes...)
			statements := statementsOf(t, tpl)
			policies := map[string]any{
				aTopic:   policyOf(t, at(t, tpl.one(t, "AWS::SNS::TopicPolicy"), "PolicyDocument", "Statement")),
				theKey:   policyOf(t, at(t, tpl.one(t, "AWS::KMS::Key"), "KeyPolicy", "Statement")),
				theQueue: policyOf(t, at(t, tpl.one(t, "AWS::SQS::QueuePolicy"), "PolicyDocument", "Statement")),
			}
			calls := append(everyMode(), m.calls...)
			asked := map[string]bool{}
			for i := range calls {
				calls[i].name, calls[i].Identity, calls[i].Policy = name, policyOf(t, statements), policies[calls[i].Resource]
				asked[calls[i].Action] = asked[calls[i].Action] || strings.HasPrefix(calls[i].want, "Allowed")
			}
			decided := judge(t, calls)
			for _, st := range statements {
				st := st.(map[string]any)
				if sid := st["Sid"].(string); !decided[sid] && sid != "KnowItself" {
					t.Errorf("no call is decided by the statement %s", sid)
				}
				for _, action := range actionsOf(st) {
					if st["Effect"] == "Allow" && !asked[action] {
						t.Errorf("%s grants %s, and no call here needs it", st["Sid"], action)
					}
				}
			}
			if name == "observe" {
				return
			}
			for _, g := range slices.Concat(cloudwatch.Grants(), lake.Grants(), awsaccount.Grants(), sns.Grants()) {
				for _, action := range g.Actions {
					if !asked[action] {
						t.Errorf("the code declares %s, and no call here needs it", action)
					}
				}
			}
		})
	}
}

func actionsOf(st map[string]any) []string {
	var out []string
	list, many := st["Action"].([]any)
	if !many {
		list = []any{st["Action"]}
	}
	for _, a := range list {
		out = append(out, a.(string))
	}
	return out
}
