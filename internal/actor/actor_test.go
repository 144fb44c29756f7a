package actor

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	our       = "111122223333"
	their     = "444455556666"
	userKey   = "AKIAIOSFODNN7EXAMPLE"
	session   = "ASIAIOSFODNN7EXAMPLE"
	anyUserID = "AIDACKCEVSQ6C2EXAMPLE"
	anyRoleID = "AROAIDPPEZS35WEXAMPLE"
)

var ours = Accounts(our, "777788889999")

// identities is one full record of each kind, as AWS's documentation or a real trail shows it.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
func identities() map[Kind]Identity {
	return map[Kind]Identity{
		IAMUserKey: {Type: "IAMUser", PrincipalID: anyUserID, ARN: "arn:aws:iam::" + our + ":user/ops/backup-exports", AccountID: our,
			AccessKeyID: userKey, UserName: "backup-exports"},
		IAMUserSession: {Type: "IAMUser", PrincipalID: anyUserID, ARN: "arn:aws:iam::" + our + ":user/alice", AccountID: our,
			AccessKeyID: session, UserName: "alice", InvokedBy: "AWS Internal"},
		FederatedUser: {Type: "FederatedUser", PrincipalID: our + ":partner", ARN: "arn:aws:sts::" + our + ":federated-user/partner",
			AccountID: our, AccessKeyID: session, IssuerARN: "arn:aws:iam::" + our + ":user/broker", IssuerUserName: "broker"},
		RoleSession: {Type: "AssumedRole", PrincipalID: anyRoleID + ":i-0317f6c6b66ae9c40",
			ARN: "arn:aws:sts::" + our + ":assumed-role/web/i-0317f6c6b66ae9c40", AccountID: our, AccessKeyID: session,
			IssuerARN: "arn:aws:iam::" + our + ":role/service-role/web", IssuerUserName: "web"},
		IdentityCenter: {Type: "AssumedRole", PrincipalID: anyRoleID + ":ada@example.com",
			ARN:       "arn:aws:sts::" + our + ":assumed-role/AWSReservedSSO_admin_599c9e90e350d2ff/ada@example.com",
			AccountID: our, AccessKeyID: session, IssuerUserName: "AWSReservedSSO_admin_599c9e90e350d2ff",
			IssuerARN: "arn:aws:iam::" + our + ":role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_admin_599c9e90e350d2ff"},
		RootKey:          {Type: "Root", PrincipalID: our, ARN: "arn:aws:iam::" + our + ":root", AccountID: our, AccessKeyID: userKey},
		RootSession:      {Type: "Root", PrincipalID: our, ARN: "arn:aws:iam::" + our + ":root", AccountID: our, AccessKeyID: session},
		AWSService:       {Type: "AWSService", InvokedBy: "cloudtrail.amazonaws.com"},
		IAMUser:          {Type: "IAMUser", PrincipalID: anyUserID, ARN: "arn:aws:iam::" + our + ":user/alice", AccountID: our, UserName: "alice", InvokedBy: "signin.amazonaws.com"},
		Role:             {Type: "Role", PrincipalID: anyRoleID, ARN: "arn:aws:iam::" + our + ":role/web", AccountID: our},
		ServiceForOthers: {Type: "AWSService", InvokedBy: "cloudfront.amazonaws.com"},
		OtherAccount: {Type: "AWSAccount", PrincipalID: "AIDAQ3EGRXQ3EXAMPLE", AccountID: their,
			ARN: "arn:aws:iam::" + their + ":user/mallory", AccessKeyID: userKey, UserName: "mallory"},
		Anonymous:    {Type: "AWSAccount", AccountID: "anonymous"},
		Unattributed: {Type: "AWSAccount", PrincipalID: "AIDANOBODY", AccountID: "Nobody"},
	}
}

func TestEveryKindHasARecordThatShowsIt(t *testing.T) {
	full := identities()
	for _, k := range Kinds() {
		id, ok := full[k]
		if !ok {
			t.Errorf("the table has no record of kind %q", k)
		}
		if got := Of(id, ours).Kind; got != k {
			t.Errorf("Of(%+v).Kind = %q, want %q", id, got, k)
		}
	}
	if got, want := len(Kinds()), len(full); got != want {
		t.Errorf("Kinds() has %d kinds, want %d", got, want)
	}
}

