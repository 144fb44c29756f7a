package containment

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
	"nightlatch/internal/policy"
)

var midnight = time.Date(2026, 3, 4, 1, 4, 5, 6, time.FixedZone("", 3600))

// who is an actor of each kind, as the evidence names it.
func who(k actor.Kind) evidence.Actor {
	a := evidence.Actor{Kind: k, AccountID: "111122223333", AccessKeyID: "ASIAIOSFODNN7EXAMPLE",
		Buckets: map[string]int64{"small": 1, "large": 2}}
	switch k {
	case actor.IAMUserKey:
		a.AccessKeyID, a.UserName, a.PrincipalARN = "AKIAIOSFODNN7EXAMPLE", "backup-exports", "arn:aws:iam::111122223333:user/backup-exports"
	case actor.IAMUserSession:
		a.UserName, a.PrincipalARN = "alice", "arn:aws:iam::111122223333:user/alice"
	case actor.IAMUser:
		a.AccessKeyID, a.UserName, a.PrincipalID, a.PrincipalARN = "", "alice", "AIDAEXAMPLE", "arn:aws:iam::111122223333:user/alice"
	case actor.FederatedUser:
		a.UserName, a.Session, a.PrincipalID, a.PrincipalARN = "alice", "otto", "111122223333:otto", "arn:aws:iam::111122223333:user/alice"
	case actor.Role:
		a.AccessKeyID, a.RoleName, a.PrincipalID, a.PrincipalARN = "", "web", "AROAEXAMPLE", "arn:aws:iam::111122223333:role/web"
	case actor.AWSService:
		a.AccessKeyID, a.AccountID, a.Via = "", "", "macie.amazonaws.com"
	case actor.ServiceForOthers:
		a.AccessKeyID, a.AccountID, a.Via = "", "", "cloudfront.amazonaws.com"
	case actor.RoleSession:
		a.RoleName, a.Session, a.PrincipalID, a.PrincipalARN = "web", "batch", "AROAEXAMPLE:batch", "arn:aws:iam::111122223333:role/web"
	case actor.IdentityCenter:
		a.RoleName, a.Session, a.PrincipalID = "AWSReservedSSO_admin_599c", "ada@example.com", "AROAEXAMPLE:ada@example.com"
		a.PrincipalARN = "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_admin_599c"
	case actor.RootKey, actor.RootSession:
		a.PrincipalARN, a.PrincipalID = "arn:aws:iam::111122223333:root", "111122223333"
	case actor.OtherAccount:
		a.AccountID, a.PrincipalID = "444455556666", "AIDAEXAMPLE"
	}
	return a
}

// oneBucket keeps the golden short: the same is said of each bucket.
func oneBucket(a evidence.Actor) evidence.Actor {
	a.Buckets = map[string]int64{"large": 2}
	return a
}

func statement(key, value string) string {
	return `# {"Action":"s3:*","Condition":{"StringEquals":{"` + key + `":"` + value +
		`"}},"Effect":"Deny","Principal":"*","Resource":["arn:aws:s3:::large","arn:aws:s3:::large/*"],"Sid":"NightlatchBlock"}`
}

