// Package cut is what the cutter does with an order: it refuses what the deployment does not let it do, reads what stands, writes once, and reads
// back. It takes no text of a policy from anybody, and takes nothing away: what it writes denies.
package cut

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/policy"
	"nightlatch/internal/prose"
)

const (
	// maxOrder is how long an order may be, in bytes: the longest that Check lets through has under 2,000.
	maxOrder = 4 << 10
	// skew is how far two clocks of AWS's may be apart.
	skew = time.Minute
)

// Cutter does orders in the account of its own role.
type Cutter struct {
	Account containment.Account
	Allowed Allowed
	Now     func() time.Time
}

// Cut does one order, as its caller has sent it.
func (c Cutter) Cut(ctx context.Context, event []byte) containment.Answer {
	o, err := read(event)
	if err == nil {
		err = c.Allowed.order(o, c.Now())
	}
	var s containment.Step
	if err == nil {
		s, err = c.plan(ctx, o)
	}
	if err != nil { // nothing was written yet
		return containment.Answer{State: containment.CutNotDone, Detail: err.Error()}
	}
	if s.Before == s.After {
		return containment.Answer{State: containment.CutAlready, Detail: "it stands already"}
	}
	state, detail := containment.Executor{Account: c.Account, Cutter: writer{c.Account, s}, Mode: containment.ModeAct}.Do(ctx, s, 0)
	return containment.Answer{State: answers[state], Detail: detail}
}

// answers are the executor's words for what became of a write. All others are not known.
var answers = map[containment.State]containment.Answered{containment.Done: containment.CutDone, containment.Failed: containment.CutNotDone,
	containment.Intended: containment.CutThrottled, containment.Unknown: containment.CutUnknown, containment.Drifted: containment.CutUnknown}

// writer is the cutter of the cutter itself.
type writer struct {
	account containment.Account
	step    containment.Step
}

// Cut implements containment.Cutter.
func (w writer) Cut(ctx context.Context, _ containment.Order) error {
	return w.account.Write(ctx, w.step.Ref, w.step.After)
}

// plan reads what stands where the order would write.
func (c Cutter) plan(ctx context.Context, o containment.Order) (containment.Step, error) {
	t, err := c.target(ctx, o)
	if err != nil {
		return containment.Step{}, err
	}
	s, err := o.Step(t, containment.Doc{Absent: true})
	if err != nil {
		return containment.Step{}, err
	}
	before, err := c.Account.Read(ctx, s.Ref)
	if err != nil {
		return containment.Step{}, fmt.Errorf("what stands now was not read: %v", err)
	}
	// A public access block has one place, where anything may stand. What stands under a name of ours and is not ours, somebody has put there.
	if !before.Absent && before != s.After && !s.Ref.Open() {
		return containment.Step{}, errors.New("something else stands where it would be written; see who has written it")
	}
	return o.Step(t, before)
}

// target is what an order changes, where that may be touched.
func (c Cutter) target(ctx context.Context, o containment.Order) (policy.Target, error) {
	if o.Bucket != "" {
		return containment.BucketTarget(o.Partition, o.Bucket), c.leaveProtected(ctx, o.UserID)
	}
	// A session's id begins with its role's, so that an order on another role is found here.
	who := actor.Credential{Kind: actor.IAMUser, UserName: o.User, AccountID: c.Allowed.Account}
	if o.Role != "" {
		who = actor.Credential{Kind: actor.Role, RoleName: o.Role, PrincipalID: o.UserID, AccountID: c.Allowed.Account}
	}
	t, err := c.Account.Identify(ctx, who)
	if err != nil {
		return policy.Target{}, fmt.Errorf("who it is was not found out: %v", err)
	}
	return t, c.Allowed.principal(t)
}

// leaveProtected refuses to shut a principal out of a bucket who is named as protected. IAM finds nobody by his id, so those that a tag
// protects are not known here.
func (c Cutter) leaveProtected(ctx context.Context, userID string) error {
	id, _, _ := strings.Cut(userID, ":")
	for _, arn := range c.Allowed.Protected {
		who := actor.Credential{AccountID: c.Allowed.Account, PrincipalID: id}
		name := arn[strings.LastIndex(arn, "/")+1:]
		switch {
		case strings.Contains(arn[strings.LastIndex(arn, ":")+1:], "*"):
			return fmt.Errorf("whether it is one whom %q protects cannot be found out by an id: a human has to decide", arn)
		case strings.HasPrefix(id, "AIDA") && strings.Contains(arn, ":user/"):
			who.Kind, who.UserName = actor.IAMUser, name
		case strings.HasPrefix(id, "AROA") && strings.Contains(arn, ":role/"):
			who.Kind, who.RoleName = actor.Role, name
		default:
			continue
		}
		switch t, err := c.Account.Identify(ctx, who); {
		case err != nil:
			return fmt.Errorf("whether it is one who is protected was not found out: %v", err)
		case t.Known:
			return fmt.Errorf("%q is protected: a human has to decide", arn)
		}
	}
	return nil
}

// read reads an order. A field that is not read may be one that was meant.
func read(event []byte) (o containment.Order, err error) {
	if len(event) > maxOrder {
		return o, fmt.Errorf("an order has at most %d bytes, not %d", maxOrder, len(event))
	}
	dec := json.NewDecoder(bytes.NewReader(event))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&o); err != nil {
		return o, errors.New("the order cannot be read: " + prose.Safe(err.Error()))
	}
	if _, more := dec.Token(); more != io.EOF {
		return o, errors.New("the order cannot be read: there is something behind it")
	}
	return o, o.Check()
}

// Allowed is what a deployment lets the cutter do.
type Allowed struct {
	// Account is the id of the account.
	Account string
	// Steps are those that the deployment enables.
	Steps []policy.Action
	// Paths are the IAM paths in which users and roles may be changed: /team/. The path / is all of them.
	Paths []string
	// Buckets may be changed.
	Buckets []string
	// Protected are the ARNs of users and roles that must not be touched; a * stands for any text.
	Protected []string
	// Stack is the stack's name, with which the names of our roles begin.
	Stack string
}

// order refuses what is not enabled.
func (a Allowed) order(o containment.Order, now time.Time) error {
	switch {
	case !slices.Contains(a.Steps, o.Action):
		return fmt.Errorf("the deployment does not enable %s; see its setting steps", o.Action)
	case o.Bucket != "" && !slices.Contains(a.Buckets, o.Bucket):
		return fmt.Errorf("bucket %q is not one that the deployment names", o.Bucket)
	case o.Before.After(now.Add(skew)):
		return errors.New("an order denies what was issued before now, and not what is to come")
	}
	return nil
}

// principal refuses who must not be touched.
func (a Allowed) principal(t policy.Target) error {
	switch {
	case !t.Known:
		return errors.New("the account knows no such principal")
	case t.Self:
		return errors.New("it is the cutter's own role")
	case t.Type == policy.Role && (strings.HasPrefix(t.Owner, a.Stack+"-") || strings.HasPrefix(t.Owner, "cdk-")):
		return fmt.Errorf("%q is a role of the deployment's", t.Owner)
	case t.Protected != "":
		return fmt.Errorf("it is protected (%s): a human has to decide", t.Protected)
	case !containment.InPaths(t, a.Paths):
		return fmt.Errorf("%q is in none of the paths that the deployment names; see its setting stepPaths", t.OwnerARN)
	}
	return nil
}
