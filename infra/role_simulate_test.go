package main

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"nightlatch/internal/containment/awsaccount"
	"nightlatch/internal/grant/granttest"
)

// called are the calls that a function made in the tests of the whole program (lambdas/…/testdata/calls.json), with this stack's names.
func called(t *testing.T, function string) []request { return calledBy(t, function, "calls.json") }

// calledBy are those of one of its files.
func calledBy(t *testing.T, function, file string) []request {
	t.Helper()
	fill := strings.NewReplacer("${EventDataStore}", aStore, "${Topic}", aTopic, "${Watch}", aWatch, "${Table}", theTable, "${ScheduleGroup}", stackName, "${ScheduleRole}", theScheduleRole, "${Trail}", aTrail, "${Account}", account, "${Region}", "eu-west-1",
		":alarm:*", ":alarm:an alarm of the team's own", "alarm-mute-rule:*", "alarm-mute-rule:quiet", "${StackID}", theStack, "${Heartbeat}", aBeat, "${CaseBucket}", "arn:aws:s3:::"+theCases, "${ResultBucket}", theResults,
		"${CanaryUser}", theCanary, "${CanaryBucket}", theCanaryBucket, "${CanarySecret}", theCanarySecret, "${CanaryFunction}", theCanaryReads) // a call about all is about any
	var out []request
	for _, c := range granttest.Read(t, filepath.Join("..", "lambdas", function, "testdata", file)) {
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
			if st := st.(map[string]any); st["Effect"] == "Allow" && slices.Contains(actionsOf(st), c.Action) && covers(st, c) {
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

// covers reports whether a statement is on a call's resource: two may list one action, on a table and on its index, or on some of its items,
// or on a topic of ours and on a chat's.
func covers(st map[string]any, c request) bool {
	on, _ := st["Resource"].([]any)
	if when, _ := st["Condition"].(map[string]any); when != nil && c.Context["dynamodb:LeadingKeys"] != "" {
		for _, keys := range when {
			key, _ := keys.(map[string]any)["dynamodb:LeadingKeys"].(string)
			if prefix, star := strings.CutSuffix(key, "*"); c.Context["dynamodb:LeadingKeys"] != key && !(star && strings.HasPrefix(c.Context["dynamodb:LeadingKeys"], prefix)) {
				return false
			}
		}
	}
	if strings.HasPrefix(c.Resource, "${TrailBucket}") && (c.Action == "s3:GetObject" || c.Action == "s3:ListBucket") { // what Athena reads is no call of the function's
		return strings.HasPrefix(st["Sid"].(string), "TryTo")
	}
	if c.Action == "s3:GetBucketPolicy" && !strings.HasPrefix(c.Resource, "arn:aws:s3:::"+theCases) { // the doctor reads that of its stack's buckets, too
		return st["Sid"] != "ReadItsBuckets"
	}
	if strings.HasPrefix(c.Resource, "arn:aws:s3:::"+theCases) || strings.HasPrefix(c.Resource, theResults) { // the buckets of Athena have the same actions
		if when, _ := st["Condition"].(map[string]any); when["ForAnyValue:StringEquals"] != nil { // these calls are no one's but the function's
			return false
		}
		return slices.ContainsFunc(on, func(pattern any) bool {
			return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern.(string)), `\*`, ".*") + "$").MatchString(c.Resource)
		})
	}
	return !strings.Contains(c.Resource, ":dynamodb:") && c.Action != "sns:Publish" || slices.Contains(on, any(c.Resource))
}

// madeForIt are the calls that no test of a program can record, because AWS makes them with the function's role: Lambda writes the
// log and keeps the events that failed, and SNS uses the topic's key.
func madeForIt(log string) []request {
	all := madeForApprover(log)
	if log == theEnrollersLog { // it notifies the team alone
		all = slices.DeleteFunc(all, func(c request) bool { return c.Resource == theWatchKey })
	}
	return append(all, does("Allowed KeepFailedEvents", "sqs:SendMessage", theQueue), does("ExplicitlyDenied OnlyTLS", "sqs:SendMessage", theQueue, "aws:SecureTransport", "false"))
}

