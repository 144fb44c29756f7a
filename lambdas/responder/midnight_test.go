package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
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
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/encoding/cbor"

	"nightlatch/internal/awstest"
	"nightlatch/internal/enroll/s3bucket/s3test"
	"nightlatch/internal/evidence/athena"
	"nightlatch/internal/evidence/athena/athenatest"
	"nightlatch/internal/evidence/duck"
	"nightlatch/internal/evidence/enginetest"
	"nightlatch/internal/evidence/lake/laketest"
	"nightlatch/internal/grant/granttest"
	"nightlatch/internal/incident"
	"nightlatch/internal/policy"
	"nightlatch/internal/responder"
	"nightlatch/internal/settings"
)

const (
	bucket = "customer-exports"
	taken  = 3_000_000_000 // bytes in the alarmed minute
	stored = 1000 << 20    // bytes in the bucket
	// ourKey is what the function signs with, and "test" what a test does beside it.
	ourKey = "ASIAEXAMPLERESPONDER"
)

// plot is what happens at a midnight.
type plot struct {
	account     string // each its own, in one moto
	region      string // "" is eu-west-1
	filterID    string // the alarm's; "" is EntireBucket
	contributor bool   // the alarm watches every bucket, and fired for one of them
	together    bool   // the alarm watches what leaves all buckets together
	part        bool   // the alarm watches a metric that counts a part of the bucket
	role        bool   // the thief has a role's session, not mara's key
	who         string // the thief is this identity: a format of the account and of the principal ids of mara and the role etl
	tag         string // that mara has
	kept        bool   // incidents are in a table, and the responder is called again
	open        bool   // anybody may write the trail's files
	files       bool   // there is a trail and no event data store: Athena is asked about its files
	both        bool   // there are both, and the store is not there any more
	own         string // the policy, where it is not the shipped one
	built       bool   // the function is the built binary, behind the Runtime API, and waits; not one in this process that skips the time
	env         []string
}

// midnight is an account in moto, with a thief in its trail.
type midnight struct {
	plot
	aws          *granttest.AWS
	store, table string
	topic        string
	iam          *iam.Client
	sqs          *sqs.Client
	queue        string
	stolen       string
	onCall       aws.Credentials   // the human's session, which she got by signing in elsewhere
	others       map[string]string // every other key, by user
	environ      []string          // of the function, without what concerns AWS
	config       aws.Config        // what the function reads of AWS
	event        []byte
	lake         *laketest.Server
	athena       *athenatest.Server
	s3           *s3test.Server
	theftEnd     time.Time
	contributors cbor.List
	clock        skipping // of the functions in this process: none of them starts before another has ended
}

// start starts the function as it is deployed: the built binary, or in this process what it is built of.
func (m *midnight) start(t *testing.T, timeout time.Duration) *function {
	t.Helper()
	if m.built {
		return start(t, newRuntimeAPI(t, timeout), bootstrap(t, "."), append(m.environ, "AWS_REGION="+m.config.Region, "AWS_ACCESS_KEY_ID="+ourKey,
			"AWS_SECRET_ACCESS_KEY=x", "AWS_SESSION_TOKEN=x", "LAMBDA_TASK_ROOT="+m.packed(t), "AWS_ENDPOINT_URL="+*m.config.BaseEndpoint)...)
	}
	return m.startHere(t, timeout)
}

// startHere starts the function in this process, with a clock that does not wait. A new one remembers nothing of those before it.
func (m *midnight) startHere(t *testing.T, timeout time.Duration) *function {
	t.Helper()
	f := &function{logs: &awstest.Log{}}
	r, err := m.skipping(m.packed(t), f.logs)
	if err != nil {
		t.Fatal(err)
	}
	if here := (incident.Place{AccountID: m.account, Region: m.config.Region}); r.Place != here {
		t.Errorf("the messages are of %+v, and this is %+v", r.Place, here)
	}
	f.invoke = func(t testing.TB, event []byte) answer {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		body, err := answerTo(ctx, r, event)
		if err != nil {
			return answer{err.Error(), true}
		}
		return answer{body: string(body)}
	}
	return f
}

