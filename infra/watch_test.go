package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"nightlatch/internal/awstest"
	"nightlatch/internal/notices"
)

func TestTheResponderIsWatched(t *testing.T) {
	got := map[string][]any{}
	for _, a := range synth(t).resources("AWS::CloudWatch::Alarm") {
		name, ours := strings.CutPrefix(a["AlarmName"].(string), watchPrefix)
		if !ours {
			continue
		}
		threshold := 0.0
		if name == "notices-wait" {
			threshold = 20 * 60
		}
		if diff := gocmp.Diff(a["AlarmActions"], []any{aWatch}); diff != "" || a["TreatMissingData"] != "notBreaching" || a["Threshold"] != threshold || a["DatapointsToAlarm"] != 1.0 {
			t.Errorf("%s is %v", name, a)
		}
		got[name] = []any{a["Namespace"], a["MetricName"], at(t, a, "Dimensions", 0, "Value")}
	}
	want := map[string][]any{
		"errors":          {"AWS/Lambda", "Errors", "Nightlatch-Responder-x1"},
		"throttles":       {"AWS/Lambda", "Throttles", "Nightlatch-Responder-x1"},
		"dropped":         {"AWS/Lambda", "AsyncEventsDropped", "Nightlatch-Responder-x1"},
		"undelivered":     {"AWS/Lambda", "DestinationDeliveryFailures", "Nightlatch-Responder-x1"},
		"approver-errors": {"AWS/Lambda", "Errors", "Nightlatch-Approver-x1"},
		"enroller-errors": {"AWS/Lambda", "Errors", "Nightlatch-Enroller-x1"},
		"teller-errors":   {"AWS/Lambda", "Errors", "Nightlatch-Teller-x1"},
		"notices-wait":    {"AWS/SQS", "ApproximateAgeOfOldestMessage", "{Notices.QueueName}"},
		"keeper-errors":   {"AWS/Lambda", "Errors", "Nightlatch-Keeper-x1"},
		"doctor-errors":   {"AWS/Lambda", "Errors", "Nightlatch-Doctor-x1"},
		"failed-events":   {"AWS/SQS", "ApproximateNumberOfMessagesVisible", "{FailedEvents.QueueName}"},
	}
	if diff := gocmp.Diff(got, want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}

// matching are, for each event, the logical ids of the rules that match it, in order.
func matching(t *testing.T, rules map[string]map[string]any, events []map[string]any) [][]string {
	t.Helper()
	patterns := map[string]any{}
	for id, rule := range rules {
		if rule["EventPattern"] != nil {
			patterns[id] = rule["EventPattern"]
		}
	}
	return awstest.Matching(t, patterns, events)
}

func call(source, name, params, issuer string) map[string]any {
	var request any
	if err := json.Unmarshal([]byte(params), &request); err != nil {
		panic(err)
	}
	identity := map[string]any{"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/mallory"}
	if issuer != "" {
		identity["sessionContext"] = map[string]any{"sessionIssuer": map[string]any{"arn": issuer}}
	}
	return map[string]any{"source": source, "detail-type": "AWS API Call via CloudTrail",
		"detail": map[string]any{"eventName": name, "requestParameters": request, "userIdentity": identity}}
}

func TestTamperingIsNotified(t *testing.T) {
	const (
		deployment = "arn:aws:iam::111122223333:role/cdk-hnb659fds-cfn-exec-role-111122223333-eu-west-1"
		deployRole = "arn:aws:iam::111122223333:role/cdk-hnb659fds-deploy-role-111122223333-eu-west-1"
		cdk        = "arn:aws:iam::111122223333:role/cdk-hnb659fds-deploy-role-111122223333-eu-west-1"
		functions  = "arn:aws:lambda:eu-west-1:111122223333:function:"
		queues     = "https://sqs.eu-west-1.amazonaws.com/111122223333/"
	)
	rules := synth(t, hearing...).resources("AWS::Events::Rule")
	type tried struct{ source, name, params, rule string } // rule matches it, "" for none
	calls := []tried{
		{"aws.cloudtrail", "StopLogging", `{"name":"main"}`, "CloudTrail"},
		{"aws.cloudtrail", "DeleteTrail", `{"name":"arn:aws:cloudtrail:eu-west-1:111122223333:trail/main"}`, "CloudTrail"},
		{"aws.cloudtrail", "UpdateTrail", `{"name":"main","includeGlobalServiceEvents":false}`, "CloudTrail"},
		{"aws.cloudtrail", "PutEventSelectors", `{"trailName":"main","eventSelectors":[]}`, "CloudTrail"},
		{"aws.cloudtrail", "DeleteEventDataStore", `{"eventDataStore":"` + aStore + `"}`, "CloudTrail"},
		{"aws.cloudtrail", "UpdateEventDataStore", `{"eventDataStore":"` + aStore + `","advancedEventSelectors":[]}`, "CloudTrail"},
		{"aws.cloudtrail", "StopEventDataStoreIngestion", `{"eventDataStore":"` + aStore + `"}`, "CloudTrail"},
		{"aws.cloudtrail", "StartLogging", `{"name":"main"}`, ""},
		{"aws.cloudtrail", "StartQuery", `{"queryStatement":"SELECT 1"}`, ""},
		{"aws.monitoring", "DeleteAlarms", `{"alarmNames":["other","nightlatch-a-bucket-1m"]}`, "Alarms"},
		{"aws.monitoring", "DisableAlarmActions", `{"alarmNames":["watch-nightlatch-errors"]}`, "Alarms"},
		{"aws.monitoring", "DeleteAlarms", `{"alarmNames":["other"]}`, ""},
		{"aws.monitoring", "PutMetricAlarm", `{"alarmName":"nightlatch-a-bucket-1m","threshold":1.0E15}`, "Alarm"},
		{"aws.monitoring", "PutCompositeAlarm", `{"alarmName":"nightlatch-a-bucket-1m"}`, "Alarm"},
		{"aws.monitoring", "PutLogAlarm", `{"alarmName":"watch-nightlatch-errors"}`, "Alarm"},
		{"aws.monitoring", "SetAlarmState", `{"alarmName":"nightlatch-a-bucket-1m","stateValue":"OK"}`, "Alarm"},
		{"aws.monitoring", "PutMetricAlarm", `{"alarmName":"TargetTracking-x"}`, ""},
		{"aws.monitoring", "PutAlarmMuteRule", `{"name":"quiet"}`, "Mute"},
		{"aws.s3", "DeleteBucketMetricsConfiguration", `{"bucketName":"a-bucket","id":"nightlatch","metrics":""}`, "Metrics"},
		{"aws.s3", "PutBucketMetricsConfiguration", `{"bucketName":"a-bucket","id":"nightlatch","metrics":""}`, "Metrics"},
		{"aws.s3", "PutBucketPolicy", `{"bucketName":"a-bucket"}`, "WaysOut"},
		{"aws.s3", "PutBucketReplication", `{"bucketName":"a-bucket"}`, "WaysOut"},
		{"aws.s3", "DeleteBucketPolicy", `{"bucketName":"a-bucket"}`, "WaysOut"},
		{"aws.s3", "PutBucketAcl", `{"bucketName":"a-bucket"}`, "WaysOut"},
		{"aws.s3", "PutBucketWebsite", `{"bucketName":"a-bucket"}`, "WaysOut"},
		{"aws.s3", "PutBucketRequestPayment", `{"bucketName":"a-bucket"}`, "WaysOut"},
		{"aws.s3", "PutBucketInventoryConfiguration", `{"bucketName":"a-bucket"}`, "WaysOut"},
		{"aws.s3", "PutInventoryConfiguration", `{"bucketName":"a-bucket"}`, "WaysOut"},
		{"aws.s3", "PutBucketOwnershipControls", `{"bucketName":"a-bucket"}`, "WaysOut"},
		{"aws.s3", "PutBucketPublicAccessBlock", `{"bucketName":"a-bucket"}`, "WaysOut"},
		{"aws.s3", "DeleteBucketPublicAccessBlock", `{"bucketName":"a-bucket"}`, "WaysOut"},
		{"aws.s3", "PutPublicAccessBlock", `{"bucketName":"a-bucket"}`, "WaysOut"},
		{"aws.s3", "DeletePublicAccessBlock", `{"bucketName":"a-bucket"}`, "WaysOut"},
		{"aws.s3", "CreateAccessPoint", `{"bucket":"a-bucket","name":"ap"}`, "WaysOut"},
		{"aws.s3control", "CreateAccessPoint", `{"bucket":"a-bucket","name":"ap"}`, "WaysOut"},
		{"aws.s3", "PutAccessPointPolicy", `{"name":"ap"}`, "WaysOut"},
		{"aws.s3", "CreateAccessPointForObjectLambda", `{"name":"ap"}`, "WaysOut"},
		{"aws.s3-object-lambda", "PutAccessPointPolicyForObjectLambda", `{"name":"ap"}`, "WaysOut"},
		{"aws.s3", "CreateJob", `{"accountId":"111122223333"}`, "Jobs"},
		{"aws.s3", "CreateMultiRegionAccessPoint", `{}`, "Jobs"},
		{"aws.s3", "PutMultiRegionAccessPointPolicy", `{}`, "Jobs"},
		{"aws.s3", "PutAccountPublicAccessBlock", `{}`, "Jobs"},
		{"aws.s3control", "DeleteAccountPublicAccessBlock", `{}`, "Jobs"},
		{"aws.backup", "CreateBackupAccessPoint", `{}`, "Jobs"},
		{"aws.s3files", "CreateFileSystem", `{}`, "Files"},
		{"aws.s3files", "CreateMountTarget", `{}`, "Files"},
		{"aws.s3files", "CreateAccessPoint", `{}`, "Files"},
		{"aws.s3", "GetBucketPolicy", `{"bucketName":"a-bucket"}`, ""},
		{"aws.s3", "CreateBucket", `{"bucketName":"other"}`, ""},
		{"aws.sts", "AssumeRole", `{"roleArn":"` + deployRole + `","roleSessionName":"aws-cdk-mara"}`, "Deployers"},
		{"aws.sts", "AssumeRole", `{"roleArn":"arn:aws:iam::111122223333:role/etl","roleSessionName":"x"}`, ""},
		{"aws.cloudtrail", "PutEventConfiguration", `{"eventDataStore":"` + aStore + `"}`, "CloudTrail"},
		{"aws.monitoring", "PutMetricAlarm", `{"alarmName":"nightlatch-a-bucket-1m","warmUpConfiguration":{"durationInMinutes":2880}}`, "Alarm"},
		{"aws.lambda", "CreateFunctionUrlConfig", `{"functionName":"Nightlatch-Responder-x1","authType":"NONE"}`, "Function"},
		{"aws.lambda", "PutFunctionConcurrency20171031", `{"functionName":"Nightlatch-Teller-x1","reservedConcurrentExecutions":0}`, "Function"},
		{"aws.lambda", "PutResourcePolicy", `{"resourceArn":"` + functions + `Nightlatch-Approver-x1"}`, "FunctionPolicy"},
		{"aws.lambda", "DeleteResourcePolicy20260801", `{"resourceArn":"` + functions + `Nightlatch-Approver-x1"}`, "FunctionPolicy"},
		{"aws.lambda", "UpdateEventSourceMapping20150331", `{"uUID":"Nightlatch-NoticesTaken-x1","enabled":false}`, "Mapping"},
		{"aws.lambda", "CreateEventSourceMapping20150331", `{"eventSourceArn":"arn:aws:sqs:eu-west-1:111122223333:Nightlatch-Notices-x1","functionName":"his"}`, "Mapping"},
		{"aws.lambda", "DeleteEventSourceMapping20150331", `{"uUID":"Nightlatch-NoticesTaken-x1"}`, "Mapping"},
		{"aws.scheduler", "UpdateSchedule", `{"groupName":"Nightlatch","name":"desk"}`, "Schedule"},
		{"aws.logs", "DisassociateKmsKey", `{"logGroupName":"Nightlatch-TellerLog-x1"}`, "Log"},
		{"aws.sqs", "PurgeQueue", `{"queueUrl":"` + queues + `{Notices.QueueName}"}`, "Queue"},
		{"aws.sns", "DeleteTopic", `{"topicArn":"` + aWatch + `"}`, "Topic"},
		{"aws.sns", "PutDataProtectionPolicy", `{"resourceArn":"` + aTopic + `"}`, "TopicData"},
		{"aws.sns", "SetSMSAttributes", `{"attributes":{"MonthlySpendLimit":"1"}}`, "Texts"},
		{"aws.sns", "Subscribe", `{"topicArn":"` + aTopic + `","protocol":"https"}`, "Subscribed"},
		{"aws.sns", "ConfirmSubscription", `{"topicArn":"` + aWatch + `"}`, "Subscribed"},
		{"aws.sns", "Subscribe", `{"topicArn":"arn:aws:sns:eu-west-1:111122223333:other"}`, ""},
		{"aws.sns", "Unsubscribe", `{"subscriptionArn":"` + aWatch + `:0d3c6a5e"}`, "Subscription"},
		{"aws.kms", "DisableKey", `{"keyId":"Nightlatch-WatchKey-x1"}`, "Key"},
		{"aws.events", "DisableRule", `{"name":"Nightlatch-Tick-1ABC"}`, "Rule"},
		{"aws.cloudformation", "DeleteStack", `{"stackName":"Nightlatch-Alarms07-1ABC"}`, "Stack"},
		{"aws.cloudformation", "DeleteStack", `{"stackName":"arn:aws:cloudformation:eu-west-1:111122223333:stack/Nightlatch-Alarms07-1ABC/x"}`, "Stack"},
		{"aws.cloudformation", "ContinueUpdateRollback", `{"stackName":"Nightlatch"}`, "Stack"},
		{"aws.cloudformation", "DeleteStack", `{"stackName":"web"}`, ""},
		{"aws.iam", "DeleteRole", `{"roleName":"Nightlatch-TellerRole-x1"}`, "Role"},
		{"aws.s3", "PutBucketReplication", `{"bucketName":"files"}`, "Bucket WaysOut"},
		{"aws.s3", "PutObjectLockConfiguration", `{"bucketName":"files"}`, "Bucket"},
		{"aws.lambda", "UpdateFunctionCode20150331v2", `{"functionName":"Nightlatch-Responder-x1"}`, "Function"},
		{"aws.lambda", "UpdateFunctionConfiguration20150331v2", `{"functionName":"` + functions + `Nightlatch-Responder-x1"}`, "Function"},
		{"aws.lambda", "UpdateFunctionEventInvokeConfig", `{"functionName":"111122223333:function:Nightlatch-Enroller-x1"}`, "Function"},
		{"aws.lambda", "DeleteFunction20150331", `{"functionName":"Nightlatch-Enroller-x1"}`, "Function"},
		{"aws.lambda", "PutFunctionConcurrency20171031", `{"functionName":"Nightlatch-Responder-x1","reservedConcurrentExecutions":0}`, "Function"},
		{"aws.lambda", "RemovePermission20150331v2", `{"functionName":"Nightlatch-Responder-x1","statementId":"x"}`, "Function"},
		{"aws.lambda", "AddPermission20150331v2", `{"functionName":"Nightlatch-Responder-x1:$LATEST","principal":"*"}`, "Function"},
		{"aws.lambda", "PutRuntimeManagementConfig", `{"functionName":"Nightlatch-Responder-x1"}`, "Function"},
		{"aws.lambda", "UpdateFunctionUrlConfig", `{"functionName":"Nightlatch-Approver-x1","authType":"NONE"}`, "Function"},
		{"aws.lambda", "UpdateFunctionCode20150331v2", `{"functionName":"web"}`, ""},
		{"aws.lambda", "UpdateFunctionCode20150331v2", `{"functionName":"Nightlatch-Cutter-x1"}`, "Function"},
		{"aws.lambda", "UpdateFunctionConfiguration20150331v2", `{"functionName":"Nightlatch-Cutter-x1"}`, "Function"},
		{"aws.lambda", "PublishVersion20150331", `{"functionName":"Nightlatch-Cutter-x1"}`, "FunctionVersion"},
		{"aws.lambda", "CreateAlias20150331", `{"functionName":"` + functions + `Nightlatch-Cutter-x1"}`, "FunctionVersion"},
		{"aws.lambda", "UpdateAlias20150331", `{"functionName":"Nightlatch-Cutter-x1"}`, "FunctionVersion"},
		{"aws.lambda", "PublishVersion20150331", `{"functionName":"web"}`, ""},
		{"aws.lambda", "DeleteResourcePolicy20260801", `{"resourceArn":"` + functions + `Nightlatch-Cutter-x1"}`, "FunctionPolicy"},
		{"aws.iam", "PutRolePolicy", `{"roleName":"Nightlatch-CutterRole-x1","policyName":"cutter"}`, "Role"},
		{"aws.lambda", "UpdateEventSourceMapping20150331", `{"uUID":"Nightlatch-IncidentsKept-x1","enabled":false}`, "Mapping"},
		{"aws.s3", "PutBucketPolicy", `{"bucketName":"` + theCases + `","bucketPolicy":{}}`, "Cases WaysOut"},
		{"aws.s3", "DeleteBucketPolicy", `{"bucketName":"` + theCases + `"}`, "Cases WaysOut"},
		{"aws.s3", "PutBucketVersioning", `{"bucketName":"` + theCases + `","VersioningConfiguration":{"Status":"Suspended"}}`, "Cases"},
		{"aws.s3", "PutObjectLockConfiguration", `{"bucketName":"` + theCases + `"}`, "Cases"},
		{"aws.s3", "DeleteBucket", `{"bucketName":"` + theCases + `"}`, "Cases"},
		{"aws.s3", "DeleteBucket", `{"bucketName":"nightlatch-cases-of-others"}`, ""},
		{"aws.dynamodb", "UpdateTable", `{"tableName":"` + kept + `","streamSpecification":{"streamEnabled":false}}`, "Table"},
		{"aws.dynamodb", "DeleteTable", `{"tableName":"` + kept + `"}`, "Table"},
		{"aws.dynamodb", "UpdateTable", `{"tableName":"` + theTable + `","deletionProtectionEnabled":false}`, "Table"},
		{"aws.dynamodb", "UpdateTimeToLive", `{"tableName":"` + kept + `"}`, "Table"},
		{"aws.dynamodb", "UpdateContinuousBackups", `{"tableName":"` + kept + `"}`, "Table"},
		{"aws.dynamodb", "DeleteTable", `{"tableName":"orders"}`, ""},
		{"aws.dynamodb", "PutResourcePolicy", `{"resourceArn":"` + theTable + `","policy":"{}"}`, "TablePolicy"},
		{"aws.dynamodb", "DeleteResourcePolicy", `{"resourceArn":"` + theTable + `"}`, "TablePolicy"},
		{"aws.dynamodb", "PutResourcePolicy", `{"resourceArn":"arn:aws:dynamodb:eu-west-1:111122223333:table/orders"}`, ""},
		{"aws.scheduler", "DeleteScheduleGroup", `{}`, "Schedules"},
		{"aws.scheduler", "DeleteSchedule", `{}`, "Schedule"},
		{"aws.lambda", "GetFunctionConfiguration20150331v2", `{"functionName":"Nightlatch-Responder-x1"}`, ""},
		{"aws.logs", "DeleteLogGroup", `{"logGroupName":"Nightlatch-ResponderLog-x1"}`, "Log"},
		{"aws.logs", "DeleteLogStream", `{"logGroupName":"Nightlatch-ResponderLog-x1","logStreamName":"2026/03/04/[$LATEST]1"}`, "Log"},
		{"aws.logs", "PutRetentionPolicy", `{"logGroupName":"Nightlatch-EnrollerLog-x1","retentionInDays":1}`, "Log"},
		{"aws.logs", "AssociateKmsKey", `{"logGroupName":"Nightlatch-ResponderLog-x1","kmsKeyId":"arn:aws:kms:eu-west-1:444455556666:key/1"}`, "Log"},
		{"aws.logs", "CreateLogStream", `{"logGroupName":"Nightlatch-ResponderLog-x1","logStreamName":"2026/03/04/[$LATEST]1"}`, ""},
		{"aws.logs", "DeleteLogGroup", `{"logGroupName":"/aws/lambda/web"}`, ""},
		{"aws.sqs", "DeleteQueue", `{"queueUrl":"` + queues + `{FailedEvents.QueueName}"}`, "Queue"},
		{"aws.sqs", "PurgeQueue", `{"queueUrl":"https://eu-west-1.queue.amazonaws.com/111122223333/{FailedEvents.QueueName}"}`, "Queue"},
		{"aws.sqs", "SetQueueAttributes", `{"queueUrl":"` + queues + `{FailedEvents.QueueName}","attributes":{"Policy":""}}`, "Queue"},
		{"aws.sqs", "AddPermission", `{"queueUrl":"` + queues + `{FailedEvents.QueueName}"}`, "Queue"},
		{"aws.sqs", "RemovePermission", `{"queueUrl":"` + queues + `{FailedEvents.QueueName}"}`, "Queue"},
		{"aws.sqs", "PurgeQueue", `{"queueUrl":"` + queues + `other"}`, ""},
		{"aws.sns", "SetTopicAttributes", `{"topicArn":"` + aTopic + `","attributeName":"Policy"}`, "Topic"},
		{"aws.sns", "DeleteTopic", `{"topicArn":"` + aTopic + `"}`, "Topic"},
		{"aws.sns", "AddPermission", `{"topicArn":"` + aTopic + `","label":"x"}`, "Topic"},
		{"aws.sns", "RemovePermission", `{"topicArn":"` + aTopic + `","label":"x"}`, "Topic"},
		{"aws.sns", "DeleteTopic", `{"topicArn":"arn:aws:sns:eu-west-1:111122223333:other"}`, ""},
		{"aws.sns", "Unsubscribe", `{"subscriptionArn":"` + aTopic + `:0d3c6a5e"}`, "Subscription"},
		{"aws.sns", "SetSubscriptionAttributes", `{"subscriptionArn":"` + aTopic + `:0d3c6a5e","attributeName":"FilterPolicy"}`, "Subscription"},
		{"aws.kms", "DisableKey", `{"keyId":"arn:aws:kms:eu-west-1:111122223333:key/Nightlatch-TopicKey-x1"}`, "Key"},
		{"aws.kms", "ScheduleKeyDeletion", `{"keyId":"Nightlatch-TopicKey-x1","pendingWindowInDays":7}`, "Key"},
		{"aws.kms", "PutKeyPolicy", `{"keyId":"Nightlatch-TopicKey-x1","policyName":"default"}`, "Key"},
		{"aws.kms", "DisableKey", `{"keyId":"0b8a2a3e"}`, ""},
		{"aws.events", "DisableRule", `{"name":"Nightlatch-Rings-1ABC"}`, "Rule"},
		{"aws.events", "DeleteRule", `{"name":"Nightlatch-Rings-1ABC","force":false}`, "Rule"},
		{"aws.events", "PutRule", `{"name":"Nightlatch-Rings-1ABC","state":"DISABLED"}`, "Rule"},
		{"aws.events", "RemoveTargets", `{"rule":"Nightlatch-Rings-1ABC","ids":["responder"]}`, "Target"},
		{"aws.events", "PutTargets", `{"rule":"Nightlatch-Rings-1ABC","targets":[]}`, "Target"},
		{"aws.events", "RemoveTargets", `{"rule":"other"}`, ""},
		{"aws.events", "PutPermission", `{"statementId":"his","action":"events:PutEvents","principal":"444455556666"}`, "Bus"},
		{"aws.events", "RemovePermission", `{"statementId":"ours","eventBusName":"default"}`, "Bus"},
		{"aws.cloudformation", "DeleteStack", `{"stackName":"Nightlatch"}`, "Stack"},
		{"aws.cloudformation", "UpdateStack", `{"stackName":"` + theStack + `"}`, "Stack"},
		{"aws.cloudformation", "CreateChangeSet", `{"stackName":"Nightlatch","changeSetName":"x"}`, "Stack"},
		{"aws.cloudformation", "ExecuteChangeSet", `{"stackName":"Nightlatch","changeSetName":"x"}`, "Stack"},
		{"aws.cloudformation", "RollbackStack", `{"stackName":"Nightlatch"}`, "Stack"},
		{"aws.cloudformation", "CancelUpdateStack", `{"stackName":"Nightlatch"}`, "Stack"},
		{"aws.cloudformation", "SetStackPolicy", `{"stackName":"Nightlatch"}`, "Stack"},
		{"aws.cloudformation", "UpdateTerminationProtection", `{"stackName":"Nightlatch","enableTerminationProtection":false}`, "Stack"},
		{"aws.cloudformation", "DescribeStacks", `{"stackName":"Nightlatch"}`, ""},
		{"aws.iam", "PutRolePolicy", `{"roleName":"Nightlatch-ResponderRole-x1","policyName":"responder"}`, "Role"},
		{"aws.iam", "DeleteRolePolicy", `{"roleName":"Nightlatch-EnrollerRole-x1","policyName":"enroller"}`, "Role"},
		{"aws.iam", "AttachRolePolicy", `{"roleName":"Nightlatch-ResponderRole-x1","policyArn":"arn:aws:iam::aws:policy/AWSDenyAll"}`, "Role"},
		{"aws.iam", "DetachRolePolicy", `{"roleName":"Nightlatch-ResponderRole-x1"}`, "Role"},
		{"aws.iam", "PutRolePermissionsBoundary", `{"roleName":"Nightlatch-ResponderRole-x1"}`, "Role"},
		{"aws.iam", "DeleteRolePermissionsBoundary", `{"roleName":"Nightlatch-ResponderRole-x1"}`, "Role"},
		{"aws.iam", "UpdateAssumeRolePolicy", `{"roleName":"Nightlatch-ResponderRole-x1"}`, "Role"},
		{"aws.iam", "DeleteRole", `{"roleName":"Nightlatch-EnrollerRole-x1"}`, "Role"},
		{"aws.athena", "UpdateWorkGroup", `{"workGroup":"nightlatch","configurationUpdates":{"bytesScannedCutoffPerQuery":10000000}}`, "Athena"},
		{"aws.athena", "DeleteWorkGroup", `{"workGroup":"nightlatch","recursiveDeleteOption":true}`, "Athena"},
		{"aws.athena", "UpdateWorkGroup", `{"workGroup":"primary"}`, ""},
		{"aws.athena", "StartQueryExecution", `{"workGroup":"nightlatch"}`, ""},
		{"aws.glue", "UpdateTable", `{"databaseName":"nightlatch","tableInput":{"name":"trail"}}`, "Catalog"},
		{"aws.glue", "DeleteTable", `{"databaseName":"nightlatch","name":"trail"}`, "Catalog"},
		{"aws.glue", "BatchDeleteTable", `{"databaseName":"nightlatch","tablesToDelete":["trail"]}`, "Catalog"},
		{"aws.glue", "UpdateTable", `{"databaseName":"sales","tableInput":{"name":"trail"}}`, ""},
		{"aws.glue", "DeleteDatabase", `{"name":"nightlatch"}`, "Database"},
		{"aws.glue", "UpdateDatabase", `{"name":"nightlatch","databaseInput":{"name":"nightlatch"}}`, "Database"},
		{"aws.glue", "DeleteDatabase", `{"name":"sales"}`, ""},
		{"aws.s3", "PutBucketPolicy", `{"bucketName":"files","bucketPolicy":{}}`, "Bucket WaysOut"},
		{"aws.s3", "DeleteBucketPolicy", `{"bucketName":"files"}`, "Bucket WaysOut"},
		{"aws.s3", "PutBucketLifecycle", `{"bucketName":"files","LifecycleConfiguration":{}}`, "Bucket"},
		{"aws.s3", "PutBucketPublicAccessBlock", `{"bucketName":"nightlatch-results-x1"}`, "Bucket WaysOut"},
		{"aws.s3", "DeleteBucket", `{"bucketName":"files"}`, "Bucket"},
		{"aws.s3", "GetBucketPolicy", `{"bucketName":"files"}`, ""},
		{"aws.s3", "PutBucketPolicy", `{"bucketName":"files-of-others"}`, "WaysOut"}, // which is not told: the function knows the watched buckets
		{"aws.s3", "PutBucketLifecycle", `{"bucketName":"files-of-others"}`, ""},
		{"aws.kms", "DisableKey", `{"keyId":"` + lookedUp["Key"] + `"}`, "TrailKey"},
		{"aws.kms", "ScheduleKeyDeletion", `{"keyId":"0a1b2c3d-0000-4000-8000-0123456789ab","pendingWindowInDays":7}`, "TrailKey"},
		{"aws.kms", "PutKeyPolicy", `{"keyId":"0a1b2c3d-0000-4000-8000-0123456789ab","policyName":"default"}`, "TrailKey"},
		{"aws.secretsmanager", "PutSecretValue", `{"secretId":"nightlatch/heartbeat"}`, "Heartbeat"},
		{"aws.secretsmanager", "PutSecretValue", `{"secretId":"nightlatch/webhook"}`, "Channel"},
		{"aws.secretsmanager", "DeleteSecret", `{"secretId":"arn:aws:secretsmanager:eu-west-1:111122223333:secret:nightlatch/webhook-AbCdEf"}`, "Channel"},
		{"aws.secretsmanager", "UpdateSecret", `{"secretId":"nightlatch/slack"}`, "Channel"},
		{"aws.secretsmanager", "RotateSecret", `{"secretId":"nightlatch/webhook"}`, "Channel"},
		{"aws.secretsmanager", "UpdateSecretVersionStage", `{"secretId":"nightlatch/webhook"}`, "Channel"},
		{"aws.secretsmanager", "PutResourcePolicy", `{"secretId":"nightlatch/webhook"}`, "Channel"},
		{"aws.secretsmanager", "DeleteResourcePolicy", `{"secretId":"nightlatch/webhook"}`, "Channel"},
		{"aws.secretsmanager", "GetSecretValue", `{"secretId":"nightlatch/webhook"}`, ""},
		{"aws.secretsmanager", "UpdateSecret", `{"secretId":"arn:aws:secretsmanager:eu-west-1:111122223333:secret:nightlatch/heartbeat-AbCdEf"}`, "Heartbeat"},
		{"aws.secretsmanager", "DeleteSecret", `{"secretId":"nightlatch/heartbeat"}`, "Heartbeat"},
		{"aws.secretsmanager", "RotateSecret", `{"secretId":"nightlatch/heartbeat"}`, "Heartbeat"},
		{"aws.secretsmanager", "UpdateSecretVersionStage", `{"secretId":"nightlatch/heartbeat"}`, "Heartbeat"},
		{"aws.secretsmanager", "PutResourcePolicy", `{"secretId":"nightlatch/heartbeat"}`, "Heartbeat"},
		{"aws.secretsmanager", "DeleteResourcePolicy", `{"secretId":"nightlatch/heartbeat"}`, "Heartbeat"},
		{"aws.secretsmanager", "PutSecretValue", `{"secretId":"web"}`, ""},
		{"aws.secretsmanager", "GetSecretValue", `{"secretId":"nightlatch/heartbeat"}`, "HeartbeatRead"},
		{"aws.secretsmanager", "GetSecretValue", `{"secretId":"web"}`, ""},
		{"aws.secretsmanager", "GetSecretValue", `{"secretId":"` + kept + `-canary"}`, "CanaryRead"},
		{"aws.secretsmanager", "GetSecretValue", `{"secretId":"arn:aws:secretsmanager:eu-west-1:111122223333:secret:` + kept + `-canary-a1b2c3"}`, "CanaryRead"},
		{"aws.iam", "PutRolePolicy", `{"roleName":"etl"}`, ""},
		{"aws.iam", "UpdateAccessKey", `{"userName":"mara","status":"Inactive"}`, ""},
	}
	issuers := []string{"", "arn:aws:iam::111122223333:role/admin", deployment, cdk, "{EnrollerRole.Arn}", "{DoctorRole.Arn}", "{RehearserRole.Arn}"}
	var events []map[string]any
	untried := map[string][]string{} // the calls that a rule names and nothing here makes
	for id, rule := range rules {
		if rule["EventPattern"] == nil || !strings.HasPrefix(id, "Tampering") || tampers("Watch").MatchString(id) {
			continue
		}
		for _, name := range at(t, rule, "EventPattern", "detail", "eventName").([]any) {
			if !slices.ContainsFunc(calls, func(c tried) bool {
				prefix, is := name.(map[string]any)
				return slices.ContainsFunc(strings.Fields(c.rule), func(rule string) bool { return tampers(rule).MatchString(id) }) && (c.name == name || is && strings.HasPrefix(c.name, prefix["prefix"].(string)))
			}) {
				untried[id] = append(untried[id], fmt.Sprint(name))
			}
		}
	}
	if len(untried) > 0 {
		t.Errorf("no call tries %v", untried)
	}
	for _, c := range calls {
		for _, issuer := range issuers {
			events = append(events, call(c.source, c.name, c.params, issuer))
		}
	}
	got := matching(t, rules, events)
	for i, c := range calls {
		for j, issuer := range issuers {
			want := strings.Fields(c.rule)
			if j == 4 && c.rule == "Metrics" || j == 5 && c.rule == "HeartbeatRead" || j == 6 && c.rule == "CanaryRead" {
				want = nil // the enroller's work, the doctor's, and the rehearser's; to deploy is no exemption
			}
			ids := got[i*len(issuers)+j]
			if len(ids) != len(want) || slices.ContainsFunc(want, func(rule string) bool { return !slices.ContainsFunc(ids, tampers(rule).MatchString) }) {
				t.Errorf("%s %s by %q: matched by %q, want %q", c.name, c.params, issuer, ids, want)
			}
		}
	}
}

// tampers is how the CDK calls the rule for one kind of tampering.
func tampers(name string) *regexp.Regexp {
	return regexp.MustCompile("^Tampering" + name + "[0-9A-F]{8}$")
}

// hearing are the settings with which there are all rules: both engines, a heartbeat, a channel with a secret, a canary, and a cutter.
var hearing = append([]string{"trail", aTrail, "canary", "a-canary", "heartbeat", "nightlatch/heartbeat", "webhook", "nightlatch/webhook", "slack", "nightlatch/slack"}, cutting...)

// What hears, with all of it: the catalogue of attacks (internal/attacks) is played on it.
func TestWhatHears(t *testing.T) {
	hears := map[string]any{}
	for id, r := range synth(t, hearing...)["Resources"].(map[string]any) {
		if slices.Contains([]string{"AWS::Events::Rule", "AWS::CloudWatch::Alarm", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::DynamoDB::Table", "AWS::Lambda::ResourcePolicy", "AWS::S3::BucketPolicy"}, at(t, r, "Type").(string)) {
			hears[id] = r
		}
	}
	golden(t, "hearing.golden", hash.ReplaceAllString(indented(t, map[string]any{"Resources": hears}), "HASH"))
}

// EventBridge takes 2,048 characters a pattern, and the function gets the whole event, with the rule's name.
func TestTamperingRules(t *testing.T) {
	for id, rule := range synth(t, hearing...).resources("AWS::Events::Rule") {
		text, err := json.Marshal(rule["EventPattern"])
		if err != nil || len(text) > 2048 {
			t.Errorf("%s: the pattern has %d characters, %v", id, len(text), err)
		}
		if at(t, rule, "Targets", 0, "Arn") != "{Notices.Arn}" || id == "Tick" {
			continue
		}
		// What it writes to the queue is read by the function's own code, under a rule for which there are words.
		text = []byte(strings.Replace(at(t, rule, "Targets", 0, "InputTransformer", "InputTemplate").(string), "<aws.events.event.json>",
			`{"detail":{"eventName":"DeleteSchedule","eventID":"1","requestParameters":{"name":"Nightlatch-NoticesTaken-x1","resourceArn":"x:function:Nightlatch-x"}}}`, 1))
		e := notices.Read(string(text))
		if !strings.HasPrefix(id, "Tampering"+e.Rule) && e.Rule != notices.Jobs && e.Rule != "Subscription" || e.ID != "1" {
			t.Errorf("%s: the function reads %+v of %s", id, e, text)
		}
		if s := (notices.State{}).Next([]notices.Event{e}, []string{"a-bucket"}, nil, time.Now()); len(s.Claimed(1)) != 1 && e.Rule != notices.Deployers {
			t.Errorf("%s: the team is not told of %s", id, text)
		}
	}
}

// The rule lets through exactly the events that the responder would make an incident of.
func TestTheRuleForFiredAlarms(t *testing.T) {
	var events []map[string]any
	for _, file := range []string{"alarm-eventbridge.json", "alarm-eventbridge-contributor.json", "alarm-eventbridge-configuration.json"} {
		text, err := os.ReadFile(filepath.Join("../events", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"", watchPrefix + "errors"} {
			var event map[string]any
			if err := json.Unmarshal(text, &event); err != nil {
				t.Fatal(err)
			}
			if name != "" { // an alarm on the responder is not the responder's to answer
				event["detail"].(map[string]any)["alarmName"] = name
			}
			events = append(events, event)
		}
	}
	var watch string
	for id := range synth(t).resources("AWS::Events::Rule") {
		if tampers("Watch").MatchString(id) {
			watch = id
		}
	}
	// A contributor of ours there is none, and an alarm's configuration is told with its call.
	want := [][]string{{"Rings"}, {watch}, {"Rings"}, {}, {}, {}}
	if diff := gocmp.Diff(matching(t, synth(t).resources("AWS::Events::Rule"), events), want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}