// madeForApprover are those of a function without asynchronous events.
func madeForApprover(log string) []request {
	stream := log + ":log-stream:2026/03/04/[$LATEST]0123456789abcdef"
	return []request{
		does("Allowed AccountDecides EncryptForTheTeam", "kms:GenerateDataKey", theKey, "kms:ViaService", "sns.eu-west-1.amazonaws.com"),
		does("Allowed AccountDecides EncryptForTheTeam", "kms:Decrypt", theKey, "kms:ViaService", "sns.eu-west-1.amazonaws.com"),
		does("Allowed AccountDecides EncryptForTheWatchers", "kms:GenerateDataKey", theWatchKey, "kms:ViaService", "sns.eu-west-1.amazonaws.com"),
		does("Allowed AccountDecides EncryptForTheWatchers", "kms:Decrypt", theWatchKey, "kms:ViaService", "sns.eu-west-1.amazonaws.com"),
		does(denied, "kms:Decrypt", theWatchKey),
		does("Allowed WriteItsLog", "logs:CreateLogStream", stream),
		does("Allowed WriteItsLog", "logs:PutLogEvents", stream),
		does(denied, "logs:PutLogEvents", strings.Replace(stream, "Nightlatch", "Other", 1)),
		does(denied, "logs:DeleteLogGroup", log),
		does(denied, "sqs:ReceiveMessage", theQueue),
		does(denied, "sqs:SendMessage", theQueue+"2"),
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
		does(denied, "s3:GetMetricsConfiguration", "arn:aws:s3:::theirs", "aws:ResourceAccount", stranger),
		does(denied, "s3:PutMetricsConfiguration", "arn:aws:s3:::a-bucket", "aws:ResourceAccount", account),
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

// neverToKept are calls about incidents and schedules that neither of those who keep them must be let to make.
func neverToKept() []request {
	return []request{
		does(denied, "dynamodb:DeleteItem", theTable),
		does(denied, "dynamodb:UpdateItem", theTable),
		does(denied, "dynamodb:Scan", theTable),
		does(denied, "dynamodb:DeleteTable", theTable),
		does(denied, "dynamodb:UpdateTimeToLive", theTable),
		does(denied, "dynamodb:PutResourcePolicy", theTable),
		does(denied, "dynamodb:PutItem", theTable+"2"),
		does(denied, "scheduler:CreateSchedule", "arn:aws:scheduler:eu-west-1:111122223333:schedule/default/desk"),
		does(denied, "scheduler:DeleteSchedule", "arn:aws:scheduler:eu-west-1:111122223333:schedule/"+stackName+"/desk"),
		does(denied, "scheduler:UpdateSchedule", "arn:aws:scheduler:eu-west-1:111122223333:schedule/"+stackName+"/desk"),
		does(denied, "iam:PassRole", theScheduleRole, "iam:PassedToService", "lambda.amazonaws.com"),
		does(denied, "sts:AssumeRole", theScheduleRole),
	}
}

// neverTheApprover are calls that the approver must not be let to make: it takes an approval, and does nothing itself.
func neverTheApprover() []request {
	return append(slices.DeleteFunc(neverTheResponder(), func(c request) bool { return c.Action == "cloudwatch:DescribeAlarms" }),
		does(denied, "iam:UpdateAccessKey", user+"bob"),
		does(denied, "iam:GetRole", "arn:aws:iam::111122223333:role/etl"),
		does(denied, "sqs:SendMessage", theQueue),
		does(denied, "cloudwatch:GetMetricData", "*"))
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

// madeForTeller are the calls that Lambda makes with the role of the function that tells of tampering: it takes what is in its queue. SNS uses
// the keys of both topics.
func madeForTeller() []request {
	return append(slices.DeleteFunc(madeForApprover(theTellersLog), func(c request) bool { return c.Resource == theQueue }),
		does("Allowed TakeNotices", "sqs:ReceiveMessage", theNotices),
		does("Allowed TakeNotices", "sqs:DeleteMessage", theNotices),
		does("Allowed TakeNotices", "sqs:GetQueueAttributes", theNotices),
	)
}

// neverTheTeller are calls that the function that tells of tampering must not be let to make: it reads what others write, and tells.
func neverTheTeller() []request {
	return []request{
		does(denied, "sqs:ReceiveMessage", theQueue),
		does("ExplicitlyDenied NobodyElseSends", "sqs:SendMessage", theNotices),
		does(denied, "sqs:SendMessage", theQueue),
		does(denied, "sqs:PurgeQueue", theNotices),
		does(denied, "sns:Subscribe", aWatch),
		does(denied, "dynamodb:PutItem", theTable, "dynamodb:LeadingKeys", "incident#1"),
		does(denied, "dynamodb:PutItem", theTable, "dynamodb:LeadingKeys", "brakes"),
		does(denied, "dynamodb:PutItem", theTable, "dynamodb:LeadingKeys", "notices2"),
		does(denied, "dynamodb:GetItem", theTable, "dynamodb:LeadingKeys", "brakes"),
		does(denied, "dynamodb:DeleteItem", theTable, "dynamodb:LeadingKeys", "notices"),
		does(denied, "dynamodb:Scan", theTable),
		does(denied, "iam:UpdateAccessKey", user+"bob"),
		does(denied, "s3:GetObject", "arn:aws:s3:::a-bucket/key"),
		does(denied, "lambda:InvokeFunction", theFunction),
	}
}

// madeForKeeper are those that Lambda makes with the keeper's role, and what takes back the parts of a list that failed.
func madeForKeeper() []request {
	const cases, stream = "arn:aws:s3:::" + theCases, theTable + "/stream/2026-03-04T00:00:00.000"
	var all []request
	for _, c := range madeForIt(theKeepersLog) { // it publishes to no topic
		if !strings.HasPrefix(c.Action, "kms:") && !strings.HasPrefix(c.Action, "sns:") {
			all = append(all, c)
		}
	}
	for _, action := range []string{"DescribeStream", "GetRecords", "GetShardIterator"} {
		all = append(all, does("Allowed TakeStream", "dynamodb:"+action, stream))
	}
	return append(all, does("Allowed ListStreams", "dynamodb:ListStreams", "*"),
		does("Allowed ReadManagedPolicies", "iam:GetPolicyVersion", "arn:aws:iam::aws:policy/AdministratorAccess"),
		does("Allowed WriteCases", "s3:AbortMultipartUpload", cases+"/20260304-120000-0011/taken.csv.gz"),
		does("Allowed LoadIncidents", "dynamodb:Query", theTable, "dynamodb:LeadingKeys", "incident#1"),
		does("ExplicitlyDenied OnlyTLS", "s3:PutObject", cases+"/20260304-120000-0011/page.html", "aws:SecureTransport", "false"))
}

// neverTheKeeper are calls that the keeper must not be let to make: it writes case folders, deletes none, and changes nothing else.
func neverTheKeeper() []request {
	const cases, folder = "arn:aws:s3:::" + theCases, "arn:aws:s3:::" + theCases + "/20260304-120000-0011/"
	return append(neverTheResponder(),
		does("ExplicitlyDenied NobodyDeletes", "s3:DeleteObject", folder+"page.html"),
		does("ExplicitlyDenied NobodyDeletes", "s3:DeleteObjectVersion", folder+"page.html"),
		does("ExplicitlyDenied NobodySetsTheirLifetime", "s3:PutLifecycleConfiguration", cases),
		does(denied, "s3:GetObject", folder+"taken.csv.gz"),
		does(denied, "s3:PutObject", "arn:aws:s3:::"+theCases+"-2/x"),
		does(denied, "s3:PutObject", "arn:aws:s3:::a-bucket/x"),
		does(denied, "s3:PutBucketPolicy", cases),
		does(denied, "s3:PutBucketVersioning", cases),
		does(denied, "s3:PutBucketObjectLockConfiguration", cases),
		does(denied, "s3:PutObjectRetention", folder+"page.html"),
		does(denied, "s3:ListBucket", "arn:aws:s3:::a-bucket"),
		does("ExplicitlyDenied OnlyOursWrite", "dynamodb:PutItem", theTable, "dynamodb:LeadingKeys", "incident#1"),
		does("ExplicitlyDenied OnlyOursWrite", "dynamodb:DeleteItem", theTable, "dynamodb:LeadingKeys", "incident#1"),
		does(denied, "dynamodb:Query", theTable, "dynamodb:LeadingKeys", "brakes"),
		does(denied, "dynamodb:Scan", theTable),
		does(denied, "dynamodb:GetRecords", strings.Replace(theTable, "Nightlatch", "Other", 1)+"/stream/x"),
		does(denied, "iam:UpdateAccessKey", user+"bob"),
		does(denied, "s3:GetBucketAcl", "arn:aws:s3:::theirs", "aws:ResourceAccount", stranger),
		does(denied, "s3:PutBucketAcl", "arn:aws:s3:::a-bucket", "aws:ResourceAccount", account),
		does(denied, "s3:PutAccountPublicAccessBlock", "*"),
		does(denied, "iam:GetPolicyVersion", "arn:aws:iam::444455556666:policy/theirs"),
		does(denied, "iam:PutGroupPolicy", "arn:aws:iam::111122223333:group/staff"),
		does(denied, "iam:SetDefaultPolicyVersion", "arn:aws:iam::111122223333:policy/staff"),
		does("ExplicitlyDenied NobodyElsePublishes", "sns:Publish", aTopic),
		does(denied, "sqs:ReceiveMessage", theQueue),
		does(denied, "scheduler:CreateSchedule", "arn:aws:scheduler:eu-west-1:111122223333:schedule/"+stackName+"/desk"))
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
		does(denied, "dynamodb:PutItem", theTable, "dynamodb:LeadingKeys", "incident#1"), // of the table it has its turns alone
		does(denied, "dynamodb:PutItem", theTable, "dynamodb:LeadingKeys", "brakes"),
		does(denied, "dynamodb:GetItem", theTable, "dynamodb:LeadingKeys", "turn#sns:"+aTopic),
		does(denied, "dynamodb:Query", theTable, "dynamodb:LeadingKeys", "incident#1"),
		does(denied, "cloudtrail:StartQuery", aStore),
		does(denied, "cloudwatch:DeleteAlarms", anAlarm+"nightlatch-a-bucket-1m"),
		does(denied, "lambda:InvokeFunction", theFunction),
	}
}

// channelling are the calls that channels beside topics need, and others like them.
func channelling() []request {
	const webhook = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:nightlatch/webhook-AbCdEf"
	return []request{
		does("Allowed ReadTheWebhook", "secretsmanager:GetSecretValue", webhook),
		does("Allowed ReadSlacksURL", "secretsmanager:GetSecretValue", strings.Replace(webhook, "webhook", "slack", 1)),
		does("Allowed PutEvents", "events:PutEvents", "arn:aws:events:eu-west-1:111122223333:event-bus/soc"),
		does(denied, "events:PutEvents", "arn:aws:events:eu-west-1:111122223333:event-bus/default"),
		does("Allowed TellTheChat", "sns:Publish", "arn:aws:sns:eu-west-1:111122223333:chat"),
		does(denied, "sns:Publish", "arn:aws:sns:eu-west-1:111122223333:others"),
		does(denied, "secretsmanager:PutSecretValue", webhook),
		does(denied, "secretsmanager:GetSecretValue", strings.Replace(webhook, "webhook", "password", 1)),
	}
}

// neverTheDoctor are calls that the doctor must not be let to make: it looks, and remembers what it told.
func neverTheDoctor() []request {
	other := func(arn string) string { return strings.Replace(arn, "Nightlatch-", "Other-", 1) }
	return append(slices.DeleteFunc(neverTheResponder(), func(c request) bool { return c.Action == "cloudwatch:DescribeAlarms" }),
		does(denied, "iam:UpdateAccessKey", user+"bob"),
		does(denied, "iam:GetRolePolicy", "arn:aws:iam::111122223333:role/admin"),
		does(denied, "iam:PutRolePolicy", "arn:aws:iam::111122223333:role/Nightlatch-DoctorRole-x1"),
		does(denied, "sqs:ReceiveMessage", theQueue),
		does(denied, "sqs:DeleteMessage", theQueue),
		does(denied, "sqs:GetQueueAttributes", other(theQueue)),
		does(denied, "sns:SetSubscriptionAttributes", aTopic),
		does(denied, "sns:Unsubscribe", aTopic),
		does(denied, "sns:ListSubscriptionsByTopic", other(aTopic)),
		does(denied, "cloudwatch:PutMetricAlarm", anAlarm+"nightlatch-a-bucket-1m"),
		does(denied, "cloudwatch:PutAlarmMuteRule", "arn:aws:cloudwatch:eu-west-1:111122223333:alarm-mute-rule:quiet"),
		does(denied, "cloudformation:UpdateStack", theStack),
		does(denied, "cloudformation:GetTemplate", strings.Replace(theStack, "stack/Nightlatch/", "stack/Other/", 1)),
		does(denied, "secretsmanager:GetSecretValue", strings.Replace(aBeat, "heartbeat", "password", 1)),
		does(denied, "secretsmanager:PutSecretValue", aBeat),
		does(denied, "cloudtrail:StopLogging", aTrail),
		does(denied, "lambda:GetFunction", theFunction), // which has a link to the code in it
		does(denied, "lambda:GetFunctionConfiguration", other(theFunction)),
		does(denied, "lambda:UpdateFunctionCode", theFunction),
		does(denied, "lambda:PutFunctionConcurrency", theFunction),
		does(denied, "lambda:UpdateEventSourceMapping", "arn:aws:lambda:eu-west-1:111122223333:event-source-mapping:0c1d2e3f-0000-4000-8000-0123456789ab"),
		does(denied, "iam:SimulatePrincipalPolicy", "arn:aws:iam::111122223333:role/admin"),
		does(denied, "s3:GetObject", "arn:aws:s3:::"+theCases+"/20260304-120000-0011/page.html"),
		does(denied, "s3:GetBucketPolicy", "arn:aws:s3:::a-bucket"),
		does(denied, "s3:PutBucketVersioning", "arn:aws:s3:::"+theCases),
		does(denied, "dynamodb:UpdateContinuousBackups", theTable),
		does(denied, "scheduler:DeleteScheduleGroup", "arn:aws:scheduler:eu-west-1:111122223333:schedule-group/"+stackName),
		does(denied, "dynamodb:PutItem", theTable, "dynamodb:LeadingKeys", "incident#1"),
		does(denied, "dynamodb:PutItem", theTable, "dynamodb:LeadingKeys", "brakes"),
		does(denied, "dynamodb:GetItem", theTable, "dynamodb:LeadingKeys", "incident#1"),
		does(denied, "dynamodb:DeleteItem", theTable, "dynamodb:LeadingKeys", "doctor"))
}

// The role of each function, judged by an independent simulator: it may do every call that its code made in the tests of the whole
// program, and no other. No action is granted that none of those calls needs, but for what AWS does with the role by itself. Each
// statement decides a call, and each condition of it is put to the test.
func TestTheRoleIsJudged(t *testing.T) {
	const breakGlass = user + "ops/break-glass"
	responder := func(more ...request) []request {
		signIn := []request{does("Allowed KnowHowUsersSignIn", "iam:GetLoginProfile", user+"bob"), does("Allowed KnowHowUsersSignIn", "iam:ListMFADevices", user+"bob"),
			does(denied, "iam:GetLoginProfile", "arn:aws:iam::444455556666:user/mallory")}
		return slices.Concat(madeForIt(theLog), neverTheResponder(), neverToKept(), signIn, more)
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
		"act, by a pattern": {"responder", []string{"mode", "act", "protected", "arn:aws:iam::*:user/ops/break-*"},
			responder(append(switching(awsaccount.ProtectTag), does("ExplicitlyDenied SwitchKeysNotOfNamed", "iam:UpdateAccessKey", breakGlass), does("ExplicitlyDenied SwitchKeysNotOfNamed", "iam:UpdateAccessKey", breakGlass+"-2"),
				does("Allowed SwitchKeys", "iam:UpdateAccessKey", user+"ops/brea"))...)},
		"approver": {"approver", []string{"mode", "act"}, slices.Concat(madeForApprover(theApproversLog), neverTheApprover(), neverToKept())},
		"athena": {"responder", onlyAthena(aTrail, "mode", "act"), responder(slices.Concat(switching(awsaccount.ProtectTag),
			askingAthena("arn:aws:s3:::files", lookedUp["Folder"]), underAKey(lookedUp["Key"]))...)},
		"both engines":       {"responder", []string{"trail", made}, responder(append(switching(awsaccount.ProtectTag), askingAthena(theFiles, "AWSLogs/")...)...)},
		"athena's approver":  {"approver", onlyAthena(made), slices.Concat(madeForApprover(theApproversLog), neverTheApprover(), neverToKept(), askingAthena(theFiles, "AWSLogs/"))},
		"a trail":            {"enroller", onlyAthena(aTrail), slices.Concat(madeForIt(theEnrollersLog), neverTheEnroller(), readingTrails(aTrail))},
		"channels":           {"responder", []string{"mode", "act", "webhook", "nightlatch/webhook", "slack", "nightlatch/slack", "events", "soc", "chat", "arn:aws:sns:eu-west-1:111122223333:chat"}, responder(append(switching(awsaccount.ProtectTag), channelling()...)...)},
		"channels' approver": {"approver", []string{"mode", "act", "webhook", "nightlatch/webhook", "slack", "nightlatch/slack", "events", "soc", "chat", "arn:aws:sns:eu-west-1:111122223333:chat"}, slices.Concat(madeForApprover(theApproversLog), neverTheApprover(), neverToKept(), channelling())},
		"the cutter":         {"cutter", cutting, ordered()},
		"notices":            {"notices", nil, slices.Concat(madeForTeller(), neverTheTeller())},
		"the doctor": {"doctor", []string{"trail", aTrail, "heartbeat", "nightlatch/heartbeat"}, slices.Concat(madeForIt(theDoctorsLog), neverTheDoctor(),
			readingByItself(askingAthena("arn:aws:s3:::files", lookedUp["Folder"])), underAKey(lookedUp["Key"]), []request{
				does("Allowed SeeRehearsals", "dynamodb:GetItem", theTable, "dynamodb:LeadingKeys", "rehearsal"), // of a stack with a canary
				does(denied, "dynamodb:PutItem", theTable, "dynamodb:LeadingKeys", "rehearsal"),
				does("Allowed KnowTheOrganization", "organizations:DescribeOrganization", "*"), does("Allowed AskCloudTrailLake", "cloudtrail:CancelQuery", aStore), does("Allowed FindBuckets", "s3:ListAllMyBuckets", "*")})},
		"the keeper":    {"keeper", []string{"trail", made, "caseLock", "90"}, slices.Concat(madeForKeeper(), neverTheKeeper(), readingResults(askingAthena(theFiles, "AWSLogs/")))},
		"the rehearser": {"rehearser", rehearsing, slices.Concat(madeForIt(theRehearsersLog), neverTheRehearser())},
		"every bucket":  {"enroller", []string{"buckets", "*"}, slices.Concat(madeForIt(theEnrollersLog), neverTheEnroller())},
		"named buckets": {"enroller", nil, slices.Concat(madeForIt(theEnrollersLog), neverTheEnroller())},
	} {
		t.Run(name, func(t *testing.T) {
			tpl := synth(t, m.changes...)
			role := map[string]string{"responder": "ResponderRole", "approver": "ApproverRole", "enroller": "EnrollerRole", "notices": "TellerRole", "doctor": "DoctorRole", "cutter": "CutterRole", "keeper": "KeeperRole", "rehearser": "RehearserRole"}[m.function]
			statements := at(t, tpl.named(t, "AWS::IAM::Role", role), "Policies", 0, "PolicyDocument", "Statement").([]any)
			policies := map[string]any{
				aTopic:      policyOf(t, at(t, tpl.named(t, "AWS::SNS::TopicPolicy", "TopicPolicy"), "PolicyDocument", "Statement")),
				aWatch:      policyOf(t, at(t, tpl.named(t, "AWS::SNS::TopicPolicy", "WatchPolicy"), "PolicyDocument", "Statement")),
				theKey:      policyOf(t, at(t, tpl.named(t, "AWS::KMS::Key", "TopicKey"), "KeyPolicy", "Statement")),
				theWatchKey: policyOf(t, at(t, tpl.named(t, "AWS::KMS::Key", "WatchKey"), "KeyPolicy", "Statement")),
				theQueue:    policyOf(t, at(t, tpl.named(t, "AWS::SQS::QueuePolicy", "FailedEventsPolicy"), "PolicyDocument", "Statement")),
				theNotices:  policyOf(t, at(t, tpl.named(t, "AWS::SQS::QueuePolicy", "NoticesPolicy"), "PolicyDocument", "Statement")),
				theTable:    policyOf(t, at(t, tpl.one(t, "AWS::DynamoDB::Table"), "ResourcePolicy", "PolicyDocument", "Statement")),
			}
			policies[lookedUp["Key"]] = document(accountDecides(home)) // as a key's policy is where the account's own speak
			for _, p := range tpl.resources("AWS::S3::BucketPolicy") {
				policies["arn:aws:s3:::"+p["Bucket"].(string)] = policyOf(t, at(t, p, "PolicyDocument", "Statement"))
			}
			recorded := wanting(called(t, m.function), statements)
			for i, c := range recorded {
				service, _, _ := strings.Cut(c.Action, ":")
				trail := slices.Contains(m.changes, "trail")
				files := theFiles
				if slices.Contains(m.changes, aTrail) {
					files = "arn:aws:s3:::files"
				}
				recorded[i].Resource = strings.NewReplacer("${TrailBucket}", files, "/AWSLogs/", "/"+lookedUp["Folder"]).Replace(c.Resource)
				if prefix := c.Context["s3:prefix"]; prefix != "" {
					recorded[i].Context["s3:prefix"] = strings.Replace(prefix, "AWSLogs/", lookedUp["Folder"], 1)
				}
				switch { // what the others do, this deployment has no right to
				case name == "observe" && c.Action == "iam:UpdateAccessKey",
					service == "cloudtrail" && m.function != "enroller" && slices.Contains(m.changes, without),
					(service == "athena" || c.Resource == "${TrailBucket}") && !trail,
					m.function == "enroller" && c.Action == "cloudtrail:GetEventDataStore" && trail:
					recorded[i].want = denied
				case m.function == "enroller" && c.Action == "cloudtrail:GetEventDataStore": // of the one store that is asked
				case m.function == "enroller" && (service == "cloudtrail" || service == "organizations") && !trail:
					recorded[i].want = denied
				}
			}
			calls := append(recorded, m.calls...)
			used := map[string]bool{}
			for i := range calls {
				calls[i].name, calls[i].Identity, calls[i].Policy = name, policyOf(t, statements), policies[calls[i].Resource]
				if bucket, _, ok := strings.Cut(calls[i].Resource, "/"); ok && strings.HasPrefix(bucket, "arn:aws:s3:::") {
					calls[i].Policy = policies[bucket]
				}
				calls[i].Principal = "arn:aws:sts::111122223333:assumed-role/Nightlatch-" + role + "-x1/Nightlatch-x1"
				calls[i].Context["aws:PrincipalIsAWSService"] = "false"
				calls[i].Context["aws:PrincipalArn"] = "arn:aws:iam::111122223333:role/Nightlatch-" + role + "-x1" // which the simulator leaves to us
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

// session is a role's, whose ARN is what aws:PrincipalArn has; the simulator leaves that to us.
var session = regexp.MustCompile(`^arn:aws:sts::([0-9]+):assumed-role/([^/]+)/`)

// Incidents are changed by the two functions and nobody else, whatever his own policy lets him do; whom it lets read, reads.
func TestOnlyOursWriteIncidents(t *testing.T) {
	tpl := synth(t)
	policy := policyOf(t, at(t, tpl.one(t, "AWS::DynamoDB::Table"), "ResourcePolicy", "PolicyDocument", "Statement"))
	var calls []request
	add := func(principal, want, action string) {
		c := as(principal, everything, action, theTable)
		c.Context["aws:PrincipalArn"] = principal
		if m := session.FindStringSubmatch(principal); m != nil {
			c.Context["aws:PrincipalArn"] = "arn:aws:iam::" + m[1] + ":role/" + m[2]
		}
		c.name, c.want, c.Policy = principal, want, policy
		calls = append(calls, c)
	}
	for _, action := range []string{"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete"} {
		for _, ours := range []string{"Responder", "Approver", "Enroller", "Teller", "Doctor"} {
			add("arn:aws:sts::111122223333:assumed-role/Nightlatch-"+ours+"Role-x1/Nightlatch-"+ours+"-x1", "Allowed Everything", "dynamodb:"+action)
		}
		for _, other := range []string{"arn:aws:iam::111122223333:user/admin", "arn:aws:sts::111122223333:assumed-role/admin/eve", "arn:aws:iam::111122223333:root",
			"arn:aws:sts::111122223333:assumed-role/Nightlatch-ResponderRole-x12/x"} {
			add(other, "ExplicitlyDenied OnlyOursWrite", "dynamodb:"+action)
		}
	}
	for _, action := range []string{"GetItem", "Query", "DescribeTable", "UpdateTable"} {
		add("arn:aws:iam::111122223333:user/admin", "Allowed Everything", "dynamodb:"+action)
	}
	judge(t, calls)
}

// Scheduler takes the role for the schedules of our group alone, and can do with it what a follow-up needs.
func TestTheScheduleRoleIsJudged(t *testing.T) {
	role := synth(t).named(t, "AWS::IAM::Role", "WakesRole")
	identity := policyOf(t, at(t, role, "Policies", 0, "PolicyDocument", "Statement"))
	calls := []request{
		does("Allowed WakeTheResponder", "lambda:InvokeFunction", theFunction),
		does("Allowed KeepLostWakes", "sqs:SendMessage", theQueue),
		does(denied, "lambda:InvokeFunction", theEnroller),
		does(denied, "lambda:UpdateFunctionCode", theFunction),
		does(denied, "sqs:ReceiveMessage", theQueue),
		does(denied, "dynamodb:PutItem", theTable),
	}
	for i := range calls {
		calls[i].name, calls[i].Identity = "wakes", identity
	}
	judge(t, calls)
}

// Case folders are written by the keeper and nobody else, and deleted by nobody, whatever his own policy lets him do; whom it lets read, reads.
func TestOnlyTheKeeperWritesCases(t *testing.T) {
	policy := policyOf(t, at(t, synth(t).named(t, "AWS::S3::BucketPolicy", "CasesPolicy"), "PolicyDocument", "Statement"))
	const folder, keepers = "arn:aws:s3:::" + theCases + "/20260304-120000-0011/", "arn:aws:sts::111122223333:assumed-role/Nightlatch-KeeperRole-x1/Nightlatch-Keeper-x1"
	var calls []request
	add := func(principal, want, action, resource string) {
		c := as(principal, everything, action, resource)
		c.Context["aws:PrincipalArn"] = principal
		if m := session.FindStringSubmatch(principal); m != nil {
			c.Context["aws:PrincipalArn"] = "arn:aws:iam::" + m[1] + ":role/" + m[2]
		}
		c.name, c.want, c.Policy = principal, want, policy
		calls = append(calls, c)
	}
	add(keepers, "Allowed Everything", "s3:PutObject", folder+"page.html")
	add(keepers, "ExplicitlyDenied NobodyDeletes", "s3:DeleteObjectVersion", folder+"page.html")
	for _, other := range []string{"arn:aws:iam::111122223333:user/admin", "arn:aws:iam::111122223333:root", "arn:aws:sts::111122223333:assumed-role/Nightlatch-KeeperRole-x12/x",
		"arn:aws:sts::111122223333:assumed-role/Nightlatch-ResponderRole-x1/x"} {
		add(other, "ExplicitlyDenied OnlyTheKeeperWrites", "s3:PutObject", folder+"page.html")
		add(other, "ExplicitlyDenied OnlyTheKeeperWrites", "s3:ReplicateObject", folder+"page.html")
		add(other, "ExplicitlyDenied NobodyDeletes OnlyTheKeeperWrites", "s3:DeleteObject", folder+"page.html")
		add(other, "ExplicitlyDenied NobodyDeletes", "s3:BypassGovernanceRetention", folder+"page.html")
		add(other, "ExplicitlyDenied NobodySetsTheirLifetime", "s3:PutLifecycleConfiguration", "arn:aws:s3:::"+theCases)
		add(other, "Allowed Everything", "s3:GetObject", folder+"page.html")
	}
	judge(t, calls)
}
