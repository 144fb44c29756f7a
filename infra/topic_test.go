package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheTopicAndItsKey(t *testing.T) {
	tpl := synth(t)
	key := tpl.one(t, "AWS::KMS::Key")
	if key["EnableKeyRotation"] != true {
		t.Error("the key is not rotated")
	}
	if got := tpl.one(t, "AWS::SNS::Topic")["KmsMasterKeyId"]; got != "Nightlatch-TopicKey-x1" {
		t.Errorf("the topic's key is %v", got)
	}
	golden(t, "key-policy.golden", indented(t, at(t, key, "KeyPolicy", "Statement")))
	golden(t, "topic-policy.golden", indented(t, at(t, tpl.one(t, "AWS::SNS::TopicPolicy"), "PolicyDocument", "Statement")))
	golden(t, "queue-policy.golden", indented(t, at(t, tpl.one(t, "AWS::SQS::QueuePolicy"), "PolicyDocument", "Statement")))
}

// Whoever may publish to the topic may use its key: one without the other is a message that nobody gets.
func TestPublishersMayUseTheKey(t *testing.T) {
	tpl := synth(t)
	services := func(statements any) map[string]any {
		out := map[string]any{}
		for _, st := range statements.([]any) {
			st := st.(map[string]any)
			if p, ok := st["Principal"].(map[string]any); ok && st["Effect"] == "Allow" && p["Service"] != nil {
				out[p["Service"].(string)] = st["Condition"]
			}
		}
		return out
	}
	key := services(at(t, tpl.one(t, "AWS::KMS::Key"), "KeyPolicy", "Statement"))
	topic := services(at(t, tpl.one(t, "AWS::SNS::TopicPolicy"), "PolicyDocument", "Statement"))
	if diff := cmp.Diff(key, topic); diff != "" || len(topic) != 2 {
		t.Errorf("key -, topic +:\n%s", diff)
	}
	// SNS refuses EventBridge under such a condition on the key.
	if topic["events.amazonaws.com"] != nil {
		t.Errorf("EventBridge has the condition %v", topic["events.amazonaws.com"])
	}
}

func TestEveryAddressSubscribes(t *testing.T) {
	got := map[string]any{}
	for _, s := range synth(t, "email", "soc@example.com,s.oc@example.com").resources("AWS::SNS::Subscription") {
		if s["Protocol"] != "email" || s["TopicArn"] != aTopic {
			t.Errorf("a subscription is %v", s)
		}
		got[s["Endpoint"].(string)] = true
	}
	if diff := cmp.Diff(got, map[string]any{"soc@example.com": true, "s.oc@example.com": true}); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}
