package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
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
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"nightlatch/internal/alarm"
	"nightlatch/internal/awstest"
	"nightlatch/internal/containment"
	"nightlatch/internal/grant/granttest"
	"nightlatch/internal/incident"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/incident/dynamo/dynamotest"
	"nightlatch/internal/policy"
	"nightlatch/internal/rehearsal"
	"nightlatch/internal/rehearsal/awscanary"
)

var update = flag.Bool("update", false, "write the goldens")

func TestMain(m *testing.M) { awstest.Beside(m) }

// ours is the account that moto has for whoever names none.
const ours = "123456789012"

// year is a deployment with a canary in moto, through which time goes in quarters of an hour.
type year struct {
	t             *testing.T
	own           aws.Config // the test's own
	aws           *granttest.AWS
	r             *rehearser
	table         *dynamo.Store
	now           time.Time
	user, bucket  string
	key           string
	secret        string    // its ARN
	hears         string    // the queue that hears the team's topic
	used          time.Time // when IAM says that the key was used last
	sips          int
	unread        bool // the function in the canary's network fails
	denied        bool // IAM lets nobody turn the key on
	refused       bool // SNS takes nothing
	sawInTheOrder awscanary.Order
}

func newYear(t *testing.T, name string) *year {
	t.Helper()
	endpoint := awstest.Moto(t)
	y := &year{t: t, own: awstest.Config(endpoint), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), user: "canary-" + name, bucket: "canary-" + name}
	users := iam.NewFromConfig(y.own)
	y.must(users.CreateUser(t.Context(), &iam.CreateUserInput{UserName: &y.user}))
	key, err := users.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: &y.user})
	y.must(key, err)
	y.key = *key.AccessKey.AccessKeyId
	objects := s3.NewFromConfig(y.own)
	y.must(objects.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &y.bucket, CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}}))
	secret, err := secretsmanager.NewFromConfig(y.own).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &y.user,
		SecretString: aws.String(fmt.Sprintf(`{"access_key_id":%q,"secret_access_key":%q}`, y.key, *key.AccessKey.SecretAccessKey))})
	y.must(secret, err)
	y.secret = *secret.ARN
	topics, queues := sns.NewFromConfig(y.own), sqs.NewFromConfig(y.own)
	topic, err := topics.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("team-" + name)})
	y.must(topic, err)
	queue, err := queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("hears-" + name)})
	y.must(queue, err)
	y.hears = *queue.QueueUrl
	hearing := "arn:aws:sqs:eu-west-1:" + ours + ":hears-" + name
	y.must(topics.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: &hearing}))
	y.must(nil, dynamotest.Table(t.Context(), y.own, "table-"+name))
	if y.table, err = dynamo.New(y.own, "table-"+name); err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(endpoint)
	y.must(to, err)
	moto := httputil.NewSingleHostReverseProxy(to)
	y.aws = &granttest.AWS{T: t, Account: ours, Caller: "ASIAEXAMPLEREHEARSER", Find: func(kind, name string) (string, map[string]string) {
		return "arn:aws:iam::" + ours + ":user/" + y.user, nil
	}, Services: map[string]http.Handler{"": moto, "iam": y.iam(moto), "lambda": y.reads(), "sns": y.sns(moto)}}
	front := httptest.NewServer(y.aws)
	t.Cleanup(front.Close)
	cfg := awstest.Config(front.URL)
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: y.aws.Caller, SecretAccessKey: "x", SessionToken: "x"}, nil
	})
	root := t.TempDir()
	y.must(nil, os.WriteFile(filepath.Join(root, "endpoints.json"), []byte(`[{"protocol":"sqs","address":"`+hearing+`"}]`), 0o600))
	if y.r, err = build(cfg, []string{"NIGHTLATCH_TOPIC=" + *topic.TopicArn, "NIGHTLATCH_ACCOUNT=" + ours, "NIGHTLATCH_TABLE=table-" + name, "NIGHTLATCH_CANARY_USER=" + y.user, "NIGHTLATCH_CANARY_BUCKET=" + y.bucket,
		"NIGHTLATCH_CANARY_SECRET=" + y.secret, "NIGHTLATCH_CANARY_FUNCTION=canary", "NIGHTLATCH_DAYS=30"}, root); err != nil {
		t.Fatal(err)
	}
	y.r.now = func() time.Time { return y.now }
	return y
}

