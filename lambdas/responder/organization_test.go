package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"nightlatch/internal/awstest"
	"nightlatch/internal/deployments"
	"nightlatch/internal/grant/granttest"
)

// organization is a file of deployments and the hub's, deployed to moto as the CDK has synthesized and published it.
type organization struct {
	t        *testing.T
	endpoint string
	file     deployments.File
	assembly string
	gone     atomic.Bool // the hub's bus is not there
	hub      *standing
	mu       sync.Mutex
	heard    []string // what the bus took
}

// standing is one stack in moto.
type standing struct {
	config aws.Config
	ids    map[string]string // physical ids by logical ones
}

// as is an account in moto.
func (o *organization) as(account, region string) aws.Config {
	front := httptest.NewServer(motoAs(o.t, o.endpoint, account))
	o.t.Cleanup(front.Close)
	return aws.Config{Region: region, RetryMaxAttempts: 1, BaseEndpoint: &front.URL, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
}

func (o *organization) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// cdk runs the CDK's command line in the repository's root, with a key of the hub's account.
func (o *organization) cdk(ctx context.Context, key *iam.CreateAccessKeyOutput, args ...string) {
	o.t.Helper()
	cmd := exec.CommandContext(ctx, "npx", append([]string{"--no-install", "cdk"}, args...)...)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, "AWS_") || strings.HasPrefix(pair, "CDK_") })
	cmd.Env = append(cmd.Env, "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_REGION="+o.file.Hub.Region, "AWS_ENDPOINT_URL="+strings.Replace(o.endpoint, "127.0.0.1", "localhost", 1),
		"AWS_ACCESS_KEY_ID="+*key.AccessKey.AccessKeyId, "AWS_SECRET_ACCESS_KEY="+*key.AccessKey.SecretAccessKey, "CDK_DISABLE_CLI_TELEMETRY=1")
	if text, err := cmd.CombinedOutput(); err != nil {
		o.t.Fatalf("cdk %q: %v: %s", args, err, text)
	}
}

// deployOrganization has the CDK synthesize the file, and publish the functions' code into each account's bucket by the roles of its bootstrap. Each
// template becomes a stack in moto. Its custom resources are answered here: TestMidnightAsDeployed has the functions do it.
func deployOrganization(ctx context.Context, t *testing.T, endpoint, file string) *organization {
	t.Helper()
	o := &organization{t: t, endpoint: endpoint, assembly: t.TempDir()}
	if text, err := exec.CommandContext(ctx, "sh", "-c", "cd ../.. && npx --no-install cdk --version").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED, the organization in moto: the CDK says %v: %s; run npm ci", err, text)
	}
	resp, err := http.Post(endpoint+"/moto-api/config", "application/json", strings.NewReader(`{"lambda": {"use_docker": false}}`))
	o.must(err)
	resp.Body.Close()
	text, err := os.ReadFile(file)
	o.must(err)
	o.file, err = deployments.Parse(file, text)
	o.must(err)
	users := iam.NewFromConfig(o.as(o.file.Hub.Account, o.file.Hub.Region))
	_, err = users.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("deployer")})
	o.must(err)
	key, err := users.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String("deployer")})
	o.must(err)
	o.cdk(ctx, key, "synth", "--quiet", "-o", o.assembly, "-c", "deployments="+file)
	stacks := append(slices.Clone(o.file.Deployments), *o.file.Hub)
	for _, d := range stacks { // what of the bootstrap is needed here
		toolkit := fmt.Sprintf(`{"Resources":{"Files":{"Type":"AWS::S3::Bucket","Properties":{"BucketName":"cdk-hnb659fds-assets-%s-%s"}},
"Version":{"Type":"AWS::SSM::Parameter","Properties":{"Name":"/cdk-bootstrap/hnb659fds/version","Type":"String","Value":"30"}}}}`, d.Account, d.Region)
		_, err := cloudformation.NewFromConfig(o.as(d.Account, d.Region)).CreateStack(ctx, &cloudformation.CreateStackInput{StackName: aws.String("CDKToolkit"), TemplateBody: &toolkit})
		o.must(err)
	}
	o.cdk(ctx, key, "publish-assets", "--all", "--unstable=publish-assets", "--app", o.assembly)
	return o
}

