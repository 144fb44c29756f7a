package awsaccount

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"nightlatch/internal/awstest"
	"nightlatch/internal/containment"
)

func TestMain(m *testing.M) {
	os.Setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true") // for AWS's quarantine policies
	awstest.Beside(m)
}

// motoAccount is the account that moto has for whoever names none.
const motoAccount = "123456789012"

// strict stands before moto, and refuses what AWS refuses and moto does not. It gives back a bucket's policy in another form, as S3 does. It lets
// calls fail, and others act between them. What is no call of a grant of the package fails the test.
type strict struct {
	t       *testing.T
	proxy   *httputil.ReverseProxy
	Account *Account
	// iam and s3 are of whoever else acts in the account, past all this.
	iam *iam.Client
	s3  *s3.Client

	mu     sync.Mutex
	faults map[string][]fault // by action; each call takes the next one
	calls  []string
	// before and after are run once, at the next call of an action: somebody else acts at that moment.
	before, after map[string]func()
}

func newStrict(t *testing.T) *strict {
	t.Helper()
	endpoint := awstest.Moto(t)
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	cfg := awstest.Config(endpoint)
	f := &strict{t: t, proxy: httputil.NewSingleHostReverseProxy(target), iam: iam.NewFromConfig(cfg), s3: s3.NewFromConfig(cfg),
		faults: map[string][]fault{}, before: map[string]func(){}, after: map[string]func(){}}
	f.Account = f.another()
	return f
}

// another is one more Account before the same moto: another process.
func (f *strict) another() *Account {
	f.t.Helper()
	server := httptest.NewServer(f)
	f.t.Cleanup(server.Close)
	a, err := New(awstest.Config(server.URL), Settings{})
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}

// actionOf is the permission that a call needs. Deleting a public access block needs that to put one.
func actionOf(r *http.Request, form url.Values) string {
	if r.Method == http.MethodPost && form.Get("Action") != "" {
		service := "iam:"
		if form.Get("Version") == "2011-06-15" {
			service = "sts:"
		}
		return service + form.Get("Action")
	}
	verb := map[string]string{http.MethodGet: "Get", http.MethodPut: "Put", http.MethodDelete: "Delete"}[r.Method]
	switch q := r.URL.Query(); {
	case q.Has("policy"):
		return "s3:" + verb + "BucketPolicy"
	case q.Has("publicAccessBlock"):
		return "s3:" + strings.Replace(verb, "Delete", "Put", 1) + "BucketPublicAccessBlock"
	}
	return r.Method + " " + r.URL.String()
}

func (f *strict) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // cut off by the client
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	form, _ := url.ParseQuery(string(body))
	action := actionOf(r, form)
	f.mu.Lock()
	f.calls = append(f.calls, action)
	ft, before, after := none, f.before[action], f.after[action]
	delete(f.before, action)
	delete(f.after, action)
	if queue := f.faults[action]; len(queue) > 0 {
		ft, f.faults[action] = queue[0], queue[1:]
	}
	f.mu.Unlock()
	if before != nil {
		before()
	}
	answer := httptest.NewRecorder()
	if ft == none || ft.applied {
		switch status, code, said := f.refusal(r, action, form, string(body)); {
		case code != "" && strings.HasPrefix(action, "s3:"):
			answer.WriteHeader(status)
			fmt.Fprintf(answer, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, said)
		case code != "":
			answer.WriteHeader(status)
			fmt.Fprintf(answer, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>", code, said)
		default:
			f.proxy.ServeHTTP(answer, r)
		}
	}
	if after != nil {
		after()
	}
	switch {
	case ft.cut:
		panic(http.ErrAbortHandler)
	case ft.code != "" && strings.HasPrefix(action, "s3:"):
		w.WriteHeader(ft.status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>no</Message></Error>", ft.code)
	case ft.code != "":
		refuse(w, ft.status, ft.code)
	case ft.status != 0:
		w.WriteHeader(ft.status)
		io.WriteString(w, ft.body)
	default:
		out := answer.Body.Bytes()
		if action == "s3:GetBucketPolicy" && answer.Code == http.StatusOK {
			out = returned(f.t, out)
		}
		answer.Header().Del("Content-Length")
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		w.Write(out)
	}
}

// returned is a bucket's policy as S3 gives it back: lists the other way round, those of one element as that element, and an empty Sid.
func returned(t *testing.T, policy []byte) []byte {
	var v map[string]any
	if err := json.Unmarshal(policy, &v); err != nil {
		t.Errorf("moto gives back %s", policy)
		return policy
	}
	var turn func(any) any
	turn = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			for k := range v {
				v[k] = turn(v[k])
			}
		case []any:
			slices.Reverse(v)
			if len(v) == 1 {
				return v[0]
			}
		}
		return v
	}
	statements, _ := v["Statement"].([]any)
	for _, s := range statements {
		if s, ok := s.(map[string]any); ok {
			turn(s)
			if s["Sid"] == nil {
				s["Sid"] = ""
			}
		}
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Error(err)
	}
	return out
}

