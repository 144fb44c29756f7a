package settings

import "strings"

// The outputs of the stack in which the command finds a deployment: infra writes them, internal/deployment reads them.
const (
	TableOutput    = "TableName"
	ApproverOutput = "ApproverUrl"
	// ModeOutput is what DeployedMode writes.
	ModeOutput = "Mode"
	// VersionOutput is the version of Nightlatch that was deployed.
	VersionOutput = "Version"
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
