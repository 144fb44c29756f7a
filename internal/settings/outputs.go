package settings

// The outputs of the stack in which the command finds a deployment: infra writes them, internal/deployment reads them.
const (
	TableOutput    = "TableName"
	ApproverOutput = "ApproverUrl"
)
