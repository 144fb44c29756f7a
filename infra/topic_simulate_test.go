package main

import (
	"fmt"
	"strings"
	"testing"
)

// serviceCall is a call that an AWS service makes for a resource of an account; "" leaves out what a service does not say.
func serviceCall(want, service, action, resource, forAccount, forARN string) request {
	c := does(want, action, resource, "aws:PrincipalIsAWSService", "true", "aws:PrincipalServiceName", service)
	c.name, c.Principal = service+" for "+forARN, service
	if forAccount != "" {
		c.Context["aws:SourceAccount"], c.Context["aws:SourceArn"] = forAccount, forARN
	}
	return c
}

// Whoever has to notify the team can, and nobody else: each alarm and each rule of the stack that has the topic as its target. The
// responder's own alarms and rule can call its function.
func TestPublishersAreJudged(t *testing.T) {
	const alarms, events, invokers = "cloudwatch.amazonaws.com", "events.amazonaws.com", "lambda.alarms.cloudwatch.amazonaws.com"
	const others = "ExplicitlyDenied NobodyElseSends"
	const useKey, publish, invoke = "kms:GenerateDataKey", "sns:Publish", "lambda:InvokeFunction"
	const strangersAlarm = "arn:aws:cloudwatch:eu-west-1:444455556666:alarm:watch-nightlatch-errors"
	tpl := synth(t, "buckets", "a.b=3GiB/1m+20GiB/24h,*=2GiB/1m")
	var calls []request
	targets := map[any]int{}
	for _, a := range tpl.resources("AWS::CloudWatch::Alarm") {
		arn := anAlarm + a["AlarmName"].(string)
		for _, action := range a["AlarmActions"].([]any) {
			targets[action]++
			if action == aWatch {
				calls = append(calls,
					serviceCall("Allowed AlarmsPublish", alarms, publish, aWatch, account, arn),
					serviceCall("Allowed AlarmsEncrypt", alarms, useKey, theWatchKey, account, arn),
					serviceCall("Allowed AlarmsEncrypt", alarms, "kms:Decrypt", theWatchKey, account, arn),
					serviceCall(denied, alarms, publish, aTopic, account, arn),
					serviceCall(denied, alarms, useKey, theKey, account, arn),
					serviceCall(denied, invokers, invoke, theFunction, account, arn)) // Nightlatch itself is watched without our code in between
			} else {
				calls = append(calls,
					serviceCall("Allowed AlarmsInvoke", invokers, invoke, theFunction, account, arn),
					serviceCall(denied, alarms, publish, aWatch, account, arn),
					serviceCall(denied, alarms, publish, aTopic, account, arn))
			}
		}
	}
	for id, rule := range tpl.resources("AWS::Events::Rule") {
		for _, target := range rule["Targets"].([]any) {
			arn := target.(map[string]any)["Arn"]
			targets[arn]++
			if arn == "{Notices.Arn}" {
				rule := "arn:aws:events:eu-west-1:111122223333:rule/Nightlatch-" + id + "-x1"
				calls = append(calls, serviceCall("Allowed OurRulesSend", events, "sqs:SendMessage", theNotices, account, rule))
				continue
			}
			permission := map[any]string{"{Responder.Arn}": "EventsInvoke", "{Enroller.Arn}": id + "Invoke", "{Doctor.Arn}": id + "Invoke"}[arn]
			if id == "Copies" {
				permission = "CopiesInvoke"
			}
			calls = append(calls, serviceCall("Allowed "+permission, events, invoke, deployed.Replace(arn.(string)), account, deployed.Replace("{"+id+".Arn}")))
		}
	}
	if targets[aTopic] != 0 || targets[aWatch] == 0 || targets["{Notices.Arn}"] == 0 || targets["{Responder.Arn}"] == 0 || targets["{Enroller.Arn}"] != 2 || targets["{Doctor.Arn}"] != 1 || len(targets) != 5 {
		t.Errorf("alarms and rules have the targets %v", targets)
	}
	for _, topic := range []string{aTopic, aWatch} { // who may do everything floods neither
		for _, who := range []string{"arn:aws:iam::111122223333:role/admin", "arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:role/Nightlatch-Other-x1"} {
			c := as(who, everything, publish, topic)
			c.Context["aws:PrincipalArn"], c.Context["aws:PrincipalIsAWSService"] = who, "false"
			c.want = "ExplicitlyDenied NobodyElsePublishes"
			calls = append(calls, c)
		}
		for _, role := range []string{"Responder", "Approver", "Enroller", "Teller", "Doctor"} {
			c := as("arn:aws:sts::111122223333:assumed-role/Nightlatch-"+role+"Role-x1/x", everything, publish, topic)
			c.Context["aws:PrincipalArn"], c.Context["aws:PrincipalIsAWSService"] = "arn:aws:iam::111122223333:role/Nightlatch-"+role+"Role-x1", "false"
			c.want = "Allowed Everything"
			calls = append(calls, c)
		}
	}
	for _, resource := range []string{aTopic, theKey, aWatch, theWatchKey} {
		action := map[string]string{aTopic: publish, theKey: useKey, aWatch: publish, theWatchKey: useKey}[resource]
		calls = append(calls,
			serviceCall(denied, alarms, action, resource, stranger, strangersAlarm),
			serviceCall(denied, alarms, action, resource, account, strangersAlarm),
			serviceCall(denied, alarms, action, resource, stranger, anAlarm+"watch-nightlatch-errors"),
			serviceCall(denied, alarms, action, resource, account, anAlarm+"somebody-elses"),
			serviceCall(denied, alarms, action, resource, "", ""),
			serviceCall(denied, "s3.amazonaws.com", action, resource, account, "arn:aws:s3:::a-bucket"),
			serviceCall(denied, events, action, resource, account, theRule),
			serviceCall(denied, events, action, resource, "", ""),
			as(map[string]string{"type": "Anonymous"}, nil, action, resource),
			as("arn:aws:iam::444455556666:user/mallory", everything, action, resource),
			as("arn:aws:iam::111122223333:role/etl", nil, action, resource))
	}
	for _, c := range []request{
		serviceCall("", alarms, publish, aWatch, account, anAlarm+"watch-nightlatch-errors"),
		serviceCall("", events, "sqs:SendMessage", theNotices, account, theRule),
		as("arn:aws:iam::111122223333:role/admin", everything, publish, aWatch),
		as(map[string]string{"type": "Anonymous"}, nil, publish, aTopic),
		as("arn:aws:iam::111122223333:role/admin", everything, publish, aTopic),
	} {
		c.name, c.want = c.name+" without TLS", "ExplicitlyDenied OnlyTLS"
		c.Context["aws:SecureTransport"] = "false"
		calls = append(calls, c)
	}
	calls = append(calls,
		serviceCall(denied, invokers, invoke, theFunction, stranger, strings.Replace(strangersAlarm, "watch-", "", 1)),
		serviceCall(denied, invokers, invoke, theFunction, account, anAlarm+"somebody-elses"),
		serviceCall(denied, events, invoke, theFunction, account, theRule+"2"),
		serviceCall(denied, events, invoke, theFunction, account, theDailyLook), // the enroller's rules are not the responder's
		serviceCall(denied, events, invoke, theEnroller, account, theRule),
		serviceCall(denied, events, invoke, theEnroller, stranger, theDailyLook),
		serviceCall(denied, "s3.amazonaws.com", invoke, theFunction, account, "arn:aws:s3:::a-bucket"),
		serviceCall(others, events, "sqs:SendMessage", theNotices, stranger, strings.Replace(theRule, account, stranger, 1)),
		serviceCall(others, events, "sqs:SendMessage", theNotices, account, strings.Replace(theRule, "Nightlatch", "Other", 1)),
		serviceCall(others, events, "sqs:SendMessage", theNotices, "", ""),
		serviceCall(denied, events, "sqs:SendMessage", theQueue, account, theRule),
		serviceCall(others, "s3.amazonaws.com", "sqs:SendMessage", theNotices, account, "arn:aws:s3:::a-bucket"))
	for _, who := range []string{"arn:aws:iam::444455556666:user/mallory", "arn:aws:iam::111122223333:role/admin", "arn:aws:iam::111122223333:root"} { // nobody makes notices up
		c := as(who, everything, "sqs:SendMessage", theNotices)
		c.want = others
		calls = append(calls, c)
		for _, action := range []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"} { // nor takes them away
			c := as(who, everything, action, theNotices)
			c.want, c.Context["aws:PrincipalArn"] = "ExplicitlyDenied NobodyElseTakes", who
			calls = append(calls, c)
		}
	}

	policies := map[string]any{
		aTopic:      policyOf(t, at(t, tpl.named(t, "AWS::SNS::TopicPolicy", "TopicPolicy"), "PolicyDocument", "Statement")),
		theKey:      policyOf(t, at(t, tpl.named(t, "AWS::KMS::Key", "TopicKey"), "KeyPolicy", "Statement")),
		aWatch:      policyOf(t, at(t, tpl.named(t, "AWS::SNS::TopicPolicy", "WatchPolicy"), "PolicyDocument", "Statement")),
		theWatchKey: policyOf(t, at(t, tpl.named(t, "AWS::KMS::Key", "WatchKey"), "KeyPolicy", "Statement")),
		theNotices:  policyOf(t, at(t, tpl.named(t, "AWS::SQS::QueuePolicy", "NoticesPolicy"), "PolicyDocument", "Statement")),
		theQueue:    policyOf(t, at(t, tpl.named(t, "AWS::SQS::QueuePolicy", "FailedEventsPolicy"), "PolicyDocument", "Statement")),
		theFunction: policyOf(t, functionPolicy(tpl, "{Responder.Arn}")),
		theEnroller: policyOf(t, functionPolicy(tpl, "{Enroller.Arn}")),
		theDoctor:   policyOf(t, functionPolicy(tpl, "{Doctor.Arn}")),
	}
	for i := range calls {
		calls[i].Policy = policies[calls[i].Resource]
	}
	judge(t, calls)
	everyConditionIsTried(t, calls, func(c request) any { return c.Policy })
}

// everything is the policy of a caller whom only the resource's policy can stop.
var everything = document(statement{"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"})

// as is a call by a caller with a policy of its own.
func as(principal, identity any, action, resource string) request {
	c := does(denied, action, resource)
	c.name, c.Principal, c.Identity = fmt.Sprint(principal), principal, identity
	return c
}

// functionPolicy is the policy that Lambda makes of the stack's permissions for one function:
// https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
func functionPolicy(tpl template, function string) []any {
	var out []any
	for id, p := range tpl.resources("AWS::Lambda::Permission") {
		if p["FunctionName"] != function {
			continue
		}
		when := map[string]any{"ArnLike": map[string]any{"AWS:SourceArn": p["SourceArn"]}}
		if p["SourceAccount"] != nil {
			when["StringEquals"] = map[string]any{"AWS:SourceAccount": p["SourceAccount"]}
		}
		out = append(out, map[string]any{"Sid": id, "Effect": "Allow", "Principal": map[string]any{"Service": p["Principal"]},
			"Action": p["Action"], "Resource": p["FunctionName"], "Condition": when})
	}
	return out
}
