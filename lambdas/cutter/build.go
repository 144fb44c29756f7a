package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/clock"
	"nightlatch/internal/containment"
	"nightlatch/internal/containment/awsaccount"
	"nightlatch/internal/cut"
	"nightlatch/internal/settings"
)

// cutter answers orders.
type cutter struct {
	cut.Cutter
	log *slog.Logger
}

// build makes the cutter that the environment describes. The buckets that it may change stand in a file that the deployment put beside the code;
// without it there are none. It makes no call to AWS.
func build(cfg aws.Config, environ []string, root string) (cutter, error) {
	s, err := settings.ParseCutter(environ)
	if err != nil {
		return cutter{}, err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: s.LogLevel}))
	account, err := awsaccount.New(cfg, awsaccount.Settings{Protected: s.Protected, ProtectTag: s.ProtectTag})
	if err != nil {
		return cutter{}, fmt.Errorf("the account: %w", err)
	}
	buckets, err := settings.ReadWatched(root)
	if err != nil {
		log.Error("no bucket can be changed", "err", err)
	}
	allowed := cut.Allowed{Account: s.Accounts[0], Paths: s.Paths, Protected: s.Protected, Stack: s.StackName(),
		Buckets: settings.Named(buckets)}
	if allowed.Steps, err = containment.ParseSteps(s.Steps); err != nil {
		return cutter{}, err
	}
	return cutter{cut.Cutter{Account: account, Allowed: allowed, Now: clock.System{}.Now}, log}, nil
}
