package duck_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
	"nightlatch/internal/evidence/duck"
)

// minted is a call that gave out a credential, in the form of real records: the credential is nested in what was returned.
func minted(service, call, under, keyID string, changes ...change) record {
	r := record{}
	for _, c := range append([]change{id(call + keyID), name(call), at(noon), set("eventSource", service), set("awsRegion", "us-east-1"), set("managementEvent", true),
		set("eventCategory", "Management"), set("recipientAccountId", account), set("userIdentity", map[string]any{"type": "IAMUser",
			"principalId": "AIDAEXAMPLEMARA", "arn": "arn:aws:iam::" + account + ":user/mara", "accountId": account, "accessKeyId": key, "userName": "mara"}),
		set("responseElements."+under, map[string]any{"accessKeyId": keyID, "expiration": "Mar 4, 2026, 1:00:00 PM", "sessionToken": "IQoJb3Jp"})}, changes...) {
		c(r)
	}
	return r
}

func TestWhoMadeACredential(t *testing.T) {
	const sts, iam, session = "sts.amazonaws.com", "iam.amazonaws.com", "ASIAEXAMPLESESSION01"
	mara := actor.Identity{Type: "IAMUser", PrincipalID: "AIDAEXAMPLEMARA", ARN: "arn:aws:iam::" + account + ":user/mara", AccountID: account, AccessKeyID: key, UserName: "mara"}
	saml := actor.Identity{Type: "SAMLUser", PrincipalID: "idp:ops@example.com", UserName: "ops@example.com"}
	for story, c := range map[string]struct {
		records []record
		of      string
		want    *evidence.Making
	}{
		"a role assumed with a key": {calls(minted(sts, "AssumeRole", "credentials", session)), session, &evidence.Making{At: noon, Call: "AssumeRole", By: mara}},
		"a new key":                 {calls(minted(iam, "CreateAccessKey", "accessKey", "AKIAEXAMPLENEW000001")), "AKIAEXAMPLENEW000001", &evidence.Making{At: noon, Call: "CreateAccessKey", By: mara}},
		"a sign-in from outside": {calls(minted(sts, "AssumeRoleWithSAML", "credentials", session, set("userIdentity", map[string]any{"type": "SAMLUser",
			"principalId": "idp:ops@example.com", "userName": "ops@example.com"}))), session, &evidence.Making{At: noon, Call: "AssumeRoleWithSAML", By: saml}},
		"the copy that names a key is kept": {calls(minted(sts, "AssumeRole", "credentials", session, at(noon.Add(time.Second)), id("theirs"), keyID("")),
			minted(sts, "AssumeRole", "credentials", session)), session, &evidence.Making{At: noon, Call: "AssumeRole", By: mara}},
		"a refused call gives out nothing":  {calls(minted(sts, "AssumeRole", "credentials", session, failed("AccessDenied"))), session, nil},
		"another session":                   {calls(minted(sts, "AssumeRole", "credentials", "ASIAEXAMPLESESSION02")), session, nil},
		"a call that returns no credential": {calls(minted(sts, "GetCallerIdentity", "credentials", session)), session, nil},
		"the session itself made the call":  {calls(minted(sts, "AssumeRole", "credentials", "ASIAEXAMPLESESSION02", keyID(session))), session, nil},
		"a session named as the key": {calls(minted(sts, "AssumeRole", "credentials", session), minted(sts, "AssumeRole", "credentials", "ASIAEXAMPLESESSION02", at(noon.Add(time.Second)),
			keyID("AKIAEXAMPLEMALLORY01"), set("responseElements.assumedRoleUser.assumedRoleId", "AROAEXAMPLEWEB:"+session))), session, &evidence.Making{At: noon, Call: "AssumeRole", By: mara}},
		"two of one second, of which one eventID comes first": {calls(minted(sts, "AssumeRole", "credentials", session, id("b"), keyID("AKIAEXAMPLELATER0001")), minted(sts, "AssumeRole", "credentials", session, id("a")),
			minted(sts, "AssumeRole", "credentials", session, id("c"), keyID("AKIAEXAMPLELATER0002"))), session, &evidence.Making{At: noon, Call: "AssumeRole", By: mara}},
		"too early":                    {calls(minted(sts, "AssumeRole", "credentials", session, at(noon.Add(-time.Hour)))), session, nil},
		"no credential is everybody's": {calls(minted(sts, "AssumeRole", "credentials", session)), "", nil},
		"nothing at all was returned":  {calls(minted(sts, "AssumeRole", "credentials", session, set("responseElements", nil))), session, nil},
	} {
		t.Run(story, func(t *testing.T) {
			found, more, err := evidence.ReadLineage(rows(t, trail(t, c.records), evidence.Lineage{Given: []string{c.of}, From: noon.Add(-time.Minute), To: noon.Add(time.Minute)}))
			if err != nil || more != 0 {
				t.Fatal(more, err)
			}
			got := evidence.Minter(found, c.of)
			if got != nil {
				got = &evidence.Making{At: got.At, Call: got.Call, By: got.By}
			}
			equal(t, got, c.want)
		})
	}
}

