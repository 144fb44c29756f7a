package main

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/containment/awsaccount"
	"nightlatch/internal/enroll/s3bucket"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/notify/sns"
	"nightlatch/internal/settings"
	"nightlatch/internal/trail/cloudtrail"
)

// enroller is the function that switches request metrics on, and the resource that asks it to when the stack changes.
type enroller struct {
	lambda
	enrolled awscdk.CfnResource
}

// enrollerEventAge is less than CloudFormation waits for a custom resource: what it has given up on must not be done late.
const enrollerEventAge = 30 * 60 // seconds

// newEnroller makes the provider of a custom resource: CloudFormation itself has no resource for a metrics configuration on a bucket
// that is not its own, nor one that reads a trail which is there already (looksUp). https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-custom-resources-lambda.html
func newEnroller(scope constructs.Construct, s Settings, looksUp bool, code string, topic team, kept incidents, queue *string) (enroller, error) {
	grants := append(slices.Concat(s3bucket.Grants(), sns.Grants(), sns.SubscriptionGrants(), dynamo.TurnGrants()), awsaccount.AliasGrant())
	if s.WatchTag != "" {
		grants = append(grants, s3bucket.TagGrants()...)
	}
	if looksUp {
		grants = append(grants, cloudtrail.Grants()...)
	}
	switch {
	case s.ManagementTrail != "" && looksUp:
		grants = alsoOn(grants, "${Trail}", "${ManagementTrail}")
	case s.ManagementTrail != "":
		look := cloudtrail.Grants()
		look[0].On = []string{"${ManagementTrail}"}
		grants = append(grants, look...)
	}
	if s.readsStore() {
		grants = append(grants, cloudtrail.StoreGrants()...)
	}
	f, err := newFunction(scope, s, recipe{
		id: "Enroller", about: "Nightlatch: switches request metrics on for the watched buckets", code: code, eventAge: enrollerEventAge,
		grants:      grants,
		environment: settings.Enroller{Topic: *topic.arn, Trail: s.Trail, ManagementTrail: s.ManagementTrail, Table: kept.name, LogLevel: s.LogLevel}.Environ(),
	}, topic, kept, queue)
	if err != nil {
		return enroller{}, err
	}
	properties := s.watched()
	properties["ServiceToken"] = f.function.AttrArn()
	enrolled := awscdk.NewCfnResource(scope, jsii.String("RequestMetrics"), &awscdk.CfnResourceProps{Type: jsii.String("Custom::RequestMetrics"), Properties: &properties})
	// A renamed resource would be made first and the old one deleted then, which takes away what the new one has just enrolled.
	enrolled.OverrideLogicalId(jsii.String("RequestMetrics"))
	// What it needs is there before it, and goes after it.
	for _, needed := range []awscdk.CfnResource{f.role, f.retries} {
		enrolled.AddResourceDependency(needed, nil)
	}
	checkDaily(scope, s, f.function, enrolled)
	return enroller{f, enrolled}, nil
}

// lookUp has the enroller read a trail that is there already, while the stack is deployed: where its files lie, and whether they hold
// the reads of the watched buckets. It answers what else the trail records of S3, and of management events, too. An earlier version's answer did not have
// that, and Answers has CloudFormation ask again.
func (e enroller) lookUp(scope constructs.Construct, s Settings) (files Files, records, deeds string) {
	properties := map[string]any{"ServiceToken": e.function.AttrArn(), "Trail": s.Trail, "Buckets": s.watched()["Buckets"], "Answers": "Records and Management"}
	if s.managed() {
		properties["Beside"] = "managementTrail"
	}
	trail := awscdk.NewCfnResource(scope, jsii.String("Trail"), &awscdk.CfnResourceProps{Type: jsii.String("Custom::Trail"), Properties: &properties})
	is := e.after(trail)
	return Files{Bucket: is("Bucket"), Folder: is("Folder"), Key: is("Key")}, is("Records"), is("Management")
}

