package settings

import (
	"strings"

	"nightlatch/internal/lazyregexp"
)

// Unit is the name of an organizational unit, with those above it or without: Workloads/Prod, or its id.
var Unit = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9 ._/+-]{0,63}$`)

// AcceptedUnit says what it accepts.
const AcceptedUnit = "up to 64 letters, digits, blanks and ._/+-, such as Workloads/Prod"

// Covers reports whether a pattern is that of a user's or role's ARN, arn:PARTITION:iam::ACCOUNT:KIND/[PATH/]NAME. A * for the account stands for any
// account, and in what follows it for any text, slashes and none among it; everything else stands for itself, as in IAM's policies:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html#reference_policies_elements_resource_wildcards
func Covers(pattern, arn string) bool {
	p, a := strings.SplitN(pattern, ":", arnParts), strings.SplitN(arn, ":", arnParts)
	if len(p) != arnParts || len(a) != arnParts {
		return false
	}
	for i := range arnParts - 1 {
		if p[i] != a[i] && !(i == arnAccount && p[i] == "*") {
			return false
		}
	}
	return glob(p[arnParts-1], a[arnParts-1])
}

// An ARN has six parts, of which the last may have colons in it, and so may an IAM path.
const arnParts, arnAccount = 6, 4

// glob reports whether a pattern is that of a text.
func glob(pattern, arn string) bool {
	begins, rest, star := strings.Cut(pattern, "*")
	arn, ok := strings.CutPrefix(arn, begins)
	if !ok || !star {
		return ok && arn == ""
	}
	for {
		part, more, star := strings.Cut(rest, "*")
		if !star {
			return strings.HasSuffix(arn, part)
		}
		at := strings.Index(arn, part)
		if at < 0 {
			return false
		}
		arn, rest = arn[at+len(part):], more
	}
}
