package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"nightlatch/internal/settings"
)

// Prices in US dollars, us-east-1, as this folder's README says where they come from.
const (
	firstMetrics, perMetric, perFurtherMetric = 10_000, 0.30, 0.10 // custom metrics, a month
	metricsOfABucket                          = 16
	perAlarm                                  = 0.10 // a month
	perIngestedGB, perScannedGB               = 0.75, 0.005
	perKey                                    = 1.00 // a month
	perGBSecond                               = 0.0000133334
	gbOfAMillionReads                         = 1.8 // records of 1.8 KB
	perDataEvents, perScannedTB, perStoredGB  = 0.10, 5.00, 0.023
	gbOfZippedReads                           = 0.2 // a trail's files are zipped; those that we have take 131 to 232 bytes a record
)

// The table in this folder's README of what a month costs is what these prices make of the stack as it is.
func TestTheReadmeSaysWhatAMonthCosts(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	tpl := synth(t)
	watching := len(tpl.resources("AWS::CloudWatch::Alarm")) - len(ours(t, tpl))
	together := len(settings.DefaultTotal([]settings.Bucket{{Name: "a-bucket", Thresholds: settings.DefaultThresholds("a-bucket")}, {Name: settings.EveryBucket}}))
	perBucket := len(settings.DefaultThresholds("a-bucket"))
	keys := len(tpl.resources("AWS::KMS::Key"))
	// A lineage is asked for four times, two questions each mostly, over a day and a half of events, or three days of files.
	// Who else works with the credentials is a question over seven days, once. Whom a step would hit is one over fourteen, where it hits many.
	// After a deny it is asked at two follow-ups what was refused since: over half an hour of events at most, or a day of files.
	// What was taken is asked for twice, over half a day of events at most, or a day of files.
	// The minutes of its picture are asked for twice, over seven hours of events at most, or a day of files.
	// What the principal used of S3 is asked for once, over fourteen days.
	const firedAMonth, rounds, lineages, callers, bystanders, refused, taken, minutes, narrowed = 10, 20, 4 * 2, 7, 14, 2, 2, 2, 14
	lambda := firedAMonth * 15 * 60 * 0.5 * perGBSecond
	type row struct {
		what string
		of   func(buckets float64) float64
	}
	both := []row{
		{fmt.Sprintf("request metrics | %d a bucket; $%.2f each for the first %d,000, then $%.2f", metricsOfABucket, perMetric, firstMetrics/1000, perFurtherMetric), func(b float64) float64 {
			n := b * metricsOfABucket
			return min(n, firstMetrics)*perMetric + max(n-firstMetrics, 0)*perFurtherMetric
		}},
		{fmt.Sprintf("alarms | %d a bucket, and %d on Nightlatch itself; $%.2f each", perBucket, watching, perAlarm), func(b float64) float64 {
			return (float64(perBucket)*b + float64(watching)) * perAlarm
		}},
		{fmt.Sprintf("alarms over all buckets together | %d; $%.2f for each bucket in each", together, perAlarm), func(b float64) float64 {
			return float64(together) * b * perAlarm
		}},
		{fmt.Sprintf("the keys of the two topics | $%.2f each", perKey), func(float64) float64 { return float64(keys) * perKey }},
	}
	lake := firedAMonth * 1000 * gbOfAMillionReads * refused * 0.5 / 24 / 30 * perScannedGB
	files := firedAMonth * 1000 * gbOfZippedReads * refused / 30 / 1024 * perScannedTB
	if text := fmt.Sprintf("For all ten alarms that is %s with Lake and %s with Athena for 1,000 buckets", dollars(lake), dollars(files)); !strings.Contains(strings.Join(strings.Fields(string(readme)), " "), text) {
		t.Errorf("infra/README.md does not say %q", text)
	}
	for engine, own := range map[string][]row{
		"CloudTrail Lake": {
			{fmt.Sprintf("events into CloudTrail Lake | %.1f GB a million reads; $%.2f a GB", gbOfAMillionReads, perIngestedGB), func(b float64) float64 {
				return b * gbOfAMillionReads * perIngestedGB
			}},
			{fmt.Sprintf("a look for copies each hour, Lake | two hours of events, $%.3f a GB", perScannedGB), func(b float64) float64 {
				return 2 * b * gbOfAMillionReads * perScannedGB
			}},
			{fmt.Sprintf("%d fired alarms, Lake | at most %d days of events scanned, $%.3f a GB; Lambda for 15 minutes", firedAMonth, 14+callers+bystanders+narrowed+lineages*3/2+taken/2+minutes/2, perScannedGB), func(b float64) float64 {
				return firedAMonth*b*gbOfAMillionReads*(14+callers+bystanders+narrowed+lineages*1.5+taken/2+minutes/2)/30*perScannedGB + lambda
			}},
		},
		"a trail": {
			{fmt.Sprintf("or data events into a trail | $%.2f for 100,000 reads", perDataEvents), func(b float64) float64 { return b * 10 * perDataEvents }},
			{fmt.Sprintf("its files | %.1f GB a million reads, kept for %d days; $%.3f a GB and month", gbOfZippedReads, trailDays, perStoredGB), func(b float64) float64 {
				return b * gbOfZippedReads * trailDays / 30.5 * perStoredGB
			}},
			{fmt.Sprintf("a look for copies each hour, Athena | a day of files, $%.2f a TB", perScannedTB), func(b float64) float64 {
				return 24 * b * gbOfZippedReads / 1024 * perScannedTB
			}},
			{fmt.Sprintf("%d fired alarms, Athena | 14, %d, %d and %d days of files scanned once, and %d times a day's; $%.2f a TB; Lambda for 15 minutes", firedAMonth, callers, bystanders, narrowed, rounds+lineages*3+taken+minutes, perScannedTB), func(b float64) float64 {
				return firedAMonth*b*gbOfZippedReads*(14+callers+bystanders+narrowed+rounds+lineages*3+taken+minutes)/30/1024*perScannedTB + lambda
			}},
		},
	} {
		var few, many float64
		for _, r := range slices.Concat(both, own) {
			text := fmt.Sprintf("| %s | %s | %s |", r.what, dollars(r.of(10)), dollars(r.of(1000)))
			few, many = few+r.of(10), many+r.of(1000)
			if !strings.Contains(string(readme), text+"\n") {
				t.Errorf("infra/README.md has no row\n%s", text)
			}
		}
		if text := fmt.Sprintf("| **a month with %s** | | **%s** | **%s** |\n", engine, dollars(few), dollars(many)); !strings.Contains(string(readme), text) {
			t.Errorf("infra/README.md has no row\n%s", text)
		}
	}
}

// dollars writes 5193.66 as $5,193.66.
func dollars(v float64) string {
	text := fmt.Sprintf("%.2f", v)
	if n := len(text); n > len("999.99") {
		text = text[:n-6] + "," + text[n-6:]
	}
	return "$" + text
}
