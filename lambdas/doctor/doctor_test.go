package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go/encoding/cbor"

	"nightlatch/internal/awstest"
	"nightlatch/internal/checks/checkstest"
	"nightlatch/internal/doctor"
	"nightlatch/internal/evidence/athena"
	"nightlatch/internal/evidence/athena/athenatest"
	"nightlatch/internal/evidence/lake/laketest"
	"nightlatch/internal/grant/granttest"
	"nightlatch/internal/incident"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/policy"
	"nightlatch/internal/settings"
)

var goldens = flag.Bool("update", false, "write the goldens")

func TestMain(m *testing.M) { awstest.Beside(m) }

// world is an account with a stack, the function as it is deployed there, and what it says and sends.
type world struct {
	*checkstest.Account
	t   *testing.T
	aws *granttest.AWS
	e   *examiner

	root    string // where the policy lies
	mu      sync.Mutex
	refused string // a part of the SQL that Lake refuses
	beat    error  // what becomes of a heartbeat
	beats   int
	sent    []string // what the team is sent
	now     time.Time
	answer  struct { // to CloudFormation
		Status string
		Data   map[string]string
	}
	cloudFormation string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Account: checkstest.New(t), t: t, now: time.Now(), root: t.TempDir()}
	table := athena.Table{Location: "s3://files-" + w.ID + "/AWSLogs/", Accounts: []string{w.ID}}
	lake := laketest.New(func(sql string) ([]map[string]string, int64, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.refused != "" && strings.Contains(sql, w.refused) {
			return nil, 0, errors.New("line 1:8: mismatched input")
		}
		return nil, 1000, nil
	})
	files := athenatest.New(table, func(string) ([]map[string]string, int64, error) { return nil, 0, nil })
	t.Cleanup(lake.Close)
	t.Cleanup(files.Close)
	w.aws = &granttest.AWS{T: t, Account: w.ID, Caller: "ASIAEXAMPLEDOCTOR", Find: func(kind, name string) (string, map[string]string) {
		return "arn:aws:iam::" + w.ID + ":" + kind + "/" + name, nil
	}}
	w.aws.Services = map[string]http.Handler{"": w.Front, "athena": files, "sns": w.topic(), "iam": w.iam(),
		"cloudtrail": http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if target := r.Header.Get("X-Amz-Target"); strings.HasSuffix(target, "Query") || strings.HasSuffix(target, "QueryResults") {
				lake.ServeHTTP(rw, r)
				return
			}
			w.Front.ServeHTTP(rw, r)
		}),
		"secretsmanager": http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { // as the real one is: the URL leads into the machine
			io.WriteString(rw, `{"ARN":"x","SecretString":"https://127.0.0.1/beat"}`)
		})}
	front := httptest.NewServer(w.aws)
	t.Cleanup(front.Close)
	cfg := awstest.Config(front.URL)
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: w.aws.Caller, SecretAccessKey: "x", SessionToken: "x"}, nil
	})
	var err error
	for file, text := range map[string][]byte{settings.PolicyFile: policy.ShippedText(), settings.CasesFile: policy.ShippedCases()} {
		if err := os.WriteFile(filepath.Join(w.root, file), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.e, err = build(cfg, []string{"NIGHTLATCH_TOPIC=" + w.Names["Topic"], "NIGHTLATCH_ACCOUNTS=" + w.ID, "NIGHTLATCH_TABLE=" + checkstest.Table, "NIGHTLATCH_EVENT_DATA_STORE=" + w.StoreARN(),
		"NIGHTLATCH_TRAIL_LOCATION=" + table.Location, "NIGHTLATCH_STACK=" + w.StackID, "NIGHTLATCH_HEARTBEAT=" + w.secret()}, w.root)
	if err != nil {
		t.Fatal(err)
	}
	w.e.now = func() time.Time { return w.now }
	answers := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&w.answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(answers.Close)
	w.cloudFormation = answers.URL
	return w
}

func (w *world) secret() string {
	return "arn:aws:secretsmanager:eu-west-1:" + w.ID + ":secret:nightlatch/heartbeat"
}

// topic keeps what is published; the rest is moto's.
func (w *world) topic() http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(body)))
		form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if form.ParseForm(); form.Form.Get("Action") == "Publish" {
			w.sent = append(w.sent, form.Form.Get("Subject")+"\n"+form.Form.Get("Message"))
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		w.Front.ServeHTTP(rw, r)
	})
}

