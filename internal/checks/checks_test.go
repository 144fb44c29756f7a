package checks

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go/encoding/cbor"

	"nightlatch/internal/checks/checkstest"
	"nightlatch/internal/doctor"
	"nightlatch/internal/enroll/s3bucket"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/notices"
	"nightlatch/internal/notify"
	"nightlatch/internal/policy"
)

// world is an account, what its engine refuses, and what is remembered.
type world struct {
	*checkstest.Account
	t         *testing.T
	engine    engine
	memory    remembered
	policy    doctor.PolicyFile
	incidents incident.Memory
}

func newWorld(t *testing.T) *world {
	return &world{Account: checkstest.New(t), t: t, policy: doctor.PolicyFile{Name: "own.cedar", Text: policy.ShippedText(), Cases: policy.ShippedCases()}}
}

func (a *world) do(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *world) examine() []doctor.Report {
	a.t.Helper()
	table, err := dynamo.New(a.Config, checkstest.Table)
	a.do(err)
	own := func() (doctor.PolicyFile, error) { return a.policy, nil }
	list, err := Of(a.Config, Deployment{Stack: "Nightlatch", Account: a.ID, Region: "eu-west-1", Memory: &a.memory, Hearing: Hearing(table), Tried: Tried(table), Rehearsed: Rehearsed(table), Incidents: &a.incidents, Policy: own, Engines: []evidence.Trail{&a.engine}, Minute: time.Now()})
	a.do(err)
	return doctor.Run(a.t.Context(), time.Now, list)
}

// buckets are S3 of moto's.
func (a *world) buckets() *s3.Client {
	return s3.NewFromConfig(a.Config, func(o *s3.Options) { o.UsePathStyle = true })
}

// functionThat is the responder's configuration as deployed, and something more.
func (a *world) functionThat(more string) string {
	return fmt.Sprintf(`{"FunctionName":%q,"Role":"arn:aws:iam::%s:role/%s","Handler":"bootstrap","Runtime":"provided.al2023","Timeout":900,"MemorySize":512,
"CodeSha256":%q,"Environment":{"Variables":{"NIGHTLATCH_TABLE":%q,"NIGHTLATCH_TOPIC":%q}},%s}`, a.Names["Responder"], a.ID, a.Names["ResponderRole"], a.Code, checkstest.Table, a.Names["Topic"], more)
}

// zipped is a function's code.
func zipped(text string) []byte {
	var b bytes.Buffer
	archive := zip.NewWriter(&b)
	if w, err := archive.Create("bootstrap"); err == nil {
		io.WriteString(w, text)
	}
	archive.Close()
	return b.Bytes()
}

