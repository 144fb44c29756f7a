package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/grant"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/rehearsal"
	"nightlatch/internal/rehearsal/awscanary"
	"nightlatch/internal/settings"
)

const (
	// rehearseEvery is how often what is due is done, and rehearserEventAge how late that is still of use.
	rehearseEvery     = "rate(15 minutes)"
	rehearserEventAge = 10 * 60 // seconds
	// canaryNetwork is the smallest that a VPC may have: one function needs an address.
	canaryNetwork = "10.255.255.0/28"
)

// newRehearser makes the canary, its bucket and its network, and the function that rehearses with it. Nil where no canary is wanted.
func newRehearser(scope constructs.Construct, s Settings, c code, topic, watch team, kept incidents, queue *string, e enroller) (*lambda, error) {
	if s.Canary == "" {
		return nil, nil
	}
	bucket := newCanaryBucket(scope, s)
	e.enrolled.AddResourceDependency(bucket, nil)
	user := newCanary(scope, *bucket.AttrArn())
	key := awsiam.NewCfnAccessKey(scope, jsii.String("CanaryKey"), &awsiam.CfnAccessKeyProps{UserName: user.Ref(), Serial: jsii.Number(s.CanaryKey)})
	secret := awssecretsmanager.NewCfnSecret(scope, jsii.String("CanarySecret"), &awssecretsmanager.CfnSecretProps{Name: jsii.String(canarySecret(kept)), Description: jsii.String("Nightlatch: the key of the canary, which reads one bucket of zeros"),
		SecretString: jsii.String(fmt.Sprintf(`{"access_key_id":"%s","secret_access_key":"%s"}`, *key.Ref(), *key.AttrSecretAccessKey()))})
	secret.ApplyRemovalPolicy(awscdk.RemovalPolicy_DESTROY, nil)
	excuse(secret, finding{rule: "AwsSolutions-SMG4", reason: "The key opens one bucket of zeros, and a rehearsal turns it off. The setting canaryKey gives the canary another."})
	network := newCanaryNetwork(scope, s, user, *bucket.AttrArn())
	reads, err := newFunction(scope, s, recipe{id: "Canary", about: "Nightlatch: reads as the canary, in the canary's own network", code: c.canary, timeout: 2 * 60, mute: true,
		network: network.of(), more: haveAnAddress(s.Home)}, topic, kept, nil)
	if err != nil {
		return nil, err
	}
	// Lambda takes the function's address away with its role, long after the function is gone: the role goes last.
	network.subnet.AddResourceDependency(reads.role, nil)
	network.group.AddResourceDependency(reads.role, nil)
	excuse(reads.role, finding{rule: "AwsSolutions-IAM5", on: "Resource::*", reason: "HaveAnAddress: Lambda's interfaces have no names before they are made; the function itself is denied all of it."})
	names := map[string]string{"CanaryUser": *user.AttrArn(), "CanaryBucket": *bucket.AttrArn(), "CanarySecret": *secret.Ref(), "CanaryFunction": *reads.function.AttrArn()}
	maps.Copy(names, watchNames(watch))
	f, err := newFunction(scope, s, recipe{
		id: "Rehearser", about: "Nightlatch: rehearses with the canary, and turns the canary's key on again", code: c.rehearser, eventAge: rehearserEventAge, grants: rehearserGrants(s),
		environment: settings.Rehearser{Topic: *topic.arn, Topics: s.Topics, Watchers: s.watchingTopics(watch), Account: s.Home.Account, Table: kept.name, LogLevel: s.LogLevel,
			User: *user.Ref(), Bucket: s.Canary, Secret: *secret.Ref(), Function: *reads.function.Ref(), Days: s.RehearseDays}.Environ(),
		names: names,
		more:  []statement{encryptForTheWatchers(s.Home, watch)},
	}, topic, kept, queue)
	if err != nil {
		return nil, err
	}
	every(scope, s, "Rehearse", "Nightlatch: what is due of its rehearsals", rehearseEvery, "rehearser", `{"nightlatch":{"rehearse":"`+rehearsal.Tick+`"}}`, f.function)
	awscdk.NewCfnOutput(scope, jsii.String(settings.RehearserOutput), &awscdk.CfnOutputProps{Value: f.function.Ref(), Description: jsii.String("The function that rehearses: nightlatch rehearse")})
	return &f, nil
}