// iam knows what the account is called; the rest is moto's.
func (w *world) iam() http.Handler { return w.Front }

// quickly has heartbeats end as the test says, and asks no engine, which takes seconds.
func (w *world) quickly() *world {
	w.e.beat = func(context.Context) error { w.beats++; return w.beat }
	all := w.e.checks
	w.e.checks = func(minute time.Time) ([]doctor.Check, error) {
		list, err := all(minute)
		return slices.DeleteFunc(list, func(c doctor.Check) bool { return c.Name == doctor.QuestionsName }), err
	}
	return w
}

// happens hands an event over, and returns what the team was sent since.
func (w *world) happens(event string) []string {
	w.t.Helper()
	w.sent = nil
	if err := w.e.handle(w.t.Context(), json.RawMessage(event)); err != nil {
		w.t.Fatal(err)
	}
	return w.sent
}

const daily, beat = `{"nightlatch":{"doctor":"daily"}}`, `{"nightlatch":{"doctor":"heartbeat"}}`

func (w *world) deploys() []string {
	return w.happens(fmt.Sprintf(`{"RequestType":"Create","RequestId":"1","LogicalResourceId":"Questions","StackId":%q,"ResponseURL":%q,"ResourceProperties":{"Buckets":["exports=1GiB/1m+50GiB/24h"],"Others":"3","Id":"nightlatch"}}`,
		w.StackID, w.cloudFormation))
}

// A trail whose bucket's policy lacks us: the deployment does not fail, or nobody would know the roles' names; it says so, and the team gets the statement
// to add. The day after it is told again.
func TestABucketThatDoesNotLetUsInIsToldAtDeployment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Meddle = func(rw http.ResponseWriter, operation string) bool {
		if operation != "ListObjectsV2" {
			return false
		}
		rw.WriteHeader(http.StatusForbidden)
		fmt.Fprint(rw, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
		return true
	}
	const says = "as the policy of their bucket does not let us in: the function's role may not call s3:ListBucket on bucket"
	sent := w.deploys()
	if w.answer.Status != "SUCCESS" || !strings.Contains(w.answer.Data["Questions"], says) || !strings.Contains(w.answer.Data["Questions"], "takes 14 questions") {
		t.Errorf("got %+v", w.answer)
	}
	if len(sent) != 1 || !strings.HasPrefix(sent[0], "[nightlatch] DOES NOT HOLD: access") || !strings.Contains(sent[0], says) || !strings.Contains(sent[0], `its owner adds to the bucket's policy: [{"Action":"s3:GetObject"`) ||
		!strings.Contains(sent[0], w.Names["ResponderRole"]) || !strings.Contains(sent[0], "arn:aws:s3:::files-"+w.ID+"/AWSLogs/"+w.ID+"/CloudTrail/*") {
		t.Errorf("the team gets %q", sent)
	}
	w.now = w.now.Add(25 * time.Hour)
	if sent := w.quickly().happens(daily); len(sent) != 1 || !strings.Contains(sent[0], says) {
		t.Errorf("the day after the team gets %q", sent)
	}
}

