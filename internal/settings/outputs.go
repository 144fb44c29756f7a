package settings

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
)

// The outputs of the stack in which the command finds a deployment: infra writes them, internal/deployment reads them.
const (
	TableOutput    = "TableName"
	ApproverOutput = "ApproverUrl"
	// ModeOutput is what DeployedMode writes.
	ModeOutput = "Mode"
	// ResponderOutput is the name of the responder's function.
	ResponderOutput = "FunctionName"
	// RehearserOutput is the name of the function that rehearses.
	RehearserOutput = "RehearserFunction"
	// VersionOutput is the version of Nightlatch that was deployed.
	VersionOutput = "Version"
	// TrailAccessOutput and StoreAccessOutput are what the owners of the evidence add to their policies.
	TrailAccessOutput, StoreAccessOutput = "TrailAccess", "StoreAccess"
	// PolicyOutput is the SHA-256 of the policy's file that was deployed.
	PolicyOutput = "PolicySha256"
)

// StackName is what the stack of a deployment is called, and HubName the hub's and its bus: so the bus's ARN is known before there is one.
const (
	StackName = "Nightlatch"
	HubName   = "NightlatchHub"
)

// DeployedKey is where the stack's template says, in the metadata of a function, what CloudFormation does not know of it: infra writes it, the
// doctor reads it.
const DeployedKey = "Nightlatch"

// GivenKey is where the template's own metadata says, below DeployedKey, with which settings it was made: what Given returns.
const GivenKey = "Settings"

// maxGiven is how many characters of a setting stand in the template, which itself has 1 MB:
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
const maxGiven = 2000

// Given are settings as texts, so that two readings of them can be compared. Of a long one only the SHA-256 is kept.
func Given(all map[string]any) map[string]string {
	given := map[string]string{}
	for key, value := range all {
		text, ok := Text(value)
		if !ok {
			continue
		}
		if len(text) > maxGiven {
			text = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text)))
		}
		given[key] = text
	}
	return given
}

// Text is a setting as text: -c gives texts; cdk.json and a file of deployments may have numbers, and lists of texts.
func Text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case []any:
		var parts []string
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return "", false
			}
			parts = append(parts, s)
		}
		return strings.Join(parts, ","), true
	}
	return "", false
}

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
