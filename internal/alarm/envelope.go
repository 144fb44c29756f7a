package alarm

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

// maxTexts is how many envelopes may hold each other as text: EventBridge's event through SNS, through SQS, in the record of a failed call.
const maxTexts = 5

// unwrap finds the one alarm that an envelope carries: an SNS notification, a message in SQS, a list of one, the record of a failed call. It is
// nil where the event is itself what we know, or holds no alarm. An envelope adds no trust: an alarm is a claim, by whatever way it came.
func unwrap(event []byte) ([]byte, error) {
	whole, ok := decode(event)
	if top, object := whole.(map[string]any); !ok || object && (isAlarm(top) || has(top, "nightlatch") || has(top, "alarmData") || has(top, "detail-type")) {
		return nil, nil
	}
	found := map[string]bool{}
	var last []byte
	collect(whole, maxTexts, func(alarm map[string]any) {
		if text, err := json.Marshal(alarm); err == nil {
			found[string(text)], last = true, text
		}
	})
	if len(found) > 1 {
		return nil, fmt.Errorf("the event is an envelope with %d alarms: send each by itself, from a queue in batches of 1", len(found))
	}
	if _, object := whole.(map[string]any); last == nil && ok && !object {
		return nil, fmt.Errorf("the event is %s, without an alarm in it", kind(whole))
	}
	return last, nil
}

// kind is what a JSON value is, in words.
func kind(value any) string {
	switch v := value.(type) {
	case []any:
		return fmt.Sprintf("a list of %d", len(v))
	case string:
		return "a text"
	case nil:
		return "null"
	}
	return "a single value"
}

// several reports whether a text is one JSON value after another, as a file with one event a line.
func several(text []byte) bool {
	d := json.NewDecoder(bytes.NewReader(text))
	var first, second json.RawMessage
	return d.Decode(&first) == nil && d.Decode(&second) == nil
}

// collect calls found with each alarm in a JSON value, also where the JSON stands in a text, or in one in base64 as streams have it.
func collect(value any, texts int, found func(map[string]any)) {
	switch v := value.(type) {
	case map[string]any:
		if isAlarm(v) {
			found(v)
			return
		}
		for _, inner := range v {
			collect(inner, texts, found)
		}
	case []any:
		for _, inner := range v {
			collect(inner, texts, found)
		}
	case string:
		text := []byte(strings.TrimSpace(v))
		if plain, err := base64.StdEncoding.DecodeString(string(text)); err == nil {
			text = bytes.TrimSpace(plain)
		}
		if texts > 0 && (bytes.HasPrefix(text, []byte("{")) || bytes.HasPrefix(text, []byte("["))) {
			if inner, ok := decode(text); ok {
				collect(inner, texts-1, found)
			}
		}
	}
}

// isAlarm reports whether an object is an alarm in one of the shapes that AWS sends, or the part of one that names alarm and state.
func isAlarm(v map[string]any) bool {
	detail, _ := v["detail-type"].(string)
	return has(v, "alarmData") || strings.HasPrefix(detail, "CloudWatch Alarm ") || has(v, "AlarmName") && has(v, "NewStateValue") ||
		has(v, "alarmName") && has(v, "state")
}

func has(object map[string]any, field string) bool { _, ok := object[field]; return ok }

// decode reads a JSON value with its numbers as they are written.
func decode(text []byte) (value any, ok bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if d.Decode(&value) != nil || d.More() {
		return nil, false
	}
	return value, true
}
