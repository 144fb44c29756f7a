package dynamo

import (
	"context"

	"nightlatch/internal/grant"
)

// testsKey is the key of what became of the last test of each channel.
const testsKey = "tests"

// aboutTests names it in sentences.
const aboutTests = "what became of the last test of each channel"

// TestsGrants are the permissions that Tests needs.
func TestsGrants() []grant.Grant {
	return []grant.Grant{{Sid: "SeeThatChannelsAreTried", Actions: []string{"dynamodb:GetItem"}, On: []string{"${Table}"},
		When: onItem(testsKey)}}
}

// Tests is what became of the last tests; "" before the first.
func (s *Store) Tests(ctx context.Context) (body string, err error) {
	body, _, err = s.kept(ctx, testsKey, aboutTests)
	return body, err
}

// SetTests replaces it. The error is incident.ErrConflict where another does at the same moment.
func (s *Store) SetTests(ctx context.Context, body string) error {
	_, version, err := s.kept(ctx, testsKey, aboutTests)
	if err != nil {
		return err
	}
	return s.keep(ctx, testsKey, aboutTests, version+1, body)
}