func TestByHandSaysWhatToRun(t *testing.T) {
	const getPolicy = "aws s3api get-bucket-policy --bucket large --query Policy --output text"
	const add = "put-bucket-policy replaces the whole policy, so add this statement to what that prints:"
	bucket := policy.Target{Type: policy.Bucket, ID: "arn:aws:s3:::large"}
	denyUser := `aws iam put-user-policy --user-name alice --policy-name nightlatch-deny-sessions --policy-document ` +
		`'{"Statement":[{"Action":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":"2026-03-04T00:04:05Z"}},"Effect":"Deny","Resource":"*"}],"Version":"2012-10-17"}'`
	user := policy.Target{Type: policy.User, ID: "arn:aws:iam::111122223333:user/alice"}
	root := "sign in as the root user of account 111122223333, change its password and MFA, and end its access keys: nothing in the account can"
	for k, want := range map[actor.Kind][]Step{
		actor.IAMUserKey: {{Action: policy.DeactivateKey, Target: policy.Target{Type: policy.AccessKey, ID: "AKIAIOSFODNN7EXAMPLE"}, Runbook: []string{
			"aws iam get-access-key-last-used --access-key-id AKIAIOSFODNN7EXAMPLE",
			"with credentials of account 111122223333: " + off,
		}}},
		actor.IAMUserSession: {{Action: policy.DenyUserSessions, Target: user, Runbook: []string{denyUser}}},
		actor.IAMUser: {{Action: policy.QuarantineUser, Target: user, Runbook: []string{
			"the record does not show with which credential: list the keys of the user, and see when each was used",
			"aws iam list-access-keys --user-name alice",
			"to stop the user whatever the credential, which stops all that runs with it:",
			`aws iam put-user-policy --user-name alice --policy-name nightlatch-deny --policy-document '{"Statement":[{"Action":"*","Effect":"Deny","Resource":"*"}],"Version":"2012-10-17"}'`,
			"or only on the bucket:", getPolicy, add, statement("aws:userid", "AIDAEXAMPLE"),
			"then reset the console password and MFA of the user, or whoever holds them signs in again",
		}}},
		actor.FederatedUser: {{Action: policy.DenyUserSessions, Target: user, Runbook: []string{denyUser,
			"that cuts every session that user alice has issued, of everybody, and not only of otto. To shut out this one alone, deny it on the bucket:",
			getPolicy, add, statement("aws:userid", "111122223333:otto")}}},
		actor.Role: {{Action: policy.DenyRoleSessions, Target: policy.Target{Type: policy.Role, ID: "arn:aws:iam::111122223333:role/web"}, Runbook: []string{
			"the record does not show which session: this denial cuts EVERY session of role web that was issued before now:",
			`aws iam put-role-policy --role-name web --policy-name nightlatch-deny-sessions --policy-document '{"Statement":[{"Action":"*","Condition":` +
				`{"DateLessThan":{"aws:TokenIssueTime":"2026-03-04T00:04:05Z"}},"Effect":"Deny","Resource":"*"}],"Version":"2012-10-17"}'`,
		}}},
		actor.ServiceForOthers: {{Action: policy.BlockOnBucket, Target: bucket, Runbook: []string{
			"which distribution it is, is in the policy of the bucket: aws:SourceArn beside cloudfront.amazonaws.com, or the id of an origin access identity", getPolicy,
			"who its viewers are, is in the logs of the distribution. To shut the door, take that statement out of the policy, or disable the distribution: its other viewers lose it too"}}},
		actor.RoleSession: {{Action: policy.DenyRoleSession, Target: policy.Target{Type: policy.Role, ID: "arn:aws:iam::111122223333:role/web"}, Runbook: []string{
			`aws iam put-role-policy --role-name web --policy-name nightlatch-deny-7example --policy-document '{"Statement":[{"Action":"*","Condition":` +
				`{"DateLessThan":{"aws:TokenIssueTime":"2026-03-04T00:04:05Z"},"StringEquals":{"aws:userid":"AROAEXAMPLE:batch"}},"Effect":"Deny","Resource":"*"}],"Version":"2012-10-17"}'`,
		}}},
		actor.IdentityCenter: {{Action: policy.BlockOnBucket, Target: bucket, Runbook: []string{getPolicy, add,
			statement("aws:userid", "AROAEXAMPLE:ada@example.com"),
			"the role belongs to Identity Center and cannot be edited: end the session of user ada@example.com there"}}},
		actor.RootKey:     {{Action: policy.BlockOnBucket, Target: bucket, Runbook: []string{getPolicy, add, statement("aws:PrincipalArn", "arn:aws:iam::111122223333:root"), root}}},
		actor.RootSession: {{Action: policy.BlockOnBucket, Target: bucket, Runbook: []string{getPolicy, add, statement("aws:PrincipalArn", "arn:aws:iam::111122223333:root"), root}}},
		actor.OtherAccount: {{Action: policy.BlockOnBucket, Target: bucket, Runbook: []string{getPolicy, add, statement("aws:userid", "AIDAEXAMPLE"),
			"then find what lets account 444455556666 read the bucket, and tell its owner"}}},
		actor.Anonymous: {{Action: policy.BlockPublicAccess, Target: bucket, Runbook: []string{"aws s3api put-public-access-block --bucket large " +
			"--public-access-block-configuration BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"}}},
		actor.AWSService: {{Action: policy.BlockOnBucket, Target: bucket, Runbook: []string{
			"who has ordered it is in the jobs of the service, and among the management events of macie.amazonaws.com in CloudTrail",
			"to end it, stop that job there, or switch the service off for this bucket"}}},
		actor.Unattributed: {{Action: policy.BlockOnBucket, Target: bucket, Runbook: []string{
			"# no command is safe: the record has no id of this caller that could be denied, and whatever else is denied hits others",
			"find out who it is: the records of these calls in CloudTrail, by their time and address"}}},
	} {
		t.Run(string(k), func(t *testing.T) {
			got := ByHand(oneBucket(who(k)), policy.Target{}, "", midnight)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("ByHand (-want +got):\n%s", diff)
			}
			for _, s := range got {
				if s.Planned() || s.Undo != "" {
					t.Errorf("a step by hand is planned, or has the undo %q", s.Undo)
				}
			}
		})
	}
}

