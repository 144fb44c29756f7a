package actor

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// trails are real CloudTrail records, beside the project; their README.md says whose.
const trails = "../../../shared/trails"

// recorded is userIdentity as CloudTrail writes it.
type recorded struct {
	Type, PrincipalID, ARN, AccountID, AccessKeyID, UserName, InvokedBy string
	SessionContext                                                      struct {
		SessionIssuer struct{ ARN, UserName string }
	}
	OnBehalfOf struct{ UserID string }
}

func (r recorded) identity() Identity {
	return Identity{Type: r.Type, PrincipalID: r.PrincipalID, ARN: r.ARN, AccountID: r.AccountID, AccessKeyID: r.AccessKeyID,
		UserName: r.UserName, InvokedBy: r.InvokedBy, OnBehalfOf: r.OnBehalfOf.UserID,
		IssuerARN: r.SessionContext.SessionIssuer.ARN, IssuerUserName: r.SessionContext.SessionIssuer.UserName}
}

// load reads the identities of all files that match: arrays, {"Records": […]}, or one record a line; gzipped or not.
func load(t *testing.T, pattern string) []Identity {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(trails, pattern))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skipf("no records: %s is missing", filepath.Join(trails, pattern))
	}
	var ids []Identity
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, ".gz") {
			unzip, err := gzip.NewReader(bytes.NewReader(text))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if text, err = io.ReadAll(unzip); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
		}
		for _, r := range records(t, file, text) {
			ids = append(ids, r.UserIdentity.identity())
		}
	}
	return ids
}

type record struct{ UserIdentity recorded }

