package containment

import (
	"cmp"
	"strings"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/policy"
)

// ByHand lists the steps against an actor that are a human's, each with what he should run. OrderFor says which of them Nightlatch can do where a
// deployment enables them. t is the actor's user or
// role as far as the account knows it; partition is the account's; now dates the denials. What stands behind a session or a service is not here but in Behind: the trail has to be asked for it.
//
// The conditions follow AWS. A denial by aws:TokenIssueTime
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html) ends sessions and not a long-term key. On a bucket,
// one condition on aws:userid hits one principal and not its whole account.
func ByHand(a evidence.Actor, t policy.Target, partition string, now time.Time) []Step {
	on := onBuckets{a, partition}
	switch a.Kind {
	case actor.IAMUserKey:
		return []Step{{Action: policy.DeactivateKey, Target: fallback(t, policy.AccessKey, a.AccessKeyID), Runbook: keyByHand(a)}}
	case actor.IAMUserSession:
		return []Step{{Action: policy.DenyUserSessions, Target: fallback(t, policy.User, a.PrincipalARN), Runbook: []string{denyUser("nightlatch-deny-sessions", a.UserName, denySessions("", now))}}}
	case actor.IAMUser:
		return userByHand(a, t, on)
	case actor.FederatedUser:
		return []Step{{Action: policy.DenyUserSessions, Target: fallback(t, policy.User, a.PrincipalARN), Runbook: append(
			[]string{denyUser("nightlatch-deny-sessions", a.UserName, denySessions("", now)),
				"that cuts every session that user " + word(a.UserName) + " has issued, of everybody, and not only of " + word(a.Session) + ". To shut out this one alone, deny it on the bucket:"},
			on.statements("aws:userid", a.PrincipalID)...)}}
	case actor.RoleSession, actor.Role:
		return roleByHand(a, t, on, now)
	case actor.IdentityCenter:
		return on.steps("aws:userid", a.PrincipalID, identityCenterByHand(a)...)
	case actor.RootKey, actor.RootSession:
		return rootByHand(a, on)
	case actor.ServiceForOthers:
		return on.each(func(b string) []string { return serviceByHand(a, b, partition) })
	case actor.OtherAccount:
		return on.each(func(b string) []string {
			return append(append(on.statement(b, "aws:userid", a.PrincipalID), "then find what lets account "+word(a.AccountID)+" read the bucket, and tell its owner"), askItsOwn(a, b)...)
		})
	case actor.Anonymous:
		steps := on.each(func(b string) []string {
			return []string{Command("aws", "s3api", "put-public-access-block", "--bucket", b, "--public-access-block-configuration",
				"BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true")}
		})
		for i := range steps {
			steps[i].Action = policy.BlockPublicAccess
		}
		return steps
	case actor.Unattributed:
		if uniqueID.MatchString(a.PrincipalID) {
			return on.steps("aws:userid", a.PrincipalID, "then find out what "+word(a.PrincipalID)+" is: its record fits no kind of caller")
		}
		return on.each(func(string) []string {
			return []string{"# no command is safe: the record has no id of this caller that could be denied, and whatever else is denied hits others",
				"find out who it is: the records of these calls in CloudTrail, by their time and address"}
		})
	case actor.AWSService:
		return on.each(func(string) []string {
			return []string{"who has ordered it is in the jobs of the service, and among the management events of " + word(a.Via) + " in CloudTrail",
				"to end it, stop that job there, or switch the service off for this bucket"}
		})
	}
	return nil
}

// uniqueID is the id of a user, a role, or a role's session: what aws:userid can be compared with, and nobody else has.
var uniqueID = lazyregexp.New(`^A(?:IDA|ROA)[A-Z0-9]{4,124}(?::|$)`)

func denyUser(name, user, document string) string {
	return Command("aws", "iam", "put-user-policy", "--user-name", user, "--policy-name", name, "--policy-document", document)
}

// named ends what is said of a record without one name: it has none, or it contradicts itself.
func named(a evidence.Actor, none string) string {
	if a.Doubt != "" {
		return "contradicts itself"
	}
	return none
}

