package main

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/settings"
)

// The function reads what the stack writes, with the same code.
func TestTheEnvironmentIsRead(t *testing.T) {
	tpl := synth(t, "mode", "act", "protected", "arn:aws:iam::111122223333:user/ops/break-glass,arn:aws:iam::111122223333:role/admin",
		"protectTag", "team:protect", "logLevel", "debug", "topics", "arn:aws:sns:us-east-1:444455556666:soc", "epoch", "2026-03")
	environ := environOf(t, tpl, "Responder")
	got, err := settings.Parse(environ)
	if err != nil {
		t.Fatal(err)
	}
	want := settings.Responder{
		Mode: "act", Evidence: "lake", EventDataStore: aStore, Records: settings.AllEvents, Topic: aTopic, Topics: []string{"arn:aws:sns:us-east-1:444455556666:soc"}, Watchers: []string{aWatch}, Accounts: []string{account},
		Protected:  []string{"arn:aws:iam::111122223333:user/ops/break-glass", "arn:aws:iam::111122223333:role/admin"},
		ProtectTag: "team:protect", ScanBudget: settings.DefaultScanBudget, FilterID: settings.OwnFilterID, LogLevel: slog.LevelDebug,
		Generation: "2026-03", Table: kept, ScheduleGroup: stackName, ScheduleRole: theScheduleRole, DeadLetters: theQueue,
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	// The approver's is the same, but for what it does not read.
	want.FilterID, want.Records = "", ""
	if got, err := settings.ParseApprover(environOf(t, tpl, "Approver")); err != nil || cmp.Diff(got, settings.Approver{Responder: want, Function: "Nightlatch-Responder-x1", Trusted: []string{settings.TrustIdentityCenter, settings.TrustSAML}}) != "" {
		t.Errorf("the approver reads %+v, %v", got, err)
	}
	// When observing ends, the responder tells. The doctor reads it in the template.
	tpl = synth(t, "mode", "observe", "observeUntil", "2026-12-31")
	if got, err := settings.Parse(environOf(t, tpl, "Responder")); err != nil || got.ObserveUntil != "2026-12-31" {
		t.Errorf("the responder reads %q, %v", got.ObserveUntil, err)
	}
	if _, err := settings.ParseApprover(environOf(t, tpl, "Approver")); err != nil {
		t.Errorf("the approver: %v", err)
	}
}

// What the stack itself makes is known to hold no more than it selects. What was there already may hold anything.
func TestWhatTheEvidenceHolds(t *testing.T) {
	for name, c := range map[string]struct {
		store, trail, buckets, want string
	}{
		"a trail that is made":             {"", made, "a-bucket", settings.WatchedReads},
		"a store that is made":             {made, "", "a-bucket", settings.WatchedReads},
		"both":                             {made, made, "a-bucket", settings.WatchedReads},
		"of every bucket":                  {"", made, "*", settings.AllReads},
		"a store that was there":           {aStore, "", "a-bucket", ""},
		"a trail that was there":           {"", aTrail, "*", ""},
		"one that was there, and one made": {made, aTrail, "a-bucket", ""},
	} {
		s := Settings{EventDataStore: c.store, Trail: c.trail, Buckets: []settings.Bucket{{Name: c.buckets}}}
		if got := recorded(s); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	got, err := settings.Parse(environOf(t, synth(t, onlyAthena(made)...), "Responder"))
	if err != nil || got.Records != settings.WatchedReads {
		t.Errorf("the function reads %q, %v", got.Records, err)
	}
}

// environOf is a function's environment, as deployed.
func environOf(t *testing.T, tpl template, function string) (environ []string) {
	t.Helper()
	for name, value := range at(t, tpl.named(t, "AWS::Lambda::Function", function), "Environment", "Variables").(map[string]any) {
		environ = append(environ, name+"="+deployed.Replace(value.(string)))
	}
	return environ
}

// A function's whole environment holds 4 KB, and what CloudFormation fills in is longer than its token.
func TestTheFullestEnvironmentFits(t *testing.T) {
	full := func(arn string, n int) string { return arn + strings.Repeat("x", n-len(arn)) }
	user, topic := "arn:aws-us-gov:iam::111122223333:user/", "arn:aws-us-gov:sns:us-gov-west-1:111122223333:"
	fullest := func(more ...string) template {
		return synth(t, append([]string{"eventDataStore", strings.NewReplacer("arn:aws:", "arn:aws-us-gov:", "eu-west-1", "us-gov-west-1").Replace(aStore), "mode", "observe", "observeUntil", "2026-12-31",
			"protectTag", full("", 128), "metricsFilter", full("", 64), "logLevel", "debug", "epoch", full("", 64), "unit", full("", 64), "webhook", full("", 30), "slack", full("", 30), "events", full("", 30), "chat", full(topic+"2", 70),
			"trail", strings.NewReplacer("arn:aws:", "arn:aws-us-gov:", "eu-west-1", "us-gov-west-1").Replace(aTrail), "evidence", "athena",
			"topics", strings.Join([]string{full(topic, 200), full(topic+"1", maxTopics-201-160-2*longestARN-26-21)}, ",")}, more...)...)
	}
	for _, c := range []struct {
		function string
		trails   int // whose locations are in it
		tpl      template
	}{{"Responder", 1, fullest("protected", full(user, maxProtected))}, {"Approver", 1, fullest("protected", full(user, maxProtected))},
		{"Responder", 2, fullest("protected", full(user, maxProtected-managementRoom), "managementTrail", strings.NewReplacer("arn:aws:", "arn:aws-us-gov:", "eu-west-1", "us-gov-west-1").Replace(theirTrail))},
		{"Approver", 2, fullest("protected", full(user, maxProtected-managementRoom), "managementTrail", strings.NewReplacer("arn:aws:", "arn:aws-us-gov:", "eu-west-1", "us-gov-west-1").Replace(theirTrail))}} {
		function, tpl := c.function, c.tpl
		// The longest bucket, prefix and organization: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html
		n := c.trails * (63 + 200 + len("/o-") + 32 - len("files/a"))
		n += len(full(topic, 120)) - len(aTopic) + 2*len("us-gov-") // and the queue's and the role's are of that partition
		for _, pair := range environOf(t, tpl, function) {
			n += len(pair) + len(`"":"",`) - 1
		}
		t.Logf("%s: %d bytes", function, n)
		if n > 4096 {
			t.Errorf("the %s's environment has %d bytes, want at most 4096", function, n)
		}
	}
}

func TestTheFunction(t *testing.T) {
	tpl := synth(t, "memory", "1024", "retention", "30")
	f := tpl.named(t, "AWS::Lambda::Function", "Responder")
	for key, want := range map[string]any{
		"Runtime": "provided.al2023", "Handler": "bootstrap", "Architectures": []any{"arm64"}, "Timeout": 900.0, "MemorySize": 1024.0,
		"Role": "{ResponderRole.Arn}", "LoggingConfig": map[string]any{"LogGroup": "Nightlatch-ResponderLog-x1"},
		"ReservedConcurrentExecutions": nil,
	} {
		if diff := cmp.Diff(f[key], want); diff != "" {
			t.Errorf("%s: got -, want +:\n%s", key, diff)
		}
	}
	if got := tpl.named(t, "AWS::Logs::LogGroup", "ResponderLog")["RetentionInDays"]; got != 30.0 {
		t.Errorf("the log is kept for %v days", got)
	}
	want := map[string]any{
		"FunctionName": "Nightlatch-Responder-x1", "Qualifier": "$LATEST", "MaximumRetryAttempts": 2.0, "MaximumEventAgeInSeconds": 21600.0,
		"DestinationConfig": map[string]any{"OnFailure": map[string]any{"Destination": "{FailedEvents.Arn}"}},
	}
	if diff := cmp.Diff(tpl.named(t, "AWS::Lambda::EventInvokeConfig", "ResponderRetries"), want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	if tpl.named(t, "AWS::SQS::Queue", "FailedEvents")["SqsManagedSseEnabled"] != true {
		t.Error("the queue of failed events is not encrypted")
	}
}

// Three permissions serve any number of alarms: a function's policy ends at 20 KB.
func TestWhoMayInvoke(t *testing.T) {
	for _, changes := range [][]string{{}, {"buckets", "*"}, {"buckets", "a-bucket,b-bucket,c-bucket,d-bucket,e-bucket,f-bucket"}} {
		got := synth(t, changes...).resources("AWS::Lambda::Permission")
		want := map[string]map[string]any{
			"AlarmsInvoke": {"Action": "lambda:InvokeFunction", "FunctionName": "{Responder.Arn}", "Principal": "lambda.alarms.cloudwatch.amazonaws.com",
				"SourceAccount": account, "SourceArn": "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:nightlatch-*"},
			"EventsInvoke": {"Action": "lambda:InvokeFunction", "FunctionName": "{Responder.Arn}", "Principal": "events.amazonaws.com", "SourceArn": "{Rings.Arn}"},
			"CopiesInvoke": {"Action": "lambda:InvokeFunction", "FunctionName": "{Responder.Arn}", "Principal": "events.amazonaws.com",
				"SourceAccount": account, "SourceArn": "{Copies.Arn}"},
		}
		// The daily checks are the enroller's and the doctor's tests.
		delete(got, "DoctorDailyInvoke")
		delete(got, "DailyLookInvoke")
		delete(got, "NewBucketInvoke")
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("got -, want +:\n%s", diff)
		}
		if n := len(indented(t, got)); n > 20480/4 {
			t.Errorf("the function's policy is near its end: %d bytes", n)
		}
	}
}

// No alarm fires for a copy, so the responder looks for them by itself.
func TestCopiesAreLookedForHourly(t *testing.T) {
	rule := synth(t).named(t, "AWS::Events::Rule", "Copies")
	target := rule["Targets"].([]any)[0].(map[string]any)
	if target["Input"] != `{"nightlatch":{"copies":{}}}` || target["Arn"] != "{Responder.Arn}" || rule["ScheduleExpression"] != "rate(1 hour)" {
		t.Errorf("got %v", rule)
	}
}
