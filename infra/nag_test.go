package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
)

// nagLine is what cdk-nag says of one resource and one rule.
type nagLine struct{ RuleID, ResourceID, Compliance, ExceptionReason, RuleInfo string }

// nag puts an app to cdk-nag's AwsSolutions pack, and returns what does not simply comply.
func nag(t *testing.T, app awscdk.App) []nagLine { t.Helper(); return nagOf(t, app, stackName) }

// nagOf is nag of a stack.
func nagOf(t *testing.T, app awscdk.App, stackName string) []nagLine {
	t.Helper()
	pack := cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{ReportFormats: &[]cdknag.NagReportFormat{cdknag.NagReportFormat_JSON}})
	awscdk.Aspects_Of(app).Add(pack, nil)
	app.Synth(nil)
	// Between the two hyphens stands the id of the stage that the stack is in: it is in none but the app, whose id is empty.
	text, err := os.ReadFile(filepath.Join(*app.Outdir(), "AwsSolutions--"+stackName+"-NagReport.json"))
	if err != nil {
		t.Fatal(err)
	}
	var report struct{ Lines []nagLine }
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Lines) < 10 {
		t.Errorf("the pack has checked %d things only", len(report.Lines))
	}
	return slices.DeleteFunc(report.Lines, func(l nagLine) bool { return l.Compliance == "Compliant" })
}

var sentence = regexp.MustCompile(`^(\[Resource::\S+\] )?[A-Z].{40,}\.$`)

// Every finding of the AwsSolutions pack has a reason that is a sentence, and every reason a finding.
func TestNagFindsNothingUnexplained(t *testing.T) {
	for name, changes := range map[string][]string{
		"named buckets": nil,
		"thresholds":    {"buckets", "customer-exports=1GiB/1m+20GiB/24h,logs=50GiB/1m", "mode", "observe"},
		"every bucket":  {"buckets", "*"},
		"a trail":       onlyAthena(aTrail),
		"a new trail":   onlyAthena(made),
		"both":          {"trail", aTrail, "evidence", "athena"},
		"steps":         cutting,
		"a canary":      rehearsing,
		"act":           {"mode", "act", "protected", user + "ops/break-glass", "metricsFilter", "EntireBucket"},
	} {
		t.Run(name, func(t *testing.T) {
			app, _, _ := unsynthesized(t, read(t, changes...))
			excused := map[string]int{}
			for _, l := range nag(t, app) {
				switch {
				case l.Compliance != "Suppressed":
					t.Errorf("%s on %s: %s (%s); put it right, or say why not", l.RuleID, l.ResourceID, l.RuleInfo, l.Compliance)
				case !sentence.MatchString(l.ExceptionReason):
					t.Errorf("%s on %s: %q is no sentence", l.RuleID, l.ResourceID, l.ExceptionReason)
				}
				excused[strings.TrimPrefix(l.ResourceID, stackName+"/")+" "+l.RuleID]++
			}
			if given := explained(t, app); !maps.Equal(excused, given) {
				t.Errorf("found %v, and the template explains %v", excused, given)
			}
		})
	}
}

// explained counts the reasons in the template, by resource and rule.
func explained(t *testing.T, app awscdk.App) map[string]int {
	t.Helper()
	return explainedOf(t, app, stackName)
}

// explainedOf is explained of a stack.
func explainedOf(t *testing.T, app awscdk.App, stackName string) map[string]int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(*app.Outdir(), stackName+".template.json"))
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources map[string]struct {
			Metadata struct {
				Nag struct {
					Rules []struct{ ID string } `json:"rules_to_suppress"`
				} `json:"cdk_nag"`
			}
		}
	}
	if err := json.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	given := map[string]int{}
	for id, r := range template.Resources {
		for _, rule := range r.Metadata.Nag.Rules {
			given[id+" "+rule.ID]++
		}
	}
	return given
}

// The pack works: what is wrong is found, and a reason for one wildcard is none for another.
func TestNagFindsWhatIsWrong(t *testing.T) {
	app, stack, _ := unsynthesized(t, read(t))
	awssns.NewCfnTopic(stack, jsii.String("Bad"), nil)
	role := awsiam.NewCfnRole(stack, jsii.String("Worse"), &awsiam.CfnRoleProps{AssumeRolePolicyDocument: forLambda(), Policies: &[]any{
		&awsiam.CfnRole_PolicyProperty{PolicyName: jsii.String("p"), PolicyDocument: document(
			statement{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, statement{"Effect": "Allow", "Action": "iam:PutRolePolicy", "Resource": "*"})}}})
	excuse(role, finding{"AwsSolutions-IAM5", "Resource::*", "This is an excuse for the resource, and none for the action."})
	var found []string
	for _, l := range nag(t, app) {
		if l.Compliance == "Non-Compliant" {
			found = append(found, l.RuleID+" "+l.ResourceID)
		}
	}
	slices.Sort(found)
	if want := []string{"AwsSolutions-IAM5 Nightlatch/Worse", "AwsSolutions-SNS3 Nightlatch/Bad"}; !slices.Equal(found, want) {
		t.Errorf("found %q, want %q", found, want)
	}
}
