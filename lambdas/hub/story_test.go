package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"nightlatch/internal/actor"
	"nightlatch/internal/awstest"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/grant/granttest"
	"nightlatch/internal/hub"
	"nightlatch/internal/incident"
	"nightlatch/internal/incident/dynamo/dynamotest"
	"nightlatch/internal/notify/events"
	"nightlatch/internal/policy"
	"nightlatch/internal/report"
)

var update = flag.Bool("update", false, "write the goldens")

// ours is the account that moto has for whoever names none.
const ours = "123456789012"

// accounts are three others.
var accounts = []string{"111122223333", "444455556666", "777788889999"}

// night is a hub's bus, rule, queue, table and topics in moto, and the function that is called with what is in the queue.
type night struct {
	t                     *testing.T
	endpoint, name, bus   string
	own                   aws.Config
	sqs                   *sqs.Client
	queue                 string
	topic, watch          string
	teamHears, watchHears string
	aws                   *granttest.AWS
	teller                hub.Teller
	failed                []lambdaevents.SQSBatchItemFailure
	now                   time.Time
}

// Now and Wait are the night's clock.
func (n *night) Now() time.Time                            { return n.now }
func (n *night) Wait(_ context.Context, _ time.Time) error { return nil }
func arnOf(queue string) string {
	return "arn:aws:sqs:eu-west-1:" + ours + ":" + queue[strings.LastIndex(queue, "/")+1:]
}
func (n *night) later(by time.Duration) { n.now = n.now.Add(by) }
func (n *night) fatal(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

func newNight(t *testing.T, name string) *night {
	t.Helper()
	endpoint := awstest.Moto(t)
	n := &night{t: t, endpoint: endpoint, name: name, own: awstest.Config(endpoint), now: time.Now()}
	n.sqs = sqs.NewFromConfig(n.own)
	n.queue = n.newQueue("hub")
	n.topic, n.teamHears = n.newTopic("team")
	n.watch, n.watchHears = n.newTopic("watch")
	n.fatal(dynamotest.Table(t.Context(), n.own, "NightlatchHub-"+name))
	to, err := url.Parse(endpoint)
	n.fatal(err)
	n.aws = &granttest.AWS{T: t, Account: ours, Caller: "ASIAEXAMPLEHUB", Services: map[string]http.Handler{"": httputil.NewSingleHostReverseProxy(to)}}
	front := httptest.NewServer(n.aws)
	t.Cleanup(front.Close)
	cfg := awstest.Config(front.URL)
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: n.aws.Caller, SecretAccessKey: "x", SessionToken: "x"}, nil
	})
	root := t.TempDir()
	n.fatal(os.WriteFile(filepath.Join(root, "endpoints.json"), []byte(`[{"protocol":"sqs","address":"`+arnOf(n.teamHears)+`"}]`), 0o600))
	n.teller, err = build(cfg, []string{"NIGHTLATCH_TOPIC=" + n.topic, "NIGHTLATCH_WATCHERS=" + n.watch, "NIGHTLATCH_TABLE=NightlatchHub-" + name, "NIGHTLATCH_ACCOUNTS=" + strings.Join(append([]string{ours}, accounts...), ",")}, root)
	n.fatal(err)
	n.teller.Clock = n
	n.putRule()
	return n
}

func (n *night) newQueue(kind string) string {
	out, err := n.sqs.CreateQueue(n.t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(kind + "-" + n.name)})
	n.fatal(err)
	return *out.QueueUrl
}

// newTopic makes a topic, and a queue that hears it.
func (n *night) newTopic(kind string) (arn, queue string) {
	queue = n.newQueue(kind + "-hears")
	client := sns.NewFromConfig(n.own)
	topic, err := client.CreateTopic(n.t.Context(), &sns.CreateTopicInput{Name: aws.String(kind + "-" + n.name)})
	n.fatal(err)
	_, err = client.Subscribe(n.t.Context(), &sns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: aws.String(arnOf(queue))})
	n.fatal(err)
	return *topic.TopicArn, queue
}

