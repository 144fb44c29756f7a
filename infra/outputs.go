package main

import (
	"encoding/json"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/settings"
	"nightlatch/internal/version"
)

// newOutputs prints what a human needs next.
func newOutputs(scope constructs.Construct, s Settings, r responder, a approver, e enroller, d examiner, topic, watch team, kept incidents) {
	address := ""
	if a.url != nil {
		address = *a.url
	}
	for _, o := range []struct{ id, value, about string }{
		{settings.ResponderOutput, *r.function.Ref(), "The responder"},
		{settings.ApproverOutput, address, "Where a human approves a step, lowers the mode or holds a key, with IAM's signature"},
		{settings.TableOutput, kept.name, "The incidents; the table outlives the stack"},
		{"CaseBucket", kept.cases, "The case folders of incidents; the bucket outlives the stack"},
		{settings.ModeOutput, settings.DeployedMode(s.Mode, s.Generation), "How far Nightlatch goes by itself; a mode that was lowered in this deployment generation is lower"},
		{settings.VersionOutput, version.Release, "The version of Nightlatch that was deployed; the command's own: nightlatch version"},
		{settings.PolicyOutput, s.policyDigest()["SHA256"].(string), "The SHA-256 of the policy that was deployed; is a file that one: nightlatch doctor --policy FILE"},
		{"TopicArn", *topic.arn, "The team's topic; each address must confirm its subscription"},
		{"WatchTopicArn", *watch.arn, "The topic of the alarms on Nightlatch itself; each address must confirm its subscription"},
		{"FailedEventsUrl", *r.queue.Ref(), "The queue of events that the responder failed on three times"},
		{"EnrolledBuckets", *e.enrolled.GetAtt(jsii.String("Enrolled"), awscdk.ResolutionTypeHint_STRING).ToString(), "How many buckets have request metrics"},
		{"RefusedBuckets", *e.enrolled.GetAtt(jsii.String("Refused"), awscdk.ResolutionTypeHint_STRING).ToString(), "The buckets on which request metrics could not be switched on, and why"},
		{"EngineQuestions", *d.questions, "What each engine said to each question, asked once while this was deployed"},
		{"Thresholds", *d.thresholds, "Which thresholds would suit the watched buckets better, by what they hold and what left them in the last 14 days"},
		{"TestEvent", testEvent(s, *r.function.Ref()), "Asks who read a bucket in five minutes long past, and notifies the team; changes nothing"},
	} {
		if o.value == "" { // the approver's, where it has none
			continue
		}
		awscdk.NewCfnOutput(scope, jsii.String(o.id), &awscdk.CfnOutputProps{Value: jsii.String(o.value), Description: jsii.String(o.about)})
	}
	if s.Trail != "" {
		awscdk.NewCfnOutput(scope, jsii.String("TrailSeal"), &awscdk.CfnOutputProps{Value: jsii.String(sealText(s)),
			Description: jsii.String("What the policy of the bucket with the trail's files has to have: as long as it does not, Nightlatch asks before it contains anything")})
	}
}

// sealText is the statements that seal the trail's bucket, as they go into its policy.
func sealText(s Settings) string {
	text, err := json.Marshal(sealOf(s.bucketARN(s.Files.Bucket), s.Trail))
	if err != nil {
		panic(err) // it is a list of texts
	}
	return string(text)
}

// testEvent is a manual event as a line for a shell. The answer takes longer than the command line's usual minute, after which it
// would invoke the function again. Version 1 of the command line takes a payload as it is, version 2 in base64, and both a file's bytes.
func testEvent(s Settings, function string) string {
	bucket := "nightlatch-test" // where all are watched, none is known by name
	for _, b := range s.Buckets {
		if b.Name != settings.EveryBucket {
			bucket = b.Name
			break
		}
	}
	payload := fmt.Sprintf(`{"nightlatch":{"investigate":{"bucket":"%s","from":"2026-11-01T00:00:00Z","to":"2026-11-01T00:05:00Z"}}}`, bucket)
	return fmt.Sprintf("echo '%s' | aws lambda invoke --region %s --function-name %s --cli-read-timeout 900 --payload fileb:///dev/stdin /dev/stdout",
		payload, s.Home.Region, function)
}
