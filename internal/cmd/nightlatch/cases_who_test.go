package main

import (
	"slices"
	"testing"
)

// whoAnswer is who a case has to be told as.
type whoAnswer struct {
	// kind is the first actor's, states are what becomes of all steps, in any order.
	kind        string
	states      []string
	says, never []string
}

const (
	contains, asks = "done", "asked"
	maraOff        = "aws iam update-access-key --user-name mara --access-key-id AKIAEXAMPLESTOLEN001 --status Inactive"
)

// stolenAsEver is case 00: what it says holds wherever only something beside it is odd.
var stolenAsEver = whoAnswer{"iam-user-key", []string{contains}, []string{"NEVER SEEN", "deactivate-key AKIAEXAMPLESTOLEN001 of mara",
	"To undo aws iam update-access-key --user-name mara --access-key-id AKIAEXAMPLESTOLEN001 --status Active"}, nil}

// The right answers stand in ../shared/cases/README.md.
var whoCases = map[string]whoAnswer{
	"00-baseline":        stolenAsEver,
	"106-two-trails":     stolenAsEver,
	"53-set-alarm-state": {"iam-user-key", []string{asks}, []string{"NOT CONFIRMED"}, nil},
	"60-fas-athena":      {"iam-user-session", []string{asks}, []string{"of IAM user mara", "through athena.amazonaws.com"}, nil},
	"82-copy-plain": {"iam-user-key", []string{asks, contains}, []string{"NEVER SEEN", "deactivate-key AKIAEXAMPLECOPIER001 of eve",
		"the size of 1 server-side copy"}, nil},

	"01-console-no-key": {"iam-user", []string{asks}, []string{"IAM user mara", "through the console", "the record does not show which credential", "NEVER SEEN",
		"aws iam put-user-policy --user-name mara", `"aws:userid":"AIDAEXAMPLEMARA"`, "aws iam list-access-keys --user-name mara"}, []string{"do not name", "NO ACTION"}},
	"02-role-no-key": {"role-session", []string{asks}, []string{"Session i-0123456789abcdef0 of role web", "does not show the session's key", "deny-role-session",
		`"aws:userid":"AROAEXAMPLEWEB:i-0123456789abcdef0"`}, []string{"accessKeyId"}},
	"03-assumed-root": {"root-session", []string{asks}, []string{"block-on-bucket", "ASIAEXAMPLEROOTTASK1", "ROOT user of account 111122223333", "management account",
		"look for AssumeRoot"}, []string{"names no credential"}},
	"06-unknown-idc": {"unattributed", []string{asks}, []string{"zoe@example.com", "no command is safe", "no id of this caller that could be denied"},
		[]string{"do not name", "NO ACTION", "put-user-policy"}},

	"07c-cloudfront-oac": {"service-for-others", []string{asks}, []string{"iewers of a CloudFront distribution", "logs of the distribution", "aws:SourceArn"},
		[]string{"for itself", "Effect\":\"Deny", "USUAL"}},
	"97-oac-40x-usual": {"service-for-others", []string{asks}, []string{"iewers of a CloudFront distribution", "40 times its most in a day", "aws:SourceArn"},
		[]string{"for itself", "Effect\":\"Deny", "USUAL"}},
	"99-replication-exfil": {"service-for-others", []string{asks}, []string{"ordered by access key AKIAEXAMPLESTOLEN001 of IAM user mara",
		"PutBucketReplication at 2026-03-04 00:02:00", "bucket loot and account 444455556666", "delete-bucket-replication --bucket exports", maraOff}, []string{"NO ACTION", "for itself"}},

	"100-federated-broker": {"federated-user", []string{asks}, []string{"ederated session otto", "did not read these buckets", "that is where ida of the same broker came from",
		"cuts every session that user console-broker has issued", `"aws:userid":"111122223333:otto"`}, []string{"USUAL for it"}},
	"101-sso-pooled-history": {"identity-center", []string{asks}, []string{"Identity Center user zoe@example.com", "NEVER SEEN", "at most 1,000 bytes in a day",
		"that is where bob@example.com of the same role came from"}, []string{"USUAL", "2,000 bytes"}},
	"70-cognito": {"role-session", []string{asks}, []string{"every guest of the app", "cuts ALL", "came by cognito-identity.amazonaws.com", "deny-role-sessions"},
		[]string{"deny-role-session arn"}},
	"95b-tip-onbehalfof":  {"role-session", []string{asks}, []string{"ession emr-session (ASIAEXAMPLEROLE00001) of role tip-emr", "on behalf of Identity Center user 00000000-0000-4000-8000-00000000c0de"}, nil},
	"103-source-identity": {"role-session", []string{asks}, []string{"ession session-1 (ASIAEXAMPLEROLE00001) of role break-glass", "with source identity ida"}, nil},

	"96-minted-by-akia": {"iam-user-session", []string{asks, asks}, []string{"YOU DECIDE deactivate-key AKIAEXAMPLESTOLEN001 of mara It minted the session ASIAEXAMPLEMINTED001", "ask-minted: this key minted the session that took the bytes", "minted by access key AKIAEXAMPLESTOLEN001 of IAM user mara", "GetSessionToken at 2026-03-04 00:01:00",
		maraOff, "put-user-policy --user-name mara"}, []string{"stays on until"}},
	"96b-assumed-by-akia": {"role-session", []string{asks, asks}, []string{"YOU DECIDE deactivate-key AKIAEXAMPLESTOLEN001 of mara It minted the session ASIAEXAMPLEMINTED002", "of role export", "minted by access key AKIAEXAMPLESTOLEN001 of IAM user mara", "AssumeRole at 2026-03-04 00:01:00", maraOff},
		[]string{"find who assumed the role", "stays on until"}},

	"51-gov-root":           {"root-key", []string{asks}, []string{"block-on-bucket arn:aws-us-gov:s3:::exports", `"arn:aws-us-gov:s3:::exports/*"`}, []string{"arn:aws:"}},
	"51b-gov-other-account": {"other-account", []string{asks}, []string{"block-on-bucket arn:aws-us-gov:s3:::exports", `"arn:aws-us-gov:s3:::exports/*"`}, []string{"arn:aws:"}},

	"08-fed-by-root": {"root-session", []string{asks}, []string{"ROOT user's federated session bob", "block-on-bucket", `"aws:userid":"111122223333:bob"`},
		[]string{"by IAM user", "deny-user-sessions", "the user's console password"}},

	"83b-username-vs-arn": {"iam-user-key", []string{asks}, []string{`the record names two users, "nina" by its ARN and "mara" by its name`,
		"aws iam get-access-key-last-used --access-key-id AKIAEXAMPLETWONAMES1"}, []string{"--user-name mara", "an AWS service made the calls"}},
	"36-cross-account-alarm": {"iam-user-key", []string{asks}, []string{"it is of account 111122223333", "stand in account 444455556666", "with credentials of account 111122223333: " + maraOff},
		[]string{"the account does not know this target"}},
	"95-idc-user-type": {"identity-center", []string{asks}, []string{"Identity Center user 00000000-0000-4000-8000-00000000c0de", "user 00000000-0000-4000-8000-00000000c0de 198.51.100.0/24",
		"no principal id that the policy of a bucket could name"}, []string{"role ", "of role"}},
}

func TestWhoIsToldInTheCases(t *testing.T) {
	nights := map[string]nightCase{}
	for name, want := range whoCases {
		nights[name] = nightCase{says: want.says, never: want.never, holds: func(t *testing.T, got caseAnswer) {
			t.Helper()
			if len(got.Evidence.Actors) == 0 || got.Evidence.Actors[0].Kind != want.kind {
				t.Errorf("the first actor is not %s: %+v", want.kind, got.Evidence.Actors)
			}
			var states []string
			for _, o := range got.Outcomes {
				states = append(states, o.State)
			}
			if slices.Sort(states); !slices.Equal(states, want.states) {
				t.Errorf("the steps are %q, want %q", states, want.states)
			}
		}}
	}
	playCases(t, nights)
}
