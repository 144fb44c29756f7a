package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/checks"
	"nightlatch/internal/containment/awsaccount"
	"nightlatch/internal/doctor/heartbeat"
	"nightlatch/internal/enroll/s3bucket"
	"nightlatch/internal/grant"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/settings"
)

// examiner is the function that checks, and what it said of the engines' questions and of the thresholds while the stack was deployed.
type examiner struct {
	lambda
	questions, thresholds *string
}

// doctorEventAge is how late a check or a heartbeat is still of use.
const doctorEventAge = 30 * 60 // seconds

// newDoctor makes the function that says whether all of it would work tonight, and its schedules.
func newDoctor(scope constructs.Construct, s Settings, code string, topic, watch team, kept incidents, r responder) (examiner, error) {
	f, err := newFunction(scope, s, recipe{
		id: "Doctor", about: "Nightlatch: checks daily whether it would work tonight, and changes nothing", code: code, eventAge: doctorEventAge, grants: doctorGrants(s),
		environment: settings.Doctor{Responder: s.forResponder(topic, watch, kept, r.queue.AttrArn()), Stack: *awscdk.Aws_STACK_ID(), Heartbeat: s.secretARN(s.Heartbeat)}.Environ(),
		names:       watchNames(watch),
		more:        []statement{encryptForTheWatchers(s.Home, watch)},
	}, topic, kept, r.queue.AttrArn())
	if err != nil {
		return examiner{}, err
	}
	every(scope, s, "DoctorDaily", "Nightlatch: whether it would work tonight", "rate(1 day)", "doctor", `{"nightlatch":{"doctor":"daily"}}`, f.function)
	if s.Heartbeat != "" {
		every(scope, s, "DoctorHeartbeat", "Nightlatch: a sign of life", fmt.Sprintf("rate(%d minutes)", s.HeartbeatMinutes), "doctor", `{"nightlatch":{"doctor":"heartbeat"}}`, f.function)
	}
	return examiner{lambda: f}, nil
}

// doctorGrants are the permissions that the doctor's code needs: to read, to ask the engines, to notify, and to remember what it told.
func doctorGrants(s Settings) []grant.Grant {
	look := checks.Grants(checks.Evidence{Store: s.EventDataStore != "", Files: s.Trail != "", Trail: s.Trail != "" && !s.FilesGiven, Access: s.Trail != "" && !s.MadeTrail, Management: s.managed(), ManagementTrail: s.ManagementTrail != ""})
	for i := range look {
		if look[i].Sid == "ReadSubscriptions" {
			look[i].On = append(slices.Clone(look[i].On), slices.Concat(s.Topics, s.watchersTopics())...)
		}
		if look[i].Sid == "ReadItsBuckets" && s.Canary != "" { // whose name is the deployer's
			look[i].On = append(slices.Clone(look[i].On), "arn:${Partition}:s3:::"+s.Canary)
		}
	}
	ask := slices.DeleteFunc(askGrants(s), func(g grant.Grant) bool { // which it may whoever asks
		own := s.Trail != "" && !s.MadeTrail
		return own && (g.Sid == "ReadTheTrailsFiles" || g.Sid == "ListTheTrailsFiles") || g.Sid == "ListTheManagementFiles"
	})
	all := slices.Concat(look, ask, dynamo.DoctorGrants(), dynamo.TurnGrants(), notifyGrants(s), []grant.Grant{awsaccount.AliasGrant()})
	if s.WatchTag != "" {
		all = append(all, s3bucket.TagGrants()...)
	}
	if s.Heartbeat != "" {
		all = append(all, heartbeat.Grants()...)
	}
	return all
}

// ask has the doctor put each question to each engine while the stack is deployed: a dialect that AWS does not take is found at noon and not at
// midnight. It proposes thresholds, too. It is asked again whenever the code is another, or what is asked.
func (e *examiner) ask(scope constructs.Construct, s Settings, needed ...awscdk.CfnResource) {
	asked := awscdk.NewCfnResource(scope, jsii.String("Questions"), &awscdk.CfnResourceProps{Type: jsii.String("Custom::Questions"), Properties: &map[string]any{
		"ServiceToken": e.function.AttrArn(), "Code": *e.hash, "EventDataStore": s.EventDataStore, "Trail": s.Trail, "Buckets": s.measured(), "Others": max(len(s.withoutCanary())-maxMeasured, 0), "Id": s.Filter}})
	for _, n := range append(needed, e.role, e.retries) {
		asked.AddResourceDependency(n, nil)
	}
	e.questions = asked.GetAtt(jsii.String("Questions"), awscdk.ResolutionTypeHint_STRING).ToString()
	e.thresholds = asked.GetAtt(jsii.String("Thresholds"), awscdk.ResolutionTypeHint_STRING).ToString()
}

// maxMeasured is of how many buckets the last weeks are read. CloudFormation hands them over in an event of 256 KB, after an update the old ones too.
const maxMeasured = 200

// measured are the first of the watched buckets with their thresholds, each as the setting has it. The canary's threshold is not the deployer's.
func (s Settings) measured() (all []string) {
	buckets := s.withoutCanary()
	for _, b := range buckets[:min(len(buckets), maxMeasured)] {
		var texts []string
		for _, t := range b.Thresholds {
			texts = append(texts, t.String())
		}
		all = append(all, b.Name+"="+strings.Join(texts, "+"))
	}
	return all
}
