package awsaccount

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"nightlatch/internal/containment"
	"nightlatch/internal/grant"
	"nightlatch/internal/policy"
)

// cutter does what is ordered with an Account of its own, as the cutter's function does.
type cutter struct{ *Account }

func (c cutter) Cut(ctx context.Context, o containment.Order) error {
	s, err := o.Step(targetOf(o), containment.Doc{Absent: true})
	if err != nil {
		return err
	}
	return c.Write(ctx, s.Ref, s.After)
}

func targetOf(o containment.Order) policy.Target {
	arn := "arn:aws:iam::" + motoAccount + ":"
	switch {
	case o.Bucket != "":
		return containment.BucketTarget(o.Partition, o.Bucket)
	case o.Role != "":
		return policy.Target{Type: policy.Role, ID: arn + "role/" + o.Role, Owner: o.Role, Known: true}
	}
	return policy.Target{Type: policy.User, ID: arn + "user/" + o.User, Owner: o.User, Known: true}
}

var cutAt = time.Date(2026, 3, 4, 0, 12, 30, 0, time.UTC)

const thief = "AROAEXAMPLEWORKER0001:i-0123456789abcdef0"

// orders are one of each kind against these people, with what of the account's state each changes.
func (p people) orders(incident string) map[string]struct {
	order   containment.Order
	changes string
} {
	type one = struct {
		order   containment.Order
		changes string
	}
	user, role := "user "+p.user, "role "+p.role
	return map[string]one{
		"a user's sessions":     {containment.Order{Action: policy.DenyUserSessions, User: p.user, Before: cutAt}, user},
		"a user's fence":        {containment.Order{Action: policy.FenceOrigin, User: p.user, Networks: []string{"198.51.100.0/24"}}, user},
		"a user's quarantine":   {containment.Order{Action: policy.QuarantineUser, User: p.user, Quarantine: "AWSCompromisedKeyQuarantineV3"}, user},
		"a role's session":      {containment.Order{Action: policy.DenyRoleSession, Role: p.role, UserID: "AROAEXAMPLEWORKER0001:lee+x=y,@z.a", Before: cutAt}, role},
		"an instance's session": {containment.Order{Action: policy.DenyRoleSession, Role: p.role, UserID: thief}, role},
		"a role's sessions":     {containment.Order{Action: policy.DenyRoleSessions, Role: p.role, Before: cutAt}, role},
		"a role's fence":        {containment.Order{Action: policy.FenceOrigin, Role: p.role, Networks: []string{"10.1.2.0/24", "10.1.3.0/24"}, Endpoint: "vpce-0123456789abcdef0"}, role},
		"a session on a bucket": {containment.Order{Action: policy.BlockOnBucket, Bucket: p.bucket, UserID: thief}, "policy of " + p.bucket},
		"root on a bucket":      {containment.Order{Action: policy.BlockOnBucket, Bucket: p.bucket, Root: "arn:aws:iam::" + motoAccount + ":root"}, "policy of " + p.bucket},
		"the first statement":   {containment.Order{Action: policy.BlockOnBucket, Bucket: p.bare, UserID: thief}, "policy of " + p.bare},
		"public access, partly": {containment.Order{Action: policy.BlockPublicAccess, Bucket: p.bucket}, "public access of " + p.bucket},
		"public access, first":  {containment.Order{Action: policy.BlockPublicAccess, Bucket: p.bare}, "public access of " + p.bare},
	}
}

