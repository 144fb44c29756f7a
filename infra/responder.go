package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/settings"
)

// responder is the function that answers, and the queue of the events that it did not.
type responder struct {
	function awslambda.CfnFunction
	queue    awssqs.CfnQueue
}

const (
	// retries and eventAge are of an asynchronous event, such as every alarm's:
	// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
	retries  = 2
	eventAge = 6 * 60 * 60 // seconds, the most there is: an answer that is late is better than none
	// timeout is the longest there is: CloudTrail is minutes behind.
	timeout = 15 * 60 // seconds
	// queueDays is the longest there is, so that a failed event outlives a holiday.
	queueDays = 14
)

// newResponder makes the function. It reserves no concurrency: an account with the default of ten would refuse that.
func newResponder(scope constructs.Construct, s Settings, code string, topic team) (responder, error) {
	logs := awslogs.NewCfnLogGroup(scope, jsii.String("ResponderLog"), &awslogs.CfnLogGroupProps{RetentionInDays: jsii.Number(s.RetentionDays)})
	logs.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN, nil) // it is evidence, and outlives the stack
	queue := newQueue(scope)
	role, err := newRole(scope, s, topic, logs.AttrArn(), queue.AttrArn())
	if err != nil {
		return responder{}, err
	}
	asset := awss3assets.NewAsset(scope, jsii.String("ResponderCode"), &awss3assets.AssetProps{Path: jsii.String(code)})
	function := awslambda.NewCfnFunction(scope, jsii.String("Responder"), &awslambda.CfnFunctionProps{
		Description: jsii.String("Nightlatch: answers alarms on the bytes that leave S3 buckets"),
		Runtime:     jsii.String("provided.al2023"), Architectures: jsii.Strings("arm64"), Handler: jsii.String("bootstrap"),
		Code:       &awslambda.CfnFunction_CodeProperty{S3Bucket: asset.S3BucketName(), S3Key: asset.S3ObjectKey()},
		Role:       role.AttrArn(),
		MemorySize: jsii.Number(s.MemoryMiB), Timeout: jsii.Number(timeout),
		Environment:   &awslambda.CfnFunction_EnvironmentProperty{Variables: environment(s, *topic.arn)},
		LoggingConfig: &awslambda.CfnFunction_LoggingConfigProperty{LogGroup: logs.Ref()},
	})
	awslambda.NewCfnEventInvokeConfig(scope, jsii.String("ResponderRetries"), &awslambda.CfnEventInvokeConfigProps{
		FunctionName: function.Ref(), Qualifier: jsii.String("$LATEST"),
		MaximumRetryAttempts: jsii.Number(retries), MaximumEventAgeInSeconds: jsii.Number(eventAge),
		DestinationConfig: &awslambda.CfnEventInvokeConfig_DestinationConfigProperty{
			OnFailure: &awslambda.CfnEventInvokeConfig_OnFailureProperty{Destination: queue.AttrArn()},
		},
	})
	twoWays(scope, s.EventDataStore, function)
	return responder{function, queue}, nil
}

// environment is what the function reads with the same code: internal/settings.
func environment(s Settings, topic string) *map[string]*string {
	env := settings.Responder{
		Mode: s.Mode, EventDataStore: s.EventDataStore.ARN, Topic: topic, Topics: s.Topics, Accounts: []string{s.EventDataStore.Account},
		Protected: s.Protected, ProtectTag: s.ProtectTag, ScanBudget: settings.DefaultScanBudget, FilterID: s.Filter, LogLevel: s.LogLevel,
	}.Environ()
	out := map[string]*string{}
	for name, value := range env {
		out[name] = jsii.String(value)
	}
	return &out
}

// newQueue keeps the events that failed three times. SQS's own encryption needs no key that Lambda would have to be let to.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-sqs-sse-queue.html
func newQueue(scope constructs.Construct) awssqs.CfnQueue {
	queue := awssqs.NewCfnQueue(scope, jsii.String("FailedEvents"), &awssqs.CfnQueueProps{
		SqsManagedSseEnabled: true, MessageRetentionPeriod: jsii.Number(queueDays * 24 * 60 * 60),
	})
	awssqs.NewCfnQueuePolicy(scope, jsii.String("FailedEventsPolicy"), &awssqs.CfnQueuePolicyProps{
		Queues: &[]*string{queue.Ref()}, PolicyDocument: document(onlyTLS("sqs:*", queue.AttrArn())),
	})
	return queue
}

// twoWays lets a ring reach the function directly and by EventBridge: an alarm's actions can be muted, its events are still sent.
// Both make the same incident.
//
// One permission serves all alarms. One for each would fill the function's policy, 20 KB, with about fifty.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html,
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
func twoWays(scope constructs.Construct, s Store, function awslambda.CfnFunction) {
	awslambda.NewCfnPermission(scope, jsii.String("AlarmsInvoke"), &awslambda.CfnPermissionProps{
		Action: jsii.String("lambda:InvokeFunction"), FunctionName: function.AttrArn(), Principal: jsii.String("lambda.alarms.cloudwatch.amazonaws.com"),
		SourceAccount: jsii.String(s.Account), SourceArn: jsii.String(s.alarmARN(ringPrefix + "*")),
	})
	rule := awsevents.NewCfnRule(scope, jsii.String("Rings"), &awsevents.CfnRuleProps{
		Description: jsii.String("Nightlatch: alarms that ring, to the responder"),
		EventPattern: map[string]any{
			"source":      []string{"aws.cloudwatch"},
			"detail-type": []string{"CloudWatch Alarm State Change", "CloudWatch Alarm Contributor State Change"},
			"detail":      map[string]any{"alarmName": startsWith(ringPrefix), "state": map[string]any{"value": []string{"ALARM"}}},
		},
		Targets: &[]any{&awsevents.CfnRule_TargetProperty{Id: jsii.String("responder"), Arn: function.AttrArn()}},
	})
	awslambda.NewCfnPermission(scope, jsii.String("EventsInvoke"), &awslambda.CfnPermissionProps{
		Action: jsii.String("lambda:InvokeFunction"), FunctionName: function.AttrArn(), Principal: jsii.String("events.amazonaws.com"), SourceArn: rule.AttrArn(),
	})
}

// startsWith matches a prefix: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
func startsWith(prefix string) []any { return []any{map[string]any{"prefix": prefix}} }

// contains matches a part.
func contains(part string) []any { return []any{map[string]any{"wildcard": "*" + part + "*"}} }
