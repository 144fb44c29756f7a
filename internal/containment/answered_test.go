package containment

import (
	"testing"
	"time"
)

// When a human was asked is kept where he has done it himself, and only there.
func TestWhenAHumanHasAnswered(t *testing.T) {
	asked, seen := time.Date(2026, 3, 4, 0, 10, 0, 0, time.UTC), time.Date(2026, 3, 4, 0, 25, 0, 0, time.UTC)
	for state, want := range map[State]time.Time{Asked: seen, Failed: seen, DryRun: {}} {
		before := Outcome{State: state, At: asked}
		if before.DoneByHand() || !before.Answered().IsZero() {
			t.Errorf("%s is answered before it is", state)
		}
		o := before.ByHand(Doc{Text: Inactive}, seen)
		if o.Answered() != want || o.DoneByHand() != !want.IsZero() || o.WasAsked() != before.WasAsked() || o.SeenDone() {
			t.Errorf("%s: got %+v", state, o)
		}
		if !want.IsZero() && o.AskedAt != asked {
			t.Errorf("%s: asked at %s", state, o.AskedAt)
		}
	}
	undone := Outcome{State: Undone, At: seen, Attempts: 1}
	if !undone.SeenDone() || !undone.FirstDone().IsZero() {
		t.Errorf("undone: %t, %s", undone.SeenDone(), undone.FirstDone())
	}
	if other := (Outcome{State: Undone, At: seen}); other.SeenDone() {
		t.Error("what a human did and took back was not Nightlatch's")
	}
}
