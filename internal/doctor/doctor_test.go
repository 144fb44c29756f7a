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
		if AllHold(reports, "well", "slow") || AllHold(reports, "well", "absent") || !AllHold(reports, "well") {
			t.Error("AllHold is wrong")
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
