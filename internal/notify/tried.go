package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"
)

// Tried is what became of the last test of a channel, by its name, as it is kept.
type Tried struct {
	At time.Time `json:"at"`
	// Refused is why it did not take the test; "" where it did.
	Refused string `json:"refused,omitempty"`
}

// Remember keeps what became of tests with what is kept of other channels. load returns all that is kept, and store replaces it.
func Remember(load func(context.Context) (string, error), store func(context.Context, string) error) func(context.Context, map[string]Tried) error {
	return func(ctx context.Context, tried map[string]Tried) error {
		kept, err := load(ctx)
		if err != nil {
			return err
		}
		all := map[string]Tried{}
		if json.Unmarshal([]byte(kept), &all) != nil { // what does not decode is nothing
			all = map[string]Tried{}
		}
		maps.Copy(all, tried)
		body, err := json.Marshal(all)
		if err != nil {
			return fmt.Errorf("what became of a test: %v", err)
		}
		return store(ctx, string(body))
	}
}
