// Package engines makes what the functions ask CloudTrail with, as their environment says.
package engines

import (
	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/athena"
	"nightlatch/internal/evidence/lake"
	"nightlatch/internal/evidence/trailbucket"
	"nightlatch/internal/settings"
)

// Of are the engine that is asked first, and the one that is asked where that fails or stays behind; nil where there is no second. It makes
// no call to AWS.
func Of(cfg aws.Config, s settings.Responder) (first, second evidence.Trail, err error) {
	if s.EventDataStore != "" {
		first, err = lake.New(cfg, lake.Settings{EventDataStore: s.EventDataStore, Budget: s.ScanBudget, Account: s.Accounts[0]})
		if err != nil {
			return nil, nil, err
		}
	}
	if s.TrailLocation == "" {
		return first, nil, nil
	}
	bucket, err := trailbucket.New(cfg, trailbucket.Settings{Location: s.TrailLocation, Accounts: s.Accounts, Stated: s.Sealed != ""})
	if err != nil {
		return nil, nil, err
	}
	files, err := athena.New(cfg, athena.Settings{Table: athena.Table{Location: s.TrailLocation, Accounts: s.Accounts}, Budget: s.ScanBudget, Seal: bucket.Seal})
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
