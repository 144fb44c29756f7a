package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/settings"
)

var update = flag.Bool("update", false, "write the goldens")

const (
	account = "111122223333"
	aStore  = "arn:aws:cloudtrail:eu-west-1:111122223333:eventdatastore/0b8a2a3e-1f0e-4b5a-9d0c-2f6a1c3b4d5e"
	aTrail  = "arn:aws:cloudtrail:eu-west-1:111122223333:trail/main"
	aTopic  = "arn:aws:sns:eu-west-1:111122223333:Nightlatch-Topic-x1"
	aWatch  = "arn:aws:sns:eu-west-1:111122223333:Nightlatch-Watch-x1"

	theStack = "arn:aws:cloudformation:eu-west-1:111122223333:stack/Nightlatch/8d6f2a40-0000-11f1-9c1c-0a1b2c3d4e5f"
)

var home = Home{"aws", "eu-west-1", account}

// lookedUp is what the enroller answers about aTrail.
var lookedUp = map[string]string{"Bucket": "files", "Folder": "a/AWSLogs/", "Key": "arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-0000-4000-8000-0123456789ab",
	"Records": settings.AllEvents, "Management": settings.ManagementAll}

func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close() // it leaves 20 MB behind otherwise
	os.Exit(code)
}

// without takes a setting out of what is given.
const without = "(without)"

// onlyAthena are the changes to a deployment with a trail and no store.
func onlyAthena(trail string, more ...string) []string {
	return append([]string{"eventDataStore", without, "trail", trail}, more...)
}

// given is a CDK context with what must be given, and what a test changes.
func given(changes ...string) map[string]any {
	context := map[string]any{"buckets": "a-bucket,b-bucket", "eventDataStore": aStore, "email": "soc@example.com"}
	for i := 0; i < len(changes); i += 2 {
		if context[changes[i]] = changes[i+1]; changes[i+1] == without {
			delete(context, changes[i])
		}
	}
	return context
}

// template is a synthesized template with its references filled in, as CloudFormation would.
type template map[string]any

var synthesized, nestedIn sync.Map // of the contexts that tests share

// synth synthesizes without building the responder.
func synth(t *testing.T, changes ...string) template {
	t.Helper()
	key := strings.Join(changes, "\n")
	if done, ok := synthesized.Load(key); ok {
		return done.(template)
	}
	out, inner := withSettings(t, read(t, changes...))
	nestedIn.Store(key, inner)
	synthesized.Store(key, out)
	return out
}

// read reads the settings of a context.
func read(t *testing.T, changes ...string) Settings {
	t.Helper()
	s, err := Read(given(changes...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// unsynthesized is the app with the stack in it, which synthesizes to a directory.
func unsynthesized(t *testing.T, s Settings) (app awscdk.App, stack awscdk.Stack, dir string) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not there, and the CDK runs in it")
	}
	c := code{t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()}
	for file, text := range map[string]string{filepath.Join(c.responder, "bootstrap"): "not built", filepath.Join(c.responder, "policy.cedar"): string(s.PolicyText), filepath.Join(c.doctor, "policy.cedar"): string(s.PolicyText),
		filepath.Join(c.approver, "bootstrap"): "not built", filepath.Join(c.enroller, "bootstrap"): "not built either", filepath.Join(c.notices, "bootstrap"): "nor this",
		filepath.Join(c.doctor, "bootstrap"): "nor that", filepath.Join(c.cutter, "bootstrap"): "nor the last", filepath.Join(c.keeper, "bootstrap"): "nor one more", filepath.Join(c.rehearser, "bootstrap"): "nor what rehearses",
		filepath.Join(c.canary, "bootstrap"): "nor its canary"} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dir = t.TempDir()
	app = awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false), Outdir: jsii.String(dir)})
	stack, err := newStack(app, s, c)
	if err != nil {
		t.Fatal(err)
	}
	return app, stack, dir
}

