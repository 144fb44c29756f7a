//go:build cgo

package main

import (
	"context"
	"fmt"

	"nightlatch/internal/evidence/duck"
)

const hasEngine = true

// openEngine opens DuckDB, which writes to the folder what does not fit into memory; 0 is the memory that it takes by itself.
func openEngine(ctx context.Context, temp string, memoryMB int) (localEngine, error) {
	engine, err := duck.Open(ctx, duck.Settings{Temp: temp, MemoryMB: memoryMB})
	if err != nil {
		return nil, fmt.Errorf("opening DuckDB: %w", err)
	}
	return engine, nil
}
