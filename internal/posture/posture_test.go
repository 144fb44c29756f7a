package posture

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

const us = "111122223333"

// safe is a bucket of which every suspect is ruled out.
func safe() Bucket {
	whole := Read[Block]{Is: Block{true, true, true, true}}
	return Bucket{Name: "exports", Account: us, AccountBlock: whole, Block: whole, NoACLs: Read[bool]{Is: true}, Encryption: Read[Encryption]{Is: Encryption{"aws:kms", "arn:aws:kms:eu-west-1:111122223333:key/k"}},
		Versioned: Read[bool]{Is: true}, Locked: Read[bool]{Is: true}, LogsTo: Read[string]{Is: "logs"}}
}

func answers(list []Suspect) map[string]Answer {
	all := map[string]Answer{}
	for _, s := range list {
		all[s.Name] = s.Answer
	}
	return all
}

// Each suspect is found where it is, ruled out where it is not, and unread where its reading failed, whatever the others say.
func TestEachSuspectOfABucket(t *testing.T) {
	for name, answer := range answers(safe().Suspects()) {
		if answer != RuledOut {
			t.Errorf("of a safe bucket, %q %s", name, answer)
		}
	}
	world := `{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"}}`
	for name, c := range map[string]struct{ is, fails func(*Bucket) }{
		"the policy opens it to everybody": {func(b *Bucket) { b.Public.Is, b.Block.Is, b.AccountBlock.Is = true, Block{}, Block{} }, func(b *Bucket) { b.Public.Err = "x" }},
		"an ACL opens it to others":        {func(b *Bucket) { b.NoACLs.Is, b.Grantees.Is = false, []string{"a-canonical-id"} }, func(b *Bucket) { b.NoACLs.Err = "x" }},
		"its public access block is not whole": {func(b *Bucket) { b.Block.Is.BlockACLs, b.AccountBlock.Is = false, Block{} }, func(b *Bucket) {
			b.Block.Err = "x"
		}},
		"the account's public access block is not whole": {func(b *Bucket) { b.AccountBlock.Is.BlockPolicies = false }, func(b *Bucket) { b.AccountBlock.Err = "x" }},
		"the policy lets other accounts in":              {func(b *Bucket) { b.Policy.Is = world }, func(b *Bucket) { b.Policy.Err = "x" }},
		"access points lead to it":                       {func(b *Bucket) { b.AccessPoints.Is = []AccessPoint{{"inside", false}, {"open", true}} }, func(b *Bucket) { b.AccessPoints.Err = "x" }},
		"S3 copies it to elsewhere":                      {func(b *Bucket) { b.Replicates.Is = []string{"arn:aws:s3:::other"} }, func(b *Bucket) { b.Replicates.Err = "x" }},
		"who may read the bucket may read its contents":  {func(b *Bucket) { b.Encryption.Is.Key = "" }, func(b *Bucket) { b.Encryption.Err = "x" }},
		"what is overwritten or deleted is gone":         {func(b *Bucket) { b.Versioned.Is = false }, func(b *Bucket) { b.Versioned.Err = "x" }},
		"versions can be deleted":                        {func(b *Bucket) { b.Locked.Is = false }, func(b *Bucket) { b.Locked.Err = "x" }},
		"no log but CloudTrail's shows who read it":      {func(b *Bucket) { b.LogsTo.Is = "" }, func(b *Bucket) { b.LogsTo.Err = "x" }},
	} {
		there, failed := safe(), safe()
		c.is(&there)
		c.fails(&failed)
		for _, s := range there.Suspects() {
			if s.Name == name && (s.Answer != Stands || s.Next == "" || len(s.Commands) == 0) {
				t.Errorf("where it is: %+v", s)
			}
		}
		if got := answers(failed.Suspects())[name]; got != Unread {
			t.Errorf("%q, whose reading failed, is %s", name, got)
		}
	}
	// A suspect of the zero bucket, of which nothing was read, is no suspect less.
	if len(answers(Bucket{}.Suspects())) != 11 {
		t.Error("a suspect has no row above")
	}
}

