package main

import (
	"context"
	"fmt"
	"strings"

	"nightlatch/internal/containment"
	"nightlatch/internal/prose"
	"nightlatch/internal/report"
)

// approveCmd approves a step that is asked.
type approveCmd struct {
	Incident string `arg:"" placeholder:"INCIDENT" help:"The incident's id, the beginning of it, or latest."`
	chosen
	place
	inTable
	atURL
}

// Run shows the step, asks, and has the approver record the approval. The approver checks who asks, and whether the step still makes sense.
func (c *approveCmd) Run(ctx context.Context, s streams) error {
	if err := c.check(c.Incident); err != nil {
		return err
	}
	d, store, rec, err := c.openIncident(ctx, s, c.inTable, c.atURL, c.Incident)
	if err != nil {
		return err
	}
	number, o, err := c.pick(rec, "waiting for an approval", containment.Outcome.Approvable)
	if err != nil {
		return err
	}
	url, err := d.Approver(ctx)
	if err != nil {
		return err
	}
	show(s, rec, number, o)
	brakes, err := store.Brakes(ctx)
	if err != nil {
		return err
	}
	if brakes = inForce(d, brakes); brakes.Mode != "" {
		fmt.Fprintf(s.err, "The mode was %s.\n", report.Lowered(brakes))
	}
	fmt.Fprintf(s.err, "The approval goes to %s.\n", url)
	if err := confirm(s, c.Yes, fmt.Sprintf("Approve step %d: %s?", number, step(o))); err != nil {
		return err
	}
	fmt.Fprintln(s.err, waiting)
	said, err := d.Approve(ctx, shown(rec, number, o))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, prose.Plain(said))
	return err
}

// modeCmd lowers the mode.
type modeCmd struct {
	Mode string `arg:"" placeholder:"observe|ask" help:"observe: it only says what it would do. ask: everything waits for a human."`
	place
	inTable
	atURL
	everywhere
}

// Run has the approver lower the mode at once.
func (c *modeCmd) Run(ctx context.Context, s streams) error {
	mode, err := containment.ParseMode(strings.ToLower(c.Mode))
	switch {
	case err != nil || c.Mode == "":
		return badInput{fmt.Errorf("mode %q is none of observe and ask", c.Mode)}
	case mode == containment.ModeAct:
		return badInput{fmt.Errorf("the mode can only be lowered here, to ask or observe; to raise it, deploy with -c mode=act")}
	}
	if c.All != nil {
		return c.lowerAll(ctx, s, mode)
	}
	d, url, err := c.openApprover(ctx, s, c.inTable, c.atURL)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.err, "Lowering the mode to %s, at %s.\n%s\n", mode, url, waiting)
	said, err := d.LowerMode(ctx, string(mode))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, prose.Plain(said))
	return err
}
