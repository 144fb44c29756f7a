package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// request is one call to AWS, with the policies that decide it.
type request struct {
	Principal any               `json:"principal"`
	Action    string            `json:"action"`
	Resource  string            `json:"resource"`
	Account   string            `json:"account"` // the resource's
	Context   map[string]string `json:"context"`
	Identity  any               `json:"identity"` // the caller's own policy
	Policy    any               `json:"policy"`   // the resource's
	Endpoint  any               `json:"endpoint"` // of the VPC endpoint through which it goes; nil where it goes through none

	name, want string // want is as verdict.String has it
}

// verdict is what the simulator says to a call.
type verdict struct {
	Result  string   `json:"result"`
	By      []string `json:"by"`      // the statements that decided
	Ignored []string `json:"ignored"` // context keys that this action does not have
	Unknown bool     `json:"unknown"` // the simulator's list of actions does not have this one
	Error   string   `json:"error"`
}

func (v verdict) String() string {
	slices.Sort(v.By)
	words := []string{strings.TrimSpace(v.Result + " " + strings.Join(v.By, " "))}
	if v.Unknown {
		words = append(words, "an unknown action")
	}
	if len(v.Ignored) > 0 {
		words = append(words, "ignoring the context "+strings.Join(v.Ignored, " "))
	}
	if v.Error != "" {
		words = append(words, v.Error)
	}
	return strings.Join(words, ", ")
}

const (
	denied = "ImplicitlyDenied" // no statement allows it

	responderSession = "arn:aws:sts::111122223333:assumed-role/Nightlatch-ResponderRole-x1/Nightlatch-Responder-x1"
	stranger         = "444455556666"
	theKey           = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	theQueue         = "arn:aws:sqs:eu-west-1:111122223333:Nightlatch-FailedEvents-x1"
	theWatchKey      = "arn:aws:kms:eu-west-1:111122223333:key/5678abcd-12ab-34cd-56ef-1234567890ab"
	theNotices       = "arn:aws:sqs:eu-west-1:111122223333:Nightlatch-Notices-x1"
	theTeller        = "arn:aws:lambda:eu-west-1:111122223333:function:Nightlatch-Teller-x1"
	theTellersLog    = "arn:aws:logs:eu-west-1:111122223333:log-group:Nightlatch-TellerLog-x1"
	theFunction      = "arn:aws:lambda:eu-west-1:111122223333:function:Nightlatch-Responder-x1"
	theCutter        = "arn:aws:lambda:eu-west-1:111122223333:function:Nightlatch-Cutter-x1"
	theCuttersLog    = "arn:aws:logs:eu-west-1:111122223333:log-group:Nightlatch-CutterLog-x1"
	theDailyLook     = "arn:aws:events:eu-west-1:111122223333:rule/Nightlatch-DailyLook-x1"
	theNewBucket     = "arn:aws:events:eu-west-1:111122223333:rule/Nightlatch-NewBucket-x1"
	theEnroller      = "arn:aws:lambda:eu-west-1:111122223333:function:Nightlatch-Enroller-x1"
	theCopiesRule    = "arn:aws:events:eu-west-1:111122223333:rule/Nightlatch-Copies-x1"
	theDoctor        = "arn:aws:lambda:eu-west-1:111122223333:function:Nightlatch-Doctor-x1"
	theDoctorDaily   = "arn:aws:events:eu-west-1:111122223333:rule/Nightlatch-DoctorDaily-x1"
	theDoctorsLog    = "arn:aws:logs:eu-west-1:111122223333:log-group:Nightlatch-DoctorLog-x1"
	theKeeper        = "arn:aws:lambda:eu-west-1:111122223333:function:Nightlatch-Keeper-x1"
	theKeepersLog    = "arn:aws:logs:eu-west-1:111122223333:log-group:Nightlatch-KeeperLog-x1"
	theCases         = "nightlatch-cases-8d6f2a40-0000-11f1-9c1c-0a1b2c3d4e5f"
	theRule          = "arn:aws:events:eu-west-1:111122223333:rule/Nightlatch-Rings-x1"
	theLog           = "arn:aws:logs:eu-west-1:111122223333:log-group:Nightlatch-ResponderLog-x1"
	theEnrollersLog  = "arn:aws:logs:eu-west-1:111122223333:log-group:Nightlatch-EnrollerLog-x1"
	theApproversLog  = "arn:aws:logs:eu-west-1:111122223333:log-group:Nightlatch-ApproverLog-x1"
	kept             = "Nightlatch-8d6f2a40-0000-11f1-9c1c-0a1b2c3d4e5f" // the table and Scheduler's role, by the stack's id
	theTable         = "arn:aws:dynamodb:eu-west-1:111122223333:table/" + kept
	theTrail         = "arn:aws:cloudtrail:eu-west-1:111122223333:trail/" + kept // that the stack makes
	theScheduleRole  = "arn:aws:iam::111122223333:role/" + kept
	user             = "arn:aws:iam::111122223333:user/"
	anAlarm          = "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:"
)

