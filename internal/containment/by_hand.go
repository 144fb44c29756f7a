package containment

import (
	"cmp"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"al.essio.dev/pkg/shellescape"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
	"nightlatch/internal/policy"
)

// ByHand lists the steps against an actor that Nightlatch does not do itself yet, each with what a human should run. It is
// empty for what is never touched. t is the actor's user or role as far as the account knows it; now dates the denials.
//
// The conditions follow AWS. A denial by aws:TokenIssueTime
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html) ends sessions and not a long-term key. On a bucket,
// one condition on aws:userid hits one principal and not its whole account.
func ByHand(a evidence.Actor, t policy.Target, now time.Time) []Step {
	switch a.Kind {
	case actor.IAMUserKey:
		return []Step{{Action: policy.DeactivateKey, Target: fallback(t, policy.AccessKey, a.AccessKeyID), Runbook: keyByHand(a)}}
	case actor.IAMUserSession, actor.FederatedUser:
		return []Step{{Action: policy.DenyUserSessions, Target: fallback(t, policy.User, a.PrincipalARN), Runbook: []string{
			command("aws", "iam", "put-user-policy", "--user-name", a.UserName, "--policy-name", "nightlatch-deny-sessions",
				"--policy-document", denySessions("", now)),
			"then reset the user's console password and MFA, or whoever holds them signs in again",
		}}}
	case actor.RoleSession:
		lines := []string{unnamed} // without a session to name, the denial would hit every session of the role
		if a.PrincipalID != "" {
			lines = []string{command("aws", "iam", "put-role-policy", "--role-name", a.RoleName, "--policy-name", sessionPolicy(a.AccessKeyID),
				"--policy-document", denySessions(a.PrincipalID, now))}
		}
		if instance.MatchString(a.Session) {
			lines = append(lines, "the session is an EC2 instance's: it is issued fresh credentials at once, so isolate instance "+a.Session+" too")
		}
		lines = append(lines, "then find who assumed the role: AssumeRole in CloudTrail, responseElements.credentials.accessKeyId = "+word(a.AccessKeyID))
		return []Step{{Action: policy.DenyRoleSession, Target: fallback(t, policy.Role, a.PrincipalARN), Runbook: lines}}
	case actor.IdentityCenter:
		return onBuckets(a, "aws:userid", a.PrincipalID,
			"the role belongs to Identity Center and cannot be edited: end the session of user "+word(cmp.Or(a.Session, a.OnBehalfOf))+" there")
	case actor.RootKey, actor.RootSession:
		more := "sign in as the root user of account " + word(a.AccountID) + ", change its password and MFA, and end its access keys: nothing in the account can"
		return onBuckets(a, "aws:PrincipalArn", a.PrincipalARN, more)
	case actor.OtherAccount:
		return onBuckets(a, "aws:userid", a.PrincipalID, "then find what lets account "+word(a.AccountID)+" read the bucket, and tell its owner")
	case actor.Anonymous:
		var steps []Step
		for _, b := range bucketsOf(a) {
			steps = append(steps, Step{Action: policy.BlockPublicAccess, Target: bucketTarget(b), Runbook: []string{
				command("aws", "s3api", "put-public-access-block", "--bucket", b, "--public-access-block-configuration",
					"BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true")}})
		}
		return steps
	case actor.AWSService, actor.Unattributed:
	}
	return nil
}

// sessionPolicy names the denial of one role session. A role may have several in one night, and the same name would put the
// second denial in the place of the first.
func sessionPolicy(accessKeyID string) string {
	if !alphanumeric.MatchString(accessKeyID) {
		return "nightlatch-deny"
	}
	return "nightlatch-deny-" + strings.ToLower(accessKeyID[len(accessKeyID)-8:])
}

var alphanumeric = regexp.MustCompile(`^[A-Za-z0-9]{8,}$`)

var instance = regexp.MustCompile(`^i-[0-9a-f]{8,17}$`)

// fallback is the target by the name that CloudTrail gives it, where the account does not know it.
func fallback(t policy.Target, typ policy.TargetType, id string) policy.Target {
	if t.ID == "" {
		t.Type, t.ID = typ, id
	}
	return t
}