func roleID(role string) string {
	return "AROAEXAMPLE" + strings.ToUpper(strings.NewReplacer("_", "", "-", "").Replace(role))
}

// as has a session of a role make the call.
func as(role, session, key string) change {
	return set("userIdentity", map[string]any{"type": "AssumedRole", "principalId": roleID(role) + ":" + session,
		"arn": "arn:aws:sts::" + account + ":assumed-role/" + role + "/" + session, "accountId": account, "accessKeyId": key,
		"sessionContext": map[string]any{"sessionIssuer": map[string]any{"type": "Role", "principalId": roleID(role), "accountId": account,
			"userName": role, "arn": "arn:aws:iam::" + account + ":role/" + role}}})
}

// keyless has somebody make it whose record shows no key.
func keyless(typ string, fields map[string]any) change {
	who := map[string]any{"type": typ}
	maps.Copy(who, fields)
	return set("userIdentity", who)
}

// gives is a call of STS that gives out a key of a session of a role, so many seconds after noon.
func gives(call, role, session, key string, seconds int, changes ...change) record {
	return minted("sts.amazonaws.com", call, "credentials", key, append([]change{at(noon.Add(time.Duration(seconds) * time.Second)), from("198.51.100.7"),
		set("requestParameters.roleArn", "arn:aws:iam::"+account+":role/"+role),
		set("responseElements.assumedRoleUser", map[string]any{"assumedRoleId": roleID(role) + ":" + session,
			"arn": "arn:aws:sts::" + account + ":assumed-role/" + role + "/" + session})}, changes...)...)
}

// does is a call of IAM's or another service's, so many seconds after noon.
func does(service, call string, seconds int, changes ...change) record {
	return api(service, call, append([]change{at(noon.Add(time.Duration(seconds) * time.Second)), id(fmt.Sprint(call, seconds))}, changes...)...)
}

// grown is the lineage of actors that were first seen a minute after noon, as the trail shows it ten minutes later.
func grown(t *testing.T, records []record, rounds int, actors ...evidence.Actor) evidence.Tree {
	t.Helper()
	e := trail(t, records)
	for i := range actors {
		actors[i].FirstSeen, actors[i].AccountID, actors[i].Calls = noon.Add(time.Minute), account, map[string]int64{"GetObject": 1}
	}
	return searched(t, e, rounds, account, noon.Add(10*time.Minute), actors...)
}

// searched is a lineage as a trail shows it.
func searched(t *testing.T, e *duck.Engine, rounds int, account string, now time.Time, actors ...evidence.Actor) evidence.Tree {
	t.Helper()
	search := evidence.NewSearch(actors, actor.Accounts(account), now)
	for range rounds {
		q, due := search.Next()
		if !due {
			break
		}
		found, more, err := evidence.ReadLineage(rows(t, e, q))
		if err != nil {
			t.Fatal(err)
		}
		search.Add(found, more)
	}
	return search.Tree()
}

// drawn is a tree in lines, each node under what it was made with.
func drawn(tree evidence.Tree) (lines []string) {
	deep := make([]int, len(tree.Nodes))
	for i, n := range tree.Nodes {
		if n.Parent >= 0 {
			deep[i] = deep[n.Parent] + 1
		}
		line := strings.Repeat("  ", deep[i]) + string(n.Kind)
		for _, s := range append([]string{n.UserName, n.RoleName, n.Session, n.What}, n.Keys...) {
			if s != "" {
				line += " " + s
			}
		}
		for _, m := range n.Made {
			line += fmt.Sprintf(" < %s %s %s", m.Call, m.At.Format("04:05"), m.AccessKeyID)
		}
		for _, word := range []struct {
			is   bool
			says string
		}{{n.Took, " TOOK"}, {n.NotFound, " NOT FOUND"}, {n.Likely, " LIKELY"}} {
			if word.is {
				line += word.says
			}
		}
		lines = append(lines, line)
	}
	return lines
}

func took(key, principal string) evidence.Actor {
	return evidence.Actor{AccessKeyID: key, PrincipalID: principal}
}