// stand makes one stack.
func (o *organization) stand(ctx context.Context, d deployments.Deployment) *standing {
	t := o.t
	t.Helper()
	name := d.Stack
	if name == "Nightlatch" {
		name += "-" + d.Account + "-" + d.Region
	}
	text, err := os.ReadFile(filepath.Join(o.assembly, name+".template.json"))
	o.must(err)
	var template map[string]any
	o.must(json.Unmarshal(text, &template))
	delete(template["Outputs"].(map[string]any), "ApproverUrl")                           // moto knows no AWS::Lambda::Url
	if rule, ok := template["Resources"].(map[string]any)["Hears"].(map[string]any); ok { // moto's CloudFormation takes no reference to a bus here
		needs, _ := rule["DependsOn"].([]any)
		rule["Properties"].(map[string]any)["EventBusName"], rule["DependsOn"] = d.Stack, append(needs, "Bus")
	}
	text, err = json.Marshal(template)
	o.must(err)
	s := &standing{config: o.as(d.Account, d.Region), ids: map[string]string{}}
	client := cloudformation.NewFromConfig(s.config)
	made, err := client.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: &d.Stack, TemplateBody: aws.String(string(text))})
	o.must(err)
	for id, r := range template["Resources"].(map[string]any) {
		if kind := r.(map[string]any)["Type"].(string); !strings.HasPrefix(kind, "Custom::") {
			continue
		}
		answer, err := json.Marshal(map[string]any{"Status": "SUCCESS", "StackId": *made.StackId, "LogicalResourceId": id, "Data": map[string]string{"Enrolled": "1", "Refused": "none", "Questions": "taken", "Thresholds": "none"}})
		o.must(err)
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, *s.config.BaseEndpoint+"/cloudformation_"+d.Region+"/cfnresponse?stack="+*made.StackId, bytes.NewReader(answer))
		o.must(err)
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260304/"+d.Region+"/cloudformation/aws4_request, SignedHeaders=host, Signature=0")
		resp, err := http.DefaultClient.Do(req)
		o.must(err)
		resp.Body.Close()
	}
	all, err := client.DescribeStackResources(ctx, &cloudformation.DescribeStackResourcesInput{StackName: &d.Stack})
	o.must(err)
	for _, r := range all.StackResources {
		s.ids[aws.ToString(r.LogicalResourceId)] = aws.ToString(r.PhysicalResourceId)
	}
	return s
}

// environment is what a deployed function has.
func (s *standing) environment(ctx context.Context, t *testing.T, id string) []string {
	t.Helper()
	out, err := lambda.NewFromConfig(s.config).GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: aws.String(s.ids[id])})
	if err != nil {
		t.Fatal(err)
	}
	var env []string
	for _, name := range slices.Sorted(maps.Keys(out.Environment.Variables)) {
		env = append(env, name+"="+out.Environment.Variables[name])
	}
	return env
}

// hears gives a topic a queue, and returns its URL.
func (s *standing) hears(ctx context.Context, t *testing.T, topic, account string) string {
	t.Helper()
	queues := sqs.NewFromConfig(s.config)
	q, err := queues.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("team")})
	if err == nil {
		_, err = sns.NewFromConfig(s.config).Subscribe(ctx, &sns.SubscribeInput{TopicArn: &topic, Protocol: aws.String("sqs"), Endpoint: aws.String("arn:aws:sqs:" + s.config.Region + ":" + account + ":team")})
	}
	if err != nil {
		t.Fatal(err)
	}
	return *q.QueueUrl
}

