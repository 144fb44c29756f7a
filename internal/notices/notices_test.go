package notices

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/incident"
)

var midnight = time.Date(2026, 3, 4, 0, 3, 41, 0, time.UTC)

// event is one of a rule as the queue has it; more are fields of its detail.
func event(rule, id string, more ...string) Event {
	return Read(fmt.Sprintf(`{"rule":%q,"event":{"detail":{"eventID":%q,"eventName":"DeleteAlarms","eventTime":"2026-03-04T00:03:41Z"%s}}}`, rule, id, strings.Join(append([]string{""}, more...), ",")))
}

const refusal = `"errorCode":"AccessDenied"`

func by(user string) string {
	return fmt.Sprintf(`"userIdentity":{"arn":"arn:aws:iam::111122223333:user/%s","accessKeyId":"AKIA%s"}`, user, user)
}

// What is told when: each step is a batch after some time.
func TestWhatIsToldWhen(t *testing.T) {
	type step struct {
		after  time.Duration
		events []Event
		tells  string // rule counts, in order of the state
	}
	alarm, refused := event("Alarms", "1"), event("Alarms", "2", refusal)
	for name, steps := range map[string][]step{
		"the first at once, then a count in fifteen minutes, without a further event": {
			{0, []Event{alarm}, "Alarms 1"}, {time.Minute, []Event{event("Alarms", "3"), event("Alarms", "4")}, ""}, {14 * time.Minute, nil, "Alarms 2"},
			{time.Minute, []Event{event("Alarms", "5")}, ""}, {15 * time.Minute, nil, "Alarms 1"}, {time.Hour, []Event{event("Alarms", "6")}, "Alarms 1"}},
		"another kind waits for none":          {{0, []Event{alarm}, "Alarms 1"}, {time.Minute, []Event{event("Key", "9")}, "Key 1"}},
		"refused calls alone, once a day":      {{0, []Event{refused}, ""}, {23 * time.Hour, []Event{event("Alarms", "7", refusal)}, ""}, {time.Hour, nil, "Alarms refused 2"}},
		"refused calls beside one that was":    {{0, []Event{refused}, ""}, {time.Minute, []Event{alarm}, "Alarms refused 1, Alarms 1"}},
		"an open incident's actor is loud":     {{0, []Event{event("Alarms", "8", refusal, by("THIEF"))}, "Alarms refused 1"}, {time.Minute, []Event{event("Alarms", "9", refusal, by("THIEF"))}, ""}, {14 * time.Minute, nil, "Alarms refused 1"}},
		"duplicates in a batch are one":        {{0, []Event{alarm, alarm, event("Rule", "1")}, "Alarms 1, Rule 1"}},
		"who takes the deploying role is not":  {{0, []Event{event(Deployers, "1")}, ""}},
		"a tick is nothing":                    {{0, []Event{Read(`{"rule":"Tick"}`)}, ""}},
		"what cannot be read is told":          {{0, []Event{Read("{"), Read(`{"rule":"Made\u202eUp"}`), Read(`[]`)}, "Unread 3"}},
		"an unwatched bucket is not":           {{0, []Event{event(WaysOut, "1", `"requestParameters":{"bucketName":"other"}`)}, ""}},
		"a watched bucket is, by ARN":          {{0, []Event{event(WaysOut, "1", `"requestParameters":{"x":[{"Bucket":"arn:aws:s3:::a-bucket"}]}`)}, "WaysOut 1"}},
		"what names no bucket is":              {{0, []Event{event(WaysOut, "1", `"requestParameters":{"name":"ap"}`)}, "WaysOut 1"}},
		"a job's manifest says nothing":        {{0, []Event{event(Jobs, "1", `"requestParameters":{"bucketName":"other"}`)}, "Jobs 1"}},
		"a deployment deletes nothing unheard": {{0, []Event{event("Alarms", "1", byTheCDK), event("Rule", "2", byTheCDK, `"eventName":"PutRule"`)}, "Alarms 1, Deployment 1"}},
		"nor does it change who hears":         {{0, []Event{event("Subscription", "1", byTheCDK, `"eventName":"SetSubscriptionAttributes"`), event("Key", "2", byTheCDK, `"eventName":"PutKeyPolicy"`)}, "Subscription 1, Key 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			var s State
			now := midnight
			for i, step := range steps {
				now = now.Add(step.after)
				s = s.Next(step.events, []string{"a-bucket"}, []string{"AKIATHIEF"}, now)
				var got []string
				for _, tally := range s.Claimed(s.Version) {
					kind := tally.Rule
					if tally.Refused {
						kind += " refused"
					}
					got = append(got, fmt.Sprint(kind, " ", tally.Count))
				}
				if strings.Join(got, ", ") != step.tells {
					t.Errorf("step %d: got %q, want %q", i, got, step.tells)
				}
				s = s.Sent(s.Version)
			}
			if len(s.Due) != 0 {
				t.Errorf("left to be told are %+v", s.Due)
			}
		})
	}
}

