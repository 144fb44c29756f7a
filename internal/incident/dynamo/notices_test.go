package dynamo

import (
	"errors"
	"strings"
	"testing"

	"nightlatch/internal/awstest"
	"nightlatch/internal/incident"
)

// What is to be told has one version after the other, and of two who store the same one, one has to read again.
func TestWhatIsToBeToldHasOneVersionAfterTheOther(t *testing.T) {
	f, cfg := newFront(t, awstest.Moto(t))
	s := newTable(t, cfg, "notices")
	if version, body, err := s.Notices(t.Context()); version != 0 || body != nil || err != nil {
		t.Errorf("of nothing: got %d, %q, %v", version, body, err)
	}
	for _, c := range []struct {
		version int64
		body    string
		lost    bool
	}{{1, "a", false}, {1, "b", true}, {3, "b", true}, {2, "c", false}, {2, "d", true}, {3, "e", false}} {
		if err := s.SetNotices(t.Context(), c.version, []byte(c.body)); errors.Is(err, incident.ErrConflict) != c.lost || !c.lost && err != nil {
			t.Errorf("version %d, %s: got %v", c.version, c.body, err)
		}
	}
	if version, body, err := another(s).Notices(t.Context()); version != 3 || string(body) != "e" || err != nil {
		t.Errorf("got %d, %q, %v", version, body, err)
	}
	f.fail("GetItem", deny)
	f.fail("PutItem", deny)
	if _, _, err := s.Notices(t.Context()); err == nil || !strings.Contains(err.Error(), "what is to be told: the function's role may not call dynamodb:GetItem") {
		t.Errorf("got %v", err)
	}
	if err := s.SetNotices(t.Context(), 4, nil); err == nil || errors.Is(err, incident.ErrConflict) || !strings.Contains(err.Error(), "may not call dynamodb:PutItem") {
		t.Errorf("got %v", err)
	}
}