// since answers that the stack has been in a state since then.
func (a *world) since(then time.Time, state string) func(http.ResponseWriter, string) bool {
	return func(w http.ResponseWriter, operation string) bool {
		if operation != "DescribeStacks" {
			return false
		}
		fmt.Fprintf(w, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackId>%s</StackId><StackName>Nightlatch</StackName><StackStatus>%s</StackStatus>
<CreationTime>2026-01-01T00:00:00Z</CreationTime><LastUpdatedTime>%s</LastUpdatedTime></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`, a.StackID, state, then.UTC().Format(time.RFC3339))
		return true
	}
}

// engine takes every question but one.
type engine struct{ refuses string }

func (e *engine) Ask(_ context.Context, q evidence.Question) (evidence.Answer, error) {
	if q.Name() == e.refuses {
		return evidence.Answer{}, errors.New("the engine says: mismatched input \x1b[2J'with'")
	}
	return evidence.Answer{Engine: "athena"}, nil
}

// remembered is a memory of its own.
type remembered struct{ kept doctor.Kept }

func (m *remembered) Load(context.Context) (doctor.Kept, error)   { return m.kept, nil }
func (m *remembered) Save(_ context.Context, k doctor.Kept) error { m.kept = k; return nil }

// denies is S3 that refuses an operation, or what is asked of a key whose last part it is.
func denies(what, says string) func(http.ResponseWriter, string) bool {
	return func(w http.ResponseWriter, operation string) bool {
		if operation != what {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `<Error><Code>AccessDenied</Code><Message>%s</Message></Error>`, says)
		return true
	}
}

// Each link that is broken is named, and no other.
func TestExactlyWhatIsBrokenIsNamed(t *testing.T) {
	subscriptions := func(listed string) func(http.ResponseWriter, string) bool {
		return func(w http.ResponseWriter, operation string) bool {
			if operation != "ListSubscriptionsByTopic" {
				return false
			}
			fmt.Fprintf(w, `<ListSubscriptionsByTopicResponse><ListSubscriptionsByTopicResult><Subscriptions>%s</Subscriptions></ListSubscriptionsByTopicResult></ListSubscriptionsByTopicResponse>`, listed)
			return true
		}
	}
	const pending = `<member><Protocol>email</Protocol><Endpoint>soc@example.com</Endpoint><SubscriptionArn>PendingConfirmation</SubscriptionArn></member>`
	older := policy.DigestOf(policy.Shipped(), []byte("an older one"))
	older.Rules["contain-stolen-key"] = "another"
	for says, c := range map[string]struct {
		check string
		wreck func(context.Context, *world) error
	}{
		"22 of 22 hold": {"", func(context.Context, *world) error { return nil }},
		"is gone: nobody hears what is sent to it": {"endpoints", func(ctx context.Context, a *world) error {
			_, err := sns.NewFromConfig(a.Config).DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: aws.String(a.Names["Topic"])})
			return err
		}},
		"has not confirmed its subscription": {"endpoints", func(_ context.Context, a *world) error { a.Meddle = subscriptions(pending); return nil }},
		"is not subscribed any more":         {"endpoints", func(_ context.Context, a *world) error { a.Meddle = subscriptions(""); return nil }},
		"has a filter policy": {"endpoints", func(ctx context.Context, a *world) error {
			topics := sns.NewFromConfig(a.Config)
			all, err := topics.ListSubscriptionsByTopic(ctx, &sns.ListSubscriptionsByTopicInput{TopicArn: aws.String(a.Names["Topic"])})
			if err != nil {
				return err
			}
			_, err = topics.SetSubscriptionAttributes(ctx, &sns.SetSubscriptionAttributesInput{SubscriptionArn: all.Subscriptions[0].SubscriptionArn,
				AttributeName: aws.String("FilterPolicy"), AttributeValue: aws.String(`{"never":["x"]}`)})
			return err
		}},
		"its Threshold is 107374182400, and was deployed as 1073741824": {"alarms", func(_ context.Context, a *world) error {
			a.Alarm["Threshold"] = cbor.Float64(100 << 30)
			return nil
		}},
		"its AlarmActions is arn:aws:lambda:eu-west-1:444455556666:function:his, and was deployed as": {"alarms", func(_ context.Context, a *world) error {
			a.Alarm["AlarmActions"] = cbor.List{cbor.String("arn:aws:lambda:eu-west-1:444455556666:function:his")}
			return nil
		}},
		"has its actions switched off": {"alarms", func(_ context.Context, a *world) error { a.Alarm["ActionsEnabled"] = cbor.Bool(false); return nil }},
		"is not evaluated as it should: EVALUATION_ERROR": {"alarms", func(_ context.Context, a *world) error {
			a.Alarm["EvaluationState"] = cbor.String("EVALUATION_ERROR")
			return nil
		}},
		"has a warm-up of 2880 minutes": {"alarms", func(_ context.Context, a *world) error {
			a.Alarm["WarmUpConfiguration"] = cbor.Map{"WarmUpPeriodDurationInMinutes": cbor.Uint(2880)}
			return nil
		}},
		"is muted by the alarm mute rule quiet, which is SCHEDULED": {"alarms", func(_ context.Context, a *world) error {
			a.CloudWatch["ListAlarmMuteRules"] = cbor.Map{"AlarmMuteRuleSummaries": cbor.List{cbor.Map{
				"AlarmMuteRuleArn": cbor.String("arn:aws:cloudwatch:eu-west-1:" + a.ID + ":alarm-mute-rule:quiet"), "Status": cbor.String("SCHEDULED")}}}
			return nil
		}},
		"bucket exports holds 400 MiB, and no alarm on it fires below 1.00 GiB": {"thresholds", func(_ context.Context, a *world) error {
			a.CloudWatch["GetMetricData"] = checkstest.Holding(400 << 20)
			return nil
		}},
		"alarm nightlatch-exports-1m is gone": {"alarms", func(_ context.Context, a *world) error { a.CloudWatch["DescribeAlarms"] = cbor.Map{}; return nil }},
		"holds 1 failed event": {"queues", func(ctx context.Context, a *world) error {
			_, err := sqs.NewFromConfig(a.Config).SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: aws.String(a.Names["FailedEvents"]), MessageBody: aws.String("{}")})
			return err
		}},
		"is gone: events that fail are lost": {"queues", func(ctx context.Context, a *world) error {
			_, err := sqs.NewFromConfig(a.Config).DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: aws.String(a.Names["FailedEvents"])})
			return err
		}},
		"what becomes of messages that fail is": {"queues", func(ctx context.Context, a *world) error {
			_, err := sqs.NewFromConfig(a.Config).SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: aws.String(a.Names["Notices"]),
				Attributes: map[string]string{"RedrivePolicy": fmt.Sprintf(`{"maxReceiveCount":1,"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:%s:%s"}`, a.ID, a.Names["FailedEvents"][strings.LastIndex(a.Names["FailedEvents"], "/")+1:])}})
			return err
		}},
		"is DISABLED, and was deployed as ENABLED": {"rules", func(ctx context.Context, a *world) error {
			_, err := eventbridge.NewFromConfig(a.Config).DisableRule(ctx, &eventbridge.DisableRuleInput{Name: aws.String(a.Names["Rings"])})
			return err
		}},
		"matches or fires at something else than was deployed": {"rules", func(ctx context.Context, a *world) error {
			_, err := eventbridge.NewFromConfig(a.Config).PutRule(ctx, &eventbridge.PutRuleInput{Name: aws.String(a.Names["Rings"]), EventPattern: aws.String(`{"source":["never"]}`)})
			return err
		}},
		"has lost its target failed": {"rules", func(ctx context.Context, a *world) error {
			_, err := eventbridge.NewFromConfig(a.Config).RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: aws.String(a.Names["Rings"]), Ids: []string{"failed"}})
			return err
		}},
		"its target failed is not as deployed": {"rules", func(ctx context.Context, a *world) error {
			_, err := eventbridge.NewFromConfig(a.Config).PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: aws.String(a.Names["Rings"]),
				Targets: []eventtypes.Target{{Id: aws.String("failed"), Arn: aws.String("arn:aws:sqs:eu-west-1:444455556666:his")}}})
			return err
		}},
		"calls a target his that was not deployed": {"rules", func(ctx context.Context, a *world) error {
			_, err := eventbridge.NewFromConfig(a.Config).PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: aws.String(a.Names["Rings"]),
				Targets: []eventtypes.Target{{Id: aws.String("his"), Arn: aws.String("arn:aws:sqs:eu-west-1:444455556666:his")}}})
			return err
		}},
		"is gone: what it sent reaches nobody": {"rules", func(ctx context.Context, a *world) error {
			rules := eventbridge.NewFromConfig(a.Config)
			if _, err := rules.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: aws.String(a.Names["Rings"]), Ids: []string{"failed"}}); err != nil {
				return err
			}
			_, err := rules.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: aws.String(a.Names["Rings"])})
			return err
		}},
		"was called last at": {"notices", func(_ context.Context, a *world) error {
			a.Hears(notices.State{Version: 2, Ticked: time.Now().Add(-time.Hour)})
			return nil
		}},
		"has something to tell that neither": {"notices", func(_ context.Context, a *world) error {
			a.Hears(notices.State{Version: 2, Ticked: time.Now(), Due: []notices.Telling{{First: time.Now().Add(-time.Hour)}, {First: time.Now()}}})
			return nil
		}},
		"nobody was notified of incident i1, which waits since": {"delivery", func(ctx context.Context, a *world) error {
			_, err := a.incidents.Open(ctx, incident.Record{ID: "i1", Opened: time.Now().Add(-time.Hour)})
			return err
		}},
		"bucket exports has no request metrics with the id nightlatch": {"buckets", func(ctx context.Context, a *world) error {
			metered, err := s3bucket.New(a.Config)
			if err != nil {
				return err
			}
			return metered.Withdraw(ctx, "exports", "nightlatch")
		}},
		"request metrics with the id nightlatch have a filter": {"buckets", func(_ context.Context, a *world) error {
			a.Metrics.Put("exports", "nightlatch", "<Prefix>public/</Prefix>")
			return nil
		}},
		`there is no such bucket`: {"buckets", func(_ context.Context, a *world) error { a.Metrics.Drop("exports"); return nil }},
		"the bucket is in another region": {"buckets", func(_ context.Context, a *world) error {
			a.Metrics.Drop("exports")
			a.Metrics.Make("us-east-1", "exports")
			return nil
		}},
		"of 1 bucket nothing was counted in the last two weeks, as where nobody reads: exports":          {"", func(_ context.Context, a *world) error { a.CloudWatch["Measured"] = cbor.Map{}; return nil }},
		"the organization's service control policies do not allow sns:Publish":                           {"rights", func(_ context.Context, a *world) error { a.Stopped = []string{"sns:Publish"}; return nil }},
		"may not do what it must: the organization's service control policies do not allow s3:PutObject": {"rights", func(_ context.Context, a *world) error { a.Stopped = []string{"s3:PutObject"}; return nil }},
		"may do what it must never: s3:GetObject on arn:aws:s3:::exports/nightlatch-doctor":              {"rights", func(_ context.Context, a *world) error { a.Let = []string{"s3:GetObject"}; return nil }},
		"is gone: nothing that calls it is done": {"functions", func(ctx context.Context, a *world) error {
			_, err := lambda.NewFromConfig(a.Config).DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: aws.String(a.Names["Responder"])})
			return err
		}},
		"its ReservedConcurrentExecutions is 0, and was deployed without": {"functions", func(ctx context.Context, a *world) error {
			_, err := lambda.NewFromConfig(a.Config).PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: aws.String(a.Names["Responder"]), ReservedConcurrentExecutions: aws.Int32(0)})
			return err
		}},
		"its variable NIGHTLATCH_TABLE is his, and was deployed as Nightlatch-incidents": {"functions", func(ctx context.Context, a *world) error {
			_, err := lambda.NewFromConfig(a.Config).UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String(a.Names["Responder"]),
				Environment: &lambdatypes.Environment{Variables: map[string]string{"NIGHTLATCH_TABLE": "his", "NIGHTLATCH_TOPIC": a.Names["Topic"]}}})
			return err
		}},
		"its permission of {Service:lambda.alarms.cloudwatch.amazonaws.com} to lambda:InvokeFunction where": {"functions", func(ctx context.Context, a *world) error {
			_, err := lambda.NewFromConfig(a.Config).RemovePermission(ctx, &lambda.RemovePermissionInput{FunctionName: aws.String(a.Names["Responder"]), StatementId: aws.String("AlarmsInvoke")})
			return err
		}},
		"is granted, and was deployed without": {"functions", func(ctx context.Context, a *world) error {
			_, err := lambda.NewFromConfig(a.Config).AddPermission(ctx, &lambda.AddPermissionInput{FunctionName: aws.String(a.Names["Responder"]), StatementId: aws.String("his"),
				Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("444455556666")})
			return err
		}},
		"event source mapping Taken is gone: its function does not get what waits for it": {"functions", func(ctx context.Context, a *world) error {
			_, err := lambda.NewFromConfig(a.Config).DeleteEventSourceMapping(ctx, &lambda.DeleteEventSourceMappingInput{UUID: aws.String(a.Names["Taken"])})
			return err
		}},
		"event source mapping Taken is not enabled, but Disabled": {"functions", func(ctx context.Context, a *world) error {
			_, err := lambda.NewFromConfig(a.Config).UpdateEventSourceMapping(ctx, &lambda.UpdateEventSourceMappingInput{UUID: aws.String(a.Names["Taken"]), Enabled: aws.Bool(false)})
			return err
		}},
		"runs other code than was deployed": {"functions", func(ctx context.Context, a *world) error {
			_, err := lambda.NewFromConfig(a.Config).UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: aws.String(a.Names["Responder"]), ZipFile: zipped("his")})
			return err
		}},
		"a deployment is going on, and how they are set is not compared": {"", func(ctx context.Context, a *world) error {
			a.Meddle = a.since(time.Now().Add(-119*time.Minute), "UPDATE_IN_PROGRESS")
			_, err := lambda.NewFromConfig(a.Config).UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: aws.String(a.Names["Responder"]), ZipFile: zipped("the next")})
			return err
		}},
		"other code than was deployed": {"functions", func(ctx context.Context, a *world) error { // which a deployment without an end does not hide
			a.Meddle = a.since(time.Now().Add(-2*time.Hour), "UPDATE_IN_PROGRESS")
			_, err := lambda.NewFromConfig(a.Config).UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: aws.String(a.Names["Responder"]), ZipFile: zipped("his")})
			return err
		}},
		"is not active, but Failed": {"functions", func(_ context.Context, a *world) error { // moto's are always active
			a.Meddle = func(w http.ResponseWriter, operation string) bool {
				if operation != "configuration" {
					return false
				}
				io.WriteString(w, a.functionThat(`"State":"Failed","StateReason":"its key is disabled"`))
				return true
			}
			return nil
		}},
		"its DeletionProtectionEnabled is false, and was deployed as true": {"table", func(ctx context.Context, a *world) error {
			_, err := dynamodb.NewFromConfig(a.Config).UpdateTable(ctx, &dynamodb.UpdateTableInput{TableName: aws.String(checkstest.Table), DeletionProtectionEnabled: aws.Bool(false)})
			return err
		}},
		"its PointInTimeRecoveryEnabled is false, and was deployed as true": {"table", func(ctx context.Context, a *world) error {
			_, err := dynamodb.NewFromConfig(a.Config).UpdateContinuousBackups(ctx, &dynamodb.UpdateContinuousBackupsInput{TableName: aws.String(checkstest.Table),
				PointInTimeRecoverySpecification: &dynamotypes.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: aws.Bool(false)}})
			return err
		}},
		"its policy is nothing, and was deployed as": {"table", func(ctx context.Context, a *world) error {
			_, err := dynamodb.NewFromConfig(a.Config).DeleteResourcePolicy(ctx, &dynamodb.DeleteResourcePolicyInput{ResourceArn: aws.String("arn:aws:dynamodb:eu-west-1:" + a.ID + ":table/" + checkstest.Table)})
			return err
		}},
		"group of schedules Nightlatch is gone: no incident is followed up": {"schedules", func(ctx context.Context, a *world) error {
			_, err := scheduler.NewFromConfig(a.Config).DeleteScheduleGroup(ctx, &scheduler.DeleteScheduleGroupInput{Name: aws.String("Nightlatch")})
			return err
		}},
		"its versioning is Suspended, and was deployed as Enabled": {"storage", func(ctx context.Context, a *world) error {
			_, err := a.buckets().PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: aws.String(a.Cases()), VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusSuspended}})
			return err
		}},
		"its object lock is GOVERNANCE for 1 days, and was deployed as COMPLIANCE for 90 days": {"storage", func(ctx context.Context, a *world) error {
			_, err := a.buckets().PutObjectLockConfiguration(ctx, &s3.PutObjectLockConfigurationInput{Bucket: aws.String(a.Cases()), ObjectLockConfiguration: &s3types.ObjectLockConfiguration{ObjectLockEnabled: s3types.ObjectLockEnabledEnabled,
				Rule: &s3types.ObjectLockRule{DefaultRetention: &s3types.DefaultRetention{Mode: s3types.ObjectLockRetentionModeGovernance, Days: aws.Int32(1)}}}})
			return err
		}},
		"its public access block is nothing, and was deployed as BlockPublicAcls": {"storage", func(ctx context.Context, a *world) error {
			_, err := a.buckets().DeletePublicAccessBlock(ctx, &s3.DeletePublicAccessBlockInput{Bucket: aws.String(a.Cases())})
			return err
		}},
		`its policy is nothing, and was deployed as {"Statement"`: {"storage", func(ctx context.Context, a *world) error {
			_, err := a.buckets().DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: aws.String(a.Cases())})
			return err
		}},
		"is gone: what is kept there is lost": {"storage", func(ctx context.Context, a *world) error {
			_, err := a.buckets().DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String(a.Cases())})
			return err
		}},
		"has delivered no files since": {"trail", func(_ context.Context, a *world) error {
			a.Meddle = func(w http.ResponseWriter, operation string) bool {
				if operation != "GetTrailStatus" {
					return false
				}
				fmt.Fprintf(w, `{"IsLogging":true,"LatestDeliveryTime":%d}`, time.Now().Add(-3*time.Hour).Unix())
				return true
			}
			return nil
		}},
		"no test was ever sent to arn:aws:sns:eu-west-1:": {"tests", func(_ context.Context, a *world) error {
			a.Tries(map[string]notify.Tried{"slack:x": {At: time.Now()}})
			return nil
		}},
		"no test within a month was taken by sns:arn:aws:sns:eu-west-1:": {"tests", func(_ context.Context, a *world) error {
			a.Tries(map[string]notify.Tried{"sns:" + a.Names["Topic"]: {At: time.Now().AddDate(0, 0, -32)}})
			return nil
		}},
		`UTC: its key is \\x1b disabled`: {"tests", func(_ context.Context, a *world) error {
			a.Tries(map[string]notify.Tried{"sns:" + a.Names["Topic"]: {At: time.Now(), Refused: "its key is \x1b disabled"}})
			return nil
		}},
		"so that the responder asks about everything: the policy does not parse": {"policy", func(_ context.Context, a *world) error { a.policy.Text = []byte("permit (principal"); return nil }},
		"is not the policy that was deployed": {"policy", func(_ context.Context, a *world) error {
			a.policy.Text = append([]byte("// ours\n"), a.policy.Text...)
			return nil
		}},
		"the rules differ that are called contain-stolen-key": {"policy", func(_ context.Context, a *world) error { a.Policy = older; return nil }},
		"own.cedar decides 1 of 38 cases otherwise: own.cases.json": {"policy", func(_ context.Context, a *world) error {
			a.policy.Cases = bytes.Replace(a.policy.Cases, []byte(`"contain"`), []byte(`"leave"`), 1)
			return nil
		}},
		"its policy responder is not as deployed": {"roles", func(ctx context.Context, a *world) error {
			_, err := iam.NewFromConfig(a.Config).PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String(a.Names["ResponderRole"]), PolicyName: aws.String("responder"),
				PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`)})
			return err
		}},
		"has a policy more that was not deployed": {"roles", func(ctx context.Context, a *world) error {
			_, err := iam.NewFromConfig(a.Config).PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String(a.Names["ResponderRole"]), PolicyName: aws.String("more"),
				PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`)})
			return err
		}},
		"has lost its policy responder": {"roles", func(ctx context.Context, a *world) error {
			_, err := iam.NewFromConfig(a.Config).DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: aws.String(a.Names["ResponderRole"]), PolicyName: aws.String("responder")})
			return err
		}},
		"is gone: its function can do nothing": {"roles", func(ctx context.Context, a *world) error {
			roles, name := iam.NewFromConfig(a.Config), aws.String(a.Names["KeeperRole"])
			if _, err := roles.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: aws.String("keeper")}); err != nil {
				return err
			}
			_, err := roles.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name})
			return err
		}},
		"attached, which was not deployed": {"roles", func(ctx context.Context, a *world) error {
			roles := iam.NewFromConfig(a.Config)
			made, err := roles.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("his"), PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`)})
			if err != nil {
				return err
			}
			_, err = roles.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: aws.String(a.Names["ResponderRole"]), PolicyArn: made.Policy.Arn})
			return err
		}},
		"has the permissions boundary": {"roles", func(ctx context.Context, a *world) error {
			_, err := iam.NewFromConfig(a.Config).PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: aws.String(a.Names["ResponderRole"]), PermissionsBoundary: aws.String("arn:aws:iam::" + a.ID + ":policy/his")})
			return err
		}},
		"can be assumed by others than was deployed": {"roles", func(ctx context.Context, a *world) error {
			_, err := iam.NewFromConfig(a.Config).UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String(a.Names["ResponderRole"]),
				PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"*"}}]}`)})
			return err
		}},
		"is stopped, and records nothing": {"trail", func(ctx context.Context, a *world) error {
			_, err := cloudtrail.NewFromConfig(a.Config).StopLogging(ctx, &cloudtrail.StopLoggingInput{Name: aws.String("main")})
			return err
		}},
		`does not record every read of bucket \"exports\"`: {"trail", func(_ context.Context, a *world) error {
			a.Record("arn:aws:s3:::logs/")
			return nil
		}},
		"records nothing; start it: aws cloudtrail start-event": {"trail", func(_ context.Context, a *world) error { a.StoreStatus = "STOPPED_INGESTION"; return nil }},
		"others than CloudTrail may write the trail's files":    {"seal", func(_ context.Context, a *world) error { a.Unseal(); return nil }},
		"may not call s3:GetBucketPolicy": {"seal", func(_ context.Context, a *world) error {
			a.Meddle = func(w http.ResponseWriter, operation string) bool {
				if operation != "files-"+a.ID { // of S3 the path's last part
					return false
				}
				w.WriteHeader(http.StatusForbidden)
				io.WriteString(w, `<Error><Code>AccessDenied</Code><Message>no</Message></Error>`)
				return true
			}
			return nil
		}},
		"its owner adds to the bucket's policy: [{": {"access", func(_ context.Context, a *world) error { a.Meddle = denies("ListObjectsV2", "no"); return nil }},
		"as the policy of their bucket does not let us in: the function's role may not call s3:GetObject on bucket": {"access", func(_ context.Context, a *world) error {
			a.Meddle = denies(checkstest.TrailFile, "no")
			return nil
		}},
		"its owner adds to the key's policy: [{": {"access", func(_ context.Context, a *world) error {
			a.Meddle = denies(checkstest.TrailFile, "User: x is not authorized to perform: kms:Decrypt on the resource associated with this ciphertext")
			return nil
		}},
		"there is no such trail": {"trail", func(ctx context.Context, a *world) error {
			_, err := cloudtrail.NewFromConfig(a.Config).DeleteTrail(ctx, &cloudtrail.DeleteTrailInput{Name: aws.String("main")})
			return err
		}},
		`does not take the question usage: the engine says: mismatched input \\x1b[2J'with'`: {"questions", func(_ context.Context, a *world) error { a.engine.refuses = "usage"; return nil }},
	} {
		t.Run(c.check+" "+says, func(t *testing.T) {
			t.Parallel()
			a := newWorld(t)
			a.do(c.wreck(t.Context(), a))
			reports := a.examine()
			text, err := doctor.JSON(reports)
			a.do(err)
			for _, r := range reports {
				if want := c.check == r.Name; (r.State == doctor.Broken) != want || r.State == doctor.Unread || len(r.Found) > 1 {
					t.Errorf("%s is %v", r.Name, r.State)
				}
			}
			if !strings.Contains(string(text), says) && !strings.Contains(doctor.Text(reports), says) {
				t.Errorf("no %q", says)
			}
			if t.Failed() {
				t.Logf("%s", text)
			}
		})
	}
}

