package notices

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/lazyregexp"
)

// Event is one event that a rule has sent, as far as the team is told of it. What others chose in it is cut, and escaped when it is written.
type Event struct {
	// Rule is the rule that matched it.
	Rule string `json:"rule"`
	// ID is CloudTrail's event id, or EventBridge's where there is none.
	ID string `json:"id,omitempty"`
	// Call is the API call, or the alarm that fired.
	Call string `json:"call,omitempty"`
	// On is what the call names, in short: the request's parameters.
	On string `json:"on,omitempty"`
	// Who is the caller's ARN, or what else the record says of him.
	Who string `json:"who,omitempty"`
	// Key is the id of his access key.
	Key string `json:"key,omitempty"`
	// Source is his source identity, where he has one.
	Source string `json:"source,omitempty"`
	// AssumedBy is who took the role that he is a session of, where that was seen.
	AssumedBy string `json:"assumed_by,omitempty"`
	// Issuer is the ARN of the role that he is a session of.
	Issuer string `json:"issuer,omitempty"`
	// From is where he called from.
	From string `json:"from,omitempty"`
	// At is when.
	At time.Time `json:"at,omitzero"`
	// Error is the code with which the call was refused; "" where it was done.
	Error string `json:"error,omitempty"`

	buckets []string // that the call names
	foreign bool     // it names something, and nothing of ours
	minted  string   // the id of the access key that the call gave out
}

// most is the most characters that are kept of a text that others chose.
const most = 200

// Tick is the rule of the schedule that has what is due told. It is no event to be told of.
const Tick = "Tick"

// unread is the rule of what cannot be read. Somebody has written to the queue who is no rule of ours, or AWS has changed its form.
const unread = "Unread"

// message is what a rule writes to the queue, the event in EventBridge's own form. About are the names of ours of which a call must have one in its
// parameters, where it has any, and where it is not written anywhere which parameter that would be; none where the rule itself knows.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
type message struct {
	Rule  string   `json:"rule"`
	About []string `json:"about"`
	Event struct {
		ID         string          `json:"id"`
		DetailType string          `json:"detail-type"`
		Time       json.RawMessage `json:"time"`
		Detail     struct {
			EventID, EventName, EventSource, ErrorCode, SourceIPAddress string
			EventTime                                                   json.RawMessage
			UserIdentity                                                struct {
				Type, ARN, PrincipalID, AccountID, AccessKeyID, InvokedBy string
				SessionContext                                            struct {
					SourceIdentity string
					SessionIssuer  struct{ ARN string }
				}
			}
			RequestParameters json.RawMessage
			ResponseElements  struct {
				Credentials struct{ AccessKeyID string }
			}
			// An alarm's.
			AlarmName string
			State     struct{ Reason string }
		} `json:"detail"`
	} `json:"event"`
}

// Read reads one message of the queue. One that cannot be read is an event too: it is told, and stops no other. A field of another type than it
// should be is as if it were not there.
func Read(body string) Event {
	var m message
	if !json.Valid([]byte(body)) || json.Unmarshal([]byte(body), &m) != nil && m.Rule == "" || !known(m.Rule) {
		return Event{Rule: unread, On: cut(body)}
	}
	d, who := m.Event.Detail, m.Event.Detail.UserIdentity
	e := Event{Rule: m.Rule, ID: cut(cmp.Or(d.EventID, m.Event.ID)), Call: name(cmp.Or(d.EventName, d.AlarmName)), On: cut(cmp.Or(short(d.RequestParameters), d.State.Reason)),
		Who: cut(cmp.Or(who.ARN, who.InvokedBy, who.PrincipalID, who.AccountID, who.Type)), Key: cut(who.AccessKeyID), Source: cut(who.SessionContext.SourceIdentity),
		Issuer: cut(who.SessionContext.SessionIssuer.ARN), From: cut(d.SourceIPAddress), At: timeOf(d.EventTime), Error: cut(d.ErrorCode), minted: cut(d.ResponseElements.Credentials.AccessKeyID)}
	if e.At.IsZero() {
		e.At = timeOf(m.Event.Time)
	}
	e.buckets = bucketsIn(d.RequestParameters)
	params := strings.ToLower(string(d.RequestParameters))
	e.foreign = len(m.About) > 0 && len(params) > len(`{}`) && params != "null" &&
		!slices.ContainsFunc(m.About, func(name string) bool { return strings.Contains(params, strings.ToLower(name)) })
	return e
}

