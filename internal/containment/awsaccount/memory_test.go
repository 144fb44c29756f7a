package awsaccount

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"nightlatch/internal/containment"
	"nightlatch/internal/policy"
	"nightlatch/internal/sandbox"
)

// The account in memory, in which laptops and simulated nights do steps, takes and refuses what this one does, and reads the same after it.
func TestTheAccountInMemoryDoesTheSame(t *testing.T) {
	t.Parallel()
	f := newStrict(t)
	p := f.people("memory")
	ctx := t.Context()
	m := sandbox.NewAccount(motoAccount)
	m.AddUser(p.user, nil)
	m.AddRole(p.role, nil)
	m.AddRole(p.sso, nil)
	m.DeleteBucket("memory-gone")
	m.SetBucketPolicy(p.bucket, bucketPolicyOf(p.bucket))
	m.Set(containment.Ref{Type: containment.PublicAccessBlock, Name: p.bucket}, containment.AccessBlock{BlockPublicAcls: true}.Doc())
	m.Set(containment.Ref{Type: containment.UserAttachment, Owner: p.user, Name: "arn:aws:iam::aws:policy/ReadOnlyAccess"}, containment.Doc{Text: containment.Attached})
	for _, r := range []containment.Ref{{Type: containment.UserPolicy, Owner: p.user, Name: "work"}, {Type: containment.RolePolicy, Owner: p.role, Name: "work"}} {
		m.Set(r, containment.Doc{Text: allowAll})
	}
	// Little room is left: a policy more or less decides.
	long := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::%s"}]}`
	for kind, n := range map[containment.RefType]int{containment.UserPolicy: 1600, containment.RolePolicy: 9500} {
		text, name, owner := fmt.Sprintf(long, strings.Repeat("x", n)), "long", map[containment.RefType]string{containment.UserPolicy: p.user, containment.RolePolicy: p.role}[kind]
		m.Set(containment.Ref{Type: kind, Owner: owner, Name: name}, containment.Doc{Text: text})
		if kind == containment.UserPolicy {
			must[*iam.PutUserPolicyOutput](t)(f.iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: &owner, PolicyName: &name, PolicyDocument: &text}))
		} else {
			must[*iam.PutRolePolicyOutput](t)(f.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &owner, PolicyName: &name, PolicyDocument: &text}))
		}
	}
	for i := range 8 { // with ReadOnlyAccess and a quarantine that is ten
		own := must[*iam.CreatePolicyOutput](t)(f.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String(fmt.Sprint("memory-", i)), PolicyDocument: aws.String(allowAll)}))
		must[*iam.AttachUserPolicyOutput](t)(f.iam.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: &p.user, PolicyArn: own.Policy.Arn}))
		m.Set(containment.Ref{Type: containment.UserAttachment, Owner: p.user, Name: *own.Policy.Arn}, containment.Doc{Text: containment.Attached})
	}
	big := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::` + p.bare + `/` + strings.Repeat("x", 20000) + `"}]}`
	f.putPolicy(p.bare, big)
	m.SetBucketPolicy(p.bare, big)

	var steps []containment.Step
	for _, incident := range []string{"i-1", "i-2", "i-3"} {
		orders := p.orders(incident)
		for name, o := range map[string]containment.Order{
			"a quarantine more": {Action: policy.QuarantineUser, User: p.user, Quarantine: "AWSCompromisedKeyQuarantineV2"},
			"nobody's sessions": {Action: policy.DenyUserSessions, User: "memory-gone", Before: cutAt},
			"nobody":            {Action: policy.QuarantineUser, User: "memory-gone", Quarantine: "AWSCompromisedKeyQuarantineV2"},
			"no role":           {Action: policy.DenyRoleSessions, Role: "memory-gone", Before: cutAt},
			"of AWS":            {Action: policy.DenyRoleSessions, Role: p.sso, Before: cutAt},
			"no bucket":         {Action: policy.BlockOnBucket, Bucket: "memory-gone", UserID: thief},
			"no public access":  {Action: policy.BlockPublicAccess, Bucket: "memory-gone"},
		} {
			c := orders[name]
			c.order = o
			orders[name] = c
		}
		for _, c := range orders {
			c.order.Incident = incident
			s, err := c.order.Step(targetOf(c.order), containment.Doc{Absent: true})
			if err != nil {
				t.Fatal(err)
			}
			steps = append(steps, s)
		}
	}
	slices.SortFunc(steps, func(x, y containment.Step) int { return cmp.Compare(text(t, x), text(t, y)) })
	outcome := func(err error) string {
		switch {
		case err == nil:
			return "done"
		case errors.Is(err, containment.ErrThrottled):
			return "throttled"
		case errors.Is(err, containment.ErrNotDone):
			return "not done"
		}
		return "unknown"
	}
	same := func(what string, s containment.Step, real, memory error) {
		t.Helper()
		if outcome(real) != outcome(memory) {
			t.Fatalf("%s %+v: %s (%v), in memory %s (%v)", what, s.Ref, outcome(real), real, outcome(memory), memory)
		}
		x, xerr := f.Account.Read(ctx, s.Ref)
		y, yerr := m.Read(ctx, s.Ref)
		if x != y || xerr != nil || yerr != nil {
			t.Fatalf("%s %+v: it reads as %+v (%v), in memory as %+v (%v)", what, s.Ref, x, xerr, y, yerr)
		}
	}
	seen := map[string]bool{}
	rng := rand.New(rand.NewPCG(4, 2))
	for range 160 {
		s := steps[rng.IntN(len(steps))]
		switch rng.IntN(6) {
		case 0, 1, 2:
			real := (cutter{f.Account}).Cut(ctx, *s.Order)
			same("ordered", s, real, m.Cut(ctx, *s.Order))
			seen[string(s.Ref.Type)+" ordered "+outcome(real)] = true
			if real != nil && strings.Contains(real.Error(), "no room") {
				seen[string(s.Ref.Type)+" full"] = true
			}
		case 3, 4:
			real := f.Account.Write(ctx, s.Ref, containment.Doc{Absent: true})
			same("taken away", s, real, m.Write(ctx, s.Ref, containment.Doc{Absent: true}))
			seen[string(s.Ref.Type)+" taken away "+outcome(real)] = true
		case 5:
			other := steps[rng.IntN(len(steps))].After
			real := f.Account.Write(ctx, s.Ref, other)
			same("set to "+other.Text, s, real, m.Write(ctx, s.Ref, other))
		}
	}
	for _, kind := range []containment.RefType{containment.UserPolicy, containment.RolePolicy, containment.UserAttachment, containment.BucketPolicy, containment.PublicAccessBlock} {
		for _, way := range []string{" ordered done", " ordered not done", " taken away done", " full"} {
			if !seen[string(kind)+way] && !(way == " full" && kind == containment.PublicAccessBlock) {
				t.Errorf("never: %s%s", kind, way)
			}
		}
	}
}
