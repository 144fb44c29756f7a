package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/grant"
	"nightlatch/internal/notify"
)

func TestTheZeroValueCouldNotBeRead(t *testing.T) {
	var s State
	if s != Unread || s.String() != "unread" || State(7).String() != "unread" {
		t.Errorf("the zero state is %v, an unknown one %v", s, State(7))
	}
	if err := s.UnmarshalText([]byte("splendid")); err != nil || s != Unread {
		t.Errorf("got %v, %v", s, err)
	}
}

// Whatever becomes of a check, the others answer, in their order; and no answer says more than its parts.
func TestEachCheckAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := func(a Answer) func(context.Context) Answer { return func(context.Context) Answer { return a } }
		reports := Run(t.Context(), time.Now, []Check{
			{Name: "well", Run: answers(holds("all is well"))},
			{Name: "silent", Mend: "ask again", Run: answers(Answer{})},
			{Name: "boastful", Run: answers(Answer{State: Holds, Found: []Finding{{Says: "it leaks", Mend: "mend it"}}})},
			{Name: "vague", Run: answers(Answer{State: Broken})},
			{Name: "slow", Limit: time.Second, Run: func(ctx context.Context) Answer { time.Sleep(time.Hour); return holds("late") }},
			{Name: "panics", Run: func(context.Context) Answer { panic("no\x1b") }},
		})
		var got []string
		for _, r := range reports {
			got = append(got, r.Name+" "+r.State.String()+" "+r.Says+r.Mend)
		}
		want := []string{"well holds all is well", "silent unread the check says nothingask again", "boastful broken ", "vague unread the check says nothing",
			"slow unread it did not end within 1s", `panics unread the check itself failed: no\x1b`}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if h := Headline(reports); h != "1 of 6 hold; 1 broken: boastful; 4 could not be read: silent, vague, slow, panics" {
			t.Error(h)
		}
		for i := range reports {
			if Well(reports[i:i+1]) != (i == 0) {
				t.Errorf("%s is well", reports[i].Name)
			}
		}
		if !Well([]Report{{Answer: Answer{State: Broken, Found: []Finding{{Weekly: true}}}}}) || Well([]Report{{Answer: Answer{State: Broken, Found: []Finding{{Weekly: true}, {}}}}}) {
			t.Error("what may break tomorrow does not work today")
		}
		time.Sleep(2 * time.Hour) // the slow one ends
	})
}

// What others have chosen stays on its line, in a text and in JSON.
func TestNamesOfOthersDoNothing(t *testing.T) {
	stack := fixed{Topics: []Topic{{ARN: "arn:aws:sns:eu-west-1:111122223333:t", Endpoints: []notify.Endpoint{{Protocol: "email", Address: "a'b;\nrm@example.com"}}}}}
	reports := Run(t.Context(), time.Now, []Check{Endpoints(stack, func(context.Context, string) ([]notify.Subscription, error) { return nil, nil })})
	text := Text(reports)
	if strings.Count(text, "\n") != 5 || !strings.Contains(text, `a'b;\nrm@example.com of topic`) || !strings.Contains(text, "no command is printed") {
		t.Error(text)
	}
	out, err := JSON(reports)
	if err != nil || !json.Valid(out) {
		t.Errorf("%s, %v", out, err)
	}
}

type fixed Deployed

func (f fixed) Deployed(context.Context) (Deployed, error) { return Deployed(f), nil }