// canarySecret is the name of the secret with the canary's key: a call may name it so, or by its ARN.
func canarySecret(kept incidents) string { return kept.name + "-canary" }

// rehearserGrants are the permissions that the function's code needs: the canary's alone, one item of the table, incidents to read, and to notify.
func rehearserGrants(s Settings) []grant.Grant {
	return slices.Concat(awscanary.Grants(), dynamo.RehearsalGrants(), dynamo.TurnGrants(), notifyGrants(s), hearingGrants())
}

// newCanaryBucket makes the bucket that the canary reads. It holds one object of zeros, which goes by itself a month after it was put last. The bucket
// outlives the stack, but not a deployment that failed: it would be in the way of the next.
func newCanaryBucket(scope constructs.Construct, s Settings) awss3.CfnBucket {
	const days = 30
	bucket := newBucket(scope, "CanaryBucket", days, false)
	bucket.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE, nil)
	bucket.SetBucketName(jsii.String(s.Canary))
	bucket.SetMetricsConfigurations(&[]any{&awss3.CfnBucket_MetricsConfigurationProperty{Id: jsii.String(s.Filter)}})
	awss3.NewCfnBucketPolicy(scope, jsii.String("CanaryBucketPolicy"), &awss3.CfnBucketPolicyProps{Bucket: bucket.Ref(),
		PolicyDocument: document(onlyTLS("s3:*", []string{*bucket.AttrArn(), *bucket.AttrArn() + "/*"}))})
	return bucket
}

// newCanary makes the canary: a user whose key reads one bucket and nothing else, whoever's policy on another bucket lets it.
func newCanary(scope constructs.Construct, bucket string) awsiam.CfnUser {
	objects := []string{bucket + "/*"}
	user := awsiam.NewCfnUser(scope, jsii.String("CanaryUser"), &awsiam.CfnUserProps{Policies: &[]any{&awsiam.CfnUser_PolicyProperty{PolicyName: jsii.String("canary"), PolicyDocument: document(
		statement{"Sid": "ReadTheCanaryBucket", "Effect": "Allow", "Action": "s3:GetObject", "Resource": objects},
		statement{"Sid": "DoNothingElse", "Effect": "Deny", "NotAction": "s3:GetObject", "Resource": "*"},
		statement{"Sid": "ReadNothingElse", "Effect": "Deny", "Action": "s3:GetObject", "NotResource": objects},
	)}}})
	excuse(user, finding{rule: "AwsSolutions-IAM5", on: "Resource::" + bucket + "/*", reason: "ReadTheCanaryBucket: the bucket is the canary's own, and holds one object of zeros."})
	return user
}

