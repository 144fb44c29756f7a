package attacks

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go/encoding/cbor"

	"nightlatch/internal/checks/checkstest"
	"nightlatch/internal/notices"
)

// subscription is the ARN of the team's address.
func subscription(ctx context.Context, w *world) (*sns.Client, *string, error) {
	client := sns.NewFromConfig(w.Config)
	all, err := client.ListSubscriptionsByTopic(ctx, &sns.ListSubscriptionsByTopicInput{TopicArn: aws.String(w.Names["Topic"])})
	if err != nil {
		return nil, nil, err
	}
	return client, all.Subscriptions[0].SubscriptionArn, nil
}

func unsubscribe(ctx context.Context, w *world) error {
	client, arn, err := subscription(ctx, w)
	if err == nil {
		_, err = client.Unsubscribe(ctx, &sns.UnsubscribeInput{SubscriptionArn: arn})
	}
	return err
}

func filter(ctx context.Context, w *world) error {
	client, arn, err := subscription(ctx, w)
	if err == nil {
		_, err = client.SetSubscriptionAttributes(ctx, &sns.SetSubscriptionAttributesInput{SubscriptionArn: arn, AttributeName: aws.String("FilterPolicy"), AttributeValue: aws.String(`{"never":["x"]}`)})
	}
	return err
}

func deleteTopic(ctx context.Context, w *world) error {
	_, err := sns.NewFromConfig(w.Config).DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: aws.String(w.Names["Topic"])})
	return err
}

func deleteQueue(ctx context.Context, w *world) error {
	_, err := sqs.NewFromConfig(w.Config).DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: aws.String(w.Names["FailedEvents"])})
	return err
}

func deleteStack(ctx context.Context, w *world) error {
	_, err := cloudformation.NewFromConfig(w.Config).DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: aws.String("Nightlatch")})
	return err
}

func disable(ctx context.Context, w *world) error {
	_, err := eventbridge.NewFromConfig(w.Config).DisableRule(ctx, &eventbridge.DisableRuleInput{Name: aws.String(w.Names["Rings"])})
	return err
}

func repattern(ctx context.Context, w *world) error {
	_, err := eventbridge.NewFromConfig(w.Config).PutRule(ctx, &eventbridge.PutRuleInput{Name: aws.String(w.Names["Rings"]), EventPattern: aws.String(`{"source":["never"]}`)})
	return err
}

func untarget(ctx context.Context, w *world) error {
	_, err := eventbridge.NewFromConfig(w.Config).RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: aws.String(w.Names["Rings"]), Ids: []string{"failed"}})
	return err
}

// recode gives a function another code.
func recode(ctx context.Context, w *world) error {
	_, err := lambda.NewFromConfig(w.Config).UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: aws.String(w.Names["Responder"]), ZipFile: []byte("PK\x05\x06" + strings.Repeat("\x00", 18))})
	return err
}

// unticked is an hour in which the way of a notice did not work, wherever it was cut.
func unticked(_ context.Context, w *world) error {
	w.Hears(notices.State{Version: 2, Ticked: time.Now().Add(-time.Hour)})
	return nil
}

// unsent is an hour in which no topic took what was due.
func unsent(_ context.Context, w *world) error {
	w.Hears(notices.State{Version: 2, Ticked: time.Now(), Due: []notices.Telling{{First: time.Now().Add(-time.Hour)}}})
	return nil
}

func deny(ctx context.Context, w *world) error {
	_, err := iam.NewFromConfig(w.Config).PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String(w.Names["ResponderRole"]), PolicyName: aws.String("deny"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`)})
	return err
}

func trust(ctx context.Context, w *world) error {
	_, err := iam.NewFromConfig(w.Config).UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String(w.Names["ResponderRole"]),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"*"}}]}`)})
	return err
}

func denyAll(_ context.Context, w *world) error {
	w.Meddle = func(rw http.ResponseWriter, _ string) bool {
		rw.WriteHeader(http.StatusForbidden)
		io.WriteString(rw, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>with an explicit deny in a service control policy</Message></Error></ErrorResponse>`)
		return true
	}
	return nil
}

func deleteAlarm(_ context.Context, w *world) error {
	w.CloudWatch["DescribeAlarms"] = cbor.Map{}
	return nil
}

func actionsOff(_ context.Context, w *world) error {
	w.Alarm["ActionsEnabled"] = cbor.Bool(false)
	return nil
}

func noActions(_ context.Context, w *world) error {
	w.Alarm["AlarmActions"] = cbor.List{}
	return nil
}

func threshold(_ context.Context, w *world) error {
	w.Alarm["Threshold"] = cbor.Float64(100 << 30)
	return nil
}

func warmUp(_ context.Context, w *world) error {
	w.Alarm["WarmUpConfiguration"] = cbor.Map{"WarmUpPeriodDurationInMinutes": cbor.Uint(2880)}
	return nil
}

func mute(_ context.Context, w *world) error {
	w.CloudWatch["ListAlarmMuteRules"] = cbor.Map{"AlarmMuteRuleSummaries": cbor.List{cbor.Map{
		"AlarmMuteRuleArn": cbor.String("arn:aws:cloudwatch:eu-west-1:" + w.ID + ":alarm-mute-rule:quiet"), "Status": cbor.String("SCHEDULED")}}}
	return nil
}

func stopTrail(ctx context.Context, w *world) error {
	_, err := cloudtrail.NewFromConfig(w.Config).StopLogging(ctx, &cloudtrail.StopLoggingInput{Name: aws.String("main")})
	return err
}

func selectors(_ context.Context, w *world) error {
	w.Record("arn:aws:s3:::logs/")
	return nil
}

func stopStore(_ context.Context, w *world) error {
	w.StoreStatus = "STOPPED_INGESTION"
	return nil
}

func unseal(_ context.Context, w *world) error {
	w.Unseal()
	return nil
}

func small(_ context.Context, w *world) error {
	w.CloudWatch["GetMetricData"] = checkstest.Holding(400 << 20)
	return nil
}
