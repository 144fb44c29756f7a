package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/casefolder"
	"nightlatch/internal/casefolder/casebucket"
	"nightlatch/internal/engines"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/posture"
	"nightlatch/internal/posture/awsposture"
	"nightlatch/internal/report"
	"nightlatch/internal/settings"
)

const (
	// reserve is what is left of the function's time when the trail is asked no more: the list's last part, and the manifest.
	reserve = time.Minute
	// lookTime is for the usual suspects of one incident: a few seconds where a call takes a tenth of one. The page waits for it.
	lookTime = 20 * time.Second
	// drawTime is for the picture of its minutes, a question over an hour of events, beside that. The page waits for it, too.
	drawTime = time.Minute
)

// keeper is what the function is made of.
type keeper struct {
	load  func(ctx context.Context, id string) (incident.Record, error)
	shelf func(incident string) casefolder.Shelf
	each  casefolder.Each
	look  func(ctx context.Context, buckets, users, roles []string) []posture.Suspect
	// lookTime and drawTime are the constants, but in tests.
	lookTime, drawTime time.Duration
	log                *slog.Logger
}

// build makes the function that the environment describes. It makes no call to AWS.
func build(cfg aws.Config, environ []string) (keeper, error) {
	s, err := settings.ParseKeeper(environ)
	if err != nil {
		return keeper{}, err
	}
	first, second, err := engines.Of(cfg, s.Responder)
	if err != nil {
		return keeper{}, err
	}
	table, err := dynamo.New(cfg, s.Table)
	if err != nil {
		return keeper{}, err
	}
	bucket, err := casebucket.New(cfg, settings.CaseBucket(s.Table), s.Accounts[0])
	if err != nil {
		return keeper{}, err
	}
	reader := awsposture.New(cfg, s.Accounts[0])
	return keeper{table.Load, bucket.Of, engines.Each(first, second), reader.Suspects, lookTime, drawTime, slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: s.LogLevel}))}, nil
}

// handle keeps each incident that a batch of the table's stream is about, as the table has it now. An error has Lambda try the batch again in halves:
// what is kept already is written no more.
func (k keeper) handle(ctx context.Context, batch events.DynamoDBEvent) error {
	asking := ctx
	if end, bounded := ctx.Deadline(); bounded {
		var done context.CancelFunc
		asking, done = context.WithDeadline(ctx, end.Add(-reserve))
		defer done()
	}
	var keys []string
	for _, r := range batch.Records {
		if key, is := r.Change.Keys[dynamo.PartitionKey]; is && key.DataType() == events.DataTypeString {
			keys = append(keys, key.String())
		}
	}
	var failed []error
	for _, id := range dynamo.Heard(keys) {
		log := k.log.With("incident", id)
		r, err := k.load(ctx, id)
		var wrote bool
		if err == nil {
			wrote, err = casefolder.Keep(ctx, asking, k.shelf(id), r, casefolder.Sources{Each: k.each, Draw: k.draw, Look: k.suspects})
		}
		if err != nil {
			log.ErrorContext(ctx, "the case folder is not whole", "wrote", wrote, "err", err)
			failed = append(failed, err)
			continue
		}
		log.InfoContext(ctx, "the case folder is kept", "wrote", wrote, "version", r.Version)
	}
	return errors.Join(failed...)
}

// draw asks for the minutes that an incident's page draws.
func (k keeper) draw(ctx context.Context, r incident.Record) ([]evidence.Slot, error) {
	ctx, done := context.WithTimeout(ctx, k.drawTime)
	defer done()
	answer, err := evidence.Collect(func(do func(evidence.Row) error) (evidence.Answer, error) { return k.each(ctx, report.CourseOf(r), do) })
	if err != nil {
		k.log.WarnContext(ctx, "the minutes of the page could not be asked for", "incident", r.ID, "err", err)
		return nil, err
	}
	return evidence.ReadCourse(answer.Rows)
}

// suspects goes through the usual suspects of an incident.
func (k keeper) suspects(ctx context.Context, r incident.Record) []posture.Suspect {
	ctx, done := context.WithTimeout(ctx, k.lookTime)
	defer done()
	buckets, users, roles := r.Suspected()
	list := k.look(ctx, buckets, users, roles)
	if n := posture.Count(list, posture.Unread); n > 0 {
		k.log.WarnContext(ctx, "not all suspects could be read", "incident", r.ID, "unread", n, "of", len(list))
	}
	return list
}