func (y *year) must(_ any, err error) {
	y.t.Helper()
	if err != nil {
		y.t.Fatal(err)
	}
}

// iam is moto, but for when a key was used, which it does not know.
func (y *year) iam(moto http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		switch action := form.Get("Action"); {
		case action == "GetAccessKeyLastUsed":
			used := ""
			if !y.used.IsZero() {
				used = "<LastUsedDate>" + y.used.Format(time.RFC3339) + "</LastUsedDate>"
			}
			fmt.Fprintf(w, "<GetAccessKeyLastUsedResponse><GetAccessKeyLastUsedResult><UserName>%s</UserName><AccessKeyLastUsed>%s<Region>eu-west-1</Region><ServiceName>s3</ServiceName></AccessKeyLastUsed></GetAccessKeyLastUsedResult></GetAccessKeyLastUsedResponse>", y.user, used)
			return
		case action == "UpdateAccessKey" && y.denied:
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>")
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		moto.ServeHTTP(w, r)
	})
}

// reads is the function in the canary's network: its own code.
func (y *year) reads() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if y.unread {
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
			io.WriteString(w, `{"errorMessage":"no route","errorType":"errorString"}`)
			return
		}
		if err := json.NewDecoder(r.Body).Decode(&y.sawInTheOrder); err != nil {
			y.t.Error(err)
		}
		n, err := awscanary.Take(r.Context(), y.own, y.sawInTheOrder)
		if err != nil {
			y.t.Error(err)
		}
		y.sips++
		fmt.Fprint(w, n)
	})
}

func (y *year) sns(moto http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if y.refused {
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, "<ErrorResponse><Error><Code>AuthorizationError</Code><Message>no</Message></Error></ErrorResponse>")
			return
		}
		moto.ServeHTTP(w, r)
	})
}

// calls has the function called, and returns what it answers.
func (y *year) calls(event string) (rehearsal.Answer, error) {
	return y.r.handle(y.t.Context(), json.RawMessage(`{"nightlatch":{"rehearse":"`+event+`"}}`))
}

func (y *year) tick() rehearsal.Answer {
	y.t.Helper()
	a, err := y.calls(rehearsal.Tick)
	y.must(a, err)
	return a
}

// heard is what the team has heard since it was asked last.
func (y *year) heard() string {
	y.t.Helper()
	var all strings.Builder
	for {
		out, err := sqs.NewFromConfig(y.own).ReceiveMessage(y.t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &y.hears, MaxNumberOfMessages: 10})
		y.must(out, err)
		if len(out.Messages) == 0 {
			return all.String()
		}
		for _, m := range out.Messages {
			var said struct{ Subject, Message string }
			y.must(nil, json.Unmarshal([]byte(*m.Body), &said))
			all.WriteString(said.Subject + "\n\n" + said.Message)
			y.must(sqs.NewFromConfig(y.own).DeleteMessage(y.t.Context(), &sqs.DeleteMessageInput{QueueUrl: &y.hears, ReceiptHandle: m.ReceiptHandle}))
		}
	}
}

func (y *year) status() string {
	y.t.Helper()
	out, err := iam.NewFromConfig(y.own).ListAccessKeys(y.t.Context(), &iam.ListAccessKeysInput{UserName: &y.user})
	y.must(out, err)
	return string(out.AccessKeyMetadata[0].Status)
}

