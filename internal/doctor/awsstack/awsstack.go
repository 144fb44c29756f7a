// Package awsstack reads what CloudFormation says was deployed, and what AWS says is there now. It only reads.
//
// What was deployed is the stack's template, with the names that CloudFormation has made: whoever changes a resource by another way does not
// change that. The calls are those of
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_GetTemplate.html,
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStackResources.html,
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html,
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html,
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DescribeRule.html,
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html,
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html,
// https://docs.aws.amazon.com/lambda/latest/api/API_GetPolicy.html,
// https://docs.aws.amazon.com/lambda/latest/api/API_GetEventSourceMapping.html,
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetResourcePolicy.html,
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_GetScheduleGroup.html and
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectLockConfiguration.html.
package awsstack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"nightlatch/internal/awserr"
	"nightlatch/internal/doctor"
	"nightlatch/internal/grant"
)

const (
	// attempts is how often a call is made that fails in passing, and backoff bounds the wait between two: nobody waits for the daily run.
	attempts = 4
	backoff  = 2 * time.Second
)

// Reader reads one stack and its nested ones. It is safe for use by several goroutines.
type Reader struct {
	stack     string
	region    string
	formation *cloudformation.Client
	metrics   *cloudwatch.Client
	iam       *iam.Client
	queues    *sqs.Client
	events    *eventbridge.Client
	lambda    *lambda.Client
	tables    *dynamodb.Client
	schedules *scheduler.Client
	buckets   *s3.Client
}

var _ doctor.Stack = (*Reader)(nil)

// New makes a reader of a stack, by its name or its id, in cfg's region. It makes no call.
func New(cfg aws.Config, stack string) (*Reader, error) {
	switch {
	case cfg.Region == "":
		return nil, errors.New("reading a stack needs a region, and the AWS configuration has none; set AWS_REGION")
	case cfg.Credentials == nil:
		return nil, errors.New("reading a stack needs credentials, and the AWS configuration has none; sign in or set a profile")
	case stack == "":
		return nil, errors.New("reading a stack needs its name; deploy again")
	}
	cfg = cfg.Copy()
	cfg.Retryer = func() aws.Retryer { return awserr.Retries(attempts, backoff, backoff) }
	return &Reader{stack: stack, region: cfg.Region, formation: cloudformation.NewFromConfig(cfg), metrics: cloudwatch.NewFromConfig(cfg), iam: iam.NewFromConfig(cfg),
		queues: sqs.NewFromConfig(cfg), events: eventbridge.NewFromConfig(cfg), lambda: lambda.NewFromConfig(cfg), tables: dynamodb.NewFromConfig(cfg),
		schedules: scheduler.NewFromConfig(cfg), buckets: s3.NewFromConfig(cfg)}, nil
}

// StackGrants are the permissions that Deployed needs. Nested stacks are named as the stack is, and more.
func StackGrants() []grant.Grant {
	return []grant.Grant{{Sid: "ReadItsStack", Actions: []string{"cloudformation:GetTemplate", "cloudformation:ListStackResources", "cloudformation:DescribeStacks"},
		On: []string{"${StackID}", "arn:${Partition}:cloudformation:${Region}:${Account}:stack/${Stack}-*/*"}, Why: "It reads what was deployed: its own stack, and those nested in it, whose names CloudFormation ends as it likes."}}
}

// Deployed implements doctor.Stack.
func (r *Reader) Deployed(ctx context.Context) (doctor.Deployed, error) {
	var d doctor.Deployed
	err := r.add(ctx, &d, r.stack)
	return d, err
}

// add reads one stack, and those that are nested in it.
func (r *Reader) add(ctx context.Context, d *doctor.Deployed, stack string) error {
	on := fmt.Sprintf("stack %q", stack)
	got, err := r.formation.GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: &stack})
	if err != nil {
		return failed("cloudformation:GetTemplate", on, err)
	}
	var t Template
	if err := json.Unmarshal([]byte(aws.ToString(got.TemplateBody)), &t); err != nil || t.Resources == nil {
		return fmt.Errorf("reading the template of %s: it is not one of the CDK's, in JSON; see whether this is Nightlatch's stack", on)
	}
	w := World{Region: r.region, Names: map[string]string{}, Parameters: map[string]string{}}
	resources := cloudformation.NewListStackResourcesPaginator(r.formation, &cloudformation.ListStackResourcesInput{StackName: &stack})
	for resources.HasMorePages() {
		page, err := resources.NextPage(ctx)
		if err != nil {
			return failed("cloudformation:ListStackResources", on, err)
		}
		for _, s := range page.StackResourceSummaries {
			w.Names[aws.ToString(s.LogicalResourceId)] = aws.ToString(s.PhysicalResourceId)
		}
	}
	described, err := r.formation.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
	if err == nil && len(described.Stacks) != 1 {
		err = errStrange
	}
	if err != nil {
		return failed("cloudformation:DescribeStacks", on, err)
	}
	for _, p := range described.Stacks[0].Parameters {
		w.Parameters[aws.ToString(p.ParameterKey)] = aws.ToString(p.ParameterValue)
	}
	if w.StackID = aws.ToString(described.Stacks[0].StackId); len(strings.Split(w.StackID, ":")) < 6 {
		return failed("cloudformation:DescribeStacks", on, errStrange)
	}
	d.Changing = d.Changing || changing(described.Stacks[0])
	if err := t.Read(w, d); err != nil {
		return fmt.Errorf("reading the template of %s: %v", on, err)
	}
	for _, nested := range t.nested(w) {
		if err := r.add(ctx, d, nested); err != nil {
			return err
		}
	}
	return nil
}

// maxChange is how long a deployment may go on: what lasts longer hides nothing.
const maxChange = 2 * time.Hour

// changing reports whether a stack is being deployed. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
func changing(s types.Stack) bool {
	began := s.CreationTime
	if s.LastUpdatedTime != nil {
		began = s.LastUpdatedTime
	}
	going := []types.StackStatus{types.StackStatusCreateInProgress, types.StackStatusUpdateInProgress, types.StackStatusRollbackInProgress, types.StackStatusUpdateRollbackInProgress}
	return slices.Contains(going, s.StackStatus) && began != nil && time.Since(*began) < maxChange
}

// errStrange is an answer that AWS does not give.
var errStrange = errors.New("the answer has no such thing in it")

// failed makes the one sentence about a call that failed.
func failed(action, on string, err error) error {
	doing := fmt.Sprintf("calling %s on %s", action, on)
	refused, status := awserr.Refusal(err)
	switch {
	case errors.Is(err, errStrange):
		return fmt.Errorf("%s: the answer is not AWS's; see whether a proxy stands between", doing)
	case refused == nil:
		return awserr.Silence{Doing: doing, Service: "AWS", Late: "; try again", Reach: "AWS can be reached from here"}.Sentence(status, err)
	case awserr.Throttled(refused.ErrorCode()):
		return fmt.Errorf("%s: AWS is throttling the account's calls; try again in a minute", doing)
	}
	switch code := refused.ErrorCode(); code {
	case "AccessDenied", "AccessDeniedException", "AllAccessDisabled":
		return grant.Denied(action, on, refused.ErrorMessage())
	case "ValidationError": // the names are well formed, so that there is no such thing
		return fmt.Errorf("%s: AWS knows no such thing (%+.200q); see the stack's name, the region and the credentials", doing, refused.ErrorMessage())
	default:
		return fmt.Errorf("%s: AWS refused with %s (%+.200q); see the errors of that call in the API reference", doing, code, refused.ErrorMessage())
	}
}
