package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
)

const (
	hubHome   = "222233334444"
	theHubBus = "arn:aws:events:eu-central-1:" + hubHome + ":event-bus/NightlatchHub"
	aHubQueue = "arn:aws:sqs:eu-central-1:" + hubHome + ":NightlatchHub-Heard-x1"
)

// hubOf is a hub with these settings.
func hubOf(t *testing.T, changes ...string) Hub {
	t.Helper()
	context := map[string]any{"email": "soc@example.com", "accounts": account + "," + stranger}
	for i := 0; i < len(changes); i += 2 {
		context[changes[i]] = changes[i+1]
	}
	h, wrong := readHub(Home{"aws", "eu-central-1", hubHome}, context)
	if len(wrong) > 0 {
		t.Fatal(errors.Join(wrong...))
	}
	return h
}

// hubApp is the app with the hub's stack in it.
func hubApp(t *testing.T, h Hub) (awscdk.App, awscdk.Stack) {
	t.Helper()
	code := t.TempDir()
	if err := os.WriteFile(filepath.Join(code, "bootstrap"), []byte("not built"), 0o644); err != nil {
		t.Fatal(err)
	}
	app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false), Outdir: jsii.String(t.TempDir())})
	stack, err := newHub(app, h, code)
	if err != nil {
		t.Fatal(err)
	}
	return app, stack
}

func hubTemplate(t *testing.T, changes ...string) template {
	t.Helper()
	_, stack := hubApp(t, hubOf(t, changes...))
	return filled(t, *assertions.Template_FromStack(stack, nil).ToJSON())
}

func TestTheHubsWholeTemplate(t *testing.T) {
	golden(t, "hub.golden", hash.ReplaceAllString(indented(t, hubTemplate(t)), "HASH"))
}

// What is wrong with a hub's settings is said, all of it, and names the field.
func TestWhatIsWrongWithAHubIsSaid(t *testing.T) {
	var ids []string
	for i := range maxSenders + 1 {
		ids = append(ids, fmt.Sprintf("%012d", i))
	}
	many := strings.Join(ids, ",")
	for name, c := range map[string]struct {
		context map[string]any
		want    []string
	}{
		"nothing":     {map[string]any{}, []string{"email is missing"}},
		"no accounts": {map[string]any{"email": "soc@example.com"}, []string{"accounts is missing, and a hub hears nobody without it"}},
		"all of it": {map[string]any{"email": "soc", "acounts": "1", "accounts": "1111,x", "organization": "r-1", "retention": "2", "buckets": "a", "watchers": "arn:aws:sns:us-east-1:111122223333:x"}, []string{
			`acounts is not a setting (did you mean accounts?)`, "buckets is not a setting", `email is "soc"`, `accounts is "1111,x"`, `organization is "r-1"`, `retention is "2"`, `watchers is `}},
		"twice":    {map[string]any{"email": "soc@example.com", "accounts": account + "," + account}, []string{"stands there twice"}},
		"too many": {map[string]any{"email": "soc@example.com", "accounts": many}, []string{fmt.Sprintf("accounts are %d, and the policy of a bus has room for %d", maxSenders+1, maxSenders)}},
	} {
		_, wrong := readHub(Home{"aws", "eu-central-1", hubHome}, c.context)
		text := fmt.Sprint(errors.Join(wrong...))
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: it does not say %q:\n%s", name, want, text)
			}
		}
		if len(wrong) != len(c.want) {
			t.Errorf("%s: %d mistakes, want %d:\n%s", name, len(wrong), len(c.want), text)
		}
	}
	// In a partition of longer names fewer have room.
	h, wrong := readHub(Home{"aws-us-gov", "us-gov-west-1", hubHome}, map[string]any{"email": "soc@example.com", "organization": "o-" + strings.Repeat("x", 32), "accounts": strings.Join(ids[:maxSenders], ",")})
	if len(wrong) != 1 || !strings.Contains(fmt.Sprint(wrong), "the policy of a bus in us-gov-west-1 has no room for so many") {
		t.Errorf("got %d accounts, %v", len(h.Accounts), wrong)
	}
}

