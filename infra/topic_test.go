package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheTopicAndItsKey(t *testing.T) {
	tpl := synth(t)
	for _, id := range []string{"Topic", "Watch"} { // each under a key of its own
		key := tpl.named(t, "AWS::KMS::Key", id+"Key")
		if key["EnableKeyRotation"] != true {
			t.Errorf("the key of %s is not rotated", id)
		}
		if got := tpl.named(t, "AWS::SNS::Topic", id)["KmsMasterKeyId"]; got != "Nightlatch-"+id+"Key-x1" {
			t.Errorf("the key of %s is %v", id, got)
		}
		golden(t, strings.ToLower(id)+"-key-policy.golden", indented(t, at(t, key, "KeyPolicy", "Statement")))
		golden(t, strings.ToLower(id)+"-policy.golden", indented(t, at(t, tpl.named(t, "AWS::SNS::TopicPolicy", id+"Policy"), "PolicyDocument", "Statement")))
	}
	golden(t, "queue-policy.golden", indented(t, at(t, tpl.named(t, "AWS::SQS::QueuePolicy", "FailedEventsPolicy"), "PolicyDocument", "Statement")))
	golden(t, "notices-policy.golden", indented(t, at(t, tpl.named(t, "AWS::SQS::QueuePolicy", "NoticesPolicy"), "PolicyDocument", "Statement")))
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
	for id, publishers := range map[string]int{"Topic": 0, "Watch": 1} { // no service publishes to the team's topic: what does is our code
		key := services(at(t, tpl.named(t, "AWS::KMS::Key", id+"Key"), "KeyPolicy", "Statement"))
		topic := services(at(t, tpl.named(t, "AWS::SNS::TopicPolicy", id+"Policy"), "PolicyDocument", "Statement"))
		if diff := cmp.Diff(key, topic); diff != "" || len(topic) != publishers {
			t.Errorf("%s: key -, topic +:\n%s", id, diff)
		}
	}
}

func TestEveryAddressSubscribes(t *testing.T) {
	const soc, ops = "arn:aws:sns:eu-west-1:444455556666:soc", "arn:aws:sqs:eu-west-1:111122223333:ops"
	for _, c := range []struct{ watchers, endpoints string }{
		{without, "email soc@example.com, email s.oc@example.com"}, // nobody hears less than before
		{"+4915123456789,https://hooks.example.com/x?y=1," + ops + "," + soc, "sms +4915123456789, https https://hooks.example.com/x?y=1, sqs " + ops},
		{soc, ""},
	} {
		tpl := synth(t, "email", "soc@example.com,s.oc@example.com", "watchers", c.watchers)
		got := map[any][]string{}
		for _, s := range tpl.resources("AWS::SNS::Subscription") {
			got[s["TopicArn"]] = append(got[s["TopicArn"]], s["Protocol"].(string)+" "+s["Endpoint"].(string))
		}
		for topic, want := range map[string]string{aTopic: "email soc@example.com, email s.oc@example.com", aWatch: c.endpoints} {
			if !sameList(strings.Join(got[topic], ", "), want) {
				t.Errorf("%s: to %s subscribe %q, want %q", c.watchers, topic, got[topic], want)
			}
		}
		// Another topic is no endpoint of a topic: the alarms call it themselves, and so does the function.
		actions := []any{aWatch}
		if strings.Contains(c.watchers, soc) {
			actions = append(actions, soc)
		}
		for _, a := range tpl.resources("AWS::CloudWatch::Alarm") {
			if strings.HasPrefix(a["AlarmName"].(string), watchPrefix) && !cmp.Equal(a["AlarmActions"], actions) {
				t.Errorf("%s: %s calls %v, want %v", c.watchers, a["AlarmName"], a["AlarmActions"], actions)
			}
		}
		told := indented(t, at(t, tpl.named(t, "AWS::IAM::Role", "TellerRole"), "Policies", 0, "PolicyDocument", "Statement", 0, "Resource"))
		for _, arn := range append(actions, aTopic) {
			if !strings.Contains(told, `"`+arn.(string)+`"`) {
				t.Errorf("%s: the function that tells may publish to %s, want %s too", c.watchers, told, arn)
			}
		}
	}
}

// sameList compares two lists in any order.
func sameList(a, b string) bool {
	x, y := strings.Split(a, ", "), strings.Split(b, ", ")
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}
