package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// team is the topic to which everything is published, and its key.
type team struct {
	arn, name, keyARN, keyID *string
	policy                   awssns.CfnTopicPolicy
}

// newTopic makes the team's topic, encrypted with a key of ours: CloudWatch cannot publish to a topic under AWS's own key.
// https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
func newTopic(scope constructs.Construct, s Settings) team {
	key := awskms.NewCfnKey(scope, jsii.String("TopicKey"), &awskms.CfnKeyProps{
		Description: jsii.String("Nightlatch: messages to the team"), EnableKeyRotation: true, KeyPolicy: document(keyPolicy(s.Home)...),
	})
	key.ApplyRemovalPolicy(awscdk.RemovalPolicy_DESTROY, nil) // nothing stays encrypted under it but messages on their way
	topic := awssns.NewCfnTopic(scope, jsii.String("Topic"), &awssns.CfnTopicProps{DisplayName: jsii.String("Nightlatch"), KmsMasterKeyId: key.Ref()})
	policy := awssns.NewCfnTopicPolicy(scope, jsii.String("TopicPolicy"), &awssns.CfnTopicPolicyProps{
		Topics: &[]*string{topic.Ref()}, PolicyDocument: document(topicPolicy(s.Home, topic.Ref())...),
	})
	subscriptions := constructs.NewConstruct(scope, jsii.String("Subscriptions"))
	for _, address := range s.Email {
		awssns.NewCfnSubscription(subscriptions, jsii.String(address), &awssns.CfnSubscriptionProps{
			Protocol: jsii.String("email"), Endpoint: jsii.String(address), TopicArn: topic.Ref(),
		})
	}
	return team{topic.Ref(), topic.AttrTopicName(), key.AttrArn(), key.Ref(), policy}
}

// ourAlarms is the condition that an alarm of this stack is behind a call, and not somebody else's through the same service:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
func ourAlarms(h Home) map[string]any {
	return map[string]any{
		"StringEquals": map[string]any{"aws:SourceAccount": h.Account},
		"ArnLike":      map[string]any{"aws:SourceArn": h.alarmARN(watchPrefix + "*")},
	}
}

// keyPolicy lets the account's IAM policies speak (the responder's role has its own statement there), and the two services that
// publish. EventBridge takes no condition: "Adding the aws:SourceAccount and aws:SourceArn to a AWS KMS policy is not supported for
// EventBridge-to-encrypted topics" (https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html).
func keyPolicy(h Home) []statement {
	use := []string{"kms:Decrypt", "kms:GenerateDataKey*"}
	return []statement{
		{"Sid": "AccountDecides", "Effect": "Allow", "Principal": map[string]any{"AWS": "arn:" + h.Partition + ":iam::" + h.Account + ":root"},
			"Action": "kms:*", "Resource": "*"},
		{"Sid": "AlarmsEncrypt", "Effect": "Allow", "Principal": map[string]any{"Service": "cloudwatch.amazonaws.com"},
			"Action": use, "Resource": "*", "Condition": ourAlarms(h)},
		{"Sid": "EventsEncrypt", "Effect": "Allow", "Principal": map[string]any{"Service": "events.amazonaws.com"},
			"Action": use, "Resource": "*"},
	}
}

// topicPolicy lets the two services publish. The responder needs no statement here: its role's policy is enough within an account.
// EventBridge takes no condition here either (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html).
func topicPolicy(h Home, topic *string) []statement {
	return []statement{
		onlyTLS("sns:Publish", topic),
		{"Sid": "AlarmsPublish", "Effect": "Allow", "Principal": map[string]any{"Service": "cloudwatch.amazonaws.com"},
			"Action": "sns:Publish", "Resource": topic, "Condition": ourAlarms(h)},
		{"Sid": "EventsPublish", "Effect": "Allow", "Principal": map[string]any{"Service": "events.amazonaws.com"},
			"Action": "sns:Publish", "Resource": topic},
	}
}
