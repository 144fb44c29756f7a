package alarm

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// text is a JSON text as a JSON string holds it.
func text(t *testing.T, event []byte) string {
	t.Helper()
	quoted, err := json.Marshal(string(event))
	if err != nil {
		t.Fatal(err)
	}
	return string(quoted)
}

// An envelope adds nothing to an alarm and takes nothing from it.
func TestParseOpensEnvelopes(t *testing.T) {
	direct, bridge := sample(t, "alarms/direct-metric.json"), sample(t, "alarms/eventbridge-metric.json")
	var sns struct {
		Records []struct{ Sns struct{ Message string } }
	}
	if err := json.Unmarshal(sample(t, "alarms/sns-metric.json"), &sns); err != nil {
		t.Fatal(err)
	}
	message := []byte(sns.Records[0].Sns.Message)
	notification := fmt.Sprintf(`{"Type":"Notification","TopicArn":"arn:aws:sns:eu-west-1:111122223333:t","Message":%s,"SignatureVersion":"1"}`, text(t, message))
	queue := func(body []byte) string {
		return fmt.Sprintf(`{"Records":[{"messageId":"1","body":%s,"eventSource":"aws:sqs","awsRegion":"eu-west-1"}]}`, text(t, body))
	}
	for name, event := range map[string]string{
		"SNS over HTTPS":                       notification,
		"the message alone":                    string(message),
		"EventBridge through SNS over HTTPS":   fmt.Sprintf(`{"Type":"Notification","TopicArn":"t","Message":%s}`, text(t, bridge)),
		"EventBridge through SNS":              fmt.Sprintf(`{"Records":[{"EventSource":"aws:sns","Sns":{"Message":%s}}]}`, text(t, bridge)),
		"SQS":                                  queue(message),
		"SNS in SQS":                           queue([]byte(notification)),
		"EventBridge in SQS":                   queue(bridge),
		"EventBridge through SNS in SQS":       queue(fmt.Appendf(nil, `{"Type":"Notification","TopicArn":"t","Message":%s}`, text(t, bridge))),
		"one message of SQS":                   fmt.Sprintf(`{"messageId":"1","body":%s}`, text(t, direct)),
		"a list of one":                        "[" + string(direct) + "]",
		"a list of one in SQS":                 queue([]byte("[" + string(bridge) + "]")),
		"a list of one message of SQS":         fmt.Sprintf(`[{"messageId":"1","body":%s,"eventSource":"aws:sqs"}]`, text(t, bridge)),
		"the same twice in a queue":            fmt.Sprintf(`{"Records":[{"body":%[1]s},{"body":%[1]s}]}`, text(t, bridge)),
		"the record of a failed call":          fmt.Sprintf(`{"version":"1.0","requestContext":{"condition":"RetriesExhausted"},"requestPayload":%s,"responsePayload":{"errorMessage":"x"}}`, direct),
		"the record of a failed call, by SQS":  queue(fmt.Appendf(nil, `{"requestPayload":%s}`, bridge)),
		"the body of a request":                fmt.Sprintf(`{"requestContext":{"http":{}},"body":%s,"isBase64Encoded":false}`, text(t, bridge)),
		"a stream":                             fmt.Sprintf(`{"Records":[{"eventSource":"aws:kinesis","kinesis":{"data":%q}}]}`, base64.StdEncoding.EncodeToString([]byte(strings.TrimSpace(string(bridge))))),
		"a step of a workflow":                 fmt.Sprintf(`{"Input":%s}`, direct),
		"text":                                 text(t, direct),
		"with a number that has no place here": fmt.Sprintf(`{"attempt":12345678901234567890,"event":%s}`, direct),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse([]byte(event))
			check(t, got, err)
			if diff := cmp.Diff(Event{Alarm: exportsFired()}, got); err != nil || diff != "" {
				t.Errorf("Parse = %v; (-want +got):\n%s", err, diff)
			}
		})
	}
}

// The detail without its event is a claim that names nobody: no account, no ARN.
func TestParseOfADetailAlone(t *testing.T) {
	want := exportsFired()
	want.ARN, want.AccountID, want.Region = "", "", ""
	for file, field := range map[string]string{"alarms/eventbridge-metric.json": "detail", "alarms/direct-metric.json": "alarmData"} {
		var whole map[string]json.RawMessage
		if err := json.Unmarshal(sample(t, file), &whole); err != nil {
			t.Fatal(err)
		}
		for name, event := range map[string]string{"alone": string(whole[field]), "in SQS": fmt.Sprintf(`{"Records":[{"body":%s}]}`, text(t, whole[field]))} {
			got, err := Parse([]byte(event))
			if diff := cmp.Diff(Event{Alarm: want}, got); err != nil || diff != "" {
				t.Errorf("%s of %s %s: Parse = %v; (-want +got):\n%s", field, file, name, err, diff)
			}
		}
	}
	got, err := Parse([]byte(`{"alarmName":"a","operation":"update","state":{"value":"ALARM","timestamp":"2026-03-04T00:03:41.431+0000"},"configuration":{}}`))
	if err != nil || got.Ignored != changedConfiguration {
		t.Errorf("Parse(somebody edited the alarm) = %+v, %v", got, err)
	}
}

// What is no one alarm is refused in words.
func TestParseRefusesEnvelopes(t *testing.T) {
	direct := string(sample(t, "alarms/direct-metric.json"))
	other := strings.ReplaceAll(direct, "customer-exports", "other-exports")
	deep := direct
	for range maxTexts + 1 {
		deep = fmt.Sprintf(`{"body":%s}`, text(t, []byte(deep)))
	}
	for name, c := range map[string]struct{ event, want string }{
		"an empty list":            {"[]", "the event is a list of 0, without an alarm in it"},
		"a list of something else": {`[{"hello":"world"}]`, "the event is a list of 1, without an alarm in it"},
		"two alarms":               {"[" + direct + "," + other + "]", "an envelope with 2 alarms: send each by itself"},
		"two alarms in a queue":    {fmt.Sprintf(`{"Records":[{"body":%s},{"body":%s}]}`, text(t, []byte(direct)), text(t, []byte(other))), "an envelope with 2 alarms"},
		"a number":                 {"17", "the event is a single value, without an alarm in it"},
		"a text":                   {`"ALARM!"`, "the event is a text, without an alarm in it"},
		"two events, one a line":   {`{"a":1}` + "\n" + `{"a":2}`, "the event is several JSON values, one after another"},
		"a subscription to be confirmed": {`{"Type":"SubscriptionConfirmation","TopicArn":"t","Message":"You have chosen","SubscribeURL":"https://x"}`,
			`an SNS message of the type "SubscriptionConfirmation", without an alarm in it`},
		"a manual event from a queue": {`{"Records":[{"eventSource":"aws:sqs","body":"{\"nightlatch\":{\"advance\":{\"incident\":\"a\"}}}"}]}`, `Records[0] comes from "aws:sqs", not from SNS`},
		"an alarm too deep":           {deep, `its fields are "body"`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse([]byte(c.event))
			check(t, got, err)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "json:") {
				t.Errorf("Parse = %+v, %v, want an error with %s", got, err, c.want)
			}
		})
	}
}
