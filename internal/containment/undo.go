package containment

import (
	"context"
	"errors"
	"fmt"
)

// Undo takes a step back that was done. Where the setting reads as the step has left it, it is set to what it was before, and read back. It
// is for a human with credentials of his own: the responder locks and never unlocks.
//
// It returns Undone, or Already where it is as before. Drifted is neither as before nor as the step has left it, and is left so. Failed is
// surely not changed. Unknown was written, or may have been, and is not seen so. The error says why it is neither of the first two.
func Undo(ctx context.Context, a Account, s Step) (State, error) {
	switch {
	case !s.Planned() || s.Before == s.After || s.Order == nil && s.Before.Absent:
		return Failed, errors.New("this step changed nothing that could be taken back")
	case !s.ours():
		return Failed, fmt.Errorf("the step is on %q and changes %q of %q: such a record is not Nightlatch's", s.Target.ID, s.Ref.Name, s.Ref.Owner)
	}
	doc, err := a.Read(ctx, s.Ref)
	switch {
	case err != nil:
		return Failed, fmt.Errorf("nothing was changed, because what is there now could not be read: %w", err)
	case doc == s.Before:
		return Already, nil
	case doc != s.After:
		return Drifted, fmt.Errorf("the state has drifted since, and nothing was changed: expected %s, found %s", s.Reads(s.After), s.Reads(doc))
	}
	werr := a.Write(ctx, s.Ref, s.Before)
	if errors.Is(werr, ErrNotDone) {
		return Failed, werr
	}
	now, err := ReadUndone(ctx, a, s)
	if now == Unknown && werr != nil {
		err = werr
	}
	return now, err
}

// ours reports whether a step is one that Nightlatch plans: whoever can write into the table of incidents must not choose what a human's own
// credentials write.
func (s Step) ours() bool {
	if s.Order == nil {
		return s.Ref == KeyRef(s.Target)
	}
	planned, err := s.Order.Step(s.Target, s.Before)
	return err == nil && planned.Action == s.Action && planned.Ref == s.Ref && planned.After == s.After && (s.Before.Absent || s.Ref.Open())
}

// ReadUndone reads back whether a step that Undo has written is taken back. It is Undone, or Drifted, or Unknown while it reads as before
// or cannot be read (IAM shows a change late). The error says why it is not the first.
func ReadUndone(ctx context.Context, a Account, s Step) (State, error) {
	doc, err := a.Read(ctx, s.Ref)
	switch {
	case err != nil:
		return Unknown, fmt.Errorf("it could not be read back: %w", err)
	case doc == s.Before:
		return Undone, nil
	case doc == s.After:
		return Unknown, fmt.Errorf("it still reads as %s", s.Reads(doc))
	}
	return Drifted, fmt.Errorf("it reads as %s: somebody else has changed it", s.Reads(doc))
}
