package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/settings"
)

// incidents is where incidents are kept, and what has the responder called about them later. The table and Scheduler's role have the
// stack's id in their names. The roles' policies name the table, and the table's policy the roles; and the table outlives the stack, so
// that the next stack of the same name must not meet it. The schedules' group is called as the stack is.
type incidents struct {
	stack                           awscdk.Stack
	home                            Home
	name, tableARN, scheduleRoleARN string
	// cases is the name of the bucket of case folders.
	cases string
}

func newIncidents(stack awscdk.Stack, s Settings) incidents {
	id := *stackID(stack)
	name := stackName + "-" + id
	return incidents{
		stack: stack, home: s.Home, name: name, tableARN: s.Home.arn("dynamodb", "table/"+name),
		scheduleRoleARN: "arn:" + s.Home.Partition + ":iam::" + s.Home.Account + ":role/" + name,
		cases:           settings.CaseBucketPrefix + id,
	}
}

// stackID is the part of the stack's id that no other stack has.
func stackID(stack awscdk.Stack) *string {
	return awscdk.Fn_Select(jsii.Number(2), awscdk.Fn_Split(jsii.String("/"), stack.StackId(), nil))
}

// keep makes the table, to which only the functions write that notify (all but the responder and the approver no more than their own items); the
// schedules' group; and the role with which Scheduler calls the responder.
func (i incidents) keep(r responder, e enroller, writers ...lambda) awsdynamodb.CfnTable {
	text := func(name string) *awsdynamodb.CfnTable_AttributeDefinitionProperty {
		return &awsdynamodb.CfnTable_AttributeDefinitionProperty{AttributeName: jsii.String(name), AttributeType: jsii.String("S")}
	}
	keys := func(hash, sort string) *[]any {
		return &[]any{&awsdynamodb.CfnTable_KeySchemaProperty{AttributeName: jsii.String(hash), KeyType: jsii.String("HASH")},
			&awsdynamodb.CfnTable_KeySchemaProperty{AttributeName: jsii.String(sort), KeyType: jsii.String("RANGE")}}
	}
	var roles []*string
	for _, f := range writers {
		roles = append(roles, f.role.AttrArn())
	}
	table := awsdynamodb.NewCfnTable(i.stack, jsii.String("Incidents"), &awsdynamodb.CfnTableProps{
		TableName: jsii.String(i.name), BillingMode: jsii.String("PAY_PER_REQUEST"),
		AttributeDefinitions: &[]any{text(dynamo.PartitionKey), text(dynamo.SortKey), text(dynamo.IndexPartitionKey), text(dynamo.IndexSortKey)},
		KeySchema:            keys(dynamo.PartitionKey, dynamo.SortKey),
		GlobalSecondaryIndexes: &[]any{&awsdynamodb.CfnTable_GlobalSecondaryIndexProperty{
			IndexName: jsii.String(dynamo.Index), KeySchema: keys(dynamo.IndexPartitionKey, dynamo.IndexSortKey),
			Projection: &awsdynamodb.CfnTable_ProjectionProperty{ProjectionType: jsii.String("INCLUDE"), NonKeyAttributes: jsii.Strings(dynamo.Projected()...)}}},
		PointInTimeRecoverySpecification: &awsdynamodb.CfnTable_PointInTimeRecoverySpecificationProperty{PointInTimeRecoveryEnabled: true},
		// The keys are enough: who hears that an incident was put reads it.
		StreamSpecification:       &awsdynamodb.CfnTable_StreamSpecificationProperty{StreamViewType: jsii.String("KEYS_ONLY")},
		SseSpecification:          &awsdynamodb.CfnTable_SSESpecificationProperty{SseEnabled: true},
		DeletionProtectionEnabled: true,
		ResourcePolicy:            &awsdynamodb.CfnTable_ResourcePolicyProperty{PolicyDocument: document(onlyOurs(i.tableARN, roles...))},
	})
	table.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN, nil) // it is evidence, and outlives the stack
	for _, f := range writers {                                // they name it, and do not refer to it; what the enroller reads comes before it
		if f.function != e.function {
			f.function.AddResourceDependency(table, nil)
		}
	}
	awsscheduler.NewCfnScheduleGroup(i.stack, jsii.String("Wakes"), &awsscheduler.CfnScheduleGroupProps{Name: jsii.String(stackName)})
	awsiam.NewCfnRole(i.stack, jsii.String("WakesRole"), &awsiam.CfnRoleProps{
		RoleName: jsii.String(i.name), Description: jsii.String("Nightlatch: EventBridge Scheduler calls the responder again"),
		AssumeRolePolicyDocument: document(forOurSchedules(i.home)),
		Policies: &[]any{&awsiam.CfnRole_PolicyProperty{PolicyName: jsii.String("wakes"), PolicyDocument: document(
			statement{"Sid": "WakeTheResponder", "Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": r.function.AttrArn()},
			statement{"Sid": "KeepLostWakes", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": r.queue.AttrArn()})}},
	})
	return table
}

// onlyOurs denies everybody else to change what is in the table, whoever lets them: incidents are evidence, and what the responder does.
// What changes the table itself is the deployment's; the team is notified when it is anybody else's (see tamperings). aws:PrincipalArn
// is the role's of a session: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn
func onlyOurs(table string, writers ...*string) statement {
	return statement{"Sid": "OnlyOursWrite", "Effect": "Deny", "Principal": "*", "Resource": table, "Action": []string{
		"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem",
		"dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate", "dynamodb:PartiQLDelete",
	}, "Condition": map[string]any{"ArnNotEquals": map[string]any{"aws:PrincipalArn": writers}}}
}

// forOurSchedules lets Scheduler take a role for the schedules of one group, and nobody else's:
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
func forOurSchedules(h Home) statement {
	group := h.arn("scheduler", "schedule-group/"+stackName)
	return statement{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]any{"Service": "scheduler.amazonaws.com"},
		"Condition": map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": h.Account}, "ArnEquals": map[string]any{"aws:SourceArn": group}}}
}
