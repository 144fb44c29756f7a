package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/cfn"

	"nightlatch/internal/prose"
	"nightlatch/internal/report"
	"nightlatch/internal/trail"
)

// lookUp answers where a trail's files lie, and fails the deployment where they do not hold what is watched. Deleting the resource deletes
// nothing: nothing was made.
//
// An update fails only where it makes things worse: CloudFormation goes back by one more update, which must not fail too.
func (e *enroller) lookUp(ctx context.Context, request cfn.Event) (map[string]any, error) {
	switch request.RequestType {
	case cfn.RequestDelete:
		return nil, nil
	case cfn.RequestCreate, cfn.RequestUpdate:
	default:
		return nil, fmt.Errorf("the request type %q is not Create, Update or Delete", request.RequestType)
	}
	t, wrong := e.readTrail(ctx, request.ResourceProperties)
	if wrong != nil {
		if t.ARN == "" || request.RequestType == cfn.RequestCreate {
			return nil, wrong
		}
		if _, before := e.readTrail(ctx, request.OldResourceProperties); before == nil {
			return nil, wrong
		}
	}
	warnings := t.Warnings()
	if request.ResourceProperties["Management"] != nil { // what it records of S3 is the other trail's
		warnings = nil
		if t.Hidden != "" {
			warnings = t.Warnings()
		}
	}
	if request.ResourceProperties["Beside"] != nil { // another has the management events
		warnings = slices.DeleteFunc(warnings, func(w string) bool { return strings.Contains(w, "managementTrail") })
	}
	e.log.InfoContext(ctx, "the trail was looked up", "trail", t.ARN, "location", t.Location(), "key", t.Key, "wrong", wrong, "warnings", warnings)
	if m, bad := trailNotice(t.ARN, wrong, warnings); bad {
		if err := e.notify(ctx, m); err != nil {
			e.log.ErrorContext(ctx, "the team was not notified", "err", err)
		}
	}
	return trailData(t), nil
}

// readTrail reads the trail of a resource's properties: Trail, its ARN, and Buckets, whose reads it has to record; or Management, where it has to record
// management events.
func (e *enroller) readTrail(ctx context.Context, properties map[string]any) (trail.Trail, error) {
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if !slices.Contains(append(given, "Trail", "Buckets", "Answers", "Management", "Beside"), name) {
			return trail.Trail{}, fmt.Errorf("the property %s is not one of Trail and Buckets", name)
		}
	}
	arn, _ := properties["Trail"].(string)
	names, err := buckets(properties["Buckets"])
	management := properties["Management"] != nil
	switch {
	case err != nil:
		return trail.Trail{}, err
	case arn == "":
		return trail.Trail{}, errors.New("the property Trail is missing: it is the ARN of a trail")
	case len(names) == 0 && !management:
		return trail.Trail{}, errNoBuckets
	}
	return trail.Look(ctx, e.trails, arn, trail.Wish{Account: e.account, Region: e.region, Buckets: names, Management: management})
}

// trailData is what the stack can read of the resource. Where no key encrypts the files, Key is the ARN of none: a role's policy must name
// something, and a key's id is a UUID (https://docs.aws.amazon.com/kms/latest/developerguide/concepts-key-id.html).
func trailData(t trail.Trail) map[string]any {
	key := t.Key
	if key == "" {
		parts := strings.Split(t.ARN, ":")
		key = "arn:" + parts[1] + ":kms:" + parts[3] + ":" + parts[4] + ":key/none"
	}
	return map[string]any{"Bucket": t.Bucket, "Folder": t.Folder(), "Key": key, "Records": t.Takes(), "Management": t.Deeds()}
}

// lookUpStore answers what an event data store takes of S3. A deployment does not fail where that cannot be read: some of it is what is said then.
func (e *enroller) lookUpStore(ctx context.Context, request cfn.Event) (map[string]any, error) {
	if request.RequestType == cfn.RequestDelete {
		return nil, nil
	}
	arn, _ := request.ResourceProperties["EventDataStore"].(string)
	s, err := e.stores.ReadStore(ctx, arn)
	if err != nil {
		e.log.WarnContext(ctx, "what the store records is not known", "store", arn, "err", err)
	}
	return map[string]any{"Records": s.Takes()}, nil
}

// trailNotice is the message about a trail, and whether there is anything to report. What others chose is escaped in the sentences.
func trailNotice(arn string, wrong error, warnings []string) (report.Message, bool) {
	name := prose.Safe(arn[strings.LastIndex(arn, "/")+1:])
	var m report.Message
	switch {
	case wrong != nil:
		m.Subject = "[nightlatch] NO EVIDENCE: trail " + name
		m.Body = "Nobody may be found when an alarm fires, because Athena reads this trail's files:\n" + wrong.Error() + "\n"
	case len(warnings) > 0:
		m.Subject = "[nightlatch] THE EVIDENCE HAS GAPS: trail " + name
		m.Body = "Some answers will be poorer than they could be:\n"
	default:
		return m, false
	}
	for _, w := range warnings {
		m.Body += w + "\n"
	}
	return m, true
}