// As many accounts as may send fit into the bus's policy, and into the environment.
func TestTheFullestHubFits(t *testing.T) {
	var ids []string
	for i := range maxSenders {
		ids = append(ids, fmt.Sprintf("%012d", i))
	}
	tpl := hubTemplate(t, "accounts", strings.Join(ids, ","), "organization", "o-"+strings.Repeat("x", 32))
	policy, err := json.Marshal(tpl.named(t, "AWS::Events::EventBus", "Bus")["Policy"])
	if err != nil || len(policy) > 10<<10 {
		t.Errorf("the bus's policy has %d bytes, %v", len(policy), err)
	}
	environment, err := json.Marshal(at(t, tpl.named(t, "AWS::Lambda::Function", "Hub"), "Environment", "Variables"))
	if err != nil || len(environment) > 4<<10 {
		t.Errorf("the environment has %d bytes, %v", len(environment), err)
	}
}

func TestNagFindsNothingUnexplainedOfTheHub(t *testing.T) {
	app, _ := hubApp(t, hubOf(t, "organization", "o-exampleorgid", "topics", "arn:aws:sns:us-east-1:444455556666:soc"))
	excused := map[string]int{}
	for _, l := range nagOf(t, app, hubName) {
		switch {
		case l.Compliance != "Suppressed":
			t.Errorf("%s on %s: %s (%s); put it right, or say why not", l.RuleID, l.ResourceID, l.RuleInfo, l.Compliance)
		case !sentence.MatchString(l.ExceptionReason):
			t.Errorf("%s on %s: %q is no sentence", l.RuleID, l.ResourceID, l.ExceptionReason)
		}
		excused[strings.TrimPrefix(l.ResourceID, hubName+"/")+" "+l.RuleID]++
	}
	if given := explainedOf(t, app, hubName); !maps.Equal(excused, given) {
		t.Errorf("found %v, and the template explains %v", excused, given)
	}
}

// hubDeployed has the ARNs that CloudFormation would fill in.
var hubDeployed = regexp.MustCompile(`\{([A-Za-z]+)\.Arn\}`)

