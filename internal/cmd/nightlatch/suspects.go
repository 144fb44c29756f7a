package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"nightlatch/internal/deployment"
	"nightlatch/internal/incident"
	"nightlatch/internal/posture"
	"nightlatch/internal/posture/awsposture"
	"nightlatch/internal/prose"
	"nightlatch/internal/report"
	"nightlatch/internal/settings"
)

// suspectsCmd goes through the usual suspects.
type suspectsCmd struct {
	Incident string `arg:"" optional:"" placeholder:"INCIDENT" help:"The incident whose buckets, users and roles are looked at: its id, the beginning of it, or latest."`
	place
	inTable
	Buckets []string `placeholder:"BUCKET,…" help:"These buckets, too."`
	Users   []string `placeholder:"USER,…" help:"These IAM users, too."`
	Roles   []string `placeholder:"ROLE,…" help:"These IAM roles, too, by name."`
	Trail   []string `sep:"none" placeholder:"PATH" help:"A CloudTrail file or a folder of them: a policy is printed for each user and role that allows what it did in S3 by them before the incident, and nothing else. May be given more than once."`
	JSON    bool     `name:"json" help:"Print the answers as nightlatch.suspects/1."`

	rec incident.Record // the incident; zero without one
}

// Run reads with the human's own credentials. It changes nothing.
func (c *suspectsCmd) Run(ctx context.Context, s streams) error {
	for _, b := range c.Buckets {
		if err := settings.CheckBucket(b); err != nil {
			return badInput{fmt.Errorf("--buckets: %w", err)}
		}
	}
	if c.Incident == "" && len(c.Buckets)+len(c.Users)+len(c.Roles) == 0 {
		return badInput{errors.New("nothing is named: give an incident, --buckets, --users or --roles")}
	}
	if len(c.Trail) > 0 && (c.Incident == "" || c.JSON) {
		return badInput{errors.New("--trail goes with an incident, as what a thief did narrows nothing, and without --json")}
	}
	d, buckets, users, roles, err := c.named(ctx, s)
	if err != nil {
		return err
	}
	list := readSuspects(ctx, d, buckets, users, roles, s)
	if err := ctx.Err(); err != nil {
		return err
	}
	text := []byte(posture.Text(list))
	if c.JSON {
		if text, err = posture.JSON(list); err != nil {
			return err
		}
	}
	if _, err := s.out.Write(text); err != nil {
		return err
	}
	if !c.JSON {
		printTodos(s.out, c.rec)
	}
	if err := c.narrow(ctx, d, users, roles, s); err != nil {
		return err
	}
	if n := posture.Count(list, posture.Unread); n > 0 {
		return fmt.Errorf("%d of %d could not be read", n, len(list))
	}
	return nil
}

// named are the buckets, users and roles of the incident, if one is given, and those of the flags.
func (c *suspectsCmd) named(ctx context.Context, s streams) (d *deployment.Deployment, buckets, users, roles []string, err error) {
	if c.Incident == "" {
		d, err = c.open(ctx, s, c.inTable, atURL{})
		return d, c.Buckets, c.Users, c.Roles, err
	}
	d, _, rec, err := c.openIncident(ctx, s, c.inTable, atURL{}, c.Incident)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	c.rec = rec
	buckets, users, roles = rec.Suspected()
	return d, with(buckets, c.Buckets), with(users, c.Users), with(roles, c.Roles), nil
}

// printTodos lists what an incident leaves to do beside what stands among the suspects, as its page does.
func printTodos(out io.Writer, r incident.Record) {
	all := report.Todos(r)
	if abuse, any := report.Abuse(r); any {
		all = append(all, abuse)
	}
	for i, t := range all {
		if i == 0 {
			fmt.Fprint(out, "\nWHAT TO DO NEXT, BESIDE WHAT STANDS ABOVE\n")
		}
		fmt.Fprint(out, "\n", report.Wrapped(prose.Plain(t.Says), columnsOf(out)))
		for _, line := range t.Commands {
			fmt.Fprintf(out, "    %s\n", line)
		}
	}
}

// with has more names, each once.
func with(names, more []string) []string {
	for _, name := range more {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// readSuspects reads those of buckets, users and roles, with the human's own credentials.
func readSuspects(ctx context.Context, d *deployment.Deployment, buckets, users, roles []string, s streams) []posture.Suspect {
	for _, b := range buckets {
		fmt.Fprintf(s.err, "reading bucket %s ...\n", prose.Safe(b))
	}
	for _, u := range users {
		fmt.Fprintf(s.err, "reading user %s ...\n", prose.Safe(u))
	}
	for _, r := range roles {
		fmt.Fprintf(s.err, "reading role %s ...\n", prose.Safe(r))
	}
	return awsposture.New(d.Config(), d.Account).Suspects(ctx, buckets, users, roles)
}
