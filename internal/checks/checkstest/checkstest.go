// Package checkstest is an account of moto's with a small stack of Nightlatch's in it, for tests of what is wrong with it. Only _test files import it.
package checkstest

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	cttypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/smithy-go/encoding/cbor"

	"nightlatch/internal/awstest"
	"nightlatch/internal/enroll/s3bucket/s3test"
	"nightlatch/internal/evidence/trailbucket"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/notices"
	"nightlatch/internal/notify"
	"nightlatch/internal/policy"
	"nightlatch/internal/settings"
)

// template is a small stack of each kind of resource that the checks read, as the CDK writes them.
const template = `{"Resources": {
  "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "Nightlatch"}},
  "Mail": {"Type": "AWS::SNS::Subscription", "Properties": {"Protocol": "email", "Endpoint": "soc@example.com", "TopicArn": {"Ref": "Topic"}}},
  "FailedEvents": {"Type": "AWS::SQS::Queue", "Properties": {"MessageRetentionPeriod": 1209600}},
  "ResponderRole": {"Type": "AWS::IAM::Role", "Properties": {
    "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]},
    "Policies": [{"PolicyName": "responder", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
      {"Sid": "TellTheTeam", "Effect": "Allow", "Action": ["sns:Publish"], "Resource": [{"Ref": "Topic"}]},
      {"Sid": "KeepFailedEvents", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": {"Fn::GetAtt": ["FailedEvents", "Arn"]}}]}}]}},
  "KeeperRole": {"Type": "AWS::IAM::Role", "Properties": {
    "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]},
    "Policies": [{"PolicyName": "keeper", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
      {"Sid": "WriteCases", "Effect": "Allow", "Action": ["s3:PutObject"], "Resource": {"Fn::Join": ["", [{"Fn::GetAtt": ["Cases", "Arn"]}, "/*"]]}}]}}]}},
  "Bytes": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"AlarmName": "nightlatch-exports-1m", "AlarmActions": [{"Ref": "Topic"}], "Namespace": "AWS/S3", "MetricName": "BytesDownloaded",
    "Statistic": "Sum", "Dimensions": [{"Name": "FilterId", "Value": "nightlatch"}, {"Name": "BucketName", "Value": "exports"}], "Period": 60, "EvaluationPeriods": 5, "DatapointsToAlarm": 1,
    "ComparisonOperator": "GreaterThanThreshold", "Threshold": 1073741824, "TreatMissingData": "notBreaching"}},
  "Rings": {"Type": "AWS::Events::Rule", "Properties": {"EventPattern": {"source": ["aws.cloudwatch"], "detail": {"alarmName": [{"prefix": "nightlatch-"}]}},
    "Targets": [{"Id": "failed", "Arn": {"Fn::GetAtt": ["FailedEvents", "Arn"]}, "InputTransformer": {"InputTemplate": "{\"rule\":\"Rings\",\"event\":<aws.events.event.json>}"}}]}},
  "Responder": {"Type": "AWS::Lambda::Function", "Properties": {"Runtime": "provided.al2023", "Handler": "bootstrap", "Role": {"Fn::GetAtt": ["ResponderRole", "Arn"]}, "MemorySize": 512, "Timeout": 900,
    "Code": {"ZipFile": "no code"}, "Environment": {"Variables": {"NIGHTLATCH_TABLE": "` + Table + `", "NIGHTLATCH_TOPIC": {"Ref": "Topic"}}}}},
  "Taken": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {"FunctionName": {"Ref": "Responder"}, "EventSourceArn": {"Fn::GetAtt": ["Notices", "Arn"]}, "BatchSize": 10}},
  "Notices": {"Type": "AWS::SQS::Queue", "Properties": {}},
  "Incidents": {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Retain", "Properties": {"TableName": "` + Table + `", "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "S"}, {"AttributeName": "list", "AttributeType": "S"}, {"AttributeName": "opened", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "GlobalSecondaryIndexes": [{"IndexName": "lists", "KeySchema": [{"AttributeName": "list", "KeyType": "HASH"}, {"AttributeName": "opened", "KeyType": "RANGE"}],
      "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["version", "closed", "escalated", "subject"]}}],
    "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": true}, "StreamSpecification": {"StreamViewType": "KEYS_ONLY"}, "DeletionProtectionEnabled": true,
    "ResourcePolicy": {"PolicyDocument": {"Version": "2012-10-17", "Statement": [{"Sid": "OnlyOursWrite", "Effect": "Deny", "Principal": "*", "Action": ["dynamodb:PutItem"], "Resource": "*",
      "Condition": {"ArnNotEquals": {"aws:PrincipalArn": [{"Fn::GetAtt": ["ResponderRole", "Arn"]}]}}}]}}}},
  "Cases": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {"BucketName": {"Fn::Join": ["", ["nightlatch-cases-", {"Ref": "AWS::AccountId"}]]}, "VersioningConfiguration": {"Status": "Enabled"}, "ObjectLockEnabled": true,
    "ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 90}}},
    "PublicAccessBlockConfiguration": {"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true}}}%s
}, "Outputs": {"TableName": {"Value": "` + Table + `"}}}`

