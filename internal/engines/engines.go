// Package engines makes what a function asks about CloudTrail's records, as its settings have it.
package engines

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/athena"
	"nightlatch/internal/evidence/lake"
	"nightlatch/internal/settings"
)

// New makes the engine that is asked. It makes no call to AWS.
func New(cfg aws.Config, s settings.Responder) (evidence.Trail, error) {
	all, err := inOrder(cfg, s)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// inOrder are the engines that the settings have, at least one, the one that is asked first in front.
func inOrder(cfg aws.Config, s settings.Responder) ([]evidence.Trail, error) {
	var all []evidence.Trail
	if s.EventDataStore != "" {
		t, err := lake.New(cfg, lake.Settings{EventDataStore: s.EventDataStore, Budget: s.ScanBudget, Account: s.Accounts[0]})
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	if s.TrailLocation != "" {
		t, err := athena.New(cfg, athena.Settings{Table: athena.Table{Location: s.TrailLocation, Accounts: s.Accounts}, Budget: s.ScanBudget})
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	if s.Evidence == settings.Athena {
		slices.Reverse(all)
	}
	return all, nil
}