// putRule puts the bus and the rule of the template to moto, with its queue as the target.
func (n *night) putRule() {
	text, err := os.ReadFile(filepath.Join("..", "..", "infra", "testdata", "hub.golden"))
	n.fatal(err)
	var template struct {
		Resources struct {
			Hears struct{ Properties struct{ EventPattern any } }
		}
	}
	n.fatal(json.Unmarshal(text, &template))
	pattern, err := json.Marshal(template.Resources.Hears.Properties.EventPattern)
	n.fatal(err)
	bus := "NightlatchHub-" + n.name
	n.bus = "arn:aws:events:eu-west-1:" + ours + ":event-bus/" + bus
	n.eventBridge("CreateEventBus", map[string]any{"Name": bus})
	n.eventBridge("PutRule", map[string]any{"Name": "hears-" + n.name, "EventBusName": bus, "EventPattern": string(pattern)})
	n.eventBridge("PutTargets", map[string]any{"Rule": "hears-" + n.name, "EventBusName": bus, "Targets": []any{map[string]any{"Id": "hub", "Arn": arnOf(n.queue)}}})
}

// eventBridge calls EventBridge, of which no client is used here.
func (n *night) eventBridge(action string, in map[string]any) {
	body, err := json.Marshal(in)
	n.fatal(err)
	req, err := http.NewRequest(http.MethodPost, n.endpoint, bytes.NewReader(body))
	n.fatal(err)
	req.Header.Set("X-Amz-Target", "AWSEvents."+action)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIATEST/20260304/eu-west-1/events/aws4_request, SignedHeaders=host, Signature=x")
	resp, err := http.DefaultClient.Do(req)
	n.fatal(err)
	defer resp.Body.Close()
	if said, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || strings.Contains(string(said), "ErrorCode") {
		n.t.Fatalf("%s: %d %s", action, resp.StatusCode, said)
	}
}

// put has a deployment tell the hub, as its responder does.
func (n *night) put(m report.Message) {
	n.t.Helper()
	channel, err := events.NewHub(n.own, n.bus)
	n.fatal(err)
	n.fatal(channel.Send(n.t.Context(), m))
}

// take takes all messages of a queue.
func (n *night) take(queue string) (bodies []string) {
	for {
		out, err := n.sqs.ReceiveMessage(n.t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &queue, MaxNumberOfMessages: 10})
		n.fatal(err)
		if len(out.Messages) == 0 {
			return bodies
		}
		for _, m := range out.Messages {
			bodies = append(bodies, *m.Body)
			_, err := n.sqs.DeleteMessage(n.t.Context(), &sqs.DeleteMessageInput{QueueUrl: &queue, ReceiptHandle: m.ReceiptHandle})
			n.fatal(err)
		}
	}
}

// batch has the function called with what is in the queue, and with more. EventBridge writes into the envelope from which account an event is, which
// moto leaves out.
func (n *night) batch(from string, more ...string) error {
	n.t.Helper()
	var batch lambdaevents.SQSEvent
	for i, b := range append(n.take(n.queue), more...) {
		if from != "" && !slices.Contains(more, b) {
			b = `{"account": "` + from + `", ` + strings.TrimPrefix(b, "{")
		}
		batch.Records = append(batch.Records, lambdaevents.SQSMessage{MessageId: fmt.Sprint(i), Body: b})
	}
	failed, err := take(n.t.Context(), n.teller, batch)
	n.failed = failed.BatchItemFailures
	return err
}

// heard are the messages that came to a topic since, each with its subject before it.
func (n *night) heard(queue string) (all []string) {
	for _, body := range n.take(queue) {
		var m struct{ Subject, Message string }
		n.fatal(json.Unmarshal([]byte(body), &m))
		all = append(all, m.Subject+"\n"+m.Message)
	}
	return all
}

func (n *night) hears(queue, subject string, parts ...string) {
	n.t.Helper()
	got := n.heard(queue)
	if len(got) != 1 || !strings.HasPrefix(got[0], subject) || slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(got[0], p) }) {
		n.t.Errorf("got %q, want one message %q with %q", got, subject, parts)
	}
}

