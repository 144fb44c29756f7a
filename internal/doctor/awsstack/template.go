package awsstack

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"nightlatch/internal/doctor"
	"nightlatch/internal/notify"
	"nightlatch/internal/policy"
	"nightlatch/internal/settings"
)

// Template is what of a CloudFormation template is read here.
type Template struct {
	Resources map[string]struct {
		Type       string
		Properties map[string]any
		Metadata   struct{ Nightlatch metadata }
	}
}

// metadata is what the template says of a function at settings.DeployedKey.
type metadata struct {
	// CodeSha256 is the hash of its code, as Lambda says it.
	CodeSha256 string
	Policy     policy.Digest
}

// World is what fills a template in.
type World struct {
	StackID, Region string
	// Names are the resources' physical ids by their logical ones. Parameters are a nested stack's.
	Names, Parameters map[string]string
}

func (w World) part(i int) string { return strings.Split(w.StackID+":::::", ":")[i] }

// nested are the ids of the stacks that are nested in this one.
func (t Template) nested(w World) (ids []string) {
	for _, id := range t.of("AWS::CloudFormation::Stack") {
		if name := w.Names[id]; name != "" {
			ids = append(ids, name)
		}
	}
	return ids
}

// of are the logical ids of the resources of a type.
func (t Template) of(kind string) []string {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(t.Resources)) {
		if t.Resources[id].Type == kind {
			ids = append(ids, id)
		}
	}
	return ids
}

// Read adds what a template says to what was deployed.
func (t Template) Read(w World, d *doctor.Deployed) error {
	f := filler{t, w}
	for _, id := range t.of("AWS::CloudWatch::Alarm") {
		a, err := f.alarm(id)
		if err != nil {
			return err
		}
		d.Alarms = append(d.Alarms, a)
	}
	for _, id := range t.of("AWS::IAM::Role") {
		d.Roles = append(d.Roles, f.role(id))
	}
	d.Queues = append(d.Queues, f.queues()...)
	d.Rules = append(d.Rules, f.rules()...)
	d.Topics = append(d.Topics, f.topics()...)
	d.Resources = append(append(d.Resources, f.functions()...), f.storage()...)
	for _, id := range t.of("Custom::RequestMetrics") {
		p := f.properties(id)
		d.Filter, d.BucketTag = text(p["Id"]), text(p["Tag"])
		names, _ := p["Buckets"].([]any)
		for _, n := range names {
			d.Buckets = append(d.Buckets, text(n))
		}
	}
	for _, id := range t.of("AWS::Lambda::Function") {
		if p := t.Resources[id].Metadata.Nightlatch.Policy; p.SHA256 != "" {
			d.Policy = p
		}
	}
	d.MadeTrail = d.MadeTrail || len(t.of("AWS::CloudTrail::Trail")) > 0
	for _, environment := range f.environments() {
		if v := environment["NIGHTLATCH_TRAIL"]; v != "" {
			d.Trail = v
		}
		if v := environment["NIGHTLATCH_EVENT_DATA_STORE"]; v != "" {
			d.Store = v
		}
		d.Location = cmp.Or(environment["NIGHTLATCH_TRAIL_LOCATION"], d.Location)
		d.ManagementTrail = cmp.Or(environment["NIGHTLATCH_MANAGEMENT_TRAIL"], d.ManagementTrail)
		d.ManagementLocation = cmp.Or(environment["NIGHTLATCH_MANAGEMENT_LOCATION"], d.ManagementLocation)
		d.Deeds = cmp.Or(environment["NIGHTLATCH_MANAGEMENT"], d.Deeds)
		d.Mode, d.ObserveUntil = cmp.Or(environment["NIGHTLATCH_MODE"], d.Mode), cmp.Or(environment["NIGHTLATCH_OBSERVE_UNTIL"], d.ObserveUntil)
		d.Stated = d.Stated || environment["NIGHTLATCH_SEALED"] == settings.SealStated
		d.Heartbeat = d.Heartbeat || environment["NIGHTLATCH_HEARTBEAT"] != ""
		for _, where := range strings.Split(environment["NIGHTLATCH_TOPIC"]+","+environment["NIGHTLATCH_TOPICS"], ",") {
			d.AddChannel(where)
		}
		for _, name := range []string{"NIGHTLATCH_WEBHOOK", "NIGHTLATCH_SLACK", "NIGHTLATCH_EVENT_BUS", "NIGHTLATCH_HUB", "NIGHTLATCH_CHAT"} {
			d.AddChannel(environment[name])
		}
		for _, arn := range strings.FieldsFunc(environment["NIGHTLATCH_TOPICS"]+","+environment["NIGHTLATCH_WATCHERS"], func(r rune) bool { return r == ',' }) {
			if !slices.ContainsFunc(d.Topics, func(t doctor.Topic) bool { return t.ARN == arn }) {
				d.Topics = append(d.Topics, doctor.Topic{ARN: arn})
			}
		}
	}
	return nil
}

