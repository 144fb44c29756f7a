package main

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/notify"
)

// team is a topic, and its key.
type team struct {
	arn, name, keyARN, keyID *string
}

// newTopic makes the team's topic.
func newTopic(scope constructs.Construct, s Settings) team {
	t := encrypted(scope, "Topic", "Nightlatch: messages to the team", "Nightlatch", []statement{accountDecides(s.Home)})
	subscribe(scope, "Subscriptions", t.arn, s.Email)
	return t
}

// newWatch makes the topic of what must be heard without our code, under a key of its own: the alarms on our own functions publish to it, and the
// function that tells of tampering where the team's topic takes nothing. Where no watcher is given, the team's addresses subscribe to it.
func newWatch(scope constructs.Construct, s Settings) team {
	t := encrypted(scope, "Watch", "Nightlatch: alarms on itself", "Nightlatch itself", watchKeyPolicy(s.Home))
	subscribe(scope, "Watchers", t.arn, s.watching())
	return t
}

// watching is who is to hear what that topic gets.
func (s Settings) watching() []string {
	if len(s.Watchers) > 0 {
		return s.Watchers
	}
	return s.Email
}

// encrypted makes a topic, and a key of ours under which it is encrypted.
func encrypted(scope constructs.Construct, id, about, display string, keyPolicy []statement) team {
	key := awskms.NewCfnKey(scope, jsii.String(id+"Key"), &awskms.CfnKeyProps{
		Description: jsii.String(about), EnableKeyRotation: true, KeyPolicy: document(keyPolicy...),
	})
	key.ApplyRemovalPolicy(awscdk.RemovalPolicy_DESTROY, nil) // nothing stays encrypted under it but messages on their way
	topic := awssns.NewCfnTopic(scope, jsii.String(id), &awssns.CfnTopicProps{DisplayName: jsii.String(display), KmsMasterKeyId: key.Ref()})
	return team{topic.Ref(), topic.AttrTopicName(), key.AttrArn(), key.Ref()}
}

// onlyOursPublish makes the topics' policies, once all functions are there: nobody but their roles publishes, whoever lets him, and CloudWatch to the
// watchers. What reaches the team has gone through our code, which bounds it: AWS deactivates an address that gets more than ten messages a second,
// and who publishes is recorded nowhere unless the trail is told to.
func onlyOursPublish(scope constructs.Construct, s Settings, topic, watch team, functions ...lambda) (policies []awscdk.CfnResource) {
	var roles []*string
	for _, f := range functions {
		roles = append(roles, f.role.AttrArn())
	}
	for _, t := range []struct {
		id   string
		of   team
		more []statement
	}{{"TopicPolicy", topic, nil}, {"WatchPolicy", watch, []statement{alarmsPublish(s.Home, watch.arn)}}} {
		policies = append(policies, awssns.NewCfnTopicPolicy(scope, jsii.String(t.id), &awssns.CfnTopicPolicyProps{
			Topics: &[]*string{t.of.arn}, PolicyDocument: document(append(t.more, onlyTLS("sns:Publish", t.of.arn), nobodyElsePublishes(t.of.arn, roles))...),
		}))
	}
	return policies
}

// nobodyElsePublishes denies it to every principal but sessions of our roles; a service of AWS's is none, and is let by a statement of its own.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalisawsservice
func nobodyElsePublishes(topic *string, roles []*string) statement {
	return statement{"Sid": "NobodyElsePublishes", "Effect": "Deny", "Principal": "*", "Action": "sns:Publish", "Resource": topic,
		"Condition": map[string]any{"ArnNotEquals": map[string]any{"aws:PrincipalArn": roles}, "Bool": map[string]any{"aws:PrincipalIsAWSService": "false"}}}
}

// subscribe subscribes addresses to a topic. Another topic is none: SNS has no topic subscribe to a topic.
func subscribe(scope constructs.Construct, id string, topic *string, addresses []string) {
	subscriptions := constructs.NewConstruct(scope, jsii.String(id))
	for _, e := range endpoints(addresses) {
		awssns.NewCfnSubscription(subscriptions, jsii.String(e.Address), &awssns.CfnSubscriptionProps{Protocol: jsii.String(e.Protocol), Endpoint: jsii.String(e.Address), TopicArn: topic})
	}
}

// endpoints are addresses as SNS has them.
func endpoints(addresses []string) (all []notify.Endpoint) {
	for _, a := range addresses {
		if protocol := protocolOf(a); protocol != "" {
			all = append(all, notify.Endpoint{Protocol: protocol, Address: a})
		}
	}
	return all
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

// alarmsPublish lets CloudWatch publish. Our functions need no statement: their roles' policies are enough within an account.
func alarmsPublish(h Home, topic *string) statement {
	return statement{"Sid": "AlarmsPublish", "Effect": "Allow", "Principal": map[string]any{"Service": "cloudwatch.amazonaws.com"},
		"Action": "sns:Publish", "Resource": topic, "Condition": ourAlarms(h)}
}
