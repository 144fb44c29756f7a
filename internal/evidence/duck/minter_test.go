package duck_test

import (
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
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
		want    *evidence.Minted
	}{
		"a role assumed with a key": {calls(minted(sts, "AssumeRole", "credentials", session)), session, &evidence.Minted{At: noon, Call: "AssumeRole", By: mara}},
		"a new key":                 {calls(minted(iam, "CreateAccessKey", "accessKey", "AKIAEXAMPLENEW000001")), "AKIAEXAMPLENEW000001", &evidence.Minted{At: noon, Call: "CreateAccessKey", By: mara}},
		"a sign-in from outside": {calls(minted(sts, "AssumeRoleWithSAML", "credentials", session, set("userIdentity", map[string]any{"type": "SAMLUser",
			"principalId": "idp:ops@example.com", "userName": "ops@example.com"}))), session, &evidence.Minted{At: noon, Call: "AssumeRoleWithSAML", By: saml}},
		"the copy that names a key is kept": {calls(minted(sts, "AssumeRole", "credentials", session, at(noon.Add(time.Second)), id("theirs"), keyID("")),
			minted(sts, "AssumeRole", "credentials", session)), session, &evidence.Minted{At: noon, Call: "AssumeRole", By: mara}},
		"a refused call gives out nothing":  {calls(minted(sts, "AssumeRole", "credentials", session, failed("AccessDenied"))), session, nil},
		"another session":                   {calls(minted(sts, "AssumeRole", "credentials", "ASIAEXAMPLESESSION02")), session, nil},
		"a call that returns no credential": {calls(minted(sts, "GetCallerIdentity", "credentials", session)), session, nil},
		"the session itself made the call":  {calls(minted(sts, "AssumeRole", "credentials", "ASIAEXAMPLESESSION02", keyID(session))), session, nil},
		"a session named as the key": {calls(minted(sts, "AssumeRole", "credentials", session), minted(sts, "AssumeRole", "credentials", "ASIAEXAMPLESESSION02", at(noon.Add(time.Second)),
			keyID("AKIAEXAMPLEMALLORY01"), set("responseElements.assumedRoleUser.assumedRoleId", "AROAEXAMPLEWEB:"+session))), session, &evidence.Minted{At: noon, Call: "AssumeRole", By: mara}},
		"two of one second, of which one eventID comes first": {calls(minted(sts, "AssumeRole", "credentials", session, id("b"), keyID("AKIAEXAMPLELATER0001")), minted(sts, "AssumeRole", "credentials", session, id("a")),
			minted(sts, "AssumeRole", "credentials", session, id("c"), keyID("AKIAEXAMPLELATER0002"))), session, &evidence.Minted{At: noon, Call: "AssumeRole", By: mara}},
		"too early":                    {calls(minted(sts, "AssumeRole", "credentials", session, at(noon.Add(-time.Hour)))), session, nil},
		"no credential is everybody's": {calls(minted(sts, "AssumeRole", "credentials", session)), "", nil},
		"nothing at all was returned":  {calls(minted(sts, "AssumeRole", "credentials", session, set("responseElements", nil))), session, nil},
	} {
		t.Run(story, func(t *testing.T) {
			got, err := evidence.ReadMinter(rows(t, trail(t, c.records), evidence.Minter{AccessKeyID: c.of, From: noon.Add(-time.Minute), To: noon.Add(time.Minute)}))
			if err != nil {
				t.Fatal(err)
			}
			equal(t, got, c.want)
		})
	}
}
