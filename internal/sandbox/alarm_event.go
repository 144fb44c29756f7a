package sandbox

import (
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

// alarmEvent writes the event that CloudWatch sends to a Lambda for these datapoints.
func alarmEvent(name string, at time.Time, threshold float64, points []alarm.Point, metrics []any) ([]byte, error) {
	var evaluated []any
	var recent []float64
	for _, p := range points {
		recent = append(recent, float64(p.Bytes))
		evaluated = append(evaluated, map[string]any{"timestamp": p.Start.Format(awsTime), "value": float64(p.Bytes)})
	}
	data, err := json.Marshal(map[string]any{"version": "1.0", "startDate": points[0].Start.Format(awsTime), "statistic": "Sum",
		"period": 60, "recentDatapoints": recent, "threshold": threshold, "evaluatedDatapoints": evaluated})
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(map[string]any{
		"source": "aws.cloudwatch", "alarmArn": "arn:aws:cloudwatch:" + region + ":" + accountID + ":alarm:" + name,
		"accountId": accountID, "time": at.Format(awsTime), "region": region,
		"alarmData": map[string]any{
			"alarmName": name,
			"state": map[string]any{"value": "ALARM", "timestamp": at.Format(awsTime), "reasonData": string(data),
				"reason": fmt.Sprintf("Threshold Crossed: %d datapoints were greater than the threshold (%.1f).", len(points), threshold)},
			"previousState": map[string]any{"value": "OK", "timestamp": at.Add(-time.Hour).Format(awsTime)},
			"configuration": map[string]any{"description": "Bytes downloaded in one minute", "metrics": metrics},
		},
	}, "", "  ")
}
