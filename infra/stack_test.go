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
)

var update = flag.Bool("update", false, "write the goldens")

const (
	account = "111122223333"
	aStore  = "arn:aws:cloudtrail:eu-west-1:111122223333:eventdatastore/0b8a2a3e-1f0e-4b5a-9d0c-2f6a1c3b4d5e"
	aTopic  = "arn:aws:sns:eu-west-1:111122223333:Nightlatch-Topic-x1"

	theStack = "arn:aws:cloudformation:eu-west-1:111122223333:stack/Nightlatch/8d6f2a40-0000-11f1-9c1c-0a1b2c3d4e5f"
)

func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close() // it leaves 20 MB behind otherwise
	os.Exit(code)
}

// given is a CDK context with what must be given, and what a test changes.
func given(changes ...string) map[string]any {
	context := map[string]any{"buckets": "a-bucket,b-bucket", "eventDataStore": aStore, "email": "soc@example.com"}
	for i := 0; i < len(changes); i += 2 {
		context[changes[i]] = changes[i+1]
	}
	return context
}

// template is a synthesized template with its references filled in, as CloudFormation would.
type template map[string]any

var synthesized sync.Map // of the contexts that tests share

// synth synthesizes without building the responder.
func synth(t *testing.T, changes ...string) template {
	t.Helper()
	key := strings.Join(changes, "\n")
	if done, ok := synthesized.Load(key); ok {
		return done.(template)
	}
	_, stack := unsynthesized(t, changes...)
	// Twice through JSON, so that every number and list has one type.
	text, err := json.Marshal(fill(*assertions.Template_FromStack(stack, nil).ToJSON()))
	if err != nil {
		t.Fatal(err)
	}
	var out template
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	synthesized.Store(key, out)
	return out
}

// unsynthesized is the app with the stack in it.
func unsynthesized(t *testing.T, changes ...string) (awscdk.App, awscdk.Stack) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not there, and the CDK runs in it")
	}
	s, err := Read(given(changes...))
	if err != nil {
		t.Fatal(err)
	}
	c := code{t.TempDir(), t.TempDir()}
	for file, text := range map[string]string{filepath.Join(c.responder, "bootstrap"): "not built", filepath.Join(c.responder, "policy.cedar"): string(s.PolicyText),
		filepath.Join(c.enroller, "bootstrap"): "not built either"} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false), Outdir: jsii.String(t.TempDir())})
	stack, err := newStack(app, s, c)
	if err != nil {
		t.Fatal(err)
	}
	return app, stack
}

// fill replaces Ref, Fn::GetAtt and Fn::Join.
func fill(node any) any {
	switch n := node.(type) {
	case map[string]any:
		if ref, ok := n["Ref"].(string); ok {
			if arn := map[string]string{"Topic": aTopic, "AWS::StackId": theStack}[ref]; arn != "" {
				return arn
			}
			return "Nightlatch-" + ref + "-x1"
		}
		if att, ok := n["Fn::GetAtt"].([]any); ok {
			return fmt.Sprintf("{%v.%v}", att[0], att[1])
		}
		if join, ok := n["Fn::Join"].([]any); ok {
			var parts []string
			for _, part := range join[1].([]any) {
				parts = append(parts, fill(part).(string))
			}
			return strings.Join(parts, join[0].(string))
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

var hash = regexp.MustCompile(`[0-9a-f]{64}`)

// What no other test looks at shows here when it changes.
func TestTheWholeTemplate(t *testing.T) {
	golden(t, "template.golden", hash.ReplaceAllString(indented(t, synth(t)), "HASH"))
}

// CloudFormation takes 500 resources and a template of a megabyte.
func TestTheLargestStackFits(t *testing.T) {
	var names []string
	for i := range maxAlarms {
		names = append(names, fmt.Sprintf("bucket-%03d-%s=1GiB/1m", i, strings.Repeat("x", 52)))
	}
	tpl := synth(t, "buckets", strings.Join(names, ","), "email", "a@example.com,b@example.com")
	n := len(tpl["Resources"].(map[string]any))
	size := len(indented(t, tpl))
	t.Logf("%d alarms: %d resources, %d KB", maxAlarms, n, size>>10)
	if n > 500 || size > 1<<20 {
		t.Errorf("%d resources and %d bytes, want at most 500 and %d", n, size, 1<<20)
	}
	for _, alarm := range tpl.resources("AWS::CloudWatch::Alarm") {
		if name := alarm["AlarmName"].(string); len(name) > 255 {
			t.Errorf("the alarm's name %q has %d characters, more than 255", name, len(name))
		}
	}
}

func TestFiveHundredNamedBucketsAreRefusedInOneSentence(t *testing.T) {
	var names []string
	for i := range 500 {
		names = append(names, fmt.Sprintf("bucket-%03d", i))
	}
	_, err := Read(given("buckets", strings.Join(names, ",")))
	if err == nil || !strings.Contains(err.Error(), "1000 thresholds, and one stack holds 400; use *") {
		t.Errorf("got %v, want what to do instead", err)
	}
	if n := len(synth(t, "buckets", "*")["Resources"].(map[string]any)); n > 100 {
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
