package awsaccount

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"nightlatch/internal/containment"
	"nightlatch/internal/policy"
)

// simulated is one call, with the policies that decide it, as infra/testdata/simulate.mjs takes it.
type simulated struct {
	Principal string            `json:"principal"`
	Action    string            `json:"action"`
	Resource  string            `json:"resource"`
	Account   string            `json:"account"`
	Context   map[string]string `json:"context"`
	Identity  any               `json:"identity"`
	Policy    any               `json:"policy"`

	name, want string
}

// simulate puts the calls to @cloud-copilot/iam-simulate, which is not ours, and compares what it says with what each wants.
func simulate(t *testing.T, calls []simulated) {
	t.Helper()
	root := filepath.Join("..", "..", "..")
	if _, err := os.Stat(filepath.Join(root, "node_modules", "@cloud-copilot", "iam-simulate")); err != nil {
		t.Skip("SKIPPED, the IAM simulator: node_modules is missing; run npm ci")
	}
	in, err := json.Marshal(calls)
	if err != nil {
		t.Fatal(err)
	}
	judge := exec.Command("node", filepath.Join(root, "infra", "testdata", "simulate.mjs"))
	judge.Stdin, judge.Stderr = bytes.NewReader(in), os.Stderr
	out, err := judge.Output()
	if err != nil {
		t.Fatalf("running the simulator: %v", err)
	}
	var verdicts []struct {
		Result  string
		Ignored []string
		Error   string
	}
	if err := json.Unmarshal(out, &verdicts); err != nil || len(verdicts) != len(calls) {
		t.Fatalf("the simulator printed %q: %v", out, err)
	}
	for i, c := range calls {
		if v := verdicts[i]; v.Result != c.want || len(v.Ignored) > 0 {
			t.Errorf("%s: %s on %s by %s with %v is %s, ignoring %q %s, want %s", c.name, c.Action, c.Resource, c.Principal, c.Context, v.Result, v.Ignored, v.Error, c.want)
		}
	}
}

// standing are the policies of a user or role as they stand in moto, as one document; and those of a bucket.
func (f *strict) standing(principal string) any {
	f.t.Helper()
	ctx := context.Background()
	var statements []any
	add := func(encoded string) {
		plain, err := url.PathUnescape(encoded)
		if err != nil {
			f.t.Fatal(err)
		}
		var p struct{ Statement []any }
		if err := json.Unmarshal([]byte(plain), &p); err != nil {
			f.t.Fatalf("%v: %s", err, plain)
		}
		statements = append(statements, p.Statement...)
	}
	details := must[*iam.GetAccountAuthorizationDetailsOutput](f.t)(f.iam.GetAccountAuthorizationDetails(ctx, &iam.GetAccountAuthorizationDetailsInput{Filter: []types.EntityType{types.EntityTypeUser, types.EntityTypeRole}}))
	for _, u := range details.UserDetailList {
		if *u.UserName != principal {
			continue
		}
		for _, p := range u.UserPolicyList {
			add(*p.PolicyDocument)
		}
		for _, m := range u.AttachedManagedPolicies {
			p := must[*iam.GetPolicyOutput](f.t)(f.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: m.PolicyArn}))
			v := must[*iam.GetPolicyVersionOutput](f.t)(f.iam.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: m.PolicyArn, VersionId: p.Policy.DefaultVersionId}))
			add(*v.PolicyVersion.Document)
		}
	}
	for _, r := range details.RoleDetailList {
		if *r.RoleName == principal {
			for _, p := range r.RolePolicyList {
				add(*p.PolicyDocument)
			}
		}
	}
	return map[string]any{"Version": "2012-10-17", "Statement": statements}
}

func (f *strict) bucketStanding(bucket string) (policy any) {
	f.t.Helper()
	out, err := f.s3.GetBucketPolicy(context.Background(), &s3.GetBucketPolicyInput{Bucket: &bucket})
	if missing(err) {
		return nil
	}
	if err != nil {
		f.t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(*out.Policy), &policy); err != nil {
		f.t.Fatal(err)
	}
	return policy
}

