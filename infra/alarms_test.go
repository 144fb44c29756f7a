package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// bucketAlarms are the alarms that the responder answers, by name.
// bucketAlarms are the alarms of a template on each bucket, and totals those on all of them together.
func bucketAlarms(t *testing.T, tpl template) map[string]map[string]any {
	t.Helper()
	all := ours(t, tpl)
	maps.DeleteFunc(all, func(name string, _ map[string]any) bool { return isTotal(name) })
	return all
}

func totals(t *testing.T, tpl template) map[string]map[string]any {
	t.Helper()
	all := ours(t, tpl)
	maps.DeleteFunc(all, func(name string, _ map[string]any) bool { return !isTotal(name) })
	return all
}

func isTotal(name string) bool {
	return name == "nightlatch-all-buckets-by-minute" || name == "nightlatch-all-buckets-by-hour"
}

func ours(t *testing.T, tpl template) map[string]map[string]any {
	t.Helper()
	out := map[string]map[string]any{}
	for _, a := range tpl.resources("AWS::CloudWatch::Alarm") {
		if name := a["AlarmName"].(string); strings.HasPrefix(name, alarmPrefix) {
			a = maps.Clone(a) // other tests read the same template
			out[name] = a
			if diff := cmp.Diff(a["AlarmActions"], []any{"{Responder.Arn}"}); diff != "" {
				t.Errorf("%s: got -, want +:\n%s", name, diff)
			}
			delete(a, "AlarmDescription")
		}
	}
	return out
}

func ordinary(bucket string, threshold, period, of float64) map[string]any {
	return map[string]any{
		"AlarmActions": []any{"{Responder.Arn}"}, "Namespace": "AWS/S3", "MetricName": "BytesDownloaded", "Statistic": "Sum",
		"Dimensions": []any{map[string]any{"Name": "BucketName", "Value": bucket}, map[string]any{"Name": "FilterId", "Value": "nightlatch"}},
		"Period":     period, "EvaluationPeriods": of, "DatapointsToAlarm": 1.0, "Threshold": threshold,
		"ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
	}
}

