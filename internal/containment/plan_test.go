package containment

import (
	"strings"
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
	"nightlatch/internal/policy"
)

// target is an actor's user or role, as the account knows it.
func target(a evidence.Actor) policy.Target {
	t := policy.Target{Type: policy.User, ID: a.PrincipalARN, Owner: a.UserName, OwnerARN: a.PrincipalARN, Known: true}
	if a.RoleName != "" {
		t.Type, t.Owner = policy.Role, a.RoleName
	}
	return t
}

func TestWhatIsOrderedAgainstEachKindOfActor(t *testing.T) {
	for kind, want := range map[actor.Kind]string{
		actor.IAMUserSession:   `{"action":"deny-user-sessions","incident":"i-1","user":"alice","partition":"aws","before":"2026-03-04T00:04:05Z"}`,
		actor.FederatedUser:    `{"action":"deny-user-sessions","incident":"i-1","user":"alice","partition":"aws","before":"2026-03-04T00:04:05Z"}`,
		actor.RoleSession:      `{"action":"deny-role-session","incident":"i-1","role":"web","partition":"aws","user_id":"AROAEXAMPLEX:batch","before":"2026-03-04T00:04:05Z"}`,
		actor.Role:             `{"action":"deny-role-sessions","incident":"i-1","role":"web","partition":"aws","before":"2026-03-04T00:04:05Z"}`,
		actor.IdentityCenter:   `{"action":"block-on-bucket","incident":"i-1","bucket":"large","partition":"aws","user_id":"AROAEXAMPLEX:ada@example.com"}`,
		actor.RootKey:          `{"action":"block-on-bucket","incident":"i-1","bucket":"large","partition":"aws","root":"arn:aws:iam::111122223333:root"}`,
		actor.OtherAccount:     `{"action":"block-on-bucket","incident":"i-1","bucket":"large","partition":"aws","user_id":"AIDAEXAMPLEX"}`,
		actor.Anonymous:        `{"action":"block-public-access","incident":"i-1","bucket":"large","partition":"aws"}`,
		actor.IAMUserKey:       ``, // the key is turned off, without an order
		actor.IAMUser:          ``, // which quarantine there is has to be read first
		actor.AWSService:       ``,
		actor.ServiceForOthers: ``,
		actor.Unattributed:     ``,
	} {
		a := oneBucket(who(kind))
		a.PrincipalID = strings.Replace(a.PrincipalID, "EXAMPLE", "EXAMPLEX", 1)
		steps := ByHand(a, target(a), "aws", midnight)
		if a.UserName == "" && a.RoleName == "" {
			steps = ByHand(a, policy.Target{}, "aws", midnight)
		}
		got := ""
		for _, s := range steps {
			o, ok := OrderFor(s, a, "aws", "i-1", midnight.UTC(), nil)
			if !ok {
				continue
			}
			got += o.text()
			step, err := Ordered(s, o, Doc{Absent: true})
			if err != nil || !step.Planned() || len(step.Runbook) == 0 || step.Ref.Type == KeyStatus {
				t.Errorf("%s: %+v (%v)", kind, step, err)
			}
			// Who runs what is printed makes the same change.
			if text := strings.Join(step.Runbook, "\n"); kind != actor.Anonymous && (!strings.Contains(text, step.Ref.Name) || !strings.Contains(text, step.After.Text)) {
				t.Errorf("%s: by hand it is another change:\n%s\nand not %s\n%s", kind, text, step.Ref.Name, step.After.Text)
			}
		}
		if got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", kind, got, want)
		}
	}
}

func TestAnInstanceStaysShutOut(t *testing.T) {
	a := who(actor.RoleSession)
	a.Session, a.PrincipalID = "i-0123456789abcdef0", "AROAEXAMPLEX:i-0123456789abcdef0"
	s := ByHand(a, target(a), "aws", midnight)[0]
	o, ok := OrderFor(s, a, "aws", "i-1", midnight, nil)
	if !ok || !o.Before.IsZero() || o.UserID != a.PrincipalID {
		t.Errorf("got %+v, %t: it is issued fresh credentials at once", o, ok)
	}
}