// bus is EventBridge for one account: what it puts on the hub's bus goes to its function, as the deployed rule has it, with the account of
// who has put it. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
func (o *organization) bus(account string) http.Handler {
	arn := "arn:aws:events:" + o.file.Hub.Region + ":" + o.file.Hub.Account + ":event-bus/NightlatchHub"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Entries []struct{ Source, DetailType, Detail, EventBusName string }
		}
		refuse := func(code string) {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"__type":%q,"message":"no"}`, code)
		}
		err := json.NewDecoder(r.Body).Decode(&in)
		switch {
		case err != nil || len(in.Entries) != 1 || r.Header.Get("X-Amz-Target") != "AWSEvents.PutEvents" || !strings.Contains(r.Header.Get("Authorization"), "/"+o.file.Hub.Region+"/events/"):
			refuse("ValidationException")
			return
		case in.Entries[0].EventBusName != arn || o.gone.Load():
			refuse("ResourceNotFoundException")
			return
		}
		e := in.Entries[0]
		o.mu.Lock()
		defer o.mu.Unlock()
		body, err := json.Marshal(map[string]any{"version": "0", "id": fmt.Sprint(len(o.heard)), "detail-type": e.DetailType, "source": e.Source, "account": account, "time": time.Now().UTC().Format(time.RFC3339),
			"region": o.file.Hub.Region, "resources": []string{}, "detail": json.RawMessage(e.Detail)})
		if err != nil {
			refuse("InternalException")
			return
		}
		o.heard = append(o.heard, string(body))
		fmt.Fprintf(w, `{"FailedEntryCount":0,"Entries":[{"EventId":"%d"}]}`, len(o.heard))
	})
}

// take hands what the bus took to the hub's function, as the queue and Lambda do, and returns how many events that were. moto's own queue would hand
// them to a function that it does not run.
func (o *organization) take(f *function) int {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(o.heard)
	for batch := range slices.Chunk(o.heard, 10) {
		var taken lambdaevents.SQSEvent
		for i, body := range batch {
			taken.Records = append(taken.Records, lambdaevents.SQSMessage{MessageId: fmt.Sprint(i), Body: body, EventSource: "aws:sqs", AWSRegion: o.hub.config.Region})
		}
		event, err := json.Marshal(taken)
		o.must(err)
		if a := f.invoke(o.t, event); a.failed || strings.Contains(a.body, "itemIdentifier") {
			o.t.Fatalf("the hub says %s; its log:\n%s", a.body, f.logs)
		}
	}
	o.heard = nil
	return n
}

// One thief in three accounts and two regions, with a key of each, and a hub that is gone in the middle. Each deployment turns off its own key and no
// other, says where the hub did not hear, and the hub's team gets one message. Then the mode is lowered everywhere.
func TestAnOrganizationAsDeployed(t *testing.T) {
	t.Parallel() // beside the stories
	if os.Getenv("NIGHTLATCH_TESTS") != "all" {
		t.Skip("SKIPPED, an organization in moto: it takes a minute, and .ci/run does it; set NIGHTLATCH_TESTS=all to have it here")
	}
	endpoint := awstest.Moto(t)
	ctx := within(t, 10*time.Minute)
	type place struct{ account, region string }
	places := []place{{"100000000101", "eu-west-1"}, {"100000000102", "eu-west-1"}, {"100000000103", "us-east-1"}}
	var list []string
	for _, p := range places {
		list = append(list, fmt.Sprintf(`{"account": %q, "region": %q, "eventDataStore": %q}`, p.account, p.region, strings.NewReplacer("123456789012", p.account, "eu-west-1", p.region).Replace(storeARN)))
	}
	file := filepath.Join(t.TempDir(), "company.json")
	if err := os.WriteFile(file, []byte(`{"shared": {"buckets": "`+bucket+`=1GiB/1m", "trail": "create", "email": "soc@example.com", "mode": "act"},
"deployments": [`+strings.Join(list, ",\n")+`], "hub": {"account": "100000000100", "region": "eu-central-1", "email": "soc@example.com"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	o := deployOrganization(ctx, t, endpoint, file)
	o.hub = o.stand(ctx, *o.file.Hub)
	hears := o.hub.hears(ctx, t, o.hub.ids["Topic"], o.file.Hub.Account)
	team := &midnight{sqs: sqs.NewFromConfig(o.hub.config), queue: hears}
	packed := (&midnight{plot: plot{account: o.file.Hub.Account, region: o.file.Hub.Region}}).packed(t)
	hub := start(t, newRuntimeAPI(t, time.Minute), bootstrap(t, "../hub"), append(o.hub.environment(ctx, t, "Hub"), "AWS_REGION="+o.hub.config.Region, "AWS_ACCESS_KEY_ID=test",
		"AWS_SECRET_ACCESS_KEY=test", "AWS_ENDPOINT_URL="+*o.hub.config.BaseEndpoint, "LAMBDA_TASK_ROOT="+packed)...)

	var nights []*midnight
	var stood []*standing
	for i, p := range places {
		s := o.stand(ctx, o.file.Deployments[i])
		stood = append(stood, s)
		m := newMidnight(ctx, t, endpoint, plot{account: p.account, region: p.region, filterID: "nightlatch"})
		m.aws.Services["events"] = o.bus(p.account)
		m.environ = append(s.environment(ctx, t, "Responder"), "AWS_LAMBDA_FUNCTION_NAME="+s.ids["Responder"])
		for _, pair := range m.environ {
			if table, ok := strings.CutPrefix(pair, "NIGHTLATCH_TABLE="); ok {
				m.table = table
			}
		}
		m.topic = s.ids["Topic"]
		m.queue = s.hears(ctx, t, m.topic, p.account)
		_, err := scheduler.NewFromConfig(s.config).CreateScheduleGroup(ctx, &scheduler.CreateScheduleGroupInput{Name: aws.String("Nightlatch")}) // which moto's CloudFormation leaves out
		if err != nil {
			t.Fatal(err)
		}
		nights = append(nights, m)

		o.gone.Store(i == 1) // in the middle
		logs := &awstest.Log{}
		r, err := m.skipping(m.packed(t), logs)
		if err != nil {
			t.Fatal(err)
		}
		answered := func(event []byte) ([]byte, error) { // in the function's own time, which is skipped
			ctx, cancel := context.WithDeadline(t.Context(), m.clock.Now().Add(14*time.Minute))
			defer cancel()
			return answerTo(ctx, r, event)
		}
		body, err := answered(m.event)
		if err != nil {
			t.Fatalf("account %s: %v; its log:\n%s", p.account, err, logs)
		}
		var got incidentJSON
		if err := json.Unmarshal(body, &got); err != nil || len(got.Outcomes) == 0 || got.Outcomes[0].State != "done" || got.Outcomes[0].Target != m.stolen || !got.Alarm.Confirmed {
			t.Fatalf("account %s: got %s, %v, want the stolen key done; its log:\n%s", p.account, body, err, logs)
		}
		said := strings.Join(m.messages(ctx, t), "\n")
		if deaf := strings.Contains(said, "THE HUB DID NOT HEAR"); deaf != o.gone.Load() {
			t.Errorf("account %s: the hub is gone: %t, and the team is told:\n%s", p.account, o.gone.Load(), said)
		}
		if o.gone.Swap(false) { // it is back when the incident is looked at again
			if err := m.clock.Wait(ctx, m.clock.Now().Add(5*time.Minute)); err != nil {
				t.Fatal(err)
			}
			if _, err := answered([]byte(`{"nightlatch":{"advance":{"incident":"desk"}}}`)); err != nil {
				t.Errorf("account %s, called again: %v", p.account, err)
			}
		}
	}
	for _, m := range nights { // each its own, and nobody another's
		m.keys(ctx, t, "Inactive")
	}
	n := o.take(hub)
	messages := team.messages(ctx, t)
	if len(messages) != 1 {
		t.Errorf("of %d events the hub's team got %d messages: %q; the hub's log:\n%s", n, len(messages), messages, hub.logs)
	}
	for _, m := range nights {
		if len(messages) > 0 && (!strings.Contains(messages[0], m.account) || !strings.Contains(messages[0], m.stolen)) {
			t.Errorf("the hub's message does not name account %s and its key:\n%s", m.account, messages[0])
		}
	}
	t.Logf("%d events, and the hub's message:\n%s", n, strings.Join(messages, "\n\n"))

	// The mode is lowered everywhere, by each deployment's own approver.
	for i, m := range nights {
		theirs := &granttest.AWS{T: t, Account: m.account, Caller: theirKey, Find: m.find, Services: maps.Clone(m.aws.Services)}
		proxy := httptest.NewServer(theirs)
		t.Cleanup(proxy.Close)
		f := start(t, newRuntimeAPI(t, 2*time.Minute), bootstrap(t, "../approver"), append(stood[i].environment(ctx, t, "Approver"), "AWS_REGION="+m.region, "AWS_ACCESS_KEY_ID="+theirKey,
			"AWS_SECRET_ACCESS_KEY=x", "AWS_SESSION_TOKEN=x", "AWS_ENDPOINT_URL="+proxy.URL, "LAMBDA_TASK_ROOT="+m.packed(t))...)
		if status, said := m.asks(t, f, m.onCall.AccessKeyID, "/mode", `{"mode":"ask"}`); status != 200 || !strings.HasPrefix(said, "the mode is ask now") {
			t.Errorf("account %s: got %d %q", m.account, status, said)
		}
	}
}
