package alarm

import (
	"encoding/json"
	"fmt"
	"time"
)

// payload is what the direct and the EventBridge form have in common.
type payload struct {
	AlarmName   string       `json:"alarmName"`
	Operation   string       `json:"operation"`
	Contributor *contributor `json:"alarmContributor"`
	State       struct {
		Value      string  `json:"value"`
		Reason     string  `json:"reason"`
		ReasonData string  `json:"reasonData"`
		Timestamp  awsTime `json:"timestamp"`
	} `json:"state"`
	Configuration struct {
		AlarmRule string   `json:"alarmRule"`
		Metrics   []metric `json:"metrics"`
	} `json:"configuration"`
	// Children are a composite alarm's, where they stand outside of its reason's data.
	Children []child `json:"-"`
}

type contributor struct {
	ID         string            `json:"id"`
	Attributes map[string]string `json:"attributes"`
}

type metric struct {
	ID         string      `json:"id"`
	ReturnData *bool       `json:"returnData"`
	Expression string      `json:"expression"`
	Period     float64     `json:"period"`
	MetricStat *metricStat `json:"metricStat"`
}

type metricStat struct {
	Metric struct {
		Namespace  string            `json:"namespace"`
		Name       string            `json:"name"`
		Dimensions map[string]string `json:"dimensions"`
	} `json:"metric"`
	Period float64 `json:"period"`
	Stat   string  `json:"stat"`
}

func parseDirect(event []byte) (Event, error) {
	var in struct {
		AlarmARN  string  `json:"alarmArn"`
		AccountID string  `json:"accountId"`
		Region    string  `json:"region"`
		AlarmData payload `json:"alarmData"`
	}
	if err := json.Unmarshal(event, &in); err != nil {
		return Event{}, fmt.Errorf("alarm event: %v", err)
	}
	return in.AlarmData.event(Alarm{ARN: in.AlarmARN, AccountID: in.AccountID, Region: in.Region})
}

func parseEventBridge(event []byte) (Event, error) {
	var in struct {
		DetailType string          `json:"detail-type"`
		Source     string          `json:"source"`
		Account    string          `json:"account"`
		Region     string          `json:"region"`
		Resources  []string        `json:"resources"`
		Detail     json.RawMessage `json:"detail"`
	}
	if err := json.Unmarshal(event, &in); err != nil {
		return Event{}, fmt.Errorf("EventBridge event: %v", err)
	}
	if in.Source != "aws.cloudwatch" {
		return Event{}, fmt.Errorf("EventBridge event: its source is %s, not \"aws.cloudwatch\"", quote(in.Source))
	}
	switch in.DetailType {
	case "CloudWatch Alarm State Change", "CloudWatch Alarm Contributor State Change":
	case "CloudWatch Alarm Configuration Change":
		return Event{Ignored: changedConfiguration}, nil
	default:
		return Event{}, fmt.Errorf("EventBridge event: detail-type %s is not an alarm's change of state", quote(in.DetailType))
	}
	if len(in.Resources) != 1 {
		return Event{}, fmt.Errorf("EventBridge event: resources has %d entries, not the alarm's one", len(in.Resources))
	}
	var p payload
	if err := json.Unmarshal(in.Detail, &p); err != nil {
		return Event{}, fmt.Errorf("EventBridge event: detail: %v", err)
	}
	return p.event(Alarm{ARN: in.Resources[0], AccountID: in.Account, Region: in.Region})
}

// parseDetail reads the detail of an EventBridge event, or the data of a direct one, that came without the rest. It names neither the alarm's
// account nor its ARN.
func parseDetail(detail []byte) (Event, error) {
	var p payload
	if err := json.Unmarshal(detail, &p); err != nil {
		return Event{}, fmt.Errorf("an alarm's detail without its event: %v", err)
	}
	if p.Operation != "" {
		return Event{Ignored: changedConfiguration}, nil
	}
	return p.event(Alarm{})
}

const changedConfiguration = "the alarm's configuration changed; its state did not"

// awsTime reads the times of alarm payloads, 2026-03-04T00:03:41.431+0000, which time.Time's own decoding refuses.
type awsTime struct{ time.Time }

func (t *awsTime) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("a time is text, not %s", quote(string(b)))
	}
	for _, layout := range []string{"2006-01-02T15:04:05.999999999-0700", time.RFC3339Nano} {
		if parsed, err := time.Parse(layout, s); err == nil {
			t.Time = parsed.UTC()
			return nil
		}
	}
	return fmt.Errorf("%s is not a time", quote(s))
}
