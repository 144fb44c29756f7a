package main

import (
	"maps"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/grant"
)

// newRole makes a function's role: what its code declares, and what a function needs to be one. No managed policy: AWS's
// AWSLambdaBasicExecutionRole writes to every log group of the account.
func newRole(scope constructs.Construct, s Settings, r recipe, topic team, kept incidents, logs, queue *string) (awsiam.CfnRole, error) {
	statements, err := s.renderAll(r.grants, topic, kept, r.names)
	if err != nil {
		return nil, err
	}
	reasons := whyWide(r.grants, statements)
	if !r.mute {
		statements = append(statements, encryptForTheTeam(s.Home, topic))
	}
	statements = append(append(statements, writeItsLog(logs)), r.more...)
	if queue != nil {
		statements = append(statements, keepFailedEvents(queue))
	}
	role := awsiam.NewCfnRole(scope, jsii.String(r.id+"Role"), &awsiam.CfnRoleProps{
		Description:              jsii.String(r.about),
		AssumeRolePolicyDocument: forLambda(),
		Policies:                 &[]any{&awsiam.CfnRole_PolicyProperty{PolicyName: jsii.String(strings.ToLower(r.id)), PolicyDocument: document(statements...)}},
	})
	excuse(role, reasons...)
	return role, nil
}

// renderAll writes grants as statements, with this deployment's values.
func (s Settings) renderAll(grants []grant.Grant, topic team, kept incidents, more map[string]string) ([]statement, error) {
	values := map[string]string{
		"Account": s.Home.Account, "Region": s.Home.Region, "Partition": s.Home.Partition, "EventDataStore": s.EventDataStore, "Topic": *topic.arn,
		"Trail": s.Trail, "TrailBucket": s.bucketARN(s.Files.Bucket), "TrailPrefix": s.Files.Folder, "TrailKey": s.Files.Key, "ManagementTrail": s.ManagementTrail, "ManagementBucket": s.bucketARN(s.Management.Bucket), "ManagementPrefix": s.Management.Folder, "ManagementKey": s.Management.Key, "ResultBucket": s.bucketARN(s.Files.Results),
		"Stack": stackName, "StackID": *awscdk.Aws_STACK_ID(), "Heartbeat": s.secretGranted(s.Heartbeat), "Webhook": s.secretGranted(s.Webhook), "Slack": s.secretGranted(s.Slack), "EventBus": s.Events, "Hub": s.Hub, "Chat": s.Chat, "Table": kept.tableARN, "CaseBucket": s.bucketARN(kept.cases), "ScheduleGroup": stackName, "ScheduleRole": kept.scheduleRoleARN,
	}
	maps.Copy(values, more)
	var statements []statement
	for _, g := range grants {
		st, err := render(g, values, s.ProtectTag)
		if err != nil {
			return nil, err
		}
		statements = append(statements, st)
	}
	return statements, nil
}

func (s Settings) bucketARN(name string) string { return "arn:" + s.Home.Partition + ":s3:::" + name }

// forLambda lets the Lambda service take a role, and nobody else.
func forLambda() map[string]any {
	return document(statement{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]any{"Service": "lambda.amazonaws.com"}})
}

// encryptForTheTeam is what publishing to an encrypted topic takes: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
// SNS uses the key in the publisher's name, and nobody else may: the key opens nothing that the function could get hold of otherwise.
// The star is for the end of the service's name, which differs between partitions:
// https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
func encryptForTheTeam(h Home, topic team) statement {
	return statement{"Sid": "EncryptForTheTeam", "Effect": "Allow", "Action": []string{"kms:Decrypt", "kms:GenerateDataKey"}, "Resource": topic.keyARN,
		"Condition": map[string]any{"StringLike": map[string]any{"kms:ViaService": "sns." + h.Region + ".*"}}}
}

// writeItsLog is for one log group, whose ARN ends in ":*", its streams. Lambda makes no group: it is there already.
func writeItsLog(logs *string) statement {
	return statement{"Sid": "WriteItsLog", "Effect": "Allow", "Action": []string{"logs:CreateLogStream", "logs:PutLogEvents"}, "Resource": logs}
}

// keepFailedEvents is for the queue to which Lambda sends, with the function's own role, what failed three times.
func keepFailedEvents(queue *string) statement {
	return statement{"Sid": "KeepFailedEvents", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue}
}
