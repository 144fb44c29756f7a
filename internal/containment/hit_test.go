package containment

import (
	"fmt"
	"testing"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
	"nightlatch/internal/policy"
)

// Whom the steps by hand hit beside the one they are against, of each kind.
func TestWhomAStepHits(t *testing.T) {
	guest := oneBucket(who(actor.RoleSession))
	guest.Session, guest.PrincipalID = evidence.Guests, "AROAEXAMPLE:"+evidence.Guests
	nameless := oneBucket(who(actor.IAMUser))
	nameless.UserName = ""
	unnamed := nameless
	unnamed.PrincipalID = ""
	forged := oneBucket(who(actor.FederatedUser))
	forged.PrincipalARN = "arn:aws:iam::111122223333:user/a\nb"
	const user, role = "arn:aws:iam::111122223333:user/alice", "arn:aws:iam::111122223333:role/web"
	for name, c := range map[string]struct {
		actor evidence.Actor
		want  string
	}{
		"a key":                              {who(actor.IAMUserKey), "narrow"},
		"a user's session":                   {who(actor.IAMUserSession), fmt.Sprint(evidence.Reach{ARN: user})},
		"a user":                             {who(actor.IAMUser), fmt.Sprint(evidence.Reach{PrincipalID: "AIDAEXAMPLE", ARN: user})},
		"whom a user has federated":          {who(actor.FederatedUser), fmt.Sprint(evidence.Reach{ARN: user})},
		"a role":                             {who(actor.Role), fmt.Sprint(evidence.Reach{PrincipalID: "AROAEXAMPLE", ARN: role})},
		"a role's session":                   {who(actor.RoleSession), "narrow"},
		"a guest":                            {guest, fmt.Sprint(evidence.Reach{PrincipalID: "AROAEXAMPLE", ARN: role})},
		"a person of Identity Center":        {oneBucket(who(actor.IdentityCenter)), "narrow"},
		"root":                               {oneBucket(who(actor.RootKey)), fmt.Sprint(evidence.Reach{PrincipalID: "111122223333", Bucket: "large"})},
		"another account's":                  {oneBucket(who(actor.OtherAccount)), "narrow"},
		"a service":                          {oneBucket(who(actor.AWSService)), "narrow"},
		"nobody":                             {oneBucket(who(actor.Anonymous)), fmt.Sprint(evidence.Reach{Bucket: "large"})},
		"a user without a name, on a bucket": {nameless, fmt.Sprint(evidence.Reach{PrincipalID: "AIDAEXAMPLE", Bucket: "large"})},
		"a user without anything":            {unnamed, "not askable"},
		"an ARN that nobody could be asked about": {forged, "not askable"},
	} {
		for _, s := range ByHand(c.actor, policy.Target{}, "aws", midnight)[:1] {
			reach, broad := HitOf(s, c.actor)
			got := fmt.Sprint(reach)
			switch {
			case !broad:
				got = "narrow"
			case !reach.Askable():
				got = "not askable"
			}
			if got != c.want {
				t.Errorf("%s: %s reaches %s, want %s", name, s.Action, got, c.want)
			}
		}
	}
}
