package checks

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/smithy-go/encoding/cbor"

	"nightlatch/internal/awstest"
	"nightlatch/internal/doctor"
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
  "Bytes": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"AlarmName": "nightlatch-exports-1m", "AlarmActions": [{"Ref": "Topic"}], "Namespace": "AWS/S3", "MetricName": "BytesDownloaded",
    "Statistic": "Sum", "Dimensions": [{"Name": "FilterId", "Value": "nightlatch"}, {"Name": "BucketName", "Value": "exports"}], "Period": 60, "EvaluationPeriods": 5, "DatapointsToAlarm": 1,
    "ComparisonOperator": "GreaterThanThreshold", "Threshold": 1073741824, "TreatMissingData": "notBreaching"}}
}}`

// account is an account of moto's with that stack in it, and what is in the way to it.
type account struct {
	t          *testing.T
	config     aws.Config
	outs       map[string]string                                  // physical ids by logical ones
	meddle     func(w http.ResponseWriter, operation string) bool // answers a call itself, and says so
	cloudwatch map[string]cbor.Map                                // what CloudWatch answers
	alarm      cbor.Map                                           // the stack's
}

func newAccount(t *testing.T) *account {
	t.Helper()
	moto, err := url.Parse(awstest.Moto(t))
	if err != nil {
		t.Fatal(err)
	}
	a := &account{t: t, outs: map[string]string{}}
	id := fmt.Sprintf("%012d", 111122220000+time.Now().UnixNano()%1000000)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(moto)
		r.Out.Header.Set("X-Moto-Account-Id", id)
	}}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		operation := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		if form, err := url.ParseQuery(string(body)); err == nil && form.Get("Action") != "" {
			operation = form.Get("Action")
		}
		switch {
		case a.meddle != nil && a.meddle(w, operation):
		case operation == "ListAlarmMuteRules", operation == "GetAlarmMuteRule", operation == "DescribeAlarms": // moto speaks an older protocol of CloudWatch's
			w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
			w.Write(cbor.Encode(a.cloudwatch[operation]))
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	a.config = awstest.Config(front.URL)
	formation := cloudformation.NewFromConfig(a.config)
	_, err = formation.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: aws.String("Nightlatch"), TemplateBody: aws.String(template)})
	a.do(err)
	made, err := formation.ListStackResources(t.Context(), &cloudformation.ListStackResourcesInput{StackName: aws.String("Nightlatch")})
	a.do(err)
	for _, r := range made.StackResourceSummaries {
		a.outs[*r.LogicalResourceId] = *r.PhysicalResourceId
	}
	dimension := func(name, value string) cbor.Map {
		return cbor.Map{"Name": cbor.String(name), "Value": cbor.String(value)}
	}
	a.alarm = cbor.Map{"AlarmName": cbor.String("nightlatch-exports-1m"), "AlarmActions": cbor.List{cbor.String(a.outs["Topic"])}, "ActionsEnabled": cbor.Bool(true),
		"Namespace": cbor.String("AWS/S3"), "MetricName": cbor.String("BytesDownloaded"), "Statistic": cbor.String("Sum"), "Period": cbor.Uint(60), "EvaluationPeriods": cbor.Uint(5),
		"DatapointsToAlarm": cbor.Uint(1), "ComparisonOperator": cbor.String("GreaterThanThreshold"), "Threshold": cbor.Float64(1 << 30), "TreatMissingData": cbor.String("notBreaching"),
		"Dimensions": cbor.List{dimension("BucketName", "exports"), dimension("FilterId", "nightlatch")}, "StateValue": cbor.String("OK")}
	a.cloudwatch = map[string]cbor.Map{"DescribeAlarms": {"MetricAlarms": cbor.List{a.alarm}}, "ListAlarmMuteRules": {}, "GetAlarmMuteRule": {}}
	topics := sns.NewFromConfig(a.config)
	_, err = topics.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: aws.String(a.outs["Topic"]), Protocol: aws.String("email"), Endpoint: aws.String("soc@example.com")}) // moto has no AWS::SNS::Subscription
	a.do(err)
	return a
}

func (a *account) do(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *account) examine() []doctor.Report {
	a.t.Helper()
	list, err := Of(a.config, "Nightlatch")
	a.do(err)
	return doctor.Run(a.t.Context(), time.Now, list)
}

// Each link that is broken is named, and no other.
func TestExactlyWhatIsBrokenIsNamed(t *testing.T) {
	for says, c := range map[string]struct {
		check string
		wreck func(context.Context, *account) error
	}{
		"": {"", func(context.Context, *account) error { return nil }},
		"is gone: nobody hears what is sent to it": {"endpoints", func(ctx context.Context, a *account) error {
			_, err := sns.NewFromConfig(a.config).DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: aws.String(a.outs["Topic"])})
			return err
		}},
		"its Threshold is 107374182400, and was deployed as 1073741824": {"alarms", func(ctx context.Context, a *account) error {
			a.alarm["Threshold"] = cbor.Float64(100 << 30)
			return nil
		}},
	} {
		t.Run(c.check+says, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t)
			a.do(c.wreck(t.Context(), a))
			reports := a.examine()
			text := doctor.Text(reports)
			for _, r := range reports {
				if want := c.check == r.Name; (r.State == doctor.Broken) != want || r.State == doctor.Unread {
					t.Errorf("%s is %v", r.Name, r.State)
				}
			}
			if !strings.Contains(text, says) {
				t.Errorf("no %q", says)
			}
			if t.Failed() {
				t.Log(text)
			}
		})
	}
}
