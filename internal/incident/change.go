package incident

import (
	"context"
	"errors"
	"fmt"
)

// conflicts is how often another run may be faster. There are two at a time.
const conflicts = 20

// Change changes the one record that two runs at a time keep of what is to be told: it is loaded, changed and put, and once more where another run was
// faster, which put says with ErrConflict.
func Change[S any](ctx context.Context, load func(context.Context) (S, error), put func(context.Context, S) error, change func(S) S) (none S, err error) {
	for range conflicts {
		s, err := load(ctx)
		if err != nil {
			return none, err
		}
		s = change(s)
		if err = put(ctx, s); err == nil {
			return s, nil
		} else if !errors.Is(err, ErrConflict) {
			return none, err
		}
	}
	return none, fmt.Errorf("what is to be told was changed by another run %d times", conflicts)
}
