package awsposture

import "nightlatch/internal/grant"

// Grants are the permissions for the calls that a Reader makes. All of them read.
func Grants() []grant.Grant {
	const why = "Whose bucket, user or role it is shows only when an alarm fires; it is read, not changed."
	return []grant.Grant{
		{
			Sid: "ReadHowBucketsStand",
			Actions: []string{"s3:GetBucketPublicAccessBlock", "s3:GetBucketPolicyStatus", "s3:GetBucketPolicy", "s3:GetBucketAcl", "s3:GetBucketOwnershipControls", "s3:GetEncryptionConfiguration",
				"s3:GetBucketVersioning", "s3:GetBucketObjectLockConfiguration", "s3:GetReplicationConfiguration", "s3:GetBucketLogging"},
			On: []string{"arn:${Partition}:s3:::*"}, Why: why,
			When: map[string]map[string]string{"StringEquals": {"aws:ResourceAccount": "${Account}"}},
		},
		{
			Sid: "ReadHowTheAccountStands", Actions: []string{"s3:GetAccountPublicAccessBlock", "s3:ListAccessPoints"}, On: []string{"*"},
			Why: "IAM knows no resource for them (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html).",
		},
		{
			Sid: "ReadHowUsersStand",
			Actions: []string{"iam:ListAccessKeys", "iam:GetAccessKeyLastUsed", "iam:ListMFADevices", "iam:GetUser", "iam:GetLoginProfile", "iam:ListUserPolicies", "iam:GetUserPolicy",
				"iam:ListAttachedUserPolicies", "iam:ListGroupsForUser"},
			On: []string{"arn:${Partition}:iam::${Account}:user/*"}, Why: why,
		},
		{
			Sid:     "ReadHowRolesStand",
			Actions: []string{"iam:GetRole", "iam:ListRolePolicies", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies"},
			On:      []string{"arn:${Partition}:iam::${Account}:role/*"}, Why: why,
		},
		{
			Sid: "HaveReportsWritten", Actions: []string{"iam:GenerateServiceLastAccessedDetails"}, On: []string{"arn:${Partition}:iam::${Account}:user/*", "arn:${Partition}:iam::${Account}:role/*"}, Why: why,
		},
		{
			Sid: "ReadWhatUsersTried", Actions: []string{"iam:GetServiceLastAccessedDetails"}, On: []string{"*"},
			Why: "IAM knows no resource for it (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html); a report is given only to whom it was made for.",
		},
		{
			Sid: "ReadWhatGroupsMay", Actions: []string{"iam:ListGroupPolicies", "iam:GetGroupPolicy", "iam:ListAttachedGroupPolicies"},
			On: []string{"arn:${Partition}:iam::${Account}:group/*"}, Why: "In which groups a user is shows only when an alarm fires; what they may is read, not changed.",
		},
		{
			Sid: "ReadManagedPolicies", Actions: []string{"iam:GetPolicy", "iam:GetPolicyVersion"},
			On:  []string{"arn:${Partition}:iam::${Account}:policy/*", "arn:${Partition}:iam::aws:policy/*"},
			Why: "Which of them a user or a role has shows only when an alarm fires; they are read, not changed.",
		},
	}
}
