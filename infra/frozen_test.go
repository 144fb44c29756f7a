package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// frozen is what of a template decides whether an update of a deployed stack replaces anything. testdata/1bf196e holds it for the stacks
// that the build of 1bf196e made; how they were written stands beside them.
type frozen struct {
	Resources map[string]frozenResource `json:"resources"`
	// Alarms are a digest of the logical ids and names of each nested stack's alarms, by the nested stack's logical id.
	Alarms map[string]string `json:"alarms,omitempty"`
	// Environment are the names that a function reads.
	Environment map[string][]string `json:"environment"`
	Outputs     []string            `json:"outputs"`
}

// frozenResource is a resource's type, and the properties whose change replaces it; null is one that was not given.
type frozenResource struct {
	Type       string         `json:"type"`
	Properties map[string]any `json:"properties,omitempty"`
}

// frozenSettings are the settings that were synthesized, by the file that holds what came out.
func frozenSettings() map[string][]string {
	return map[string][]string{
		"named.json":  nil,
		"every.json":  {"buckets", "*"},
		"athena.json": onlyAthena(made),
		"both.json":   {"trail", aTrail},
		"all-made.json": {"eventDataStore", made, "trail", made, "mode", "act", "epoch", "1", "topics", "arn:aws:sns:us-east-1:444455556666:soc",
			"protected", "arn:aws:iam::111122223333:user/ops/break-glass", "metricsFilter", "EntireBucket"},
		"many.json": {"buckets", many(500, ""), "trail", aTrail},
	}
}

// An update of a stack that 1bf196e deployed deletes nothing, and replaces nothing: what is new may come beside it.
func TestNothingThatIsDeployedIsReplaced(t *testing.T) {
	for file, changes := range frozenSettings() {
		tpl := synth(t, changes...)
		for _, sentence := range moved(readFrozen(t, file), tpl, nested(t, changes...)) {
			t.Errorf("%s: %s", file, sentence)
		}
	}
}

// What the test above would say, of one change each.
func TestWhatWouldBeReplacedIsSaid(t *testing.T) {
	was := readFrozen(t, "named.json")
	resource := func(tpl template, id string) map[string]any {
		return tpl["Resources"].(map[string]any)[id].(map[string]any)
	}
	for says, change := range map[string]func(template){
		"Topic is gone, and an update takes the AWS::SNS::Topic": func(tpl template) { delete(tpl["Resources"].(map[string]any), "Topic") },
		"TopicKey was AWS::KMS::Key and is AWS::KMS::Alias":      func(tpl template) { resource(tpl, "TopicKey")["Type"] = "AWS::KMS::Alias" },
		`TableName of Incidents was "Nightlatch-8d6f2a40-0000-11f1-9c1c-0a1b2c3d4e5f" and is "incidents", which replaces the AWS::DynamoDB::Table`: func(tpl template) {
			resource(tpl, "Incidents")["Properties"].(map[string]any)["TableName"] = "incidents"
		},
		`FunctionName of Responder was not given and is "responder", which replaces the AWS::Lambda::Function`: func(tpl template) {
			resource(tpl, "Responder")["Properties"].(map[string]any)["FunctionName"] = "responder"
		},
		"the output TableName is gone": func(tpl template) { delete(tpl["Outputs"].(map[string]any), "TableName") },
		"Approver is not given NIGHTLATCH_TABLE any more": func(tpl template) {
			delete(at(t, resource(tpl, "Approver"), "Properties", "Environment", "Variables").(map[string]any), "NIGHTLATCH_TABLE")
		},
	} {
		tpl := copied(t, synth(t))
		change(tpl)
		if got := moved(was, tpl, nil); len(got) != 1 || !strings.HasPrefix(got[0], says) {
			t.Errorf("got %q, want %q", got, says)
		}
	}
}

// moved says what an update from one to the other would delete or replace, a sentence each.
func moved(was frozen, now template, inner map[string]template) (sentences []string) {
	say := func(format string, a ...any) { sentences = append(sentences, fmt.Sprintf(format, a...)) }
	resources := now["Resources"].(map[string]any)
	for _, id := range slices.Sorted(maps.Keys(was.Resources)) {
		old := was.Resources[id]
		r, there := resources[id].(map[string]any)
		switch {
		case !there:
			say("%s is gone, and an update takes the %s that 1bf196e made out of the stack", id, old.Type)
			continue
		case r["Type"] != old.Type:
			say("%s was %s and is %s: CloudFormation changes no type", id, old.Type, r["Type"])
			continue
		}
		for _, path := range slices.Sorted(maps.Keys(old.Properties)) {
			if is := property(r, path); !cmp.Equal(is, old.Properties[path]) {
				say("%s of %s %s and %s, which replaces the %s that 1bf196e made", path, id, described("was", old.Properties[path]), described("is", is), old.Type)
			}
		}
		for _, name := range was.Environment[id] {
			if property(r, "Environment/Variables/"+name) == nil {
				say("%s is not given %s any more", id, name)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(was.Alarms)) {
		if digest := alarmsOf(inner[id]); digest != was.Alarms[id] {
			say("the alarms of the nested stack %s have other logical ids or names: %s, and were %s", id, digest, was.Alarms[id])
		}
	}
	for _, name := range was.Outputs {
		if _, there := now["Outputs"].(map[string]any)[name]; !there {
			say("the output %s is gone, by which a command or a human finds what was deployed", name)
		}
	}
	return sentences
}

func described(verb string, value any) string {
	if value == nil {
		return verb + " not given"
	}
	text, _ := json.Marshal(value)
	return verb + " " + string(text)
}

// property is what stands at a path below a resource's properties; nil where there is nothing.
func property(resource map[string]any, path string) any {
	var node any = resource["Properties"]
	for part := range strings.SplitSeq(path, "/") {
		m, _ := node.(map[string]any)
		node = m[part]
	}
	return node
}

// alarmsOf counts a nested stack's alarms, and sums up their logical ids and names.
func alarmsOf(tpl template) string {
	var lines []string
	for id, a := range tpl.resources("AWS::CloudWatch::Alarm") {
		lines = append(lines, fmt.Sprintf("%s %v\n", id, a["AlarmName"]))
	}
	slices.Sort(lines)
	return fmt.Sprintf("%d, %x", len(lines), sha256.Sum256([]byte(strings.Join(lines, ""))))
}

func readFrozen(t *testing.T, file string) frozen {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "1bf196e", file))
	if err != nil {
		t.Fatal(err)
	}
	var was frozen
	if err := json.Unmarshal(text, &was); err != nil || len(was.Resources) == 0 || len(was.Outputs) == 0 || len(was.Environment) != 3 {
		t.Fatalf("%s holds %d resources, %d outputs and the environment of %d functions, %v", file, len(was.Resources), len(was.Outputs), len(was.Environment), err)
	}
	return was
}

// copied is a template that a test may change.
func copied(t *testing.T, tpl template) template {
	t.Helper()
	text, err := json.Marshal(tpl)
	var out template
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}
