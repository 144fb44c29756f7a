package report

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
)

// askedAbout is an incident in which a human is asked about one actor.
func askedAbout(change func(*evidence.Actor), behind ...containment.Source) incident.Record {
	r := theft()
	r.Evidence.Actors = r.Evidence.Actors[:1]
	a := &r.Evidence.Actors[0]
	change(a)
	r.Outcomes = []containment.Outcome{{Action: policy.BlockOnBucket, Target: "arn:aws:s3:::customer-exports", AccessKeyID: a.AccessKeyID, Who: a.Who(), State: containment.Asked, Behind: behind}}
	r.Verdicts = []incident.Verdict{{Action: policy.BlockOnBucket, Target: "arn:aws:s3:::customer-exports", Decision: policy.Ask}}
	return r
}

func TestWhoCallersWithoutAKeyAre(t *testing.T) {
	for name, c := range map[string]struct {
		change      func(*evidence.Actor)
		says, never []string
	}{
		"through the console": {func(a *evidence.Actor) { a.Kind, a.AccessKeyID, a.Via = actor.IAMUser, "", "signin.amazonaws.com" },
			[]string{"IAM user mara (account 111122223333) through the console (signin.amazonaws.com) (the record does not show which credential)", "DECIDE: user mara took"}, nil},
		"a session without its key": {func(a *evidence.Actor) {
			a.Kind, a.AccessKeyID, a.RoleName, a.Session = actor.RoleSession, "", "web", "i-1"
		},
			[]string{"Session i-1 of role web (account 111122223333) (the record does not show the session's key)"}, []string{"()"}},
		"for somebody": {func(a *evidence.Actor) {
			a.Kind, a.AccessKeyID, a.RoleName, a.Session, a.OnBehalfOf, a.SourceIdentity, a.Provider = actor.RoleSession, "ASIA1", "web", "s", "c0de", "ida", "idp.example.com"
		}, []string{"on behalf of Identity Center user c0de with source identity ida given out by idp.example.com", "role web for c0de"}, nil},
		"an Identity Center user by id": {func(a *evidence.Actor) {
			*a = evidence.Actor{Kind: actor.IdentityCenter, AccountID: "111122223333", OnBehalfOf: "00000000-0000-4000-8000-00000000c0de", Bytes: a.Bytes}
		}, []string{"Identity Center user 00000000-0000-4000-8000-00000000c0de (account 111122223333) took", "DECIDE: user 00000000-0000-4000-8000-00000000c0de took"}, []string{"role", "on behalf"}},
		"of no known kind": {func(a *evidence.Actor) {
			*a = evidence.Actor{Kind: actor.Unattributed, AccountID: "111122223333", PrincipalID: "111122223333", UserName: "zoe@example.com", Bytes: a.Bytes}
		}, []string{"A caller of no known kind, whom the record calls zoe@example.com", "DECIDE: zoe@example.com took"}, []string{"NOT ATTRIBUTED", "do not name"}},
		"of two names": {func(a *evidence.Actor) { a.UserName, a.Doubt = "", "the record names two users" }, []string{"of an IAM user whose name is in doubt"}, nil},
		"viewers of a distribution": {func(a *evidence.Actor) {
			a.Kind, a.AccessKeyID, a.Via, a.AccountID, a.MostBytesInADay = actor.ServiceForOthers, "", "cloudfront.amazonaws.com", "", new(int64(gib))
			a.Origins[0].Network, a.Origins[0].Familiar, a.FamiliarBytes, a.UnfamiliarBytes = "cloudfront.amazonaws.com", new(true), new(int64(40*gib)), new(int64(0))
		}, []string{"Viewers of a CloudFront distribution, through cloudfront.amazonaws.com took", "40 times its most in a day", "others, by cloudfront.amazonaws.com"}, []string{"USUAL", "for itself", " yes"}},
		"by an access identity": {func(a *evidence.Actor) {
			a.Kind, a.AccessKeyID, a.AccountID, a.PrincipalID, a.HistoryDays = actor.ServiceForOthers, "", "CloudFront", "AIDAEXAMPLEOAI", new(int64(0))
		}, []string{"through origin access identity AIDAEXAMPLEOAI", "did not read these buckets"}, []string{"account CloudFront"}},
		"whose history is not known": {func(a *evidence.Actor) {
			a.Kind, a.AccessKeyID, a.Via, a.MostBytesInADay, a.HistoryDays = actor.ServiceForOthers, "", "s3.amazonaws.com", nil, nil
		}, []string{"S3's replication or a batch job, at somebody's order (s3.amazonaws.com)", "NOT KNOWN"}, nil},
		"no more than ever": {func(a *evidence.Actor) {
			a.Kind, a.AccessKeyID, a.Via, a.MostBytesInADay = actor.ServiceForOthers, "", "ram.amazonaws.com", new(int64(80*gib))
		}, []string{"no more than its most in a day on earlier days, 80.0 GiB"}, nil},
		"from another's network": {func(a *evidence.Actor) { a.Neighbours = []string{"ida", "b\x1bob"} }, []string{`NEVER SEEN for it on earlier days; that is where ida and b\x1bob of the same role came from`}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := Text(askedAbout(c.change))
			text := m.Subject + "\n" + unwrapped(m.Body)
			for _, says := range c.says {
				if !strings.Contains(text, says) {
					t.Errorf("it does not say %q:\n%s", says, text)
				}
			}
			for _, never := range c.never {
				if strings.Contains(text, never) {
					t.Errorf("it says %q:\n%s", never, text)
				}
			}
		})
	}
}

