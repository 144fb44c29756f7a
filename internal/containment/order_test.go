package containment

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/policy"
)

var (
	then   = time.Date(2026, 11, 29, 1, 2, 3, 0, time.UTC)
	mara   = policy.Target{Type: policy.User, ID: "arn:aws:iam::111122223333:user/mara", Owner: "mara", Known: true}
	worker = policy.Target{Type: policy.Role, ID: "arn:aws:iam::111122223333:role/worker", Owner: "worker", Known: true}
	bucket = BucketTarget("", "a-bucket")
)

// orders are one of each kind, with what is denied by it.
func orders() map[string]struct {
	o   Order
	t   policy.Target
	doc string
} {
	type one = struct {
		o   Order
		t   policy.Target
		doc string
	}
	deny := func(condition string) string {
		return `{"Statement":[{"Action":"*","Condition":{` + condition + `},"Effect":"Deny","Resource":"*"}],"Version":"2012-10-17"}`
	}
	return map[string]one{
		"a user's sessions": {Order{Action: policy.DenyUserSessions, Incident: "i-1", User: "mara", Before: then}, mara,
			deny(`"DateLessThan":{"aws:TokenIssueTime":"2026-11-29T01:02:03Z"}`)},
		"a role's session": {Order{Action: policy.DenyRoleSession, Incident: "i-1", Role: "worker", UserID: "AROAEXAMPLEEXAMPLE:s@x.y", Before: then}, worker,
			deny(`"DateLessThan":{"aws:TokenIssueTime":"2026-11-29T01:02:03Z"},"StringEquals":{"aws:userid":"AROAEXAMPLEEXAMPLE:s@x.y"}`)},
		"an instance's session": {Order{Action: policy.DenyRoleSession, Incident: "i-1", Role: "worker", UserID: "AROAEXAMPLEEXAMPLE:i-0123456789abcdef0"}, worker,
			deny(`"StringEquals":{"aws:userid":"AROAEXAMPLEEXAMPLE:i-0123456789abcdef0"}`)},
		"a role's sessions": {Order{Action: policy.DenyRoleSessions, Incident: "i-1", Role: "worker", Before: then}, worker,
			deny(`"DateLessThan":{"aws:TokenIssueTime":"2026-11-29T01:02:03Z"}`)},
		"a fence": {Order{Action: policy.FenceOrigin, Incident: "i-1", User: "mara", Networks: []string{"198.51.100.0/24", "2001:db8:1::/48"}}, mara,
			deny(`"IpAddress":{"aws:SourceIp":["198.51.100.0/24","2001:db8:1::/48"]}`)},
		"a fence at an endpoint": {Order{Action: policy.FenceOrigin, Incident: "i-1", Role: "worker", Networks: []string{"10.1.2.0/24"}, Endpoint: "vpce-0123456789abcdef0"}, worker,
			deny(`"IpAddress":{"aws:VpcSourceIp":["10.1.2.0/24"]},"StringEquals":{"aws:SourceVpce":"vpce-0123456789abcdef0"}`)},
		"a quarantine": {Order{Action: policy.QuarantineUser, Incident: "i-1", User: "mara", Quarantine: "AWSCompromisedKeyQuarantineV3"}, mara, Attached},
		"a session on a bucket": {Order{Action: policy.BlockOnBucket, Incident: "i-1", Bucket: "a-bucket", UserID: "AROAEXAMPLEEXAMPLE:lee"}, bucket,
			`{"Action":"s3:*","Condition":{"StringEquals":{"aws:userid":"AROAEXAMPLEEXAMPLE:lee"}},"Effect":"Deny","Principal":"*","Resource":["arn:aws:s3:::a-bucket","arn:aws:s3:::a-bucket/*"],"Sid":"SID"}`},
		"root on a bucket": {Order{Action: policy.BlockOnBucket, Incident: "i-1", Bucket: "a-bucket", Root: "arn:aws:iam::111122223333:root"}, bucket,
			`{"Action":"s3:*","Condition":{"StringEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:root"}},"Effect":"Deny","Principal":"*","Resource":["arn:aws:s3:::a-bucket","arn:aws:s3:::a-bucket/*"],"Sid":"SID"}`},
		"public access": {Order{Action: policy.BlockPublicAccess, Incident: "i-1", Bucket: "a-bucket"}, bucket,
			`{"BlockPublicAcls":true,"BlockPublicPolicy":true,"IgnorePublicAcls":true,"RestrictPublicBuckets":true}`},
	}
}