// Stories of where a credential comes from, and of what was made with it.
func TestLineage(t *testing.T) {
	const web, adm, a1, a2, a3, eve = "AROAEXAMPLEWEB:x", "AROAEXAMPLEADM:x", "ASIAEXAMPLESESSION01", "ASIAEXAMPLESESSION02", "ASIAEXAMPLESESSION03", "AKIAEXAMPLEEVE000001"
	key := key
	token := func(call, gave string, seconds int, changes ...change) record {
		return minted("sts.amazonaws.com", call, "credentials", gave, append([]change{at(noon.Add(time.Duration(seconds) * time.Second))}, changes...)...)
	}
	of := func(kv ...any) change {
		p := map[string]any{}
		for i := 0; i < len(kv); i += 2 {
			p[kv[i].(string)] = kv[i+1]
		}
		return set("requestParameters", p)
	}
	for story, c := range map[string]struct {
		records []record
		took    []evidence.Actor
		want    []string
	}{
		"key to session": {calls(token("GetSessionToken", a1, 0)), []evidence.Actor{took(a1, "AIDAEXAMPLEMARA")}, []string{
			"long-term-key mara " + key,
			"  session mara " + a1 + " < GetSessionToken 00:00 " + key + " TOOK"}},
		"key to role to role": {calls(gives("AssumeRole", "web", "x", a1, 0), gives("AssumeRole", "adm", "x", a2, 5, as("web", "x", a1))), []evidence.Actor{took(a2, adm)}, []string{
			"long-term-key mara " + key,
			"  session web x " + a1 + " < AssumeRole 00:00 " + key,
			"    session adm x " + a2 + " < AssumeRole 00:05 " + a1 + " TOOK"}},
		"scoped credentials are more keys of one session": {calls(gives("AssumeRole", "web", "x", a1, 0), token("GetScopedCredentials", a2, 3, as("web", "x", a1)),
			token("GetScopedCredentials", a3, 6, as("web", "x", a2))), []evidence.Actor{took(a3, web)}, []string{
			"long-term-key mara " + key,
			"  session web x " + a3 + " " + a1 + " " + a2 + " < AssumeRole 00:00 " + key + " < GetScopedCredentials 00:03 " + a1 + " < GetScopedCredentials 00:06 " + a2 + " TOOK"}},
		"and of a user's session": {calls(token("GetSessionToken", a1, 0), token("GetScopedCredentials", a2, 3, keyID(a1))), []evidence.Actor{took(a2, "AIDAEXAMPLEMARA")}, []string{
			"long-term-key mara " + key,
			"  session mara " + a2 + " " + a1 + " < GetSessionToken 00:00 " + key + " < GetScopedCredentials 00:03 " + a1 + " TOOK"}},
		"SSO to role": {calls(gives("AssumeRoleWithSAML", "AWSReservedSSO_ops", "mara@example.com", a1, 0, set("requestParameters.principalArn", "arn:aws:iam::"+account+":saml-provider/AWSSSO_1"),
			keyless("SAMLUser", map[string]any{"principalId": "idp:mara@example.com", "userName": "mara@example.com"}))),
			[]evidence.Actor{took(a1, "AROAEXAMPLEAWSRESERVEDSSOOPS:mara@example.com")}, []string{
				"person mara@example.com arn:aws:iam::" + account + ":saml-provider/AWSSSO_1",
				"  session AWSReservedSSO_ops mara@example.com " + a1 + " < AssumeRoleWithSAML 00:00  TOOK"}},
		"somebody from outside": {calls(gives("AssumeRoleWithSAML", "ops", "x", a1, 0, keyless("SAMLUser", map[string]any{"principalId": "idp:x", "userName": "x"}))), []evidence.Actor{took(a1, "AROAEXAMPLEOPS:x")}, []string{
			"provider x", "  session ops x " + a1 + " < AssumeRoleWithSAML 00:00  TOOK"}},
		"a pod by its web identity": {calls(gives("AssumeRoleWithWebIdentity", "web", "x", a1, 0, keyless("WebIdentityUser", map[string]any{"principalId": "arn:aws:iam::1:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/A:sts.amazonaws.com:system:serviceaccount:a:b",
			"userName": "system:serviceaccount:a:b"}))), []evidence.Actor{took(a1, web)}, []string{
			"pod system:serviceaccount:a:b", "  session web x " + a1 + " < AssumeRoleWithWebIdentity 00:00  TOOK"}},
		"an instance whose keys AWS renews": {calls(gives("AssumeRole", "web", "i-0123", a1, -7200, keyless("AWSService", map[string]any{"invokedBy": "ec2.amazonaws.com"})),
			gives("AssumeRole", "web", "i-0123", a2, 0, keyless("AWSService", map[string]any{"invokedBy": "ec2.amazonaws.com"})), gives("AssumeRole", "adm", "x", a3, 30, as("web", "i-0123", a1))),
			[]evidence.Actor{took(a2, "AROAEXAMPLEWEB:i-0123")}, []string{
				"instance i-0123 ec2.amazonaws.com",
				"  session web i-0123 " + a2 + " " + a1 + " < AssumeRole 00:00  < AssumeRole 00:00  TOOK",
				"    session adm x " + a3 + " < AssumeRole 00:30 " + a1}},
		"a pod, a function": {calls(gives("AssumeRole", "web", "x", a1, 0, keyless("AWSService", map[string]any{"invokedBy": "pods.eks.amazonaws.com"})),
			gives("AssumeRole", "adm", "f", a2, 1, keyless("AWSService", map[string]any{"invokedBy": "lambda.amazonaws.com"}))), []evidence.Actor{took(a1, web), took(a2, "AROAEXAMPLEADM:f")}, []string{
			"pod x pods.eks.amazonaws.com", "  session web x " + a1 + " < AssumeRole 00:00  TOOK", "service lambda.amazonaws.com", "  session adm f " + a2 + " < AssumeRole 00:01  TOOK"}},
		"federation by a broker": {calls(token("GetFederationToken", a1, 0, set("responseElements.federatedUser", map[string]any{"federatedUserId": account + ":guest",
			"arn": "arn:aws:sts::" + account + ":federated-user/guest"}))), []evidence.Actor{took(a1, account+":guest")}, []string{
			"long-term-key mara " + key,
			"  session mara guest " + a1 + " < GetFederationToken 00:00 " + key + " TOOK"}},
		"a sign-in to the console": {calls(does("signin", "ConsoleLogin", -60, keyID(""), set("responseElements", map[string]any{"ConsoleLogin": "Success"})),
			does("signin", "ConsoleLogin", -30, keyID(""), set("responseElements", map[string]any{"ConsoleLogin": "Failure"})),
			does("signin", "ConsoleLogin", 90, keyID(""), set("responseElements", map[string]any{"ConsoleLogin": "Success"}))), []evidence.Actor{took(a1, "AIDAEXAMPLEMARA")}, []string{
			"sign-in mara < ConsoleLogin 59:00 ",
			"  session " + a1 + " TOOK LIKELY"}},
		"a sign-in whose keys the console renews": {calls(does("signin", "ConsoleLogin", -60, keyID(""), set("responseElements", map[string]any{"ConsoleLogin": "Success"})),
			minted("iam.amazonaws.com", "CreateAccessKey", "accessKey", eve, at(noon.Add(90*time.Second)), of("userName", "eve"), keyID(a2)),
			token("GetSessionToken", a3, -300), does("iam", "CreateUser", 100, keyID(a3), of("userName", "honest"))), []evidence.Actor{took(a1, "AIDAEXAMPLEMARA")}, []string{
			"sign-in mara < ConsoleLogin 59:00 ",
			"  session " + a1 + " TOOK LIKELY",
			"  session mara " + a2 + " LIKELY",
			"    long-term-key eve " + eve + " < CreateAccessKey 01:30 " + a2}},
		"aws login": {calls(does("signin", "CreateOAuth2Token", -60, as("ops", "mara", ""), set("additionalEventData", map[string]any{"signInSessionArn": "arn:aws:signin:eu-west-1:1:session/s"}))),
			[]evidence.Actor{took(a1, "AROAEXAMPLEOPS:mara")}, []string{
				"sign-in ops mara < CreateOAuth2Token 59:00 ",
				"  session " + a1 + " TOOK LIKELY"}},
		"a key for another user, and all else that stays": {calls(
			does("iam", "CreateUser", 0, of("userName", "eve")), does("iam", "CreateLoginProfile", 1, of("userName", "eve")), does("iam", "AttachUserPolicy", 2, of("userName", "eve", "policyArn", "arn:aws:iam::aws:policy/AdministratorAccess")),
			minted("iam.amazonaws.com", "CreateAccessKey", "accessKey", eve, at(noon.Add(3*time.Second)), of("userName", "eve")),
			does("iam", "UpdateAssumeRolePolicy", 4, of("roleName", "web", "policyDocument", "{}")), does("iam", "CreateSAMLProvider", 5, of("name", "idp")),
			does("sts", "GetWebIdentityToken", 6), does("iam", "CreateServiceSpecificCredential", 7, of("userName", "eve", "serviceName", "bedrock.amazonaws.com"),
				set("responseElements", map[string]any{"serviceSpecificCredential": map[string]any{"serviceSpecificCredentialId": "ACCAEXAMPLE1", "userName": "eve"}})),
			does("iam", "CreateUser", 8, of("userName", "refused"), failed("AccessDenied")), does("iam", "CreateUser", 9, of("userName", "another's"), keyID("AKIAEXAMPLEOTHER0001")),
			gives("AssumeRole", "adm", "x", a1, 70, keyID(eve))),
			[]evidence.Actor{took(eve, "AIDAEXAMPLEEVE")}, []string{
				"long-term-key mara " + key,
				"  user eve < CreateUser 00:00 " + key,
				"  login-profile eve < CreateLoginProfile 00:01 " + key,
				"  policy eve arn:aws:iam::aws:policy/AdministratorAccess < AttachUserPolicy 00:02 " + key,
				"  long-term-key eve " + eve + " < CreateAccessKey 00:03 " + key + " TOOK",
				"    session adm x " + a1 + " < AssumeRole 01:10 " + eve,
				"  trust web < UpdateAssumeRolePolicy 00:04 " + key,
				"  federation idp < CreateSAMLProvider 00:05 " + key,
				"  bearer-token < GetWebIdentityToken 00:06 " + key,
				"  service-key eve ACCAEXAMPLE1 < CreateServiceSpecificCredential 00:07 " + key}},
		"a chain that a missing record breaks": {calls(gives("AssumeRole", "adm", "x", a2, 5, as("web", "x", a1))), []evidence.Actor{took(a2, adm)}, []string{
			"session web x " + a1 + " NOT FOUND",
			"  session adm x " + a2 + " < AssumeRole 00:05 " + a1 + " TOOK"}},
		"neighbours of one session name stay apart": {calls(gives("AssumeRole", "web", "x", a1, 0), gives("AssumeRole", "web", "x", a2, 1, keyID("AKIAEXAMPLEOTHER0001")),
			gives("AssumeRole", "adm", "y", a3, 9, as("web", "x", a2))), []evidence.Actor{took(a1, web)}, []string{
			"long-term-key mara " + key,
			"  session web x " + a1 + " < AssumeRole 00:00 " + key + " TOOK"}},
		"a role that takes itself": {calls(gives("AssumeRole", "web", "x", a1, 0), gives("AssumeRole", "web", "x", a2, 1, as("web", "x", a1)), gives("AssumeRole", "web", "x", a3, 2, as("web", "x", a2))),
			[]evidence.Actor{took(a3, web)}, []string{
				"long-term-key mara " + key,
				"  session web x " + a1 + " < AssumeRole 00:00 " + key,
				"    session web x " + a3 + " " + a2 + " < AssumeRole 00:01 " + a1 + " < AssumeRole 00:02 " + a2 + " TOOK"}},
		"a key that nobody made and that made nothing": {calls(token("GetCallerIdentity", a1, 0)), []evidence.Actor{took(key, "AIDAEXAMPLEMARA")}, []string{"long-term-key " + key + " TOOK"}},
	} {
		t.Run(story, func(t *testing.T) {
			for i, r := range c.records {
				if _, named := r["eventID"]; !named {
					id(fmt.Sprint("event", i))(r)
				}
			}
			equal(t, drawn(grown(t, c.records, 5, c.took...)), c.want)
		})
	}
}

