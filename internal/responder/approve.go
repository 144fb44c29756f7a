package responder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/report"
)

const (
	// approvals is how often an approval is tried while others change the incident.
	approvals = 3
	// sees is how long an approval waits to see what became of it, and seesEvery how often it looks.
	sees, seesEvery = 20 * time.Second, 2 * time.Second
)

// Shown is a step of an incident as a human was shown it. Numbers move when evidence that came later is judged: what he has read is what
// he decides about.
type Shown struct {
	Incident string `json:"incident"`
	// Step counts the incident's outcomes from 1, as its JSON lists them; Action and Target are what stood there.
	Step   int           `json:"step"`
	Action policy.Action `json:"action"`
	Target string        `json:"target"`
}

// Approve records a human's yes to a step that is asked, and has the responder called, which alone may do it. It returns what was done in
// a sentence, or a Refusal.
//
// Between the ask and the yes the world went on: that the step still makes sense is looked at anew, each time before the yes is put.
// The same yes a second time, within the minutes for which its proof is good, is harmless: it is to the same step, which is done once.
func (r *Responder) Approve(ctx context.Context, c Caller, s Shown) (string, error) {
	cred, err := r.known(c)
	if err != nil {
		return "", err
	}
	chain, followed, name := []link{{Credential: cred}}, false, r.name()
	for range approvals {
		rec, err := r.load(ctx, s.Incident)
		if err != nil {
			return "", err
		}
		if err := suspected(chain, rec); err != nil {
			return "", err
		}
		i, err := r.approvable(ctx, rec, s)
		if err != nil {
			return "", err
		}
		if o := rec.Outcomes[i]; o.State == containment.Intended {
			return r.seen(ctx, rec, i, "it is approved already, by "+report.Safe(o.Approved.By)), nil
		}
		if !followed { // it costs a question, so that it comes after what may refuse for nothing
			if chain, err = r.traced(ctx, cred, rec); err != nil {
				return "", err
			}
			followed = true
		}
		said, err := r.sensible(ctx, &rec, i)
		if err != nil {
			return "", err
		}
		o, now := &rec.Outcomes[i], r.Clock.Now()
		if said == "" {
			o.State, o.At, o.Attempts, o.Detail = containment.Intended, now, 0, ""
			o.Runbook = nil
			o.Approved = &containment.Approval{By: report.Safe(c.ARN), At: now}
			rec.Note(now, fmt.Sprintf("%s %s: approved by %s with %s", o.Action, report.Safe(o.Target), report.Safe(c.ARN), report.Safe(c.AccessKeyID)))
			rec.Tell(incident.Revised, time.Time{}, r.channels()...)
		}
		rec.Writer = name
		stored, err := r.Store.Put(ctx, rec)
		switch {
		case errors.Is(err, incident.ErrConflict):
			continue
		case err != nil:
			return "", fmt.Errorf("writing the approval down: %w", err)
		case said != "":
			return said, nil
		}
		r.announce(ctx, report.Decided("APPROVED", fmt.Sprintf("%s %s of incident %s", o.Action, o.Target, rec.ID), c.ARN, c.AccessKeyID,
			"The responder does it now, and tells what became of it.", now))
		return r.seen(ctx, stored, i, "approved"), nil
	}
	return "", refuse(NotNow, "the incident is being changed all the time; try again in a minute")
}

// load loads an incident.
func (r *Responder) load(ctx context.Context, id string) (incident.Record, error) {
	rec, err := r.Store.Load(ctx, id)
	if errors.Is(err, incident.ErrNotFound) {
		return rec, refuse(NoIncident, "there is no incident %s; nightlatch incidents lists those there are", id)
	}
	return rec, err
}

// approvable is the index of the outcome that can be approved: one that is asked, or was approved and is about to be done.
func (r *Responder) approvable(ctx context.Context, rec incident.Record, s Shown) (int, error) {
	if !rec.Closed.IsZero() {
		return 0, refuse(NotNow, "incident %s was closed at %s; run the printed command with your own credentials", rec.ID, rec.Closed.UTC().Format(time.DateTime))
	}
	if rec.Folded != "" {
		return 0, refuse(NotNow, "incident %s was folded into incident %s, which has its steps: approve there", rec.ID, rec.Folded)
	}
	brakes, err := r.Store.Brakes(ctx)
	if err != nil {
		return 0, fmt.Errorf("whether the mode was lowered could not be read: %w", err)
	}
	if r.lowered(brakes) == containment.ModeObserve {
		return 0, refuse(NotNow, "the mode is observe, in which Nightlatch changes nothing; run the printed command with your own credentials")
	}
	i, err := chosen(rec, s)
	if err != nil {
		return 0, err
	}
	switch o := rec.Outcomes[i]; {
	case o.State == containment.Intended && o.Approved != nil:
	case o.State != containment.Asked:
		return 0, refuse(NotNow, "step %d (%s %s) is %s, and nothing is asked about it", i+1, string(o.Action), o.Target, string(o.State))
	case !o.Step.Planned():
		return 0, refuse(NotNow, "step %d (%s %s) cannot be done by Nightlatch: run what its message says to run", i+1, string(o.Action), o.Target)
	}
	return i, nil
}

