package grant

import (
	"fmt"
	"strings"
)

// Denial is a call that AWS refused for want of a permission.
type Denial struct {
	// Action is the IAM action, On what it was called on.
	Action, On string
	// Said is AWS's message, in which others choose some of the names.
	Said string
}

// Error is the sentence about a function that was denied: which action, on what, and, where AWS gives one, the reason. It is quoted and
// escaped.
func (d Denial) Error() string { return d.Of("the function's role") }

// Of is the sentence about whoever was denied.
func (d Denial) Of(who string) string {
	said := d.Said
	if _, rest, ok := strings.Cut(said, " is not authorized to perform: "); ok {
		said = rest // who asked is known, and its ARN is long
	}
	if said != "" {
		said = fmt.Sprintf(" (AWS: %+q)", said)
	}
	return fmt.Sprintf("%s may not call %s on %s%s; grant it, or see which policy denies it", who, d.Action, d.On, said)
}

// Denied is the Denial of an action. said is AWS's message, of the form "User: arn… is not authorized to perform: iam:GetUser on resource:
// user mara because no identity-based policy allows the iam:GetUser action":
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func Denied(action, on, said string) error { return Denial{action, on, said} }