func TestAnOrderWritesOneDenialAndNamesWhatItChanges(t *testing.T) {
	seen := map[string]bool{}
	for name, c := range orders() {
		s, err := c.o.Step(c.t, Doc{Absent: true})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := strings.ReplaceAll(s.After.Text, s.Ref.Name, "SID"); got != c.doc {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.doc)
		}
		if len(s.After.Text) > 1024 { // a user's policies have 2,048 characters in all
			t.Errorf("%s is long: %d", name, len(s.After.Text))
		}
		other := c.o
		other.Incident = "i-2"
		if twin, err := other.Step(c.t, Doc{Absent: true}); err != nil || twin.Ref == s.Ref != (c.o.Quarantine != "" || c.o.Action == policy.BlockPublicAccess) {
			t.Errorf("%s: another incident's step changes %v, this one's %v (%v)", name, twin.Ref, s.Ref, err)
		}
		if seen[s.Ref.Owner+" "+s.Ref.Name] && c.o.Action != policy.BlockPublicAccess {
			t.Errorf("%s: two orders change %v", name, s.Ref)
		}
		seen[s.Ref.Owner+" "+s.Ref.Name] = true
		if !strings.HasPrefix(s.Undo, "aws ") && !strings.HasPrefix(s.Undo, "# take the statement ") {
			t.Errorf("%s: its undo line is %q", name, s.Undo)
		}
		// As it is stored and sent, it is the same order.
		var back Step
		if text, err := json.Marshal(s); err != nil || json.Unmarshal(text, &back) != nil || !back.Order.same(c.o) || !back.ours() {
			t.Errorf("%s: stored and read back it is %+v (%v)", name, back, err)
		}
	}
}

