package dynamo

import (
	"context"

	"nightlatch/internal/grant"
)

// rehearsalKey is the key of what the rehearsals remember.
const rehearsalKey = "rehearsal"

// aboutRehearsal names it in sentences.
const aboutRehearsal = "what the rehearsals remember"

// RehearsalGrants are the permissions that Rehearsal and SetRehearsal need, and Load, Unclosed and Recent: one item, and incidents that are only read.
func RehearsalGrants() []grant.Grant {
	return append(LoadGrants(),
		listGrant(),
		grant.Grant{Sid: "RememberRehearsals", Actions: []string{"dynamodb:GetItem", "dynamodb:PutItem"}, On: []string{"${Table}"},
			When: onItem(rehearsalKey)})
}

// SeeRehearsalGrants are the permissions that Rehearsal needs alone.
func SeeRehearsalGrants() []grant.Grant {
	return []grant.Grant{{Sid: "SeeRehearsals", Actions: []string{"dynamodb:GetItem"}, On: []string{"${Table}"},
		When: onItem(rehearsalKey)}}
}

// Rehearsal is what the rehearsals remember, and its version; nothing and 0 before the first SetRehearsal.
func (s *Store) Rehearsal(ctx context.Context) (body string, version int64, err error) {
	return s.kept(ctx, rehearsalKey, aboutRehearsal)
}

// SetRehearsal replaces it, of the version that was loaded. The error is incident.ErrConflict where another has replaced it since.
func (s *Store) SetRehearsal(ctx context.Context, body string, loaded int64) error {
	return s.keep(ctx, rehearsalKey, aboutRehearsal, loaded+1, body)
}
