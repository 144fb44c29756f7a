package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm/cloudwatch"
	"nightlatch/internal/channels"
	"nightlatch/internal/clock"
	"nightlatch/internal/containment"
	"nightlatch/internal/containment/awsaccount"
	"nightlatch/internal/containment/cutter"
	"nightlatch/internal/engines"
	"nightlatch/internal/incident"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/incident/scheduler"
	"nightlatch/internal/notify"
	"nightlatch/internal/policy"
	"nightlatch/internal/responder"
	"nightlatch/internal/settings"
	"nightlatch/internal/workers"
)

// size is how many incidents are worked on at the same time: they wait for AWS.
const size = 8

// build makes the responder that the environment describes, with the policy that lies in the directory root. It makes no call to AWS.
func build(cfg aws.Config, environ []string, root string) (*responder.Responder, error) {
	s, err := settings.Parse(environ)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: s.LogLevel}))
	mode, err := containment.ParseMode(s.Mode)
	if err != nil {
		return nil, err
	}
	now := clock.System{}
	r := &responder.Responder{Store: &incident.Memory{}, Clock: now, Log: log, Mode: mode, ObserveUntil: s.ObserveUntil, Generation: s.Generation, Place: incident.Place{AccountID: s.Accounts[0], Region: cfg.Region, Unit: s.Unit, Cases: settings.CaseBucket(s.Table)}, Records: s.Records, Management: s.Management, Ours: actor.Accounts(s.Accounts...), Workers: workers.Pool{Size: size}}
	var turns notify.Turns
	if s.Table != "" {
		store, err := dynamo.New(cfg, s.Table)
		if err != nil {
			return nil, err
		}
		r.Store, turns = store, store.Turns(notify.Interval)
		r.Remember = notify.Remember(store.Tests, store.SetTests)
		if r.Scheduler, err = scheduler.New(cfg, now.Now, scheduler.Settings{Group: s.ScheduleGroup, Role: s.ScheduleRole, DeadLetters: s.DeadLetters,
			Function: own(environ)}); err != nil {
			return nil, err
		}
	}
	if r.Channels, err = channels.Of(cfg, s, root, turns, now, log); err != nil {
		return nil, err
	}
	if r.Meter, err = cloudwatch.New(cfg, now.Now, cloudwatch.Settings{FilterID: s.FilterID}); err != nil {
		return nil, err
	}
	account, err := awsaccount.New(cfg, awsaccount.Settings{Protected: s.Protected, ProtectTag: s.ProtectTag})
	if err != nil {
		return nil, err
	}
	r.Account, r.Alias = account, account.Alias
	if r.Steps, err = containment.ParseSteps(s.Steps); err != nil {
		return nil, err
	}
	if s.Cutter != "" {
		if r.Cutter, err = cutter.New(cfg, s.Cutter); err != nil {
			return nil, err
		}
	}
	if r.Trail, r.Second, err = engines.Of(cfg, s); err != nil {
		return nil, err
	}
	r.Policy = sync.OnceValues(func() (*policy.Policy, error) { return readPolicy(filepath.Join(root, settings.PolicyFile)) })
	r.Reach.Paths = s.StepPaths
	if r.Watched, err = settings.ReadWatched(root); err != nil {
		log.Error("copies cannot be looked for", "err", err)
	} else {
		r.Reach.Buckets = settings.Named(r.Watched)
	}
	return r, nil
}

// own is the function's name, as Lambda says it.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
func own(environ []string) string {
	for _, e := range environ {
		if name, ok := strings.CutPrefix(e, "AWS_LAMBDA_FUNCTION_NAME="); ok {
			return name
		}
	}
	return ""
}

// readPolicy reads the file that the deployment put beside the binary.
func readPolicy(file string) (*policy.Policy, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the policy: %w", err)
	}
	return policy.Load(filepath.Base(file), text)
}
