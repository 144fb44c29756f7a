package main

import (
	"log/slog"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/actor"
	"nightlatch/internal/containment"
	"nightlatch/internal/containment/awsaccount"
	"nightlatch/internal/engines"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/incident/scheduler"
	"nightlatch/internal/notify/sns"
	"nightlatch/internal/responder"
	"nightlatch/internal/settings"
)

// build makes of the responder what an approval needs: no metric, no policy, and an account that the role lets it read only. It makes no
// call to AWS.
func build(cfg aws.Config, environ []string) (*responder.Responder, error) {
	s, err := settings.ParseApprover(environ)
	if err != nil {
		return nil, err
	}
	mode, err := containment.ParseMode(s.Mode)
	if err != nil {
		return nil, err
	}
	clock := responder.System{}
	r := &responder.Responder{Clock: clock, Mode: mode, Epoch: s.Epoch, Ours: actor.Accounts(s.Accounts...),
		Log: slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: s.LogLevel}))}
	if r.Account, err = awsaccount.New(cfg, awsaccount.Settings{Protected: s.Protected, ProtectTag: s.ProtectTag}); err != nil {
		return nil, err
	}
	if r.Trail, err = engines.New(cfg, s.Responder); err != nil {
		return nil, err
	}
	if r.Store, err = dynamo.New(cfg, s.Table); err != nil {
		return nil, err
	}
	if r.Wakes, err = scheduler.New(cfg, clock.Now, scheduler.Settings{Group: s.ScheduleGroup, Role: s.ScheduleRole, DeadLetters: s.DeadLetters, Function: s.Function}); err != nil {
		return nil, err
	}
	if r.Channels, err = sns.Channels(cfg, append([]string{s.Topic}, s.Topics...)...); err != nil {
		return nil, err
	}
	return r, nil
}
