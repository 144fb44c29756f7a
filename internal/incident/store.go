package incident

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// ErrConflict says that somebody else has put the record since it was loaded.
var ErrConflict = errors.New("the incident has been changed by somebody else")

// ErrNotFound says that there is no incident of that id.
var ErrNotFound = errors.New("there is no such incident")

// Store keeps the records.
type Store interface {
	// Open stores a new record and returns it, or returns the one that its id has already: a second ring joins the first.
	Open(context.Context, Record) (Record, error)
	// Load returns a record, or ErrNotFound.
	Load(ctx context.Context, id string) (Record, error)
	// Put stores a record whose Version is the stored one's, and returns it with the next version; otherwise ErrConflict.
	Put(context.Context, Record) (Record, error)
}

// Memory is a Store that lives as long as its process. It keeps records in their JSON form, as a real store does, so that what
// does not survive there does not survive here. It holds the latest maxRecords, so that rings by whoever may ring do not fill a
// process. The zero value is ready.
type Memory struct {
	mu      sync.Mutex
	records map[string][]byte
	order   []string // of opening
}

const maxRecords = 200

// Open implements Store.
func (m *Memory) Open(_ context.Context, r Record) (Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if text, ok := m.records[r.ID]; ok {
		return decode(text)
	}
	r.Version = 1
	return m.keep(r)
}

// Load implements Store.
func (m *Memory) Load(_ context.Context, id string) (Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	text, ok := m.records[id]
	if !ok {
		return Record{}, fmt.Errorf("incident %q: %w", id, ErrNotFound)
	}
	return decode(text)
}

// Put implements Store.
func (m *Memory) Put(_ context.Context, r Record) (Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	text, ok := m.records[r.ID]
	if !ok {
		return Record{}, fmt.Errorf("incident %q: %w", r.ID, ErrNotFound)
	}
	stored, err := decode(text)
	if err != nil {
		return Record{}, err
	}
	if stored.Version != r.Version {
		return Record{}, fmt.Errorf("incident %q: version %d is stored, %d was loaded: %w", r.ID, stored.Version, r.Version, ErrConflict)
	}
	r.Version++
	return m.keep(r)
}

func (m *Memory) keep(r Record) (Record, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return Record{}, fmt.Errorf("incident %q: %v", r.ID, err)
	}
	if m.records == nil {
		m.records = map[string][]byte{}
	}
	if _, known := m.records[r.ID]; !known {
		if m.order = append(m.order, r.ID); len(m.order) > maxRecords {
			delete(m.records, m.order[0])
			m.order = m.order[1:]
		}
	}
	m.records[r.ID] = text
	return decode(text)
}

func decode(text []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(text, &r); err != nil {
		return Record{}, fmt.Errorf("a stored incident does not decode: %v", err)
	}
	return r, nil
}