// environments are those of the functions.
func (f filler) environments() (all []map[string]string) {
	for _, id := range f.of("AWS::Lambda::Function") {
		environment, _ := f.properties(id)["Environment"].(map[string]any)
		variables, _ := environment["Variables"].(map[string]any)
		one := map[string]string{}
		for name, value := range variables {
			one[name] = text(value)
		}
		all = append(all, one)
	}
	return all
}

func (f filler) topics() (all []doctor.Topic) {
	for _, id := range f.of("AWS::SNS::Topic") {
		topic := doctor.Topic{ARN: f.world.Names[id]}
		for _, s := range f.of("AWS::SNS::Subscription") {
			if p := f.properties(s); text(p["TopicArn"]) == topic.ARN {
				topic.Endpoints = append(topic.Endpoints, notify.Endpoint{Protocol: text(p["Protocol"]), Address: text(p["Endpoint"])})
			}
		}
		if topic.ARN != "" {
			all = append(all, topic)
		}
	}
	return all
}

func (f filler) queues() (all []doctor.Queue) {
	var consumed []string
	for _, id := range f.of("AWS::Lambda::EventSourceMapping") {
		consumed = append(consumed, text(f.properties(id)["EventSourceArn"]))
	}
	for _, id := range f.of("AWS::SQS::Queue") {
		if f.world.Names[id] == "" {
			continue
		}
		q := doctor.Queue{URL: f.world.Names[id], Name: text(f.attribute(id, "QueueName")), Consumed: slices.Contains(consumed, text(f.attribute(id, "Arn")))}
		if redrive := f.properties(id)["RedrivePolicy"]; redrive != nil {
			q.Redrive = canonical(redrive)
		}
		all = append(all, q)
	}
	return all
}

func (f filler) role(id string) doctor.Role {
	p := f.properties(id)
	r := doctor.Role{ID: id, ARN: text(f.attribute(id, "Arn")), Name: f.world.Names[id], Trust: canonical(p["AssumeRolePolicyDocument"]), Policies: map[string]string{}, Boundary: text(p["PermissionsBoundary"])}
	policies, _ := p["Policies"].([]any)
	for _, one := range policies {
		policy, _ := one.(map[string]any)
		r.Policies[text(policy["PolicyName"])] = canonical(policy["PolicyDocument"])
	}
	managed, _ := p["ManagedPolicyArns"].([]any)
	for _, arn := range managed {
		r.Attached = append(r.Attached, text(arn))
	}
	return r
}

// alarmTexts and alarmNumbers are the properties of an alarm that say when it fires.
var (
	alarmTexts   = []string{"ComparisonOperator", "Namespace", "MetricName", "Statistic", "ExtendedStatistic", "TreatMissingData", "Unit", "ThresholdMetricId"}
	alarmNumbers = []string{"Threshold", "Period", "EvaluationPeriods", "DatapointsToAlarm"}
)

func (f filler) alarm(id string) (doctor.Alarm, error) {
	p := f.properties(id)
	a := doctor.Alarm{Name: text(p["AlarmName"]), Settings: map[string]string{}}
	for _, name := range alarmTexts {
		put(a.Settings, name, text(p[name]))
	}
	for _, name := range alarmNumbers {
		if p[name] != nil {
			put(a.Settings, name, number(p[name]))
		}
	}
	for _, name := range []string{"AlarmActions", "OKActions", "InsufficientDataActions"} {
		list, _ := p[name].([]any)
		put(a.Settings, name, joined(texts(list)))
	}
	var dimensions []dimension
	var queries []query
	for name, into := range map[string]any{"Dimensions": &dimensions, "Metrics": &queries} {
		if err := decode(p[name], into); err != nil {
			return a, fmt.Errorf("the %s of alarm %q: %v", name, id, err)
		}
	}
	put(a.Settings, "Dimensions", inOrder(dimensions))
	put(a.Settings, "Metrics", metrics(queries))
	return a, nil
}
