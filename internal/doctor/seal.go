package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"nightlatch/internal/evidence"
	"nightlatch/internal/grant"
	"nightlatch/internal/prose"
	"nightlatch/internal/trail"
)

// SealRead reads whether others than CloudTrail can write where a trail's files lie; stated is what the deployer says of it.
type SealRead func(ctx context.Context, location string, stated bool) (evidence.Seal, error)

// Seal checks that nobody can forge the evidence. Where somebody can, Nightlatch works, and asks about what it would contain.
func Seal(stack Stack, trails trail.Reader, read SealRead, grants ...grant.Grant) Check {
	return onStack(SealName, stack, grants, func(ctx context.Context, d Deployed) Answer {
		switch {
		case d.Trail == "" && d.Store == "":
			return unread(errors.New("the stack names no trail and no event data store; see whether it is Nightlatch's"))
		case d.Trail == "":
			return holds("nobody writes into an event data store but CloudTrail")
		}
		location, err := d.files(ctx, trails)
		switch {
		case errors.Is(err, trail.ErrGone): // which is the check of the trail's to say
			return holds("there is no trail whose files somebody could write")
		case err != nil:
			return unread(err)
		}
		seal, err := read(ctx, location, d.Stated)
		why := prose.Plain(strings.Join(seal.Why, "; "))
		switch {
		case err != nil:
			return unread(err)
		case seal.Sealed == evidence.Proved:
			return holds("nobody writes the trail's files but CloudTrail")
		case seal.Sealed == evidence.Stated:
			return holds("the deployer states that nobody writes the trail's files but CloudTrail; not proved: %s", why)
		}
		return Answer{Found: []Finding{{Weekly: true, Says: fmt.Sprintf("others than CloudTrail may write the trail's files under %s, so that what is contained otherwise is asked about: %s", prose.Safe(location), why),
			Mend: "add to the bucket's policy the statements that the synthesis prints"}}}
	})
}
