package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"nightlatch/internal/prose"
	"nightlatch/internal/sandbox/scenarios"
)

// judgeCmd plays honest changes and thieves, and puts the decisions beside the truth.
type judgeCmd struct {
	Scenarios uint64 `default:"500" help:"How many scenarios to play. One alone is shown as the team would get it."`
	Seed      uint64 `default:"1" help:"The first scenario's seed; each has the next. The same seed tells the same story."`
	Style     string `placeholder:"NAME" help:"Play this style only. Without it, each scenario is of the next style."`
	Policy    string `placeholder:"FILE" help:"A Cedar policy instead of the one that ships."`
}

// Run plays the scenarios with the real responder over DuckDB, in mode act and an account in memory.
func (c *judgeCmd) Run(ctx context.Context, s streams) error {
	p, err := loadPolicy(c.Policy)
	if err != nil {
		return badInput{err}
	}
	if c.Scenarios == 0 {
		return badInput{fmt.Errorf("there is nothing to play: --scenarios is 0")}
	}
	if c.Style != "" && !scenarios.Known(c.Style) {
		return badInput{fmt.Errorf("there is no style %q", c.Style)}
	}
	dir, err := s.tmp.dir()
	if err != nil {
		return err
	}
	open := func(ctx context.Context) (scenarios.Engine, error) { return openEngine(ctx, dir, false) }
	began := time.Now()
	results, err := scenarios.Run(ctx, c.Seed, c.Scenarios, c.Style, p, open, filepath.Join(dir, "trail"))
	if err != nil {
		return err
	}
	fmt.Fprintf(s.err, "%s in %v\n", prose.Plural(int64(len(results)), "scenario"), time.Since(began).Round(time.Second))
	if len(results) > 1 {
		return scenarios.Print(s.out, results)
	}
	one := results[0]
	_, err = fmt.Fprintf(s.out, "%s, seed %d: %s.\nThe truth: %s. Decided: %s.\n\nSubject: %s\n\n%s", one.Style.Name, one.Seed, one.Style.Says, one.Style.Truth, one.Decision,
		one.Message.Subject, one.Message.Body)
	return err
}
