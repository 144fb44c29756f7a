package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"nightlatch/internal/grant"
	"nightlatch/internal/prose"
	"nightlatch/internal/trail"
)

// Read is what came of trying to read a trail's files: whether there was one of today or yesterday, and what the owner of their bucket, and of their
// key, adds to its policy where it was refused.
type Read struct {
	Files           bool
	OfBucket, OfKey string
}

// AccessRead tries to read a trail's files at a location, in the caller's own name. roles are the ARNs of those that read them. A refusal is a
// grant.Denial.
type AccessRead func(ctx context.Context, location, partition string, roles []string) (Read, error)

// asking are the roles of the functions that ask about a trail's files, by their logical ids.
var asking = []string{"ResponderRole", "ApproverRole", "DoctorRole", "KeeperRole"}

// Access checks that a trail's files can be read where they lie, by reading: their bucket and key may be of another account, whose policies decide.
func Access(stack Stack, trails trail.Reader, read AccessRead, account string, now func() time.Time, grants ...grant.Grant) Check {
	return onStack(AccessName, stack, grants, func(ctx context.Context, d Deployed) Answer {
		switch {
		case d.Trail == "" && d.Store == "":
			return unread(errors.New("the stack names no trail and no event data store; see whether it is Nightlatch's"))
		case d.Trail == "":
			return holds("there are no files to read: an event data store is asked")
		case d.MadeTrail:
			return holds("the trail's files lie in the stack's own bucket")
		}
		location, err := d.files(ctx, trails)
		switch {
		case errors.Is(err, trail.ErrGone): // which is the check of the trail's to say
			return holds("there is no trail whose files could be read")
		case err != nil:
			return unread(err)
		}
		var roles []string
		for _, id := range asking {
			for _, r := range d.Roles {
				if r.ID == id {
					roles = append(roles, r.ARN)
				}
			}
		}
		got, err := read(ctx, location, strings.Split(d.Trail, ":")[1], roles)
		denial, denied := errors.AsType[grant.Denial](err)
		switch {
		case denied && denial.Action == "kms:Decrypt":
			return Answer{Found: []Finding{{Says: fmt.Sprintf("the trail's files under %s cannot be read, as the policy of their key does not let us in: %s", prose.Safe(location), prose.Plain(err.Error())),
				Mend: "its owner adds to the key's policy: " + got.OfKey}}}
		case denied:
			return Answer{Found: []Finding{{Says: fmt.Sprintf("the trail's files under %s cannot be read, as the policy of their bucket does not let us in: %s", prose.Safe(location), prose.Plain(err.Error())),
				Mend: "its owner adds to the bucket's policy: " + got.OfBucket}}}
		case err != nil:
			return unread(err)
		case !got.Files && d.given():
			return Answer{Found: []Finding{{Says: fmt.Sprintf("under %s there is no file of account %s and this region from today or yesterday: nobody may be found when an alarm fires", prose.Safe(location), account),
				Mend: "see whether trailLocation is where the trail's files lie, and whether the trail records this account and region"}}}
		case !got.Files:
			return holds("the trail's files can be listed; there is none of today or yesterday to read")
		}
		return holds("the trail's files can be listed and read")
	})
}

// given reports whether where the trail's files lie was given with the deployment: the trail cannot be looked up.
func (d Deployed) given() bool {
	return d.Location != "" && !d.MadeTrail && !strings.Contains(d.Location, Unknown)
}

// files is where the trail's files lie: as given, or as CloudTrail says.
func (d Deployed) files(ctx context.Context, trails trail.Reader) (string, error) {
	if d.given() {
		return d.Location, nil
	}
	t, err := trails.Read(ctx, d.Trail)
	return t.Location(), err
}
