package settings

import (
	"slices"
	"strings"
)

// Approver is what the approver's environment says: the responder's settings but for those that no approval reads, and the function that it has
// called. The table and the schedules are needed: an approval is for another function to do.
type Approver struct {
	Responder
	// Function is the name of the responder's function.
	Function string
	// Trusted is whom the approver trusts of those who sign in outside IAM.
	Trusted []string
}

// notApprovers are the responder's settings that no approval reads.
var notApprovers = []string{"OBSERVE_UNTIL", "FILTER_ID", "RECORDS", "MANAGEMENT", "STEPS", "STEP_PATHS", "CUTTER"}

func (s *Approver) fields() []field {
	fields := slices.DeleteFunc(s.Responder.fields(), func(f field) bool { return slices.Contains(notApprovers, f.name) })
	return append(fields, text("RESPONDER", "the name of a Lambda function", true, group, &s.Function), list("APPROVERS", AcceptedApprovers, false, Approvers, &s.Trusted))
}

// ParseApprover reads the approver's environment, as Parse does the responder's.
func ParseApprover(environ []string) (Approver, error) {
	s := Approver{Responder: Responder{ProtectTag: DefaultProtectTag, ScanBudget: DefaultScanBudget}, Trusted: strings.Split(DefaultApprovers, ",")}
	w := read(s.fields(), environ)
	s.together(&w)
	if s.Table == "" && !w.any("TABLE") {
		w.say("%sTABLE is missing: it is the name of a DynamoDB table", prefix)
	}
	if err := w.err(); err != nil {
		return Approver{}, err
	}
	return s, nil
}

// Environ writes the settings as the environment that ParseApprover reads.
func (s Approver) Environ() map[string]string { return write(s.fields()) }
