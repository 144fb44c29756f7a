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
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"nightlatch/internal/awstest"
	"nightlatch/internal/checks"
	"nightlatch/internal/evidence"
	"nightlatch/internal/grant/granttest"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/incident/dynamo/dynamotest"
	"nightlatch/internal/incident/storetest"
	"nightlatch/internal/notices"
)

var update = flag.Bool("update", false, "write the goldens")

// ours is the account that moto has for whoever names none; the template's is another.
const ours, theirTopic = "123456789012", "arn:aws:sns:eu-west-1:111122223333:Nightlatch-Topic-x1"

// night is a deployment's rules, queue and topics in moto, and the function that is called with what is in the queue.
type night struct {
	t                     *testing.T
	endpoint, name        string
	own                   aws.Config // the test's own
	sqs                   *sqs.Client
	queue                 string
	topic, watch          string // ARNs
	teamHears, watchHears string // the queues that subscribe to them
	aws                   *granttest.AWS
	teller                notices.Teller
	failed                []events.SQSBatchItemFailure // of the last batch
}

func newNight(t *testing.T, name string) *night {
	t.Helper()
	endpoint := awstest.Moto(t)
	n := &night{t: t, endpoint: endpoint, name: name, own: awstest.Config(endpoint)}
	n.sqs = sqs.NewFromConfig(n.own)
	n.queue = n.newQueue("notices")
	n.topic, n.teamHears = n.newTopic("team")
	n.watch, n.watchHears = n.newTopic("watch")
	if err := dynamotest.Table(t.Context(), n.own, "table-"+name); err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	n.aws = &granttest.AWS{T: t, Account: ours, Caller: "ASIAEXAMPLETELLER", Services: map[string]http.Handler{"": httputil.NewSingleHostReverseProxy(to),
		"iam": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "<ListAccountAliasesResponse><ListAccountAliasesResult><AccountAliases/></ListAccountAliasesResult></ListAccountAliasesResponse>")
		})}}
	front := httptest.NewServer(n.aws)
	t.Cleanup(front.Close)
	cfg := awstest.Config(front.URL)
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: n.aws.Caller, SecretAccessKey: "x", SessionToken: "x"}, nil
	})
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "watched.json"), []byte(`{"Buckets":["a-bucket","b-bucket"],"Id":"nightlatch"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	hearing := `[{"protocol":"sqs","address":"` + arnOf(n.teamHears) + `"}]`
	if err := os.WriteFile(filepath.Join(root, "endpoints.json"), []byte(hearing), 0o600); err != nil {
		t.Fatal(err)
	}
	if n.teller, err = build(cfg, []string{"NIGHTLATCH_TOPIC=" + n.topic, "NIGHTLATCH_WATCHERS=" + n.watch, "NIGHTLATCH_TABLE=table-" + name}, root); err != nil {
		t.Fatal(err)
	}
	n.putRules()
	return n
}

func (n *night) newQueue(kind string) string {
	out, err := n.sqs.CreateQueue(n.t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(kind + "-" + n.name)})
	if err != nil {
		n.t.Fatal(err)
	}
	return *out.QueueUrl
}

// newTopic makes a topic, and a queue that hears it.
func (n *night) newTopic(kind string) (arn, queue string) {
	queue = n.newQueue(kind + "-hears")
	client := sns.NewFromConfig(n.own)
	topic, err := client.CreateTopic(n.t.Context(), &sns.CreateTopicInput{Name: aws.String(kind + "-" + n.name)})
	if err == nil {
		_, err = client.Subscribe(n.t.Context(), &sns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: aws.String(arnOf(queue))})
	}
	if err != nil {
		n.t.Fatal(err)
	}
	return *topic.TopicArn, queue
}

func arnOf(queue string) string {
	return "arn:aws:sqs:eu-west-1:" + ours + ":" + queue[strings.LastIndex(queue, "/")+1:]
}

// putRules puts the rules of the stack's template to moto, with its queue as their target.
func (n *night) putRules() {
	text, err := os.ReadFile(filepath.Join("..", "..", "infra", "testdata", "template.golden"))
	var template struct {
		Resources map[string]struct {
			Type       string
			Properties struct {
				EventPattern any
				Targets      []struct {
					InputTransformer struct{ InputTemplate string }
				}
			}
		}
	}
	if err == nil {
		err = json.Unmarshal(text, &template)
	}
	if err != nil {
		n.t.Fatal(err)
	}
	rules := 0
	for id, r := range template.Resources {
		if r.Type != "AWS::Events::Rule" || !strings.HasPrefix(id, "Tampering") {
			continue
		}
		rules++
		pattern, _ := json.Marshal(r.Properties.EventPattern)
		n.events("PutRule", map[string]any{"Name": id + n.name, "EventPattern": string(pattern)})
		n.events("PutTargets", map[string]any{"Rule": id + n.name, "Targets": []any{map[string]any{"Id": "notices", "Arn": arnOf(n.queue),
			"InputTransformer": map[string]any{"InputTemplate": r.Properties.Targets[0].InputTransformer.InputTemplate, "InputPathsMap": map[string]any{}}}}})
	}
	n.t.Cleanup(func() {
		for id := range template.Resources {
			if strings.HasPrefix(id, "Tampering") { // moto has one bus for all stories
				n.events("RemoveTargets", map[string]any{"Rule": id + n.name, "Ids": []string{"notices"}})
				n.events("DeleteRule", map[string]any{"Name": id + n.name, "Force": true})
			}
		}
	})
	if rules < 25 {
		n.t.Fatalf("the template has %d rules", rules)
	}
}

// events calls EventBridge, of which no client is used here.
func (n *night) events(action string, in map[string]any) {
	body, err := json.Marshal(in)
	if err != nil {
		n.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, n.endpoint, strings.NewReader(string(body)))
	if err != nil {
		n.t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "AWSEvents."+action)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIATEST/20260304/eu-west-1/events/aws4_request, SignedHeaders=host, Signature=x")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	if said, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || strings.Contains(string(said), "ErrorCode") {
		n.t.Fatalf("%s: %d %s", action, resp.StatusCode, said)
	}
}

// call is a call as CloudTrail has it.
type call struct{ source, name, params, user, key, refused string }

// happen has CloudTrail send calls to EventBridge.
func (n *night) happen(calls ...call) {
	n.t.Helper()
	for i, c := range calls {
		var params any
		if err := json.Unmarshal([]byte(c.params), &params); err != nil {
			n.t.Fatal(err)
		}
		identity := map[string]any{"type": "IAMUser", "arn": "arn:aws:iam::" + ours + ":user/" + c.user, "accessKeyId": c.key}
		response := map[string]any{}
		if role, session, ok := strings.Cut(c.user, ":"); ok {
			identity = map[string]any{"type": "AssumedRole", "arn": "arn:aws:sts::" + ours + ":assumed-role/" + role + "/" + session, "accessKeyId": c.key,
				"sessionContext": map[string]any{"sessionIssuer": map[string]any{"arn": "arn:aws:iam::" + ours + ":role/" + role}}}
		}
		if c.name == "AssumeRole" {
			response["credentials"] = map[string]any{"accessKeyId": "ASIADEPLOYS"}
		}
		detail, _ := json.Marshal(map[string]any{"eventID": fmt.Sprintf("%s-%d-%s", n.name, i, c.name), "eventName": c.name, "eventTime": "2026-03-04T00:03:41Z",
			"sourceIPAddress": "198.51.100.7", "errorCode": c.refused, "userIdentity": identity, "requestParameters": params, "responseElements": response})
		n.events("PutEvents", map[string]any{"Entries": []any{map[string]any{"Source": c.source, "DetailType": "AWS API Call via CloudTrail", "Detail": string(detail)}}})
	}
}

// take takes all messages of a queue.
func (n *night) take(queue string) (bodies []string) {
	for {
		out, err := n.sqs.ReceiveMessage(n.t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &queue, MaxNumberOfMessages: 10})
		if err != nil {
			n.t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			return bodies
		}
		for _, m := range out.Messages {
			bodies = append(bodies, *m.Body)
			if _, err := n.sqs.DeleteMessage(n.t.Context(), &sqs.DeleteMessageInput{QueueUrl: &queue, ReceiptHandle: m.ReceiptHandle}); err != nil {
				n.t.Fatal(err)
			}
		}
	}
}

// batch has the function called with what is in the queue.
func (n *night) batch() (int, error) {
	bodies := n.take(n.queue)
	var batch events.SQSEvent
	for i, b := range bodies {
		batch.Records = append(batch.Records, events.SQSMessage{MessageId: fmt.Sprint(i), Body: b})
	}
	failed, err := take(n.t.Context(), n.teller, batch)
	n.failed = failed.BatchItemFailures
	return len(bodies), err
}

// heard are the messages that came to a topic since, each with its subject before it.
func (n *night) heard(queue string) (all []string) {
	for _, body := range n.take(queue) {
		var m struct{ Subject, Message string }
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			n.t.Fatal(err)
		}
		all = append(all, m.Subject+"\n"+m.Message)
	}
	return all
}

// says reports whether there is one message, and it has all of these in it.
func says(messages []string, parts ...string) bool {
	return len(messages) == 1 && !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(messages[0], p) })
}

// The rules of the template write to the queue, and the function tells what is in it: each kind at once and once, both topics of what may keep the
// team from hearing, and the watchers where the team's topic is gone.
func TestAStoryAgainstMoto(t *testing.T) {
	n := newNight(t, "story")
	store, err := dynamo.New(n.own, "table-story")
	if err != nil {
		t.Fatal(err)
	}
	open := storetest.Opened("20260304-000341-aaaa")
	open.Evidence.Actors = []evidence.Actor{{AccessKeyID: "AKIATHIEF", PrincipalARN: "arn:aws:iam::" + ours + ":user/thief"}}
	if _, err := store.Open(t.Context(), open); err != nil {
		t.Fatal(err)
	}
	unsubscribe := call{"aws.sns", "Unsubscribe", `{"subscriptionArn":"` + theirTopic + `:0d3c6a5e"}`, "mal\u202elory", "AKIAMALLORY", ""}
	alarms := call{"aws.monitoring", "DeleteAlarms", `{"alarmNames":["nightlatch-a-bucket-1m"]}`, "mallory", "AKIAMALLORY", ""}
	refused := alarms
	refused.refused = "AccessDenied"

	n.happen(unsubscribe, alarms, refused, refused)
	if count, err := n.batch(); err != nil || count != 4 {
		t.Errorf("a batch of %d: %v", count, err)
	}
	for _, queue := range []string{n.teamHears, n.watchHears} {
		if got := n.heard(queue); !says(got, "[nightlatch] SUBSCRIPTIONS CHANGED and 2 more ("+ours+" eu-west-1)\n", `By: arn:aws:iam::`+ours+`:user/mal\u202elory`, "from: 198.51.100.7",
			"at: 2026-03-04 00:03:41 UTC", "event: story-0-Unsubscribe", "What: DeleteAlarms.", "ALARMS DELETED OR SWITCHED OFF (refused)\nWhat: DeleteAlarms 2") {
			t.Errorf("%s heard %q", queue, got)
		}
	}
	// What is told already is counted, and a refused call alone waits for its day, unless it is an open incident's actor's.
	n.happen(alarms, alarms, call{"aws.kms", "DisableKey", `{"keyId":"Nightlatch-TopicKey-x1"}`, "mallory", "AKIAMALLORY", "AccessDenied"})
	n.batch()
	if got := n.heard(n.teamHears); len(got) != 0 {
		t.Errorf("the team heard %q", got)
	}
	n.happen(call{"aws.cloudtrail", "StopLogging", `{"name":"main"}`, "thief", "AKIATHIEF", "AccessDenied"})
	n.batch()
	if got := n.heard(n.teamHears); !says(got, "REFUSED: CLOUDTRAIL CHANGED (", "An open incident's actor is trying to silence Nightlatch", "refused with: AccessDenied") {
		t.Errorf("the team heard %q", got)
	}
	if got := n.heard(n.watchHears); len(got) != 0 {
		t.Errorf("the watchers heard %q", got)
	}
	// A way out of a watched bucket is told, and of another is not; what names no bucket is told.
	n.happen(call{"aws.s3", "PutBucketPolicy", `{"bucketName":"of-others"}`, "mara", "AKIAMARA", ""})
	n.batch()
	if got := n.heard(n.teamHears); len(got) != 0 {
		t.Errorf("the team heard %q", got)
	}
	n.happen(call{"aws.s3", "PutBucketReplication", `{"bucketName":"a-bucket"}`, "mara", "AKIAMARA", ""}, call{"aws.s3", "CreateJob", `{"accountId":"` + ours + `"}`, "mara", "AKIAMARA", ""})
	n.batch()
	if got := n.heard(n.teamHears); !says(got, "WAY OUT OF BUCKETS OPENED and 1 more", "bucketName=a-bucket", "PutBucketReplication") {
		t.Errorf("the team heard %q", got)
	}
	// A deployment is one kind, with who took the deploying role; that another stack is deployed is not told.
	const deploys, executes = "cdk-hnb659fds-deploy-role-" + ours + "-eu-west-1:aws-cdk-mara", "cdk-hnb659fds-cfn-exec-role-" + ours + "-eu-west-1:AWSCloudFormation"
	n.happen(call{"aws.sts", "AssumeRole", `{"roleArn":"arn:aws:iam::111122223333:role/cdk-hnb659fds-deploy-role-111122223333-eu-west-1"}`, "mara", "AKIAMARA", ""})
	n.batch()
	if got := n.heard(n.teamHears); len(got) != 0 {
		t.Errorf("the team heard %q", got)
	}
	n.happen(call{"aws.cloudformation", "CreateChangeSet", `{"stackName":"Nightlatch"}`, deploys, "ASIADEPLOYS", ""},
		call{"aws.lambda", "UpdateFunctionCode20150331v2", `{"functionName":"Nightlatch-Responder-x1"}`, executes, "ASIAOTHER", ""},
		call{"aws.events", "PutTargets", `{"rule":"Nightlatch-Rings-1ABC"}`, executes, "ASIAOTHER", ""})
	n.batch()
	if got := n.heard(n.teamHears); !says(got, "DEPLOYMENT CHANGED, 3 times (", "CreateChangeSet 1, PutTargets 1, UpdateFunctionCode20150331v2 1", "/aws-cdk-mara\n",
		"who took that role as: arn:aws:iam::"+ours+":user/mara\n", "AWSCloudFormation") {
		t.Errorf("the team heard %q", got)
	}
	// Where the team's topic is gone, the watchers hear it.
	client := sns.NewFromConfig(n.own)
	if _, err := client.DeleteTopic(t.Context(), &sns.DeleteTopicInput{TopicArn: &n.topic}); err != nil {
		t.Fatal(err)
	}
	n.happen(call{"aws.sns", "DeleteTopic", `{"topicArn":"` + theirTopic + `"}`, "mallory", "AKIAMALLORY", ""})
	if _, err := n.batch(); err != nil {
		t.Error(err)
	}
	if got := n.heard(n.watchHears); !says(got, "TOPIC CHANGED (", "The team's topic took no message: ", "there is no such topic") {
		t.Errorf("the watchers heard %q", got)
	}
	if !t.Failed() {
		granttest.Golden(t, filepath.Join("testdata", "calls.json"), *update, n.aws.Calls(n.topic, "${Topic}", n.watch, "${Watch}",
			"arn:aws:dynamodb:eu-west-1:"+ours+":table/table-story", "${Table}", ours, "${Account}"))
	}
	// Where neither takes anything, what is stored is not asked for again, and the next tick is an error, of which the alarm tells.
	if _, err := client.DeleteTopic(t.Context(), &sns.DeleteTopicInput{TopicArn: &n.watch}); err != nil {
		t.Fatal(err)
	}
	n.happen(call{"aws.events", "DisableRule", `{"name":"Nightlatch-Rings-1ABC"}`, "mallory", "AKIAMALLORY", ""})
	if _, err := n.batch(); err != nil || len(n.failed) != 0 {
		t.Errorf("got %v, and %v is to come again", err, n.failed)
	}
	tick := func() {
		if _, err := n.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &n.queue, MessageBody: aws.String(`{"rule":"Tick"}`)}); err != nil {
			t.Fatal(err)
		}
	}
	late := n.teller.Clock.Now().Add(notices.Claim) // after which another run sends what was not sent
	n.teller.Clock = later{late}
	tick()
	if _, err := n.batch(); err == nil || !strings.Contains(err.Error(), "there is no such topic") {
		t.Errorf("a tick: got %v", err)
	}
	// The doctor sees both.
	table, err := dynamo.New(n.own, "table-story")
	if err != nil {
		t.Fatal(err)
	}
	if h, err := checks.Hearing(table)(t.Context()); err != nil || !h.Ticked.Equal(late) || h.Unsent.IsZero() || !h.Unsent.Before(late) {
		t.Errorf("the doctor reads %+v, %v", h, err)
	}
	n.teller.Clock = later{late.Add(notices.Claim)}
	n.happen(call{"aws.kms", "DisableKey", `{"keyId":"Nightlatch-TopicKey-x1"}`, "mallory", "AKIAMALLORY", ""})
	tick()
	if _, err := n.batch(); err != nil || len(n.failed) != 1 {
		t.Errorf("a tick among others: got %v, and %v is to come again, want the tick", err, n.failed)
	}
}

// later is a clock that stands.
type later struct{ now time.Time }

func (l later) Now() time.Time { return l.now }

func (later) Wait(context.Context, time.Time) error { return nil }

// Where the table is gone, all of a batch is told at once.
func TestWithoutATableAllIsTold(t *testing.T) {
	n := newNight(t, "unstored")
	n.aws.Deny = "dynamodb:GetItem"
	for range 2 {
		n.happen(call{"aws.cloudtrail", "StopLogging", `{"name":"main"}`, "mallory", "AKIAMALLORY", ""}, call{"aws.cloudtrail", "StopLogging", `{"name":"main"}`, "mallory", "AKIAMALLORY", "AccessDenied"})
		if _, err := n.batch(); err != nil {
			t.Error(err)
		}
		if got := n.heard(n.teamHears); !says(got, "CLOUDTRAIL CHANGED and 1 more") {
			t.Errorf("the team heard %q", got)
		}
	}

}
