package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/rogpeppe/go-internal/testscript"

	"nightlatch/internal/awstest"
	"nightlatch/internal/containment"
	"nightlatch/internal/deployment/approvertest"
	"nightlatch/internal/incident"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/incident/dynamo/dynamotest"
	"nightlatch/internal/policy"
	"nightlatch/internal/posture/awsposture/advisortest"
	"nightlatch/internal/settings"
	"nightlatch/internal/version"
)

const (
	theHuman  = "ASIAEXAMPLEHUMAN0001"
	stagehand = "ASIAEXAMPLESTAGEHAND" // who makes the deployment, and is not watched
	secret    = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	table     = "Nightlatch-incidents"
	stolen    = "AKIAEXAMPLESTOLEN001" // in the scripts' trails; $KEY in moto
)

// stage is one script's AWS: an account of moto's with a deployment in it, and an approver.
type stage struct {
	account, key string
	config       aws.Config
	store        *dynamo.Store
	iam          *iam.Client
	approver     *approvertest.Approver
	second       *approvertest.Approver // of a company

	mu     sync.Mutex
	calls  []string       // of the command, as a grant names them
	faults map[string]int // by action: the call that fails, the first being 1
	// rehearser are the next answers of the function that rehearses, and rehearsed what it was asked.
	rehearser, rehearsed []string
	asked                []string // functions with the events that nobody waited for
}

// The scripts under testdata/deployed are what a human does at midnight with a deployed Nightlatch. Each has an account of its own in moto,
// with the stack's outputs, the table and one IAM user, and an approver that checks signatures.
func TestDeployedStories(t *testing.T) {
	moto, err := url.Parse(awstest.Moto(t))
	if err != nil {
		t.Fatal(err)
	}
	var accounts atomic.Int64
	testscript.Run(t, testscript.Params{
		Dir: "testdata/deployed",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"trail": trail, "alarm": alarmFile, "keep": keep, "brakes": brakes, "answer": answer, "requests": requests, "status": status, "called": called, "fail": fail,
			"delete-key": deleteKey, "rehearser": rehearser, "company": company, "asked": asked,
		},
		Setup: func(e *testscript.Env) error {
			st := &stage{account: strconv.FormatInt(111122223000+accounts.Add(1), 10), faults: map[string]int{}}
			front := httptest.NewServer(st.front(&advisortest.IAM{Services: []advisortest.Service{{Namespace: "ec2"}}, Next: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(moto)
				switch key := keyOf(r.In); {
				case strings.HasPrefix(key, stagehand+"-"):
					r.Out.Header.Set("X-Moto-Account-Id", strings.TrimPrefix(key, stagehand+"-")) // https://docs.getmoto.org/en/latest/docs/multi_account.html
				case key == theHuman || key == stagehand || key == "":
					r.Out.Header.Set("X-Moto-Account-Id", st.account)
				} // else of a role, which is of an account
			}}}))
			e.Defer(front.Close)
			e.Values["stage"], e.Values["t"] = st, t
			st.approver = approvertest.New(t, secret, st.account+"/eu-west-1/"+table)
			st.approver.Answer(200, `{"said":"Noted."}`)
			st.config = aws.Config{Region: "eu-west-1", BaseEndpoint: &front.URL, Credentials: credentials.NewStaticCredentialsProvider(stagehand, "test", "")}
			if err := st.deploy(t); err != nil {
				return err
			}
			for name, value := range map[string]string{
				"HOME": e.WorkDir, "AWS_CONFIG_FILE": e.WorkDir + "/none", "AWS_SHARED_CREDENTIALS_FILE": e.WorkDir + "/none", "AWS_EC2_METADATA_DISABLED": "true",
				"AWS_ENDPOINT_URL": front.URL, "AWS_CA_BUNDLE": st.approver.CA, "AWS_REGION": "eu-west-1",
				"AWS_ACCESS_KEY_ID": theHuman, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": "token", "KEY": st.key, "ACCOUNT": st.account, "URL": st.approver.URL,
			} {
				e.Setenv(name, value)
			}
			return nil
		},
	})
}

// keyOf is the access key id with which a request is signed; "" where it is not.
func keyOf(r *http.Request) string {
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	key, _, _ := strings.Cut(rest, "/")
	return key
}

