package main

import (
	"context"
	"fmt"
	"path/filepath"

	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
	"nightlatch/internal/rehearsal"
	"nightlatch/internal/sandbox"
)

// inSandbox rehearses in virtual time, with the real responder over DuckDB and an account in memory.
func (c *rehearseCmd) inSandbox(ctx context.Context, s streams) error {
	dir, err := s.tmp.dir()
	if err != nil {
		return err
	}
	world, err := sandbox.NewRehearsal(c.Seed, filepath.Join(dir, "trail"))
	if err != nil {
		return fmt.Errorf("writing the canary's trail: %w", err)
	}
	engine, err := openEngine(ctx, dir, false)
	if err != nil {
		return err
	}
	defer engine.Close()
	r := playing(world.Midnight, engine, &sandbox.Channel{})
	r.Place.AccountID, r.Place.Region = world.Place()
	fmt.Fprintln(s.err, "In the sandbox, in virtual time: the responder, the shipped policy and the engine are real; AWS is played.")
	run, said := world.Run, map[string]bool{}
	handled, err := r.Handle(ctx, world.Event, func(rec incident.Record) {
		run = run.See(world.Clock.Now(), rec, world.Canary)
		c.says(s, run, said)
	})
	if err != nil {
		return err
	}
	run = run.See(world.Clock.Now(), handled.Record, world.Canary)
	if o, there := rehearsal.Step(handled.Record, world.Canary, world.Stolen); there && run.Outcome == rehearsal.Contained {
		if state, err := containment.Undo(ctx, world.Account, o.Step); state != containment.Undone {
			return fmt.Errorf("the canary's key is not seen on again: %w", err)
		}
		run.Restored = world.Clock.Now()
	}
	run.Incident = "" // which no command finds
	return c.prints(s.out, run)
}
