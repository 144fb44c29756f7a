package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

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
func Access(stack Stack, trails trail.Reader, read AccessRead, account string, grants ...grant.Grant) Check {
	return onStack(AccessName, stack, grants, func(ctx context.Context, d Deployed) Answer {
		switch {
		case d.Trail == "" && d.Store == "":
			return unread(errors.New("the stack names no trail and no event data store; see whether it is Nightlatch's"))
		case d.Trail == "":
			return holds("there are no files to read: an event data store is asked")
		}
		var roles []string
		for _, id := range asking {
			for _, r := range d.Roles {
				if r.ID == id {
					roles = append(roles, r.ARN)
				}
			}
		}
		var all []Finding
		var well []string
		for _, f := range d.files() {
			if f.made {
				well = append(well, f.what+" lie in the stack's own bucket")
				continue
			}
			location, err := f.at(ctx, trails)
			switch {
			case errors.Is(err, trail.ErrGone): // which is the check of the trail's to say
				well = append(well, "there is no trail whose files could be read")
				continue
			case err != nil:
				return unread(err)
			}
			got, err := read(ctx, location, strings.Split(d.Trail, ":")[1], roles)
			found, says, err := f.tried(got, err, location, account)
			if err != nil {
				return unread(err)
			}
			all, well = append(all, found...), append(well, says)
		}
		return found(all, "%s", strings.Join(well, "; "))
	})
}

// tried is what came of trying to read files: what is broken, or a sentence that says what holds. An error is that it is not known.
func (f files) tried(got Read, err error, location, account string) ([]Finding, string, error) {
	denial, denied := errors.AsType[grant.Denial](err)
	where := f.what + " under " + prose.Safe(location)
	switch {
	case denied && denial.Action == "kms:Decrypt":
		return []Finding{{Says: fmt.Sprintf("%s cannot be read, as the policy of their key does not let us in: %s", where, prose.Plain(err.Error())), Mend: "its owner adds to the key's policy: " + got.OfKey}}, "", nil
	case denied:
		return []Finding{{Says: fmt.Sprintf("%s cannot be read, as the policy of their bucket does not let us in: %s", where, prose.Plain(err.Error())), Mend: "its owner adds to the bucket's policy: " + got.OfBucket}}, "", nil
	case err != nil:
		return nil, "", err
	case !got.Files && f.given():
		return []Finding{{Says: fmt.Sprintf("of %s there is none of account %s and this region from today or yesterday: nobody may be found when an alarm fires", where, account),
			Mend: "see whether " + f.setting + " is where they lie, and whether the trail records this account and region"}}, "", nil
	case !got.Files:
		return nil, f.what + " can be listed; there is none of today or yesterday to read", nil
	}
	return nil, f.what + " can be listed and read", nil
}