// withSettings returns the stack's template, and those of its nested stacks by their logical id.
func withSettings(t *testing.T, s Settings) (template, map[string]template) {
	t.Helper()
	_, stack, dir := unsynthesized(t, s)
	out := filled(t, *assertions.Template_FromStack(stack, nil).ToJSON())
	inner := map[string]template{}
	for id, r := range out.resources("AWS::CloudFormation::Stack") {
		files, err := filepath.Glob(filepath.Join(dir, stackName+id[:len("Alarms00")]+"*.nested.template.json"))
		if err != nil || len(files) != 1 {
			t.Fatalf("the templates of %s are %q, %v", id, files, err)
		}
		text, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		var raw map[string]any
		if err := json.Unmarshal(text, &raw); err != nil {
			t.Fatal(err)
		}
		inner[id] = filled(t, raw)
		// Its references are the parameters that this stack gives it.
		parameters := at(t, r, "Parameters").(map[string]any)
		if diff := cmp.Diff(slices.Sorted(maps.Keys(parameters)), slices.Sorted(maps.Keys(raw["Parameters"].(map[string]any)))); diff != "" {
			t.Errorf("%s: parameters given -, wanted +:\n%s", id, diff)
		}
		for _, a := range inner[id].resources("AWS::CloudWatch::Alarm") {
			for i, action := range a["AlarmActions"].([]any) {
				name := strings.TrimSuffix(strings.TrimPrefix(action.(string), "Nightlatch-"), "-x1")
				a["AlarmActions"].([]any)[i] = parameters[name]
			}
		}
	}
	return out, inner
}

// nested are the templates of the nested stacks, by their logical id, with their parameters filled in too.
func nested(t *testing.T, changes ...string) map[string]template {
	t.Helper()
	synth(t, changes...)
	all, _ := nestedIn.Load(strings.Join(changes, "\n"))
	return all.(map[string]template)
}

// filled goes twice through JSON, so that every number and list has one type.
func filled(t *testing.T, raw map[string]any) template {
	t.Helper()
	text, err := json.Marshal(fill(raw))
	if err != nil {
		t.Fatal(err)
	}
	var out template
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// deployment is what CloudFormation fills in, beside the names that it makes.
var deployment = map[string]string{"Topic": aTopic, "Watch": aWatch, "AWS::AccountId": account, "AWS::Region": "eu-west-1", "AWS::Partition": "aws",
	"AWS::StackId": theStack, "TrailFiles": "nightlatch-trailfiles-x1", "Results": "nightlatch-results-x1", "Cases": theCases, "CanarySecret": theCanarySecret, "CanaryBucket": "a-canary"}

// fill replaces Ref, Fn::Sub, Fn::Select of Fn::Split, Fn::GetAtt and Fn::Join.
func fill(node any) any {
	switch n := node.(type) {
	case map[string]any:
		if ref, ok := n["Ref"].(string); ok {
			if value, ok := deployment[ref]; ok {
				return value
			}
			return "Nightlatch-" + ref + "-x1"
		}
		if text, ok := n["Fn::Sub"].(string); ok {
			for ref, value := range deployment {
				text = strings.ReplaceAll(text, "${"+ref+"}", value)
			}
			return text
		}
		if att, ok := n["Fn::GetAtt"].([]any); ok {
			switch att[0] {
			case "EventDataStore":
				return aStore
			case "Trail", "Store", "ManagementTrail":
				return lookedUp[att[1].(string)]
			case "TrailFiles", "Results", "Cases":
				return "arn:aws:s3:::" + deployment[att[0].(string)]
			}
			return fmt.Sprintf("{%v.%v}", att[0], att[1])
		}
		if join, ok := n["Fn::Join"].([]any); ok {
			var parts []string
			for _, part := range join[1].([]any) {
				parts = append(parts, fill(part).(string))
			}
			return strings.Join(parts, join[0].(string))
		}
		if choice, ok := n["Fn::Select"].([]any); ok {
			split := choice[1].(map[string]any)["Fn::Split"].([]any)
			return strings.Split(fill(split[1]).(string), split[0].(string))[int(choice[0].(float64))]
		}
		out := map[string]any{}
		for k, v := range n {
			out[k] = fill(v)
		}
		return out
	case []any:
		out := []any{}
		for _, v := range n {
			out = append(out, fill(v))
		}
		return out
	case string: // what cdk-nag reads
		for ref, value := range deployment {
			n = strings.ReplaceAll(n, "<"+ref+">", value)
		}
		return n
	}
	return node
}

// resources are the properties of the resources of a type, by logical id.
func (tpl template) resources(kind string) map[string]map[string]any {
	out := map[string]map[string]any{}
	for id, r := range tpl["Resources"].(map[string]any) {
		if r := r.(map[string]any); r["Type"] == kind {
			out[id], _ = r["Properties"].(map[string]any)
		}
	}
	return out
}

// named is the resource of a type with a logical id.
func (tpl template) named(t *testing.T, kind, id string) map[string]any {
	t.Helper()
	r, ok := tpl.resources(kind)[id]
	if !ok {
		t.Fatalf("there is no %s of %s", id, kind)
	}
	return r
}

// one is the only resource of a type.
func (tpl template) one(t *testing.T, kind string) map[string]any {
	t.Helper()
	all := tpl.resources(kind)
	if len(all) != 1 {
		t.Fatalf("there are %d of %s, want one", len(all), kind)
	}
	return slices.Collect(maps.Values(all))[0]
}

func (tpl template) output(t *testing.T, name string) string {
	t.Helper()
	o, ok := tpl["Outputs"].(map[string]any)[name].(map[string]any)
	if !ok {
		t.Fatalf("there is no output %s", name)
	}
	return o["Value"].(string)
}

// at walks through maps and lists: at(props, "Environment", "Variables").
func at(t *testing.T, node any, path ...any) any {
	t.Helper()
	for i, p := range path {
		switch p := p.(type) {
		case string:
			node = node.(map[string]any)[p]
		case int:
			node = node.([]any)[p]
		}
		if node == nil {
			t.Fatalf("there is nothing at %v", path[:i+1])
		}
	}
	return node
}

func indented(t *testing.T, v any) string {
	t.Helper()
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}

// golden compares with a file of testdata, which -update writes.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("not as in %s; see what -update changes in it. got:\n%s", file, got)
	}
}

