package scenarios

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/policy"
	"nightlatch/internal/report"
	"nightlatch/internal/responder"
	"nightlatch/internal/sandbox"
)

// Decision is what became of a scenario's subject: whoever the story is about.
type Decision string

// The decisions.
const (
	Contained Decision = "contained"
	Asked     Decision = "asked"
	Left      Decision = "left"
)

// Result is what the responder decided about one scenario.
type Result struct {
	Style Style
	Seed  uint64
	// Decision is about the subject. A thief with several credentials is contained where all are, and left where one is.
	Decision Decision
	// Wronged are the honest principals whose keys were turned off.
	Wronged []string
	Message report.Message
	Record  incident.Record
}

// Play has the responder answer a scenario. The trail holds its records already.
func Play(ctx context.Context, s *Scenario, trail evidence.Trail, p *policy.Policy) (Result, error) {
	event, err := s.event()
	if err != nil {
		return Result{}, err
	}
	members, channel := s.account(), &sandbox.Channel{}
	r := responder.Responder{
		Meter: s.meter(), Trail: trail, Account: members, Store: &incident.Memory{}, Channels: []notify.Channel{channel}, Clock: sandbox.NewClock(s.Fired),
		Log: slog.New(slog.DiscardHandler), Mode: containment.ModeAct, Place: incident.Place{Region: region, AccountID: account}, Ours: actor.Accounts(account), Policy: policy.Ready(p),
	}
	handled, err := r.Handle(ctx, event, nil)
	if err != nil {
		return Result{}, fmt.Errorf("style %s, seed %d: %w", s.Style.Name, s.Seed, err)
	}
	result := Result{Style: s.Style, Seed: s.Seed, Record: handled.Record}
	if sent := channel.Sent(); len(sent) > 0 {
		result.Message = sent[len(sent)-1]
	}
	var decisions []Decision
	for _, c := range s.players() {
		d := decided(c, handled.Record, members, result.Message)
		if c.Subject {
			decisions = append(decisions, d)
		}
		if d == Contained && !s.robbed(c) {
			result.Wronged = append(result.Wronged, c.Who)
		}
	}
	result.Decision = summed(s.Style.Truth, decisions)
	return result, nil
}

// robbed reports whether a thief has this credential.
func (s *Scenario) robbed(c *Player) bool {
	for _, other := range s.Cast {
		if other.Guilty && other.ID == c.ID {
			return true
		}
	}
	return false
}

// decided is what became of one credential. Asked is only what the team was notified of, by the credential's name.
func decided(c *Player, rec incident.Record, members *sandbox.Account, m report.Message) Decision {
	if members.Status(c.Credential) == containment.Inactive {
		return Contained
	}
	for _, o := range rec.Outcomes {
		if o.State == containment.Asked && o.AccessKeyID == c.Credential && strings.Contains(m.Body, c.Who) {
			return Asked
		}
	}
	return Left
}

// summed is what became of all subjects.
func summed(truth Truth, all []Decision) Decision {
	has := func(d Decision) bool { return slices.Contains(all, d) }
	switch {
	case truth == Thief && has(Left) || len(all) == 0:
		return Left
	case truth == Thief && has(Asked):
		return Asked
	case has(Contained):
		return Contained
	case has(Asked):
		return Asked
	}
	return Left
}

// players are the cast, in an order.
func (s *Scenario) players() []*Player {
	var all []*Player
	for _, c := range s.Cast {
		all = append(all, c)
	}
	slices.SortFunc(all, func(x, y *Player) int { return strings.Compare(x.Who+x.Credential, y.Who+y.Credential) })
	return all
}

// account is the account of the cast: what IAM would say.
func (s *Scenario) account() *sandbox.Account {
	a := sandbox.NewAccount(account)
	for _, c := range s.players() {
		switch c.As {
		case "role":
			a.AddRole(c.Who, nil)
		case "":
			made := c.Made
			if made.IsZero() {
				made = s.From.AddDate(-1, 0, 0)
			}
			a.AddUser(c.Who, nil, sandbox.Key{ID: c.Credential, Status: containment.Active, Created: made})
		}
	}
	return a
}

// meter is the metric as CloudWatch has it when the alarm fires.
func (s *Scenario) meter() alarm.Meter {
	m := &sandbox.Meter{Threshold: s.Threshold, Buckets: map[string][]alarm.Point{}}
	for t, n := range s.Minutes {
		m.Buckets[watched] = append(m.Buckets[watched], alarm.Point{Start: t, Bytes: n})
	}
	slices.SortFunc(m.Buckets[watched], func(x, y alarm.Point) int { return x.Start.Compare(y.Start) })
	return m
}

// event is the alarm as CloudWatch sends it to a Lambda.
func (s *Scenario) event() ([]byte, error) {
	var points []alarm.Point
	for t := s.From; t.Before(s.To); t = t.Add(time.Minute) {
		points = append(points, alarm.Point{Start: t, Bytes: s.Minutes[t]})
	}
	return sandbox.AlarmEvent(sandbox.Transition{Name: "nightlatch-" + watched, AccountID: account, Region: region, At: s.Fired, Period: time.Minute,
		Threshold: s.Threshold, Points: points, Metrics: sandbox.BucketMetrics(time.Minute, watched)})
}
