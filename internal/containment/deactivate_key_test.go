package containment

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/policy"
)

const (
	off = "aws iam update-access-key --user-name backup-exports --access-key-id AKIAIOSFODNN7EXAMPLE --status Inactive"
	on  = "aws iam update-access-key --user-name backup-exports --access-key-id AKIAIOSFODNN7EXAMPLE --status Active"
)

func TestDeactivateKey(t *testing.T) {
	ref := Ref{Type: KeyStatus, Owner: "backup-exports", Name: "AKIAIOSFODNN7EXAMPLE"}
	for name, c := range map[string]struct {
		before Doc
		want   Step
	}{
		"an active key": {isActive, Step{Before: isActive, After: isInactive, Undo: on}},
		// An earlier run may have done it: the line that undoes it is not lost.
		"an inactive key":        {isInactive, Step{Before: isInactive, After: isInactive, Undo: on}},
		"a key that is gone":     {isGone, Step{Before: isGone, After: isGone}},
		"a status of the future": {Doc{Text: "Expired"}, Step{Before: Doc{Text: "Expired"}, After: isInactive, Undo: on}},
		"a status not read":      {Doc{}, Step{After: isInactive, Undo: on}},
	} {
		t.Run(name, func(t *testing.T) {
			want := c.want
			want.Action, want.Target, want.Ref, want.Runbook = policy.DeactivateKey, someKey(), ref, []string{off}
			got := DeactivateKey(someKey(), c.before)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("DeactivateKey (-want +got):\n%s", diff)
			}
			if !got.Planned() {
				t.Error("the step cannot be done")
			}
		})
	}
}

func TestOneStepTurnsOffOneKey(t *testing.T) {
	second := someKey()
	second.ID = "AKIAIOSFODNN7EXAMPLF"
	if KeyRef(someKey()) == KeyRef(second) {
		t.Error("two keys of one user are one setting")
	}
}

func TestDeactivateKeyPrintsNoCommandForANameThatIsNone(t *testing.T) {
	for _, owner := range []string{"", "a\nb", "a\x1b[2Jb", "a\u202eb", "a\x00b", "\xff"} {
		target := someKey()
		target.Owner = owner
		s := DeactivateKey(target, isActive)
		for _, line := range append([]string{s.Undo}, s.Runbook...) {
			if line == "" || line[0] != '#' || !printable.MatchString(line) {
				t.Errorf("owner %q: %q", owner, line)
			}
		}
	}
}