func (n *night) nothing(queue string) {
	n.t.Helper()
	if got := n.heard(queue); len(got) != 0 {
		n.t.Errorf("got %q, want nothing", got)
	}
}

// stolen is the incident of an account whose thief has a key, from one network.
func stolen(account, region, id, key string, state containment.State) incident.Record {
	bytes := int64(9 << 30)
	r := incident.Record{ID: id, Mode: containment.ModeAct, Opened: time.Unix(1e9, 0), Judged: time.Unix(1e9, 0), Place: incident.Place{AccountID: account, Region: region, Cases: "nightlatch-cases-1"},
		Outcomes: []containment.Outcome{{Action: policy.DeactivateKey, Target: key, AccessKeyID: key, State: state}},
		Evidence: evidence.Evidence{Actors: []evidence.Actor{{Kind: actor.IAMUserKey, AccessKeyID: key, PrincipalARN: "arn:aws:iam::" + account + ":user/mara", AccountID: account, Bytes: bytes, Origins: []evidence.Origin{{Network: "198.51.100.0/24", Bytes: bytes}}}}}}
	r.Alarm.Buckets, r.Alarm.Bytes, r.Alarm.Confirmed = []string{"exports"}, &bytes, true
	return r
}

// One thief in three accounts, through the real channel, the bus and the rule of the template: the first message at once, one more as the others join,
// and one as it ends.
func TestOneThiefInThreeAccounts(t *testing.T) {
	n := newNight(t, "thief")
	places := []struct{ region, id, key string }{{"eu-west-1", "20260304-a", "AKIAEXAMPLESTOLEN001"}, {"us-east-1", "20260304-b", "AKIAEXAMPLESTOLEN002"}, {"eu-west-1", "20260304-c", "AKIAEXAMPLESTOLEN003"}}
	for i, p := range places {
		n.put(report.Write(incident.Answer, stolen(accounts[i], p.region, p.id, p.key, containment.Asked)))
		n.fatal(n.batch(accounts[i]))
		n.later(20 * time.Second)
		if i == 0 {
			n.hears(n.teamHears, "[nightlatch hub] ALARM in 111122223333 eu-west-1: 1 TO DECIDE, 9.00 GiB\n", "asked: deactivate-key AKIAEXAMPLESTOLEN001\nnightlatch incident 20260304-a --region eu-west-1\nhttps://eu-west-1.console.aws.amazon.com/s3/object/nightlatch-cases-1?region=eu-west-1&prefix=20260304-a/page.html\n")
		}
	}
	n.nothing(n.teamHears)
	n.fatal(n.batch("", hub.Tick))
	n.hears(n.teamHears, "[nightlatch hub] PROBABLY ONE THIEF IN 3 ACCOUNTS: 3 TO DECIDE, 27.0 GiB\n", "NEW 444455556666 us-east-1: 1 TO DECIDE\n", "NEW 777788889999", "called from 198.51.100.0/24")
	n.later(time.Hour)
	for i, p := range places {
		r := stolen(accounts[i], p.region, p.id, p.key, containment.Done)
		r.Closed = n.now
		n.put(report.Write(incident.Closing, r))
		n.fatal(n.batch(accounts[i]))
		n.later(time.Minute)
	}
	n.later(15 * time.Minute)
	n.fatal(n.batch("", hub.Tick))
	if got := n.heard(n.teamHears); len(got) < 1 || len(got) > 3 || !strings.HasPrefix(got[len(got)-1], "[nightlatch hub] PROBABLY ONE THIEF IN 3 ACCOUNTS: 3 closed") {
		t.Errorf("at the end the team got %q", got)
	}
	n.nothing(n.watchHears)
	if !t.Failed() {
		granttest.Golden(t, filepath.Join("testdata", "calls.json"), *update, n.aws.Calls(n.topic, "${Topic}", n.watch, "${Watch}", "arn:aws:dynamodb:eu-west-1:"+ours+":table/NightlatchHub-thief", "${Table}", ours, "${Account}"))
	}
}