// userByHand stops a user of whom the record shows no credential, and so whatever credential it was.
func userByHand(a evidence.Actor, t policy.Target, on onBuckets) []Step {
	if a.UserName == "" {
		return on.steps("aws:userid", a.PrincipalID, "then find out whose id that is, and list the keys of that user: the record "+named(a, "shows neither the name nor the credential"))
	}
	lines := []string{
		"the record does not show with which credential: list the keys of the user, and see when each was used",
		Command("aws", "iam", "list-access-keys", "--user-name", a.UserName),
		"to stop the user whatever the credential, which stops all that runs with it:",
		denyUser("nightlatch-deny", a.UserName, encode(map[string]any{"Version": "2012-10-17", "Statement": []any{
			map[string]any{"Effect": "Deny", "Action": "*", "Resource": "*"}}})),
	}
	if a.PrincipalID != "" {
		lines = append(append(lines, "or only on the bucket:"), on.statements("aws:userid", a.PrincipalID)...)
	}
	return []Step{{Action: policy.QuarantineUser, Target: fallback(t, policy.User, a.PrincipalARN), Runbook: append(lines,
		"then reset the console password and MFA of the user, or whoever holds them signs in again")}}
}

// roleByHand stops a session of a role: all that has its name. Where the name is everybody's, or is not known, it stops the role's sessions.
// askItsOwn is how another account's own deployment is asked which of its keys it was: what is recorded for the bucket's owner names none. There it is a
// question by hand, judged by that account's policy on its own evidence.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html#cloudtrail-object-level-crossaccount
func askItsOwn(a evidence.Actor, bucket string) []string {
	if !actor.IsAccount(a.AccountID) || a.FirstSeen.IsZero() || a.LastSeen.Sub(a.FirstSeen) > 23*time.Hour {
		return nil
	}
	from, to := a.FirstSeen.UTC().Truncate(time.Minute), a.LastSeen.UTC().Truncate(time.Minute).Add(time.Minute)
	return []string{"which key of account " + word(a.AccountID) + " it was, its own Nightlatch can say, where its trail records that bucket. With credentials of that account, in the region of its deployment:",
		Command("nightlatch", "investigate", bucket, "--from", from.Format(time.RFC3339), "--to", to.Format(time.RFC3339))}
}

func roleByHand(a evidence.Actor, t policy.Target, on onBuckets, now time.Time) []Step {
	s := Step{Action: policy.DenyRoleSession, Target: fallback(t, policy.Role, a.PrincipalARN)}
	deny := func(name, userID string) string {
		return Command("aws", "iam", "put-role-policy", "--role-name", a.RoleName, "--policy-name", name, "--policy-document", denySessions(userID, now))
	}
	cognito := a.Session == evidence.Guests || strings.HasPrefix(a.Provider, "cognito-identity.")
	switch {
	case a.RoleName == "": // the principal's id is all there is
		return on.steps("aws:userid", a.PrincipalID, "then find out which role that is: the record "+named(a, "does not name it"))
	case cognito:
		s.Action = policy.DenyRoleSessions
		s.Runbook = []string{"every guest of the app carries the name of this session, " + word(a.Session) + ", so that a denial cuts ALL of them, and each is given a new session at once:",
			deny("nightlatch-deny-guests", a.PrincipalID),
			"the session came by " + word(cmp.Or(a.Provider, "cognito-identity.amazonaws.com")) + ": to shut it for good, take the bucket out of what the role may read, or turn the guests of the identity pool off"}
	case a.PrincipalID == "" || a.Session == "": // without a session to name, the denial hits every session of the role
		s.Action = policy.DenyRoleSessions
		s.Runbook = []string{"the record does not show which session: this denial cuts EVERY session of role " + word(a.RoleName) + " that was issued before now:", deny("nightlatch-deny-sessions", "")}
	default:
		s.Runbook = []string{deny(sessionPolicy(a.AccessKeyID, a.Session), a.PrincipalID)}
		if instance.MatchString(a.Session) {
			s.Runbook = append(s.Runbook, "the session is of an EC2 instance: it is issued fresh credentials at once, so isolate instance "+a.Session+" too")
		}
	}
	return []Step{s}
}

// identityCenterByHand says what ends a session of an Identity Center user, and why nothing here does.
func identityCenterByHand(a evidence.Actor) []string {
	end := "end the session of user " + word(cmp.Or(a.OnBehalfOf, a.Session)) + " there"
	switch {
	case a.RoleName != "":
		return []string{"the role belongs to Identity Center and cannot be edited: " + end}
	case a.PrincipalID == "":
		return []string{"the record has no principal id that the policy of a bucket could name, and no role. Only Identity Center can stop this user: " + end}
	}
	return []string{"the user is one of Identity Center, and IAM has nothing of him to edit: " + end}
}

