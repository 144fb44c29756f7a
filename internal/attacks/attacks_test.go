// Package attacks is the catalogue of attacks on hearing and seeing: what a thief does to keep the team from hearing of him, or to take bytes by
// another way; whether that was silent before; and what hears it now, once, and says who it was. Each is played, on the rules and alarms of the
// synthesized stack (infra/testdata/hearing.golden), on the function's own code that tells, and on the doctor's checks against moto. It has no
// code of its own.
package attacks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/awstest"
	"nightlatch/internal/incident"
	"nightlatch/internal/notices"
	"nightlatch/internal/notify"
	"nightlatch/internal/report"
)

func TestMain(m *testing.M) { awstest.Beside(m) }

// attack is one of the catalogue.
type attack struct {
	// does is what the thief does.
	does string
	// call is what CloudTrail records of it; none where that records nothing.
	call call
	// earlier are calls before it, which are told of nowhere.
	earlier []call
	// times is how often he does it; 0 is once.
	times int
	// refused is how many refused calls of the same kind come with it, to hide it.
	refused int
	// dead is what does not work any more when the notice of it comes.
	dead part
	// told says that before this catalogue's time a rule told of it, to the team's topic alone. All others were silent.
	told bool
	// heard is what hears it now.
	heard []way
}

// call is a call as CloudTrail records it. by is a user's name, or ROLE:SESSION; "" is mallory.
type call struct{ source, name, params, by string }

// part is what an attack breaks.
type part string

const (
	theTeams    part = "the team's topic"
	theWatchers part = "the watchers' topic"
	// theWay is from the queue to the function that tells, the function itself, and whatever else an answer would need.
	theWay part = "the way to the function that tells"
)

// disabled is a rule that is switched off, by the beginning of its logical id.
func disabled(rule string) part { return part("rule:Tampering" + rule) }

func (p part) isRule(id string) bool {
	name, is := strings.CutPrefix(string(p), "rule:")
	return is && strings.HasPrefix(id, name)
}

// play is one attack, and what was heard.
type play struct {
	*testing.T
	attack
	stack       stack
	team, watch *channel
	messages    bool // one of the ways has looked at them
}

// way is one way of hearing an attack, which fails where it does not.
type way func(*play)

// stack is what hears, of the synthesized template.
type stack struct {
	Resources map[string]struct {
		Type       string
		Properties struct {
			// Of a rule.
			EventPattern any
			Targets      []struct {
				Arn              string
				InputTransformer struct{ InputTemplate string }
			}
			// Of an alarm.
			AlarmName, Namespace, MetricName string
			Dimensions                       []struct{ Name, Value string }
			Metrics                          []struct {
				Expression string
				Period     float64
			}
			Period, Threshold float64
			AlarmActions      []string
			// Of a queue's policy, and of the table.
			PolicyDocument policy
			ResourcePolicy struct{ PolicyDocument policy }
		}
	}
}

type policy struct {
	Statement []struct {
		Sid, Effect string
		Action      any
	}
}

// patterns are those of the rules, by their logical ids.
func (s stack) patterns() map[string]any {
	all := map[string]any{}
	for id, r := range s.Resources {
		if r.Type == "AWS::Events::Rule" && r.Properties.EventPattern != nil {
			all[id] = r.Properties.EventPattern
		}
	}
	return all
}

