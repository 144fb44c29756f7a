package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nightlatch/internal/containment/awsaccount"
	"nightlatch/internal/grant/granttest"
)

// called are the calls that a function made in the tests of the whole program (lambdas/…/testdata/calls.json), with this stack's names.
func called(t *testing.T, function string) []request {
	t.Helper()
	fill := strings.NewReplacer("${EventDataStore}", aStore, "${Topic}", aTopic, "${Account}", account, "${Region}", "eu-west-1",
		":alarm:*", ":alarm:an alarm of the team's own") // a call about all is about any
	var out []request
	for _, c := range granttest.Read(t, filepath.Join("..", "lambdas", function, "testdata", "calls.json")) {
		r := does("", c.Action, fill.Replace(c.Resource))
		for key, value := range c.Context {
			r.Context[key] = fill.Replace(value)
		}
		out = append(out, r)
	}
	return out
}

// wanting has recorded calls allowed by the statement that lists their action.
func wanting(calls []request, statements []any) []request {
	for i, c := range calls {
		calls[i].want = "Allowed"
		for _, st := range statements {
			if st := st.(map[string]any); st["Effect"] == "Allow" && slices.Contains(actionsOf(st), c.Action) {
				calls[i].want += " " + st["Sid"].(string)
			}
		}
		switch c.Action {
		case "sts:GetCallerIdentity": // to everybody: its statement decides nothing
			calls[i].want = "Allowed"
		case "cloudwatch:DescribeAlarmContributors": // too new for the lists of the simulator and of cfn-lint
			calls[i].want = "Allowed, an unknown action"
		}
	}
	return calls
}

// madeForIt are the calls that no test of a program can record, because AWS makes them with the function's role: Lambda writes the
// log and keeps the events that failed, and SNS uses the topic's key.
func madeForIt(log string) []request {
	stream := log + ":log-stream:2026/03/04/[$LATEST]0123456789abcdef"
	return []request{
		does("Allowed AccountDecides EncryptForTheTeam", "kms:GenerateDataKey", theKey, "kms:ViaService", "sns.eu-west-1.amazonaws.com"),
		does("Allowed AccountDecides EncryptForTheTeam", "kms:Decrypt", theKey, "kms:ViaService", "sns.eu-west-1.amazonaws.com"),
		does("Allowed WriteItsLog", "logs:CreateLogStream", stream),
		does("Allowed WriteItsLog", "logs:PutLogEvents", stream),
		does("Allowed KeepFailedEvents", "sqs:SendMessage", theQueue),
		does(denied, "logs:PutLogEvents", strings.Replace(stream, "Nightlatch", "Other", 1)),
		does(denied, "logs:DeleteLogGroup", log),
		does(denied, "sqs:ReceiveMessage", theQueue),
		does(denied, "sqs:SendMessage", theQueue+"2"),
		does("ExplicitlyDenied OnlyTLS", "sqs:SendMessage", theQueue, "aws:SecureTransport", "false"),
		does(denied, "sns:Publish", aTopic+"2"),
		does(denied, "sns:Subscribe", aTopic),
		does("ExplicitlyDenied OnlyTLS", "sns:Publish", aTopic, "aws:SecureTransport", "false"),
		does(denied, "kms:Decrypt", strings.Replace(theKey, "1234abcd", "11111111", 1)),
		does(denied, "kms:Decrypt", theKey), // by itself, and not through SNS
		does(denied, "kms:GenerateDataKey", theKey, "kms:ViaService", "sns.us-east-1.amazonaws.com"),
		does(denied, "kms:Decrypt", theKey, "kms:ViaService", "s3.eu-west-1.amazonaws.com"),
		does(denied, "kms:ScheduleKeyDeletion", theKey),
	}
}

