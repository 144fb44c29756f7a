package sandbox

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"nightlatch/internal/alarm"
)

// awsTime is how an alarm's payload writes times.
const awsTime = "2006-01-02T15:04:05.000-0700"

// alarm is the event of the midnight: one alarm on the sum over the three buckets, sent straight to a Lambda.
func (s *story) alarm() ([]byte, error) {
	sums := map[time.Time]int64{}
	for _, points := range s.Meter.Buckets {
		for _, p := range points {
			if !p.Start.Before(theft) && p.Start.Before(theft.Add(5*time.Minute)) {
				sums[p.Start] += p.Bytes
			}
		}
	}
	var points []alarm.Point
	for t, n := range sums {
		points = append(points, alarm.Point{Start: t, Bytes: n})
	}
	sortPoints(points)
	metrics := []any{map[string]any{"id": "sum", "expression": "SUM(METRICS())", "returnData": true}}
	for i, b := range buckets {
		metrics = append(metrics, map[string]any{"id": fmt.Sprintf("m%d", i+1), "returnData": false, "metricStat": map[string]any{
			"metric": map[string]any{"namespace": "AWS/S3", "name": "BytesDownloaded", "dimensions": map[string]string{"BucketName": b, "FilterId": "EntireBucket"}},
			"period": 60, "stat": "Sum"}})
	}
	return alarmEvent("nightlatch-crown-jewels", fired, threshold, points, metrics)
}

// alarmEvent is the event of an alarm of the midnight's account.
func alarmEvent(name string, at time.Time, threshold float64, points []alarm.Point, metrics []any) ([]byte, error) {
	return AlarmEvent(Transition{Name: name, AccountID: accountID, Region: region, At: at, Period: time.Minute, Threshold: threshold, Points: points, Metrics: metrics})
}

// Transition is an alarm's transition to ALARM.
type Transition struct {
	Name, AccountID, Region string
	At                      time.Time
	Period                  time.Duration
	Threshold               float64
	// Points are the datapoints that it was evaluated on, oldest first; one at least, where there is no Reason.
	Points []alarm.Point
	// Reason and ReasonData are what CloudWatch says of it, where that is known; "" is made of the above.
	Reason, ReasonData string
	// Metrics are the alarm's own, as its configuration has them.
	Metrics []any
}

// BucketMetrics are the metrics of an alarm on the bytes that leave one bucket.
func BucketMetrics(period time.Duration, bucket string) []any {
	return []any{map[string]any{"id": "m1", "returnData": true, "metricStat": map[string]any{
		"metric": map[string]any{"namespace": "AWS/S3", "name": "BytesDownloaded", "dimensions": map[string]string{"BucketName": bucket, "FilterId": "EntireBucket"}},
		"period": int(period.Seconds()), "stat": "Sum"}}}
}

// AlarmEvent writes the event that CloudWatch sends to a Lambda:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html
func AlarmEvent(t Transition) ([]byte, error) {
	if t.ReasonData == "" && t.Reason == "" {
		var err error
		if t.Reason, t.ReasonData, err = t.reason(); err != nil {
			return nil, err
		}
	}
	partition := cmp.Or(alarm.Alarm{Region: t.Region}.Partition(), "aws")
	return json.MarshalIndent(map[string]any{
		"source": "aws.cloudwatch", "alarmArn": "arn:" + partition + ":cloudwatch:" + t.Region + ":" + t.AccountID + ":alarm:" + t.Name,
		"accountId": t.AccountID, "time": t.At.Format(awsTime), "region": t.Region,
		"alarmData": map[string]any{
			"alarmName":     t.Name,
			"state":         map[string]any{"value": "ALARM", "timestamp": t.At.Format(awsTime), "reasonData": t.ReasonData, "reason": t.Reason},
			"previousState": map[string]any{"value": "OK", "timestamp": t.At.Add(-time.Hour).Format(awsTime)},
			"configuration": map[string]any{"description": "Bytes downloaded", "metrics": t.Metrics},
		},
	}, "", "  ")
}

// reason is why the alarm fired, by its datapoints.
func (t Transition) reason() (text, data string, err error) {
	var evaluated []any
	var recent []float64
	for _, p := range t.Points {
		recent = append(recent, float64(p.Bytes))
		evaluated = append(evaluated, map[string]any{"timestamp": p.Start.Format(awsTime), "value": float64(p.Bytes)})
	}
	all, err := json.Marshal(map[string]any{"version": "1.0", "startDate": t.Points[0].Start.Format(awsTime), "statistic": "Sum",
		"period": int(t.Period.Seconds()), "recentDatapoints": recent, "threshold": t.Threshold, "evaluatedDatapoints": evaluated})
	return fmt.Sprintf("Threshold Crossed: %d datapoints were greater than the threshold (%.1f).", len(t.Points), t.Threshold), string(all), err
}
