package main

import (
	"fmt"

	"nightlatch/internal/sandbox"
)

// localEngine asks CloudTrail files on this machine. It is DuckDB, which needs cgo: see engine_cgo.go and engine_nocgo.go.
type localEngine interface {
	sandbox.Engine
	// Events and Files count what was loaded.
	Events() int64
	Files() int
	Close() error
}

// needsEngine refuses a command that this program cannot run because it was built without the local engine.
func needsEngine(command string) error {
	if hasEngine {
		return nil
	}
	return badInput{fmt.Errorf("%[1]s needs DuckDB, and this program was built without it: with Go and a C compiler, run go tool nightlatch %[1]s in a checkout of Nightlatch", command)}
}
