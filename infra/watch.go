package main

import (
	"cmp"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/evidence/athena"
	"nightlatch/internal/notices"
)

// watchPrefix begins the names of the alarms on Nightlatch itself. They are not the responder's to answer, so it is not alarmPrefix:
// these go to a topic of their own, without our own code in between; by a rule the function that tells of tampering hears them too.
const watchPrefix = "watch-nightlatch-"

// watchFunctions makes alarms that fire when a function fails, is throttled, or has left events behind:
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html,
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
func watchFunctions(scope constructs.Construct, r responder, a approver, e enroller, n teller, d examiner, k keeper, c *lambda, re *lambda, topics []string) {
	function, queue := dimensions("FunctionName", *r.function.Ref()), dimensions("QueueName", *r.queue.AttrQueueName())
	approving := dimensions("FunctionName", *a.function.Ref())
	enrolling, checking := dimensions("FunctionName", *e.function.Ref()), dimensions("FunctionName", *d.function.Ref())
	telling, waiting := dimensions("FunctionName", *n.function.Ref()), dimensions("QueueName", *n.queue.AttrQueueName())
	var actions []any
	for _, arn := range topics {
		actions = append(actions, arn)
	}
	type watched struct {
		name, namespace, metric, statistic string
		of                                 *[]any
		above                              float64
		means                              string
	}
	all := []watched{
		{"errors", "AWS/Lambda", "Errors", "Sum", function, 0, "The responder failed; Lambda tries an event three times. See its log"},
		{"throttles", "AWS/Lambda", "Throttles", "Sum", function, 0, "The responder was held back: the account's concurrency is used up, and alarms wait"},
		{"dropped", "AWS/Lambda", "AsyncEventsDropped", "Sum", function, 0, "Lambda gave up on events for the responder: an alarm was not answered"},
		{"undelivered", "AWS/Lambda", "DestinationDeliveryFailures", "Sum", function, 0, "A failed event could not be put in the queue of failed events"},
		{"approver-errors", "AWS/Lambda", "Errors", "Sum", approving, 0, "The approver failed: a human's approval may not have been taken. See its log"},
		{"enroller-errors", "AWS/Lambda", "Errors", "Sum", enrolling, 0, "The enroller failed: a watched bucket may have no request metrics, and no alarm. See its log"},
		{"teller-errors", "AWS/Lambda", "Errors", "Sum", telling, 0, "The function failed that tells of tampering: the team's topic may take nothing. See its log"},
		{"notices-wait", "AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", waiting, noticesWait, "Notices of tampering wait: the function that tells of them is not called, or fails"},
		{"doctor-errors", "AWS/Lambda", "Errors", "Sum", checking, 0, "The doctor failed: what is broken may not be told, and no heartbeat be sent. See its log"},
		{"keeper-errors", "AWS/Lambda", "Errors", "Sum", dimensions("FunctionName", *k.function.Ref()), 0, "The keeper failed: a case folder may lack the newest of its incident. It is tried again. See its log"},
		{"failed-events", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", queue, 0, "An alarm was not answered, an incident not followed up, a notice not told, or a case folder not written: it waits in the queue of failed events"},
	}
	if c != nil {
		all = append(all, watched{"cutter-errors", "AWS/Lambda", "Errors", "Sum", dimensions("FunctionName", *c.function.Ref()), 0, "The cutter failed: what was ordered of it may be done, and may not. See its log"})
	}
	if re != nil {
		all = append(all, watched{"rehearser-errors", "AWS/Lambda", "Errors", "Sum", dimensions("FunctionName", *re.function.Ref()), 0, "The rehearser failed: a rehearsal may not be told, and the canary's key may stay off. See its log"})
	}
	for _, w := range all {
		awscloudwatch.NewCfnAlarm(scope, jsii.String("Watch-"+w.name), &awscloudwatch.CfnAlarmProps{
			AlarmName: jsii.String(watchPrefix + w.name), AlarmDescription: jsii.String(w.means), AlarmActions: &actions,
			Namespace: jsii.String(w.namespace), MetricName: jsii.String(w.metric), Statistic: jsii.String(w.statistic), Dimensions: w.of,
			Period: jsii.Number(60), EvaluationPeriods: jsii.Number(5), DatapointsToAlarm: jsii.Number(1),
			ComparisonOperator: jsii.String("GreaterThanThreshold"), Threshold: jsii.Number(w.above), TreatMissingData: jsii.String("notBreaching"),
		})
	}
}

// noticesWait is how old a notice may get before somebody hears of it: a batch, a message that waits for its turn, and one that was tried once more.
const noticesWait = 20 * 60 // seconds

// tampering is a set of calls that could blind or silence Nightlatch, or open a way out of a bucket, as CloudTrail names them.
type tampering struct {
	id   string // of the EventBridge rule, which has it in its name
	rule string // under which the team is told (internal/notices)
	from []string
	// calls are the names of the calls, or how they begin.
	calls []any
	// about are the request parameters that make a call about us; none where every such call is worth a message.
	about map[string]any
	// names are what a call must have in its parameters, where it is not written anywhere how CloudTrail calls the parameter: the function looks
	// for them.
	names []string
	// but is the one role whose calls are passed over; nil for none.
	but *string
	// reads says that CloudTrail takes the call for one that only reads, which EventBridge leaves out unless it is told not to.
	reads bool
}

// belongings are what somebody may tamper with, beside the functions.
type belongings struct {
	topic, watch team
	queue        awssqs.CfnQueue
	kept         incidents
	stream       awslambda.CfnEventSourceMapping // by which the keeper is called
	beats        *string                         // the ARN of the role that reads the heartbeat's secret
	rehearses    *lambda                         // nil where there is no canary
}

// tamperings are the calls that EventBridge can see: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
// CloudTrail writes a resource as the caller named it, by name or ARN, and most of Lambda's calls with the API's version behind the name:
// https://docs.aws.amazon.com/lambda/latest/dg/logging-using-cloudtrail.html. What CloudFormation names begins with the stack's name, that of its
// nested stacks too.
func tamperings(s Settings, e enroller, n teller, o belongings) []tampering {
	alarms := []any{map[string]any{"prefix": alarmPrefix}, map[string]any{"prefix": watchPrefix}}
	named := stackName + "-"
	function := contains(named)
	table := contains(o.kept.name)
	queues := []any{map[string]any{"suffix": "/" + *o.queue.AttrQueueName()}, map[string]any{"suffix": "/" + *n.queue.AttrQueueName()}}
	topics := []any{o.topic.arn, o.watch.arn}
	all := []tampering{
		{id: "CloudTrail", from: []string{"aws.cloudtrail"}, calls: []any{"StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors", "PutEventConfiguration",
			"DeleteEventDataStore", "UpdateEventDataStore", "StopEventDataStoreIngestion"}},
		{id: "Alarm", from: []string{"aws.monitoring"}, calls: []any{"PutMetricAlarm", "PutCompositeAlarm", "PutLogAlarm", "SetAlarmState"}, about: map[string]any{"alarmName": alarms}},
		{id: "Alarms", from: []string{"aws.monitoring"}, calls: []any{"DeleteAlarms", "DisableAlarmActions"}, about: map[string]any{"alarmNames": alarms}},
		{id: "Mute", from: []string{"aws.monitoring"}, calls: []any{"PutAlarmMuteRule"}}, // whichever alarms it names: without a name it mutes them all
		{id: "Metrics", from: []string{"aws.s3"}, calls: []any{"PutBucketMetricsConfiguration", "DeleteBucketMetricsConfiguration"}, but: e.role.AttrArn()},
		{id: "Function", from: []string{"aws.lambda"}, calls: slices.Concat(startsWith("UpdateFunction"), startsWith("DeleteFunction"), startsWith("PutFunction"),
			startsWith("CreateFunctionUrlConfig"), startsWith("AddPermission"), startsWith("RemovePermission"), startsWith("PutRuntimeManagementConfig")),
			about: map[string]any{"functionName": function}},
		{id: "FunctionPolicy", from: []string{"aws.lambda"}, calls: slices.Concat(startsWith("PutResourcePolicy"), startsWith("DeleteResourcePolicy")),
			names: []string{":function:" + named}}, // how CloudTrail names the function is nowhere written
		{id: "Mapping", from: []string{"aws.lambda"}, calls: slices.Concat(startsWith("CreateEventSourceMapping"), startsWith("UpdateEventSourceMapping"), startsWith("DeleteEventSourceMapping")),
			names: []string{*n.mapping.Ref(), *o.stream.Ref(), named}}, // nor the mapping; who makes another on the queue takes notices away
		{id: "Table", from: []string{"aws.dynamodb"}, calls: []any{"DeleteTable", "UpdateTable", "UpdateTimeToLive", "UpdateContinuousBackups"}, about: map[string]any{"tableName": table}},
		{id: "TablePolicy", from: []string{"aws.dynamodb"}, calls: []any{"PutResourcePolicy", "DeleteResourcePolicy"}, about: map[string]any{"resourceArn": table}},
		// With lifecycle, versions and object lock, of which CloudTrail may name the last without "Bucket".
		{id: "Cases", from: []string{"aws.s3"}, calls: slices.Concat([]any{"DeleteBucket", "PutObjectLockConfiguration"}, startsWith("PutBucket"), startsWith("DeleteBucket")),
			about: map[string]any{"bucketName": []any{o.kept.cases}}},
		{id: "Schedules", from: []string{"aws.scheduler"}, calls: []any{"DeleteScheduleGroup"}},                                         // how CloudTrail names the group is nowhere written
		{id: "Schedule", from: []string{"aws.scheduler"}, calls: []any{"DeleteSchedule", "UpdateSchedule"}, names: []string{stackName}}, // nor there
		{id: "Log", from: []string{"aws.logs"}, calls: []any{"DeleteLogGroup", "DeleteLogStream", "PutRetentionPolicy", "AssociateKmsKey", "DisassociateKmsKey"},
			about: map[string]any{"logGroupName": startsWith(named)}},
		{id: "Queue", from: []string{"aws.sqs"}, calls: []any{"DeleteQueue", "PurgeQueue", "SetQueueAttributes", "AddPermission", "RemovePermission"}, about: map[string]any{"queueUrl": queues}},
		{id: "Topic", from: []string{"aws.sns"}, calls: []any{"DeleteTopic", "SetTopicAttributes", "AddPermission", "RemovePermission"}, about: map[string]any{"topicArn": topics}},
		{id: "TopicData", rule: "Topic", from: []string{"aws.sns"}, calls: []any{"PutDataProtectionPolicy"}, about: map[string]any{"resourceArn": topics}},
		{id: "Texts", from: []string{"aws.sns"}, calls: []any{"SetSMSAttributes"}}, // the account's: a limit of a dollar a month holds texts back
		{id: "Subscribed", rule: "Subscription", from: []string{"aws.sns"}, calls: []any{"Subscribe", "ConfirmSubscription"}, about: map[string]any{"topicArn": topics}},
		{id: "Subscription", from: []string{"aws.sns"}, calls: []any{"Unsubscribe", "SetSubscriptionAttributes"},
			about: map[string]any{"subscriptionArn": slices.Concat(startsWith(*o.topic.arn+":"), startsWith(*o.watch.arn+":"))}},
		{id: "Key", from: []string{"aws.kms"}, calls: []any{"DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy"},
			about: map[string]any{"keyId": slices.Concat(contains(*o.topic.keyID), contains(*o.watch.keyID))}},
		{id: "Rule", from: []string{"aws.events"}, calls: []any{"DisableRule", "DeleteRule", "PutRule"}, about: map[string]any{"name": startsWith(named)}},
		{id: "Target", from: []string{"aws.events"}, calls: []any{"PutTargets", "RemoveTargets"}, about: map[string]any{"rule": startsWith(named)}},
		{id: "Bus", from: []string{"aws.events"}, calls: []any{"PutPermission", "RemovePermission"}}, // whichever bus: ours is the default, which a call need not name
		{id: "Stack", from: []string{"aws.cloudformation"}, calls: []any{"DeleteStack", "UpdateStack", "CreateChangeSet", "ExecuteChangeSet", "RollbackStack", "CancelUpdateStack",
			"ContinueUpdateRollback", "SetStackPolicy", "UpdateTerminationProtection"},
			about: map[string]any{"stackName": slices.Concat(startsWith(stackName), startsWith(s.Home.arn("cloudformation", "stack/"+stackName)))}},
		// IAM's calls come to EventBridge in us-east-1 only. Elsewhere this rule matches them where somebody sends them on to this region:
		// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-region.html
		{id: "Role", from: []string{"aws.iam"}, calls: []any{"PutRolePolicy", "DeleteRolePolicy", "AttachRolePolicy", "DetachRolePolicy", "PutRolePermissionsBoundary",
			"DeleteRolePermissionsBoundary", "UpdateAssumeRolePolicy", "DeleteRole"}, about: map[string]any{"roleName": startsWith(named)}},
		// Who deploys is a session of a role that many may take. It is remembered who took it.
		{id: notices.Deployers, from: []string{"aws.sts"}, calls: []any{"AssumeRole"}, about: map[string]any{"roleArn": []any{s.Home.cdkRole("deploy")}}, reads: true},
	}
	changes := []any{"PutSecretValue", "UpdateSecret", "DeleteSecret", "RotateSecret", "UpdateSecretVersionStage", "PutResourcePolicy", "DeleteResourcePolicy"}
	if secrets := s.channelSecrets(); len(secrets) > 0 {
		var about []any
		for _, name := range secrets {
			about = append(about, contains(s.secretCalled(name))...)
		}
		all = append(all, tampering{id: "Channel", from: []string{"aws.secretsmanager"}, calls: changes, about: map[string]any{"secretId": about}})
	}
	if s.Heartbeat != "" { // who changes where the sign of life goes, sends one of his own
		secret := map[string]any{"secretId": contains(s.secretCalled(s.Heartbeat))}
		all = append(all, tampering{id: "Heartbeat", from: []string{"aws.secretsmanager"}, calls: changes, about: secret},
			// Who knows the URL can send the sign of life himself. BatchGetSecretValue is recorded as this call for each secret:
			// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html
			tampering{id: "HeartbeatRead", from: []string{"aws.secretsmanager"}, calls: []any{"GetSecretValue"}, about: secret, but: o.beats, reads: true})
	}
	if o.rehearses != nil { // who has the canary's key fires its alarm
		all = append(all, tampering{id: "CanaryRead", from: []string{"aws.secretsmanager"}, calls: []any{"GetSecretValue"}, about: map[string]any{"secretId": contains(canarySecret(o.kept))},
			but: o.rehearses.role.AttrArn(), reads: true})
	}
	if s.cuts() { // who calls a version of the cutter calls another resource than the one whose policy denies it
		all = append(all, tampering{id: "FunctionVersion", rule: "Function", from: []string{"aws.lambda"}, calls: slices.Concat(startsWith("PublishVersion"), startsWith("CreateAlias"), startsWith("UpdateAlias")),
			about: map[string]any{"functionName": function}})
	}
	return slices.Concat(all, waysOut(), s.ofTheTrail())
}

// waysOut are the calls that let bytes out of a bucket without an alarm, or let others in. Which buckets are watched, the function knows: hundreds
// of names do not fit a pattern. Under which source S3's control plane, its access points and S3 Files send, and what S3's older configurations
// are called there, is not written for all: each form that may be is in it.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html
func waysOut() []tampering {
	s3 := []string{"aws.s3", "aws.s3control", "aws.s3-object-lambda"}
	return []tampering{
		{id: notices.WaysOut, from: s3, calls: []any{"PutBucketReplication", "PutBucketPolicy", "DeleteBucketPolicy", "PutBucketAcl", "PutBucketWebsite", "PutBucketRequestPayment",
			"PutBucketInventoryConfiguration", "PutInventoryConfiguration", "PutBucketOwnershipControls", "PutBucketPublicAccessBlock", "DeleteBucketPublicAccessBlock",
			"PutPublicAccessBlock", "DeletePublicAccessBlock", "CreateAccessPoint", "PutAccessPointPolicy", "CreateAccessPointForObjectLambda", "PutAccessPointPolicyForObjectLambda"}},
		// A batch job's manifest lies in another bucket than the one that it reads, and the others name no bucket. Multi-region access points are
		// made in us-west-2, and come to EventBridge there only: https://docs.aws.amazon.com/AmazonS3/latest/userguide/MultiRegionAccessPointCloudTrail.html
		{id: notices.Jobs, from: append(s3, "aws.backup"), calls: []any{"CreateJob", "CreateMultiRegionAccessPoint", "PutMultiRegionAccessPointPolicy", "CreateBackupAccessPoint",
			"PutAccountPublicAccessBlock", "DeleteAccountPublicAccessBlock"}},
		{id: "Files", rule: notices.Jobs, from: []string{"aws.s3files"}, calls: []any{"CreateFileSystem", "CreateMountTarget", "CreateAccessPoint"}},
	}
}

// ofTheTrail are the calls that could take away a trail's files, or have Athena read others.
func (s Settings) ofTheTrail() []tampering {
	if s.Trail == "" {
		return nil
	}
	all := []tampering{
		{id: "Athena", from: []string{"aws.athena"}, calls: []any{"UpdateWorkGroup", "DeleteWorkGroup"}, about: map[string]any{"workGroup": []any{athena.WorkGroup}}},
		{id: "Catalog", from: []string{"aws.glue"}, calls: []any{"UpdateTable", "DeleteTable", "BatchDeleteTable"}, about: map[string]any{"databaseName": []any{athena.Database}}},
		{id: "Database", from: []string{"aws.glue"}, calls: []any{"UpdateDatabase", "DeleteDatabase"}, about: map[string]any{"name": []any{athena.Database}}},
		// With replication, lifecycle, versions and object lock, of which CloudTrail may name the last without "Bucket".
		{id: "Bucket", from: []string{"aws.s3"}, calls: slices.Concat([]any{"DeleteBucket", "PutObjectLockConfiguration"}, startsWith("PutBucket"), startsWith("DeleteBucket")),
			about: map[string]any{"bucketName": []any{s.Files.Bucket, s.Files.Results}}},
	}
	if s.Files.Key != "" {
		id := awscdk.Fn_Select(jsii.Number(1), awscdk.Fn_Split(jsii.String("/"), jsii.String(s.Files.Key), nil))
		all = append(all, tampering{id: "TrailKey", from: []string{"aws.kms"}, calls: []any{"DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy"}, about: map[string]any{"keyId": contains(*id)}})
	}
	return all
}

// readsToo is the state of a rule that also matches calls that only read.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail-management.html
const readsToo = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"

// watchTampering sends each such call, done or refused, to the queue of notices, whoever made it: to deploy is no exemption. It needs a trail that
// logs management events. So it does with the alarms on our own functions.
func watchTampering(scope constructs.Construct, s Settings, e enroller, n teller, o belongings) {
	rules := constructs.NewConstruct(scope, jsii.String("Tampering"))
	send := func(id, rule string, names []string, state *string, pattern map[string]any) {
		awsevents.NewCfnRule(rules, jsii.String(id), &awsevents.CfnRuleProps{
			Description: jsii.String("Nightlatch: calls that could blind or silence it, or empty a bucket, to the team"), EventPattern: pattern, State: state,
			Targets: &[]any{&awsevents.CfnRule_TargetProperty{Id: jsii.String("notices"), Arn: n.queue.AttrArn(),
				InputTransformer: &awsevents.CfnRule_InputTransformerProperty{InputTemplate: jsii.String(notices.Template(rule, names...))}}},
		})
	}
	for _, t := range tamperings(s, e, n, o) {
		detail := map[string]any{"eventName": t.calls}
		if t.about != nil {
			detail["requestParameters"] = t.about
		}
		if t.but != nil {
			detail["userIdentity"] = nobodyBut(t.but)
		}
		var state *string
		if t.reads {
			state = jsii.String(readsToo)
		}
		send(t.id, cmp.Or(t.rule, t.id), t.names, state, map[string]any{"source": t.from, "detail-type": []string{"AWS API Call via CloudTrail"}, "detail": detail})
	}
	send("Watch", "Watch", nil, nil, map[string]any{"source": []string{"aws.cloudwatch"}, "detail-type": []string{"CloudWatch Alarm State Change"},
		"detail": map[string]any{"alarmName": startsWith(watchPrefix), "state": map[string]any{"value": []string{"ALARM"}}}})
}

// nobodyBut matches every caller but sessions of a role: the enroller's, whose work looks like tampering with the metrics, or the doctor's. A caller without a
// session, such as a user with a key, has no issuer at all, and "anything-but" alone would not match a field that is not there.
func nobodyBut(role *string) map[string]any {
	return map[string]any{"sessionContext": map[string]any{"sessionIssuer": map[string]any{
		"arn": []any{map[string]any{"exists": false}, map[string]any{"anything-but": []*string{role}}},
	}}}
}
