package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/grant"
	"nightlatch/internal/hub"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/notify/sns"
	"nightlatch/internal/report"
	"nightlatch/internal/settings"
	"nightlatch/internal/version"
)

// hubName is the name of the hub's stack and of its bus.
const hubName = settings.HubName

// hearsName is the name of the rule on that bus.
const hearsName = hubName + "-Hears"

// Hub is what the hub's stack decides, beside its home: Email, Topics, Watchers, RetentionDays, MemoryMiB and LogLevel of Settings.
type Hub struct {
	Settings
	// Accounts are those whose responders and approvers may send.
	Accounts []string
	// Organization is the id of the organization of which they must be too, "" for any.
	Organization string
}

// maxSenders is how many accounts may send: the bus's policy names each twice, in at most 10 KB.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutPermission.html
const maxSenders = 150

// maxBusPolicy is how many bytes the policy of a bus has.
const maxBusPolicy = 10 << 10

// policySize is how many the hub's has.
func (h Hub) policySize() int {
	text, err := json.Marshal(document(h.mayPut(h.Home.arn("events", "event-bus/"+hubName))...))
	if err != nil {
		panic(err) // it is texts
	}
	return len(text)
}

var (
	hubAccount   = lazyregexp.New(`^[0-9]{12}$`)
	organization = lazyregexp.New(`^o-[a-z0-9]{10,32}$`) // https://docs.aws.amazon.com/organizations/latest/APIReference/API_Organization.html
)

// hubShares are the settings that a hub has as a deployment has them.
var hubShares = []string{"email", "topics", "watchers", "retention", "memory", "logLevel"}

func (h *Hub) fields() []field {
	shared := slices.DeleteFunc(h.Settings.fields(), func(f field) bool { return !slices.Contains(hubShares, f.key) })
	return append(shared,
		field{"accounts", fmt.Sprintf("12-digit ids of the accounts that may send, with commas between them, up to %d", maxSenders), "", false, func(v string) error { return list(v, hubAccount, &h.Accounts) }},
		field{"organization", "the id of an organization, o-…", "", false, func(v string) error { return match(v, organization, &h.Organization) }})
}

// readHub makes the settings of a hub whose home is known, with each mistake for itself.
func readHub(home Home, context map[string]any) (Hub, []error) {
	h := Hub{Settings: Settings{Home: home, Given: map[string]any{}}}
	wrong := unknown(h.fields(), context)
	for _, f := range h.fields() {
		if value, ok := context[f.key]; ok {
			h.Given[f.key] = value
		}
		if err := f.read(context); err != nil {
			wrong = append(wrong, misset{f.key, err})
		}
	}
	if err := h.checkWatchers(); err != nil {
		wrong = append(wrong, misset{"watchers", fmt.Errorf("watchers is %q: %v", strings.Join(h.Watchers, ","), err)})
	}
	switch n := len(h.Accounts); {
	case n == 0 && len(wrong) == 0:
		wrong = append(wrong, misset{"accounts", fmt.Errorf("accounts is missing, and a hub hears nobody without it: give -c accounts=…, 12-digit ids with commas between them")})
	case len(wrong) == 0 && h.policySize() > maxBusPolicy:
		wrong = append(wrong, misset{"accounts", fmt.Errorf("accounts are %d, and the policy of a bus in %s has no room for so many: make a second hub in another region", n, home.Region)})
	case n > maxSenders:
		wrong = append(wrong, misset{"accounts", fmt.Errorf("accounts are %d, and the policy of a bus has room for %d: make a second hub in another region", n, maxSenders)})
	}
	return h, wrong
}

const (
	// hubSeconds is how long a batch of events is waited for: the first message of a theft is no later for it than that.
	hubSeconds = 5
	// hubWait is how old an event may get before somebody hears of it.
	hubWait = 10 * 60 // seconds
)

