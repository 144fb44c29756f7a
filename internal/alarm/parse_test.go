package alarm

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shared is what stands beside the project: payloads and trails, with their README files.
const shared = "../../../shared"

func sample(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(shared, name))
	if os.IsNotExist(err) {
		t.Skipf("no payload: %s is missing", filepath.Join(shared, name))
	}
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t
}

const customerExports = "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:nightlatch-customer-exports"

// exportsFired is what every shape of the customer-exports alarm says.
func exportsFired() *Alarm {
	return &Alarm{
		Source: Fired, Name: "nightlatch-customer-exports", ARN: customerExports, AccountID: "111122223333", Region: "eu-west-1",
		Since: at("2026-03-04T00:03:41.431Z"), Buckets: []string{"customer-exports"},
		From: at("2026-03-04T00:01:00Z"), To: at("2026-03-04T00:03:00Z"), Period: time.Minute,
		Bytes: new(int64(5368709119)), Claimed: new(int64(5368709119)), Threshold: new(1073741824.0),
		Points: []Point{{at("2026-03-04T00:01:00Z"), 2254857830}, {at("2026-03-04T00:02:00Z"), 3113851289}},
	}
}

// seriesFired is what every shape of the alarm over every bucket says of its contributor: one point, in the reason's text.
func seriesFired() *Alarm {
	a := exportsFired()
	a.Name, a.ARN = "nightlatch-every-bucket", strings.Replace(customerExports, "customer-exports", "every-bucket", 1)
	a.Contributor = "6d442278dba546f6"
	a.From, a.Points = at("2026-03-04T00:02:00Z"), a.Points[1:]
	a.Bytes, a.Claimed = new(int64(3113851289)), new(int64(3113851289))
	return a
}