// who makes calls, with what AWS knows of the credential.
type who struct {
	owner, arn string // whose policies decide; and the caller's ARN
	context    map[string]string
}

func (w who) with(pairs ...string) who {
	w.context = maps.Clone(w.context)
	for i := 0; i < len(pairs); i += 2 {
		w.context[pairs[i]] = pairs[i+1]
	}
	return w
}

// The policies as they stand after a step stop the thief's credential, and nobody else's; taken back, all is as it was.
func TestWhomAStepStops(t *testing.T) {
	t.Parallel()
	f := newStrict(t)
	p, n := f.people("whom"), f.people("neighbour")
	x := containment.Executor{Account: f.Account, Cutter: cutter{f.another()}, Mode: containment.ModeAct}
	const account = "arn:aws:iam::" + motoAccount + ":"
	const sts = "arn:aws:sts::" + motoAccount + ":"
	const earlier, later = "2026-03-04T00:05:00Z", "2026-03-04T00:12:31Z"
	user := func(p people, id string) who {
		return who{p.user, account + "user/" + p.user, map[string]string{"aws:userid": id, "aws:PrincipalArn": account + "user/" + p.user, "aws:SourceIp": "198.51.100.7"}}
	}
	session := func(p people, id, name string) who {
		return who{p.role, sts + "assumed-role/" + p.role + "/" + name, map[string]string{"aws:userid": id + ":" + name, "aws:PrincipalArn": account + "role/" + p.role,
			"aws:TokenIssueTime": earlier, "aws:SourceIp": "198.51.100.7"}}
	}
	mara := user(p, "AIDAEXAMPLEMARA000001")
	neighbour := user(n, "AIDAEXAMPLENEIGHBOUR1")
	instance := session(p, "AROAEXAMPLEWORKER0001", "i-0123456789abcdef0")
	lee := session(p, "AROAEXAMPLEWORKER0001", "lee+x=y,@z.a")
	root := who{p.user, account + "root", map[string]string{"aws:userid": motoAccount, "aws:PrincipalArn": account + "root", "aws:SourceIp": "198.51.100.7"}}
	inside := instance.with("aws:VpcSourceIp", "10.1.3.9", "aws:SourceVpce", "vpce-0123456789abcdef0")

	everywhere := []string{"s3:GetObject", "sts:AssumeRole", "iam:CreateAccessKey"}
	onBucket := []string{"s3:GetObject"}
	steps := map[string]struct {
		stopped []who
		no      []string // what they may no longer do
		others  []who
	}{
		"a user's sessions": {[]who{mara.with("aws:TokenIssueTime", earlier)}, everywhere,
			[]who{mara, mara.with("aws:TokenIssueTime", later), neighbour.with("aws:TokenIssueTime", earlier), instance}},
		"a user's fence": {[]who{mara, mara.with("aws:SourceIp", "198.51.100.255")}, everywhere,
			[]who{mara.with("aws:SourceIp", "198.51.101.7"), mara.with("aws:SourceIp", "2001:db8::1"), neighbour, instance}},
		"a user's quarantine": {[]who{mara, mara.with("aws:TokenIssueTime", later)}, []string{"s3:GetObject", "iam:CreateAccessKey"}, []who{neighbour, instance}},
		"a role's session": {[]who{lee}, everywhere,
			[]who{lee.with("aws:TokenIssueTime", later), instance, session(n, "AROAEXAMPLEOTHER00001", "lee+x=y,@z.a"), mara}},
		"an instance's session": {[]who{instance, instance.with("aws:TokenIssueTime", later)}, everywhere,
			[]who{lee, session(p, "AROAEXAMPLEWORKER0001", "i-0123456789abcdef1"), mara}},
		"a role's sessions": {[]who{lee, instance}, everywhere, []who{lee.with("aws:TokenIssueTime", later), session(n, "AROAEXAMPLEOTHER00001", "lee+x=y,@z.a"), mara}},
		"a role's fence":    {[]who{inside}, everywhere, []who{instance, inside.with("aws:VpcSourceIp", "10.1.4.9"), inside.with("aws:SourceVpce", "vpce-0123456789abcdef1"), mara}},
		"a session on a bucket": {[]who{instance, instance.with("aws:TokenIssueTime", later)}, onBucket,
			[]who{lee, session(p, "AROAEXAMPLEWORKER0001", "i-0123456789abcdef1"), mara, root}},
		"root on a bucket": {[]who{root}, onBucket, []who{instance, lee, mara}},
	}
	if len(steps) != len(p.orders(""))-3 { // the simulator knows no public access block; and a bucket's first statement is as the next
		t.Errorf("%d of %d steps are judged", len(steps), len(p.orders("")))
	}
	var calls []simulated
	standing := map[string]any{} // since a step was done, or taken back
	of := func(key string, read func(string) any, name string) any {
		if _, known := standing[key+name]; !known {
			standing[key+name] = read(name)
		}
		return standing[key+name]
	}
	ask := func(step string, w who, action, bucket, want string) {
		c := simulated{Principal: w.arn, Action: action, Account: motoAccount, Context: w.with("aws:SecureTransport", "true").context, Identity: of("who ", f.standing, w.owner), name: step, want: want}
		switch action {
		case "s3:GetObject":
			c.Resource, c.Policy = "arn:aws:s3:::"+bucket+"/key", of("bucket ", f.bucketStanding, bucket)
			c.Context["s3:TlsVersion"] = "1.3"
		case "sts:AssumeRole":
			c.Resource = account + "role/" + n.role
		case "iam:CreateAccessKey":
			c.Resource = account + "user/" + n.user
		}
		calls = append(calls, c)
	}
	const allowed, denied = "Allowed", "ExplicitlyDenied"
	all := func(step, bucket string, stopped []who, no []string, stop string, others []who) {
		clear(standing)
		for _, w := range stopped {
			for _, action := range everywhere {
				want := allowed
				if slices.Contains(no, action) {
					want = stop
				}
				ask(step, w, action, bucket, want)
			}
		}
		for _, w := range others {
			for _, action := range everywhere {
				ask(step, w, action, bucket, allowed)
			}
		}
	}
	for name, c := range steps {
		o := p.orders("")[name].order
		o.Incident = "i-1"
		s := planned(t, f.Account, o)
		all("before "+name, p.bucket, c.stopped, nil, "", c.others)
		if state, detail := x.Do(t.Context(), s, 0); state != containment.Done {
			t.Fatalf("%s: it is %s (%s)", name, state, detail)
		}
		all(name, p.bucket, c.stopped, c.no, denied, c.others)
		for _, w := range c.stopped {
			if o.Bucket != "" {
				ask(name+", at another bucket", w, "s3:GetObject", n.bucket, allowed)
			}
		}
		if state, err := containment.Undo(t.Context(), f.Account, s); state != containment.Undone {
			t.Fatalf("%s, taken back: it is %s (%v)", name, state, err)
		}
		all(name+" was taken back", p.bucket, c.stopped, nil, "", c.others)
	}
	simulate(t, calls)
}

