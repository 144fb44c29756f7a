package containment

import (
	"nightlatch/internal/policy"
)

// DeactivateKey plans the deactivation of one long-term access key of an IAM user. The key is never deleted: a deactivated key
// can be switched on again. https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccessKey.html
//
// before is the key's status now. A key that is gone plans nothing: the step's After is its Before.
func DeactivateKey(t policy.Target, before Doc) Step {
	s := Step{
		Action: policy.DeactivateKey, Target: t,
		Ref:     KeyRef(t),
		Before:  before,
		After:   Doc{Text: Inactive},
		Runbook: []string{keyStatus(t, Inactive)},
	}
	if before.Absent {
		s.After = before // nothing to do, and nothing to undo
		return s
	}
	s.Undo = keyStatus(t, Active)
	return s
}

// KeyRef is the setting that DeactivateKey changes.
func KeyRef(t policy.Target) Ref { return Ref{Type: KeyStatus, Owner: t.Owner, Name: t.ID} }

func keyStatus(t policy.Target, status string) string {
	return Command("aws", "iam", "update-access-key", "--user-name", t.Owner, "--access-key-id", t.ID, "--status", status)
}
