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
	case actor.IAMUserSession, actor.FederatedUser:
		a.UserName, a.PrincipalARN = "alice", "arn:aws:iam::111122223333:user/alice"
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
	denyUser := []string{
		`aws iam put-user-policy --user-name alice --policy-name nightlatch-deny-sessions --policy-document ` +
			`'{"Statement":[{"Action":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":"2026-03-04T00:04:05Z"}},"Effect":"Deny","Resource":"*"}],"Version":"2012-10-17"}'`,
		"then reset the user's console password and MFA, or whoever holds them signs in again",
	}
	user := policy.Target{Type: policy.User, ID: "arn:aws:iam::111122223333:user/alice"}
	root := "sign in as the root user of account 111122223333, change its password and MFA, and end its access keys: nothing in the account can"
	for k, want := range map[actor.Kind][]Step{
		actor.IAMUserKey: {{Action: policy.DeactivateKey, Target: policy.Target{Type: policy.AccessKey, ID: "AKIAIOSFODNN7EXAMPLE"}, Runbook: []string{
			"aws iam get-access-key-last-used --access-key-id AKIAIOSFODNN7EXAMPLE",
			"with credentials of account 111122223333: " + off,
		}}},
		actor.IAMUserSession: {{Action: policy.DenyUserSessions, Target: user, Runbook: denyUser}},
		actor.FederatedUser:  {{Action: policy.DenyUserSessions, Target: user, Runbook: denyUser}},
		actor.RoleSession: {{Action: policy.DenyRoleSession, Target: policy.Target{Type: policy.Role, ID: "arn:aws:iam::111122223333:role/web"}, Runbook: []string{
			`aws iam put-role-policy --role-name web --policy-name nightlatch-deny-7example --policy-document '{"Statement":[{"Action":"*","Condition":` +
				`{"DateLessThan":{"aws:TokenIssueTime":"2026-03-04T00:04:05Z"},"StringEquals":{"aws:userid":"AROAEXAMPLE:batch"}},"Effect":"Deny","Resource":"*"}],"Version":"2012-10-17"}'`,
			"then find who assumed the role: AssumeRole in CloudTrail, responseElements.credentials.accessKeyId = ASIAIOSFODNN7EXAMPLE",
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
		actor.AWSService:   nil,
		actor.Unattributed: nil,
	} {
		t.Run(string(k), func(t *testing.T) {
			got := ByHand(oneBucket(who(k)), policy.Target{}, midnight)
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
		"abcdEFGH": "nightlatch-deny-abcdefgh", "ABCDEFG": "nightlatch-deny", "": "nightlatch-deny", "ASIA EXAMPLE12345": "nightlatch-deny",
		"ASIA-EXAMPLE12345": "nightlatch-deny", "ASIAEXAMPLE12345\n": "nightlatch-deny", "ASIAEXAMPLÉ12345": "nightlatch-deny",
	} {
		a := who(actor.RoleSession)
		a.AccessKeyID = key
		if line := ByHand(a, policy.Target{}, midnight)[0].Runbook[0]; !strings.Contains(line, " --policy-name "+want+" --policy-document ") {
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
			if diff := cmp.Diff(want, ByHand(a, policy.Target{}, midnight)[0].Runbook); diff != "" {
				t.Errorf("key %q of user %q: runbook (-want +got):\n%s", key, user, diff)
			}
		}
	}
}

func TestByHandOnAnInstance(t *testing.T) {
	a := who(actor.RoleSession)
	a.Session, a.PrincipalID = "i-0317f6c6b66ae9c40", "AROAEXAMPLE:i-0317f6c6b66ae9c40"
	lines := ByHand(a, policy.Target{}, midnight)[0].Runbook
	want := "the session is an EC2 instance's: it is issued fresh credentials at once, so isolate instance i-0317f6c6b66ae9c40 too"
	if len(lines) != 3 || lines[1] != want {
		t.Errorf("runbook %q, want %q in the middle", lines, want)
	}
}

func TestByHandNamesEveryBucketTheMostReadFirst(t *testing.T) {
	for _, k := range []actor.Kind{actor.IdentityCenter, actor.RootKey, actor.OtherAccount, actor.Anonymous} {
		a := who(k)
		a.Buckets = map[string]int64{"b": 1, "a": 1, "c": 7}
		var got []string
		for _, s := range ByHand(a, policy.Target{}, midnight) {
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
	got := ByHand(who(actor.RoleSession), known, midnight)[0].Target
	if diff := cmp.Diff(known, got); diff != "" {
		t.Errorf("target (-want +got):\n%s", diff)
	}
}

// A denial that names nobody hits everybody, or nobody: then no command is printed.
func TestByHandPrintsNoCommandWithoutAName(t *testing.T) {
	for _, k := range actor.Kinds() {
		a := evidence.Actor{Kind: k, Buckets: map[string]int64{"large": 2}}
		for _, s := range ByHand(a, policy.Target{}, midnight) {
			for _, line := range s.Runbook {
				harmless := k == actor.Anonymous // needs the bucket only
				if strings.HasPrefix(line, "aws ") && !harmless {
					t.Errorf("%s without any name: %s", k, line)
				}
			}
			if len(s.Runbook) == 0 {
				t.Errorf("%s without any name: an empty runbook", k)
			}
		}
	}
	a := who(actor.RoleSession)
	a.PrincipalID = ""
	if line := ByHand(a, policy.Target{}, midnight)[0].Runbook[0]; line != unnamed {
		t.Errorf("a role session without its id: %s", line)
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
				PrincipalARN: name, OnBehalfOf: name, Buckets: map[string]int64{name: 1}}
			for _, s := range ByHand(a, policy.Target{}, midnight) {
				sh.checkRunbook(t, fmt.Sprintf("%s named %q", k, name), s.Runbook)
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
		line := command(append([]string{"aws"}, args...)...)
		whole := printable.MatchString(strings.Join(args, ""))
		if !whole {
			if line != unprintable {
				t.Errorf("command(%q) = %s", args, line)
			}
			return
		}
		if len(args) > 3 && strings.HasPrefix(args[3], "-") {
			if line != dashed {
				t.Errorf("command(%q) = %s", args, line)
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