// threeDays has the history laid that a rehearsal needs.
func (y *year) threeDays() {
	y.t.Helper()
	days := y.r.days
	y.r.days = 0 // a schedule would begin
	for range 3 * 6 {
		y.tick()
		y.now = y.now.Add(4 * time.Hour)
		if s := y.r.state(y.t); len(s.Laid) > 0 {
			y.used = s.Laid[len(s.Laid)-1]
		}
	}
	y.r.days = days
}

// state is what the rehearsals remember.
func (r *rehearser) state(t *testing.T) (s rehearsal.State) {
	t.Helper()
	body, _, err := r.table.Rehearsal(t.Context())
	if err == nil && body != "" {
		err = json.Unmarshal([]byte(body), &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// responds does what the responder does, so many minutes after the beginning: it opens an incident, turns the key off, and tells.
func (y *year) responds(begun time.Time) incident.Record {
	y.t.Helper()
	at := func(minutes int) time.Time { return begun.Add(time.Duration(minutes) * time.Minute) }
	target := policy.Target{ID: y.key, AccountID: ours, Owner: y.user}
	rec := incident.Record{Schema: incident.Schema, ID: begun.Format("20060102-150405") + "-0123456789abcdef", Opened: at(4), Deadline: at(40), Judged: at(8), MetricAt: at(5), Mode: containment.ModeAct,
		Alarm: alarm.Alarm{Name: "nightlatch-canary", Buckets: []string{y.bucket}, Since: at(3), Confirmed: true}, Rounds: []incident.QueryRound{{At: at(7), Bytes: rehearsal.Taken}},
		Verdicts: []incident.Verdict{{Action: policy.DeactivateKey, Target: y.key, Decision: policy.Contain, Reasons: []string{"contain-stolen-key: one long-term key took most of the bytes"}}},
		Outcomes: []containment.Outcome{{Action: policy.DeactivateKey, Target: y.key, State: containment.Done, At: at(9), DoneAt: at(9), Attempts: 1,
			Step: containment.Step{Action: policy.DeactivateKey, Target: target, Ref: containment.KeyRef(target), Before: containment.Doc{Text: containment.Active}, After: containment.Doc{Text: containment.Inactive}, Undo: "x"}}},
		Notified: []incident.Notice{{Kind: incident.Answer, Channel: "sns", Subject: "CONTAINED", At: at(10), Tries: 1}},
	}
	rec, err := y.table.Open(y.t.Context(), rec)
	y.must(rec, err)
	y.must(iam.NewFromConfig(y.own).UpdateAccessKey(y.t.Context(), &iam.UpdateAccessKeyInput{UserName: &y.user, AccessKeyId: &y.key, Status: types.StatusTypeInactive}))
	return rec
}

func (y *year) closes(rec incident.Record) {
	y.t.Helper()
	rec.Closed = y.now
	y.must(y.table.Put(y.t.Context(), rec))
}

// The whole of it: three days of history, a rehearsal by hand, what became of it told once, and the key on again when the incident is closed.
func TestARehearsal(t *testing.T) {
	t.Parallel()
	y := newYear(t, "whole")
	y.r.days = 0
	if a, err := y.calls(rehearsal.Now); err != nil || !strings.Contains(a.NotYet, "0 of the 3 days") || a.Run != nil {
		t.Fatalf("got %+v, %v", a, err)
	}
	y.threeDays()
	if y.sips != 3 || y.sawInTheOrder.Bytes != rehearsal.Sip || y.sawInTheOrder.Bucket != y.bucket {
		t.Fatalf("%d days of history, with %d bytes of %s", y.sips, y.sawInTheOrder.Bytes, y.sawInTheOrder.Bucket)
	}
	a, err := y.calls(rehearsal.Now)
	for a.NotYet != "" {
		y.must(a, err)
		if y.now = y.now.Add(time.Hour); y.now.After(time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC)) {
			t.Fatalf("a week later: %s", a.NotYet)
		}
		a, err = y.calls(rehearsal.Now)
	}
	y.must(a, err)
	begun := y.now
	if said := y.heard(); strings.Count(said, "] A REHEARSAL begins") != 1 {
		t.Errorf("before it the team heard\n%s", said)
	}
	if a.Run == nil || a.Run.Bytes != rehearsal.Taken || a.Run.Outcome != "" {
		t.Fatalf("got %+v", a.Run)
	}
	if again, err := y.calls(rehearsal.Now); err != nil || !strings.Contains(again.NotYet, "is not over") {
		t.Errorf("got %+v, %v", again, err)
	}
	y.now = y.now.Add(5 * time.Minute)
	if a := y.tick(); a.Run.Incident != "" || len(a.Run.Stages) != 1 || y.heard() != "" {
		t.Errorf("got %+v", a.Run)
	}
	rec := y.responds(begun)
	y.now = begun.Add(11 * time.Minute)
	if a, err := y.calls(rehearsal.Look); err != nil || a.Run.Outcome != rehearsal.Contained || a.Run.Incident != rec.ID || len(a.Run.Stages) != 8 || !a.Run.Told {
		t.Fatalf("got %+v, %v", a.Run, err)
	}
	if said := y.heard(); !strings.HasPrefix(said, "[nightlatch] REHEARSED: contained 9m0s after the first byte ("+ours+" eu-west-1)\n") || !strings.Contains(said, "   9:00  the key was seen off") {
		t.Errorf("the team heard\n%s", said)
	}
	y.now = y.now.Add(15 * time.Minute)
	if y.tick(); y.heard() != "" || y.status() != "Inactive" {
		t.Error("it was told twice, or the key is on while the incident is open")
	}
	y.closes(rec)
	y.now = y.now.Add(15 * time.Minute)
	if a := y.tick(); a.Run.Restored.IsZero() || y.status() != "Active" {
		t.Errorf("the key is %s: %+v", y.status(), a.Run)
	}
	if y.r.state(t).Going(y.now) {
		t.Error("it is not over")
	}
	granttest.Golden(t, filepath.Join("testdata", "calls.json"), *update, y.aws.Calls(y.key, "${Key}", "arn:aws:iam::"+ours+":user/"+y.user, "${CanaryUser}", "arn:aws:s3:::"+y.bucket, "${CanaryBucket}",
		y.secret, "${CanarySecret}",
		"arn:aws:lambda:eu-west-1:"+ours+":function:canary", "${CanaryFunction}", "arn:aws:sns:eu-west-1:"+ours+":team-whole", "${Topic}", "arn:aws:dynamodb:eu-west-1:"+ours+":table/table-whole", "${Table}"))
}

// A schedule begins one by itself, and says so before; the next comes thirty days later.
func TestAScheduledRehearsal(t *testing.T) {
	t.Parallel()
	y := newYear(t, "scheduled")
	y.threeDays()
	for y.r.state(t).Last == nil {
		y.tick()
		if y.now = y.now.Add(time.Hour); y.now.After(time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC)) {
			t.Fatal("none has begun in a week")
		}
	}
	if said := y.heard(); !strings.HasPrefix(said, "[nightlatch] A REHEARSAL begins") || !y.r.state(t).Last.Scheduled {
		t.Errorf("the team heard\n%s", said)
	}
	// Nothing comes of it.
	for range 5 {
		y.tick()
		y.now = y.now.Add(15 * time.Minute)
	}
	if said := y.heard(); !strings.Contains(said, "THE REHEARSAL FAILED") || !strings.Contains(said, "no incident was opened within 60 minutes") || strings.Count(said, "] THE REHEARSAL FAILED") != 1 {
		t.Errorf("the team heard\n%s", said)
	}
}

// Whoever is told of a rehearsal is told before: it does not begin where nobody would be.
func TestNobodyIsSurprised(t *testing.T) {
	t.Parallel()
	y := newYear(t, "surprised")
	y.threeDays()
	y.refused = true
	said := 0
	for range 8 {
		if _, err := y.calls(rehearsal.Tick); err != nil && strings.Contains(err.Error(), "nobody was notified") {
			said++
		}
		y.now = y.now.Add(3 * time.Hour)
	}
	if s := y.r.state(t); said == 0 || s.Last == nil || s.Last.Bytes != 0 || s.Last.Outcome != rehearsal.Failed {
		t.Errorf("%d errors, and it began as %+v", said, s.Last)
	}
	y.refused = false
	if y.tick(); !strings.Contains(y.heard(), "THE REHEARSAL FAILED") {
		t.Error("what became of it is not told when it can be")
	}
}

// What fails is an error, which an alarm hears, and is tried again.
func TestWhatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	y := newYear(t, "fails")
	y.r.days = 0
	y.unread = true
	if _, err := y.calls(rehearsal.Tick); err == nil || !strings.Contains(err.Error(), "no route") || len(y.r.state(t).Laid) != 0 {
		t.Errorf("%v, and laid are %v", err, y.r.state(t).Laid)
	}
	y.unread = false
	y.threeDays()
	y.now = y.now.Add(26 * time.Hour)
	a, err := y.calls(rehearsal.Now)
	if y.must(a, err); a.NotYet != "" {
		t.Fatal(a.NotYet)
	}
	begun := y.now
	rec := y.responds(begun)
	y.refused, y.now = true, y.now.Add(11*time.Minute)
	if _, err := y.calls(rehearsal.Look); err == nil || !strings.Contains(err.Error(), "nobody was notified") || y.r.state(t).Last.Told {
		t.Errorf("nobody was told: %v", err)
	}
	y.refused, y.now = false, y.now.Add(15*time.Minute)
	if y.tick(); !strings.Contains(y.heard(), "REHEARSED: contained 9m0s") {
		t.Error("it is not told when it can be")
	}
	y.closes(rec)
	y.denied = true
	if _, err := y.calls(rehearsal.Tick); err == nil || !strings.Contains(err.Error(), "the canary's key is not seen on again") || y.status() != "Inactive" {
		t.Errorf("the key is %s: %v", y.status(), err)
	}
	y.denied = false
	if y.tick(); y.status() != "Active" || y.r.state(t).Last.Restored.IsZero() {
		t.Errorf("the key is %s", y.status())
	}
}

