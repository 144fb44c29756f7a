package dynamo

import (
	"context"
	"slices"

	"nightlatch/internal/grant"
)

// noticesKey is the key of what is to be told of tampering: one item, so that two who tell meet in it.
const noticesKey = "notices"

// NoticeGrants are the permissions of who tells of tampering: its own item, its turns, and to read the open incidents.
func NoticeGrants() []grant.Grant {
	return slices.Concat(TurnGrants(), []grant.Grant{{Sid: "KeepNotices", Actions: []string{"dynamodb:GetItem", "dynamodb:PutItem"}, On: []string{"${Table}"}, When: onItem(noticesKey)}}, readGrants())
}

// DeliveryGrants are the permissions of who looks whether somebody was notified: to read the open incidents.
func DeliveryGrants() []grant.Grant { return readGrants() }

// readGrants are to read the open incidents.
func readGrants() []grant.Grant {
	return []grant.Grant{{Sid: "ReadIncidents", Actions: []string{"dynamodb:Query"}, On: []string{"${Table}"}},
		listGrant()}
}

// aboutNotices names it in sentences.
const aboutNotices = "what is to be told"

// Notices returns what is stored of what is to be told, and its version; 0 and nothing where nothing is.
func (s *Store) Notices(ctx context.Context) (version int64, body []byte, err error) {
	stored, version, err := s.kept(ctx, noticesKey, aboutNotices)
	if version > 0 {
		body = []byte(stored)
	}
	return version, body, err
}

// SetNotices stores a version of what is to be told where the one before it is stored; otherwise incident.ErrConflict.
func (s *Store) SetNotices(ctx context.Context, version int64, body []byte) error {
	return s.keep(ctx, noticesKey, aboutNotices, version, string(body))
}