func records(t *testing.T, file string, text []byte) []record {
	t.Helper()
	var list []record
	if json.Unmarshal(text, &list) == nil {
		return list
	}
	var whole struct{ Records []record }
	if json.Unmarshal(text, &whole) == nil && len(whole.Records) > 0 {
		return whole.Records
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var one record
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		list = append(list, one)
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return list
}

// kinds counts by kind, of the records in the accounts given; with none given, each record's own account is ours.
func kinds(ids []Identity, accounts ...string) map[Kind]int {
	counts := map[Kind]int{}
	for _, id := range ids {
		ours := Accounts(accounts...)
		if len(accounts) == 0 {
			ours = Accounts(id.AccountID)
		}
		counts[Of(id, ours).Kind]++
	}
	return counts
}

func TestOfRealRecords(t *testing.T) {
	for name, c := range map[string]struct {
		pattern  string
		accounts []string
		want     map[Kind]int
	}{
		// 42 records of invictus have no type, 3 users and 6 service-linked roles no key. 22 services have assumed a role, which is somebody's order.
		"invictus": {"invictus-stratus-run/*.json.gz", []string{"123837392027"},
			map[Kind]int{IAMUserKey: 2182, IAMUserSession: 563, IAMUser: 3, RoleSession: 76, AWSService: 12, ServiceForOthers: 22, Unattributed: 42}},
		"invictus, seen from another account": {"invictus-stratus-run/*.json.gz", []string{"111122223333"},
			map[Kind]int{OtherAccount: 2866, AWSService: 12, ServiceForOthers: 22}},
		"otrf": {"otrf-ec2-proxy-s3-exfiltration/*.json.gz", []string{"123456789123"},
			map[Kind]int{IAMUserSession: 87, RoleSession: 11, ServiceForOthers: 5}},
		"stratus": {"stratus-detonations/*.json", nil,
			map[Kind]int{IAMUserKey: 240, RoleSession: 64, IdentityCenter: 4, FederatedUser: 1, IAMUser: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, kinds(load(t, c.pattern), c.accounts...)); diff != "" {
				t.Errorf("kinds (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOfKeysThatAreKnown(t *testing.T) {
	for name, c := range map[string]struct {
		pattern, account, key string
		want                  Credential
	}{
		"the thief's session of otrf": {"otrf-ec2-proxy-s3-exfiltration/*.json.gz", "123456789123", "ASIA5FLZVX4OPVKKVBMX", Credential{
			Kind: RoleSession, AccessKeyID: "ASIA5FLZVX4OPVKKVBMX", PrincipalID: "AROA5FLZVX4OAMSW6BCRH:i-0317f6c6b66ae9c40",
			PrincipalARN: "arn:aws:iam::123456789123:role/MordorNginxStack-BankingWAFRole-9S3E0UAE1MM0", AccountID: "123456789123",
			RoleName: "MordorNginxStack-BankingWAFRole-9S3E0UAE1MM0", Session: "i-0317f6c6b66ae9c40"}},
		"the federated user of stratus": {"stratus-detonations/aws.persistence.sts-federation-token.json", "742491224508",
			"ASIASTJKC5GCM7ZE6LUP", Credential{Kind: FederatedUser, AccessKeyID: "ASIASTJKC5GCM7ZE6LUP",
				PrincipalID:  "742491224508:stratus_red_team",
				PrincipalARN: "arn:aws:iam::742491224508:user/stratus-red-team-user-federation-user", AccountID: "742491224508",
				UserName: "stratus-red-team-user-federation-user", Session: "stratus_red_team"}},
		"the user who made it": {"stratus-detonations/aws.persistence.sts-federation-token.json", "742491224508", "AKIA6V1GNZTT65XQH36M",
			Credential{Kind: IAMUserKey, AccessKeyID: "AKIA6V1GNZTT65XQH36M", PrincipalID: "AIDAN7SEM6PEVTNQR8M4",
				PrincipalARN: "arn:aws:iam::742491224508:user/stratus-red-team-user-federation-user", AccountID: "742491224508",
				UserName: "stratus-red-team-user-federation-user"}},
		"an Identity Center session": {"stratus-detonations/aws.lateral-movement.ec2-serial-console-send-ssh-public-key.json",
			"844015365555", "ASIA2HJRQF0DHNYEE9N1", Credential{Kind: IdentityCenter, AccessKeyID: "ASIA2HJRQF0DHNYEE9N1",
				PrincipalID:  "AROAEMHZD694LU95MUYOP:randomca0L529zwNAY@gmail.com",
				PrincipalARN: "arn:aws:iam::844015365555:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_account-admin_599c9e90e350d2ff",
				AccountID:    "844015365555", RoleName: "AWSReservedSSO_account-admin_599c9e90e350d2ff", Session: "randomca0L529zwNAY@gmail.com"}},
	} {
		t.Run(name, func(t *testing.T) {
			found := false
			for _, id := range load(t, c.pattern) {
				if id.AccessKeyID != c.key {
					continue
				}
				found = true
				if diff := cmp.Diff(c.want, Of(id, Accounts(c.account))); diff != "" {
					t.Errorf("Of (-want +got):\n%s", diff)
				}
			}
			if !found {
				t.Errorf("no record has the key %q", c.key)
			}
		})
	}
}

// Two keys that look alike are two, and what a service does in a user's name is the user's: real users carry invokedBy.
func TestOfRealUsers(t *testing.T) {
	keys, via := map[string]int{}, map[string]int{}
	for _, id := range load(t, "invictus-stratus-run/*.json.gz") {
		switch got := Of(id, Accounts("123837392027")); {
		case got.Kind == IAMUserKey:
			keys[got.AccessKeyID]++
		case got.Kind == IAMUserSession && got.Via != "":
			via[got.Via]++
		}
	}
	for _, key := range []string{"AKIATFQR7NSC8Q4X20BJ", "AKIATFQZ7NSC8Q4X21BJ"} {
		if keys[key] == 0 {
			t.Errorf("no record of kind %q has the key %q", IAMUserKey, key)
		}
	}
	want := map[string]int{"AWS Internal": 170, "health.amazonaws.com": 25, "secretsmanager.amazonaws.com": 76}
	if diff := cmp.Diff(want, via); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
}
