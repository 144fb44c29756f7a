package incident

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrConflict says that somebody else has put the record since it was loaded.
var ErrConflict = errors.New("the incident has been changed by somebody else")

// ErrNotFound says that there is no incident of that id.
var ErrNotFound = errors.New("there is no such incident")

// ErrRewritten says that a put would change or drop what the stored log says already.
var ErrRewritten = errors.New("its log only grows, and what was stored of it is not what is put")

// Held says that another worker holds a lease, and until when.
type Held struct{ Until time.Time }

// Error implements error.
func (h Held) Error() string {
	return "another worker holds the lease until " + h.Until.UTC().Format(time.RFC3339)
}

// Store keeps the records. Every implementation passes the suite of storetest. An error that is none of the above leaves open
// whether the call took effect: the same call again, with the same writer, finds out.
type Store interface {
	// Open stores a new record and returns it, or returns the one that its id has already: a second alarm of it joins the first.
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
	// Subject is the incident in one line, as it was notified last; "" before.
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

// Repeats judges a put of r where a version by a writer is stored. It is true where r's own earlier put took effect, ErrConflict where
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
