package grant

import (
	"fmt"
	"strings"
)

// Denied is the one sentence about a call that AWS refused for want of a permission: which action, on what, and, where AWS gives one,
// the reason. said is AWS's message, in which others choose some of the names, so it is quoted and escaped. Its form is
// "User: arn… is not authorized to perform: iam:GetUser on resource: user mara because no identity-based policy allows the
// iam:GetUser action": https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func Denied(action, on, said string) error {
	if _, rest, ok := strings.Cut(said, " is not authorized to perform: "); ok {
		said = rest // who asked is known, and its ARN is long
	}
	if said != "" {
		said = fmt.Sprintf(" (AWS: %+q)", said)
	}
	return fmt.Errorf("the function's role may not call %s on %s%s; grant it, or see which policy denies it", action, on, said)
}