// unmade are resources that moto would not make as AWS does: functions in all their parts, and what a function of ours provides. GetTemplate shows them.
const unmade = `,
  "AlarmsInvoke": {"Type": "AWS::Lambda::Permission", "Properties": {"Action": "lambda:InvokeFunction", "FunctionName": {"Fn::GetAtt": ["Responder", "Arn"]}, "Principal": "lambda.alarms.cloudwatch.amazonaws.com",
    "SourceAccount": {"Ref": "AWS::AccountId"}, "SourceArn": {"Fn::Join": ["", ["arn:aws:cloudwatch:eu-west-1:", {"Ref": "AWS::AccountId"}, ":alarm:nightlatch-*"]]}}},
  "EventsInvoke": {"Type": "AWS::Lambda::Permission", "Properties": {"Action": "lambda:InvokeFunction", "FunctionName": {"Fn::GetAtt": ["Responder", "Arn"]}, "Principal": "events.amazonaws.com",
    "SourceArn": {"Fn::GetAtt": ["Rings", "Arn"]}}},
  "Wakes": {"Type": "AWS::Scheduler::ScheduleGroup", "Properties": {"Name": "Nightlatch"}},
  "CasesPolicy": {"Type": "AWS::S3::BucketPolicy", "Properties": {"Bucket": {"Ref": "Cases"}, "PolicyDocument": {"Version": "2012-10-17", "Statement": [{"Sid": "NobodyDeletes", "Effect": "Deny", "Principal": "*",
    "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion"], "Resource": {"Fn::Join": ["", [{"Fn::GetAtt": ["Cases", "Arn"]}, "/*"]]}}]}}},
  "Enroller": {"Type": "AWS::Lambda::Function", "Properties": {"Environment": {"Variables": {"NIGHTLATCH_TRAIL":
    {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":cloudtrail:", {"Ref": "AWS::Region"}, ":", {"Ref": "AWS::AccountId"}, ":trail/main"]]},
    "NIGHTLATCH_EVENT_DATA_STORE": {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":cloudtrail:", {"Ref": "AWS::Region"}, ":", {"Ref": "AWS::AccountId"}, ":eventdatastore/" , "0b8a2a3e-1f0e-4b5a-9d0c-2f6a1c3b4d5e"]]}}}}},
  "RequestMetrics": {"Type": "Custom::RequestMetrics", "Properties": {"Buckets": ["exports"], "Id": "nightlatch"}}`

// accounts counts them: each test has its own.
var accounts atomic.Int64

// TrailFile is the name of today's one file of the trail.
const TrailFile = "today.json.gz"

// Account is an account of moto's with that stack in it, and what is in the way to it. What it answers may be changed between two runs.
type Account struct {
	// ID is the account's, StackID the stack's; Config reaches it, and Names are the physical ids of the stack's resources by their logical ones.
	ID, StackID string
	Config      aws.Config
	Names       map[string]string
	// Front answers for all of AWS.
	Front http.Handler
	// Meddle, where it is set, answers a call itself, and says so.
	Meddle func(w http.ResponseWriter, operation string) bool
	// Metrics are the buckets' request metrics, which moto does not have.
	Metrics *s3test.Server
	// CloudWatch is what it answers, by operation, and Alarm the stack's alarm in it. StoreStatus is the event data store's.
	CloudWatch  map[string]cbor.Map
	Alarm       cbor.Map
	StoreStatus string
	// Policy is the policy that was deployed.
	Policy policy.Digest
	// Stopped are the actions that the organization's service control policies do not allow, and Let those that a role may do beyond its policy.
	Stopped, Let []string
	// Code is the hash of the responder's code, as moto has it.
	Code string

	t *testing.T
}

