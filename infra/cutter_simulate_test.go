package main

import (
	"strings"
	"testing"
)

const (
	role       = "arn:aws:iam::111122223333:role/"
	quarantine = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantine"
)

// ordered are calls of the cutter's with all steps enabled, beside those that its code was seen to make: where it writes, and on whom it never does.
func ordered() []request {
	const tag, read, users, roles, protected = "aws:ResourceTag/nightlatch:protect", "s3:GetBucketPolicy", "iam:PutUserPolicy", "iam:PutRolePolicy", "ExplicitlyDenied LeaveProtected"
	const bucket, resource = "arn:aws:s3:::a-bucket", "aws:ResourceAccount"
	return []request{
		does("Allowed DenyUsers", users, user+"team/mara"),
		does("Allowed DenyUsers", users, user+"team/eu/mara", "aws:ResourceTag/team", "x"),
		does("Allowed DenyUsers", users, user+"a/b/lee"),
		does("Allowed DenyRoles", roles, role+"team/worker"),
		does("Allowed DenyRoles", roles, role+"a/b/worker"),
		does("Allowed QuarantineUsers", "iam:AttachUserPolicy", user+"team/mara", "iam:PolicyARN", quarantine),
		does("Allowed QuarantineUsers", "iam:AttachUserPolicy", user+"team/mara", "iam:PolicyARN", quarantine+"V4"),
		does("Allowed DenyOnBuckets", "s3:PutBucketPolicy", bucket, resource, account),
		does("Allowed DenyOnBuckets", "s3:PutBucketPublicAccessBlock", "arn:aws:s3:::b-bucket", resource, account),
		does("Allowed IdentifyUsers", "iam:GetUser", user+"ops/bob"),
		does("Allowed IdentifyRoles", "iam:GetRole", role+"etl"),
		does("Allowed WriteItsLog", "logs:CreateLogStream", theCuttersLog+":log-stream:2026/03/04/[$LATEST]0123456789abcdef"),
		does("Allowed WriteItsLog", "logs:PutLogEvents", theCuttersLog+":log-stream:2026/03/04/[$LATEST]0123456789abcdef"),

		// Outside the paths and buckets that are named.
		does(denied, users, user+"mara"),
		does(denied, users, user+"teammate/mara"),
		does(denied, users, strings.Replace(user, account, stranger, 1)+"team/mara"),
		does(denied, roles, role+"etl"),
		does(denied, roles, role+"a/worker"),
		does(denied, "iam:AttachUserPolicy", user+"mara", "iam:PolicyARN", quarantine),
		does(denied, "s3:PutBucketPolicy", "arn:aws:s3:::a-bucket-2", resource, account),
		does(denied, "s3:PutBucketPolicy", bucket, resource, stranger),
		does(denied, "s3:PutBucketPublicAccessBlock", "arn:aws:s3:::files", resource, account),
		does(denied, read, "arn:aws:s3:::files", resource, account),
		// Other policies than AWS's quarantine.
		does(denied, "iam:AttachUserPolicy", user+"team/mara", "iam:PolicyARN", "arn:aws:iam::aws:policy/AdministratorAccess"),
		does(denied, "iam:AttachUserPolicy", user+"team/mara", "iam:PolicyARN", "arn:aws:iam::111122223333:policy/AWSCompromisedKeyQuarantine"),
		does(denied, "iam:AttachRolePolicy", role+"team/worker", "iam:PolicyARN", quarantine),
		// Who is protected, by tag or by name, in a path that is named; and our own.
		does(protected+"Users", users, user+"team/olga", tag, ""),
		does(protected+"Users", users, user+"team/olga", tag, "false"),
		does(protected+"Users", "iam:AttachUserPolicy", user+"team/olga", tag, "x", "iam:PolicyARN", quarantine),
		does(protected+"Roles", roles, role+"team/olga", tag, "x"),
		does("ExplicitlyDenied UsersNotOfNamed", users, inTheTeam),
		does("ExplicitlyDenied UsersNotOfNamed", "iam:AttachUserPolicy", inTheTeam, "iam:PolicyARN", quarantine),
		does(denied, roles, role+"admin"),
		does(denied, roles, role+"Nightlatch-ResponderRole-x1"),
		does(denied, roles, role+"Nightlatch-CutterRole-x1"),
		does(denied, roles, role+"cdk-hnb659fds-cfn-exec-role-111122223333-eu-west-1"),
		// It takes nothing away, makes nothing, and touches no boundary.
		does(denied, "iam:DeleteUserPolicy", user+"team/mara"),
		does(denied, "iam:DeleteRolePolicy", role+"team/worker"),
		does(denied, "iam:DetachUserPolicy", user+"team/mara", "iam:PolicyARN", quarantine),
		does(denied, "iam:PutUserPermissionsBoundary", user+"team/mara"),
		does(denied, "iam:PutRolePermissionsBoundary", role+"team/worker"),
		does(denied, "iam:DeleteUserPermissionsBoundary", user+"team/mara"),
		does(denied, "iam:CreatePolicyVersion", "arn:aws:iam::111122223333:policy/any"),
		does(denied, "iam:SetDefaultPolicyVersion", "arn:aws:iam::111122223333:policy/any"),
		does(denied, "iam:PassRole", role+"team/worker", "iam:PassedToService", "lambda.amazonaws.com"),
		does(denied, "iam:CreateAccessKey", user+"team/mara"),
		does(denied, "iam:UpdateAccessKey", user+"team/mara"),
		does(denied, "iam:DeleteAccessKey", user+"team/mara"),
		does(denied, "iam:UpdateAssumeRolePolicy", role+"team/worker"),
		does(denied, "iam:UntagUser", user+"team/olga"),
		does(denied, "iam:TagUser", user+"team/mara"),
		does(denied, "iam:GetAccessKeyLastUsed", user+"team/mara"),
		does(denied, "s3:DeleteBucketPolicy", bucket, resource, account),
		does(denied, "s3:PutBucketAcl", bucket, resource, account),
		does(denied, "s3:GetObject", bucket+"/key", resource, account),
		does(denied, "sts:AssumeRole", role+"team/worker"),
		does(denied, "lambda:UpdateFunctionCode", theCutter),
		does(denied, "lambda:InvokeFunction", theFunction),
		does("ExplicitlyDenied NobodyElsePublishes", "sns:Publish", aTopic),
		does(denied, "kms:Decrypt", theKey, "kms:ViaService", "sns.eu-west-1.amazonaws.com"),
		does("ExplicitlyDenied OnlyOursWrite", "dynamodb:PutItem", theTable),
	}
}