// A session comes from a long-term key where each edge is a record that names both, and nothing contradicts it.
func TestMintings(t *testing.T) {
	const web, adm, a1, a2, a3 = "AROAEXAMPLEWEB:x", "AROAEXAMPLEADM:x", "ASIAEXAMPLESESSION01", "ASIAEXAMPLESESSION02", "ASIAEXAMPLESESSION03"
	token := func(call, gave string, seconds int, changes ...change) record {
		return minted("sts.amazonaws.com", call, "credentials", gave, append([]change{at(noon.Add(time.Duration(seconds) * time.Second))}, changes...)...)
	}
	shared := func(call string) change { return func(r record) { r["sharedEventID"] = call } }
	user := evidence.Actor{Kind: actor.IAMUserSession, AccessKeyID: a1, PrincipalID: "AIDAEXAMPLEMARA"}
	of := func(key, principal string) evidence.Actor {
		return evidence.Actor{Kind: actor.RoleSession, AccessKeyID: key, PrincipalID: principal}
	}
	for story, c := range map[string]struct {
		records []record
		took    evidence.Actor
		want    string
	}{
		"a session of the user":       {calls(token("GetSessionToken", a1, 0)), user, "mara GetSessionToken others=false"},
		"a role":                      {calls(gives("AssumeRole", "web", "x", a1, 0)), of(a1, web), "mara AssumeRole others=false"},
		"a role by way of another":    {calls(gives("AssumeRole", "web", "x", a1, 0), gives("AssumeRole", "adm", "x", a2, 5, as("web", "x", a1))), of(a2, adm), "mara AssumeRole AssumeRole others=false"},
		"one more key of the session": {calls(gives("AssumeRole", "web", "x", a1, 0), token("GetScopedCredentials", a2, 3, as("web", "x", a1))), of(a2, web), "mara GetScopedCredentials AssumeRole others=false"},
		"another session of the key":  {calls(gives("AssumeRole", "web", "x", a1, 0), gives("AssumeRole", "adm", "olga", a3, -60)), of(a1, web), "mara AssumeRole others=true"},
		"another of the one between": {calls(gives("AssumeRole", "web", "x", a1, 0), gives("AssumeRole", "adm", "x", a2, 5, as("web", "x", a1)), gives("AssumeRole", "adm", "olga", a3, 6, as("web", "x", a1))),
			of(a2, adm), "mara AssumeRole AssumeRole others=true"},
		"what the thief minted with it":   {calls(gives("AssumeRole", "web", "x", a1, 0), gives("AssumeRole", "adm", "x", a2, 5, as("web", "x", a1))), of(a1, web), "mara AssumeRole others=false"},
		"two copies of one call":          {calls(gives("AssumeRole", "web", "x", a1, 0, shared("s")), gives("AssumeRole", "web", "x", a1, 0, shared("s"), keyID(""), id("theirs"))), of(a1, web), "mara AssumeRole others=false"},
		"of which one names another key":  {calls(gives("AssumeRole", "web", "x", a1, 0, shared("s")), gives("AssumeRole", "web", "x", a1, 0, shared("s"), keyID("AKIAEXAMPLEOTHER0001"), id("theirs"))), of(a1, web), ""},
		"two calls that gave it":          {calls(gives("AssumeRole", "web", "x", a1, 0), gives("AssumeRole", "web", "x", a1, 1, keyID("AKIAEXAMPLEOTHER0001"), id("b"))), of(a1, web), ""},
		"another session of the one name": {calls(gives("AssumeRole", "web", "x", a2, 0)), of(a1, web), ""},
		"it was given to another":         {calls(gives("AssumeRole", "web", "olga", a1, 0)), of(a1, web), ""},
		"after it was used":               {calls(gives("AssumeRole", "web", "x", a1, 180)), of(a1, web), ""},
		"a chain that lacks a record":     {calls(gives("AssumeRole", "adm", "x", a2, 5, as("web", "x", a1))), of(a2, adm), ""},
		"through a service":               {calls(gives("AssumeRole", "web", "x", a1, 0, set("userIdentity.invokedBy", "cloudformation.amazonaws.com"))), of(a1, web), ""},
		"a person of Identity Center":     {calls(gives("AssumeRole", "AWSReservedSSO_ops", "x", a1, 0)), evidence.Actor{Kind: actor.IdentityCenter, AccessKeyID: a1, PrincipalID: web}, ""},
		"a likely sign-in":                {calls(does("signin", "ConsoleLogin", -60, keyID(""), set("responseElements", map[string]any{"ConsoleLogin": "Success"}))), user, ""},
	} {
		t.Run(story, func(t *testing.T) {
			for i, r := range c.records {
				if _, named := r["eventID"]; !named {
					id(fmt.Sprint("event", i))(r)
				}
			}
			tree, got := grown(t, c.records, 5, c.took), ""
			if m, ok := tree.MintingOf(c.took.AccessKeyID); ok {
				got = m.UserName
				for _, by := range m.Made {
					got += " " + by.Call
				}
				if m.Key != key || m.Others == nil || m.AccountID != account || m.Made[len(m.Made)-1].AccessKeyID != key {
					t.Fatalf("got %+v", m)
				}
				got += fmt.Sprintf(" others=%t", *m.Others)
			}
			equal(t, got, c.want)
		})
	}
	// One round finds the key, and its other sessions are asked about in the next.
	records := calls(gives("AssumeRole", "web", "x", a1, 0))
	tree := grown(t, records, 1, of(a1, web))
	if m, ok := tree.MintingOf(a1); !ok || m.Others != nil {
		t.Errorf("whether there are others is not known after one round: %+v", m)
	}
}

