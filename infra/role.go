package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// newRole makes the responder's role: what its code declares, and what a function needs to be one. No managed policy: AWS's
// AWSLambdaBasicExecutionRole writes to every log group of the account.
func newRole(scope constructs.Construct, s Settings, topic team, logs, queue *string) (awsiam.CfnRole, error) {
	store := s.EventDataStore
	values := map[string]string{
		"Account": store.Account, "Region": store.Region, "Partition": store.Partition, "EventDataStore": store.ARN, "Topic": *topic.arn,
	}
	var statements []statement
	for _, g := range grantsOf(s) {
		st, err := render(g, values, s.ProtectTag)
		if err != nil {
			return nil, err
		}
		statements = append(statements, st)
	}
	statements = append(statements,
		// Who publishes to an encrypted topic needs its key: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
		statement{"Sid": "EncryptForTheTeam", "Effect": "Allow", "Action": []string{"kms:Decrypt", "kms:GenerateDataKey"}, "Resource": topic.keyARN},
		// The group's ARN ends in ":*", its streams. Lambda makes no group: this one is there already.
		statement{"Sid": "WriteItsLog", "Effect": "Allow", "Action": []string{"logs:CreateLogStream", "logs:PutLogEvents"}, "Resource": logs},
		statement{"Sid": "KeepFailedEvents", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue},
	)
	return awsiam.NewCfnRole(scope, jsii.String("ResponderRole"), &awsiam.CfnRoleProps{
		Description: jsii.String("Nightlatch's responder, mode " + s.Mode),
		AssumeRolePolicyDocument: document(statement{"Effect": "Allow", "Action": "sts:AssumeRole",
			"Principal": map[string]any{"Service": "lambda.amazonaws.com"}}),
		Policies: &[]any{&awsiam.CfnRole_PolicyProperty{PolicyName: jsii.String("responder"), PolicyDocument: document(statements...)}},
	}), nil
}
