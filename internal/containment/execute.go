package containment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
	"nightlatch/internal/policy"
)

// Mode is how far Nightlatch goes by itself. The zero Mode is ModeAsk. The policy does not know the mode.
type Mode string

// The modes.
const (
	ModeObserve Mode = "observe" // says what it would do; holds no right to do it
	ModeAsk     Mode = "ask"     // every containment waits for a human
	ModeAct     Mode = "act"     // does what the policy says
)

// ParseMode reads a mode; "" is ModeAsk.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case "":
		return ModeAsk, nil
	case ModeObserve, ModeAsk, ModeAct:
		return m, nil
	}
	return ModeAsk, fmt.Errorf("mode %q is none of observe, ask and act", s)
}

// State is what became of a step. The zero State is Unknown's harmless twin: nothing is claimed.
type State string

// The states.
const (
	Intended State = "intended" // written down, about to be done
	Done     State = "done"     // done, and seen done by reading back
	Already  State = "already"  // it was so before
	Asked    State = "asked"    // a human has to approve it
	DryRun   State = "dry-run"  // would have been done in mode act
	Skipped  State = "skipped"  // the policy leaves it
	Failed   State = "failed"   // surely not done
	Unknown  State = "unknown"  // tried, and not yet seen done
	Undone   State = "undone"   // done, and undone by a human
	Drifted  State = "drifted"  // somebody else has changed it since
)

// Outcome is what became of one step.
type Outcome struct {
	Action policy.Action `json:"action"`
	// Target is the id or ARN of what the step acts on.
	Target string `json:"target"`
	// AccessKeyID is the key that the actor used; "" where it used none.
	AccessKeyID string `json:"access_key_id,omitempty"`
	// Who tells an actor without a key from the others; "" where there is a key.
	Who   string `json:"who,omitempty"`
	State State  `json:"state"`
	// Undo is the command line that undoes it; "" where nothing was done.
	Undo string `json:"undo"`
	// Detail is one sentence on how the state came about.
	Detail string `json:"detail,omitempty"`
	// Runbook is what a human runs instead, or approves.
	Runbook []string `json:"runbook,omitempty"`
	// At is when the state was reached; Attempts how often it was written, counted before the write. Throttled counts the writes that
	// are not among them, because AWS surely refused them only for now: the step stays intended.
	At        time.Time `json:"at"`
	Attempts  int       `json:"attempts,omitempty"`
	Throttled int       `json:"throttled,omitempty"`
	// DoneAt is when it was seen done first; zero where it was not, or where a build before 0.10.0 did it.
	DoneAt time.Time `json:"done_at,omitzero"`
	// AskedAt is since when a human had been asked, of a step that he has answered: by an approval, or by doing it himself. It is zero of what a
	// build before 0.10.0 asked.
	AskedAt time.Time `json:"asked_at,omitzero"`
	// Behind is who stands behind the actor, as far as the trail shows: who minted the session, who has ordered the reading.
	Behind []Source `json:"behind,omitempty"`
	// Approved is who approved a step that was asked; nil where nobody has.
	Approved *Approval `json:"approved,omitempty"`
	// Regretted: it was contained, and on the complete evidence the policy would not contain it by itself.
	Regretted bool `json:"regretted,omitempty"`
	Step      Step `json:"step"`
}