// refusal is what AWS answers to a call that moto takes; no code where it takes it too.
func (f *strict) refusal(r *http.Request, action string, form url.Values, body string) (status int, code, said string) {
	ctx := context.Background()
	switch action {
	case "iam:PutUserPolicy":
		if n := f.userText(ctx, form.Get("UserName"), form.Get("PolicyName")) + size(form.Get("PolicyDocument")); n > containment.MaxUserPolicies {
			return 409, "LimitExceeded", "Maximum policy size of 2048 bytes exceeded for user " + form.Get("UserName")
		}
	case "iam:PutRolePolicy", "iam:DeleteRolePolicy":
		role, err := f.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String(form.Get("RoleName"))})
		if err == nil && (strings.HasPrefix(*role.Role.Path, "/aws-reserved/") || strings.HasPrefix(*role.Role.Path, "/aws-service-role/")) {
			return 400, "UnmodifiableEntity", "Cannot perform the operation on the protected role '" + form.Get("RoleName") + "' - this role is only modifiable by AWS"
		}
		if n := f.roleText(ctx, form.Get("RoleName"), form.Get("PolicyName")) + size(form.Get("PolicyDocument")); n > containment.MaxRolePolicies {
			return 409, "LimitExceeded", "Maximum policy size of 10240 bytes exceeded for role " + form.Get("RoleName")
		}
	case "iam:AttachUserPolicy":
		out, err := f.iam.ListAttachedUserPolicies(ctx, &iam.ListAttachedUserPoliciesInput{UserName: aws.String(form.Get("UserName"))})
		if err == nil && len(out.AttachedPolicies) >= containment.MaxAttached && !slices.ContainsFunc(out.AttachedPolicies, func(p iamtypes.AttachedPolicy) bool { return *p.PolicyArn == form.Get("PolicyArn") }) {
			return 409, "LimitExceeded", "Cannot exceed quota for PoliciesPerUser: 10"
		}
	case "s3:PutBucketPolicy":
		if len(body) > containment.MaxBucketPolicy {
			f.t.Errorf("a policy of %d bytes was put", len(body))
		}
		if strings.Contains(body, `"AIDA`) || strings.Contains(body, `"AROAGONE`) {
			return 400, "MalformedPolicy", "Invalid principal in policy"
		}
	}
	if strings.HasPrefix(action, "s3:") {
		if owner := r.Header.Get("X-Amz-Expected-Bucket-Owner"); owner != motoAccount || strings.Contains(r.URL.Path, "theirs") {
			return 403, "AccessDenied", "Access Denied"
		}
	}
	return 0, "", ""
}

// size counts a policy as IAM does, without white space.
func size(text string) int {
	n := 0
	for _, c := range text {
		if !unicode.IsSpace(c) {
			n++
		}
	}
	return n
}

func (f *strict) userText(ctx context.Context, user, except string) (n int) {
	out, err := f.iam.ListUserPolicies(ctx, &iam.ListUserPoliciesInput{UserName: &user})
	if err != nil {
		return 0
	}
	for _, name := range out.PolicyNames {
		if p, err := f.iam.GetUserPolicy(ctx, &iam.GetUserPolicyInput{UserName: &user, PolicyName: &name}); err == nil && name != except {
			text, _ := url.PathUnescape(*p.PolicyDocument)
			n += size(text)
		}
	}
	return n
}

func (f *strict) roleText(ctx context.Context, role, except string) (n int) {
	out, err := f.iam.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: &role})
	if err != nil {
		return 0
	}
	for _, name := range out.PolicyNames {
		if p, err := f.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &role, PolicyName: &name}); err == nil && name != except {
			text, _ := url.PathUnescape(*p.PolicyDocument)
			n += size(text)
		}
	}
	return n
}

// fail lets the next calls of an action fail.
func (f *strict) fail(action string, faults ...fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[action] = append(f.faults[action], faults...)
}

// meanwhile lets somebody else act before or after the next call of an action takes effect.
func (f *strict) meanwhile(when map[string]func(), action string, act func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	when[action] = act
}

// called are the calls since it was asked last.
func (f *strict) called() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.calls
	f.calls = nil
	return all
}

