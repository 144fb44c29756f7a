package dynamo

import (
	"context"

	"nightlatch/internal/grant"
)

// doctor is the key of what the checks remember.
const doctor = "doctor"

// aboutDoctor names it in sentences.
const aboutDoctor = "what the checks remember"

// DoctorGrants are the permissions that Doctor and SetDoctor need, and Notices: two items, of which one is only read, and no incident.
func DoctorGrants() []grant.Grant {
	return []grant.Grant{{Sid: "RememberChecks", Actions: []string{"dynamodb:GetItem", "dynamodb:PutItem"}, On: []string{"${Table}"}, When: onItem(doctor)},
		{Sid: "SeeThatNoticesCome", Actions: []string{"dynamodb:GetItem"}, On: []string{"${Table}"}, When: onItem(noticesKey)}}
}

// Doctor is what the checks remember, and its version; nothing and 0 before the first SetDoctor.
func (s *Store) Doctor(ctx context.Context) (body string, version int64, err error) {
	return s.kept(ctx, doctor, aboutDoctor)
}

// SetDoctor replaces what the checks remember, of the version that was loaded. The error is incident.ErrConflict where another has replaced it
// since.
func (s *Store) SetDoctor(ctx context.Context, body string, loaded int64) error {
	return s.keep(ctx, doctor, aboutDoctor, loaded+1, body)
}
