package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"nightlatch/internal/awstest"
	"nightlatch/internal/containment"
	"nightlatch/internal/containment/awsaccount"
	orders "nightlatch/internal/containment/cutter"
	"nightlatch/internal/grant/granttest"
	"nightlatch/internal/policy"
	"nightlatch/internal/settings"
)

var update = flag.Bool("update", false, "write the goldens")

func TestMain(m *testing.M) {
	os.Setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true") // for AWS's quarantine policies
	awstest.Beside(m)
}

// moto is the account that it has for whoever names none.
const moto = "123456789012"

// night is an account in moto, the cutter as it is deployed there, and the responder's side of it.
type night struct {
	t      *testing.T
	aws    *granttest.AWS
	iam    *iam.Client
	s3     *s3.Client
	reads  *awsaccount.Account // of whoever looks on
	cutter *orders.Cutter
	answer containment.Answer // the last one
	suffix string             // of this night's names: all share one moto
	job    string             // a session of the role
}

func must[Out any](t *testing.T) func(Out, error) Out {
	return func(out Out, err error) Out {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

func newNight(t *testing.T, suffix string) *night {
	t.Helper()
	endpoint := awstest.Moto(t)
	to := must[*url.URL](t)(url.Parse(endpoint))
	cfg := awstest.Config(endpoint)
	n := &night{t: t, suffix: suffix, iam: iam.NewFromConfig(cfg), s3: s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })}
	n.reads = must[*awsaccount.Account](t)(awsaccount.New(cfg, awsaccount.Settings{}))
	n.people()

	n.aws = &granttest.AWS{T: t, Account: moto, Caller: "ASIAEXAMPLECUTTER", Find: n.find, Services: map[string]http.Handler{"": httputil.NewSingleHostReverseProxy(to)}}
	n.deploy()
	return n
}

// deploy makes the function anew, as it is deployed, and the responder's side of it.
func (n *night) deploy() {
	t, suffix := n.t, n.suffix
	t.Helper()
	front := httptest.NewServer(n.aws)
	t.Cleanup(front.Close)
	own := awstest.Config(front.URL)
	own.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: n.aws.Caller, SecretAccessKey: "x", SessionToken: "x"}, nil
	})
	s := deployed()
	s.Accounts, s.Steps, s.Protected = []string{moto}, nil, []string{"arn:aws:iam::" + moto + ":user/team/glass" + suffix, "arn:aws:iam::" + moto + ":role/team/admin" + suffix}
	for _, step := range containment.Orderable() {
		s.Steps = append(s.Steps, string(step))
	}
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, settings.WatchedFile), []byte(`{"Buckets":["a-bucket`+suffix+`"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	c := must[cutter](t)(build(own, environ(s), root))
	c.log = slog.New(slog.DiscardHandler)

	// Lambda, as far as the responder sees it.
	lambda := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, err := io.ReadAll(r.Body)
		if err == nil {
			n.answer, err = c.handle(r.Context(), event)
		}
		text, failed := json.Marshal(n.answer)
		if errors.Join(err, failed) != nil {
			t.Error(err, failed)
		}
		w.Write(text)
	}))
	t.Cleanup(lambda.Close)
	n.cutter = must[*orders.Cutter](t)(orders.New(awstest.Config(lambda.URL), "Nightlatch-Cutter-x1"))
}

// people makes who is there: users and roles in a path and beside it, one with the protecting tag, one of the stack's; and a bucket with a policy.
func (n *night) people() {
	t, ctx := n.t, n.t.Context()
	for _, u := range []struct{ path, name string }{{"/team/", "mara"}, {"/team/", "olga"}, {"/team/", "glass"}, {"/", "lee"}} {
		in := &iam.CreateUserInput{Path: &u.path, UserName: aws.String(u.name + n.suffix)}
		if u.name == "olga" {
			in.Tags = []iamtypes.Tag{{Key: aws.String("nightlatch:protect"), Value: aws.String("")}}
		}
		must[*iam.CreateUserOutput](t)(n.iam.CreateUser(ctx, in))
	}
	for _, name := range []string{"worker", "admin", "Nightlatch-ResponderRole-"} {
		r := must[*iam.CreateRoleOutput](t)(n.iam.CreateRole(ctx, &iam.CreateRoleInput{Path: aws.String("/team/"), RoleName: aws.String(name + n.suffix), AssumeRolePolicyDocument: aws.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)}))
		if name == "worker" {
			n.job = *r.Role.RoleId + ":job"
		}
	}
	bucket := aws.String("a-bucket" + n.suffix)
	must[*s3.CreateBucketOutput](t)(n.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket, CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}}))
	must[*s3.PutBucketPolicyOutput](t)(n.s3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: bucket, Policy: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Sid":"Theirs","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::` + *bucket + `/*"}]}`)}))
}

