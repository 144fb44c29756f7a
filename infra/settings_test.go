package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/policy"
	"nightlatch/internal/settings"
	"nightlatch/internal/version"
)

func TestEverySettingIsRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "own.cedar")
	own := `@id("never") @because("nothing is ever done") forbid (principal, action, resource);`
	const ownCases = `{"facts": {"kind": "iam-user-key"}, "cases": [{"name": "a key", "expect": "leave", "rule": "never"}]}`
	for name, text := range map[string]string{file: own, policy.CasesFile(file): ownCases} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all := map[string]any{
		"buckets": "customer-exports=1GiB/1m+20GiB/24h,logs=50GiB/1m,plain,*=2TiB/1m", "eventDataStore": aStore, "trail": aTrail, "evidence": "athena",
		"trailLocation": "s3://aws-controltower-logs-444455556666-eu-west-1/o-exampleorg/AWSLogs/o-exampleorg/", "trailKey": "arn:aws:kms:eu-west-1:444455556666:key/mrk-0a1b2c3d000040008000012345678901",
		"managementTrail": "s3://archive/AWSLogs/", "managementKey": theirKey,
		"email": []any{"soc@example.com", "a.b+c@mail.example.co"}, "policy": file, "mode": "act", "topics": "arn:aws:sns:us-east-1:444455556666:soc,arn:aws:sns:eu-west-1:111122223333:ops",
		"watchers": "+4915123456789,https://hooks.example.com/x,arn:aws:sqs:eu-west-1:111122223333:ops,arn:aws:sns:eu-west-1:444455556666:soc",
		"unit":     "Workloads/Prod", "protected": "arn:aws:iam::*:user/ops/break-glass,arn:aws:iam::111122223333:role/admin",
		"protectTag": "team:protect", "retention": float64(30), "memory": "1024", "logLevel": "debug", "metricsFilter": "EntireBucket", "total": "7GiB/1m+90GiB/1h",
		"sealed": "stated", "approvers": "identity-center,arn:aws:iam::111122223333:saml-provider/idp,token.actions.githubusercontent.com",
		"heartbeat": "nightlatch/heartbeat", "heartbeatMinutes": "30", "webhook": "nightlatch/webhook", "slack": "nightlatch/slack", "events": "soc", "chat": "arn:aws:sns:eu-west-1:111122223333:chat", "caseLock": float64(90), "watchTag": "class=secret", "canary": "a-canary", "rehearseDays": float64(30), "canaryKey": float64(2), "steps": "quarantine-user,block-on-bucket", "stepPaths": "/team/,/a/b/",
		// These are not ours, and nothing is said about them.
		"@aws-cdk/core:newStyleStackSynthesis": true, "aws:cdk:version-reporting": false, "acknowledged-issue-numbers": []any{float64(34892)},
	}
	got, err := Read(all)
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range got.Given {
		if !cmp.Equal(value, all[key]) {
			t.Errorf("%s was given as %v, and is kept as %v", key, all[key], value)
		}
	}
	if len(got.Given) != len(all)-3 {
		t.Errorf("of %d settings %d are kept", len(all)-3, len(got.Given))
	}
	got.Given = nil
	want := Settings{
		Buckets: []settings.Bucket{
			{Name: "customer-exports", Thresholds: []settings.Threshold{{Bytes: 1 << 30, Period: settings.Minute}, {Bytes: 20 << 30, Period: settings.Day}}},
			{Name: "logs", Thresholds: []settings.Threshold{{Bytes: 50 << 30, Period: settings.Minute}}},
			{Name: "plain", Thresholds: []settings.Threshold{{Bytes: 1 << 30, Period: settings.Minute}, {Bytes: 50 << 30, Period: settings.Day}}},
			{Name: settings.EveryBucket, Thresholds: []settings.Threshold{{Bytes: 2 << 40, Period: settings.Minute}}},
			{Name: "a-canary", Thresholds: []settings.Threshold{{Bytes: 16 << 20, Period: settings.Minute}}},
		},
		WatchTag: "class=secret", Canary: "a-canary", RehearseDays: 30, CanaryKey: 2,
		Total:          []settings.Threshold{{Bytes: 7 << 30, Period: settings.Minute}, {Bytes: 90 << 30, Period: settings.Hour}},
		EventDataStore: aStore, Trail: aTrail, Evidence: "athena", Home: home, Sealed: "stated", FilesGiven: true,
		Management: Files{Bucket: "archive", Folder: "AWSLogs/", Key: theirKey},
		Files:      Files{Bucket: "aws-controltower-logs-444455556666-eu-west-1", Folder: "o-exampleorg/AWSLogs/o-exampleorg/", Key: "arn:aws:kms:eu-west-1:444455556666:key/mrk-0a1b2c3d000040008000012345678901"},
		Approvers:  []string{"identity-center", "arn:aws:iam::111122223333:saml-provider/idp", "token.actions.githubusercontent.com"},
		Email:      []string{"soc@example.com", "a.b+c@mail.example.co"},
		Topics:     []string{"arn:aws:sns:us-east-1:444455556666:soc", "arn:aws:sns:eu-west-1:111122223333:ops"},
		Watchers:   []string{"+4915123456789", "https://hooks.example.com/x", "arn:aws:sqs:eu-west-1:111122223333:ops", "arn:aws:sns:eu-west-1:444455556666:soc"},
		Policy:     file, PolicyText: []byte(own), PolicyCases: []byte(ownCases), Mode: "act",
		Unit: "Workloads/Prod", Protected: []string{"arn:aws:iam::*:user/ops/break-glass", "arn:aws:iam::111122223333:role/admin"},
		ProtectTag: "team:protect", RetentionDays: 30, MemoryMiB: 1024, LogLevel: slog.LevelDebug, Filter: "EntireBucket",
		Heartbeat: "nightlatch/heartbeat", HeartbeatMinutes: 30, Webhook: "nightlatch/webhook", Slack: "nightlatch/slack", Events: "soc", Chat: "arn:aws:sns:eu-west-1:111122223333:chat", CaseLock: 90, Steps: []policy.Action{policy.QuarantineUser, policy.BlockOnBucket}, StepPaths: []string{"/team/", "/a/b/"},
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}