// Template is what a rule writes to the queue, for EventBridge's input transformer, with the names that message's About says.
func Template(rule string, about ...string) string {
	text, _ := json.Marshal(struct {
		Rule  string   `json:"rule"`
		About []string `json:"about,omitempty"`
		Event string   `json:"event"`
	}{rule, about, "EVENT"})
	return strings.Replace(string(text), `"EVENT"`, "<aws.events.event.json>", 1)
}

// known reports whether a rule is one of the stack's: whoever may write to the queue makes no kinds.
func known(name string) bool {
	_, i := ruleOf(name)
	return i < len(Rules()) || name == Tick || name == Deployers
}

// timeOf reads a time; zero where it is none.
func timeOf(raw json.RawMessage) time.Time {
	var t time.Time
	if json.Unmarshal(raw, &t) != nil {
		return time.Time{}
	}
	return t.UTC()
}

func cut(s string) string { return shorten(s, most) }

// name is a call's: AWS's are shorter.
func name(s string) string { return shorten(s, 80) }

func shorten(s string, most int) string {
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// short is a request's parameters in one line, "topicArn=arn:…, attributeName=Policy": names first, as the others may be long.
func short(params json.RawMessage) string {
	var all map[string]json.RawMessage
	if json.Unmarshal(params, &all) != nil {
		return ""
	}
	var parts []string
	for _, name := range slices.SortedFunc(maps.Keys(all), func(x, y string) int {
		return cmp.Or(cmp.Compare(kindOf(all[x]), kindOf(all[y])), strings.Compare(x, y))
	}) {
		value := string(all[name])
		var text string
		if json.Unmarshal(all[name], &text) == nil {
			value = text
		}
		if value != "" && value != "null" {
			parts = append(parts, shorten(name, 40)+"="+shorten(value, 100))
		}
	}
	return strings.Join(parts, ", ")
}

// kindOf orders values: texts, what else is short, and what is made of others.
func kindOf(value json.RawMessage) int {
	switch value[0] {
	case '"':
		return 0
	case '{', '[':
		return 2
	}
	return 1
}

// bucketKey is a parameter that names a bucket. How each call names it is not written anywhere, so it is looked for at any depth.
var bucketKey = lazyregexp.New(`(?i)^(bucket|bucket_?name|bucket_?arn|s3_?bucket(arn)?)$`)

// bucketsIn are the names of the buckets that parameters name.
func bucketsIn(params json.RawMessage) []string {
	var all any
	if json.Unmarshal(params, &all) != nil {
		return nil
	}
	var found []string
	var walk func(key string, node any)
	walk = func(key string, node any) {
		switch n := node.(type) {
		case map[string]any:
			for k, v := range n {
				walk(k, v)
			}
		case []any:
			for _, v := range n {
				walk(key, v)
			}
		case string:
			if bucketKey.MatchString(key) && n != "" {
				name := n[strings.LastIndex(n, ":")+1:] // of an ARN, arn:aws:s3:::NAME
				name, _, _ = strings.Cut(name, "/")
				found = append(found, name)
			}
		}
	}
	walk("", all)
	slices.Sort(found)
	return slices.Compact(found)
}

// deployers are the roles that the CDK's bootstrap makes: its command line calls CloudFormation as "deploy", and CloudFormation everything
// else as "cfn-exec". https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html
var deployers = lazyregexp.New(`^arn:[a-z-]+:iam::[0-9]{12}:role/cdk-[a-z0-9]{1,12}-(deploy|cfn-exec)-role-[0-9]{12}-[a-z0-9-]+$`)

// takesAway are the beginnings of the names of calls that take something away. They are never a mere part of a deployment.
var takesAway = []string{"Delete", "Stop", "Disable", "Remove", "Unsubscribe", "Schedule", "Purge", "Batch", "Detach", "Cancel", "Terminate", "SetAlarmState", "PutAlarmMuteRule"}

// deployed are the rules for what a deployment changes again and again. Topics, their keys and subscriptions, queues, mappings and trails it makes
// once: who changes them with its role is told for himself, on both topics where he may keep the team from hearing.
var deployed = []string{"Rule", "Target", "Alarms", "Alarm", "Metrics", "Function", "FunctionPolicy", "Table", "TablePolicy", "Log", "Stack", "Role", "Athena", "Catalog", "Database"}

// deployment reports whether an event is one of the many that a deployment makes.
func (e Event) deployment() bool {
	return deployers.MatchString(e.Issuer) && slices.Contains(deployed, e.Rule) && !slices.ContainsFunc(takesAway, func(p string) bool { return strings.HasPrefix(e.Call, p) })
}
