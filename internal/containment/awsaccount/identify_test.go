package awsaccount

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nightlatch/internal/actor"
	"nightlatch/internal/policy"
)

const ours = "111122223333"

var (
	stolen = actor.Credential{
		Kind: actor.IAMUserKey, AccessKeyID: "AKIAEXAMPLE000000001", AccountID: ours, UserName: "backup-exports",
		PrincipalID: "AIDAEXAMPLEBACKUP0001", PrincipalARN: "arn:aws:iam::111122223333:user/batch/backup-exports",
	}
	stolenKey = policy.Target{
		Type: policy.AccessKey, ID: "AKIAEXAMPLE000000001", Owner: "backup-exports", AccountID: ours,
		OwnerARN: "arn:aws:iam::111122223333:user/batch/backup-exports", Tags: map[string]string{"team": "data"}, Known: true,
		LastUsed: &policy.LastUse{At: time.Date(2026, 3, 4, 0, 9, 0, 0, time.UTC), Service: "s3"},
	}
	session = actor.Credential{
		Kind: actor.RoleSession, AccessKeyID: "ASIAEXAMPLE000000009", AccountID: ours, RoleName: "etl", Session: "job-7",
		PrincipalID: "AROAEXAMPLEETL0000001:job-7", PrincipalARN: "arn:aws:iam::111122223333:role/etl",
	}
)

const (
	password = "<LoginProfile><UserName>backup-exports</UserName><CreateDate>2024-01-02T03:04:05Z</CreateDate></LoginProfile>"
	old      = "<member><EnableDate>2024-02-01T00:00:00Z</EnableDate></member>"
	young    = "<member><EnableDate>2026-03-03T00:00:00Z</EnableDate></member>"
)

// signedIn is what IAM answers of a user's password and devices.
func signedIn(password string, devices ...string) map[string]string {
	return map[string]string{"GetLoginProfile": password, "ListMFADevices": "<MFADevices>" + strings.Join(devices, "") + "</MFADevices><IsTruncated>false</IsTruncated>"}
}

