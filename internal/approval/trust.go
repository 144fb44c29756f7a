package approval

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/evidence"
	"nightlatch/internal/prose"
	"nightlatch/internal/settings"
)

// Trusts is whom the approver trusts of those who sign in outside IAM: words, and identity providers by name. IAM users are known by IAM
// itself, and need no entry. The zero value trusts none.
//
//   - settings.TrustIdentityCenter: IAM Identity Center
//   - settings.TrustSAML: any SAML provider of our accounts
//   - a provider's ARN, or the name of an OpenID Connect issuer: accounts.google.com
type Trusts []string

// outside refuses somebody who has signed in outside AWS, unless the deployment trusts the provider that vouches for him, and neither that
// provider nor the trust of the role that let him in was made or changed within the history: a thief makes a provider in a minute, and is then
// whomever he likes. What Identity Center assigns, it assigns elsewhere, and no trail here shows it.
func (a *Approval) outside(ctx context.Context, session actor.Credential, m evidence.Making) error {
	provider, center := m.Provider, strings.HasPrefix(session.RoleName, actor.SSORole) || m.By.Type == "IdentityCenterUser"
	named := slices.ContainsFunc(a.Trusts, func(t string) bool { return provider != "" && issuer(t) == issuer(provider) })
	switch {
	case named, center && slices.Contains(a.Trusts, settings.TrustIdentityCenter) && m.By.Type != "WebIdentityUser",
		m.By.Type == "SAMLUser" && slices.Contains(a.Trusts, settings.TrustSAML):
	case m.By.Type == "WebIdentityUser":
		return refuse(BadCaller, "the session %s was given out for %s by OpenID Connect, which may be a machine: only providers that the setting approvers names may decide; %s",
			session.AccessKeyID, cmp.Or(provider, "nobody that CloudTrail names"), ownTerms)
	default:
		return refuse(BadCaller, "the session %s was given out for %s, which the setting approvers does not trust; %s", session.AccessKeyID,
			cmp.Or(provider, "an identity provider that CloudTrail does not name"), ownTerms)
	}
	if m.By.Type == "IdentityCenterUser" && provider == "" {
		return nil // it is of no role's trust
	}
	role := session.RoleName
	if role == "" {
		role = m.Role[strings.LastIndex(m.Role, "/")+1:]
	}
	if role == "" || provider == "" {
		return refuse(BadCaller, "CloudTrail does not show by which role and which identity provider the session %s was given out, so they may be a thief's; %s",
			session.AccessKeyID, ownTerms)
	}
	changed, err := a.Investigation.Trust(ctx, role, provider)
	if err != nil {
		return fmt.Errorf("who has changed whom the role %s trusts could not be asked: %w", prose.Safe(role), err)
	}
	if changed != nil {
		return refuse(BadCaller, "the session %s was given out by %s, and who may get it was changed at %s (%s by %s), so a thief may have let himself in; "+
			"it is trusted again %d days after that, or %s", session.AccessKeyID, provider, changed.At.UTC().Format(time.DateTime), changed.Call, changed.ARN,
			int(evidence.HistorySpan/(24*time.Hour)), ownTerms)
	}
	return nil
}

// issuer is an OpenID Connect issuer by its name, whether it is written as that, as its address, or as its provider's ARN. Any other text is as it is.
func issuer(provider string) string {
	if _, name, ok := strings.Cut(provider, ":oidc-provider/"); ok {
		provider = name
	}
	return strings.TrimPrefix(provider, "https://")
}