func TestParseTheSharedPayloads(t *testing.T) {
	for file, want := range map[string]Event{
		"alarms/direct-metric.json":                  {Alarm: exportsFired()},
		"alarms/eventbridge-metric.json":             {Alarm: exportsFired()},
		"alarms/sns-metric.json":                     {Alarm: exportsFired()},
		"alarms/direct-contributor-UNCONFIRMED.json": {Alarm: seriesFired()},
		"alarms/eventbridge-contributor.json":        {Alarm: seriesFired()},
		"alarms/sns-contributor.json":                {Alarm: seriesFired()},
		"alarms/direct-composite.json": {Alarm: &Alarm{
			Source: Fired, Name: "nightlatch-customer-exports", ARN: customerExports, AccountID: "111122223333", Region: "eu-west-1",
			Since: at("2026-03-04T00:03:41.431Z"), From: at("2026-03-03T23:58:00Z"), To: at("2026-03-04T00:03:00Z"), Period: time.Minute, Composite: "nightlatch-composite"}},
		"trails/otrf-ec2-proxy-s3-exfiltration/alarm.json": {Alarm: &Alarm{
			Source: Fired, Name: "nightlatch-bytes-downloaded", AccountID: "123456789123", Region: "us-east-1",
			ARN:   "arn:aws:cloudwatch:us-east-1:123456789123:alarm:nightlatch-bytes-downloaded",
			Since: at("2020-09-14T01:04:12.431Z"), Buckets: []string{"mordors3stack-s3bucket-llp2yingx64a"},
			From: at("2020-09-14T01:00:00Z"), To: at("2020-09-14T01:03:00Z"), Period: time.Minute,
			Bytes: new(int64(2089)), Claimed: new(int64(2089)), Threshold: new(400.0),
			Points: []Point{{at("2020-09-14T01:00:00Z"), 1000}, {at("2020-09-14T01:01:00Z"), 500}, {at("2020-09-14T01:02:00Z"), 589}},
		}},
	} {
		t.Run(file, func(t *testing.T) {
			got, err := Parse(sample(t, file))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Parse (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEverySharedPayloadIsKnown(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shared, "alarms", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skipf("no payloads: %s is missing", filepath.Join(shared, "alarms"))
	}
	for _, file := range files {
		if _, err := Parse(sample(t, "alarms/"+filepath.Base(file))); err != nil {
			t.Errorf("Parse(%s) = %v", file, err)
		}
	}
}

// edit parses a payload, changes it, and writes it again.
func edit(t *testing.T, file string, change func(map[string]any)) []byte {
	t.Helper()
	var tree map[string]any
	if err := json.Unmarshal(sample(t, file), &tree); err != nil {
		t.Fatal(err)
	}
	change(tree)
	text, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// in walks down a tree of objects.
func in(tree map[string]any, path ...string) map[string]any {
	for _, p := range path {
		tree = tree[p].(map[string]any)
	}
	return tree
}

func TestParseIgnoresWhatIsNoTheft(t *testing.T) {
	for name, c := range map[string]struct {
		file   string
		change func(map[string]any)
		want   string
	}{
		"the alarm went back to OK": {"alarms/direct-metric.json",
			func(e map[string]any) { in(e, "alarmData", "state")["value"] = "OK" }, "the state is OK, not ALARM"},
		"the alarm has no data": {"alarms/eventbridge-metric.json",
			func(e map[string]any) { in(e, "detail", "state")["value"] = "INSUFFICIENT_DATA" }, "the state is INSUFFICIENT_DATA, not ALARM"},
		"somebody edited the alarm": {"alarms/eventbridge-metric.json",
			func(e map[string]any) { e["detail-type"] = "CloudWatch Alarm Configuration Change" },
			"the alarm's configuration changed; its state did not"},
		"another metric": {"alarms/direct-metric.json", func(e map[string]any) {
			m := in(e, "alarmData", "configuration")["metrics"].([]any)[0].(map[string]any)
			in(m, "metricStat", "metric")["name"] = "BytesUploaded"
		}, "the alarm does not watch S3 BytesDownloaded"},
		"no metric at all": {"alarms/direct-metric.json",
			func(e map[string]any) { delete(in(e, "alarmData"), "configuration") }, "the alarm does not watch S3 BytesDownloaded"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(edit(t, c.file, c.change))
			if diff := cmp.Diff(Event{Ignored: c.want}, got); err != nil || diff != "" {
				t.Errorf("Parse = %v; (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestOneTransitionInSeveralShapesIsOneIncident(t *testing.T) {
	id := func(event []byte) string {
		t.Helper()
		e, err := Parse(event)
		if err != nil || e.Alarm == nil {
			t.Fatalf("Parse = %+v, %v", e, err)
		}
		return e.Alarm.ID()
	}
	for kind, files := range map[string][]string{
		"metric":      {"alarms/direct-metric.json", "alarms/eventbridge-metric.json", "alarms/sns-metric.json"},
		"contributor": {"alarms/direct-contributor-UNCONFIRMED.json", "alarms/eventbridge-contributor.json", "alarms/sns-contributor.json"},
	} {
		want := id(sample(t, files[0]))
		for _, f := range files[1:] {
			if got := id(sample(t, f)); got != want {
				t.Errorf("%s: %s has the id %q, want %q of %s", kind, f, got, want, files[0])
			}
		}
	}
	metric := id(sample(t, "alarms/direct-metric.json"))
	if contributor := id(sample(t, "alarms/sns-contributor.json")); contributor == metric {
		t.Errorf("two alarms have the one id %q", metric)
	}
	// A reason lists the most recent datapoints only; reasonData lists them all.
	short := edit(t, "alarms/eventbridge-metric.json", func(e map[string]any) {
		state := in(e, "detail", "state")
		state["reason"] = "Threshold Crossed: 2 datapoints were greater than the threshold (1073741824.0). " +
			"The most recent datapoints which crossed the threshold: [3113851289.0 (04/03/26 00:02:00)]."
		delete(state, "reasonData")
	})
	if got := id(short); got != metric {
		t.Errorf("the transition with fewer datapoints has the id %q, want %q", got, metric)
	}
	// CloudWatch's clock writes +0000, others write Z.
	z := edit(t, "alarms/direct-metric.json", func(e map[string]any) { in(e, "alarmData", "state")["timestamp"] = "2026-03-04T01:03:41.431+01:00" })
	if got := id(z); got != metric {
		t.Errorf("the transition with another spelling of its time has the id %q, want %q", got, metric)
	}
	later := edit(t, "alarms/direct-metric.json", func(e map[string]any) { in(e, "alarmData", "state")["timestamp"] = "2026-03-04T00:03:41.432+0000" })
	if got := id(later); got == metric {
		t.Errorf("two transitions have the one id %q", got)
	}
}

func TestParseReadsEveryInsightsQuery(t *testing.T) {
	for query, want := range map[string]bool{
		`SELECT SUM(BytesDownloaded) FROM SCHEMA("AWS/S3", BucketName, FilterId) WHERE FilterId = 'EntireBucket'`: true,
		"\n select sum( \"BytesDownloaded\" )\n from schema( \"AWS/S3\", BucketName)":                             true,
		`SELECT SUM(BytesDownloaded) FROM "AWS/S3"`:                                                               true,
		`SELECT AVG(BytesDownloaded) FROM "AWS/S3"`:                                                               true,
		`SELECT SUM(BytesUploaded) FROM SCHEMA("AWS/S3", BucketName)`:                                             false,
		`SELECT SUM(BytesDownloaded) FROM SCHEMA("Mine", BucketName)`:                                             false,
	} {
		event := edit(t, "alarms/direct-contributor-UNCONFIRMED.json", func(e map[string]any) {
			delete(in(e, "alarmData"), "alarmContributor")
			in(e, "alarmData", "configuration")["metrics"].([]any)[0].(map[string]any)["expression"] = query
		})
		got, err := Parse(event)
		if err != nil || (got.Alarm != nil) != want {
			t.Errorf("Parse(an alarm on %s) = %+v, %v, want an alarm: %t", query, got, err, want)
		}
	}
}

func TestParseFindsBucketsOfMetricMath(t *testing.T) {
	stat := func(bucket string) any {
		return map[string]any{"metricStat": map[string]any{"period": 300, "metric": map[string]any{"namespace": "AWS/S3",
			"name": "BytesDownloaded", "dimensions": map[string]any{"BucketName": bucket, "FilterId": "EntireBucket"}}}}
	}
	event := func(n int) []byte {
		return edit(t, "alarms/direct-metric.json", func(e map[string]any) {
			metrics := []any{map[string]any{"expression": "m1+m2", "returnData": true}}
			for i := range n {
				metrics = append(metrics, stat(fmt.Sprintf("bucket-%d", n-i)), stat(fmt.Sprintf("bucket-%d", n-i)))
			}
			in(e, "alarmData", "configuration")["metrics"] = metrics
			delete(in(e, "alarmData", "state"), "reasonData")
		})
	}
	got, err := Parse(event(2))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"bucket-1", "bucket-2"}, got.Alarm.Buckets); diff != "" || got.Alarm.Period != 5*time.Minute {
		t.Errorf("period %v; buckets (-want +got):\n%s", got.Alarm.Period, diff)
	}
	if _, err := Parse(event(maxBuckets)); err != nil {
		t.Errorf("Parse(an alarm over %d buckets) = %v", maxBuckets, err)
	}
	want := "alarm event: it names 11 buckets, more than the 10 that one alarm can watch"
	if got, err := Parse(event(maxBuckets + 1)); err == nil || err.Error() != want || got.Alarm != nil {
		t.Errorf("Parse(an alarm over too many buckets) = %+v, %v, want %s", got, err, want)
	}
}

func TestParseManual(t *testing.T) {
	got, err := Parse([]byte(`{"nightlatch":{"investigate":{"bucket":"customer-exports","from":"2026-03-04T01:01:00+01:00",
		"to":"2026-03-04T00:03:00Z","access_key_id":"AKIAIOSFODNN7EXAMPLE","bytes":5368709119}}}`))
	want := Event{Alarm: &Alarm{Source: Manual, Buckets: []string{"customer-exports"}, From: at("2026-03-04T00:01:00Z"),
		To: at("2026-03-04T00:03:00Z"), Since: at("2026-03-04T00:03:00Z"), Period: time.Minute, Bytes: new(int64(5368709119)),
		Claimed: new(int64(5368709119)), AccessKeyID: "AKIAIOSFODNN7EXAMPLE"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Parse = %v; (-want +got):\n%s", err, diff)
	}
	got, err = Parse([]byte(`{"nightlatch":{"investigate":{"bucket":"b.c","from":"2026-03-04T00:01:00Z","to":"2026-03-05T00:01:00Z"}}}`))
	if err != nil || got.Alarm.Bytes != nil || got.Alarm.AccessKeyID != "" {
		t.Errorf("Parse(the shortest question, a day long) = %+v, %v", got.Alarm, err)
	}
	got, err = Parse([]byte(`{"nightlatch":{"advance":{"incident":"20260304-000341-0123456789abcdef"}}}`))
	if diff := cmp.Diff(Event{Advance: "20260304-000341-0123456789abcdef"}, got); err != nil || diff != "" {
		t.Errorf("Parse(a follow-up) = %v; (-want +got):\n%s", err, diff)
	}
}
