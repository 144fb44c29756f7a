package report

import (
	"cmp"
	"fmt"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/prose"
)

const (
	// HubSchema names what ForHub writes. Fields are only ever added to it.
	HubSchema = "nightlatch.hub/1"
	// HubDetailType is the detail type of those events: a hub's bus admits no other. A deployment is allowed no other either, so it never changes.
	HubDetailType = "Nightlatch Incident"
	// HubTest is the subject of the test that a deployment sends each hour by itself. The hub's team hears of any other test.
	HubTest = "[nightlatch] TEST of the hub"
	// MaxHub is how many incidents an event lists.
	MaxHub = 200
	// maxNetworks is how many networks of an actor an event lists, and maxMerged how many that were merged into one: whoever
	// has heard that their alarms fired waits for their answers.
	maxNetworks, maxMerged = 10, 1000
)

// HubEvent is a message about incidents, as a hub reads it. In which account they are is not what it says: EventBridge does, in the envelope.
type HubEvent struct {
	Schema string `json:"schema"`
	// ID is the message's, the same each time that it is tried.
	ID   string               `json:"id"`
	Kind incident.MessageKind `json:"kind"`
	Time time.Time            `json:"time"`
	// Account is the deployment's, as it says itself; "" where it does not know. A hub refuses an event that another account has put.
	Account string `json:"account_id,omitempty"`
	Alias   string `json:"account_alias,omitempty"`
	// Region is the deployment's: the envelope's is the bus's, where the event was put across regions.
	Region    string        `json:"region,omitempty"`
	Subject   string        `json:"subject"`
	Incidents []HubIncident `json:"incidents"`
	More      int           `json:"incidents_more,omitempty"`
	// Cut says that the event did not fit with all of it: nightlatch incident ID shows it.
	Cut bool `json:"cut,omitempty"`
}

// HubIncident is one incident of an event to a hub.
type HubIncident struct {
	ID   string           `json:"id"`
	Mode containment.Mode `json:"mode"`
	// State is open, escalated or closed. Judged says that the search is over. WaitsForHuman: a step is asked, or was not done, or it is not known who
	// took the bytes.
	State         string    `json:"state"`
	Judged        bool      `json:"judged"`
	WaitsForHuman bool      `json:"waits_for_human"`
	Opened        time.Time `json:"opened,omitzero"`
	Headline      string    `json:"headline"`
	Answer        string    `json:"answer"`
	// Page is where its page is kept, in the console: who opens it signs in, and it may not be there yet.
	Page   string     `json:"page,omitempty"`
	Alarm  EventAlarm `json:"alarm"`
	Actors []HubActor `json:"actors"`
	Others int64      `json:"actors_more,omitempty"`
	// Merged are the incidents of the same deployment that this one reports too.
	Merged     []string  `json:"merged,omitempty"`
	MergedMore int       `json:"merged_more,omitempty"`
	Steps      []HubStep `json:"steps"`
	MoreSteps  int       `json:"steps_more,omitempty"`
}

// HubActor is who took bytes, and where to.
type HubActor struct {
	EventActor
	Networks     []HubNetwork `json:"networks"`
	MoreNetworks int64        `json:"networks_more,omitempty"`
}

// HubNetwork is where an actor's calls came from: an IPv4 /24, an IPv6 /48, the name of a service, or a VPC endpoint.
type HubNetwork struct {
	Network     string `json:"network,omitempty"`
	VPCEndpoint string `json:"vpc_endpoint,omitempty"`
	Bytes       int64  `json:"bytes"`
	// Familiar says that the principal worked there on earlier days; nil is unknown.
	Familiar *bool `json:"familiar,omitempty"`
}

// HubStep is a step, and what became of it.
type HubStep struct {
	// Number counts from 1, as nightlatch approve and restore do.
	Number int    `json:"number"`
	Action string `json:"action"`
	Target string `json:"target"`
	State  string `json:"state"`
	// Approvable: nightlatch approve has Nightlatch do it.
	Approvable bool `json:"approvable,omitempty"`
	// Undo is the command that takes it back, where it is short.
	Undo string `json:"undo,omitempty"`
}

// maxUndo is how long a command is at most in an event to a hub.
const maxUndo = 1000