// What is no deployment's, or says that it is another's, is told to the watchers too; what cannot be read ends among the failed events.
func TestForgedAndUnreadable(t *testing.T) {
	n := newNight(t, "forged")
	n.put(report.Write(incident.Answer, stolen(accounts[0], "eu-west-1", "20260304-a", "AKIAEXAMPLESTOLEN001", containment.Asked)))
	n.fatal(n.batch(accounts[1]))
	for _, queue := range []string{n.teamHears, n.watchHears} {
		n.hears(queue, "[nightlatch hub] FORGED EVENT OF ACCOUNT 444455556666\n", "it says that it is of account 111122223333")
	}
	n.fatal(n.batch("", "not an event"))
	if len(n.failed) != 1 || n.failed[0].ItemIdentifier != "0" {
		t.Errorf("%v comes again", n.failed)
	}
	n.hears(n.teamHears, "[nightlatch hub] EVENT CANNOT BE READ\n", "not an event")
}

// Where the table is gone, all of a batch is told at once, each time.
func TestWithoutATable(t *testing.T) {
	n := newNight(t, "unstored")
	n.aws.Deny = "dynamodb:GetItem"
	for range 2 {
		n.put(report.Write(incident.Answer, stolen(accounts[0], "eu-west-1", "20260304-a", "AKIAEXAMPLESTOLEN001", containment.Asked)))
		n.fatal(n.batch(accounts[0]))
		n.hears(n.teamHears, "[nightlatch hub] ALARM in 111122223333 eu-west-1: 1 TO DECIDE")
	}
	if _, err := n.teller.Store.Load(t.Context()); err == nil {
		t.Error("the table is there")
	}
}

// A thousand incidents, of which nothing ties any two, are few messages and one item of the table.
func TestAFlood(t *testing.T) {
	n := newNight(t, "flood")
	var bodies []string
	for i := range 1000 {
		r := stolen(accounts[i%3], "eu-west-1", fmt.Sprint("20260304-", i), fmt.Sprintf("AKIAFLOOD%011d", i), containment.Asked)
		r.Evidence.Actors[0].Origins[0].Network = fmt.Sprintf("100.%d.%d.0/24", 70+i/256, i%256)
		r.Evidence.Actors[0].PrincipalARN = fmt.Sprintf("arn:aws:iam::%s:user/u%d", accounts[i%3], i)
		detail, err := report.ForHub(report.Write(incident.Answer, r), n.now)
		n.fatal(err)
		body, err := json.Marshal(map[string]any{"id": fmt.Sprint(i), "source": "nightlatch", "detail-type": report.HubDetailType, "account": accounts[i%3], "detail": json.RawMessage(detail)})
		n.fatal(err)
		bodies = append(bodies, string(body))
	}
	for chunk := range slices.Chunk(bodies, 100) {
		n.fatal(n.batch("", chunk...))
		n.later(5 * time.Second)
	}
	n.later(time.Hour)
	n.fatal(n.batch("", hub.Tick))
	got := n.heard(n.teamHears)
	if len(got) > 8 || len(got) < 2 {
		t.Errorf("the team got %d messages", len(got))
	}
	rec, err := n.teller.Store.Load(t.Context())
	if err != nil || len(rec.Threads) != 1000 {
		t.Errorf("%d threads are stored, %v", len(rec.Threads), err)
	}
}

// However large the record, it fits an item, and comes back.
func TestARecordFits(t *testing.T) {
	var r hub.Record
	for i := range 5000 {
		th := hub.Thread{Number: i, Keys: []string{strings.Repeat(fmt.Sprint(i), 40)}, Places: []hub.Place{{Account: ours, Incidents: []hub.Incident{{ID: fmt.Sprint(i)}}}}}
		r.Threads = append(r.Threads, th)
	}
	for text, err := pack(r); ; text, err = pack(r) {
		if err != nil {
			t.Fatal(err)
		}
		back, err := unpack(text)
		if err != nil || len(back.Threads) != len(r.Threads) {
			t.Fatalf("%d threads of %d, %v", len(back.Threads), len(r.Threads), err)
		}
		if len(text) < largest/8 {
			break
		}
		r = r.Smaller()
	}
	if _, err := unpack("x"); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
