// Command enroller is the Lambda that switches request metrics on for the watched buckets, and finds where the files of the trail lie. It is the
// provider of CloudFormation's custom resources for both. Once a day it checks that the buckets still have their request metrics, and that the
// trail still records. Where every bucket is watched it gets an event for each new one. It knows nothing of incidents.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
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

func main() {
	e, err := build(context.Background(), os.Environ())
	if err != nil {
		fmt.Fprintln(os.Stderr, "nightlatch:", strings.ReplaceAll(err.Error(), "\n", "\nnightlatch: ")) // a line for each setting
		os.Exit(1)
	}
	lambda.Start(e.handle)
}

// enroller is what the function is made of.
type enroller struct {
	watched string // the file that the deployment put beside the code: the custom resource's properties
	region  string
	account string
	metrics enroll.Metrics
	trail   string // the ARN of the trail that is checked once a day, "" for none
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
	channels, err := sns.Channels(cfg, s.Topic)
	if err != nil {
		return nil, err
	}
	if s.Table != "" { // it may not be there yet: the stack makes it after the buckets are enrolled
		store, err := dynamo.New(cfg, s.Table)
		if err != nil {
			return nil, err
		}
		channels = notify.Paced(channels, store.Turns(notify.Interval), clock.System{}, log)
	}
	account := strings.Split(s.Topic, ":")[4] // the team's topic is the deployment's own
	iam, err := awsaccount.New(cfg, awsaccount.Settings{})
	if err != nil {
		return nil, err
	}
	return &enroller{filepath.Join(os.Getenv("LAMBDA_TASK_ROOT"), "watched.json"), cfg.Region, account, buckets, s.Trail, trails, trails, channels[0], iam.Alias,
		&http.Client{Timeout: answerTimeout}, log}, nil
}