// Each denial stands beside the others: a policy put under the same name takes the first one's place.
func TestByHandNamesOnePolicyASession(t *testing.T) {
	for key, want := range map[string]string{
		"ASIAIOSFODNN7EXAMPLE": "nightlatch-deny-7example", "ASIAIOSFODNN7EXAMPL2": "nightlatch-deny-7exampl2",
		"abcdEFGH": "nightlatch-deny-abcdefgh", "ABCDEFG": "nightlatch-deny-batch", "": "nightlatch-deny-batch", "ASIA EXAMPLE12345": "nightlatch-deny-batch",
		"ASIA-EXAMPLE12345": "nightlatch-deny-batch", "ASIAEXAMPLE12345\n": "nightlatch-deny-batch", "ASIAEXAMPLÉ12345": "nightlatch-deny-batch",
	} {
		a := who(actor.RoleSession)
		a.AccessKeyID = key
		if line := ByHand(a, policy.Target{}, "", midnight)[0].Runbook[0]; !strings.Contains(line, " --policy-name "+want+" --policy-document ") {
			t.Errorf("key %q: %s, want the policy %s", key, line, want)
		}
	}
}

func TestByHandOnAKeyOfAnUnknownUser(t *testing.T) {
	const lastUsed = "aws iam get-access-key-last-used --access-key-id AKIAIOSFODNN7EXAMPLE"
	const find = "find its user with the line above, then deactivate the key there"
	for key, want := range map[string][]string{"AKIAIOSFODNN7EXAMPLE": {lastUsed, find}, "": {unnamed}, "--debug": {dashed}, "\x1b": {unprintable}} {
		for _, user := range []string{"", "--debug", "\x1b"} {
			a := who(actor.IAMUserKey)
			a.AccessKeyID, a.UserName = key, user
			if diff := cmp.Diff(want, ByHand(a, policy.Target{}, "", midnight)[0].Runbook); diff != "" {
				t.Errorf("key %q of user %q: runbook (-want +got):\n%s", key, user, diff)
			}
		}
	}
}

func TestByHandOnAnInstance(t *testing.T) {
	a := who(actor.RoleSession)
	a.Session, a.PrincipalID = "i-0317f6c6b66ae9c40", "AROAEXAMPLE:i-0317f6c6b66ae9c40"
	lines := ByHand(a, policy.Target{}, "", midnight)[0].Runbook
	want := "the session is of an EC2 instance: it is issued fresh credentials at once, so isolate instance i-0317f6c6b66ae9c40 too"
	if len(lines) != 2 || lines[1] != want {
		t.Errorf("runbook %q, want %q at the end", lines, want)
	}
}

func TestByHandNamesEveryBucketTheMostReadFirst(t *testing.T) {
	for _, k := range []actor.Kind{actor.IdentityCenter, actor.RootKey, actor.OtherAccount, actor.Anonymous, actor.ServiceForOthers, actor.Unattributed} {
		a := who(k)
		a.Buckets = map[string]int64{"b": 1, "a": 1, "c": 7}
		var got []string
		for _, s := range ByHand(a, policy.Target{}, "", midnight) {
			got = append(got, s.Target.ID)
		}
		if diff := cmp.Diff([]string{"arn:aws:s3:::c", "arn:aws:s3:::a", "arn:aws:s3:::b"}, got); diff != "" {
			t.Errorf("%s: buckets (-want +got):\n%s", k, diff)
		}
	}
}