// Table is the name of the table of incidents, and Store the id of the event data store.
const (
	Table = "Nightlatch-incidents"
	Store = "0b8a2a3e-1f0e-4b5a-9d0c-2f6a1c3b4d5e"
)

// StoreARN is the ARN of the event data store.
func (a *Account) StoreARN() string {
	return "arn:aws:cloudtrail:eu-west-1:" + a.ID + ":eventdatastore/" + Store
}

// Holding is what CloudWatch says of the one bucket's size on two days, the smaller first.
func Holding(bytes float64) cbor.Map {
	at := func(day float64) cbor.Value { return &cbor.Tag{ID: 1, Value: cbor.Float64(day * 86400)} }
	return cbor.Map{"MetricDataResults": cbor.List{cbor.Map{"Id": cbor.String("m0"), "StatusCode": cbor.String("Complete"),
		"Timestamps": cbor.List{at(20000), at(20001)}, "Values": cbor.List{cbor.Float64(bytes / 2), cbor.Float64(bytes)}}}}
}

// New makes an account in which all is well.
func New(t *testing.T) *Account {
	t.Helper()
	moto, err := url.Parse(awstest.Moto(t))
	if err != nil {
		t.Fatal(err)
	}
	a := &Account{t: t, Names: map[string]string{}, StoreStatus: "ENABLED", Metrics: s3test.New("eu-west-1"), Policy: policy.DigestOf(policy.Shipped(), policy.ShippedText())}
	t.Cleanup(a.Metrics.Close)
	a.ID = fmt.Sprint(111122230000 + accounts.Add(1))
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(moto)
		r.Out.Header.Set("X-Moto-Account-Id", a.ID)
	}}
	a.Front = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		operation := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		if target := r.Header.Get("X-Amz-Target"); target != "" {
			operation = target[strings.LastIndex(target, ".")+1:]
		}
		if form, err := url.ParseQuery(string(body)); err == nil && form.Get("Action") != "" {
			operation = form.Get("Action")
		}
		if r.URL.Query().Has("list-type") {
			operation = "ListObjectsV2"
		}
		switch {
		case a.Meddle != nil && a.Meddle(w, operation):
		case r.URL.Query().Has("metrics"):
			a.Metrics.ServeHTTP(w, r)
		case operation == "ListMetrics" && strings.Contains(string(body), "BytesDownloaded"): // what it does not list had no datapoint
			w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
			w.Write(cbor.Encode(a.CloudWatch["Measured"]))
		case operation == "ListStackResources": // as AWS lists what moto does not make
			answer := httptest.NewRecorder()
			proxy.ServeHTTP(answer, r)
			const group = "<member><LogicalResourceId>Wakes</LogicalResourceId><PhysicalResourceId>Nightlatch</PhysicalResourceId><ResourceType>AWS::Scheduler::ScheduleGroup</ResourceType></member>"
			io.WriteString(w, strings.Replace(answer.Body.String(), "</StackResourceSummaries>", group+"</StackResourceSummaries>", 1))
		case operation == "ListAlarmMuteRules", operation == "GetAlarmMuteRule", operation == "DescribeAlarms", operation == "ListMetrics", operation == "GetMetricData": // moto speaks an older protocol of CloudWatch's
			w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
			w.Write(cbor.Encode(a.CloudWatch[operation]))
		case operation == "GetEventDataStore": // moto has none
			fmt.Fprintf(w, `{"EventDataStoreArn":%q,"Status":%q,"AdvancedEventSelectors":[{"FieldSelectors":[{"Field":"eventCategory","Equals":["Data"]},
{"Field":"resources.type","Equals":["AWS::S3::Object"]}]}]}`, a.StoreARN(), a.StoreStatus)
		case operation == "SimulatePrincipalPolicy": // moto has none
			a.simulate(w, string(body))
		case operation == "GetTemplate":
			io.WriteString(w, "<GetTemplateResponse><GetTemplateResult><TemplateBody>")
			xml.EscapeText(w, []byte(a.deployed()))
			io.WriteString(w, "</TemplateBody></GetTemplateResult></GetTemplateResponse>")
		default:
			proxy.ServeHTTP(w, r)
		}
	})
	front := httptest.NewServer(a.Front)
	t.Cleanup(front.Close)
	a.Config = awstest.Config(front.URL)
	formation := cloudformation.NewFromConfig(a.Config)
	stack, err := formation.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: aws.String("Nightlatch"), TemplateBody: aws.String(fmt.Sprintf(template, ""))})
	a.do(err)
	a.StackID = *stack.StackId
	made, err := formation.ListStackResources(t.Context(), &cloudformation.ListStackResourcesInput{StackName: aws.String("Nightlatch")})
	a.do(err)
	for _, r := range made.StackResourceSummaries {
		a.Names[*r.LogicalResourceId] = *r.PhysicalResourceId
	}
	dimension := func(name, value string) cbor.Map {
		return cbor.Map{"Name": cbor.String(name), "Value": cbor.String(value)}
	}
	a.Alarm = cbor.Map{"AlarmName": cbor.String("nightlatch-exports-1m"), "AlarmActions": cbor.List{cbor.String(a.Names["Topic"])}, "ActionsEnabled": cbor.Bool(true),
		"Namespace": cbor.String("AWS/S3"), "MetricName": cbor.String("BytesDownloaded"), "Statistic": cbor.String("Sum"), "Period": cbor.Uint(60), "EvaluationPeriods": cbor.Uint(5),
		"DatapointsToAlarm": cbor.Uint(1), "ComparisonOperator": cbor.String("GreaterThanThreshold"), "Threshold": cbor.Float64(1 << 30), "TreatMissingData": cbor.String("notBreaching"),
		"Dimensions": cbor.List{dimension("BucketName", "exports"), dimension("FilterId", "nightlatch")}, "StateValue": cbor.String("OK")}
	a.CloudWatch = map[string]cbor.Map{"DescribeAlarms": {"MetricAlarms": cbor.List{a.Alarm}}, "ListAlarmMuteRules": {}, "GetAlarmMuteRule": {},
		"ListMetrics": {"Metrics": cbor.List{cbor.Map{"Namespace": cbor.String("AWS/S3"), "MetricName": cbor.String("BucketSizeBytes"),
			"Dimensions": cbor.List{dimension("StorageType", "StandardStorage"), dimension("BucketName", "exports")}}}}, "GetMetricData": Holding(7 << 30),
		"Measured": {"Metrics": cbor.List{cbor.Map{"Namespace": cbor.String("AWS/S3"), "MetricName": cbor.String("BytesDownloaded"), "Dimensions": cbor.List{dimension("BucketName", "exports"), dimension("FilterId", "nightlatch")}}}}}
	topics := sns.NewFromConfig(a.Config)
	_, err = topics.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: aws.String(a.Names["Topic"]), Protocol: aws.String("email"), Endpoint: aws.String("soc@example.com")}) // moto has no AWS::SNS::Subscription
	a.do(err)
	// moto keeps a stack's policies as Python would print them.
	_, err = iam.NewFromConfig(a.Config).PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: aws.String(a.Names["ResponderRole"]), PolicyName: aws.String("responder"),
		PolicyDocument: aws.String(`{"Statement":[{"Sid":"TellTheTeam","Effect":"Allow","Action":"sns:Publish","Resource":"` + a.Names["Topic"] + `"},
{"Sid":"KeepFailedEvents","Effect":"Allow","Action":"sqs:SendMessage","Resource":"arn:aws:sqs:eu-west-1:` + a.ID + `:` + a.Names["FailedEvents"][strings.LastIndex(a.Names["FailedEvents"], "/")+1:] + `"}],"Version":"2012-10-17"}`)})
	a.do(err)
	_, err = iam.NewFromConfig(a.Config).PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: aws.String(a.Names["KeeperRole"]), PolicyName: aws.String("keeper"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":{"Sid":"WriteCases","Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::` + a.Cases() + `/*"}}`)})
	a.do(err)
	buckets := s3.NewFromConfig(a.Config, func(o *s3.Options) { o.UsePathStyle = true })
	_, err = buckets.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("files-" + a.ID),
		CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}})
	a.do(err)
	_, err = buckets.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("files-" + a.ID), Body: strings.NewReader("{}"),
		Key: aws.String("AWSLogs/" + a.ID + "/CloudTrail/eu-west-1/" + time.Now().UTC().Format("2006/01/02") + "/" + TrailFile)})
	a.do(err)
	files, itself := trailbucket.Denied()
	sealed, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{a.onlyCloudTrail(files, "/*"), a.onlyCloudTrail(itself, "")}})
	a.do(err)
	_, err = buckets.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String("files-" + a.ID), Policy: aws.String(string(sealed))})
	a.do(err)
	trails := cloudtrail.NewFromConfig(a.Config)
	_, err = trails.CreateTrail(t.Context(), &cloudtrail.CreateTrailInput{Name: aws.String("main"), S3BucketName: aws.String("files-" + a.ID), IsMultiRegionTrail: aws.Bool(true)})
	a.do(err)
	a.Record("arn:aws:s3:::exports/")
	_, err = trails.StartLogging(t.Context(), &cloudtrail.StartLoggingInput{Name: aws.String("main")})
	a.do(err)
	a.finish(buckets)
	a.Hears(notices.State{Version: 1, Ticked: time.Now()})
	a.Tries(map[string]notify.Tried{"sns:" + a.Names["Topic"]: {At: time.Now().Add(-time.Hour)}})
	return a
}

// deployed is the template as it was deployed, with what moto does not make and what the responder's function is known by.
func (a *Account) deployed() string {
	metadata, err := json.Marshal(map[string]any{settings.DeployedKey: map[string]any{"Policy": a.Policy, "CodeSha256": a.Code}})
	a.do(err)
	const responder = `"Responder": {"Type": "AWS::Lambda::Function", `
	return strings.Replace(fmt.Sprintf(template, unmade), responder, responder+`"Metadata": `+string(metadata)+`, `, 1)
}

// Hears has the function that tells of tampering leave a state behind.
func (a *Account) Hears(s notices.State) {
	a.t.Helper()
	table, err := dynamo.New(a.Config, Table)
	a.do(err)
	body, err := json.Marshal(s)
	a.do(err)
	a.do(table.SetNotices(a.t.Context(), s.Version, body))
}

// Tries has tests of channels leave behind what became of them.
func (a *Account) Tries(tried map[string]notify.Tried) {
	a.t.Helper()
	table, err := dynamo.New(a.Config, Table)
	a.do(err)
	body, err := json.Marshal(tried)
	a.do(err)
	a.do(table.SetTests(a.t.Context(), string(body)))
}

func (a *Account) do(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

// onlyCloudTrail denies actions on the bucket of the trail's files to all but CloudTrail.
func (a *Account) onlyCloudTrail(actions []string, on string) map[string]any {
	return map[string]any{"Effect": "Deny", "Principal": "*", "Action": actions, "Resource": "arn:aws:s3:::files-" + a.ID + on,
		"Condition": map[string]any{"StringNotEquals": map[string]any{"aws:SourceArn": "arn:aws:cloudtrail:eu-west-1:" + a.ID + ":trail/main"}}}
}

// Unseal takes the bucket's policy away.
func (a *Account) Unseal() {
	a.t.Helper()
	_, err := s3.NewFromConfig(a.Config, func(o *s3.Options) { o.UsePathStyle = true }).DeleteBucketPolicy(a.t.Context(), &s3.DeleteBucketPolicyInput{Bucket: aws.String("files-" + a.ID)})
	a.do(err)
}

// Record has the trail record the reads of objects whose ARNs begin so.
func (a *Account) Record(objects string) {
	a.t.Helper()
	_, err := cloudtrail.NewFromConfig(a.Config).PutEventSelectors(a.t.Context(), &cloudtrail.PutEventSelectorsInput{TrailName: aws.String("main"), EventSelectors: []cttypes.EventSelector{{
		ReadWriteType: cttypes.ReadWriteTypeAll, DataResources: []cttypes.DataResource{{Type: aws.String("AWS::S3::Object"), Values: []string{objects}}}}}})
	a.do(err)
}