// The published trails, of which nobody here wrote a record.
func TestLineageOfPublishedTrails(t *testing.T) {
	const red = "AKIATFQR7NSC8Q4X20BJ"
	for story, c := range map[string]struct {
		folder, account string
		took            evidence.Actor
		from, to        time.Time
		has             []string // lines of it, all of them where they are fewer than three
	}{
		"an instance's session, stolen through a proxy": {"otrf-ec2-proxy-s3-exfiltration", "123456789123",
			evidence.Actor{AccessKeyID: "ASIA5FLZVX4OPVKKVBMX", PrincipalID: "AROA5FLZVX4OAMSW6BCRH:i-0317f6c6b66ae9c40"}, time.Date(2020, 9, 14, 1, 0, 0, 0, time.UTC), time.Date(2020, 9, 14, 2, 0, 0, 0, time.UTC),
			[]string{"instance i-0317f6c6b66ae9c40 ec2.amazonaws.com", "  session MordorNginxStack-BankingWAFRole-9S3E0UAE1MM0 i-0317f6c6b66ae9c40 ASIA5FLZVX4OPVKKVBMX < AssumeRole 48:30  TOOK"}},
		"a token of federation": {"stratus-detonations", "742491224508",
			evidence.Actor{AccessKeyID: "ASIASTJKC5GCM7ZE6LUP", PrincipalID: "742491224508:stratus_red_team"}, time.Date(2024, 11, 30, 8, 43, 18, 0, time.UTC), time.Date(2024, 11, 30, 10, 0, 0, 0, time.UTC),
			[]string{"long-term-key stratus-red-team-user-federation-user AKIA6V1GNZTT65XQH36M",
				"  session stratus-red-team-user-federation-user stratus_red_team ASIASTJKC5GCM7ZE6LUP < GetFederationToken 43:17 AKIA6V1GNZTT65XQH36M TOOK"}},
		"a key that was made for another user": {"invictus-stratus-run", "123837392027",
			evidence.Actor{AccessKeyID: "AKIATFQR7NSC3ZO6PKAZ", UserName: "stratus-red-team-backdoor-u-user"}, time.Date(2023, 7, 10, 12, 25, 0, 0, time.UTC), time.Date(2023, 7, 10, 14, 0, 0, 0, time.UTC),
			[]string{"long-term-key bert-jan " + red, "  long-term-key stratus-red-team-backdoor-u-user AKIATFQR7NSC3ZO6PKAZ < CreateAccessKey 24:29 " + red + " TOOK",
				"  user malicious-iam-user < CreateUser 24:49 " + red, "  policy malicious-iam-user arn:aws:iam::aws:policy/AdministratorAccess < AttachUserPolicy 24:49 " + red,
				"  login-profile stratus-red-team-login-profile-user < CreateLoginProfile 25:04 " + red, "  trust stratus-red-team-backdoor-r-role < UpdateAssumeRolePolicy 24:11 " + red + " < UpdateAssumeRolePolicy 28:24 " + red}},
	} {
		t.Run(story, func(t *testing.T) {
			e := real(t, c.folder)
			c.took.FirstSeen, c.took.Calls = c.from, map[string]int64{"GetObject": 1}
			tree := searched(t, e, 5, c.account, c.to, c.took)
			lines := drawn(tree)
			for _, has := range c.has {
				if !slices.Contains(lines, has) {
					t.Errorf("it has no %q:\n%s", has, strings.Join(lines, "\n"))
				}
			}
			if len(c.has) < 3 && len(lines) != len(c.has) {
				t.Errorf("got %d nodes:\n%s", len(lines), strings.Join(lines, "\n"))
			}
			for _, n := range tree.Nodes {
				for _, m := range n.Made {
					if m.EventID == "" || m.At.IsZero() || m.Call == "" || m.Caller == "" {
						t.Errorf("an edge lacks its evidence: %+v", m)
					}
				}
			}
			if last := tree.Nodes[1]; len(c.has) < 3 && !last.Until.After(c.from) {
				t.Errorf("the session ends at %s", last.Until)
			}
		})
	}
}