// planned is an order's step on what is there now.
func planned(t *testing.T, a *Account, o containment.Order) containment.Step {
	t.Helper()
	blank, err := o.Step(targetOf(o), containment.Doc{Absent: true})
	if err != nil {
		t.Fatal(err)
	}
	now, err := a.Read(t.Context(), blank.Ref)
	if err != nil {
		t.Fatal(err)
	}
	s, err := o.Step(targetOf(o), now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func changed(before, after map[string]string) (keys []string) {
	for k := range maps.All(before) {
		if after[k] != before[k] {
			keys = append(keys, k)
		}
	}
	for k := range after {
		if _, was := before[k]; !was {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

func sameState(t *testing.T, when string, got, want map[string]string) {
	t.Helper()
	for _, k := range changed(want, got) {
		t.Errorf("%s, %s is\n%s\nwant\n%s", when, k, got[k], want[k])
	}
}

// Each step is planned, done, seen done, and taken back, and all else in the account stays; so it does where it is done or taken back twice.
func TestEachStepIsDoneAndTakenBack(t *testing.T) {
	t.Parallel()
	f := newStrict(t)
	p := f.people("each")
	x := containment.Executor{Account: f.Account, Cutter: cutter{f.another()}, Mode: containment.ModeAct}
	for name, c := range p.orders("") {
		c.order.Incident = "i-1"
		before := f.state(p)
		s := planned(t, f.Account, c.order)
		if got := x.Gate(s, policy.Contain); got != containment.Intended {
			t.Errorf("%s: it is %s", name, got)
		}
		if state, err := containment.Undo(t.Context(), f.Account, s); state != containment.Already || err != nil {
			t.Errorf("%s: taken back before it is done it is %s (%v)", name, state, err)
		}
		f.called()
		for _, attempts := range []int{0, 0, 1} { // done; done by who does not know of it; done by who does
			if state, detail := x.Do(t.Context(), s, attempts); state != containment.Done {
				t.Fatalf("%s, attempt %d: it is %s (%s)", name, attempts, state, detail)
			}
		}
		puts := map[string]int{}
		for _, call := range f.called() {
			if strings.Contains(call, ":Put") || strings.Contains(call, ":Attach") {
				puts[call]++
			}
			granted := func(g grant.Grant) bool { return !g.Deny && slices.Contains(g.Actions, call) }
			if !slices.ContainsFunc(slices.Concat(CutReadGrants(), CutGrants(c.order.Action)), granted) && call != "sts:GetCallerIdentity" {
				t.Errorf("%s: who does the step calls %s, which no grant names", name, call)
			}
		}
		// To attach what is attached, and to set what is set, is to do it once; a policy that is there is not put again.
		if len(puts) != 1 || slices.Max(slices.Collect(maps.Values(puts))) > 1 && s.Ref.Type != containment.UserAttachment && s.Ref.Type != containment.PublicAccessBlock {
			t.Errorf("%s: it was put by %v", name, puts)
		}
		done := f.state(p)
		if got := changed(before, done); !slices.Equal(got, []string{c.changes}) {
			t.Errorf("%s: it changed %q, want %q", name, got, c.changes)
		}
		if again := planned(t, f.Account, c.order); again.Before != again.After || x.Gate(again, policy.Contain) != containment.Already {
			t.Errorf("%s: planned again it is %+v", name, again)
		}
		for _, want := range []containment.State{containment.Undone, containment.Already} {
			if state, err := containment.Undo(t.Context(), f.Account, s); state != want || err != nil {
				t.Errorf("%s: taken back it is %s (%v), want %s", name, state, err, want)
			}
		}
		sameState(t, name+" was taken back", f.state(p), before)
	}
}

// Two incidents on one user, one role and one bucket neither see nor undo each other's, at once or after each other.
func TestTwoIncidentsAtOnce(t *testing.T) {
	t.Parallel()
	f := newStrict(t)
	p := f.people("two")
	x := containment.Executor{Account: f.Account, Cutter: cutter{f.another()}, Mode: containment.ModeAct}
	before := f.state(p)
	steps := map[string][]containment.Step{}
	for _, incident := range []string{"i-1", "i-2"} {
		for _, c := range p.orders("") {
			if c.order.Networks != nil { // all of them together have no room
				continue
			}
			c.order.Incident = incident
			steps[incident] = append(steps[incident], planned(t, f.Account, c.order))
		}
	}
	var all sync.WaitGroup
	for incident, list := range steps {
		for _, s := range list {
			all.Go(func() {
				if state, detail := x.Do(t.Context(), s, 0); state != containment.Done {
					t.Errorf("%s of %s: it is %s (%s)", s.Action, incident, state, detail)
				}
			})
		}
	}
	all.Wait()
	for _, incident := range []string{"i-1", "i-2"} {
		for _, s := range steps[incident] {
			if state, err := containment.Undo(t.Context(), f.Account, s); state != containment.Undone && state != containment.Already || err != nil {
				t.Errorf("%s of %s, taken back: it is %s (%v)", s.Action, incident, state, err)
			}
		}
		if incident == "i-2" {
			break
		}
		for _, s := range steps["i-2"] {
			// A quarantine and a public access block are one setting for all incidents.
			if state, detail := x.Verify(t.Context(), s); state != containment.Done && s.Ref.Type != containment.UserAttachment && s.Ref.Type != containment.PublicAccessBlock {
				t.Errorf("%s of i-2, when i-1 is taken back: it is %s (%s)", s.Action, state, detail)
			}
		}
	}
	sameState(t, "both taken back", f.state(p), before)
}

// What somebody has changed since is neither overwritten nor taken away.
func TestWhatHasDriftedIsLeft(t *testing.T) {
	t.Parallel()
	f := newStrict(t)
	p := f.people("drift")
	ctx := t.Context()
	x := containment.Executor{Account: f.Account, Cutter: cutter{f.another()}, Mode: containment.ModeAct}
	other := aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}`)
	drift := map[containment.RefType]func(containment.Ref){
		containment.UserPolicy: func(r containment.Ref) {
			must[*iam.PutUserPolicyOutput](t)(f.iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: &r.Owner, PolicyName: &r.Name, PolicyDocument: other}))
		},
		containment.RolePolicy: func(r containment.Ref) {
			must[*iam.PutRolePolicyOutput](t)(f.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &r.Owner, PolicyName: &r.Name, PolicyDocument: other}))
		},
		containment.BucketPolicy: func(r containment.Ref) {
			f.putPolicy(r.Owner, strings.Replace(f.policyOf(r.Owner), `"aws:userid":"AROA`, `"aws:userid":"*`, 1))
		},
		containment.PublicAccessBlock: func(r containment.Ref) {
			must[*s3.PutPublicAccessBlockOutput](t)(f.s3.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: &r.Name,
				PublicAccessBlockConfiguration: &s3types.PublicAccessBlockConfiguration{IgnorePublicAcls: aws.Bool(true)}}))
		},
	}
	for _, name := range []string{"a user's sessions", "a role's session", "a session on a bucket", "public access, partly"} {
		o := p.orders("")[name].order
		o.Incident = "i-1"
		s := planned(t, f.Account, o)
		if state, detail := x.Do(ctx, s, 0); state != containment.Done {
			t.Fatalf("%s: it is %s (%s)", name, state, detail)
		}
		drift[s.Ref.Type](s.Ref)
		drifted := f.state(p)
		f.called()
		if state, detail := x.Verify(ctx, s); state != containment.Drifted {
			t.Errorf("%s: it is %s (%s)", name, state, detail)
		}
		if state, err := containment.Undo(ctx, f.Account, s); state != containment.Drifted || err == nil {
			t.Errorf("%s: taken back it is %s (%v)", name, state, err)
		}
		if state, detail := x.Do(ctx, s, 1); state != containment.Drifted {
			t.Errorf("%s: done again it is %s (%s)", name, state, detail)
		}
		if s.Ref.Type != containment.PublicAccessBlock { // of which everybody's four are the same
			if err := f.Account.Write(ctx, s.Ref, s.After); !errors.Is(err, containment.ErrNotDone) {
				t.Errorf("%s: over another's text it says %v", name, err)
			}
		}
		if s.Ref.Type == containment.BucketPolicy {
			if err := f.Account.Write(ctx, s.Ref, containment.Doc{Absent: true}); !errors.Is(err, containment.ErrNotDone) || !strings.Contains(err.Error(), "is not as Nightlatch has left it") {
				t.Errorf("%s: another's statement is taken out: %v", name, err)
			}
		}
		for _, call := range f.called() {
			if !strings.Contains(call, ":Get") && !strings.Contains(call, ":List") {
				t.Errorf("%s: %s was called", name, call)
			}
		}
		sameState(t, name+" has drifted", f.state(p), drifted)
	}
	// Somebody has taken it away already, or the user with it: that is as before.
	o := p.orders("")["a user's quarantine"].order
	o.Incident = "i-1"
	s := planned(t, f.Account, o)
	if state, detail := x.Do(ctx, s, 0); state != containment.Done {
		t.Fatalf("it is %s (%s)", state, detail)
	}
	must[*iam.DetachUserPolicyOutput](t)(f.iam.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: &s.Ref.Owner, PolicyArn: &s.Ref.Name}))
	if state, err := containment.Undo(ctx, f.Account, s); state != containment.Already || err != nil {
		t.Errorf("taken away by somebody it is %s (%v)", state, err)
	}
	for _, r := range []containment.Ref{s.Ref, {Type: containment.UserPolicy, Owner: p.user, Name: "none"}, {Type: containment.RolePolicy, Owner: "nobody", Name: "none"},
		{Type: containment.BucketPolicy, Owner: "no-such-bucket", Name: "none"}, {Type: containment.PublicAccessBlock, Name: "no-such-bucket"}} {
		if doc, err := f.Account.Read(ctx, r); err != nil || doc != (containment.Doc{Absent: true}) {
			t.Errorf("%+v reads as %+v, %v", r, doc, err)
		}
		if err := f.Account.Write(ctx, r, containment.Doc{Absent: true}); err != nil {
			t.Errorf("%+v: what is not there cannot be taken away: %v", r, err)
		}
	}
}

// What AWS refuses has one clear sentence, and nothing was changed.
func TestLimitsAreMet(t *testing.T) {
	t.Parallel()
	f := newStrict(t)
	p := f.people("limits")
	ctx := t.Context()
	long := func(n int) *string {
		return aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::` + strings.Repeat("x", n) + `"}]}`)
	}
	must[*iam.PutUserPolicyOutput](t)(f.iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: &p.user, PolicyName: aws.String("long"), PolicyDocument: long(1700)}))
	must[*iam.PutRolePolicyOutput](t)(f.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &p.role, PolicyName: aws.String("long"), PolicyDocument: long(9900)}))
	must[*iam.CreateUserOutput](t)(f.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("limits-free")}))
	for i := range 9 {
		m := must[*iam.CreatePolicyOutput](t)(f.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String(fmt.Sprint("limits-", i)), PolicyDocument: long(1)}))
		must[*iam.AttachUserPolicyOutput](t)(f.iam.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: &p.user, PolicyArn: m.Policy.Arn}))
	}
	f.putPolicy(p.bare, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::`+p.bare+`/`+strings.Repeat("x", 20100)+`"}]}`)
	f.putPolicy(p.bucket, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"AIDAEXAMPLEGONE00001"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::`+p.bucket+`/*"}]}`)
	before := f.state(p)
	type order = containment.Order
	for name, c := range map[string]struct {
		order order
		says  []string
	}{
		"a user with long policies": {order{Action: policy.DenyUserSessions, User: p.user, Before: cutAt},
			[]string{"IAM has no room for it: a user's inline policies have 2048 characters in all at most", `(AWS: "Maximum policy size of 2048 bytes exceeded for user limits-user")`}},
		"a role with long policies": {order{Action: policy.DenyRoleSessions, Role: p.role, Before: cutAt},
			[]string{"a role's inline policies have 10240 characters in all at most"}},
		"a user with ten policies": {order{Action: policy.QuarantineUser, User: p.user, Quarantine: "AWSCompromisedKeyQuarantineV3"},
			[]string{"a user has 10 managed policies at most", `PoliciesPerUser: 10`}},
		"a quarantine that is not there": {order{Action: policy.QuarantineUser, User: "limits-free", Quarantine: "AWSCompromisedKeyQuarantineV999"},
			[]string{"IAM does not know it"}},
		"a role of Identity Center": {order{Action: policy.DenyRoleSessions, Role: p.sso, Before: cutAt},
			[]string{"AWS alone may change it", "only modifiable by AWS", "take another step, on the bucket"}},
		"a user who is gone":          {order{Action: policy.DenyUserSessions, User: "gone", Before: cutAt}, []string{`user "gone": IAM does not know it`}},
		"a role that is gone":         {order{Action: policy.DenyRoleSessions, Role: "gone", Before: cutAt}, []string{`role "gone": IAM does not know it`}},
		"a bucket that is gone":       {order{Action: policy.BlockOnBucket, Bucket: "no-such-bucket", UserID: thief}, []string{`"no-such-bucket": S3 does not know it`}},
		"public access of it":         {order{Action: policy.BlockPublicAccess, Bucket: "no-such-bucket"}, []string{`"no-such-bucket": S3 does not know it`}},
		"a bucket's policy is full":   {order{Action: policy.BlockOnBucket, Bucket: p.bare, UserID: thief}, []string{`the policy of bucket "limits-bare" has no room for it: it would have 2`, "S3 takes 20480"}},
		"a bucket of another account": {order{Action: policy.BlockOnBucket, Bucket: "theirs", UserID: thief}, []string{`may not call s3:GetBucketPolicy on bucket "theirs"`}},
		"a principal that is gone": {order{Action: policy.BlockOnBucket, Bucket: p.bucket, UserID: thief},
			[]string{`which names AIDAEXAMPLEGONE00001 that may be deleted`, "S3 does not take the policy as a whole", "Invalid principal in policy"}},
	} {
		c.order.Incident = "i-1"
		s, err := c.order.Step(targetOf(c.order), containment.Doc{Absent: true})
		if err != nil {
			t.Fatal(err)
		}
		f.called()
		x := containment.Executor{Account: f.Account, Cutter: cutter{f.Account}, Mode: containment.ModeAct}
		state, detail := x.Do(ctx, s, 0)
		if state != containment.Failed || !strings.HasSuffix(detail, ": nothing was changed") {
			t.Errorf("%s: it is %s (%s)", name, state, detail)
		}
		for _, want := range c.says {
			if !strings.Contains(detail, want) {
				t.Errorf("%s: got %s\nwant %s", name, detail, want)
			}
		}
		puts := 0
		for _, call := range f.called() {
			if !strings.Contains(call, ":Get") && !strings.Contains(call, ":List") {
				puts++
			}
		}
		if puts > 1 {
			t.Errorf("%s: %d attempts", name, puts)
		}
	}
	sameState(t, "what is refused", f.state(p), before)
}

// What a write's error claims must be true: ErrNotDone only where all is as it was, and one attempt only, whatever happens.
func TestEachWriteKnowsWhetherItHappened(t *testing.T) {
	t.Parallel()
	f := newStrict(t)
	p := f.people("faults")
	ctx := t.Context()
	clean := f.state(p)
	put := map[containment.RefType]string{containment.UserPolicy: "iam:PutUserPolicy", containment.RolePolicy: "iam:PutRolePolicy", containment.UserAttachment: "iam:AttachUserPolicy",
		containment.BucketPolicy: "s3:PutBucketPolicy", containment.PublicAccessBlock: "s3:PutBucketPublicAccessBlock"}
	remove := map[containment.RefType]string{containment.UserPolicy: "iam:DeleteUserPolicy", containment.RolePolicy: "iam:DeleteRolePolicy", containment.UserAttachment: "iam:DetachUserPolicy",
		containment.BucketPolicy: "s3:DeleteBucketPolicy", containment.PublicAccessBlock: "s3:PutBucketPublicAccessBlock"}
	for _, name := range []string{"a user's sessions", "a role's session", "a user's quarantine", "the first statement", "public access, first"} {
		o := p.orders("")[name].order
		o.Incident = "i-1"
		s := planned(t, f.Account, o)
		for what, c := range map[string]struct {
			fault           fault
			notDone, forNow bool
			says            string
		}{
			"denied":               {fault: deny, notDone: true, says: "may not call "},
			"throttled":            {fault: throttle, notDone: true, forNow: true, says: "throttling"},
			"contended, by IAM":    {fault: fault{status: 409, code: "ConcurrentModification"}, notDone: true, forNow: true, says: "somebody else changes it"},
			"contended, by S3":     {fault: fault{status: 409, code: "OperationAborted"}, notDone: true, forNow: true, says: "somebody else changes it"},
			"malformed":            {fault: fault{status: 400, code: "MalformedPolicyDocument"}, notDone: true, says: "does not take the text"},
			"stale":                {fault: fault{status: 403, code: "ExpiredToken"}, notDone: true, says: "renew them"},
			"elsewhere":            {fault: fault{status: 301, code: "PermanentRedirect"}, notDone: true, says: "another region"},
			"not read in time":     {fault: fault{status: 400, code: "RequestTimeout", applied: true}, says: "is not known"},
			"failed":               {fault: fault{status: 500, code: "InternalError"}, says: "HTTP 500"},
			"slow, but it worked":  {fault: fault{status: 503, code: "SlowDown", applied: true}, says: "is not known"},
			"a proxy's page":       {fault: fault{status: 403, body: "<html>blocked</html>", applied: true}, says: "is not known"},
			"cut before it worked": {fault: fault{cut: true}, says: "is not known"},
			"cut after it worked":  {fault: fault{cut: true, applied: true}, says: "is not known"},
		} {
			if all := name == "a user's sessions" || name == "the first statement"; !all && what != "denied" && what != "failed" && what != "cut after it worked" {
				continue // the others go the same way
			}
			for _, way := range []struct {
				action string
				doc    containment.Doc
			}{{put[s.Ref.Type], s.After}, {remove[s.Ref.Type], s.Before}} {
				if way.doc == s.Before {
					if err := f.Account.Write(ctx, s.Ref, s.After); err != nil {
						t.Fatal(err)
					}
				}
				f.fail(way.action, c.fault, deny) // a second attempt would be refused
				f.called()
				err := f.Account.Write(ctx, s.Ref, way.doc)
				n := 0
				for _, call := range f.called() {
					if call == way.action {
						n++
					}
				}
				f.mu.Lock()
				clear(f.faults)
				f.mu.Unlock()
				if err == nil || errors.Is(err, containment.ErrNotDone) != c.notDone || errors.Is(err, containment.ErrThrottled) != c.forNow || !strings.Contains(err.Error(), c.says) || strings.ContainsAny(err.Error(), "\n") {
					t.Errorf("%s, %s by %s: got %v", name, what, way.action, err)
				}
				if n != 1 {
					t.Errorf("%s, %s by %s: %d attempts", name, what, way.action, n)
				}
				if doc, err := f.Account.Read(ctx, s.Ref); err != nil || (doc == way.doc) != c.fault.applied {
					t.Errorf("%s, %s by %s: it reads as %+v, %v", name, what, way.action, doc, err)
				}
				if err := f.Account.Write(ctx, s.Ref, s.Before); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	sameState(t, "after all of it", f.state(p), clean)
}

// There is no condition on a put of a bucket's policy. Whoever else writes at the same moment is heard where it can be seen.
func TestOthersWriteTheSameBucket(t *testing.T) {
	t.Parallel()
	f := newStrict(t)
	p := f.people("races")
	ctx := t.Context()
	o := p.orders("")["a session on a bucket"].order
	o.Incident = "i-1"
	theirs := strings.Replace(bucketPolicyOf(p.bucket), "444455556667", "777788889999", 1)
	elsewhere := f.another()
	o2 := o
	o2.Incident = "i-2"
	second := planned(t, f.Account, o2)
	for name, c := range map[string]struct {
		when   map[string]func()
		action string
		act    func()
		state  containment.State
		says   string
	}{
		"nobody": {nil, "", nil, containment.Done, "read back as ordered"},
		"before it is read": {f.before, "s3:GetBucketPolicy", func() { f.putPolicy(p.bucket, theirs) }, containment.Done,
			"read back as ordered"},
		"another incident's, in another process": {f.before, "s3:PutBucketPolicy", func() {
			if state, detail := (containment.Executor{Account: elsewhere, Cutter: cutter{elsewhere}, Mode: containment.ModeAct}).Do(ctx, second, 0); state != containment.Done {
				t.Errorf("the other is %s (%s)", state, detail)
			}
		}, containment.Done, "read back as ordered"},
		"over ours": {f.after, "s3:PutBucketPolicy", func() { f.putPolicy(p.bucket, theirs) }, containment.Unknown,
			"somebody else has put another one: statement "},
		"the one of before": {f.after, "s3:PutBucketPolicy", func() { f.putPolicy(p.bucket, bucketPolicyOf(p.bucket)) }, containment.Unknown,
			"was put, and reads as before"},
		"beside ours": {f.after, "s3:PutBucketPolicy", func() {
			f.putPolicy(p.bucket, strings.Replace(f.policyOf(p.bucket), "444455556667", "777788889999", 1))
		}, containment.Done,
			"read back as ordered; the policy of bucket \"races-bucket\" was put, and somebody else has changed other statements"},
		"who takes all away": {f.after, "s3:PutBucketPolicy", func() {
			must[*s3.DeleteBucketPolicyOutput](t)(f.s3.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: &p.bucket}))
		}, containment.Unknown, "somebody else has put another one: statement "},
	} {
		f.putPolicy(p.bucket, bucketPolicyOf(p.bucket))
		s := planned(t, f.Account, o)
		if c.act != nil {
			f.meanwhile(c.when, c.action, c.act)
		}
		x := containment.Executor{Account: f.Account, Cutter: cutter{f.Account}, Mode: containment.ModeAct}
		state, detail := x.Do(ctx, s, 0)
		if state != c.state || !strings.Contains(detail, c.says) || strings.Contains(detail, "nothing was changed") {
			t.Errorf("%s: it is %s (%s), want %s", name, state, detail, c.says)
		}
		if state == containment.Unknown { // and the next attempt does it
			if state, detail := x.Do(ctx, s, 1); state != containment.Done {
				t.Errorf("%s, again: it is %s (%s)", name, state, detail)
			}
		}
		if c.says == "read back as ordered" && c.action == "s3:PutBucketPolicy" {
			// What the other incident has put is lost, and nothing has shown it: who looks again sees it, and does it again.
			x := containment.Executor{Account: elsewhere, Cutter: cutter{elsewhere}, Mode: containment.ModeAct}
			if state, detail := x.Verify(ctx, second); state != containment.Unknown || !strings.Contains(detail, "it still reads as not there") {
				t.Errorf("%s: the other is %s (%s)", name, state, detail)
			}
			if state, detail := x.Do(ctx, second, 1); state != containment.Done {
				t.Errorf("%s: the other, again, is %s (%s)", name, state, detail)
			}
			if state, detail := x.Verify(ctx, s); state != containment.Done {
				t.Errorf("%s: after that it is %s (%s)", name, state, detail)
			}
		}
		if c.action == "s3:GetBucketPolicy" && !strings.Contains(f.policyOf(p.bucket), "777788889999") {
			t.Errorf("%s: what they wrote is lost", name)
		}
	}
}

// A policy which says the same, however it is written, is the same; what is no JSON is read as it is, and an answer without one is an error.
func TestAPolicyIsReadInOneForm(t *testing.T) {
	t.Parallel()
	f := newStrict(t)
	p := f.people("form")
	ctx := t.Context()
	o := p.orders("")["a role's session"].order
	o.Incident = "i-1"
	s := planned(t, f.Account, o)
	spaced := " " + strings.ReplaceAll(strings.ReplaceAll(s.After.Text, ":{", " : {\n"), `"*"`, ` "*"`)
	must[*iam.PutRolePolicyOutput](t)(f.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &s.Ref.Owner, PolicyName: &s.Ref.Name, PolicyDocument: &spaced}))
	if doc, err := f.Account.Read(ctx, s.Ref); err != nil || doc != s.After {
		t.Errorf("%s reads as %+v, %v", spaced, doc, err)
	}
	if err := f.Account.Write(ctx, s.Ref, s.After); err != nil { // it is there
		t.Error(err)
	}
	const answer = "<GetRolePolicyResponse><GetRolePolicyResult><PolicyDocument>%s</PolicyDocument></GetRolePolicyResult></GetRolePolicyResponse>"
	for sent, want := range map[string]string{
		url.PathEscape(spaced):                                  s.After.Text, // as IAM gives it
		strings.ReplaceAll(url.QueryEscape(spaced), "+", "%20"): s.After.Text,
		"100%":          "100%",
		"not%20JSON":    "not JSON",
		`{"a":1,"a":2}`: `{"a":1,"a":2}`,
	} {
		f.fail("iam:GetRolePolicy", fault{status: 200, body: fmt.Sprintf(answer, sent)})
		if doc, err := f.Account.Read(ctx, s.Ref); err != nil || doc.Absent || doc.Text != want {
			t.Errorf("%s reads as %+v, %v", sent, doc, err)
		}
	}
	for action, r := range map[string]containment.Ref{
		"iam:GetRolePolicy":  s.Ref,
		"s3:GetBucketPolicy": {Type: containment.BucketPolicy, Owner: p.bucket, Name: "x"},
	} {
		f.fail(action, fault{status: 200})
		if doc, err := f.Account.Read(ctx, r); err == nil {
			t.Errorf("%s: an empty answer reads as %+v", action, doc)
		}
	}
}

// A quarantine is found where AWS, or anybody, has attached it; else the newest one that there is.
func TestTheQuarantineIsFound(t *testing.T) {
	t.Parallel()
	f := newStrict(t)
	p := f.people("quarantine")
	ctx := t.Context()
	check := func(when, user, want string, wantAttached bool) {
		t.Helper()
		if name, attached, err := f.Account.Quarantine(ctx, user, ""); err != nil || name != want || attached != wantAttached {
			t.Errorf("%s: got %q, attached %v (%v), want %q, %v", when, name, attached, err, want, wantAttached)
		}
	}
	check("nobody", "nobody", "", false)
	check("none is attached", p.user, "AWSCompromisedKeyQuarantineV3", false) // moto ends there
	own := must[*iam.CreatePolicyOutput](t)(f.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("AWSCompromisedKeyQuarantineV7"), PolicyDocument: aws.String(allowAll)}))
	attach := func(arn string) {
		must[*iam.AttachUserPolicyOutput](t)(f.iam.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: &p.user, PolicyArn: &arn}))
	}
	attach(*own.Policy.Arn)
	check("a namesake of somebody's own is attached", p.user, "AWSCompromisedKeyQuarantineV3", false)
	attach(containment.QuarantineARN("", "AWSCompromisedKeyQuarantine"))
	check("the first is attached", p.user, "AWSCompromisedKeyQuarantine", true)
	attach(containment.QuarantineARN("", "AWSCompromisedKeyQuarantineV2"))
	check("two are attached", p.user, "AWSCompromisedKeyQuarantineV2", true)
	o := containment.Order{Action: policy.QuarantineUser, Incident: "i-1", User: p.user, Quarantine: "AWSCompromisedKeyQuarantineV2"}
	s := planned(t, f.Account, o)
	if got := (containment.Executor{Mode: containment.ModeAct}).Gate(s, policy.Contain); got != containment.Already {
		t.Errorf("what AWS has attached is %s", got)
	}
	if state, _ := containment.Undo(ctx, f.Account, s); state != containment.Failed {
		t.Errorf("what AWS has attached is taken away: %s", state)
	}
	f.fail("iam:GetPolicy", deny)
	f.fail("iam:ListAttachedUserPolicies", deny)
	if _, _, err := f.Account.Quarantine(ctx, p.user, ""); err == nil || !strings.Contains(err.Error(), "may not call iam:ListAttachedUserPolicies") {
		t.Errorf("got %v", err)
	}
}
