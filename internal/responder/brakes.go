package responder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/report"
)

const (
	// holdTime is how long a restored key is asked about and not contained.
	holdTime = 24 * time.Hour
	// ahead is how far a caller's clock may be before ours, and a bit. Who has lowered the mode before a deployment took it up again did not
	// mean that deployment: his word, sent again, does not lower it. In one epoch a word said twice changes nothing.
	ahead = 2 * time.Minute
	// maxHolds bounds the holds that are kept at once.
	maxHolds = 200
	// lookedBack is how many of the latest incidents a caller must not be in who lowers the mode, beside those that are open.
	lookedBack = 30
)

// lowered is the mode that the brakes leave of the deployment's. They lower the mode of their own epoch: a deployment with another has
// taken the mode up again, knowingly.
func (r *Responder) lowered(b incident.Brakes) containment.Mode { return b.In(r.Epoch).Lower(r.Mode) }

// LowerMode lowers the mode at once. It never raises it: that is a deployment's, with another epoch.
func (r *Responder) LowerMode(ctx context.Context, c Caller, mode containment.Mode) (string, error) {
	if mode != containment.ModeObserve && mode != containment.ModeAsk {
		return "", refuse(BadQuestion, "the mode can be lowered to observe or ask, not to %s", string(mode))
	}
	if err := r.trusted(ctx, c); err != nil {
		return "", err
	}
	var was containment.Mode
	now := r.Clock.Now()
	lowered, err := r.brake(ctx, func(b *incident.Brakes) error {
		was = r.lowered(*b)
		switch asked := (incident.Brakes{Mode: mode}); {
		case was == mode:
			return errUnchanged
		case asked.Lower(was) == was:
			return refuse(NotNow, "the mode is %s, and can only be lowered here; a deployment raises it, with another epoch", string(was))
		case b.Mode != "" && b.Epoch != r.Epoch && c.Signed.Before(b.At.Add(ahead)):
			return refuse(NotNow, "a deployment has taken the mode up since this was said; say it again")
		}
		b.Mode, b.Epoch, b.By, b.At = mode, r.Epoch, report.Safe(c.ARN), now
		return nil
	})
	switch {
	case err != nil:
		return "", err
	case !lowered:
		return "the mode is " + string(mode) + " already", nil
	}
	r.Log.InfoContext(ctx, "the mode was lowered", "from", string(was), "to", string(mode), "by", c.ARN, "key", c.AccessKeyID)
	said := fmt.Sprintf("the mode is %s now, and was %s; a deployment with another epoch takes it up again", mode, was)
	if !r.announce(ctx, report.Decided("MODE LOWERED", fmt.Sprintf("to %s, from %s", mode, was), c.ARN, c.AccessKeyID,
		"What the policy would contain waits for a human now. A deployment with another epoch takes the mode up again.", now)) {
		said += "; THE TEAM COULD NOT BE TOLD"
	}
	return said, nil
}

// trusted refuses a caller who is in one of the incidents that are open, or were lately: a thief would switch us off.
func (r *Responder) trusted(ctx context.Context, c Caller) error {
	cred, err := r.known(c)
	if err != nil {
		return err
	}
	open, err := r.Store.Unclosed(ctx)
	if err != nil {
		return fmt.Errorf("the open incidents could not be listed: %w", err)
	}
	recent, err := r.Store.Recent(ctx, lookedBack)
	if err != nil {
		return fmt.Errorf("the latest incidents could not be listed: %w", err)
	}
	var recs []incident.Record
	known := map[string]bool{}
	for _, b := range slices.Concat(open, recent) {
		if known[b.ID] {
			continue
		}
		known[b.ID] = true
		rec, err := r.Store.Load(ctx, b.ID)
		if err != nil {
			return fmt.Errorf("incident %s could not be read: %w", report.Safe(b.ID), err)
		}
		if !rec.Closed.IsZero() {
			rec.Alarm.From = r.Clock.Now() // keys are made after every incident, in time
		}
		if err := suspected([]link{{Credential: cred}}, rec); err != nil {
			return err
		}
		recs = append(recs, rec)
	}
	_, err = r.traced(ctx, cred, recs...)
	return err
}