func TestByHandKeepsTheTargetThatTheAccountKnows(t *testing.T) {
	known := policy.Target{Type: policy.Role, ID: "arn:aws:iam::111122223333:role/service-role/web", Owner: "web", Known: true,
		Tags: map[string]string{"team": "data"}, Protected: "tagged nightlatch:protect"}
	got := ByHand(who(actor.RoleSession), known, "", midnight)[0].Target
	if diff := cmp.Diff(known, got); diff != "" {
		t.Errorf("target (-want +got):\n%s", diff)
	}
}

// A denial that names nobody hits everybody, or nobody: then no command is printed.
func TestByHandPrintsNoCommandWithoutAName(t *testing.T) {
	for _, k := range actor.Kinds() {
		a := evidence.Actor{Kind: k, Buckets: map[string]int64{"large": 2}}
		for _, s := range ByHand(a, policy.Target{}, "", midnight) {
			for _, line := range s.Runbook {
				harmless := k == actor.Anonymous || k == actor.ServiceForOthers // they need the bucket only
				if strings.HasPrefix(line, "aws ") && !harmless {
					t.Errorf("%s without any name: %s", k, line)
				}
			}
			if len(s.Runbook) == 0 {
				t.Errorf("%s without any name: an empty runbook", k)
			}
		}
	}

}

// hostile are names that a shell, a terminal or a reader must not take at their word.
var hostile = []string{
	"$(touch pwned)", "`touch pwned`", "'; touch pwned; '", `"; touch pwned; "`, "a b", "a'b", `a"b`, `a\b`, "a\\", "$HOME", "${IFS}", "*", "~", "!!",
	"a;touch pwned", "a&&touch pwned", "a|touch pwned", "a>pwned", "#a", "--debug", "-", "{a,b}", "[a]", "%s", "file://pwned",
	"a\nb", "a\n touch pwned", "a\rb", "a\tb", "a\x00b", "\x1b[2Ja", "\x1b]0;x\x07", "a\u202eb", "a\u2028b", "ä", "a\u200bb", "\xff\xfe", "日本",
}

func TestNoHostileNameReachesAShell(t *testing.T) {
	sh := newShell(t)
	for _, name := range hostile {
		for _, k := range actor.Kinds() {
			a := evidence.Actor{Kind: k, AccountID: name, AccessKeyID: name, UserName: name, RoleName: name, Session: name, PrincipalID: name,
				PrincipalARN: name, OnBehalfOf: name, SourceIdentity: name, Provider: name, Via: name, Buckets: map[string]int64{name: 1}}
			for _, s := range ByHand(a, policy.Target{}, "", midnight) {
				sh.checkRunbook(t, fmt.Sprintf("%s named %q", k, name), s.Runbook)
			}
			for _, found := range [][]Source{nil, {SourceOf(name, midnight, name, []string{name}, a.Credential())}} {
				sh.checkRunbook(t, fmt.Sprintf("behind %s named %q", k, name), Behind(a, found, ""))
			}
		}
		target := policy.Target{Type: policy.AccessKey, ID: name, Owner: name, Known: true}
		s := DeactivateKey(target, isActive)
		sh.checkRunbook(t, fmt.Sprintf("a key named %q", name), append([]string{s.Undo}, s.Runbook...))
	}
	sh.untouched(t)
}

func TestACommandRunsItsArgumentsAsTheyAre(t *testing.T) {
	sh := newShell(t)
	check := func(args ...string) {
		t.Helper()
		line := Command(append([]string{"aws"}, args...)...)
		whole := printable.MatchString(strings.Join(args, ""))
		if !whole {
			if line != unprintable {
				t.Errorf("Command(%q) = %s", args, line)
			}
			return
		}
		if len(args) > 3 && strings.HasPrefix(args[3], "-") {
			if line != dashed {
				t.Errorf("Command(%q) = %s", args, line)
			}
			return
		}
		if diff := cmp.Diff(args, sh.run(t, line)); diff != "" {
			t.Errorf("%s (-want +ran):\n%s", line, diff)
		}
	}
	for _, name := range hostile {
		check("iam", name, "x"+name, name+name)
	}
	var every []string // all of printable ASCII, one by one and together
	for c := ' '; c <= '~'; c++ {
		every = append(every, string(c))
	}
	check(append([]string{"iam"}, every...)...)
	check(strings.Join(every, ""))
	sh.untouched(t)
}

