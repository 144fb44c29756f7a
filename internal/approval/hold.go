package approval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/prose"
	"nightlatch/internal/report"
)

const (
	// holdTime is how long a restored key is asked about and not contained.
	holdTime = 24 * time.Hour
	// maxHolds bounds the holds that are kept at once.
	maxHolds = 200
)

// Hold keeps a key that a human has restored from being contained again for a day, for what goes to the places of this incident. The next alarm
// asks about it. A hold that is requested twice is one, until a day after the second. It holds nothing that is not active. A denial that was
// taken back is only written down: no other is made without a verdict of its own.
func (a *Approval) Hold(ctx context.Context, c Caller, s Shown) (string, error) {
	cred, err := a.known(c)
	if err != nil {
		return "", err
	}
	rec, err := a.load(ctx, s.Incident)
	if err != nil {
		return "", err
	}
	if err := suspected([]link{{Credential: cred}}, rec).refusal(); err != nil {
		return "", err
	}
	i, err := chosen(rec, s)
	if err != nil {
		return "", err
	}
	o := rec.Outcomes[i]
	if !holdable(o) {
		return "", refuse(NotNow, "step %d (%s %s) is %s: there is no key that could have been restored", i+1, string(o.Action), o.Target, string(o.State))
	}
	hold := incident.Hold{}
	if o.Step.Order != nil {
		err = a.takenBack(ctx, o)
	} else {
		hold, err = a.newHold(ctx, rec, o, c)
	}
	if err != nil {
		return "", err
	}
	if _, role, err := a.traced(ctx, cred, rec); cmp.Or(err, role) != nil {
		return "", cmp.Or(err, role)
	}
	if o.Step.Order != nil {
		if err := a.undone(ctx, c, rec.ID, o); err != nil {
			return "", err
		}
		said := fmt.Sprintf("%s %s is taken back, and the incident says so", o.Action, prose.Safe(o.Target))
		if !a.announce(ctx, report.Decided("RESTORED", fmt.Sprintf("%s %s of incident %s", o.Action, o.Target, rec.ID), c.ARN, c.AccessKeyID,
			"What it denied is allowed again. The next alarm is judged anew.", a.Clock.Now())) {
			said += "; THE TEAM COULD NOT BE NOTIFIED"
		}
		return said, nil
	}
	if _, err := a.changeBrakes(ctx, func(b *incident.Brakes) error {
		b.Holds = slices.DeleteFunc(slices.Clone(b.Holds), func(h incident.Hold) bool {
			return !a.Clock.Now().Before(h.Until) || h.AccessKeyID == hold.AccessKeyID && h.Incident == hold.Incident
		})
		if len(b.Holds) >= maxHolds {
			return refuse(NotNow, "%d keys are held already, and no more are", maxHolds)
		}
		b.Holds = append(b.Holds, hold)
		return nil
	}); err != nil {
		return "", err
	}
	if err := a.undone(ctx, c, rec.ID, o); err != nil {
		return "", err
	}
	said := fmt.Sprintf("key %s is held until %s: an alarm about it asks, as long as its bytes go to %s", prose.Safe(o.Target),
		hold.Until.UTC().Format(time.DateTime), prose.List(hold.Origins))
	if !a.announce(ctx, report.Decided("HELD", fmt.Sprintf("%s of incident %s", o.Target, rec.ID), c.ARN, c.AccessKeyID,
		"The key is active again. Until "+hold.Until.UTC().Format(time.DateTime)+" Nightlatch asks about it and does not contain it, as long as its bytes go to "+
			prose.List(hold.Origins)+".", a.Clock.Now())) {
		said += "; THE TEAM COULD NOT BE NOTIFIED"
	}
	return said, nil
}

// holdable reports whether an outcome is a step that was done, and may have been taken back.
func holdable(o containment.Outcome) bool {
	switch o.State {
	case containment.Done, containment.Unknown, containment.Already, containment.Undone, containment.Drifted: // a follow-up may see it restored first
		return o.Step.Ref.Type == containment.KeyStatus || o.Step.Order != nil
	}
	return false
}

// takenBack checks that what a step had changed is as it was before.
func (a *Approval) takenBack(ctx context.Context, o containment.Outcome) error {
	doc, err := a.Account.Read(ctx, o.Step.Ref)
	switch {
	case err != nil:
		return fmt.Errorf("whether %s of %s is taken back could not be read: %w", o.Action, prose.Safe(o.Target), err)
	case doc != o.Step.Before:
		return refuse(NotNow, "%s %s reads as %s: restore it first, with your own credentials", string(o.Action), o.Target, o.Step.Reads(doc))
	}
	return nil
}

// newHold is the hold for a key that reads active again: for the places of its actor.
func (a *Approval) newHold(ctx context.Context, rec incident.Record, o containment.Outcome, c Caller) (incident.Hold, error) {
	doc, err := a.Account.Read(ctx, o.Step.Ref)
	if err != nil {
		return incident.Hold{}, fmt.Errorf("whether %s is active again could not be read: %w", prose.Safe(o.Target), err)
	}
	if doc.Text != containment.Active {
		return incident.Hold{}, refuse(NotNow, "key %s does not read as Active: restore it first, with your own credentials: nightlatch restore %s", o.Target, rec.ID)
	}
	places := rec.Evidence.Places(o.Step.Ref.Name)
	if len(places) == 0 && o.ForAnother() {
		places = rec.Evidence.Places(o.AccessKeyID)
	}
	if len(places) == 0 {
		return incident.Hold{}, refuse(NotNow, "the evidence of incident %s shows no place that key %s was used from, so there is none to clear", rec.ID, o.Target)
	}
	return incident.Hold{AccessKeyID: o.Step.Ref.Name, Incident: rec.ID, By: prose.Safe(c.ARN), Until: a.Clock.Now().Add(holdTime), Origins: places}, nil
}

// undone writes down that a human has undone a step, so that nobody is notified of it.
func (a *Approval) undone(ctx context.Context, c Caller, id string, o containment.Outcome) error {
	name := a.name()
	for range approvals {
		rec, err := a.load(ctx, id)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(rec.Outcomes, o.SameStep)
		if i < 0 || rec.Outcomes[i].State == containment.Undone {
			return nil
		}
		now := a.Clock.Now()
		n := &rec.Outcomes[i]
		n.State, n.At, n.Undo, n.Detail = containment.Undone, now, "", "restored by "+prose.Safe(c.ARN)
		rec.Note(now, fmt.Sprintf("%s %s: undone by %s with %s, and held", o.Action, prose.Safe(o.Target), prose.Safe(c.ARN), prose.Safe(c.AccessKeyID)))
		rec.Writer = name
		if _, err = a.Store.Put(ctx, rec); !errors.Is(err, incident.ErrConflict) {
			return err
		}
	}
	return refuse(NotNow, "the key is held, and the incident is being changed all the time: ask again in a minute, so that it says so")
}