// find implements granttest.AWS.Find.
func (n *night) find(kind, name string) (arn string, tags map[string]string) {
	tags = map[string]string{}
	set := func(all []iamtypes.Tag) {
		for _, t := range all {
			tags[*t.Key] = *t.Value
		}
	}
	switch kind {
	case "user":
		u := must[*iam.GetUserOutput](n.t)(n.iam.GetUser(context.Background(), &iam.GetUserInput{UserName: &name}))
		set(u.User.Tags)
		return *u.User.Arn, tags
	case "role":
		r := must[*iam.GetRoleOutput](n.t)(n.iam.GetRole(context.Background(), &iam.GetRoleInput{RoleName: &name}))
		set(r.Role.Tags)
		return *r.Role.Arn, tags
	}
	return "", nil
}

// orders are one of each kind, and a fence of each sort of principal.
func (n *night) orders() map[string]containment.Order {
	before := time.Now().UTC().Truncate(time.Second)
	user, role, bucket := "mara"+n.suffix, "worker"+n.suffix, "a-bucket"+n.suffix
	all := map[string]containment.Order{
		"a user's sessions": {Action: policy.DenyUserSessions, User: user, Before: before},
		"a user's fence":    {Action: policy.FenceOrigin, User: user, Networks: []string{"198.51.100.0/24"}},
		"a quarantine":      {Action: policy.QuarantineUser, User: user, Quarantine: "AWSCompromisedKeyQuarantineV3"},
		"a role's session":  {Action: policy.DenyRoleSession, Role: role, UserID: n.job, Before: before},
		"a role's sessions": {Action: policy.DenyRoleSessions, Role: role, Before: before},
		"a role's fence":    {Action: policy.FenceOrigin, Role: role, Networks: []string{"2001:db8::/48"}},
		"a block":           {Action: policy.BlockOnBucket, Bucket: bucket, UserID: n.job},
		"public access":     {Action: policy.BlockPublicAccess, Bucket: bucket},
	}
	for name, o := range all {
		o.Incident = "i-1"
		all[name] = o
	}
	return all
}

// written is what an order is to write, as it is read by somebody else.
func (n *night) written(o containment.Order) (want, got containment.Doc) {
	n.t.Helper()
	target := containment.BucketTarget("", o.Bucket)
	if o.Bucket == "" {
		target = policy.Target{Type: policy.User, Owner: o.User + o.Role}
		if o.Role != "" {
			target.Type = policy.Role
		}
	}
	s := must[containment.Step](n.t)(o.Step(target, containment.Doc{Absent: true}))
	return s.After, must[containment.Doc](n.t)(n.reads.Read(n.t.Context(), s.Ref))
}