// skipping is the responder as it is built, but for a clock that does not wait. The policy lies in the directory root.
func (m *midnight) skipping(root string, log io.Writer) (*responder.Responder, error) {
	r, err := build(m.config, m.environ, root)
	if err == nil {
		r.Clock, r.Log = &m.clock, slog.New(slog.NewJSONHandler(log, nil))
	}
	return r, err
}

// calls are what the function has called, in the words of a grant.
func (m *midnight) calls() []granttest.Call {
	return m.callsOf(m.aws)
}

func (m *midnight) callsOf(a *granttest.AWS) []granttest.Call {
	return a.Calls(append(m.named(), m.store, "${EventDataStore}", "arn:aws:s3:::trail", "${TrailBucket}", m.topic, "${Topic}", m.account, "${Account}", ":eu-west-1:", ":${Region}:")...)
}

// oneRound is a time in which a function can do one query round, and decides then.
const oneRound = 100 * time.Second

// The whole program against moto: real SDK clients, DuckDB behind the fake of Lake, and once the built binary over the Runtime API. That one
// turns a key off where the whole stack is deployed (TestMidnightAsDeployed). What all the stories call together is written down, and the
// roles are judged by that (infra).
func TestWholeStoriesAgainstMoto(t *testing.T) {
	t.Parallel()
	endpoint := awstest.Moto(t)
	stories := map[string]struct {
		plot
		run func(*midnight, *testing.T)
	}{
		"one key is turned off and nothing else":                           {plot{account: "100000000001"}, (*midnight).theKeyIsTurnedOff},
		"an alarm on many buckets fired for one, and the key is protected": {plot{account: "100000000002", contributor: true, tag: "nightlatch:protect"}, (*midnight).aHumanIsAsked},
		"one key is turned off by the function as it is built":             {plot{account: "100000000010", built: true}, (*midnight).theKeyIsTurnedOff},
		"an alarm on all buckets together":                                 {plot{account: "100000000012", together: true}, (*midnight).theKeyIsTurnedOff},
		"an alarm on a part of the bucket":                                 {plot{account: "100000000011", part: true}, (*midnight).aPartIsCounted},
		"a role's session":                                                 {plot{account: "100000000003", role: true}, (*midnight).aHumanIsAsked},
		"what is kept is approved by a human":                              {plot{account: "100000000005", kept: true, env: []string{"NIGHTLATCH_MODE=ask"}}, (*midnight).aHumanApproves},
		"a question that is too dear is stopped":                           {plot{account: "100000000004", env: []string{"NIGHTLATCH_SCAN_BUDGET=1"}}, (*midnight).nothingIsSeen},
		"one key is turned off by what the files of a trail show":          {plot{account: "100000000006", files: true}, (*midnight).theKeyIsTurnedOff},
		"a role's session, in the files":                                   {plot{account: "100000000007", files: true, role: true}, (*midnight).aHumanIsAsked},
		"a question to the files that is too dear is stopped":              {plot{account: "100000000008", files: true, env: []string{"NIGHTLATCH_SCAN_BUDGET=1"}}, (*midnight).nothingIsSeen},
		"anybody may write the files":                                      {plot{account: "100000000015", files: true, open: true}, (*midnight).anybodyMayWrite},
		"one key is turned off by the files, as the store is not there":    {plot{account: "100000000009", both: true}, (*midnight).theKeyIsTurnedOff},
	}
	var all []granttest.Call
	played := 0
	t.Run("stories", func(t *testing.T) {
		var mu sync.Mutex
		for name, s := range stories {
			t.Run(name, func(t *testing.T) {
				t.Parallel() // they mostly wait
				m := newMidnight(within(t, 5*time.Minute), t, endpoint, s.plot)
				s.run(m, t)
				mu.Lock()
				defer mu.Unlock()
				played++
				all = append(all, m.calls()...)
			})
		}
	})
	if played == len(stories) && !t.Failed() { // not one of them alone
		granttest.Golden(t, filepath.Join("testdata", "calls.json"), *update, all)
	}
}

var update = flag.Bool("update", false, "write the goldens")