// neverTheResponder are calls that the responder must not be let to make in any mode.
func neverTheResponder() []request {
	return []request{
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
		does(denied, "iam:PutRolePolicy", "arn:aws:iam::111122223333:role/cdk-hnb659fds-cfn-exec-role-111122223333-eu-west-1"),
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

// neverTheEnroller are calls that the enroller must not be let to make.
func neverTheEnroller() []request {
	const bucket = "arn:aws:s3:::a-bucket"
	return []request{
		does(denied, "s3:GetMetricsConfiguration", "arn:aws:s3:::theirs", "aws:ResourceAccount", stranger),
		does(denied, "s3:PutMetricsConfiguration", "arn:aws:s3:::theirs", "aws:ResourceAccount", stranger),
		does(denied, "s3:GetObject", bucket+"/key", "aws:ResourceAccount", account),
		does(denied, "s3:ListBucket", bucket, "aws:ResourceAccount", account),
		does(denied, "s3:PutBucketPolicy", bucket, "aws:ResourceAccount", account),
		does(denied, "s3:DeleteBucket", bucket, "aws:ResourceAccount", account),
		does(denied, "iam:UpdateAccessKey", user+"bob"),
		does(denied, "iam:GetUser", user+"bob"),
		does(denied, "cloudtrail:StartQuery", aStore),
		does(denied, "cloudwatch:DeleteAlarms", anAlarm+"nightlatch-a-bucket-1m"),
		does(denied, "lambda:InvokeFunction", theFunction),
	}
}

// The role of each function, judged by an independent simulator: it may do every call that its code made in the tests of the whole
// program, and no other. No action is granted that none of those calls needs, but for what AWS does with the role by itself; each
// statement decides a call, and each condition of it is put to the test.
func TestTheRoleIsJudged(t *testing.T) {
	const breakGlass = user + "ops/break-glass"
	responder := func(more ...request) []request {
		return slices.Concat(madeForIt(theLog), neverTheResponder(), more)
	}
	for name, m := range map[string]struct {
		function string
		changes  []string
		calls    []request // beside those that its code makes
	}{
		"observe": {"responder", []string{"mode", "observe"}, responder()},
		"ask":     {"responder", nil, responder(switching(awsaccount.ProtectTag)...)},
		"act": {"responder", []string{"mode", "act", "protected", breakGlass + ",arn:aws:iam::111122223333:role/admin", "protectTag", "team:protect"},
			responder(append(switching("team:protect"), does("ExplicitlyDenied SwitchKeysNotOfNamed", "iam:UpdateAccessKey", breakGlass),
				does("Allowed SwitchKeys", "iam:UpdateAccessKey", breakGlass+"-2"))...)},
		"every bucket":  {"enroller", []string{"buckets", "*"}, slices.Concat(madeForIt(theEnrollersLog), neverTheEnroller())},
		"named buckets": {"enroller", nil, slices.Concat(madeForIt(theEnrollersLog), neverTheEnroller())},
	} {
		t.Run(name, func(t *testing.T) {
			tpl := synth(t, m.changes...)
			role := map[string]string{"responder": "ResponderRole", "enroller": "EnrollerRole"}[m.function]
			statements := at(t, tpl.named(t, "AWS::IAM::Role", role), "Policies", 0, "PolicyDocument", "Statement").([]any)
			policies := map[string]any{
				aTopic:   policyOf(t, at(t, tpl.one(t, "AWS::SNS::TopicPolicy"), "PolicyDocument", "Statement")),
				theKey:   policyOf(t, at(t, tpl.one(t, "AWS::KMS::Key"), "KeyPolicy", "Statement")),
				theQueue: policyOf(t, at(t, tpl.one(t, "AWS::SQS::QueuePolicy"), "PolicyDocument", "Statement")),
			}
			recorded := wanting(called(t, m.function), statements)
			for i, c := range recorded {
				if name == "observe" && c.Action == "iam:UpdateAccessKey" { // what the others do, this mode has no right to
					recorded[i].want = denied
				}
			}
			calls := append(recorded, m.calls...)
			used := map[string]bool{}
			for i := range calls {
				calls[i].name, calls[i].Identity, calls[i].Policy = name, policyOf(t, statements), policies[calls[i].Resource]
				used[calls[i].Action] = used[calls[i].Action] || strings.HasPrefix(calls[i].want, "Allowed")
			}
			decided := judge(t, calls)
			for _, st := range statements {
				st := st.(map[string]any)
				if sid := st["Sid"].(string); !decided[sid] && sid != "KnowItself" {
					t.Errorf("no call is decided by the statement %s", sid)
				}
				for _, action := range actionsOf(st) {
					if st["Effect"] == "Allow" && !used[action] {
						t.Errorf("%s grants %s, and no test of the whole program needs it", st["Sid"], action)
					}
				}
			}
			everyConditionIsTried(t, calls, func(c request) any { return c.Identity })
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
