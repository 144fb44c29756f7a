package doctor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/incident"
)

// incidents are some, of which what cannot be read fails.
type incidents struct {
	incident.Memory
	noList, noLoad bool
}

var errTable = errors.New("no table")

func (t *incidents) Unclosed(ctx context.Context) ([]incident.Brief, error) {
	if t.noList {
		return nil, errTable
	}
	return t.Memory.Unclosed(ctx)
}

func (t *incidents) Load(ctx context.Context, id string) (incident.Record, error) {
	if t.noLoad {
		return incident.Record{}, errTable
	}
	return t.Memory.Load(ctx, id)
}

// What waits for a channel for longer than it should is found, whatever is wrong with the channel.
func TestWhatNobodyWasNotifiedOfIsFound(t *testing.T) {
	now := time.Date(2026, 3, 4, 1, 0, 0, 0, time.UTC)
	ago := func(d time.Duration, changes ...func(*incident.Record)) incident.Record {
		r := incident.Record{ID: "i1", Opened: now.Add(-d), Notified: []incident.Notice{{Kind: incident.Page, Tries: 3, Error: "no key"}, {Kind: incident.Answer}}}
		for _, change := range changes {
			change(&r)
		}
		return r
	}
	paged := func(r *incident.Record) { r.Notified[0].Error = "" }
	copied := func(r *incident.Record) { r.Alarm = alarm.Alarm{CopiedTo: "loot"} }
	closed := func(r *incident.Record) { r.Closed = now }
	for name, c := range map[string]struct {
		table *incidents
		want  State
		says  string
	}{
		"nothing is there":           {&incidents{}, Holds, "no open incident waits"},
		"just opened":                {with(ago(pageWithin - 1)), Holds, ""},
		"no page within ten minutes": {with(ago(pageWithin)), Broken, "nobody was notified of incident i1, which waits since 2026-03-04 00:50 UTC"},
		"a page":                     {with(ago(time.Hour, paged)), Holds, ""},
		"closed":                     {with(ago(time.Hour, closed)), Holds, ""},
		"a copy has no page":         {with(ago(answerWithin-1, copied)), Holds, ""},
		"a copy has no answer":       {with(ago(answerWithin, copied)), Broken, "incident i1"},
		"the list cannot be read":    {&incidents{noList: true}, Unread, "no table"},
		"an incident cannot be read": {func() *incidents { t := with(ago(time.Hour)); t.noLoad = true; return t }(), Unread, "no table"},
	} {
		t.Run(name, func(t *testing.T) {
			got := Delivery(c.table, func() time.Time { return now }).Run(t.Context())
			text := got.Says
			for _, f := range got.Found {
				text += f.Says
			}
			if got.State != c.want || !strings.Contains(text, c.says) {
				t.Errorf("got %v: %q", got.State, text)
			}
		})
	}
}

// with are incidents with one.
func with(r incident.Record) *incidents {
	t := &incidents{}
	if _, err := t.Open(context.Background(), r); err != nil {
		panic(err)
	}
	return t
}

// What the heartbeat needs is run, and it is sent where all of that holds.
func TestBeat(t *testing.T) {
	check := func(name string, s State) Check {
		return Check{Name: name, Run: func(context.Context) Answer {
			if s == Broken {
				return Answer{Found: []Finding{{Says: "x"}}}
			}
			return Answer{State: s, Says: "x"}
		}}
	}
	for name, c := range map[string]struct {
		state State
		of    string
		sent  bool
	}{
		"all holds": {Holds, EndpointsName, true}, "nobody hears": {Broken, EndpointsName, false}, "alarms are not read": {Unread, AlarmsName, false},
		"a failed event waits": {Broken, QueuesName, false}, "nobody was notified": {Broken, DeliveryName, false}, "what it does not need": {Broken, RolesName, true},
	} {
		t.Run(name, func(t *testing.T) {
			var all []Check
			for _, of := range []string{EndpointsName, AlarmsName, QueuesName, DeliveryName, RolesName} {
				if of == c.of {
					all = append(all, check(of, c.state))
				} else {
					all = append(all, check(of, Holds))
				}
			}
			sent := false
			reports := Beat(t.Context(), time.Now, all, func(context.Context) error { sent = true; return nil })
			if sent != c.sent || len(reports) != map[bool]int{true: 5, false: 4}[sent] {
				t.Errorf("sent: %t, reports %+v", sent, reports)
			}
		})
	}
}
