package main

import (
	"context"
	"fmt"
	"time"

	"nightlatch/internal/clock"
	"nightlatch/internal/containment"
	"nightlatch/internal/containment/awsaccount"
	"nightlatch/internal/incident"
	"nightlatch/internal/prose"
)

// restoreCmd takes a step back.
type restoreCmd struct {
	Incident string `arg:"" placeholder:"INCIDENT" help:"The incident's id, the beginning of it, or latest."`
	chosen
	place
	inTable
	atURL
}

// restorable reports whether a step was done, or may have been, by Nightlatch or by hand instead: only that can be taken back. What was so
// before the incident is none of it.
func restorable(o containment.Outcome) bool {
	switch o.State {
	case containment.Done, containment.Unknown, containment.Already, containment.Undone, containment.Drifted:
		return o.Step.Planned() && o.Step.Before != o.Step.After
	}
	return false
}

// Run takes a step back with the human's own credentials: the responder locks, and never unlocks.
func (c *restoreCmd) Run(ctx context.Context, s streams) error {
	if err := c.check(c.Incident); err != nil {
		return err
	}
	d, _, rec, err := c.openIncident(ctx, s, c.inTable, c.atURL, c.Incident)
	if err != nil {
		return err
	}
	number, o, err := c.pick(rec, "done in it", restorable)
	if err != nil {
		return err
	}
	if in := o.Step.Target.AccountID; in != "" && in != d.Account {
		return fmt.Errorf("%s is in account %s, and your credentials are of account %s; nothing was changed", prose.Safe(o.Target), prose.Safe(in), d.Account)
	}
	account, err := awsaccount.New(d.Config(), awsaccount.Settings{})
	if err != nil {
		return err
	}
	show(s, rec, number, o)
	fmt.Fprintf(s.err, "It goes back from %s to %s%s.\n", prose.Safe(o.Step.Reads(o.Step.After)), prose.Safe(o.Step.Reads(o.Step.Before)), cleared(rec, o))
	if err := confirm(s, c.Yes, fmt.Sprintf("Restore %s?", prose.Safe(o.Target))); err != nil {
		return err
	}
	if err := restore(ctx, s, account, o, clock.System{}); err != nil {
		return err
	}
	fmt.Fprintln(s.err, waiting)
	said, err := d.Hold(ctx, shown(rec, number, o))
	if err != nil {
		if o.Step.Order != nil {
			return fmt.Errorf("%s is restored, but the incident does not say so yet; run the same command again: %w", prose.Safe(o.Target), err)
		}
		return fmt.Errorf("no hold is known to be set, so the NEXT ALARM MAY CONTAIN %s AGAIN; set it with the same command: %w", prose.Safe(o.Target), err)
	}
	_, err = fmt.Fprintln(s.out, prose.Plain(said))
	return err
}

// cleared says what the hold is about to clear: where the key was used from in this incident.
func cleared(rec incident.Record, o containment.Outcome) string {
	places := rec.Evidence.Places(o.Step.Ref.Name)
	if len(places) == 0 {
		return ""
	}
	return ", and for a day Nightlatch asks before it contains the key for what it does from " + prose.List(places)
}

// pauses are between the readings of what was written: IAM shows a change within seconds, mostly.
var pauses = [...]time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}

// restore writes what was there before, reads it back, and says so.
func restore(ctx context.Context, s streams, account containment.Account, o containment.Outcome, clock clock.Clock) error {
	state, err := containment.Undo(ctx, account, o.Step)
	for _, pause := range pauses {
		if state != containment.Unknown {
			break
		}
		fmt.Fprintln(s.err, "It is not seen restored yet; reading it again ...")
		if clock.Wait(ctx, clock.Now().Add(pause)) != nil {
			break
		}
		if again, why := containment.ReadUndone(ctx, account, o.Step); again != containment.Unknown {
			state, err = again, why
		}
	}
	before := prose.Safe(o.Step.Reads(o.Step.Before))
	switch state {
	case containment.Undone:
		_, err = fmt.Fprintf(s.out, "Restored: %s is %s, read back.\n", step(o), before)
	case containment.Already:
		_, err = fmt.Fprintf(s.out, "Nothing to restore: %s is %s already.\n", step(o), before)
	case containment.Unknown:
		err = fmt.Errorf("UNKNOWN whether %s is %s now: %w; run the same command again to see", step(o), before, err)
	default:
		err = fmt.Errorf("%s: not restored: %w", step(o), err)
	}
	return err
}
