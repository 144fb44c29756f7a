package settings

import "strings"

// The outputs of the stack in which the command finds a deployment: infra writes them, internal/deployment reads them.
const (
	TableOutput    = "TableName"
	ApproverOutput = "ApproverUrl"
	// ModeOutput is what DeployedMode writes.
	ModeOutput = "Mode"
)

// epoched stands between a mode and its epoch: neither can have it in it.
const epoched = ", epoch "

// DeployedMode is the mode that was deployed, with its epoch if it has one, in words.
func DeployedMode(mode, epoch string) string {
	if epoch == "" {
		return mode
	}
	return mode + epoched + epoch
}

// EpochOf is the epoch in what DeployedMode has written; "" where there is none.
func EpochOf(deployed string) string {
	_, epoch, _ := strings.Cut(deployed, epoched)
	return epoch
}
