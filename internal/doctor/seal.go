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
		var all []Finding
		var well []string
		for _, f := range d.files() {
			location, err := f.at(ctx, trails)
			switch {
			case errors.Is(err, trail.ErrGone): // which is the check of the trail's to say
				well = append(well, "there is no trail whose files somebody could write")
				continue
			case err != nil:
				return unread(err)
			}
			seal, err := read(ctx, location, d.Stated)
			why := prose.Plain(strings.Join(seal.Why, "; "))
			switch {
			case err != nil:
				return unread(err)
			case seal.Sealed == evidence.Proved:
				well = append(well, "nobody writes "+f.what+" but CloudTrail")
			case seal.Sealed == evidence.Stated:
				well = append(well, fmt.Sprintf("the deployer states that nobody writes %s but CloudTrail; not proved: %s", f.what, why))
			default:
				all = append(all, Finding{Weekly: true, Says: fmt.Sprintf("others than CloudTrail may write %s under %s, so that what is contained otherwise is asked about: %s", f.what, prose.Safe(location), why),
					Mend: "add to the bucket's policy the statements that the synthesis prints"})
			}
		}
		return found(all, "%s", strings.Join(well, "; "))
	})
}
