// Package approval is what humans decide: to approve a step that is asked, to hold a key that they have restored, to lower the mode. Who the
// caller is has been proven before. Here his credential is followed back to where somebody signed in, and whoever is in the incident is
// refused.
//
// It may import the leaves, all stages and investigation. It must not import judgement, the responder or an SDK. It must not change IAM: the
// responder does what was approved.
//
// How CloudTrail shows who was given a session: https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
package approval

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"

	"nightlatch/internal/actor"
	"nightlatch/internal/clock"
	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/investigation"
	"nightlatch/internal/notify"
	"nightlatch/internal/policy"
	"nightlatch/internal/report"
)

// Approval is everything that decisions work with.
type Approval struct {
	Store         incident.Store
	Account       containment.Account
	Investigation *investigation.Investigation
	// Scheduler calls the responder; nil calls nobody.
	Scheduler incident.Scheduler
	Channels  []notify.Channel
	Clock     clock.Clock
	Log       *slog.Logger
	// Mode and Generation are the deployment's.
	Mode       containment.Mode
	Generation string
	// Place is where the deployment is, for the messages; zero where there is none.
	Place incident.Place
	// Alias says what the account is called; "" where that is not known. nil is none.
	Alias func(context.Context, *slog.Logger) string
	// Trusts is who may decide of those who sign in outside IAM.
	Trusts Trusts
	// Ours are the accounts that are ours.
	Ours actor.Ours
	// Remember keeps what became of a test of each channel; nil keeps nothing.
	Remember func(context.Context, map[string]notify.Tried) error
	// Name gives a put a writer that no other has; nil is a random one.
	Name func() string
}

func (a *Approval) name() string {
	if a.Name != nil {
		return a.Name()
	}
	return rand.Text()
}

// Shown is a step of an incident as a human was shown it. Numbers move when later evidence is judged. He decides about what he has read.
type Shown struct {
	Incident string `json:"incident"`
	// Step counts the incident's outcomes from 1, as its JSON lists them; Action and Target are what stood there.
	Step   int           `json:"step"`
	Action policy.Action `json:"action"`
	Target string        `json:"target"`
	// Of is what the outcome is of. Where it is "", as commands before 0.10.0 have it, no other step may have the action and the target.
	Of string `json:"of,omitempty"`
}

// load loads an incident.
func (a *Approval) load(ctx context.Context, id string) (incident.Record, error) {
	rec, err := a.Store.Load(ctx, id)
	if errors.Is(err, incident.ErrNotFound) {
		return rec, refuse(NoIncident, "there is no incident %s; nightlatch incidents lists those there are", id)
	}
	return rec, err
}

// chosen is the index of the outcome that was shown.
func chosen(rec incident.Record, s Shown) (int, error) {
	if s.Action == "" || s.Target == "" {
		return 0, refuse(BadQuestion, "it is not said what step %d was when it was shown; say its action and its target", s.Step)
	}
	if s.Step < 1 || s.Step > len(rec.Outcomes) {
		return 0, refuse(BadQuestion, "incident %s has %d steps, and %d is none of them", rec.ID, len(rec.Outcomes), s.Step)
	}
	o := rec.Outcomes[s.Step-1]
	several := func(other containment.Outcome) bool { return other.Name() == o.Name() && other.Of() != o.Of() }
	if o.Name() == string(s.Action)+":"+s.Target && s.Of != o.Of() && (s.Of != "" || slices.ContainsFunc(rec.Outcomes, several)) {
		return 0, refuse(NotNow, "step %d of incident %s, %s %s, is of %s now, and not of %s, as you were shown: look at the incident again", s.Step, rec.ID,
			string(o.Action), o.Target, o.Of(), cmp.Or(s.Of, "what it does not say"))
	}
	if o.Action != s.Action || o.Target != s.Target {
		return 0, refuse(NotNow, "step %d of incident %s is %s %s now, and not %s %s, as you were shown: look at the incident again", s.Step, rec.ID,
			string(o.Action), o.Target, string(s.Action), s.Target)
	}
	return s.Step - 1, nil
}

// here is where the deployment is, with the account's alias where that is known.
func (a *Approval) here(ctx context.Context) incident.Place {
	place := a.Place
	if a.Alias != nil {
		place.Alias = a.Alias(ctx, a.Log)
	}
	return place
}

// announce notifies every channel of what somebody has decided: were it a thief, the team knows. It reports whether one that
// people read has accepted it.
func (a *Approval) announce(ctx context.Context, m report.Message) bool {
	m = m.In(a.here(ctx))
	delivered := false
	for _, c := range a.Channels {
		if err := c.Send(ctx, m); !notify.Accepted(err) {
			a.Log.ErrorContext(ctx, "notifying the team failed", "channel", c.Name(), "message", m.Subject, "err", err)
			continue
		}
		delivered = delivered || incident.ForPeople(c.Name())
	}
	return delivered
}

// channels are the names of the channels, for the notices of a record.
func (a *Approval) channels() []string { return notify.Names(a.Channels) }