// deployed has the ARNs that CloudFormation would fill in for each resource that a policy names. A log group's ends in ":*":
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-loggroup.html
var deployed = strings.NewReplacer("{TopicKey.Arn}", theKey, "{WatchKey.Arn}", theWatchKey, "{Notices.Arn}", theNotices, "{Teller.Arn}", theTeller, "{TellerLog.Arn}", theTellersLog+":*",
	"{TellerRole.Arn}", "arn:aws:iam::111122223333:role/Nightlatch-TellerRole-x1", "{FailedEvents.Arn}", theQueue, "{Responder.Arn}", theFunction, "{Enroller.Arn}", theEnroller,
	"{ResponderRole.Arn}", "arn:aws:iam::111122223333:role/Nightlatch-ResponderRole-x1", "{ApproverRole.Arn}", "arn:aws:iam::111122223333:role/Nightlatch-ApproverRole-x1",
	"{EnrollerRole.Arn}", "arn:aws:iam::111122223333:role/Nightlatch-EnrollerRole-x1", "{DoctorRole.Arn}", "arn:aws:iam::111122223333:role/Nightlatch-DoctorRole-x1",
	"{KeeperRole.Arn}", "arn:aws:iam::111122223333:role/Nightlatch-KeeperRole-x1", "{Keeper.Arn}", theKeeper, "{KeeperLog.Arn}", theKeepersLog+":*",
	"{CutterRole.Arn}", "arn:aws:iam::111122223333:role/Nightlatch-CutterRole-x1", "{Cutter.Arn}", theCutter, "{CutterLog.Arn}", theCuttersLog+":*",
	"{Doctor.Arn}", theDoctor, "{DoctorLog.Arn}", theDoctorsLog+":*", "{DoctorDaily.Arn}", theDoctorDaily, "{ApproverLog.Arn}", theApproversLog+":*",
	"{DailyLook.Arn}", theDailyLook, "{NewBucket.Arn}", theNewBucket,
	"{CanaryUser.Arn}", theCanary, "{CanaryBucket.Arn}", theCanaryBucket, "{Canary.Arn}", theCanaryReads, "{CanaryLog.Arn}", theCanarysLog+":*", "{RehearserRole.Arn}", theRehearsersRole, "{RehearserLog.Arn}", theRehearsersLog+":*",
	"{Rings.Arn}", theRule, "{Copies.Arn}", theCopiesRule, "{ResponderLog.Arn}", theLog+":*", "{EnrollerLog.Arn}", theEnrollersLog+":*")

// policyOf is a policy of these statements, as deployed.
func policyOf(t *testing.T, statements any) any {
	t.Helper()
	var out any
	text := deployed.Replace(indented(t, map[string]any{"Version": "2012-10-17", "Statement": statements}))
	if err := json.Unmarshal([]byte(text), &out); err != nil || strings.Contains(text, ".Arn}") {
		t.Fatalf("a policy has something left to fill in: %v\n%s", err, text)
	}
	return out
}

// judge puts the calls to the simulator and compares what it says with what each wants. It returns the statements that decided.
func judge(t *testing.T, calls []request) map[string]bool {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "node_modules", "@cloud-copilot", "iam-simulate")); err != nil {
		t.Skip("SKIPPED, the IAM simulator: node_modules is missing; run npm ci")
	}
	in, err := json.Marshal(calls)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", filepath.Join("testdata", "simulate.mjs"))
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("running the simulator: %v", err)
	}
	var verdicts []verdict
	if err := json.Unmarshal(out, &verdicts); err != nil || len(verdicts) != len(calls) {
		t.Fatalf("the simulator printed %q: %v", out, err)
	}
	decided := map[string]bool{}
	for i, c := range calls {
		if got := verdicts[i].String(); got != c.want {
			t.Errorf("%s: %s on %s with %v: %s, want %s", c.name, c.Action, c.Resource, c.Context, got, c.want)
		}
		for _, sid := range verdicts[i].By {
			decided[sid] = true
		}
	}
	return decided
}

// everyConditionIsTried checks that each condition key of the calls' policies stands in the context of one of the calls. What a key
// does that no call has, nobody has seen.
func everyConditionIsTried(t *testing.T, calls []request, policy func(request) any) {
	t.Helper()
	tried, keys := map[string]bool{}, map[string]bool{}
	for _, c := range calls {
		for key := range c.Context {
			tried[strings.ToLower(key)] = true // keys are the same in any case
		}
		document, _ := policy(c).(map[string]any)
		statements, _ := document["Statement"].([]any)
		for _, st := range statements {
			when, _ := st.(map[string]any)["Condition"].(map[string]any)
			for _, operands := range when {
				for key := range operands.(map[string]any) {
					keys[key] = true
				}
			}
		}
	}
	for key := range keys {
		if !tried[strings.ToLower(key)] {
			t.Errorf("no call has the condition key %s in its context", key)
		}
	}
}

// does is a call of a function; its policies come later.
func does(want, action, resource string, context ...string) request {
	c := request{Principal: responderSession, Action: action, Resource: resource, Account: account, want: want,
		Context: map[string]string{"aws:SecureTransport": "true"}}
	if strings.Contains(resource, stranger) {
		c.Account = stranger
	}
	for i := 0; i < len(context); i += 2 {
		c.Context[context[i]] = context[i+1]
	}
	return c
}
