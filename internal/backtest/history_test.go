package backtest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/settings"
)

// remembered is an entry of a history: a change of state, with a datapoint where bytes are given.
func remembered(name, at, state, point string, bytes int64) map[string]any {
	data := map[string]any{"version": "1.0", "newState": map[string]any{"stateValue": state, "stateReason": "Threshold Crossed"}}
	if bytes > 0 {
		data["newState"].(map[string]any)["stateReasonData"] = map[string]any{"version": "1.0", "statistic": "Sum", "period": 60, "threshold": float64(1 << 30),
			"evaluatedDatapoints": []any{map[string]any{"timestamp": point, "value": float64(bytes)}}}
	}
	text, _ := json.Marshal(data)
	return map[string]any{"AlarmName": name, "AlarmType": "MetricAlarm", "Timestamp": at, "HistoryItemType": "StateUpdate", "HistorySummary": "Alarm updated", "HistoryData": string(text)}
}

func history(t *testing.T, items ...map[string]any) *History {
	t.Helper()
	text, err := json.Marshal(map[string]any{"AlarmHistoryItems": items})
	if err != nil {
		t.Fatal(err)
	}
	h, err := ReadHistory(append(text, []byte("\n{\"AlarmHistoryItems\":[]}\n")...))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestAHistoryIsRead(t *testing.T) {
	own := remembered("my-alarm", "2026-03-04T12:03:41.431000+00:00", "ALARM", "2026-03-04T12:00:00.000+0000", 3<<30)
	made := map[string]any{"AlarmName": "my-alarm", "Timestamp": "2026-01-01T00:00:00Z", "HistoryItemType": "ConfigurationUpdate", "HistorySummary": "made",
		"HistoryData": `{"version":"1.0","type":"Create","createdAlarm":{"metricName":"BytesDownloaded","dimensions":[{"name":"BucketName","value":"exports"},{"name":"FilterId","value":"x"}]}}`}
	contributor := remembered("nightlatch-every-bucket", "2026-03-04T13:03:41Z", "ALARM", "2026-03-04T13:00:00.000+0000", 2<<30)
	contributor["AlarmContributorAttributes"] = map[string]string{"BucketName": "logs"}
	broken := remembered("nightlatch-exports-1m", "2026-03-04T15:03:41Z", "ALARM", "", 0)
	broken["HistoryData"] = `{"version`
	h := history(t, remembered("nightlatch-exports-1m-07", "2026-03-04T12:10:00Z", "OK", "", 0), own, made, contributor, broken,
		remembered("nightlatch-exports-1m-07", "2026-03-04T12:02:00Z", "ALARM", "2026-03-04T12:00:00.000+0000", 3<<30),
		remembered("somebody's", "2026-03-04T12:03:41Z", "ALARM", "2026-03-04T12:00:00.000+0000", 3<<30),
		remembered("nightlatch-exports-1m", "2026-03-04T16:03:41Z", "ALARM", "", 0),
		remembered("nightlatch-exports-1m", "2026-02-04T16:03:41Z", "ALARM", "2026-02-04T16:00:00.000+0000", 3<<30))
	minutes := []alarm.Point{{Start: noon, Bytes: 3 << 30}}
	all, firings, notes := h.firings([]Series{{Bucket: "exports", Thresholds: settings.DefaultThresholds(""), Minutes: minutes}}, noon.Add(-time.Hour), noon.Add(24*time.Hour))
	if len(all) != 2 || all[0].Bucket != "exports" || all[1].Bucket != "logs" || len(all[0].Thresholds) != 1 || all[0].Thresholds[0] != (settings.Threshold{Bytes: 1 << 30, Period: settings.Minute}) {
		t.Errorf("got the series %+v", all)
	}
	var got []string
	for _, f := range firings {
		got = append(got, fmt.Sprintf("%s %s to %s, %d above %s", f.series.Bucket, f.At.Format(time.TimeOnly), f.Until.Format(time.TimeOnly), f.Most>>30, f.Threshold))
	}
	want := "exports 12:01:00 to 12:10:00, 3 above 1GiB/1m; exports 12:01:00 to 12:03:41, 3 above 1GiB/1m; logs 13:01:00 to 13:03:41, 2 above 1GiB/1m"
	if strings.Join(got, "; ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "; "), want)
	}
	for i, part := range []string{"cannot be read", "alarm somebody's: the history does not say which bucket", "does not say its datapoints", "1 alarm of the history lie outside"} {
		if len(notes) != 4 || !strings.Contains(notes[i], part) {
			t.Errorf("note %d of %q does not say %q", i, notes, part)
		}
	}
	reckoned := Fire(minutes, all[0].Thresholds[0])
	reckoned[0].Bucket = "exports"
	if said := compare(firings, reckoned); len(said) != 2 || !strings.Contains(said[0], "2 of 3 had fired by the trail") {
		t.Errorf("got %q", said)
	}
	if said := compare(nil, reckoned); len(said) != 2 || !strings.Contains(said[1], "By the trail 1 alarm more") {
		t.Errorf("got %q", said)
	}
}

func TestWhatIsNoHistory(t *testing.T) {
	for text, want := range map[string]string{`{"MetricAlarms":[]}`: `no "AlarmHistoryItems"`, `[`: "at byte", `{"AlarmHistoryItems":[{"Timestamp":"noon"}]}`: "at byte", `{} {`: "AlarmHistoryItems"} {
		if _, err := ReadHistory([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}
