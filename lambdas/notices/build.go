package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/clock"
	"nightlatch/internal/containment/awsaccount"
	"nightlatch/internal/incident"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/notices"
	"nightlatch/internal/notify"
	"nightlatch/internal/notify/sns"
	"nightlatch/internal/settings"
)

// build makes the teller that the environment describes. The watched buckets stand in a file that the deployment put beside the code; without it
// every bucket is. It makes no call to AWS.
func build(cfg aws.Config, environ []string, root string) (notices.Teller, error) {
	s, err := settings.ParseNotices(environ)
	if err != nil {
		return notices.Teller{}, err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: s.LogLevel}))
	now := clock.System{}
	store, err := dynamo.New(cfg, s.Table)
	if err != nil {
		return notices.Teller{}, err
	}
	topics := sns.Deployment{Team: s.Topic, Watchers: s.Watchers, Dir: root, Turns: store.Turns(notify.Interval)}
	team, watchers, err := topics.Channels(cfg, now, log)
	if err != nil {
		return notices.Teller{}, err
	}
	account, err := awsaccount.New(cfg, awsaccount.Settings{})
	if err != nil {
		return notices.Teller{}, err
	}
	watched, err := settings.ReadWatched(root)
	if err != nil {
		log.Error("which buckets are watched is not known, so the team is told of every bucket", "err", err)
	}
	if slices.Contains(watched, settings.EveryBucket) {
		watched = nil // which is every one
	}
	return notices.Teller{Store: kept{store}, Team: team[0], Watchers: watchers, Watched: watched, Suspects: suspects(store), Alias: account.Alias,
		Place: incident.Place{AccountID: strings.Split(s.Topic, ":")[4], Region: cfg.Region}, Clock: now, Log: log}, nil
}

// kept keeps the state in the table of incidents.
type kept struct{ *dynamo.Store }

// largest is the most bytes of the state: an item of the table ends at 400 KB.
const largest = 300 << 10

// Load implements notices.Store.
func (k kept) Load(ctx context.Context) (notices.State, error) {
	version, body, err := k.Notices(ctx)
	if err != nil || version == 0 {
		return notices.State{}, err
	}
	var s notices.State
	if err := json.Unmarshal(body, &s); err != nil {
		return notices.State{}, fmt.Errorf("what is to be told: what is stored does not decode: %v", err)
	}
	s.Version = version
	return s, nil
}

// Put implements notices.Store.
func (k kept) Put(ctx context.Context, s notices.State) error {
	body, err := json.Marshal(s)
	if len(body) > largest {
		body, err = json.Marshal(s.Bare())
	}
	if err != nil {
		return fmt.Errorf("what is to be told: %v", err)
	}
	return k.SetNotices(ctx, s.Version, body)
}

// newest is how many open incidents are read for their actors, the newest first: whoever may fire alarms makes any number.
const newest = 100

// suspects are the keys and ARNs of the actors of open incidents that read objects.
func suspects(store incident.Store) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		open, err := store.Unclosed(ctx)
		if err != nil {
			return nil, err
		}
		var all []string
		for _, brief := range open[max(0, len(open)-newest):] {
			r, err := store.Load(ctx, brief.ID)
			if err != nil {
				return all, err
			}
			for _, a := range r.Evidence.Actors {
				all = append(all, a.AccessKeyID, a.PrincipalARN)
			}
		}
		return all, nil
	}
}
