package main

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/containment/awsaccount"
	"nightlatch/internal/grant"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/notices"
	"nightlatch/internal/notify/sns"
	"nightlatch/internal/settings"
)

// teller is the function that tells the team of tampering, and the queue from which Lambda calls it.
type teller struct {
	lambda
	queue   awssqs.CfnQueue
	mapping awslambda.CfnEventSourceMapping
}

const (
	// tellTimeout is enough for one message to each topic, with its turn and its repeats, and a hundred incidents read.
	tellTimeout = 2 * 60 // seconds
	// A batch is all that comes in a minute, or as many as Lambda takes at once.
	// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
	batchSeconds, batchSize = 60, 10_000
	// tellers is the least that Lambda takes as the most of runs at a time: a flood takes no more of the account's concurrency.
	// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
	tellers = 2
	// received is how often a batch is tried before it goes to the failed events.
	received = 5
	// noticeDays is how long the queue keeps what nobody takes.
	noticeDays = 4
)

// newTeller makes the queue to which the rules write, and the function that Lambda calls with what is in it.
func newTeller(scope constructs.Construct, s Settings, code string, topic, watch team, kept incidents, failed awssqs.CfnQueue) (teller, error) {
	queue := awssqs.NewCfnQueue(scope, jsii.String("Notices"), &awssqs.CfnQueueProps{
		SqsManagedSseEnabled: true, MessageRetentionPeriod: jsii.Number(noticeDays * 24 * 60 * 60),
		// Six times the function's time and the batch's: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
		VisibilityTimeout: jsii.Number(6*tellTimeout + batchSeconds),
		RedrivePolicy:     map[string]any{"deadLetterTargetArn": failed.AttrArn(), "maxReceiveCount": received},
	})
	queue.ApplyRemovalPolicy(awscdk.RemovalPolicy_DESTROY, nil)
	f, err := newFunction(scope, s, recipe{
		id: "Teller", about: "Nightlatch: tells the team of calls that could blind or silence it", code: code, timeout: tellTimeout, grants: tellerGrants(s),
		environment: settings.Notices{Topic: *topic.arn, Watchers: s.watchingTopics(watch), Table: kept.name, LogLevel: s.LogLevel}.Environ(),
		names:       watchNames(watch),
		more:        []statement{encryptForTheWatchers(s.Home, watch), takeNotices(queue.AttrArn())},
	}, topic, kept, nil)
	if err != nil {
		return teller{}, err
	}
	policy := awssqs.NewCfnQueuePolicy(scope, jsii.String("NoticesPolicy"), &awssqs.CfnQueuePolicyProps{
		Queues: &[]*string{queue.Ref()}, PolicyDocument: document(append(ourRulesSend(s.Home, queue.AttrArn()), nobodyElseTakes(queue.AttrArn(), f.role.AttrArn()), onlyTLS("sqs:*", queue.AttrArn()))...),
	})
	mapping := awslambda.NewCfnEventSourceMapping(scope, jsii.String("NoticesTaken"), &awslambda.CfnEventSourceMappingProps{
		EventSourceArn: queue.AttrArn(), FunctionName: f.function.Ref(), BatchSize: jsii.Number(batchSize), MaximumBatchingWindowInSeconds: jsii.Number(batchSeconds),
		FunctionResponseTypes: jsii.Strings("ReportBatchItemFailures"),
		ScalingConfig:         &awslambda.CfnEventSourceMapping_ScalingConfigProperty{MaximumConcurrency: jsii.Number(tellers)},
	})
	tick := awsevents.NewCfnRule(scope, jsii.String("Tick"), &awsevents.CfnRuleProps{
		Description: jsii.String("Nightlatch: has what is due told, where nothing else comes"), ScheduleExpression: jsii.String("rate(5 minutes)"),
		Targets: &[]any{&awsevents.CfnRule_TargetProperty{Id: jsii.String("notices"), Arn: queue.AttrArn(), Input: jsii.String(`{"rule":"` + notices.Tick + `"}`)}},
	})
	tick.AddResourceDependency(policy, nil)
	return teller{f, queue, mapping}, nil
}

// tellerGrants are the permissions that the function's code needs.
func tellerGrants(s Settings) []grant.Grant {
	publish := sns.Grants()
	for i := range publish {
		publish[i].On = append(publish[i].On, "${Watch}")
		publish[i].On = append(publish[i].On, s.watchersTopics()...)
	}
	return append(slices.Concat(publish, hearingGrants(), dynamo.NoticeGrants()), awsaccount.AliasGrant())
}

// watchNames is the placeholder of the watchers' topic.
func watchNames(watch team) map[string]string { return map[string]string{"Watch": *watch.arn} }

// ourRulesSend lets EventBridge write to the queue, for the rules of this stack, and nobody else, whoever lets him: a call that a principal of the
// account makes has no source. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sqs-permissions
func ourRulesSend(h Home, queue *string) []statement {
	rules := map[string]any{"aws:SourceArn": h.arn("events", "rule/"+stackName+"-*")}
	return []statement{
		{"Sid": "OurRulesSend", "Effect": "Allow", "Principal": map[string]any{"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": queue,
			"Condition": map[string]any{"ArnLike": rules}},
		{"Sid": "NobodyElseSends", "Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queue, "Condition": map[string]any{"ArnNotLike": rules}},
	}
}

// nobodyElseTakes denies everybody but the function's role to take notices away, whoever lets him: CloudTrail records such calls nowhere unless it
// is told to. aws:PrincipalArn is the role's of a session.
func nobodyElseTakes(queue, role *string) statement {
	return statement{"Sid": "NobodyElseTakes", "Effect": "Deny", "Principal": "*", "Action": []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"}, "Resource": queue,
		"Condition": map[string]any{"ArnNotEquals": map[string]any{"aws:PrincipalArn": role}}}
}

// takeNotices is what Lambda does with the function's role: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
func takeNotices(queue *string) statement {
	return statement{"Sid": "TakeNotices", "Effect": "Allow", "Action": []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}, "Resource": queue}
}

// encryptForTheWatchers is encryptForTheTeam, of the other topic.
func encryptForTheWatchers(h Home, watch team) statement {
	st := encryptForTheTeam(h, watch)
	st["Sid"] = "EncryptForTheWatchers"
	return st
}
