package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/settings"
	"nightlatch/internal/trail"
)

// The trail that the stack makes is one that the enroller finds nothing wrong with, nor anything that it leaves out.
func TestANewTrailRecordsWhatIsAsked(t *testing.T) {
	for buckets, wanted := range map[string][]string{"a-bucket,b-bucket": {"a-bucket", "b-bucket"}, "*": {"*"}, "*,logs": {"*", "logs"}} {
		tpl := synth(t, onlyAthena(made, "buckets", buckets, "managementTrail", theirLocation)...)
		if alone := synth(t, onlyAthena(made, "buckets", buckets)...).one(t, "AWS::CloudTrail::Trail"); len(alone["AdvancedEventSelectors"].([]any)) != len(tpl.one(t, "AWS::CloudTrail::Trail")["AdvancedEventSelectors"].([]any))+1 {
			t.Errorf("%s: alone it selects %v", buckets, alone["AdvancedEventSelectors"])
		}
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
		// It is of its region, and another has the management events.
		if err := read.Wrong(trail.Wish{Account: account, Region: "eu-west-1", Buckets: wanted}); err != nil || len(read.Warnings()) != 1 || !strings.Contains(read.Warnings()[0], "records one region") {
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

// What the functions know of the management events, and where they are asked for, by each way to give them.
func TestWhoHasTheManagementEvents(t *testing.T) {
	for name, c := range map[string]struct {
		changes         []string
		deeds, location string
		looked          int
	}{
		"a store":                    {nil, "", "", 0},
		"made":                       {onlyAthena(made), "some", "", 0},
		"made, beside a location":    {onlyAthena(made, "managementTrail", theirLocation), "all", theirLocation, 0},
		"made, beside a trail":       {onlyAthena(made, "managementTrail", theirTrail), "all", "s3://files/a/AWSLogs/", 1},
		"there":                      {onlyAthena(aTrail), lookedUp["Management"], "", 1},
		"there, beside a trail":      {onlyAthena(aTrail, "managementTrail", theirTrail), "all", "s3://files/a/AWSLogs/", 2},
		"given":                      {onlyAthena(aTrail, "trailLocation", theirLocation), "", "", 0},
		"given, beside another":      {onlyAthena(aTrail, "trailLocation", theirLocation, "managementTrail", "s3://archive/AWSLogs/o-exampleorg/"), "all", "s3://archive/AWSLogs/o-exampleorg/", 0},
		"both engines, and it's not": {[]string{"trail", made}, "some", "", 0},
	} {
		tpl := synth(t, c.changes...)
		got, err := settings.Parse(environOf(t, tpl, "Responder"))
		if err != nil || got.Management != c.deeds || got.ManagementLocation != c.location {
			t.Errorf("%s: the responder reads %q, %q, %v", name, got.Management, got.ManagementLocation, err)
		}
		keeper, err := settings.ParseKeeper(environOf(t, tpl, "Keeper"))
		if err != nil || keeper.ManagementLocation != c.location {
			t.Errorf("%s: the keeper reads %+v, %v", name, keeper, err)
		}
		if looked := len(tpl.resources("Custom::Trail")); looked != c.looked {
			t.Errorf("%s: %d trails are looked up", name, looked)
		}
		var reads []string // the trails that the enroller may look up
		for _, st := range at(t, tpl.named(t, "AWS::IAM::Role", "EnrollerRole"), "Policies", 0, "PolicyDocument", "Statement").([]any) {
			if st := st.(map[string]any); st["Sid"] == "ReadTheTrail" {
				for _, on := range st["Resource"].([]any) {
					reads = append(reads, on.(string))
				}
			}
		}
		if len(reads) != c.looked || len(reads) > 0 && (slices.Contains(reads, theirTrail) != slices.Contains(c.changes, theirTrail) || slices.Contains(reads, aTrail) != slices.Contains(c.changes, aTrail)) {
			t.Errorf("%s: the enroller may look up %q", name, reads)
		}
		table, is := tpl["Resources"].(map[string]any)[managementTable]
		if is != (c.location != "") || is && at(t, table, "Properties", "TableInput", "StorageDescriptor", "Location") != c.location {
			t.Errorf("%s: the table of management events is %v", name, table)
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