// newHub makes the hub's stack: a bus that admits the responders and approvers of the accounts, and a function that tells one team. It has no right in
// any of them. code is the directory with what is packed as its function's code.
func newHub(app constructs.Construct, h Hub, code string) (awscdk.Stack, error) {
	stack := awscdk.NewStack(app, jsii.String(hubName), &awscdk.StackProps{StackName: jsii.String(hubName),
		Description: jsii.String("Nightlatch: one team hears of the incidents of many accounts"), Env: h.Home.environment()})
	stack.AddMetadata(jsii.String(settings.DeployedKey), map[string]any{settings.GivenKey: settings.Given(h.Given)})
	s := h.Settings
	s.Home = s.Home.in(stack)
	topic, watch := newTopic(stack, s), newWatch(stack, s)
	failed := newQueue(stack)
	table := hubName + "-" + *stackID(stack)
	kept := incidents{stack: stack, home: s.Home, name: table, tableARN: s.Home.arn("dynamodb", "table/"+table)}
	queue := awssqs.NewCfnQueue(stack, jsii.String("Heard"), &awssqs.CfnQueueProps{
		SqsManagedSseEnabled: true, MessageRetentionPeriod: jsii.Number(noticeDays * 24 * 60 * 60), VisibilityTimeout: jsii.Number(6*tellTimeout + hubSeconds),
		RedrivePolicy: map[string]any{"deadLetterTargetArn": failed.AttrArn(), "maxReceiveCount": received},
	})
	queue.ApplyRemovalPolicy(awscdk.RemovalPolicy_DESTROY, nil)
	f, err := newFunction(stack, s, recipe{
		id: "Hub", about: "Nightlatch: tells one team of the incidents of many accounts", code: code, timeout: tellTimeout, grants: s.hubGrants(),
		environment: settings.Hub{Topic: *topic.arn, Topics: s.Topics, Watchers: s.watchingTopics(watch), Accounts: h.Accounts, Table: table, LogLevel: s.LogLevel}.Environ(),
		names:       watchNames(watch), more: []statement{encryptForTheWatchers(s.Home, watch), takeNotices(queue.AttrArn())},
	}, topic, kept, nil)
	if err != nil {
		return nil, err
	}
	f.function.AddResourceDependency(newHeard(stack, kept, f), nil) // which it does not name
	onlyOursPublish(stack, s, topic, watch, f)
	bus := awsevents.NewCfnEventBus(stack, jsii.String("Bus"), &awsevents.CfnEventBusProps{Name: jsii.String(hubName),
		Description: jsii.String("Nightlatch: incidents of many accounts"), Policy: document(h.mayPut(s.Home.arn("events", "event-bus/"+hubName))...)})
	hears, tick := newHubRules(stack, bus, queue)
	policy := awssqs.NewCfnQueuePolicy(stack, jsii.String("HeardPolicy"), &awssqs.CfnQueuePolicyProps{Queues: &[]*string{queue.Ref()},
		PolicyDocument: document(append(hubRulesSend(s.Home, queue.AttrArn()), nobodyElseTakes(queue.AttrArn(), f.role.AttrArn()), onlyTLS("sqs:*", queue.AttrArn()))...)})
	hears.AddResourceDependency(policy, nil)
	tick.AddResourceDependency(policy, nil)
	awslambda.NewCfnEventSourceMapping(stack, jsii.String("HeardTaken"), &awslambda.CfnEventSourceMappingProps{
		EventSourceArn: queue.AttrArn(), FunctionName: f.function.Ref(), BatchSize: jsii.Number(batchSize), MaximumBatchingWindowInSeconds: jsii.Number(hubSeconds),
		FunctionResponseTypes: jsii.Strings("ReportBatchItemFailures"),
		ScalingConfig:         &awslambda.CfnEventSourceMapping_ScalingConfigProperty{MaximumConcurrency: jsii.Number(tellers)},
	})
	s.watchHub(stack, f, queue, failed, watch)
	for _, o := range []struct{ id, value, about string }{
		{"HubArn", *bus.AttrArn(), "The bus; each deployment is given it as hub"},
		{"TopicArn", *topic.arn, "The team's topic; each address must confirm its subscription"},
		{"WatchTopicArn", *watch.arn, "The topic of the alarms on the hub itself; each address must confirm its subscription"},
		{"FailedEventsUrl", *failed.Ref(), "The queue of events that cannot be read, or on which the hub failed five times"},
		{settings.VersionOutput, version.Release, "The version of Nightlatch that was deployed"},
	} {
		awscdk.NewCfnOutput(stack, jsii.String(o.id), &awscdk.CfnOutputProps{Value: jsii.String(o.value), Description: jsii.String(o.about)})
	}
	return stack, nil
}

