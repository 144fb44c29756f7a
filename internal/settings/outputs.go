package settings

import "strings"

// The outputs of the stack in which the command finds a deployment: infra writes them, internal/deployment reads them.
const (
	TableOutput    = "TableName"
	ApproverOutput = "ApproverUrl"
	// ModeOutput is what DeployedMode writes.
	ModeOutput = "Mode"
	// RehearserOutput is the name of the function that rehearses.
	RehearserOutput = "RehearserFunction"
	// VersionOutput is the version of Nightlatch that was deployed.
	VersionOutput = "Version"
	// PolicyOutput is the SHA-256 of the policy's file that was deployed.
	PolicyOutput = "PolicySha256"
)

// DeployedKey is where the stack's template says, in the metadata of a function, what CloudFormation does not know of it: infra writes it, the
// doctor reads it.
const DeployedKey = "Nightlatch"

// What lies beside a function's code: the policy, and its cases where it has some.
const (
	PolicyFile = "policy.cedar"
	CasesFile  = "policy.cases.json"
)

// separator stands between a mode and its deployment generation: neither can have it in it.
const separator = ", epoch "

// DeployedMode is the mode that was deployed, with its deployment generation if it has one.
func DeployedMode(mode, generation string) string {
	if generation == "" {
		return mode
	}
	return mode + separator + generation
}

// GenerationOf is the deployment generation in what DeployedMode has written; "" where there is none.
func GenerationOf(deployed string) string {
	_, generation, _ := strings.Cut(deployed, separator)
	return generation
}
