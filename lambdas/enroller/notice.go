package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"nightlatch/internal/enroll"
	"nightlatch/internal/incident"
	"nightlatch/internal/prose"
	"nightlatch/internal/report"
	"nightlatch/internal/settings"
)

// maxNamed is how many buckets one sentence names.
const maxNamed = 10

// report writes a result to the log.
func (e *enroller) report(ctx context.Context, r enroll.Result) {
	e.log.InfoContext(ctx, "request metrics reconciled", "enrolled", r.Enrolled, "already", len(r.Already), "withdrawn", r.Withdrawn,
		"refused", len(r.Refused), "left", len(r.Left), "elsewhere", len(r.Elsewhere), "unreached", len(r.Unreached))
	for _, refusal := range slices.Concat(r.Refused, r.Left) {
		e.log.WarnContext(ctx, "a bucket refused", "bucket", refusal.Bucket, "err", refusal.Err)
	}
}

// quiet leaves out what is no news to anybody in the daily check, or when a bucket was made.
func quiet(r enroll.Result) enroll.Result {
	r.Elsewhere = nil
	r.Refused = slices.DeleteFunc(r.Refused, func(f enroll.Refusal) bool {
		return errors.Is(f.Err, enroll.ErrGone) || errors.Is(f.Err, enroll.ErrElsewhere)
	})
	return r
}

// unwatched are the sentences about buckets that the alarms do not see, one a line.
func unwatched(r enroll.Result) []string {
	lines := sentences(r.Refused)
	if n := len(r.Elsewhere); n > 0 {
		var names []string
		for _, b := range r.Elsewhere {
			names = append(names, b.Name+" ("+b.Region+")")
		}
		lines = append(lines, fmt.Sprintf("buckets in other regions are not watched from here (%d); deploy Nightlatch there too: %s", n, named(names)))
	}
	return lines
}

func sentences(refusals []enroll.Refusal) []string {
	var lines []string
	for _, f := range refusals {
		lines = append(lines, prose.Safe(f.Err.Error()))
	}
	return lines
}

// named lists the first few.
func named(names []string) string {
	if len(names) > maxNamed {
		return prose.Safe(strings.Join(names[:maxNamed], ", ")) + fmt.Sprintf(" and %d more", len(names)-maxNamed)
	}
	return prose.Safe(strings.Join(names, ", "))
}

// notify notifies the team, with the account and region that a message is about.
func (e *enroller) notify(ctx context.Context, m report.Message) error {
	m.Body += "\n"
	return e.team.Send(ctx, m.In(incident.Place{AccountID: e.account, Alias: e.alias(ctx, e.log), Region: e.region}))
}

// notice is the message about a result, and whether there is anything to report. again are the buckets that lacked their request metrics
// although they are watched, and have them now.
func notice(r enroll.Result, again []string) (report.Message, bool) {
	bad, left, late := unwatched(r), sentences(r.Left), len(r.Unreached)
	m := report.Message{Subject: "[nightlatch] "}
	switch refused := len(r.Refused) + len(r.Elsewhere); {
	case refused == 1 && len(r.Refused) == 1:
		m.Subject += "NOT WATCHED: " + prose.Safe(r.Refused[0].Bucket)
	case refused > 0:
		m.Subject += fmt.Sprintf("NOT WATCHED: %d buckets", refused)
	case late > 0:
		m.Subject += fmt.Sprintf("NOT DONE IN TIME: %d buckets", late)
	case len(again) == 1:
		m.Subject += "WAS NOT WATCHED: " + prose.Safe(again[0])
	case len(again) > 1:
		m.Subject += fmt.Sprintf("WERE NOT WATCHED: %d buckets", len(again))
	case len(left) > 0:
		m.Subject += "REQUEST METRICS LEFT ON"
	default:
		return report.Message{}, false
	}
	var sections []string
	if len(bad) > 0 {
		sections = append(sections, "No alarm can fire for these buckets, because their request metrics are not switched on:\n"+strings.Join(bad, "\n"))
	}
	if len(again) > 0 {
		sections = append(sections, fmt.Sprintf("The daily check found no request metrics on these buckets (%d) and switched them on; data come in about 15 minutes. "+
			"Unless a bucket is new, somebody took them away, and until now no alarm could fire for it; CloudTrail knows who, as "+
			"DeleteBucketMetricsConfiguration:\n%s", len(again), named(again)))
	}
	if late > 0 {
		sections = append(sections, fmt.Sprintf("The time was over before these were done with (%d):\n%s", late, named(r.Unreached)))
	}
	if len(left) > 0 {
		sections = append(sections, "Request metrics that nobody needs any more are still on, and cost money. Where the bucket is known, take them away by hand:\n"+
			"aws s3api delete-bucket-metrics-configuration --id "+settings.OwnFilterID+" --bucket BUCKET\n"+strings.Join(left, "\n"))
	}
	m.Body = strings.Join(sections, "\n\n") + "\n"
	return m, true
}