// Each order goes from the responder's side through the function to AWS, once, and its calls are written down: the role is judged by them (infra).
func TestEachOrderIsWrittenOnce(t *testing.T) {
	n := newNight(t, "")
	if len(n.orders()) <= len(containment.Orderable()) {
		t.Errorf("%d orders are tried, of %d steps", len(n.orders()), len(containment.Orderable()))
	}
	for name, o := range n.orders() {
		for _, state := range []containment.Answered{containment.CutDone, containment.CutAlready} {
			if err := n.cutter.Cut(t.Context(), o); err != nil || n.answer.State != state {
				t.Errorf("%s: got %v, %+v, want %s", name, err, n.answer, state)
			}
		}
		if want, got := n.written(o); got != want {
			t.Errorf("%s: there stands %+v, want %+v", name, got, want)
		}
	}
	if p := must[*s3.GetBucketPolicyOutput](t)(n.s3.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: aws.String("a-bucket")})); !strings.Contains(*p.Policy, `"Theirs"`) {
		t.Errorf("what stood there is gone: %s", *p.Policy)
	}
	granttest.Golden(t, filepath.Join("testdata", "calls.json"), *update, n.aws.Calls(moto, "${Account}"))
}

// Who must not be touched, and what is not enabled, is refused in code: the calls before are reads.
func TestWhoMustNotBeTouchedIsNot(t *testing.T) {
	n := newNight(t, "-refused")
	all := n.orders()
	with := func(name string, by func(*containment.Order)) containment.Order {
		o := all[name]
		by(&o)
		return o
	}
	admin := must[*iam.GetRoleOutput](t)(n.iam.GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("admin" + n.suffix)}))
	for says, o := range map[string]containment.Order{
		`protected (tagged nightlatch:protect="")`:            with("a user's sessions", func(o *containment.Order) { o.User = "olga" + n.suffix }),
		"named in the deployment's protected":                 with("a quarantine", func(o *containment.Order) { o.User = "glass" + n.suffix }),
		"in none of the paths":                                with("a user's fence", func(o *containment.Order) { o.User = "lee" + n.suffix }),
		"is a role of the deployment's":                       with("a role's sessions", func(o *containment.Order) { o.Role = "Nightlatch-ResponderRole-" + n.suffix }),
		"the account knows no such principal":                 with("a role's session", func(o *containment.Order) { o.UserID = "AROAEXAMPLEOTHER1:job" }),
		`bucket "b-bucket" is not one`:                        with("public access", func(o *containment.Order) { o.Bucket = "b-bucket" }),
		"admin-refused\" is protected: a human has to decide": with("a block", func(o *containment.Order) { o.UserID = *admin.Role.RoleId + ":job" }),
	} {
		if err := n.cutter.Cut(t.Context(), o); !errors.Is(err, containment.ErrNotDone) || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %s", err, says)
		}
	}
	for _, c := range n.aws.Calls() {
		if !strings.HasPrefix(c.Action, "iam:Get") && c.Action != "sts:GetCallerIdentity" {
			t.Errorf("it called %s on %s", c.Action, c.Resource)
		}
	}
}

// Whatever is missing, the responder is told which permission it is, and that nothing was done.
func TestEachDeniedCallIsNamed(t *testing.T) {
	n := newNight(t, "-denied")
	needs := map[string]string{"sts:GetCallerIdentity": "a quarantine", "iam:GetUser": "a user's fence", "iam:GetRole": "a role's fence", "iam:GetUserPolicy": "a user's sessions",
		"iam:GetRolePolicy": "a role's session", "iam:ListAttachedUserPolicies": "a quarantine", "iam:PutUserPolicy": "a user's fence", "iam:PutRolePolicy": "a role's sessions",
		"iam:AttachUserPolicy": "a quarantine", "s3:GetBucketPolicy": "a block", "s3:PutBucketPolicy": "a block", "s3:GetBucketPublicAccessBlock": "public access",
		"s3:PutBucketPublicAccessBlock": "public access"}
	for _, c := range granttest.Read(t, filepath.Join("testdata", "calls.json")) {
		if needs[c.Action] == "" {
			t.Errorf("no order needs %s", c.Action)
		}
	}
	for action, name := range needs {
		n.aws.Deny = action
		n.deploy() // who it is it asks once
		o := n.orders()[name]
		if err := n.cutter.Cut(t.Context(), o); !errors.Is(err, containment.ErrNotDone) || !strings.Contains(err.Error(), "may not call "+action) {
			t.Errorf("%s: got %v", action, err)
		}
		if want, got := n.written(o); got == want {
			t.Errorf("%s: %s is done", action, name)
		}
	}
}
