package main

import (
	"fmt"
	"os"
	"path/filepath"

	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
)

// policyCmd looks at a policy file before it is deployed.
type policyCmd struct {
	Check policyCheckCmd `cmd:"" help:"Say whether a policy file loads, what it lacks against the shipped policy, and which of its rules contain on incomplete evidence. The exit code is 0 without a warning, 1 with one, 2 if the file does not load."`
	Test  policyTestCmd  `cmd:"" help:"Decide cases with a policy file: facts, with the expected decision. The exit code is 0 if all are decided so, 1 if one is not, 2 if a file does not load."`
}

type policyCheckCmd struct {
	File string `arg:"" help:"The policy, in Cedar."`
}

// Run prints one finding a line, with its place.
func (c *policyCheckCmd) Run(s streams) error {
	p, err := loadPolicy(c.File)
	if err != nil {
		return badInput{err}
	}
	name := prose.Safe(filepath.Base(c.File))
	fmt.Fprintf(s.out, "%s loads: %s.\n", name, prose.Plural(int64(p.Rules()), "rule"))
	warnings := 0
	for _, f := range p.Check() {
		at, kind := name, "note"
		if f.Line > 0 {
			at = fmt.Sprintf("%s:%d", name, f.Line)
		}
		if f.Warning {
			kind = "warning"
			warnings++
		}
		fmt.Fprintf(s.out, "%s: %s: %s\n", at, kind, prose.Plain(f.Text))
	}
	if warnings > 0 {
		return fmt.Errorf("%s has %s", name, prose.Plural(int64(warnings), "warning"))
	}
	return nil
}

type policyTestCmd struct {
	File  string `arg:"" help:"The policy, in Cedar."`
	Cases string `arg:"" optional:"" help:"The cases, in JSON. Without it, they stand beside the policy: those of own.cedar in own.cases.json."`
}

// Run prints one line for each case that is decided otherwise.
func (c *policyTestCmd) Run(s streams) error {
	p, err := loadPolicy(c.File)
	if err != nil {
		return badInput{err}
	}
	if c.Cases == "" {
		c.Cases = policy.CasesFile(c.File)
	}
	text, err := os.ReadFile(c.Cases)
	if err != nil {
		return badInput{fmt.Errorf("reading the cases: %w", err)}
	}
	n, failed, err := p.Test(prose.Safe(filepath.Base(c.Cases)), unmarked(text))
	if err != nil {
		return badInput{err}
	}
	for _, one := range failed {
		fmt.Fprintf(s.out, "%s\n", prose.Plain(one))
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d of %s failed", len(failed), prose.Plural(int64(n), "case"))
	}
	fmt.Fprintf(s.out, "%s, all decided as expected.\n", prose.Plural(int64(n), "case"))
	return nil
}
