package duck

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// carriers are the fields in which other tools' entries hold CloudTrail's records, whole, as objects or as JSON in a text. Nothing else of an
// entry is looked into: an agent's name or a key is a text too, which its caller chooses.
var carriers = [][]string{
	{"detail"},                      // EventBridge: https://docs.aws.amazon.com/eventbridge/latest/ref/events-structure.html
	{"Events"}, {"CloudTrailEvent"}, // https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
	{"eventJson"}, {"eventjson"}, {"QueryResultRows"}, // CloudTrail Lake
	{"logEvents"}, {"events"}, {"message"}, {"@message"}, // CloudWatch Logs: subscriptions, FilterLogEvents; Elastic and Logstash
	{"result"}, {"results"}, {"_raw"}, // Splunk
	{"event", "original"}, {"_source"}, {"hits"}, // Elastic
	{"aws"}, {"data", "aws"}, // Wazuh
	{"Messages"}, {"Body"}, {"body"}, {"Message"}, {"Records"}, // SQS and SNS
}

// maxWraps is how deep a record may lie: an EventBridge event in an SQS message of a list is at the fourth.
const maxWraps = 8

// unwrapped is what an entry that is no record itself carries.
type unwrapped struct {
	records []json.RawMessage
	// unread counts what seems to be a record, and cannot be taken for one.
	unread int64
	// wrapper: it is another tool's entry, whatever it carries.
	wrapper bool
}

func unwrap(entry json.RawMessage) unwrapped {
	var u unwrapped
	u.take(entry, maxWraps)
	return u
}

// take looks for records in a value.
func (u *unwrapped) take(value json.RawMessage, depth int) {
	value = bytes.TrimSpace(value)
	if len(value) == 0 || depth == 0 {
		return
	}
	switch value[0] {
	case '[':
		var list []json.RawMessage
		if json.Unmarshal(value, &list) == nil {
			for _, v := range list {
				u.take(v, depth-1)
			}
		}
	case '"':
		var text string
		if json.Unmarshal(value, &text) == nil {
			u.takeText(strings.TrimSpace(text), depth)
		}
	case '{':
		var entry map[string]json.RawMessage
		if json.Unmarshal(value, &entry) == nil {
			u.takeEntry(value, entry, depth)
		}
	}
}

// takeText looks into JSON that stands as a text. What is cut off is missing, and so is what is compressed.
func (u *unwrapped) takeText(text string, depth int) {
	switch {
	case strings.HasPrefix(text, "{") || strings.HasPrefix(text, "["):
		if json.Valid([]byte(text)) {
			u.take(json.RawMessage(text), depth-1)
		} else if strings.Contains(text, `"eventName"`) || strings.Contains(text, `"eventVersion"`) {
			u.unread++
		}
	case strings.Contains(text, `"eventName"`), strings.HasPrefix(text, zippedText):
		u.unread++
	}
}

// zippedText begins gzip data in base64.
const zippedText = "H4sI"

func (u *unwrapped) takeEntry(value json.RawMessage, entry map[string]json.RawMessage, depth int) {
	if summary(entry) {
		return
	}
	if textOf(entry["eventName"]) != "" && textOf(entry["eventSource"]) != "" && !trigger(value) {
		u.records = append(u.records, value)
		return
	}
	before, unread := len(u.records), u.unread
	if ofAWS(entry) {
		for _, path := range carriers {
			if v := at(entry, path); v != nil {
				u.wrapper = true
				u.take(v, depth-1)
			}
		}
		if v := at(entry, []string{"awslogs", "data"}); v != nil {
			u.take(v, depth-1)
		}
	}
	if len(u.records) == before && u.unread == unread && resembles(value) {
		u.unread++
	}
}

// ofAWS says that no other than AWS sent an EventBridge event: anybody may put events there, with whatever detail.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html
func ofAWS(entry map[string]json.RawMessage) bool {
	if _, bus := entry["detail-type"]; !bus {
		return true
	}
	return strings.HasPrefix(textOf(entry["source"]), "aws.")
}

// textOf is a value that is a text; "" for any other.
func textOf(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) != nil {
		return ""
	}
	return text
}

// at is what stands at a path of an entry; nil where nothing does.
func at(entry map[string]json.RawMessage, path []string) json.RawMessage {
	v := entry[path[0]]
	for _, name := range path[1:] {
		var inner map[string]json.RawMessage
		if json.Unmarshal(v, &inner) != nil {
			return nil
		}
		v = inner[name]
	}
	return v
}

// summaries are what CloudTrail writes of calls that have records of their own: neither calls nor lost.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-aggregated-events.html
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-insights-events-with-cloudtrail.html
var (
	summaryCategories = []string{"Insight", "Aggregated"}
	summaryTypes      = []string{"AwsCloudTrailInsight", "AwsAggregatedEvent"}
)

func summary(entry map[string]json.RawMessage) bool {
	return slices.Contains(summaryCategories, textOf(entry["eventCategory"])) || slices.Contains(summaryTypes, textOf(entry["eventType"]))
}

func isSummary(raw json.RawMessage) bool {
	var entry map[string]json.RawMessage
	return json.Unmarshal(raw, &entry) == nil && summary(entry)
}

// resembles says that a value seems to hold what a record says, in a form that is not read: the names of a record's fields as keys in any
// case, or as texts, as in a query's rows; or the fields as Elastic names them.
func resembles(value json.RawMessage) bool {
	var v any
	if json.Unmarshal(value, &v) != nil {
		return false
	}
	names := map[string]bool{}
	return likeRecord(v, names) || names["eventname"] && names["eventtime"]
}

// likeRecord gathers the names that stand as texts, and reports whether one object has those of a record.
func likeRecord(v any, names map[string]bool) bool {
	switch v := v.(type) {
	case string:
		if t := strings.TrimSpace(v); strings.HasPrefix(t, "{") {
			return resembles(json.RawMessage(t))
		}
		if len(v) < 20 {
			names[strings.ToLower(v)] = true
		}
	case []any:
		return slices.ContainsFunc(v, func(v any) bool { return likeRecord(v, names) })
	case map[string]any:
		keys := map[string]bool{}
		for k, of := range v {
			k = strings.ReplaceAll(strings.ToLower(k), "_", "")
			switch of := of.(type) {
			case string:
				keys[k] = !strings.HasPrefix(of, "aws:") // what S3 sends to a function
			case map[string]any:
				keys[k] = k == "cloudtrail"
			}
		}
		if keys["cloudtrail"] || keys["eventname"] && keys["eventsource"] {
			return true
		}
		for _, of := range v {
			if likeRecord(of, names) {
				return true
			}
		}
	}
	return false
}
