package approval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
	"nightlatch/internal/report"
)

const (
	// approvals is how often an approval is tried while others change the incident.
	approvals = 3
	// sees is how long an approval waits to see what became of it, and seesEvery how often it reads the incident.
	sees, seesEvery = 20 * time.Second, 2 * time.Second
)

// Approve records a human's approval of a step that is asked, and has the responder called, which alone may do it. It returns what was done in
// a sentence, or a Refusal.
//
// The world went on between the ask and the approval. Whether the step still makes sense is checked anew, each time before the approval is put.
// The same approval a second time, while its proof is good, is harmless: it is of the same step, which is done once.
func (a *Approval) Approve(ctx context.Context, c Caller, s Shown) (string, error) {
	cred, err := a.known(c)
	if err != nil {
		return "", err
	}
	chain, followed, name := []link{{Credential: cred}}, false, a.name()
	for range approvals {
		rec, err := a.load(ctx, s.Incident)
		if err != nil {
			return "", err
		}
		if err := suspected(chain, rec).refusal(); err != nil {
			return "", err
		}
		i, err := a.approvable(ctx, rec, s)
		if err != nil {
			return "", err
		}
		if o := rec.Outcomes[i]; o.State == containment.Intended {
			return a.seen(ctx, rec, i, "it is approved already, by "+prose.Safe(o.Approved.By)), nil
		}
		if !followed { // it costs a question, so that it comes after what may refuse for nothing
			var role error
			if chain, role, err = a.traced(ctx, cred, rec); cmp.Or(err, role) != nil {
				return "", cmp.Or(err, role)
			}
			followed = true
		}
		said, err := a.sensible(ctx, &rec, i)
		if err != nil {
			return "", err
		}
		o, now := &rec.Outcomes[i], a.Clock.Now()
		if said == "" {
			o.AskedAt = o.At
			o.State, o.At, o.Attempts, o.Detail = containment.Intended, now, 0, ""
			o.Runbook = nil
			o.Step = o.Step.Renewed(now) // what was issued since it was asked is denied too
			o.Approved = &containment.Approval{By: prose.Safe(c.ARN), At: now}
			rec.Note(now, fmt.Sprintf("%s %s: approved by %s with %s", o.Action, prose.Safe(o.Target), prose.Safe(c.ARN), prose.Safe(c.AccessKeyID)))
			rec.Notify(incident.Revised, time.Time{}, a.channels()...)
		}
		rec.Writer = name
		stored, err := a.Store.Put(ctx, rec)
		switch {
		case errors.Is(err, incident.ErrConflict):
			continue
		case err != nil:
			return "", fmt.Errorf("writing the approval down: %w", err)
		case said != "":
			return said, nil
		}
		a.announce(ctx, report.Decided("APPROVED", fmt.Sprintf("%s %s of incident %s", o.Action, o.Target, rec.ID), c.ARN, c.AccessKeyID,
			"The responder does it now, and reports what became of it.", now))
		return a.seen(ctx, stored, i, "approved"), nil
	}
	return "", refuse(NotNow, "the incident is being changed all the time; try again in a minute")
}