func unwrapped(text string) string { return strings.Join(strings.Fields(text), " ") }

func TestWhoStandsBehindIsTold(t *testing.T) {
	session := func(a *evidence.Actor) {
		a.Kind, a.AccessKeyID, a.RoleName, a.Session = actor.RoleSession, "ASIA1", "web", "s"
	}
	service := func(a *evidence.Actor) { a.Kind, a.AccessKeyID, a.Via = actor.ServiceForOthers, "", "s3.amazonaws.com" }
	key := containment.Source{Call: "AssumeRole", At: midnight, Kind: actor.IAMUserKey, AccessKeyID: "AKIA1", UserName: "mara", AccountID: "111122223333"}
	hop := containment.Source{Call: "AssumeRole", At: midnight, Kind: actor.RoleSession, AccessKeyID: "ASIA2", RoleName: "hop", Session: "h", AccountID: "111122223333"}
	order := key
	order.Call, order.From, order.To = "PutBucketReplication", "198.51.100.0/24", []string{"bucket loot", "account 444455556666"}
	for name, c := range map[string]struct {
		record incident.Record
		says   []string
	}{
		"a key": {askedAbout(session, key), []string{"; minted by access key AKIA1 of IAM user mara (account 111122223333), AssumeRole at 2026-03-04 00:07:00",
			"Minted by access key AKIA1 of IAM user mara"}},
		"a chain": {askedAbout(session, hop, key), []string{"; minted by session h (ASIA2) of role hop (account 111122223333), AssumeRole at 2026-03-04 00:07:00; the chain begins with access key AKIA1 of IAM user mara",
			"Minted by access key AKIA1 of IAM user mara"}},
		"an order": {askedAbout(service, order), []string{"; ordered by access key AKIA1 of IAM user mara (account 111122223333), PutBucketReplication at 2026-03-04 00:07:00 from 198.51.100.0/24, to bucket loot and account 444455556666",
			"Ordered by access key AKIA1"}},
	} {
		t.Run(name, func(t *testing.T) {
			text := unwrapped(Text(c.record).Body)
			for _, says := range c.says {
				if !strings.Contains(text, says) {
					t.Errorf("it does not say %q:\n%s", says, text)
				}
			}
		})
	}
	if got := Answer(askedAbout(session)); strings.Contains(got, "minted") {
		t.Errorf("nobody was found: %s", got)
	}
}

// Two callers without a key are two: a step against one is none against the other.
func TestStepsWithoutAKeyAreOneActors(t *testing.T) {
	r := askedAbout(func(a *evidence.Actor) { a.Kind, a.AccessKeyID, a.Via = actor.ServiceForOthers, "", "s3.amazonaws.com" })
	other := r.Evidence.Actors[0]
	other.Via, other.PrincipalID, other.Kind, other.Bytes = "", "AIDAEXAMPLEELSE", actor.IAMUser, 80*gib
	r.Evidence.Actors = append(r.Evidence.Actors, other)
	if a := lead(r); a == nil || a.Kind != actor.ServiceForOthers {
		t.Errorf("the answer is about %+v, who is not asked about", a)
	}
}

