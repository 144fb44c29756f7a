package containment

import (
	"nightlatch/internal/evidence"
)

// CutMade is the line that cuts what was made with a credential; "" where no line does: a session needs a denial, a token ends by itself, and whom a
// policy or a trust lets in has to be read first.
//
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteLoginProfile.html
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateServiceSpecificCredential.html
func CutMade(n evidence.Node) string {
	switch {
	case n.Kind == evidence.KeyNode && len(n.Keys) > 0:
		return KeyOff(n.UserName, n.Keys[0])
	case n.Kind == evidence.PasswordNode:
		return Command("aws", "iam", "delete-login-profile", "--user-name", n.UserName)
	case n.Kind == evidence.ServiceKeyNode && n.What == "":
		return Command("aws", "iam", "list-service-specific-credentials", "--user-name", n.UserName)
	case n.Kind == evidence.ServiceKeyNode:
		return Command("aws", "iam", "update-service-specific-credential", "--user-name", n.UserName, "--service-specific-credential-id", n.What, "--status", Inactive)
	}
	return ""
}
