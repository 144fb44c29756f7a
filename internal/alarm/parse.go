package alarm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"nightlatch/internal/lazyregexp"
)

// MaxEvent is the largest event that is read. Lambda's asynchronous invocations end at 1 MB; alarms are a few KB.
const MaxEvent = 1 << 20

// maxError cuts an error's text: it may quote what arrived.
const maxError = 400

// Event is what an event asks for: exactly one of Alarm, Advance, Copies and Ignored is set.
type Event struct {
	Alarm *Alarm
	// Also are further alarms, where a composite one fired because of several.
	Also []Alarm
	// Advance is the incident that a follow-up continues.
	Advance string
	// Copies: the trail is looked through for copies out of the watched buckets.
	Copies bool
	// Ignored says why the event starts nothing: "state is OK, not ALARM".
	Ignored string
}

// IncidentID is what an incident can be called: see Alarm.ID.
var IncidentID = lazyregexp.New(`^[a-z0-9-]{1,40}$`)

// Parse reads any event that starts or continues an incident. Its errors are one sentence about what arrived.
func Parse(event []byte) (Event, error) {
	e, err := parse(event)
	if err == nil {
		return e, nil
	}
	if text := err.Error(); len(text) > maxError {
		err = errors.New(strings.ToValidUTF8(text[:maxError], "") + "…")
	}
	return Event{}, err
}

func parse(event []byte) (Event, error) {
	if len(event) > MaxEvent {
		return Event{}, fmt.Errorf("the event is longer than the %d bytes that an event may have", MaxEvent)
	}
	if len(bytes.TrimSpace(event)) == 0 {
		return Event{}, errors.New("the event is empty")
	}
	inner, err := unwrap(event)
	if err != nil {
		return Event{}, err
	}
	if inner != nil {
		event = inner
	}
	if several(event) {
		return Event{}, errors.New("the event is several JSON values, one after another: give one alarm")
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(event, &top); err != nil {
		return Event{}, fmt.Errorf("the event is not a JSON object: %v", err)
	}
	has := func(key string) bool { _, ok := top[key]; return ok }
	switch {
	case has("nightlatch"):
		return parseOurs(top)
	case has("Records"):
		return parseSNS(top["Records"])
	case has("alarmData"):
		return parseDirect(event)
	case has("detail-type"):
		return parseEventBridge(event)
	case has("AlarmName") && has("NewStateValue"):
		return parseSNSMessage(event)
	case has("alarmName") && has("state"):
		return parseDetail(event)
	case has("Type") && has("TopicArn"):
		return Event{}, fmt.Errorf("an SNS message of the type %s, without an alarm in it; subscribe the function itself to the topic", quote(strings.Trim(string(top["Type"]), `"`)))
	}
	keys := make([]string, 0, len(top))
	for k := range top {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return Event{}, fmt.Errorf("the event has none of the known shapes; its fields are %s", quoteSome(keys))
}

// quoteSome names at most eight keys, each cut and quoted: the event may come from anybody.
func quoteSome(keys []string) string {
	if len(keys) == 0 {
		return "none"
	}
	var out []string
	for i, k := range keys {
		if i == 8 {
			out = append(out, fmt.Sprintf("and %d more", len(keys)-i))
			break
		}
		out = append(out, quote(k))
	}
	return strings.Join(out, ", ")
}

func quote(s string) string {
	if len(s) > 64 {
		s = s[:64] + "…"
	}
	return strconv.QuoteToASCII(s)
}
