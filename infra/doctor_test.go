package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/doctor"
	"nightlatch/internal/doctor/awsstack"
	"nightlatch/internal/notify"
	"nightlatch/internal/settings"
)

const (
	theSecret = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:nightlatch/heartbeat"
	aBeat     = theSecret + "-a1b2c3"
)

func TestTheDoctor(t *testing.T) {
	tpl := synth(t, "trail", aTrail, "heartbeat", "nightlatch/heartbeat", "heartbeatMinutes", "30", "topics", "arn:aws:sns:us-east-1:444455556666:soc")
	var environ []string
	for name, value := range at(t, tpl.named(t, "AWS::Lambda::Function", "Doctor"), "Environment", "Variables").(map[string]any) {
		environ = append(environ, name+"="+value.(string))
	}
	got, err := settings.ParseDoctor(environ)
	if err != nil {
		t.Fatal(err)
	}
	want := settings.Doctor{Stack: theStack, Heartbeat: theSecret}
	want.Evidence, want.EventDataStore, want.TrailLocation = settings.Lake, aStore, "s3://files/a/AWSLogs/"
	want.Watchers = []string{aWatch}
	want.Topic, want.Topics, want.Accounts, want.ScanBudget, want.Table = aTopic, []string{"arn:aws:sns:us-east-1:444455556666:soc"}, []string{account}, settings.DefaultScanBudget, kept
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	for id, rate := range map[string]string{"DoctorDaily": "rate(1 day)", "DoctorHeartbeat": "rate(30 minutes)"} {
		rule := tpl.named(t, "AWS::Events::Rule", id)
		event := map[string]string{"DoctorDaily": `{"nightlatch":{"doctor":"daily"}}`, "DoctorHeartbeat": `{"nightlatch":{"doctor":"heartbeat"}}`}[id]
		if rule["ScheduleExpression"] != rate || at(t, rule, "Targets", 0, "Input") != event || at(t, rule, "Targets", 0, "Arn") != "{Doctor.Arn}" {
			t.Errorf("%s is %v", id, rule)
		}
	}
	if _, there := synth(t).resources("AWS::Events::Rule")["DoctorHeartbeat"]; there {
		t.Error("a heartbeat is sent without a secret")
	}
	// It is asked when all that it needs is there.
	for _, needed := range []string{"Incidents", "ResultsPolicy", "DoctorRole", "DoctorRetries", "TopicPolicy"} {
		if !slices.Contains(at(t, map[string]any(tpl), "Resources", "Questions", "DependsOn").([]any), any(needed)) {
			t.Errorf("the questions are asked before %s is there", needed)
		}
	}
}

func TestTheDoctorsRole(t *testing.T) {
	tpl := synth(t, "trail", aTrail, "heartbeat", "nightlatch/heartbeat", "heartbeatMinutes", "30", "topics", "arn:aws:sns:us-east-1:444455556666:soc")
	golden(t, "role-doctor.golden", indented(t, at(t, tpl.named(t, "AWS::IAM::Role", "DoctorRole"), "Policies", 0, "PolicyDocument", "Statement")))
	for heartbeat, granted := range map[string]string{"nightlatch/heartbeat": theSecret + "-??????", aBeat: aBeat, theSecret: theSecret + "-??????"} {
		if got := (Settings{Home: home}).secretGranted(heartbeat); got != granted {
			t.Errorf("%s: granted is %s, want %s", heartbeat, got, granted)
		}
	}
}