// A lineage that is too long for a message has what took the bytes and what that comes from, and counts the rest; a chain that ends says why.
func TestALineageIsDrawn(t *testing.T) {
	at := time.Date(2026, 3, 4, 0, 1, 0, 0, time.UTC)
	by := func(call, gave string) []evidence.Made {
		return []evidence.Made{{EventID: "e-" + gave, At: at, Call: call, AccessKeyID: "AKIA1", From: "198.51.100.0/24", Gave: gave}}
	}
	tree := evidence.Tree{From: at.Add(-36 * time.Hour), To: at, Nodes: []evidence.Node{{Kind: evidence.KeyNode, Parent: -1, Keys: []string{"AKIA1"}, UserName: "mara"}}}
	for i := range 20 {
		tree.Nodes = append(tree.Nodes, evidence.Node{Kind: evidence.UserNode, UserName: fmt.Sprint("user", i), Made: by("CreateUser", "")})
	}
	tree.Nodes = append(tree.Nodes, evidence.Node{Kind: evidence.SessionNode, Keys: []string{"ASIA1", "ASIA2"}, KeysMore: 3, RoleName: "web", Session: "x\nDone", Took: true, Until: at.Add(time.Hour), Made: by("AssumeRole", "ASIA1"), MadeMore: 2})
	tree.More, tree.NotFollowed, tree.Unknown = 7, 2, "no query slot was free"
	r := askedAbout(func(a *evidence.Actor) { a.Kind, a.AccessKeyID, a.RoleName = actor.RoleSession, "ASIA1", "web" })
	r.Lineage = &tree
	body := Text(r).Body
	text := unwrapped(body)
	for _, says := range []string{"\nLong-term access key (AKIA1) of IAM user mara\n  IAM user user0\n    by CreateUser at 2026-03-04 00:01:00 with AKIA1 from 198.51.100.0/24, event e-\n",
		`Session x\nDone (ASIA1 and ASIA2, and 3 more keys) of role web TOOK THE BYTES, ends 2026-03-04 01:01:00`, "by AssumeRole at 2026-03-04 00:01:00 with AKIA1 from 198.51.100.0/24, event e-ASIA1 and by 2 more calls",
		"And 13 more, of which the incident's JSON has the first ones.", "NOT FOLLOWED: 2 credentials", "NOT KNOWN the rest of it: no query slot was free", "Still open sessions outlive"} {
		if !strings.Contains(body, says) && !strings.Contains(text, says) {
			t.Errorf("it does not say %q:\n%s", says, body)
		}
	}
	if n := strings.Count(body, "CreateUser"); n != 14 {
		t.Errorf("%d users are named, want 14 beside the session and its key", n)
	}

	// A key with which nothing was made is said to be that.
	r.Lineage = &evidence.Tree{From: tree.From, To: tree.To, Nodes: []evidence.Node{{Kind: evidence.KeyNode, Parent: -1, Keys: []string{"AKIA1"}, UserName: "mara", Took: true}}}
	if text := unwrapped(Text(r).Body); !strings.Contains(text, "of IAM user mara TOOK THE BYTES The trail shows nothing that was made with it, 2026-03-02 12:01 to 2026-03-04 00:01 UTC.") {
		t.Errorf("got %s", text)
	}

	// Every kind has a name that no other has.
	names := map[string]evidence.NodeKind{}
	for _, kind := range []evidence.NodeKind{evidence.KeyNode, evidence.SignInNode, evidence.PersonNode, evidence.ProviderNode, evidence.InstanceNode, evidence.PodNode, evidence.ServiceNode, evidence.AccountNode,
		evidence.UnnamedNode, evidence.SessionNode, evidence.UserNode, evidence.PasswordNode, evidence.PolicyNode, evidence.TrustNode, evidence.FederationNode, evidence.TokenNode, evidence.ServiceKeyNode} {
		name := what(evidence.Node{Kind: kind, UserName: "u"})
		if other, twice := names[name]; twice {
			t.Errorf("%s and %s are both %q", kind, other, name)
		}
		names[name] = kind
	}
}