// The metrics' answer is one for all of them.
func TestThresholdsAreProposedAtDeployment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	properties := func(bucket, others string) map[string]any {
		return map[string]any{"Buckets": []any{bucket}, "Others": others, "Id": "nightlatch"}
	}
	w.CloudWatch["GetMetricData"] = checkstest.Holding(500 << 20)
	if got, want := w.e.thresholds(t.Context(), properties("exports=1GiB/1m+50GiB/24h", "3")), "bucket exports: in one period of 24h it sent 500 MiB at most, far below 50.0 GiB; "+
		"it holds 500 MiB, and no alarm on it fires below 1.00 GiB: it can be emptied without one. Consider exports=250MiB/1m+1000MiB/24h; "+
		"3 more buckets were not looked at: ask nightlatch doctor, and nightlatch backtest"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := w.e.thresholds(t.Context(), properties("exports=1GiB/1w", "0")); !strings.HasPrefix(got, "not known, as the buckets that CloudFormation hands over cannot be read: ") {
		t.Errorf("there is no such period, and it says %q", got)
	}
	var refused error
	w.e.proposals = func(context.Context, string, []settings.Bucket) ([]string, error) { return nil, refused }
	if got, want := w.e.thresholds(t.Context(), properties("exports", "0")), "none would suit a bucket better, by its size and its last weeks"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	refused = errors.New("may not call it")
	if got := w.e.thresholds(t.Context(), properties("exports", "0")); got != "not known: may not call it" {
		t.Errorf("the metrics cannot be read, and it says %q", got)
	}
}

// What a stack's life calls is written down, and the role is judged by that (infra).
func TestEveryCallIsWrittenDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	table, err := dynamo.New(w.Config, checkstest.Table)
	if err == nil { // an incident that is open, and of which somebody was notified
		_, err = table.Open(t.Context(), incident.Record{ID: "i1", Opened: w.now.Add(-time.Hour), Notified: []incident.Notice{{Kind: incident.Page, Tries: 1}}})
	}
	if err != nil {
		t.Fatal(err)
	}
	w.CloudWatch["ListAlarmMuteRules"] = cbor.Map{"AlarmMuteRuleSummaries": cbor.List{cbor.Map{
		"AlarmMuteRuleArn": cbor.String("arn:aws:cloudwatch:eu-west-1:" + w.ID + ":alarm-mute-rule:theirs"), "Status": cbor.String("ACTIVE")}}}
	w.CloudWatch["GetAlarmMuteRule"] = cbor.Map{"MuteTargets": cbor.Map{"AlarmNames": cbor.List{cbor.String("theirs")}}}
	if sent := w.deploys(); len(sent) != 0 || w.answer.Status != "SUCCESS" || !strings.Contains(w.answer.Data["Questions"], "takes 14 questions") ||
		!strings.HasPrefix(w.answer.Data["Thresholds"], "bucket exports: in one period of 1m it sent 7.00 GiB at most") {
		t.Errorf("got %+v, sent %q", w.answer, sent)
	}
	real := w.e.beat
	if sent := w.quickly().happens(daily); len(sent) != 0 {
		t.Errorf("all is well, and the team gets %q", sent)
	}
	w.e.beat = real
	// The real heartbeat does not call this machine.
	if sent := w.happens(beat); len(sent) != 1 || !strings.HasPrefix(sent[0], "[nightlatch] DOES NOT HOLD: heartbeat ("+w.ID) || !strings.Contains(sent[0], "which is no public address") || strings.Contains(sent[0], "beat\"") && strings.Contains(sent[0], "https://127") {
		t.Errorf("the team gets %q", sent)
	}
	names := []string{"arn:aws:dynamodb:eu-west-1:" + w.ID + ":table/" + checkstest.Table, "${Table}", w.Names["Topic"], "${Topic}", w.StoreARN(), "${EventDataStore}", w.StackID, "${StackID}",
		w.secret(), "${Heartbeat}", "arn:aws:cloudtrail:eu-west-1:" + w.ID + ":trail/main", "${Trail}", w.Names["ResponderRole"], "Nightlatch-ResponderRole-x1", w.Names["Rings"], "Nightlatch-Rings-x1", "arn:aws:s3:::files-" + w.ID, "${TrailBucket}",
		w.Names["FailedEvents"][strings.LastIndex(w.Names["FailedEvents"], "/")+1:], "Nightlatch-FailedEvents-x1",
		w.Names["Notices"][strings.LastIndex(w.Names["Notices"], "/")+1:], "Nightlatch-Notices-x1", w.Names["Responder"], "Nightlatch-Responder-x1", w.Names["KeeperRole"], "Nightlatch-KeeperRole-x1", w.Names["Taken"], "0c1d2e3f-0000-4000-8000-0123456789ab",
		"arn:aws:s3:::" + w.Cases(), "${CaseBucket}", w.ID, "${Account}"}
	granttest.Golden(t, filepath.Join("testdata", "calls.json"), *goldens, w.aws.Calls(names...))
}

