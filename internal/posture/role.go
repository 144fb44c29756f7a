package posture

import (
	"slices"
	"time"

	"al.essio.dev/pkg/shellescape"

	"nightlatch/internal/prose"
)

// Use is the last use of a role: when, zero where IAM knows of none in its 400 days, and in which region.
type Use struct {
	At     time.Time
	Region string
}

// Role is what was read of an IAM role.
type Role struct {
	Name     string
	Account  string // the twelve digits of whom we are
	ARN      string // "" where it could not be read
	Trust    Read[string]
	LastUsed Read[Use]
	Policies Read[[]Policy]
	Boundary Read[string] // an ARN; "" where there is none
	Services Read[[]Service]
}

// idleRole is after how long without a use a role is asked about: as Security Hub has it for a user's credentials.
const idleRole = 90 * 24 * time.Hour

// Suspects are a role's, at a time: who may have assumed it, and how far it reaches. Security Hub has no control for trust policies.
func (r Role) Suspects(now time.Time) []Suspect {
	of, days := "role "+r.Name, daysBefore(now)
	get := func(more ...string) string {
		return shellescape.QuoteCommand(append([]string{"aws", "iam", "get-role", "--role-name", r.Name}, more...))
	}
	who, err := trusts(r.Trust.Is, r.Account)
	if err != nil && r.Trust.Err == "" {
		r.Trust.Err = "the trust policy is not understood, so that anybody may stand in it: " + prose.Safe(err.Error())
	}
	document := get("--query", "Role.AssumeRolePolicyDocument")
	return slices.Concat([]Suspect{
		suspect(of, "others than this account may assume it", "", r.Trust, func(string) (string, bool) {
			switch {
			case len(who.others) > 0:
				return "its trust policy lets in " + prose.List(who.others), true
			case len(who.ours)+len(who.open) == 0:
				return "its trust policy lets nobody in", false
			}
			return "its trust policy lets in " + prose.List(append(who.ours, who.open...)), false
		}, "see whether each of these is yours, and take out of the trust policy who is not", document),
		suspect(of, "a federated provider lets everybody assume it", "", r.Trust, func(string) (string, bool) {
			if len(who.open) == 0 {
				return "no provider is trusted without a condition on who comes from there", false
			}
			return prose.List(who.open) + ": nothing says who of there, such as a repository or a person", true
		}, "give the trust policy a condition on the token's sub, or what else names who it is", document),
	}, reach(of, "role", r.Name, r.ARN, r.Policies, r.Services, r.Boundary, days), []Suspect{
		later(suspect(of, "nobody works with it any more", "", r.LastUsed, func(u Use) (string, bool) {
			const thief = "; a thief's use counts, too"
			if u.At.IsZero() {
				return "IAM knows of no use of it in 400 days", true
			}
			return "it was last used " + days(u.At) + " ago in " + prose.Safe(u.Region) + thief, now.Sub(u.At) > idleRole
		}, "see whether anything needs it, and delete it", get())),
	})
}
