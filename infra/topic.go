package main

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// team is a topic, and its key.
type team struct {
	arn, name, keyARN, keyID *string
	policy                   awssns.CfnTopicPolicy
}

// newTopic makes the team's topic, and lets nobody but our functions' roles publish: what reaches it has gone through our code, which bounds it.
func newTopic(scope constructs.Construct, s Settings) team {
	t := encrypted(scope, "Topic", "Nightlatch: messages to the team", "Nightlatch", []statement{accountDecides(s.Home)},
		func(topic *string) []statement { return []statement{onlyTLS("sns:Publish", topic)} })
	subscribe(scope, "Subscriptions", t.arn, s.Email)
	return t
}

// newWatch makes the topic of what must be heard without our code, under a key of its own: the alarms on our own functions publish to it, and the
// function that tells of tampering where the team's topic takes nothing. Where no watcher is given, the team's addresses subscribe to it.
func newWatch(scope constructs.Construct, s Settings) team {
	t := encrypted(scope, "Watch", "Nightlatch: alarms on itself", "Nightlatch itself", watchKeyPolicy(s.Home),
		func(topic *string) []statement { return watchPolicy(s.Home, topic) })
	endpoints := s.Watchers
	if len(endpoints) == 0 {
		endpoints = s.Email
	}
	subscribe(scope, "Watchers", t.arn, endpoints)
	return t
}

// encrypted makes a topic, its policy, and a key of ours under which it is encrypted.
func encrypted(scope constructs.Construct, id, about, display string, keyPolicy []statement, policyOf func(topic *string) []statement) team {
	key := awskms.NewCfnKey(scope, jsii.String(id+"Key"), &awskms.CfnKeyProps{
		Description: jsii.String(about), EnableKeyRotation: true, KeyPolicy: document(keyPolicy...),
	})
	key.ApplyRemovalPolicy(awscdk.RemovalPolicy_DESTROY, nil) // nothing stays encrypted under it but messages on their way
	topic := awssns.NewCfnTopic(scope, jsii.String(id), &awssns.CfnTopicProps{DisplayName: jsii.String(display), KmsMasterKeyId: key.Ref()})
	policy := awssns.NewCfnTopicPolicy(scope, jsii.String(id+"Policy"), &awssns.CfnTopicPolicyProps{
		Topics: &[]*string{topic.Ref()}, PolicyDocument: document(policyOf(topic.Ref())...),
	})
	return team{topic.Ref(), topic.AttrTopicName(), key.AttrArn(), key.Ref(), policy}
}

// subscribe subscribes endpoints to a topic. Another topic is none: SNS has no topic subscribe to a topic.
func subscribe(scope constructs.Construct, id string, topic *string, endpoints []string) {
	subscriptions := constructs.NewConstruct(scope, jsii.String(id))
	for _, e := range endpoints {
		if protocol := protocolOf(e); protocol != "" {
			awssns.NewCfnSubscription(subscriptions, jsii.String(e), &awssns.CfnSubscriptionProps{Protocol: jsii.String(protocol), Endpoint: jsii.String(e), TopicArn: topic})
		}
	}
}

// protocolOf is SNS's word for how an endpoint is reached; "" for a topic.
// https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
func protocolOf(endpoint string) string {
	switch {
	case topicARN.MatchString(endpoint):
		return ""
	case strings.HasPrefix(endpoint, "arn:"):
		return "sqs"
	case strings.HasPrefix(endpoint, "https:"):
		return "https"
	case strings.HasPrefix(endpoint, "+"):
		return "sms"
	}
	return "email"
}

// watchingTopics are the topics that are told without the team's: the stack's own, and the other topics among the watchers.
func (s Settings) watchingTopics(watch team) []string {
	return append([]string{*watch.arn}, s.watchersTopics()...)
}

// watchersTopics are the topics of others among the watchers.
func (s Settings) watchersTopics() (all []string) {
	for _, e := range s.Watchers {
		if protocolOf(e) == "" {
			all = append(all, e)
		}
	}
	return all
}

// ourAlarms is the condition that an alarm of this stack is behind a call, and not somebody else's through the same service:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
func ourAlarms(h Home) map[string]any {
	return map[string]any{
		"StringEquals": map[string]any{"aws:SourceAccount": h.Account},
		"ArnLike":      map[string]any{"aws:SourceArn": h.alarmARN(watchPrefix + "*")},
	}
}

// accountDecides lets the account's IAM policies speak about a key: the functions' roles have their own statements there.
func accountDecides(h Home) statement {
	return statement{"Sid": "AccountDecides", "Effect": "Allow", "Principal": map[string]any{"AWS": "arn:" + h.Partition + ":iam::" + h.Account + ":root"},
		"Action": "kms:*", "Resource": "*"}
}

// watchKeyPolicy lets CloudWatch use the key too: it cannot publish to a topic under AWS's own key.
// https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
func watchKeyPolicy(h Home) []statement {
	return []statement{accountDecides(h),
		{"Sid": "AlarmsEncrypt", "Effect": "Allow", "Principal": map[string]any{"Service": "cloudwatch.amazonaws.com"},
			"Action": []string{"kms:Decrypt", "kms:GenerateDataKey*"}, "Resource": "*", "Condition": ourAlarms(h)}}
}

// watchPolicy lets CloudWatch publish. Our function needs no statement here: its role's policy is enough within an account.
func watchPolicy(h Home, topic *string) []statement {
	return []statement{onlyTLS("sns:Publish", topic),
		{"Sid": "AlarmsPublish", "Effect": "Allow", "Principal": map[string]any{"Service": "cloudwatch.amazonaws.com"},
			"Action": "sns:Publish", "Resource": topic, "Condition": ourAlarms(h)}}
}