// What a runbook's documents say is what was meant, whatever the names in them are.
func TestDocumentsCarryNamesAsTheyAre(t *testing.T) {
	for _, name := range hostile {
		var got struct {
			Statement []struct {
				Condition struct{ StringEquals map[string]string }
			}
		}
		if err := json.Unmarshal([]byte(denySessions(name, midnight)), &got); err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		if value := got.Statement[0].Condition.StringEquals["aws:userid"]; value != strings.ToValidUTF8(name, "\uFFFD") && name != "\xff\xfe" {
			t.Errorf("aws:userid is %q, want %q", value, name)
		}
	}
}

func TestWhatAHumanHasDoneIsNotOurs(t *testing.T) {
	now := time.Date(2026, 3, 4, 0, 30, 0, 0, time.UTC)
	asked := Outcome{State: Asked, Attempts: 2, Throttled: 1, Runbook: []string{"run"}, Step: Step{Undo: "undo"}}
	got := asked.ByHand(Doc{Text: Inactive}, now)
	if got.State != Already || got.Attempts+got.Throttled != 0 || got.Runbook != nil || got.Undo != "undo" || !got.At.Equal(now) ||
		got.Detail != "it reads as Inactive now: somebody has done it by hand" {
		t.Errorf("got %+v", got)
	}
	if asked.State != Asked {
		t.Error("the outcome that was given has changed")
	}
}

// S3 refuses a policy whose resource is of another partition.
func TestByHandWritesThePartition(t *testing.T) {
	for partition, want := range map[string]string{"": "arn:aws:s3:::large", "aws": "arn:aws:s3:::large", "aws-us-gov": "arn:aws-us-gov:s3:::large", "aws-eusc": "arn:aws-eusc:s3:::large"} {
		for _, k := range actor.Kinds() {
			for _, s := range ByHand(oneBucket(who(k)), policy.Target{}, partition, midnight) {
				if s.Target.Type == policy.Bucket && s.Target.ID != want {
					t.Errorf("%s in %q: target %s, want %s", k, partition, s.Target.ID, want)
				}
				for _, line := range s.Runbook {
					if strings.Contains(line, ":s3:::") && strings.Count(line, want) != strings.Count(line, ":s3:::") {
						t.Errorf("%s in %q: %s", k, partition, line)
					}
				}
			}
		}
	}
}

