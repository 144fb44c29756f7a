// Package containment holds what Nightlatch can do to an account: steps as data, a planner for each kind of step,
// and one executor that writes, reads back and undoes.
//
// The order of work for a stolen key is AWS's own:
// https://github.com/aws-samples/aws-customer-playbook-framework (deactivate, never delete).
package containment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/policy"
)

// RefType says what sort of setting a Ref names.
type RefType string

// KeyStatus is the status of an access key: Owner is the IAM user's name, Name the access key id, and the document is
// "Active" or "Inactive".
const KeyStatus RefType = "key-status"

// The documents of a KeyStatus.
const (
	Active   = "Active"
	Inactive = "Inactive"
)

// Ref names one setting in the account that a step changes.
type Ref struct {
	Type  RefType `json:"type"`
	Owner string  `json:"owner,omitempty"`
	Name  string  `json:"name"`
}

// Open reports whether the setting has no name of ours, so that anything may stand there before a step, and be changed meanwhile.
func (r Ref) Open() bool { return r.Type == PublicAccessBlock }

// Doc is the content of one setting. Absent and an empty text are different.
type Doc struct {
	Absent bool   `json:"absent,omitempty"`
	Text   string `json:"text,omitempty"`
}

// Step is one change to one target, as data: what is there before, and what shall be there after.
// A step without a Ref cannot be done by Nightlatch; its Runbook says what a human should run.
type Step struct {
	Action policy.Action `json:"action"`
	Target policy.Target `json:"target"`
	Ref    Ref           `json:"ref"`
	Before Doc           `json:"before"`
	After  Doc           `json:"after"`
	// Undo is the command line that restores Before; "" where there is nothing to undo.
	Undo string `json:"undo,omitempty"`
	// Runbook is what a human runs or does, one line each.
	Runbook []string `json:"runbook,omitempty"`
	// Order is what the cutter is given; nil where the responder writes the step itself.
	Order *Order `json:"order,omitempty"`
}

// Planned reports whether Nightlatch itself can do the step.
func (s Step) Planned() bool { return s.Ref != Ref{} }

// ErrNotDone says that a write surely did not happen. Any other error of a write leaves the state unknown.
var ErrNotDone = errors.New("nothing was changed")

// ErrThrottled is an ErrNotDone: AWS refused a write only because the account makes too many calls, and may do it later.
var ErrThrottled = fmt.Errorf("%w for now", ErrNotDone)

// Key is one access key of a user.
type Key struct {
	ID      string
	Status  string // Active or Inactive
	Created time.Time
}

// Owned is what the account says of one credential: whose it is, and, of a user's key, how it is set.
type Owned struct {
	// Target is zero where it is not known. Err says what the account could not be asked; the target may be known all the same.
	Target policy.Target
	Err    error
	// Status is the key's, StatusErr why it could not be read. Neither is set where the credential is no key, or nobody's.
	Status    Doc
	StatusErr error
}

// Propagation is how long after a change IAM may still let a call through, and a download that was under way may still end. AWS says "a few
// minutes" and promises no maximum. What comes later has not been stopped.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
const Propagation = 5 * time.Minute

// Cutter does what is ordered: it writes the one setting that an order names, with a text of its own, and nothing else. The error is as
// Account.Write's.
type Cutter interface {
	Cut(context.Context, Order) error
}

// Account is the AWS account in which steps are done.
type Account interface {
	// Identify finds what a credential acts for: the key's user, the role, with tags, and whether it is the responder itself.
	// Where the account does not know the credential, the target comes back with Known false and no error. An error beside a target
	// that is known says what could not be asked and was found in another way.
	Identify(context.Context, actor.Credential) (policy.Target, error)
	// Read returns what a setting holds now. A setting or owner that does not exist is an absent Doc, not an error.
	Read(context.Context, Ref) (Doc, error)
	// Keys lists the access keys of an IAM user; none where there is no such user.
	Keys(ctx context.Context, user string) ([]Key, error)
	// Quarantine says which of AWS's quarantine policies a user has, by its name, whoever has attached it. Where none is attached, it is the
	// newest that the account sees; "" where it sees none, or there is no such user.
	Quarantine(ctx context.Context, user, partition string) (name string, attached bool, err error)
	// Write sets it. The error is ErrNotDone only where surely nothing happened, as ErrThrottled where it may be tried again; after any
	// other error the state is unknown and Read must show it. Write never deletes an access key.
	Write(context.Context, Ref, Doc) error
}