func TestWhatNoPolicyCouldSayIsNotOrdered(t *testing.T) {
	for what, change := range map[string]func(*evidence.Actor){
		"no principal id":        func(a *evidence.Actor) { a.PrincipalID = "" },
		"a wildcard":             func(a *evidence.Actor) { a.PrincipalID = "AROAEXAMPLEX:*" },
		"a variable of policies": func(a *evidence.Actor) { a.PrincipalID = "AROAEXAMPLEX:${aws:userid}" },
		"a quote":                func(a *evidence.Actor) { a.PrincipalID = `AROAEXAMPLEX:"x` },
		"a line break":           func(a *evidence.Actor) { a.PrincipalID = "AROAEXAMPLEX:x\n" },
	} {
		a := oneBucket(who(actor.OtherAccount))
		change(&a)
		for _, s := range ByHand(a, policy.Target{}, "aws", midnight) {
			if o, ok := OrderFor(s, a, "aws", "i-1", midnight, nil); ok {
				t.Errorf("%s: ordered is %+v", what, o)
			}
		}
	}
}

func TestAStepIsOrderedAnewWhenItIsApproved(t *testing.T) {
	a := who(actor.IAMUserSession)
	s := ByHand(a, target(a), "aws", midnight)[0]
	o, _ := OrderFor(s, a, "aws", "i-1", midnight, nil)
	step, err := Ordered(s, o, Doc{Absent: true})
	if err != nil {
		t.Fatal(err)
	}
	later := step.Renewed(midnight.Add(20 * time.Minute))
	if later.Ref == step.Ref || !strings.Contains(later.After.Text, "2026-03-04T00:24:05Z") || !later.ours() ||
		!strings.Contains(strings.Join(later.Runbook, "\n"), later.Ref.Name) {
		t.Errorf("got %+v", later)
	}
	if again := step.Renewed(midnight.Add(-time.Minute)); again.Ref != step.Ref {
		t.Errorf("it denies less than was asked: %+v", again)
	}
	key := DeactivateKey(policy.Target{Owner: "alice", ID: "AKIAIOSFODNN7EXAMPLE"}, Doc{Text: Active})
	if got := key.Renewed(midnight); got.Ref != key.Ref || got.After != key.After {
		t.Errorf("a key's step became %+v", got)
	}
}

func TestAFenceIsAroundNetworksThatAreStrangeToTheUser(t *testing.T) {
	at := func(network string, familiar *bool, days int64, presigned bool) evidence.Origin {
		return evidence.Origin{Network: network, Bytes: 1, Familiar: familiar, Days: &days, Presigned: presigned}
	}
	a := who(actor.IAMUserKey)
	a.Origins = []evidence.Origin{
		at("198.51.100.0/24", new(false), 0, false), at("198.51.100.0/24", new(false), 0, true),
		at("203.0.113.0/24", new(true), 9, false), // its own
		at("192.0.2.0/24", nil, 0, false),         // not known
		at("10.0.7.0/24", new(false), 2, false),   // too seldom to be familiar, and known
		at("athena.amazonaws.com", new(false), 0, false),
		at("2001:db8:1::/48", new(false), 0, false),
	}
	want := []string{"198.51.100.0/24", "2001:db8:1::/48"}
	s, _, ok := Fence(a, target(a), nil)
	o, ordered := OrderFor(s, a, "aws", "i-1", midnight, nil)
	if !ok || !ordered || strings.Join(o.Networks, " ") != strings.Join(want, " ") || o.User != a.UserName {
		t.Errorf("got %+v, want %v fenced", o, want)
	}
	if step, err := Ordered(s, o, Doc{Absent: true}); err != nil || !strings.HasPrefix(step.Runbook[1], "aws iam put-user-policy --user-name "+a.UserName) || step.StopsAll() {
		t.Errorf("got %+v (%v)", step, err)
	}
	for i := range MaxFenced {
		a.Origins = append(a.Origins, at("198.51."+string(rune('0'+i))+".0/24", new(false), 0, false))
	}
	if _, _, ok := Fence(a, target(a), nil); ok {
		t.Error("whoever is in twelve networks is not stopped by a fence")
	}
	a.Origins = []evidence.Origin{{VPCEndpoint: "vpce-0123456789abcdef0", Bytes: 1, Familiar: new(false)}}
	s, _, ok = Fence(a, target(a), nil)
	if o, ordered := OrderFor(s, a, "aws", "i-1", midnight, nil); !ok || !ordered || o.Endpoint != "vpce-0123456789abcdef0" {
		t.Errorf("got %+v", o)
	}
	a.Origins = []evidence.Origin{at("203.0.113.0/24", new(true), 9, false)}
	if _, _, ok := Fence(a, target(a), nil); ok {
		t.Error("a fence around where the user always is")
	}
}