// Approval is a human's approval.
type Approval struct {
	// By is the caller's ARN, as IAM gives it.
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Contained reports whether the step was written, or may have been, also where somebody has changed it since.
func (o Outcome) Contained() bool { return o.State == Done || o.State == Unknown || o.State == Drifted }

// Watched reports whether follow-ups check that the step holds: it was contained, or somebody else has done it.
func (o Outcome) Watched() bool { return o.Contained() || o.State == Already }

// SeenDone reports whether Nightlatch has done the step and seen it done, also where it was undone or changed since.
func (o Outcome) SeenDone() bool {
	return o.State == Done || o.State == Undone && o.Tried() || !o.DoneAt.IsZero()
}

// FirstDone is when it was seen done first; zero where it was not, or where that is not known any more.
func (o Outcome) FirstDone() time.Time {
	if o.DoneAt.IsZero() && o.State == Done {
		return o.At
	}
	return o.DoneAt
}

// WasAsked reports whether a human was asked about the step, whether or not he has answered.
func (o Outcome) WasAsked() bool { return o.Open() || o.Approved != nil || !o.AskedAt.IsZero() }

// DoneByHand reports whether a human was asked about the step, and has done it himself.
func (o Outcome) DoneByHand() bool {
	return o.State == Already && o.Approved == nil && !o.AskedAt.IsZero()
}

// Answered is when a human has answered what he was asked; zero where he has not.
func (o Outcome) Answered() time.Time {
	switch {
	case o.Approved != nil:
		return o.Approved.At
	case o.DoneByHand():
		return o.At
	}
	return time.Time{}
}

// Tried reports whether Nightlatch itself has written the step, or tried to.
func (o Outcome) Tried() bool { return o.Attempts+o.Throttled > 0 }

// Open reports whether the step waits for a human: it was asked, or surely not done.
func (o Outcome) Open() bool { return o.State == Asked || o.State == Failed }

// Approvable reports whether the step waits for a human, and Nightlatch can do it.
func (o Outcome) Approvable() bool { return o.State == Asked && o.Step.Planned() }

// Name is how a step is named on a command line: deactivate-key:AKIA…. Unlike its number it stays what it is.
func (o Outcome) Name() string { return string(o.Action) + ":" + o.Target }

// Of tells steps of one name apart, as two sessions of a role are: the credential that it is against, and the networks or the endpoint of a fence. It is
// "" of a step that turns a key off, which has the key in its name.
func (o Outcome) Of() string {
	switch {
	case o.Action == policy.DeactivateKey:
		return ""
	case o.Step.Order != nil && o.Action == policy.FenceOrigin:
		return cmp.Or(strings.Join(o.Step.Order.Networks, " "), o.Step.Order.Endpoint)
	}
	return cmp.Or(o.AccessKeyID, o.Who)
}

// Command is the line that approves or restores the step of an incident, with the flags that find its deployment from any machine.
func (o Outcome) Command(verb, incident string, flags ...string) string {
	line := Command("nightlatch", verb, incident, o.Name())
	switch {
	case strings.HasPrefix(incident, "-"):
		return dashed
	case len(flags) == 0 || strings.HasPrefix(line, "#"):
		return line
	case strings.HasPrefix(Command(flags...), "#"):
		return Command(flags...)
	}
	return line + " " + Command(flags...)
}

// Against reports whether the step is against an actor.
func (o Outcome) Against(a evidence.Actor) bool {
	if o.AccessKeyID != "" || a.AccessKeyID != "" {
		return o.AccessKeyID == a.AccessKeyID
	}
	// Outcomes of earlier builds do not say who. They are against callers who were asked about then.
	return o.Who == a.Who() || o.Who == "" && a.Kind != actor.AWSService && a.Kind != actor.Unattributed
}

// ForAnother reports whether the step turns off another long-term key than its actor's: the one that minted its session, or one that was made with it.
func (o Outcome) ForAnother() bool {
	return o.Action == policy.DeactivateKey && o.AccessKeyID != "" && o.AccessKeyID != o.Target
}

// Key is the access key that the step turns off, or the one that its actor used.
func (o Outcome) Key() string {
	if o.ForAnother() {
		return o.Target
	}
	return o.AccessKeyID
}

// SameStep reports whether two outcomes are of one step: two sessions of a role have the same action and target, and are two steps. A key is
// turned off once, whatever it is for, and a user is fenced off from other networks by another step.
func (o Outcome) SameStep(p Outcome) bool {
	if o.Step.Order != nil && p.Step.Order != nil && o.Action == policy.FenceOrigin && !o.Step.Order.overlaps(*p.Step.Order) {
		return false
	}
	return o.Action == p.Action && o.Target == p.Target && o.Key() == p.Key() && (o.Who == p.Who || o.Who == "" || p.Who == "")
}

// ByHand is the outcome of a step that waited for a human, and now reads as it shall: somebody has done it, and not Nightlatch, whatever it
// tried.
func (o Outcome) ByHand(doc Doc, now time.Time) Outcome {
	if o.Open() {
		o.AskedAt = o.At
	}
	o.State, o.At, o.Attempts, o.Throttled, o.Undo, o.Runbook = Already, now, 0, 0, o.Step.Undo, nil
	o.Detail = "it reads as " + o.Step.Reads(doc) + " now: somebody has done it by hand"
	return o
}

// Executor does steps. It and Undo, which the responder never calls, are the only code that calls Account.Write.
type Executor struct {
	Account Account
	// Cutter does the steps that are ordered; nil where none is enabled.
	Cutter Cutter
	Mode   Mode
	// Late reports, right before a write, that it must not be made any more; nil is never.
	Late func() bool
}

// Gate says what becomes of a step that was judged: Intended is the only state that leads to a write, and only in ModeAct.
func (x Executor) Gate(s Step, d policy.Decision) State {
	switch {
	case d == policy.Leave:
		return Skipped
	case s.Planned() && s.Before == s.After:
		return Already // and nobody need be asked
	case d != policy.Contain || !s.Planned():
		return Asked
	case x.Mode == ModeObserve:
		return DryRun
	case x.Mode == ModeAct:
		return Intended
	}
	return Asked
}

// Do writes one intended step and reads it back. attempts is how often that was tried before, as written down then. A step that may have
// been written already is read before it is written again. One that AWS surely refused only for now stays Intended. The state is "" where it was
// late: nothing was written.
func (x Executor) Do(ctx context.Context, s Step, attempts int) (State, string) {
	if x.Mode != ModeAct || !s.Planned() {
		return Asked, "the mode does not allow a write"
	}
	if attempts > 0 {
		if doc, err := x.Account.Read(ctx, s.Ref); err != nil || doc != s.Before {
			return seen(s, doc, err)
		}
	}
	if x.Late != nil && x.Late() {
		return "", "its time was over before it was written"
	}
	if err := x.write(ctx, s); err != nil {
		// Where it was tried before, this refusal does not prove that the earlier attempt came to nothing.
		switch {
		case attempts == 0 && errors.Is(err, ErrThrottled):
			return Intended, err.Error()
		case attempts == 0 && errors.Is(err, ErrNotDone):
			return Failed, err.Error()
		}
		state, detail := x.Verify(ctx, s)
		switch {
		case (state == Done || state == Drifted) && s.Order != nil: // that others write to the same bucket is heard
			return state, detail + "; " + err.Error()
		case state == Done || state == Drifted:
			return state, detail
		}
		return Unknown, err.Error()
	}
	return x.Verify(ctx, s)
}

// write has a step written: by the cutter where it is ordered.
func (x Executor) write(ctx context.Context, s Step) error {
	switch {
	case s.Order == nil:
		return x.Account.Write(ctx, s.Ref, s.After)
	case x.Cutter == nil:
		return fmt.Errorf("this deployment has no cutter, which alone may do this step: %w", ErrNotDone)
	}
	return x.Cutter.Cut(ctx, *s.Order)
}

// Verify reads a step's setting back. It is Done if it is as it shall be. It is Unknown if it is still as before or cannot be read (IAM
// shows a change late), and Drifted if it is neither.
func (x Executor) Verify(ctx context.Context, s Step) (State, string) {
	doc, err := x.Account.Read(ctx, s.Ref)
	return seen(s, doc, err)
}

// seen is what a reading says of a step.
func seen(s Step, doc Doc, err error) (State, string) {
	switch {
	case err != nil:
		return Unknown, "it could not be read back: " + err.Error()
	case doc == s.After:
		return Done, "read back as " + s.Reads(doc)
	case doc == s.Before:
		return Unknown, "it still reads as " + s.Reads(doc)
	case doc.Absent:
		return Drifted, "it is gone: somebody has deleted it"
	}
	return Drifted, "it reads as " + s.Reads(doc) + ": somebody else has changed it"
}

// Reads is a document of a step in a word or two: the text of a policy says nothing at midnight.
func (s Step) Reads(d Doc) string {
	switch {
	case d.Absent && s.Order != nil:
		return "not there"
	case d.Absent:
		return "nothing: it was deleted"
	case s.Order == nil || d.Text == Attached:
		return d.Text
	case d == s.After:
		return "ordered"
	}
	return "something else"
}
