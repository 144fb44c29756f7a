package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/prose"
)

// EventSchema names what Event writes. Fields are only ever added to it.
const EventSchema = "nightlatch.message/1"

const (
	// maxEvent is the most bytes of an event. EventBridge takes 256 KB with what stands beside it, and a receiver of webhooks seldom more.
	// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
	maxEvent = 192 << 10
	// maxEventText is the most bytes of the text that people get: Jira takes 32,767 characters of it.
	maxEventText = 30 << 10
	// maxAnswer is the most bytes of an incident's answer: Security Hub takes 1,024 of it.
	maxAnswer = 1000
	// maxCommand is how long a command may be: a longer one is left out, as a part of one would do something else.
	maxCommand = 4 << 10
	// maxListed is how many buckets and actors an incident lists.
	maxListed = 20
)

// event is a message for programs. What others chose in it is printable ASCII on one line.
type event struct {
	Schema  string               `json:"schema"`
	ID      string               `json:"id"`
	Kind    incident.MessageKind `json:"kind"`
	Time    time.Time            `json:"time"`
	Account string               `json:"account_id,omitempty"`
	Alias   string               `json:"account_alias,omitempty"`
	Region  string               `json:"region,omitempty"`
	Subject string               `json:"subject"`
	Text    string               `json:"text"`
	// Incident is the first one's id: the key by which a receiver keeps one ticket an incident. "" where it is about none.
	Incident string `json:"incident,omitempty"`
	// WaitsForHuman: a step is asked, or was not done, or it is not known who took the bytes.
	WaitsForHuman bool            `json:"waits_for_human"`
	Incidents     []eventIncident `json:"incidents"`
	More          int             `json:"incidents_more,omitempty"`
	// Cut says that the event did not fit with all of it: nightlatch incident ID shows it.
	Cut bool `json:"cut,omitempty"`
}

type eventIncident struct {
	ID       string           `json:"id"`
	Mode     containment.Mode `json:"mode"`
	Opened   time.Time        `json:"opened,omitzero"`
	Headline string           `json:"headline"`
	Answer   string           `json:"answer"`
	// Page is where its page is kept, in the console: who opens it signs in, and it may not be there yet.
	Page      string       `json:"page,omitempty"`
	Alarm     EventAlarm   `json:"alarm"`
	Explained *float64     `json:"explained,omitempty"`
	Complete  bool         `json:"complete"`
	Actors    []EventActor `json:"actors"`
	Others    int64        `json:"actors_more,omitempty"`
	Steps     []eventStep  `json:"steps"`
	MoreSteps int          `json:"steps_more,omitempty"`
}

// EventAlarm is what fired, in an event.
type EventAlarm struct {
	Name      string    `json:"name,omitempty"`
	Buckets   []string  `json:"buckets"`
	More      int       `json:"buckets_more,omitempty"`
	From      time.Time `json:"from,omitzero"`
	To        time.Time `json:"to,omitzero"`
	Bytes     *int64    `json:"bytes,omitempty"`
	Threshold *float64  `json:"threshold,omitempty"`
	Confirmed bool      `json:"confirmed"`
}

// EventActor is who took bytes, in an event. Suspected: a step is about him.
type EventActor struct {
	Kind         string   `json:"kind"`
	AccessKeyID  string   `json:"access_key_id,omitempty"`
	PrincipalARN string   `json:"principal_arn,omitempty"`
	AccountID    string   `json:"account_id,omitempty"`
	Bytes        int64    `json:"bytes"`
	Share        *float64 `json:"share,omitempty"`
	Suspected    bool     `json:"suspected"`
}

type eventStep struct {
	// Number counts from 1, as nightlatch approve and restore do.
	Number int    `json:"number"`
	Action string `json:"action"`
	Target string `json:"target"`
	Key    string `json:"access_key_id,omitempty"`
	State  string `json:"state"`
	Detail string `json:"detail,omitempty"`
	// Run is what a human runs instead, Approve what has Nightlatch do it, Undo what takes it back.
	Run     []string `json:"run,omitempty"`
	Approve string   `json:"approve,omitempty"`
	Undo    string   `json:"undo,omitempty"`
}

// Event is a message as nightlatch.message/1, in one line of ASCII, of at most 192 KiB. What does not fit is left out in this order, and the event
// says so: the end of the text, the commands, steps and actors, then the last incidents.
func Event(m Message, now time.Time) ([]byte, error) {
	e := event{Schema: EventSchema, ID: m.Name(now), Kind: cmp.Or(m.Kind, Announcement), Time: now.UTC().Truncate(time.Second), Subject: m.Subject, Text: cutText(m.Body, maxEventText), Incidents: []eventIncident{}}
	e.Account, e.Alias, e.Region = placed(m.Place)
	e.Cut = e.Text != m.Body
	for i, r := range m.Of {
		e.WaitsForHuman = e.WaitsForHuman || waits(r)
		if i < maxPaged {
			e.Incidents = append(e.Incidents, eventOf(r))
		}
	}
	e.More = len(m.Of) - len(e.Incidents)
	if len(e.Incidents) > 0 {
		e.Incident = e.Incidents[0].ID
	}
	smaller := []func(){
		func() { e.Text = cutText(e.Text, maxEventText/4) },
		func() { e.eachStep(func(s *eventStep) { s.Run, s.Approve, s.Undo = nil, "", "" }) },
		func() {
			for i := range e.Incidents {
				in := &e.Incidents[i]
				in.Others, in.MoreSteps = in.Others+int64(len(in.Actors)), in.MoreSteps+len(in.Steps)
				in.Actors, in.Steps = []EventActor{}, []eventStep{}
			}
		},
	}
	return fitted(fmt.Sprintf("the message %q as JSON", m.Subject), &e, &e.Cut, smaller, func() bool { return halved(&e.Incidents, &e.More, len(m.Of)) })
}