// Where the path is /, the Denies hold whom no path does.
func TestTheAdministratorLeavesOursAlone(t *testing.T) {
	const breakGlass = user + "ops/break-glass"
	tpl := synth(t, "mode", "act", "steps", "fence-origin,quarantine-user", "stepPaths", "/", "protected", breakGlass+",arn:aws:iam::111122223333:role/admin")
	identity := policyOf(t, at(t, tpl.named(t, "AWS::IAM::Role", "CutterRole"), "Policies", 0, "PolicyDocument", "Statement"))
	const never = "ExplicitlyDenied RolesNotOfNamed"
	calls := []request{
		does("Allowed DenyUsers", "iam:PutUserPolicy", user+"mara"),
		does("Allowed DenyRoles", "iam:PutRolePolicy", role+"etl"),
		does("ExplicitlyDenied UsersNotOfNamed", "iam:PutUserPolicy", breakGlass),
		does("ExplicitlyDenied UsersNotOfNamed", "iam:AttachUserPolicy", breakGlass, "iam:PolicyARN", quarantine),
		does(never, "iam:PutRolePolicy", role+"admin"),
		does(never, "iam:PutRolePolicy", role+"Nightlatch-ResponderRole-x1"),
		does(never, "iam:PutRolePolicy", role+"Nightlatch-CutterRole-x1"),
		does(never, "iam:PutRolePolicy", role+kept),
		does(never, "iam:PutRolePolicy", role+"cdk-hnb659fds-cfn-exec-role-111122223333-eu-west-1"),
		does(denied, "s3:PutBucketPolicy", "arn:aws:s3:::a-bucket", "aws:ResourceAccount", account),
	}
	for i := range calls {
		calls[i].name, calls[i].Identity = "administrator", identity
	}
	judge(t, calls)
}

