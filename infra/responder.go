package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/settings"
)

// responder is the function that answers, and the queue of the events that it did not.
type responder struct {
	lambda
	queue awssqs.CfnQueue
}

const (
	// eventAge is the most there is: an answer that is late is better than none.
	eventAge = 6 * 60 * 60 // seconds
	// queueDays is the longest there is, so that a failed event outlives a holiday.
	queueDays = 14
)

func newResponder(scope constructs.Construct, s Settings, code string, topic, watch team, kept incidents, queue awssqs.CfnQueue, c *lambda) (responder, error) {
	environment := s.forResponder(topic, watch, kept, queue.AttrArn())
	if c != nil {
		environment.Cutter = *c.function.Ref()
	}
	variables := environment.Environ()
	// What its start makes is a little more than the 4 MB after which Go collects garbage first: https://pkg.go.dev/runtime#hdr-Environment_Variables
	variables["GOGC"] = "200"
	f, err := newFunction(scope, s, recipe{
		id: "Responder", about: "Nightlatch: answers alarms on the bytes that leave S3 buckets", code: code, eventAge: eventAge, grants: grantsOf(s),
		environment: variables, names: withCutter(watchNames(watch), c), more: []statement{encryptForTheWatchers(s.Home, watch)},
		deployed: map[string]any{"Policy": s.policyDigest()},
	}, topic, kept, queue.AttrArn())
	if err != nil {
		return responder{}, err
	}
	twoWays(scope, s.Home, f.function)
	// No alarm fires for a copy.
	every(scope, s, "Copies", "Nightlatch: an hourly look for copies out of the watched buckets", "rate(1 hour)", "responder", `{"nightlatch":{"copies":{}}}`, f.function)
	return responder{f, queue}, nil
}

// forResponder is what the function reads with the same code.
func (s Settings) forResponder(topic, watch team, kept incidents, queue *string) settings.Responder {
	var location, sealed, management string
	if s.Trail != "" {
		location, sealed = s.Files.location(), s.Sealed
	}
	if s.managed() {
		management = s.Management.location()
	}
	return settings.Responder{
		Unit: s.Unit, Mode: s.Mode, ObserveUntil: s.ObserveUntil, Generation: s.Generation, Evidence: s.Evidence, EventDataStore: s.EventDataStore, TrailLocation: location, ManagementLocation: management, Management: s.Deeds, Sealed: sealed, Topic: *topic.arn, Topics: s.Topics, Webhook: s.secretARN(s.Webhook), Slack: s.secretARN(s.Slack), EventBus: s.Events, Hub: s.Hub, Chat: s.Chat, Watchers: []string{*watch.arn}, Accounts: []string{s.Home.Account},
		Protected: s.Protected, ProtectTag: s.ProtectTag, ScanBudget: settings.DefaultScanBudget, FilterID: s.Filter, Records: s.Records, LogLevel: s.LogLevel,
		Steps: s.stepNames(), StepPaths: s.StepPaths, Table: kept.name, ScheduleGroup: stackName, ScheduleRole: kept.scheduleRoleARN, DeadLetters: *queue,
	}
}

// newQueue keeps the events that failed three times. SQS's own encryption needs no key that Lambda would have to be let to.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-sqs-sse-queue.html
func newQueue(scope constructs.Construct) awssqs.CfnQueue {
	queue := awssqs.NewCfnQueue(scope, jsii.String("FailedEvents"), &awssqs.CfnQueueProps{
		SqsManagedSseEnabled: true, MessageRetentionPeriod: jsii.Number(queueDays * 24 * 60 * 60),
	})
	queue.ApplyRemovalPolicy(awscdk.RemovalPolicy_DESTROY, nil) // who takes the stack away, takes the answers away
	awssqs.NewCfnQueuePolicy(scope, jsii.String("FailedEventsPolicy"), &awssqs.CfnQueuePolicyProps{
		Queues: &[]*string{queue.Ref()}, PolicyDocument: document(onlyTLS("sqs:*", queue.AttrArn())),
	})
	return queue
}

// twoWays lets an alarm reach the function directly and by EventBridge: an alarm's actions can be muted, its events are still sent.
// Both make the same incident.
//
// One permission serves all alarms. One for each would fill the function's policy, 20 KB, with about fifty.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html,
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
func twoWays(scope constructs.Construct, h Home, function awslambda.CfnFunction) {
	awslambda.NewCfnPermission(scope, jsii.String("AlarmsInvoke"), &awslambda.CfnPermissionProps{
		Action: jsii.String("lambda:InvokeFunction"), FunctionName: function.AttrArn(), Principal: jsii.String("lambda.alarms.cloudwatch.amazonaws.com"),
		SourceAccount: jsii.String(h.Account), SourceArn: jsii.String(h.alarmARN(alarmPrefix + "*")),
	})
	rule := awsevents.NewCfnRule(scope, jsii.String("Rings"), &awsevents.CfnRuleProps{
		Description: jsii.String("Nightlatch: alarms that fire, to the responder"),
		EventPattern: map[string]any{
			"source":      []string{"aws.cloudwatch"},
			"detail-type": []string{"CloudWatch Alarm State Change", "CloudWatch Alarm Contributor State Change"},
			"detail":      map[string]any{"alarmName": startsWith(alarmPrefix), "state": map[string]any{"value": []string{"ALARM"}}},
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
