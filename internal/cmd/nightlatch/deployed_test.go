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
	"nightlatch/internal/posture/awsposture/advisortest"
	"nightlatch/internal/settings"
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

	mu     sync.Mutex
	calls  []string       // of the command, as a grant names them
	faults map[string]int // by action: the call that fails, the first being 1
	// rehearser are the next answers of the function that rehearses, and rehearsed what it was asked.
	rehearser, rehearsed []string
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
			"delete-key": deleteKey, "rehearser": rehearser,
		},
		Setup: func(e *testscript.Env) error {
			st := &stage{account: strconv.FormatInt(111122223000+accounts.Add(1), 10), faults: map[string]int{}}
			front := httptest.NewServer(st.front(&advisortest.IAM{Services: []advisortest.Service{{Namespace: "ec2"}}, Next: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(moto)
				r.Out.Header.Set("X-Moto-Account-Id", st.account) // https://docs.getmoto.org/en/latest/docs/multi_account.html
			}}}))
			e.Defer(front.Close)
			e.Values["stage"] = st
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

// front notes the command's calls on their way to moto, and fails those that are to fail.
func (st *stage) front(moto http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		action := r.Method + " " + r.Host
		if _, target, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
			action = "dynamodb:" + target
		} else if r.URL.Path == "/2015-03-31/functions/Rehearser/invocations" {
			action = "lambda:InvokeFunction"
		} else if form, err := url.ParseQuery(string(body)); err == nil && strings.Contains(r.Header.Get("Authorization"), "Credential=") {
			action = strings.Split(r.Header.Get("Authorization"), "/")[3] + ":" + form.Get("Action")
		}
		if !strings.Contains(r.Header.Get("Authorization"), "Credential="+stagehand+"/") {
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
	template := fmt.Sprintf(`{"Resources":{"Queue":{"Type":"AWS::SQS::Queue"}},"Outputs":{%q:{"Value":%q},%q:{"Value":%q},%q:{"Value":%q}}}`,
		settings.TableOutput, table, settings.ApproverOutput, st.approver.URL, settings.ModeOutput, settings.DeployedMode("act", "two"))
	if _, err := cloudformation.NewFromConfig(st.config).CreateStack(ctx, &cloudformation.CreateStackInput{StackName: aws.String("Nightlatch"), TemplateBody: &template}); err != nil {
		return err
	}
	if err := dynamotest.Table(ctx, st.config, table); err != nil {
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