// Hold keeps a key that a human has restored from being contained again for a day, for what went to the places of this incident: the next
// alarm asks about it. A hold that is said twice is one, until a day after the second; it holds nothing that is not active.
func (r *Responder) Hold(ctx context.Context, c Caller, s Shown) (string, error) {
	cred, err := r.known(c)
	if err != nil {
		return "", err
	}
	rec, err := r.load(ctx, s.Incident)
	if err != nil {
		return "", err
	}
	if err := suspected([]link{{Credential: cred}}, rec); err != nil {
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
	hold, err := r.newHold(ctx, rec, o, c)
	if err != nil {
		return "", err
	}
	if _, err := r.traced(ctx, cred, rec); err != nil {
		return "", err
	}
	if _, err := r.brake(ctx, func(b *incident.Brakes) error {
		b.Holds = slices.DeleteFunc(slices.Clone(b.Holds), func(h incident.Hold) bool {
			return !r.Clock.Now().Before(h.Until) || h.AccessKeyID == hold.AccessKeyID && h.Incident == hold.Incident
		})
		if len(b.Holds) >= maxHolds {
			return refuse(NotNow, "%d keys are held already, and no more are", maxHolds)
		}
		b.Holds = append(b.Holds, hold)
		return nil
	}); err != nil {
		return "", err
	}
	if err := r.undone(ctx, c, rec.ID, o); err != nil {
		return "", err
	}
	said := fmt.Sprintf("key %s is held until %s: an alarm about it asks, as long as its bytes go to %s", report.Safe(o.Target),
		hold.Until.UTC().Format(time.DateTime), report.List(hold.Origins))
	if !r.announce(ctx, report.Decided("HELD", fmt.Sprintf("%s of incident %s", o.Target, rec.ID), c.ARN, c.AccessKeyID,
		"The key is active again. Until "+hold.Until.UTC().Format(time.DateTime)+" Nightlatch asks about it and does not contain it, as long as its bytes go to "+
			report.List(hold.Origins)+".", r.Clock.Now())) {
		said += "; THE TEAM COULD NOT BE TOLD"
	}
	return said, nil
}

// holdable reports whether an outcome is a key that was turned off, and may have been restored.
func holdable(o containment.Outcome) bool {
	switch o.State {
	case containment.Done, containment.Unknown, containment.Already, containment.Undone, containment.Drifted: // a follow-up may see it restored first
		return o.Step.Ref.Type == containment.KeyStatus
	}
	return false
}

// newHold is the hold for a key that reads active again: for the places of its actor.
func (r *Responder) newHold(ctx context.Context, rec incident.Record, o containment.Outcome, c Caller) (incident.Hold, error) {
	doc, err := r.Account.Read(ctx, o.Step.Ref)
	if err != nil {
		return incident.Hold{}, fmt.Errorf("whether %s is active again could not be read: %w", report.Safe(o.Target), err)
	}
	if doc.Text != containment.Active {
		return incident.Hold{}, refuse(NotNow, "key %s does not read as Active: restore it first, with your own credentials: nightlatch restore %s", o.Target, rec.ID)
	}
	places := rec.Evidence.Places(o.Step.Ref.Name)
	if len(places) == 0 {
		return incident.Hold{}, refuse(NotNow, "the evidence of incident %s shows no place that key %s was used from, so there is none to clear", rec.ID, o.Target)
	}
	return incident.Hold{AccessKeyID: o.Step.Ref.Name, Incident: rec.ID, By: report.Safe(c.ARN), Until: r.Clock.Now().Add(holdTime), Origins: places}, nil
}

// undone writes down that a human has undone a step, so that nobody is rung for it.
func (r *Responder) undone(ctx context.Context, c Caller, id string, o containment.Outcome) error {
	name := r.name()
	for range approvals {
		rec, err := r.load(ctx, id)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(rec.Outcomes, o.SameStep)
		if i < 0 || rec.Outcomes[i].State == containment.Undone {
			return nil
		}
		now := r.Clock.Now()
		n := &rec.Outcomes[i]
		n.State, n.At, n.Undo, n.Detail = containment.Undone, now, "", "restored by "+report.Safe(c.ARN)
		rec.Note(now, fmt.Sprintf("%s %s: undone by %s with %s, and held", o.Action, report.Safe(o.Target), report.Safe(c.ARN), report.Safe(c.AccessKeyID)))
		rec.Writer = name
		if _, err = r.Store.Put(ctx, rec); !errors.Is(err, incident.ErrConflict) {
			return err
		}
	}
	return refuse(NotNow, "the key is held, and the incident is being changed all the time: ask again in a minute, so that it says so")
}

// errUnchanged says that the brakes are as they shall be.
var errUnchanged = errors.New("unchanged")

// brake changes the brakes, and reports whether there was anything to change.
func (r *Responder) brake(ctx context.Context, change func(*incident.Brakes) error) (bool, error) {
	for range approvals {
		b, err := r.Store.Brakes(ctx)
		if err != nil {
			return false, fmt.Errorf("reading the brakes: %w", err)
		}
		if err := change(&b); errors.Is(err, errUnchanged) {
			return false, nil
		} else if err != nil {
			return false, err
		}
		if _, err = r.Store.SetBrakes(ctx, b); err == nil {
			return true, nil
		} else if !errors.Is(err, incident.ErrConflict) {
			return false, fmt.Errorf("setting the brakes: %w", err)
		}
	}
	return false, refuse(NotNow, "somebody keeps changing the brakes; try again in a minute")
}
