package main

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/awstest"
	"nightlatch/internal/enroll/s3bucket/s3test"
)

// motoAccount is the account that moto has for whoever names none.
const motoAccount = "123456789012"

// deployment is what the CDK's own command line has deployed to moto, and a terminal from which to read it.
type deployment struct {
	t        *testing.T
	env      []string // of the terminal
	assembly string   // what was synthesized
	ids      map[string]string
	outputs  map[string]string
}

// deploy runs the README's commands: bootstrap, and deploy. They build the functions, publish them, and create the stack in moto. The doctor asks
// the engines at their own endpoint.
func deploy(ctx context.Context, t *testing.T, endpoint, engines string) *deployment {
	t.Helper()
	// moto finds a template in S3 only by a URL with this name in it.
	local := strings.Replace(endpoint, "127.0.0.1", "localhost", 1)
	d := &deployment{t: t, assembly: t.TempDir(), ids: map[string]string{}, outputs: map[string]string{}}
	// Nothing of the machine's own account; and times as time.Time reads them, in each version of the AWS CLI.
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, []byte("[default]\ncli_timestamp_format = iso8601\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.env = slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, "AWS_") || strings.HasPrefix(pair, "CDK_") })
	d.env = append(d.env, "AWS_CONFIG_FILE="+config, "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_ENDPOINT_URL="+local, "AWS_PAGER=", "CDK_DISABLE_CLI_TELEMETRY=1")
	if server := os.Getenv("NIGHTLATCH_MOTO"); server != "" { // pip puts aws beside it
		d.env = append(d.env, "PATH="+filepath.Dir(server)+":"+os.Getenv("PATH"))
	}
	for _, needed := range []string{"npx --no-install cdk --version", "aws --version"} {
		if text, err := d.shell(ctx, needed); err != nil {
			t.Skipf("SKIPPED, the deployment to moto: %q says %v: %s; run npm ci, and pip install awscli", needed, err, text)
		}
	}
	// Without this, moto would run the enroller in Docker.
	resp, err := http.Post(endpoint+"/moto-api/config", "application/json", strings.NewReader(`{"lambda": {"use_docker": false}}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	settings := fmt.Sprintf("-c buckets=%s=1GiB/1m -c eventDataStore=%s -c trail=create -c email=soc@example.com -c mode=act", bucket, storeARN)
	d.run(ctx, "npx --no-install cdk bootstrap -o "+d.assembly+" "+settings)
	d.leaveOutTheURL()
	// Not by a change set: then moto would show no outputs.
	done, said := make(chan error, 1), &awstest.Log{}
	cmd := d.command(ctx, "npx --no-install cdk deploy --progress events --method direct --require-approval never --app "+d.assembly)
	cmd.Stdout, cmd.Stderr = said, said
	go func() { done <- cmd.Run() }()
	// moto makes a stack's resources while it answers CreateStack. Whoever reads them meanwhile makes them a second time, the one that waits for
	// the enroller too. So nobody reads them before the last are there, which are the rules.
	rules := 0
	for _, r := range d.template().Resources {
		if r.Type == "AWS::Events::Rule" {
			rules++
		}
	}
	for made := -1; made < rules; {
		select {
		case err := <-done:
			t.Fatalf("cdk deploy: %v: %s", err, said)
		case <-time.After(time.Second):
		}
		d.read(ctx, &made, "aws events list-rules --query 'length(Rules)'")
	}
	var resources struct {
		StackResources []struct{ LogicalResourceID, PhysicalResourceID string }
	}
	// Where the CDK has read them meanwhile, what moto shows is its second making, of which the functions may not be there yet.
	begun := time.Now()
	for made := []string{}; !slices.Contains(made, d.ids["Enroller"]); time.Sleep(time.Second) {
		if time.Since(begun) > 4*time.Minute { // moto 5.2.1 forgets them where it has no Docker
			t.Skip("SKIPPED, the deployment to moto: this moto_server does not keep a stack's functions; pip install 'moto[server]==5.2.5', or set NIGHTLATCH_MOTO to its path")
		}
		d.read(ctx, &resources, "aws cloudformation describe-stack-resources --stack-name Nightlatch")
		for _, r := range resources.StackResources {
			d.ids[r.LogicalResourceID] = r.PhysicalResourceID
		}
		d.read(ctx, &made, "aws lambda list-functions --query 'Functions[].FunctionName'")
	}
	d.makeTrail(ctx)
	d.run(ctx, "aws sns subscribe --protocol email --topic-arn "+d.ids["Topic"]+" --notification-endpoint soc@example.com") // which moto's CloudFormation leaves out
	d.enrol(ctx, endpoint)
	d.examine(ctx, endpoint, engines)
	if err := <-done; err != nil {
		t.Fatalf("cdk deploy: %v: %s", err, said)
	}
	stack := d.stack(ctx)
	for _, o := range stack.Outputs {
		d.outputs[o.OutputKey] = o.OutputValue
	}
	if stack.StackStatus != "CREATE_COMPLETE" {
		t.Errorf("the stack is %s", stack.StackStatus)
	}
	return d
}

// leaveOutTheURL takes the approver's URL out of the stack's outputs: moto's CloudFormation knows no AWS::Lambda::Url, and would stumble.
func (d *deployment) leaveOutTheURL() {
	d.t.Helper()
	file := filepath.Join(d.assembly, "Nightlatch.template.json")
	text, err := os.ReadFile(file)
	var template map[string]any
	if err == nil {
		err = json.Unmarshal(text, &template)
	}
	if err == nil {
		delete(template["Outputs"].(map[string]any), "ApproverUrl")
		text, err = json.Marshal(template)
	}
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

type stack struct {
	StackID, StackStatus string
	Outputs              []struct{ OutputKey, OutputValue string }
}

func (d *deployment) stack(ctx context.Context) stack {
	d.t.Helper()
	var all struct{ Stacks []stack }
	d.read(ctx, &all, "aws cloudformation describe-stacks --stack-name Nightlatch")
	return all.Stacks[0]
}

// command is a line for a shell in the repository's root.
func (d *deployment) command(ctx context.Context, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Dir, cmd.Env = filepath.Join("..", ".."), d.env
	return cmd
}

// shell runs a line.
func (d *deployment) shell(ctx context.Context, line string) ([]byte, error) {
	cmd := d.command(ctx, line)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return append(out, said.Bytes()...), err
	}
	return out, nil
}

// run is a line that must work.
func (d *deployment) run(ctx context.Context, line string) []byte {
	d.t.Helper()
	out, err := d.shell(ctx, line)
	if err != nil {
		d.t.Fatalf("%s: %v: %s", line, err, out)
	}
	return out
}

// read is a line that prints JSON.
func (d *deployment) read(ctx context.Context, v any, line string) {
	d.t.Helper()
	if out := d.run(ctx, line); json.Unmarshal(out, v) != nil {
		d.t.Fatalf("%s printed %s", line, out)
	}
}

// environment is what a deployed function shows, as a process has it.
func (d *deployment) environment(ctx context.Context, id string) []string {
	d.t.Helper()
	var function struct {
		Role, Runtime, Handler string // and moto gives every function of a stack its own architecture
		Timeout                int
		Environment            struct{ Variables map[string]string }
	}
	d.read(ctx, &function, "aws lambda get-function-configuration --function-name "+d.ids[id])
	if function.Runtime != "provided.al2023" || function.Handler != "bootstrap" || function.Timeout != 900 ||
		!strings.HasSuffix(function.Role, ":role/"+d.ids[id+"Role"]) {
		d.t.Errorf("the function is %+v", function)
	}
	var env []string
	for name, value := range function.Environment.Variables {
		env = append(env, name+"="+value)
	}
	return env
}

// code is a directory with what was published for a function, whose hash Lambda knows as the template names it.
func (d *deployment) code(ctx context.Context, id string) string {
	d.t.Helper()
	template := d.template()
	key := template.Resources[id].Properties["Code"].(map[string]any)["S3Key"].(string)
	d.run(ctx, "aws s3 ls s3://cdk-hnb659fds-assets-"+motoAccount+"-eu-west-1/"+key)
	var function struct{ CodeSha256 string }
	d.read(ctx, &function, "aws lambda get-function-configuration --function-name "+d.ids[id])
	if want := template.Resources[id].Metadata.Nightlatch.CodeSha256; want == "" || function.CodeSha256 != want {
		d.t.Errorf("the code of %s has the hash %q, and the template says %q", id, function.CodeSha256, want)
	}
	archive, err := zip.OpenReader(filepath.Join(d.assembly, "asset."+key))
	if err != nil {
		d.t.Fatal(err)
	}
	defer archive.Close()
	dir := d.t.TempDir()
	if err := os.CopyFS(dir, archive); err != nil {
		d.t.Fatal(err)
	}
	return dir
}

type resource struct {
	Type       string
	Properties map[string]any
	Metadata   struct{ Nightlatch struct{ CodeSha256 string } }
}

func (d *deployment) template() (t struct{ Resources map[string]resource }) {
	d.t.Helper()
	text, err := os.ReadFile(filepath.Join(d.assembly, "Nightlatch.template.json"))
	if err == nil {
		err = json.Unmarshal(text, &t)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return t
}

// leftOut are the types that moto's CloudFormation does not know, and passes over. The alarm that fires and the trail are made by hand, of the
// template's properties. The others are seen by nobody here: the table and the workgroup, the other alarms, who may publish and subscribe, and
// what is tried again. The simulator and the goldens in infra judge them.
var leftOut = []string{"AWS::Athena::WorkGroup", "AWS::CloudTrail::Trail", "AWS::CloudWatch::Alarm", "AWS::Glue::Database", "AWS::Glue::Table", "AWS::Lambda::EventInvokeConfig", "AWS::Lambda::Url", "AWS::S3::BucketPolicy", "AWS::Scheduler::ScheduleGroup", "AWS::SNS::Subscription", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy"}

// The whole way, as the README says it: the stack is deployed, to moto, and the midnight played with what stands there. The event data
// store is one that exists, as moto has no CloudTrail Lake. Only the machine differs: the functions are built once more, for this one.
func TestMidnightAsDeployed(t *testing.T) {
	t.Parallel() // beside the stories
	if os.Getenv("NIGHTLATCH_TESTS") != "all" {
		t.Skip("SKIPPED, the deployment to moto: it takes minutes, and .ci/run does it; set NIGHTLATCH_TESTS=all to have it here")
	}
	endpoint := awstest.Moto(t)
	ctx := within(t, 10*time.Minute)
	m := newMidnight(ctx, t, endpoint, plot{account: motoAccount})
	d := deploy(ctx, t, endpoint, *m.config.BaseEndpoint)

	var missing []string
	for id, r := range d.template().Resources {
		if d.ids[id] == "" && !slices.Contains(leftOut, r.Type) && r.Type != "AWS::Lambda::Permission" { // which has no id of its own
			missing = append(missing, id+" "+r.Type)
		}
	}
	if len(missing) > 0 {
		t.Errorf("moto does not have %q", missing)
	}
	var topic struct{ Attributes map[string]string }
	d.read(ctx, &topic, "aws sns get-topic-attributes --topic-arn "+d.ids["Topic"])
	if topic.Attributes["KmsMasterKeyId"] != d.ids["TopicKey"] {
		t.Errorf("the topic is %v, want the key %s", topic.Attributes, d.ids["TopicKey"])
	}
	// Where the trail's files lie, and that they are encrypted; moto forgets the rest of a bucket's.
	if location := "NIGHTLATCH_TRAIL_LOCATION=s3://" + d.ids["TrailFiles"] + "/AWSLogs/"; !slices.Contains(d.environment(ctx, "Responder"), location) {
		t.Errorf("the responder's environment has no %s", location)
	}
	if got := string(d.run(ctx, "aws s3api get-bucket-encryption --bucket "+d.ids["TrailFiles"])); !strings.Contains(got, "AES256") {
		t.Errorf("the bucket of the trail's files is encrypted by %s", got)
	}
	// moto prints the policy as Python would.
	role := string(d.run(ctx, "aws iam get-role-policy --policy-name responder --role-name "+d.ids["ResponderRole"]))
	for _, granted := range []string{"'SwitchKeys'", "'LeaveProtectedKeys'", "['" + d.ids["Topic"] + "', '" + d.ids["Watch"] + "']", "['" + storeARN + "']"} {
		if !strings.Contains(role, granted) {
			t.Errorf("the role in mode act has no %s: %s", granted, role)
		}
	}

	if o := d.outputs; o["EnrolledBuckets"] != "1" || o["RefusedBuckets"] != "none" || o["FunctionName"] != d.ids["Responder"] || o["TopicArn"] != d.ids["Topic"] ||
		!strings.Contains(o["EngineQuestions"], "cloudtrail-lake takes 14 questions") {
		t.Errorf("the stack's outputs are %v", o)
	}

	// What the function shows, and beside it only where AWS is.
	env := append(d.environment(ctx, "Responder"), "LAMBDA_TASK_ROOT="+d.code(ctx, "Responder"), "AWS_REGION="+m.config.Region, "AWS_ACCESS_KEY_ID="+ourKey,
		"AWS_SECRET_ACCESS_KEY=x", "AWS_SESSION_TOKEN=x", "AWS_ENDPOINT_URL="+*m.config.BaseEndpoint, "AWS_LAMBDA_FUNCTION_NAME="+d.ids["Responder"])
	d.run(ctx, "aws scheduler create-schedule-group --name Nightlatch")
	m.topic = d.ids["Topic"]
	d.run(ctx, "aws sns subscribe --protocol sqs --topic-arn "+d.ids["Topic"]+" --notification-endpoint arn:aws:sqs:eu-west-1:"+motoAccount+":team")
	m.event = d.fire(ctx, m)
	f := start(t, newRuntimeAPI(t, 4*time.Minute), bootstrap(t, "."), env...)
	got := m.respond(t, f)
	// The second is asked about: this test has made mara's other key a minute ago, after the theft.
	if len(got.Outcomes) != 2 || got.Outcomes[0].State != "done" || got.Outcomes[0].Target != m.stolen || got.Outcomes[1].State != "asked" || !got.Alarm.Confirmed {
		t.Errorf("got %+v, want a confirmed alarm, the stolen key done, and the new one asked about", got)
	}
	m.keys(ctx, t, "Inactive")
	m.notified(ctx, t, "ALARM FIRED", "CONTAINED", "NOT QUIET")
	var schedules struct {
		Schedules []struct{ Name, GroupName string }
	}
	if d.read(ctx, &schedules, "aws scheduler list-schedules --group-name Nightlatch"); len(schedules.Schedules) == 0 || !strings.HasPrefix(schedules.Schedules[0].Name, "desk.") {
		t.Errorf("the responder is called again by %+v", schedules)
	}

	// The line for a test event, as it was printed, with the real aws in front of the function.
	lambda := invoking(t, f, d.ids["Responder"])
	d.env = append(d.env, "AWS_ENDPOINT_URL_LAMBDA="+lambda.URL)
	var in incidentJSON
	if err := json.NewDecoder(bytes.NewReader(d.run(ctx, d.outputs["TestEvent"]))).Decode(&in); err != nil || in.ID == "" || len(in.Outcomes) != 0 {
		t.Errorf("the test event's answer is %+v, %v", in, err)
	}
	if messages := m.messages(ctx, t); len(messages) != 1 || !strings.Contains(messages[0], bucket) {
		t.Errorf("after the test event the team got %q", messages)
	}
	m.keys(ctx, t, "Inactive")
}

// makeTrail makes the trail of the template, which moto's CloudFormation leaves out, as moto's CloudTrail has it.
func (d *deployment) makeTrail(ctx context.Context) {
	d.t.Helper()
	var name string
	for _, pair := range d.environment(ctx, "Enroller") {
		if arn, ok := strings.CutPrefix(pair, "NIGHTLATCH_TRAIL="); ok {
			name = arn[strings.LastIndex(arn, "/")+1:]
		}
	}
	selectors, err := json.Marshal(d.template().Resources["TheTrail"].Properties["AdvancedEventSelectors"])
	if err != nil {
		d.t.Fatal(err)
	}
	d.run(ctx, "aws cloudtrail create-trail --is-multi-region-trail --name "+name+" --s3-bucket-name "+d.ids["TrailFiles"])
	d.run(ctx, "aws cloudtrail put-event-selectors --trail-name "+name+" --advanced-event-selectors '"+string(selectors)+"'")
	d.run(ctx, "aws cloudtrail start-logging --name "+name)
}

// enrol does what CloudFormation has the deployed enroller do, and moto cannot run. The request goes to the function with the environment that
// it shows. Its answer goes to the stack, which waits for it.
func (d *deployment) enrol(ctx context.Context, endpoint string) {
	t := d.t
	t.Helper()
	s3 := s3test.New("eu-west-1") // moto forgets request metrics
	t.Cleanup(s3.Close)
	s3.Make("eu-west-1", bucket)
	env := append(d.environment(ctx, "Enroller"), "LAMBDA_TASK_ROOT="+d.code(ctx, "Enroller"), "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=test",
		"AWS_SECRET_ACCESS_KEY=test", "AWS_ENDPOINT_URL="+endpoint, "AWS_ENDPOINT_URL_S3="+s3.URL)
	f := start(t, newRuntimeAPI(t, 2*time.Minute), bootstrap(t, "../enroller"), env...)
	request := d.request(ctx, endpoint, "RequestMetrics", "Enroller")
	// The second time, the daily check makes again what was taken away: it knows the buckets from the file beside its code.
	for _, event := range []string{request, `{"source":"aws.events","detail-type":"Scheduled Event"}`} {
		if a := f.invoke(t, []byte(event)); a.failed {
			t.Fatalf("the enroller says %s; its log:\n%s", a.body, f.logs)
		}
		if got := s3.Configs(); !slices.Equal(got, []string{bucket + "/nightlatch"}) {
			t.Errorf("after %.40s the configurations are %q", event, got)
		}
		s3.Make("eu-west-1", bucket) // anew, and without any
	}
}

// request is what CloudFormation asks of the function behind a custom resource. The answer goes to the stack, which waits for it.
func (d *deployment) request(ctx context.Context, endpoint, resource, function string) string {
	t := d.t
	t.Helper()
	moto, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	answers := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(moto)
		// A presigned URL is of one region; moto looks for it here.
		r.Out.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260304/eu-west-1/cloudformation/aws4_request, SignedHeaders=host, Signature=0")
	}})
	t.Cleanup(answers.Close)
	id := d.stack(ctx).StackID
	properties := d.template().Resources[resource].Properties
	properties["ServiceToken"] = "arn:aws:lambda:eu-west-1:" + motoAccount + ":function:" + d.ids[function]
	request, err := json.Marshal(map[string]any{"RequestType": "Create", "RequestId": "1", "LogicalResourceId": resource, "StackId": id,
		"ResponseURL": answers.URL + "/cloudformation_eu-west-1/cfnresponse?stack=" + id, "ResourceProperties": properties})
	if err != nil {
		t.Fatal(err)
	}
	return string(request)
}

// examine has the deployed doctor ask the engines, as CloudFormation does. The trail's files are another's here, so Athena's table is not theirs:
// that is said, and stops no deployment.
func (d *deployment) examine(ctx context.Context, endpoint, engines string) {
	d.t.Helper()
	env := append(d.environment(ctx, "Doctor"), "LAMBDA_TASK_ROOT="+d.code(ctx, "Doctor"), "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		"AWS_ENDPOINT_URL="+endpoint, "AWS_ENDPOINT_URL_CLOUDTRAIL="+engines, "AWS_ENDPOINT_URL_ATHENA="+engines)
	f := start(d.t, newRuntimeAPI(d.t, 4*time.Minute), bootstrap(d.t, "../doctor"), env...)
	if a := f.invoke(d.t, []byte(d.request(ctx, endpoint, "Questions", "Doctor"))); a.failed {
		d.t.Fatalf("the doctor says %s; its log:\n%s", a.body, f.logs)
	}
}

// fire makes the deployed alarm, which moto's CloudFormation has left out, sets it to ALARM, and returns the event that it would send.
func (d *deployment) fire(ctx context.Context, m *midnight) []byte {
	t := d.t
	t.Helper()
	const name = "nightlatch-" + bucket + "-1m"
	for _, r := range d.template().Resources {
		if r.Type != "AWS::CloudWatch::Alarm" || r.Properties["AlarmName"] != name {
			continue
		}
		r.Properties["AlarmActions"] = []string{"arn:aws:lambda:eu-west-1:" + motoAccount + ":function:" + d.ids["Responder"]}
		text, err := json.Marshal(r.Properties)
		if err != nil {
			t.Fatal(err)
		}
		d.run(ctx, "aws cloudwatch put-metric-alarm --cli-input-json '"+string(text)+"'")
	}
	from := m.theftEnd.Add(-time.Minute)
	d.run(ctx, fmt.Sprintf("aws cloudwatch put-metric-data --namespace AWS/S3 --metric-name BytesDownloaded --dimensions BucketName=%s,FilterId=nightlatch --timestamp %s --value %d",
		bucket, from.Format(time.RFC3339), taken))
	d.run(ctx, "aws cloudwatch set-alarm-state --state-value ALARM --state-reason x --alarm-name "+name)
	var alarms struct {
		MetricAlarms []struct {
			AlarmArn              string
			StateUpdatedTimestamp time.Time
		}
	}
	d.read(ctx, &alarms, "aws cloudwatch describe-alarms --alarm-names "+name)
	const form = "2006-01-02T15:04:05.000-0700"
	return fmt.Appendf(nil, `{"source":"aws.cloudwatch","alarmArn":%q,"accountId":%q,"region":"eu-west-1","alarmData":{"alarmName":%q,
"state":{"value":"ALARM","timestamp":%q,"reasonData":%q},"configuration":{"metrics":[{"id":"m1","returnData":true,"metricStat":{"metric":
{"namespace":"AWS/S3","name":"BytesDownloaded","dimensions":{"BucketName":%q,"FilterId":"nightlatch"}},"period":60,"stat":"Sum"}}]}}}`,
		alarms.MetricAlarms[0].AlarmArn, motoAccount, name, alarms.MetricAlarms[0].StateUpdatedTimestamp.UTC().Format(form),
		fmt.Sprintf(`{"period":60,"threshold":1073741824.0,"evaluatedDatapoints":[{"timestamp":%q,"value":%d.0}]}`, from.Format(form), taken), bucket)
}

// invoking is Lambda's Invoke in front of a function that runs here.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func invoking(t *testing.T, f *function, name string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		payload, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/2015-03-31/functions/"+name+"/invocations" {
			http.Error(w, cmp.Or(fmt.Sprint(err), r.URL.Path), http.StatusNotFound)
			return
		}
		a := f.invoke(t, payload)
		if a.failed {
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
		}
		io.WriteString(w, a.body)
	}))
	t.Cleanup(s.Close)
	return s
}