func TestNamedBuckets(t *testing.T) {
	got := bucketAlarms(t, synth(t, "buckets", "a.b=3GiB/1m+20GiB/24h,a-b,logs=50GiB/1m"))
	want := map[string]map[string]any{
		"nightlatch-a.b-1m": ordinary("a.b", 3<<30, 60, 5), "nightlatch-a.b-24h": ordinary("a.b", 20<<30, 86400, 1),
		"nightlatch-a-b-1m": ordinary("a-b", 1<<30, 60, 5), "nightlatch-a-b-24h": ordinary("a-b", 50<<30, 86400, 1),
		"nightlatch-logs-1m": ordinary("logs", 50<<30, 60, 5),
	}
	for name, a := range want {
		a["AlarmName"] = name
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}

// Buckets from before 2018 are watched under the names that they have. One too long for an alarm's name keeps its beginning there.
func TestBucketsOfBefore2018(t *testing.T) {
	long := strings.Repeat("Long_", 51)
	names := []string{"My_Legacy.Bucket", "Team_Exports", "team_exports", "exports_prod", long, long[:254] + "x"}
	alarms := bucketAlarms(t, synth(t, "buckets", strings.Join(names, ",")))
	if len(alarms) != 2*len(names) {
		t.Errorf("there are %d alarms, want %d", len(alarms), 2*len(names))
	}
	for name, a := range alarms {
		bucket := fmt.Sprint(at(t, a["Dimensions"].([]any)[0], "Value"))
		if len(name) > 255 || !slices.Contains(names, bucket) || !strings.Contains(name, bucket[:min(len(bucket), 200)]) {
			t.Errorf("the alarm %q is on %q", name, bucket)
		}
	}
}

func TestEveryBucket(t *testing.T) {
	for buckets, query := range map[string]string{
		"*": `SELECT SUM(BytesDownloaded) FROM SCHEMA("AWS/S3", BucketName, FilterId) WHERE FilterId = 'nightlatch' GROUP BY BucketName ORDER BY SUM() DESC`,
		"*=2GiB/1m,logs=50GiB/1m": `SELECT SUM(BytesDownloaded) FROM SCHEMA("AWS/S3", BucketName, FilterId) WHERE FilterId = 'nightlatch'` +
			` AND BucketName != 'logs' GROUP BY BucketName ORDER BY SUM() DESC`,
	} {
		all := bucketAlarms(t, synth(t, "buckets", buckets))
		threshold := 1 << 30
		if strings.Contains(buckets, "logs") {
			threshold = 2 << 30
			if all["nightlatch-logs-1m"] == nil {
				t.Errorf("%s: there are %v", buckets, slices.Sorted(maps.Keys(all)))
			}
		}
		if diff := cmp.Diff(all["nightlatch-every-bucket"], onQuery("nightlatch-every-bucket", query, float64(threshold), 60, 5)); diff != "" {
			t.Errorf("%s: got -, want +:\n%s", buckets, diff)
		}
		var byHour map[string]any
		if buckets == "*" {
			byHour = onQuery("nightlatch-every-bucket-by-hour", query, 10<<30, 3600, 1)
		}
		if diff := cmp.Diff(all["nightlatch-every-bucket-by-hour"], byHour); diff != "" {
			t.Errorf("%s: got -, want +:\n%s", buckets, diff)
		}
	}
}

func onQuery(name, query string, threshold, period, of float64) map[string]any {
	return map[string]any{
		"AlarmName": name, "AlarmActions": []any{"{Responder.Arn}"}, "Threshold": threshold,
		"EvaluationPeriods": of, "DatapointsToAlarm": 1.0, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
		"Metrics": []any{map[string]any{"Id": "bytes", "Expression": query, "Period": period, "ReturnData": true}},
	}
}

// What leaves many buckets a little fires too, unless a deployment says not.
func TestAllBucketsTogether(t *testing.T) {
	own := `SELECT SUM(BytesDownloaded) FROM SCHEMA("AWS/S3", BucketName, FilterId) WHERE FilterId = 'nightlatch'`
	for name, c := range map[string]struct {
		context []string
		query   string
		minute  float64
		hour    float64 // 0 is none
	}{
		"one bucket":                 {[]string{"buckets", "a-bucket"}, own, 0, 0},
		"two":                        {[]string{"buckets", "a-bucket,b-bucket=3GiB/1m"}, own, 6 << 30, 50 << 30},
		"every":                      {[]string{"buckets", "*"}, own, 2 << 30, 10 << 30},
		"as given":                   {[]string{"buckets", "a-bucket", "total", "7GiB/1m"}, own, 7 << 30, 0},
		"none":                       {[]string{"buckets", "*", "total", "none"}, own, 0, 0},
		"others' filter":             {[]string{"buckets", "a-bucket,b-bucket", "metricsFilter", "EntireBucket"}, own, 0, 0},
		"every, with others' filter": {[]string{"buckets", "*", "metricsFilter", "EntireBucket"}, strings.Replace(own, "nightlatch", "EntireBucket", 1), 2 << 30, 10 << 30},
	} {
		want := map[string]map[string]any{}
		if c.minute > 0 {
			want["nightlatch-all-buckets-by-minute"] = onQuery("nightlatch-all-buckets-by-minute", c.query, c.minute, 60, 5)
		}
		if c.hour > 0 {
			want["nightlatch-all-buckets-by-hour"] = onQuery("nightlatch-all-buckets-by-hour", c.query, c.hour, 3600, 1)
		}
		if diff := cmp.Diff(totals(t, synth(t, c.context...)), want); diff != "" {
			t.Errorf("%s: got -, want +:\n%s", name, diff)
		}
	}
}

// A bucket that comes or goes moves no other, and no name that was there is given to another bucket's alarm.
func TestABucketKeepsItsNestedStack(t *testing.T) {
	few := []string{"buckets", "07-xyz=1GiB/1m,xyz=1GiB/1m,*"}
	alone := bucketAlarms(t, synth(t, few...))
	place := func(buckets string) map[string]string {
		out := map[string]string{}
		for id, tpl := range nested(t, "buckets", buckets) {
			for name, a := range bucketAlarms(t, tpl) {
				if alone[name] != nil {
					t.Errorf("%s is a name in the stack itself too", name)
				}
				out[name] = id
				if want := ordinary(at(t, a, "Dimensions", 0, "Value").(string), 1<<30, 60, 5); !cmp.Equal(want["Dimensions"], a["Dimensions"]) || a["Period"] != 60.0 {
					t.Errorf("%s is %v", name, a)
				}
			}
		}
		return out
	}
	first := many(maxInOneStack, "=1GiB/1m")
	before, after := place("xyz=1GiB/1m,"+first), place("07-xyz=1GiB/1m,"+first+",yyy=1GiB/1m,xyz=1GiB/1m")
	if len(before) != maxInOneStack+1 || len(after) != maxInOneStack+3 {
		t.Errorf("there are %d and %d alarms", len(before), len(after))
	}
	for name, id := range before {
		if after[name] != id {
			t.Errorf("%s went from %s to %q", name, id, after[name])
		}
	}
	if want := regexp.MustCompile(`^nightlatch-xyz-1m-[01][0-9]$`); !slices.ContainsFunc(slices.Collect(maps.Keys(before)), want.MatchString) {
		t.Errorf("there is no %s", want)
	}
}