func TestIdentify(t *testing.T) {
	with := func(c actor.Credential, change func(*actor.Credential)) actor.Credential { change(&c); return c }
	target := func(x policy.Target, change func(*policy.Target)) policy.Target { change(&x); return x }
	unknownKey := policy.Target{Type: policy.AccessKey, ID: stolen.AccessKeyID, AccountID: ours}
	user := target(stolenKey, func(x *policy.Target) { x.Type, x.ID, x.LastUsed = policy.User, x.OwnerARN, nil })
	role := policy.Target{
		Type: policy.Role, ID: "arn:aws:iam::111122223333:role/batch/etl", OwnerARN: "arn:aws:iam::111122223333:role/batch/etl",
		Owner: "etl", AccountID: ours, Tags: map[string]string{}, Known: true,
	}
	etl := &fakeRole{arn: role.ID, id: "AROAEXAMPLEETL0000001"}

	for name, tc := range map[string]struct {
		settings Settings
		world    func(*fakeAWS)
		in       actor.Credential
		want     policy.Target
		calls    map[string]int // of IAM; nil is "none at all"
		missing  string         // the permission that the error beside the target names
	}{
		"a user's key, with the path of its ARN": {
			in: stolen, want: stolenKey, calls: map[string]int{"GetAccessKeyLastUsed": 1, "GetUser": 1},
		},
		"a key whose user signed in": {
			world: func(f *fakeAWS) { f.users["backup-exports"].signIn = signedIn(password, old, young) },
			in:    with(stolen, func(c *actor.Credential) { c.SignedIn = true }),
			want: target(stolenKey, func(x *policy.Target) {
				x.SignIn = &policy.SignIn{Password: time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC), Device: time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC)}
			}),
			calls: map[string]int{"GetAccessKeyLastUsed": 1, "GetUser": 1, "GetLoginProfile": 1, "ListMFADevices": 1},
		},
		"one without a password now": {
			world: func(f *fakeAWS) {
				f.users["backup-exports"].signIn = map[string]string{"ListMFADevices": "<MFADevices>" + old + "</MFADevices><IsTruncated>false</IsTruncated>"}
			},
			in:   with(stolen, func(c *actor.Credential) { c.SignedIn = true }),
			want: stolenKey, calls: map[string]int{"GetAccessKeyLastUsed": 1, "GetUser": 1, "GetLoginProfile": 1},
		},
		"one without a device now": {
			world: func(f *fakeAWS) { f.users["backup-exports"].signIn = signedIn(password) },
			in:    with(stolen, func(c *actor.Credential) { c.SignedIn = true }),
			want:  stolenKey, calls: map[string]int{"GetAccessKeyLastUsed": 1, "GetUser": 1, "GetLoginProfile": 1, "ListMFADevices": 1},
		},
		"one with a device of no date": {
			world: func(f *fakeAWS) { f.users["backup-exports"].signIn = signedIn(password, old, "<member></member>") },
			in:    with(stolen, func(c *actor.Credential) { c.SignedIn = true }),
			want:  stolenKey, calls: map[string]int{"GetAccessKeyLastUsed": 1, "GetUser": 1, "GetLoginProfile": 1, "ListMFADevices": 1},
		},
		"one whose password may not be read": {
			world: func(f *fakeAWS) { f.faults["GetLoginProfile"] = []fault{deny} },
			in:    with(stolen, func(c *actor.Credential) { c.SignedIn = true }),
			want:  stolenKey, calls: map[string]int{"GetAccessKeyLastUsed": 1, "GetUser": 1, "GetLoginProfile": 1}, missing: "may not call iam:GetLoginProfile",
		},
		"one whose devices may not be read": {
			world: func(f *fakeAWS) {
				f.users["backup-exports"].signIn, f.faults["ListMFADevices"] = signedIn(password, old), []fault{deny}
			},
			in:   with(stolen, func(c *actor.Credential) { c.SignedIn = true }),
			want: stolenKey, calls: map[string]int{"GetAccessKeyLastUsed": 1, "GetUser": 1, "GetLoginProfile": 1, "ListMFADevices": 1}, missing: "may not call iam:ListMFADevices",
		},
		"a key that was never used": {
			world: func(f *fakeAWS) { f.lastUsed = "<ServiceName>N/A</ServiceName><Region>N/A</Region>" },
			in:    stolen, want: target(stolenKey, func(x *policy.Target) { x.LastUsed = &policy.LastUse{} }), calls: map[string]int{"GetAccessKeyLastUsed": 1, "GetUser": 1},
		},
		"a key whose record names no user": {
			in:   with(stolen, func(c *actor.Credential) { c.UserName, c.PrincipalID = "", "" }),
			want: stolenKey, calls: map[string]int{"GetAccessKeyLastUsed": 1, "GetUser": 1},
		},
		"a key that belongs to another user than the record names, and no id to tell": {
			in:   with(stolen, func(c *actor.Credential) { c.UserName, c.PrincipalID = "alice", "" }),
			want: unknownKey, calls: map[string]int{"GetAccessKeyLastUsed": 1, "GetUser": 1},
		},
		"a user whom the thief has renamed since": {
			in:   with(stolen, func(c *actor.Credential) { c.UserName = "alice" }),
			want: stolenKey, calls: map[string]int{"GetAccessKeyLastUsed": 1, "GetUser": 1},
		},
		"a user who was deleted and made anew": {
			in:   with(stolen, func(c *actor.Credential) { c.PrincipalID = "AIDAEXAMPLEBEFORE0001" }),
			want: unknownKey, calls: map[string]int{"GetAccessKeyLastUsed": 1, "GetUser": 1},
		},
		"a key that was deleted meanwhile": {
			world: func(f *fakeAWS) { f.users["backup-exports"].keys = nil },
			in:    stolen, want: unknownKey, calls: map[string]int{"GetAccessKeyLastUsed": 1, "ListAccessKeys": 1},
		},
		"a key that IAM says does not exist": {
			world: func(f *fakeAWS) { f.faults["GetAccessKeyLastUsed"] = []fault{{status: 404, code: "NoSuchEntity"}} },
			in:    stolen, want: unknownKey, calls: map[string]int{"GetAccessKeyLastUsed": 1},
		},
		"a key whose user was deleted meanwhile": {
			world: func(f *fakeAWS) { f.users = nil },
			in:    stolen, want: unknownKey, calls: map[string]int{"GetAccessKeyLastUsed": 1, "ListAccessKeys": 1},
		},
		"a key whose last use may not be asked, on the second page of its user's keys": {
			world: func(f *fakeAWS) {
				f.faults["GetAccessKeyLastUsed"], f.page = []fault{deny}, 1
				f.users["backup-exports"].keys = []fakeKey{{"AKIAEXAMPLE000000002", "Active"}, {stolen.AccessKeyID, "Active"}}
			},
			in: stolen, want: target(stolenKey, func(x *policy.Target) { x.LastUsed = nil }), calls: map[string]int{"GetAccessKeyLastUsed": 1, "ListAccessKeys": 2, "GetUser": 1},
			missing: "may not call iam:GetAccessKeyLastUsed",
		},
		"a key of another account": {
			in:   with(stolen, func(c *actor.Credential) { c.AccountID = "999988887777" }),
			want: target(unknownKey, func(x *policy.Target) { x.AccountID = "999988887777" }),
		},
		"a key without an account": {
			in:   with(stolen, func(c *actor.Credential) { c.AccountID = "" }),
			want: target(unknownKey, func(x *policy.Target) { x.AccountID = "" }),
		},
		"a user's session": {
			in:   with(stolen, func(c *actor.Credential) { c.Kind, c.AccessKeyID = actor.IAMUserSession, "ASIAEXAMPLE000000003" }),
			want: user, calls: map[string]int{"GetUser": 1},
		},
		"a federated user's issuer": {
			in: with(stolen, func(c *actor.Credential) {
				c.Kind, c.AccessKeyID, c.PrincipalID = actor.FederatedUser, "ASIAEXAMPLE000000004", "111122223333:partner"
			}),
			want: user, calls: map[string]int{"GetUser": 1},
		},
		"a role's session": {
			world: func(f *fakeAWS) { f.roles["etl"] = etl },
			in:    session, want: role, calls: map[string]int{"GetRole": 1},
		},
		"a role that was deleted": {
			in:   session,
			want: policy.Target{Type: policy.Role, ID: session.PrincipalARN, AccountID: ours}, calls: map[string]int{"GetRole": 1},
		},
		"an Identity Center user without a role": {
			in:   actor.Credential{Kind: actor.IdentityCenter, AccountID: ours, OnBehalfOf: "9067-1234"},
			want: policy.Target{Type: policy.Role, AccountID: ours},
		},
		"the root user's key": {
			in:   actor.Credential{Kind: actor.RootKey, AccessKeyID: "AKIAEXAMPLEROOT00001", AccountID: ours, PrincipalARN: "arn:aws:iam::111122223333:root"},
			want: policy.Target{ID: "arn:aws:iam::111122223333:root", AccountID: ours},
		},
		"our own role": {
			world: func(f *fakeAWS) { f.caller, f.roles["etl"] = "arn:aws:sts::111122223333:assumed-role/etl/run", etl },
			in:    session, want: target(role, func(x *policy.Target) { x.Self = true }), calls: map[string]int{"GetRole": 1},
		},
		"another key of our own user": {
			world: func(f *fakeAWS) { f.caller = "arn:aws:iam::111122223333:user/batch/backup-exports" },
			in:    stolen, want: target(stolenKey, func(x *policy.Target) { x.Self = true }),
			calls: map[string]int{"GetAccessKeyLastUsed": 1, "GetUser": 1},
		},
		"the very key that we run with": {
			world: func(f *fakeAWS) {
				f.users["backup-exports"].keys = []fakeKey{{"ASIAEXAMPLERESPONDER", "Active"}}
			},
			in:    with(stolen, func(c *actor.Credential) { c.AccessKeyID = "ASIAEXAMPLERESPONDER" }),
			want:  target(stolenKey, func(x *policy.Target) { x.Self, x.ID = true, "ASIAEXAMPLERESPONDER" }),
			calls: map[string]int{"GetAccessKeyLastUsed": 1, "GetUser": 1},
		},
		"protected by the deployment": {
			settings: Settings{Protected: []string{stolenKey.OwnerARN}},
			in:       stolen, want: target(stolenKey, func(x *policy.Target) { x.Protected = "named in the deployment's protected principals" }),
			calls: map[string]int{"GetAccessKeyLastUsed": 1, "GetUser": 1},
		},
		"protected by a pattern": {
			settings: Settings{Protected: []string{"arn:aws:iam::*:user/*-exports"}},
			in:       stolen, want: target(stolenKey, func(x *policy.Target) {
				x.Protected = "covered by arn:aws:iam::*:user/*-exports of the deployment's protected principals"
			}),
			calls: map[string]int{"GetAccessKeyLastUsed": 1, "GetUser": 1},
		},
		"a namesake on another path is protected": {
			settings: Settings{Protected: []string{"arn:aws:iam::111122223333:user/backup-exports"}},
			in:       stolen, want: stolenKey, calls: map[string]int{"GetAccessKeyLastUsed": 1, "GetUser": 1},
		},
		"protected by a tag, in other letters and with a value made to mislead": {
			settings: Settings{ProtectTag: ProtectTag},
			world: func(f *fakeAWS) {
				f.users["backup-exports"].tags = map[string]string{"Nightlatch:Protect": "no\n\u202eeslaf"}
			},
			in: stolen, want: target(stolenKey, func(x *policy.Target) {
				x.Tags = map[string]string{"Nightlatch:Protect": "no\n\u202eeslaf"}
				x.Protected, x.ProtectTag = `tagged Nightlatch:Protect="no\n\u202eeslaf"`, "Nightlatch:Protect"
			}),
			calls: map[string]int{"GetAccessKeyLastUsed": 1, "GetUser": 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			if tc.world != nil {
				tc.world(f)
			}
			got, err := f.account(tc.settings).Identify(t.Context(), tc.in)
			if (err == nil) != (tc.missing == "") || err != nil && !strings.Contains(err.Error(), tc.missing) {
				t.Fatalf("got error %v, want one that names %q", err, tc.missing)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("target (-want +got):\n%s", diff)
			}
			delete(f.calls, "GetCallerIdentity")
			if len(f.calls)+len(tc.calls) > 0 && !cmp.Equal(f.calls, tc.calls) {
				t.Errorf("calls of IAM: got %v, want %v", f.calls, tc.calls)
			}
		})
	}
}

