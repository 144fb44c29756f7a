package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/trail"
)

// The trail that the stack makes is one that the enroller finds nothing wrong with, nor anything that it leaves out.
func TestANewTrailRecordsWhatIsAsked(t *testing.T) {
	for buckets, wanted := range map[string][]string{"a-bucket,b-bucket": {"a-bucket", "b-bucket"}, "*": {"*"}, "*,logs": {"*", "logs"}} {
		tpl := synth(t, onlyAthena(made, "buckets", buckets)...)
		props := tpl.one(t, "AWS::CloudTrail::Trail")
		read := trail.Trail{ARN: theTrail, Bucket: props["S3BucketName"].(string), MultiRegion: props["IsMultiRegionTrail"] == true, Logging: props["IsLogging"] == true}
		for _, s := range props["AdvancedEventSelectors"].([]any) {
			var one trail.Selector
			for _, f := range at(t, s, "FieldSelectors").([]any) {
				c := trail.Condition{Field: at(t, f, "Field").(string)}
				for name, list := range map[string]*[]string{"Equals": &c.Equals, "StartsWith": &c.StartsWith, "NotEquals": &c.NotEquals} {
					values, _ := f.(map[string]any)[name].([]any)
					for _, v := range values {
						*list = append(*list, v.(string))
					}
				}
				one = append(one, c)
			}
			read.Selectors = append(read.Selectors, one)
		}
		if err := read.Wrong(trail.Wish{Account: account, Region: "eu-west-1", Buckets: wanted}); err != nil || len(read.Warnings()) > 0 {
			t.Errorf("%s: %v, %q", buckets, err, read.Warnings())
		}
		if got := read.Wrong(trail.Wish{Account: account, Region: "eu-west-1", Buckets: []string{"z-bucket"}}); (got == nil) != strings.Contains(buckets, "*") {
			t.Errorf("%s: of another bucket it says %v", buckets, got)
		}
		if props["EnableLogFileValidation"] != true || read.Location() != "s3://nightlatch-trailfiles-x1/AWSLogs/" {
			t.Errorf("%s: the trail is %v", buckets, props)
		}
	}
}

// Whether the account is known or CloudFormation fills it in.
func TestANewTrailNeedsNoCredentials(t *testing.T) {
	s := read(t, onlyAthena(made)...)
	if err := s.deployTo(account, "eu-west-1"); err != nil {
		t.Fatal(err)
	}
	known, _ := withSettings(t, s)
	if diff := cmp.Diff(known, synth(t, onlyAthena(made)...)); diff != "" {
		t.Errorf("known -, filled in +:\n%s", diff)
	}
	if arn := known.output(t, "TrailArn"); arn != theTrail {
		t.Errorf("the output is %s", arn)
	}
}