// What is broken is told once a day until it is mended, and then once that it holds again.
func TestWhatIsBrokenIsToldUntilItIsMended(t *testing.T) {
	t.Parallel()
	w := newWorld(t).quickly()
	trails := cloudtrail.NewFromConfig(w.Config)
	if sent := w.happens(daily); len(sent) != 0 {
		t.Fatalf("all is well, and the team gets %q", sent)
	}
	if _, err := trails.StopLogging(t.Context(), &cloudtrail.StopLoggingInput{Name: aws.String("main")}); err != nil {
		t.Fatal(err)
	}
	for _, hours := range []int{1, 24} {
		w.now = w.now.Add(time.Duration(hours) * time.Hour)
		sent := w.happens(daily)
		if len(sent) != 1 || !strings.HasPrefix(sent[0], "[nightlatch] DOES NOT HOLD: trail (") || !strings.Contains(sent[0], "is stopped, and records nothing; start it: aws cloudtrail start-logging") {
			t.Errorf("after %d hours the team gets %q", hours, sent)
		}
		w.now = w.now.Add(time.Hour)
		if sent := w.happens(daily); len(sent) != 0 {
			t.Errorf("an hour later it gets %q", sent)
		}
	}
	if _, err := trails.StartLogging(t.Context(), &cloudtrail.StartLoggingInput{Name: aws.String("main")}); err != nil {
		t.Fatal(err)
	}
	if sent := w.happens(daily); len(sent) != 1 || !strings.HasPrefix(sent[0], "[nightlatch] HOLDS AGAIN: trail (") {
		t.Errorf("mended, the team gets %q", sent)
	}
	if sent := w.happens(daily); len(sent) != 0 {
		t.Errorf("then it gets %q", sent)
	}
}

// A sign of life is sent where endpoints, alarms and queues work, and only there. Whoever answers it badly is told of.
func TestTheHeartbeatIsSentWhereItIsEarned(t *testing.T) {
	t.Parallel()
	w := newWorld(t).quickly()
	beats := func(want int) {
		t.Helper()
		if w.beats != want {
			t.Errorf("%d heartbeats were sent, want %d", w.beats, want)
		}
	}
	if sent := w.happens(beat); len(sent) != 0 {
		t.Errorf("the team gets %q", sent)
	}
	beats(1)
	w.beat = errors.New("the URL answers with HTTP 500")
	for i, want := range []int{1, 0} { // told once, and not every fifteen minutes
		w.now = w.now.Add(15 * time.Minute)
		if sent := w.happens(beat); len(sent) != want || want == 1 && !strings.Contains(sent[0], "The URL answers with HTTP 500") {
			t.Errorf("%d: the team gets %q", i, sent)
		}
	}
	beats(3)
	w.beat = nil
	if sent := w.happens(beat); len(sent) != 1 || !strings.Contains(sent[0], "HOLDS AGAIN: heartbeat") {
		t.Errorf("the team gets %q", sent)
	}
	beats(4)
	client, queue := sqs.NewFromConfig(w.Config), w.Names["FailedEvents"]
	if _, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &queue, MessageBody: aws.String("{}")}); err != nil {
		t.Fatal(err)
	}
	if sent := w.happens(beat); len(sent) != 1 || !strings.Contains(sent[0], "DOES NOT HOLD: queues") {
		t.Errorf("the team gets %q", sent)
	}
	beats(4)
	if _, err := client.PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: &queue}); err != nil {
		t.Fatal(err)
	}
	// Whoever empties the queue is seen: it says what was in it.
	if sent := w.happens(beat); len(sent) != 1 || !strings.Contains(sent[0], "HOLDS AGAIN: queues") || !strings.Contains(sent[0], "holds 1 failed event") {
		t.Errorf("the team gets %q", sent)
	}
	beats(5)
	w.Alarm["ActionsEnabled"] = cbor.Bool(false)
	w.happens(beat)
	beats(5)
	w.Alarm["ActionsEnabled"] = cbor.Bool(true)
	w.happens(beat)
	beats(6)
	// What may break tomorrow does not stop it.
	w.Meddle = func(rw http.ResponseWriter, operation string) bool {
		if operation != "GetSubscriptionAttributes" {
			return false
		}
		fmt.Fprint(rw, `<GetSubscriptionAttributesResponse><GetSubscriptionAttributesResult><Attributes><entry><key>SubscriptionArn</key><value>`+w.subscription()+`</value></entry>
<entry><key>ConfirmationWasAuthenticated</key><value>false</value></entry></Attributes></GetSubscriptionAttributesResult></GetSubscriptionAttributesResponse>`)
		return true
	}
	if sent := w.happens(beat); len(sent) != 1 || !strings.Contains(sent[0], "--authenticate-on-unsubscribe true") {
		t.Errorf("the team gets %q", sent)
	}
	beats(7)
	// A table that cannot be read stops it: whether notices come is not known. Then nothing is told that might be told every fifteen minutes.
	w.Meddle = func(rw http.ResponseWriter, operation string) bool {
		if operation == "GetItem" {
			rw.WriteHeader(http.StatusBadRequest)
			io.WriteString(rw, `{"__type":"AccessDeniedException","message":"no"}`)
			return true
		}
		return false
	}
	if sent := w.happens(beat); len(sent) != 0 {
		t.Errorf("the team gets %q", sent)
	}
	beats(7)
	// The daily run tells all the same.
	w.Alarm["ActionsEnabled"] = cbor.Bool(false)
	if sent := w.happens(daily); len(sent) != 1 || !strings.Contains(sent[0], "DOES NOT HOLD: alarms") {
		t.Errorf("the team gets %q", sent)
	}
}