// Somebody who has the canary's key does not pass for it, and no history is laid over his.
func TestSomebodyElseUsesTheKey(t *testing.T) {
	t.Parallel()
	y := newYear(t, "somebody")
	y.threeDays()
	sips := y.sips
	y.used = y.now
	y.now = y.now.Add(50 * time.Hour)
	if a := y.tick(); !strings.Contains(a.NotYet, "somebody else has used the canary's key") || y.sips != sips {
		t.Errorf("got %+v", a)
	}
}

// The record of an incident chooses nobody's key: only the canary's is turned on, whatever stands there.
func TestAnotherKeyIsNotTurnedOn(t *testing.T) {
	t.Parallel()
	y := newYear(t, "another")
	target := policy.Target{ID: "AKIAIOSFODNN7NEIGHB1", AccountID: ours, Owner: "mara"}
	o := containment.Outcome{Target: target.ID, Step: containment.Step{Target: target, Ref: containment.KeyRef(target), Before: containment.Doc{Text: containment.Active}, After: containment.Doc{Text: containment.Inactive}}}
	if state, err := y.r.canary.Restore(t.Context(), y.key, o); state != containment.Failed || err == nil {
		t.Errorf("got %s, %v", state, err)
	}
}

func TestEventsThatAreNone(t *testing.T) {
	t.Parallel()
	y := newYear(t, "none")
	for _, event := range []string{`{}`, `[]`, `{"nightlatch":{"rehearse":"all"}}`, `{"nightlatch":{"doctor":"daily"}}`} {
		if a, err := y.r.handle(t.Context(), json.RawMessage(event)); err == nil || a.Run != nil {
			t.Errorf("%s: got %+v, %v", event, a, err)
		}
	}
}
