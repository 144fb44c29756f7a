package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
)

// ErrConflict says that somebody else has put the record since it was loaded.
var ErrConflict = errors.New("the incident has been changed by somebody else")

// ErrNotFound says that there is no incident of that id.
var ErrNotFound = errors.New("there is no such incident")

// ErrRewritten says that a put would change or drop what the stored log says already.
var ErrRewritten = errors.New("its log only grows, and what was stored of it is not what is put")

// Held says that somebody else holds a lease, and until when.
type Held struct{ Until time.Time }

// Error implements error.
func (h Held) Error() string {
	return "somebody else is at work until " + h.Until.UTC().Format(time.RFC3339)
}

// Store keeps the records. Every implementation passes the suite of storetest. An error that is none of the above leaves open
// whether the call took effect: the same call again, with the same writer, finds out.
type Store interface {
	// Open stores a new record and returns it, or returns the one that its id has already: a second ring joins the first.
	Open(context.Context, Record) (Record, error)
	// Load returns a record, or ErrNotFound.
	Load(ctx context.Context, id string) (Record, error)
	// Put stores a record whose Version is the stored one's, and returns it with the next version; otherwise ErrConflict. Where the
	// next version is stored already and its Writer is the record's own, an earlier Put was not lost, and the stored record is
	// returned. The log only grows: what is stored of it stays, and a put of anything else is ErrRewritten.
	Put(context.Context, Record) (Record, error)
	// Unclosed lists the incidents that are not closed, in the order in which they were opened. It may be some seconds behind.
	Unclosed(context.Context) ([]Brief, error)
	// Recent lists the latest n incidents, closed or not, newest first.
	Recent(ctx context.Context, n int) ([]Brief, error)
	// Brakes returns what holds the responder back; the zero Brakes where nothing does.
	Brakes(context.Context) (Brakes, error)
	// SetBrakes stores brakes whose Version is the stored one's, and returns them with the next version; otherwise ErrConflict.
	SetBrakes(context.Context, Brakes) (Brakes, error)
	// Lease takes, or takes again, what only one holder may have at a time; Held where somebody else has it at Now. A lease whose
	// Until is not after Now gives it back.
	Lease(context.Context, Lease) error
}

// Brief is what a list says of an incident.
type Brief struct {
	ID      string    `json:"id"`
	Version int64     `json:"version"`
	Opened  time.Time `json:"opened"`
	Closed  time.Time `json:"closed,omitzero"`
	// Escalated is when a human was called in.
	Escalated time.Time `json:"escalated,omitzero"`
	// Subject is the incident in one line, as it was told last; "" before.
	Subject string `json:"subject,omitempty"`
}

// Brief is what a list says of the record.
func (r Record) Brief() Brief {
	b := Brief{ID: r.ID, Version: r.Version, Opened: r.Opened, Closed: r.Closed, Escalated: r.Escalated}
	for _, n := range r.Notified {
		if n.Subject != "" {
			b.Subject = n.Subject
		}
	}
	return b
}

// State is where the incident stands, in a word: closed, escalated or open.
func (b Brief) State() string {
	switch {
	case !b.Closed.IsZero():
		return "closed"
	case !b.Escalated.IsZero():
		return "escalated"
	}
	return "open"
}

// Repeats judges a put of r where a version by a writer is stored: true where r's own earlier put took effect, ErrConflict where
// somebody else was faster, and neither where r is the next. It is the one rule of every Store.
func (r Record) Repeats(version int64, writer string) (bool, error) {
	switch {
	case version == r.Version:
		return false, nil
	case version == r.Version+1 && writer == r.Writer && writer != "":
		return true, nil
	}
	return false, fmt.Errorf("incident %q: version %d by %q is stored, %d was loaded: %w", r.ID, version, writer, r.Version, ErrConflict)
}

// Lease is a right that only one holder has at a time.
type Lease struct {
	Name, Holder string
	Now, Until   time.Time
}

// Wakes sees to it that the responder is called again.
type Wakes interface {
	// Wake calls the responder about an incident at a time, or soon after it. The same incident and minute may be asked for again, and wake once.
	// An error leaves open whether it will.
	Wake(ctx context.Context, id string, at time.Time) error
}

// Brakes is what holds the responder back without a deployment. It can only be held back further: the mode is lowered, never raised.
type Brakes struct {
	// Version counts the puts, as a Record's does.
	Version int64 `json:"version"`
	// Mode lowers the deployment's mode; "" leaves it. Epoch is the deployment's that it was lowered for: one with another is not
	// lowered. By and At say who did, and when.
	Mode  containment.Mode `json:"mode,omitempty"`
	Epoch string           `json:"epoch,omitempty"`
	By    string           `json:"by,omitempty"`
	At    time.Time        `json:"at,omitzero"`
	// Holds are the keys that were restored lately.
	Holds []Hold `json:"holds,omitempty"`
	// Contained are the times of the containments of the last hour, for the cap on them.
	Contained []time.Time `json:"contained,omitempty"`
}

// Hold keeps a restored key from being contained again for what a human has cleared: the next alarm asks about it.
type Hold struct {
	AccessKeyID string    `json:"access_key_id"`
	Incident    string    `json:"incident"`
	By          string    `json:"by"`
	Until       time.Time `json:"until"`
	// Origins are the networks and VPC endpoints that were cleared; from any other it is contained all the same.
	Origins []string `json:"origins"`
}

// Holding returns the hold under which an actor is not contained at a time, and whether there is one: of its key, not over, and
// with every place that the actor's bytes went to.
func (b Brakes) Holding(a evidence.Actor, now time.Time) (Hold, bool) {
	for _, h := range b.Holds {
		if h.AccessKeyID != a.AccessKeyID || !now.Before(h.Until) || a.OmittedOrigins > 0 {
			continue
		}
		if !slices.ContainsFunc(a.Origins, func(o evidence.Origin) bool { return !slices.Contains(h.Origins, o.Place()) }) {
			return h, true
		}
	}
	return Hold{}, false
}

// In is what is left of the brakes in a deployment's epoch: a mode that was lowered in another one is not lowered any more.
func (b Brakes) In(epoch string) Brakes {
	if b.Epoch != epoch {
		b.Mode, b.Epoch, b.By, b.At = "", "", "", time.Time{}
	}
	return b
}

// Lower is the mode that is left of the deployment's.
func (b Brakes) Lower(deployed containment.Mode) containment.Mode {
	order := []containment.Mode{containment.ModeObserve, containment.ModeAsk, containment.ModeAct}
	if i := slices.Index(order, b.Mode); i >= 0 && i < slices.Index(order, deployed) {
		return b.Mode
	}
	return deployed
}