// subscription is the ARN of the team's.
func (w *world) subscription() string {
	rec := httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("Action=ListSubscriptionsByTopic&Version=2010-03-31&TopicArn="+w.Names["Topic"]))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x/20260304/eu-west-1/sns/aws4_request, SignedHeaders=host, Signature=0")
	w.Front.ServeHTTP(rec, req)
	_, arn, _ := strings.Cut(rec.Body.String(), "<SubscriptionArn>")
	arn, _, _ = strings.Cut(arn, "</SubscriptionArn>")
	return arn
}

// An engine that refuses one question stops no deployment: the stack's output and the team have its words.
func TestWhatAnEngineRefusesIsSaidAtDeployment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.refused = "part = 'principal'" // in the usage question alone
	sent := w.deploys()
	if said := w.answer.Data["Questions"]; w.answer.Status != "SUCCESS" || !strings.Contains(said, "does not take the question usage") || !strings.Contains(said, "mismatched input") || strings.Count(said, "does not take") != 1 {
		t.Errorf("got %+v", w.answer)
	}
	if len(sent) != 1 || !strings.Contains(sent[0], "DOES NOT HOLD: questions") || !strings.Contains(sent[0], "nobody's habits are known, and every step waits for a human") {
		t.Errorf("the team gets %q", sent)
	}
	w.answer.Status = ""
	w.happens(fmt.Sprintf(`{"RequestType":"Delete","RequestId":"1","LogicalResourceId":"Questions","PhysicalResourceId":"nightlatch-questions","StackId":%q,"ResponseURL":%q}`, w.StackID, w.cloudFormation))
	if w.answer.Status != "SUCCESS" {
		t.Errorf("deleting: %+v", w.answer)
	}
}

func TestWhatIsNoEventOfOurs(t *testing.T) {
	e := &examiner{}
	for _, event := range []string{``, `[]`, `{}`, `{"nightlatch":{"doctor":"weekly"}}`, beat, `{"RequestType":7}`, `{"RequestType":"Create","ResourceProperties":7}`} {
		if err := e.handle(t.Context(), json.RawMessage(event)); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v", event, err)
		}
	}
}
