package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/duck"
	"nightlatch/internal/evidence/lake/laketest"
	"nightlatch/internal/mototest"
	"nightlatch/internal/policy"
)

const (
	motoAccount = "123456789012" // the account that moto plays
	bucket      = "customer-exports"
	taken       = 3_000_000_000 // bytes in the alarmed minute
)

// midnight is an account in moto, with a thief in its trail.
type midnight struct {
	iam      *iam.Client
	sqs      *sqs.Client
	queue    string
	stolen   string
	others   map[string]string // every other key, by user
	env      []string
	event    []byte
	lake     *laketest.Server
	theftEnd time.Time
}

// The whole program against moto: real SDK clients, the built binary over the Runtime API, DuckDB behind the fake of Lake. One key
// is turned off and nothing else, the team hears it, and a second delivery changes nothing.
func TestMidnightAgainstMoto(t *testing.T) {
	endpoint := mototest.Start(t)
	ctx := within(t, 5*time.Minute)
	m := newMidnight(ctx, t, endpoint)
	binary := bootstrap(t, ".")
	f := start(t, newRuntimeAPI(t, 4*time.Minute), binary, m.env...)

	first := m.respond(t, f)
	if got := first.Outcomes[0]; got.State != "done" || got.Target != m.stolen {
		t.Errorf("got outcome %+v, want the stolen key done", got)
	}
	if !first.Alarm.Confirmed || first.Evidence.Actors[0].AccessKeyID != m.stolen || !first.Evidence.Complete {
		t.Errorf("got %+v, want a confirmed alarm and complete evidence against %s", first, m.stolen)
	}
	m.keys(ctx, t)
	messages := m.messages(ctx, t)
	if len(messages) != 1 || !strings.Contains(messages[0], m.stolen) ||
		!strings.Contains(messages[0], "aws iam update-access-key --user-name mara --access-key-id "+m.stolen+" --status Active") {
		t.Errorf("got messages %q, want one with the key and the undo line", messages)
	}
	queries := len(m.lake.Queries())

	again := m.respond(t, f)
	if again.ID != first.ID || len(m.lake.Queries()) != queries || len(m.messages(ctx, t)) != 0 {
		t.Errorf("the second delivery asked or told again")
	}
	m.keys(ctx, t)

	// A third comes to a new process, which remembers nothing: it finds the key as it shall be.
	third := m.respond(t, start(t, newRuntimeAPI(t, 4*time.Minute), binary, m.env...))
	if got := third.Outcomes[0]; third.ID != first.ID || got.State != "already" {
		t.Errorf("got incident %s with %+v, want %s with the key already off", third.ID, got, first.ID)
	}
	m.keys(ctx, t)
}

// incidentJSON is what this test reads of nightlatch.incident/1.
type incidentJSON struct {
	ID       string
	Alarm    struct{ Confirmed bool }
	Evidence struct {
		Complete bool
		Actors   []struct {
			AccessKeyID string `json:"access_key_id"`
		}
	}
	Outcomes []struct{ Target, State, Undo string }
}

func (m *midnight) respond(t *testing.T, f *function) incidentJSON {
	t.Helper()
	a := f.invoke(t, m.event)
	var in incidentJSON
	if err := json.Unmarshal([]byte(a.body), &in); err != nil || a.failed || len(in.Outcomes) == 0 || len(in.Evidence.Actors) == 0 {
		t.Fatalf("got %s (%v), want an incident with an actor and an outcome; the function's log:\n%s", a.body, err, f.logs)
	}
	return in
}

// keys checks that exactly the stolen key is off.
func (m *midnight) keys(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, user := range []string{"mara", "colleague"} {
		out, err := m.iam.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: &user})
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range out.AccessKeyMetadata {
			want := "Active"
			if *k.AccessKeyId == m.stolen {
				want = "Inactive"
			}
			if string(k.Status) != want {
				t.Errorf("key %s of %s is %s, want %s", *k.AccessKeyId, user, k.Status, want)
			}
		}
	}
}

