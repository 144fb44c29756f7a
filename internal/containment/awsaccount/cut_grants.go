package awsaccount

import (
	"slices"

	"nightlatch/internal/grant"
	"nightlatch/internal/policy"
)

var (
	everyUser   = []string{"arn:${Partition}:iam::${Account}:user/*"}
	everyRole   = []string{"arn:${Partition}:iam::${Account}:role/*"}
	everyBucket = []string{"arn:${Partition}:s3:::*"}
	quarantines = []string{"arn:${Partition}:iam::aws:policy/AWSCompromisedKeyQuarantine*"}
	// ofThisAccount keeps to the buckets of this account.
	ofThisAccount = map[string]map[string]string{"StringEquals": {"aws:ResourceAccount": "${Account}"}}
)

// CutReadGrants are the permissions that Read of what is ordered, and Quarantine, need beside ReadGrants: of whoever plans such a step or reads it
// back, and of the cutter, which reads before it writes.
func CutReadGrants() []grant.Grant {
	return []grant.Grant{
		{
			Sid: "ReadPoliciesOfUsers", Actions: []string{"iam:GetUserPolicy", "iam:ListAttachedUserPolicies"}, On: everyUser,
			Why: "Which user is denied is known only when CloudTrail shows him; what stands on him is read, not changed.",
		},
		{
			Sid: "ReadPoliciesOfRoles", Actions: []string{"iam:GetRolePolicy"}, On: everyRole,
			Why: "Which role's session is denied is known only when CloudTrail shows it; what stands on the role is read, not changed.",
		},
		{
			Sid: "FindTheQuarantine", Actions: []string{"iam:GetPolicy"}, On: quarantines,
			Why: "AWS makes new versions of its quarantine policy under new names; that one is there is read, not changed.",
		},
		{
			Sid: "ReadPoliciesOfBuckets", Actions: []string{"s3:GetBucketPolicy", "s3:GetBucketPublicAccessBlock"}, On: everyBucket, When: ofThisAccount,
			Why: "Which buckets of this account a thief reads is known only when CloudTrail shows it; what stands on them is read, not changed.",
		},
	}
}

// cuts are what each step that is ordered writes.
var cuts = map[policy.Action][]string{
	policy.DenyUserSessions:  {"iam:PutUserPolicy"},
	policy.DenyRoleSession:   {"iam:PutRolePolicy"},
	policy.DenyRoleSessions:  {"iam:PutRolePolicy"},
	policy.FenceOrigin:       {"iam:PutUserPolicy", "iam:PutRolePolicy"},
	policy.QuarantineUser:    {"iam:AttachUserPolicy"},
	policy.BlockOnBucket:     {"s3:PutBucketPolicy"},
	policy.BlockPublicAccess: {"s3:PutBucketPublicAccessBlock"},
}

// CutGrants are the permissions that the cutter needs beside CutReadGrants to do the steps that a deployment enables, and the Denies that keep it
// away from whoever carries ProtectTag. None takes anything away again. Whoever may put policies on users, roles or buckets is an administrator
// of them, whatever else is denied: IAM knows no condition on a policy's name or text. So a deployment that can name paths and buckets puts
// them in place of the stars.
func CutGrants(steps ...policy.Action) []grant.Grant {
	protected := map[string]map[string]string{"Null": {"aws:ResourceTag/" + ProtectTag: "false"}} // as of WriteGrants
	all := []grant.Grant{
		{
			Sid: "DenyUsers", Actions: []string{"iam:PutUserPolicy"}, On: everyUser,
			Why: "Any user may be the one whose sessions are a thief's. This is administrator of every user in effect; only the cutter holds it, whose texts are fixed.",
		},
		{Sid: "LeaveProtectedUsers", Actions: []string{"iam:PutUserPolicy"}, On: everyUser, Deny: true, When: protected},
		{
			Sid: "DenyRoles", Actions: []string{"iam:PutRolePolicy"}, On: everyRole,
			Why: "Any role may be the one whose session is a thief's. This is administrator of every role in effect; only the cutter holds it, whose texts are fixed.",
		},
		{Sid: "LeaveProtectedRoles", Actions: []string{"iam:PutRolePolicy"}, On: everyRole, Deny: true, When: protected},
		{
			Sid: "QuarantineUsers", Actions: []string{"iam:AttachUserPolicy"}, On: everyUser,
			When: map[string]map[string]string{"ArnLike": {"iam:PolicyARN": quarantines[0]}},
			Why:  "Any user's key may be the stolen one. No other policy than AWS's own quarantine can be attached.",
		},
		{Sid: "LeaveProtectedUsersFree", Actions: []string{"iam:AttachUserPolicy"}, On: everyUser, Deny: true, When: protected},
		{
			Sid: "DenyOnBuckets", Actions: []string{"s3:PutBucketPolicy"}, On: everyBucket, When: ofThisAccount,
			Why: "Any bucket of this account may be the one that is read. This is administrator of every bucket in effect; only the cutter holds it, whose texts are fixed.",
		},
		{
			Sid: "CloseBuckets", Actions: []string{"s3:PutBucketPublicAccessBlock"}, On: everyBucket, When: ofThisAccount,
			Why: "Any bucket of this account may be the one that strangers read. The cutter only ever sets all four settings.",
		},
	}
	var needed []string
	for _, s := range steps {
		needed = append(needed, cuts[s]...)
	}
	return slices.DeleteFunc(all, func(g grant.Grant) bool { return !slices.Contains(needed, g.Actions[0]) })
}
