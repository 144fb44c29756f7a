package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/grant"
	"nightlatch/internal/prose"
)

const (
	// MachinesName is the check of who works as machines do.
	MachinesName = "machines"
	// machinesUse is how lately their key was used: what runs once a week has run in it.
	machinesUse = 8 * 24 * time.Hour
	// maxMachines is of how many the tags are read, one call after the other.
	maxMachines = 100
)

// UserKeys is an IAM user with his keys, as the account's credential report has them.
type UserKeys struct {
	Name, ARN string
	// Password says that he may sign in to the console.
	Password bool
	Keys     []KeyUse
}

// KeyUse is when a key was used last, and in which service, by its prefix: "s3". The zero time is never, or not known.
type KeyUse struct {
	Active  bool
	Used    time.Time
	Service string
}

// UsersRead reads the account's users. Errors are one sentence.
type UsersRead func(context.Context) ([]UserKeys, error)

// TagsRead reads the names of a user's tags. Errors are one sentence.
type TagsRead func(ctx context.Context, user string) ([]string, error)

// Machines names the IAM users who work as machines do, and whether they are protected: what a protected one does is asked about at most, and of any
// other the policy may turn the key off. Which of them shall be protected is the deployer's to say, so that it holds whatever it finds.
//
// It goes by what IAM knows without a question to an engine: no console password, and a key that is on and was used in S3 last, within eight days.
// A key's last use is one, and in one service.
func Machines(stack Stack, users UsersRead, tags TagsRead, now func() time.Time, grants ...grant.Grant) Check {
	return onStack(MachinesName, stack, grants, func(ctx context.Context, d Deployed) Answer {
		all, err := users(ctx)
		if err != nil {
			return unread(err)
		}
		var protected, free []string
		elsewhere, more := 0, 0
		for _, u := range all {
			if u.Name == d.variable("NIGHTLATCH_CANARY_USER") { // a rehearsal is to turn its key off
				continue
			}
			switch works, inS3 := u.machine(now()); {
			case works && !inS3:
				elsewhere++
			case works && len(protected)+len(free) == maxMachines:
				more++
			case works:
				is, err := d.protects(ctx, u, tags)
				if err != nil {
					return unread(err)
				}
				if is {
					protected = append(protected, prose.Safe(u.Name))
				} else {
					free = append(free, prose.Safe(u.Name))
				}
			}
		}
		machines := "no user works as a machine in S3"
		if n := len(protected) + len(free) + more; n > 0 {
			machines = prose.Plural(int64(n), "user") + " without a console password worked in S3 lately, as machines do"
		}
		said := []string{machines}
		say := func(n int, format string, args ...any) {
			if n > 0 {
				said = append(said, fmt.Sprintf(format, args...))
			}
		}
		say(len(protected), "%s protected, and asked about at most: %s", count(len(protected)), strings.Join(protected, ", "))
		say(len(free), "%s not protected, and the policy may turn off the key: %s", count(len(free)), strings.Join(free, ", "))
		say(more, "%s not looked at", count(more))
		say(elsewhere, "of %d more the key was used last in another service, which does not say whether it reads a watched bucket", elsewhere)
		return holds("%s", strings.Join(said, "; "))
	})
}

// count is "1 is", "2 are".
func count(n int) string {
	if n == 1 {
		return "1 is"
	}
	return fmt.Sprintf("%d are", n)
}

// machine reports whether a user works as machines do, and whether in S3.
func (u UserKeys) machine(now time.Time) (works, inS3 bool) {
	for _, k := range u.Keys {
		if !u.Password && k.Active && now.Sub(k.Used) <= machinesUse {
			works = true
			inS3 = inS3 || k.Service == "s3"
		}
	}
	return works, inS3
}

// protects reports whether a user is protected, by the responder's setting or by his tag.
func (d Deployed) protects(ctx context.Context, u UserKeys, tags TagsRead) (bool, error) {
	if slices.Contains(strings.Split(d.variable("NIGHTLATCH_PROTECTED"), ","), u.ARN) {
		return true, nil
	}
	names, err := tags(ctx, u.Name)
	return slices.Contains(names, d.protectTag()), err
}