const byTheCDK = `"userIdentity":{"arn":"arn:aws:sts::111122223333:assumed-role/x/y","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::111122223333:role/cdk-hnb659fds-cfn-exec-role-111122223333-eu-west-1"}}}`

func TestParametersAreShort(t *testing.T) {
	for params, want := range map[string]string{
		`{"warmUpConfiguration":{"durationInMinutes":2880},"threshold":1.0E15,"alarmName":"nightlatch-a-bucket-1m","x":null}`: `alarmName=nightlatch-a-bucket-1m, threshold=1.0E15, warmUpConfiguration={"durationInMinutes":2880}`,
		`{"alarmNames":["a","b"]}`: `alarmNames=["a","b"]`,
		`{}`:                       "", `null`: "", `"x"`: "", `[]`: "",
		`{"bucketPolicy":"` + strings.Repeat("p", 5000) + `","bucketName":"a"}`: "bucketName=a, bucketPolicy=" + strings.Repeat("p", 100) + "...",
	} {
		if got := event("Alarm", "1", `"requestParameters":`+params).On; got != want {
			t.Errorf("%.80s: got %q, want %q", params, got, want)
		}
	}
}

// What a run has claimed and not sent, another sends after a while, and no two send it before.
func TestWhatWasNotSentIsSentByAnotherRun(t *testing.T) {
	s := State{}.Next([]Event{event("Key", "1")}, nil, nil, midnight)
	first := s.Version
	s = s.Next([]Event{event("Topic", "2")}, nil, nil, midnight.Add(Claim-time.Second))
	if got := s.Claimed(s.Version); len(got) != 1 || got[0].Rule != "Topic" {
		t.Errorf("got %+v", got)
	}
	s = s.Next(nil, nil, nil, midnight.Add(Claim))
	if got := s.Claimed(s.Version); len(got) != 1 || got[0].Rule != "Key" || len(s.Claimed(first)) != 0 {
		t.Errorf("got %+v", got)
	}
	if s = s.Sent(s.Version); len(s.Due) != 1 {
		t.Errorf("left are %+v", s.Due)
	}
	// What nobody could send for long is one telling.
	s = State{}
	for i := range 10 {
		s = s.Next([]Event{event("Key", fmt.Sprint(i), by(fmt.Sprint(i)))}, nil, nil, midnight.Add(time.Duration(i)*Wait))
	}
	if got := s.Claimed(s.Version); len(s.Due) != 1 || len(got) != 1 || got[0].Count != 10 || got[0].Calls["DeleteAlarms"] != 10 || !got[0].Since.Equal(midnight) || len(got[0].Shown) != maxShown {
		t.Errorf("got %+v", s.Due)
	}
}

// Since when something is due that nobody takes, and when the last tick came, is kept for whoever looks after it.
func TestWhatIsNotTakenIsSeen(t *testing.T) {
	tick := Read(`{"rule":"Tick"}`)
	s := State{}.Next([]Event{event("Key", "1")}, nil, nil, midnight)
	if !s.Ticked.IsZero() || !s.Unsent().Equal(midnight) {
		t.Errorf("got %s, %s", s.Ticked, s.Unsent())
	}
	for i := range 6 { // more of the same kind, and claimed again and again
		s = s.Next([]Event{tick, event("Key", fmt.Sprint("k", i)), event("Topic", fmt.Sprint("t", i))}, nil, nil, midnight.Add(time.Duration(i+1)*Wait))
	}
	if !s.Ticked.Equal(midnight.Add(6*Wait)) || !s.Unsent().Equal(midnight) || len(s.Due) != 2 {
		t.Errorf("got %s, %s of %d", s.Ticked, s.Unsent(), len(s.Due))
	}
	if s = s.Sent(s.Version); !s.Unsent().IsZero() || !s.Ticked.Equal(midnight.Add(6*Wait)) {
		t.Errorf("sent: got %s, %s", s.Ticked, s.Unsent())
	}
	if s = s.Next([]Event{tick}, nil, nil, midnight.Add(20*Wait)); !s.Unsent().IsZero() || !s.Ticked.Equal(midnight.Add(20*Wait)) {
		t.Errorf("a tick: got %s, %s", s.Ticked, s.Unsent())
	}
}

// What is told at once should have been told when it was done, however late its message comes; what waits for others of its kind should not.
func TestALateNoticeIsUnsentSinceItWasDone(t *testing.T) {
	at := func(id string, at time.Time) Event {
		e := event("Key", id)
		e.At = at
		return e
	}
	s := State{}.Next([]Event{at("1", midnight), at("2", midnight.Add(-time.Minute))}, nil, nil, midnight.Add(14*time.Minute))
	if !s.Unsent().Equal(midnight.Add(-time.Minute)) {
		t.Errorf("two late ones: got %s", s.Unsent())
	}
	s = s.Sent(s.Version)
	s = s.Next([]Event{at("3", midnight)}, nil, nil, midnight.Add(15*time.Minute)).Next(nil, nil, nil, midnight.Add(14*time.Minute+Wait))
	if !s.Unsent().Equal(midnight.Add(14*time.Minute + Wait)) {
		t.Errorf("one that waited: got %s", s.Unsent())
	}
	if s = (State{}).Next([]Event{at("4", midnight.Add(time.Hour))}, nil, nil, midnight); !s.Unsent().Equal(midnight) {
		t.Errorf("of a clock that is ahead: got %s", s.Unsent())
	}
}

