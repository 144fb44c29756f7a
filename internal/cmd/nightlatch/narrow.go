package main

import (
	"context"
	"fmt"
	"io"

	"nightlatch/internal/actor"
	"nightlatch/internal/casefolder"
	"nightlatch/internal/deployment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/prose"
	"nightlatch/internal/report"
	"nightlatch/internal/sandbox"
)

// narrow prints a policy for each user and role that allows what it used of S3 before the incident, if a trail is given.
func (c *suspectsCmd) narrow(ctx context.Context, d *deployment.Deployment, users, roles []string, s streams) error {
	if len(c.Trail) == 0 || len(users)+len(roles) == 0 {
		return nil
	}
	engine, err := openTrail(ctx, c.Trail, false, s)
	if err != nil {
		return err
	}
	defer engine.Close()
	first, _, _, err := sandbox.Reach(ctx, engine)
	if err != nil {
		return err
	}
	print := func(user, role string) error {
		q := evidence.Exercised{User: user, Role: role, AccountID: d.Account, From: first, To: c.rec.Alarm.From}
		answer, err := engine.Ask(ctx, q)
		if err != nil {
			return err
		}
		n, err := casefolder.NarrowedOf(actor.Partition(d.Caller), q, answer)
		if err != nil {
			return err
		}
		printNarrowed(s.out, n)
		return nil
	}
	for _, user := range users {
		if err := print(user, ""); err != nil {
			return err
		}
	}
	for _, role := range roles {
		if err := print("", role); err != nil {
			return err
		}
	}
	return nil
}

// printNarrowed prints a policy, and what is not in it.
func printNarrowed(out io.Writer, n casefolder.Narrowed) {
	fmt.Fprintf(out, "\nWHAT %s USED OF S3, AS A POLICY\n\n%s", prose.Safe(n.Of), report.Wrapped(n.Says, columnsOf(out)))
	if len(n.Policy) > 0 {
		fmt.Fprintf(out, "\n%s\n", n.Policy)
	}
	for _, l := range n.NotInIt {
		fmt.Fprintf(out, "  - not in it: %s\n", l)
	}
}