// One key is turned off and nothing else, the team is notified, and a second delivery changes nothing.
func (m *midnight) theKeyIsTurnedOff(t *testing.T) {
	ctx := t.Context()
	f := m.start(t, 4*time.Minute)
	first := m.respond(t, f)
	if got := first.Outcomes[0]; got.State != "done" || got.Target != m.stolen {
		t.Errorf("got outcome %+v, want the stolen key done", got)
	}
	if !first.Alarm.Confirmed || first.Evidence.Actors[0].AccessKeyID != m.stolen || !first.Evidence.Complete {
		t.Errorf("got %+v, want a confirmed alarm and complete evidence against %s", first, m.stolen)
	}
	m.keys(ctx, t, "Inactive")
	messages := m.messages(ctx, t)
	if len(messages) != 1 || !strings.Contains(messages[0], m.stolen) ||
		!strings.Contains(messages[0], "aws iam update-access-key --user-name mara --access-key-id "+m.stolen+" --status Active") {
		t.Errorf("got messages %q, want one with the key and the undo line", messages)
	}
	if !strings.Contains(messages[0], m.called()) || first.Deployed.Alias != m.alias() {
		t.Errorf("the message does not say %q, and the record says %+v:\n%s", m.called(), first.Deployed, messages[0])
	}
	queries := len(m.lake.Queries()) + len(m.athena.Queries())
	if engine := first.Evidence.Engine; engine != map[bool]string{false: "cloudtrail-lake", true: "athena"}[m.files || m.both] || !strings.Contains(messages[0], "EVIDENCE ("+engine+",") {
		t.Errorf("the evidence is of %s, and the message is:\n%s", engine, messages)
	}

	again := m.respond(t, f)
	if again.ID != first.ID || len(m.lake.Queries())+len(m.athena.Queries()) != queries || len(m.messages(ctx, t)) != 0 {
		t.Errorf("the second delivery asked or notified again")
	}
	m.keys(ctx, t, "Inactive")

	// A third comes to a new process, which remembers nothing: it finds the key as it shall be.
	third := m.respond(t, m.startHere(t, 4*time.Minute))
	if got := third.Outcomes[0]; third.ID != first.ID || got.State != "already" {
		t.Errorf("got incident %s with %+v, want %s with the key already off", third.ID, got, first.ID)
	}
	m.keys(ctx, t, "Inactive")
}

// The alarm is confirmed, the account knows the thief, and a human decides.
func (m *midnight) aHumanIsAsked(t *testing.T) {
	got := m.respond(t, m.start(t, oneRound))
	if o := got.Outcomes[0]; !got.Alarm.Confirmed || len(got.Outcomes) != 1 || o.State != "asked" || !o.Step.Target.Known {
		t.Errorf("got %+v, want a confirmed alarm, and one known target to decide about", got)
	}
	m.keys(t.Context(), t, "Active")
	if messages := m.messages(t.Context(), t); len(messages) != 1 || !strings.Contains(messages[0], "YOU DECIDE") {
		t.Errorf("got messages %q, want one that asks", messages)
	}
}

// The policy of the trail's bucket denies nothing: a human decides, and reads why.
func (m *midnight) anybodyMayWrite(t *testing.T) {
	got := m.respond(t, m.start(t, oneRound))
	if got.Outcomes[0].State != "asked" {
		t.Errorf("got %+v, want something to decide", got.Outcomes)
	}
	message := strings.Join(strings.Fields(strings.Join(m.messages(t.Context(), t), " ")), " ")
	for _, says := range []string{"the trail is NOT SEALED", "ask-unsealed: ", `the bucket "trail" has no policy`} {
		if !strings.Contains(message, says) {
			t.Errorf("the message does not say %q:\n%s", says, message)
		}
	}
}

// What the filter selects is read, and a human decides: the metric cannot be held against all that CloudTrail shows.
func (m *midnight) aPartIsCounted(t *testing.T) {
	got := m.respond(t, m.start(t, oneRound))
	if o := got.Outcomes[0]; !got.Alarm.Confirmed || o.State != "asked" {
		t.Errorf("got %+v, want a confirmed alarm, and something to decide", got)
	}
	message := strings.Join(strings.Fields(strings.Join(m.messages(t.Context(), t), " ")), " ")
	if says := `this metric counts a part of the bucket: the objects under the prefix "exports/", where CloudTrail shows the whole bucket`; !strings.Contains(message, says) {
		t.Errorf("the message does not say %q:\n%s", says, message)
	}
}

