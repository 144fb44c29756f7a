package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/settings"
)

func TestTheEnroller(t *testing.T) {
	for _, c := range []struct {
		changes []string
		buckets []any
		id, tag string
		every   bool
	}{
		{nil, []any{"a-bucket", "b-bucket"}, "nightlatch", "", false},
		{[]string{"buckets", "*,logs=50GiB/1m", "metricsFilter", "EntireBucket"}, []any{"*", "logs"}, "EntireBucket", "", true},
		{[]string{"buckets", "*", "watchTag", "data class=secret"}, []any{"*"}, "nightlatch", "data class=secret", true},
	} {
		tpl := synth(t, c.changes...)
		want := map[string]any{"ServiceToken": "{Enroller.Arn}", "Buckets": c.buckets, "Id": c.id}
		if c.tag != "" {
			want["Tag"] = c.tag
			statements := fmt.Sprint(at(t, tpl.named(t, "AWS::IAM::Role", "EnrollerRole"), "Policies"), at(t, tpl.named(t, "AWS::IAM::Role", "DoctorRole"), "Policies"))
			if strings.Count(statements, "s3:GetBucketTagging") != 2 {
				t.Error("the enroller and the doctor may not read tags")
			}
			if got := at(t, tpl.named(t, "AWS::Events::Rule", "NewBucket"), "EventPattern", "detail", "eventName"); !cmp.Equal(got, []any{"CreateBucket", "PutBucketTagging"}) {
				t.Errorf("the rule of new buckets matches %v", got)
			}
		}
		if diff := cmp.Diff(tpl.named(t, "Custom::RequestMetrics", "RequestMetrics"), want); diff != "" {
			t.Errorf("got -, want +:\n%s", diff)
		}
		var environ []string
		for name, value := range at(t, tpl.named(t, "AWS::Lambda::Function", "Enroller"), "Environment", "Variables").(map[string]any) {
			environ = append(environ, name+"="+value.(string))
		}
		got, err := settings.ParseEnroller(environ)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, settings.Enroller{Topic: aTopic, Table: kept}); diff != "" {
			t.Errorf("got -, want +:\n%s", diff)
		}
		// No check runs once the resource is being deleted.
		for id, want := range map[string]bool{"DailyLook": true, "NewBucket": c.every} {
			_, there := tpl.resources("AWS::Events::Rule")[id]
			if there != want {
				t.Errorf("rule %s is there: %t, want %t", id, there, want)
			}
			if there && !slices.Contains(at(t, map[string]any(tpl), "Resources", id, "DependsOn").([]any), "RequestMetrics") {
				t.Errorf("rule %s does not depend on the resource", id)
			}
		}
	}
}

func TestTheEnrollersRole(t *testing.T) {
	role := synth(t, "buckets", "*").named(t, "AWS::IAM::Role", "EnrollerRole")
	golden(t, "role-enroller.golden", indented(t, at(t, role, "Policies", 0, "PolicyDocument", "Statement")))
}