// messages takes what is in the team's queue.
func (m *midnight) messages(ctx context.Context, t *testing.T) []string {
	t.Helper()
	out, err := m.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &m.queue, MaxNumberOfMessages: 10, WaitTimeSeconds: 1})
	if err != nil {
		t.Fatal(err)
	}
	var bodies []string
	for _, msg := range out.Messages {
		var envelope struct{ Message string }
		if err := json.Unmarshal([]byte(*msg.Body), &envelope); err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, envelope.Message)
		if _, err := m.sqs.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &m.queue, ReceiptHandle: msg.ReceiptHandle}); err != nil {
			t.Fatal(err)
		}
	}
	return bodies
}

func newMidnight(ctx context.Context, t *testing.T, endpoint string) *midnight {
	t.Helper()
	cfg := aws.Config{Region: "eu-west-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	cbor := speakCBOR(t, endpoint)
	m := &midnight{iam: iam.NewFromConfig(cfg), sqs: sqs.NewFromConfig(cfg), others: map[string]string{},
		theftEnd: time.Now().UTC().Truncate(time.Minute).Add(-19 * time.Minute)}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	ids := map[string]string{}
	key := func(user string) string {
		out, err := m.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: &user})
		must(err)
		return *out.AccessKey.AccessKeyId
	}
	for _, user := range []string{"mara", "colleague"} {
		out, err := m.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: &user})
		must(err)
		ids[user] = *out.User.UserId
		m.others[user] = key(user)
	}
	m.stolen = key("mara")

	snsClient := sns.NewFromConfig(cfg)
	topic, err := snsClient.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("nightlatch")})
	must(err)
	queue, err := m.sqs.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("team")})
	must(err)
	m.queue = *queue.QueueUrl
	attributes, err := m.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: queue.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{"QueueArn"}})
	must(err)
	_, err = snsClient.Subscribe(ctx, &sns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: aws.String(attributes.Attributes["QueueArn"])})
	must(err)

	cfg.BaseEndpoint = &cbor
	m.event = alarmInCloudWatch(ctx, t, cloudwatch.NewFromConfig(cfg), m.theftEnd)
	m.lake = laketest.New(m.trail(t, ids))
	t.Cleanup(m.lake.Close)

	root := t.TempDir()
	must(os.WriteFile(filepath.Join(root, "policy.cedar"), policy.ShippedText(), 0o644))
	m.env = []string{"AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "LAMBDA_TASK_ROOT=" + root,
		"AWS_ENDPOINT_URL=" + endpoint, "AWS_ENDPOINT_URL_CLOUDWATCH=" + cbor, "AWS_ENDPOINT_URL_CLOUDTRAIL=" + m.lake.URL(),
		"NIGHTLATCH_MODE=act", "NIGHTLATCH_EVENT_DATA_STORE=" + storeARN, "NIGHTLATCH_TOPIC=" + *topic.TopicArn,
		"NIGHTLATCH_ACCOUNTS=" + motoAccount, "NIGHTLATCH_LOG_LEVEL=debug"}
	return m
}