// The questions are stopped, and the team is notified that nobody could be found.
func (m *midnight) nothingIsSeen(t *testing.T) {
	if a := m.start(t, oneRound).invoke(t, m.event); a.failed {
		t.Errorf("got %s", a.body)
	}
	for _, q := range m.lake.Queries() {
		if q.Status != laketest.Cancelled {
			t.Errorf("a query is left %s", q.Status)
		}
	}
	for _, q := range m.athena.Queries() {
		if q.Status != athenatest.Cancelled {
			t.Errorf("a query of the files is left %s", q.Status)
		}
	}
	if asked := len(m.athena.Queries()) > 0; asked != m.files {
		t.Errorf("the files were asked: %t", asked)
	}
	m.keys(t.Context(), t, "Active")
	if messages := m.messages(t.Context(), t); len(messages) != 1 || !strings.HasPrefix(messages[0], "COULD NOT QUERY") {
		t.Errorf("got messages %q, want one that says so", messages)
	}
}

// incidentJSON is what this test reads of nightlatch.incident/1.
type incidentJSON struct {
	ID       string
	Deployed struct{ Alias string } `json:"deployed_in"`
	Alarm    struct {
		Confirmed bool
		Stored    int64 `json:"stored_bytes"`
	}
	Evidence struct {
		Engine   string
		Complete bool
		Actors   []struct {
			AccessKeyID string `json:"access_key_id"`
		}
	}
	Outcomes []struct {
		Action, Target, State, Undo string
		Step                        struct{ Target struct{ Known bool } }
	}
}

func (m *midnight) respond(t *testing.T, f *function) incidentJSON {
	t.Helper()
	a := f.invoke(t, m.event)
	var in incidentJSON
	if err := json.Unmarshal([]byte(a.body), &in); err != nil || a.failed || len(in.Outcomes) == 0 || len(in.Evidence.Actors) == 0 {
		t.Fatalf("got %s (%v), want an incident with an actor and an outcome; the function's log:\n%s", a.body, err, f.logs)
	}
	if in.Alarm.Stored != stored {
		t.Errorf("the bucket holds %d bytes for it, want %d", in.Alarm.Stored, stored)
	}
	return in
}

// keys checks the stolen key's status, and that every other key is on.
func (m *midnight) keys(ctx context.Context, t *testing.T, stolen string) {
	t.Helper()
	for _, user := range []string{"mara", "colleague"} {
		out, err := m.iam.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: &user})
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range out.AccessKeyMetadata {
			want := "Active"
			if *k.AccessKeyId == m.stolen {
				want = stolen
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
	out, err := m.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &m.queue, MaxNumberOfMessages: 10})
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