var hash = regexp.MustCompile(`[0-9a-f]{64}|[A-Za-z0-9+/]{43}=`)

// What no other test reads shows here when it changes.
func TestTheWholeTemplate(t *testing.T) {
	golden(t, "template.golden", hash.ReplaceAllString(indented(t, synth(t)), "HASH"))
}

// many are bucket names as long as they can be.
func many(n int, entry string) string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("bucket-%04d-%s%s", i, strings.Repeat("x", 51), entry))
	}
	return strings.Join(names, ",")
}

// fits fails where a template has more than CloudFormation takes: 500 resources and a megabyte, and alarms' names of 255 characters.
// It returns what it has.
func fits(t *testing.T, name string, tpl template) (alarms, resources, bytes int) {
	t.Helper()
	resources, bytes = len(tpl["Resources"].(map[string]any)), len(indented(t, tpl))
	if resources > 500 || bytes > 1<<20 {
		t.Errorf("%s: %d resources and %d bytes, want at most 500 and %d", name, resources, bytes, 1<<20)
	}
	all := bucketAlarms(t, tpl)
	for alarm := range all {
		if len(alarm) > 255 {
			t.Errorf("the alarm's name %q has %d characters, more than 255", alarm, len(alarm))
		}
	}
	return len(all), resources, bytes
}

// policiesFit fails where a policy is longer than its service takes: a function's 20,480 bytes, a role's 10,240 characters, whitespace
// not counted. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html,
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func policiesFit(t *testing.T, tpl template) {
	t.Helper()
	policies, limits := map[string]any{}, map[string]int{}
	for _, function := range []string{"{Responder.Arn}", "{Enroller.Arn}"} {
		policies[function], limits[function] = functionPolicy(tpl, function), 20480
	}
	for id, role := range tpl.resources("AWS::IAM::Role") {
		policies[id], limits[id] = role["Policies"], 10240
	}
	for _, name := range slices.Sorted(maps.Keys(policies)) {
		text, err := json.Marshal(policies[name])
		t.Logf("the policy of %s: %d bytes", name, len(text))
		if err != nil || len(text) > limits[name] {
			t.Errorf("the policy of %s has %d bytes, want at most %d, %v", name, len(text), limits[name], err)
		}
	}
}