// keyByHand is for a key that the account does not know: of another account of ours, or contradicting its record.
func keyByHand(a evidence.Actor) []string {
	lastUsed := command("aws", "iam", "get-access-key-last-used", "--access-key-id", a.AccessKeyID)
	off := command("aws", "iam", "update-access-key", "--user-name", a.UserName, "--access-key-id", a.AccessKeyID, "--status", Inactive)
	switch {
	case strings.HasPrefix(lastUsed, "#"): // not even the key can be named
		return []string{lastUsed}
	case strings.HasPrefix(off, "#"):
		return []string{lastUsed, "find its user with the line above, then deactivate the key there"}
	}
	return []string{lastUsed, "with credentials of account " + word(a.AccountID) + ": " + off}
}

// denySessions is a policy that ends the sessions issued before now: of one role session by its aws:userid, or of all.
func denySessions(userID string, now time.Time) string {
	condition := map[string]any{"DateLessThan": map[string]string{"aws:TokenIssueTime": now.UTC().Format(time.RFC3339)}}
	if userID != "" {
		condition["StringEquals"] = map[string]string{"aws:userid": userID}
	}
	return encode(map[string]any{"Version": "2012-10-17", "Statement": []any{
		map[string]any{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}}})
}

// onBuckets is one step a bucket: a statement for its policy that shuts one principal out. It is a comment and no command: a
// put replaces the bucket's whole policy, so a runbook that is pasted as a whole must not hold one.
func onBuckets(a evidence.Actor, key, value string, more string) []Step {
	var steps []Step
	for _, b := range bucketsOf(a) {
		if value == "" { // a condition on nobody stops nobody
			steps = append(steps, Step{Action: policy.BlockOnBucket, Target: bucketTarget(b), Runbook: []string{unnamed, more}})
			continue
		}
		steps = append(steps, Step{Action: policy.BlockOnBucket, Target: bucketTarget(b), Runbook: []string{
			command("aws", "s3api", "get-bucket-policy", "--bucket", b, "--query", "Policy", "--output", "text"),
			"put-bucket-policy replaces the whole policy, so add this statement to what that prints:",
			shutOut(b, key, value),
			more,
		}})
	}
	return steps
}

// shutOut is the statement, as a comment. zsh runs a comment at its prompt as a command, and "$(…)" in it too. So a name that is not plain,
// which AWS never gives, prints nothing.
func shutOut(bucket, key, value string) string {
	if !plain.MatchString(bucket) || !plain.MatchString(value) {
		return unprintable
	}
	arn := bucketTarget(bucket).ID
	return "# " + encode(map[string]any{"Sid": "NightlatchBlock", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
		"Resource": []string{arn, arn + "/*"}, "Condition": map[string]any{"StringEquals": map[string]string{key: value}}})
}

func bucketTarget(name string) policy.Target {
	return policy.Target{Type: policy.Bucket, ID: "arn:aws:s3:::" + name}
}

// bucketsOf are the buckets that the actor read, most bytes first.
func bucketsOf(a evidence.Actor) []string {
	return slices.SortedFunc(maps.Keys(a.Buckets), func(x, y string) int {
		return cmp.Or(cmp.Compare(a.Buckets[y], a.Buckets[x]), cmp.Compare(x, y))
	})
}

func encode(v map[string]any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and maps of strings: cannot fail
	}
	return string(text)
}

// printable is the ASCII that a terminal shows as it is.
var printable = regexp.MustCompile(`^[\x20-\x7e]*$`)

// unprintable stands for a line that would carry a name nobody should paste into a shell.
const unprintable = "# no command is printed: a name in it holds characters that do not belong into a shell"

// unnamed stands for a line whose names the record does not have.
const unnamed = "# no command is printed: the record does not name everything that it needs"

// dashed stands for a line in which a name would be read as an option.
const dashed = "# no command is printed: a name in it begins with a dash"

// command is a shell line that runs args as they are. Names come from whoever was recorded, so every argument is quoted, and
// one that holds anything but printable ASCII prints no command at all.
func command(args ...string) string {
	for _, a := range args {
		if !printable.MatchString(a) {
			return unprintable
		}
		if a == "" {
			return unnamed
		}
	}
	// After the three words of the command come flags with their values, and a value like --debug would be read as a flag.
	for i := 4; i < len(args); i += 2 {
		if strings.HasPrefix(args[i], "-") {
			return dashed
		}
	}
	return shellescape.QuoteCommand(args)
}

// plain is what names in AWS are made of. None of it means anything to a shell.
var plain = regexp.MustCompile(`^[\w+=,.@:/-]+$`)

// word is a name inside a sentence of a runbook. A runbook may be pasted into a shell as a whole, sentences and all.
func word(s string) string {
	if s == "" {
		return "(not named)"
	}
	if !plain.MatchString(s) {
		return "(a name with characters that are not printed)"
	}
	return s
}
