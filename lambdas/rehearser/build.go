package main

import (
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/clock"
	"nightlatch/internal/containment/awsaccount"
	"nightlatch/internal/incident"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/notify"
	"nightlatch/internal/notify/sns"
	"nightlatch/internal/rehearsal/awscanary"
	"nightlatch/internal/settings"
)

// rehearser is the function's state.
type rehearser struct {
	canary   *awscanary.Canary
	table    *dynamo.Store
	channels []notify.Channel
	place    incident.Place
	days     int
	now      func() time.Time
	log      *slog.Logger
}

// build makes the rehearser that the environment describes, with what the deployment put beside the code. It makes no call to AWS.
func build(cfg aws.Config, environ []string, root string) (*rehearser, error) {
	s, err := settings.ParseRehearser(environ)
	if err != nil {
		return nil, err
	}
	table, err := dynamo.New(cfg, s.Table)
	if err != nil {
		return nil, err
	}
	account, err := awsaccount.New(cfg, awsaccount.Settings{})
	if err != nil {
		return nil, err
	}
	canary := awscanary.New(cfg, account, awscanary.Settings{User: s.User, Bucket: s.Bucket, Secret: s.Secret, Function: s.Function})
	r := &rehearser{canary: canary, table: table, place: incident.Place{AccountID: s.Account, Region: cfg.Region}, days: s.Days, now: time.Now,
		log: slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: s.LogLevel}))}
	topics := sns.Deployment{Team: s.Topic, Others: s.Topics, Watchers: s.Watchers, Dir: root, Turns: table.Turns(notify.Interval)}
	r.channels, err = topics.Teams(cfg, clock.System{}, r.log)
	return r, err
}
