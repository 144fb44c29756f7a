//go:build !cgo

package main

import (
	"context"
	"errors"
)

// hasEngine is false in the static program for whoever is on call: what it needs of AWS needs no C.
const hasEngine = false

func openEngine(context.Context, string, bool) (localEngine, error) {
	return nil, errors.New("the files of a trail are read by DuckDB, and this program was built without it: with Go and a C compiler, run go tool nightlatch in a checkout of Nightlatch")
}
