package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"nightlatch/internal/settings"
)

// What is made for Athena, word by word, and what is made more where the trail is made too.
func TestWhatAthenaNeedsIsMade(t *testing.T) {
	for name, c := range map[string]struct {
		changes []string
		kinds   []string
	}{
		"athena": {onlyAthena(aTrail), []string{"AWS::Athena::WorkGroup", "AWS::Glue::Database", "AWS::Glue::Table", "AWS::S3::Bucket", "AWS::S3::BucketPolicy", "Custom::Trail"}},
		"trail":  {onlyAthena(made), []string{"AWS::Athena::WorkGroup", "AWS::CloudTrail::Trail", "AWS::Glue::Database", "AWS::Glue::Table", "AWS::S3::Bucket", "AWS::S3::BucketPolicy"}},
	} {
		tpl, found := synth(t, c.changes...), map[string]any{}
		without := map[string]bool{}
		for id, r := range synth(t)["Resources"].(map[string]any) {
			kind := r.(map[string]any)["Type"].(string)
			if without[id] = true; !strings.HasPrefix(kind, "AWS::S3::") { // of buckets there is one without a trail, too
				without[kind] = true
			}
		}
		kinds := map[string]bool{}
		for id, r := range tpl["Resources"].(map[string]any) {
			if kind := r.(map[string]any)["Type"].(string); !without[kind] && !without[id] {
				found[id], kinds[kind] = r, true
			}
		}
		if got := slices.Sorted(maps.Keys(kinds)); !slices.Equal(got, c.kinds) {
			t.Errorf("%s: there are %q, want %q", name, got, c.kinds)
		}
		golden(t, name+".golden", indented(t, found))
	}
}

// The responder demands the table that was deployed; that is made of its environment.
func TestTheTableIsTheOneThatIsDemanded(t *testing.T) {
	for trail, location := range map[string]string{aTrail: "s3://files/a/AWSLogs/", made: "s3://nightlatch-trailfiles-x1/AWSLogs/"} {
		for _, both := range []bool{false, true} {
			changes, store, first := onlyAthena(trail), "", "athena"
			if both {
				changes, store, first = []string{"trail", trail}, aStore, "lake"
			}
			tpl := synth(t, changes...)
			got, err := settings.Parse(environOf(t, tpl, "Responder"))
			if err != nil || got.TrailLocation != location || got.Evidence != first || got.EventDataStore != store {
				t.Errorf("%q: the responder reads %+v, %v", changes, got, err)
			}
			approver, err := settings.ParseApprover(environOf(t, tpl, "Approver"))
			if err != nil || approver.TrailLocation != location {
				t.Errorf("%q: the approver reads %+v, %v", changes, approver, err)
			}
			enroller, err := settings.ParseEnroller(environOf(t, tpl, "Enroller"))
			if arn := map[string]string{aTrail: aTrail, made: theTrail}[trail]; err != nil || enroller.Trail != arn {
				t.Errorf("%q: the enroller reads %+v, %v, want the trail %s", changes, enroller, err, arn)
			}
			table := at(t, tpl["Resources"], recordsTable, "Properties", "TableInput").(map[string]any)
			s := Settings{Files: Files{Bucket: location[len("s3://") : len(location)-len("/AWSLogs/")], Folder: "AWSLogs/"}, Home: home}
			for name, value := range s.table().Parameters() {
				if got := at(t, table, "Parameters", name); got != value {
					t.Errorf("%q: %s is %v, want %s", changes, name, got, value)
				}
			}
			if got := at(t, table, "StorageDescriptor", "Location"); got != location {
				t.Errorf("%q: the table lies at %v, want %s", changes, got, location)
			}
		}
	}
}

// An update never leaves a question without its table: the earlier version's stays as it is, both may be read, and the functions change when
// the new one is there.
func TestAnUpdateKeepsTheEarlierTable(t *testing.T) {
	tpl := synth(t, onlyAthena(aTrail)...)
	tables := map[any]any{}
	for _, r := range tpl.resources("AWS::Glue::Table") {
		tables[at(t, r, "TableInput", "Name")] = r
	}
	earlier := fmt.Sprint(at(t, tables["trail"], "TableInput", "StorageDescriptor", "Columns"))
	if len(tables) != 2 || tables["records"] == nil || strings.Contains(earlier, "addendum") || !strings.Contains(earlier, "onbehalfof") {
		t.Errorf("there are the tables %v", tables)
	}
	for _, id := range []string{"Responder", "Approver"} {
		if needed := at(t, tpl["Resources"], id, "DependsOn"); !strings.Contains(fmt.Sprint(needed), recordsTable) {
			t.Errorf("%s depends on %v", id, needed)
		}
	}
}

// Athena reads the trail's files for each question: no alarm is on their bucket where every bucket is watched, unless it is named.
func TestTheTrailsBucketIsWatchedOnlyByName(t *testing.T) {
	for trail, bucket := range map[string]string{aTrail: "files", made: "nightlatch-trailfiles-x1"} {
		for _, a := range bucketAlarms(t, synth(t, onlyAthena(trail, "buckets", "*,logs=50GiB/1m")...)) {
			metrics, _ := a["Metrics"].([]any)
			if len(metrics) > 0 && !strings.Contains(at(t, metrics[0], "Expression").(string), " AND BucketName != 'logs' AND BucketName != '"+bucket+"' GROUP BY") {
				t.Errorf("the alarm over every bucket asks %v", metrics)
			}
		}
	}
}
