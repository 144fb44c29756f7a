package main

import (
	"encoding/json"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"nightlatch/internal/evidence/lake"
	"nightlatch/internal/evidence/trailbucket"
	"nightlatch/internal/grant"
	"nightlatch/internal/settings"
	"nightlatch/internal/trail/cloudtrail"
)

// newAccess prints what the owners of the evidence have to add to their policies, so that the functions that ask may read it: of a trail that was there
// already, whose bucket may be of any account, and of a store of another account.
func newAccess(scope constructs.Construct, s Settings, e enroller, d examiner, asking ...lambda) {
	roles := rolesOf(asking...)
	print := func(id, about string, statements []statement) {
		text, err := json.Marshal(statements)
		if err != nil {
			panic(err) // it is lists of texts
		}
		awscdk.NewCfnOutput(scope, jsii.String(id), &awscdk.CfnOutputProps{Value: jsii.String(string(text)), Description: jsii.String(about)})
	}
	for _, of := range []struct {
		is      bool
		f       Files
		id, key string
		what    string
	}{{s.Trail != "" && !s.MadeTrail, s.Files, settings.TrailAccessOutput, "TrailKeyAccess", "the trail's files"},
		{s.managed(), s.Management, "ManagementAccess", "ManagementKeyAccess", "the files of the trail that has the management events"}} {
		if !of.is {
			continue
		}
		r := trailbucket.Reader{Partition: s.Home.Partition, Account: s.Home.Account, Roles: roles, Bucket: s.bucketARN(of.f.Bucket), Folder: of.f.Folder, Accounts: []string{s.Home.Account}}
		print(of.id, "What the policy of the bucket with "+of.what+" has to have where the bucket is of another account, so that Nightlatch may read its own account's", r.OfBucket())
		if of.f.Key != "" {
			print(of.key, "The same of the policy of the key that encrypts them", r.OfKey())
		}
	}
	if at := homeOf(s.EventDataStore); !s.MadeStore && s.EventDataStore != "" && at.Account != s.Home.Account {
		print(settings.StoreAccessOutput, "What the resource policy of the event data store has to have, so that Nightlatch may ask it", storePolicy(s, roles, rolesOf(e.lambda, d.lambda)))
	}
}

func rolesOf(functions ...lambda) (arns []string) {
	for _, f := range functions {
		arns = append(arns, *f.role.AttrArn())
	}
	return arns
}

// storePolicy lets the roles that ask query an event data store of another account, and those that look see what it is. Its example has accounts and
// roles as principals, and no conditions:
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/security_iam_resource-based-policy-examples.html
func storePolicy(s Settings, ask, look []string) []statement {
	var all []statement
	for _, to := range []struct {
		sid    string
		roles  []string
		grants []grant.Grant
	}{{"NightlatchAsks", ask, lake.Grants()}, {"NightlatchLooks", look, cloudtrail.StoreGrants()}} {
		for _, g := range to.grants {
			all = append(all, statement{"Sid": to.sid, "Effect": "Allow", "Principal": map[string]any{"AWS": to.roles}, "Action": g.Actions, "Resource": s.EventDataStore})
		}
	}
	return all
}
