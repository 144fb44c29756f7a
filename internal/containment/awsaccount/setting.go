package awsaccount

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"nightlatch/internal/containment"
)

// setting is how one type of setting is read and written.
type setting struct {
	// ref is what a Ref must name: an owner and a name, or a name alone.
	ref   func(containment.Ref) bool
	read  func(*Account, context.Context, containment.Ref) (containment.Doc, error)
	write func(*Account, context.Context, containment.Ref, containment.Doc) error
}

// kinds are the settings that this account can read and write.
var kinds = map[containment.RefType]setting{
	containment.KeyStatus:         {ownedByName, (*Account).readKeyStatus, (*Account).writeKeyStatus},
	containment.UserPolicy:        {ownedByName, userPolicies.read, userPolicies.write},
	containment.RolePolicy:        {ownedByName, rolePolicies.read, rolePolicies.write},
	containment.UserAttachment:    {isQuarantine, (*Account).readAttachment, (*Account).writeAttachment},
	containment.BucketPolicy:      {ownedByName, (*Account).readStatement, (*Account).writeStatement},
	containment.PublicAccessBlock: {func(r containment.Ref) bool { return r.Owner == "" && r.Name != "" }, (*Account).readAccessBlock, (*Account).writeAccessBlock},
}

func ownedByName(r containment.Ref) bool { return r.Owner != "" && r.Name != "" }

func settingOf(r containment.Ref) (setting, error) {
	s, known := kinds[r.Type]
	switch {
	case !known:
		var all []string
		for _, t := range slices.Sorted(maps.Keys(kinds)) {
			all = append(all, string(t))
		}
		return s, fmt.Errorf("setting %q is not one that this account can read or write; it knows %s", r.Type, strings.Join(all, ", "))
	case !s.ref(r):
		return s, fmt.Errorf("%q of %q is not the name of a %s", r.Name, r.Owner, r.Type)
	}
	return s, nil
}

// Read returns what a setting holds now.
func (a *Account) Read(ctx context.Context, r containment.Ref) (containment.Doc, error) {
	s, err := settingOf(r)
	if err != nil {
		return containment.Doc{}, err
	}
	return s.read(a, ctx, r)
}

// Write sets a setting, or takes away what is to be absent, for a human who takes a step back. It makes one attempt; see Account.writes.
func (a *Account) Write(ctx context.Context, r containment.Ref, d containment.Doc) error {
	s, err := settingOf(r)
	if err != nil {
		return fmt.Errorf("%v: %w", err, containment.ErrNotDone)
	}
	return s.write(a, ctx, r, d)
}

// ask makes one reading call. There is nothing where what it asks for, or its owner, does not exist.
func ask[Out any](ctx context.Context, c call, read func(context.Context) (*Out, error)) (*Out, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	out, err := read(ctx)
	switch {
	case missing(err):
		return nil, nil
	case err != nil:
		return nil, failed(c, err)
	}
	return out, nil
}

// attempt makes the one attempt of a write. so is what is not known where the answer does not say it.
func attempt(ctx context.Context, c call, so string, write func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	err := write(ctx)
	if err == nil {
		return nil
	}
	failure := failed(c, err)
	api, _, _ := answer(err)
	switch {
	case refused(err) && (throttled(err) || contended[api.ErrorCode()]):
		return fmt.Errorf("%w: %w", failure, containment.ErrThrottled)
	case refused(err):
		return fmt.Errorf("%w: %w", failure, containment.ErrNotDone)
	}
	return fmt.Errorf("%w; whether %s is not known, read it back", failure, so)
}

// gone is a write that took away what was not there.
func gone(err error) error {
	if missing(err) {
		return nil
	}
	return err
}

// unread is the error of a write that had to read first, and could not.
func unread(err error) error {
	return fmt.Errorf("what is there now could not be read (%v): %w", err, containment.ErrNotDone)
}

// empty is an answer that lacks what was asked for.
func (c call) empty() error {
	return fmt.Errorf("calling %s on %s: the answer is empty; see whether its endpoint is AWS's", c.action, c.on)
}
