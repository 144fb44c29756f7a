package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/settings"
)

// stackName begins the name of everything that CloudFormation names: the role, the function, the rules.
const stackName = settings.StackName

// newStack puts everything together.
//
// The resources are CloudFormation's own (CDK's level 1): what they may do is written here in full, and nothing is granted by the way.
func newStack(app constructs.Construct, s Settings, c code) (awscdk.Stack, error) {
	stack := awscdk.NewStack(app, jsii.String(s.name()), &awscdk.StackProps{
		StackName:   jsii.String(stackName),
		Description: jsii.String("Nightlatch: answers alarms on the bytes that leave S3 buckets"),
		Env:         s.Home.environment(),
	})
	stack.AddMetadata(jsii.String(settings.DeployedKey), map[string]any{settings.GivenKey: settings.Given(s.Given)})
	s.Home = s.Home.in(stack)
	makes := s // what there is to make is still to be seen in it
	s.Records = recorded(makes)
	if s.MadeStore = makes.EventDataStore == made; s.MadeStore {
		s.EventDataStore = newStore(stack, s.Buckets)
	}
	if s.MadeTrail = makes.Trail == made; s.MadeTrail {
		s.Trail, s.Files = newTrail(stack, s)
	}
	topic, watch := newTopic(stack, s), newWatch(stack, s)
	kept := newIncidents(stack, s)
	queue := newQueue(stack)
	looksUp := s.Trail != "" && !s.MadeTrail && !s.FilesGiven
	e, err := newEnroller(stack, s, looksUp, c.enroller, topic, kept, queue.AttrArn())
	if err != nil {
		return nil, err
	}
	deeds := ""
	if looksUp {
		var records string
		if s.Files, records, deeds = e.lookUp(stack, s); s.EventDataStore == "" {
			s.Records = records // of two that are asked, either may answer
		}
	}
	if s.ManagementTrail != "" {
		s.Management = e.lookUpManagement(stack, s)
	}
	s.Deeds = s.deeds(deeds)
	if s.readsStore() {
		s.Records = e.lookUpStore(stack, s)
	}
	if s.Trail != "" {
		s.Files = newAthena(stack, s)
	}
	cut, err := newCutter(stack, s, c.cutter, topic, kept)
	if err != nil {
		return nil, err
	}
	r, err := newResponder(stack, s, c.responder, topic, watch, kept, queue, cut)
	if err != nil {
		return nil, err
	}
	onlyTheResponderInvokes(stack, cut, r)
	a, err := newApprover(stack, s, c.approver, topic, watch, kept, r)
	if err != nil {
		return nil, err
	}
	n, err := newTeller(stack, s, c.notices, topic, watch, kept, queue)
	if err != nil {
		return nil, err
	}
	d, err := newDoctor(stack, s, c.doctor, topic, watch, kept, r)
	if err != nil {
		return nil, err
	}
	re, err := newRehearser(stack, s, c, topic, watch, kept, queue.AttrArn(), e)
	if err != nil {
		return nil, err
	}
	notify := []lambda{r.lambda, a.lambda, e.lambda, n.lambda, d.lambda}
	if re != nil {
		notify = append(notify, *re)
	}
	table := kept.keep(r, e, notify...)
	k, err := newKeeper(stack, s, c.keeper, topic, kept, table, queue.AttrArn())
	if err != nil {
		return nil, err
	}
	needed := append(onlyOursPublish(stack, s, topic, watch, notify...), table)
	asking := []lambda{r.lambda, a.lambda, d.lambda, k.lambda}
	if s.Trail != "" {
		needed = append(needed, keepResults(stack, s, asking...))
	}
	d.ask(stack, s, needed...)
	newAlarms(stack, s, r.function.AttrArn())
	watchFunctions(stack, r, a, e, n, d, k, cut, re, s.watchingTopics(watch))
	watchTampering(stack, s, e, n, belongings{topic, watch, queue, kept, k.mapping, d.role.AttrArn(), re})
	newOutputs(stack, s, r, a, e, d, topic, watch, kept)
	newAccess(stack, s, e, d, asking...)
	if s.MadeStore {
		awscdk.NewCfnOutput(stack, jsii.String("EventDataStoreArn"), &awscdk.CfnOutputProps{Value: jsii.String(s.EventDataStore),
			Description: jsii.String("The event data store; it outlives the stack, and another stack takes it as eventDataStore")})
	}
	if s.MadeTrail {
		awscdk.NewCfnOutput(stack, jsii.String("TrailArn"), &awscdk.CfnOutputProps{Value: jsii.String(s.Trail),
			Description: jsii.String("The trail; it and its files outlive the stack, and another stack takes it as trail")})
	}
	return stack, nil
}

// statement is one statement of a policy, in IAM's own words:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
type statement = map[string]any

func document(statements ...statement) map[string]any {
	return map[string]any{"Version": "2012-10-17", "Statement": statements}
}

// onlyTLS denies every call to a topic, queue or bucket that comes unencrypted.
func onlyTLS(action string, resource any) statement {
	return statement{"Sid": "OnlyTLS", "Effect": "Deny", "Principal": "*", "Action": action, "Resource": resource,
		"Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}}}
}
