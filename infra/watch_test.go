package main

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheResponderIsWatched(t *testing.T) {
	got := map[string][]any{}
	for _, a := range synth(t).resources("AWS::CloudWatch::Alarm") {
		name, ours := strings.CutPrefix(a["AlarmName"].(string), watchPrefix)
		if !ours {
			continue
		}
		if diff := cmp.Diff(a["AlarmActions"], []any{aTopic}); diff != "" || a["TreatMissingData"] != "notBreaching" || a["Threshold"] != 0.0 || a["DatapointsToAlarm"] != 1.0 {
			t.Errorf("%s is %v", name, a)
		}
		got[name] = []any{a["Namespace"], a["MetricName"], at(t, a, "Dimensions", 0, "Value")}
	}
	want := map[string][]any{
		"errors":          {"AWS/Lambda", "Errors", "Nightlatch-Responder-x1"},
		"throttles":       {"AWS/Lambda", "Throttles", "Nightlatch-Responder-x1"},
		"dropped":         {"AWS/Lambda", "AsyncEventsDropped", "Nightlatch-Responder-x1"},
		"undelivered":     {"AWS/Lambda", "DestinationDeliveryFailures", "Nightlatch-Responder-x1"},
		"enroller-errors": {"AWS/Lambda", "Errors", "Nightlatch-Enroller-x1"},
		"failed-events":   {"AWS/SQS", "ApproximateNumberOfMessagesVisible", "{FailedEvents.QueueName}"},
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}

// matches is as much of EventBridge's matching as the rules use:
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
func matches(t *testing.T, pattern, event any) bool {
	t.Helper()
	if p, ok := pattern.(map[string]any); ok {
		e, _ := event.(map[string]any)
		for key, sub := range p {
			if !matches(t, sub, e[key]) {
				return false
			}
		}
		return true
	}
	values, ok := event.([]any)
	if !ok {
		values = []any{event}
	}
	for _, m := range pattern.([]any) {
		for _, v := range values {
			if matchesOne(t, m, v) {
				return true
			}
		}
	}
	return false
}

func matchesOne(t *testing.T, m, value any) bool {
	text, is := value.(string)
	op, ok := m.(map[string]any)
	if !ok {
		return m == value
	}
	for name, arg := range op {
		switch name {
		case "prefix":
			return is && strings.HasPrefix(text, arg.(string))
		case "exists":
			return (value != nil) == arg.(bool)
		case "wildcard":
			ok, err := path.Match(strings.ReplaceAll(arg.(string), "/", "_"), strings.ReplaceAll(text, "/", "_"))
			return is && ok && err == nil
		case "anything-but":
			for _, not := range arg.([]any) {
				if not == value {
					return false
				}
			}
			return is
		}
		t.Fatalf("the rules use %q, which the test does not know", name)
	}
	return false
}

// heard are the logical ids of the tampering rules that an event matches.
func heard(t *testing.T, tpl template, event map[string]any) (ids []string) {
	for id, rule := range tpl.resources("AWS::Events::Rule") {
		if at(t, rule, "Targets", 0, "Arn") == aTopic && matches(t, rule["EventPattern"], event) {
			ids = append(ids, id)
		}
	}
	return ids
}

func call(source, name, params, issuer string) map[string]any {
	var request any
	if err := json.Unmarshal([]byte(params), &request); err != nil {
		panic(err)
	}
	identity := map[string]any{"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/mallory"}
	if issuer != "" {
		identity["sessionContext"] = map[string]any{"sessionIssuer": map[string]any{"arn": issuer}}
	}
	return map[string]any{"source": source, "detail-type": "AWS API Call via CloudTrail",
		"detail": map[string]any{"eventName": name, "requestParameters": request, "userIdentity": identity}}
}

func TestTamperingIsHeard(t *testing.T) {
	tpl := synth(t)
	const deployment = "arn:aws:iam::111122223333:role/cdk-hnb659fds-cfn-exec-role-111122223333-eu-west-1"
	for _, c := range []struct {
		source, name, params string
		want                 bool
	}{
		{"aws.cloudtrail", "StopLogging", `{"name":"main"}`, true},
		{"aws.cloudtrail", "PutEventSelectors", `{}`, true},
		{"aws.cloudtrail", "StopEventDataStoreIngestion", `{}`, true},
		{"aws.cloudtrail", "StartLogging", `{}`, false},
		{"aws.monitoring", "DeleteAlarms", `{"alarmNames":["other","nightlatch-a-bucket-1m"]}`, true},
		{"aws.monitoring", "DisableAlarmActions", `{"alarmNames":["watch-nightlatch-errors"]}`, true},
		{"aws.monitoring", "DeleteAlarms", `{"alarmNames":["other"]}`, false},
		{"aws.monitoring", "PutMetricAlarm", `{"alarmName":"nightlatch-a-bucket-1m"}`, true},
		{"aws.monitoring", "PutMetricAlarm", `{"alarmName":"TargetTracking-x"}`, false},
		{"aws.monitoring", "PutAlarmMuteRule", `{"name":"quiet"}`, true},
		{"aws.s3", "DeleteBucketMetricsConfiguration", `{"bucketName":"a-bucket"}`, true},
		{"aws.s3", "PutBucketMetricsConfiguration", `{"bucketName":"a-bucket"}`, true},
		{"aws.lambda", "UpdateFunctionCode20150331v2", `{"functionName":"Nightlatch-Responder-x1"}`, true},
		{"aws.lambda", "UpdateFunctionConfiguration20150331v2", `{"functionName":"arn:aws:lambda:eu-west-1:111122223333:function:Nightlatch-Responder-x1"}`, true},
		{"aws.lambda", "DeleteFunction20150331", `{"functionName":"Nightlatch-Responder-x1"}`, true},
		{"aws.lambda", "PutFunctionConcurrency20171031", `{"functionName":"Nightlatch-Responder-x1"}`, true},
		{"aws.lambda", "UpdateFunctionCode20150331v2", `{"functionName":"web"}`, false},
		{"aws.sns", "SetTopicAttributes", `{"topicArn":"` + aTopic + `"}`, true},
		{"aws.sns", "DeleteTopic", `{"topicArn":"arn:aws:sns:eu-west-1:111122223333:other"}`, false},
		{"aws.sns", "Unsubscribe", `{"subscriptionArn":"` + aTopic + `:0d3c6a5e"}`, true},
		{"aws.kms", "DisableKey", `{"keyId":"arn:aws:kms:eu-west-1:111122223333:key/Nightlatch-TopicKey-x1"}`, true},
		{"aws.kms", "DisableKey", `{"keyId":"0b8a2a3e"}`, false},
		{"aws.events", "DisableRule", `{"name":"Nightlatch-Rings-1ABC"}`, true},
		{"aws.events", "RemoveTargets", `{"rule":"Nightlatch-Rings-1ABC"}`, true},
		{"aws.events", "RemoveTargets", `{"rule":"other"}`, false},
	} {
		for _, issuer := range []string{"", "arn:aws:iam::111122223333:role/admin", deployment} {
			want := c.want && issuer != deployment
			if ids := heard(t, tpl, call(c.source, c.name, c.params, issuer)); (len(ids) == 1) != want || len(ids) > 1 {
				t.Errorf("%s %s by %q: heard by %q, want %v", c.name, c.params, issuer, ids, want)
			}
		}
	}
}

// EventBridge takes 2,048 characters a pattern, and the team gets a sentence, not a record.
func TestTamperingRules(t *testing.T) {
	for id, rule := range synth(t).resources("AWS::Events::Rule") {
		text, err := json.Marshal(rule["EventPattern"])
		if err != nil || len(text) > 2048 {
			t.Errorf("%s: the pattern has %d characters, %v", id, len(text), err)
		}
		if at(t, rule, "Targets", 0, "Arn") != aTopic {
			continue
		}
		var sentence string
		if err := json.Unmarshal([]byte(at(t, rule, "Targets", 0, "InputTransformer", "InputTemplate").(string)), &sentence); err != nil {
			t.Errorf("%s: what it says is not a JSON string: %v", id, err)
		}
		for name := range at(t, rule, "Targets", 0, "InputTransformer", "InputPathsMap").(map[string]any) {
			if !strings.Contains(sentence, "<"+name+">") {
				t.Errorf("%s: %q does not use <%s>", id, sentence, name)
			}
		}
	}
}

// The rule lets through exactly the events that the responder would make an incident of.
func TestTheRuleForRings(t *testing.T) {
	pattern := synth(t).resources("AWS::Events::Rule")["Rings"]["EventPattern"]
	for file, want := range map[string]bool{
		"alarm-eventbridge.json": true, "alarm-eventbridge-contributor.json": true, "alarm-eventbridge-configuration.json": false,
	} {
		text, err := os.ReadFile(filepath.Join("../events", file))
		if err != nil {
			t.Fatal(err)
		}
		var event map[string]any
		if err := json.Unmarshal(text, &event); err != nil {
			t.Fatal(err)
		}
		if got := matches(t, pattern, event); got != want {
			t.Errorf("%s: got %v, want %v", file, got, want)
		}
		if want {
			event["detail"].(map[string]any)["alarmName"] = watchPrefix + "errors"
			if matches(t, pattern, event) {
				t.Errorf("%s: an alarm on the responder goes to the responder", file)
			}
		}
	}
}
