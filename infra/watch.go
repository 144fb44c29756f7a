package main

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/evidence/athena"
)

// watchPrefix begins the names of the alarms on Nightlatch itself. They are not the responder's to answer, so it is not alarmPrefix:
// these go straight to the team, without our own code in between.
const watchPrefix = "watch-nightlatch-"

// watchFunctions makes alarms that fire when a function fails, is throttled, or has left events behind:
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html,
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
func watchFunctions(scope constructs.Construct, r responder, a approver, e enroller, topic *string) {
	function, queue := dimensions("FunctionName", *r.function.Ref()), dimensions("QueueName", *r.queue.AttrQueueName())
	approving := dimensions("FunctionName", *a.function.Ref())
	enrolling := dimensions("FunctionName", *e.function.Ref())
	for _, w := range []struct {
		name, namespace, metric, statistic string
		of                                 *[]any
		means                              string
	}{
		{"errors", "AWS/Lambda", "Errors", "Sum", function, "The responder failed; Lambda tries an event three times. See its log"},
		{"throttles", "AWS/Lambda", "Throttles", "Sum", function, "The responder was held back: the account's concurrency is used up, and alarms wait"},
		{"dropped", "AWS/Lambda", "AsyncEventsDropped", "Sum", function, "Lambda gave up on events for the responder: an alarm was not answered"},
		{"undelivered", "AWS/Lambda", "DestinationDeliveryFailures", "Sum", function, "A failed event could not be put in the queue of failed events"},
		{"approver-errors", "AWS/Lambda", "Errors", "Sum", approving, "The approver failed: a human's approval may not have been taken. See its log"},
		{"enroller-errors", "AWS/Lambda", "Errors", "Sum", enrolling, "The enroller failed: a watched bucket may have no request metrics, and no alarm. See its log"},
		{"failed-events", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", queue, "An alarm was not answered, or an incident not followed up: its event waits in the queue of failed events"},
	} {
		awscloudwatch.NewCfnAlarm(scope, jsii.String("Watch-"+w.name), &awscloudwatch.CfnAlarmProps{
			AlarmName: jsii.String(watchPrefix + w.name), AlarmDescription: jsii.String(w.means), AlarmActions: &[]any{topic},
			Namespace: jsii.String(w.namespace), MetricName: jsii.String(w.metric), Statistic: jsii.String(w.statistic), Dimensions: w.of,
			Period: jsii.Number(60), EvaluationPeriods: jsii.Number(5), DatapointsToAlarm: jsii.Number(1),
			ComparisonOperator: jsii.String("GreaterThanThreshold"), Threshold: jsii.Number(0), TreatMissingData: jsii.String("notBreaching"),
		})
	}
}

// tampering is a set of calls that could blind or silence Nightlatch, as CloudTrail names them. about are the request parameters that
// make them about us; none where every such call is worth a message.
type tampering struct {
	name, source string
	calls        []any
	about        map[string]any
}

// tamperings are the calls that EventBridge can see: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
// CloudTrail writes a resource as the caller named it, by name or ARN, and most of Lambda's calls with the API's version behind the name:
// https://docs.aws.amazon.com/lambda/latest/dg/logging-using-cloudtrail.html
func tamperings(s Settings, r responder, a approver, e enroller, topic team, kept incidents) []tampering {
	ours := []any{map[string]any{"prefix": alarmPrefix}, map[string]any{"prefix": watchPrefix}}
	all := []tampering{
		{"CloudTrail", "aws.cloudtrail", []any{"StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors",
			"DeleteEventDataStore", "UpdateEventDataStore", "StopEventDataStoreIngestion"}, nil},
		{"Alarm", "aws.monitoring", []any{"PutMetricAlarm", "PutCompositeAlarm", "PutLogAlarm", "SetAlarmState"}, map[string]any{"alarmName": ours}},
		{"Alarms", "aws.monitoring", []any{"DeleteAlarms", "DisableAlarmActions"}, map[string]any{"alarmNames": ours}},
		{"Mute", "aws.monitoring", []any{"PutAlarmMuteRule"}, nil}, // whichever alarms it names: without a name it mutes them all
		{"Metrics", "aws.s3", []any{"PutBucketMetricsConfiguration", "DeleteBucketMetricsConfiguration"}, nil},
		{"Function", "aws.lambda", slices.Concat(startsWith("UpdateFunction"), startsWith("DeleteFunction"), startsWith("PutFunction"), startsWith("AddPermission"),
			startsWith("RemovePermission"), startsWith("PutRuntimeManagementConfig")),
			map[string]any{"functionName": slices.Concat(contains(*r.function.Ref()), contains(*a.function.Ref()), contains(*e.function.Ref()))}},
		{"Table", "aws.dynamodb", []any{"DeleteTable", "UpdateTable", "UpdateTimeToLive", "UpdateContinuousBackups"}, map[string]any{"tableName": contains(kept.name)}},
		{"TablePolicy", "aws.dynamodb", []any{"PutResourcePolicy", "DeleteResourcePolicy"}, map[string]any{"resourceArn": contains(kept.name)}},
		{"Schedules", "aws.scheduler", []any{"DeleteScheduleGroup"}, nil}, // how CloudTrail names the group is nowhere written
		{"Log", "aws.logs", []any{"DeleteLogGroup", "DeleteLogStream", "PutRetentionPolicy", "AssociateKmsKey"},
			map[string]any{"logGroupName": []any{r.logs.Ref(), a.logs.Ref(), e.logs.Ref()}}},
		{"Queue", "aws.sqs", []any{"DeleteQueue", "PurgeQueue", "SetQueueAttributes", "AddPermission", "RemovePermission"},
			map[string]any{"queueUrl": []any{map[string]any{"suffix": "/" + *r.queue.AttrQueueName()}}}},
		{"Topic", "aws.sns", []any{"DeleteTopic", "SetTopicAttributes", "AddPermission", "RemovePermission"}, map[string]any{"topicArn": []any{topic.arn}}},
		{"Subscription", "aws.sns", []any{"Unsubscribe", "SetSubscriptionAttributes"}, map[string]any{"subscriptionArn": startsWith(*topic.arn + ":")}},
		{"Key", "aws.kms", []any{"DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy"}, map[string]any{"keyId": contains(*topic.keyID)}},
		{"Rule", "aws.events", []any{"DisableRule", "DeleteRule", "PutRule"}, map[string]any{"name": startsWith(stackName + "-")}},
		{"Target", "aws.events", []any{"PutTargets", "RemoveTargets"}, map[string]any{"rule": startsWith(stackName + "-")}},
		{"Stack", "aws.cloudformation", []any{"DeleteStack", "UpdateStack", "CreateChangeSet", "ExecuteChangeSet", "RollbackStack", "CancelUpdateStack",
			"SetStackPolicy", "UpdateTerminationProtection"}, map[string]any{"stackName": []any{stackName, awscdk.Aws_STACK_ID()}}},
		// IAM's calls come to EventBridge in us-east-1 only. Elsewhere this rule matches them where somebody sends them on to this region:
		// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-region.html
		{"Role", "aws.iam", []any{"PutRolePolicy", "DeleteRolePolicy", "AttachRolePolicy", "DetachRolePolicy", "PutRolePermissionsBoundary",
			"DeleteRolePermissionsBoundary", "UpdateAssumeRolePolicy", "DeleteRole"}, map[string]any{"roleName": []any{r.role.Ref(), a.role.Ref(), e.role.Ref(), kept.name}}},
	}
	if s.Trail == "" {
		return all
	}
	all = append(all,
		tampering{"Athena", "aws.athena", []any{"UpdateWorkGroup", "DeleteWorkGroup"}, map[string]any{"workGroup": []any{athena.WorkGroup}}},
		tampering{"Catalog", "aws.glue", []any{"UpdateTable", "DeleteTable", "BatchDeleteTable"}, map[string]any{"databaseName": []any{athena.Database}}},
		tampering{"Database", "aws.glue", []any{"UpdateDatabase", "DeleteDatabase"}, map[string]any{"name": []any{athena.Database}}},
		tampering{"Bucket", "aws.s3", slices.Concat([]any{"DeleteBucket"}, startsWith("PutBucket"), startsWith("DeleteBucket")),
			map[string]any{"bucketName": []any{s.Files.Bucket, s.Files.Results}}},
	)
	if s.Files.Key != "" {
		id := awscdk.Fn_Select(jsii.Number(1), awscdk.Fn_Split(jsii.String("/"), jsii.String(s.Files.Key), nil))
		all = append(all, tampering{"TrailKey", "aws.kms", []any{"DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy"}, map[string]any{"keyId": contains(*id)}})
	}
	return all
}

// watchTampering notifies the team of each such call, done or refused, by anybody but the deployment. It needs a trail that logs
// management events. Of a call that takes away the topic or these rules the team may not be notified.
func watchTampering(scope constructs.Construct, s Settings, r responder, a approver, e enroller, topic team, kept incidents) {
	rules := constructs.NewConstruct(scope, jsii.String("Tampering"))
	for _, t := range tamperings(s, r, a, e, topic, kept) {
		detail := map[string]any{"eventName": t.calls, "userIdentity": nobodyBut(s.Home.cdkRole("deploy"), s.Home.cdkRole("cfn-exec"), e.role.AttrArn())}
		if t.about != nil {
			detail["requestParameters"] = t.about
		}
		awsevents.NewCfnRule(rules, jsii.String(t.name), &awsevents.CfnRuleProps{
			Description:  jsii.String("Nightlatch: calls that could blind or silence it, to the team"),
			EventPattern: map[string]any{"source": []string{t.source}, "detail-type": []string{"AWS API Call via CloudTrail"}, "detail": detail},
			Targets: &[]any{&awsevents.CfnRule_TargetProperty{Id: jsii.String("team"), Arn: topic.arn, InputTransformer: &awsevents.CfnRule_InputTransformerProperty{
				InputPathsMap: map[string]*string{"call": jsii.String("$.detail.eventName"), "who": jsii.String("$.detail.userIdentity.arn"), "ip": jsii.String("$.detail.sourceIPAddress"),
					"at": jsii.String("$.detail.eventTime"), "error": jsii.String("$.detail.errorCode"), "id": jsii.String("$.detail.eventID")},
				InputTemplate: jsii.String(`"Nightlatch: <call> was called by <who> from <ip> at <at>, and not by the deployment. It may blind or silence Nightlatch. ` +
					`Error, if it was refused: <error>. CloudTrail event <id>."`),
			}}},
		})
	}
}

// nobodyBut matches every caller but sessions of these roles: those with which the CDK deploys, and the enroller, whose work looks
// like tampering with the metrics. A caller without a session, such as a user with a key, has no issuer at all, and "anything-but"
// alone would not match a field that is not there.
func nobodyBut(roles ...*string) map[string]any {
	return map[string]any{"sessionContext": map[string]any{"sessionIssuer": map[string]any{
		"arn": []any{map[string]any{"exists": false}, map[string]any{"anything-but": roles}},
	}}}
}
