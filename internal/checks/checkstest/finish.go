package checkstest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
)

// Cases is the name of the bucket of case folders.
func (a *Account) Cases() string { return "nightlatch-cases-" + a.ID }

// finish makes by calls what moto's CloudFormation leaves out of the template.
func (a *Account) finish(buckets *s3.Client) {
	a.t.Helper()
	ctx, cases := a.t.Context(), aws.String(a.Cases())
	a.Metrics.Make("eu-west-1", "exports")
	a.Metrics.Put("exports", "nightlatch", "")
	functions := lambda.NewFromConfig(a.Config)
	responder, err := functions.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: aws.String(a.Names["Responder"])})
	a.do(err)
	a.Code = *responder.CodeSha256
	for _, p := range []lambda.AddPermissionInput{
		{StatementId: aws.String("AlarmsInvoke"), Principal: aws.String("lambda.alarms.cloudwatch.amazonaws.com"), SourceAccount: &a.ID, SourceArn: aws.String("arn:aws:cloudwatch:eu-west-1:" + a.ID + ":alarm:nightlatch-*")},
		{StatementId: aws.String("EventsInvoke"), Principal: aws.String("events.amazonaws.com"), SourceArn: aws.String("arn:aws:events:eu-west-1:" + a.ID + ":rule/" + a.Names["Rings"])},
	} {
		p.Action, p.FunctionName = aws.String("lambda:InvokeFunction"), aws.String(a.Names["Responder"])
		_, err := functions.AddPermission(ctx, &p)
		a.do(err)
	}
	_, err = scheduler.NewFromConfig(a.Config).CreateScheduleGroup(ctx, &scheduler.CreateScheduleGroupInput{Name: aws.String("Nightlatch")})
	a.do(err)
	tables := dynamodb.NewFromConfig(a.Config)
	_, err = tables.UpdateContinuousBackups(ctx, &dynamodb.UpdateContinuousBackupsInput{TableName: aws.String(Table),
		PointInTimeRecoverySpecification: &dynamotypes.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: aws.Bool(true)}})
	a.do(err)
	_, err = tables.PutResourcePolicy(ctx, &dynamodb.PutResourcePolicyInput{ResourceArn: aws.String("arn:aws:dynamodb:eu-west-1:" + a.ID + ":table/" + Table),
		Policy: aws.String(`{"Version":"2012-10-17","Statement":[{"Sid":"OnlyOursWrite","Effect":"Deny","Principal":"*","Action":"dynamodb:PutItem","Resource":"*",
"Condition":{"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::` + a.ID + `:role/` + a.Names["ResponderRole"] + `"}}}]}`)})
	a.do(err)
	_, err = buckets.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: cases, VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusEnabled}})
	a.do(err)
	_, err = buckets.PutObjectLockConfiguration(ctx, &s3.PutObjectLockConfigurationInput{Bucket: cases, ObjectLockConfiguration: &s3types.ObjectLockConfiguration{ObjectLockEnabled: s3types.ObjectLockEnabledEnabled,
		Rule: &s3types.ObjectLockRule{DefaultRetention: &s3types.DefaultRetention{Mode: s3types.ObjectLockRetentionModeCompliance, Days: aws.Int32(90)}}}})
	a.do(err)
	_, err = buckets.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: cases, PublicAccessBlockConfiguration: &s3types.PublicAccessBlockConfiguration{
		BlockPublicAcls: aws.Bool(true), BlockPublicPolicy: aws.Bool(true), IgnorePublicAcls: aws.Bool(true), RestrictPublicBuckets: aws.Bool(true)}})
	a.do(err)
	_, err = buckets.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: cases, Policy: aws.String(fmt.Sprintf(
		`{"Version":"2012-10-17","Statement":{"Sid":"NobodyDeletes","Effect":"Deny","Principal":"*","Action":["s3:DeleteObjectVersion","s3:DeleteObject"],"Resource":"arn:aws:s3:::%s/*"}}`, a.Cases()))})
	a.do(err)
}

// simulate answers as IAM's simulator does about the responder's role, which may publish and send, and about the keeper's, which may write cases.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
func (a *Account) simulate(w http.ResponseWriter, body string) {
	form, err := url.ParseQuery(body)
	role := strings.TrimPrefix(form.Get("PolicySourceArn"), "arn:aws:iam::"+a.ID+":role/")
	if err != nil || role != a.Names["ResponderRole"] && role != a.Names["KeeperRole"] || form.Get("ResourceArns.member.2") != "" {
		a.t.Errorf("the simulator is asked %v: %v", form, err)
	}
	may := []string{"sns:Publish", "sqs:SendMessage"}
	if role == a.Names["KeeperRole"] {
		may = nil
		if strings.HasPrefix(form.Get("ResourceArns.member.1"), "arn:aws:s3:::"+a.Cases()+"/") {
			may = []string{"s3:PutObject"}
		}
	} else {
		may = append(may, a.Let...)
	}
	fmt.Fprint(w, "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults>")
	for i := 1; form.Has(fmt.Sprintf("ActionNames.member.%d", i)); i++ {
		action, decision := form.Get(fmt.Sprintf("ActionNames.member.%d", i)), "implicitDeny"
		stopped := slices.Contains(a.Stopped, action)
		if slices.Contains(may, action) && !stopped {
			decision = "allowed"
		}
		fmt.Fprintf(w, `<member><EvalActionName>%s</EvalActionName><EvalDecision>%s</EvalDecision><EvalResourceName>*</EvalResourceName>
<OrganizationsDecisionDetail><AllowedByOrganizations>%t</AllowedByOrganizations></OrganizationsDecisionDetail></member>`, action, decision, !stopped)
	}
	fmt.Fprint(w, "</EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>")
}
