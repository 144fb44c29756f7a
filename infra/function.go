package main

import (
	"cmp"
	"maps"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/grant"
	"nightlatch/internal/settings"
)

const (
	// retries are of an asynchronous event, such as every alarm's:
	// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
	retries = 2
	// timeout is the longest there is: CloudTrail is minutes behind, and a thousand buckets are enrolled one after the other. It is no
	// setting: with less than three minutes the responder could begin nothing, and refuses to work.
	timeout = 15 * 60 // seconds
)

// recipe is what one of the stack's functions has for itself.
type recipe struct {
	id, about   string // id begins the names of its resources
	code        string // the directory of its bootstrap
	grants      []grant.Grant
	environment map[string]string
	eventAge    int                                      // seconds after which an asynchronous event is given up; 0 where there are none
	names       map[string]string                        // of the grants' placeholders, beside those of every function
	timeout     int                                      // seconds; 0 is the longest
	more        []statement                              // of its role, for what AWS does with it
	mute        bool                                     // it publishes to no topic
	deployed    map[string]any                           // what the template says of it, beside its code's hash, at settings.DeployedKey
	network     *awslambda.CfnFunction_VpcConfigProperty // nil is Lambda's own
}

// lambda is one of the stack's Lambdas.
type lambda struct {
	function awslambda.CfnFunction
	role     awsiam.CfnRole
	retries  awslambda.CfnEventInvokeConfig // nil where there are no asynchronous events
	logs     awslogs.CfnLogGroup
	hash     *string // of the code
}

// newFunction makes a Lambda of ours, built in Go for provided.al2023, with a role and a log group of its own. Asynchronous events on
// which it fails three times go to the queue. It reserves no concurrency: an account with the default of ten would refuse that.
func newFunction(scope constructs.Construct, s Settings, r recipe, topic team, kept incidents, queue *string) (lambda, error) {
	logs := awslogs.NewCfnLogGroup(scope, jsii.String(r.id+"Log"), &awslogs.CfnLogGroupProps{RetentionInDays: jsii.Number(s.RetentionDays)})
	logs.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN, nil) // it is evidence, and outlives the stack
	role, err := newRole(scope, s, r, topic, kept, logs.AttrArn(), queue)
	if err != nil {
		return lambda{}, err
	}
	environment := map[string]*string{}
	for name, value := range r.environment {
		environment[name] = jsii.String(value)
	}
	archive, sum, err := pack(r.code)
	if err != nil {
		return lambda{}, err
	}
	asset := awss3assets.NewAsset(scope, jsii.String(r.id+"Code"), &awss3assets.AssetProps{Path: jsii.String(archive)})
	f := awslambda.NewCfnFunction(scope, jsii.String(r.id), &awslambda.CfnFunctionProps{
		Description: jsii.String(r.about),
		Runtime:     jsii.String("provided.al2023"), Architectures: jsii.Strings("arm64"), Handler: jsii.String("bootstrap"),
		Code:       &awslambda.CfnFunction_CodeProperty{S3Bucket: asset.S3BucketName(), S3Key: asset.S3ObjectKey()},
		Role:       role.AttrArn(),
		MemorySize: jsii.Number(s.MemoryMiB), Timeout: jsii.Number(cmp.Or(r.timeout, timeout)),
		Environment:   &awslambda.CfnFunction_EnvironmentProperty{Variables: environment},
		VpcConfig:     r.network,
		LoggingConfig: &awslambda.CfnFunction_LoggingConfigProperty{LogGroup: logs.Ref()},
	})
	deployed := map[string]any{"CodeSha256": sum}
	maps.Copy(deployed, r.deployed)
	f.AddMetadata(jsii.String(settings.DeployedKey), deployed)
	if r.eventAge == 0 {
		return lambda{f, role, nil, logs, asset.AssetHash()}, nil
	}
	retried := awslambda.NewCfnEventInvokeConfig(scope, jsii.String(r.id+"Retries"), &awslambda.CfnEventInvokeConfigProps{
		FunctionName: f.Ref(), Qualifier: jsii.String("$LATEST"),
		MaximumRetryAttempts: jsii.Number(retries), MaximumEventAgeInSeconds: jsii.Number(r.eventAge),
		DestinationConfig: &awslambda.CfnEventInvokeConfig_DestinationConfigProperty{
			OnFailure: &awslambda.CfnEventInvokeConfig_OnFailureProperty{Destination: queue},
		},
	})
	return lambda{f, role, retried, logs, asset.AssetHash()}, nil
}

// every calls a function, by the name of the rule's target, at a rate, with an event of ours.
func every(scope constructs.Construct, s Settings, id, about, rate, target, event string, function awslambda.CfnFunction) {
	rule := awsevents.NewCfnRule(scope, jsii.String(id), &awsevents.CfnRuleProps{Description: jsii.String(about), ScheduleExpression: jsii.String(rate),
		Targets: &[]any{&awsevents.CfnRule_TargetProperty{Id: jsii.String(target), Arn: function.AttrArn(), Input: jsii.String(event)}}})
	awslambda.NewCfnPermission(scope, jsii.String(id+"Invoke"), &awslambda.CfnPermissionProps{Action: jsii.String("lambda:InvokeFunction"),
		FunctionName: function.AttrArn(), Principal: jsii.String("events.amazonaws.com"), SourceAccount: jsii.String(s.Home.Account), SourceArn: rule.AttrArn()})
}
