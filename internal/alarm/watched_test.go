package alarm

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// An alarm on no sum of bytes claims no bytes, however its value reads; its window is that of the values that crossed the threshold.
func TestWhatAnAlarmComputesIsNoClaimOfBytes(t *testing.T) {
	s3 := func(id, stat, bucket string, returned bool) any {
		return map[string]any{"id": id, "returnData": returned, "metricStat": map[string]any{"period": 60, "stat": stat, "metric": map[string]any{"namespace": "AWS/S3",
			"name": "BytesDownloaded", "dimensions": map[string]any{"BucketName": bucket, "FilterId": "EntireBucket"}}}}
	}
	math := func(expression string) any {
		return map[string]any{"id": "e1", "expression": expression, "returnData": true}
	}
	uploaded := s3("m2", "Sum", "customer-exports", false)
	in(uploaded.(map[string]any), "metricStat", "metric")["name"] = "BytesUploaded"
	for name, c := range map[string]struct {
		metrics []any
		want    string // in what is computed; "" where it is bytes
	}{
		"a sum":                        {[]any{s3("m1", "Sum", "a-b", true)}, ""},
		"a sum under another name":     {[]any{math("m1"), s3("m1", "Sum", "a-b", false)}, ""},
		"a sum of two":                 {[]any{math("m1 + m2"), s3("m1", "Sum", "a-b", false), s3("m2", "Sum", "c-d", false)}, ""},
		"a sum of all":                 {[]any{math("SUM(METRICS())"), s3("m1", "Sum", "a-b", false), s3("m2", "Sum", "c-d", false)}, ""},
		"an anomaly of the sum":        {[]any{s3("m1", "Sum", "a-b", true), map[string]any{"id": "b", "expression": "ANOMALY_DETECTION_BAND(m1, 2)", "returnData": true}}, ""},
		"a query":                      {[]any{math(`SELECT SUM(BytesDownloaded) FROM SCHEMA("AWS/S3", BucketName, FilterId) GROUP BY BucketName`)}, ""},
		"gibibytes":                    {[]any{math("m1/1024/1024/1024"), s3("m1", "Sum", "a-b", false)}, `"m1/1024/1024/1024"`},
		"bytes a second":               {[]any{math("m1/PERIOD(m1)"), s3("m1", "Sum", "a-b", false)}, `"m1/PERIOD(m1)"`},
		"the larger of two":            {[]any{math("MAX([m1, m2])"), s3("m1", "Sum", "a-b", false), s3("m2", "Sum", "c-d", false)}, `"MAX([m1, m2])"`},
		"a sum with uploads in it":     {[]any{math("m1+m2"), s3("m1", "Sum", "a-b", false), uploaded}, `"m1+m2"`},
		"a sum of averages":            {[]any{math("m1+m2"), s3("m1", "Average", "a-b", false), s3("m2", "Average", "c-d", false)}, `"m1+m2"`},
		"a condition":                  {[]any{math("IF(m1 > 1000, 1, 0)"), s3("m1", "Sum", "a-b", false)}, `"IF(m1 > 1000, 1, 0)"`},
		"an average":                   {[]any{s3("m1", "Average", "a-b", true)}, `the statistic "Average"`},
		"a maximum":                    {[]any{s3("m1", "Maximum", "a-b", true)}, `the statistic "Maximum"`},
		"a percentile":                 {[]any{s3("m1", "p99.9", "a-b", true)}, `the statistic "p99.9"`},
		"a trimmed mean":               {[]any{s3("m1", "TM(10%:90%)", "a-b", true)}, `the statistic "TM(10%:90%)"`},
		"a count":                      {[]any{s3("m1", "SampleCount", "a-b", true)}, `the statistic "SampleCount"`},
		"an average by a query":        {[]any{math(`SELECT AVG(BytesDownloaded) FROM SCHEMA("AWS/S3", BucketName) GROUP BY BucketName`)}, "SELECT AVG(BytesDownloaded)"},
		"an expression over one":       {[]any{math("e2*8"), map[string]any{"id": "e2", "expression": "m1+m2", "returnData": false}, s3("m1", "Sum", "a-b", false), s3("m2", "Sum", "c-d", false)}, `"e2*8"`},
		"an anomaly of something else": {[]any{map[string]any{"id": "b", "expression": "ANOMALY_DETECTION_BAND(e1, 2)", "returnData": true}, math("m1/60"), s3("m1", "Sum", "a-b", false)}, `"m1/60"`},
	} {
		t.Run(name, func(t *testing.T) {
			event := edit(t, "alarms/direct-metric.json", func(e map[string]any) {
				in(e, "alarmData", "configuration")["metrics"] = c.metrics
				in(e, "alarmData", "state")["reasonData"] = fmt.Sprintf(`{"period":60,"threshold":1.5,"evaluatedDatapoints":[%s,%s]}`,
					point("2026-03-04T00:01:00.000+0000", 1.25), point("2026-03-04T00:02:00.000+0000", 40.5))
			})
			got, err := Parse(event)
			check(t, got, err)
			if err != nil {
				t.Fatal(err)
			}
			a := got.Alarm
			if c.want == "" {
				if a.Computed != "" || a.Bytes == nil || a.Threshold == nil {
					t.Errorf("got %+v, want a claim of bytes", a)
				}
				return
			}
			if !strings.HasPrefix(a.Computed, "the alarm's value is computed by ") || !strings.Contains(a.Computed, strings.Trim(c.want, `"`)) {
				t.Errorf("computed by %q, want %s", a.Computed, c.want)
			}
			if a.Bytes != nil || a.Claimed != nil || a.Points != nil || a.Threshold != nil {
				t.Errorf("got %+v, want no number that could be taken for bytes", a)
			}
			if !a.From.Equal(at("2026-03-04T00:02:00Z")) || !a.To.Equal(at("2026-03-04T00:03:00Z")) {
				t.Errorf("window [%v, %v), want the minute of 00:02", a.From, a.To)
			}
			// The metric below it is bytes, and confirms nothing.
			read := a.Read(Reading{Points: points(0, 7, 500), Period: time.Minute, Computed: a.Computed})
			if read.Confirmed || *read.Bytes != 500 || read.Claimed != nil || read.Threshold != nil || read.Doubt != a.Computed+NoBytes {
				t.Errorf("read: %+v, want 500 bytes, and that they are not the alarm's", read)
			}
			if read := a.Read(Reading{Period: time.Minute, Computed: a.Computed}); read.Bytes != nil || read.Doubt != a.Computed+NoBytes {
				t.Errorf("read without the metric: %+v, want nothing known", read)
			}
		})
	}
}

