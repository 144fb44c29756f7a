package containment

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
	"nightlatch/internal/policy"
)

// A token of GetFederationToken, as a real run used it, ends in an order on the user who issued it, and on nobody else.
func TestARealFederationTokenEndsInAnOrderOnItsUser(t *testing.T) {
	file := filepath.Join("../../../shared/trails", "stratus-detonations/aws.persistence.sts-federation-token.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Skipf("SKIPPED, a real federation token: %v", err)
	}
	var records []struct {
		UserIdentity struct {
			Type, PrincipalID, ARN, AccountID, AccessKeyID string
			SessionContext                                 struct {
				SessionIssuer struct{ ARN, UserName string }
			}
		}
	}
	if err := json.Unmarshal(text, &records); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, r := range records {
		u := r.UserIdentity
		if u.Type != "FederatedUser" {
			continue
		}
		found++
		c := actor.Of(actor.Identity{Type: u.Type, PrincipalID: u.PrincipalID, ARN: u.ARN, AccountID: u.AccountID, AccessKeyID: u.AccessKeyID,
			IssuerARN: u.SessionContext.SessionIssuer.ARN, IssuerUserName: u.SessionContext.SessionIssuer.UserName}, actor.Accounts(u.AccountID))
		a := evidence.Actor{Kind: c.Kind, AccessKeyID: c.AccessKeyID, PrincipalID: c.PrincipalID, PrincipalARN: c.PrincipalARN, AccountID: c.AccountID,
			UserName: c.UserName, Session: c.Session, Buckets: map[string]int64{"a-bucket": 1}}
		steps := ByHand(a, policy.Target{Type: policy.User, ID: c.PrincipalARN, Owner: c.UserName, OwnerARN: c.PrincipalARN, Known: true}, "aws", midnight)
		o, ok := OrderFor(steps[0], a, "aws", "i-1", midnight, nil)
		if len(steps) != 1 || !ok || o.Action != policy.DenyUserSessions || o.User != u.SessionContext.SessionIssuer.UserName || o.User == "" {
			t.Errorf("got %+v, %t", o, ok)
		}
		// Beside it stands what shuts out this one token alone.
		if text := strings.Join(steps[0].Runbook, "\n"); !strings.Contains(text, `"aws:userid":"`+u.PrincipalID+`"`) {
			t.Errorf("got\n%s", text)
		}
	}
	if found == 0 {
		t.Error("no record of the run has a FederatedUser")
	}
}