// front notes the command's calls on their way to moto, and fails those that are to fail.
func (st *stage) front(moto http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		action := r.Method + " " + r.Host
		if _, target, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
			action = "dynamodb:" + target
		} else if strings.HasSuffix(r.URL.Path, "/invocations") {
			action = "lambda:InvokeFunction"
		} else if form, err := url.ParseQuery(string(body)); err == nil && strings.Contains(r.Header.Get("Authorization"), "Credential=") {
			action = strings.Split(r.Header.Get("Authorization"), "/")[3] + ":" + form.Get("Action")
		}
		if !strings.HasPrefix(keyOf(r), stagehand) {
			st.mu.Lock()
			st.calls = append(st.calls, action)
			n, planned := st.faults[action]
			st.faults[action] = n - 1
			st.mu.Unlock()
			if planned && n == 1 {
				w.WriteHeader(http.StatusForbidden)
				if strings.HasPrefix(action, "dynamodb:") {
					io.WriteString(w, `{"__type":"com.amazon.coral.service#AccessDeniedException","message":"User: x is not authorized to perform: it"}`)
				} else {
					io.WriteString(w, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>User: x is not authorized to perform: it</Message></Error></ErrorResponse>`)
				}
				return
			}
		}
		if action == "lambda:InvokeFunction" && r.Header.Get("X-Amz-Invocation-Type") == "Event" {
			st.mu.Lock()
			st.asked = append(st.asked, strings.Split(r.URL.Path, "/")[3]+" "+string(body))
			st.mu.Unlock()
			w.WriteHeader(http.StatusAccepted)
			return
		}
		if action == "lambda:InvokeFunction" {
			st.invoked(w, string(body))
			return
		}
		moto.ServeHTTP(w, r)
	})
}

// invoked answers as Lambda does for the function that rehearses: what is in braces is its answer, and all else its error.
func (st *stage) invoked(w http.ResponseWriter, event string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.rehearsed = append(st.rehearsed, event)
	if len(st.rehearser) == 0 {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	answer := st.rehearser[0]
	st.rehearser = st.rehearser[1:]
	if !strings.HasPrefix(answer, "{") {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		answer = fmt.Sprintf(`{"errorMessage":%q}`, answer)
	}
	io.WriteString(w, answer)
}

// rehearser ANSWER … gives the stack a canary, and its function these answers.
func rehearser(ts *testscript.TestScript, _ bool, args []string) {
	st := on(ts)
	template := fmt.Sprintf(`{"Resources":{"Queue":{"Type":"AWS::SQS::Queue"}},"Outputs":{%q:{"Value":%q},%q:{"Value":"Rehearser"}}}`, settings.TableOutput, table, settings.RehearserOutput)
	_, err := cloudformation.NewFromConfig(st.config).UpdateStack(context.Background(), &cloudformation.UpdateStackInput{StackName: aws.String("Nightlatch"), TemplateBody: &template})
	ts.Check(err)
	st.mu.Lock()
	defer st.mu.Unlock()
	st.rehearser = args
}

// deploy makes what a deployment has for the commands: the stack's outputs and the table; and mara, with her key.
func (st *stage) deploy(t *testing.T) error {
	ctx := t.Context()
	if err := stacked(ctx, st.config, map[string]string{settings.TableOutput: table, settings.ApproverOutput: st.approver.URL, settings.ModeOutput: settings.DeployedMode("act", "two"), settings.ResponderOutput: "Responder"}, nil); err != nil {
		return err
	}
	st.iam = iam.NewFromConfig(st.config)
	if _, err := st.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("mara")}); err != nil {
		return err
	}
	key, err := st.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String("mara")})
	if err != nil {
		return err
	}
	st.key = *key.AccessKey.AccessKeyId
	st.store, err = dynamo.New(st.config, table)
	return err
}

// stacked makes a stack with these outputs, made with these settings, and its table.
func stacked(ctx context.Context, config aws.Config, outputs map[string]string, given map[string]any) error {
	type object = map[string]any
	all := object{}
	for key, value := range outputs {
		all[key] = object{"Value": value}
	}
	template, err := json.Marshal(object{"Resources": object{"Queue": object{"Type": "AWS::SQS::Queue"}}, "Outputs": all, "Metadata": object{settings.DeployedKey: object{settings.GivenKey: settings.Given(given)}}})
	if err != nil {
		return err
	}
	if _, err := cloudformation.NewFromConfig(config).CreateStack(ctx, &cloudformation.CreateStackInput{StackName: aws.String("Nightlatch"), TemplateBody: aws.String(string(template))}); err != nil {
		return err
	}
	return dynamotest.Table(ctx, config, table)
}

// company makes three deployments more, and a file of five: the stage's own; one in another region; one in another account, into which a role leads; one
// that was not deployed; and one in an account into which nothing leads. A sixth region is not even bootstrapped.
func company(ts *testscript.TestScript, _ bool, args []string) {
	st, ctx := on(ts), context.Background()
	other := "4444" + st.account[4:]
	t := ts.Value("t").(*testing.T)
	second := approvertest.New(t, secret, st.account+"/us-east-1/"+table)
	second.Answer(200, `{"said":"The mode is ask now; it was act."}`)
	bundle := ts.MkAbs("bundle.pem")
	var all []byte
	for _, a := range []*approvertest.Approver{st.approver, second} {
		text, err := os.ReadFile(a.CA)
		ts.Check(err)
		all = append(all, text...)
	}
	ts.Check(os.WriteFile(bundle, all, 0o600))
	ts.Setenv("AWS_CA_BUNDLE", bundle)
	at := func(account, region string) aws.Config {
		c := st.config.Copy()
		c.Region, c.Credentials = region, credentials.NewStaticCredentialsProvider(stagehand+"-"+account, "test", "")
		return c
	}
	shipped, err := policy.Load("", policy.ShippedText())
	ts.Check(err)
	digest := policy.DigestOf(shipped, policy.ShippedText()).SHA256
	ts.Check(stacked(ctx, at(st.account, "us-east-1"), map[string]string{settings.TableOutput: table, settings.ApproverOutput: second.URL, settings.ModeOutput: "act",
		settings.VersionOutput: version.Release, settings.PolicyOutput: digest}, map[string]any{"buckets": "exports", "email": "soc@example.com", "mode": "act", "hub": "arn:aws:events:eu-west-1:" + other + ":event-bus/NightlatchHub"}))
	ts.Check(stacked(ctx, at(other, "eu-west-1"), map[string]string{settings.TableOutput: table, settings.ModeOutput: "ask",
		settings.VersionOutput: "0.1.0", settings.PolicyOutput: digest}, map[string]any{"buckets": "old\u202e", "email": "soc@example.com", "total": "none", "hub": "arn:aws:events:eu-west-1:" + other + ":event-bus/NightlatchHub"}))
	hub := fmt.Sprintf(`{"Resources":{"Queue":{"Type":"AWS::SQS::Queue"}},"Outputs":{%q:{"Value":%q}},"Metadata":{%q:{%q:{"email":"old@example.com"}}}}`, settings.VersionOutput, version.Release, settings.DeployedKey, settings.GivenKey)
	_, err = cloudformation.NewFromConfig(at(other, "eu-west-1")).CreateStack(ctx, &cloudformation.CreateStackInput{StackName: aws.String(settings.HubName), TemplateBody: &hub})
	ts.Check(err)
	_, err = iam.NewFromConfig(at(other, "eu-west-1")).CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("OnCall"), AssumeRolePolicyDocument: aws.String("{}")})
	ts.Check(err)
	toolkit := `{"Resources":{"Queue":{"Type":"AWS::SQS::Queue"}}}`
	_, err = cloudformation.NewFromConfig(at(other, "us-west-2")).CreateStack(ctx, &cloudformation.CreateStackInput{StackName: aws.String("CDKToolkit"), TemplateBody: &toolkit})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), fmt.Appendf(nil, `{"shared": {"email": "soc@example.com"}, "deployments": [
{"account": %[1]q, "region": "eu-west-1", "buckets": "exports", "mode": "act"},
{"account": %[1]q, "region": "us-east-1", "buckets": "exports", "mode": "act"},
{"account": %[2]q, "region": "eu-west-1", "buckets": "exports", "role": "OnCall"},
{"account": %[2]q, "region": "us-west-2", "buckets": "exports", "role": "OnCall"},
{"account": %[2]q, "region": "eu-north-1", "buckets": "exports", "role": "OnCall"},
{"account": "999911112222", "region": "eu-west-1", "buckets": "exports"}],
"hub": {"account": %[2]q, "region": "eu-west-1", "role": "OnCall", "email": "soc@example.com"}}`, st.account, other), 0o600))
	ts.Setenv("OTHER", other)
	ts.Setenv("VERSION", version.Release)
	st.second = second
}

func on(ts *testscript.TestScript) *stage { return ts.Value("stage").(*stage) }

// keep FILE [field=value …] puts an incident into the table, as respond --json has printed it, with the account and the key of moto. The
// key is left as the incident has left it.
func keep(ts *testscript.TestScript, _ bool, args []string) {
	st := on(ts)
	text := strings.NewReplacer(ours, st.account, stolen, st.key).Replace(ts.ReadFile(args[0]))
	var rec incident.Record
	ts.Check(json.Unmarshal([]byte(text), &rec))
	rec.Version = 0
	for _, field := range args[1:] {
		name, value, _ := strings.Cut(field, "=")
		if unquoted, err := strconv.Unquote(value); err == nil {
			value = unquoted
		}
		at, _ := time.Parse(time.RFC3339, value)
		switch name {
		case "id":
			rec.ID = value
		case "opened":
			rec.Opened = at
		case "bucket":
			rec.Alarm.Buckets = []string{value}
		case "closed":
			rec.Closed = at
		case "escalated":
			rec.Escalated = at
		case "subject":
			rec.Notified = append(rec.Notified, incident.Notice{Subject: value})
		case "state":
			rec.Outcomes[0].State = containment.State(value)
		case "before":
			rec.Outcomes[0].Step.Before.Text = value
		case "owner":
			rec.Outcomes[0].Step.Target.Owner = value
		case "account":
			rec.Outcomes[0].Step.Target.AccountID = value
		case "by-hand":
			rec.Outcomes[0].Step.Ref = containment.Ref{}
		case "first": // the step of another key before it
			other := rec.Outcomes[0]
			other.Target, other.Step.Ref.Name = value, value
			rec.Outcomes = append([]containment.Outcome{other}, rec.Outcomes...)
		case "again": // the same step once more
			rec.Outcomes = append(rec.Outcomes, rec.Outcomes[0])
		default:
			ts.Fatalf("no field %s", name)
		}
	}
	_, err := st.store.Open(context.Background(), rec)
	ts.Check(err)
	if slices.ContainsFunc(rec.Outcomes, func(o containment.Outcome) bool { return o.State == containment.Done }) {
		_, err := st.iam.UpdateAccessKey(context.Background(), &iam.UpdateAccessKeyInput{UserName: aws.String("mara"), AccessKeyId: &st.key, Status: containment.Inactive})
		ts.Check(err)
	}
}

// brakes JSON sets the lowered mode and the holds.
func brakes(ts *testscript.TestScript, _ bool, args []string) {
	var b incident.Brakes
	ts.Check(json.Unmarshal([]byte(args[0]), &b))
	_, err := on(ts).store.SetBrakes(context.Background(), b)
	ts.Check(err)
}

// answer STATUS BODY has the approver answer from now on.
func answer(ts *testscript.TestScript, _ bool, args []string) {
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	on(ts).approver.Answer(code, args[1])
}

// asked [FUNCTION EVENT …] compares what functions were called with since, without waiting.
func asked(ts *testscript.TestScript, _ bool, want []string) {
	st := on(ts)
	st.mu.Lock()
	defer st.mu.Unlock()
	if got := st.asked; !slices.Equal(got, want) {
		ts.Fatalf("asked were %q, want %q", got, want)
	}
	st.asked = nil
}

// requests [REQUEST …] compares what the approver has been asked since.
func requests(ts *testscript.TestScript, _ bool, want []string) {
	if got := on(ts).approver.Requests(); !slices.Equal(got, want) {
		ts.Fatalf("the approver got %q, want %q", got, want)
	}
}

// status WANT compares the key's status.
func status(ts *testscript.TestScript, _ bool, args []string) {
	out, err := on(ts).iam.ListAccessKeys(context.Background(), &iam.ListAccessKeysInput{UserName: aws.String("mara")})
	ts.Check(err)
	got := "gone"
	for _, k := range out.AccessKeyMetadata {
		got = string(k.Status)
	}
	if got != args[0] {
		ts.Fatalf("the key is %s, want %s", got, args[0])
	}
}

// delete-key has somebody delete the key.
func deleteKey(ts *testscript.TestScript, _ bool, _ []string) {
	st := on(ts)
	_, err := st.iam.DeleteAccessKey(context.Background(), &iam.DeleteAccessKeyInput{UserName: aws.String("mara"), AccessKeyId: &st.key})
	ts.Check(err)
}

// called [ACTION …] compares which of AWS's actions the command has called since.
func called(ts *testscript.TestScript, _ bool, want []string) {
	st := on(ts)
	st.mu.Lock()
	defer st.mu.Unlock()
	slices.Sort(st.calls)
	got := slices.Compact(st.calls)
	st.calls = nil
	slices.Sort(want)
	if !slices.Equal(got, want) {
		ts.Fatalf("called %q, want %q", got, want)
	}
}

// fail ACTION N has the Nth call from now on be denied.
func fail(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	st := on(ts)
	st.mu.Lock()
	defer st.mu.Unlock()
	st.faults[args[0]] = n
}