// chosen is the index of the outcome that was shown.
func chosen(rec incident.Record, s Shown) (int, error) {
	if s.Action == "" || s.Target == "" {
		return 0, refuse(BadQuestion, "it is not said what step %d was when it was shown; say its action and its target", s.Step)
	}
	if s.Step < 1 || s.Step > len(rec.Outcomes) {
		return 0, refuse(BadQuestion, "incident %s has %d steps, and %d is none of them", rec.ID, len(rec.Outcomes), s.Step)
	}
	if o := rec.Outcomes[s.Step-1]; o.Action != s.Action || o.Target != s.Target {
		return 0, refuse(NotNow, "step %d of incident %s is %s %s now, and not %s %s, as you were shown: look at the incident again", s.Step, rec.ID,
			string(o.Action), o.Target, string(s.Action), s.Target)
	}
	return s.Step - 1, nil
}

// sensible looks whether a step still makes sense. Where somebody has done it meanwhile, the record says so, and the sentence is not "".
func (r *Responder) sensible(ctx context.Context, rec *incident.Record, i int) (said string, err error) {
	o := &rec.Outcomes[i]
	doc, err := r.Account.Read(ctx, o.Step.Ref)
	switch {
	case err != nil:
		return "", fmt.Errorf("what %s is set to now could not be read: %w", report.Safe(o.Target), err)
	case doc == o.Step.After:
		byHand(rec, o, doc, r.Clock.Now())
		return report.Safe(o.Target) + " reads as " + report.Safe(doc.Text) + " already: somebody has done it, and nothing was changed", nil
	case doc.Absent:
		return "", refuse(NotNow, "%s is gone: somebody has deleted it, and there is nothing to do", o.Target)
	case doc != o.Step.Before:
		return "", refuse(NotNow, "%s reads as %s, which is not what it was when this was asked: look at it first", o.Target, doc.Text)
	}
	target, err := r.Account.Identify(ctx, credentialOf(*rec, *o))
	switch {
	case err != nil && !target.Known:
		return "", fmt.Errorf("whose %s is could not be asked: %w", report.Safe(o.Target), err)
	case !target.Known || target.Owner != o.Step.Target.Owner:
		return "", refuse(NotNow, "%s is not %s's any more, as it was when this was asked: look at it first", o.Target, o.Step.Target.Owner)
	case target.Self || o.Step.Target.Self:
		return "", refuse(NotNow, "%s is Nightlatch's own credential, which it never turns off; run the printed command with your own", o.Target)
	case target.Protected != "":
		return "", refuse(NotNow, "%s is protected (%s), so that IAM itself denies it to Nightlatch: run the printed command with your own credentials",
			o.Target, target.Protected)
	}
	return "", nil
}

// credentialOf is the credential that a step turns off, as the evidence has it.
func credentialOf(rec incident.Record, o containment.Outcome) actor.Credential {
	for _, a := range rec.Evidence.Actors {
		if a.Kind == actor.IAMUserKey && a.AccessKeyID == o.Step.Ref.Name {
			return a.Credential()
		}
	}
	return actor.Credential{Kind: actor.IAMUserKey, AccessKeyID: o.Step.Ref.Name, UserName: o.Step.Ref.Owner, AccountID: o.Step.Target.AccountID}
}

// seen has the responder called about an approved step, waits a little for what becomes of it, and says it.
func (r *Responder) seen(ctx context.Context, rec incident.Record, i int, said string) string {
	soon := "the responder does it within two minutes, and tells the team"
	if err := r.wake(ctx, r.Clock.Now()); err != nil {
		r.Log.ErrorContext(ctx, "the responder could not be called", "incident", rec.ID, "err", err)
		soon = "the responder could not be called, and does it when it looks next; repeat this in a minute"
	}
	o, end := rec.Outcomes[i], r.Clock.Now().Add(sees)
	step := string(o.Action) + " " + report.Safe(o.Target)
	for r.Clock.Now().Before(end) && r.Clock.Wait(ctx, r.Clock.Now().Add(seesEvery)) == nil {
		now, err := r.Store.Load(ctx, rec.ID)
		if err != nil {
			break
		}
		at := slices.IndexFunc(now.Outcomes, o.SameStep)
		if at >= 0 && now.Outcomes[at].State != containment.Intended {
			done := now.Outcomes[at]
			return fmt.Sprintf("%s; %s: %s, %s", said, step, done.State, report.Safe(done.Detail))
		}
	}
	return said + "; " + step + ": " + soon
}

// announce tells every channel what somebody has decided: were it a thief, the team hears it. It reports whether any has accepted it.
func (r *Responder) announce(ctx context.Context, m report.Message) bool {
	heard := false
	for _, c := range r.Channels {
		if err := c.Send(ctx, m); err != nil {
			r.Log.ErrorContext(ctx, "telling the team failed", "channel", c.Name(), "message", m.Subject, "err", err)
			continue
		}
		heard = true
	}
	return heard
}
