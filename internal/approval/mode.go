package approval

import (
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
	// ahead is how far a caller's clock may be before ours, and a bit. Who has lowered the mode before a deployment took it up again did not
	// mean that deployment: his request, sent again, does not lower it. In one deployment generation a second request changes nothing.
	ahead = 2 * time.Minute
	// recentChecked is how many of the latest incidents a caller must not be in who lowers the mode, beside those that are open.
	recentChecked = 30
	// roleTime is how long the mode is lowered by somebody whose role is in an incident, and who himself is not: he may be a thief's other self.
	roleTime = 24 * time.Hour
)

// LowerMode lowers the mode at once. It never raises it: only a deployment of another generation does. Whoever is not suspected himself, though
// his role is, may lower it to ask, for a day.
func (a *Approval) LowerMode(ctx context.Context, c Caller, mode containment.Mode) (string, error) {
	if mode != containment.ModeObserve && mode != containment.ModeAsk {
		return "", refuse(BadQuestion, "the mode can be lowered to observe or ask, not to %s", string(mode))
	}
	role, err := a.trusted(ctx, c)
	if err != nil {
		return "", err
	}
	if role != nil && mode != containment.ModeAsk {
		return "", role
	}
	var was containment.Mode
	now := a.Clock.Now()
	var until time.Time
	ends := "A deployment of another generation takes the mode up again."
	if role != nil {
		until = now.Add(roleTime)
		ends = "Somebody of the same role is in an incident, so it ends at " + until.UTC().Format(time.DateTime) + "; a deployment of another generation ends it sooner."
	}
	lowered, err := a.changeBrakes(ctx, func(b *incident.Brakes) error {
		was = b.Left(a.Generation, a.Mode, now)
		switch asked := (incident.Brakes{Mode: mode}); {
		case was == mode && (b.Until.IsZero() || role != nil):
			return errUnchanged
		case asked.Lower(was) == was && was != mode:
			return refuse(NotNow, "the mode is %s, and can only be lowered here; a deployment of another generation raises it", string(was))
		case b.Mode != "" && b.Generation != a.Generation && c.Signed.Before(b.At.Add(ahead)):
			return refuse(NotNow, "a deployment has taken the mode up since this was signed; send it again")
		}
		b.Mode, b.Generation, b.By, b.At, b.Until = mode, a.Generation, prose.Safe(c.ARN), now, until
		return nil
	})
	switch {
	case err != nil:
		return "", err
	case !lowered:
		return "the mode is " + string(mode) + " already", nil
	}
	a.Log.InfoContext(ctx, "the mode was lowered", "from", string(was), "to", string(mode), "by", c.ARN, "key", c.AccessKeyID)
	said := fmt.Sprintf("the mode is %s now, and was %s; a deployment of another generation takes it up again", mode, was)
	if role != nil {
		said += ", or the time does: it ends at " + until.UTC().Format(time.DateTime)
	}
	if !a.announce(ctx, report.Decided("MODE LOWERED", fmt.Sprintf("to %s, from %s", mode, was), c.ARN, c.AccessKeyID,
		"What the policy would contain waits for a human now. "+ends, now)) {
		said += "; THE TEAM COULD NOT BE NOTIFIED"
	}
	return said, nil
}

// trusted refuses a caller who is in one of the incidents that are open, or were lately: a thief would switch us off. role is the refusal of one
// whose role alone is.
func (a *Approval) trusted(ctx context.Context, c Caller) (role, err error) {
	cred, err := a.known(c)
	if err != nil {
		return nil, err
	}
	open, err := a.Store.Unclosed(ctx)
	if err != nil {
		return nil, fmt.Errorf("the open incidents could not be listed: %w", err)
	}
	recent, err := a.Store.Recent(ctx, recentChecked)
	if err != nil {
		return nil, fmt.Errorf("the latest incidents could not be listed: %w", err)
	}
	var recs []incident.Record
	known := map[string]bool{}
	for _, b := range slices.Concat(open, recent) {
		if known[b.ID] {
			continue
		}
		known[b.ID] = true
		rec, err := a.Store.Load(ctx, b.ID)
		if err != nil {
			return nil, fmt.Errorf("incident %s could not be read: %w", prose.Safe(b.ID), err)
		}
		if !rec.Closed.IsZero() {
			rec.Alarm.From = a.Clock.Now() // keys are made after every incident, in time
		}
		if s := suspected([]link{{Credential: cred}}, rec); s.he != nil {
			return nil, s.he
		}
		recs = append(recs, rec)
	}
	_, role, err = a.traced(ctx, cred, recs...)
	return role, err
}

// errUnchanged says that the mode and the holds are as they shall be.
var errUnchanged = errors.New("unchanged")

// changeBrakes changes the lowered mode or the holds, and reports whether there was anything to change.
func (a *Approval) changeBrakes(ctx context.Context, change func(*incident.Brakes) error) (bool, error) {
	for range approvals {
		b, err := a.Store.Brakes(ctx)
		if err != nil {
			return false, fmt.Errorf("reading the mode and the holds: %w", err)
		}
		if err := change(&b); errors.Is(err, errUnchanged) {
			return false, nil
		} else if err != nil {
			return false, err
		}
		if _, err = a.Store.SetBrakes(ctx, b); err == nil {
			return true, nil
		} else if !errors.Is(err, incident.ErrConflict) {
			return false, fmt.Errorf("storing the mode and the holds: %w", err)
		}
	}
	return false, refuse(NotNow, "somebody keeps changing the mode or the holds; try again in a minute")
}
