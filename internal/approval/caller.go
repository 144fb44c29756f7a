package approval

import (
	"fmt"
	"time"

	"nightlatch/internal/prose"
)

// Caller is who asks for an approval, as STS says by his own signature.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
type Caller struct {
	// ARN is the caller's: of a user, the root user, or a session of a role.
	ARN string
	// UserID is aws:userid: AIDA…, AROA…:session.
	UserID string
	// AccessKeyID is what the call is signed with.
	AccessKeyID string
	// AccountID is the account of the credential.
	AccountID string
	// Signed is when he signed what he asks for, by his own clock.
	Signed time.Time
}

// Refusal is a no, in a sentence for the caller.
type Refusal struct {
	Kind RefusalKind
	// Why is printable ASCII.
	Why string
}

// RefusalKind is what a no is about.
type RefusalKind string

// What is wrong: the question, the one who asks, the incident's name, or how things stand.
const (
	BadQuestion RefusalKind = "question"
	BadCaller   RefusalKind = "caller"
	NoIncident  RefusalKind = "incident"
	NotNow      RefusalKind = "state"
)

// Error implements error.
func (r Refusal) Error() string { return r.Why }

// refuse makes a refusal; others' texts among args are escaped here.
func refuse(kind RefusalKind, format string, args ...any) error {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = prose.Safe(s)
		}
	}
	return Refusal{kind, fmt.Sprintf(format, args...)}
}