func TestOfNamesTheCredential(t *testing.T) {
	full := identities()
	for k, want := range map[Kind]Credential{
		IAMUserKey: {Kind: IAMUserKey, AccessKeyID: userKey, PrincipalID: anyUserID, AccountID: our,
			PrincipalARN: "arn:aws:iam::" + our + ":user/ops/backup-exports", UserName: "backup-exports"},
		IAMUserSession: {Kind: IAMUserSession, Via: "AWS Internal", AccessKeyID: session, PrincipalID: anyUserID, AccountID: our,
			PrincipalARN: "arn:aws:iam::" + our + ":user/alice", UserName: "alice"},
		FederatedUser: {Kind: FederatedUser, AccessKeyID: session, PrincipalID: our + ":partner", AccountID: our,
			PrincipalARN: "arn:aws:iam::" + our + ":user/broker", UserName: "broker", Session: "partner"},
		RoleSession: {Kind: RoleSession, AccessKeyID: session, PrincipalID: anyRoleID + ":i-0317f6c6b66ae9c40", AccountID: our,
			PrincipalARN: "arn:aws:iam::" + our + ":role/service-role/web", RoleName: "web", Session: "i-0317f6c6b66ae9c40"},
		IdentityCenter: {Kind: IdentityCenter, AccessKeyID: session, PrincipalID: anyRoleID + ":ada@example.com", AccountID: our,
			PrincipalARN: full[IdentityCenter].IssuerARN, RoleName: "AWSReservedSSO_admin_599c9e90e350d2ff", Session: "ada@example.com"},
		RootKey: {Kind: RootKey, AccessKeyID: userKey, PrincipalID: our, PrincipalARN: "arn:aws:iam::" + our + ":root", AccountID: our},
	} {
		t.Run(string(k), func(t *testing.T) {
			if diff := cmp.Diff(want, Of(full[k], ours)); diff != "" {
				t.Errorf("Of (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOfByIntent(t *testing.T) {
	with := func(k Kind, change func(*Identity)) Identity {
		id := identities()[k]
		change(&id)
		return id
	}
	for name, c := range map[string]struct {
		id   Identity
		want Kind
	}{
		"an Identity Center user has no account key": {Identity{Type: "IdentityCenterUser", AccountID: our, OnBehalfOf: "9067-EXAMPLE"}, IdentityCenter},
		"anonymous, the newer spelling":              {Identity{Type: "AWSAccount", AccountID: "ANONYMOUS_PRINCIPAL"}, Anonymous},
		"anonymous, named as principal":              {Identity{Type: "AWSAccount", PrincipalID: "ANONYMOUS_PRINCIPAL"}, Anonymous},
		"a user named anonymous is somebody":         {with(IAMUserKey, func(id *Identity) { id.UserName, id.PrincipalID = "anonymous", "anonymous" }), IAMUserKey},
		"another account's user, as its owner sees":  {Identity{Type: "AWSAccount", PrincipalID: anyUserID, AccountID: their}, OtherAccount},
		"another account's long-term key":            {with(IAMUserKey, func(id *Identity) { id.AccountID = their }), OtherAccount},
		"another account's root":                     {with(RootKey, func(id *Identity) { id.AccountID = their }), OtherAccount},
		"another account's role":                     {with(RoleSession, func(id *Identity) { id.AccountID = their }), OtherAccount},
		"a service's own account number":             {Identity{Type: "AWSService", AccountID: their, InvokedBy: "s3.amazonaws.com"}, ServiceForOthers},
		"a service that is not named":                {Identity{Type: "AWSService"}, ServiceForOthers},
		"Macie, in China":                            {Identity{Type: "AWSService", InvokedBy: "macie.amazonaws.com.cn"}, AWSService},
		"an origin access identity":                  {Identity{Type: "AWSAccount", PrincipalID: "EH1HDMB1FH2TC", AccountID: "CloudFront"}, ServiceForOthers},
		"root by AssumeRoot":                         {Identity{Type: "AssumedRoot", PrincipalID: our, ARN: "arn:aws:sts::" + our + ":assumed-root", AccountID: our, AccessKeyID: session}, RootSession},
		"the same, of a type on no list":             {Identity{Type: "RootTask", PrincipalID: our, ARN: "arn:aws:sts::" + our + ":assumed-root", AccountID: our, AccessKeyID: session}, RootSession},
		"what root has issued":                       {with(FederatedUser, func(id *Identity) { id.IssuerARN, id.IssuerUserName = "arn:aws:iam::"+our+":root", "" }), RootSession},
		"a role session whose key is not shown":      {with(RoleSession, func(id *Identity) { id.AccessKeyID = "" }), RoleSession},
		"a role, and not which session":              {with(RoleSession, func(id *Identity) { id.AccessKeyID, id.ARN, id.PrincipalID = "", "", anyRoleID }), Role},
		"a role by its id alone":                     {Identity{Type: "AssumedRole", PrincipalID: anyRoleID + ":s", AccountID: our, AccessKeyID: session}, RoleSession},
		"a user by its id alone, of no type":         {Identity{PrincipalID: anyUserID, AccountID: our}, IAMUser},
		"a user in GovCloud, of an unknown type":     {Identity{Type: "Unknown", ARN: "arn:aws-us-gov:iam::" + our + ":user/eve", AccountID: our, AccessKeyID: userKey}, IAMUser},
		"a name, and no id":                          {Identity{Type: "Unknown", PrincipalID: our, AccountID: our, UserName: "zoe@example.com"}, Unattributed},
		"a user with nothing but its account":        {Identity{Type: "IAMUser", AccountID: our}, Unattributed},
		"a service that forwards a user's key":       {with(IAMUserKey, func(id *Identity) { id.InvokedBy = "athena.amazonaws.com" }), IAMUserKey},
		"a console user":                             {with(IAMUserSession, func(id *Identity) { id.InvokedBy = "signin.amazonaws.com" }), IAMUserSession},
		"a role behind a service":                    {with(RoleSession, func(id *Identity) { id.InvokedBy = "athena.amazonaws.com" }), RoleSession},
		"root by the console":                        {with(RootKey, func(id *Identity) { id.AccessKeyID = "" }), RootSession},
		"a key that is shown as an empty string":     {with(IAMUserKey, func(id *Identity) { id.AccessKeyID = "" }), IAMUser},
		"a user named Root is not root": {with(IAMUserKey, func(id *Identity) { id.UserName, id.ARN = "Root", "arn:aws:iam::"+our+":user/Root" }),
			IAMUserKey},
		"a user named root is not root": {with(IAMUserSession, func(id *Identity) { id.UserName, id.ARN = "root", "arn:aws:iam::"+our+":user/root" }),
			IAMUserSession},
		"a user with root's arn is nobody": {with(IAMUserKey, func(id *Identity) { id.ARN = "arn:aws:iam::" + our + ":root" }), Unattributed},
		"a role without its issuer": {with(IdentityCenter, func(id *Identity) { id.IssuerARN, id.IssuerUserName = "", "" }),
			IdentityCenter},
		"a role whose session is named like Identity Center's": {with(RoleSession, func(id *Identity) {
			id.PrincipalID = anyRoleID + ":AWSReservedSSO_admin_599c9e90e350d2ff"
			id.ARN = "arn:aws:sts::" + our + ":assumed-role/web/AWSReservedSSO_admin_599c9e90e350d2ff"
		}), RoleSession},
		"the same, without its issuer": {with(RoleSession, func(id *Identity) {
			id.IssuerARN, id.ARN = "", "arn:aws:sts::"+our+":assumed-role/web/AWSReservedSSO_admin_599c9e90e350d2ff"
		}), RoleSession},
		"a role whose path is named like Identity Center's": {with(RoleSession, func(id *Identity) {
			id.IssuerARN = "arn:aws:iam::" + our + ":role/AWSReservedSSO_x/web"
		}), RoleSession},
		"a key that ends in a line break":  {with(IAMUserKey, func(id *Identity) { id.AccessKeyID += "\n" }), IAMUser},
		"a key in lower case":              {with(IAMUserKey, func(id *Identity) { id.AccessKeyID = "akiaiosfodnn7example" }), IAMUser},
		"an account with a space":          {with(IAMUserKey, func(id *Identity) { id.AccountID = our + " " }), Unattributed},
		"a type in lower case":             {with(IAMUserKey, func(id *Identity) { id.Type = "iamuser" }), IAMUser},
		"a web identity":                   {Identity{Type: "WebIdentityUser", AccountID: our, UserName: "x"}, Unattributed},
		"a SAML user":                      {Identity{Type: "SAMLUser", AccountID: our, UserName: "x"}, Unattributed},
		"a role session with a user's key": {with(RoleSession, func(id *Identity) { id.AccessKeyID = userKey }), Unattributed},
		"a federated user with a long key": {with(FederatedUser, func(id *Identity) { id.AccessKeyID = userKey }), Unattributed},
		"nothing at all":                   {Identity{}, Unattributed},
	} {
		t.Run(name, func(t *testing.T) {
			got := Of(c.id, ours)
			if got.Kind != c.want {
				t.Errorf("Of(%+v).Kind = %q, want %q", c.id, got.Kind, c.want)
			}
			if got.Via != c.id.InvokedBy {
				t.Errorf("Of(%+v).Via = %q, want %q", c.id, got.Via, c.id.InvokedBy)
			}
		})
	}
}

// A missing field is never read as a match: it leads to the same kind, to none, or to one that is no easier to contain.
func TestDroppingAFieldNeverMakesAKindMoreContainable(t *testing.T) {
	fields := map[string]func(*Identity) *string{
		"type": func(id *Identity) *string { return &id.Type }, "principalId": func(id *Identity) *string { return &id.PrincipalID },
		"arn": func(id *Identity) *string { return &id.ARN }, "accountId": func(id *Identity) *string { return &id.AccountID },
		"accessKeyId": func(id *Identity) *string { return &id.AccessKeyID }, "userName": func(id *Identity) *string { return &id.UserName },
		"issuer.arn":      func(id *Identity) *string { return &id.IssuerARN },
		"issuer.userName": func(id *Identity) *string { return &id.IssuerUserName },
		"invokedBy":       func(id *Identity) *string { return &id.InvokedBy }, "onBehalfOf": func(id *Identity) *string { return &id.OnBehalfOf },
	}
	// Whom a record names he stays without a key that can be named, or a type on the list. He is then asked about.
	documented := map[Kind]map[string]Kind{RootKey: {"accessKeyId": RootSession, "type": RootSession}, RootSession: {"type": RootSession},
		IAMUserKey: {"accessKeyId": IAMUser, "type": IAMUser}, IAMUserSession: {"accessKeyId": IAMUser, "type": IAMUser},
		Role: {"type": Role, "arn": Role}, AWSService: {"invokedBy": ServiceForOthers}, IdentityCenter: {"type": IdentityCenter}}
	for _, k := range Kinds() {
		for name, field := range fields {
			id := identities()[k]
			if *field(&id) == "" {
				continue
			}
			*field(&id) = ""
			got := Of(id, ours).Kind
			if got != k && got != Unattributed && got != documented[k][name] {
				t.Errorf("a record of kind %q without its %s is %q, want %q or %q", k, name, got, k, Unattributed)
			}
		}
	}
}

func TestOfARecordThatContradictsItself(t *testing.T) {
	for name, k := range map[string]Kind{"user": IAMUserKey, "session": IAMUserSession, "federated": FederatedUser, "role": RoleSession,
		"identity center": IdentityCenter, "root": RootKey} {
		t.Run(name+", arn of another account", func(t *testing.T) {
			id := identities()[k]
			id.ARN = id.ARN[:len("arn:aws:iam::")] + their + id.ARN[len("arn:aws:iam::")+12:]
			if got := Of(id, ours).Kind; got != Unattributed {
				t.Errorf("Of(%+v).Kind = %q, want %q", id, got, Unattributed)
			}
		})
		if id := identities()[k]; id.IssuerARN != "" {
			t.Run(name+", issuer of another account", func(t *testing.T) {
				id.IssuerARN = id.IssuerARN[:len("arn:aws:iam::")] + their + id.IssuerARN[len("arn:aws:iam::")+12:]
				if got := Of(id, ours).Kind; got != Unattributed {
					t.Errorf("Of(%+v).Kind = %q, want %q", id, got, Unattributed)
				}
			})
		}
	}
}

func TestAnEmptySetOfAccountsOwnsNothing(t *testing.T) {
	for _, none := range []Ours{nil, {}, Accounts(), Accounts(""), {our: false}} {
		for k, id := range identities() {
			want := k
			if account.MatchString(id.AccountID) {
				want = OtherAccount
			}
			if got := Of(id, none).Kind; got != want {
				t.Errorf("Of(a record of kind %q, %v).Kind = %q, want %q", k, none, got, want)
			}
		}
	}
}

func TestAUserIsNamedByItsARNWhereTheRecordHasNoName(t *testing.T) {
	for k, want := range map[Kind]string{IAMUserKey: "backup-exports", IAMUserSession: "alice", FederatedUser: "broker"} {
		id := identities()[k]
		id.UserName, id.IssuerUserName = "", ""
		if got := Of(id, ours).UserName; got != want {
			t.Errorf("Of(a record of kind %q without a name).UserName = %q, want %q", k, got, want)
		}
	}
}

func FuzzOf(f *testing.F) {
	for _, id := range identities() {
		f.Add(id.Type, id.PrincipalID, id.ARN, id.AccountID, id.AccessKeyID, id.UserName, id.IssuerARN, id.IssuerUserName, id.InvokedBy)
	}
	f.Fuzz(func(t *testing.T, typ, principal, arn, accountID, key, user, issuer, issuerUser, via string) {
		id := Identity{Type: typ, PrincipalID: principal, ARN: arn, AccountID: accountID, AccessKeyID: key, UserName: user,
			IssuerARN: issuer, IssuerUserName: issuerUser, InvokedBy: via}
		got := Of(id, ours)
		if got.Kind == IAMUserKey && (typ != "IAMUser" || !ours[accountID] || !longTerm.MatchString(key) || key[:4] != "AKIA") {
			t.Errorf("Of(%+v).Kind = %q", id, got.Kind)
		}
		if got.Kind == AWSService && typ != "AWSService" {
			t.Errorf("Of(%+v).Kind = %q", id, got.Kind)
		}
		if owned := got.Kind != OtherAccount && got.Kind != AWSService && got.Kind != ServiceForOthers && got.Kind != Anonymous && got.Kind != Unattributed; owned && !ours[accountID] {
			t.Errorf("Of(%+v).Kind = %q, of an account that is not ours", id, got.Kind)
		}
		if got.Via != via && (got.Via != "" || got.Doubt == "" || typ == "AWSService") || got.AccessKeyID != key || got.AccountID != accountID {
			t.Errorf("Of(%+v) = %+v: it changed a name", id, got)
		}
		if got.UserName != "" && got.RoleName != "" {
			t.Errorf("Of(%+v) names a user %q and a role %q", id, got.UserName, got.RoleName)
		}
	})
}

// Of two names that contradict each other neither is taken: the wrong user's key would be turned off.
func TestNamesThatContradictEachOtherAreLeftOut(t *testing.T) {
	for name, c := range map[string]struct {
		of     Kind
		change func(*Identity)
		doubt  string
	}{
		"a user's":              {IAMUserKey, func(id *Identity) { id.UserName = "mara" }, `the record names two users, "backup-exports" by its ARN and "mara" by its name`},
		"a broker's":            {FederatedUser, func(id *Identity) { id.IssuerUserName = "mara" }, `the record names two users, "broker" by its ARN and "mara" by its name`},
		"a role's":              {RoleSession, func(id *Identity) { id.IssuerUserName = "db" }, `the record names two roles, "web" by its ARN and "db" by its name`},
		"a role's, of its own":  {RoleSession, func(id *Identity) { id.ARN = "arn:aws:sts::" + our + ":assumed-role/db/s" }, `the record names two roles, "web" by its ARN and "db" by its name`},
		"hostile ones":          {IAMUserKey, func(id *Identity) { id.UserName = "x\n\u202e" }, `the record names two users, "backup-exports" by its ARN and "x\n\u202e" by its name`},
		"a service that is not": {IAMUserKey, func(id *Identity) { id.UserName, id.InvokedBy = "", "mara" }, `the record says that "mara" made the call, which is no AWS service`},
	} {
		t.Run(name, func(t *testing.T) {
			id := identities()[c.of]
			if got := Of(id, ours); got.Doubt != "" {
				t.Errorf("a record that agrees with itself: %q", got.Doubt)
			}
			c.change(&id)
			got := Of(id, ours)
			if got.Kind != c.of || got.Doubt != c.doubt {
				t.Errorf("kind %q, doubt %q, want %q, %q", got.Kind, got.Doubt, c.of, c.doubt)
			}
			if id.InvokedBy == "mara" {
				if got.Via != "" || got.UserName != "backup-exports" {
					t.Errorf("via %q, user %q", got.Via, got.UserName)
				}
			} else if got.UserName != "" || got.RoleName != "" {
				t.Errorf("user %q, role %q, want neither", got.UserName, got.RoleName)
			}
		})
	}
	for name, id := range map[string]Identity{
		"two accounts":          {Type: "IAMUser", ARN: "arn:aws:iam::" + their + ":user/eve", AccountID: our, AccessKeyID: userKey},
		"a role with a key":     {Type: "AssumedRole", ARN: "arn:aws:sts::" + our + ":assumed-role/web/s", AccountID: our, AccessKeyID: userKey},
		"a user with root's":    {Type: "IAMUser", ARN: "arn:aws:iam::" + our + ":root", AccountID: our, AccessKeyID: userKey},
		"a federated user with": {Type: "FederatedUser", ARN: "arn:aws:sts::" + our + ":federated-user/x", AccountID: our, AccessKeyID: userKey},
	} {
		if got := Of(id, ours); got.Kind != Unattributed || got.Doubt == "" {
			t.Errorf("%s: kind %q, doubt %q", name, got.Kind, got.Doubt)
		}
	}
}

func TestServicesByName(t *testing.T) {
	for via, want := range map[string]struct {
		kind       Kind
		service    string
		replicates bool
	}{
		"cloudfront.amazonaws.com": {ServiceForOthers, CloudFront, false}, "CloudFront.amazonaws.com": {ServiceForOthers, CloudFront, false},
		"cloudfront.amazonaws.com.cn": {ServiceForOthers, CloudFront, false}, "s3.amazonaws.com": {ServiceForOthers, "s3", true},
		"replication.s3.amazonaws.com": {ServiceForOthers, "replication.s3", true}, "batchoperations.s3.amazonaws.eu": {ServiceForOthers, "batchoperations.s3", true},
		"config.amazonaws.com": {AWSService, "config", false}, "s3.amazonaws.com.config": {ServiceForOthers, "s3", true}, "notconfig": {ServiceForOthers, "notconfig", false},
	} {
		got := Of(Identity{Type: "AWSService", InvokedBy: via}, ours)
		if got.Kind != want.kind || got.Service() != want.service || got.Replicates() != want.replicates || got.Doubt != "" {
			t.Errorf("%s: %q, %q, %t, doubt %q", via, got.Kind, got.Service(), got.Replicates(), got.Doubt)
		}
	}
	if got := Of(Identity{Type: "AWSAccount", AccountID: "CloudFront", PrincipalID: "AIDAEXAMPLEOAI00001"}, ours); got.Service() != CloudFront {
		t.Errorf("an origin access identity is of service %q", got.Service())
	}
}

func TestPartitionOfAnARN(t *testing.T) {
	for arn, want := range map[string]string{"arn:aws:iam::" + our + ":root": "aws", "arn:aws-us-gov:s3:::exports": "aws-us-gov", "arn:aws-cn:sts::" + our + ":x": "aws-cn",
		"arn:aws-eusc:cloudwatch:eusc-de-east-1:" + our + ":alarm:x": "aws-eusc", "": "", "arn:AWS:s3:::x": "", "arn:aws; rm:s3:::x": "", "xarn:aws:s3": ""} {
		if got := Partition(arn); got != want {
			t.Errorf("%s: %q, want %q", arn, got, want)
		}
	}
}
