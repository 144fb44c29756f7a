package main

import (
	"log/slog"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/actor"
	"nightlatch/internal/approval"
	"nightlatch/internal/channels"
	"nightlatch/internal/clock"
	"nightlatch/internal/containment"
	"nightlatch/internal/containment/awsaccount"
	"nightlatch/internal/engines"
	"nightlatch/internal/incident"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/incident/scheduler"
	"nightlatch/internal/investigation"
	"nightlatch/internal/notify"
	"nightlatch/internal/proof"
	"nightlatch/internal/settings"
	"nightlatch/internal/workers"
)

// build makes what an approval needs: no metric, no policy, an account that the role lets it read only, and the prover that asks STS. It makes no
// call to AWS.
func build(cfg aws.Config, environ []string) (approver, error) {
	s, err := settings.ParseApprover(environ)
	if err != nil {
		return approver{}, err
	}
	mode, err := containment.ParseMode(s.Mode)
	if err != nil {
		return approver{}, err
	}
	now := clock.System{}
	a := &approval.Approval{Clock: now, Mode: mode, Generation: s.Generation, Place: incident.Place{AccountID: s.Accounts[0], Region: cfg.Region, Unit: s.Unit, Cases: settings.CaseBucket(s.Table)}, Ours: actor.Accounts(s.Accounts...), Trusts: s.Trusted,
		Log: slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: s.LogLevel}))}
	account, err := awsaccount.New(cfg, awsaccount.Settings{Protected: s.Protected, ProtectTag: s.ProtectTag})
	if err != nil {
		return approver{}, err
	}
	a.Account, a.Alias = account, account.Alias
	first, second, err := engines.Of(cfg, s.Responder)
	if err != nil {
		return approver{}, err
	}
	a.Investigation = investigation.New(nil, first, second, a.Account, a.Ours, now, workers.Pool{}, a.Log)
	store, err := dynamo.New(cfg, s.Table)
	if err != nil {
		return approver{}, err
	}
	a.Store = store
	a.Remember = notify.Remember(store.Tests, store.SetTests)
	if a.Scheduler, err = scheduler.New(cfg, now.Now, scheduler.Settings{Group: s.ScheduleGroup, Role: s.ScheduleRole, DeadLetters: s.DeadLetters, Function: s.Function}); err != nil {
		return approver{}, err
	}
	if a.Channels, err = channels.Of(cfg, s.Responder, os.Getenv("LAMBDA_TASK_ROOT"), store.Turns(notify.Interval), now, a.Log); err != nil {
		return approver{}, err
	}
	prover, err := proof.New(cfg, proof.Deployment{Account: s.Accounts[0], Region: cfg.Region, Table: s.Table}, now.Now)
	return approver{a, prover, a.Log}, err
}
