package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/checks"
	"nightlatch/internal/clock"
	"nightlatch/internal/containment/awsaccount"
	"nightlatch/internal/doctor"
	"nightlatch/internal/doctor/heartbeat"
	"nightlatch/internal/engines"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/notify"
	"nightlatch/internal/notify/sns"
	"nightlatch/internal/settings"
)

// examiner is what the function is made of.
type examiner struct {
	checks func(minute time.Time) ([]doctor.Check, error)
	// proposals are thresholds that would suit better.
	proposals func(ctx context.Context, filter string, watched []settings.Bucket) ([]string, error)
	memory    doctor.Memory
	channels  []notify.Channel
	beat      func(context.Context) error // nil where no heartbeat is set
	place     incident.Place
	alias     func(context.Context, *slog.Logger) string
	now       func() time.Time
	log       *slog.Logger
}

// deployedPolicy reads the policy that was deployed, which lies in the directory root, too.
func deployedPolicy(root string) (doctor.PolicyFile, error) {
	f := doctor.PolicyFile{Name: settings.PolicyFile}
	var err error
	if f.Text, err = os.ReadFile(filepath.Join(root, settings.PolicyFile)); err != nil {
		return f, fmt.Errorf("reading the policy: %w", err)
	}
	if f.Cases, err = os.ReadFile(filepath.Join(root, settings.CasesFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f, fmt.Errorf("reading the policy's cases: %w", err)
	}
	return f, nil
}

// build makes the function that the environment describes, with what lies in the directory root. It makes no call to AWS.
func build(cfg aws.Config, environ []string, root string) (*examiner, error) {
	s, err := settings.ParseDoctor(environ)
	if err != nil {
		return nil, err
	}
	first, second, err := engines.Of(cfg, s.Responder)
	if err != nil {
		return nil, err
	}
	asked := []evidence.Trail{first}
	if second != nil {
		asked = append(asked, second)
	}
	table, err := dynamo.New(cfg, s.Table)
	if err != nil {
		return nil, err
	}
	account, err := awsaccount.New(cfg, awsaccount.Settings{})
	if err != nil {
		return nil, err
	}
	e := &examiner{memory: checks.Memory(table), place: incident.Place{AccountID: s.Accounts[0], Region: cfg.Region}, alias: account.Alias, now: time.Now,
		log: slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: s.LogLevel}))}
	policy := func() (doctor.PolicyFile, error) { return deployedPolicy(root) }
	e.checks = func(minute time.Time) ([]doctor.Check, error) {
		return checks.Of(cfg, checks.Deployment{Stack: s.Stack, Account: s.Accounts[0], Region: cfg.Region, Memory: e.memory, Hearing: checks.Hearing(table), Tried: checks.Tried(table), Rehearsed: checks.Rehearsed(table), Incidents: table, Policy: policy, Engines: asked, Minute: minute})
	}
	e.proposals = func(ctx context.Context, filter string, watched []settings.Bucket) ([]string, error) {
		return checks.Proposals(ctx, cfg, s.Stack, filter, watched)
	}
	topics := sns.Deployment{Team: s.Topic, Others: s.Topics, Watchers: s.Watchers, Dir: root, Turns: table.Turns(notify.Interval)}
	if e.channels, err = topics.Teams(cfg, clock.System{}, e.log); err != nil {
		return nil, err
	}
	if s.Heartbeat != "" {
		beat, err := heartbeat.New(cfg, s.Heartbeat)
		if err != nil {
			return nil, err
		}
		e.beat = beat.Send
	}
	return e, nil
}
