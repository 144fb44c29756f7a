package containment

import (
	"nightlatch/internal/evidence"
)

// SignIns is what a human runs about the sign-ins that the lineage of an actor's session begins with, as far as it names them: a sign-in's
// session gives out credentials for up to 90 days. Revoked, it can no longer be refreshed. What it gave out by then goes on until the
// denial, which names that sign-in and nobody else's.
//
// https://docs.aws.amazon.com/powershell/v5/reference/items/Revoke-AMSPSessionBatch.html, and botocore 1.44.8's model of BatchRevokeSessions.
func SignIns(tree *evidence.Tree, a evidence.Actor) (lines []string) {
	for _, n := range tree.Above(a.AccessKeyID) {
		if n.Kind != evidence.SignInNode || !plain.MatchString(n.SignIn) { // AWS gives none that is not plain
			continue
		}
		revoke := Command("aws", "signin", "batch-revoke-sessions", "--session-arns", n.SignIn, "--principal-arn", a.PrincipalARN)
		deny := denyWhen(map[string]any{"StringEquals": map[string]string{"aws:SignInSessionArn": n.SignIn}})
		line := Command("aws", "iam", "put-user-policy", "--user-name", a.UserName, "--policy-name", "nightlatch-deny-sign-in", "--policy-document", deny)
		if a.RoleName != "" {
			line = Command("aws", "iam", "put-role-policy", "--role-name", a.RoleName, "--policy-name", "nightlatch-deny-sign-in", "--policy-document", deny)
		}
		lines = append(lines, "the last sign-in before it, which is likely the session's own, can be revoked, so that it gives out nothing more:", revoke,
			"and what it gave out by now is denied by:", line)
	}
	return lines
}