// Sessions of a busy role hide neither a key that was made nor a session of another name; what is not listed is counted.
func TestMoreIsMadeThanIsListed(t *testing.T) {
	const web = "AROAEXAMPLEWEB:x"
	records := calls(gives("AssumeRole", "web", "x", "ASIAEXAMPLESESSION01", -3600),
		does("iam", "CreateUser", -3000, as("web", "x", "ASIAEXAMPLESESSION01"), set("requestParameters", map[string]any{"userName": "eve"})),
		gives("AssumeRole", "adm", "rare", "ASIAEXAMPLERARE00001", -3000, as("web", "x", "ASIAEXAMPLESESSION01")))
	for i := range 100 {
		records = append(records, gives("AssumeRole", "etl", "busy", fmt.Sprintf("ASIAEXAMPLEBUSY000%02d", i), i, as("web", "x", "ASIAEXAMPLESESSION01")))
	}
	for i, r := range records {
		id(fmt.Sprintf("made-%03d", i))(r)
	}
	tree := grown(t, records, 5, took("ASIAEXAMPLESESSION01", web))
	lines := drawn(tree)
	for _, has := range []string{"    user eve < CreateUser 10:00 ASIAEXAMPLESESSION01", "    session adm rare ASIAEXAMPLERARE00001 < AssumeRole 10:00 ASIAEXAMPLESESSION01"} {
		if !slices.Contains(lines, has) {
			t.Errorf("it has no %q:\n%s", has, strings.Join(lines, "\n"))
		}
	}
	if len(tree.Nodes) != 5 || tree.More != 102-60 {
		t.Errorf("got %d nodes, and %d calls that are not listed; want 5 and 42:\n%s", len(tree.Nodes), tree.More, strings.Join(lines, "\n"))
	}
	busy := tree.Nodes[slices.IndexFunc(tree.Nodes, func(n evidence.Node) bool { return n.Session == "busy" })]
	if len(busy.Keys) != 5 || busy.KeysMore != 53 || len(busy.Made) != 3 || busy.MadeMore != 55 {
		t.Errorf("the busy session has %d keys and %d more, %d calls and %d more", len(busy.Keys), busy.KeysMore, len(busy.Made), busy.MadeMore)
	}

	// Thirty users: no more nodes than a record has room for, and those of the path are among them.
	records = calls(gives("AssumeRole", "web", "x", "ASIAEXAMPLESESSION01", -3600))
	for i := range 50 {
		records = append(records, does("iam", "CreateUser", i, as("web", "x", "ASIAEXAMPLESESSION01"), set("requestParameters", map[string]any{"userName": fmt.Sprint("user", i)})))
	}
	tree = grown(t, records, 5, took("ASIAEXAMPLESESSION01", web))
	if len(tree.Nodes) != 30 || tree.More != 22 || !tree.Nodes[1].Took || tree.Nodes[29].UserName != "user49" {
		t.Errorf("got %d nodes and %d more: %q", len(tree.Nodes), tree.More, drawn(tree))
	}

	// A chain that is longer than is asked for is cut, and said to be.
	records = nil
	for i := range 9 {
		records = append(records, gives("AssumeRole", fmt.Sprint("r", i), "x", fmt.Sprintf("ASIAEXAMPLECHAIN00%02d", i+1), -i, as(fmt.Sprint("r", i+1), "x", fmt.Sprintf("ASIAEXAMPLECHAIN00%02d", i+2)), id(fmt.Sprint("chain", i))))
	}
	if tree = grown(t, records, 5, took("ASIAEXAMPLECHAIN0001", "AROAEXAMPLER0:x")); tree.NotFollowed == 0 || len(tree.Nodes) != 6 {
		t.Errorf("got %d nodes, and %d credentials not followed:\n%s", len(tree.Nodes), tree.NotFollowed, strings.Join(drawn(tree), "\n"))
	}
}

