package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"nightlatch/internal/settings"
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
	if n := len(tpl.resources("AWS::KMS::Key")); n != keys || watching != ownAlarms {
		t.Errorf("the stack has %d keys and %d alarms on itself; cost.go says %d and %d", n, watching, keys, ownAlarms)
	}
	type row struct {
		what string
		of   func(buckets float64) float64
	}
	both := []row{
		{fmt.Sprintf("request metrics | %d a bucket; $%.2f each for the first %d,000, then $%.2f", metricsOfABucket, perMetric, firstMetrics/1000, perFurtherMetric), metricsCost},
		{fmt.Sprintf("alarms | %d a bucket, and %d on Nightlatch itself; $%.2f each", perBucket, watching, perAlarm), func(b float64) float64 {
			return (float64(perBucket)*b + float64(watching)) * perAlarm
		}},
		{fmt.Sprintf("alarms over all buckets together | %d; $%.2f for each bucket in each", together, perAlarm), func(b float64) float64 {
			return float64(together) * b * perAlarm
		}},
		{fmt.Sprintf("the keys of the two topics | $%.2f each", perKey), func(float64) float64 { return keys * perKey }},
	}
	lake := firedAMonth * 1000 * gbOfAMillionReads * refused * 0.5 / 24 / 30 * perScannedGB
	files := firedAMonth * 1000 * gbOfZippedReads * refused / 30 / 1024 * perScannedTB
	if text := fmt.Sprintf("For all ten alarms that is %s with Lake and %s with Athena for 1,000 buckets", dollars(lake), dollars(files)); !strings.Contains(strings.Join(strings.Fields(string(readme)), " "), text) {
		t.Errorf("infra/README.md does not say %q", text)
	}
	if text := fmt.Sprintf("It costs about %s a month: two keys, four alarms, and a queue", dollars(hubCost)); !strings.Contains(string(readme), text) {
		t.Errorf("infra/README.md does not say %q", text)
	}
	for engine, own := range map[string][]row{
		"CloudTrail Lake": {
			{fmt.Sprintf("events into CloudTrail Lake | %.1f GB a million reads; $%.2f a GB", gbOfAMillionReads, perIngestedGB), ingestCost},
			{fmt.Sprintf("a look for copies each hour, Lake | two hours of events, $%.3f a GB", perScannedGB), lookLakeCost},
			{fmt.Sprintf("%d fired alarms, Lake | at most %d days of events scanned, $%.3f a GB; Lambda for 15 minutes", firedAMonth, 14+callers+bystanders+narrowed+lineages*3/2+taken/2+minutes/2, perScannedGB), answerLakeCost},
		},
		"a trail": {
			{fmt.Sprintf("or data events into a trail | $%.2f for 100,000 reads", perDataEvents), recordCost},
			{fmt.Sprintf("its files | %.1f GB a million reads, kept for %d days; $%.3f a GB and month", gbOfZippedReads, trailDays, perStoredGB), storedCost},
			{fmt.Sprintf("a look for copies each hour, Athena | a day of files, $%.2f a TB", perScannedTB), lookFilesCost},
			{fmt.Sprintf("%d fired alarms, Athena | 14, %d, %d and %d days of files scanned once, and %d times a day's; $%.2f a TB; Lambda for 15 minutes", firedAMonth, callers, bystanders, narrowed, rounds+lineages*3+taken+minutes, perScannedTB), answerFilesCost},
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