// packed is a folder with the policy, as a function's package is.
func (m *midnight) packed(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	text := policy.ShippedText()
	if m.own != "" {
		text = []byte(m.own)
		if err := os.WriteFile(filepath.Join(root, settings.WatchedFile), []byte(`{"Buckets":["`+bucket+`"]}`), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "policy.cedar"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	hearing := fmt.Sprintf(`[{"protocol":"sqs","address":"arn:aws:sqs:%s:%s:team"}]`, m.region, m.account)
	if err := os.WriteFile(filepath.Join(root, "endpoints.json"), []byte(hearing), 0o644); err != nil {
		t.Fatal(err)
	}
	return root
}

// sealed is a policy that lets nobody but CloudTrail write into the trail's bucket.
const sealed = `{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::trail","arn:aws:s3:::trail/*"],
"Condition":{"StringNotEquals":{"aws:SourceArn":"arn:aws:cloudtrail:eu-west-1:123456789012:trail/all"}}}}`

func newMidnight(ctx context.Context, t *testing.T, endpoint string, p plot) *midnight {
	t.Helper()
	p.region, p.filterID = cmp.Or(p.region, "eu-west-1"), cmp.Or(p.filterID, "EntireBucket")
	m := &midnight{plot: p, others: map[string]string{}, theftEnd: time.Now().UTC().Truncate(time.Minute).Add(-19 * time.Minute),
		store: strings.NewReplacer("123456789012", p.account, "eu-west-1", p.region).Replace(storeARN)}
	moto := motoAs(t, endpoint, p.account)
	m.aws = &granttest.AWS{T: t, Account: p.account, Caller: ourKey, Find: m.find, Services: map[string]http.Handler{
		"": moto, "monitoring": speakCBOR(t, moto, func() cbor.List { return m.contributors })}}
	filters := s3test.New(p.region)
	t.Cleanup(filters.Close)
	filters.Make(p.region, bucket, "trail")
	if !p.open {
		filters.Policy("trail", sealed)
	}
	filters.Put(bucket, m.filter(), "<Prefix>exports/</Prefix>")
	m.aws.Services["s3"], m.s3 = filters, filters
	proxy := httptest.NewServer(m.aws)
	t.Cleanup(proxy.Close)
	m.config = aws.Config{Region: p.region, BaseEndpoint: &proxy.URL, Credentials: credentials.NewStaticCredentialsProvider(ourKey, "x", "x")}
	cfg := m.config.Copy()
	cfg.Credentials = credentials.NewStaticCredentialsProvider("test", "test", "")
	m.iam, m.sqs = iam.NewFromConfig(cfg), sqs.NewFromConfig(cfg)
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
	for user, path := range map[string]string{"mara": "/data/", "colleague": "/"} {
		in := &iam.CreateUserInput{UserName: &user, Path: &path}
		if user == "mara" && m.tag != "" {
			in.Tags = []iamtypes.Tag{{Key: &m.tag, Value: aws.String("yes")}}
		}
		out, err := m.iam.CreateUser(ctx, in)
		must(err)
		ids[user] = *out.User.UserId
		m.others[user] = key(user)
	}
	m.stolen = key("mara")
	role, err := m.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("etl"), Path: aws.String("/service-role/"),
		AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"ec2.amazonaws.com"}}]}`)})
	must(err)
	ids["etl"] = *role.Role.RoleId

	snsClient := sns.NewFromConfig(cfg)
	topic, err := snsClient.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("nightlatch")})
	must(err)
	m.topic = *topic.TopicArn
	queue, err := m.sqs.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("team")})
	must(err)
	m.queue = *queue.QueueUrl
	attributes, err := m.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: queue.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{"QueueArn"}})
	must(err)
	_, err = snsClient.Subscribe(ctx, &sns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: aws.String(attributes.Attributes["QueueArn"])})
	must(err)

	m.event = m.alarmInCloudWatch(ctx, t, cloudwatch.NewFromConfig(cfg))
	_, err = m.iam.CreateAccountAlias(ctx, &iam.CreateAccountAliasInput{AccountAlias: aws.String(m.alias())})
	must(err)
	session, err := sts.NewFromConfig(cfg).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::" + p.account + ":role/oncall"), RoleSessionName: aws.String("olga")})
	must(err)
	m.onCall = aws.Credentials{AccessKeyID: *session.Credentials.AccessKeyId, SecretAccessKey: *session.Credentials.SecretAccessKey, SessionToken: *session.Credentials.SessionToken}
	table := athena.Table{Location: "s3://trail/AWSLogs/", Accounts: []string{m.account}}
	answer := m.trail(t, ids, table)
	m.lake, m.athena = laketest.New(answer), athenatest.New(table, athenatest.Answer(answer))
	t.Cleanup(m.lake.Close)
	t.Cleanup(m.athena.Close)
	m.aws.Services["cloudtrail"], m.aws.Services["athena"] = m.lake, m.athena
	m.environ = append([]string{"NIGHTLATCH_MODE=act", "NIGHTLATCH_TOPIC=" + m.topic, "NIGHTLATCH_ACCOUNTS=" + m.account, "NIGHTLATCH_LOG_LEVEL=debug"}, p.env...)
	if !p.files {
		m.environ = append(m.environ, "NIGHTLATCH_EVENT_DATA_STORE="+m.store)
	}
	if p.files || p.both {
		m.environ = append(m.environ, "NIGHTLATCH_TRAIL_LOCATION="+table.Location)
	}
	if p.both {
		m.lake.Fail(laketest.StartQuery, slices.Repeat([]laketest.Fault{laketest.StoreNotFound}, 50)...)
	}
	if p.kept {
		m.keep(ctx, t, cfg)
	}
	return m
}

// alias is what the account is called.
func (m *midnight) alias() string { return "prod-" + m.account }

// called is how a message says what account it is about.
func (m *midnight) called() string {
	return "Account " + m.account + ", alias " + m.alias() + ", region " + m.region + "."
}

// filter is what the alarm's metric counts by.
func (m *midnight) filter() string {
	if m.part {
		return "exports"
	}
	return m.filterID
}

// find is what IAM knows of a user, of a role, or of a key's user.
func (m *midnight) find(kind, name string) (arn string, tags map[string]string) {
	ctx := context.Background()
	tags = map[string]string{}
	if kind == "role" {
		out, err := m.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
		if err != nil {
			return "", nil
		}
		return *out.Role.Arn, tags
	}
	if kind == "key" {
		out, err := m.iam.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: &name})
		if err != nil {
			return "", nil
		}
		name = *out.UserName
	}
	out, err := m.iam.GetUser(ctx, &iam.GetUserInput{UserName: &name})
	if err != nil {
		return "", nil
	}
	for _, tag := range out.User.Tags {
		tags[*tag.Key] = *tag.Value
	}
	return *out.User.Arn, tags
}

// alarmInCloudWatch puts the metric and the alarm, sets it to ALARM, and returns the event that the alarm would send.
func (m *midnight) alarmInCloudWatch(ctx context.Context, t *testing.T, client *cloudwatch.Client) []byte {
	t.Helper()
	dimensions := []cwtypes.Dimension{{Name: aws.String("BucketName"), Value: aws.String(bucket)}, {Name: aws.String("FilterId"), Value: aws.String(m.filter())}}
	from := m.theftEnd.Add(-time.Minute)
	_, err := client.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{Namespace: aws.String("AWS/S3"), MetricData: []cwtypes.MetricDatum{{
		MetricName: aws.String("BytesDownloaded"), Dimensions: dimensions, Timestamp: &from, Value: aws.Float64(taken)}}})
	if err != nil {
		t.Fatal(err)
	}
	for storage, bytes := range map[string]float64{"StandardStorage": stored - 100<<20, "StandardIAStorage": 100 << 20} {
		_, err := client.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{Namespace: aws.String("AWS/S3"), MetricData: []cwtypes.MetricDatum{{
			MetricName: aws.String("BucketSizeBytes"), Timestamp: aws.Time(from.Truncate(24*time.Hour).AddDate(0, 0, -1)), Value: &bytes,
			Dimensions: []cwtypes.Dimension{{Name: aws.String("BucketName"), Value: aws.String(bucket)}, {Name: aws.String("StorageType"), Value: &storage}}}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	insights := `SELECT SUM(BytesDownloaded) FROM SCHEMA("AWS/S3", BucketName, FilterId) WHERE FilterId = 'EntireBucket'`
	if m.contributor {
		insights += ` GROUP BY BucketName ORDER BY SUM() DESC`
	}
	name := "nightlatch-" + bucket
	alarm := &cloudwatch.PutMetricAlarmInput{AlarmName: &name, EvaluationPeriods: aws.Int32(1), Threshold: aws.Float64(1 << 30), ComparisonOperator: "GreaterThanThreshold"}
	if m.contributor || m.together {
		alarm.Metrics = []cwtypes.MetricDataQuery{{Id: aws.String("q1"), Expression: aws.String(insights), Period: aws.Int32(60), ReturnData: aws.Bool(true)}}
	} else {
		alarm.Namespace, alarm.MetricName, alarm.Dimensions, alarm.Statistic, alarm.Period = aws.String("AWS/S3"), aws.String("BytesDownloaded"), dimensions, "Sum", aws.Int32(60)
	}
	if _, err = client.PutMetricAlarm(ctx, alarm); err != nil {
		t.Fatal(err)
	}
	_, err = client.SetAlarmState(ctx, &cloudwatch.SetAlarmStateInput{AlarmName: &name, StateValue: cwtypes.StateValueAlarm, StateReason: aws.String("x")})
	if err != nil {
		t.Fatal(err)
	}
	out, err := client.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{name}})
	if err != nil || len(out.MetricAlarms) != 1 {
		t.Fatalf("got %d alarms, %v", len(out.MetricAlarms), err)
	}
	fired := cmp.Or(out.MetricAlarms[0].StateTransitionedTimestamp, out.MetricAlarms[0].StateUpdatedTimestamp) // moto has only the latter
	if fired == nil {
		t.Fatal("moto does not say when the alarm fired")
	}
	const form = "2006-01-02T15:04:05.000-0700"
	if m.contributor {
		m.contributors = cbor.List{cbor.Map{"ContributorId": cbor.String("0f1e2d3c4b5a6978"), "ContributorAttributes": cbor.Map{"BucketName": cbor.String(bucket)},
			"StateReason": cbor.String("x"), "StateTransitionedTimestamp": &cbor.Tag{ID: 1, Value: cbor.Float64(float64(fired.UnixMilli()) / 1000)}}}
		return fmt.Appendf(nil, `{"version":"0","id":"1","detail-type":"CloudWatch Alarm Contributor State Change","source":"aws.cloudwatch","account":%q,"time":%q,
"region":%q,"resources":[%q],"detail":{"alarmName":%q,"alarmContributor":{"id":"0f1e2d3c4b5a6978","attributes":{"BucketName":%q}},
"state":{"value":"ALARM","reason":"Threshold Crossed: 1 datapoint was greater than the threshold (1.073741824E9). The most recent datapoint which crossed the threshold: [3.0E9 (%s)].",
"timestamp":%q},"configuration":{"metrics":[{"id":"q1","expression":%q,"returnData":true,"period":60}]}}}`,
			m.account, fired.UTC().Format(time.RFC3339), m.region, *out.MetricAlarms[0].AlarmArn, name, bucket, from.Format("02/01/06 15:04:05"), fired.UTC().Format(form), insights)
	}
	metric := fmt.Sprintf(`{"id":"m1","returnData":true,"metricStat":{"metric":{"namespace":"AWS/S3","name":"BytesDownloaded","dimensions":{"BucketName":%q,"FilterId":%q}},
"period":60,"stat":"Sum"}}`, bucket, m.filter())
	if m.together {
		metric = fmt.Sprintf(`{"id":"q1","expression":%q,"returnData":true,"period":60}`, insights)
	}
	return fmt.Appendf(nil, `{"source":"aws.cloudwatch","alarmArn":%q,"accountId":%q,"region":%q,"alarmData":{"alarmName":%q,
"state":{"value":"ALARM","timestamp":%q,"reasonData":%q},"configuration":{"metrics":[%s]}}}`,
		*out.MetricAlarms[0].AlarmArn, m.account, m.region, name, fired.UTC().Format(form),
		fmt.Sprintf(`{"period":60,"threshold":1073741824.0,"evaluatedDatapoints":[{"timestamp":%q,"value":%d.0}]}`, from.Format(form), taken), metric)
}

// trail writes two weeks of calls and the theft, and answers Lake's queries from them with DuckDB, and Athena's from the same calls as a
// trail delivers them in files.
func (m *midnight) trail(t *testing.T, ids map[string]string, table athena.Table) laketest.Answer {
	t.Helper()
	var lines strings.Builder
	var delivered []enginetest.Record
	n := 0
	call := func(at time.Time, identity, ip string, bytes int) {
		n++
		fmt.Fprintf(&lines, `{"eventVersion":"1.11","userIdentity":%s,`+
			`"eventTime":%q,"eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":%q,"sourceIPAddress":%q,"userAgent":"[aws-cli/2.31.4]",`+
			`"requestParameters":{"bucketName":%q,"key":"part-%d"},"additionalEventData":{"AuthenticationMethod":"AuthHeader","bytesTransferredOut":%d.0},`+
			`"eventID":"event-%d","readOnly":true,"resources":[{"type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::%s"}],"managementEvent":false,"recipientAccountId":%q,"eventCategory":"Data"}`+"\n",
			identity, at.Format(time.RFC3339), m.region, ip, bucket, n, bytes, n, bucket, m.account)
	}
	user := func(name, path, key string) string {
		return fmt.Sprintf(`{"type":"IAMUser","principalId":%q,"arn":"arn:aws:iam::%s:user%s%s","accountId":%q,"accessKeyId":%q,"userName":%q}`,
			ids[name], m.account, path, name, m.account, key, name)
	}
	thief := user("mara", "/data/", m.stolen)
	if m.role {
		thief = fmt.Sprintf(`{"type":"AssumedRole","principalId":"%[1]s:job-7","arn":"arn:aws:sts::%[2]s:assumed-role/etl/job-7","accountId":%[2]q,"accessKeyId":"ASIAEXAMPLEETLJOB007",`+
			`"sessionContext":{"sessionIssuer":{"type":"Role","principalId":%[1]q,"arn":"arn:aws:iam::%[2]s:role/service-role/etl","accountId":%[2]q,"userName":"etl"}}}`, ids["etl"], m.account)
	}
	if m.who != "" {
		thief = fmt.Sprintf(m.who, m.account, ids["mara"], ids["etl"])
	}
	from := m.theftEnd.Add(-time.Minute)
	for _, ago := range []int{9, 6, 4} {
		call(from.AddDate(0, 0, -ago), thief, "203.0.113.9", 5_000_000)
	}
	call(from.Add(-2*time.Hour), user("mara", "/data/", m.others["mara"]), "203.0.113.9", 1_000_000)
	for ago := range 14 {
		call(from.AddDate(0, 0, -ago).Add(5*time.Second), user("colleague", "/", m.others["colleague"]), "203.0.113.20", 10_000_000)
	}
	for i := range 299 {
		call(from.Add(time.Duration(i)*200*time.Millisecond), thief, "198.51.100.77", 10_000_000)
	}
	fmt.Fprintf(&lines, `{"eventVersion":"1.11","userIdentity":{"type":"SAMLUser","principalId":"idp:olga@example.com","userName":"olga@example.com"},"eventTime":%q,`+
		`"eventSource":"sts.amazonaws.com","eventName":"AssumeRoleWithSAML","awsRegion":"us-east-1","sourceIPAddress":"203.0.113.9","userAgent":"aws-cli",`+
		`"requestParameters":{"principalArn":"arn:aws:iam::%[3]s:saml-provider/idp","roleArn":"arn:aws:iam::%[3]s:role/oncall"},`+
		`"responseElements":{"credentials":{"accessKeyId":%[2]q,"sessionToken":"x"}},"eventID":"sign-in","readOnly":true,"managementEvent":true,"recipientAccountId":%[3]q,"eventCategory":"Management"}`+"\n",
		from.Add(10*time.Minute).Format(time.RFC3339), m.onCall.AccessKeyID, m.account)
	file := filepath.Join(t.TempDir(), "trail.jsonl")
	if err := os.WriteFile(file, []byte(lines.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	engine, err := duck.Open(t.Context(), duck.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	for line := range strings.Lines(lines.String()) {
		var r struct {
			EventTime time.Time
			AWSRegion string
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		delivered = append(delivered, enginetest.Record{JSON: json.RawMessage(line), Delivered: r.EventTime.Add(7 * time.Minute), Account: m.account, Region: r.AWSRegion})
	}
	if m.files || m.both {
		root := t.TempDir()
		err = errors.Join(enginetest.Lay(root, table, delivered), enginetest.Load(t.Context(), engine, table, root))
	} else {
		err = engine.Load(t.Context(), file)
	}
	if err != nil {
		t.Fatal(err)
	}
	store := m.store[strings.LastIndex(m.store, "/")+1:]
	return func(sql string) ([]map[string]string, int64, error) {
		answer, err := engine.Ask(context.Background(), enginetest.Verbatim(strings.ReplaceAll(sql, "from "+store, "from events")))
		rows := make([]map[string]string, len(answer.Rows))
		for i, r := range answer.Rows {
			rows[i] = r
		}
		return rows, int64(lines.Len()), err
	}
}