func TestWhatIsLeftOutHasADefault(t *testing.T) {
	got, err := Read(given())
	if err != nil {
		t.Fatal(err)
	}
	got.Given = nil
	want := Settings{
		Buckets:        []settings.Bucket{{Name: "a-bucket", Thresholds: settings.DefaultThresholds("a-bucket")}, {Name: "b-bucket", Thresholds: settings.DefaultThresholds("b-bucket")}},
		EventDataStore: aStore, Evidence: "lake", Home: home, Approvers: []string{"identity-center", "saml"}, Email: []string{"soc@example.com"}, PolicyText: policy.ShippedText(), PolicyCases: policy.ShippedCases(),
		Total: []settings.Threshold{{Bytes: 2 << 30, Period: settings.Minute}, {Bytes: 50 << 30, Period: settings.Hour}}, Mode: "ask", ProtectTag: "nightlatch:protect", RetentionDays: 365, MemoryMiB: 512, Filter: "nightlatch", HeartbeatMinutes: 15, CanaryKey: 1,
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}

// Each is one sentence that names the field and what was given.
func TestWrongSettingsAreRefused(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.cedar")
	if err := os.WriteFile(bad, []byte(`@id("x") @because("y") permit (principal, action, resource) when { context.kind == Kind::"root-kye" };`), 0o644); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "broken.cedar")
	if err := os.WriteFile(broken, []byte(`permit (`), 0o644); err != nil {
		t.Fatal(err)
	}
	otherwise, unread := filepath.Join(t.TempDir(), "otherwise.cedar"), filepath.Join(t.TempDir(), "unread.cedar")
	for file, text := range map[string]string{otherwise: string(policy.ShippedText()), policy.CasesFile(otherwise): strings.Replace(string(policy.ShippedCases()), `"contain"`, `"leave"`, 1),
		unread: string(policy.ShippedText()), policy.CasesFile(unread): "{}"} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ key, value, says string }{
		{"bucket", "a-bucket", "bucket is not a setting (did you mean buckets?); the settings are buckets, "},
		{"buckets", "", `"" is not the name of a bucket`},
		{"buckets", "a-bucket,", `"" is not the name of a bucket`},
		{"buckets", "a bucket", `"a bucket" is not the name of a bucket`},
		{"buckets", "ab", `"ab" is not the name of a bucket`},
		{"buckets", "192.168.5.4", `"192.168.5.4" is not the name of a bucket`},
		{"buckets", "arn:aws:s3:::a-bucket", "is not the name of a bucket"},
		{"buckets", "fast--euw1-az1--x-s3", "directory buckets are not watched"},
		{"buckets", "reports-abc-s3alias", "is an access point's name"},
		{"buckets", "a-bucket,a-bucket", `"a-bucket" stands there twice`},
		{"buckets", "a-bucket=-1", `"-1" is not a threshold like 1GiB/1m`},
		{"buckets", "a-bucket=1 Gib/1m", `"1 Gib/1m" is not a threshold`},
		{"buckets", "a-bucket=1GB/1m", `"1GB/1m" is not a threshold`},
		{"buckets", "a-bucket=1GiB", `"1GiB" is not a threshold`},
		{"buckets", "a-bucket=1GiB/2h", `"1GiB/2h" is not a threshold`},
		{"buckets", "a-bucket=", `"" is not a threshold`},
		{"buckets", "a-bucket=0GiB/1m", "is not a number of bytes"},
		{"buckets", "a-bucket=99999999TiB/1m", "is not a number of bytes"},
		{"buckets", "a-bucket=1GiB/1m+2GiB/1m", "has two thresholds for one period"},
		{"buckets", "*=1GiB/24h", "CloudWatch adds up a day for named buckets only"},
		{"eventDataStore", "0b8a2a3e-1f0e-4b5a-9d0c-2f6a1c3b4d5e", "should be the ARN of an existing CloudTrail Lake event data store"},
		{"eventDataStore", "arn:aws:cloudtrail:eu-west-1:111122223333:trail/main", "should be the ARN of an existing CloudTrail Lake event data store"},
		{"trail", "main", "should be the ARN of an existing CloudTrail trail, or create"},
		{"trail", aStore, "should be the ARN of an existing CloudTrail trail, or create"},
		{"trail", "arn:aws:s3:::files", "should be the ARN of an existing CloudTrail trail, or create"},
		{"trail", strings.Replace(aTrail, "arn:aws:", "arn:aws-cn:", 1), "it is of the partition aws-cn, and the eventDataStore of aws"},
		{"trailLocation", "s3://files/AWSLogs/", `trailLocation is "s3://files/AWSLogs/", and trail names none: give -c trail=ARN, the trail whose files these are, or leave it out`},
		{"trailLocation", "s3://files/AWSLogs/111122223333/", "should be where a trail's files lie, s3://BUCKET/[PREFIX/]AWSLogs/[ORGANIZATION/]"},
		{"trailLocation", "s3://files/AWSLogs", "should be where a trail's files lie"},
		{"trailLocation", "s3://files/${day}/AWSLogs/", "should be where a trail's files lie"},
		{"trailLocation", "https://files.s3.amazonaws.com/AWSLogs/", "should be where a trail's files lie"},
		{"trailLocation", "s3://files/AWSLogs/o-EXAMPLE/", "should be where a trail's files lie"},
		{"trailLocation", "s3://" + strings.Repeat("x", 900) + "/AWSLogs/", "should be where a trail's files lie"},
		{"trailKey", lookedUp["Key"], "and trailLocation is not given: a trail that is looked up says its key itself; leave it out"},
		{"trailKey", "alias/trail", "should be the ARN of the KMS key that encrypts the files of trailLocation"},
		{"trailKey", "arn:aws:kms:eu-west-1:444455556666:alias/trail", "should be the ARN of the KMS key"},
		{"managementTrail", "main", "should be the ARN of another trail, which records the management events of IAM, STS and sign-in, or where a trail's files lie, s3://"},
		{"managementTrail", theirTrail, "managementTrail is given, and trail is not: it is asked beside it"},
		{"managementKey", theirKey, "and managementTrail is no location: a trail that is looked up says its key itself; leave it out"},
		{"canary", "A-canary", "should be the name of a bucket that is not there yet"},
		{"canary", "a.canary", "should be the name of a bucket that is not there yet"},
		{"canary", "ab", "is not the name of a bucket"},
		{"canary", "a-bucket", "it stands among buckets, and the stack makes this one"},
		{"rehearseDays", "30", "and canary is not given: give -c canary=BUCKET"},
		{"rehearseDays", "15", "should be a number of days, 16 to 365"},
		{"canaryKey", "2", "and canary is not given"},
		{"canaryKey", "0", "should be a number, 1 or more"},
		{"evidence", "duck", "should be lake or athena"},
		{"evidence", "", "should be lake or athena"},
		{"evidence", "athena", "and no trail is given: give -c trail=ARN or -c trail=create, or leave evidence out and CloudTrail Lake is asked"},
		{"sealed", "stated", `sealed is "stated", and no trail is given`},
		{"sealed", "proved", "should be stated, or nothing"},
		{"approvers", "everybody", "should be identity-center, saml, ARNs of identity providers"},
		{"approvers", "saml,https://accounts.example.com", "should be identity-center, saml, ARNs of identity providers"},
		{"approvers", "saml," + strings.Repeat("a.example,", 90) + "saml", "characters"},
		{"email", "soc", `"soc" is not`},
		{"email", "soc@example.com, ops@example.com", `" ops@example.com" is not`},
		{"email", "soc@example.com,soc@example.com", "stands there twice"},
		{"topics", "soc", `"soc" is not`},
		{"watchers", "soc@example.com", `"soc@example.com" is not one`},
		{"watchers", "http://hooks.example.com/x", "is not one"},
		{"watchers", "https://user:password@hooks.example.com/x", "is not one"},
		{"watchers", "004915123456789", "is not one"},
		{"watchers", "+4915123456789,+4915123456789", "stands there twice"},
		{"watchers", "arn:aws:sns:eu-west-1:111122223333:a,arn:aws:sns:eu-west-1:111122223333:b,arn:aws:sns:eu-west-1:111122223333:c,arn:aws:sns:eu-west-1:111122223333:d,arn:aws:sns:eu-west-1:111122223333:e", "these are 5 topics"},
		{"watchers", "arn:aws:sns:us-east-1:111122223333:a", "is in region us-east-1, and the alarms in eu-west-1"},
		{"watchers", "https://" + strings.Repeat("x", 800), "these are 808 characters"},
		{"topics", "arn:aws:sqs:eu-west-1:111122223333:soc", "should be ARNs of standard SNS topics"},
		{"topics", "arn:aws:sns:eu-west-1:111122223333:soc.fifo", "is not"},
		{"topics", "arn:aws:sns:eu-west-1:111122223333:soc,arn:aws:sns:eu-west-1:111122223333:soc", "stands there twice"},
		{"topics", "arn:aws:sns:eu-west-1:111122223333:" + strings.Repeat("x", 800), "these are 835 characters"},
		{"policy", "/nowhere/own.cedar", "no such file"},
		{"policy", bad, "root-kye"},
		{"policy", broken, "the policy does not parse"},
		{"policy", otherwise, "1 of its 38 cases are decided otherwise: "},
		{"policy", unread, "the file holds no cases"},
		{"total", "1GiB/24h", "a day's sum"},
		{"total", "much", `"much" is not a threshold`},
		{"mode", "kill", "should be observe, ask or act"},
		{"observeUntil", "2026-12-31", `observeUntil is "2026-12-31", and mode is "ask": it says when mode observe ends; leave it out`},
		{"observeUntil", "31.12.2026", "should be a day, like 2026-12-31, with mode observe"},
		{"observeUntil", "2026-02-30", "should be a day, like 2026-12-31, with mode observe"},
		{"observeUntil", "", "should be a day"},
		{"mode", "", "should be observe, ask or act"},
		{"protected", "bob", `"bob" is not`},
		{"protected", "arn:aws:iam::*2223333:user/x", `"arn:aws:iam::*2223333:user/x" is not`},
		{"watchTag", "a=b", `watchTag is "a=b", and buckets has no *`},
		{"watchTag", "a,b", `watchTag is "a,b", and should be a tag of buckets, KEY or KEY=VALUE, with buckets=*`},
		{"unit", "Prod<b>", `unit is "Prod<b>", and should be up to 64 letters`},
		{"protected", "arn:aws:iam::111122223333:user/${aws:username}", "is not"},
		{"protected", "arn:aws:iam::444455556666:user/bob", "is not of account 111122223333"},
		{"protected", strings.Repeat("arn:aws:iam::111122223333:user/bob,", 80), "use the tag instead"},
		{"protectTag", "a\nb", "should be a tag key"},
		{"retention", "31", "days that CloudWatch Logs takes"},
		{"retention", "-1", "days that CloudWatch Logs takes"},
		{"heartbeat", "https://beats.example.com/x", "the name or the ARN of a secret"},
		{"heartbeat", "a b", "the name or the ARN of a secret"},
		{"webhook", "https://hooks.example.com/x", "the name or the ARN of a secret"},
		{"slack", "https://hooks.slack.com/x", "the name or the ARN of a secret"},
		{"events", "arn:aws:events:eu-west-1:111122223333:event-bus/soc", "the name of an event bus"},
		{"chat", "arn:aws:sns:eu-west-1:111122223333:chat.fifo", "the ARN of a standard SNS topic"},
		{"heartbeatMinutes", "1", "5 to 1440"},
		{"caseLock", "0", "a number of days, 1 to 3650"},
		{"caseLock", "3651", "a number of days, 1 to 3650"},
		{"caseLock", "90d", "a number of days, 1 to 3650"},
		{"memory", "64", "128 to 10240"},
		{"memory", "512MB", "128 to 10240"},
		{"logLevel", "loud", "debug, info, warn or error"},
		{"logLevel", "info+2", "debug, info, warn or error"},
	} {
		got, err := Read(given(c.key, c.value))
		if err == nil { // what is of the stack's own account and region is found where these are known
			err, got = got.deployTo("", ""), Settings{}
		}
		if err == nil || !strings.HasPrefix(err.Error(), c.key+" is ") || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s=%s: got %v, want a sentence with %q", c.key, c.value, err, c.says)
		}
		if diff := cmp.Diff(got, Settings{}); diff != "" {
			t.Errorf("%s=%s: got a value beside an error:\n%s", c.key, c.value, diff)
		}
	}
}

