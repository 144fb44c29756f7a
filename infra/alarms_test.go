package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rings are the alarms that the responder answers, by name.
func rings(t *testing.T, tpl template) map[string]map[string]any {
	t.Helper()
	out := map[string]map[string]any{}
	for _, a := range tpl.resources("AWS::CloudWatch::Alarm") {
		if name := a["AlarmName"].(string); strings.HasPrefix(name, ringPrefix) {
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
	got := rings(t, synth(t, "buckets", "a.b=3GiB/1m+20GiB/24h,a-b,logs=50GiB/1m"))
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

func TestEveryBucket(t *testing.T) {
	for buckets, query := range map[string]string{
		"*": `SELECT SUM(BytesDownloaded) FROM SCHEMA("AWS/S3", BucketName, FilterId) WHERE FilterId = 'nightlatch' GROUP BY BucketName ORDER BY SUM() DESC`,
		"*=2GiB/1m,logs=50GiB/1m": `SELECT SUM(BytesDownloaded) FROM SCHEMA("AWS/S3", BucketName, FilterId) WHERE FilterId = 'nightlatch'` +
			` AND BucketName != 'logs' GROUP BY BucketName ORDER BY SUM() DESC`,
	} {
		all := rings(t, synth(t, "buckets", buckets))
		threshold := 1 << 30
		if strings.Contains(buckets, "logs") {
			threshold = 2 << 30
			if all["nightlatch-logs-1m"] == nil {
				t.Errorf("%s: there are %v", buckets, slices.Sorted(maps.Keys(all)))
			}
		}
		want := map[string]any{
			"AlarmName": "nightlatch-every-bucket", "AlarmActions": []any{"{Responder.Arn}"}, "Threshold": float64(threshold),
			"EvaluationPeriods": 5.0, "DatapointsToAlarm": 1.0, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
			"Metrics": []any{map[string]any{"Id": "bytes", "Expression": query, "Period": 60.0, "ReturnData": true}},
		}
		if diff := cmp.Diff(all["nightlatch-every-bucket"], want); diff != "" {
			t.Errorf("%s: got -, want +:\n%s", buckets, diff)
		}
	}
}

func TestTooManyNamesBesideEveryBucket(t *testing.T) {
	var names []string
	for _, c := range "abcdefghijklmnopqrstuvwxyz" {
		names = append(names, strings.Repeat(string(c), 63))
	}
	_, err := Read(given("buckets", "*,"+strings.Join(names, ",")))
	if err == nil || !strings.Contains(err.Error(), "beside * these are too many names") {
		t.Errorf("got %v", err)
	}
}