// What holds a public bucket back counts only where it was read.
func TestAPublicPolicyBehindABlock(t *testing.T) {
	for name, c := range map[string]struct {
		account, own Read[Block]
		want         Answer
	}{
		"by the account":                     {Read[Block]{Is: Block{RestrictBuckets: true}}, Read[Block]{}, RuledOut},
		"by the bucket":                      {Read[Block]{}, Read[Block]{Is: Block{RestrictBuckets: true}}, RuledOut},
		"by none":                            {Read[Block]{}, Read[Block]{}, Stands},
		"by one that was not read, and none": {Read[Block]{Is: Block{RestrictBuckets: true}, Err: "refused"}, Read[Block]{}, Stands},
	} {
		b := Bucket{AccountBlock: c.account, Block: c.own, Public: Read[bool]{Is: true}}
		if got := answers(b.Suspects())["the policy opens it to everybody"]; got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	groups := Bucket{Grantees: Read[[]string]{Is: []string{"http://acs.amazonaws.com/groups/global/AllUsers"}}, Block: Read[Block]{Is: Block{IgnoreACLs: true}}}
	if got := answers(groups.Suspects())["an ACL opens it to others"]; got != RuledOut {
		t.Errorf("a grant to all that is ignored %s", got)
	}
	groups.Grantees.Is = append(groups.Grantees.Is, "a-canonical-id")
	if got := answers(groups.Suspects())["an ACL opens it to others"]; got != Stands {
		t.Errorf("a grant to an account beside it %s", got)
	}
}

func TestWhomAPolicyLetsIn(t *testing.T) {
	for text, want := range map[string][]string{
		``: nil,
		`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"}},{"Effect":"Allow","Principal":{"AWS":["111122223333"],"Service":"cloudfront.amazonaws.com"}}]}`: nil,
		`{"Statement":[{"Effect":"Deny","Principal":"*"}]}`:                                                                               nil,
		`{"Statement":{"Effect":"Allow","Principal":"*"}}`:                                                                                {"everybody"},
		`{"Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}}}`:              {"everybody under a condition"},
		`{"Statement":{"Effect":"Allow","NotPrincipal":{"AWS":"111122223333"}}}`:                                                          {"everybody but a few"},
		`{"Statement":{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::444455556666:role/x","arn:aws-cn:iam::111122223333:user/y"]}}}`: {"arn:aws:iam::444455556666:role/x"},
		`{"Statement":{"Effect":"Allow","Principal":{"CanonicalUser":"79a5"}}}`:                                                           {"CanonicalUser 79a5"},
		`{"Statement":{"Effect":"Allow","Principal":{"AWS":"AROAEXAMPLEGONE"}}}`:                                                          {"AROAEXAMPLEGONE"},
		`{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:user/111122223333"}}}`:                              {"arn:aws:iam::444455556666:user/111122223333"},
	} {
		if got, err := lets(text, us); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s lets in %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"{", "[]", `{"Statement":[]}`, `{"Statement":{"Effect":"Allow","Principal":7}}`, `{"Statement":{"Effect":"Allow"}}`} {
		if who, err := lets(text, us); err == nil {
			t.Errorf("%s lets in %q", text, who)
		}
		b := safe()
		if b.Policy.Is = text; answers(b.Suspects())["the policy lets other accounts in"] != Unread {
			t.Errorf("%s, which nobody understands, is not unread", text)
		}
	}
}

func TestWhatAPolicyAllows(t *testing.T) {
	for statement, want := range map[string][2]bool{ // everything, every bucket
		`{"Effect":"Allow","Action":"*","Resource":"*"}`:                                                 {true, true},
		`{"Effect":"Deny","Action":"*","Resource":"*"}`:                                                  {false, false},
		`{"Effect":"Allow","Action":["s3:Get*"],"Resource":["arn:aws:s3:::*"]}`:                          {false, true},
		`{"Effect":"Allow","Action":"S3:getobject","Resource":"arn:aws-cn:s3:::*/*"}`:                    {false, true},
		`{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::exports/*"}`:                         {false, false},
		`{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}`:                                          {true, true},
		`{"Effect":"Allow","NotAction":"s3:*","Resource":"*"}`:                                           {true, false},
		`{"Effect":"Allow","Action":"s3:GetObject","NotResource":"arn:aws:s3:::secret/*"}`:               {false, true},
		`{"Effect":"Allow","Action":"iam:PutUserPolicy","Resource":"arn:aws:iam::111122223333:user/me"}`: {true, false},
		`{"Effect":"Allow","Action":"iam:AttachRolePolicy","Resource":"*"}`:                              {true, false},
		`{"Effect":"Allow","Action":"iam:PassRole","Resource":"*"}`:                                      {false, false},
		`{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}`:                               {false, false},
		`{"Effect":"Allow","Action":"s3:GetObject?","Resource":"*"}`:                                     {false, false},
		`{"Effect":"Allow","Action":"s3:Get[O]bject","Resource":"*"}`:                                    {false, false},
	} {
		d, err := parse(`{"Statement":` + statement + `}`)
		if got := [2]bool{everything(d), everyBucket(d)}; err != nil || got != want {
			t.Errorf("%s allows %v, %v, want %v", statement, got, err, want)
		}
	}
}

func TestEachSuspectOfAUser(t *testing.T) {
	now := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	calm := User{Name: "mara", Keys: Read[[]Key]{Is: []Key{{ID: "AKIAEXAMPLENEW000001", Active: true, Created: now.AddDate(0, 0, -9)}, {ID: "AKIAEXAMPLEOLD000001", Created: now.AddDate(-1, 0, 0)}}},
		Devices: Read[int]{Is: 1}, Console: Read[bool]{Is: true}, Policies: Read[[]Policy]{Is: []Policy{{"own", "inline", `{"Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::exports/*"}}`}}},
		Boundary: Read[string]{Is: "arn:aws:iam::111122223333:policy/b"}, Services: Read[[]Service]{Is: []Service{{"s3", now.AddDate(0, 0, -2)}}}}
	for name, answer := range answers(calm.Suspects(now)) {
		if answer != RuledOut {
			t.Errorf("of a calm user, %q %s", name, answer)
		}
	}
	bad := User{Name: "mara", Keys: Read[[]Key]{Is: []Key{{ID: "AKIAEXAMPLEOLD000001", Active: true, Created: now.AddDate(0, 0, -91)}}}, Console: Read[bool]{Is: true},
		Policies: Read[[]Policy]{Is: []Policy{{"admin", "group staff", `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`}, {"odd", "attached", "{"}}}, Services: Read[[]Service]{Is: []Service{{"ec2", time.Time{}}}}}
	list := bad.Suspects(now)
	for name, answer := range answers(list) {
		if answer != Stands {
			t.Errorf("of a bad user, %q %s", name, answer)
		}
	}
	if says := list[2].Says; !strings.Contains(says, "admin (group staff)") || !strings.Contains(says, "odd (attached), which is not understood") {
		t.Errorf("it says %q", says)
	}
	none := User{Keys: Read[[]Key]{Err: "x"}, Devices: Read[int]{Err: "x"}, Console: Read[bool]{Is: true}, Policies: Read[[]Policy]{Err: "x"}, Boundary: Read[string]{Err: "x"}, Services: Read[[]Service]{Err: "x"}}
	for name, answer := range answers(none.Suspects(now)) {
		if answer != Unread {
			t.Errorf("of an unreadable user, %q %s", name, answer)
		}
	}
	none.Console.Is = false // then no device is needed
	if got := answers(none.Suspects(now))["it signs in without a second factor"]; got != RuledOut {
		t.Errorf("without a password it %s", got)
	}
}

// An old key has the lines of its rotation in their order, one that is young or off has none.
func TestTheRotationOfAKey(t *testing.T) {
	now := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	u := User{Name: "mara", Keys: Read[[]Key]{Is: []Key{{ID: "AKIAEXAMPLEYOUNG0001", Active: true, Created: now}, {ID: "AKIAEXAMPLEOLD000001", Active: true, Created: now.AddDate(-1, 0, 0)}, {ID: "AKIAEXAMPLEOFF000001", Created: now.AddDate(-1, 0, 0)}}}}
	want := []string{"aws iam create-access-key --user-name mara", "aws iam get-access-key-last-used --access-key-id AKIAEXAMPLEOLD000001",
		"aws iam update-access-key --user-name mara --access-key-id AKIAEXAMPLEOLD000001 --status Inactive", "aws iam delete-access-key --user-name mara --access-key-id AKIAEXAMPLEOLD000001"}
	if got := u.Suspects(now)[0].Commands; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// Which services were tried is what a policy is narrowed to: the last ones first, and never more than fits.
func TestTheServicesOfAUser(t *testing.T) {
	now := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	var many []Service
	for i := range 40 {
		many = append(many, Service{"s" + string(rune('a'+i%26)) + string(rune('a'+i/26)), now.AddDate(0, 0, -i)})
	}
	for name, c := range map[string]struct {
		of     []Service
		says   string
		stands bool
	}{
		"none allowed":  {nil, "it tried none of the services that its policies allow; only what IAM recorded", false},
		"none tried":    {[]Service{{Name: "ec2"}, {Name: "rds"}}, "it tried none of the services that its policies allow, and not ec2 and rds; only", true},
		"all tried":     {[]Service{{"s3", now.AddDate(0, 0, -3)}}, "it tried s3 (3 days ago) of the services that its policies allow; only", false},
		"the last ones": {append(many, Service{Name: "iam"}), "it tried saa (0 days ago), sba (1 day ago), sca (2 days ago), sda (3 days ago), sea (4 days ago), sfa (5 days ago), sga (6 days ago), sha (7 days ago), sia (8 days ago), sja (9 days ago), ska (10 days ago), sla (11 days ago) and 28 more of the services that its policies allow, and not iam; only", true},
	} {
		u := User{Name: "mara", ARN: "arn:aws:iam::111122223333:user/mara", Services: Read[[]Service]{Is: c.of}}
		for _, s := range u.Suspects(now) {
			if s.Name == "it may call services that it does not use" && (!strings.HasPrefix(s.Says, c.says) || (s.Answer == Stands) != c.stands ||
				c.stands && s.Commands[0] != "aws iam generate-service-last-accessed-details --arn arn:aws:iam::111122223333:user/mara --granularity ACTION_LEVEL") {
				t.Errorf("%s: %+v", name, s)
			}
		}
	}
}

// Names are others' choice: they write no line of the text, and no command of theirs runs.
func TestHostileNamesAmongTheSuspects(t *testing.T) {
	const name = "x; rm -rf ~\nRULED OUT: all\x1b[2J\u202e$(id)'"
	b := Bucket{Name: name, Account: us, Public: Read[bool]{Is: true}, Policy: Read[string]{Is: `{"Statement":{"Effect":"Allow","Principal":{"AWS":"` + `a\nRULED OUT: b` + `"}}}`},
		Grantees: Read[[]string]{Is: []string{name}}, Replicates: Read[[]string]{Is: []string{name}}, AccessPoints: Read[[]AccessPoint]{Is: []AccessPoint{{name, true}}}, LogsTo: Read[string]{Is: name}, Encryption: Read[Encryption]{Is: Encryption{name, ""}}}
	u := User{Name: name, Keys: Read[[]Key]{Is: []Key{{ID: name}}}, Policies: Read[[]Policy]{Is: []Policy{{name, name, "{"}}}, Boundary: Read[string]{Is: name}}
	u.ARN, u.Services.Is = name, []Service{{name, time.Now()}, {name, time.Time{}}}
	e := Role{Name: name, Account: us, Trust: Read[string]{Is: `{"Statement":{"Effect":"Allow","Principal":{"AWS":"a\nRULED OUT: b","Federated":"c\nRULED OUT: b"}}}`}, LastUsed: Read[Use]{Is: Use{time.Now(), name}}, Boundary: Read[string]{Is: name}}
	list := slices.Concat(b.Suspects(), u.Suspects(time.Now()), e.Suspects(time.Now()))
	text := Text(list)
	for i, c := range text {
		if c < 0x20 && c != '\n' || c > 0x7e {
			t.Fatalf("the text has %q at %d", c, i)
		}
	}
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "RULED OUT: all") || strings.HasPrefix(line, "RULED OUT: b") || strings.Contains(line, "--bucket x;") {
			t.Errorf("a name wrote %q", line)
		}
	}
	out, err := JSON(list)
	for i := range list { // which is not printed
		list[i].later = false
	}
	var back struct{ Suspects []Suspect }
	if err != nil || json.Unmarshal(out, &back) != nil || !reflect.DeepEqual(back.Suspects, list) {
		t.Errorf("the JSON does not come back, %v", err)
	}
}
