package main

import (
	"context"
	"fmt"
	"slices"

	"nightlatch/internal/evidence"
	"nightlatch/internal/sandbox"
)

// localEngine asks CloudTrail files on this machine. It is DuckDB, which needs cgo: see engine_cgo.go and engine_nocgo.go.
type localEngine interface {
	sandbox.Engine
	// Events and Files count what was loaded.
	Events() int64
	Files() int
	// Each answers a question, and gives its rows one after the other.
	Each(context.Context, evidence.Question, func(evidence.Row) error) (evidence.Answer, error)
	// Lost names what could not be read.
	Lost() []string
	Close() error
}

// lacksEngine refuses a command that this program cannot run because it was built without the local engine, whatever else is wrong with it.
func lacksEngine(args []string) error {
	command := args[0]
	if hasEngine || command != "demo" && command != "respond" && command != "judge" && command != "backtest" || slices.Contains(args, "--help") || slices.Contains(args, "-h") {
		return nil
	}
	return fmt.Errorf("%[1]s needs DuckDB, and this program was built without it: with Go and a C compiler, run go tool nightlatch %[1]s in a checkout of Nightlatch", command)
}