// What an attacker writes neither breaks an answer nor makes him somebody else.
func TestHostileTextInALineage(t *testing.T) {
	const session = "ASIAEXAMPLESESSION01"
	for i, text := range hostileTexts {
		if i%3 != 0 && !strings.ContainsAny(text, "'\"\n\\") { // each takes an engine
			continue
		}
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			records := calls(gives("AssumeRole", "web", "x", session, 0, set("requestParameters.roleSessionName", text), agent(text), id("a")),
				does("iam", "CreateUser", 1, set("requestParameters", map[string]any{"userName": text}), id("b")),
				does("iam", "PutUserPolicy", 2, set("requestParameters", map[string]any{"userName": "eve", "policyName": text}), id("c")),
				gives("AssumeRole", "adm", "accessKeyId=ASIAEXAMPLESESSION01", "ASIAEXAMPLESESSION02", 3, keyID("AKIAEXAMPLEMALLORY01"), id("d")))
			tree := grown(t, records, 5, took(session, "AROAEXAMPLEWEB:x"), took(key, "AIDAEXAMPLEMARA"+text))
			made := does("iam", "CreateUser", 4, as("ops", text, "ASIAEXAMPLEOPS000001"), set("requestParameters", map[string]any{"userName": "eve"}))
			if ops := grown(t, calls(made), 5, took("ASIAEXAMPLEOPS000001", "AROAEXAMPLEOPS:"+text)); len(ops.Nodes) != 2 {
				t.Errorf("of a session of that name: got %q", drawn(ops))
			}
			if len(tree.Nodes) != 4 || tree.Nodes[0].Kind != evidence.KeyNode || !slices.Equal(tree.Nodes[0].Keys, []string{key}) || tree.Nodes[1].Parent != 0 || !tree.Nodes[1].Took {
				t.Errorf("got %q", drawn(tree))
			}
			for _, n := range tree.Nodes {
				for _, s := range []string{n.UserName, n.RoleName, n.Session, n.What, n.PrincipalID} {
					if len(s) > 256 || strings.ToValidUTF8(s, "") != s {
						t.Errorf("%d bytes were kept of %.20q", len(s), s)
					}
				}
			}
		})
	}
}