// It is said what stops a session or caller whose record is short of a name, and never more than that one without saying so.
func TestByHandOnOneOfMany(t *testing.T) {
	for name, c := range map[string]struct {
		of          actor.Kind
		change      func(*evidence.Actor)
		action      policy.Action
		says, never []string
	}{
		"a guest of an app": {actor.RoleSession, func(a *evidence.Actor) {
			a.Session, a.PrincipalID, a.Provider = "CognitoIdentityCredentials", "AROAEXAMPLE:CognitoIdentityCredentials", "cognito-identity.amazonaws.com"
		}, policy.DenyRoleSessions, []string{"every guest of the app", "cuts ALL", "came by cognito-identity.amazonaws.com", "put-role-policy --role-name web"}, nil},
		"a guest, by the session's name alone": {actor.RoleSession, func(a *evidence.Actor) {
			a.Session, a.PrincipalID = "CognitoIdentityCredentials", "AROAEXAMPLE:CognitoIdentityCredentials"
		},
			policy.DenyRoleSessions, []string{"every guest of the app", "came by cognito-identity.amazonaws.com"}, nil},
		"a session without its role": {actor.RoleSession, func(a *evidence.Actor) { a.RoleName = "" }, policy.BlockOnBucket, []string{`"aws:userid":"AROAEXAMPLE:batch"`, "does not name it"}, []string{"put-role-policy"}},
		"a session of two roles": {actor.RoleSession, func(a *evidence.Actor) { a.RoleName, a.Doubt = "", "the record names two roles" }, policy.BlockOnBucket,
			[]string{"which role that is: the record contradicts itself"}, []string{"does not name", "put-role-policy"}},
		"a session without its id": {actor.RoleSession, func(a *evidence.Actor) { a.PrincipalID = "" }, policy.DenyRoleSessions, []string{"EVERY session of role web"}, nil},
		"a user by the id alone":   {actor.IAMUser, func(a *evidence.Actor) { a.UserName = "" }, policy.BlockOnBucket, []string{`"aws:userid":"AIDAEXAMPLE"`}, []string{"--user-name"}},
		"what root has issued": {actor.RootSession, func(a *evidence.Actor) {
			a.PrincipalARN, a.PrincipalID, a.Session = "arn:aws:sts::111122223333:federated-user/bob", "111122223333:bob", "bob"
		}, policy.BlockOnBucket, []string{`"aws:userid":"111122223333:bob"`, "sign in as the root user"}, []string{"PrincipalArn"}},
		"root by AssumeRoot": {actor.RootSession, func(a *evidence.Actor) { a.PrincipalARN = "arn:aws:sts::111122223333:assumed-root" }, policy.BlockOnBucket,
			[]string{`"aws:userid":"111122223333"`, "look for AssumeRoot"}, []string{"sign in as"}},
		"an Identity Center user without a role": {actor.IdentityCenter, func(a *evidence.Actor) {
			a.RoleName, a.PrincipalID, a.PrincipalARN, a.Session, a.OnBehalfOf = "", "", "", "", "00000000-c0de"
		}, policy.BlockOnBucket, []string{"no principal id that the policy of a bucket could name", "user 00000000-c0de"}, []string{"role ", "the role belongs"}},
		"an id of no kind": {actor.Unattributed, func(a *evidence.Actor) { a.PrincipalID = "AROAEXAMPLE:x" }, policy.BlockOnBucket, []string{`"aws:userid":"AROAEXAMPLE:x"`}, []string{"no command is safe"}},
		"an account is no id of a caller": {actor.Unattributed, func(a *evidence.Actor) { a.PrincipalID = "111122223333" }, policy.BlockOnBucket, []string{"no command is safe"},
			[]string{"aws:userid"}},
		"replication": {actor.ServiceForOthers, func(a *evidence.Actor) { a.Via = "s3.amazonaws.com" }, policy.BlockOnBucket,
			[]string{"get-bucket-replication --bucket large", "delete-bucket-replication --bucket large", "batch job"}, []string{"Deny"}},
		"an access identity": {actor.ServiceForOthers, func(a *evidence.Actor) { a.Via, a.AccountID = "", "CloudFront" }, policy.BlockOnBucket, []string{"aws:SourceArn", "logs of the distribution"}, []string{"Deny"}},
		"any service":        {actor.ServiceForOthers, func(a *evidence.Actor) { a.Via = "ram.amazonaws.com" }, policy.BlockOnBucket, []string{"get-bucket-policy"}, []string{"Deny", "CloudFront"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := oneBucket(who(c.of))
			c.change(&a)
			steps := ByHand(a, policy.Target{}, "", midnight)
			if len(steps) != 1 || steps[0].Action != c.action {
				t.Fatalf("got %+v, want one step %s", steps, c.action)
			}
			text := strings.Join(steps[0].Runbook, "\n")
			saysOnly(t, text, c.says, c.never)
		})
	}
}