func TestIdentifySaysWhatIsMissing(t *testing.T) {
	for action, tc := range map[string]struct {
		in   actor.Credential
		want string
	}{
		"GetCallerIdentity":    {stolen, "sts:GetCallerIdentity on itself"},
		"GetUser":              {stolen, `iam:GetUser on user "backup-exports"`},
		"GetRole":              {session, `iam:GetRole on role "etl"`},
		"GetAccessKeyLastUsed": {stolen, `iam:GetAccessKeyLastUsed on the owner of access key "AKIAEXAMPLE000000001"`},
	} {
		f := newFake(t)
		f.faults[action], f.faults["ListAccessKeys"] = []fault{deny}, []fault{deny}
		got, err := f.account(Settings{}).Identify(t.Context(), tc.in)
		if err == nil || !strings.Contains(err.Error(), "may not call "+tc.want+` (AWS: "no"); grant it`) {
			t.Errorf("%s denied: got %v, want %q", action, err, tc.want)
		}
		if got.Known {
			t.Errorf("%s denied: the target is known all the same", action)
		}
	}
}

func TestIdentityIsAskedOnceAndAgainAfterAFailure(t *testing.T) {
	f := newFake(t)
	f.faults["GetCallerIdentity"] = []fault{deny, none}
	a := f.account(Settings{})
	if _, err := a.Identify(t.Context(), stolen); err == nil {
		t.Error("the first answer was a refusal, and no error came of it")
	}
	for range 3 {
		if got, err := a.Identify(t.Context(), stolen); err != nil || !got.Known {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	if n := f.count("GetCallerIdentity"); n != 2 {
		t.Errorf("GetCallerIdentity was called %d times, want 2", n)
	}
}

func TestNewRefusesWhatWouldProtectNobody(t *testing.T) {
	cfg := newFake(t).account(Settings{}) // a working one, to take the credentials from
	for _, arn := range []string{"backup-exports", "arn:aws:iam::111122223333:user/", "arn:aws:sts::111122223333:assumed-role/x/y", ""} {
		_, err := New(awsConfig(cfg), Settings{Protected: []string{arn}})
		if err == nil || !strings.Contains(err.Error(), "protected principal") {
			t.Errorf("protected %q: got %v, want an error", arn, err)
		}
	}
}