// A name that is looked for anywhere: what has parameters and not the name is not about us.
func TestACallThatNamesNothingOfOursIsPassedOver(t *testing.T) {
	for params, want := range map[string]int{`{"uUID":"0A1B"}`: 1, `{"other":{"deep":["x/0a1b/y"]}}`: 1, `{"uUID":"ffff"}`: 0, `{}`: 1, `null`: 1} {
		e := Read(strings.Replace(Template("Mapping", "0a1b"), "<aws.events.event.json>", `{"detail":{"eventID":"1","requestParameters":`+params+`}}`, 1))
		if got := (State{}).Next([]Event{e}, nil, nil, midnight).Claimed(1); len(got) != want {
			t.Errorf("%s: got %+v, want %d", params, got, want)
		}
	}
}

// The subject fits, and what others chose is escaped; the answer comes first.
func TestTheMessage(t *testing.T) {
	hostile := event("Subscription", "e-1", `"eventName":"Unsubscribe"`, `"sourceIPAddress":"198.51.100.7\n\u001b[2J"`, by(`mal\u202elory`), `"requestParameters":{"subscriptionArn":"x\r\nSubject: y"}`)
	s := State{}.Next([]Event{hostile, event("Alarms", "2"), event("Alarms", "3", refusal, by("THIEF"))}, nil, []string{"AKIATHIEF"}, midnight)
	m, hearing := Message(s.Claimed(1), incident.Place{AccountID: "111122223333", Alias: "prod", Region: "eu-west-1"})
	if want := "[nightlatch] SUBSCRIPTIONS CHANGED and 2 more (111122223333 prod eu-west-1)"; m.Subject != want || !hearing {
		t.Errorf("got %q, %t, want %q", m.Subject, hearing, want)
	}
	for _, want := range []string{"- SUBSCRIPTIONS CHANGED: 1 event\n- ALARMS DELETED OR SWITCHED OFF: 1 event\n- ALARMS DELETED OR SWITCHED OFF (refused): 1 event\n",
		"What: Unsubscribe.\nMeans: Somebody may not hear us any more", `user/mal\u202elory`, `from: 198.51.100.7\n\x1b[2J`, `on: subscriptionArn=x\r\nSubject: y`, "event: e-1\n", "Do: Find out who it was",
		"An open incident's actor is trying to silence Nightlatch.", "Account 111122223333, alias prod, region eu-west-1.\n"} {
		if !strings.Contains(m.Body, want) {
			t.Errorf("%q is not in\n%s", want, m.Body)
		}
	}
	if strings.ContainsAny(m.Body, "\x1b\r\u202e") {
		t.Errorf("got %q", m.Body)
	}
	for _, r := range Rules() {
		if m, _ := Message([]Tally{{Kind: Kind{r.Name, true}, Count: 100_000}, {Kind: Kind{"Key", true}, Count: 1}}, incident.Place{AccountID: "111122223333", Alias: strings.Repeat("a", 63), Region: "ap-southeast-7"}); len(m.Subject) > 99 {
			t.Errorf("%s: the subject has %d characters", r.Name, len(m.Subject))
		}
	}
}

// Whatever callers choose, the state fits an item of the table, which ends at 400 KB, and kinds are no more than there are rules.
func TestTheStateIsBounded(t *testing.T) {
	var s State
	long := strings.Repeat(`\u202e"\\`, 60)
	text, _ := json.Marshal(long)
	now := midnight
	for round := range 6 {
		var events []Event
		for _, r := range Rules() {
			for i := range 2 * maxCalls {
				for _, more := range []string{"", "," + refusal} {
					events = append(events, Read(fmt.Sprintf(`{"rule":%q,"event":{"detail":{"eventID":"%d","eventName":%s,"sourceIPAddress":%s,"requestParameters":{"a":%s},"userIdentity":{"arn":"%d%s","accessKeyId":%s}%s}}}`,
						r.Name, i, strings.Replace(string(text), `"`, `"`+fmt.Sprint(i), 1), text, text, i, string(text[1:len(text)-1]), text, more)))
				}
			}
			events = append(events, Read(fmt.Sprintf(`{"rule":"X%d%s"}`, round, r.Name)))
		}
		s = s.Next(events, nil, nil, now) // and nobody takes what is due
		now = now.Add(Wait)
	}
	body, err := json.Marshal(s)
	bare, failed := json.Marshal(s.Bare())
	if kinds := len(s.Tallies) + len(s.Due); err != nil || failed != nil || kinds > 4*2*len(Rules()) || len(bare) > 300<<10 {
		t.Errorf("%d kinds take %d bytes, %d without what they show: %v, %v", kinds, len(body), len(bare), err, failed)
	}
	t.Logf("the worst state has %d KB, and %d without what its kinds show", len(body)>>10, len(bare)>>10)
}