// must fails the test where somebody else's call in the account fails.
func must[Out any](t *testing.T) func(Out, error) Out {
	return func(out Out, err error) Out {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// people are a user and a role with policies of their own, and buckets; named by who, so that tests run beside each other.
type people struct{ name, user, role, sso, bucket, bare string }

func (f *strict) people(name string) people {
	f.t.Helper()
	ctx := f.t.Context()
	p := people{name, name + "-user", name + "-role", "AWSReservedSSO_" + name + "_0123456789abcdef", name + "-bucket", name + "-bare"}
	must[*iam.CreateUserOutput](f.t)(f.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: &p.user}))
	must[*iam.PutUserPolicyOutput](f.t)(f.iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: &p.user, PolicyName: aws.String("work"), PolicyDocument: aws.String(allowAll)}))
	must[*iam.AttachUserPolicyOutput](f.t)(f.iam.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: &p.user, PolicyArn: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")}))
	for role, path := range map[string]string{p.role: "/", p.sso: "/aws-reserved/sso.amazonaws.com/"} {
		must[*iam.CreateRoleOutput](f.t)(f.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &role, Path: &path, AssumeRolePolicyDocument: aws.String(trust)}))
		must[*iam.PutRolePolicyOutput](f.t)(f.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &role, PolicyName: aws.String("work"), PolicyDocument: aws.String(allowAll)}))
	}
	for _, b := range []string{p.bucket, p.bare} {
		must[*s3.CreateBucketOutput](f.t)(f.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &b, CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}}))
	}
	f.putPolicy(p.bucket, bucketPolicyOf(p.bucket))
	must[*s3.PutPublicAccessBlockOutput](f.t)(f.s3.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: &p.bucket,
		PublicAccessBlockConfiguration: &s3types.PublicAccessBlockConfiguration{BlockPublicAcls: aws.Bool(true)}}))
	return p
}

func (f *strict) putPolicy(bucket, text string) {
	f.t.Helper()
	must[*s3.PutBucketPolicyOutput](f.t)(f.s3.PutBucketPolicy(context.Background(), &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: &text}))
}

func (f *strict) policyOf(bucket string) string {
	f.t.Helper()
	out := must[*s3.GetBucketPolicyOutput](f.t)(f.s3.GetBucketPolicy(context.Background(), &s3.GetBucketPolicyInput{Bucket: &bucket}))
	return *out.Policy
}

const (
	allowAll = `{"Version":"2012-10-17","Statement":[{"Sid":"Work","Effect":"Allow","Action":["s3:*","sts:*","iam:*"],"Resource":"*"}]}`
	trust    = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
)

// bucketPolicyOf is a policy of the team's own, of an old version, and with what could be lost.
func bucketPolicyOf(bucket string) string {
	return `{"Version":"2008-10-17","Id":"team","Statement":[
		{"Sid":"Partners","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::444455556666:root","arn:aws:iam::444455556667:root"]},"Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::` + bucket + `","arn:aws:s3:::` + bucket + `/*"]},
		{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::` + bucket + `/*","Condition":{"Bool":{"aws:SecureTransport":"false"},"NumericLessThan":{"s3:TlsVersion":1.2}}}]}`
}

// state is all that the account says of these people, their groups and policies among it, and both settings of the buckets.
func (f *strict) state(p people) map[string]string {
	f.t.Helper()
	ctx := context.Background()
	all := map[string]string{}
	pages := iam.NewGetAccountAuthorizationDetailsPaginator(f.iam, &iam.GetAccountAuthorizationDetailsInput{
		Filter: []iamtypes.EntityType{iamtypes.EntityTypeUser, iamtypes.EntityTypeRole, iamtypes.EntityTypeGroup, iamtypes.EntityTypeLocalManagedPolicy}})
	for pages.HasMorePages() {
		page := must[*iam.GetAccountAuthorizationDetailsOutput](f.t)(pages.NextPage(ctx))
		for _, u := range page.UserDetailList {
			if *u.UserName == p.user {
				all["user "+*u.UserName] = text(f.t, u)
			}
		}
		for _, r := range page.RoleDetailList {
			if *r.RoleName == p.role || *r.RoleName == p.sso {
				all["role "+*r.RoleName] = text(f.t, r)
			}
		}
		for _, g := range page.GroupDetailList {
			if strings.HasPrefix(*g.GroupName, p.name) {
				all["group "+*g.GroupName] = text(f.t, g)
			}
		}
		for _, m := range page.Policies {
			if strings.Contains(*m.Arn, "policy/"+p.name) {
				all["policy "+*m.Arn] = text(f.t, m)
			}
		}
	}
	for _, b := range []string{p.bucket, p.bare} {
		if out, err := f.s3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &b}); err == nil {
			all["policy of "+b] = settledPolicy(f.t, *out.Policy)
		} else if !missing(err) {
			f.t.Fatal(err)
		}
		if out, err := f.s3.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &b}); err == nil {
			all["public access of "+b] = text(f.t, out.PublicAccessBlockConfiguration)
		} else if !missing(err) {
			f.t.Fatal(err)
		}
	}
	return all
}

func text(t *testing.T, v any) string {
	t.Helper()
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// settledPolicy is a policy as returned gives it back: which form it has then says nothing.
func settledPolicy(t *testing.T, policy string) string {
	once := returned(t, []byte(policy))
	twice := returned(t, once)
	return min(string(once), string(twice))
}