// Stopping a session leaves its source.
func TestWhatStandsBehindIsNamed(t *testing.T) {
	key := SourceOf("GetSessionToken", midnight, "", nil, actor.Credential{Kind: actor.IAMUserKey, AccessKeyID: "AKIAEXAMPLE000000001", UserName: "mara", AccountID: "111122223333"})
	between := SourceOf("AssumeRole", midnight, "", nil, actor.Credential{Kind: actor.RoleSession, AccessKeyID: "ASIAEXAMPLE000000001", RoleName: "hop", AccountID: "111122223333"})
	foreign, unnamed := key, key
	foreign.AccountID, unnamed.UserName = "444455556666", ""
	const off = "aws iam update-access-key --user-name mara --access-key-id AKIAEXAMPLE000000001 --status Inactive"
	for name, c := range map[string]struct {
		of          actor.Kind
		found       []Source
		unknown     string
		says, never []string
	}{
		"a key":                    {actor.IAMUserSession, []Source{key}, "", []string{off, "stays on"}, []string{"console password", "does not show"}},
		"a chain to a key":         {actor.RoleSession, []Source{between, key}, "", []string{off}, []string{"chain ends", "AssumeRoleWithSAML"}},
		"a chain to a session":     {actor.RoleSession, []Source{between}, "", []string{"the chain ends at session ASIAEXAMPLE000000001"}, []string{"update-access-key"}},
		"another account's key":    {actor.RoleSession, []Source{foreign}, "", []string{"with credentials of account 444455556666", off}, nil},
		"a key of nobody's":        {actor.RoleSession, []Source{unnamed}, "", []string{"get-access-key-last-used --access-key-id AKIAEXAMPLE000000001"}, []string{"update-access-key"}},
		"who has ordered it":       {actor.ServiceForOthers, []Source{key}, "", []string{off, "ordered or opened"}, nil},
		"nobody, of a user":        {actor.IAMUserSession, nil, "", []string{"GetSessionToken", "list-access-keys --user-name alice", "console password"}, nil},
		"nobody, of a broker":      {actor.FederatedUser, nil, "", []string{"GetFederationToken", "list-access-keys --user-name alice"}, []string{"console password"}},
		"nobody, of a role":        {actor.RoleSession, nil, "", []string{"AssumeRoleWithWebIdentity", "accessKeyId = ASIAIOSFODNN7EXAMPLE"}, nil},
		"nobody, of a service":     {actor.ServiceForOthers, nil, "", []string{"PutBucketPolicy", "CreateDistribution"}, nil},
		"nobody, of a stranger":    {actor.OtherAccount, nil, "", []string{"PutBucketPolicy", "PutBucketAcl"}, []string{"CreateDistribution"}},
		"the trail did not answer": {actor.RoleSession, nil, "no slot", []string{"not known", "AssumeRole"}, nil},
		"a long-term key has none": {actor.IAMUserKey, []Source{key}, "", nil, []string{"update-access-key"}},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Join(Behind(who(c.of), c.found, c.unknown), "\n")
			saysOnly(t, text, c.says, c.never)
		})
	}
	a := who(actor.RoleSession)
	a.AccessKeyID = ""
	if text := strings.Join(Behind(a, nil, ""), "\n"); AsksOf(a) != Unnamed || strings.Contains(text, "accessKeyId") || !strings.Contains(text, "session name batch") {
		t.Errorf("a session without its key, %s: %s", AsksOf(a), text)
	}
}

// saysOnly checks what a text says, and what it never does.
func saysOnly(t *testing.T, text string, says, never []string) {
	t.Helper()
	for _, s := range says {
		if !strings.Contains(text, s) {
			t.Errorf("it does not say %q:\n%s", s, text)
		}
	}
	for _, s := range never {
		if strings.Contains(text, s) {
			t.Errorf("it says %q:\n%s", s, text)
		}
	}
}

// The copy of a call that the bucket's owner gets names no key of another account's caller: that account's own Nightlatch is asked.
func TestAnotherAccountsNightlatchIsAsked(t *testing.T) {
	a := oneBucket(who(actor.OtherAccount))
	a.AccountID, a.FirstSeen, a.LastSeen = "444455556666", time.Date(2026, 3, 4, 0, 7, 1, 0, time.UTC), time.Date(2026, 3, 4, 0, 8, 59, 0, time.UTC)
	runbook := func() []string { return ByHand(a, policy.Target{}, "aws", time.Now())[0].Runbook }
	lines := runbook()
	if last := lines[len(lines)-1]; last != "nightlatch investigate large --from 2026-03-04T00:07:00Z --to 2026-03-04T00:09:00Z" || !strings.Contains(lines[len(lines)-2], "which key of account 444455556666 it was") {
		t.Errorf("got %q", lines)
	}
	for name, change := range map[string]func(){
		"no account":     func() { a.AccountID = "CloudFront" },
		"over days":      func() { a.AccountID, a.LastSeen = "444455556666", a.FirstSeen.AddDate(0, 0, 2) },
		"nobody saw him": func() { a.FirstSeen = time.Time{} },
	} {
		if change(); len(runbook()) != len(lines)-2 {
			t.Errorf("%s: got %q", name, runbook())
		}
	}
}