// read reads a JSON file.
func read(t *testing.T, into any, path ...string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

const (
	account = "111122223333"
	sourced = "198.51.100.7"
)

var midnight = time.Date(2026, 3, 4, 0, 3, 41, 0, time.UTC)

// event is a call as EventBridge gets it of CloudTrail.
func (c call) event(t *testing.T, id string) map[string]any {
	t.Helper()
	var params any
	if err := json.Unmarshal([]byte(c.params), &params); err != nil {
		t.Fatalf("%s: %v", c.params, err)
	}
	detail := map[string]any{"eventVersion": "1.11", "eventID": id, "eventTime": "2026-03-04T00:03:41Z", "eventSource": c.source + ".amazonaws.com", "eventName": c.name, "awsRegion": "eu-west-1",
		"sourceIPAddress": sourced, "userAgent": "aws-cli/2.31", "requestParameters": params, "responseElements": nil, "readOnly": false, "eventType": "AwsApiCall", "managementEvent": true,
		"recipientAccountId": account, "eventCategory": "Management", "userIdentity": map[string]any{"type": "IAMUser", "arn": c.who(), "accountId": account, "accessKeyId": "AKIAMALLORY"}}
	if role, _, is := strings.Cut(c.by, ":"); is {
		detail["userIdentity"] = map[string]any{"type": "AssumedRole", "arn": c.who(), "accountId": account, "accessKeyId": "ASIADEPLOYS",
			"sessionContext": map[string]any{"sessionIssuer": map[string]any{"type": "Role", "arn": "arn:aws:iam::" + account + ":role/" + role}}}
	}
	if c.name == "AssumeRole" {
		detail["responseElements"] = map[string]any{"credentials": map[string]any{"accessKeyId": "ASIADEPLOYS"}}
	}
	return map[string]any{"version": "0", "id": "e-" + id, "detail-type": "AWS API Call via CloudTrail", "source": "aws." + c.source, "account": account, "time": "2026-03-04T00:03:50Z",
		"region": "eu-west-1", "resources": []any{}, "detail": detail}
}

// who is the caller's ARN.
func (c call) who() string {
	if role, session, is := strings.Cut(c.by, ":"); is {
		return "arn:aws:sts::" + account + ":assumed-role/" + role + "/" + session
	}
	if c.by != "" {
		return "arn:aws:iam::" + account + ":user/" + c.by
	}
	return "arn:aws:iam::" + account + ":user/mallory"
}

// channel is a topic.
type channel struct {
	name string
	dead bool
	sent []report.Message
}

func (c *channel) Name() string { return c.name }

func (c *channel) Send(_ context.Context, m report.Message) error {
	if c.dead {
		return errors.New("there is no such topic, or its key is disabled")
	}
	c.sent = append(c.sent, m)
	return nil
}

var _ notify.Channel = (*channel)(nil)

// store keeps the state.
type store struct{ state notices.State }

func (s *store) Load(context.Context) (notices.State, error)  { return s.state, nil }
func (s *store) Put(_ context.Context, n notices.State) error { s.state = n; return nil }

// standing is a clock that stands.
type standing struct{ now time.Time }

func (s *standing) Now() time.Time { return s.now }

func (s *standing) Wait(_ context.Context, until time.Time) error { s.now = until; return nil }

// body is what a rule writes to the queue of an event.
func (s stack) body(t *testing.T, rule string, event map[string]any) string {
	t.Helper()
	text, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range s.Resources[rule].Properties.Targets {
		if target.Arn == "{Notices.Arn}" {
			return strings.Replace(target.InputTransformer.InputTemplate, "<aws.events.event.json>", string(text), 1)
		}
	}
	return ""
}

// tell has the function told of what the rules have matched, as the queue delivers it: more than once.
func (p *play) tell(matched func(call) []string) {
	clock, kept := &standing{midnight}, &store{}
	teller := notices.Teller{Store: kept, Team: p.team, Watchers: []notify.Channel{p.watch}, Watched: []string{"a-bucket", "b-bucket"}, Place: incident.Place{AccountID: account, Region: "eu-west-1"},
		Suspects: func(context.Context) ([]string, error) { return []string{"AKIATHIEF"}, nil }, Clock: clock, Log: slog.New(slog.DiscardHandler)}
	written := func(c call, id, refused string) (bodies []string) {
		event := c.event(p.T, id)
		if refused != "" {
			event["detail"].(map[string]any)["errorCode"] = refused
		}
		for _, rule := range matched(c) {
			if body := p.stack.body(p.T, rule, event); body != "" && !p.dead.isRule(rule) {
				bodies = append(bodies, body)
			}
		}
		return bodies
	}
	hand := func(bodies []string) {
		if p.dead == theWay || len(bodies) == 0 {
			return
		}
		if _, err := teller.Handle(p.Context(), bodies); err != nil {
			p.Error(err)
		}
		clock.now = clock.now.Add(time.Minute)
	}
	for i, c := range p.earlier {
		hand(written(c, fmt.Sprint("earlier-", i), ""))
	}
	if n := len(p.team.sent) + len(p.watch.sent); n > 0 {
		p.Errorf("what came before is told already, %d times", n)
	}
	if p.call.name == "" {
		return
	}
	var bodies []string
	for i := range p.refused {
		bodies = append(bodies, written(p.call, fmt.Sprint("refused-", i), "AccessDenied")...)
	}
	for i := range max(p.times, 1) {
		bodies = append(bodies, written(p.call, fmt.Sprint("event-", i), "")...)
	}
	hand(bodies)
	hand(bodies)
}

func TestAttacks(t *testing.T) {
	var now stack
	var then map[string]any
	read(t, &now, "..", "..", "infra", "testdata", "hearing.golden")
	read(t, &then, "testdata", "then.json")
	var calls []call
	var events []map[string]any
	for _, a := range catalogue {
		for _, c := range append(slices.Clone(a.earlier), a.call) {
			if c.name != "" {
				calls, events = append(calls, c), append(events, c.event(t, "event-0"))
			}
		}
	}
	hear, heard := awstest.Matching(t, now.patterns(), events), awstest.Matching(t, then, events)
	matched := func(c call) []string { return hear[slices.Index(calls, c)] }
	if len(catalogue) < 30 {
		t.Errorf("the catalogue has %d attacks", len(catalogue))
	}
	for i, a := range catalogue {
		if slices.ContainsFunc(catalogue[:i], func(b attack) bool { return b.does == a.does }) {
			t.Errorf("%q is there twice", a.does)
		}
		t.Run(a.does, func(t *testing.T) {
			t.Parallel()
			p := &play{T: t, attack: a, stack: now, team: &channel{name: "team", dead: a.dead == theTeams}, watch: &channel{name: "watch", dead: a.dead == theWatchers}}
			p.tell(matched)
			if i := slices.Index(calls, a.call); i >= 0 && a.told != (len(heard[i]) > 0) {
				t.Errorf("before, %q matched it", heard[i])
			}
			if len(a.heard) == 0 {
				t.Error("nothing is said of what hears it")
			}
			for _, hears := range a.heard {
				hears(p)
			}
			if n := len(p.team.sent) + len(p.watch.sent); n > 0 && !p.messages {
				t.Errorf("there are %d messages that the catalogue knows nothing of: %+v %+v", n, p.team.sent, p.watch.sent)
			}
		})
	}
}
