package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"nightlatch/internal/prose"
	"nightlatch/internal/rehearsal"
	"nightlatch/internal/report"
)

// rehearseCmd rehearses.
type rehearseCmd struct {
	place
	Look    bool   `help:"Begin nothing: say how far the last rehearsal is, or what became of it."`
	Sandbox bool   `help:"Rehearse on this machine, in virtual time, with the delays that AWS names. Nothing outside it is touched."`
	Seed    uint64 `default:"1" help:"With --sandbox: another seed has other delays."`
	JSON    bool   `name:"json" help:"Print the rehearsal as nightlatch.rehearsal/1."`
}

// between is the time between two looks. A test looks sooner.
var between = 15 * time.Second

// Run has a deployed Nightlatch rehearse, and follows it to its outcome. Whoever stops following stops nothing.
func (c *rehearseCmd) Run(ctx context.Context, s streams) error {
	if c.Sandbox {
		return c.inSandbox(ctx, s)
	}
	d, err := c.open(ctx, s, inTable{}, atURL{})
	if err != nil {
		return err
	}
	ask := func(what string) (a rehearsal.Answer, err error) {
		event, err := json.Marshal(map[string]any{"nightlatch": map[string]any{"rehearse": what}})
		if err != nil {
			return a, err
		}
		text, err := d.Rehearser(ctx, event)
		if err != nil {
			return a, err
		}
		if err := json.Unmarshal(text, &a); err != nil {
			return a, fmt.Errorf("the function that rehearses gives an answer that cannot be read: %v; is the stack of another version?", err)
		}
		return a, nil
	}
	what := rehearsal.Now
	if c.Look {
		what = rehearsal.Look
	}
	a, err := ask(what)
	switch {
	case err != nil:
		return err
	case a.NotYet != "":
		return errors.New(prose.Plain(a.NotYet))
	case a.Run == nil:
		return errors.New("nothing was rehearsed yet; nightlatch rehearse begins one, when the canary has its history")
	}
	if !c.Look {
		fmt.Fprintf(s.err, "The canary has taken %s. The real chain runs; a rehearsal takes about 10 minutes. It goes on without this command: nightlatch rehearse --look\n", prose.Bytes(a.Run.Bytes))
	}
	said := map[string]bool{}
	c.says(s, *a.Run, said)
	for !c.Look && a.Run.Outcome == "" {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(between):
		}
		if a, err = ask(rehearsal.Look); err != nil {
			return err
		}
		if a.Run == nil {
			return errors.New("the rehearsal is not remembered any more; see the log of the function that rehearses")
		}
		c.says(s, *a.Run, said)
	}
	return c.prints(s.out, *a.Run)
}

// says names each stage once, as it is reached: one that comes later may have been earlier.
func (c *rehearseCmd) says(s streams, r rehearsal.Run, said map[string]bool) {
	for _, stage := range r.Stages {
		if !c.Look && !said[stage.Name] {
			fmt.Fprintf(s.err, "%s  %s\n", r.After(stage), stage.Name)
			said[stage.Name] = true
		}
	}
}

// wrapped is a text whose paragraphs fit a terminal, and whose stages stand as they are.
func wrapped(text string, columns int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if len(line) > 60 && line[0] != ' ' {
			line = report.Wrapped(strings.TrimSpace(line), columns)
		}
		b.WriteString(line)
	}
	return b.String()
}

// prints prints a rehearsal. One that failed is an error.
func (c *rehearseCmd) prints(out io.Writer, r rehearsal.Run) error {
	text := []byte(wrapped(r.Text(), columnsOf(out)))
	if c.JSON {
		var err error
		if text, err = r.JSON(); err != nil {
			return err
		}
	}
	if _, err := out.Write(text); err != nil {
		return err
	}
	if r.Outcome == rehearsal.Failed {
		return errors.New("the rehearsal failed: " + prose.Plain(r.Why))
	}
	return nil
}