func hubPolicy(t *testing.T, statements any) any {
	t.Helper()
	text := hubDeployed.ReplaceAllStringFunc(indented(t, map[string]any{"Version": "2012-10-17", "Statement": statements}), func(ref string) string {
		switch name := hubDeployed.FindStringSubmatch(ref)[1]; {
		case strings.HasSuffix(name, "Role"):
			return "arn:aws:iam::" + hubHome + ":role/NightlatchHub-" + name + "-x1"
		case strings.HasSuffix(name, "Key"):
			return "arn:aws:kms:eu-central-1:" + hubHome + ":key/" + name
		case strings.HasSuffix(name, "Log"):
			return "arn:aws:logs:eu-central-1:" + hubHome + ":log-group:" + name + ":*"
		default:
			return "arn:aws:sqs:eu-central-1:" + hubHome + ":NightlatchHub-" + name + "-x1"
		}
	})
	var out any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// The bus takes incidents of the responders and approvers of its accounts, from themselves, and nothing else of anybody, whoever lets him.
func TestWhoPutsOnTheHubsBusIsJudged(t *testing.T) {
	const organization, allowed = "o-exampleorgid", "Allowed DeploymentsTell TellTheHub"
	tpl := hubTemplate(t, "organization", organization)
	bus := hubPolicy(t, at(t, tpl.named(t, "AWS::Events::EventBus", "Bus"), "Policy", "Statement"))
	told := synth(t, "hub", theHubBus)
	statements := func(id string) any {
		return policyOf(t, at(t, told.named(t, "AWS::IAM::Role", id+"Role"), "Policies", 0, "PolicyDocument", "Statement"))
	}
	put := func(want, account, role string, identity any, context ...string) request {
		c := request{Principal: "arn:aws:sts::" + account + ":assumed-role/" + role + "/x", Action: "events:PutEvents", Resource: theHubBus, Account: hubHome, Identity: identity, Policy: bus, want: want,
			Context: map[string]string{"aws:PrincipalArn": "arn:aws:iam::" + account + ":role/" + role, "aws:PrincipalAccount": account, "aws:PrincipalOrgID": organization, "events:source": "nightlatch", "events:detail-type": "Nightlatch Incident",
				"events:eventBusInvocation": "false", "aws:SecureTransport": "true"}}
		for i := 0; i < len(context); i += 2 {
			c.Context[context[i]] = context[i+1]
		}
		c.name = fmt.Sprint(account, " ", role, " ", context)
		return c
	}
	const responder, approver = "Nightlatch-ResponderRole-a1B2c3D4", "Nightlatch-ApproverRole-a1B2c3D4"
	calls := []request{
		put(allowed, account, responder, statements("Responder")),
		put(allowed, account, approver, statements("Approver")),
		put("Allowed DeploymentsTell Everything", stranger, responder, everything), // the other of the two accounts
		put("ExplicitlyDenied NothingElseIsTold", account, responder, everything, "events:detail-type", "Nightlatch Message"),
		put("ExplicitlyDenied InNobodysName", account, responder, everything, "events:source", "aws.s3"),
		put("ExplicitlyDenied InNobodysName", account, responder, everything, "events:source", "nightlatch2"),
		put("ExplicitlyDenied NoBusHandsOn", account, responder, everything, "events:eventBusInvocation", "true"),
		put("ExplicitlyDenied NoOtherOrganizationTells", account, responder, everything, "aws:PrincipalOrgID", "o-anotherorgid"),
		put("ExplicitlyDenied NoOtherAccountTells", "999900001111", responder, everything),
		put("ExplicitlyDenied NoOtherAccountTells", hubHome, responder, everything), // nor the hub's own, which is none of the two
		put(denied, account, responder, statements("Responder"), "events:detail-type", "x"),
	}
	calls[len(calls)-1].want = "ExplicitlyDenied NothingElseIsTold"
	for _, role := range []string{"admin", "Nightlatch-DoctorRole-x1", "Nightlatch-KeeperRole-x1", "Nightlatch-CutterRole-x1", "xNightlatch-ResponderRole-x1", "Nightlatch-ResponderRole", "NightlatchHub-HubRole-x1"} {
		calls = append(calls, put("ExplicitlyDenied NoOtherRoleTells", account, role, everything), put("ExplicitlyDenied NoOtherAccountTells NoOtherRoleTells", hubHome, role, everything))
	}
	for _, action := range []string{"events:PutRule", "events:PutTargets", "events:DeleteRule", "events:DeleteEventBus"} { // of another account nobody does anything else
		c := put(denied, account, responder, everything)
		c.Action = action
		if action == "events:PutRule" || action == "events:PutTargets" || action == "events:DeleteRule" {
			c.Resource = strings.Replace(theHubBus, "event-bus", "rule", 1) + "/NightlatchHub-Hears"
		}
		c.Context = map[string]string{"aws:PrincipalArn": c.Context["aws:PrincipalArn"]}
		calls = append(calls, c)
	}
	// A deployment's role puts nothing on any other bus, and nothing else on this one.
	for resource, context := range map[string][]string{strings.Replace(theHubBus, "NightlatchHub", "default", 1): nil, theHubBus: {"events:detail-type", "Nightlatch Message"}} {
		c := put(denied, account, responder, statements("Responder"), context...)
		c.Resource, c.Policy = resource, nil
		calls = append(calls, c)
	}
	decided := judge(t, calls)
	for _, st := range at(t, tpl.named(t, "AWS::Events::EventBus", "Bus"), "Policy", "Statement").([]any) {
		if sid := st.(map[string]any)["Sid"].(string); !decided[sid] {
			t.Errorf("no call was decided by %s", sid)
		}
	}
	everyConditionIsTried(t, calls, func(r request) any { return bus })
}

// The hub's role has its own topics, queue and items, and nothing in an account, whoever lets it.
func TestTheHubHasNoRightInAnAccount(t *testing.T) {
	tpl := hubTemplate(t)
	statements := at(t, tpl.named(t, "AWS::IAM::Role", "HubRole"), "Policies", 0, "PolicyDocument", "Statement").([]any)
	identity := hubPolicy(t, statements)
	golden(t, "role-hub.golden", indented(t, statements))
	const role, table = "arn:aws:sts::" + hubHome + ":assumed-role/NightlatchHub-HubRole-x1/x", "arn:aws:dynamodb:eu-central-1:" + hubHome + ":table/NightlatchHub-8d6f2a40-0000-11f1-9c1c-0a1b2c3d4e5f"
	var calls []request
	add := func(want, action, resource, owner string, context ...string) {
		c := does(want, action, resource, context...)
		c.Principal, c.Account, c.Identity, c.name = role, owner, identity, "the hub"
		calls = append(calls, c)
	}
	add("Allowed KeepWhatIsHeard", "dynamodb:PutItem", table, hubHome, "dynamodb:LeadingKeys", "hub")
	add("Allowed TakeNotices", "sqs:ReceiveMessage", aHubQueue, hubHome)
	for action, resource := range map[string]string{"dynamodb:GetItem": theTable, "dynamodb:PutItem": theTable, "iam:UpdateAccessKey": user + "mara", "iam:GetUser": user + "mara", "s3:GetObject": "arn:aws:s3:::files/a/AWSLogs/x", "lambda:InvokeFunction": theFunction,
		"sns:Publish": "arn:aws:sns:eu-west-1:111122223333:soc", "sts:AssumeRole": "arn:aws:iam::111122223333:role/Nightlatch-ResponderRole-x1", "cloudtrail:LookupEvents": "*", "lambda:InvokeFunctionUrl": "arn:aws:lambda:eu-west-1:111122223333:function:Nightlatch-Approver-x1", "kms:Decrypt": theKey,
		"events:PutEvents": theHubBus, "sqs:SendMessage": aHubQueue, "dynamodb:DeleteItem": table} {
		owner := account
		if strings.Contains(resource, hubHome) {
			owner = hubHome
		}
		add(denied, action, resource, owner)
		if owner == account && resource != "*" { // also where an account lets everybody in
			calls[len(calls)-1].Policy = document(statement{"Sid": "Anybody", "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"})
		}
	}
	judge(t, calls)
	for _, st := range statements {
		list, ok := st.(map[string]any)["Resource"].([]any)
		if !ok {
			list = []any{st.(map[string]any)["Resource"]}
		}
		for _, on := range list {
			if !strings.Contains(on.(string), hubHome) && !strings.Contains(on.(string), "{") && !strings.HasPrefix(on.(string), "arn:aws:sns:eu-west-1:111122223333:Nightlatch-") { // the last are the names that the test fills in
				t.Errorf("%v is on %v", st, on)
			}
		}
	}
}

// Every call that the function makes in its stories is allowed, and nothing is granted that none of them needs, but for what AWS does with its role.
func TestTheHubsRoleIsWhatItsCallsNeed(t *testing.T) {
	h, wrong := readHub(home, map[string]any{"email": "soc@example.com", "accounts": account})
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	_, stack := hubApp(t, h)
	tpl := filled(t, *assertions.Template_FromStack(stack, nil).ToJSON())
	statements := at(t, tpl.named(t, "AWS::IAM::Role", "HubRole"), "Policies", 0, "PolicyDocument", "Statement").([]any)
	identity := hubPolicy(t, statements)
	calls := calledBy(t, "hub", "calls.json")
	for i := range calls {
		calls[i].Resource = strings.Replace(calls[i].Resource, ":table/Nightlatch-", ":table/NightlatchHub-", 1)
	}
	calls = wanting(calls, statements)
	for i := range calls {
		calls[i].Identity, calls[i].name = identity, "a story of the hub"
	}
	decided := judge(t, calls)
	for _, st := range statements {
		switch sid := st.(map[string]any)["Sid"].(string); sid {
		case "EncryptForTheTeam", "EncryptForTheWatchers", "WriteItsLog", "TakeNotices": // SNS, Lambda's runtime and the event source do
		default:
			if !decided[sid] {
				t.Errorf("no call needs %s", sid)
			}
		}
	}
}
