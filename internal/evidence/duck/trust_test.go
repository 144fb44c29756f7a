package duck_test

import (
	"testing"
	"time"

	"nightlatch/internal/evidence"
)

// iam is a call of IAM's that changes whom somebody trusts.
func iam(call string, changes ...change) record {
	r := record{}
	for _, c := range append([]change{id(call), name(call), at(noon), set("eventSource", "iam.amazonaws.com"), set("awsRegion", "us-east-1"), set("managementEvent", true),
		set("eventCategory", "Management"), set("recipientAccountId", account), set("sourceIPAddress", "198.51.100.7"), set("userIdentity", map[string]any{"type": "IAMUser",
			"principalId": "AIDAEXAMPLEMARA", "arn": "arn:aws:iam::" + account + ":user/mara", "accountId": account, "accessKeyId": key, "userName": "mara"})}, changes...) {
		c(r)
	}
	return r
}

func TestWhoHasChangedWhomARoleTrusts(t *testing.T) {
	const saml, oidc = "arn:aws:iam::" + account + ":saml-provider/idp", "arn:aws:iam::" + account + ":oidc-provider/accounts.example.com"
	role := func(name string) change { return set("requestParameters.roleName", name) }
	for story, c := range map[string]struct {
		records []record
		of      string
		want    string // the call
	}{
		"nobody":                  {calls(iam("TagRole", role("oncall"))), saml, ""},
		"the role was made":       {calls(iam("CreateRole", role("oncall"))), saml, "CreateRole"},
		"its trust was changed":   {calls(iam("UpdateAssumeRolePolicy", role("oncall"))), saml, "UpdateAssumeRolePolicy"},
		"another role's":          {calls(iam("UpdateAssumeRolePolicy", role("oncall2"))), saml, ""},
		"a provider was made":     {calls(iam("CreateSAMLProvider", set("requestParameters.name", "idp"), set("responseElements.sAMLProviderArn", saml))), saml, "CreateSAMLProvider"},
		"a provider was changed":  {calls(iam("UpdateSAMLProvider", set("requestParameters.sAMLProviderArn", saml))), saml, "UpdateSAMLProvider"},
		"another provider":        {calls(iam("UpdateSAMLProvider", set("requestParameters.sAMLProviderArn", "arn:aws:iam::"+account+":saml-provider/other"))), saml, ""},
		"one of OpenID Connect":   {calls(iam("CreateOpenIDConnectProvider", set("requestParameters.url", "https://accounts.example.com"), set("responseElements.openIDConnectProviderArn", oidc))), oidc, "CreateOpenIDConnectProvider"},
		"its audience":            {calls(iam("AddClientIDToOpenIDConnectProvider", set("requestParameters.openIDConnectProviderArn", oidc))), oidc, "AddClientIDToOpenIDConnectProvider"},
		"no provider is named":    {calls(iam("UpdateSAMLProvider", set("requestParameters.sAMLProviderArn", saml))), "", ""},
		"refused":                 {calls(iam("CreateSAMLProvider", set("responseElements.sAMLProviderArn", saml), failed("AccessDenied"))), saml, ""},
		"by Identity Center":      {calls(iam("UpdateSAMLProvider", set("requestParameters.sAMLProviderArn", saml), set("userIdentity.invokedBy", "sso.amazonaws.com"))), saml, ""},
		"long ago":                {calls(iam("CreateRole", role("oncall"), at(noon.Add(-time.Hour)))), saml, ""},
		"another service's call":  {calls(iam("CreateRole", role("oncall"), set("eventSource", "other.amazonaws.com"))), saml, ""},
		"the last of two is said": {calls(iam("CreateRole", role("oncall"), at(noon.Add(-time.Second))), iam("UpdateAssumeRolePolicy", role("oncall"))), saml, "UpdateAssumeRolePolicy"},
	} {
		t.Run(story, func(t *testing.T) {
			got, err := evidence.ReadTrust(rows(t, trail(t, c.records), evidence.Trust{Role: "oncall", Provider: c.of, From: noon.Add(-time.Minute), To: noon.Add(time.Minute)}))
			if err != nil {
				t.Fatal(err)
			}
			if (got == nil) != (c.want == "") || got != nil && (got.Call != c.want || got.ARN != "arn:aws:iam::"+account+":user/mara" || got.AccessKeyID != key) {
				t.Errorf("got %+v, want %q", got, c.want)
			}
		})
	}
	// Whom a session was given out for, and by whom.
	found, _, err := evidence.ReadLineage(rows(t, trail(t, calls(minted("sts.amazonaws.com", "AssumeRoleWithSAML", "credentials", "ASIAEXAMPLESESSION01",
		set("requestParameters", map[string]any{"principalArn": saml, "roleArn": "arn:aws:iam::" + account + ":role/oncall"})),
		minted("sts.amazonaws.com", "AssumeRoleWithWebIdentity", "credentials", "ASIAEXAMPLESESSION02", set("responseElements.provider", oidc)))),
		evidence.Lineage{Given: []string{"ASIAEXAMPLESESSION01"}, From: noon.Add(-time.Minute), To: noon.Add(time.Minute)}))
	if m := evidence.Minter(found, "ASIAEXAMPLESESSION01"); err != nil || m == nil || m.Provider != saml || m.Role != "arn:aws:iam::"+account+":role/oncall" {
		t.Errorf("got %+v, %v", m, err)
	}
}