// ForHub is a message as nightlatch.hub/1, in one line of ASCII, of at most 192 KiB. What does not fit is left out in this order, and the event says
// so: commands; steps, networks and actors from the sixth on; then the last incidents.
func ForHub(m Message, now time.Time) ([]byte, error) {
	e := HubEvent{Schema: HubSchema, ID: m.Name(now), Kind: cmp.Or(m.Kind, Announcement), Time: now.UTC(), Subject: m.Subject, Incidents: []HubIncident{}}
	e.Account, e.Alias, e.Region = placed(m.Place)
	for _, r := range m.Of[:min(len(m.Of), MaxHub)] {
		in := hubIncident(r)
		if m.Kind == incident.Closing { // which it is as soon as this was sent
			in.State = "closed"
		}
		e.Incidents = append(e.Incidents, in)
	}
	e.More = len(m.Of) - len(e.Incidents)
	smaller := []func(){
		func() {
			for _, in := range e.Incidents {
				for i := range in.Steps {
					in.Steps[i].Undo = ""
				}
			}
		},
		func() {
			for i := range e.Incidents {
				e.Incidents[i].shorten(5)
			}
		},
	}
	return fitted(fmt.Sprintf("the message %q for the hub as JSON", m.Subject), &e, &e.Cut, smaller, func() bool { return halved(&e.Incidents, &e.More, len(m.Of)) })
}

// shorten leaves so many actors, networks of each, and steps.
func (in *HubIncident) shorten(most int) {
	actors, steps := min(len(in.Actors), most), min(len(in.Steps), most)
	in.Others, in.MoreSteps = in.Others+int64(len(in.Actors)-actors), in.MoreSteps+len(in.Steps)-steps
	in.Actors, in.Steps = in.Actors[:actors], in.Steps[:steps]
	for i := range in.Actors {
		a := &in.Actors[i]
		n := min(len(a.Networks), most)
		a.Networks, a.MoreNetworks = a.Networks[:n], a.MoreNetworks+int64(len(a.Networks)-n)
	}
}

func hubIncident(r incident.Record) HubIncident {
	e := eventOf(r)
	h := HubIncident{ID: e.ID, Mode: e.Mode, State: r.Brief().State(), Judged: !r.Judged.IsZero(), WaitsForHuman: waits(r), Opened: e.Opened, Headline: e.Headline, Answer: e.Answer, Page: e.Page, Alarm: e.Alarm,
		Actors: []HubActor{}, Others: e.Others, MergedMore: r.JoinedMore, Steps: []HubStep{}, MoreSteps: e.MoreSteps}
	for i, x := range byBytes(r.Evidence)[:len(e.Actors)] {
		a := HubActor{EventActor: e.Actors[i], Networks: []HubNetwork{}}
		for _, o := range x.Origins[:min(len(x.Origins), maxNetworks)] {
			a.Networks = append(a.Networks, HubNetwork{Network: prose.Safe(o.Network), VPCEndpoint: prose.Safe(o.VPCEndpoint), Bytes: o.Bytes, Familiar: o.Familiar})
		}
		a.MoreNetworks = int64(len(x.Origins)-len(a.Networks)) + x.OmittedOrigins
		h.Actors = append(h.Actors, a)
	}
	for _, j := range r.Joined[:min(len(r.Joined), maxMerged)] {
		h.Merged = append(h.Merged, prose.Safe(j.ID))
	}
	h.MergedMore += len(r.Joined) - len(h.Merged)
	for i, s := range e.Steps {
		step := HubStep{Number: s.Number, Action: s.Action, Target: s.Target, State: s.State, Approvable: approvable(r, r.Outcomes[i])}
		if len(s.Undo) <= maxUndo {
			step.Undo = s.Undo
		}
		h.Steps = append(h.Steps, step)
	}
	return h
}

// placed are an account, its alias and its region, each where it looks like one.
func placed(p incident.Place) (account, alias, region string) {
	if plainPlace.MatchString(p.AccountID) {
		account = p.AccountID
	}
	if plainAlias.MatchString(p.Alias) {
		alias = p.Alias
	}
	if plainPlace.MatchString(p.Region) {
		region = p.Region
	}
	return account, alias, region
}

// hubLine says that the hub has not heard the last message about an incident; "" where it has, and where there is none.
func hubLine(r incident.Record) string {
	n := r.HubUnheard()
	if n == nil {
		return ""
	}
	return "THE HUB DID NOT HEAR of this at " + n.At.UTC().Format(time.TimeOnly) + ": " + prose.Safe(n.Error) + ". Whoever watches there knows less than this message says."
}