func TestTheLargestSingleStackFits(t *testing.T) {
	changes := []string{"buckets", many(maxInOneStack, "=1GiB/1m"), "email", "a@example.com,b@example.com", "eventDataStore", made, "trail", made, "heartbeat", "nightlatch/heartbeat"}
	alarms, resources, bytes := fits(t, "the stack", synth(t, changes...))
	t.Logf("%d alarms: %d resources, %d KB", alarms, resources, bytes>>10)
	if inner := nested(t, changes...); alarms != maxInOneStack || len(inner) > 0 {
		t.Errorf("%d alarms and %d nested stacks, want %d and none", alarms, len(inner), maxInOneStack)
	}
}

// 500 buckets are 1,000 alarms; 500 whose names differ by a hyphen's place; 1,000 with names as long as they can be; and as many alarms as
// there can be.
func TestManyBucketsFit(t *testing.T) {
	var alike []string
	for i := range 250 {
		alike = append(alike, fmt.Sprintf("a-%03db", i), fmt.Sprintf("a%03d-b", i))
	}
	for _, buckets := range []string{many(500, ""), strings.Join(alike, ","), many(1000, ""), strings.ReplaceAll(many(maxAlarms/2, ""), strings.Repeat("x", 51), "x")} {
		s, err := Read(given("buckets", buckets))
		if err != nil {
			t.Fatal(err)
		}
		changes := []string{"buckets", buckets, "trail", aTrail}
		tpl := synth(t, changes...)
		policiesFit(t, tpl)
		here, resources, bytes := fits(t, "the stack", tpl)
		names := map[string]bool{}
		var most, largest int
		for id, n := range nested(t, changes...) {
			_, resources, bytes := fits(t, id, n)
			most, largest = max(most, resources), max(largest, bytes)
			for alarm := range bucketAlarms(t, n) {
				names[alarm] = true
			}
		}
		t.Logf("%d buckets: %d resources and %d KB, nested stacks with at most %d resources and %d KB", len(s.Buckets), resources, bytes>>10, most, largest>>10)
		if got, want := len(names), thresholds(s.Buckets); got != want || here != 0 {
			t.Errorf("%d alarms have a name of their own, want %d, and %d stand in the stack itself, want none", got, want, here)
		}
		if got := len(tpl.named(t, "Custom::RequestMetrics", "RequestMetrics")["Buckets"].([]any)); got != len(s.Buckets) {
			t.Errorf("%d buckets are enrolled, want %d", got, len(s.Buckets))
		}
	}
}

func TestMoreThanCloudWatchTakesIsRefusedInOneSentence(t *testing.T) {
	for buckets, want := range map[string]string{
		many(maxAlarms/2+1, ""):         fmt.Sprintf("these are %d thresholds, and CloudWatch has alarms for 4900; give fewer, or watch * instead", maxAlarms+2),
		many(maxNames/63+1, "=1GiB/1m"): "these names have 100044 characters together, and what CloudFormation hands to the enroller holds 100000; watch * instead",
		"*," + many(26, ""):             "beside * these are too many names: the query that leaves them out has 2",
	} {
		if _, err := Read(given("buckets", buckets)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %.300v, want %s", err, want)
		}
	}
	if n := len(synth(t, "buckets", "*")["Resources"].(map[string]any)); n > 110 {
		t.Errorf("with * there are %d resources, want a few", n)
	}
}

func TestTheSameSettingsMakeTheSameTemplate(t *testing.T) {
	a := indented(t, synth(t))
	synthesized.Clear()
	if b := indented(t, synth(t)); a != b {
		t.Error("two syntheses of the same settings differ")
	}
}