// lookUpManagement has the enroller read the trail that has the management events: where its files lie, and whether they hold them.
func (e enroller) lookUpManagement(scope constructs.Construct, s Settings) Files {
	trail := awscdk.NewCfnResource(scope, jsii.String("ManagementTrail"), &awscdk.CfnResourceProps{Type: jsii.String("Custom::Trail"),
		Properties: &map[string]any{"ServiceToken": e.function.AttrArn(), "Trail": s.ManagementTrail, "Management": "all"}})
	is := e.after(trail)
	return Files{Bucket: is("Bucket"), Folder: is("Folder"), Key: is("Key")}
}

// lookUpStore has the enroller read what an event data store that is there already records of S3.
func (e enroller) lookUpStore(scope constructs.Construct, s Settings) (records string) {
	store := awscdk.NewCfnResource(scope, jsii.String("Store"), &awscdk.CfnResourceProps{Type: jsii.String("Custom::Store"),
		Properties: &map[string]any{"ServiceToken": e.function.AttrArn(), "EventDataStore": s.EventDataStore}})
	return e.after(store)("Records")
}

// after has a resource asked when all is there that the enroller needs, and returns what reads its attributes.
func (e enroller) after(resource awscdk.CfnResource) func(attribute string) string {
	for _, needed := range []awscdk.CfnResource{e.role, e.retries} {
		resource.AddResourceDependency(needed, nil)
	}
	return func(attribute string) string {
		return *resource.GetAtt(jsii.String(attribute), awscdk.ResolutionTypeHint_STRING).ToString()
	}
}

// readsStore reports whether what the store takes of S3 has to be read: it was there already, and is all that is asked.
func (s Settings) readsStore() bool {
	return s.EventDataStore != "" && s.Trail == "" && !s.MadeStore
}

// checkDaily calls the enroller once a day: it makes a configuration again that somebody took away. Where every bucket is watched,
// it finds new ones so, and sooner where a trail records them.
func checkDaily(scope constructs.Construct, s Settings, function awslambda.CfnFunction, enrolled awscdk.CfnResource) {
	made := []string{"CreateBucket"}
	if s.WatchTag != "" {
		made = append(made, "PutBucketTagging")
	}
	target := &[]any{&awsevents.CfnRule_TargetProperty{Id: jsii.String("enroller"), Arn: function.AttrArn()}}
	for _, r := range []struct {
		id    string
		props awsevents.CfnRuleProps
	}{
		{"DailyLook", awsevents.CfnRuleProps{Description: jsii.String("Nightlatch: a daily check for watched buckets without request metrics"),
			ScheduleExpression: jsii.String("rate(1 day)"), Targets: target}},
		{"NewBucket", awsevents.CfnRuleProps{Description: jsii.String("Nightlatch: a bucket was made"), Targets: target,
			EventPattern: map[string]any{"source": []string{"aws.s3"}, "detail-type": []string{"AWS API Call via CloudTrail"},
				"detail": map[string]any{"eventSource": []string{"s3.amazonaws.com"}, "eventName": made}}}},
	} {
		if r.id == "NewBucket" && !s.every() {
			continue
		}
		rule := awsevents.NewCfnRule(scope, jsii.String(r.id), &r.props)
		invoke := awslambda.NewCfnPermission(scope, jsii.String(r.id+"Invoke"), &awslambda.CfnPermissionProps{Action: jsii.String("lambda:InvokeFunction"),
			FunctionName: function.AttrArn(), Principal: jsii.String("events.amazonaws.com"), SourceAccount: jsii.String(s.Home.Account), SourceArn: rule.AttrArn()})
		// They go before the buckets are withdrawn, or a check would enrol them again.
		rule.AddResourceDependency(enrolled, nil)
		invoke.AddResourceDependency(enrolled, nil)
	}
}

// watched is what the enroller shall enrol: the custom resource's properties, which say when that changes, and the file beside the
// enroller's code, for its daily check. Hundreds of names do not fit a function's environment, which ends at 4 KB.
func (s Settings) watched() map[string]any {
	var names []string
	for _, b := range s.Buckets {
		names = append(names, b.Name)
	}
	watched := map[string]any{"Buckets": names, "Id": s.Filter}
	if s.WatchTag != "" {
		watched["Tag"] = s.WatchTag
	}
	return watched
}

// every reports whether every bucket is watched.
func (s Settings) every() bool {
	for _, b := range s.Buckets {
		if b.Name == settings.EveryBucket {
			return true
		}
	}
	return false
}
