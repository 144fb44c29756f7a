package settings

import (
	"strings"

	"nightlatch/internal/lazyregexp"
)

// Unit is the name of an organizational unit, with those above it or without: Workloads/Prod, or its id.
var Unit = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9 ._/+-]{0,127}$`)

// AcceptedUnit says what it accepts.
const AcceptedUnit = "up to 128 letters, digits, blanks and ._/+-, such as Workloads/Prod"

// Covers reports whether a pattern is that of an ARN. A * in it stands for any text, slashes and none among it, and everything else for itself, as in
// IAM's policies: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
func Covers(pattern, arn string) bool {
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