// The cutter may do the steps that a deployment enables, to nobody who is protected, and takes nothing away.
func TestWhatTheCutterMay(t *testing.T) {
	for _, s := range containment.Orderable() {
		if len(CutGrants(s)) == 0 {
			t.Errorf("%s has no grants", s)
		}
	}
	if got := CutGrants(); len(got) > 0 {
		t.Errorf("without a step it may %v", got)
	}
	fill := strings.NewReplacer("${Partition}", "aws", "${Account}", motoAccount)
	rendered := func(steps ...policy.Action) any {
		var statements []any
		for _, g := range append(CutReadGrants(), CutGrants(steps...)...) {
			effect := map[bool]string{false: "Allow", true: "Deny"}[g.Deny]
			s := map[string]any{"Sid": g.Sid, "Effect": effect, "Action": g.Actions, "Resource": g.On}
			if g.When != nil {
				s["Condition"] = g.When
			}
			statements = append(statements, s)
		}
		var p any
		if err := json.Unmarshal([]byte(fill.Replace(text(t, map[string]any{"Version": "2012-10-17", "Statement": statements}))), &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	const user, role, bucket = "arn:aws:iam::" + motoAccount + ":user/team/mara", "arn:aws:iam::" + motoAccount + ":role/etl", "arn:aws:s3:::a-bucket"
	var calls []simulated
	may := func(identity any, want, action, resource string, context ...string) {
		c := simulated{Principal: "arn:aws:sts::" + motoAccount + ":assumed-role/cutter/x", Action: action, Resource: resource, Account: motoAccount, Identity: identity,
			Context: map[string]string{}, name: "the cutter", want: want}
		for i := 0; i < len(context); i += 2 {
			c.Context[context[i]] = context[i+1]
		}
		if strings.HasPrefix(action, "s3:") && c.Context["aws:ResourceAccount"] == "" {
			c.Context["aws:ResourceAccount"] = motoAccount
		}
		calls = append(calls, c)
	}
	const yes, no, never = "Allowed", "ImplicitlyDenied", "ExplicitlyDenied"
	v4 := containment.QuarantineARN("", "AWSCompromisedKeyQuarantineV4")
	all := rendered(containment.Orderable()...)
	for _, action := range []string{"iam:PutUserPolicy", "iam:PutRolePolicy", "iam:AttachUserPolicy"} {
		on := map[bool]string{true: role, false: user}[strings.Contains(action, "Role")]
		tags := []string{}
		if action == "iam:AttachUserPolicy" {
			tags = []string{"iam:PolicyARN", v4}
		}
		may(all, yes, action, on, tags...)
		may(all, never, action, on, append(tags, "aws:ResourceTag/"+ProtectTag, "")...)
		may(all, no, action, strings.Replace(on, motoAccount, "444455556666", 1), tags...)
		may(rendered(policy.BlockOnBucket), no, action, on, tags...)
	}
	for _, policy := range []string{"arn:aws:iam::aws:policy/AdministratorAccess", "arn:aws:iam::" + motoAccount + ":policy/AWSCompromisedKeyQuarantineV4"} {
		may(all, no, "iam:AttachUserPolicy", user, "iam:PolicyARN", policy)
	}
	for _, action := range []string{"s3:PutBucketPolicy", "s3:PutBucketPublicAccessBlock", "s3:GetBucketPolicy", "s3:GetBucketPublicAccessBlock"} {
		may(all, yes, action, bucket)
		may(all, no, action, bucket, "aws:ResourceAccount", "444455556666")
	}
	may(rendered(policy.BlockPublicAccess), no, "s3:PutBucketPolicy", bucket)
	may(all, yes, "iam:GetPolicy", v4)
	may(all, no, "iam:GetPolicy", "arn:aws:iam::aws:policy/AdministratorAccess")
	for _, action := range []string{"iam:DeleteUserPolicy", "iam:UpdateAccessKey", "iam:CreateAccessKey", "iam:DeleteUser"} {
		may(all, no, action, user)
	}
	may(all, no, "iam:DetachUserPolicy", user, "iam:PolicyARN", v4)
	for _, action := range []string{"iam:DeleteRolePolicy", "iam:UpdateAssumeRolePolicy"} {
		may(all, no, action, role)
	}
	may(all, no, "iam:AttachRolePolicy", role, "iam:PolicyARN", v4)
	may(all, no, "iam:PutRolePermissionsBoundary", role)
	may(all, no, "s3:DeleteBucketPolicy", bucket)
	may(all, no, "s3:GetObject", bucket+"/key")
	simulate(t, calls)
}
