//go:build cgo

package main

import (
	"context"
	"fmt"

	"nightlatch/internal/evidence/duck"
)

const hasEngine = true

// openEngine opens DuckDB, which writes to the folder what does not fit into memory. many says that many alarms will be asked about.
func openEngine(ctx context.Context, temp string, many bool) (localEngine, error) {
	engine, err := duck.Open(ctx, duck.Settings{Temp: temp, Parts: many})
	if err != nil {
		return nil, fmt.Errorf("opening DuckDB: %w", err)
	}
	return engine, nil
}
