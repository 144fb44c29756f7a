package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"

	"nightlatch/internal/clock"
	"nightlatch/internal/containment/awsaccount"
	"nightlatch/internal/enroll"
	"nightlatch/internal/enroll/s3bucket"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/notify"
	"nightlatch/internal/notify/sns"
	"nightlatch/internal/settings"
	"nightlatch/internal/trail"
	"nightlatch/internal/trail/cloudtrail"
)

// enroller is what the function is made of.
type enroller struct {
	watched string // the file that the deployment put beside the code: the custom resource's properties
	region  string
	account string
	metrics enroll.Metrics
	trails  trail.Reader
	stores  trail.StoreReader
	team    notify.Channel
	alias   func(context.Context, *slog.Logger) string // of the account, for the messages
	http    *http.Client                               // to CloudFormation
	log     *slog.Logger
}

// build makes the enroller that the environment describes. It makes no call to AWS.
func build(ctx context.Context, environ []string) (*enroller, error) {
	s, err := settings.ParseEnroller(environ)
	if err != nil {
		return nil, err
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the AWS configuration: %w", err)
	}
	buckets, err := s3bucket.New(cfg)
	if err != nil {
		return nil, err
	}
	trails, err := cloudtrail.New(cfg)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: s.LogLevel}))
	dir := os.Getenv("LAMBDA_TASK_ROOT")
	topics := sns.Deployment{Team: s.Topic, Dir: dir}
	if s.Table != "" { // it may not be there yet: the stack makes it after the buckets are enrolled
		store, err := dynamo.New(cfg, s.Table)
		if err != nil {
			return nil, err
		}
		topics.Turns = store.Turns(notify.Interval)
	}
	channels, _, err := topics.Channels(cfg, clock.System{}, log)
	if err != nil {
		return nil, err
	}
	account := strings.Split(s.Topic, ":")[4] // the team's topic is the deployment's own
	iam, err := awsaccount.New(cfg, awsaccount.Settings{})
	if err != nil {
		return nil, err
	}
	return &enroller{filepath.Join(dir, settings.WatchedFile), cfg.Region, account, buckets, trails, trails, channels[0], iam.Alias,
		&http.Client{Timeout: answerTimeout}, log}, nil
}