// By SNS the statistic stands elsewhere.
func TestWhatAnAlarmComputesBySNS(t *testing.T) {
	for change, want := range map[[2]string]string{
		{`"Statistic\": \"SUM\"`, `"Statistic\": \"AVERAGE\"`}:     `the statistic "AVERAGE"`,
		{`"Statistic\": \"SUM\"`, `"ExtendedStatistic\": \"p90\"`}: `the statistic "p90"`,
		{`"Statistic\": \"SUM\"`, `"Statistic\": \"SUM\"`}:         "",
		{`"FilterId\", `, `"FilterId\", `}:                         "",
		{`\"MetricName\": \"BytesDownloaded\", \"Namespace\": \"AWS/S3\", `, `\"Metrics\": [{\"Id\":\"e1\",\"Expression\":\"m1/60\",\"ReturnData\":true},{\"Id\":\"m1\",\"ReturnData\":false,\"MetricStat\":{\"Metric\":{\"MetricName\":\"BytesDownloaded\",\"Namespace\":\"AWS/S3\",\"Dimensions\":[{\"name\":\"BucketName\",\"value\":\"customer-exports\"}]},\"Period\":60,\"Stat\":\"Sum\"}}], `}: `"m1/60"`,
	} {
		message := strings.ReplaceAll(string(sample(t, "alarms/sns-metric.json")), change[0], change[1])
		got, err := Parse([]byte(message))
		if err != nil || got.Alarm == nil || !strings.Contains(got.Alarm.Computed, want) || (want == "") != (got.Alarm.Computed == "") {
			t.Errorf("Parse(with %s) = %+v, %v, want it computed by %q", change[1], got.Alarm, err, want)
		}
	}
}

// A filter other than the one that counts a whole bucket may count a part of it.
func TestWhatAMetricCounts(t *testing.T) {
	for filter, want := range map[string]string{"EntireBucket": "", "finance-prefix": `its filter "finance-prefix"`} {
		for name, event := range map[string][]byte{
			"direct": edit(t, "alarms/direct-metric.json", func(e map[string]any) {
				m := in(e, "alarmData", "configuration")["metrics"].([]any)[0].(map[string]any)
				in(m, "metricStat", "metric", "dimensions")["FilterId"] = filter
			}),
			"SNS":     []byte(strings.ReplaceAll(string(sample(t, "alarms/sns-metric.json")), "EntireBucket", filter)),
			"a query": []byte(strings.ReplaceAll(string(sample(t, "alarms/direct-contributor-UNCONFIRMED.json")), "EntireBucket", filter)),
		} {
			got, err := Parse(event)
			if err != nil || got.Alarm == nil || !strings.Contains(got.Alarm.Counts, want) || (want == "") != (got.Alarm.Counts == "") {
				t.Errorf("%s with the filter %s: got %+v, %v, want that it counts %q", name, filter, got.Alarm, err, want)
			}
		}
	}
	a := Alarm{Source: Fired, Bytes: new(int64(5))}
	if got := a.Whole(); got == nil || *got != 5 {
		t.Errorf("the whole is %v, want 5", got)
	}
	if a.Counts = "a part"; a.Whole() != nil {
		t.Errorf("the whole is %d of an alarm on a part", *a.Whole())
	}
}

// What is wired to us and can never be answered is said once, with the reason.
func TestParseRefusesOtherServicesBytes(t *testing.T) {
	ids := map[string]bool{}
	for namespace, want := range map[string]string{"AWS/S3/Storage-Lens": "Storage Lens counts by the day", "AWS/CloudFront": "CloudFront", "Custom": `"Custom"`} {
		for minute := range 2 {
			event := edit(t, "alarms/direct-metric.json", func(e map[string]any) {
				m := in(e, "alarmData", "configuration")["metrics"].([]any)[0].(map[string]any)
				in(m, "metricStat", "metric")["namespace"] = namespace
				in(e, "alarmData")["alarmName"] = namespace
				in(e, "alarmData", "state")["timestamp"] = fmt.Sprintf("2026-03-04T00:0%d:41.431+0000", 3+minute)
			})
			got, err := Parse(event)
			check(t, got, err)
			if err != nil || got.Alarm == nil || !strings.Contains(got.Alarm.Refused, want) || got.Alarm.Buckets != nil {
				t.Errorf("Parse(an alarm on %s) = %+v, %v, want it refused with %s", namespace, got.Alarm, err, want)
				continue
			}
			ids[got.Alarm.ID()] = true
		}
	}
	if len(ids) != 3 {
		t.Errorf("three alarms that fired twice are %d incidents, want one each: %v", len(ids), ids)
	}
}
