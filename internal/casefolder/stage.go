package casefolder

import (
	"fmt"
	"slices"
	"strings"

	"nightlatch/internal/containment"
	"nightlatch/internal/incident"
)

// Stage says how far an incident is. It is another one as soon as one more stage is over.
type Stage struct {
	// Name is Answered, FollowedUp or Closed: the latest that is over.
	Name string `json:"name"`
	// Digest tells the stages of an incident apart.
	Digest string `json:"sha256"`
}

// The names of stages.
const (
	Answered   = "answered"
	FollowedUp = "followed up"
	Closed     = "closed"
)

// StageOf is the stage of an incident: its answer was told or tried, so many follow-ups are done, so stand its steps, and it is closed. It is zero
// before the answer, and while a step is about to be done: what comes of that is the stage.
func StageOf(r incident.Record) Stage {
	closed := !r.Closed.IsZero()
	answered := slices.ContainsFunc(r.Notified, func(n incident.Notice) bool { return n.Kind == incident.Answer && n.Tries > 0 })
	doing := slices.ContainsFunc(r.Outcomes, func(o containment.Outcome) bool { return o.State == containment.Intended })
	if !closed && (!answered || doing) {
		return Stage{}
	}
	name := Answered
	switch {
	case closed:
		name = Closed
	case len(r.FollowUps) > 0:
		name = FollowedUp
	}
	var of strings.Builder
	fmt.Fprintf(&of, "%s %s %d\n", name, r.Closed.UTC(), len(r.FollowUps))
	for _, o := range r.Outcomes {
		fmt.Fprintf(&of, "%q %q %q %s\n", o.Name(), o.Of(), o.State, o.At.UTC())
	}
	return Stage{name, digest([]byte(of.String()))}
}