// hubGrants are the permissions that the function's code needs: its own topics and its own items, and nothing of any account.
func (s Settings) hubGrants() []grant.Grant {
	publish := sns.Grants()
	for i := range publish {
		publish[i].On = slices.Concat(publish[i].On, []string{"${Watch}"}, s.Topics, s.watchersTopics())
	}
	return slices.Concat(publish, hearingGrants(), dynamo.HubGrants())
}

// newHeard makes the table of what was heard. It is memory of a few days and no evidence, and goes with the stack.
func newHeard(stack awscdk.Stack, kept incidents, f lambda) awsdynamodb.CfnTable {
	text := func(name string) *awsdynamodb.CfnTable_AttributeDefinitionProperty {
		return &awsdynamodb.CfnTable_AttributeDefinitionProperty{AttributeName: jsii.String(name), AttributeType: jsii.String("S")}
	}
	table := awsdynamodb.NewCfnTable(stack, jsii.String("Threads"), &awsdynamodb.CfnTableProps{
		TableName: jsii.String(kept.name), BillingMode: jsii.String("PAY_PER_REQUEST"),
		AttributeDefinitions: &[]any{text(dynamo.PartitionKey), text(dynamo.SortKey)},
		KeySchema: &[]any{&awsdynamodb.CfnTable_KeySchemaProperty{AttributeName: jsii.String(dynamo.PartitionKey), KeyType: jsii.String("HASH")},
			&awsdynamodb.CfnTable_KeySchemaProperty{AttributeName: jsii.String(dynamo.SortKey), KeyType: jsii.String("RANGE")}},
		PointInTimeRecoverySpecification: &awsdynamodb.CfnTable_PointInTimeRecoverySpecificationProperty{PointInTimeRecoveryEnabled: true},
		SseSpecification:                 &awsdynamodb.CfnTable_SSESpecificationProperty{SseEnabled: true},
		ResourcePolicy:                   &awsdynamodb.CfnTable_ResourcePolicyProperty{PolicyDocument: document(onlyOurs(kept.tableARN, f.role.AttrArn()))},
	})
	table.ApplyRemovalPolicy(awscdk.RemovalPolicy_DESTROY, nil)
	return table
}

// mayPut is the policy of the bus: the responders and approvers of the accounts put incidents on it, themselves, and nobody else puts anything, whoever
// lets him. The names of their roles CloudFormation makes of the stack's, which is the same everywhere. An event that another bus hands on keeps the
// account of who put it there first, so none is taken.
//
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-perms.html, for the keys
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html
func (h Hub) mayPut(bus string) []statement {
	var roots []string
	for _, account := range h.Accounts {
		roots = append(roots, "arn:"+homeOf(bus).Partition+":iam::"+account+":root")
	}
	var roles []string
	for _, id := range []string{"Responder", "Approver"} {
		roles = append(roles, "arn:"+homeOf(bus).Partition+":iam::*:role/"+stackName+"-"+id+"Role-*")
	}
	// AWS's pages have both keys of an event as one value and as a list of values, so they are asked about as lists, which must be there.
	allowed := map[string]any{"ArnLike": map[string]any{"aws:PrincipalArn": roles}, "Null": map[string]any{"events:source": "false", "events:detail-type": "false"},
		"ForAllValues:StringEquals": map[string]any{"events:source": hub.Source, "events:detail-type": report.HubDetailType}}
	if h.Organization != "" {
		allowed["StringEquals"] = map[string]any{"aws:PrincipalOrgID": h.Organization}
	}
	deny := func(sid, operator, key string, values any) statement {
		return statement{"Sid": sid, "Effect": "Deny", "Principal": "*", "Action": "events:PutEvents", "Resource": bus, "Condition": map[string]any{operator: map[string]any{key: values}}}
	}
	all := []statement{
		{"Sid": "DeploymentsTell", "Effect": "Allow", "Principal": map[string]any{"AWS": roots}, "Action": "events:PutEvents", "Resource": bus, "Condition": allowed},
		deny("NoOtherRoleTells", "ArnNotLike", "aws:PrincipalArn", roles),
		deny("NoOtherAccountTells", "StringNotEquals", "aws:PrincipalAccount", h.Accounts),
		deny("NothingElseIsTold", "ForAnyValue:StringNotEquals", "events:detail-type", report.HubDetailType),
		deny("InNobodysName", "ForAnyValue:StringNotEquals", "events:source", hub.Source),
		deny("NoBusHandsOn", "StringEquals", "events:eventBusInvocation", "true"),
	}
	if h.Organization != "" {
		all = append(all, deny("NoOtherOrganizationTells", "StringNotEquals", "aws:PrincipalOrgID", h.Organization))
	}
	return all
}