// fitted is an event as JSON in one line of ASCII, of at most maxEvent bytes. What does not fit is made smaller by one function after the other, and then by
// halve until that reports that nothing is left to halve; cut is set then.
func fitted(what string, e any, cut *bool, smaller []func(), halve func() bool) ([]byte, error) {
	for {
		text, err := json.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("%s: %v", what, err)
		}
		text = ascii(text)
		text = text[:len(text)-1] // one line, without a break
		switch {
		case len(text) <= maxEvent:
			return text, nil
		case len(smaller) > 0:
			smaller[0]()
			smaller = smaller[1:]
		case !halve():
			return nil, fmt.Errorf("%s has %d bytes without all that can be left out", what, len(text))
		}
		*cut = true
	}
}

// halved leaves out the last half of a list that has several, and says how many of all are left out.
func halved[T any](list *[]T, more *int, all int) bool {
	if len(*list) < 2 {
		return false
	}
	*list = (*list)[:len(*list)/2]
	*more = all - len(*list)
	return true
}

func (e *event) eachStep(do func(*eventStep)) {
	for i := range e.Incidents {
		for j := range e.Incidents[i].Steps {
			do(&e.Incidents[i].Steps[j])
		}
	}
}

// waits reports whether an incident waits for a human.
func waits(r incident.Record) bool {
	return r.Unsolved() != "" || slices.ContainsFunc(r.Outcomes, containment.Outcome.Open)
}

// eventOf is one incident, as far as an event has it.
func eventOf(r incident.Record) eventIncident {
	a := r.Alarm
	e := eventIncident{ID: prose.Safe(r.ID), Mode: containment.Mode(prose.Safe(string(r.Mode))), Opened: r.Opened.UTC(), Headline: headline(r), Answer: cutLine(Answer(r)+".", maxAnswer), Page: pageLink(r), Explained: r.Evidence.Explained, Complete: r.Evidence.Complete,
		Alarm:  EventAlarm{Name: prose.Safe(a.Name), Buckets: []string{}, From: a.From.UTC(), To: a.To.UTC(), Bytes: a.Bytes, Threshold: a.Threshold, Confirmed: a.Confirmed},
		Actors: []EventActor{}, Steps: []eventStep{}}
	for _, b := range a.Buckets[:min(len(a.Buckets), maxListed)] {
		e.Alarm.Buckets = append(e.Alarm.Buckets, prose.Safe(b))
	}
	e.Alarm.More = len(a.Buckets) - len(e.Alarm.Buckets)
	for _, x := range byBytes(r.Evidence) {
		if len(e.Actors) == maxListed {
			break
		}
		e.Actors = append(e.Actors, EventActor{Kind: prose.Safe(string(x.Kind)), AccessKeyID: prose.Safe(x.AccessKeyID), PrincipalARN: prose.Safe(x.PrincipalARN), AccountID: prose.Safe(x.AccountID),
			Bytes: x.Bytes, Share: x.Share, Suspected: suspectedOf(r, x)})
	}
	e.Others = int64(len(r.Evidence.Actors)-len(e.Actors)) + r.Evidence.Others.Actors
	for i, o := range r.Outcomes[:min(len(r.Outcomes), maxOutcomes)] {
		e.Steps = append(e.Steps, eventStepOf(r, o, i+1))
	}
	e.MoreSteps = len(r.Outcomes) - len(e.Steps)
	return e
}

func eventStepOf(r incident.Record, o containment.Outcome, number int) eventStep {
	s := eventStep{Number: number, Action: prose.Safe(string(o.Action)), Target: prose.Safe(o.Target), Key: prose.Safe(o.AccessKeyID), State: prose.Safe(string(o.State)), Detail: prose.Safe(o.Detail)}
	for _, line := range o.Runbook {
		if line = command(line); line != "" {
			s.Run = append(s.Run, line)
		}
	}
	if approvable(r, o) {
		s.Approve = command(approves(r, o))
	}
	s.Undo = command(o.Undo)
	return s
}

// command is a command line as a whole; "" where it is too long.
func command(line string) string {
	if line = prose.Plain(line); len(line) > maxCommand {
		return ""
	}
	return line
}

// cutLine is how a line begins.
func cutLine(line string, most int) string {
	const end = "..."
	if len(line) <= most {
		return line
	}
	return line[:most-len(end)] + end
}

// cutText is how a text begins.
func cutText(text string, most int) string {
	if len(text) <= most {
		return text
	}
	const end = "\n[cut]\n"
	return text[:most-len(end)] + end
}