func TestWhoHears(t *testing.T) {
	const arn, sub = "arn:aws:sns:eu-west-1:111122223333:team", "arn:aws:sns:eu-west-1:111122223333:team:1"
	ours := notify.Endpoint{Protocol: "email", Address: "soc@example.com"}
	one := func(change func(*notify.Subscription)) []notify.Subscription {
		s := notify.Subscription{Endpoint: ours, ARN: sub, Confirmed: true, Authenticated: true}
		change(&s)
		return []notify.Subscription{s}
	}
	for says, c := range map[string]struct {
		there  []notify.Subscription
		err    error
		state  State
		weekly bool
		mend   string
	}{
		"1 endpoint of 1 topic confirmed and unfiltered": {one(func(*notify.Subscription) {}), nil, Holds, false, ""},
		"is not subscribed any more":                     {nil, nil, Broken, false, "aws sns subscribe --topic-arn " + arn + " --protocol email --notification-endpoint soc@example.com"},
		"has not confirmed its subscription":             {one(func(s *notify.Subscription) { s.Confirmed, s.ARN = false, "" }), nil, Broken, false, "--authenticate-on-unsubscribe true"},
		"has a filter policy":                            {one(func(s *notify.Subscription) { s.Filtered = true }), nil, Broken, false, "aws sns set-subscription-attributes --subscription-arn " + sub},
		"can be unsubscribed by the link":                {one(func(s *notify.Subscription) { s.Authenticated = false }), nil, Broken, true, "aws sns unsubscribe --subscription-arn " + sub + " && aws sns subscribe"},
		"is gone":                                        {nil, notify.ErrGone, Broken, false, "deploy again"},
		"may not be read":                                {nil, errors.New("it may not be read"), Unread, false, ""},
		// A stranger who confirms is not the team.
		"hears nothing": {append(one(func(s *notify.Subscription) { s.Confirmed = false }), notify.Subscription{Endpoint: notify.Endpoint{Protocol: "email", Address: "thief@example.com"}, Confirmed: true}),
			nil, Broken, false, ""},
	} {
		stack := fixed{Topics: []Topic{{arn, []notify.Endpoint{ours}}}}
		r := Run(t.Context(), time.Now, []Check{Endpoints(stack, func(context.Context, string) ([]notify.Subscription, error) { return c.there, c.err })})[0]
		if text := Text([]Report{r}); r.State != c.state || !strings.Contains(text, says) || !strings.Contains(text, c.mend) {
			t.Errorf("%s: %v: %s", says, r.State, text)
		}
		if weekly := len(r.Found) == 1 && r.Found[0].Weekly; weekly != c.weekly {
			t.Errorf("%s: weekly is %t", says, weekly)
		}
	}
	// A topic of somebody else's: anybody hears.
	others := func(there ...notify.Subscription) State {
		return Endpoints(fixed{Topics: []Topic{{ARN: arn}}}, func(context.Context, string) ([]notify.Subscription, error) { return there, nil }).Run(t.Context()).State
	}
	if a := Endpoints(fixed{Topics: []Topic{{ARN: arn}}}, func(context.Context, string) ([]notify.Subscription, error) {
		return nil, grant.Denied("sns:ListSubscriptionsByTopic", arn, "no")
	}).Run(t.Context()); a.State != Holds || !strings.Contains(a.Says, "who hears on 1 topic of others may not be read from here") {
		t.Errorf("a topic of others that may not be read: %+v", a)
	}
	if heard := (notify.Subscription{Confirmed: true}); others() != Broken || others(heard) != Holds || others(notify.Subscription{Confirmed: true, Filtered: true}) != Broken {
		t.Error("a topic of others is not judged by who hears there")
	}
}

func TestWhatOfAnAlarmIsNotAsDeployed(t *testing.T) {
	deployed := Alarm{Name: "nightlatch-a-1m", Settings: map[string]string{"Threshold": "1", "AlarmActions": "arn:" + Unknown + ":f"}}
	for says, is := range map[string]Alarm{
		"": {Name: deployed.Name, Settings: map[string]string{"Threshold": "1", "AlarmActions": "arn:aws:f"}},
		"its Threshold is 2, and was deployed as 1":             {Name: deployed.Name, Settings: map[string]string{"Threshold": "2", "AlarmActions": "arn:aws:f"}},
		"its AlarmActions is nothing, and was deployed as arn:": {Name: deployed.Name, Settings: map[string]string{"Threshold": "1"}},
		"its AlarmActions is arn:*:f, and was":                  {Name: deployed.Name, Settings: map[string]string{"Threshold": "1", "AlarmActions": "arn:*:f"}},
		"its OKActions is x, and was deployed without":          {Name: deployed.Name, Settings: map[string]string{"Threshold": "1", "AlarmActions": "arn:aws:f", "OKActions": "x"}},
		"alarm nightlatch-a-1m is muted":                        {Name: deployed.Name, Settings: map[string]string{"Threshold": "1", "AlarmActions": "arn:aws:f"}, Idle: []string{"is muted"}},
		"is gone":                                               {Name: "another"},
	} {
		a := Alarms(fixed{Alarms: []Alarm{deployed}}, func(context.Context, []string) ([]Alarm, error) { return []Alarm{is}, nil }).Run(t.Context())
		if (a.State == Holds) != (says == "") || len(a.Found) > 1 || len(a.Found) == 1 && !strings.Contains(a.Found[0].Says, says) {
			t.Errorf("%s: got %+v", says, a)
		}
	}
	if a := Alarms(fixed{}, nil).Run(t.Context()); a.State != Unread {
		t.Errorf("a stack without alarms: %+v", a)
	}
}

