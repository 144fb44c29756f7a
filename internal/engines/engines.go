// Package engines makes what the functions ask CloudTrail with, as their environment says.
package engines

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/athena"
	"nightlatch/internal/evidence/lake"
	"nightlatch/internal/evidence/trailbucket"
	"nightlatch/internal/settings"
)

// Trail is an engine that also gives the rows of an answer one by one, however many there are.
type Trail interface {
	evidence.Trail
	// Each gives an answer's rows to do, and returns the answer without rows. What do returns ends it.
	Each(ctx context.Context, q evidence.Question, do func(evidence.Row) error) (evidence.Answer, error)
}

// Of are the engine that is asked first, and the one that is asked where that fails or stays behind; nil where there is no second. It makes
// no call to AWS.
func Of(cfg aws.Config, s settings.Responder) (first, second Trail, err error) {
	if s.EventDataStore != "" {
		first, err = lake.New(cfg, lake.Settings{EventDataStore: s.EventDataStore, Budget: s.ScanBudget, Account: s.Accounts[0]})
		if err != nil {
			return nil, nil, err
		}
	}
	if s.TrailLocation == "" {
		return first, nil, nil
	}
	seal, err := sealOf(cfg, s)
	if err != nil {
		return nil, nil, err
	}
	files, err := athena.New(cfg, athena.Settings{Table: athena.Table{Location: s.TrailLocation, Accounts: s.Accounts}, Management: s.ManagementLocation, Budget: s.ScanBudget, Seal: seal})
	switch {
	case err != nil:
		return nil, nil, err
	case first == nil:
		return files, nil, nil
	case s.Evidence == settings.Athena:
		return files, first, nil
	}
	return first, files, nil
}

// sealOf reads the seal of the files that a verdict stands on: of two trails' the weaker one.
func sealOf(cfg aws.Config, s settings.Responder) (func(context.Context) evidence.Seal, error) {
	of := func(location string) (*trailbucket.Bucket, error) {
		return trailbucket.New(cfg, trailbucket.Settings{Location: location, Accounts: s.Accounts, Stated: s.Sealed != ""})
	}
	files, err := of(s.TrailLocation)
	if err != nil || s.ManagementLocation == "" {
		return files.Seal, err
	}
	management, err := of(s.ManagementLocation)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) evidence.Seal {
		other := make(chan evidence.Seal, 1)
		go func() { other <- management.Seal(ctx) }()
		return files.Seal(ctx).And(<-other)
	}, nil
}

// Each asks the first engine, and where it has given no row, the second.
func Each(first, second Trail) func(context.Context, evidence.Question, func(evidence.Row) error) (evidence.Answer, error) {
	return func(ctx context.Context, q evidence.Question, do func(evidence.Row) error) (evidence.Answer, error) {
		given := false
		answer, err := first.Each(ctx, q, func(row evidence.Row) error {
			given = true
			return do(row)
		})
		if err == nil || given || second == nil || ctx.Err() != nil {
			return answer, err
		}
		instead, also := second.Each(ctx, q, do)
		if also != nil {
			return evidence.Answer{}, fmt.Errorf("%w; and of the other engine: %w", err, also)
		}
		instead.Instead = err.Error()
		return instead, nil
	}
}
