package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"nightlatch/internal/deployment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/posture"
	"nightlatch/internal/prose"
	"nightlatch/internal/report"
	"nightlatch/internal/sandbox"
)

// narrow prints a policy for each user that allows what it used of S3 before the incident, if a trail is given.
func (c *suspectsCmd) narrow(ctx context.Context, d *deployment.Deployment, users []string, s streams) error {
	if len(c.Trail) == 0 || len(users) == 0 {
		return nil
	}
	engine, err := openTrail(ctx, c.Trail, false, s)
	if err != nil {
		return err
	}
	defer engine.Close()
	first, _, _, err := sandbox.Reach(ctx, engine)
	if err != nil {
		return err
	}
	for _, user := range users {
		answer, err := engine.Ask(ctx, evidence.Exercised{User: user, AccountID: d.Account, From: first, To: c.rec.Alarm.From})
		if err != nil {
			return err
		}
		uses, partial, err := evidence.ReadExercised(answer.Rows)
		if err != nil {
			return err
		}
		if err := printNarrowed(s.out, d, user, first, c.rec.Alarm.From, uses, partial, answer.Lost); err != nil {
			return err
		}
	}
	return nil
}

// printNarrowed prints one user's policy, and what is not in it.
func printNarrowed(out io.Writer, d *deployment.Deployment, user string, from, to time.Time, recorded []evidence.S3Use, partial bool, lost []string) error {
	var uses []posture.S3Use
	for _, u := range recorded {
		uses = append(uses, posture.S3Use{Call: u.Call, Bucket: u.Bucket, Folder: u.Folder, Source: u.Source, Version: u.Version})
	}
	partition, _, _ := strings.Cut(strings.TrimPrefix(d.Caller, "arn:"), ":")
	policy, left, err := posture.Narrow(partition, uses)
	if err != nil {
		return err
	}
	if partial {
		left = append(left, "what comes after the first thousand calls, buckets and folders")
	}
	for _, l := range lost {
		left = append(left, "what could not be read: "+prose.Safe(l))
	}
	text := "Only what was recorded, " + prose.Window(from, to) + ": it ends where the alarm's window begins. A thief who was there before stands in it, too. Not in it is what the trail does not record, " +
		"such as reads of buckets that it leaves out, the keys of KMS, and every other service. Try it on a copy of the user first."
	if policy == "" {
		text = "Nothing that a policy could allow was recorded, " + prose.Window(from, to) + "."
	}
	fmt.Fprintf(out, "\nWHAT %s USED OF S3, AS A POLICY\n\n%s", prose.Safe(user), report.Wrapped(text, columnsOf(out)))
	if policy != "" {
		fmt.Fprintf(out, "\n%s\n", policy)
	}
	for _, l := range left {
		fmt.Fprintf(out, "  - not in it: %s\n", l)
	}
	return nil
}