// What is broken is told at once, then once a day until it is mended, and then once more; what may break once a week.
func TestWhatIsToldAndWhen(t *testing.T) {
	start := time.Date(2026, 3, 4, 6, 0, 0, 0, time.UTC)
	well := func(name string) Report { return Report{Name: name, Answer: holds("all is well"), At: start} }
	broken := func(name string, found ...Finding) Report {
		return Report{Name: name, Answer: Answer{State: Broken, Found: found}}
	}
	loud, quiet := Finding{Says: "it leaks", Mend: "mend it"}, Finding{Says: "it may leak", Mend: "mind it", Weekly: true}
	blind := Report{Name: "b", Answer: unread(errors.New("denied"))}
	var kept Kept
	for i, c := range []struct {
		after   time.Duration
		reports []Report
		subject string // "" for no message
	}{
		{0, []Report{well("a"), well("b")}, ""},
		{time.Hour, []Report{broken("a", loud), well("b")}, "[nightlatch] DOES NOT HOLD: a"},
		{15 * time.Minute, []Report{broken("a", loud)}, ""},
		{23 * time.Hour, []Report{broken("a", loud), blind}, "[nightlatch] DOES NOT HOLD: a, b"},
		{time.Hour, []Report{broken("a", loud, loud)}, "[nightlatch] DOES NOT HOLD: a"}, // there is more of it
		{time.Hour, []Report{broken("a", loud)}, ""},
		{time.Hour, []Report{well("a"), blind}, "[nightlatch] DOES NOT HOLD: b"}, // and a holds again
		{time.Hour, []Report{well("a"), well("b")}, "[nightlatch] HOLDS AGAIN: b"},
		{time.Hour, []Report{well("a"), well("b")}, ""},
		{time.Hour, []Report{broken("a", quiet)}, "[nightlatch] DOES NOT HOLD: a"},
		{6 * 24 * time.Hour, []Report{broken("a", quiet)}, ""},
		{24 * time.Hour, []Report{broken("a", quiet)}, "[nightlatch] DOES NOT HOLD: a"},
		{time.Hour, []Report{broken("a", quiet, loud)}, "[nightlatch] DOES NOT HOLD: a"},
	} {
		start = start.Add(c.after)
		m, due, next := kept.Tell(start, c.reports)
		if m.Subject != c.subject || due != (c.subject != "") || due == (m.Body == "") {
			t.Errorf("%d: due %t, %+v", i, due, m)
		}
		kept = next
	}
	m, _, _ := kept.Tell(start.Add(time.Hour), []Report{well("a"), blind})
	for _, part := range []string{"A holds again: all is well\n  It was: it may leak\n", "\nCOULD NOT BE READ: b. Denied\n"} {
		if !strings.Contains(m.Body, part) {
			t.Errorf("no %q in %s", part, m.Body)
		}
	}
}

type memory struct {
	kept Kept
	err  error
}

func (m *memory) Load(context.Context) (Kept, error)   { return m.kept, m.err }
func (m *memory) Save(_ context.Context, k Kept) error { m.kept = k; return m.err }

func TestWhatTheDailyRunSaidIsSaidAgain(t *testing.T) {
	now := time.Date(2026, 3, 4, 6, 0, 0, 0, time.UTC)
	said := Report{Name: QuestionsName, Answer: holds("athena takes 8 questions"), At: now.Add(-time.Hour)}
	for want, m := range map[string]*memory{
		"holds athena takes 8 questions (at 2026-03-04 05:00 UTC)":     {kept: Kept{Reports: map[string]Report{QuestionsName: said}}},
		"unread the doctor's function has not said anything of it yet": {},
		"unread the function said it last at 2026-03-02 06:00 UTC":     {kept: Kept{Reports: map[string]Report{QuestionsName: {Answer: said.Answer, At: now.Add(-48 * time.Hour)}}}},
		"unread no table": {err: errors.New("no table")},
	} {
		a := Lately(QuestionsName, m, func() time.Time { return now }).Run(t.Context())
		if got := a.State.String() + " " + a.Says; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