func TestAnOrderForAnythingElseIsRefused(t *testing.T) {
	good := orders()
	change := func(name string, by func(*Order)) Order {
		o := good[name].o
		by(&o)
		return o
	}
	for want, o := range map[string]Order{
		`action is one of fence-origin`:                       {},
		`not "deactivate-key"`:                                change("a fence", func(o *Order) { o.Action = policy.DeactivateKey }),
		`id of its incident, not ""`:                          change("a fence", func(o *Order) { o.Incident = "" }),
		`id of its incident, not "../x"`:                      change("a fence", func(o *Order) { o.Incident = "../x" }),
		`"gcp" is no partition`:                               change("a fence", func(o *Order) { o.Partition = "gcp" }),
		`user cannot be "*"`:                                  change("a user's sessions", func(o *Order) { o.User = "*" }),
		`user cannot be "mara\n"`:                             change("a user's sessions", func(o *Order) { o.User = "mara\n" }),
		`role cannot be "wor/ker"`:                            change("a role's sessions", func(o *Order) { o.Role = "wor/ker" }),
		`user_id cannot be "*"`:                               change("a session on a bucket", func(o *Order) { o.UserID = "*" }),
		`user_id cannot be "AROAEXAMPLEEXAMPLE:*"`:            change("a role's session", func(o *Order) { o.UserID = "AROAEXAMPLEEXAMPLE:*" }),
		`user_id cannot be "AROAEXAMPLEEXAMPLE:${aws:user`:    change("a role's session", func(o *Order) { o.UserID = "AROAEXAMPLEEXAMPLE:${aws:userid}" }),
		`root cannot be "arn:aws:iam::111122223333:user/mara`: change("root on a bucket", func(o *Order) { o.Root = "arn:aws:iam::111122223333:user/mara" }),
		`quarantine cannot be "AdministratorAccess"`:          change("a quarantine", func(o *Order) { o.Quarantine = "AdministratorAccess" }),
		`bucket cannot be "a-bucket/*"`:                       change("public access", func(o *Order) { o.Bucket = "a-bucket/*" }),
		`names one user, or for`:                              change("a user's sessions", func(o *Order) { o.User, o.Role = "", "worker" }),
		`before when they were issued`:                        change("a user's sessions", func(o *Order) { o.Before = time.Time{} }),
		`deny-user-sessions names a principal and a time`:     change("a user's sessions", func(o *Order) { o.Bucket = "a-bucket" }),
		`deny-role-session names a role and the aws:userid`:   change("a role's session", func(o *Order) { o.UserID = "AROAEXAMPLEEXAMPLE" }),
		`names one user or one role, networks`:                change("a fence", func(o *Order) { o.Role = "worker" }),
		`names a network or an endpoint`:                      change("a fence", func(o *Order) { o.Networks = nil }),
		`IPv6 /48 at most, not "0.0.0.0/0"`:                   change("a fence", func(o *Order) { o.Networks = []string{"0.0.0.0/0"} }),
		`IPv6 /48 at most, not "198.51.100.7/24"`:             change("a fence", func(o *Order) { o.Networks = []string{"198.51.100.7/24"} }),
		`IPv6 /48 at most, not "::/0"`:                        change("a fence", func(o *Order) { o.Networks = []string{"::/0"} }),
		`fences 10 networks at most, not 11`:                  change("a fence", func(o *Order) { o.Networks = make([]string, 11) }),
		`names a user and AWS's quarantine`:                   change("a quarantine", func(o *Order) { o.Role = "worker" }),
		`names a bucket, one aws:userid or`:                   change("root on a bucket", func(o *Order) { o.UserID = "AROAEXAMPLEEXAMPLE" }),
		`block-public-access names a bucket, and nothing`:     change("public access", func(o *Order) { o.User = "mara" }),
	} {
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := good["a user's sessions"].o.Step(worker, Doc{Absent: true}); err == nil {
		t.Error("an order on a user became a step on a role")
	}
	if _, err := good["public access"].o.Step(BucketTarget("", "b-bucket"), Doc{Absent: true}); err == nil {
		t.Error("an order on one bucket became a step on another")
	}
}

// Whoever can write into the table of incidents must not choose what a human's restore writes.
func TestARecordThatWasChangedIsNotUndone(t *testing.T) {
	for name, c := range orders() {
		s, err := c.o.Step(c.t, Doc{Absent: true})
		if err != nil {
			t.Fatal(name, err)
		}
		for what, by := range map[string]func(*Step){
			"the policy":   func(s *Step) { s.Ref.Name += "x" },
			"the owner":    func(s *Step) { s.Ref.Owner += "x" },
			"the text":     func(s *Step) { s.After.Text += " " },
			"the action":   func(s *Step) { s.Action = policy.DeactivateKey },
			"the order":    func(s *Step) { o := *s.Order; o.Incident = "i-9"; o.User += "x"; s.Order = &o },
			"the target":   func(s *Step) { s.Target.Owner, s.Target.ID = "lee", "arn:aws:iam::111122223333:user/lee" },
			"what it was":  func(s *Step) { s.Before = Doc{Text: `{"Statement":[{"Effect":"Allow"}]}`}; s.Ref.Type = BucketPolicy },
			"no order":     func(s *Step) { s.Order = nil },
			"another kind": func(s *Step) { s.Ref.Type = KeyStatus },
		} {
			bad := s
			by(&bad)
			account := &onePolicy{doc: bad.After}
			if state, err := Undo(context.Background(), account, bad); state != Failed || err == nil || account.wrote {
				t.Errorf("%s: with %s changed it is %s (%v), and it was written: %v", name, what, state, err, account.wrote)
			}
		}
	}
}

// onePolicy is an account with one setting.
type onePolicy struct {
	Account
	doc   Doc
	wrote bool
}

func (a *onePolicy) Read(context.Context, Ref) (Doc, error) { return a.doc, nil }
func (a *onePolicy) Write(_ context.Context, _ Ref, d Doc) error {
	a.doc, a.wrote = d, true
	return nil
}

func TestWhatIsOrderedIsDoneByTheCutterAlone(t *testing.T) {
	c := orders()["a fence"]
	s, err := c.o.Step(c.t, Doc{Absent: true})
	if err != nil {
		t.Fatal(err)
	}
	account := &onePolicy{doc: s.Before}
	x := Executor{Account: account, Mode: ModeAct}
	if state, detail := x.Do(t.Context(), s, 0); state != Failed || !strings.Contains(detail, "no cutter") || account.wrote {
		t.Errorf("without a cutter it is %s (%s)", state, detail)
	}
	x.Cutter = cuts(func(o Order) error {
		again, err := o.Step(s.Target, Doc{Absent: true})
		account.doc = again.After
		return err
	})
	if state, detail := x.Do(t.Context(), s, 0); state != Done || account.wrote {
		t.Errorf("it is %s (%s), and written by the account: %v", state, detail, account.wrote)
	}
	if state, err := Undo(t.Context(), account, s); state != Undone || err != nil || !account.doc.Absent {
		t.Errorf("it is %s (%v): %+v", state, err, account.doc)
	}
	x.Cutter = cuts(func(Order) error { return errors.New("cut off") })
	if state, _ := x.Do(t.Context(), s, 0); state != Unknown {
		t.Errorf("after an unknown answer it is %s", state)
	}
}

type cuts func(Order) error

func (c cuts) Cut(_ context.Context, o Order) error { return c(o) }

// An invocation can stand still between its reading and its writing, until another one has the lease (simulation, seed 3512).
func TestWhatIsLateIsNotWritten(t *testing.T) {
	s := DeactivateKey(policy.Target{Type: policy.AccessKey, ID: "AKIAIOSFODNN7EXAMPLE", Owner: "mara"}, Doc{Text: Active})
	late := false
	account := &onePolicy{doc: s.Before}
	x := Executor{Account: reads{account, func() { late = true }}, Mode: ModeAct, Late: func() bool { return late }}
	if state, _ := x.Do(t.Context(), s, 1); state != "" || account.wrote {
		t.Errorf("after the time it is %q, and written: %v", state, account.wrote)
	}
	if state, _ := x.Do(t.Context(), s, 0); state != "" || account.wrote {
		t.Errorf("late from the beginning it is %q, and written: %v", state, account.wrote)
	}
	x.Late = func() bool { return false }
	if state, _ := x.Do(t.Context(), s, 1); state != Done || !account.wrote {
		t.Errorf("in time it is %q", state)
	}
}

// reads does something while it is read.
type reads struct {
	Account
	then func()
}

func (r reads) Read(ctx context.Context, ref Ref) (Doc, error) {
	r.then()
	return r.Account.Read(ctx, ref)
}