// Where the table is gone, nothing else is called broken: what stood in it could not be read.
func TestATableThatIsGoneIsNamed(t *testing.T) {
	t.Parallel()
	a := newWorld(t)
	tables, name := dynamodb.NewFromConfig(a.Config), aws.String(checkstest.Table)
	_, err := tables.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: name, DeletionProtectionEnabled: aws.Bool(false)})
	a.do(err)
	_, err = tables.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: name})
	a.do(err)
	for _, r := range a.examine() {
		want, named := map[string]doctor.State{"table": doctor.Broken, "notices": doctor.Unread, "tests": doctor.Unread}[r.Name]
		if !named {
			want = doctor.Holds
		}
		if r.State != want {
			t.Errorf("%s is %v, want %v: %s %+v", r.Name, r.State, want, r.Says, r.Found)
		}
	}
}

// Whoever may read nothing is told so of each check, and none of them holds.
func TestWhatMayNotBeReadIsSaid(t *testing.T) {
	t.Parallel()
	for _, denied := range []string{"GetTemplate", "ListSubscriptionsByTopic", "GetQueueAttributes", "GetRolePolicy", "GetTrailStatus", "DescribeRule", "GetItem", "DescribeTable", "policy", "ListMetrics"} {
		a := newWorld(t)
		a.Meddle = func(w http.ResponseWriter, operation string) bool {
			if operation != denied {
				return false
			}
			w.WriteHeader(http.StatusForbidden)
			if slices.Contains([]string{"GetTrailStatus", "GetQueueAttributes", "DescribeRule", "GetItem", "DescribeTable", "policy"}, denied) {
				io.WriteString(w, `{"__type":"AccessDeniedException","message":"User: x is not authorized to perform: it"}`)
			} else {
				io.WriteString(w, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>User: x is not authorized to perform: it</Message></Error></ErrorResponse>`)
			}
			return true
		}
		var unread []string
		for _, r := range a.examine() {
			if r.State == doctor.Broken {
				t.Errorf("%s: %s is broken: %+v", denied, r.Name, r.Found)
			}
			if r.State == doctor.Unread {
				unread = append(unread, r.Name)
				if !strings.Contains(r.Says, denied) {
					t.Errorf("%s: %s says %s", denied, r.Name, r.Says)
				}
			}
		}
		want := map[string][]string{"GetTemplate": {"buckets", "endpoints", "alarms", "thresholds", "queues", "rules", "observe", "tests", "rehearsal", "roles", "rights", "functions", "table", "schedules", "storage", "trail", "policy", "seal", "access"}, "ListSubscriptionsByTopic": {"endpoints"}, "GetQueueAttributes": {"queues"},
			"GetRolePolicy": {"roles"}, "GetTrailStatus": {"trail", "seal", "access"}, "DescribeRule": {"rules"}, "GetItem": {"notices", "tests"}, "DescribeTable": {"table"}, "policy": {"functions"}, "ListMetrics": {"buckets", "thresholds"}}[denied]
		if !slices.Equal(unread, want) {
			t.Errorf("%s: not read are %q", denied, unread)
		}
	}
}