// The responder may call the cutter and no other function, and nobody else may, whatever his own policy lets him do.
func TestOnlyTheResponderOrders(t *testing.T) {
	tpl := synth(t, cutting...)
	order := policyOf(t, at(t, tpl.named(t, "AWS::Lambda::ResourcePolicy", "CutterPolicy"), "PolicyDocument", "Statement"))
	identity := policyOf(t, statementsOf(t, tpl))
	var calls []request
	add := func(principal string, identity any, want, resource string) {
		c := as(principal, identity, "lambda:InvokeFunction", resource)
		c.Context["aws:PrincipalArn"] = principal
		if m := session.FindStringSubmatch(principal); m != nil {
			c.Context["aws:PrincipalArn"] = "arn:aws:iam::" + m[1] + ":role/" + m[2]
		}
		if c.name, c.want = principal, want; strings.HasPrefix(resource, theCutter) {
			c.Policy = order
		}
		calls = append(calls, c)
	}
	add(responderSession, identity, "Allowed OrderCuts", theCutter)
	add(responderSession, identity, denied, theCutter+":1")
	add(responderSession, identity, denied, theFunction)
	add(responderSession, identity, denied, theEnroller)
	for _, other := range []string{"arn:aws:iam::111122223333:user/admin", "arn:aws:iam::111122223333:root", "arn:aws:sts::111122223333:assumed-role/admin/eve",
		"arn:aws:sts::111122223333:assumed-role/Nightlatch-ApproverRole-x1/x", "arn:aws:sts::111122223333:assumed-role/Nightlatch-ResponderRole-x12/x"} {
		add(other, everything, "ExplicitlyDenied NobodyElseInvokes", theCutter)
		add(other, everything, "ExplicitlyDenied NobodyElseInvokes", theCutter+":$LATEST")
	}
	judge(t, calls)
}

// What the responder and the approver may do more where steps are enabled: read what stands. The responder may do what its code was seen to do with them.
func TestWhoPlansStepsReads(t *testing.T) {
	tpl := synth(t, cutting...)
	for name, sid := range map[string]string{"ResponderRole": "SwitchKeys", "ApproverRole": ""} {
		identity := policyOf(t, at(t, tpl.named(t, "AWS::IAM::Role", name), "Policies", 0, "PolicyDocument", "Statement"))
		calls := []request{
			does("Allowed ReadPoliciesOfUsers", "iam:GetUserPolicy", user+"mara"),
			does("Allowed ReadPoliciesOfUsers", "iam:ListAttachedUserPolicies", user+"mara"),
			does("Allowed ReadPoliciesOfRoles", "iam:GetRolePolicy", role+"etl"),
			does("Allowed IdentifyRoles", "iam:GetRole", role+"etl"),
			does("Allowed FindTheQuarantine", "iam:GetPolicy", quarantine+"V4"),
			does("Allowed ReadPoliciesOfBuckets", "s3:GetBucketPolicy", "arn:aws:s3:::a-bucket", "aws:ResourceAccount", account),
			does("Allowed ReadPoliciesOfBuckets", "s3:GetBucketPublicAccessBlock", "arn:aws:s3:::a-bucket", "aws:ResourceAccount", account),
			does(denied, "s3:GetBucketPolicy", "arn:aws:s3:::a-bucket", "aws:ResourceAccount", stranger),
			does(denied, "iam:GetPolicy", "arn:aws:iam::111122223333:policy/any"),
			does(denied, "iam:PutUserPolicy", user+"team/mara"),
			does(denied, "iam:PutRolePolicy", role+"team/worker"),
			does(denied, "iam:AttachUserPolicy", user+"team/mara", "iam:PolicyARN", quarantine),
			does(denied, "s3:PutBucketPolicy", "arn:aws:s3:::a-bucket", "aws:ResourceAccount", account),
			does(denied, "s3:PutBucketPublicAccessBlock", "arn:aws:s3:::a-bucket", "aws:ResourceAccount", account),
		}
		if sid == "" {
			calls = append(calls, does(denied, "lambda:InvokeFunction", theCutter), does(denied, "iam:UpdateAccessKey", user+"team/mara"))
		} else {
			calls = append(calls, does("ExplicitlyDenied SwitchKeysNotOfNamed", "iam:UpdateAccessKey", inTheTeam))
			calls = append(calls, wanting(calledBy(t, "responder", "calls-steps.json"), statementsOf(t, tpl))...)
		}
		for i := range calls {
			calls[i].name, calls[i].Identity = name, identity
		}
		judge(t, calls)
	}
}