// approvable is the index of the outcome that can be approved: one that is asked, or was approved and is about to be done.
func (a *Approval) approvable(ctx context.Context, rec incident.Record, s Shown) (int, error) {
	if !rec.Closed.IsZero() {
		return 0, refuse(NotNow, "incident %s was closed at %s; run the printed command with your own credentials", rec.ID, rec.Closed.UTC().Format(time.DateTime))
	}
	if rec.MergedInto != "" {
		return 0, refuse(NotNow, "incident %s was merged into incident %s, which has its steps: approve there", rec.ID, rec.MergedInto)
	}
	brakes, err := a.Store.Brakes(ctx)
	if err != nil {
		return 0, fmt.Errorf("whether the mode was lowered could not be read: %w", err)
	}
	if brakes.Left(a.Generation, a.Mode, a.Clock.Now()) == containment.ModeObserve {
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

// sensible checks whether a step still makes sense. Where somebody has done it meanwhile, the record says so, and the sentence is not "".
func (a *Approval) sensible(ctx context.Context, rec *incident.Record, i int) (said string, err error) {
	o := &rec.Outcomes[i]
	doc, err := a.Account.Read(ctx, o.Step.Ref)
	switch {
	case err != nil:
		return "", fmt.Errorf("what %s is set to now could not be read: %w", prose.Safe(o.Target), err)
	case doc == o.Step.After:
		*o = o.ByHand(doc, a.Clock.Now())
		rec.Note(o.At, fmt.Sprintf("%s %s: done by hand", o.Action, prose.Safe(o.Target)))
		return prose.Safe(o.Target) + " reads as " + prose.Safe(o.Step.Reads(doc)) + " already: somebody has done it, and nothing was changed", nil
	case doc.Absent && o.Step.Order == nil:
		return "", refuse(NotNow, "%s is gone: somebody has deleted it, and there is nothing to do", o.Target)
	case doc != o.Step.Before:
		return "", refuse(NotNow, "%s reads as %s, which is not what it was when this was asked: look at it first", o.Target, o.Step.Reads(doc))
	case o.Step.Target.Type == policy.Bucket:
		return "", nil // nobody's credential is changed
	}
	target, err := a.Account.Identify(ctx, credentialOf(*rec, *o))
	switch {
	case err != nil && !target.Known:
		return "", fmt.Errorf("whose %s is could not be asked: %w", prose.Safe(o.Target), err)
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

// credentialOf is the credential that a step changes. An order changes its user or role, whom it asks about by name: the key that the evidence has
// may have been deleted meanwhile.
func credentialOf(rec incident.Record, o containment.Outcome) actor.Credential {
	if order := o.Step.Order; order != nil {
		c := actor.Credential{Kind: actor.IAMUser, UserName: order.User, PrincipalID: order.UserID, AccountID: o.Step.Target.AccountID}
		if order.Role != "" {
			c.Kind, c.UserName, c.RoleName = actor.Role, "", order.Role
		}
		for _, a := range rec.Evidence.Actors {
			if c.PrincipalID == "" && o.Against(a) {
				c.PrincipalID = a.PrincipalID
			}
		}
		return c
	}
	for _, a := range rec.Evidence.Actors {
		if a.Kind == actor.IAMUserKey && a.AccessKeyID == o.Step.Ref.Name {
			return a.Credential()
		}
	}
	return actor.Credential{Kind: actor.IAMUserKey, AccessKeyID: o.Step.Ref.Name, UserName: o.Step.Ref.Owner, AccountID: o.Step.Target.AccountID}
}

// seen has the responder called about an approved step, waits a little for what becomes of it, and says it.
func (a *Approval) seen(ctx context.Context, rec incident.Record, i int, said string) string {
	soon := "the responder does it within two minutes, and notifies the team"
	if err := incident.ScheduleForAll(ctx, a.Scheduler, a.Clock.Now()); err != nil {
		a.Log.ErrorContext(ctx, "the responder could not be called", "incident", rec.ID, "err", err)
		soon = "the responder could not be called, and does it in its next run; repeat this in a minute"
	}
	o, end := rec.Outcomes[i], a.Clock.Now().Add(sees)
	step := string(o.Action) + " " + prose.Safe(o.Target)
	for a.Clock.Now().Before(end) && a.Clock.Wait(ctx, a.Clock.Now().Add(seesEvery)) == nil {
		now, err := a.Store.Load(ctx, rec.ID)
		if err != nil {
			break
		}
		at := slices.IndexFunc(now.Outcomes, o.SameStep)
		if at >= 0 && now.Outcomes[at].State != containment.Intended {
			done := now.Outcomes[at]
			return fmt.Sprintf("%s; %s: %s, %s", said, step, done.State, prose.Safe(done.Detail))
		}
	}
	return said + "; " + step + ": " + soon
}