// alarmInCloudWatch puts the metric and the alarm, makes it ring, and returns the event that the alarm would send.
func alarmInCloudWatch(ctx context.Context, t *testing.T, client *cloudwatch.Client, end time.Time) []byte {
	t.Helper()
	dimensions := []cwtypes.Dimension{{Name: aws.String("BucketName"), Value: aws.String(bucket)}, {Name: aws.String("FilterId"), Value: aws.String("EntireBucket")}}
	from := end.Add(-time.Minute)
	_, err := client.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{Namespace: aws.String("AWS/S3"), MetricData: []cwtypes.MetricDatum{{
		MetricName: aws.String("BytesDownloaded"), Dimensions: dimensions, Timestamp: &from, Value: aws.Float64(taken)}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.PutMetricAlarm(ctx, &cloudwatch.PutMetricAlarmInput{AlarmName: aws.String("nightlatch-" + bucket), Namespace: aws.String("AWS/S3"),
		MetricName: aws.String("BytesDownloaded"), Dimensions: dimensions, Statistic: "Sum", Period: aws.Int32(60), EvaluationPeriods: aws.Int32(1),
		Threshold: aws.Float64(1 << 30), ComparisonOperator: "GreaterThanThreshold"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.SetAlarmState(ctx, &cloudwatch.SetAlarmStateInput{AlarmName: aws.String("nightlatch-" + bucket), StateValue: cwtypes.StateValueAlarm,
		StateReason: aws.String("x")})
	if err != nil {
		t.Fatal(err)
	}
	out, err := client.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{"nightlatch-" + bucket}})
	if err != nil || len(out.MetricAlarms) != 1 {
		t.Fatalf("got %d alarms, %v", len(out.MetricAlarms), err)
	}
	rang := cmp.Or(out.MetricAlarms[0].StateTransitionedTimestamp, out.MetricAlarms[0].StateUpdatedTimestamp) // moto has only the latter
	if rang == nil {
		t.Fatal("moto does not say when the alarm rang")
	}
	const form = "2006-01-02T15:04:05.000-0700"
	return fmt.Appendf(nil, `{"source":"aws.cloudwatch","alarmArn":%q,"accountId":%q,"region":"eu-west-1","alarmData":{"alarmName":"nightlatch-%s",
"state":{"value":"ALARM","timestamp":%q,"reasonData":%q},"configuration":{"metrics":[{"id":"m1","returnData":true,"metricStat":{"metric":
{"namespace":"AWS/S3","name":"BytesDownloaded","dimensions":{"BucketName":%q,"FilterId":"EntireBucket"}},"period":60,"stat":"Sum"}}]}}}`,
		*out.MetricAlarms[0].AlarmArn, motoAccount, bucket, rang.UTC().Format(form),
		fmt.Sprintf(`{"period":60,"threshold":1073741824.0,"evaluatedDatapoints":[{"timestamp":%q,"value":%d.0}]}`, from.Format(form), taken), bucket)
}

// trail writes two weeks of calls and the theft, and answers Lake's queries from them with DuckDB.
func (m *midnight) trail(t *testing.T, ids map[string]string) laketest.Answer {
	t.Helper()
	var lines strings.Builder
	n := 0
	call := func(at time.Time, user, key, ip string, bytes int) {
		n++
		fmt.Fprintf(&lines, `{"eventVersion":"1.11","userIdentity":{"type":"IAMUser","principalId":%q,"arn":"arn:aws:iam::%s:user/%s","accountId":%q,"accessKeyId":%q,"userName":%q},`+
			`"eventTime":%q,"eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"eu-west-1","sourceIPAddress":%q,"userAgent":"[aws-cli/2.31.4]",`+
			`"requestParameters":{"bucketName":%q,"key":"part-%d"},"additionalEventData":{"AuthenticationMethod":"AuthHeader","bytesTransferredOut":%d.0},`+
			`"eventID":"event-%d","readOnly":true,"resources":[{"type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::%s"}],"managementEvent":false,"recipientAccountId":%q,"eventCategory":"Data"}`+"\n",
			ids[user], motoAccount, user, motoAccount, key, user, at.Format(time.RFC3339), ip, bucket, n, bytes, n, bucket, motoAccount)
	}
	from := m.theftEnd.Add(-time.Minute)
	for _, ago := range []int{9, 6, 4} {
		call(from.AddDate(0, 0, -ago), "mara", m.stolen, "203.0.113.9", 5_000_000)
	}
	call(from.Add(-2*time.Hour), "mara", m.others["mara"], "203.0.113.9", 1_000_000)
	for ago := range 14 {
		call(from.AddDate(0, 0, -ago).Add(5*time.Second), "colleague", m.others["colleague"], "203.0.113.20", 10_000_000)
	}
	for i := range 299 {
		call(from.Add(time.Duration(i)*200*time.Millisecond), "mara", m.stolen, "198.51.100.77", 10_000_000)
	}
	file := filepath.Join(t.TempDir(), "trail.jsonl")
	if err := os.WriteFile(file, []byte(lines.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	engine, err := duck.Open(t.Context(), duck.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	if err := engine.Load(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	store := storeARN[strings.LastIndex(storeARN, "/")+1:]
	return func(sql string) ([]map[string]string, int64, error) {
		answer, err := engine.Ask(t.Context(), verbatim(strings.ReplaceAll(sql, "from "+store, "from events")))
		rows := make([]map[string]string, len(answer.Rows))
		for i, r := range answer.Rows {
			rows[i] = r
		}
		return rows, int64(lines.Len()), err
	}
}

// verbatim is SQL that is a question already.
type verbatim string

func (verbatim) Name() string                 { return "verbatim" }
func (v verbatim) SQL(evidence.Schema) string { return string(v) }