// newCanaryNetwork makes the place where the canary always works: a network whose one way out is a gateway endpoint of S3, for the canary and its
// bucket. It costs nothing. Lambda's own addresses are others each day, and who always comes from new networks is asked about, and not contained.
// https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-s3.html
func newCanaryNetwork(scope constructs.Construct, s Settings, canary awsiam.CfnUser, bucket string) place {
	vpc := awsec2.NewCfnVPC(scope, jsii.String("CanaryNetwork"), &awsec2.CfnVPCProps{CidrBlock: jsii.String(canaryNetwork), EnableDnsSupport: true, EnableDnsHostnames: true})
	excuse(vpc, finding{rule: "AwsSolutions-VPC7", reason: "One function reads through one endpoint there, and the trail records each reading."})
	subnet := awsec2.NewCfnSubnet(scope, jsii.String("CanarySubnet"), &awsec2.CfnSubnetProps{VpcId: vpc.Ref(), CidrBlock: jsii.String(canaryNetwork)})
	table := awsec2.NewCfnRouteTable(scope, jsii.String("CanaryRoutes"), &awsec2.CfnRouteTableProps{VpcId: vpc.Ref()})
	awsec2.NewCfnSubnetRouteTableAssociation(scope, jsii.String("CanaryRoute"), &awsec2.CfnSubnetRouteTableAssociationProps{SubnetId: subnet.Ref(), RouteTableId: table.Ref()})
	awsec2.NewCfnVPCEndpoint(scope, jsii.String("CanaryEndpoint"), &awsec2.CfnVPCEndpointProps{VpcId: vpc.Ref(), VpcEndpointType: jsii.String("Gateway"), RouteTableIds: &[]any{table.Ref()},
		ServiceName: jsii.String("com.amazonaws." + s.Home.Region + ".s3"),
		PolicyDocument: document(statement{"Sid": "OnlyTheCanary", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": bucket + "/*",
			"Condition": map[string]any{"ArnEquals": map[string]any{"aws:PrincipalArn": canary.AttrArn()}}})})
	group := awsec2.NewCfnSecurityGroup(scope, jsii.String("CanaryGroup"), &awsec2.CfnSecurityGroupProps{VpcId: vpc.Ref(), GroupDescription: jsii.String("Nightlatch: the canary reads by https, and nothing comes in"),
		SecurityGroupEgress: &[]any{&awsec2.CfnSecurityGroup_EgressProperty{IpProtocol: jsii.String("tcp"), FromPort: jsii.Number(443), ToPort: jsii.Number(443), CidrIp: jsii.String("0.0.0.0/0"), Description: jsii.String("S3, by the one route that there is")}}})
	return place{subnet, group}
}

// place is where a function is in a network.
type place struct {
	subnet awsec2.CfnSubnet
	group  awsec2.CfnSecurityGroup
}

func (p place) of() *awslambda.CfnFunction_VpcConfigProperty {
	return &awslambda.CfnFunction_VpcConfigProperty{SubnetIds: &[]*string{p.subnet.Ref()}, SecurityGroupIds: &[]*string{p.group.AttrGroupId()}}
}

// haveAnAddress is what Lambda needs of the function's role to put it into a network, and what keeps the function's code from it.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html, https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
func haveAnAddress(h Home) []statement {
	actions := []string{"ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"}
	return []statement{{"Sid": "HaveAnAddress", "Effect": "Allow", "Action": actions, "Resource": "*"},
		{"Sid": "ButNotTheCode", "Effect": "Deny", "Action": actions, "Resource": "*", "Condition": map[string]any{"ArnLike": map[string]any{"lambda:SourceFunctionArn": h.arn("lambda", "function:"+stackName+"-*")}}}}
}

// setCanary reads the name of the bucket, which is watched from then on as the others are. It comes after the buckets.
func (s *Settings) setCanary(v string) error {
	if err := settings.CheckBucket(v); err != nil {
		return err
	}
	if !newName.MatchString(v) {
		return errNot
	}
	if slices.ContainsFunc(s.Buckets, func(b settings.Bucket) bool { return b.Name == v }) {
		return errors.New("it stands among buckets, and the stack makes this one: leave it out there")
	}
	s.Canary = v
	s.Buckets = append(s.Buckets, settings.Bucket{Name: v, Thresholds: []settings.Threshold{{Bytes: rehearsal.Threshold, Period: time.Minute}}})
	return nil
}

// newName is what a bucket can be called that is made today, but for dots: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
var newName = lazyregexp.New(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)

// withoutCanary are the watched buckets that are somebody's.
func (s Settings) withoutCanary() []settings.Bucket {
	return slices.DeleteFunc(slices.Clone(s.Buckets), func(b settings.Bucket) bool { return b.Name == s.Canary })
}

// checkCanary finds what a canary does not go with.
func (s *Settings) checkCanary() error {
	const without = "%s is \"%d\", and canary is not given: give -c canary=BUCKET, the name of the bucket that the stack makes for it, or leave it out"
	switch {
	case s.Canary == "" && s.RehearseDays > 0:
		return fmt.Errorf(without, "rehearseDays", s.RehearseDays)
	case s.Canary == "" && s.CanaryKey > 1:
		return fmt.Errorf(without, "canaryKey", s.CanaryKey)
	case s.Canary != "" && s.Mode == "observe":
		return fmt.Errorf("canary is %q, and mode is \"observe\", in which nobody is asked and nothing done: a rehearsal needs ask or act; leave it out", s.Canary)
	}
	return nil
}

// acceptedDays is what rehearseDays takes.
var acceptedDays = "a number of days, " + strconv.Itoa(rehearsal.LeastDays) + " to " + strconv.Itoa(rehearsal.MostDays) + ", with canary"