// What the doctor reads of the stack's own templates: everything, and nothing that it does not know.
func TestTheDoctorReadsTheStack(t *testing.T) {
	for name, changes := range map[string][]string{
		"named": nil, "athena": onlyAthena(made), "both": {"trail", aTrail, "topics", "arn:aws:sns:us-east-1:444455556666:soc"}, "every": {"buckets", "*", "mode", "act"}, "many": {"buckets", many(500, "")}, "steps": cutting, "canary": rehearsing,
	} {
		s := read(t, changes...)
		app, stack, _ := unsynthesized(t, s)
		assembly := app.Synth(nil)
		world := awsstack.World{StackID: theStack, Region: "eu-west-1", Names: map[string]string{}, Parameters: map[string]string{}}
		template := func(raw any) (tpl awsstack.Template) {
			text, err := json.Marshal(raw)
			if err == nil {
				err = json.Unmarshal(text, &tpl)
			}
			if err != nil {
				t.Fatal(err)
			}
			return tpl
		}
		tpl := template(assembly.GetStackArtifact(stack.ArtifactId()).Template())
		for id, r := range tpl.Resources {
			if world.Names[id] = "Nightlatch-" + id + "-x1"; r.Type == "AWS::SNS::Topic" {
				world.Names[id] = "arn:aws:sns:eu-west-1:111122223333:Nightlatch-" + id + "-x1"
			}
		}
		world.Names["EventDataStore"] = aStore
		var d doctor.Deployed
		if err := tpl.Read(world, &d); err != nil {
			t.Fatal(err)
		}
		if name != "many" && len(d.Alarms) != len(synth(t, changes...).resources("AWS::CloudWatch::Alarm")) || len(d.Roles) != len(synth(t, changes...).resources("AWS::IAM::Role")) ||
			len(d.Rules) != len(synth(t, changes...).resources("AWS::Events::Rule")) || slices.ContainsFunc(d.Rules, func(r doctor.Rule) bool { return r.When == "" || r.State == "" || len(r.Targets) == 0 }) {
			t.Errorf("%s: %d alarms, %d roles, and the rules %+v", name, len(d.Alarms), len(d.Roles), d.Rules)
		}
		if !slices.ContainsFunc(d.Topics, func(topic doctor.Topic) bool {
			return topic.ARN == aTopic && slices.Equal(topic.Endpoints, []notify.Endpoint{{Protocol: "email", Address: "soc@example.com"}})
		}) || len(d.Queues) == 0 || d.Trail == "" && d.Store == "" || len(d.Buckets) == 0 {
			t.Errorf("%s: %+v", name, d)
		}
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		for kind, of := range map[doctor.Kind]string{doctor.Function: "AWS::Lambda::Function", doctor.Mapping: "AWS::Lambda::EventSourceMapping", doctor.Table: "AWS::DynamoDB::Table",
			doctor.Group: "AWS::Scheduler::ScheduleGroup", doctor.Bucket: "AWS::S3::Bucket"} {
			n := 0
			for _, r := range d.Resources {
				if r.Kind == kind {
					n++
				}
			}
			if want := len(synth(t, changes...).resources(of)); n != want || n == 0 {
				t.Errorf("%s: %d of kind %s are read, and the template has %d", name, n, kind, want)
			}
		}
		permissions := 0
		for _, r := range d.Resources {
			for setting, value := range r.Settings {
				if strings.HasPrefix(setting, "permission of ") && value == "granted" {
					permissions++
				}
			}
			if r.Kind == doctor.Bucket && r.Settings["policy"] == "" || r.Kind == doctor.Table && r.Settings["policy"] == "" {
				t.Errorf("%s: %s %s has no policy", name, r.Kind, r.Name)
			}
		}
		if want := len(synth(t, changes...).resources("AWS::Lambda::Permission")); permissions != want {
			t.Errorf("%s: %d permissions are read, and the template has %d", name, permissions, want)
		}
		if d.Filter == "" || !slices.ContainsFunc(d.Roles, func(r doctor.Role) bool {
			return r.ID == "ResponderRole" && strings.HasPrefix(r.ARN, "arn:aws:iam::"+account+":role/")
		}) {
			t.Errorf("%s: the filter is %q, the roles are %+v", name, d.Filter, d.Roles)
		}
		// What a custom resource says of an existing trail or store, and when a stream was switched on, CloudFormation alone knows.
		text = []byte(strings.NewReplacer("/stream/"+doctor.Unknown, "", `"variable NIGHTLATCH_RECORDS":"`+doctor.Unknown+`"`, "").Replace(string(text)))
		if unknown := strings.Contains(string(text), doctor.Unknown); unknown != (name == "both") {
			t.Errorf("%s: something is unknown: %t: %s", name, unknown, around(string(text)))
		}
	}
}

// around is what stands around what is unknown.
func around(text string) (all []string) {
	for parts := strings.Split(text, doctor.Unknown); len(parts) > 1; parts = parts[1:] {
		all = append(all, parts[0][max(0, len(parts[0])-200):])
	}
	return all
}

// The canary's bucket is the stack's, whatever the deployer calls it, and is read as the others are.
func TestTheDoctorReadsTheCanarysBucket(t *testing.T) {
	on := func(changes ...string) []string {
		for _, g := range doctorGrants(read(t, changes...)) {
			if g.Sid == "ReadItsBuckets" {
				return g.On
			}
		}
		t.Fatal("no bucket is read")
		return nil
	}
	own := on()
	if got := on("canary", "zeros"); !slices.Equal(got, append(slices.Clip(own), "arn:${Partition}:s3:::zeros")) {
		t.Errorf("got %q beside %q", got, own)
	}
}
