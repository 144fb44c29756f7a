package main

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// Home is where the stack goes: where the caller's credentials deploy to, or, where there are none, to the event data store or the trail that it
// is given. It is empty where nobody knows yet, and CloudFormation fills it in.
type Home struct{ Partition, Region, Account string }

// homeOf is where an event data store or a trail is, by its ARN; empty of one that the stack makes, and of none.
func homeOf(arn string) Home {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		return Home{parts[1], parts[3], parts[4]}
	}
	return Home{}
}

// environment says the home to the CDK. That account and region are known now makes every name and ARN plain text.
// https://docs.aws.amazon.com/cdk/v2/guide/environments.html
func (h Home) environment() *awscdk.Environment {
	if h.Account == "" {
		return nil
	}
	return &awscdk.Environment{Account: jsii.String(h.Account), Region: jsii.String(h.Region)}
}

// in is the home as the stack knows it.
func (h Home) in(stack awscdk.Stack) Home {
	if h.Partition != "" {
		return h
	}
	return Home{*stack.Partition(), *stack.Region(), *stack.Account()}
}

// arn is the ARN of something of a service's here.
func (h Home) arn(service, resource string) string {
	return "arn:" + h.Partition + ":" + service + ":" + h.Region + ":" + h.Account + ":" + resource
}

// alarmARN is the ARN of the alarms whose name fits a pattern.
func (h Home) alarmARN(pattern string) string { return h.arn("cloudwatch", "alarm:"+pattern) }

// cdkRole is one of the roles that the CDK's bootstrap makes: its command line calls CloudFormation as "deploy", and CloudFormation
// everything else as "cfn-exec". https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html
func (h Home) cdkRole(name string) *string {
	return jsii.String("arn:" + h.Partition + ":iam::" + h.Account + ":role/cdk-hnb659fds-" + name + "-role-" + h.Account + "-" + h.Region)
}