// A key that was made with an actor's is told with its user and its record, also where it is its caller's own; one that was made before is not.
func TestKeysThatAnActorHasMade(t *testing.T) {
	const iam, eve, second, third = "iam.amazonaws.com", "AKIAEXAMPLEEVE000001", "AKIAEXAMPLEMARA00002", "AKIAEXAMPLEMARA00003"
	makes := func(key, event string, seconds int, changes ...change) record {
		return minted(iam, "CreateAccessKey", "accessKey", key, append([]change{id(event), at(noon.Add(time.Duration(seconds) * time.Second)), from("198.51.100.7")}, changes...)...)
	}
	tree := grown(t, calls(makes(eve, "m1", 90, set("requestParameters.userName", "eve")), makes(second, "m2", 120, set("requestParameters", nil)),
		makes(third, "m3", 30), makes("AKIAEXAMPLEREFUSED01", "m4", 130, failed("AccessDenied"))), 5,
		evidence.Actor{Kind: actor.IAMUserKey, AccessKeyID: key, UserName: "mara"})
	var got []string
	for _, m := range tree.Made {
		got = append(got, fmt.Sprintf("%s of %s by %s with %s at %s there=%t", m.Key, m.UserName, m.Made.EventID, m.Actor, m.Made.At.Format("04:05"), m.There))
	}
	equal(t, got, []string{eve + " of eve by m1 with " + key + " at 01:30 there=false", second + " of mara by m2 with " + key + " at 02:00 there=false"})
}
