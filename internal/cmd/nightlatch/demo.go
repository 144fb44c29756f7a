package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
	"nightlatch/internal/responder"
	"nightlatch/internal/sandbox"
)

// demoCmd plays the midnight.
type demoCmd struct {
	Seed uint64 `default:"1" help:"Another seed tells the story with other names and sizes; the same seed tells the same one."`
	Page string `placeholder:"FILE" help:"Write the incident as one HTML file with pictures, too."`
	Case string `placeholder:"DIR" help:"Keep the incident in a folder of its own under DIR, too: page, JSON, log, and the list of what was taken."`
	JSON bool   `name:"json" help:"Print only the incident, as nightlatch.incident/1."`
}

// Run plays the midnight in virtual time, with the real responder over DuckDB and an account in memory.
func (c *demoCmd) Run(ctx context.Context, s streams) error {
	out := s.out
	if c.JSON {
		out = s.err
	}
	say := func(format string, args ...any) { fmt.Fprintf(out, format, args...) }
	dir, err := s.tmp.dir()
	if err != nil {
		return err
	}
	say("Writing two weeks of an account's CloudTrail ...\n")
	world, err := sandbox.NewMidnight(c.Seed, filepath.Join(dir, "trail"))
	if err != nil {
		return fmt.Errorf("writing the demo's trail: %w", err)
	}
	users, keys, roles := world.Account.Size()
	say("%d users with %d keys, %d roles, %d S3 data events in %d files.\n\n", users, keys, roles, world.Events, len(world.Files))
	engine, err := openEngine(ctx, dir, false)
	if err != nil {
		return err
	}
	defer engine.Close()

	channel := &sandbox.Channel{}
	r := playing(world, engine, channel)
	say("Mode act. CloudTrail is two to ten minutes behind; the times are the story's.\n\n")
	before := world.Account.Statuses()
	shown := 0
	handled, err := r.Handle(ctx, world.Event, func(rec incident.Record) {
		for _, e := range rec.Log[shown:] {
			say("  %s  %s\n", e.At.UTC().Format("15:04:05"), prose.Safe(e.What))
		}
		shown = len(rec.Log)
	})
	if err != nil {
		return err
	}
	course, err := courseOf(ctx, c.Page != "" || c.Case != "", engine, handled.Record)
	if err != nil {
		return err
	}
	if err := errors.Join(writePage(c.Page, handled.Record, course), keepCase(ctx, c.Case, handled.Record, course, engine.Each, s)); err != nil {
		return err
	}
	if c.JSON {
		return printIncident(s.out, handled.Record, true)
	}
	sent := channel.Sent()
	for i, m := range sent {
		say("\n---- message %d of %d, as it was sent ----\nSubject: %s\n\n%s", i+1, len(sent), m.Subject, m.Body)
	}
	return keysAfter(s.out, world, before)
}

// playing is the real responder, in mode act with the shipped policy, in a world whose trail lags.
func playing(world *sandbox.Midnight, engine localEngine, channel notify.Channel) responder.Responder {
	return responder.Responder{
		Meter: world.Meter, Trail: &sandbox.Lagging{Engine: engine, Clock: world.Clock, Files: world.Files}, Account: world.Account,
		Store: &incident.Memory{}, Channels: []notify.Channel{channel}, Clock: world.Clock, Scheduler: &sandbox.Scheduler{}, Log: slog.New(slog.DiscardHandler),
		Mode: containment.ModeAct, Ours: actor.Accounts(world.Account.ID), Policy: policy.Ready(policy.Shipped()),
	}
}

// keysAfter shows what became of the keys: one is off, and its neighbours are on.
func keysAfter(out io.Writer, world *sandbox.Midnight, before map[string]string) error {
	changed := 0
	for key, status := range world.Account.Statuses() {
		if before[key] != status {
			changed++
		}
	}
	_, err := fmt.Fprintf(out, "\n---- the account afterwards ----\n%s  %s  (%s, the stolen key)\n%s  %s  (%s, her other key)\n%d of %d keys changed.\n",
		world.Stolen, world.Account.Status(world.Stolen), world.Owner, world.Neighbour, world.Account.Status(world.Neighbour), world.Owner, changed, len(before))
	return err
}
