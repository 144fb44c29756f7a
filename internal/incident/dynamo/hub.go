package dynamo

import (
	"context"
	"slices"

	"nightlatch/internal/grant"
)

// hubKey is the key of what a hub has heard: one item, so that two who hear meet in it.
const hubKey = "hub"

// aboutHub names it in sentences.
const aboutHub = "what the hub has heard"

// HubGrants are the permissions of a hub: its own item, and its turns.
func HubGrants() []grant.Grant {
	return slices.Concat(TurnGrants(), []grant.Grant{{Sid: "KeepWhatIsHeard", Actions: []string{"dynamodb:GetItem", "dynamodb:PutItem"}, On: []string{"${Table}"}, When: onItem(hubKey)}})
}

// Hub returns what is stored of what a hub has heard, and its version; 0 and nothing where nothing is.
func (s *Store) Hub(ctx context.Context) (version int64, body string, err error) {
	body, version, err = s.kept(ctx, hubKey, aboutHub)
	return version, body, err
}

// SetHub stores a version of it where the one before it is stored; otherwise incident.ErrConflict.
func (s *Store) SetHub(ctx context.Context, version int64, body string) error {
	return s.keep(ctx, hubKey, aboutHub, version, body)
}
