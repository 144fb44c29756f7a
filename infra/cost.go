package main

import (
	"fmt"
	"strings"

	"nightlatch/internal/settings"
)

// Prices in US dollars, us-east-1, as this folder's README says where they come from.
const (
	firstMetrics, perMetric, perFurtherMetric = 10_000, 0.30, 0.10 // custom metrics, a month
	metricsOfABucket                          = 16
	perAlarm                                  = 0.10 // a month
	perIngestedGB, perScannedGB               = 0.75, 0.005
	perKey, keys                              = 1.00, 2 // a month, of the two topics
	perSecret                                 = 0.40    // a month
	perGBSecond                               = 0.0000133334
	gbOfAMillionReads                         = 1.8 // records of 1.8 KB
	perDataEvents, perScannedTB, perStoredGB  = 0.10, 5.00, 0.023
	gbOfZippedReads                           = 0.2 // a trail's files are zipped; those that we have take 131 to 232 bytes a record
	// ownAlarms are on Nightlatch itself.
	ownAlarms = 11
	// hubAlarms are on the hub, and perQueue is for a queue that Lambda asks all the time, where the free tier is used up.
	hubAlarms, perQueue = 4, 0.26
	hubCost             = keys*perKey + hubAlarms*perAlarm + perQueue
)

// A month has ten fired alarms, and each bucket a million reads.
//
// A lineage is asked for four times, two questions each mostly, over a day and a half of events, or three days of files.
// Who else works with the credentials is a question over seven days, once. Whom a step would hit is one over fourteen, where it hits many.
// After a deny it is asked at two follow-ups what was refused since: over half an hour of events at most, or a day of files.
// What was taken is asked for twice, over half a day of events at most, or a day of files.
// The minutes of its picture are asked for twice, over seven hours of events at most, or a day of files.
// What the principal used of S3 is asked for once, over fourteen days.
const (
	firedAMonth, rounds, lineages, callers, bystanders, refused, taken, minutes, narrowed = 10, 20, 4 * 2, 7, 14, 2, 2, 2, 14
	answering                                                                             = firedAMonth * 15 * 60 * 0.5 * perGBSecond
)

// Each is what a month costs for so many buckets.
func metricsCost(buckets float64) float64 {
	n := buckets * metricsOfABucket
	return min(n, firstMetrics)*perMetric + max(n-firstMetrics, 0)*perFurtherMetric
}

func ingestCost(buckets float64) float64 { return buckets * gbOfAMillionReads * perIngestedGB }

func lookLakeCost(buckets float64) float64 { return 2 * buckets * gbOfAMillionReads * perScannedGB }

func answerLakeCost(buckets float64) float64 {
	return firedAMonth*buckets*gbOfAMillionReads*(14+callers+bystanders+narrowed+lineages*1.5+taken/2+minutes/2)/30*perScannedGB + answering
}

func recordCost(buckets float64) float64 { return buckets * 10 * perDataEvents }

func storedCost(buckets float64) float64 {
	return buckets * gbOfZippedReads * trailDays / 30.5 * perStoredGB
}

func lookFilesCost(buckets float64) float64 {
	return 24 * buckets * gbOfZippedReads / 1024 * perScannedTB
}

func answerFilesCost(buckets float64) float64 {
	return firedAMonth*buckets*gbOfZippedReads*(14+callers+bystanders+narrowed+rounds+lineages*3+taken+minutes)/30/1024*perScannedTB + answering
}

// monthly is about what a stack costs a month, by the table of this folder's README: fixed, and for each bucket that * watches, as nobody knows
// how many there are.
func (s Settings) monthly() (fixed, eachMore float64) {
	named := 0.0
	for _, b := range s.Buckets {
		if b.Name != settings.EveryBucket {
			named++
		}
	}
	own := float64(ownAlarms)
	if s.cuts() {
		own++
	}
	if s.Canary != "" {
		own, fixed = own+1, perSecret
	}
	of := func(buckets float64) float64 {
		sum := float64(len(s.Total)) * buckets * perAlarm
		if s.Filter == settings.OwnFilterID {
			sum += metricsCost(buckets)
		}
		if s.EventDataStore == made {
			sum += ingestCost(buckets)
		}
		if s.Trail == made {
			sum += recordCost(buckets) + storedCost(buckets)
		}
		if s.Evidence == settings.Lake {
			return sum + lookLakeCost(buckets) + answerLakeCost(buckets)
		}
		return sum + lookFilesCost(buckets) + answerFilesCost(buckets)
	}
	fixed += own*perAlarm + keys*perKey + of(named)
	for _, b := range s.Buckets {
		if b.Name == settings.EveryBucket {
			eachMore = of(1) - of(0) + float64(len(b.Thresholds))*perAlarm
			continue
		}
		fixed += float64(len(b.Thresholds)) * perAlarm
	}
	return fixed, eachMore
}

// costs says what a month of each stack costs, and of all together, before anything is deployed.
func (p plan) costs() string {
	var text strings.Builder
	var all float64
	var open bool
	for _, s := range p.stacks {
		fixed, each := s.monthly()
		all, open = all+fixed, open || each > 0
		name := ""
		if s.name() != stackName {
			name = s.name() + ", "
		}
		fmt.Fprintf(&text, "Nightlatch: %smode %s: about %s a month", name, s.Mode, dollars(fixed))
		if each > 0 {
			fmt.Fprintf(&text, ", and %s for each bucket that * watches", dollars(each))
		}
		text.WriteString("\n")
	}
	n := len(p.stacks)
	if p.hub != nil {
		n, all = n+1, all+hubCost
		fmt.Fprintf(&text, "Nightlatch: %s: about %s a month\n", hubName, dollars(hubCost))
	}
	if n > 1 {
		fmt.Fprintf(&text, "Nightlatch: %d stacks: about %s a month", n, dollars(all))
		if open {
			text.WriteString(", and what * watches")
		}
		text.WriteString("\n")
	}
	text.WriteString("Nightlatch: a million reads a bucket and ten alarms are assumed; infra/README.md#costs says what else\n")
	return text.String()
}

// dollars writes 5193.66 as $5,193.66.
func dollars(v float64) string {
	text := fmt.Sprintf("%.2f", v)
	if n := len(text); n > len("999.99") {
		text = text[:n-6] + "," + text[n-6:]
	}
	if n := len(text); n > len("999,999.99") {
		text = text[:n-10] + "," + text[n-10:]
	}
	return "$" + text
}
