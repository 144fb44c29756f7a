package settings

import (
	"log/slog"
	"strings"

	"nightlatch/internal/lazyregexp"
)

// Cutter is what the environment of the function says that does what is ordered.
type Cutter struct {
	// Accounts are the account ids that are ours, the function's own first.
	Accounts []string
	// Stack is the id of the stack, whose name begins those of its roles.
	Stack string
	// Steps are those that the deployment enables.
	Steps []string
	// Paths are the IAM paths in which users and roles may be changed; none where no step changes any.
	Paths []string
	// Protected are the ARNs of users and roles that must not be touched; a * stands for any text, as Covers has it.
	Protected []string
	// ProtectTag is the tag key whose presence protects a user or role.
	ProtectTag string
	// LogLevel is debug, info, warn or error.
	LogLevel slog.Level
}

// AcceptedSteps says what the setting takes. The steps are those of containment.Orderable, which a leaf does not know.
const AcceptedSteps = "fence-origin, deny-user-sessions, quarantine-user, deny-role-session, deny-role-sessions, block-on-bucket and block-public-access, with commas between them"

// Step is a step that can be enabled, and StepPath an IAM path without a character that IAM would expand.
var (
	Step     = lazyregexp.New(`^(fence-origin|deny-user-sessions|quarantine-user|deny-role-sessions?|block-on-bucket|block-public-access)$`)
	StepPath = lazyregexp.New(`^/([\x21-\x23\x25-\x29\x2b\x2d\x2e\x30-\x3e\x40-\x7e]+/)*$`)
)

// AcceptedStepPaths says what the setting takes.
const AcceptedStepPaths = "IAM paths like /team/, which begin and end with a slash and have no *, ? and $, with commas between them"

func (s *Cutter) fields() []field {
	return []field{
		list("ACCOUNTS", "12-digit account ids, with commas between them", true, account, &s.Accounts),
		text("STACK", "the id of a CloudFormation stack", true, stackID, &s.Stack),
		list("STEPS", AcceptedSteps, true, Step, &s.Steps),
		list("STEP_PATHS", AcceptedStepPaths, false, StepPath, &s.Paths),
		list("PROTECTED", "ARNs of IAM users and roles, with commas between them", false, iamARN, &s.Protected),
		text("PROTECT_TAG", "a tag key", false, tagKey, &s.ProtectTag),
		logLevel(&s.LogLevel),
	}
}

// ParseCutter reads the environment, as Parse does the responder's.
func ParseCutter(environ []string) (Cutter, error) {
	s := Cutter{ProtectTag: DefaultProtectTag}
	w := read(s.fields(), environ)
	if err := w.err(); err != nil {
		return Cutter{}, err
	}
	return s, nil
}

// Environ writes the settings as the environment that ParseCutter reads.
func (s Cutter) Environ() map[string]string { return write(s.fields()) }

// StackName is the stack's name.
func (s Cutter) StackName() string { return strings.Split(s.Stack, "/")[1] }