// newHubRules makes the rule that has incidents written to the queue, and the one that has what is due told where nothing comes.
func newHubRules(stack awscdk.Stack, bus awsevents.CfnEventBus, queue awssqs.CfnQueue) (hears, tick awsevents.CfnRule) {
	target := func(input *string) *[]any {
		return &[]any{&awsevents.CfnRule_TargetProperty{Id: jsii.String("hub"), Arn: queue.AttrArn(), Input: input}}
	}
	hears = awsevents.NewCfnRule(stack, jsii.String("Hears"), &awsevents.CfnRuleProps{
		Name: jsii.String(hearsName), Description: jsii.String("Nightlatch: incidents of many accounts, to the hub"), EventBusName: bus.Ref(),
		EventPattern: map[string]any{"source": []string{hub.Source}, "detail-type": []string{report.HubDetailType}}, Targets: target(nil),
	})
	tick = awsevents.NewCfnRule(stack, jsii.String("Tick"), &awsevents.CfnRuleProps{
		Description: jsii.String("Nightlatch: has what is due told, where nothing else comes"), ScheduleExpression: jsii.String("rate(1 minute)"), Targets: target(jsii.String(hub.Tick)),
	})
	return hears, tick
}

// hubRulesSend lets EventBridge write to the queue for the rules of this stack, and nobody else: see ourRulesSend. A rule on a bus has the bus in its ARN.
func hubRulesSend(h Home, queue *string) []statement {
	rules := map[string]any{"aws:SourceArn": []string{h.arn("events", "rule/"+hubName+"/"+hearsName), h.arn("events", "rule/"+hubName+"-Tick-*")}}
	all := ourRulesSend(h, queue)
	all[0]["Condition"], all[1]["Condition"] = map[string]any{"ArnLike": rules}, map[string]any{"ArnNotLike": rules}
	return all
}

// watchHub makes the alarms on the hub itself, which reach the watchers without its code.
func (s Settings) watchHub(stack awscdk.Stack, f lambda, queue, failed awssqs.CfnQueue, watch team) {
	var actions []any
	for _, arn := range s.watchingTopics(watch) {
		actions = append(actions, arn)
	}
	for _, w := range []struct {
		name, namespace, metric, statistic string
		of                                 *[]any
		above                              float64
		means                              string
	}{
		{"errors", "AWS/Lambda", "Errors", "Sum", dimensions("FunctionName", *f.function.Ref()), 0, "The hub's function failed: its topic may take nothing. See its log"},
		{"waits", "AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", dimensions("QueueName", *queue.AttrQueueName()), hubWait, "Incidents wait to be told: the hub's function is not called, or fails"},
		{"failed-events", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", dimensions("QueueName", *failed.AttrQueueName()), 0, "An event could not be read, or the hub failed on it five times: it waits in the queue of failed events"},
		{"undelivered", "AWS/Events", "FailedInvocations", "Sum", dimensions("EventBusName", hubName, "RuleName", hearsName), 0, "An incident could not be put into the hub's queue"},
	} {
		awscloudwatch.NewCfnAlarm(stack, jsii.String("Watch-"+w.name), &awscloudwatch.CfnAlarmProps{
			AlarmName: jsii.String(watchPrefix + "hub-" + w.name), AlarmDescription: jsii.String(w.means), AlarmActions: &actions,
			Namespace: jsii.String(w.namespace), MetricName: jsii.String(w.metric), Statistic: jsii.String(w.statistic), Dimensions: w.of,
			Period: jsii.Number(60), EvaluationPeriods: jsii.Number(5), DatapointsToAlarm: jsii.Number(1),
			ComparisonOperator: jsii.String("GreaterThanThreshold"), Threshold: jsii.Number(w.above), TreatMissingData: jsii.String("notBreaching"),
		})
	}
}
