package settings

import (
	"slices"

	"nightlatch/internal/lazyregexp"
)

// Doctor is what the doctor's environment says: of the responder's settings those that say what is asked and who is notified, its own stack, and
// the heartbeat.
type Doctor struct {
	Responder
	// Stack is the id of the stack whose parts are checked.
	Stack string
	// Heartbeat is the ARN of the secret that holds the heartbeat's URL; "" where none is sent.
	Heartbeat string
}

var (
	stackID = lazyregexp.New(`^arn:aws[a-z-]*:cloudformation:[a-z0-9-]+:[0-9]{12}:stack/[A-Za-z][A-Za-z0-9-]{0,127}/[0-9a-f-]{36}$`)
	secret  = lazyregexp.New(`^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]{1,519}$`)
)

// notDoctors are the responder's settings that no check reads.
var notDoctors = []string{"MODE", "OBSERVE_UNTIL", "EPOCH", "PROTECTED", "PROTECT_TAG", "FILTER_ID", "RECORDS", "MANAGEMENT", "SCHEDULE_GROUP", "SCHEDULE_ROLE", "DEAD_LETTERS", "STEPS", "CUTTER", "WEBHOOK", "SLACK", "EVENT_BUS", "HUB", "CHAT"}

func (s *Doctor) fields() []field {
	fields := slices.DeleteFunc(s.Responder.fields(), func(f field) bool { return slices.Contains(notDoctors, f.name) })
	return append(fields, text("STACK", "the id of a CloudFormation stack", true, stackID, &s.Stack),
		text("HEARTBEAT", "the ARN of a secret", false, secret, &s.Heartbeat))
}

// ParseDoctor reads the doctor's environment, as Parse does the responder's.
func ParseDoctor(environ []string) (Doctor, error) {
	s := Doctor{Responder: Responder{ScanBudget: DefaultScanBudget}}
	w := read(s.fields(), environ)
	s.engines(&w)
	if s.Table == "" && !w.any("TABLE") {
		w.say("%sTABLE is missing: it is the name of a DynamoDB table", prefix)
	}
	if err := w.err(); err != nil {
		return Doctor{}, err
	}
	return s, nil
}

// Environ writes the settings as the environment that ParseDoctor reads.
func (s Doctor) Environ() map[string]string { return write(s.fields()) }