// rootByHand shuts root, or what root has issued, out of the bucket.
func rootByHand(a evidence.Actor, on onBuckets) []Step {
	more := "sign in as the root user of account " + word(a.AccountID) + ", change its password and MFA, and end its access keys: nothing in the account can"
	switch {
	case strings.HasSuffix(a.PrincipalARN, ":root"):
		return on.steps("aws:PrincipalArn", a.PrincipalARN, more)
	case assumedRoot(a):
		return on.steps("aws:userid", cmp.Or(a.PrincipalID, a.AccountID),
			"the management account of the organization, or who it has delegated that to, took this session: look for AssumeRoot in its CloudTrail, and stop who called it")
	}
	return on.steps("aws:userid", a.PrincipalID, more)
}

// assumedRoot reports whether the session is one that AssumeRoot gave out: a member account's root, taken by its organization.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoot.html
func assumedRoot(a evidence.Actor) bool {
	return a.Kind == actor.RootSession && strings.Contains(a.PrincipalARN, ":assumed-root")
}

// serviceByHand says through which door a service reads a bucket for somebody, and how that is shut. The service itself is not stopped.
func serviceByHand(a evidence.Actor, bucket, partition string) []string {
	getPolicy := Command("aws", "s3api", "get-bucket-policy", "--bucket", bucket, "--query", "Policy", "--output", "text")
	switch c := a.Credential(); {
	case c.Service() == actor.CloudFront:
		return []string{"which distribution it is, is in the policy of the bucket: aws:SourceArn beside cloudfront.amazonaws.com, or the id of an origin access identity",
			getPolicy,
			"who its viewers are, is in the logs of the distribution. To shut the door, take that statement out of the policy, or disable the distribution: its other viewers lose it too"}
	case c.Replicates():
		return []string{"what is replicated, and to where:", Command("aws", "s3api", "get-bucket-replication", "--bucket", bucket),
			"to end it, which ends every rule of this bucket:", Command("aws", "s3api", "delete-bucket-replication", "--bucket", bucket),
			"where it has no replication, it is a batch job: list the active ones with s3control list-jobs, and cancel it with s3control update-job-status"}
	}
	return []string{"what lets the service read is in the policy of the bucket, mostly with aws:SourceArn or aws:SourceAccount of whoever uses it:", getPolicy,
		"to shut the door, take that statement out. Who uses the service, or has ordered this, is in its own jobs and logs"}
}

// sessionPolicy names the denial of one role session, by its key or else by its name. A role may have several in one night, and the same name
// would put the second denial in the place of the first.
func sessionPolicy(accessKeyID, session string) string {
	switch {
	case alphanumeric.MatchString(accessKeyID):
		return "nightlatch-deny-" + strings.ToLower(accessKeyID[len(accessKeyID)-8:])
	case policyName.MatchString(session):
		return "nightlatch-deny-" + session
	}
	return "nightlatch-deny"
}

var (
	alphanumeric = lazyregexp.New(`^[A-Za-z0-9]{8,}$`)
	policyName   = lazyregexp.New(`^[\w+=,.@-]{1,64}$`)
)

var instance = lazyregexp.New(`^i-[0-9a-f]{8,17}$`)

// fallback is the target by the name that CloudTrail gives it, where the account does not know it.
func fallback(t policy.Target, typ policy.TargetType, id string) policy.Target {
	if t.ID == "" {
		t.Type, t.ID = typ, id
	}
	return t
}

// keyByHand is for a key that the account does not know: of another account of ours, or contradicting its record.
func keyByHand(a evidence.Actor) []string {
	lastUsed := Command("aws", "iam", "get-access-key-last-used", "--access-key-id", a.AccessKeyID)
	off := KeyOff(a.UserName, a.AccessKeyID)
	switch {
	case strings.HasPrefix(lastUsed, "#"): // not even the key can be named
		return []string{lastUsed}
	case strings.HasPrefix(off, "#"):
		return []string{lastUsed, "find its user with the line above, then deactivate the key there"}
	}
	return []string{lastUsed, "with credentials of account " + word(a.AccountID) + ": " + off}
}

// KeyOff is the line that turns a user's key off.
func KeyOff(user, key string) string {
	return Command("aws", "iam", "update-access-key", "--user-name", user, "--access-key-id", key, "--status", Inactive)
}