// A trail that has the management events is none beside itself.
func TestAnotherTrailIsAnotherOne(t *testing.T) {
	for _, c := range [][]string{{"trail", aTrail, "managementTrail", aTrail}, {"trail", aTrail, "trailLocation", theirLocation, "managementTrail", theirLocation}} {
		if _, err := Read(given(c...)); err == nil || err.Error() != "managementTrail is the same as trail: a trail that has the management events needs no other; leave it out" {
			t.Errorf("%q: got %v", c, err)
		}
	}
}

// A function's environment has so much room for all channels.
func TestChannelsThatDoNotFitAreRefused(t *testing.T) {
	topic := "arn:aws:sns:us-east-1:444455556666:" + strings.Repeat("x", 100)
	fits := given("topics", topic)
	fits["webhook"] = strings.Repeat("x", maxTopics-longestARN-len(topic))
	if _, err := Read(fits); err != nil {
		t.Error(err)
	}
	fits["chat"] = topic
	if _, err := Read(fits); err == nil || !strings.Contains(err.Error(), "give the chat a topic of its own") {
		t.Errorf("got %v", err)
	}
	delete(fits, "chat")
	fits["webhook"] = fits["webhook"].(string) + "x"
	if _, err := Read(fits); err == nil || !strings.Contains(err.Error(), "topics, webhook, slack, events, hub and chat take 701 characters together") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

// What people get wrong, and the whole of what they read then.
func TestWhatIsWrongIsSaid(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.cedar")
	if err := os.WriteFile(broken, []byte("permit ("), 0o644); err != nil {
		t.Fatal(err)
	}
	const all = "the settings are buckets, total, watchTag, canary, rehearseDays, canaryKey, eventDataStore, trail, trailLocation, trailKey, managementTrail, managementKey, evidence, sealed, email, topics, webhook, slack, events, hub, chat, watchers, policy, mode, observeUntil, epoch, protected, unit, approvers, protectTag, steps, stepPaths, retention, memory, caseLock, metricsFilter, heartbeat, heartbeatMinutes, logLevel"
	for _, c := range []struct{ key, value, says string }{
		{"buckets", "Lo gs", `buckets is "Lo gs", and should be ` + settings.AcceptedBuckets + `: "Lo gs" is not the name of a bucket`},
		{"buckets", "logs,exports,logs", `buckets is "logs,exports,logs", and should be ` + settings.AcceptedBuckets + `: "logs" stands there twice`},
		{"buckets", "logs=-1", `buckets is "logs=-1", and should be ` + settings.AcceptedBuckets + `: "-1" is not a threshold like 1GiB/1m, 10GiB/1h or 20GiB/24h, in KiB, MiB, GiB or TiB`},
		{"buckets", "logs=1 Gib", `buckets is "logs=1 Gib", and should be ` + settings.AcceptedBuckets + `: "1 Gib" is not a threshold like 1GiB/1m, 10GiB/1h or 20GiB/24h, in KiB, MiB, GiB or TiB`},
		{"eventDataStore", "arn:aws:s3:::a-bucket", `eventDataStore is "arn:aws:s3:::a-bucket", and should be the ARN of an existing CloudTrail Lake event data store, or create`},
		{"email", "soc.example.com", `email is "soc.example.com", and should be e-mail addresses with commas between them: "soc.example.com" is not one`},
		{"policy", broken, `policy is "` + broken + `", and should be the path of a Cedar policy file that fits internal/policy/schema.cedarschema: ` +
			"the policy does not parse: parse error at " + broken + `:1:9 "": expected principal`},
		{"bucket", "logs", "bucket is not a setting (did you mean buckets?); " + all},
		{"Emails", "soc@example.com", "Emails is not a setting (did you mean email?); " + all},
		{"eventdatastore", aStore, "eventdatastore is not a setting (did you mean eventDataStore?); " + all},
		{"colour", "red", "colour is not a setting; " + all},
	} {
		if _, err := Read(given(c.key, c.value)); err == nil || err.Error() != c.says {
			t.Errorf("%s=%s: got\n%v, want\n%s", c.key, c.value, err, c.says)
		}
	}
	context := given("buckets", many(500, ""), "eventDataStore", "create")
	const more = `eventDataStore is "create", and should be the ARN of an existing CloudTrail Lake event data store, or create: ` +
		"the 500 buckets are 13 more than its selectors hold; watch *, or give the ARN of one that you have made"
	if _, err := Read(context); err == nil || err.Error() != more {
		t.Errorf("got %v, want %s", err, more)
	}
	context = given("buckets", many(500, "")+",Lo gs")
	if _, err := Read(context); err == nil || len(err.Error()) > 600 || !strings.HasSuffix(err.Error(), `: "Lo gs" is not the name of a bucket`) {
		t.Errorf("got %v", err)
	}
}

func TestWhatMustBeGivenIsMissed(t *testing.T) {
	for _, key := range []string{"buckets", "email"} {
		context := given()
		delete(context, key)
		if _, err := Read(context); err == nil || !strings.HasPrefix(err.Error(), key+" is missing") {
			t.Errorf("without %s: got %v", key, err)
		}
	}
	context := given()
	context["memory"] = true
	if _, err := Read(context); err == nil || !strings.HasPrefix(err.Error(), "memory is true, and should be") {
		t.Errorf("memory=true: got %v", err)
	}
}

// One of the two must be there, and the one that is asked first.
func TestWhichEvidenceIsAsked(t *testing.T) {
	for _, c := range []struct{ store, trail, evidence, first, says string }{
		{aStore, "", "", "lake", ""},
		{aStore, "", "lake", "lake", ""},
		{made, "", "", "lake", ""},
		{"", aTrail, "", "athena", ""},
		{"", made, "athena", "athena", ""},
		{aStore, aTrail, "", "lake", ""},
		{aStore, made, "athena", "athena", ""},
		{made, aTrail, "lake", "lake", ""},
		{aStore, "", "athena", "", `evidence is "athena", and no trail is given: give -c trail=ARN or -c trail=create, or leave evidence out and CloudTrail Lake is asked`},
		{"", aTrail, "lake", "", `evidence is "lake", and no eventDataStore is given: give -c eventDataStore=ARN, or leave evidence out and Athena is asked about the trail's files`},
		{"", "", "", "", "neither trail nor eventDataStore is given, and Nightlatch asks one of them who read the buckets: give -c trail=ARN or -c trail=create " +
			"(CloudTrail writes files, $1.00 a million reads, and Athena reads them, $5.00 a TB), or, in an account that has CloudTrail Lake already, " +
			"-c eventDataStore=ARN or -c eventDataStore=create ($0.75 a GB, about $1.35 a million reads, and $0.005 a GB asked)"},
		{"", "", "athena", "", noEvidence},
	} {
		context := given()
		for key, v := range map[string]string{"eventDataStore": c.store, "trail": c.trail, "evidence": c.evidence} {
			if delete(context, key); v != "" {
				context[key] = v
			}
		}
		got, err := Read(context)
		if got.Evidence != c.first || err == nil && c.says != "" || err != nil && err.Error() != c.says {
			t.Errorf("%+v: got %q, %v", c, got.Evidence, err)
		}
	}
}

// The stack goes to where the credentials deploy, and without any to its evidence. A trail or a store may be elsewhere, which is said.
func TestWhereTheStackGoes(t *testing.T) {
	const bob = "arn:aws:iam::444455556666:user/bob"
	there := Home{"aws", "us-east-1", "444455556666"}
	for _, c := range []struct {
		store, trail, protected, account, region string
		want                                     Home
		elsewhere                                string
		says                                     string
	}{
		{aStore, "", "", "", "us-east-1", home, "", ""}, // no credentials: the command line's region means nothing
		{aStore, "", "", account, "eu-west-1", home, "", ""},
		{aStore, "", "", there.Account, there.Region, there, "Nightlatch: the stack goes to account 444455556666 and region us-east-1; eventDataStore is of account 111122223333 and region eu-west-1, and it is asked there", ""},
		{made, "", bob, "", "us-east-1", Home{}, "", ""},
		{made, "", bob, "444455556666", "eu-west-1", Home{Account: "444455556666", Region: "eu-west-1"}, "", ""},
		{made, "", bob, account, "eu-west-1", Home{}, "", `protected is "` + bob + `", and should be ARNs of the account that is deployed to: "` + bob + `" is not of account 111122223333`},
		{"", aTrail, bob, there.Account, there.Region, there, "Nightlatch: the stack goes to account 444455556666 and region us-east-1; trail is of account 111122223333 and region eu-west-1, and its files are read where they lie", ""},
		{"", aTrail, bob, "", "", Home{}, "", `protected is "` + bob + `", and should be ARNs of the account that is deployed to: "` + bob + `" is not of account 111122223333`},
		{"", aTrail, "", account, "eu-west-1", home, "", ""},
		{"", aTrail, "", account, "us-east-1", Home{"aws", "us-east-1", account}, "Nightlatch: the stack goes to account 111122223333 and region us-east-1; trail is of account 111122223333 and region eu-west-1, and its files are read where they lie", ""},
		{"", made, "", account, "us-east-1", Home{Account: account, Region: "us-east-1"}, "", ""},
		{aStore, made, "", "", "", home, "", ""},
	} {
		context := given()
		for key, v := range map[string]string{"eventDataStore": c.store, "trail": c.trail, "protected": c.protected} {
			if delete(context, key); v != "" {
				context[key] = v
			}
		}
		s, err := Read(context)
		if err != nil {
			t.Fatal(err)
		}
		err = s.deployTo(c.account, c.region)
		switch {
		case c.says != "" && (err == nil || err.Error() != c.says):
			t.Errorf("%+v: got %v", c, err)
		case c.says == "" && (err != nil || s.Home != c.want || s.elsewhere() != c.elsewhere):
			t.Errorf("%+v: got %+v, %q, %v", c, s.Home, s.elsewhere(), err)
		}
	}
}

// Each synthesis takes a while: all that is wrong is said at once, one line each.
func TestAllThatIsWrongIsSaidAtOnce(t *testing.T) {
	context := given("mode", "kill", "colour", "red", "trail", "main", "memory", "64")
	delete(context, "email")
	_, err := Read(context)
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	var begins []string
	for _, line := range strings.Split(err.Error(), "\n") {
		begins = append(begins, strings.Join(strings.Fields(line)[:4], " "))
	}
	want := []string{"colour is not a", `trail is "main", and`, "email is missing: give", `mode is "kill", and`, `memory is "64", and`}
	if diff := cmp.Diff(begins, want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}

func TestWhatTheTeamsPolicyLacksIsSaid(t *testing.T) {
	if got := read(t).policyLacks(); got != "" {
		t.Errorf("the shipped policy: got %q", got)
	}
	file := filepath.Join(t.TempDir(), "own.cedar")
	text := strings.Replace(string(policy.ShippedText()), `@id("ask-manual")`, `@id("ours")`, 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	want := "Nightlatch: " + file + " has no rule ask-manual of the policy that version " + version.Release + " ships"
	if got := read(t, "policy", file).policyLacks(); !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	text = strings.NewReplacer(" && context.complete", "", " && context.settled", "").Replace(string(policy.ShippedText()))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got := read(t, "policy", file).policyLacks()
	for _, want := range []string{"contain-stolen-key does not test ", "contain-stolen-key permits containment while the evidence is neither settled nor complete"} {
		if !strings.Contains(got, want) || !strings.HasPrefix(got, "Nightlatch: "+file+":") {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
